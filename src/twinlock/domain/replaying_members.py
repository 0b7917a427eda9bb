"""What the events of members and quorums leave: a part of ``replay.apply``."""

from typing import TypeAlias, assert_never

from msgspec.structs import replace

from twinlock.domain.account import Account, State
from twinlock.domain.changing import with_account, with_left
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import MemberJoined, MemberLeft, QuorumSet
from twinlock.domain.ids import MemberId
from twinlock.domain.members import member_ids
from twinlock.domain.throttle import without

MembersEvent: TypeAlias = MemberJoined | MemberLeft | QuorumSet


def with_members_after(state: State, event: MembersEvent) -> State:
    """Return ``state`` after a member came or went, or a quorum was set."""
    account = state.account
    match event:
        case MemberJoined(member=member, passkey=passkey):
            return with_account(
                state,
                members=(*account.members, member),
                authenticators=(*account.authenticators, passkey),
            )
        case MemberLeft(member_id=gone):
            left = tuple(one for one in account.authenticators if one.member_id != gone)
            return with_left(replace(state, account=_without(account, gone)), left, at=event.at)
        case QuorumSet(quorum=quorum):
            return with_account(state, quorum=quorum)
        case _:
            assert_never(event)


def _without(account: Account, gone: MemberId) -> Account:
    """Return ``account`` without one member; the first one's place goes to the next."""
    number = member_ids(account).index(gone)
    first, left = account.member_id, tuple(one for one in account.members if one.member_id != gone)
    if gone == first:
        if not left:
            raise InvariantError("the last member stays")
        first, left = left[0].member_id, left[1:]
    return replace(
        account,
        member_id=first,
        members=left,
        throttle=without(account.throttle, number),
        known_throttle=without(account.known_throttle, number),
    )
