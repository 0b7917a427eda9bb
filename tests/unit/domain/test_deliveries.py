"""How far the word that a change waits came, as the account remembers it."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import HOUR, NOON, OLD_ADDRESS
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    SMS,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    send,
)

from twinlock.domain.canonical import encode
from twinlock.domain.commands import ReportNotice
from twinlock.domain.deliveries import (
    DELIVERIES_LONGEST,
    FAULTS,
    RETRY_AFTER,
    Delivery,
    Fault,
    Outcome,
    next_try,
    pause_after,
)
from twinlock.domain.holds import Hold
from twinlock.domain.ids import ActionId, ChannelId
from twinlock.domain.outside_events import NoticeReported
from twinlock.domain.requirements import Answer
from twinlock.domain.room import bytes_that_last, grows

ACCOUNT = an_account(PASSWORD, SYNCED, channels=(EMAIL, SMS))
HANDED, CONFIRMED, FAILED = Outcome.HANDED, Outcome.CONFIRMED, Outcome.FAILED
SECOND = timedelta(seconds=1)


def waiting() -> tuple[Gate, ActionId]:
    gate = Gate(account=ACCOUNT)
    listing = gate.propose(list_address("0x" + "5" * 40)).action_id
    assert gate.prove(listing, PASSWORD, SYNCED).answer is Answer.HOLD
    return gate, ActionId(listing)


def report(gate: Gate, about: str, outcome: Outcome, channel: str = EMAIL.channel_id) -> bool:
    command = ReportNotice(about=ActionId(about), channel_id=ChannelId(channel), outcome=outcome)
    return bool(gate.run(command).events)


def told(gate: Gate, about: str) -> dict[ChannelId, Delivery]:
    return gate.action(about).told


def test_each_channel_s_outcome_is_noted_with_its_time() -> None:
    gate, listing = waiting()
    gate.wait(HOUR)
    command = ReportNotice(about=listing, channel_id=EMAIL.channel_id, outcome=HANDED)
    decision = gate.run(command)
    gate.wait(HOUR)
    report(gate, listing, FAILED, SMS.channel_id)
    at = int(NOON.timestamp())

    assert (decision.kind, decision.answer, decision.action_id) == (
        "notice.report",
        Answer.ALLOW,
        "",
    )
    assert decision.events == (
        NoticeReported(
            at=NOON + HOUR, action_id=listing, channel_id=EMAIL.channel_id, outcome=HANDED
        ),
    )
    assert told(gate, listing) == {
        EMAIL.channel_id: Delivery(HANDED, at + 3_600),
        SMS.channel_id: Delivery(FAILED, at + 7_200),
    }
    assert not grows(gate.account, command)


def test_a_time_is_never_earlier_than_the_decision() -> None:
    gate, listing = waiting()
    gate.wait(timedelta(milliseconds=1))
    report(gate, listing, HANDED)

    assert told(gate, listing)[EMAIL.channel_id].at == int((NOON + SECOND).timestamp())


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        (HANDED, HANDED, HANDED),
        (HANDED, CONFIRMED, CONFIRMED),
        (HANDED, FAILED, FAILED),  # It came back.
        (FAILED, HANDED, HANDED),  # It was sent once more.
        (FAILED, CONFIRMED, CONFIRMED),
        (FAILED, FAILED, FAILED),
        (CONFIRMED, HANDED, CONFIRMED),
        (CONFIRMED, FAILED, CONFIRMED),
        (CONFIRMED, CONFIRMED, CONFIRMED),
    ],
)
def test_what_was_confirmed_stays_and_nothing_is_noted_twice(
    first: Outcome, then: Outcome, kept: Outcome
) -> None:
    gate, listing = waiting()
    report(gate, listing, first)
    gate.wait(HOUR)
    noted = report(gate, listing, then)
    changed = kept is not first

    assert noted is changed
    assert told(gate, listing)[EMAIL.channel_id] == Delivery(
        kept, int(NOON.timestamp()) + (3_600 if changed else 0)
    )


def test_of_a_channel_that_the_account_does_not_have_nothing_is_noted() -> None:
    gate, listing = waiting()

    assert not report(gate, listing, CONFIRMED, DESKTOP.channel_id)
    assert told(gate, listing) == {}


def test_of_what_does_not_wait_or_is_over_nothing_is_noted() -> None:
    hold = Hold(because="password.change", placed_at=NOON, ends_at=NOON + 24 * HOUR)
    gate = Gate.of(replace(ACCOUNT, holds=(hold,)), a_destination())
    proposed = gate.propose(list_address("0x" + "6" * 40)).action_id
    exit_ = gate.propose(send(100, to=OLD_ADDRESS)).action_id
    assert gate.prove(exit_, PASSWORD, SYNCED).answer is Answer.HOLD

    assert not report(gate, proposed, HANDED)
    assert not report(gate, exit_, HANDED)
    assert not report(gate, "act_gone", HANDED)


def test_the_room_of_all_that_can_be_noted_is_kept_from_the_first() -> None:
    """Prevents: an account that is full, and whose notices then find no room."""
    gate, listing = waiting()
    before = bytes_that_last(gate.account)
    for channel in (EMAIL, SMS):
        report(gate, listing, HANDED, channel.channel_id)

    assert told(gate, listing)
    assert bytes_that_last(gate.account) == before
    bare = replace(gate.action(listing), told={})
    full = replace(bare, told=DELIVERIES_LONGEST)
    assert len(encode(full)) - len(encode(bare)) < 250
    free = replace(gate.account, actions=(replace(bare, until=None, offered_until=None),))
    kept = bytes_that_last(replace(gate.account, actions=(bare,)))
    assert kept - bytes_that_last(free) > 200


# --- When there is another attempt ---


def test_a_message_waits_longer_each_time_and_at_most_an_hour() -> None:
    waits = [next_try(n, random=bytes(2), now=NOON) - NOON for n in range(1, 40)]

    assert waits[: len(RETRY_AFTER)] == list(RETRY_AFTER)
    assert waits == sorted(waits)
    assert set(waits[len(RETRY_AFTER) :]) == {HOUR}


def test_what_failed_together_is_not_tried_again_together() -> None:
    waits = {next_try(1, random=bytes((n, 0)), now=NOON) - NOON for n in range(256)}

    assert len(waits) == 256
    assert max(waits) < RETRY_AFTER[0] * 1.2


def test_a_carrier_that_is_not_there_rests_a_minute_at_most() -> None:
    rests = [pause_after(n, random=bytes(2)) for n in range(1, 2_000)]

    assert rests[:7] == [timedelta(seconds=n) for n in (1, 2, 4, 8, 16, 32, 60)]
    assert max(rests) == timedelta(seconds=60)


def test_every_fault_has_words() -> None:
    assert set(FAULTS) == set(Fault)
