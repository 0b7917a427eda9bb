"""The forgotten password: what stands in for it, how long that waits, and what it never opens."""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, NOON
from support.gates import Gate, Source
from support.policies import DEFAULT, changed
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_passkey,
    a_password,
    a_session,
    an_account,
    bind,
    reset_password,
)

from twinlock.domain.account import Account
from twinlock.domain.assurance import Level
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator, Password
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.channels import Channel
from twinlock.domain.commands import ReportSimChange
from twinlock.domain.policy.targets import password
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

WITHOUT_SMS = changed(
    DEFAULT,
    lambda text: text.replace(
        '@id("password.reset.permit")',
        '@id("password.reset.permit") @offers("passkey,totp,password,email_code")',
    ),
    name="without_sms",
)
ANOTHER_HASH = "another hash"


def start(gate: Gate) -> str:
    return gate.propose(*reset_password(ANOTHER_HASH, password(gate.account))).action_id


def verifier(gate: Gate) -> str:
    bound = password(gate.account)
    assert bound is not None
    return bound.verifier


@pytest.mark.requirement("O-08", "N-B18")
@pytest.mark.parametrize(
    ("account", "shown", "held"),
    [
        pytest.param(an_account(PASSWORD, APP), (APP,), True, id="app"),
        pytest.param(an_account(PASSWORD, APP), (), False, id="app: nothing"),
        pytest.param(an_account(PASSWORD, SYNCED), (SYNCED,), True, id="passkey"),
        pytest.param(an_account(PASSWORD, APP, SYNCED), (APP,), False, id="passkey: app"),
        pytest.param(an_account(PASSWORD, channels=(EMAIL,)), (EMAIL,), True, id="mail only"),
        pytest.param(an_account(PASSWORD, channels=(SMS, DESKTOP)), (SMS,), True, id="SMS only"),
        pytest.param(
            an_account(PASSWORD, channels=(EMAIL, SMS)), (EMAIL, SMS), True, id="both codes"
        ),
        pytest.param(an_account(PASSWORD, channels=(EMAIL, SMS)), (EMAIL,), False, id="one of two"),
        pytest.param(an_account(PASSWORD, channels=(EMAIL, SMS)), (SMS,), False, id="other of two"),
        pytest.param(
            an_account(PASSWORD, channels=(EMAIL, SMS)), (PASSWORD, EMAIL), False, id="known"
        ),
        pytest.param(an_account(PASSWORD, channels=(DESKTOP,)), (PASSWORD,), True, id="no code"),
    ],
)
def test_what_stands_in_for_a_forgotten_password(
    account: Account, shown: tuple[Source, ...], held: bool
) -> None:
    gate = Gate.of(account)
    action = start(gate)
    for source in shown:
        gate.prove(action, source)

    assert (gate.action(action).until == gate.now + DAY) is held


@pytest.mark.requirement("O-08", "N-B05")
@pytest.mark.parametrize("bound", [APP, SYNCED], ids=["app", "passkey"])
def test_a_mailbox_resets_nothing_where_anything_stronger_is_bound(bound: Authenticator) -> None:
    """S03, step 1, and whatever page asks."""
    gate = Gate.of(an_account(PASSWORD, bound, channels=(EMAIL, SMS)))
    action = start(gate)

    assert gate.ask(action, EMAIL).fault is ProofFault.BELOW_FLOOR
    assert gate.ask(action, SMS).fault is ProofFault.BELOW_FLOOR
    gate.wait(HOUR - INSTANT)
    gate.settle()
    assert gate.is_open(action)
    gate.wait(INSTANT)
    gate.settle()
    assert not gate.is_open(action)
    assert verifier(gate) == PASSWORD.verifier


@pytest.mark.requirement("O-17")
def test_a_reset_waits_takes_effect_and_ends_every_session() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    action = start(gate)
    gate.prove(action, APP)
    gate.give_session(a_session(started_at=gate.now))
    until = gate.action(action).until
    assert until is not None
    gate.wait_until(until - INSTANT)
    gate.settle()
    assert verifier(gate) == PASSWORD.verifier
    gate.wait(INSTANT)
    gate.settle()

    assert verifier(gate) == ANOTHER_HASH
    assert gate.account.sessions == ()
    assert [hold.ends_at for hold in gate.account.holds] == [gate.now + DAY]
    assert gate.account.floor is Level.POSSESSION


@pytest.mark.parametrize("by", [EMAIL, DESKTOP])
def test_every_channel_can_stop_a_reset(by: Channel) -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    action = start(gate)
    gate.prove(action, APP)
    gate.veto(action, by)
    gate.wait(DAY)
    gate.settle()

    assert verifier(gate) == PASSWORD.verifier


def test_a_freeze_stops_a_reset() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    gate.prove(start(gate), APP)
    gate.prove(gate.propose(FREEZE).action_id, APP)
    gate.wait(2 * DAY)
    gate.settle()

    assert verifier(gate) == PASSWORD.verifier


@pytest.mark.requirement("O-06")
@pytest.mark.parametrize("proof", [SYNCED, APP])
def test_who_starts_a_reset_does_not_learn_whether_there_is_a_password(proof: Source) -> None:
    """An account without one is asked for the same, and gets one after the same wait."""
    fresh = a_password("aut_fresh")
    with_one = Gate.of(an_account(PASSWORD, SYNCED, APP))
    without = Gate.of(an_account(SYNCED, APP))
    said = with_one.propose(*reset_password(ANOTHER_HASH))
    same = without.propose(*reset_password(ANOTHER_HASH, fresh))

    assert (said.answer, said.requirement) == (same.answer, same.requirement)
    without.prove(same.action_id, SYNCED)
    without.wait(DAY)
    without.settle()
    bound = without.account.authenticator(fresh.authenticator_id)
    assert isinstance(bound, Password)
    assert bound.bound_at == without.now


def test_a_password_that_was_bound_meanwhile_is_not_set_beside_another() -> None:
    gate = Gate.of(an_account(SYNCED))
    reset = gate.propose(*reset_password(ANOTHER_HASH, a_password("aut_fresh"))).action_id
    gate.prove(reset, SYNCED)
    gate.account = replace(gate.account, authenticators=(*gate.account.authenticators, PASSWORD))
    gate.wait(DAY)
    gate.settle()

    assert not gate.is_open(reset)
    assert verifier(gate) == PASSWORD.verifier


def test_an_account_that_is_full_gets_no_password() -> None:
    keys = [a_passkey(f"aut_{n}") for n in range(8)]
    full = Gate.of(an_account(*keys))
    one = Gate.of(an_account(PASSWORD, *keys[1:]))
    asked = full.propose(*reset_password(ANOTHER_HASH, a_password("aut_fresh")))

    assert Reason.TOO_MANY in reasons(asked.requirement)
    assert Reason.TOO_MANY not in reasons(one.propose(*reset_password()).requirement)


def test_without_sms_the_mailbox_alone_is_enough_only_where_there_is_no_number() -> None:
    """Prevents: a policy that offers less, and so asks for less."""
    for channels, until in (((EMAIL,), NOON + DAY), ((EMAIL, SMS), None)):
        gate = Gate.of(an_account(PASSWORD, channels=channels), policy=WITHOUT_SMS)
        action = start(gate)
        gate.prove(action, EMAIL)

        assert gate.action(action).until == until


def test_after_a_change_of_the_sim_the_mailbox_does_not_stand_in_alone() -> None:
    """Prevents: a thief who reads the mail and waits for the number to count nothing."""
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, SMS)))
    gate.run(ReportSimChange(changed_at=gate.now))
    action = start(gate)
    gate.prove(action, EMAIL)

    assert gate.ask(action, SMS).fault is ProofFault.SIM_CHANGED
    assert gate.action(action).until is None


def test_a_newcomer_does_not_reset_an_older_password_for_thirty_days() -> None:
    """Law 3. Prevents: a thief's key, bound over a silent day, that takes the password too."""
    key = a_passkey("aut_thief")
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    gate.prove(gate.propose(*bind(key)).action_id, SYNCED)
    gate.wait(DAY)
    gate.settle()
    made = gate.account.authenticator("aut_thief")
    assert made is not None
    for wait, said in ((NEWCOMER_PERIOD - INSTANT, Answer.DENY), (INSTANT, Answer.HOLD)):
        gate.wait(wait)
        assert gate.prove(start(gate), made).answer is said


def test_a_right_password_is_never_asked_for_by_a_reset_and_a_change_still_is() -> None:
    gate = Gate.of(an_account(PASSWORD, ROAMING))
    action = start(gate)

    assert gate.prove(action, PASSWORD).answer is Answer.HOLD
    assert gate.action(action).proved_at is None
    assert gate.now == NOON
