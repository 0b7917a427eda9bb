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


class ProfileUnknownError(TwinlockError):
    """There is no profile of this name."""

    code = "profile_unknown"
    status = 404


@lru_cache  # Reading and checking a policy takes a third of a second.
def rules_of(profile: str) -> RuleBook:
    """Return the rules of a profile. Raises ProfileUnknownError."""
    if profile not in PROFILES:
        known = ", ".join(PROFILES)
        raise ProfileUnknownError(f"{profile!r} is not a profile: {known}")
    return PROFILES[profile]()
