"""Ways in: who still gets into an account when something that is bound there is undone.

Each of several members gets in by a passkey of their own, whatever the others have.

Source: docs/laws.md, law 3.
"""

from collections.abc import Iterable

from twinlock.domain.account import Account
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    RecoveryCodes,
    SuspensionKind,
    Totp,
)
from twinlock.domain.ids import MemberId


def who_gets_in(
    account: Account, entry: int, left: Iterable[Authenticator], *, apps: frozenset[int] | None
) -> frozenset[MemberId]:
    """Return the members of whom nothing need stay when what ``entry`` bound is undone.

    One of ``left`` is a way in for them, today or soon; or they are members by it and by nothing
    else, since what is theirs stands on nobody else's. ``apps`` are the entries of which an app is
    believed to be there still, None: of all. Prevents: a thief's friend, suspended for a while and
    then back, when the thief's key goes.
    """
    ways = (one for one in left if _gets_in(one, apps=apps))
    if not account.members:
        return frozenset(one.member_id for one in ways)
    every = frozenset(one.member_id for one in account.authenticators)
    able = frozenset(one.member_id for one in ways if isinstance(one, Passkey))
    return able | (every - _whose(account, entry))


def _whose(account: Account, entry: int) -> frozenset[MemberId]:
    """Return whose it is that ``entry`` bound; where it is gone, whose later things it proved.

    But for the key with which somebody became a member: it is another person's.
    """
    bound = frozenset(one.member_id for one in account.authenticators if one.entry == entry)
    joined = {one.member_id: one.joined_at for one in account.members}
    later = (one for one in account.authenticators if entry in one.by)
    own = (one for one in later if joined.get(one.member_id) != one.bound_at)
    return bound or frozenset(one.member_id for one in own)


def _gets_in(one: Authenticator, *, apps: frozenset[int] | None) -> bool:
    """Say whether ``one`` is a way in, today or soon: it signs in, or sets another password.

    Prevents: a password that is suspended or that a thief changed, so that his key is kept, and
    with it a floor that the owner does not reach; and a mailbox that leaves nothing but an app long
    wiped.
    """
    if one.suspension is not None and one.suspension.kind is SuspensionKind.FOR_GOOD:
        return False
    if isinstance(one, Totp):
        return apps is None or one.entry in apps
    return not isinstance(one, RecoveryCodes)
