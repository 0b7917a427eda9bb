"""Companies: what fewer members than must agree never do, and what no member holds up for long."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, MEMBER
from support.companies import (
    BOB,
    BOBS,
    BOBS_OTHER,
    CAROL,
    CAROLS,
    a_company,
    add_member,
    agrees,
    done,
    loosen,
    remove_member,
    session_of,
    tighten,
)
from support.facts import cents, facts
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    FREEZE,
    LIFT,
    SMS,
    SYNCED,
    a_passkey,
    add_contact,
    bind,
    change_contact,
    list_address,
    make_key,
    remove,
    repudiate,
    send,
    suspend,
)

from twinlock.domain.actions import AnyPayload, LimitLower, LimitRaise, LockTighten
from twinlock.domain.bounds import MEMBER_WAIT, WEAK_FREEZE_LENGTH
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.errors import DocumentTooLargeError, MalformedError
from twinlock.domain.laws import LAWS
from twinlock.domain.member_laws import members_needed
from twinlock.domain.policy.facts import Facts
from twinlock.domain.proposals import MemberUnknownError
from twinlock.domain.quorums import Quorum, is_quorum, tightens
from twinlock.domain.requirements import NOTHING, all_of

sums = st.none() | cents
quorums = st.builds(lambda two, three: Quorum(two_cents=two, three_cents=three), sums, sums).filter(
    is_quorum
)


# --- Sums ---


@given(quorums, cents, cents)
def test_more_that_leaves_never_takes_fewer_members(quorum: Quorum, one: int, other: int) -> None:
    least, most = sorted((one, other))

    assert 1 <= quorum.members_for(least) <= quorum.members_for(most) <= quorum.most


@given(quorums, quorums, cents)
def test_what_tightens_takes_no_fewer_for_any_sum(new: Quorum, old: Quorum, sum_: int) -> None:
    if tightens(new, old):
        assert new.members_for(sum_) >= old.members_for(sum_)
        assert new.most >= old.most
        assert not tightens(old, new)


# --- Laws ---


def missing(found: Facts) -> bool:
    return all_of(*(law(found) for law in LAWS)) != NOTHING


@given(facts(), quorums, st.integers(2, 5), st.integers(0, 5))
def test_fewer_members_than_must_agree_are_never_enough(
    found: Facts, quorum: Quorum, members: int, behind: int
) -> None:
    several = replace(found, quorum=quorum, members=members, members_behind=behind)
    if behind < members_needed(several) > 1:
        assert missing(several)


@given(facts(), quorums, st.integers(2, 5), st.integers(0, 5))
def test_with_others_nothing_is_allowed_that_one_person_could_not(
    found: Facts, quorum: Quorum, members: int, behind: int
) -> None:
    several = replace(found, quorum=quorum, members=members, members_behind=behind)

    assert missing(several) or not missing(found)


@given(facts(), quorums)
def test_whatever_weakens_takes_as_many_as_the_largest_sum(found: Facts, quorum: Quorum) -> None:
    several = replace(found, quorum=quorum, members=5)
    if found.action_class is ActionClass.LOOSENING:
        assert members_needed(several) >= quorum.most
    if found.action == ActionType.FREEZE_SET:
        assert members_needed(several) == 1


# --- One member with all that they have ---

TWO = Quorum(two_cents=100_00)
BOBS_SESSION = session_of("ses_bob", BOB.member_id)
_NEW = replace(a_passkey("aut_new"), member_id=BOB.member_id)
_LOWER = LimitLower(account=ALICE, day_cents=0, destination_cents=None, agreement_cents=None)
_RAISE = LimitRaise(account=ALICE, day_cents=None, destination_cents=None, agreement_cents=None)

asked_for = st.sampled_from(
    [
        (send(99), ""),
        (send(101), ""),
        (send(60, to="0x" + "7" * 40), ""),
        (FREEZE, ""),
        (LIFT, ""),
        (_LOWER, ""),
        (_RAISE, ""),
        (LockTighten(account=ALICE, days=7, two_keys=False), ""),
        (LockTighten(account=ALICE, days=30, two_keys=False), ""),
        (list_address("0x" + "8" * 40), ""),
        (remove(CAROLS), ""),
        (suspend(SYNCED), ""),
        (repudiate(SYNCED), ""),
        (repudiate(EMAIL), ""),
        change_contact(EMAIL, None),
        (remove_member(MEMBER), ""),
        (remove_member(CAROL.member_id), ""),
        add_member(),
        add_contact(),
        (make_key("trade"), ""),
        (loosen(None), ""),
        (tighten(0), ""),
        (tighten(0, 0), ""),
        bind(_NEW),
    ]
)
Move: TypeAlias = Callable[[Gate], None]


def bob_asks(payload: AnyPayload, secret: str, *, in_session: bool) -> Move:
    """Ask for it, in Bob's name or in Alice's, with all that Bob has."""

    def move(gate: Gate) -> None:
        signed = gate.signs(BOBS_SESSION) if in_session else None
        action = gate.propose(payload, secret, member=BOB.member_id, session=signed).action_id
        for key in (BOBS, BOBS_OTHER):
            if gate.is_open(action):
                gate.prove(action, key)
        if gate.is_open(action):
            agrees(gate, action, BOBS_OTHER)

    return move


def bob_signs_what_is_open(gate: Gate) -> None:
    for one in gate.account.actions:
        if gate.is_open(one.action_id) and one.member_id == BOB.member_id:
            gate.prove(one.action_id, BOBS)


def bob_says_no(gate: Gate) -> None:
    """Say no to all that is open, by his session and by every channel, which he reads too."""
    for one in gate.account.actions:
        for channel in (EMAIL, SMS, DESKTOP):
            if gate.is_open(one.action_id):
                gate.veto(one.action_id, channel)
        if gate.is_open(one.action_id):
            gate.veto(one.action_id, session=gate.signs(BOBS_SESSION))


moves = st.lists(
    st.tuples(
        st.one_of(
            st.builds(
                lambda asked, in_session: bob_asks(*asked, in_session=in_session),
                asked_for,
                st.booleans(),
            ),
            st.just(bob_signs_what_is_open),
            st.just(bob_says_no),
        ),
        st.sampled_from([HOUR, DAY, 2 * DAY]),
    ),
    max_size=8,
)


def with_bobs_session() -> Gate:
    gate = a_company(quorum=TWO)
    gate.account = replace(gate.account, sessions=(BOBS_SESSION,))
    return gate


def play(gate: Gate, move: Move) -> None:
    gate.account = replace(gate.account, sessions=(replace(BOBS_SESSION, started_at=gate.now),))
    with suppress(DocumentTooLargeError, MalformedError, MemberUnknownError):
        move(gate)


@given(moves)
def test_whatever_one_member_does_nothing_above_the_sum_leaves_and_nothing_weakens(
    plan: list[tuple[Move, object]],
) -> None:
    gate = with_bobs_session()
    before = gate.account
    for move, length in plan:
        play(gate, move)
        for one in gate.account.actions:
            if one.authorized_at is not None:
                gate.spend(one.action_id)
        gate.wait(length)  # type: ignore[arg-type]  # a timedelta
        gate.settle()
        after = gate.account
        assert after.spent.cents <= TWO.two_cents  # type: ignore[operator]  # it is set
        assert (after.members, after.quorum) == (before.members, before.quorum)
        assert after.authenticators == before.authenticators or {
            one.authenticator_id for one in after.authenticators
        } == {one.authenticator_id for one in before.authenticators}
        assert {one.channel_id for one in after.channels} == {
            one.channel_id for one in before.channels
        }
        assert (after.api_keys, after.contacts, after.limits.day_cents) in (
            ((), (), None),
            ((), (), 0),
        )
        assert after.lock.days <= MEMBER_WAIT.days


@given(moves)
def test_whatever_one_member_does_the_others_remove_them(plan: list[tuple[Move, object]]) -> None:
    """In a week and three freezes at the longest, or by asking once more."""
    gate = with_bobs_session()
    removal = done(gate, remove_member(), CAROLS)
    assert gate.is_open(removal)
    ends = gate.now + MEMBER_WAIT + 3 * WEAK_FREEZE_LENGTH
    for move, length in plan:
        play(gate, move)
        gate.wait(length)  # type: ignore[arg-type]  # a timedelta
        gate.settle()
    gate.wait_until(ends)
    gate.settle()

    assert BOB.member_id not in {one.member_id for one in gate.account.members}
