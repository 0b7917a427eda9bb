"""Companies: who is a member, how many agree to what, and that nobody does alone what takes two."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, INSTANT, LONG_AGO, MEMBER, NOON, OLD_ADDRESS
from support.companies import (
    BOB,
    BOBS,
    BOBS_OTHER,
    CAROL,
    CAROLS,
    DAVE,
    DAVES,
    QUORUM,
    THREE_ABOVE,
    TWO_ABOVE,
    a_company,
    add_member,
    agrees,
    asks,
    company,
    done,
    loosen,
    member_key,
    names,
    remove_member,
    session_of,
    tighten,
)
from support.gates import Gate
from support.policies import DEFAULT, STRICT
from support.worlds import (
    APP,
    EMAIL,
    ERASE,
    FREEZE,
    LIFT,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    a_passkey,
    add_contact,
    an_account,
    bind,
    list_address,
    make_key,
    remove,
    repudiate,
    send,
    sign_in,
    suspend,
    unlist,
)

from twinlock.domain.account import Candidate, Session, State
from twinlock.domain.actions import (
    AnyPayload,
    ContactChange,
    LimitLower,
    LimitRaise,
    LockTighten,
    MemberAdd,
    class_of,
)
from twinlock.domain.answers import tell_open
from twinlock.domain.assurance import Factor, Level, Placement, floor_of
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator, Passkey, credential_of
from twinlock.domain.bounds import (
    CONTEST_LENGTH,
    MEMBER_ACTIONS_MOST,
    MEMBER_WAIT,
    MEMBERS_AGREE_WITHIN,
    MEMBERS_MOST,
    UNPROVED_ACTION_LIFETIME,
    WEAK_FREEZE_EVERY,
    WEAK_FREEZE_LENGTH,
)
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.changes import NotFoundError, change
from twinlock.domain.disputes import Contest
from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.events import MemberJoined, MemberLeft, QuorumSet, SessionEnded
from twinlock.domain.ids import AuthenticatorId, ChallengeId, MemberId, action_id
from twinlock.domain.member_laws import HOLD_UP, enough, members_needed
from twinlock.domain.members import (
    agreed,
    agreed_by,
    asking_fault,
    fills,
    is_own,
    joins,
    may_agree,
    member_ids,
    member_token,
    of_member,
    seen_by,
    since,
)
from twinlock.domain.own_drafts import own
from twinlock.domain.people import agreement_path, agreement_token, invitation, who_agrees
from twinlock.domain.policy.version import Policy
from twinlock.domain.proposals import MemberUnknownError
from twinlock.domain.quorums import ANYONE, Quorum, is_quorum, tightens
from twinlock.domain.reasons import Reason
from twinlock.domain.replaying_members import with_members_after
from twinlock.domain.requirements import NOTHING, Answer, Prove, leaves, reasons
from twinlock.domain.room import bytes_that_last, urgent

PROFILES = pytest.mark.parametrize("policy", [DEFAULT, STRICT], ids=["default", "strict"])
ASKED = Prove(code=Reason.MEMBERS_NEEDED, level=Level.NONE, factors=(Factor.MEMBER,))
NEW = "0x" + "9" * 40
LOWER = LimitLower(account=ALICE, day_cents=1, destination_cents=None, agreement_cents=None)
RAISE = LimitRaise(account=ALICE, day_cents=None, destination_cents=None, agreement_cents=None)
LOCK = LockTighten(account=ALICE, days=7, two_keys=False)


def codes(gate: Gate, action: str) -> tuple[Reason, ...]:
    """Return what is missing of an open action, as its last decision told."""
    for _, decided, _ in reversed(gate.book):
        if decided.answer.action_id == action:
            return reasons(decided.answer.requirement)
    raise AssertionError(action)


# --- What leaves ---


@PROFILES
@pytest.mark.parametrize(("dollars", "others"), [(100, 0), (101, 1), (300, 1), (301, 2)])
def test_so_many_agree_as_the_sum_of_the_day_takes(
    dollars: int, others: int, policy: Policy
) -> None:
    gate = a_company(policy=policy)
    action = asks(gate, send(dollars))
    for key in (BOBS, CAROLS)[:others]:
        assert gate.action(action).authorized_at is None
        assert codes(gate, action) == (Reason.MEMBERS_NEEDED,)
        agrees(gate, action, key)

    assert gate.spend(action).answer is Answer.ALLOW


def test_the_sum_is_that_of_a_day_whoever_asks() -> None:
    """Prevents: ten times a tenth of it, or half by each of two."""
    gate = a_company()
    gate.spend(asks(gate, send(60)))
    again = asks(gate, send(60), BOBS)
    assert codes(gate, again) == (Reason.MEMBERS_NEEDED,)

    gate.wait(DAY)
    assert gate.action(asks(gate, send(60), BOBS)).authorized_at is not None


@pytest.mark.parametrize(("key", "other"), [(SYNCED, CAROLS), (BOBS, CAROLS), (CAROLS, SYNCED)])
def test_whichever_member_asks_the_others_agree(key: Passkey, other: Passkey) -> None:
    gate = a_company()
    action = asks(gate, send(101), key)

    assert agrees(gate, action, other).answer is Answer.ALLOW


def test_two_keys_of_one_member_are_one_member() -> None:
    gate = a_company()
    action = asks(gate, send(301))
    agrees(gate, action, BOBS)

    assert agrees(gate, action, BOBS_OTHER).fault is ProofFault.ALREADY_SHOWN
    assert agreed(gate.account, gate.action(action)).keys() == {BOB.member_id}
    assert gate.action(action).authorized_at is None


def test_who_asks_does_not_agree_with_another_key_of_theirs() -> None:
    gate = a_company()
    action = asks(gate, send(101), BOBS)

    assert agrees(gate, action, BOBS_OTHER).fault is ProofFault.WRONG_CREDENTIAL
    assert gate.action(action).authorized_at is None


def test_a_member_proves_with_their_own_keys_and_with_nobody_elses() -> None:
    """Prevents: one thief of two members' things, as one of them with two roots."""
    gate = a_company()
    action = gate.propose(send(50), member=BOB.member_id).action_id

    assert gate.prove(action, SYNCED).fault is ProofFault.AUTHENTICATOR_GONE
    assert gate.prove(action, PASSWORD).fault is ProofFault.AUTHENTICATOR_GONE
    assert gate.prove(action, BOBS).answer is Answer.ALLOW


def test_another_members_agreement_is_no_root_and_no_level_of_who_asks() -> None:
    gate = a_company()
    action = asks(gate, send(101, to=NEW))
    said = agrees(gate, action, BOBS)

    assert said.answer is Answer.HOLD
    assert said.facts is not None
    assert said.facts.shown_factors == (Factor.PASSKEY,)
    assert said.facts.shown_roots == ("phone",)
    assert gate.action(action).shown[-1].root == f"member:{BOB.member_id}"


def test_a_wait_begins_when_as_many_have_agreed_as_must() -> None:
    """Prevents: one member who waits first, and has the other sign over the last minute of it."""
    gate = a_company()
    action = asks(gate, send(101, to=NEW))
    gate.wait(HOUR)
    agrees(gate, action, BOBS)
    until = gate.action(action).offered_until or gate.action(action).until

    assert until == NOON + HOUR + DAY
    gate.wait(DAY - INSTANT)
    assert gate.spend(action).answer is not Answer.ALLOW
    gate.wait(INSTANT)
    assert gate.spend(action).answer is Answer.ALLOW


def test_the_wait_is_that_of_the_last_agreement_that_was_needed() -> None:
    gate = a_company()
    action = asks(gate, send(301, to=NEW))
    for key in (BOBS, CAROLS):
        gate.wait(HOUR)
        agrees(gate, action, key)
    facts = gate.book[-1][1].answer.facts

    assert facts is not None
    assert (facts.proved_at, facts.members_behind, facts.members) == (NOON + 2 * HOUR, 3, 3)
    assert enough(facts)


def test_a_session_is_nobody_above_the_sum() -> None:
    gate = a_company()
    gate.account = replace(gate.account, sessions=(session_of("ses_alice", MEMBER),))
    signed = gate.signs(gate.account.sessions[0])
    said = gate.propose(send(101), session=signed)

    assert {one.code for one in leaves(said.requirement)} >= {
        Reason.PROOF_NEEDED,
        Reason.MEMBERS_NEEDED,
    }


def test_another_members_session_does_not_sign_what_one_proposes() -> None:
    gate = a_company()
    gate.account = replace(gate.account, sessions=(session_of("ses_bob", BOB.member_id),))
    signed = gate.signs(gate.account.sessions[0])

    refused = gate.propose(LOWER, session=signed)
    assert Reason.PROOF_NOT_BOUND in reasons(refused.requirement)
    assert gate.propose(LOWER, session=signed, member=BOB.member_id).answer is Answer.ALLOW


def test_a_strangers_name_is_no_member() -> None:
    with pytest.raises(MemberUnknownError):
        a_company().propose(send(50), member="mem_mallory")


# --- Who is asked, and when ---


def test_nobody_is_asked_before_who_asks_has_proved() -> None:
    """Prevents: strangers who have members sign what they propose."""
    gate = a_company()
    action = gate.propose(send(101)).action_id

    assert agrees(gate, action, BOBS).fault is ProofFault.AGREEMENT_NOT_NEEDED


@pytest.mark.parametrize("payload", [unlist(OLD_ADDRESS), sign_in(), LOWER])
def test_nobody_is_asked_about_what_one_does_alone(payload: AnyPayload) -> None:
    gate = a_company()
    action = gate.propose(payload).action_id

    assert asking_fault(gate.account, gate.action(action)) is ProofFault.AGREEMENT_NOT_NEEDED


def test_nobody_is_asked_where_there_is_nobody_or_no_quorum() -> None:
    for account in (an_account(), company(quorum=ANYONE)):
        gate = Gate.of(account, a_destination(OLD_ADDRESS, used_at=NOON))
        action = asks(gate, send(101, to=NEW))
        assert agrees(gate, action, BOBS).fault is ProofFault.AGREEMENT_NOT_NEEDED


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"source": "aut_nobody"}, ProofFault.AUTHENTICATOR_GONE),
        ({"source": PASSWORD.authenticator_id}, ProofFault.AUTHENTICATOR_GONE),
        ({"against": CAROLS.public_key}, ProofFault.AUTHENTICATOR_GONE),
        ({"challenge_id": ChallengeId("chl_other")}, ProofFault.CHALLENGE_GONE),
        ({"challenge_id": None}, ProofFault.CHALLENGE_GONE),
    ],
)
def test_nobody_else_agrees_in_a_members_place(
    changes: dict[str, object], fault: ProofFault
) -> None:
    gate = a_company()
    action = asks(gate, send(101))

    assert agrees(gate, action, BOBS, **changes).fault is fault
    assert gate.action(action).authorized_at is None


def test_an_imported_passkey_agrees_to_nothing() -> None:
    gate = a_company()
    action = asks(gate, send(101))
    foreign = replace(BOBS, rp_id="old.example")
    rest = tuple(one for one in gate.account.authenticators if one != BOBS)
    gate.account = replace(gate.account, authenticators=(*rest, foreign))

    assert agrees(gate, action, foreign).fault is ProofFault.AUTHENTICATOR_GONE


def test_a_key_that_belongs_to_nobody_any_more_agrees_to_nothing() -> None:
    gate = a_company()
    action = asks(gate, send(101))
    stray = (*gate.account.authenticators, DAVES)
    gate.account = replace(gate.account, authenticators=stray)

    assert agrees(gate, action, DAVES).fault is ProofFault.WRONG_CREDENTIAL


def test_a_suspended_key_agrees_to_nothing_and_takes_back_what_it_agreed_to() -> None:
    gate = a_company()
    before = asks(gate, send(101, to=NEW))
    agrees(gate, before, BOBS)
    suspended = asks(gate, repudiate(BOBS_OTHER), BOBS)
    assert not gate.is_open(suspended)
    gate.prove(gate.propose(suspend(BOBS), member=BOB.member_id).action_id, BOBS_OTHER)
    after = asks(gate, send(102, to=NEW))

    assert BOB.member_id not in agreed(gate.account, gate.action(before))
    assert agrees(gate, after, BOBS).fault is ProofFault.SUSPENDED
    offered = {one.member_id for one in may_agree(gate.account, gate.action(after), now=gate.now)}
    assert CAROL.member_id in offered


def test_what_rests_on_something_repudiated_agrees_to_nothing() -> None:
    """Prevents: a thief's friend, made a member by a key that was reported since."""
    gate = a_company()
    friend = replace(BOBS, by=(7,))
    rest = tuple(one for one in gate.account.authenticators if one.member_id != BOB.member_id)
    gate.account = replace(gate.account, authenticators=(*rest, friend))
    action = asks(gate, send(101, to=NEW))
    agrees(gate, action, friend)
    assert agreed(gate.account, gate.action(action))

    gate.account = replace(gate.account, doubts=((7, 7),))

    assert not agreed(gate.account, gate.action(action))
    assert {one.member_id for one in may_agree(gate.account, gate.action(action), now=NOON)} == {
        CAROL.member_id
    }


def test_who_may_agree_are_the_others_who_have_not() -> None:
    gate = a_company()
    action = asks(gate, send(301))
    agrees(gate, action, BOBS)

    assert list(may_agree(gate.account, gate.action(action), now=NOON)) == [CAROLS]


# --- The links ---


def test_the_link_is_told_once_who_asks_has_proved() -> None:
    gate = a_company()
    action = gate.propose(send(101)).action_id
    assert agreement_path(gate.action(action), ASKED) == ""

    gate.prove(action, SYNCED)
    opened = gate.action(action)

    told = tell_open(opened, ASKED)
    assert told.agreement == f"/agree/{ALICE}/{member_token(opened)}"
    assert member_token(opened) != agreement_token(opened)
    assert action not in told.agreement
    assert (who_agrees(ASKED), who_agrees(NOTHING)) == (Factor.MEMBER, None)


def test_who_agreed_is_told() -> None:
    gate = a_company()
    action = asks(gate, send(301))
    agrees(gate, action, BOBS, CAROLS)

    assert agreed_by(gate.action(action)) == (BOB.member_id, CAROL.member_id)
    assert tell_open(gate.action(action), NOTHING).agreed_by == (BOB.member_id, CAROL.member_id)


def test_an_invitation_of_a_member_is_one() -> None:
    offered = Candidate(
        candidate_id=ChallengeId("cnd_1"),
        factor=Factor.MEMBER,
        secret="c" * 43,
        expires_at=NOON + HOUR,
        name="Dave",
    )
    account = replace(an_account(), candidates=(offered,))

    assert invitation(account, "cnd_1", now=NOON) == offered


# --- What weakens, and what tightens ---


LOOSENINGS = (
    list_address(NEW),
    RAISE,
    remove(BOBS_OTHER),
    make_key("withdraw", ip_list=("192.0.2.1/32",), destinations=("dst_1",)),
    LIFT,
    loosen(None),
    remove_member(CAROL.member_id),
    ContactChange(
        account=ALICE,
        channel_id=EMAIL.channel_id,
        old_kind=EMAIL.kind.value,
        old_address=EMAIL.address,
        new_kind="",
        new_address="",
    ),
)


@pytest.mark.parametrize("payload", LOOSENINGS, ids=lambda one: type(one).__name__)
def test_whatever_weakens_takes_as_many_as_the_largest_sum(payload: AnyPayload) -> None:
    gate = a_company()
    assert class_of(payload) is ActionClass.LOOSENING
    action = gate.propose(payload, member=BOB.member_id).action_id
    said = gate.prove(action, BOBS) if gate.is_open(action) else gate.book[-1][1].answer

    assert said.facts is not None
    assert members_needed(said.facts) == 3
    assert Reason.MEMBERS_NEEDED in reasons(said.requirement)


@pytest.mark.parametrize("kind", sorted(HOLD_UP))
def test_what_would_hold_up_the_others_for_ever_takes_them(kind: str) -> None:
    asked: dict[str, tuple[AnyPayload, str]] = {
        "quorum.tighten": (tighten(1, 2), ""),
        "trusted_contact.add": add_contact(),
        "api_key.create": (make_key("trade"), ""),
    }
    gate = a_company()
    action = gate.propose(*asked[kind]).action_id

    assert codes_after(gate, action) == {Reason.MEMBERS_NEEDED}
    agrees(gate, action, BOBS, CAROLS)
    assert not gate.is_open(action)


def codes_after(gate: Gate, action: str) -> set[Reason]:
    return set(reasons(gate.prove(action, SYNCED).requirement))


def test_a_lock_that_is_longer_than_a_removal_takes_the_others() -> None:
    """Prevents: one member who locks all the others in for a month."""
    gate = a_company()
    longer = replace(LOCK, days=8)
    assert codes_after(gate, gate.propose(longer).action_id) == {Reason.MEMBERS_NEEDED}
    agrees(gate, gate.account.actions[0].action_id, BOBS, CAROLS)

    assert gate.account.lock.days == 8


@pytest.mark.parametrize("payload", [LOWER, LOCK, unlist(OLD_ADDRESS), FREEZE])
def test_any_member_tightens_at_once(payload: AnyPayload) -> None:
    gate = a_company()

    assert not gate.is_open(asks(gate, payload, CAROLS))


# --- Members ---


def test_a_person_with_others_waits_a_week_and_is_told_of_it() -> None:
    gate = a_company()
    action = done(gate, add_member()[0], BOBS, CAROLS, secret=add_member()[1])

    assert gate.action(action).until == NOON + MEMBER_WAIT
    gate.wait(MEMBER_WAIT - INSTANT)
    gate.settle()
    assert names(gate.account) == ["Bob", "Carol"]
    gate.wait(INSTANT)
    gate.settle()
    assert names(gate.account) == ["Bob", "Carol", "Dave"]
    new = gate.account.authenticator(DAVES.authenticator_id)
    assert new is not None
    assert (new.by, new.behind, new.bound_at, new.entry > 0) == ((), (), gate.now, True)
    assert member_ids(gate.account) == (MEMBER, BOB.member_id, CAROL.member_id, DAVE.member_id)


def test_the_first_other_member_is_added_by_one_alone_and_rests_on_that_proof() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING), a_destination(OLD_ADDRESS, used_at=NOON))
    action = asks(gate, add_member()[0], SYNCED, add_member()[1])
    assert gate.action(action).until == NOON + MEMBER_WAIT
    gate.wait(MEMBER_WAIT)
    gate.settle()
    new = gate.account.authenticator(DAVES.authenticator_id)

    assert names(gate.account) == ["Dave"]
    assert new is not None
    assert new.by == (SYNCED.entry,)


def test_nobody_is_added_by_less_than_a_passkey() -> None:
    gate = Gate.of(an_account(PASSWORD, APP), a_destination(OLD_ADDRESS))
    payload, secret = add_member()
    action = gate.propose(payload, secret).action_id
    said = gate.prove(action, PASSWORD, APP)

    assert Prove(code=Reason.PROOF_NEEDED, level=Level.PHISHING_RESISTANT) in leaves(
        said.requirement
    )


@pytest.mark.parametrize(
    "made",
    [
        replace(DAVES, member_id=MemberId(MEMBER)),
        replace(DAVES, member_id=BOB.member_id),
        replace(DAVES, member_id=MemberId("mem_other")),
        replace(DAVES, public_key="another"),
        PASSWORD,
    ],
)
def test_what_is_added_is_what_was_signed_and_nobody_who_is_one(made: Authenticator) -> None:
    with pytest.raises(InvariantError):
        a_company().propose(add_member()[0], encode(made).decode())


def test_whose_passkey_is_somebodys_already_is_not_added() -> None:
    gate = a_company()
    robert = MemberId("mem_robert")
    payload = replace(add_member("Bob")[0], member_id=robert, name="Robert")
    made = replace(BOBS, member_id=robert, authenticator_id=AuthenticatorId("aut_robert"))

    said = gate.propose(payload, encode(made).decode())
    assert Reason.ALREADY_BOUND in reasons(said.requirement)


def test_of_two_who_take_up_one_name_at_once_the_second_is_refused() -> None:
    """Prevents: two requests that both found the name free, and two members called Dave."""
    gate = a_company()
    gate.propose(*add_member())
    made = replace(member_key("Dave", 2), member_id=MemberId("mem_other"))
    another = MemberAdd(
        account=ALICE, member_id=made.member_id, name=" dave", credential=credential_of(made)
    )

    with pytest.raises(MalformedError):
        gate.propose(another, encode(made).decode())
    assert [one.payload for one in gate.account.actions] == [add_member()[0]]


def test_there_are_so_many_members_and_no_more() -> None:
    every = tuple(replace(BOB, member_id=MemberId(f"mem_{n}")) for n in range(MEMBERS_MOST - 1))
    gate = a_company(*every)
    payload, secret = add_member()
    assert Reason.TOO_MANY in reasons(gate.propose(payload, secret).requirement)

    gate = a_company(*every[:-1])
    assert Reason.TOO_MANY not in reasons(gate.propose(payload, secret).requirement)


def test_who_is_removed_is_nobody_and_what_they_asked_for_is_over() -> None:
    gate = a_company(quorum=Quorum(two_cents=TWO_ABOVE))
    gate.account = replace(
        gate.account,
        sessions=(session_of("ses_bob", BOB.member_id), session_of("ses_alice", MEMBER)),
    )
    removal = done(gate, remove_member(), CAROLS)
    gate.wait(MEMBER_WAIT - HOUR)
    bobs = asks(gate, send(50, to=NEW), BOBS)
    gate.wait(HOUR)
    gate.settle()

    assert not gate.is_open(removal)
    assert not gate.is_open(bobs)
    assert names(gate.account) == ["Carol"]
    assert all(one.member_id != BOB.member_id for one in gate.account.authenticators)
    assert [one.session_id for one in gate.account.sessions] == ["ses_alice"]
    ended = [one for _, said, _ in gate.book for d in said.decisions for one in d.events]
    assert "ses_bob" in {one.session_id for one in ended if isinstance(one, SessionEnded)}
    with pytest.raises(MemberUnknownError):
        gate.propose(send(50), member=BOB.member_id)


def test_who_was_removed_has_agreed_to_nothing() -> None:
    gate = a_company(BOB, CAROL, DAVE, quorum=Quorum(two_cents=0))
    done(gate, remove_member(), CAROLS)
    gate.wait(MEMBER_WAIT - 2 * HOUR)
    action = asks(gate, send(101, to=NEW))
    agrees(gate, action, BOBS)
    gate.wait(DAY)

    said = gate.spend(action)
    assert Reason.MEMBERS_NEEDED in reasons(said.requirement)


def test_the_first_members_place_goes_to_the_next() -> None:
    gate = a_company(quorum=Quorum(two_cents=0))
    done(gate, remove_member(MEMBER), CAROLS, by=BOBS)
    gate.wait(MEMBER_WAIT)
    gate.settle()

    assert (gate.account.member_id, names(gate.account)) == (BOB.member_id, ["Carol"])
    assert since(gate.account, CAROL.member_id) == LONG_AGO
    assert gate.account.authenticator(SYNCED.authenticator_id) is None


def test_what_was_built_in_stays_known_when_its_member_goes() -> None:
    """As when it is removed (law 5)."""
    inside = replace(CAROLS, backup_eligible=False, placement=Placement.PHONE)
    state = State(account=an_account(SYNCED, BOBS, inside))
    company = replace(state.account, members=(BOB, CAROL))
    state = replace(state, account=company)

    left = with_members_after(state, MemberLeft(at=NOON, member_id=CAROL.member_id))
    assert left.account.shed_at == NOON.timestamp()
    left = with_members_after(state, MemberLeft(at=NOON, member_id=BOB.member_id))
    assert left.account.shed_at == 0


def test_as_many_stay_as_must_agree_and_one_at_least() -> None:
    gate = a_company()
    said = gate.propose(remove_member())
    assert reasons(said.requirement)[0] is Reason.MEMBERS_TOO_FEW or (
        Reason.MEMBERS_TOO_FEW in reasons(said.requirement)
    )

    alone = Gate.of(an_account())
    assert Reason.MEMBERS_TOO_FEW in reasons(alone.propose(remove_member(MEMBER)).requirement)
    state = State(account=an_account())
    with pytest.raises(InvariantError):
        with_members_after(state, MemberLeft(at=NOON, member_id=MemberId(MEMBER)))


def test_who_is_no_member_is_not_removed() -> None:
    gate = a_company(quorum=Quorum(two_cents=0))

    assert Reason.TARGET_GONE in reasons(gate.propose(remove_member("mem_x")).requirement)
    with pytest.raises(NotFoundError):
        change("member.remove", {"member_id": "mem_x"}, gate.account, fresh="")
    made = change("member.remove", {"member_id": BOB.member_id}, gate.account, fresh="")
    assert made == (remove_member(), "")


def test_a_member_of_a_month_does_not_remove_an_older_one() -> None:
    new = replace(BOB, joined_at=NOON - DAY)
    gate = a_company(new, CAROL, quorum=Quorum(two_cents=0))
    fresh = replace(BOBS, bound_at=NOON - DAY)
    rest = tuple(one for one in gate.account.authenticators if one.member_id != BOB.member_id)
    gate.account = replace(gate.account, authenticators=(*rest, fresh))
    action = gate.propose(remove_member(MEMBER), member=BOB.member_id).action_id

    assert Reason.NEWCOMER in reasons(gate.prove(action, fresh).requirement)


# --- Quorums ---


@pytest.mark.parametrize(
    ("two", "three", "cents", "many"),
    [
        (None, None, None, 1),
        (None, None, 10**9, 1),
        (100, None, 100, 1),
        (100, None, 101, 2),
        (100, None, None, 2),
        (100, 200, 200, 2),
        (100, 200, 201, 3),
        (0, 0, 1, 3),
        (0, 0, 0, 1),
    ],
)
def test_how_many_a_sum_takes(
    two: int | None, three: int | None, cents: int | None, many: int
) -> None:
    assert Quorum(two_cents=two, three_cents=three).members_for(cents) == many


@pytest.mark.parametrize(
    ("two", "three", "sense"),
    [
        (None, None, True),
        (0, None, True),
        (100, 100, True),
        (100, 99, False),
        (None, 100, False),
        (-1, None, False),
        (0, -1, False),
    ],
)
def test_which_sums_make_sense(two: int | None, three: int | None, *, sense: bool) -> None:
    assert is_quorum(Quorum(two_cents=two, three_cents=three)) is sense
    if not sense:
        with pytest.raises(MalformedError):
            own("quorum.tighten", {"two_cents": two, "three_cents": three}, an_account())
        gate = a_company(quorum=ANYONE)
        assert Reason.MEMBERS_TOO_FEW in reasons(gate.propose(tighten(two, three)).requirement)


def test_drafts_of_quorums() -> None:
    asked = {"two_cents": 1, "three_cents": 2}
    assert own("quorum.tighten", asked, an_account()) == tighten(1, 2)
    assert own("quorum.loosen", {"two_cents": None}, an_account()) == loosen(None)


@pytest.mark.parametrize(
    ("new", "old", "tighter"),
    [
        ((1, None), (None, None), True),
        ((1, None), (2, None), True),
        ((1, 1), (1, None), True),
        ((1, None), (1, None), False),
        ((2, None), (1, None), False),
        ((None, None), (1, None), False),
        ((0, 9), (1, 8), False),
        ((1, None), (1, 8), False),
    ],
)
def test_which_quorum_is_tighter(
    new: tuple[int | None, int | None], old: tuple[int | None, int | None], *, tighter: bool
) -> None:
    made = [Quorum(two_cents=two, three_cents=three) for two, three in (new, old)]

    assert tightens(*made) is tighter


def test_the_first_quorum_takes_as_many_as_it_asks_for_and_acts_at_once() -> None:
    """Prevents: one member who has three agree, and asks a price for being one of them."""
    gate = a_company(quorum=ANYONE)
    action = asks(gate, tighten(TWO_ABOVE, THREE_ABOVE))
    assert codes(gate, action) == (Reason.MEMBERS_NEEDED,)
    agrees(gate, action, BOBS, CAROLS)

    assert gate.account.quorum == QUORUM


def test_a_session_alone_sets_no_quorum() -> None:
    gate = a_company(quorum=ANYONE)
    gate.account = replace(gate.account, sessions=(session_of("ses_alice", MEMBER),))
    said = gate.propose(tighten(1), session=gate.signs(gate.account.sessions[0]))

    assert Reason.PROOF_NEEDED in reasons(said.requirement)


def test_a_quorum_by_the_name_of_a_tightening_loosens_nothing() -> None:
    gate = a_company()

    assert Reason.NOT_TIGHTER in reasons(gate.propose(tighten(2 * TWO_ABOVE)).requirement)


def test_no_more_must_agree_than_there_are() -> None:
    gate = a_company(BOB, quorum=ANYONE)

    assert Reason.MEMBERS_TOO_FEW in reasons(gate.propose(tighten(1, 2)).requirement)
    assert Reason.MEMBERS_TOO_FEW not in reasons(gate.propose(tighten(1)).requirement)


def test_an_account_of_one_person_has_no_quorum() -> None:
    gate = Gate.of(an_account())

    assert Reason.MEMBERS_TOO_FEW in reasons(gate.propose(tighten(1)).requirement)


def test_fewer_agree_a_week_after_as_many_as_before_agreed() -> None:
    gate = a_company()
    action = done(gate, loosen(None), BOBS, CAROLS)
    assert gate.action(action).until == NOON + MEMBER_WAIT
    gate.wait(MEMBER_WAIT)
    gate.settle()

    assert gate.account.quorum == ANYONE


def test_what_loosens_a_quorum_falls_when_it_is_tightened() -> None:
    gate = a_company()
    looser = done(gate, loosen(None), BOBS, CAROLS)
    done(gate, tighten(1, THREE_ABOVE), BOBS, CAROLS)

    assert not gate.is_open(looser)
    assert gate.account.quorum.two_cents == 1


def test_a_tighter_quorum_asks_for_more_of_what_was_authorized_before() -> None:
    gate = a_company()
    action = asks(gate, send(99))
    assert gate.action(action).authorized_at is not None
    done(gate, tighten(1, THREE_ABOVE), BOBS, CAROLS)

    assert Reason.MEMBERS_NEEDED in reasons(gate.spend(action).requirement)


# --- One member's bounds ---


def test_one_members_freeze_lapses_and_comes_once_a_month() -> None:
    gate = a_company()
    asks(gate, FREEZE, BOBS)
    assert gate.account.freeze.until == NOON + WEAK_FREEZE_LENGTH
    gate.wait(WEAK_FREEZE_LENGTH)
    again = gate.propose(FREEZE, member=BOB.member_id).action_id
    said = gate.prove(again, BOBS_OTHER)

    assert Reason.FREEZE_TOO_SOON in reasons(said.requirement)
    assert not gate.is_open(asks(gate, FREEZE, CAROLS))
    gate.wait(WEAK_FREEZE_EVERY)
    assert not gate.is_open(asks(gate, FREEZE, BOBS))


def test_a_freeze_that_as_many_ask_for_as_must_stays() -> None:
    gate = a_company()
    asks(gate, FREEZE, BOBS)
    gate.wait(WEAK_FREEZE_LENGTH)
    again = asks(gate, FREEZE, BOBS)
    agrees(gate, again, SYNCED, CAROLS)

    assert not gate.is_open(again)
    assert gate.account.freeze.until is not None
    assert gate.account.freeze.until.year == 9999


def test_without_a_quorum_one_members_freeze_stays() -> None:
    gate = a_company(quorum=ANYONE)
    asks(gate, FREEZE, BOBS)

    assert gate.account.freeze.until is not None
    assert gate.account.freeze.until.year == 9999


def test_who_would_be_removed_by_several_is_not_heard_against_it() -> None:
    gate = a_company(quorum=Quorum(two_cents=0))
    bobs, carols = session_of("ses_bob", BOB.member_id), session_of("ses_carol", CAROL.member_id)
    gate.account = replace(gate.account, sessions=(bobs, carols))
    removal = done(gate, remove_member(), CAROLS)

    assert gate.veto(removal, session=gate.signs(bobs)).answer is Answer.DENY
    assert gate.veto(removal, EMAIL).answer is Answer.DENY
    assert gate.is_open(removal)
    gate.veto(removal, session=gate.signs(carols))
    assert not gate.is_open(removal)


def test_where_one_is_enough_whoever_would_be_removed_says_no() -> None:
    gate = a_company(quorum=ANYONE)
    bobs = session_of("ses_bob", BOB.member_id)
    gate.account = replace(gate.account, sessions=(bobs,))
    removal = asks(gate, remove_member())
    gate.veto(removal, session=gate.signs(bobs))

    assert not gate.is_open(removal)


def stands(gate: Gate) -> Contest | None:
    return gate.account.disputes.contest


def vetoed_twice(gate: Gate, by: Session) -> str:
    """Ask twice for a destination, to which ``by`` says no; return the second action."""
    gate.veto(asks(gate, list_address(NEW)), session=gate.signs(by))
    action = asks(gate, list_address(NEW))
    gate.veto(action, session=gate.signs(by))
    return action


def test_the_second_no_of_one_member_is_a_contest_that_a_third_one_decides() -> None:
    gate = a_company(quorum=Quorum(two_cents=0))
    bobs = session_of("ses_bob", BOB.member_id)
    gate.account = replace(gate.account, sessions=(bobs,))
    action = vetoed_twice(gate, bobs)

    contest = stands(gate)
    assert contest is not None
    assert (contest.objected, f"member:{MEMBER}" in contest.asked) == (
        (f"member:{BOB.member_id}",),
        True,
    )
    agrees(gate, action, BOBS)  # Who objected decides nothing.
    assert stands(gate) is not None
    agrees(gate, action, CAROLS)
    assert stands(gate) is None
    assert gate.is_open(action)


def test_the_second_no_is_not_heard_where_a_third_member_has_agreed() -> None:
    gate = a_company(quorum=Quorum(two_cents=0))
    bobs = session_of("ses_bob", BOB.member_id)
    gate.account = replace(gate.account, sessions=(bobs,))
    first = done(gate, list_address(NEW), CAROLS)
    gate.veto(first, session=gate.signs(bobs))
    assert not gate.is_open(first)
    second = done(gate, list_address(NEW), CAROLS)

    assert gate.veto(second, session=gate.signs(bobs)).answer is Answer.DENY
    assert stands(gate) is None
    gate.wait(DAY)
    gate.settle()
    assert not gate.is_open(second)


def test_a_contest_that_nobody_else_can_decide_ends_with_its_length() -> None:
    gate = a_company(BOB, quorum=Quorum(two_cents=0))
    bobs = session_of("ses_bob", BOB.member_id)
    gate.account = replace(gate.account, sessions=(bobs,))
    action = vetoed_twice(gate, bobs)
    assert stands(gate) is not None
    gate.wait(CONTEST_LENGTH)
    gate.settle()

    assert not gate.is_open(action)


def test_one_member_says_not_me_of_their_own_keys_only() -> None:
    gate = a_company()
    new = replace(a_passkey("aut_carol_2", bound_at=NOON - DAY), member_id=CAROL.member_id, entry=9)
    gate.account = replace(
        gate.account,
        authenticators=(*gate.account.authenticators, new),
        sessions=(session_of("ses_bob", BOB.member_id), session_of("ses_carol", CAROL.member_id)),
    )
    bobs, carols = gate.account.sessions
    action = action_id(ALICE, b"0" * 16)

    no = gate.repudiate(action, target=new.authenticator_id, session=gate.signs(bobs))
    assert reasons(no.requirement) == (Reason.NOT_ENTITLED,)
    yes = gate.repudiate(action, target=new.authenticator_id, session=gate.signs(carols))
    assert yes.answer is Answer.ALLOW
    assert is_own(gate.account, EMAIL.channel_id, BOB.member_id)
    assert is_own(an_account(SYNCED), SYNCED.authenticator_id, BOB.member_id)


def test_one_member_reports_and_removes_nothing_of_anothers() -> None:
    gate = a_company()
    for payload in (repudiate(CAROLS), suspend(CAROLS), remove(CAROLS)):
        said = gate.propose(payload, member=BOB.member_id)
        assert Reason.TARGET_GONE in reasons(said.requirement)


def test_one_member_takes_half_of_the_places_and_no_more() -> None:
    """Prevents: one member whose small withdrawals leave no place for their own removal."""
    gate = a_company(quorum=Quorum(two_cents=TWO_ABOVE))
    for number in range(MEMBER_ACTIONS_MOST):
        asks(gate, send(10, to=f"0x{number:040x}"), BOBS)
    assert len(gate.account.actions) == MEMBER_ACTIONS_MOST

    assert Reason.TOO_MANY in reasons(gate.propose(send(10), member=BOB.member_id).requirement)
    assert gate.is_open(done(gate, remove_member(), CAROLS))
    assert not gate.is_open(asks(gate, LOWER, BOBS))
    assert not fills(an_account(), gate.account.actions[0])


def test_what_one_proved_and_nobody_agreed_to_gives_way() -> None:
    gate = a_company()
    for number in range(6):
        asks(gate, send(500, to=f"0x{number:040x}"), (SYNCED, BOBS, CAROLS)[number % 3])

    assert gate.is_open(done(gate, add_member()[0], BOBS, CAROLS, secret=add_member()[1]))


def test_each_member_shows_a_passkey_whatever_is_left_to_them() -> None:
    """Prevents: a mailbox that all of them read, as the member who has lost their key."""
    account = replace(
        company(), authenticators=tuple(o for o in company().authenticators if o != CAROLS)
    )
    assert of_member(account, CAROL.member_id).floor is Level.PHISHING_RESISTANT
    assert floor_of([], has_channel=True, several=True) is Level.PHISHING_RESISTANT
    gate = Gate.of(account, a_destination(OLD_ADDRESS, used_at=NOON))
    action = gate.propose(send(50), member=CAROL.member_id).action_id

    assert gate.prove(action, EMAIL).answer is not Answer.ALLOW
    assert gate.action(action).authorized_at is None


def test_nobody_removes_their_own_last_passkey() -> None:
    gate = a_company()
    said = gate.propose(remove(CAROLS), member=CAROL.member_id)
    assert Reason.LAST_AUTHENTICATOR in reasons(said.requirement)
    assert Reason.LAST_AUTHENTICATOR in reasons(gate.propose(remove(SYNCED)).requirement)
    other = gate.propose(remove(BOBS), member=BOB.member_id)
    assert Reason.LAST_AUTHENTICATOR not in reasons(other.requirement)


def test_what_one_binds_is_ones_own() -> None:
    gate = a_company()
    fresh = replace(a_passkey("aut_new", bound_at=NOON), member_id=BOB.member_id)
    with pytest.raises(InvariantError):
        gate.propose(*bind(fresh))
    action = gate.propose(*bind(fresh), member=BOB.member_id).action_id
    gate.prove(action, BOBS)
    agrees(gate, action, SYNCED, CAROLS)
    gate.wait(2 * DAY)
    gate.settle()

    assert gate.account.authenticator("aut_new") is not None


def test_a_members_session_is_theirs() -> None:
    gate = a_company()
    action = gate.propose(
        sign_in(), session=gate.device_signs("a" * 43), member=BOB.member_id
    ).action_id
    if gate.is_open(action):
        gate.prove(action, BOBS)

    assert [one.member_id for one in gate.account.sessions] == [BOB.member_id]


# --- Accounts of one person ---


def test_an_account_of_one_person_is_seen_as_it_is() -> None:
    account = an_account()
    gate = Gate.of(account, a_destination(OLD_ADDRESS, used_at=NOON))
    action = gate.propose(send(50)).action_id
    state = State(account=gate.account)

    assert seen_by(state, gate.action(action)) is state
    assert of_member(account, MemberId("mem_x")) is account
    assert gate.action(action).lapses_at == NOON + UNPROVED_ACTION_LIFETIME
    facts = gate.book[-1][1].answer.facts
    assert facts is not None
    assert (facts.members, facts.members_behind, facts.members_fit) == (1, 0, True)


def test_a_proposal_of_several_lives_long_enough_to_be_agreed_to() -> None:
    gate = a_company()
    action = asks(gate, send(101))
    gate.wait(MEMBERS_AGREE_WITHIN - INSTANT)
    assert agrees(gate, action, BOBS).answer is Answer.ALLOW


def test_the_room_of_a_quorum_is_kept_and_of_nobody_without_members() -> None:
    account = company()
    wider = replace(account, quorum=Quorum(two_cents=10**9, three_cents=10**10))

    assert bytes_that_last(account) == bytes_that_last(wider)
    assert bytes_that_last(an_account()) == bytes_that_last(
        replace(an_account(), quorum=Quorum(two_cents=1))
    )
    gate = a_company()
    assert not urgent(gate.action(asks(gate, tighten(1, 2))))


def test_what_cannot_be_a_member_never_joins() -> None:
    gate = a_company()
    payload, secret = add_member()
    named = asks(gate, payload, SYNCED, secret)
    agrees(gate, named, BOBS, CAROLS)
    action = gate.action(named)
    facts = gate.book[-1][1].answer.facts
    assert facts is not None
    state = State(account=gate.account)

    with pytest.raises(InvariantError):
        joins(state, replace(action, payload=FREEZE), facts, "")
    (event,) = joins(state, action, facts, "")
    assert isinstance(event, MemberJoined)
    assert event.member.name == "Dave"
    assert (event.passkey.by, event.passkey.member_id) == ((), DAVE.member_id)


def test_events_say_who_came_and_went_and_how_many_agree() -> None:
    gate = a_company()
    done(gate, tighten(1, THREE_ABOVE), BOBS, CAROLS)
    found = [event for _, decided, _ in gate.book for event in decided.answer.events]

    assert any(isinstance(one, QuorumSet) for one in found)
    assert timedelta(0) < MEMBERS_AGREE_WITHIN < DAY
    assert member_key("Bob") == BOBS


def test_a_new_member_erases_nothing_that_older_ones_could_show() -> None:
    """Prevents: a thief's friend who may not take a channel off, and has the account erased."""
    young = replace(BOBS, bound_at=NOON - HOUR * 2, entry=77)
    gate = a_company(BOB, quorum=Quorum())
    rest = (one for one in gate.account.authenticators if one.member_id != BOB.member_id)
    bob = replace(BOB, joined_at=young.bound_at)
    gate.account = replace(gate.account, authenticators=(*rest, young), members=(bob,))
    asked = gate.propose(ERASE, member=BOB.member_id).action_id
    said = gate.prove(asked, young)

    assert said.answer is Answer.DENY
    assert Reason.NEWCOMER in reasons(said.requirement)
    older = gate.prove(gate.propose(ERASE).action_id, SYNCED)
    assert (older.answer, reasons(older.requirement)) == (Answer.HOLD, (Reason.LOOSENING_WAITS,))
