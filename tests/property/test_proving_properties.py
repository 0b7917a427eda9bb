"""Whose answer counts for what: any account, any two actions, any order of questions."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICES_LAPTOP, BOB, HOUR, INSTANT
from support.enrolments import asked_of, calm_gates, gates
from support.gates import Gate, Source, factor_shown
from support.worlds import (
    APP,
    EMAIL,
    FREEZE,
    PASSWORD,
    SAVED,
    SMS,
    SYNCED,
    a_passkey,
    an_account,
    change_password,
    list_address,
    reset_password,
    send,
    sign_in,
)

from twinlock.domain.actions import AnyPayload, type_of
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bounds import CHALLENGE_LIFETIME, FAILURES_MOST
from twinlock.domain.catalogue import ALARMS
from twinlock.domain.channels import Channel
from twinlock.domain.commands import Right
from twinlock.domain.events import ProofAccepted
from twinlock.domain.ids import ChallengeId
from twinlock.domain.throttle import can_be_guessed

UNASKED = (ProofFault.BELOW_FLOOR, ProofFault.NOT_OFFERED)
GUESSED = [Factor.PASSWORD, Factor.TOTP, Factor.EMAIL_CODE, Factor.SMS_CODE]


def sources(gate: Gate) -> list[Source]:
    codes = [one for one in gate.account.channels if one.takes_codes]
    return [*gate.account.authenticators, *codes]


def asked(gate: Gate, action: str, source: Source) -> Right | None:
    """Ask, and return the right answer; None where it is not asked."""
    if not gate.is_open(action) or gate.ask(action, source).fault is not None:
        return None
    return gate.right(action, source) if gate.is_open(action) else None


def accepted(gate: Gate) -> list[ProofAccepted]:
    decisions = (one for _, decided, _ in gate.book for one in decided.decisions)
    events = (event for decision in decisions for event in decision.events)
    return [event for event in events if isinstance(event, ProofAccepted)]


# --- Once, in time, for the action and the challenge it was asked for ---


@pytest.mark.requirement("O-13", "P-01")
@given(gates(), st.data())
def test_an_answer_to_one_action_never_advances_another(gate: Gate, data: st.DataObject) -> None:
    asked_for, other = (gate.propose(*data.draw(asked_of(gate.account))) for _ in range(2))
    source = data.draw(st.sampled_from(sources(gate)))
    right = asked(gate, asked_for.action_id, source)
    if right is None or right.challenge_id is None or not gate.is_open(other.action_id):
        return
    for factor in (None, *Factor):  # also as another proof than it is
        shown = right if factor is None else replace(right, factor=factor)
        refused = gate.answer(other.action_id, shown)
        below = factor is Factor.RECOVERY_CODE and refused.fault in UNASKED
        below |= factor is Factor.API_KEY and refused.fault is ProofFault.WRONG_KIND
        assert below or refused.fault in (ProofFault.CHALLENGE_GONE, ProofFault.THROTTLED)

    assert all(event.action_id != other.action_id for event in accepted(gate))


@pytest.mark.requirement("N-B02", "P-01", "O-22")
@given(gates(), st.data())
def test_an_answer_counts_once(gate: Gate, data: st.DataObject) -> None:
    action = gate.propose(*data.draw(asked_of(gate.account))).action_id
    source = data.draw(st.sampled_from(sources(gate)))
    right = asked(gate, action, source)
    if right is None:
        return
    gate.answer(action, right)
    if gate.is_open(action):
        again = gate.answer(action, right)
        assert again.fault in (ProofFault.ALREADY_SHOWN, ProofFault.THROTTLED)

    assert len([one for one in accepted(gate) if one.action_id == action]) <= 1


@pytest.mark.requirement("N-B02", "P-01", "O-11")
@given(gates(), st.data())
def test_a_code_of_an_app_counts_for_no_two_actions(gate: Gate, data: st.DataObject) -> None:
    if APP.authenticator_id not in {one.authenticator_id for one in gate.account.authenticators}:
        return
    one, two = (gate.propose(*data.draw(asked_of(gate.account))).action_id for _ in range(2))
    bound = gate.account.authenticator(APP.authenticator_id)
    assert bound is not None
    right = Right(
        factor=Factor.TOTP,
        source=APP.authenticator_id,
        against=APP.seed,
        totp_step=data.draw(st.integers(1, 10**9)),
    )
    first = gate.answer(one, right) if gate.is_open(one) else None
    second = gate.answer(two, right) if gate.is_open(two) else None

    if first is not None and first.fault is None and second is not None:
        used_up = (ProofFault.CODE_REPLAYED, ProofFault.SUSPENDED)  # The first may suspend the app.
        assert second.fault in used_up


@pytest.mark.requirement("N-B06", "O-11")
@given(
    gates(),
    st.data(),
    st.sampled_from([CHALLENGE_LIFETIME - INSTANT, CHALLENGE_LIFETIME, CHALLENGE_LIFETIME + HOUR]),
)
def test_a_question_is_answered_within_ten_minutes(
    gate: Gate, data: st.DataObject, pause: timedelta
) -> None:
    action = gate.propose(*data.draw(asked_of(gate.account))).action_id
    right = asked(gate, action, data.draw(st.sampled_from(sources(gate))))
    if right is None or right.challenge_id is None:
        return
    gate.wait(pause)
    if not gate.is_open(action):
        return
    told = gate.answer(action, right)

    in_time = pause < CHALLENGE_LIFETIME
    assert told.fault is None if in_time else bool(told.events)
    assert in_time or not accepted(gate)[-1:] or accepted(gate)[-1].shown.factor is Factor.SESSION


@given(calm_gates(), st.data())
def test_what_was_replaced_or_unbound_meanwhile_proves_nothing(
    gate: Gate, data: st.DataObject
) -> None:
    action = gate.propose(send()).action_id
    source = data.draw(st.sampled_from(gate.account.authenticators))
    right = asked(gate, action, source)
    assert right is not None
    rest = tuple(one for one in gate.account.authenticators if one != source)
    stranger = a_passkey(source.authenticator_id)
    replaced = (*rest, replace(stranger, public_key="another key"))
    left = data.draw(st.sampled_from([rest, replaced]))
    gate.account = replace(gate.account, authenticators=left)

    assert gate.answer(action, right).fault is ProofFault.AUTHENTICATOR_GONE


@given(gates(), st.data(), st.sampled_from(Factor))
def test_a_challenge_that_was_never_put_is_not_answered(
    gate: Gate, data: st.DataObject, factor: Factor
) -> None:
    action = gate.propose(*data.draw(asked_of(gate.account))).action_id
    if not gate.is_open(action):
        return
    source = data.draw(st.sampled_from(gate.account.authenticators))
    made_up = Right(
        factor=factor,
        source=source.authenticator_id,
        against="anything",
        challenge_id=ChallengeId("chl_made_up"),
    )

    told = gate.answer(action, made_up).fault
    below = factor is Factor.RECOVERY_CODE and told in UNASKED
    below |= factor is Factor.API_KEY and told is ProofFault.WRONG_KIND
    assert below or told is ProofFault.CHALLENGE_GONE


# --- Codes ---


@pytest.mark.requirement("N-B05", "O-05")
@given(gates(), st.data())
def test_no_code_is_asked_for_where_anything_stronger_is_bound(
    gate: Gate, data: st.DataObject
) -> None:
    """Whatever page asks (S02); except to look, to freeze and to report, which open nothing."""
    payload, secret = data.draw(asked_of(gate.account))
    action = gate.propose(payload, secret).action_id
    codes = [one for one in gate.account.channels if one.takes_codes]
    if not gate.is_open(action) or not codes or gate.account.floor <= Level.OUT_OF_BAND:
        return
    told = gate.ask(action, data.draw(st.sampled_from(codes)))
    little = type_of(payload) in ALARMS | {"session.start"}

    assert (told.fault is ProofFault.BELOW_FLOOR) is not little


# --- The throttle ---


@pytest.mark.requirement("P-04")
@given(st.data())
def test_while_the_throttle_is_closed_a_right_guess_is_told_like_a_wrong_one(
    data: st.DataObject,
) -> None:
    gate = Gate(account=an_account(PASSWORD, APP))
    action = gate.propose(send()).action_id
    for _ in range(data.draw(st.integers(5, 12))):
        gate.wrong(action, data.draw(st.sampled_from(GUESSED)))
    source = data.draw(st.sampled_from(sources(gate)[:2]))
    right = gate.answer(action, gate.right(action, source))
    wrong = gate.wrong(action, factor_shown(source))

    assert right.fault is wrong.fault is ProofFault.THROTTLED
    assert right.requirement == wrong.requirement
    assert right.events == wrong.events


@pytest.mark.requirement("N-B10")
@settings(max_examples=10)  # each goes on for a hundred days and more
@given(st.lists(st.tuples(st.sampled_from(["guess", "ask", "propose", "wait"]), st.integers(0, 3))))
def test_no_order_of_calls_gives_a_101st_guess(calls: list[tuple[str, int]]) -> None:
    gate = Gate(account=an_account(PASSWORD, APP))
    read = 0
    action = gate.propose(sign_in()).action_id
    for call, place in calls + [("guess", 0), ("wait", 0)] * (FAILURES_MOST + 10):
        if call == "guess":
            read += gate.wrong(action, GUESSED[place]).fault is ProofFault.CODE_WRONG
        elif call == "ask":
            gate.ask(action, sources(gate)[place % len(sources(gate))])
        else:
            gate.wait(timedelta(hours=24 if call == "wait" else 0))
            action = gate.propose(sign_in()).action_id

    assert read == FAILURES_MOST


ALL_BUT_THE_PASSWORD: list[Source] = [APP, SAVED, EMAIL, SMS]


@pytest.mark.requirement("N-B10")
@settings(max_examples=40)  # each goes on for hundreds of calls
@given(
    st.lists(st.sampled_from(ALL_BUT_THE_PASSWORD), unique=True),
    st.lists(st.sampled_from(["guess", "propose", "hour", *ALL_BUT_THE_PASSWORD]), max_size=6),
    st.sampled_from(
        [(sign_in(), ""), (FREEZE, ""), (send(), ""), change_password(), reset_password()]
    ),
    st.booleans(),
)
def test_whoever_has_all_but_the_password_guesses_it_no_51st_time(
    has: list[Source], calls: list[str | Source], asked: tuple[AnyPayload, str], signed: bool
) -> None:
    """Prevents: each right code of a stolen app that lets the next guesses be read."""
    bound = [one for one in has if not isinstance(one, Channel)]
    channels = tuple(one for one in has if isinstance(one, Channel))
    gate = Gate.of(replace(an_account(PASSWORD, *bound), channels=channels or (EMAIL,)))
    read, action = 0, ""
    for call in ["propose", *calls, "guess"] * (2 * FAILURES_MOST):
        if call == "hour":
            gate.wait(HOUR)
        elif call == "propose" or not gate.is_open(action):
            signs = gate.device_signs(ALICES_LAPTOP) if signed and asked[0] == sign_in() else None
            action = gate.propose(*asked, session=signs).action_id
        elif call == "guess":
            told = gate.wrong(action, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)
            read += told.fault is ProofFault.PASSWORD_WRONG
        elif isinstance(call, Authenticator | Channel) and call in has:
            gate.prove(action, call)

    assert read <= FAILURES_MOST


@given(st.sampled_from(Factor))
def test_only_what_can_be_guessed_is_counted(factor: Factor) -> None:
    gate = Gate()
    gate.wrong(gate.propose(FREEZE).action_id, factor, ProofFault.BAD_SIGNATURE)

    assert (gate.account.throttle.failures == 1) is can_be_guessed(factor)


def test_an_account_of_another_customer_takes_no_answer() -> None:
    alice = Gate(account=an_account(PASSWORD, SYNCED))
    right = asked(alice, alice.propose(list_address("elsewhere")).action_id, SYNCED)
    bob = Gate(account=replace(an_account(PASSWORD, SYNCED), account_id=BOB))
    theirs = bob.propose(replace(sign_in(), account=BOB)).action_id
    assert right is not None

    assert bob.answer(theirs, right).fault is ProofFault.CHALLENGE_GONE
