"""Room: what gives way in a full account, and what always finds some.

An account is one document of bounded size, and strangers can make proposals. So what nobody proved
gives way to what comes later, and freezing and signing in find room however full it is.

Always true (tests/property/test_gate_properties.py): no number of proposals and questions keeps the
owner from freezing or signing in.
"""

from datetime import datetime

from msgspec.structs import replace

from twinlock.domain.account import Account, ActionState, OpenAction
from twinlock.domain.actions import ActionClass, SessionStart, class_of
from twinlock.domain.bounds import DOCUMENT_ROOM, LOOSE_ACTIONS_MOST, OPEN_ACTIONS_MOST
from twinlock.domain.canonical import encode
from twinlock.domain.errors import DocumentTooLargeError


def urgent(action: OpenAction) -> bool:
    """Say whether the owner must always be able to ask for this: to tighten, and to sign in."""
    tightens = class_of(action.payload) is ActionClass.TIGHTENING
    return tightens or isinstance(action.payload, SessionStart)


def gives_way(account: Account, *, now: datetime) -> OpenAction | None:
    """Return the open action that a new proposal pushes out, or None while there is room.

    What waits on its proof stays. Of the rest the one goes that shows least, then one from a device
    that never signed in, then one whose customer is not being asked just now; the oldest first.
    Prevents: a stranger's proposals, after which the owner can neither sign in nor freeze.
    """
    actions = account.actions
    loose = [
        one
        for one in actions
        if one.state is ActionState.OPEN and (one.proved_at is None or urgent(one))
    ]
    if len(actions) < OPEN_ACTIONS_MOST and len(loose) < LOOSE_ACTIONS_MOST:
        return None

    def worth(one: OpenAction) -> tuple[int, bool, bool, datetime]:
        asked = any(challenge.expires_at > now for challenge in one.challenges)
        return len(one.shown), account.from_known_device(one), asked, one.proposed_at

    return min(loose, key=worth, default=None)


def check_room(account: Account) -> None:
    """Check that ``account`` leaves room for what is urgent, which is not counted.

    Raises:
        DocumentTooLargeError: something must be finished or removed first.
    """
    lasting = tuple(one for one in account.actions if not urgent(one))
    if len(encode(replace(account, actions=lasting))) > DOCUMENT_ROOM:
        raise DocumentTooLargeError("this account is full: finish or remove something first")
