"""An API key at the gate: what it is taken for, and everything that it is not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, INSTANT, NEW_ADDRESS, OLD_ADDRESS
from support.gates import Gate
from support.policies import DEFAULT, STRICT, policy_of
from support.worlds import (
    APP,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_contact,
    a_destination,
    a_passkey,
    an_account,
    bind,
    change_password,
    list_address,
    make_key,
    remove,
    repudiate,
    send,
    suspend,
    unlist,
)

from twinlock.adapters.policies import shipped
from twinlock.domain.actions import (
    AnyPayload,
    ApiKeyCreate,
    ApiKeyNarrow,
    ApiKeyRevoke,
    FreezeSet,
)
from twinlock.domain.api_keys import spent_on
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.commands import Right
from twinlock.domain.decisions import Decision
from twinlock.domain.events import ActionRefused, ProofAccepted
from twinlock.domain.ids import ApiKeyId
from twinlock.domain.limits import Limits
from twinlock.domain.policy.facts import Within
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

KEY, OTHER = "K" * 43, "O" * 43
HOME, AWAY = "203.0.113.7", "198.51.100.7"
KNOWN = a_destination()
ELSEWHERE = a_destination(NEW_ADDRESS)
MADE_FOR = 3 * DAY  # The wait of a new key under either profile, and the hold that it is born in.
WEEK = 7 * DAY
End: TypeAlias = Callable[[Gate], None]
ANSWERS_OF_A_THIEF = (Answer.DENY, Answer.CHALLENGE)


def bounded(public_key: str = KEY, *, daily_cents: int = 200_00) -> ApiKeyCreate:
    return make_key(
        "withdraw",
        ip_list=(f"{HOME}/32",),
        destinations=(KNOWN.destination_id,),
        daily_cents=daily_cents,
        public_key=public_key,
    )


def with_key(policy: Policy = DEFAULT, *, daily_cents: int = 200_00) -> Gate:
    """Return a gate whose account has a key that withdraws, made days ago by a passkey."""
    account = an_account(PASSWORD, SYNCED, ROAMING)
    gate = Gate.of(account, KNOWN, ELSEWHERE, policy=policy)
    made = gate.propose(bounded(daily_cents=daily_cents), "key_1")
    gate.prove(made.action_id, SYNCED)
    gate.wait(MADE_FOR)
    gate.settle()
    gate.wait(MADE_FOR)
    return gate


def signed(
    gate: Gate, action: str, *, key: str = KEY, ip: str = HOME, named: str = "key_1"
) -> Decision:
    """Show what a key signed: the cryptography is another layer's (tests/unit/proofs)."""
    right = Right(factor=Factor.API_KEY, source=named, against=key, ip=ip, evidence=b"{}")
    return gate.answer(action, right)


def by_key(gate: Gate, dollars: int = 50, *, to: str = OLD_ADDRESS, ip: str = HOME) -> Decision:
    proposed = gate.propose(send(dollars, to=to))
    open_ = gate.is_open(proposed.action_id)
    return signed(gate, proposed.action_id, ip=ip) if open_ else proposed


def codes(decision: Decision) -> set[Reason]:
    return set(reasons(decision.requirement))


# --- What it is for ---


@pytest.mark.parametrize("policy", [DEFAULT, STRICT], ids=["default", "strict"])
def test_a_key_withdraws_alone_to_what_its_owner_signed_for_it(policy: Policy) -> None:
    gate = with_key(policy)

    answer = by_key(gate)

    assert answer.answer is Answer.ALLOW
    assert gate.spend(answer.action_id).answer is Answer.ALLOW


def test_its_entry_is_evidence_of_the_signature_and_of_what_bound_the_key() -> None:
    gate = with_key()
    [key] = gate.account.api_keys

    answer = by_key(gate)
    [shown] = gate.action(answer.action_id).shown

    assert answer.evidence == b"{}"
    assert (shown.factor, shown.source, shown.root) == (Factor.API_KEY, "key_1", None)
    assert (shown.ip, shown.bound_entry) == (Within.INSIDE, key.entry)
    assert key.proved_by == (Factor.PASSKEY,)
    [accepted] = [one for one in answer.events if isinstance(one, ProofAccepted)]
    assert accepted.proved


def test_its_proof_opens_no_throttle() -> None:
    """Prevents: a stolen key that gives whoever guesses a password five more guesses."""
    gate = with_key()
    guessed = gate.propose(send(1)).action_id
    gate.wrong(guessed, Factor.PASSWORD)
    before = gate.account.throttle

    assert by_key(gate).answer is Answer.ALLOW
    assert gate.account.throttle == before
    assert before.failures == 1


# --- It stays within its powers ---


@pytest.mark.parametrize(
    ("ip", "to", "dollars", "reason"),
    [
        pytest.param(AWAY, OLD_ADDRESS, 50, Reason.API_KEY_IP, id="from elsewhere"),
        pytest.param("", OLD_ADDRESS, 50, Reason.API_KEY_IP, id="from nowhere that was told"),
        pytest.param("2001:db8::7", OLD_ADDRESS, 50, Reason.API_KEY_IP, id="by another protocol"),
        pytest.param(HOME, NEW_ADDRESS, 50, Reason.API_KEY_DESTINATION, id="another destination"),
        pytest.param(HOME, "0x" + "9" * 40, 50, Reason.API_KEY_DESTINATION, id="a new address"),
        pytest.param(HOME, OLD_ADDRESS, 201, Reason.API_KEY_SUM, id="more than its sum"),
    ],
)
def test_beyond_its_powers_a_key_opens_nothing_and_the_action_is_over(
    ip: str, to: str, dollars: int, reason: Reason
) -> None:
    gate = with_key()

    answer = by_key(gate, dollars, to=to, ip=ip)

    assert answer.answer is Answer.DENY
    assert reason in codes(answer)
    assert isinstance(answer.events[-1], ActionRefused)
    assert not gate.is_open(answer.action_id)


def test_beyond_its_powers_no_wait_runs_on_it() -> None:
    """Prevents: a day of silence that makes a stolen key's signature worth something."""
    gate = with_key()
    action = gate.propose(send(50, to=NEW_ADDRESS)).action_id
    gate.prove(action, PASSWORD)  # So that it stays open: somebody stands behind it.
    signed(gate, action)

    assert gate.account.action(action).until is None
    facts = gate.book[-1][1].answer.facts
    assert facts is not None
    assert facts.proved_at is None
    gate.wait(DAY)
    assert gate.spend(action).answer in ANSWERS_OF_A_THIEF


def test_the_owner_proves_what_the_key_may_not() -> None:
    gate = with_key()
    action = gate.propose(send(50, to=NEW_ADDRESS)).action_id
    gate.prove(action, PASSWORD)
    signed(gate, action)

    assert gate.prove(action, SYNCED).answer is Answer.ALLOW


@pytest.mark.parametrize(
    "scopes", [("read",), ("trade",), ("read", "trade")], ids=["reads", "trades", "both"]
)
def test_a_key_that_may_not_withdraw_does_not(scopes: tuple[str, ...]) -> None:
    gate = Gate.of(an_account(), KNOWN)
    made = make_key(*scopes, ip_list=(f"{HOME}/32",), public_key=KEY)
    gate.prove(gate.propose(made, "key_1").action_id, SYNCED)
    gate.wait(WEEK)

    answer = by_key(gate)

    assert answer.answer is Answer.DENY
    assert {Reason.API_KEY_SCOPE, Reason.API_KEY_DESTINATION} <= codes(answer)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(list_address(NEW_ADDRESS), id="list a destination"),
        pytest.param(unlist(OLD_ADDRESS), id="take one off"),
        pytest.param(make_key("trade", public_key=OTHER), id="make another key"),
        pytest.param(bounded(OTHER), id="make another that withdraws"),
        pytest.param(ApiKeyRevoke(account=ALICE, api_key_id=ApiKeyId("key_1")), id="revoke itself"),
        pytest.param(bind(APP), id="bind an app"),
        pytest.param(remove(ROAMING), id="remove an authenticator"),
        pytest.param(suspend(ROAMING), id="suspend an authenticator"),
        pytest.param(change_password(), id="change the password"),
        pytest.param(FreezeSet(account=ALICE), id="freeze"),
    ],
)
def test_a_key_signs_withdrawals_and_nothing_else(
    payload: AnyPayload | tuple[AnyPayload, str],
) -> None:
    gate = with_key()
    asked = payload if isinstance(payload, tuple) else (payload, "")
    action = gate.propose(*asked).action_id

    refused = signed(gate, action)

    assert refused.fault is ProofFault.WRONG_KIND
    assert gate.account.action(action).shown == ()


# --- Its daily sum ---


def test_the_sum_of_a_day_is_kept_over_many_withdrawals() -> None:
    gate = with_key()

    assert [by_key(gate, 100).answer for _ in range(3)] == [
        Answer.ALLOW,
        Answer.ALLOW,
        Answer.DENY,
    ]
    assert spent_on(gate.account.api_keys[0], gate.now) == 200_00


def test_to_the_cent() -> None:
    gate = with_key(daily_cents=50_00)

    assert by_key(gate, 50).answer is Answer.ALLOW
    assert codes(by_key(gate, 1)) >= {Reason.API_KEY_SUM}


def test_a_new_day_begins_at_midnight_utc() -> None:
    gate = with_key()
    midnight = datetime(gate.now.year, gate.now.month, gate.now.day, tzinfo=UTC) + DAY
    gate.wait_until(midnight - INSTANT)
    assert by_key(gate, 200).answer is Answer.ALLOW
    assert by_key(gate, 200).answer is Answer.DENY

    gate.wait_until(midnight)

    assert by_key(gate, 200).answer is Answer.ALLOW


def test_what_is_spent_after_midnight_counts_in_the_new_day() -> None:
    """Prevents: authorized before midnight, spent after it on top of the new day's sum."""
    gate = with_key()
    midnight = datetime(gate.now.year, gate.now.month, gate.now.day, tzinfo=UTC) + DAY
    gate.wait_until(midnight - timedelta(minutes=1))
    late = by_key(gate, 150)
    gate.wait_until(midnight)

    assert gate.spend(late.action_id).answer is Answer.ALLOW
    assert by_key(gate, 51).answer is Answer.DENY
    assert by_key(gate, 50).answer is Answer.ALLOW


def test_what_was_authorized_and_never_spent_still_counts_that_day() -> None:
    gate = with_key()
    by_key(gate, 150)
    gate.wait(timedelta(minutes=16))  # It lapses.
    gate.settle()

    assert by_key(gate, 100).answer is Answer.DENY


def test_what_the_owner_proves_beside_the_key_is_not_bounded_by_it() -> None:
    gate = with_key()
    action = gate.propose(send(300)).action_id
    gate.prove(action, SYNCED)

    assert gate.spend(action).answer is Answer.ALLOW
    assert by_key(gate, 200).answer is Answer.ALLOW


def test_a_spend_is_decided_again_and_its_own_sum_stands_not_in_its_way() -> None:
    gate = with_key()
    answer = by_key(gate, 200)

    assert gate.spend(answer.action_id).answer is Answer.ALLOW
    assert spent_on(gate.account.api_keys[0], gate.now) == 200_00


# --- Its birth ---


def test_until_its_wait_is_over_what_a_key_signs_is_held_and_then_the_exits_are() -> None:
    gate = Gate.of(an_account(), KNOWN)
    gate.prove(gate.propose(bounded(), "key_1").action_id, SYNCED)

    early = by_key(gate)
    assert (early.answer, codes(early)) == (Answer.HOLD, {Reason.API_KEY_WAITS})
    [shown] = gate.action(early.action_id).shown
    assert shown.bound_entry == 0  # Nothing has bound the key so far.

    gate.wait(DAY)
    born = gate.spend(early.action_id)
    assert (born.answer, codes(born)) == (Answer.HOLD, {Reason.EXITS_HELD})
    gate.wait(DAY - INSTANT)
    assert gate.spend(early.action_id).answer is Answer.HOLD
    gate.wait(INSTANT)
    assert gate.spend(early.action_id).answer is Answer.ALLOW


def test_what_a_key_signed_before_it_was_stopped_by_a_veto_opens_nothing() -> None:
    gate = Gate.of(an_account(), KNOWN)
    making = gate.propose(bounded(), "key_1").action_id
    gate.prove(making, SYNCED)
    early = by_key(gate)
    gate.veto(making, gate.account.channels[0])
    gate.wait(3 * DAY)

    late = gate.spend(early.action_id)

    assert late.answer in ANSWERS_OF_A_THIEF
    assert gate.account.api_keys == ()


def test_a_key_whose_making_nobody_proved_is_none() -> None:
    gate = Gate.of(an_account(), KNOWN)
    gate.propose(bounded(), "key_1")

    assert by_key(gate).fault is ProofFault.AUTHENTICATOR_GONE


def test_the_same_public_key_is_not_made_twice() -> None:
    """Prevents: two keys of one secret, of which nobody knows which powers count."""
    gate = with_key()

    again = gate.propose(make_key("read", public_key=KEY), "key_2")

    assert again.answer is Answer.DENY
    assert Reason.ALREADY_BOUND in codes(again)


def test_a_key_takes_over_the_holds_of_its_account() -> None:
    gate = with_key()
    payload, secret = change_password()
    gate.prove(gate.propose(payload, secret).action_id, SYNCED)

    held = by_key(gate)

    assert (held.answer, codes(held)) == (Answer.HOLD, {Reason.EXITS_HELD})


# --- Its end ---


def freeze(gate: Gate) -> None:
    gate.prove(gate.propose(FreezeSet(account=ALICE)).action_id, SYNCED)


def revoke(gate: Gate) -> None:
    payload = ApiKeyRevoke(account=ALICE, api_key_id="key_1")
    gate.prove(gate.propose(payload).action_id, SYNCED)


def lose_what_made_it(gate: Gate) -> None:
    gate.prove(gate.propose(suspend(SYNCED)).action_id, ROAMING)


def take_its_destination_off(gate: Gate) -> None:
    gate.prove(gate.propose(unlist(OLD_ADDRESS)).action_id, SYNCED)


def let_its_destination_lapse(gate: Gate) -> None:
    gate.wait(40 * DAY)


ENDS = [
    pytest.param(freeze, {Reason.ACCOUNT_FROZEN}, id="frozen"),
    pytest.param(lose_what_made_it, {Reason.API_KEY_STOPPED}, id="what made it is suspended"),
    pytest.param(take_its_destination_off, {Reason.API_KEY_DESTINATION}, id="no destination"),
    pytest.param(let_its_destination_lapse, {Reason.API_KEY_DESTINATION}, id="lapsed"),
]


@pytest.mark.parametrize(("end", "why"), ENDS)
def test_a_key_that_was_stopped_withdraws_nothing(end: End, why: set[Reason]) -> None:
    gate = with_key()
    end(gate)

    answer = by_key(gate)

    assert answer.answer is Answer.DENY
    assert why <= codes(answer)


@pytest.mark.parametrize(("end", "why"), ENDS[:3])
def test_nor_what_it_had_authorized_before(end: End, why: set[Reason]) -> None:
    """Prevents: a spend of what a stolen key signed a minute before it was stopped."""
    gate = with_key()
    answer = by_key(gate)
    end(gate)

    if not gate.is_open(answer.action_id):  # Ended with the key that alone stood behind it.
        assert not gate.account.actions
        return
    late = gate.spend(answer.action_id)

    assert late.answer is Answer.DENY
    assert why <= codes(late)


def test_a_revoked_key_is_gone_with_what_it_had_authorized() -> None:
    gate = with_key()
    answer = by_key(gate)
    revoke(gate)

    assert not gate.is_open(answer.action_id)
    assert by_key(gate).fault is ProofFault.AUTHENTICATOR_GONE


def test_a_key_goes_with_the_newcomer_that_made_it() -> None:
    """Prevents: a thief's passkey that is repudiated, and the thief's key that goes on."""
    thief = a_passkey("aut_thief", bound_at=a_destination().added_at)
    gate = Gate.of(an_account(PASSWORD, SYNCED), KNOWN)
    newer = replace(thief, bound_at=gate.now - DAY)
    gate.account = replace(gate.account, authenticators=(*gate.account.authenticators, newer))
    gate.prove(gate.propose(bounded(), "key_1").action_id, newer)
    gate.wait(DAY)
    gate.settle()
    assert [key.api_key_id for key in gate.account.api_keys] == ["key_1"]

    gate.prove(gate.propose(repudiate(newer)).action_id, SYNCED)

    assert gate.account.api_keys == ()


def test_a_key_is_worth_what_made_it_by_todays_floor() -> None:
    """Prevents: a key made by a code of an app, good for the money of one with a passkey."""
    gate = Gate.of(an_account(PASSWORD, APP), KNOWN)
    gate.prove(gate.propose(bounded(), "key_1").action_id, APP)
    gate.wait(DAY)
    gate.settle()
    gate.wait(DAY)
    assert by_key(gate).answer is Answer.ALLOW

    gate.account = replace(gate.account, authenticators=(*gate.account.authenticators, SYNCED))

    answer = by_key(gate)
    assert answer.answer is Answer.CHALLENGE
    assert Reason.PROOF_NEEDED in codes(answer)


# --- Answers that are none ---


@pytest.mark.parametrize(
    ("key", "named"),
    [
        pytest.param(OTHER, "key_1", id="another public key"),
        pytest.param(KEY, "key_2", id="another name"),
    ],
)
def test_what_is_not_this_accounts_key_is_none(key: str, named: str) -> None:
    gate = with_key()
    action = gate.propose(send()).action_id

    assert signed(gate, action, key=key, named=named).fault is ProofFault.AUTHENTICATOR_GONE


def test_one_key_signs_an_action_once_and_no_second_one_does() -> None:
    gate = with_key()
    gate.prove(gate.propose(bounded(OTHER), "key_2").action_id, SYNCED)
    gate.wait(DAY)
    gate.settle()
    gate.wait(DAY)
    action = by_key(gate).action_id

    assert signed(gate, action).fault is ProofFault.ALREADY_SHOWN
    assert signed(gate, action, key=OTHER, named="key_2").fault is ProofFault.ALREADY_SHOWN


def test_a_policy_that_offers_no_keys_takes_none() -> None:
    people_only = shipped("strict").replace(
        "passkey,totp,password,api_key", "passkey,totp,password"
    )
    gate = with_key(policy_of(people_only))

    assert by_key(gate).fault is ProofFault.NOT_OFFERED


@pytest.mark.parametrize(("narrower", "ended"), [(True, True), (False, False)])
def test_what_a_key_signed_ends_when_it_is_bound_to_fewer_networks(
    *, narrower: bool, ended: bool
) -> None:
    """Prevents: a thief's exit that waits for a hold, and for the owner to narrow the key."""
    gate = with_key()
    [key] = gate.account.api_keys
    gate.account = replace(gate.account, api_keys=(replace(key, ip_list=("203.0.113.0/28",)),))
    thiefs, owners = by_key(gate, 10).action_id, gate.propose(send(10)).action_id
    gate.prove(owners, SYNCED)
    lists = ("203.0.113.1/32",) if narrower else ("203.0.113.0/28",)
    payload = ApiKeyNarrow(
        account=ALICE,
        api_key_id="key_1",
        ip_list=lists,
        pairs=(),
        price_band_bp=0,
        notional_daily_cents=0 if narrower else 1,
    )
    assert gate.prove(gate.propose(payload).action_id, SYNCED).answer is Answer.ALLOW

    assert gate.is_open(thiefs) is not ended
    assert gate.spend(owners).answer is Answer.ALLOW


def test_above_the_owners_sum_a_key_has_no_contact_asked() -> None:
    """Prevents: a stolen key, by which a thief has the owner's friends sign what it wants."""
    bob, gate = a_contact(), with_key()
    limits = Limits(agreement_cents=40_00)
    gate.account = replace(gate.account, contacts=(bob,), limits=limits)
    said = by_key(gate)
    (action,) = (one.action_id for one in gate.account.actions)

    assert said.answer is Answer.CHALLENGE
    assert codes(said) == {Reason.PROOF_NEEDED, Reason.AGREEMENT_NEEDED}
    assert gate.agree(action, bob).fault is ProofFault.AGREEMENT_NOT_NEEDED
    assert codes(gate.prove(action, SYNCED)) == {Reason.AGREEMENT_NEEDED}
    assert gate.agree(action, bob).answer is Answer.ALLOW
