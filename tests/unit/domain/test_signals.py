"""What signals of other parties change at the gate: they add, they end, they lock nobody out."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, NOON, OLD_ADDRESS
from support.gates import Gate
from support.policies import STRICT
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    SMS,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    list_address,
    send,
    sign_in,
)

from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import SIGNAL_SERIES_EVERY, SIGNAL_SERIES_MOST
from twinlock.domain.channels import ChannelKind
from twinlock.domain.commands import ReceiveSignal
from twinlock.domain.decisions import Decision
from twinlock.domain.errors import present
from twinlock.domain.events import SessionEnded
from twinlock.domain.holds import held_until
from twinlock.domain.notices import Notice, NoticeKind, notices
from twinlock.domain.outside_events import SignalReceived
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never, reasons
from twinlock.domain.signals import KINDS, SignalKind, Signals, effect_of, is_better

WEAK = an_account(PASSWORD, channels=(SMS, EMAIL))
STRONG = an_account(PASSWORD, SYNCED, channels=(EMAIL, DESKTOP))


def hears(
    gate: Gate,
    kind: SignalKind = SignalKind.RECOVERY_ACTIVATED,
    address: str = EMAIL.address,
    *,
    better: bool = False,
) -> Decision:
    return gate.run(ReceiveSignal(stream="mail", kind=kind, address=address, better=better))


def told(gate: Gate, decision: Decision) -> tuple[Notice, ...]:
    before = gate.book[-1][0].account
    return notices(before, what=decision.kind, action_id="", events=decision.events)


# --- What it takes away ---


def test_codes_to_a_mailbox_that_is_being_recovered_list_no_address() -> None:
    gate = Gate(account=WEAK)
    hears(gate)
    refused = gate.ask(gate.propose(list_address("0x" + "5" * 40)).action_id, EMAIL)

    assert refused.fault is ProofFault.CHANNEL_SIGNALLED
    assert refused.requirement == Never(code=Reason.CHANNEL_SIGNALLED, until=NOON + 7 * DAY)


def test_they_count_again_after_a_week() -> None:
    gate = Gate(account=WEAK)
    hears(gate)
    gate.wait(7 * DAY - INSTANT)
    listing = list_address("0x" + "5" * 40)
    assert gate.ask(gate.propose(listing).action_id, EMAIL).fault is ProofFault.CHANNEL_SIGNALLED
    gate.wait(INSTANT)
    assert gate.ask(gate.propose(listing).action_id, EMAIL).fault is None


def test_what_such_a_code_proved_before_falls_and_stays_fallen() -> None:
    """Prevents: a mailbox that was recovered at noon, and a signal that comes in the evening."""
    gate = Gate(account=WEAK)
    listing = gate.propose(list_address("0x" + "5" * 40)).action_id
    assert gate.prove(listing, PASSWORD, EMAIL).answer is Answer.HOLD
    gate.wait(12 * HOUR)
    hears(gate)
    gate.wait(DAY)
    gate.propose(sign_in())
    assert gate.account.destinations == {}
    gate.wait(8 * DAY)
    gate.propose(sign_in())
    assert gate.account.destinations == {}


def test_a_code_that_was_sent_before_is_not_read_after_it() -> None:
    gate = Gate(account=an_account(PASSWORD, channels=(EMAIL,)))
    action = gate.propose(list_address("0x" + "5" * 40)).action_id
    gate.ask(action, EMAIL)
    right = gate.right(action, EMAIL)
    hears(gate)

    assert gate.answer(action, right).fault is ProofFault.CHANNEL_SIGNALLED
    assert gate.wrong(action, Factor.EMAIL_CODE).fault is ProofFault.CHANNEL_SIGNALLED
    assert gate.account.throttle.failures == 0


def test_the_other_channel_goes_on() -> None:
    gate = Gate(account=WEAK)
    hears(gate)

    assert gate.ask(gate.propose(list_address("0x" + "5" * 40)).action_id, SMS).fault is None


def test_the_silence_of_that_mailbox_is_no_root() -> None:
    mailbox = replace(EMAIL, kind=ChannelKind.DESKTOP, address="alice@laptop")
    silent = replace(an_account(PASSWORD, SYNCED), channels=(mailbox,))
    gate = Gate(account=silent)
    gate.propose(send(100))
    before = present(gate.book[-1][1].answer.facts, "an exit has facts")
    muted = Signals(since=1, muted={EMAIL.channel_id: int((NOON + DAY).timestamp())})
    gate.account = replace(silent, signals=muted)
    gate.propose(send(100))
    after = present(gate.book[-1][1].answer.facts, "an exit has facts")

    assert (before.narrow, after.narrow) == (False, True)


def test_nothing_leaves_for_two_days() -> None:
    gate = Gate.of(replace(STRONG, sessions=(a_session(),)), a_destination())
    hears(gate)
    asked = gate.propose(send(100, to=OLD_ADDRESS))

    assert held_until(gate.account.holds, now=gate.now) == NOON + 2 * DAY
    assert Reason.EXITS_HELD in reasons(asked.requirement)
    assert gate.account.holds[-1].because == "signal"


def test_after_them_a_small_budget_asks_for_a_proof_while_policies_are_warned() -> None:
    gate = Gate.of(replace(STRONG, sessions=(a_session(),)), a_destination(budget_cents=500_00))
    hears(gate)
    gate.wait(2 * DAY)
    warned = gate.propose(send(100, to=OLD_ADDRESS))
    assert Reason.SIGNALLED in reasons(warned.requirement)
    gate.wait(5 * DAY)
    assert Reason.SIGNALLED not in reasons(gate.propose(send(100, to=OLD_ADDRESS)).requirement)


def test_strict_lets_a_way_out_wait_longer() -> None:
    assert "api_key.create.signalled_waits" in STRICT.text.decode()


@pytest.mark.parametrize("kind", [SignalKind.SESSION_REVOKED, SignalKind.SESSIONS_REVOKED])
def test_revoked_sessions_end_here_too(kind: SignalKind) -> None:
    gate = Gate(account=replace(STRONG, sessions=(a_session(),)))
    decision = hears(gate, kind, "")

    assert [one.session_id for one in decision.events if isinstance(one, SessionEnded)] == [
        a_session().session_id
    ]
    assert gate.account.sessions == ()
    assert gate.account.holds == ()


# --- What it does not ---


@pytest.mark.parametrize("kind", [SignalKind.SESSION_REVOKED, SignalKind.DEVICE_COMPLIANCE_CHANGE])
def test_a_transmitter_that_never_stops_ends_no_session_after_its_two_weeks(
    kind: SignalKind,
) -> None:
    """Prevents: a stolen key that signs its owner out every minute, for ever."""
    gate = Gate(account=replace(STRONG, sessions=(a_session(),)))
    hears(gate, kind, "")
    gate.wait(SIGNAL_SERIES_MOST + HOUR)
    gate.account = replace(gate.account, sessions=(a_session(),))
    late = hears(gate, kind, "")
    gate.wait(SIGNAL_SERIES_EVERY - SIGNAL_SERIES_MOST)
    next_series = hears(gate, kind, "")

    assert [type(one) for one in late.events] == [SignalReceived]
    assert any(isinstance(one, SessionEnded) for one in next_series.events)


def test_whoever_shows_the_floor_signs_in_all_the_same() -> None:
    gate = Gate(account=WEAK)
    hears(gate)

    assert gate.sign_in(PASSWORD, EMAIL).answer is Answer.ALLOW


def test_a_signal_about_an_address_that_leads_nowhere_any_more_is_kept_and_changes_nothing() -> (
    None
):
    gate = Gate(account=STRONG)
    decision = hears(gate, address="old@example.org")

    assert decision.events == (
        SignalReceived(at=NOON, stream="mail", kind=SignalKind.RECOVERY_ACTIVATED),
    )
    assert gate.account.signals == Signals()
    assert told(gate, decision) == ()


@pytest.mark.parametrize(
    ("kind", "claims"),
    [
        (SignalKind.RISK_LEVEL_CHANGE, {"current_level": "LOW"}),
        (SignalKind.DEVICE_COMPLIANCE_CHANGE, {"current_status": "compliant"}),
        (SignalKind.ASSURANCE_LEVEL_CHANGE, {"change_direction": "increase"}),
    ],
)
def test_word_that_something_got_better_takes_nothing_back(
    kind: SignalKind, claims: dict[str, str]
) -> None:
    gate = Gate(account=STRONG)
    hears(gate)
    before = gate.account
    hears(gate, kind, "", better=is_better(kind, claims))

    assert gate.account.signals == before.signals
    assert gate.account.holds == before.holds


@pytest.mark.parametrize("claims", [{}, {"current_level": "MEDIUM"}, {"current_level": ["LOW"]}])
def test_an_unknown_level_counts_as_worse(claims: dict[str, object]) -> None:
    assert not is_better(SignalKind.RISK_LEVEL_CHANGE, claims)
    assert not is_better(SignalKind.RECOVERY_ACTIVATED, {"current_level": "LOW"})


def test_only_what_may_get_better_is_ever_without_effect_for_it() -> None:
    risky = SignalKind.RECOVERY_ACTIVATED

    assert effect_of(risky, better=True) == effect_of(risky, better=False)


def test_every_kind_has_its_name_in_a_standard() -> None:
    assert set(KINDS.values()) == set(SignalKind)
    assert all(uri.startswith("https://schemas.openid.net/secevent/") for uri in KINDS)


# --- Who is told ---


def test_the_owner_is_told_on_the_other_channels() -> None:
    gate = Gate(account=STRONG)
    (letter,) = told(gate, hears(gate))

    assert letter.kind is NoticeKind.SIGNALLED
    assert letter.channels == (DESKTOP.channel_id,)
    assert letter.until == NOON + 7 * DAY


def test_where_there_is_no_other_it_is_told_there() -> None:
    gate = Gate(account=an_account(PASSWORD, channels=(EMAIL,)))
    (letter,) = told(gate, hears(gate))

    assert letter.channels == (EMAIL.channel_id,)


def test_more_of_the_same_is_told_once_a_day() -> None:
    gate = Gate(account=STRONG)
    hears(gate)
    gate.wait(HOUR)
    assert told(gate, hears(gate)) == ()
    gate.wait(23 * HOUR)
    assert len(told(gate, hears(gate))) == 1


# --- Its end (laws 5 and 10) ---


def test_a_transmitter_that_never_stops_holds_an_account_for_fourteen_days_of_thirty() -> None:
    gate = Gate(account=STRONG)
    days_held = 0
    for _ in range(int(SIGNAL_SERIES_EVERY / DAY)):
        hears(gate)
        gate.wait(DAY - timedelta(seconds=1))
        days_held += held_until(gate.account.holds, now=gate.now) is not None
        gate.wait(timedelta(seconds=1))

    assert days_held == SIGNAL_SERIES_MOST / DAY
    assert not gate.account.signals.warned(gate.now)
    assert not gate.account.signals.mutes(EMAIL.channel_id, gate.now)
    hears(gate)  # The next series.
    assert gate.account.signals.warned(gate.now)
