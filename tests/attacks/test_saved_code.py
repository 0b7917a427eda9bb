"""A photographed recovery code, beside a thief's app of five days, or the password.

Mallory bound an app by one code that Alice was talked into, and has one of Alice's saved codes. She
wants the app to seem as old as those: to remove Alice's app, to take the place of the saved codes,
to silence Alice's newer channel. She is stopped by law 3: without the password a saved code proves
nothing, and no age either. She leaves behind a refusal and an action that was vetoed.
With the password she signs in by it, and nothing leaves on that session, then or later.
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, MALLORYS_LAPTOP, NOON, OLD_ADDRESS
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    a_destination,
    a_session,
    an_account,
    an_app,
    bind,
    entry_of,
    remove,
    reset_password,
    saved_codes,
    send,
    unlist,
)

from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Password
from twinlock.domain.commands import Right
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

THIEFS = an_app("aut_thief", bound_at=NOON - 5 * DAY)
CODES = saved_codes()
BOUND = replace(CODES, entry=entry_of(CODES.authenticator_id))
NEW_EMAIL = replace(EMAIL, bound_at=NOON - 20 * DAY)


def show_a_code(gate: Gate, action: str) -> None:
    named = CODES.authenticator_id
    right = Right(factor=Factor.RECOVERY_CODE, source=named, against=CODES.left[0])
    if gate.is_open(action):
        gate.answer(action, right)


@pytest.mark.parametrize("code_first", [True, False])
def test_the_older_app_stays(code_first: bool) -> None:
    gate = Gate.of(an_account(PASSWORD, APP, THIEFS, CODES, channels=(EMAIL, DESKTOP)))
    action = gate.propose(remove(APP)).action_id
    if code_first:
        show_a_code(gate, action)
    gate.prove(action, THIEFS)
    show_a_code(gate, action)
    gate.wait(8 * DAY)
    gate.settle()

    assert gate.account.authenticator(APP.authenticator_id) == APP


def test_the_saved_codes_stay() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, THIEFS, CODES, channels=(EMAIL, DESKTOP)))
    action = gate.propose(*bind(saved_codes("aut_new_saved"))).action_id
    show_a_code(gate, action)
    gate.prove(action, THIEFS)
    gate.wait(8 * DAY)
    gate.settle()

    assert gate.account.authenticator(CODES.authenticator_id) is not None
    assert gate.account.authenticator("aut_new_saved") is None


@pytest.mark.parametrize("by_channel", [True, False])
def test_a_newer_channel_and_device_may_object(by_channel: bool) -> None:
    gate = Gate.of(an_account(PASSWORD, APP, THIEFS, CODES, channels=(NEW_EMAIL,)))
    action = gate.propose(*bind(an_app("aut_second"))).action_id
    show_a_code(gate, action)
    gate.prove(action, THIEFS)
    session = gate.give_session(replace(a_session(), bound_at=NOON - 20 * DAY))
    by = NEW_EMAIL if by_channel else None
    said = gate.veto(action, by, session=None if by_channel else session)

    assert said.answer is Answer.ALLOW


def test_a_password_that_was_reset_makes_no_saved_code_old() -> None:
    """She relays one code of Alice's app, and waits a day for a password of her own."""
    gate = Gate.of(an_account(PASSWORD, APP, CODES, channels=(DESKTOP,)))
    action = gate.propose(*reset_password()).action_id
    gate.prove(action, APP)
    gate.wait(2 * DAY)
    gate.settle()
    word = next(one for one in gate.account.authenticators if isinstance(one, Password))
    assert word.bound_at > NOON
    action = gate.propose(remove(APP)).action_id
    gate.prove(action, word)
    show_a_code(gate, action)
    gate.wait(8 * DAY)
    gate.settle()

    assert gate.account.authenticator(APP.authenticator_id) is not None


def test_nothing_leaves_on_the_session_that_it_began() -> None:
    """With the password, too, she signs in, has a budget's exit wait, and comes back after it."""
    listed = a_destination(budget_cents=500_00)
    gate = Gate.of(an_account(PASSWORD, APP, BOUND, channels=(EMAIL, DESKTOP)), listed)
    started = gate.start(MALLORYS_LAPTOP)
    gate.prove(started, PASSWORD)
    show_a_code(gate, started)
    (session,) = gate.account.sessions
    asked = gate.propose(send(), session=gate.signs(session))
    gate.wait(DAY)

    assert Reason.PROOF_NEEDED in reasons(asked.requirement)
    assert gate.spend(asked.action_id).answer is not Answer.ALLOW


def test_it_takes_destinations_off_the_list_meanwhile() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, BOUND, channels=(EMAIL, DESKTOP)), a_destination())
    started = gate.start(MALLORYS_LAPTOP)
    gate.prove(started, PASSWORD)
    show_a_code(gate, started)
    (session,) = gate.account.sessions

    said = gate.propose(unlist(OLD_ADDRESS), session=gate.signs(session))
    assert said.answer is Answer.ALLOW
