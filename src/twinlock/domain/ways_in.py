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
    account: Account, left: Iterable[Authenticator], *, apps: frozenset[int] | None
) -> frozenset[MemberId]:
    """Return the members for whom one of ``left`` is a way in, today or soon.

    ``apps`` are the entries of which an app is believed to be there still, None: of all.
    """
    ways = (one for one in left if _gets_in(one, apps=apps))
    if account.members:
        ways = (one for one in ways if isinstance(one, Passkey))
    return frozenset(one.member_id for one in ways)


def made_members(account: Account, gone: frozenset[int]) -> frozenset[MemberId]:
    """Return whom something made a member that the entries ``gone`` bound.

    Prevents: a thief's friend, suspended for a while and then back, when the thief's key goes.
    """
    joined = {one.member_id: one.joined_at for one in account.members}
    own = (one for one in account.authenticators if one.entry in gone)
    return frozenset(one.member_id for one in own if joined.get(one.member_id) == one.bound_at)


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
