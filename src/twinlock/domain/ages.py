"""Ages: how old what was shown counts as, and which of several proofs speaks for all (law 3)."""

from collections.abc import Iterable
from datetime import datetime

from twinlock.domain.account import Account, Shown
from twinlock.domain.assurance import Factor, Level, level_of


def age_of(account: Account, one: Shown) -> datetime:
    """Return when what made this proof was bound; a session is as old as what began it.

    Prevents: a session that a newcomer began, and that speaks as the account.
    """
    session = account.session(one.source) if one.factor is Factor.SESSION else None
    return one.bound_at if session is None else session.bound_at


def oldest_shown(account: Account, shown: Iterable[Shown], level: Level) -> datetime | None:
    """Return when the oldest proof of ``level`` at least was bound, or None."""
    every = tuple(shown)
    enough = (one for one in every if _worth(one, every) >= level)
    return min((_age_among(account, one, every) for one in enough), default=None)


def oldest_of_the_strongest(account: Account, shown: Iterable[Shown]) -> datetime | None:
    """Return when the oldest of the strongest proofs was bound, or None without any.

    Prevents: a leaked old password beside what a thief bound, which is then as old.
    """
    every = tuple(shown)
    strongest = max((_worth(one, every) for one in every), default=Level.NONE)
    return oldest_shown(account, every, strongest)


def _age_among(account: Account, one: Shown, every: Iterable[Shown]) -> datetime:
    """Return the age of one proof; a saved code is no older than the password beside it.

    Prevents: a password that a thief reset, and a photographed code that makes it old.
    """
    age = age_of(account, one)
    if one.factor is not Factor.RECOVERY_CODE:
        return age
    passwords = (other.bound_at for other in every if other.factor is Factor.PASSWORD)
    return max((age, *passwords))


def _worth(one: Shown, every: Iterable[Shown]) -> Level:
    """Return the level of one proof; a saved code is worth nothing without the password.

    Prevents: a photographed code that makes a thief's new app as old as the owner's codes
    (docs/adr/0009-what-a-recovery-code-may-do.md).
    """
    alone = not any(other.factor is Factor.PASSWORD for other in every)
    return Level.NONE if one.factor is Factor.RECOVERY_CODE and alone else level_of(one.factor)
