"""Codes by e-mail and SMS: how many, for how long, and when those by SMS count nothing."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICES_LAPTOP, DAY, HOUR, INSTANT, LONG_AGO, NOON, OLD_ADDRESS
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    FREEZE,
    PASSWORD,
    SMS,
    a_destination,
    an_account,
    list_address,
    send,
    sign_in,
)

from twinlock.domain.account import Account, Device
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import (
    CHALLENGE_LIFETIME,
    CODES_PER_DAY_MOST,
    CODES_PER_HOUR_MOST,
    CODES_STRANGE_PER_DAY_MOST,
    CODES_STRANGE_PER_HOUR_MOST,
    CODES_UNPROVED_PER_DAY_MOST,
    CODES_UNPROVED_PER_HOUR_MOST,
    FLOOD_TOLD_EVERY,
    FREE_FAILURES,
    SIM_CHANGE_PERIOD,
)
from twinlock.domain.channels import Channel
from twinlock.domain.commands import ReportSimChange
from twinlock.domain.decisions import Decision
from twinlock.domain.notices import NoticeKind, notices
from twinlock.domain.outside_events import CodesFlooded, SimChanged
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never

WEAK = an_account(PASSWORD, channels=(EMAIL, SMS))
MINUTE = timedelta(minutes=1)


def sent(gate: Gate, *, proved: bool = False, channel: Channel = EMAIL) -> bool:
    """Ask for one code in a fresh sign-in, and say whether it was sent."""
    action = gate.propose(sign_in()).action_id
    if proved:
        gate.answer(action, gate.right(action, PASSWORD))
    return gate.ask(action, channel).fault is None


def told(gate: Gate, decision: Decision) -> list[NoticeKind]:
    sent = notices(gate.account, what=decision.kind, action_id="", events=decision.events)
    return [one.kind for one in sent]


# --- How many ---


@pytest.mark.requirement("N-B06", "O-13")
@pytest.mark.parametrize(
    ("proved", "most"), [(False, CODES_UNPROVED_PER_HOUR_MOST), (True, CODES_STRANGE_PER_HOUR_MOST)]
)
def test_an_hour_holds_so_many_codes_and_no_more(proved: bool, most: int) -> None:
    gate = Gate(account=WEAK)
    assert [sent(gate, proved=proved) for _ in range(most + 2)] == [True] * most + [False] * 2

    gate.wait(HOUR - INSTANT)
    assert not sent(gate, proved=proved)
    gate.wait(INSTANT)
    assert sent(gate, proved=proved)


@pytest.mark.requirement("N-B06", "O-13")
@pytest.mark.parametrize(
    ("proved", "most"), [(False, CODES_UNPROVED_PER_DAY_MOST), (True, CODES_STRANGE_PER_DAY_MOST)]
)
def test_a_day_holds_so_many_codes_and_no_more(proved: bool, most: int) -> None:
    gate = Gate(account=WEAK)
    done = []
    for _ in range(most + 2):
        done.append(sent(gate, proved=proved))
        gate.wait(30 * MINUTE)

    assert done == [True] * most + [False] * 2
    gate.wait_until(NOON + DAY - INSTANT)
    assert not sent(gate, proved=proved)
    gate.wait(INSTANT)
    assert sent(gate, proved=proved)


@pytest.mark.requirement("O-13")
def test_strangers_leave_the_owner_codes_of_his_own() -> None:
    gate = Gate(account=WEAK)
    while sent(gate):
        pass
    owners = [sent(gate, proved=True) for _ in range(CODES_PER_HOUR_MOST)]

    assert owners.count(True) == CODES_STRANGE_PER_HOUR_MOST - CODES_UNPROVED_PER_HOUR_MOST


@pytest.mark.parametrize(
    ("pause", "left"),
    [
        (timedelta(0), CODES_PER_HOUR_MOST - CODES_STRANGE_PER_HOUR_MOST),
        (HOUR, CODES_PER_DAY_MOST - CODES_STRANGE_PER_DAY_MOST),
    ],
    ids=["at once", "hour by hour"],
)
def test_a_leaked_password_leaves_codes_to_the_devices_of_the_owner(
    pause: timedelta, left: int
) -> None:
    """Prevents: an extortionist who has each day's codes sent, so that she never signs in again."""
    device = Device(thumbprint=ALICES_LAPTOP, since=LONG_AGO, seen_at=NOON)
    gate = Gate(account=replace(WEAK, devices=(device,)))
    for _ in range(CODES_PER_DAY_MOST):
        sent(gate, proved=True)
        gate.wait(pause)
    gate.wait_until(NOON + CODES_PER_DAY_MOST * pause)
    assert not sent(gate, proved=True)

    done = []
    for _ in range(left + 1):
        signed = gate.device_signs(ALICES_LAPTOP)
        own = gate.propose(sign_in(), session=signed).action_id
        gate.prove(own, PASSWORD)
        done.append(gate.ask(own, EMAIL).fault is None)
    assert done == [True] * left + [False]


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 120)), min_size=20, max_size=60)
)
def test_no_order_of_questions_sends_more(asked: list[tuple[bool, bool, int]]) -> None:
    gate = Gate(account=WEAK)
    times: list[datetime] = []
    for proved, mail, minutes in asked:
        if sent(gate, proved=proved, channel=EMAIL if mail else SMS):
            times.append(gate.now)
        gate.wait(minutes * MINUTE)

    for most, window in ((CODES_PER_HOUR_MOST, HOUR), (CODES_PER_DAY_MOST, DAY)):
        assert max(len([at for at in times if end - window < at <= end]) for end in times) <= most


def test_a_refusal_says_when_the_next_code_may_be_sent() -> None:
    gate = Gate(account=WEAK)
    for _ in range(CODES_UNPROVED_PER_HOUR_MOST):
        sent(gate)
        gate.wait(MINUTE)
    refused = gate.ask(gate.propose(sign_in()).action_id, EMAIL)

    assert refused.fault is ProofFault.CODES_LIMITED
    assert refused.requirement == Never(code=Reason.CODES_LIMITED, until=NOON + HOUR)


# --- A flood ---


@pytest.mark.requirement("O-13")
def test_fifty_questions_in_a_minute_are_limited_and_the_owner_is_told_once() -> None:
    gate = Gate(account=WEAK)
    action = gate.propose(sign_in()).action_id
    words: list[NoticeKind] = []
    codes = 0
    for _ in range(50):
        decision = gate.ask(action, EMAIL)
        codes += decision.fault is None
        words += told(gate, decision)
        gate.wait(MINUTE / 50)

    assert codes == CODES_UNPROVED_PER_HOUR_MOST
    assert words == [NoticeKind.FLOOD]


def test_the_next_day_a_flood_is_told_again() -> None:
    gate = Gate(account=WEAK)
    floods = []
    for length in (0 * HOUR, FLOOD_TOLD_EVERY - INSTANT, INSTANT):
        gate.wait(length)
        while True:
            decision = gate.ask(gate.propose(sign_in()).action_id, SMS)
            if decision.fault is not None:
                break
        floods.append([type(one) for one in decision.events])

    assert floods == [[CodesFlooded], [], [CodesFlooded]]


@pytest.mark.requirement("N-B06", "N-B10", "P-04")
def test_a_new_code_does_not_reset_the_count_of_wrong_answers() -> None:
    gate = Gate(account=replace(WEAK, throttle=replace(WEAK.throttle, failures=3)))
    action = gate.propose(sign_in()).action_id
    for number in range(CODES_UNPROVED_PER_HOUR_MOST):
        gate.ask(action, EMAIL)
        assert gate.account.throttle.failures == min(3 + number, FREE_FAILURES)
        gate.wrong(action, Factor.EMAIL_CODE)


@pytest.mark.requirement("N-B06", "N-B16", "P-01")
def test_a_code_counts_once_for_its_own_action_within_ten_minutes() -> None:
    gate = Gate(account=WEAK)
    action, other = (gate.propose(sign_in()).action_id for _ in range(2))
    gate.ask(action, EMAIL)
    right = gate.right(action, EMAIL)

    assert gate.answer(other, right).fault is ProofFault.CHALLENGE_GONE
    gate.wait(CHALLENGE_LIFETIME - INSTANT)
    assert gate.answer(action, right).fault is None
    assert gate.answer(action, right).fault is ProofFault.ALREADY_SHOWN
    gate.ask(other, EMAIL)
    late = gate.right(other, EMAIL)
    gate.wait(CHALLENGE_LIFETIME)
    assert gate.answer(other, late).fault is ProofFault.CHALLENGE_GONE


@pytest.mark.requirement("N-B09")
@pytest.mark.parametrize("channels", [(SMS,), (SMS, EMAIL)])
def test_what_an_account_with_codes_by_sms_only_may_send_is_narrow(
    channels: tuple[Channel, ...],
) -> None:
    sums = {}
    for account in (an_account(PASSWORD, channels=channels), an_account(PASSWORD, APP)):
        gate = Gate.of(account, a_destination())
        proposed = gate.propose(send(1_001, to=OLD_ADDRESS))
        sums[account.floor] = proposed.answer

    assert sums[Level.OUT_OF_BAND] is Answer.DENY
    assert sums[Level.POSSESSION] is not Answer.DENY


# --- A changed SIM ---


def report(gate: Gate, changed_at: datetime) -> Decision:
    return gate.run(ReportSimChange(changed_at=changed_at))


@pytest.mark.requirement("N-B08")
def test_after_a_changed_sim_codes_by_sms_count_nothing_for_a_week() -> None:
    gate = Gate(account=WEAK)
    report(gate, NOON)
    refused = gate.ask(gate.propose(sign_in()).action_id, SMS)
    assert refused.fault is ProofFault.SIM_CHANGED
    assert refused.requirement == Never(code=Reason.SIM_CHANGED, until=NOON + SIM_CHANGE_PERIOD)

    gate.wait(SIM_CHANGE_PERIOD - INSTANT)
    assert not sent(gate, channel=SMS)
    gate.wait(INSTANT)
    assert sent(gate, channel=SMS)


@pytest.mark.requirement("N-B08")
def test_a_code_that_was_sent_before_the_report_is_not_read_after_it() -> None:
    gate = Gate(account=WEAK)
    action = gate.propose(sign_in()).action_id
    gate.ask(action, SMS)
    right = gate.right(action, SMS)
    report(gate, NOON - HOUR)

    assert gate.answer(action, right).fault is ProofFault.SIM_CHANGED
    assert gate.wrong(action, Factor.SMS_CODE).fault is ProofFault.SIM_CHANGED
    assert gate.account.throttle.failures == 0


@pytest.mark.requirement("N-B08")
def test_what_a_code_by_sms_has_proved_falls_with_the_sim() -> None:
    """Prevents: a swapped number that lists an address, and a report that comes a day later."""
    gate = Gate(account=WEAK)
    listing = gate.propose(list_address("0x" + "5" * 40)).action_id
    assert gate.prove(listing, PASSWORD, SMS).answer is Answer.HOLD
    gate.wait(12 * HOUR)
    report(gate, NOON - HOUR)
    gate.wait(8 * DAY)
    gate.propose(FREEZE)

    assert gate.account.destinations == {}


def test_codes_by_mail_and_the_floor_stay_as_they_are() -> None:
    gate = Gate(account=WEAK)
    before = gate.account.floor
    report(gate, NOON)

    assert gate.account.floor is before
    assert sent(gate, channel=EMAIL)


@pytest.mark.parametrize(
    ("account", "sources"),
    [
        (an_account(PASSWORD, APP, channels=(SMS, DESKTOP)), (PASSWORD, APP)),
        (an_account(PASSWORD, channels=(SMS, EMAIL)), (PASSWORD, EMAIL)),
    ],
)
def test_a_report_stops_nobody_who_shows_something_else(
    account: Account, sources: tuple[object, ...]
) -> None:
    gate = Gate(account=account)
    report(gate, NOON)

    assert gate.sign_in(*sources).answer is Answer.ALLOW  # type: ignore[arg-type] # sources of worlds


@pytest.mark.parametrize(
    ("changed_at", "kept"),
    [
        (NOON - DAY, NOON - HOUR),
        (NOON - HOUR, NOON - HOUR),
        (NOON - HOUR + INSTANT, NOON - HOUR + INSTANT),
        (NOON, NOON),
        (NOON + INSTANT, NOON - HOUR),
    ],
    ids=["older", "the same again", "younger", "just now", "in the future"],
)
def test_a_report_never_takes_an_earlier_one_back(changed_at: datetime, kept: datetime) -> None:
    gate = Gate(account=WEAK)
    report(gate, NOON - HOUR)
    decision = report(gate, changed_at)

    assert gate.account.sim_changed_at == kept
    assert bool(decision.events) is (kept == changed_at != NOON - HOUR)


@pytest.mark.requirement("N-B08", "O-04")
def test_the_owner_is_told_of_a_changed_sim() -> None:
    gate = Gate(account=WEAK)
    decision = report(gate, LONG_AGO)

    assert told(gate, decision) == [NoticeKind.SIM_CHANGED]
    assert decision.events == (SimChanged(at=NOON, changed_at=LONG_AGO),)
