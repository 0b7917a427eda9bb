"""A company: Alice's account with further members, and what they ask for and agree to."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace
from support.cast import ALICE, LONG_AGO, MEMBER, NOON, OLD_ADDRESS
from support.gates import Gate
from support.policies import DEFAULT
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    SMS,
    SYNCED,
    a_destination,
    a_passkey,
    a_session,
    an_account,
)

from twinlock.domain.account import Account, Session
from twinlock.domain.actions import (
    AnyPayload,
    MemberAdd,
    MemberRemove,
    QuorumLoosen,
    QuorumTighten,
)
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import Passkey, credential_of
from twinlock.domain.canonical import encode
from twinlock.domain.decisions import Decision
from twinlock.domain.ids import MemberId
from twinlock.domain.policy.version import Policy
from twinlock.domain.quorums import Member, Quorum

TWO_ABOVE, THREE_ABOVE = 100_00, 300_00
QUORUM = Quorum(two_cents=TWO_ABOVE, three_cents=THREE_ABOVE)


def member_key(name: str, number: int = 1) -> Passkey:
    """Return the passkey ``number`` of the member who is so called."""
    made = a_passkey(f"aut_{name.lower()}_{number}", placement=Placement.ROAMING)
    return replace(made, member_id=MemberId(f"mem_{name.lower()}"), name=name)


def member(name: str) -> Member:
    return Member(member_id=MemberId(f"mem_{name.lower()}"), name=name, joined_at=LONG_AGO)


BOB, CAROL, DAVE = member("Bob"), member("Carol"), member("Dave")
BOBS, BOBS_OTHER, CAROLS, DAVES = (
    member_key("Bob"),
    member_key("Bob", 2),
    member_key("Carol"),
    member_key("Dave"),
)
KEYS = {MEMBER: (SYNCED,), BOB.member_id: (BOBS, BOBS_OTHER), CAROL.member_id: (CAROLS,)}


def company(*others: Member, quorum: Quorum = QUORUM) -> Account:
    """Return Alice's account with others on it, Bob and Carol unless told otherwise."""
    members = others or (BOB, CAROL)
    named = {one.member_id for one in members}
    keys = [key for key in (BOBS, BOBS_OTHER, CAROLS, DAVES) if key.member_id in named]
    account = an_account(PASSWORD, SYNCED, *keys, channels=(EMAIL, SMS, DESKTOP))
    return replace(account, members=members, quorum=quorum)


def a_company(*others: Member, quorum: Quorum = QUORUM, policy: Policy = DEFAULT) -> Gate:
    account = company(*others, quorum=quorum)
    return Gate.of(account, a_destination(OLD_ADDRESS, used_at=NOON), policy=policy)


def asks(gate: Gate, payload: AnyPayload, key: Passkey = SYNCED, secret: str = "") -> str:
    """Have the member whose ``key`` it is propose and prove ``payload``; return its action."""
    action = gate.propose(payload, secret, member=key.member_id).action_id
    if gate.is_open(action):
        gate.prove(action, key)
    return action


def agrees(
    gate: Gate,
    action: str,
    *keys: Passkey,
    **changes: Any,  # noqa: ANN401 - fields
) -> Decision:
    """Have other members agree to ``action``, and return the last answer."""
    said = [gate.agree(action, key, factor=Factor.MEMBER, **changes) for key in keys]
    return said[-1]


def done(
    gate: Gate, payload: AnyPayload, *others: Passkey, by: Passkey = SYNCED, secret: str = ""
) -> str:
    """Ask for it and have the others agree, as far as it is open."""
    action = asks(gate, payload, by, secret)
    for key in others:
        if gate.is_open(action):
            agrees(gate, action, key)
    return action


def session_of(name: str, member_id: str, **changes: object) -> Session:
    return replace(a_session(name), member_id=MemberId(member_id), **changes)


def add_member(name: str = "Dave") -> tuple[MemberAdd, str]:
    """Return the payload that adds a member, and what will be kept of them."""
    made = member_key(name)
    payload = MemberAdd(
        account=ALICE, member_id=made.member_id, name=name, credential=credential_of(made)
    )
    return payload, encode(made).decode("utf-8")


def remove_member(member_id: str = BOB.member_id) -> MemberRemove:
    return MemberRemove(account=ALICE, member_id=member_id)


def tighten(two: int | None, three: int | None = None) -> QuorumTighten:
    return QuorumTighten(account=ALICE, two_cents=two, three_cents=three)


def loosen(two: int | None, three: int | None = None) -> QuorumLoosen:
    return QuorumLoosen(account=ALICE, two_cents=two, three_cents=three)


def names(account: Account) -> Iterable[str]:
    return [one.name for one in account.members]
