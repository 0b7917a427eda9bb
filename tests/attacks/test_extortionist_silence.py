"""Who has notices fail: the extortionist to lengthen waits, and the thief to be heard of by nobody.

Has: Alice's mailbox and desktop, so far that word to them comes back. Wants: the one, that her
changes never take effect until she pays; the other, that his own do before she hears of them. Is
stopped by law 5: a wait of which no word arrived is lengthened once, at most to double, and told
again. Leaves behind: one wait that was twice as long.
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SYNCED,
    an_account,
    list_address,
    send,
)

from twinlock.domain.actions import AccountErase
from twinlock.domain.channels import Channel
from twinlock.domain.commands import ReceiveSignal, ReportNotice
from twinlock.domain.deliveries import Outcome
from twinlock.domain.events import ActionHeld
from twinlock.domain.ids import ActionId, ChannelId
from twinlock.domain.notices import Notice, NoticeKind, notices
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, leaves
from twinlock.domain.signals import SignalKind

LIST = list_address(NEW_ADDRESS)


def asked(*channels: Channel, key: object = ROAMING) -> tuple[Gate, str]:
    made = an_account(PASSWORD, SYNCED, ROAMING, channels=channels or (EMAIL, DESKTOP))
    gate = Gate.of(made)
    action = gate.propose(LIST).action_id
    gate.prove(action, ROAMING if key is ROAMING else SYNCED)
    assert gate.action(action).until == NOON + DAY
    return gate, action


def report(gate: Gate, action: str, channel: Channel, outcome: Outcome) -> None:
    command = ReportNotice(about=ActionId(action), channel_id=channel.channel_id, outcome=outcome)
    gate.run(command)


def told(gate: Gate, action: str) -> list[Notice]:
    before, decided, _ = gate.book[-1]
    return [
        notice
        for one in decided.decisions
        for notice in notices(
            before.account, what=one.kind, action_id=one.action_id, events=one.events
        )
        if notice.action_id == action
    ]


def test_a_wait_of_which_no_word_arrived_is_doubled_once_and_told_again() -> None:
    gate, action = asked()
    for channel in (EMAIL, DESKTOP):
        report(gate, action, channel, Outcome.FAILED)
    gate.wait(DAY)
    gate.settle()
    (again,) = told(gate, action)

    assert gate.action(action).until == NOON + 2 * DAY
    assert (again.kind, again.longer, again.until) == (NoticeKind.WAITING, True, NOON + 2 * DAY)
    assert set(again.channels) == {EMAIL.channel_id, DESKTOP.channel_id}
    gate.wait(DAY - HOUR)
    gate.settle()
    assert gate.is_open(action)
    gate.wait(HOUR)
    gate.settle()
    assert not gate.is_open(action)
    assert gate.destinations


def test_it_is_said_why_while_it_waits_longer() -> None:
    gate, action = asked()
    report(gate, action, EMAIL, Outcome.FAILED)
    gate.wait(DAY)
    said = gate.prove(action, SYNCED)

    assert said.answer is Answer.HOLD
    codes = {getattr(one, "code", None) for one in leaves(said.requirement)}
    assert codes & {Reason.NOTICE_UNCONFIRMED, Reason.WAIT_TOLD}
    assert any(
        isinstance(one, ActionHeld) and one.lengthened
        for _, decided, _ in gate.book
        for each in decided.decisions
        for one in each.events
    )


@pytest.mark.parametrize("outcome", [Outcome.HANDED, Outcome.CONFIRMED])
def test_one_channel_outside_the_proof_s_root_is_enough(outcome: Outcome) -> None:
    gate, action = asked()
    report(gate, action, EMAIL, Outcome.FAILED)
    report(gate, action, DESKTOP, outcome)
    gate.wait(DAY)
    gate.settle()

    assert not gate.is_open(action)


def test_what_the_phone_proved_is_not_confirmed_by_the_phone() -> None:
    gate, action = asked(key=SYNCED)
    report(gate, action, EMAIL, Outcome.CONFIRMED)
    report(gate, action, DESKTOP, Outcome.FAILED)
    gate.wait(DAY)
    gate.settle()

    assert gate.action(action).until == NOON + 2 * DAY


@pytest.mark.parametrize("taken", [True, False])
def test_a_mailbox_that_was_taken_over_confirms_nothing(taken: bool) -> None:
    gate, action = asked()
    report(gate, action, EMAIL, Outcome.HANDED)
    report(gate, action, DESKTOP, Outcome.FAILED)
    gate.wait(HOUR)
    if taken:  # Its provider says so later than the word came.
        kind = SignalKind.RECOVERY_ACTIVATED
        gate.run(ReceiveSignal(stream="mail", kind=kind, address=EMAIL.address))
    gate.wait(DAY - HOUR)
    gate.settle()

    assert gate.is_open(action) is taken
    gate.wait(DAY)
    gate.settle()
    assert not gate.is_open(action)


THIEFS = replace(
    DESKTOP, channel_id=ChannelId("chn_thief"), address="t@d", bound_at=NOON - DAY, entry=77
)


@pytest.mark.parametrize(("owners", "times"), [((EMAIL, DESKTOP), 2), ((EMAIL,), 2), ((), 0)])
def test_the_thief_s_new_channel_confirms_nothing_where_the_owner_has_an_older_one(
    owners: tuple[Channel, ...], times: int
) -> None:
    made = an_account(PASSWORD, SYNCED, ROAMING, channels=(*owners, THIEFS))
    gate = Gate.of(made)
    action = gate.propose(LIST).action_id
    gate.prove(action, SYNCED)
    until = gate.action(action).until
    assert until is not None
    for channel in (*owners, THIEFS):
        report(gate, action, channel, Outcome.FAILED)
    report(gate, action, THIEFS, Outcome.HANDED)
    gate.wait_until(until)
    gate.settle()

    assert gate.is_open(action) is bool(times)
    if times:
        assert gate.action(action).until == NOON + times * (until - NOON)


def test_where_every_channel_is_the_phone_s_one_that_took_it_is_enough() -> None:
    made = an_account(PASSWORD, SYNCED, channels=(EMAIL,))
    gate = Gate.of(made)
    action = gate.propose(LIST).action_id
    gate.prove(action, SYNCED)
    until = gate.action(action).until
    report(gate, action, EMAIL, Outcome.HANDED)
    assert until is not None
    gate.wait_until(until)
    gate.settle()

    assert not gate.is_open(action)


def test_a_bounce_after_it_was_taken_counts_as_no_word() -> None:
    gate, action = asked()
    report(gate, action, EMAIL, Outcome.HANDED)
    report(gate, action, EMAIL, Outcome.FAILED)
    gate.wait(DAY)
    gate.settle()

    assert gate.is_open(action)


@pytest.mark.parametrize(
    ("later", "waits"),
    [(None, True), (Outcome.CONFIRMED, False), (Outcome.FAILED, True), (Outcome.HANDED, False)],
)
def test_a_carrier_that_says_as_a_rule_what_arrived_and_is_silent_is_no_word(
    later: Outcome | None, *, waits: bool
) -> None:
    """Prevents: a provider who takes the message, and loses it for whoever pays him."""
    gate, action = asked()
    report(gate, action, DESKTOP, Outcome.AWAITED)
    if later is not None:
        report(gate, action, DESKTOP, later)
    gate.wait(DAY)
    gate.settle()

    assert gate.is_open(action) is waits
    gate.wait(DAY)
    gate.settle()
    assert not gate.is_open(action)


def test_word_that_arrived_elsewhere_makes_up_for_a_silence() -> None:
    gate, action = asked()
    report(gate, action, DESKTOP, Outcome.AWAITED)
    report(gate, action, EMAIL, Outcome.HANDED)
    gate.wait(DAY)
    gate.settle()

    assert not gate.is_open(action)


def test_nobody_s_report_and_an_exit_change_nothing() -> None:
    gate, action = asked()
    gate.wait(DAY)
    gate.settle()
    assert not gate.is_open(action)

    exit_ = gate.propose(send(to="0x" + "9" * 40)).action_id
    gate.prove(exit_, ROAMING)
    report(gate, exit_, EMAIL, Outcome.FAILED)
    gate.wait(DAY)
    assert gate.spend(exit_).answer is Answer.ALLOW


def test_who_looks_late_finds_what_who_looked_in_time_would_have_found() -> None:
    gate, action = asked()
    report(gate, action, EMAIL, Outcome.FAILED)
    gate.wait(2 * DAY)
    gate.settle()

    assert not gate.is_open(action)


def test_an_erasure_waits_longer_too() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    action = gate.propose(AccountErase(account=gate.account.account_id)).action_id
    gate.prove(action, ROAMING)
    until = gate.action(action).until
    assert until is not None
    report(gate, action, EMAIL, Outcome.FAILED)
    gate.wait_until(until)
    gate.prove(action, SYNCED)

    assert gate.action(action).until == until + (until - NOON)
