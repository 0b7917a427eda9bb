"""The profiles that stories are played under, by name."""

from collections.abc import Callable
from functools import lru_cache, partial
from types import MappingProxyType

from twinlock.bootstrap.rulebook import RuleBook, rule_book
from twinlock.domain.errors import TwinlockError
from twinlock.range import laws_2024, laws_2026

DEFAULT = "default"
STRICT = "strict"
BASELINE = laws_2024.NAME
TYPICAL = laws_2026.NAME
PROFILES: MappingProxyType[str, Callable[[], RuleBook]] = MappingProxyType(
    {
        BASELINE: laws_2024.rule_book_2024,
        TYPICAL: laws_2026.rule_book_2026,
        DEFAULT: partial(rule_book, DEFAULT),
        STRICT: partial(rule_book, STRICT),
    }
)


# By these rules nobody can be set up who has no passkey; a platform takes them with the customers
# that it has.
_TAKEN_LATER: MappingProxyType[str, str] = MappingProxyType({STRICT: DEFAULT})


class ProfileUnknownError(TwinlockError):
    """There is no profile of this name."""

    code = "profile_unknown"
    status = 404


@lru_cache  # Reading and checking a policy takes a fifth of a second.
def rules_of(profile: str) -> RuleBook:
    """Return the rules of a profile. Raises ProfileUnknownError."""
    if profile not in PROFILES:
        known = ", ".join(PROFILES)
        raise ProfileUnknownError(f"{profile!r} is not a profile: {known}")
    return PROFILES[profile]()


def before(book: RuleBook) -> RuleBook:
    """Return the rules that a platform had before it took ``book``: mostly the same."""
    earlier = _TAKEN_LATER.get(book.policy.profile)
    return book if earlier is None else rules_of(earlier)
