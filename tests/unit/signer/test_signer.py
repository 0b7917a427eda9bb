import copy
from collections.abc import Callable
from datetime import timedelta, timezone
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import settings as rounds
from hypothesis import strategies as st
from support.bundles import a_withdrawal, phone, trust
from support.cast import DAY, HOUR, INSTANT
from support.wallets import DictState, Wallet, settings
from tidy.repository import ROOT

from twinlock.domain.actions import FreezeSet, NotBuilt, payload_bytes
from twinlock.domain.authorization import AUTHORIZATION_TYPE, SPEND_TYPE
from twinlock.domain.bounds import SPEND_LIFETIME
from twinlock.domain.errors import InvariantError, SignerRefusedError
from twinlock.domain.ids import ActionId, account_of
from twinlock.domain.log.merkle import consistency_proof
from twinlock.domain.requirements import Answer
from twinlock.proofs.bundle_faults import BundleFault
from twinlock.proofs.bundles import verify_bundle
from twinlock.signer import Cleared, FileState, SignerFault, check_spend, follow_head
from twinlock.signer.model import SENTENCES

SKEW = settings().clock_skew_most
MINUTE = timedelta(minutes=1)
# Nobody dates a head in these: only the authorization's own times count.
UNWITNESSED = {"trust": trust(quorum="none")}


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(SignerRefusedError) as caught:
        action()
    return caught.value.fault


def test_what_the_customer_consented_to_is_cleared_above_the_budget() -> None:
    wallet = Wallet()
    action = wallet.pay()

    cleared = wallet.check(wallet.bundle(action))

    assert cleared == Cleared(
        action_id=action,
        spend_id="payout-1",
        transaction=wallet.transaction(),
        replaces=False,
        consented=True,
        head=wallet.house.seen(),
    )


# --- The transaction ---


@pytest.mark.requirement("P-06")
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"account": "acc_mallory"}, SignerFault.OTHER_ACCOUNT),
        ({"asset": "USDC"}, SignerFault.OTHER_ASSET),
        ({"network": "tron"}, SignerFault.OTHER_NETWORK),
        ({"contract": ""}, SignerFault.OTHER_CONTRACT),
        ({"contract": "0x" + "6" * 40}, SignerFault.OTHER_CONTRACT),
        ({"address": "0x" + "6" * 40}, SignerFault.OTHER_ADDRESS),
        ({"address": "0x" + "A" * 40}, SignerFault.OTHER_ADDRESS),
        ({"memo": "for mallory"}, SignerFault.OTHER_MEMO),
        ({"amount_minor": 50 * 10**6 + 1}, SignerFault.OTHER_AMOUNT),
        ({"amount_minor": 50 * 10**6 - 1}, SignerFault.OTHER_AMOUNT),
        ({"amount_minor": 0}, SignerFault.OTHER_AMOUNT),
        ({"fee_minor": 1001}, SignerFault.FEE_TOO_HIGH),
    ],
)
def test_any_other_transaction_is_refused(changes: dict[str, object], fault: SignerFault) -> None:
    wallet = Wallet()
    bundle = wallet.bundle(wallet.pay())

    assert refused(lambda: wallet.check(bundle, wallet.transaction(**changes))) == fault
    assert wallet.check(bundle).consented


def test_a_fee_may_reach_what_was_consented_to() -> None:
    wallet = Wallet()
    bundle = wallet.bundle(wallet.pay())

    assert wallet.check(bundle, wallet.transaction(fee_minor=1000)).transaction.fee_minor == 1000


# --- The authorization ---


def test_nothing_is_signed_without_an_authorization() -> None:
    wallet = Wallet()
    forger = wallet.forger(wallet.pay())
    forger.doc["authorization"] = ""

    assert refused(lambda: wallet.check(forger.to_bytes())) == SignerFault.NO_AUTHORIZATION


def test_nothing_is_signed_for_a_refusal() -> None:
    wallet = Wallet()
    action = wallet.house.propose(NotBuilt(account=wallet.alice, asked="card.pay", digest=""))

    assert refused(lambda: wallet.check(wallet.bundle(action))) == SignerFault.NO_AUTHORIZATION


def a_yes(wallet: Wallet) -> ActionId:
    """Let Dora's phone and app agree to a payment, which nobody spends."""
    doras = phone("dora's phone")
    dora = wallet.house.open_account(doras, app=True)
    return wallet.house.allow(a_withdrawal(dora), doras)


def test_a_yes_that_was_not_spent_is_not_enough() -> None:
    wallet = Wallet()
    forger = wallet.forger(a_yes(wallet))
    forger.sign(typ=AUTHORIZATION_TYPE)

    assert refused(lambda: wallet.check(forger.to_bytes())) == SignerFault.NOT_A_SPEND


def test_a_stolen_key_makes_no_spend_of_a_yes_past_a_freeze() -> None:
    wallet = Wallet()
    action = a_yes(wallet)
    forger = wallet.forger(action)
    house, dora = wallet.house, account_of(action)
    house.consent(house.propose(FreezeSet(account=dora)), phone("dora's phone"))
    assert house.spend(action).answer is Answer.DENY

    spend = {"spend": "thief-spend-01", "fee_minor": "0"}
    forger.sign(forger.claims() | spend, typ=SPEND_TYPE)

    fault = refused(lambda: wallet.check(forger.to_bytes()))
    assert fault == BundleFault.AUTHORIZATION_OTHER_KIND


@pytest.mark.parametrize(
    ("signing", "fault"),
    [
        ({"kid": "mallory"}, BundleFault.AUTHORIZATION_KEY_UNKNOWN),
        ({"typ": "session+jwt"}, BundleFault.AUTHORIZATION_OTHER_KIND),
        ({"typ": AUTHORIZATION_TYPE}, BundleFault.AUTHORIZATION_OTHER_KIND),
    ],
)
def test_an_authorization_signed_otherwise_is_refused(
    signing: dict[str, str], fault: BundleFault
) -> None:
    wallet = Wallet()
    forger = wallet.forger(wallet.pay())
    forger.sign(**signing)  # type: ignore[arg-type]  # one of its keywords

    assert refused(lambda: wallet.check(forger.to_bytes())) == fault


def test_a_decision_by_a_policy_that_is_no_longer_in_force_is_refused() -> None:
    wallet = Wallet()
    bundle = wallet.bundle(wallet.pay())
    wallet.settings = settings(policies=frozenset({"the digest of another one"}))

    assert refused(lambda: wallet.check(bundle)) == SignerFault.STALE_POLICY


def test_a_spend_under_an_older_policy_is_refused_though_its_evidence_verifies() -> None:
    wallet = Wallet()
    old = wallet.pay()
    wallet.house.version = 2
    newest = wallet.house.rules().policy.name.digest
    both = trust(policies=(*wallet.settings.policies, newest))
    wallet.settings = settings(trust=both, policies=frozenset({newest}))

    assert verify_bundle(wallet.bundle(old), trust=both).spent
    assert refused(lambda: wallet.check(wallet.bundle(old))) == SignerFault.STALE_POLICY
    assert wallet.check(wallet.bundle(wallet.pay(spend_id="payout-2"))).consented


@pytest.mark.parametrize(
    ("later", "fault"),
    [
        pytest.param(-SKEW - INSTANT, SignerFault.NOT_YET_VALID, id="before its time"),
        pytest.param(-SKEW, None, id="the instant it begins"),
        pytest.param(SPEND_LIFETIME + SKEW - INSTANT, None, id="just before it ends"),
        pytest.param(SPEND_LIFETIME + SKEW, SignerFault.EXPIRED, id="the instant it ends"),
        pytest.param(400 * DAY, SignerFault.EXPIRED, id="a year later"),
    ],
)
def test_an_authorization_lives_by_the_signers_own_clock(
    later: timedelta, fault: SignerFault | None
) -> None:
    wallet = Wallet(settings=settings(**UNWITNESSED))
    bundle = wallet.bundle(wallet.pay())

    if fault is None:
        assert wallet.check(bundle, later=later).consented
    else:
        assert refused(lambda: wallet.check(bundle, later=later)) == fault


def test_an_old_authorization_signed_anew_is_refused() -> None:
    wallet = Wallet(settings=settings(**UNWITNESSED))
    forger = wallet.forger(wallet.pay())
    claims = forger.claims()
    forger.sign(claims | {"iat": claims["iat"] + 86_400, "exp": claims["exp"] + 86_400})

    fault = refused(lambda: wallet.check(forger.to_bytes(), later=DAY))
    assert fault == BundleFault.AUTHORIZATION_SIGNATURE_BAD


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        pytest.param(SPEND_LIFETIME + 2 * SKEW, SignerFault.EXPIRED, id="for too long"),
        pytest.param(SPEND_LIFETIME + 2 * SKEW - INSTANT, None, id="as long as may be"),
    ],
)
def test_a_spend_dated_ahead_is_as_old_as_the_signer_saw_it(
    seen: timedelta, fault: SignerFault | None
) -> None:
    """Who dates an entry ahead and keeps it for later is told by the signer's own clock."""
    wallet = Wallet(settings=settings(**UNWITNESSED))
    action = wallet.pay()
    forger = wallet.forger(action)
    leaf = forger.leaf(forger.decision)
    ahead = leaf["at"] + (seen - SPEND_LIFETIME // 2) // timedelta(milliseconds=1)
    forger.log_anew(forger.decision, leaf | {"at": ahead})
    forger.sign()
    follow_head(
        forger.doc["checkpoint"].encode(),
        consistency_proof(wallet.head_size, forger.log.size, forger.log.hash_at),
        settings=wallet.settings,
        state=wallet.state,
        now=wallet.now,
    )

    if fault is None:
        assert wallet.check(forger.to_bytes(), later=seen).consented
    else:
        assert refused(lambda: wallet.check(forger.to_bytes(), later=seen)) == fault


@pytest.mark.parametrize("days", [1, 7, 30])
@pytest.mark.parametrize(
    ("minutes", "fault"),
    [(5, None), *((minutes, SignerFault.EXPIRED) for minutes in (6, 7, 30, 240))],
)
def test_how_old_keys_must_be_makes_no_spend_newer_than_the_signer_saw_it(
    days: int, minutes: int, fault: SignerFault | None, tmp_path: Path
) -> None:
    """The log grows and is followed each minute; the memory of the last ones is not thinned out."""
    wallet = Wallet(settings=settings(**UNWITNESSED, key_age_least=days * DAY))
    action = wallet.pay()
    wallet.follow()
    wallet.house.wait(MINUTE)
    forger = wallet.forger(action)
    leaf = forger.leaf(forger.decision)
    forger.log_again(forger.decision)  # Behind a head that the signer saw just before.
    ahead = (minutes * MINUTE - SPEND_LIFETIME // 2) // timedelta(milliseconds=1)
    forger.log_anew(forger.decision, leaf | {"at": leaf["at"] + ahead})
    forger.sign()
    for minute in range(minutes + 1):
        forger.log.grow(minute)
        growth = consistency_proof(wallet.head_size, forger.log.size, forger.log.hash_at)
        forger.seal()
        follow_head(
            forger.doc["checkpoint"].encode(),
            growth,
            settings=wallet.settings,
            state=wallet.state,
            now=wallet.now + minute * MINUTE,
        )
    forger.doc["consistent_from"] = wallet.head_size
    forger.seal()
    with FileState(tmp_path).open() as pages:
        for name, page in wallet.state.kept.items():
            pages.put(name, page)

    def check() -> Cleared:
        return check_spend(
            forger.to_bytes(),
            wallet.transaction(),
            settings=wallet.settings,
            state=FileState(tmp_path),  # As after a restart.
            now=wallet.now + minutes * MINUTE,
        )

    if fault is None:
        assert check().consented
    else:
        assert refused(check) == fault


def test_witnesses_can_be_demanded() -> None:
    assert Wallet(settings=settings(witnessed=True)).settings.witnessed


# --- Once ---


def test_the_same_transaction_again_takes_the_place_of_the_first() -> None:
    wallet = Wallet()
    action = wallet.pay()
    bundle = wallet.bundle(action)

    assert not wallet.check(bundle).replaces
    assert wallet.check(bundle).replaces
    assert wallet.check(bundle, wallet.transaction(fee_minor=1000)).replaces
    assert refused(lambda: wallet.check(bundle)) == SignerFault.REPLAYED  # A lower fee again.


def test_a_fee_is_raised_for_as_long_as_the_settings_say() -> None:
    wallet = Wallet()
    action = wallet.pay()
    assert not wallet.check(wallet.bundle(action)).replaces

    wallet.house.wait(wallet.settings.fee_raise_for - INSTANT)
    assert wallet.check(wallet.bundle(action)).replaces
    wallet.house.wait(INSTANT)
    assert refused(lambda: wallet.check(wallet.bundle(action))) == SignerFault.EXPIRED


def test_an_action_is_not_cleared_for_a_second_spend() -> None:
    wallet = Wallet()
    action = wallet.pay()
    wallet.check(wallet.bundle(action))
    forger = wallet.forger(action)
    forger.log_again(forger.decision)
    forger.commit(forger.decision, "spend", ["payout-2", "5"])
    forger.sign()

    assert refused(lambda: wallet.check(forger.to_bytes())) == SignerFault.REPLAYED


def test_a_spend_is_not_cleared_for_a_second_action() -> None:
    wallet = Wallet()
    wallet.check(wallet.bundle(wallet.pay()))

    again = wallet.bundle(wallet.pay())
    assert refused(lambda: wallet.check(again)) == SignerFault.REPLAYED


def test_a_second_payment_with_its_own_consent_is_cleared() -> None:
    wallet = Wallet()
    wallet.check(wallet.bundle(wallet.pay()))

    assert not wallet.check(wallet.bundle(wallet.pay(spend_id="payout-2"))).replaces


def test_an_action_decided_a_second_time_with_another_payload_is_refused() -> None:
    wallet = Wallet()
    action = wallet.pay()
    wallet.check(wallet.bundle(action))
    forger = wallet.forger(action)
    forger.doc["proofs"] = []
    forger.log_again(forger.decision)
    forger.decide(payload_bytes(a_withdrawal(wallet.alice, dollars=40)))

    cheap = wallet.transaction(amount_minor=40 * 10**6, value_cents=1)
    assert refused(lambda: wallet.check(forger.to_bytes(), cheap)) == SignerFault.REPLAYED


def test_an_action_logged_a_second_time_is_the_same_action() -> None:
    wallet = Wallet()
    action = wallet.pay()
    wallet.check(wallet.bundle(action))
    forger = wallet.forger(action)
    forger.log_again(forger.decision)
    forger.sign()

    assert wallet.check(forger.to_bytes()).replaces


# --- Hostile bytes ---


def test_what_is_no_bundle_is_refused() -> None:
    wallet = Wallet()

    assert refused(lambda: wallet.check(b"{}")) == BundleFault.MALFORMED
    nothing = cast("bytes", None)
    assert refused(lambda: wallet.check(nothing)) == SignerFault.UNREADABLE


@given(st.data())
@rounds(max_examples=100, deadline=None)
def test_no_flipped_byte_raises_anything_but_a_refusal(data: st.DataObject) -> None:
    document = bytearray(HONEST_BUNDLE)
    at = data.draw(st.integers(0, len(document) - 1))
    document[at] ^= data.draw(st.integers(1, 255))
    wallet = copy.copy(HONEST)
    wallet.state = DictState(dict(HONEST.state.kept))

    try:
        cleared = wallet.check(bytes(document))
    except SignerRefusedError:
        return
    assert (cleared.action_id, cleared.spend_id) == (HONEST_ACTION, "payout-1")


HONEST = Wallet()
HONEST_ACTION = HONEST.pay()
HONEST_BUNDLE = HONEST.bundle(HONEST_ACTION)


# --- Settings ---


@pytest.mark.parametrize(
    "changes",
    [
        {"policies": frozenset()},
        {"session_budget_cents": -1},
        {"unasserted_daily_cents": -1},
        {"key_age_least": timedelta(0)},
        {"clock_skew_most": -INSTANT},
        {"checkpoint_age_most": -INSTANT},
        {"fee_raise_for": -INSTANT},
        {"witnessed": True, **UNWITNESSED},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvariantError):
        settings(**changes)


@pytest.mark.parametrize("name", ["amount_minor", "fee_minor", "value_cents"])
def test_a_transaction_has_no_negative_amounts(name: str) -> None:
    with pytest.raises(InvariantError):
        HONEST.transaction(**{name: -1})


def test_a_clock_that_is_not_utc_is_our_own_mistake() -> None:
    an_hour_east = HONEST.now.astimezone(timezone(HOUR))

    with pytest.raises(InvariantError, match="UTC"):
        check_spend(
            HONEST_BUNDLE,
            HONEST.transaction(),
            settings=HONEST.settings,
            state=HONEST.state,
            now=an_hour_east,
        )


@pytest.mark.parametrize("fault", SignerFault)
def test_every_fault_is_explained_on_the_page(fault: SignerFault) -> None:
    sentence = SENTENCES[fault]
    page = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")

    assert f"| `{fault}` | {sentence[0].upper()}{sentence[1:]}. |" in page
    assert fault.value not in [other.value for other in BundleFault]
