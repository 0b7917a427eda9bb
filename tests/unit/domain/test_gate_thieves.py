"""What thieves tried at the gate, and what stopped them; each was open once."""

from datetime import timedelta
from typing import TypeAlias

import pytest
from msgspec.structs import replace
from support.cast import (
    ALICE,
    DAY,
    HOUR,
    MALLORYS_ADDRESS,
    MALLORYS_LAPTOP,
    NEW_ADDRESS,
    NOON,
    OLD_ADDRESS,
)
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    FREEZE,
    LIFT,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    a_passkey,
    a_session,
    an_account,
    bind,
    change_password,
    list_address,
    make_key,
    remove,
    send,
    sign_in,
    unlist,
)

from twinlock.domain.account import Account, Candidate
from twinlock.domain.actions import AnyPayload, ApiKeyRevoke, NotBuilt
from twinlock.domain.assurance import Factor, Level, Placement
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bounds import FAILURES_MOST, NEWCOMER_PERIOD
from twinlock.domain.channels import Channel
from twinlock.domain.commands import Propose
from twinlock.domain.events import ActionVetoed
from twinlock.domain.ids import ApiKeyId, ChallengeId, action_id
from twinlock.domain.notices import notices
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Prove, reasons

Asked: TypeAlias = tuple[AnyPayload, str]
MINUTE = timedelta(minutes=1)
ETHER = 10**18
# Software of Mallory's, which calls itself a key of its own; nobody can tell.
THIEFS = a_passkey("aut_thief", placement=Placement.ROAMING)


def narrow() -> Gate:
    """Return an account whose every channel and authenticator is on the phone."""
    return Gate.of(an_account(PASSWORD, APP, channels=(EMAIL,)))


def bound_by(gate: Gate, made: Authenticator, *proofs: Authenticator) -> Authenticator:
    """Bind ``made`` with these proofs, and return it when its wait is over."""
    gate.prove(gate.propose(*bind(made)).action_id, *proofs)
    gate.wait(DAY)
    gate.propose(sign_in())
    bound = gate.account.authenticator(made.authenticator_id)
    assert bound is not None
    return bound


# --- One root is one root ---


def test_a_key_that_one_root_bound_does_not_widen_a_narrow_account() -> None:
    """Law 4. A relayed code bound the thief's key, which then heard the phone's own channel."""
    gate = narrow()
    thiefs = bound_by(gate, THIEFS, APP)
    refused = gate.propose(send(5_000_000, to=MALLORYS_ADDRESS))
    small = gate.propose(send(900, to=MALLORYS_ADDRESS)).action_id
    told = gate.prove(small, thiefs)

    assert refused.answer is Answer.DENY
    assert Reason.NARROW_LIMIT in reasons(refused.requirement)
    assert Reason.NARROW_DESTINATION in reasons(told.requirement)


def test_a_key_that_one_root_bound_is_no_second_root_beside_it() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, DESKTOP)))
    thiefs = bound_by(gate, THIEFS, APP)
    sent = gate.propose(send(150_000, to=MALLORYS_ADDRESS)).action_id
    gate.prove(sent, APP)

    assert gate.prove(sent, thiefs).answer is Answer.HOLD


def test_a_key_counts_for_itself_when_two_roots_bound_it_or_a_month_has_passed() -> None:
    two = Gate.of(an_account(SYNCED, ROAMING))
    bound = bound_by(two, THIEFS, SYNCED, ROAMING)
    one = narrow()
    newcomer = bound_by(one, THIEFS, APP)

    assert bound.born_of == ""
    assert newcomer.born_of == "phone"
    one.wait(NEWCOMER_PERIOD)
    sent = one.propose(send(150_000, to=MALLORYS_ADDRESS)).action_id
    one.prove(sent, APP)
    grown = one.prove(sent, newcomer).facts
    assert grown is not None
    assert grown.shown_roots == ("phone", "roaming:aut_thief")


@pytest.mark.requirement("O-03")
@pytest.mark.parametrize("channels", [(DESKTOP,), ()])
@pytest.mark.parametrize("asked", [send(900, to=MALLORYS_ADDRESS), list_address(MALLORYS_ADDRESS)])
def test_a_password_alone_moves_nothing(channels: tuple[Channel, ...], asked: AnyPayload) -> None:
    gate = Gate.of(an_account(PASSWORD, channels=channels))
    refused = gate.propose(asked)

    assert refused.answer is Answer.DENY
    assert Reason.ROOT_MISSING in reasons(refused.requirement)


def test_where_nothing_is_bound_nobody_is_sent_waiting() -> None:
    gate = Gate.of(replace(an_account(), authenticators=()))

    assert Reason.NOTHING_BOUND in reasons(gate.propose(sign_in()).requirement)


# --- Money ---


def test_the_highest_fee_counts_as_money_that_leaves() -> None:
    """A thousand dollars of fees to whoever mines the block, and a dollar to a listed address."""
    gate = Gate.of(an_account(), a_destination(budget_cents=100_00))
    greedy = replace(send(1), max_fee_minor=str(ETHER))
    asked = gate.propose(greedy, session=gate.give_session())

    assert asked.answer is Answer.CHALLENGE
    assert asked.facts is not None
    assert asked.facts.value_cents == 3_001_00 - 1


def test_a_fee_without_a_price_counts_as_the_most_there_is() -> None:
    gate = Gate.of(an_account(), a_destination(budget_cents=100_00))
    gate.prices_up = False

    assert gate.propose(send(1), session=gate.give_session()).answer is not Answer.ALLOW


def test_a_days_budget_is_one_across_midnight() -> None:
    gate = Gate.of(an_account(), a_destination(budget_cents=500_00))
    gate.wait_until(NOON.replace(hour=23, minute=55))
    signed_in = gate.give_session(a_session(started_at=gate.now))
    first = gate.propose(send(500), session=signed_in)
    gate.wait(6 * MINUTE)
    gate.spend(first.action_id)
    again = gate.propose(send(500), session=gate.signs(gate.account.sessions[-1]))

    assert first.answer is Answer.ALLOW
    assert again.answer is Answer.CHALLENGE


# --- What is stopped stays stopped ---


def test_a_freeze_set_again_stops_a_lift_that_waits() -> None:
    gate = Gate()
    gate.prove(gate.propose(FREEZE).action_id, SYNCED)
    gate.wait(HOUR)
    gate.prove(gate.propose(LIFT).action_id, SYNCED)
    gate.wait(HOUR)
    gate.prove(gate.propose(FREEZE).action_id, SYNCED)
    gate.wait(DAY)
    gate.propose(sign_in())

    assert gate.account.freeze.until is not None


def test_a_freeze_below_the_floor_does_not_stop_a_lift_that_waits() -> None:
    """Law 5: else a password would keep an account frozen for ever."""
    gate = Gate()
    gate.prove(gate.propose(FREEZE).action_id, SYNCED)
    gate.wait(HOUR)
    gate.prove(gate.propose(LIFT).action_id, SYNCED)
    gate.wait(HOUR)
    gate.prove(gate.propose(FREEZE).action_id, PASSWORD)
    gate.wait(DAY)
    gate.propose(sign_in())

    assert gate.account.freeze.until is None


@pytest.mark.parametrize("proved", [True, False])
def test_removing_a_destination_ends_its_listing_that_waits(proved: bool) -> None:
    gate = Gate()
    waiting = gate.propose(list_address(MALLORYS_ADDRESS)).action_id
    if proved:
        gate.prove(waiting, SYNCED)
    gate.wait(MINUTE)
    removed = gate.prove(gate.propose(unlist(MALLORYS_ADDRESS)).action_id, SYNCED)
    _, decided, _ = gate.book[-1]
    gate.wait(DAY)
    gate.propose(sign_in())

    assert removed.answer is Answer.ALLOW
    assert not gate.is_open(waiting)
    assert [
        event.by
        for one in decided.decisions
        for event in one.events
        if isinstance(event, ActionVetoed) and event.action_id == waiting
    ] == [removed.action_id]
    assert all(one.removed for one in gate.destinations.values())


def test_a_listing_of_another_place_goes_on() -> None:
    gate = Gate()
    waiting = gate.propose(list_address(MALLORYS_ADDRESS)).action_id
    gate.prove(waiting, SYNCED)
    gate.prove(gate.propose(unlist("0x" + "9" * 40)).action_id, SYNCED)

    assert gate.is_open(waiting)


REVOKE = ApiKeyRevoke(account=ALICE, api_key_id=ApiKeyId("key_1"))


def with_a_key() -> Gate:
    gate = Gate.of(an_account(), a_destination())
    gate.prove(gate.propose(make_key("read"), "key_1").action_id, SYNCED)
    return gate


@pytest.mark.parametrize("asked", [unlist(OLD_ADDRESS), REVOKE])
@pytest.mark.parametrize("read_only", [None, True])
def test_little_proof_takes_nothing_off_a_list(asked: AnyPayload, read_only: bool | None) -> None:
    """Prevents: a mailbox or a password that undoes what the owner set up, day after day."""
    gate = with_a_key()
    session = gate.give_session(a_session(read_only=True)) if read_only else None
    told = gate.propose(asked, session=session)

    assert gate.ask(told.action_id, EMAIL).fault is ProofFault.BELOW_FLOOR
    for decision in (told, gate.prove(told.action_id, PASSWORD)):
        assert decision.requirement == Prove(
            code=Reason.PROOF_NEEDED, level=Level.PHISHING_RESISTANT
        )
    assert len(gate.account.api_keys) == 1
    assert not any(one.removed for one in gate.destinations.values())
    assert gate.prove(told.action_id, SYNCED).answer is Answer.ALLOW


@pytest.mark.parametrize("asked", [unlist(OLD_ADDRESS), REVOKE])
def test_a_session_of_a_device_takes_things_off_a_list_at_once(asked: AnyPayload) -> None:
    gate = with_a_key()

    assert gate.propose(asked, session=gate.give_session()).answer is Answer.ALLOW


def test_a_password_does_not_strike_a_listing_that_waits() -> None:
    gate = Gate()
    listing = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(listing, SYNCED)
    gate.wait(DAY - HOUR)
    gate.prove(gate.propose(unlist(NEW_ADDRESS)).action_id, PASSWORD)
    gate.wait(HOUR)
    gate.propose(sign_in())

    assert [one.usable_at for one in gate.destinations.values()] == [gate.now]


# --- Newcomers ---


def test_a_newcomers_session_does_not_veto_what_something_older_asked_for() -> None:
    thiefs = a_passkey("aut_thief", bound_at=NOON - DAY)
    gate = Gate.of(an_account(PASSWORD, SYNCED, thiefs))
    gate.prove(gate.propose(sign_in(MALLORYS_LAPTOP)).action_id, PASSWORD, thiefs)
    session = gate.account.sessions[-1]
    removal = gate.propose(remove(thiefs)).action_id
    gate.prove(removal, SYNCED)
    denied = gate.veto(removal, session=gate.signs(session))

    assert reasons(denied.requirement) == (Reason.NOT_ENTITLED,)
    assert gate.is_open(removal)


def test_an_old_authenticators_session_vetoes_what_a_newcomer_asked_for() -> None:
    newcomer = a_passkey("aut_new", bound_at=NOON - DAY)
    gate = Gate.of(an_account(SYNCED, newcomer))
    gate.prove(gate.propose(sign_in()).action_id, SYNCED)
    session = gate.account.sessions[-1]
    listed = gate.propose(list_address(MALLORYS_ADDRESS)).action_id
    gate.prove(listed, newcomer)
    gate.veto(listed, session=gate.signs(session))

    assert not gate.is_open(listed)


# --- Nothing is bound twice ---


@pytest.mark.parametrize(
    ("account", "made"),
    [
        pytest.param(an_account(), replace(PASSWORD, authenticator_id="aut_2"), id="a password"),
        pytest.param(
            an_account(PASSWORD, APP), replace(APP, authenticator_id="aut_2"), id="an app's seed"
        ),
        pytest.param(
            an_account(), replace(SYNCED, authenticator_id="aut_2", public_key="x"), id="an id"
        ),
        pytest.param(
            an_account(), replace(SYNCED, authenticator_id="aut_2", credential_id="x"), id="a key"
        ),
    ],
)
def test_what_is_bound_is_not_bound_again(account: Account, made: Authenticator) -> None:
    """Prevents: removing a key, or changing a password, and leaving its twin behind."""
    refused = Gate.of(account).propose(*bind(made))

    assert reasons(refused.requirement)[:1] == (Reason.ALREADY_BOUND,)
    assert refused.answer is Answer.DENY


def test_of_two_bindings_that_wait_for_the_same_the_second_comes_to_nothing() -> None:
    gate = Gate.of(an_account(SYNCED, ROAMING))
    first, second = (replace(PASSWORD, authenticator_id=f"aut_{one}") for one in (1, 2))
    for made in (first, second):
        gate.prove(gate.propose(*bind(made)).action_id, SYNCED)
    gate.wait(DAY)
    gate.propose(sign_in())

    named = [one.authenticator_id for one in gate.account.authenticators]
    assert ("aut_1" in named, "aut_2" in named) == (True, False)


def test_a_candidate_is_used_up_by_its_proposal() -> None:
    offered = Candidate(
        candidate_id=ChallengeId("cnd_1"),
        factor=Factor.TOTP,
        secret="seed",  # noqa: S106 - a test's own
        expires_at=NOON + HOUR,
    )
    gate = Gate.of(replace(an_account(), candidates=(offered,)))
    payload, secret = bind(APP)

    def proposal() -> Propose:
        return Propose(
            action_id=action_id(gate.account.account_id, gate.draw()),
            payload=payload,
            veto_key="A" * 43,
            secret=secret,
            candidate_id=offered.candidate_id,
        )

    gate.run(proposal())

    assert gate.account.candidates == ()
    with pytest.raises(ProofRefusedError) as refused:
        gate.run(proposal())
    assert refused.value.fault is ProofFault.CHALLENGE_GONE


# --- A no is no weapon ---


@pytest.mark.parametrize("asked", [FREEZE, sign_in()])
def test_strangers_do_not_push_out_what_the_owner_is_being_asked(asked: AnyPayload) -> None:
    gate = Gate()
    own = gate.propose(asked).action_id
    gate.ask(own, SYNCED)
    for _ in range(20):
        gate.propose(sign_in(MALLORYS_LAPTOP))

    assert gate.is_open(own)


def test_strangers_who_ask_too_do_not_push_out_a_device_that_was_there_before() -> None:
    gate = Gate()
    gate.sign_in(SYNCED)
    own = gate.start()
    for _ in range(20):
        gate.ask(gate.propose(sign_in(MALLORYS_LAPTOP)).action_id, SYNCED)

    assert gate.is_open(own)


@pytest.mark.parametrize("how", ["junk for a passkey", "an unknown type"])
def test_strangers_ring_no_bell(how: str) -> None:
    """Prevents: a flood of notices that hides the one that counts."""
    gate = Gate()
    started = gate.propose(sign_in(MALLORYS_LAPTOP)).action_id
    strange = NotBuilt(account=gate.account.account_id, asked="moon.walk", digest="")
    told: list[object] = []
    for _ in range(100):
        before = gate.account
        if how == "an unknown type":
            said = gate.propose(strange)
        else:
            said = gate.wrong(started, Factor.PASSKEY, ProofFault.MALFORMED)
        told += notices(before, what=said.kind, action_id=said.action_id, events=said.events)

    assert told == []


@pytest.mark.requirement("P-04")
def test_wrong_passwords_by_strangers_do_not_stop_a_device_that_was_there_before() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    gate.sign_in(PASSWORD, APP)
    for _ in range(FAILURES_MOST + 10):
        guessed = gate.propose(sign_in(MALLORYS_LAPTOP)).action_id
        gate.wrong(guessed, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)
        gate.wait_until(gate.account.throttle.until or gate.now)
    strangers = gate.propose(sign_in(MALLORYS_LAPTOP)).action_id

    assert gate.prove(strangers, PASSWORD).fault is ProofFault.THROTTLED
    assert gate.sign_in(PASSWORD, APP).answer is Answer.ALLOW


def test_guesses_from_a_known_device_are_counted_as_well() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    gate.sign_in(PASSWORD, APP)
    guessed = gate.start()
    said = [gate.wrong(guessed, Factor.PASSWORD, ProofFault.PASSWORD_WRONG) for _ in range(10)]

    assert said[-1].fault is ProofFault.THROTTLED
    assert (gate.account.known_throttle.failures, gate.account.throttle.failures) == (5, 0)


@pytest.mark.requirement("O-03")
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("asked", [change_password(), (make_key("read", "trade"), "key_1")])
def test_one_relayed_code_of_the_app_gives_no_access(asked: Asked, signed: bool) -> None:
    """Prevents: a code that a page asked for, spent on a password of the thief's at once."""
    gate = Gate.of(an_account(PASSWORD, APP))
    session = gate.give_session() if signed else None
    action = gate.propose(*asked, session=session).action_id
    code = gate.prove(action, APP)

    assert reasons(code.requirement) == (Reason.PASSWORD_NEEDED,)
    assert gate.is_open(action)
    assert gate.prove(action, PASSWORD).answer is Answer.ALLOW


@pytest.mark.parametrize("asked", [change_password(), (make_key("read", "trade"), "key_1")])
def test_a_passkey_alone_gives_access(asked: Asked) -> None:
    gate = Gate.of(an_account(PASSWORD, APP, SYNCED))

    assert gate.prove(gate.propose(*asked).action_id, SYNCED).answer is Answer.ALLOW


def test_a_stranger_does_not_use_up_the_owners_codes() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, DESKTOP)))
    for _ in range(10):
        gate.ask(gate.propose(sign_in(MALLORYS_LAPTOP)).action_id, EMAIL)
    own = gate.propose(sign_in()).action_id

    assert gate.prove(own, PASSWORD, EMAIL).answer is Answer.ALLOW


def test_the_right_password_shown_twice_is_no_guess() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    action = gate.propose(sign_in()).action_id
    said = [gate.prove(action, PASSWORD) for _ in range(6)]

    assert said[-1].fault is ProofFault.ALREADY_SHOWN
    assert gate.account.throttle.failures == 0


def test_another_members_authenticator_proves_nothing() -> None:
    """Law 2: a proof counts for the member that was asked."""
    others = replace(ROAMING, member_id="mem_other")
    gate = Gate.of(an_account(SYNCED, others))
    action = gate.propose(sign_in()).action_id

    assert gate.prove(action, others).fault is ProofFault.AUTHENTICATOR_GONE
