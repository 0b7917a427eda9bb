"""The profiles that stories are played under, by name."""

from collections.abc import Callable
from types import MappingProxyType

from twinlock.bootstrap import RuleBook, rule_book
from twinlock.domain.errors import TwinlockError
from twinlock.range.laws_2024 import rule_book_2024

DEFAULT = "default"
BASELINE = "baseline-2024"
PROFILES: MappingProxyType[str, Callable[[], RuleBook]] = MappingProxyType(
    {DEFAULT: rule_book, BASELINE: rule_book_2024}
)


class ProfileUnknownError(TwinlockError):
    """There is no profile of this name."""

    code = "profile_unknown"
    status = 404


def rules_of(profile: str) -> RuleBook:
    """Return the rules of a profile. Raises ProfileUnknownError."""
    if profile not in PROFILES:
        known = ", ".join(PROFILES)
        raise ProfileUnknownError(f"{profile!r} is not a profile: {known}")
    return PROFILES[profile]()
