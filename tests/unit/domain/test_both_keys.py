"""A lock of both keys: two independent roots and the wait, whatever else is shown or silent."""

from datetime import datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, NEW_ADDRESS, NOON, OLD_ADDRESS
from support.companies import BOBS, BOBS_OTHER, CAROLS, a_company, agrees, asks
from support.gates import Gate, Source
from support.leaving import OTHERS
from support.policies import DEFAULT, STRICT, changed
from support.worlds import (
    APP,
    DESKTOP_KEY,
    EMAIL,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    a_passkey,
    a_session,
    an_account,
    change_password,
    list_address,
    remove,
    repudiate,
    send,
    suspend,
)

from twinlock.domain.actions import AnyPayload, LockLoosen, LockTighten, payload_bytes
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.decisions import Decision
from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.locks import OPEN, Eased, Lock, tighter
from twinlock.domain.own_drafts import own
from twinlock.domain.policy.version import Policy
from twinlock.domain.quorums import Quorum
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Prove, leaves, reasons
from twinlock.services.looking import Standing
from twinlock.web.preview import preview

PROFILES = pytest.mark.parametrize("policy", [DEFAULT, STRICT], ids=["default", "strict"])
WEEK = 7 * DAY
SECOND = timedelta(seconds=1)
BOTH = Lock(days=7, both_keys=True)


def lock(days: int, *, two_keys: bool = False, both_keys: bool = True) -> LockTighten:
    return LockTighten(account=ALICE, days=days, two_keys=two_keys, both_keys=both_keys)


def loosen(days: int = 0, *, both_keys: bool = False) -> LockLoosen:
    return LockLoosen(account=ALICE, days=days, two_keys=False, both_keys=both_keys)


def a_gate(policy: Policy = DEFAULT, *bound: Authenticator, of: Lock = BOTH) -> Gate:
    account = replace(an_account(*(bound or (PASSWORD, SYNCED, ROAMING))), lock=of)
    return Gate.of(account, a_destination(OLD_ADDRESS, used_at=NOON), policy=policy)


def awaits_second(gate: Gate, decision: Decision) -> bool:
    """Say whether two roots are asked for, and nobody is told of any wait so far."""
    proofs = [one for one in leaves(decision.requirement) if isinstance(one, Prove)]
    asked = any((one.code, one.roots) == (Reason.BOTH_KEYS_NEEDED, 2) for one in proofs)
    open_ = gate.action(decision.action_id)
    return asked and (open_.until, open_.offered_until) == (None, None)


# --- What takes both ---


@PROFILES
@pytest.mark.parametrize("first", [SYNCED, ROAMING])
@pytest.mark.parametrize("payload", [send(), send(to=NEW_ADDRESS), *OTHERS])
def test_one_key_lets_nothing_leave_however_long_nobody_objects(
    policy: Policy, first: Source, payload: AnyPayload
) -> None:
    gate = a_gate(policy)
    named = gate.propose(payload).action_id
    assert awaits_second(gate, gate.prove(named, PASSWORD, first))
    gate.wait(HOUR)
    gate.settle()
    assert not gate.is_open(named)


@PROFILES
@pytest.mark.parametrize(
    "payload", [list_address(NEW_ADDRESS), remove(SYNCED), loosen(), loosen(7)]
)
def test_one_key_loosens_nothing(policy: Policy, payload: AnyPayload) -> None:
    gate = a_gate(policy)
    named = gate.propose(payload).action_id
    assert awaits_second(gate, gate.prove(named, PASSWORD, ROAMING))
    gate.wait(40 * DAY)
    gate.settle()
    assert gate.account.lock == BOTH
    assert not gate.account.destinations.keys() - {gate.where(send())}
    assert len(gate.account.authenticators) == 3


@PROFILES
def test_both_keys_and_the_wait_let_leave(policy: Policy) -> None:
    gate = a_gate(policy)
    named = gate.propose(send()).action_id
    gate.prove(named, SYNCED)
    gate.wait(HOUR / 2)
    waits = gate.prove(named, ROAMING)
    assert (waits.answer, reasons(waits.requirement)) == (Answer.HOLD, (Reason.LOCKED,))
    assert gate.action(named).until == gate.now + WEEK  # From the second, not from the first.
    gate.wait(WEEK - SECOND)
    assert gate.spend(named).answer is Answer.HOLD
    gate.wait(SECOND)

    assert gate.spend(named).answer is Answer.ALLOW


@PROFILES
def test_both_keys_and_the_wait_loosen_the_lock(policy: Policy) -> None:
    gate = a_gate(policy)
    named = gate.propose(loosen(3)).action_id
    assert gate.prove(named, SYNCED, ROAMING).answer is Answer.HOLD
    gate.wait(WEEK - SECOND)
    gate.settle()
    assert gate.account.lock == BOTH
    gate.wait(SECOND)
    gate.settle()

    assert gate.account.lock == Lock(days=3)


def test_what_one_key_began_before_the_lock_takes_both_since() -> None:
    gate = a_gate(of=OPEN)
    named = gate.propose(list_address(NEW_ADDRESS)).action_id
    assert gate.prove(named, SYNCED).answer is Answer.HOLD
    gate.prove(gate.propose(lock(7)).action_id, ROAMING)
    assert gate.account.lock == BOTH
    gate.wait(3 * DAY)
    gate.settle()
    assert gate.is_open(named)
    told = gate.prove(named, ROAMING)
    assert told.answer is Answer.HOLD
    gate.wait(WEEK - SECOND)
    gate.settle()
    assert gate.is_open(named)
    gate.wait(SECOND)
    gate.settle()
    assert not gate.is_open(named)


def test_neither_a_budget_nor_a_session_is_the_second() -> None:
    account = replace(an_account(PASSWORD, SYNCED, ROAMING), lock=BOTH)
    gate = Gate.of(account, a_destination(OLD_ADDRESS, used_at=NOON, budget_cents=500_00))
    signed = gate.give_session(a_session(started_at=NOON))
    named = gate.propose(send(1), session=signed)
    assert Reason.BOTH_KEYS_NEEDED in reasons(named.requirement)

    assert awaits_second(gate, gate.prove(named.action_id, SYNCED))


def test_whoever_has_shown_one_is_asked_for_the_other_and_for_nothing_again() -> None:
    gate = a_gate()
    named = gate.propose(list_address(NEW_ADDRESS)).action_id
    asked = gate.prove(named, SYNCED)

    assert Reason.PROOF_NEEDED not in reasons(asked.requirement)
    state = gate.book[-1][1].state
    tried = preview(
        Standing(state=state, action=gate.action(named), rules=gate.rules, now=gate.now)
    )
    assert (tried.offers, tried.then_asks) == ((Factor.PASSKEY,), False)


def test_a_statute_that_takes_a_proof_asks_for_nobody_elses() -> None:
    gate = a_gate()
    named = gate.propose(send(600)).action_id  # Above it a statute of the profile asks for one.

    asked = gate.prove(named, SYNCED)
    assert awaits_second(gate, asked)
    assert not {Reason.PROOF_NEEDED, Reason.MEMBERS_NEEDED} & set(reasons(asked.requirement))


def test_two_keys_of_one_root_are_one() -> None:
    again = a_passkey("aut_again")
    gate = a_gate(DEFAULT, PASSWORD, SYNCED, again, ROAMING)
    named = gate.propose(send()).action_id

    assert awaits_second(gate, gate.prove(named, SYNCED, again))
    assert gate.prove(named, ROAMING).answer is Answer.HOLD


def test_a_code_beside_a_key_is_no_second_root() -> None:
    """A code would have been shown before the key was bound: none is asked for since."""
    gate = a_gate(DEFAULT, PASSWORD, ROAMING, DESKTOP_KEY)
    named = gate.propose(send()).action_id

    assert gate.prove(named, EMAIL).fault is not None
    assert awaits_second(gate, gate.prove(named, PASSWORD, ROAMING))


# --- Lost keys ---


def lost(gate: Gate, gone: Authenticator, *by: Source) -> datetime:
    assert gate.prove(gate.propose(suspend(gone)).action_id, *by).answer is Answer.ALLOW
    return gate.now


@PROFILES
def test_a_key_that_is_reported_lost_counts_for_thirty_days(policy: Policy) -> None:
    """Prevents: a thief with one key, who reports the other one lost and goes on."""
    gate = a_gate(policy)
    at = lost(gate, ROAMING, SYNCED)
    named = gate.propose(send()).action_id
    waits = gate.prove(named, SYNCED)
    assert waits.answer is Answer.HOLD
    assert Reason.BOTH_KEYS_NEEDED in reasons(waits.requirement)
    ends = at + NEWCOMER_PERIOD
    assert gate.action(named).until == ends
    gate.wait_until(ends - SECOND)
    assert gate.spend(named).answer is Answer.HOLD
    gate.wait_until(ends)

    assert gate.spend(named).answer is Answer.ALLOW


def test_thirty_days_after_a_report_one_key_and_the_wait_are_enough() -> None:
    gate = a_gate()
    lost(gate, ROAMING, SYNCED)
    gate.wait(NEWCOMER_PERIOD)
    named = gate.propose(loosen()).action_id
    assert gate.prove(named, SYNCED).answer is Answer.HOLD
    gate.wait(WEEK - SECOND)
    gate.settle()
    assert gate.account.lock == BOTH
    gate.wait(SECOND)
    gate.settle()

    assert gate.account.lock == OPEN


def test_of_several_lost_ones_the_last_report_counts() -> None:
    gate = a_gate(DEFAULT, PASSWORD, SYNCED, ROAMING, DESKTOP_KEY)
    lost(gate, ROAMING, SYNCED)
    gate.wait(DAY)
    at = lost(gate, DESKTOP_KEY, SYNCED)
    gate.wait(DAY)
    named = gate.propose(send()).action_id
    gate.prove(named, SYNCED)

    assert gate.action(named).until == at + NEWCOMER_PERIOD


def test_while_two_others_are_left_a_lost_one_changes_nothing() -> None:
    gate = a_gate(DEFAULT, PASSWORD, SYNCED, ROAMING, DESKTOP_KEY)
    lost(gate, ROAMING, SYNCED)
    gate.wait(40 * DAY)
    named = gate.propose(send()).action_id

    assert awaits_second(gate, gate.prove(named, SYNCED))
    assert gate.prove(named, DESKTOP_KEY).answer is Answer.HOLD


def test_what_is_reported_for_a_while_is_asked_for_all_the_same() -> None:
    gate = a_gate()
    weak = gate.propose(suspend(ROAMING)).action_id
    assert gate.prove(weak, PASSWORD).answer is Answer.ALLOW
    named = gate.propose(send()).action_id

    assert awaits_second(gate, gate.prove(named, SYNCED))


def test_what_both_signed_waits_longer_once_one_of_them_is_lost() -> None:
    gate = a_gate()
    named = gate.propose(send()).action_id
    gate.prove(named, SYNCED, ROAMING)
    gate.wait(DAY)
    at = lost(gate, ROAMING, SYNCED)
    gate.wait(WEEK)
    assert gate.spend(named).answer is Answer.HOLD
    gate.wait_until(at + NEWCOMER_PERIOD)

    assert gate.spend(named).answer is Answer.ALLOW


@pytest.mark.parametrize("eased", [False, True])
def test_a_new_key_that_an_older_one_repudiates_counts_for_thirty_days(eased: bool) -> None:
    """Prevents: one stolen key that says "not me" of the other while that is new."""
    young = replace(
        a_passkey("aut_young", placement=Placement.ROAMING, bound_at=NOON - 20 * DAY), entry=77
    )
    gate = a_gate(DEFAULT, PASSWORD, SYNCED, young)
    if eased:
        before = Eased(before=BOTH, at=NOON, by=(77,))
        gate.account = replace(gate.account, lock=OPEN, eased=before)
    named = gate.propose(repudiate(young)).action_id
    assert gate.prove(named, SYNCED).answer is Answer.ALLOW
    assert (gate.account.lock, len(gate.account.authenticators)) == (BOTH, 2)
    at = gate.now
    gate.wait(8 * DAY)  # Exits are held meanwhile.
    named = gate.propose(send()).action_id
    gate.prove(named, SYNCED)

    assert gate.action(named).until == at + NEWCOMER_PERIOD


def test_a_password_that_is_repudiated_makes_no_lost_key_wait_longer() -> None:
    """Prevents: a mailbox that says "not me" of each new password, so that 30 days never end."""
    gate = a_gate()
    at = lost(gate, ROAMING, SYNCED)
    gate.wait(20 * DAY)
    changes = gate.propose(*change_password()).action_id
    gate.prove(changes, SYNCED)
    undone = gate.repudiate(changes, target=PASSWORD.authenticator_id, channel=EMAIL)
    assert (undone.answer, gate.account.fell_at) == (Answer.ALLOW, 0)
    named = gate.propose(send()).action_id
    gate.prove(named, SYNCED)

    assert gate.action(named).until == at + NEWCOMER_PERIOD


def test_a_lock_that_stands_again_asks_for_two_of_whom_one_is_gone() -> None:
    """Prevents: a key that loosened the lock, and was removed before anybody said "not me"."""
    gate = a_gate(DEFAULT, PASSWORD, SYNCED, of=OPEN)
    before = Eased(before=BOTH, at=NOON, by=(77,))
    gate.account = replace(gate.account, eased=before)
    since = NOON - 20 * DAY
    said = gate.repudiate("act_bound", target="aut_gone", channel=EMAIL, entry=77, bound_at=since)
    assert (said.answer, gate.account.lock) == (Answer.ALLOW, BOTH)
    at = gate.now
    gate.wait(8 * DAY)
    named = gate.propose(send()).action_id
    gate.prove(named, SYNCED)

    assert gate.action(named).until == at + NEWCOMER_PERIOD


def test_a_repudiation_under_no_lock_of_both_keys_is_not_remembered() -> None:
    young = a_passkey("aut_young", placement=Placement.ROAMING, bound_at=NOON - 20 * DAY)
    gate = a_gate(DEFAULT, PASSWORD, SYNCED, young, of=Lock(days=7))
    gate.prove(gate.propose(repudiate(young)).action_id, SYNCED)

    assert gate.account.fell_at == 0


def test_a_key_that_one_root_bound_is_that_root_for_thirty_days() -> None:
    born = replace(
        a_passkey("aut_young", placement=Placement.ROAMING, bound_at=NOON - 29 * DAY),
        born_of="phone",
    )
    gate = a_gate(DEFAULT, PASSWORD, SYNCED, born, DESKTOP_KEY)
    named = gate.propose(send()).action_id
    assert awaits_second(gate, gate.prove(named, SYNCED, born))
    gate.wait(DAY)
    named = gate.propose(send()).action_id

    assert gate.prove(named, SYNCED, born).answer is Answer.HOLD


# --- Somebody with an old channel says no, and says it again ---


def contested_exit(gate: Gate) -> str:
    """Return an exit that both keys ask for a second time, after two noes of the mailbox's."""
    noes = []
    for _ in range(2):
        noes.append(gate.propose(send()).action_id)
        gate.prove(noes[-1], SYNCED, ROAMING)
        gate.wait(DAY)
        gate.veto(noes[-1], EMAIL)
    return noes[-1]


def test_a_third_key_decides_against_a_mailbox_that_says_no_twice() -> None:
    gate = a_gate(DEFAULT, PASSWORD, SYNCED, ROAMING, DESKTOP_KEY)
    named = contested_exit(gate)
    gate.prove(named, DESKTOP_KEY)
    gate.wait(WEEK)

    assert gate.spend(named).answer is Answer.ALLOW


def test_two_keys_without_a_third_decide_nothing() -> None:
    """What stays possible (docs/threat-model.md): else both keys, stolen, outvote their owner."""
    gate = a_gate()
    named = contested_exit(gate)
    gate.wait(WEEK)

    assert (gate.spend(named).answer, gate.is_open(named)) == (Answer.DENY, True)


# --- Setting and loosening it ---


@PROFILES
def test_the_lock_acts_at_once(policy: Policy) -> None:
    gate = a_gate(policy, of=OPEN)

    assert gate.prove(gate.propose(lock(7)).action_id, SYNCED).answer is Answer.ALLOW
    assert gate.account.lock == BOTH


@pytest.mark.parametrize(
    "bound", [(PASSWORD, ROAMING), (PASSWORD, APP, SYNCED), (PASSWORD, DESKTOP_KEY)]
)
@pytest.mark.parametrize("payload", [lock(7), loosen(3, both_keys=True)])
def test_nobody_locks_by_both_keys_who_has_but_one(
    bound: tuple[Authenticator, ...], payload: AnyPayload
) -> None:
    gate = a_gate(DEFAULT, *bound, of=Lock(days=5))
    refused = gate.propose(payload)

    assert (refused.answer, Reason.KEYS_TOO_FEW in reasons(refused.requirement)) == (
        Answer.DENY,
        True,
    )


@pytest.mark.parametrize("before", [Lock(days=30), Lock(days=30, two_keys=True)])
def test_a_longer_lock_is_loosened_to_one_of_both_keys(before: Lock) -> None:
    gate = a_gate(of=before)
    named = gate.propose(loosen(7, both_keys=True)).action_id
    assert gate.prove(named, SYNCED).answer is Answer.HOLD
    gate.wait(30 * DAY)
    gate.settle()

    assert gate.account.lock == BOTH


def test_nobody_locks_by_both_keys_who_has_just_lost_one() -> None:
    gate = a_gate(of=OPEN)
    lost(gate, ROAMING, SYNCED)

    assert Reason.KEYS_TOO_FEW in reasons(gate.propose(lock(7)).requirement)


def test_only_what_the_policy_takes_is_one_of_two() -> None:
    """Prevents: a lock that nothing ever loosens, since the policy reads no app."""
    permit = '@id("lock.loosen.permit")'
    only = f'{permit} @offers("passkey")'
    passkeys = changed(DEFAULT, lambda text: text.replace(permit, only), name="passkeys")
    gate = a_gate(passkeys, PASSWORD, APP, ROAMING, of=OPEN)

    assert Reason.KEYS_TOO_FEW in reasons(gate.propose(lock(7)).requirement)


def test_a_session_alone_locks_by_no_keys() -> None:
    gate = a_gate(of=OPEN)
    asked = gate.propose(lock(1), session=gate.give_session(a_session(started_at=NOON)))
    assert asked.answer is Answer.CHALLENGE

    assert gate.prove(asked.action_id, SYNCED).answer is Answer.ALLOW


@pytest.mark.parametrize(
    ("before", "asked", "tightens"),
    [
        (BOTH, lock(7), False),
        (BOTH, lock(6), False),
        (BOTH, lock(30, both_keys=False), False),
        (BOTH, lock(30, two_keys=True, both_keys=False), False),
        (BOTH, lock(8), True),
        (Lock(days=7), lock(7), True),
        (Lock(days=8), lock(7), False),
        (Lock(days=7, two_keys=True), lock(7), True),
    ],
)
def test_it_is_stricter_than_the_other_two(
    before: Lock, asked: LockTighten, tightens: bool
) -> None:
    gate = a_gate(of=before)
    answered = (
        gate.prove(gate.propose(asked).action_id, SYNCED) if tightens else gate.propose(asked)
    )

    assert (Reason.NOT_TIGHTER in reasons(answered.requirement)) is not tightens
    assert gate.account.lock == (Lock(days=asked.days, both_keys=True) if tightens else before)


def test_a_payload_that_asks_for_both_kinds_asks_for_the_stricter() -> None:
    gate = a_gate(of=OPEN)
    gate.prove(gate.propose(lock(7, two_keys=True)).action_id, SYNCED)

    assert gate.account.lock == BOTH


@pytest.mark.parametrize("kind", ["lock.tighten", "lock.loosen"])
def test_a_draft_that_asks_for_both_kinds_is_refused(kind: str) -> None:
    with pytest.raises(MalformedError, match="choose"):
        own(kind, {"days": 7, "two_keys": True, "both_keys": True}, an_account())
    with pytest.raises(InvariantError):
        Lock(days=7, two_keys=True, both_keys=True)


def test_a_draft_of_it_is_signed_as_such() -> None:
    account = an_account()

    assert own("lock.tighten", {"days": 7, "both_keys": True}, account) == lock(7)
    assert own("lock.loosen", {"days": 7, "both_keys": True}, account) == loosen(7, both_keys=True)


def test_of_two_locks_that_stand_again_the_stricter_does() -> None:
    two = Lock(days=9, two_keys=True)

    assert tighter(BOTH, two) == tighter(two, BOTH) == Lock(days=9, both_keys=True)
    assert tighter(BOTH, OPEN) == BOTH


# --- Companies: each member's own keys ---


def of_two(quorum: Quorum, of: Lock = BOTH) -> Gate:
    gate = a_company(quorum=quorum)
    gate.account = replace(gate.account, lock=of)
    return gate


def test_a_member_shows_two_of_their_own_and_the_others_agree_beside_it() -> None:
    gate = of_two(Quorum(two_cents=0))
    named = asks(gate, send(), BOBS)
    agreed = agrees(gate, named, CAROLS)
    assert awaits_second(gate, agreed)
    assert Reason.MEMBERS_NEEDED not in reasons(agreed.requirement)
    gate.wait(HOUR)
    waits = gate.prove(named, BOBS_OTHER)
    assert (waits.answer, Reason.LOCKED in reasons(waits.requirement)) == (Answer.HOLD, True)
    gate.wait(WEEK - SECOND)
    assert gate.spend(named).answer is Answer.HOLD
    gate.wait(SECOND)

    assert gate.spend(named).answer is Answer.ALLOW


def test_both_keys_of_one_member_are_not_two_members() -> None:
    gate = of_two(Quorum(two_cents=0))
    named = asks(gate, send(), BOBS)
    told = gate.prove(named, BOBS_OTHER)

    assert Reason.MEMBERS_NEEDED in reasons(told.requirement)
    assert gate.action(named).until is None


def test_a_member_with_one_key_shows_that_and_waits() -> None:
    gate = of_two(Quorum())
    named = asks(gate, send(), CAROLS)

    assert gate.action(named).until == gate.now + WEEK


def test_one_member_alone_does_not_lock_the_others_by_both_keys() -> None:
    gate = of_two(Quorum(two_cents=0), of=OPEN)
    named = asks(gate, lock(1), BOBS)
    assert gate.account.lock == OPEN
    agrees(gate, named, SYNCED)

    assert gate.account.lock == Lock(days=1, both_keys=True)


# --- What is signed and stored ---


def test_what_asks_for_no_such_lock_is_signed_as_before() -> None:
    asked = lock(7, both_keys=False)

    assert payload_bytes(asked) == (
        b'{"account":"' + ALICE.encode() + b'","days":7,"two_keys":false,"type":"lock.tighten"}'
    )
    assert b'"both_keys":true' in payload_bytes(lock(7))


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (b"[7,true]", Lock(days=7, two_keys=True)),
        (b"[7,false]", Lock(days=7)),
        (b"[7,false,true]", BOTH),
    ],
)
def test_what_was_stored_before_reads_as_it_did(stored: bytes, read: Lock) -> None:
    assert msgspec.json.decode(stored, type=Lock) == read
