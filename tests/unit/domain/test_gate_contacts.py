"""Changing where notices go: what it takes, who hears of it, who stops it, and what it is worth."""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, NOON
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_channel,
    a_session,
    an_account,
    change_contact,
    list_address,
)

from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bookkeeping import bookkeep
from twinlock.domain.bounds import CHANNELS_MOST, CODES_UNPROVED_PER_HOUR_MOST, NEWCOMER_PERIOD
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.entries import SALTS_BYTES, Origin
from twinlock.domain.ids import ChannelId
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

TWO_DAYS = 2 * DAY
NEW = Channel(
    channel_id=ChannelId("chn_new"),
    kind=ChannelKind.EMAIL,
    address="alice@new.example",
    bound_at=NOON,
)
THIRD = replace(NEW, channel_id=ChannelId("chn_third"), address="alice@third.example")


def told(gate: Gate) -> tuple[Notice, ...]:
    """Return the notices that the last command caused."""
    before, decided, at = gate.book[-1]
    salts = bytes(SALTS_BYTES * len(decided.decisions))
    origin = Origin(account_id=gate.account.account_id, actor="t", policy=gate.rules.policy.name)
    return bookkeep(before, decided, origin=origin, at=at, salts=salts).notices


def kinds(gate: Gate) -> list[ChannelKind]:
    return [one.kind for one in gate.account.channels]


def addresses(gate: Gate) -> set[str]:
    return {one.address for one in gate.account.channels}


# --- What it takes ---


@pytest.mark.requirement("N-B08", "O-18")
def test_a_channel_is_replaced_by_the_floors_proof_a_code_and_a_wait() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    action = gate.propose(*change_contact(EMAIL, NEW)).action_id

    assert gate.prove(action, PASSWORD).answer is Answer.HOLD
    assert gate.action(action).until is None  # Nothing is told before the proof.
    gate.prove(action, SYNCED)
    assert gate.action(action).until == gate.now + TWO_DAYS
    gate.ask_channel(action)
    assert gate.answer_channel(action).answer is Answer.HOLD
    gate.wait(TWO_DAYS - INSTANT)
    gate.settle()
    assert EMAIL in gate.account.channels
    gate.wait(INSTANT)
    gate.settle()
    (new,) = [one for one in gate.account.channels if one.channel_id == NEW.channel_id]
    assert EMAIL not in gate.account.channels
    assert (new.address, new.bound_at, new.replaced) == (
        NEW.address,
        gate.now,
        replace(EMAIL, replaced=None),
    )
    assert [hold.ends_at for hold in gate.account.holds] == [gate.now + TWO_DAYS]


@pytest.mark.requirement("N-B16", "N-B20")
def test_a_channel_that_never_answered_does_not_count_however_long_it_waits() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    action = gate.propose(*change_contact(None, NEW)).action_id
    gate.prove(action, SYNCED)
    gate.wait(TWO_DAYS)
    gate.settle()

    assert gate.is_open(action)
    gate.ask_channel(action)
    assert gate.answer_channel(action).answer is Answer.ALLOW
    assert NEW.address in addresses(gate)


@pytest.mark.requirement("N-B06")
def test_a_code_goes_to_a_new_channel_only_after_the_change_is_proved() -> None:
    """Prevents: strangers who have messages sent to whomever they like."""
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    action = gate.propose(*change_contact(None, NEW)).action_id

    assert gate.ask_channel(action).fault is ProofFault.CHANNEL_NOT_READY
    gate.prove(action, PASSWORD)
    assert gate.ask_channel(action).fault is ProofFault.CHANNEL_NOT_READY
    gate.prove(action, SYNCED)
    assert gate.ask_channel(action, named="chn_email").fault is ProofFault.CHANNEL_NOT_READY
    assert gate.ask_channel(action).fault is None


def test_a_removal_and_any_other_action_have_no_new_channel_to_ask() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    removal = gate.propose(*change_contact(EMAIL, None)).action_id
    listing = gate.propose(list_address("0x" + "9" * 40)).action_id
    for action in (removal, listing):
        gate.prove(action, SYNCED)
        assert gate.ask_channel(action, named="").fault is ProofFault.CHANNEL_NOT_READY


def test_a_new_channel_answers_once_for_its_own_question_and_in_time() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    action = gate.propose(*change_contact(None, NEW)).action_id
    gate.prove(action, SYNCED)
    gate.ask_channel(action)

    assert gate.answer_channel(action, source="chn_email").fault is ProofFault.AUTHENTICATOR_GONE
    assert gate.answer_channel(action, against="other").fault is ProofFault.CHALLENGE_GONE
    gate.wait(10 * HOUR / 60)
    assert gate.answer_channel(action).fault is ProofFault.CHALLENGE_GONE
    gate.ask_channel(action)
    assert gate.answer_channel(action).fault is None
    assert gate.ask_channel(action).fault is ProofFault.ALREADY_SHOWN


@pytest.mark.requirement("N-B06")
def test_codes_to_a_new_channel_are_capped_with_all_others() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    action = gate.propose(*change_contact(None, NEW)).action_id
    gate.prove(action, SYNCED)
    faults = [gate.ask_channel(action).fault for _ in range(2 * CODES_UNPROVED_PER_HOUR_MOST + 1)]

    assert faults[:-1] == [None] * (2 * CODES_UNPROVED_PER_HOUR_MOST)
    assert faults[-1] is ProofFault.CODES_LIMITED


def test_the_code_of_a_new_channel_is_no_proof() -> None:
    """Prevents: an address of the thief's that answers for the account."""
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, SMS)))
    action = gate.propose(*change_contact(None, NEW)).action_id
    gate.prove(action, PASSWORD, SMS)
    gate.ask_channel(action)
    gate.answer_channel(action)
    facts = gate.book[-1][1].answer.facts

    assert facts is not None
    assert [one.value for one in facts.shown_factors] == ["password", "sms_code"]
    assert facts.shown_roots == ("phone",)
    assert facts.channel_confirmed


def test_a_question_to_the_new_channel_takes_the_place_of_those_to_the_old_ones() -> None:
    """Prevents: more questions than a document has room for."""
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, SMS)))
    action = gate.propose(*change_contact(None, NEW)).action_id
    gate.prove(action, PASSWORD, SMS)
    gate.ask(action, EMAIL)
    gate.ask_channel(action)
    assert [one.factor.value for one in gate.action(action).challenges] == ["channel_code"]
    gate.ask(action, EMAIL)

    assert [one.factor.value for one in gate.action(action).challenges] == ["email_code"]


# --- Who hears of it, and who stops it ---


@pytest.mark.requirement("N-B20", "O-04")
@pytest.mark.parametrize("new", [NEW, None], ids=["replaced", "removed"])
def test_every_channel_is_told_and_so_is_the_one_that_goes(new: Channel | None) -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    action = gate.propose(*change_contact(EMAIL, new)).action_id
    gate.prove(action, SYNCED)
    (waiting,) = told(gate)
    if new is not None:
        gate.ask_channel(action)
        gate.answer_channel(action)
    gate.wait(TWO_DAYS)
    gate.settle()
    (done,) = told(gate)

    everyone = (EMAIL.channel_id, DESKTOP.channel_id)
    assert (waiting.kind, waiting.channels, waiting.gone) == (NoticeKind.WAITING, everyone, ())
    assert (done.kind, done.channels, done.gone) == (NoticeKind.DONE, everyone, (EMAIL,))


@pytest.mark.parametrize("by", [EMAIL, DESKTOP], ids=["the one that goes", "another"])
def test_each_old_channel_can_veto_the_change(by: Channel) -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    action = gate.change_contact(EMAIL, NEW, SYNCED)
    gate.wait(TWO_DAYS - INSTANT)

    assert gate.veto(action, by).kind == "action.veto"
    assert not gate.is_open(action)
    assert EMAIL in gate.account.channels


@pytest.mark.requirement("O-17")
def test_a_changed_channel_ends_every_other_session() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    gate.change_contact(EMAIL, NEW, SYNCED)
    gate.wait(TWO_DAYS)
    gate.give_session(a_session(started_at=gate.now))
    gate.settle()

    assert gate.account.sessions == ()


def test_under_a_freeze_no_channel_is_changed() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    gate.change_contact(EMAIL, NEW, SYNCED)
    gate.prove(gate.propose(FREEZE).action_id, SYNCED)
    gate.wait(TWO_DAYS)
    gate.settle()

    assert EMAIL in gate.account.channels


# --- What it is worth ---


def test_a_new_channel_is_asked_for_codes_only_once_it_stands() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL,)))
    gate.change_contact(None, SMS, PASSWORD, EMAIL)
    action = gate.propose(list_address("0x" + "9" * 40)).action_id
    assert gate.ask(action, SMS).fault is ProofFault.AUTHENTICATOR_GONE
    gate.wait(TWO_DAYS)
    gate.settle()
    again = gate.propose(list_address("0x" + "8" * 40)).action_id

    assert gate.ask(again, SMS).fault is None


def test_a_code_that_went_to_the_old_address_dies_with_it() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, SMS)))
    gate.change_contact(EMAIL, NEW, PASSWORD, SMS)
    gate.wait(TWO_DAYS - INSTANT)
    action = gate.propose(list_address("0x" + "9" * 40)).action_id
    gate.ask(action, EMAIL)
    right = gate.right(action, EMAIL)
    gate.wait(INSTANT)
    gate.settle()

    assert gate.answer(action, right).fault is ProofFault.AUTHENTICATOR_GONE


def test_a_proof_by_a_replaced_channel_stands_no_more() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, SMS)))
    gate.change_contact(EMAIL, NEW, PASSWORD, SMS)
    gate.wait(DAY)
    listing = gate.propose(list_address("0x" + "9" * 40)).action_id
    gate.prove(listing, PASSWORD, EMAIL)
    gate.wait(8 * DAY)
    gate.settle()

    assert gate.account.destinations == {}


@pytest.mark.requirement("N-B20")
def test_the_last_channel_is_replaced_and_not_removed() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=(EMAIL,)))
    removal = gate.propose(*change_contact(EMAIL, None))
    assert (removal.answer, reasons(removal.requirement)[0]) == (
        Answer.DENY,
        Reason.LAST_CHANNEL,
    )
    gate.change_contact(EMAIL, NEW, SYNCED)
    gate.wait(TWO_DAYS)
    gate.settle()

    assert addresses(gate) == {NEW.address}


def test_two_removals_that_wait_together_leave_one_channel() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    for old in (EMAIL, DESKTOP):
        gate.prove(gate.propose(*change_contact(old, None)).action_id, SYNCED)
    gate.wait(TWO_DAYS)
    gate.settle()

    assert len(gate.account.channels) == 1


@pytest.mark.parametrize(
    ("channels", "old", "new", "narrows"),
    [
        ((EMAIL, DESKTOP), DESKTOP, None, True),
        ((EMAIL, DESKTOP), DESKTOP, NEW, True),
        ((EMAIL, DESKTOP), EMAIL, NEW, False),
        ((EMAIL, DESKTOP), DESKTOP, a_channel(ChannelKind.DESKTOP), False),
        ((EMAIL, SMS), EMAIL, NEW, False),
        ((EMAIL, DESKTOP), None, NEW, False),
    ],
)
def test_the_last_channel_off_the_phone_does_not_go_silently(
    channels: tuple[Channel, ...], old: Channel | None, new: Channel | None, narrows: bool
) -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=channels))
    comes = None if new is None else replace(new, address="another-place@new.example")
    action = gate.propose(*change_contact(old, comes, "chn_comes")).action_id
    gate.prove(action, SYNCED)
    (waiting,) = told(gate)
    if comes is not None:
        gate.ask_channel(action)
        gate.answer_channel(action)
    gate.wait(TWO_DAYS)
    gate.settle()
    (done,) = told(gate)

    assert (waiting.narrows, done.narrows) == (narrows, narrows)


# --- Bad input ---


def test_what_is_changed_must_stand_as_it_was_signed() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    other = gate.propose(*change_contact(replace(EMAIL, address="other@example.com"), NEW))
    nobody = gate.propose(*change_contact(replace(EMAIL, channel_id=ChannelId("chn_no")), NEW))

    for refused in (other, nobody):
        assert Reason.TARGET_GONE in reasons(refused.requirement)
        assert refused.answer is Answer.DENY


def test_of_two_changes_of_one_channel_the_first_takes_effect() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    gate.change_contact(EMAIL, NEW, SYNCED)
    gate.wait(HOUR)
    second = gate.change_contact(EMAIL, THIRD, SYNCED)
    gate.wait(TWO_DAYS)
    gate.settle()

    assert addresses(gate) == {NEW.address, DESKTOP.address}
    assert not gate.is_open(second)  # Nothing lifts what stands against it, so it is over.


def test_one_address_is_bound_once() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    again = gate.propose(*change_contact(None, EMAIL, "chn_again"))
    same = gate.propose(*change_contact(EMAIL, EMAIL, "chn_again"))

    for refused in (again, same):
        assert Reason.ALREADY_BOUND in reasons(refused.requirement)


def test_an_account_has_so_many_channels_and_no_more() -> None:
    every = [
        replace(EMAIL, channel_id=ChannelId(f"chn_{n}"), address=f"a{n}@example.com")
        for n in range(CHANNELS_MOST)
    ]
    full = Gate.of(an_account(PASSWORD, SYNCED, channels=every))
    room = Gate.of(an_account(PASSWORD, SYNCED, channels=every[1:]))

    assert Reason.TOO_MANY in reasons(full.propose(*change_contact(None, NEW)).requirement)
    assert Reason.TOO_MANY not in reasons(full.propose(*change_contact(every[0], NEW)).requirement)
    assert Reason.TOO_MANY not in reasons(room.propose(*change_contact(None, NEW)).requirement)


def test_a_place_remembers_two_elders_and_a_third_change_waits_for_them_to_age() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    chain = [EMAIL]
    for number in range(3):
        new = replace(NEW, channel_id=ChannelId(f"chn_{number}"), address=f"a{number}@example.com")
        old = gate.account.channel(chain[-1].channel_id)
        asked = gate.propose(*change_contact(old, new))
        if number == 2:
            assert Reason.TOO_MANY in reasons(asked.requirement)
            break
        gate.prove(asked.action_id, SYNCED)
        gate.ask_channel(asked.action_id)
        gate.answer_channel(asked.action_id)
        gate.wait(TWO_DAYS)
        gate.settle()
        chain.append(new)
    (bound,) = [one for one in gate.account.channels if one.kind is ChannelKind.EMAIL]
    assert bound.replaced is not None
    assert bound.replaced.replaced == EMAIL
    gate.wait(NEWCOMER_PERIOD)
    old = gate.account.channel(chain[-1].channel_id)
    action = gate.change_contact(old, THIRD, SYNCED)
    gate.wait(TWO_DAYS)
    gate.settle()
    (bound,) = [one for one in gate.account.channels if one.kind is ChannelKind.EMAIL]

    assert not gate.is_open(action)
    assert bound.replaced is not None
    assert bound.replaced.replaced is None


def test_an_app_alone_proves_a_change_and_it_waits() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    action = gate.change_contact(EMAIL, NEW, APP)

    proved_at = gate.action(action).proved_at
    assert proved_at is not None
    assert gate.action(action).until == proved_at + TWO_DAYS
    assert kinds(gate) == [ChannelKind.EMAIL, ChannelKind.DESKTOP]
