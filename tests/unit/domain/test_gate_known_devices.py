"""Whose guesses count as a known device's: only those for a sign-in that its own key signed."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICES_LAPTOP, INSTANT, MALLORYS_LAPTOP
from support.gates import Gate
from support.worlds import APP, EMAIL, PASSWORD, SYNCED, an_account, send, sign_in

from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import (
    DEVICE_KNOWN_FOR,
    FAILURES_MOST,
    LOOSE_ACTIONS_MOST,
    SIGNED_AT_TOLERANCE,
)
from twinlock.domain.commands import SessionSignature
from twinlock.domain.requirements import Answer

MILLISECOND = timedelta(milliseconds=1)


def _nothing(_: Gate) -> None:
    return None


def _another_devices(gate: Gate) -> SessionSignature:
    return gate.device_signs(MALLORYS_LAPTOP)


def _one_that_does_not_verify(gate: Gate) -> SessionSignature:
    return replace(gate.device_signs(""), signed_at=None)


def _one_of(length: timedelta) -> Callable[[Gate], SessionSignature]:
    return lambda gate: replace(gate.device_signs(ALICES_LAPTOP), signed_at=gate.now + length)


def _a_copied_session(gate: Gate) -> SessionSignature:
    return replace(gate.device_signs(""), session_id=gate.account.sessions[0].session_id)


UNKNOWN = [
    pytest.param(_nothing, id="nothing"),
    pytest.param(_another_devices, id="another device's"),
    pytest.param(_one_that_does_not_verify, id="one that does not verify"),
    pytest.param(_one_of(-SIGNED_AT_TOLERANCE - MILLISECOND), id="an old one"),
    pytest.param(_one_of(SIGNED_AT_TOLERANCE + MILLISECOND), id="one of later"),
    pytest.param(_a_copied_session, id="a copied session"),
]


@pytest.mark.parametrize("signature", UNKNOWN)
def test_who_names_a_known_devices_key_and_does_not_sign_with_it_is_a_stranger(
    signature: Callable[[Gate], SessionSignature | None],
) -> None:
    """Prevents: the owner's device locked out by whoever read its public key in the evidence."""
    gate = Gate.of(an_account(PASSWORD, APP))
    gate.sign_in(PASSWORD, APP)
    for _ in range(FAILURES_MOST):
        guessed = gate.propose(sign_in(), session=signature(gate)).action_id
        gate.wrong(guessed, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)
        gate.wait_until(gate.account.throttle.until or gate.now)

    assert gate.account.throttle.failures == FAILURES_MOST
    assert gate.account.known_throttle.failures == 0
    assert gate.sign_in(PASSWORD, APP).answer is Answer.ALLOW


def test_a_session_that_only_looks_is_a_strangers() -> None:
    """Prevents: the password and the mailbox, with which a thief locks out the owner's devices."""
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL,)))
    gate.sign_in(PASSWORD, APP)
    for _ in range(FAILURES_MOST):
        gate.sign_in(PASSWORD, EMAIL, device=MALLORYS_LAPTOP)
        (looks,) = (one for one in gate.account.sessions if one.read_only)
        guessed = gate.propose(send(1), session=gate.signs(looks)).action_id
        gate.wrong(guessed, Factor.TOTP)
        gate.wait_until(gate.account.throttle.until or gate.now)

    assert gate.account.throttle.failures == FAILURES_MOST
    assert gate.account.known_throttle.failures == 0
    assert gate.sign_in(PASSWORD, APP).answer is Answer.ALLOW


@pytest.mark.parametrize("signature", UNKNOWN)
def test_a_sign_in_that_its_device_did_not_sign_works_as_one_from_a_new_device(
    signature: Callable[[Gate], SessionSignature | None],
) -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    gate.sign_in(PASSWORD, APP)
    started = gate.propose(sign_in(), session=signature(gate)).action_id

    assert gate.action(started).shown == ()
    assert gate.prove(started, PASSWORD, APP).answer is Answer.ALLOW


@pytest.mark.parametrize("late", [-SIGNED_AT_TOLERANCE, SIGNED_AT_TOLERANCE])
def test_a_sign_in_is_from_a_known_device_when_its_key_signed_now(late: timedelta) -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    signature = _one_of(late)(gate)
    started = gate.propose(sign_in(), session=signature).action_id

    assert gate.account.from_known_device(gate.action(started))


@pytest.mark.requirement("O-26")
def test_a_device_that_signs_in_for_the_first_time_is_no_known_one() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    started = gate.start(MALLORYS_LAPTOP)

    assert gate.action(started).device_signed
    assert not gate.account.from_known_device(gate.action(started))


@pytest.mark.parametrize(
    ("later", "known"), [(DEVICE_KNOWN_FOR - INSTANT, True), (DEVICE_KNOWN_FOR, False)]
)
def test_a_device_that_has_not_signed_in_for_90_days_is_new_again(
    later: timedelta, known: bool
) -> None:
    """Prevents: a laptop that was sold, and that spares its buyer the hold."""
    gate = Gate.of(an_account(PASSWORD, APP))
    gate.sign_in(PASSWORD, APP)
    gate.wait_until(gate.account.devices[-1].seen_at + later)
    started = gate.start()
    from_known = gate.account.from_known_device(gate.action(started))
    gate.prove(started, PASSWORD, APP)

    assert from_known is known
    assert bool(gate.account.holds) is not known


def test_each_sign_in_keeps_a_device_known() -> None:
    gate = Gate.of(an_account(SYNCED))
    since = gate.account.devices[0].since
    for _ in range(3):
        gate.wait(DEVICE_KNOWN_FOR - INSTANT)
        gate.sign_in(SYNCED)

    assert gate.account.holds == ()
    assert gate.account.devices[0].since == since


def test_a_leaked_password_pushes_out_nothing_that_a_known_device_signed() -> None:
    """Prevents: four sign-ins that each show it, whenever the owner begins one of theirs."""
    gate = Gate.of(an_account(PASSWORD, APP))
    own = ""
    for number in range(2 * LOOSE_ACTIONS_MOST):
        if number == LOOSE_ACTIONS_MOST:
            own = gate.start()
        gate.prove(gate.start(MALLORYS_LAPTOP), PASSWORD)

    assert gate.prove(own, PASSWORD, APP).answer is Answer.ALLOW


def test_strangers_who_name_a_known_device_push_out_nothing_that_it_signed() -> None:
    gate = Gate()
    own = gate.start()
    for _ in range(20):
        gate.ask(gate.propose(sign_in()).action_id, SYNCED)

    assert gate.is_open(own)
