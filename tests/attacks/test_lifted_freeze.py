"""What a thief bound lifts the freeze with which its owner stopped everything.

Mallory had one proof of Alice's relayed and has a passkey of her own for it. Alice freezes with
what she had before. The key reaches the floor, so Mallory lifts the freeze in a day that nobody
watches. She is stopped by law 3: for 30 days a newcomer undoes nothing that something older set. A
freeze that was set with less than the floor ends after 72 hours all the same, and whoever set one
lifts it.
"""

from datetime import datetime, timedelta

import pytest
from support.cast import DAY, HOUR, MALLORYS_ADDRESS
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    FREEZE,
    LIFT,
    PASSWORD,
    SYNCED,
    a_passkey,
    an_account,
    bind,
    list_address,
)

from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bounds import NEWCOMER_PERIOD, WEAK_FREEZE_LENGTH
from twinlock.domain.decisions import Decision
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never, leaves, reasons


def with_a_new_key(own: Authenticator) -> tuple[Gate, Authenticator]:
    """Return an account whose ``own`` has bound a passkey just now, and that passkey."""
    gate = Gate.of(an_account(PASSWORD, own, channels=(EMAIL, DESKTOP)))
    gate.prove(gate.propose(*bind(a_passkey("aut_new"))).action_id, own)
    settled(gate, 2 * DAY)
    found = gate.account.authenticator("aut_new")
    assert found is not None
    return gate, found


def settled(gate: Gate, length: timedelta) -> None:
    gate.wait(length)
    gate.settle()


def frozen(gate: Gate, *by: Authenticator) -> datetime:
    assert gate.prove(gate.propose(FREEZE).action_id, *by).answer is Answer.ALLOW
    gate.wait(HOUR)
    assert gate.account.freeze.until is not None
    return gate.account.freeze.until


def lifts(gate: Gate, by: Authenticator) -> Decision:
    """Ask for the freeze to be lifted, prove it, and wait two days."""
    said = gate.prove(gate.propose(LIFT).action_id, by)
    settled(gate, 2 * DAY)
    return said


@pytest.mark.parametrize("own", [SYNCED, APP, PASSWORD])
def test_a_thiefs_new_key_lifts_no_freeze_of_something_older(own: Authenticator) -> None:
    gate, key = with_a_new_key(APP if own is PASSWORD else own)
    until = frozen(gate, own)
    said = lifts(gate, key)

    assert said.answer is Answer.DENY
    assert Reason.NEWCOMER in reasons(said.requirement)
    assert gate.account.freeze.until == until


def test_nor_one_that_the_key_has_set_once_more() -> None:
    """Prevents: a freeze that counts as the thief's own, since she set it last, or first."""
    for first in (True, False):
        gate, key = with_a_new_key(SYNCED)
        frozen(gate, *((key, SYNCED)[:: 1 if first else -1][:1]))
        frozen(gate, *((SYNCED, key)[:: 1 if first else -1][:1]))

        assert Reason.NEWCOMER in reasons(lifts(gate, key).requirement)
        assert gate.account.freeze.until is not None


def test_nor_with_the_leaked_password_beside_it() -> None:
    gate, key = with_a_new_key(SYNCED)
    frozen(gate, SYNCED)
    said = gate.prove(gate.propose(LIFT).action_id, PASSWORD, key)

    assert Reason.NEWCOMER in reasons(said.requirement)


# --- And the owner ---


def test_what_set_a_freeze_lifts_it_and_so_does_what_is_older() -> None:
    for by in (0, 1):
        gate, key = with_a_new_key(SYNCED)
        frozen(gate, key)

        assert lifts(gate, (key, SYNCED)[by]).answer is Answer.HOLD
        assert gate.account.freeze.until is None


def test_an_owner_whose_older_key_is_lost_lifts_it_when_the_new_one_is_thirty_days_old() -> None:
    """Law 10: the no says until when."""
    gate, key = with_a_new_key(SYNCED)
    frozen(gate, SYNCED)
    early = lifts(gate, key).requirement
    ripe_at = key.bound_at + NEWCOMER_PERIOD
    assert Never(code=Reason.NEWCOMER, until=ripe_at) in leaves(early)
    gate.wait_until(ripe_at)

    assert lifts(gate, key).answer is Answer.HOLD
    assert gate.account.freeze.until is None


def test_a_freeze_with_an_end_ends_and_the_owner_goes_on() -> None:
    gate, key = with_a_new_key(APP)
    frozen(gate, APP)
    settled(gate, WEAK_FREEZE_LENGTH)
    said = gate.prove(gate.propose(list_address(MALLORYS_ADDRESS)).action_id, key)

    assert said.answer is Answer.HOLD
    assert Reason.ACCOUNT_FROZEN not in reasons(said.requirement)


def test_a_leaked_old_password_keeps_an_owners_own_freeze_for_72_hours_and_no_longer() -> None:
    """Prevents: an alarm below the floor, after which a new key cannot lift its own freeze."""
    gate, key = with_a_new_key(APP)
    frozen(gate, PASSWORD)
    frozen(gate, key)
    assert Reason.NEWCOMER in reasons(lifts(gate, key).requirement)
    gate.wait(DAY)

    assert lifts(gate, key).answer is Answer.HOLD
    assert gate.account.freeze.until is None


def test_a_lift_that_waits_is_put_off_by_a_leaked_password_and_not_ended() -> None:
    gate, key = with_a_new_key(APP)
    frozen(gate, key)
    assert gate.prove(gate.propose(LIFT).action_id, key).answer is Answer.HOLD
    frozen(gate, PASSWORD)
    settled(gate, 2 * DAY)
    assert gate.account.freeze.until is not None
    settled(gate, DAY)

    assert gate.account.freeze.until is None
