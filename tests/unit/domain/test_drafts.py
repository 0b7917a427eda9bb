"""Drafts become payloads: one form for what is the same, and each field where it belongs."""

from typing import Any

import msgspec
import pytest
from support.cast import ALICE
from support.policies import DEFAULT

from twinlock.domain.actions import ApiKeyCreate, DestinationAdd, DestinationRemove
from twinlock.domain.catalogue import ActionType
from twinlock.domain.drafts import (
    ApiKeyCreateDraft,
    DestinationAddDraft,
    ScopeUnknownError,
    Where,
    api_key_create,
    destination_add,
    destination_remove,
    normal_network,
    parse,
)
from twinlock.domain.errors import MalformedError
from twinlock.domain.exit_drafts import WithdrawalCryptoDraft, exit_of
from twinlock.domain.exits import WithdrawalCrypto

ADDRESS = "0x" + "ab" * 20
USDT = {"asset": "USDT", "network": "ethereum", "address": ADDRESS, "amount": "1.5"}
THERE = Where(network="ethereum", address=ADDRESS, memo="4711")
LISTED = {"network": "xrpl", "address": "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe", "memo": "17 4"}


def test_a_withdrawal_is_written_in_minor_units_of_the_asset_and_of_the_networks_coin() -> None:
    payload = exit_of(
        ActionType.WITHDRAWAL_CRYPTO,
        {**USDT, "max_fee": "0.25"},
        ALICE,
        policy=DEFAULT,
        normal=lambda *_: THERE,
    )

    assert payload == WithdrawalCrypto(
        account=ALICE,
        asset="USDT",
        network="ethereum",
        contract="0xdac17f958d2ee523a2206206994597c13d831ec7",
        decimals=6,
        address=ADDRESS,
        memo="4711",
        amount_minor="1500000",
        max_fee_minor=str(10**18 // 4),
    )


def test_a_withdrawal_pays_no_fee_unless_it_says_so() -> None:
    payload = exit_of(
        ActionType.WITHDRAWAL_CRYPTO, USDT, ALICE, policy=DEFAULT, normal=lambda *_: THERE
    )

    assert isinstance(payload, WithdrawalCrypto)
    assert payload.max_fee_minor == "0"


def test_a_destination_keeps_its_memo_its_label_and_its_budget() -> None:
    draft = parse({**LISTED, "label": "Mine", "budget_cents": 700}, DestinationAddDraft)

    where = Where(**LISTED)
    assert destination_add(draft, where, ALICE) == DestinationAdd(
        account=ALICE, **LISTED, label="Mine", budget_cents=700
    )
    assert destination_remove(where, ALICE) == DestinationRemove(account=ALICE, **LISTED)


def test_a_key_has_the_powers_that_were_asked_for_each_once() -> None:
    asked = {"public_key": "K" * 43, "scopes": ["withdraw", "read", "read"], "daily_cents": 900}
    draft = parse(asked, ApiKeyCreateDraft)
    made = api_key_create(draft, ALICE, networks=("192.0.2.7/32",), destinations=("dst_one",))

    assert made == ApiKeyCreate(
        account=ALICE,
        public_key="K" * 43,
        scopes=("read", "withdraw"),
        ip_list=("192.0.2.7/32",),
        destinations=("dst_one",),
        daily_cents=900,
    )


def test_a_power_that_nobody_knows_is_refused() -> None:
    draft = parse({"public_key": "K" * 43, "scopes": ["read", "everything"]}, ApiKeyCreateDraft)

    with pytest.raises(ScopeUnknownError):
        api_key_create(draft, ALICE, networks=(), destinations=())


@pytest.mark.parametrize(
    "powers",
    [{"pairs": ["BTC/USDT"]}, {"price_band_bp": 1}, {"notional_daily_cents": 1}],
)
def test_a_key_that_may_not_trade_has_no_powers_to_trade(powers: dict[str, Any]) -> None:
    asked = {"public_key": "K" * 43, "scopes": ["read"], **powers}
    draft = parse(asked, ApiKeyCreateDraft)

    with pytest.raises(ScopeUnknownError, match="of a key that may trade"):
        api_key_create(draft, ALICE, networks=(), destinations=())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("here", "an IP list holds addresses or networks"),
        (
            "203.0.113.7/24",
            "a network of an IP list is written by its first address, such as 203.0.113.0/24",
        ),
    ],
)
def test_a_list_that_is_refused_says_how_it_is_written(text: str, says: str) -> None:
    with pytest.raises(ScopeUnknownError) as refused:
        normal_network(text)

    assert str(refused.value) == says


@pytest.mark.parametrize("data", [{}, {**USDT, "more": 1}, {**USDT, "amount": 1.5}])
def test_what_is_of_another_form_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="the payload does not have its form: ") as refused:
        parse(data, WithdrawalCryptoDraft)

    assert isinstance(refused.value.__cause__, msgspec.ValidationError)
