"""Who buries a message: the thief to be heard of by nobody, and the extortionist to make wait.

Has: Alice's session, or a thousand mailing lists that write to her mailbox. Wants: the one,
that she misses the word of his change; the other, that hers never take effect. Is stopped by law 5:
a flood is noticed, told once, and lengthens each wait that runs once, at most to double; what waits
is told in the middle of it, and again. Leaves behind: one wait of each change twice as long.
"""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, NEW_ADDRESS, NOON
from support.companies import BOBS, CAROLS, a_company, agrees, asks
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    list_address,
    send,
)

from twinlock.domain.actions import LimitLower
from twinlock.domain.bounds import NOTICES_PER_HOUR_MOST
from twinlock.domain.commands import ReportFlood, ReportNotice, SessionSignature
from twinlock.domain.deliveries import Outcome
from twinlock.domain.ids import ActionId
from twinlock.domain.locks import Lock
from twinlock.domain.notices import NoticeKind, notices
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

LIST = list_address(NEW_ADDRESS)


def a_gate() -> Gate:
    return Gate.of(an_account(PASSWORD, SYNCED, ROAMING), a_destination())


def asked(gate: Gate) -> str:
    action = gate.propose(LIST).action_id
    gate.prove(action, ROAMING)
    return action


def buried(gate: Gate) -> None:
    gate.run(ReportFlood())


def told(gate: Gate) -> list[NoticeKind]:
    return [
        notice.kind
        for before, decided, _ in gate.book
        for one, state in zip(decided.decisions, (before, *decided.states), strict=False)
        for notice in notices(
            state.account, what=one.kind, action_id=one.action_id, events=one.events
        )
    ]


def test_the_thief_s_change_waits_twice_as_long_and_is_told_again() -> None:
    gate = a_gate()
    action = asked(gate)
    buried(gate)
    for channel in (EMAIL, DESKTOP):  # Every server took it: it lies among a thousand others.
        command = ReportNotice(
            about=ActionId(action), channel_id=channel.channel_id, outcome=Outcome.HANDED
        )
        gate.run(command)
    gate.wait(DAY)
    gate.settle()

    assert gate.action(action).until == NOON + 2 * DAY
    assert told(gate).count(NoticeKind.WAITING) == 2
    gate.veto(action, EMAIL)
    assert not gate.is_open(action)
    assert NEW_ADDRESS not in {one.address for one in gate.destinations.values()}


def test_a_lock_that_a_second_key_spares_is_longer_for_one_key_of_which_no_word_arrived() -> None:
    """Prevents: the day beside a month of a lock as what is lengthened, long before its end."""
    for second, until in ((False, 60 * DAY), (True, 2 * DAY)):
        account = an_account(PASSWORD, SYNCED, ROAMING)
        gate = Gate.of(replace(account, lock=Lock(days=30, two_keys=True)))
        action = asked(gate)
        if second:
            gate.prove(action, SYNCED)
        buried(gate)
        for _ in range(until // DAY):
            gate.settle()
            assert gate.is_open(action)
            gate.wait(DAY)
        gate.settle()

        assert told(gate).count(NoticeKind.WAITING) == 2
        assert not gate.is_open(action)


def test_a_flood_just_before_the_change_counts_and_one_long_before_does_not() -> None:
    for length, until in ((HOUR - timedelta(seconds=1), 2 * DAY), (HOUR, DAY)):
        gate = a_gate()
        buried(gate)
        gate.wait(length)
        action = asked(gate)
        begun = gate.now
        gate.wait(DAY)
        gate.settle()

        assert gate.is_open(action) is (until == 2 * DAY)
        if gate.is_open(action):
            assert gate.action(action).until == begun + until


def test_a_wait_that_begins_late_is_no_more_than_doubled_and_by_no_flood_of_before() -> None:
    """Prevents: the hours in which members agree, counted as a part of what is doubled."""
    for flood_first, until in ((True, DAY), (False, 2 * DAY)):
        gate = a_company()
        action = asks(gate, LIST)
        if flood_first:
            gate.wait(HOUR)
            buried(gate)
        gate.wait(10 * HOUR)
        agrees(gate, action, BOBS, CAROLS)
        begun = gate.now
        if not flood_first:
            buried(gate)
        gate.wait(DAY)
        gate.settle()

        assert gate.is_open(action) is (until == 2 * DAY)
        if gate.is_open(action):
            assert gate.action(action).until == begun + until


def test_where_only_what_is_listed_may_be_sent_to_nothing_leaves_before_the_longer_wait() -> None:
    """Prevents: an exit to what waits to be listed, whose own wait no flood lengthens."""
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING, destinations_required=True))
    action = asked(gate)
    early = gate.propose(send(1, to=NEW_ADDRESS))
    buried(gate)
    gate.wait(DAY)
    late = gate.propose(send(1, to=NEW_ADDRESS))

    assert gate.is_open(action)
    for said in (early, late):
        assert said.answer is Answer.DENY
        assert Reason.DESTINATION_NOT_LISTED in reasons(said.requirement)
    gate.wait(DAY)
    listed = gate.propose(send(1, to=NEW_ADDRESS))
    assert gate.prove(listed.action_id, ROAMING).answer is Answer.ALLOW


def test_a_stolen_session_that_buries_the_word_by_our_own_messages_is_noticed() -> None:
    """It lowers a limit by a cent, two hundred times: without a proof, and told each time."""
    gate = a_gate()
    action = asked(gate)
    session = gate.give_session(a_session("ses_stolen", started_at=NOON))
    for number in range(200):
        gate.wait(timedelta(seconds=5))
        lower = LimitLower(account=ALICE, day_cents=10**6 - number, destination_cents=None)
        assert gate.propose(lower, session=fresh(session, gate)).answer is Answer.ALLOW
    every = told(gate)

    assert every.count(NoticeKind.WAITING) == 1
    assert every.count(NoticeKind.MANY) == 1
    assert every.count(NoticeKind.DONE) < NOTICES_PER_HOUR_MOST
    gate.wait_until(NOON + DAY)
    gate.settle()
    assert gate.action(action).until == NOON + 2 * DAY


def fresh(session: SessionSignature, gate: Gate) -> SessionSignature:
    return replace(session, signed_at=gate.now)


def test_money_leaves_in_a_flood_as_before() -> None:
    gate = a_gate()
    buried(gate)
    said = gate.propose(send(1))

    assert gate.prove(said.action_id, ROAMING).answer is Answer.ALLOW


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=30))
def test_the_extortionist_lengthens_each_wait_once_and_at_most_to_double(
    floods: list[tuple[int, bool]],
) -> None:
    """Whatever is reported when, and whatever failed besides: never longer than twice."""
    gate = a_gate()
    action = asked(gate)
    for hours, fails in floods:
        gate.wait(hours * HOUR)
        if fails and gate.is_open(action):
            command = ReportNotice(
                about=ActionId(action), channel_id=EMAIL.channel_id, outcome=Outcome.FAILED
            )
            gate.run(command)
        else:
            buried(gate)
        if gate.is_open(action):
            assert gate.action(action).until in (NOON + DAY, NOON + 2 * DAY)
    gate.wait_until(NOON + 2 * DAY)
    gate.settle()

    assert not gate.is_open(action)
    assert NEW_ADDRESS in {one.address for one in gate.destinations.values()}
