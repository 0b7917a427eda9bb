"""Above the budget the customer's own key must have consented, once, and must have aged."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import PAYEE, a_withdrawal, evidence, phone
from support.cast import DAY, HOUR, INSTANT, NOON
from support.forgeries import Forger
from support.wallets import BUDGET, DAILY_SUM, KEY_AGE, DictPages, Wallet, settings
from support.worlds import destination_id

from twinlock.domain.actions import DestinationAdd, payload_bytes
from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.errors import SignerRefusedError
from twinlock.domain.ids import ActionId
from twinlock.proofs.bundles import verify_bundle
from twinlock.range.device import SoftwareDevice
from twinlock.signer import Cleared, SignerFault
from twinlock.signer.memory import Memory, first_seen

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(SignerRefusedError) as caught:
        action()
    return caught.value.fault


def without_consent(wallet: Wallet, action: ActionId) -> bytes:
    forger = wallet.forger(action)
    forger.doc["proofs"] = []
    return forger.to_bytes()


# --- The budget ---


def test_above_the_budget_a_consent_is_needed() -> None:
    wallet = Wallet()
    action = wallet.pay()
    bundle = without_consent(wallet, action)

    at_it, above = (wallet.transaction(value_cents=BUDGET + more) for more in (0, 1))
    assert refused(lambda: wallet.check(bundle, above)) == SignerFault.CONSENT_MISSING
    assert not wallet.check(bundle, at_it).consented


def test_a_value_that_nobody_knows_is_above_every_budget() -> None:
    wallet = Wallet(settings=settings(session_budget_cents=10**12))
    action = wallet.pay()
    unknown = wallet.transaction(value_cents=None)

    bundle = without_consent(wallet, action)
    assert refused(lambda: wallet.check(bundle, unknown)) == SignerFault.CONSENT_MISSING
    assert wallet.check(wallet.bundle(action), unknown).consented


def test_a_code_that_the_operator_recorded_is_no_consent() -> None:
    wallet = Wallet()
    carol = wallet.house.open_account(app=True)
    bundle = wallet.bundle(wallet.house.pay(a_withdrawal(carol)))
    carols = wallet.transaction(account=carol)

    assert refused(lambda: wallet.check(bundle, carols)) == SignerFault.CONSENT_MISSING
    assert not wallet.check(bundle, wallet.transaction(account=carol, value_cents=1)).consented


# --- The key's age ---


def young(*, age: timedelta) -> tuple[Wallet, bytes]:
    """Return a payment whose key stands in a log that the signer has known for ``age``."""
    wallet = Wallet()
    bob = wallet.house.open_account(phone("bob's phone"))
    action = wallet.house.propose(a_withdrawal(bob))
    wallet.house.consent(action, phone("bob's phone"))
    wallet.alice = bob
    wallet.house.wait(DAY)
    wallet.house.log.grow(1)  # Others' entries: a head of its own.
    wallet.follow()
    wallet.house.wait(age)
    wallet.house.spend(action)
    return wallet, wallet.bundle(action)


@pytest.mark.parametrize(
    ("age", "fault"),
    [
        pytest.param(KEY_AGE - INSTANT, SignerFault.KEY_TOO_YOUNG, id="just before"),
        pytest.param(KEY_AGE, None, id="just when"),
    ],
)
def test_a_key_counts_when_it_has_aged_by_the_signers_clock(
    age: timedelta, fault: SignerFault | None
) -> None:
    wallet, bundle = young(age=age)

    if fault is None:
        assert wallet.check(bundle).consented
    else:
        assert refused(lambda: wallet.check(bundle)) == fault


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        pytest.param(1, SignerFault.KEY_TOO_YOUNG, id="up to the entry before it"),
        pytest.param(2, None, id="up to its own entry"),
    ],
)
def test_a_key_has_aged_when_its_own_entry_stood_in_the_aged_head(
    size: int, fault: SignerFault | None
) -> None:
    wallet = Wallet()
    heads = first_seen(wallet.house.seen(size), now=wallet.now)
    Memory(wallet.state.pages()).put_heads(heads)
    bundle = wallet.bundle(wallet.pay())
    assert [one["binding"]["index"] for one in json.loads(bundle)["proofs"]] == [1]
    wallet.settings = settings(key_age_least=DAY)

    if fault is None:
        assert wallet.check(bundle).consented
    else:
        assert refused(lambda: wallet.check(bundle)) == fault


def test_a_key_too_young_serves_below_the_budget_without_counting_as_consent() -> None:
    wallet, bundle = young(age=DAY)

    assert not wallet.check(bundle, wallet.transaction(value_cents=BUDGET)).consented


def test_a_key_ages_from_the_first_look_at_a_log_that_holds_it() -> None:
    wallet = Wallet()
    bob = wallet.house.open_account(phone("bob's phone"))
    wallet.house.wait(10 * KEY_AGE)
    bundle = wallet.bundle(wallet.house.pay(a_withdrawal(bob), phone("bob's phone")))
    bobs = wallet.transaction(account=bob)

    assert refused(lambda: wallet.check(bundle, bobs)) == SignerFault.KEY_TOO_YOUNG


def test_a_binding_that_the_operator_dates_back_makes_no_key_older() -> None:
    wallet, bundle = young(age=KEY_AGE - INSTANT)
    forger = Forger(
        wallet.house,
        ActionId(json.loads(json.loads(bundle)["decision"]["openings"]["action"][1])),
        consistent_from=wallet.head_size,
    )
    leaf = forger.leaf(forger.binding)
    forger.log_again(forger.binding)
    forger.log_anew(forger.binding, leaf | {"at": 0})
    forger.log_again(forger.decision)
    forger.sign()

    assert refused(lambda: wallet.check(forger.to_bytes())) == SignerFault.KEY_TOO_YOUNG


def test_mallorys_key_bound_by_whoever_holds_every_key_of_ours_is_too_young() -> None:
    wallet = Wallet()
    mallory = phone("mallory's phone")
    forger = wallet.forger(wallet.pay())
    payload = json.loads(forger.binding["openings"]["payload"][1])
    credential = json.loads(payload["credential"]) | {
        "credential_id": b64url(mallory.credential_id),
        "public_key": b64url(mallory.public_key),
    }
    forger.log_again(forger.binding)
    forger.commit(forger.binding, "payload", payload | {"credential": encode(credential).decode()})
    forger.log_again(forger.decision)
    forger.show(evidence(mallory, payload_bytes(a_withdrawal(wallet.alice)), nonce=bytes(32)))
    forger.sign()

    assert refused(lambda: wallet.check(forger.to_bytes())) == SignerFault.KEY_TOO_YOUNG


def test_a_devices_signature_is_no_consent() -> None:
    """It says which device asked; only a passkey's assertion is the customer's own yes."""
    wallet, device = Wallet(), SoftwareDevice(bytes(32))
    house, alice = wallet.house, wallet.alice
    session = house.sign_in(alice, device, wallet.phone)
    added = DestinationAdd(account=alice, network="ethereum", address=PAYEE, memo="")
    secret = destination_id(added.network, added.address, added.memo)
    listed = house.propose(added, secret=secret, session=house.signed(added, session, device))
    house.consent(listed, wallet.phone)
    payload = a_withdrawal(alice)
    action = house.pay(payload, wallet.phone, session=house.signed(payload, session, device))
    signed = next(
        entry.kept.evidence
        for entry in house.entries.values()
        if action in entry.kept.openings["action"].value and "order-0001" in entry.kept.evidence
    )
    forger = wallet.forger(action)
    assert [proof["factor"] for proof in forger.doc["proofs"]] == ["passkey"]
    forger.doc["proofs"] = [Forger(house, listed).proof | {"evidence": signed}]
    forger.seal()
    bundle = forger.to_bytes()

    assert len(verify_bundle(bundle, trust=wallet.settings.trust).device_signatures) == 1
    assert refused(lambda: wallet.check(bundle)) == SignerFault.CONSENT_MISSING
    assert not wallet.check(bundle, wallet.transaction(value_cents=BUDGET)).consented


# --- One consent, one payment ---


def replayed(wallet: Wallet, *, turned: bool = False) -> bytes:
    """Return a second payment that rests on the consent to the first, by a stolen everything."""
    first = wallet.pay()
    wallet.check(wallet.bundle(first))
    old = wallet.forger(first).proof
    forger = wallet.forger(wallet.pay(spend_id="payout-2"))
    forger.proof["binding"] = old["binding"]
    shown = json.loads(old["evidence"])
    if turned:
        r, s = decode_dss_signature(from_b64url(shown["signature"]))
        shown["signature"] = b64url(encode_dss_signature(r, P256_ORDER - s))
    forger.show(encode(shown))
    return forger.to_bytes()


@pytest.mark.parametrize("turned", [False, True], ids=["as it was", "in its other encoding"])
def test_one_consent_pays_once(*, turned: bool) -> None:
    wallet = Wallet()
    bundle = replayed(wallet, turned=turned)

    assert refused(lambda: wallet.check(bundle)) == SignerFault.CONSENT_REPLAYED
    small = wallet.transaction(value_cents=1)
    assert refused(lambda: wallet.check(bundle, small)) == SignerFault.CONSENT_REPLAYED


def test_a_consent_by_a_key_too_young_is_used_up_all_the_same() -> None:
    wallet, bundle = young(age=DAY)
    wallet.check(bundle, wallet.transaction(value_cents=1))

    challenge = json.loads(json.loads(bundle)["proofs"][0]["evidence"])["client_data"]
    signed = json.loads(from_b64url(challenge))["challenge"]
    assert f"consent:{signed}" in wallet.state.kept


# --- The daily sum ---


class Purse:
    """Customers without a passkey, each with one payment decided and ready to be spent."""

    def __init__(self, wallet: Wallet, customers: int) -> None:
        self.wallet = wallet
        house = wallet.house
        self.accounts = [house.open_account(app=True) for _ in range(customers)]
        self.actions = [house.propose(a_withdrawal(account)) for account in self.accounts]
        for action in self.actions:
            house.type_code(action)
        house.wait(DAY)

    def pay(self, customer: int, cents: int, *, fee: int = 5) -> Cleared:
        wallet, account = self.wallet, self.accounts[customer]
        action = self.actions[customer]
        if action not in wallet.house.closed:
            wallet.house.spend(action, spend_id=f"payout-{customer}")
        transaction = wallet.transaction(account=account, value_cents=cents, fee_minor=fee)
        return wallet.check(wallet.bundle(action), transaction)


@pytest.mark.requirement("O-20")
def test_what_leaves_without_consent_stays_below_one_sum_for_all_accounts() -> None:
    purse = Purse(Wallet(), 3)
    rest = DAILY_SUM - BUDGET

    assert not purse.pay(0, BUDGET).consented
    assert refused(lambda: purse.pay(1, rest + 1)) == SignerFault.DAILY_SUM_REACHED
    assert not purse.pay(1, rest).consented
    assert refused(lambda: purse.pay(2, 1)) == SignerFault.DAILY_SUM_REACHED
    assert not purse.pay(2, 0).consented


def test_the_sum_is_that_of_any_24_hours() -> None:
    purse = Purse(Wallet(), 3)
    purse.pay(0, BUDGET)
    purse.wallet.house.wait(DAY)
    assert refused(lambda: purse.pay(1, BUDGET)) == SignerFault.DAILY_SUM_REACHED

    purse.wallet.house.wait(HOUR)
    assert not purse.pay(2, BUDGET).consented


def test_a_raised_fee_counts_for_what_it_adds() -> None:
    purse = Purse(Wallet(), 2)
    purse.pay(0, BUDGET - 1)
    assert purse.pay(0, BUDGET, fee=6).replaces
    assert purse.pay(0, BUDGET - 2, fee=7).replaces  # The price fell meanwhile.

    rest = DAILY_SUM - BUDGET
    assert refused(lambda: purse.pay(1, rest + 1)) == SignerFault.DAILY_SUM_REACHED
    assert not purse.pay(1, rest).consented


def test_what_was_consented_to_counts_for_nothing() -> None:
    wallet = Wallet()
    for number in range(3):
        action = wallet.pay(spend_id=f"payout-{number}")
        assert wallet.check(wallet.bundle(action)).consented
    memory = Memory(DictPages(wallet.state.kept))

    assert memory.sum_cents(wallet.now) == 0


@given(st.lists(st.tuples(st.integers(0, 40 * 60), st.integers(0, BUDGET)), max_size=40))
def test_no_24_hours_let_more_leave_than_the_sum(steps: list[tuple[int, int]]) -> None:
    memory = Memory(DictPages({}))
    now, left = NOON, []
    for minutes, cents in steps:
        now += timedelta(minutes=minutes)
        if memory.sum_cents(now) + cents <= DAILY_SUM:
            memory.add_cents(cents, now=now)
            left.append((now, cents))
    for end, _ in left:
        within = [cents for at, cents in left if end - DAY <= at <= end]
        assert sum(within) <= DAILY_SUM
