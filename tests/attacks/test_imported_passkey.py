"""The older site's domain, sold or hijacked, whose page has visitors "sign in with a passkey".

Mallory runs a page on the older RP ID. Alice, who was moved in with her old passkey, visits it, and
Mallory gets an assertion over whatever question of ours she relays. She wants a session that
spends, an address on the list, or a key of her own bound. She is stopped by laws 2 and 4: the
assertion opens a session that looks and freezes, is refused for all else, and a key waits for three
days in the open. She leaves behind notices on every channel, and a freeze that ends by itself.
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, MALLORYS_ADDRESS, MALLORYS_LAPTOP, NOON
from support.gates import Gate
from support.worlds import (
    APP,
    EMAIL,
    FREEZE,
    LIFT,
    PASSWORD,
    a_passkey,
    an_account,
    bind,
    list_address,
    repudiate,
    send,
    suspend,
)

from twinlock.domain.account import Account, Session
from twinlock.domain.actions import AnyPayload
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bounds import SUCCESSOR_WAIT
from twinlock.domain.requirements import Answer

OLD = replace(a_passkey("aut_old", bound_at=NOON), rp_id="old.example", entry=0)
THIEFS = a_passkey("aut_thief")
OWN = a_passkey("aut_own")
MOVED_IN = NOON - 2 * DAY


def moved_in(*more: Authenticator) -> Account:
    bound = (replace(one, bound_at=MOVED_IN, entry=0) for one in (OLD, *more))
    channels = (replace(EMAIL, bound_at=MOVED_IN),)
    account = an_account(*bound, channels=channels, opened_at=MOVED_IN)
    return replace(account, imported="d" * 43, devices=())


def phished(gate: Gate) -> Session:
    """Have Alice's assertion over a sign-in on Mallory's laptop, and return what it opens."""
    assert gate.sign_in(OLD, device=MALLORYS_LAPTOP).answer is Answer.READ_ONLY
    (session,) = gate.account.sessions
    return session


@pytest.mark.parametrize(
    "payload",
    [send(1), list_address(MALLORYS_ADDRESS), LIFT, suspend(OLD), repudiate(OWN), FREEZE],
    ids=lambda payload: type(payload).__name__,
)
def test_her_assertion_is_refused_for_all_but_a_look(payload: AnyPayload) -> None:
    gate = Gate.of(moved_in(PASSWORD, APP))
    action = gate.propose(payload).action_id
    if not gate.is_open(action):
        return

    assert gate.ask(action, OLD).fault is ProofFault.IMPORTED


def test_a_session_of_hers_freezes_for_three_days_once_a_month_and_no_longer() -> None:
    gate = Gate.of(moved_in(PASSWORD))
    session = phished(gate)
    frozen = gate.propose(FREEZE, session=gate.signs(session))
    until = gate.account.freeze.until

    assert frozen.answer is Answer.ALLOW
    assert until == gate.now + 72 * HOUR
    gate.wait(72 * HOUR)
    session = phished(gate)
    again = gate.propose(FREEZE, session=gate.signs(session))
    assert again.answer is not Answer.ALLOW
    assert gate.account.freeze.until == until


def test_a_session_of_hers_takes_nothing_back_from_the_owner() -> None:
    gate = Gate.of(moved_in(PASSWORD))
    own = gate.propose(*bind(OWN)).action_id
    gate.prove(own, OLD)
    session = phished(gate)
    vetoed = gate.veto(own, session=gate.signs(session))
    assert vetoed.answer is not Answer.ALLOW
    gate.wait(SUCCESSOR_WAIT)
    gate.settle()
    gate.repudiate(own, target="aut_own", session=gate.signs(session))

    assert gate.account.authenticator("aut_own") is not None


def test_a_key_of_hers_waits_in_the_open_and_dies_by_one_tap() -> None:
    gate = Gate.of(moved_in(PASSWORD))
    hers = gate.propose(*bind(THIEFS)).action_id
    held = gate.prove(hers, OLD)
    assert held.answer is Answer.HOLD
    gate.wait(SUCCESSOR_WAIT - HOUR)
    gate.settle()
    assert gate.account.authenticator("aut_thief") is None

    assert gate.veto(hers, gate.account.channels[0]).answer is Answer.ALLOW
    gate.wait(DAY)
    gate.settle()
    assert gate.account.authenticator("aut_thief") is None


def test_a_key_of_hers_that_nobody_vetoed_is_undone_for_thirty_days() -> None:
    gate = Gate.of(moved_in(PASSWORD))
    hers = gate.propose(*bind(THIEFS)).action_id
    gate.prove(hers, OLD)
    gate.wait(SUCCESSOR_WAIT)
    gate.settle()
    assert gate.account.authenticator("aut_thief") is not None
    gate.wait(20 * DAY)
    gate.repudiate(hers, target="aut_thief", channel=gate.account.channels[0])

    assert gate.account.authenticator("aut_thief") is None


def test_once_the_owner_has_a_key_of_ours_her_page_is_worth_nothing() -> None:
    gate = Gate.of(moved_in(PASSWORD))
    gate.prove(gate.propose(*bind(OWN)).action_id, OLD)
    hers = gate.propose(*bind(THIEFS)).action_id
    gate.prove(hers, OLD)
    gate.wait(SUCCESSOR_WAIT)
    gate.settle()

    assert gate.account.authenticator("aut_own") is not None
    assert gate.account.authenticator("aut_thief") is None
    action = gate.start(MALLORYS_LAPTOP)
    gate.ask(action, OWN)
    assert gate.answer(action, gate.right(action, OLD)).fault is ProofFault.IMPORTED
