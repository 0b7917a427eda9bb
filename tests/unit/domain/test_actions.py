import hashlib
from typing import get_args

import msgspec
import pytest
from msgspec.structs import replace
from support.cast import ALICE, BOB, MALLORYS_ADDRESS
from support.worlds import FREEZE, list_address, make_key, send

from twinlock.domain.actions import (
    BUILT,
    AnyPayload,
    ApiKeyCreate,
    NotBuilt,
    class_of,
    payload_bytes,
    payload_digest,
    place_of,
    type_of,
)
from twinlock.domain.canonical import decode, from_b64url
from twinlock.domain.catalogue import CLASS_OF, UNKNOWN_TYPE, ActionClass, ActionType, Payload
from twinlock.domain.money import AmountError

DIGEST = payload_digest(payload_bytes(send()))


@pytest.mark.parametrize("kind", ActionType)
def test_every_type_of_action_has_one_class(kind: ActionType) -> None:
    assert isinstance(CLASS_OF[kind], ActionClass)


def test_the_exits_are_the_closed_list() -> None:
    exits = {kind for kind, cls in CLASS_OF.items() if cls is ActionClass.EXIT}

    assert exits == {
        "withdrawal.crypto",
        "withdrawal.fiat",
        "transfer.internal",
        "transfer.subaccount",
        "p2p.release",
        "gift.send",
        "card.pay",
        "platform.exit",
        "trade.unusual",
        "loan.collateral",
        "derivative.open",
        "margin.open",
        "staking.start",
        "convert.execute",
    }


def payloads() -> list[type[Payload]]:
    return [one for one in get_args(AnyPayload) if one is not NotBuilt]


def test_every_payload_is_of_a_type_that_can_be_decided() -> None:
    assert {str(one.__struct_config__.tag) for one in payloads()} == BUILT


@pytest.mark.parametrize("one", payloads())
def test_every_payload_names_its_account_and_reads_back_without_a_field_more(
    one: type[Payload],
) -> None:
    assert "account" in one.__struct_fields__
    data = b'{"type":"%s","account":"a","more":1}' % str(one.__struct_config__.tag).encode()
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(data, type=AnyPayload)


@pytest.mark.requirement("P-06")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account", BOB),
        ("asset", "USDC"),
        ("network", "tron"),
        ("contract", "0x" + "c" * 40),
        ("decimals", 18),
        ("address", MALLORYS_ADDRESS),
        ("memo", "1"),
        ("amount_minor", "50000001"),
        ("max_fee_minor", "1001"),
    ],
)
def test_one_byte_changed_in_a_withdrawal_changes_what_is_signed(field: str, value: object) -> None:
    changed = replace(send(), **{field: value})

    assert payload_digest(payload_bytes(changed)) != DIGEST


def test_what_is_signed_is_canonical() -> None:
    assert decode(payload_bytes(send()))["type"] == "withdrawal.crypto"
    assert len(from_b64url(DIGEST)) == 32


@pytest.mark.parametrize("amount", ["0", "-1", "1.5", "", "01", "1e6", str(2**256)])
def test_a_withdrawal_of_no_amount_cannot_be_made(amount: str) -> None:
    with pytest.raises(AmountError):
        replace(send(), amount_minor=amount)


@pytest.mark.parametrize("fee", ["-1", "1.5", "", "00", str(2**256)])
def test_a_withdrawal_with_no_such_fee_cannot_be_made(fee: str) -> None:
    with pytest.raises(AmountError):
        replace(send(), max_fee_minor=fee)


def test_a_withdrawal_may_cost_nothing() -> None:
    assert replace(send(), max_fee_minor="0").max_fee_minor == "0"


def test_a_budget_is_not_negative() -> None:
    with pytest.raises(AmountError, match="not negative"):
        list_address(MALLORYS_ADDRESS, budget_cents=-1)


@pytest.mark.parametrize(
    ("scopes", "cls"),
    [
        (("read",), ActionClass.ACCESS),
        (("read", "trade"), ActionClass.ACCESS),
        (("read", "trade", "withdraw"), ActionClass.LOOSENING),
        (("withdraw",), ActionClass.LOOSENING),
    ],
)
def test_a_key_that_may_withdraw_weakens_protection(
    scopes: tuple[str, ...], cls: ActionClass
) -> None:
    assert class_of(make_key(*scopes)) is cls
    assert isinstance(make_key(*scopes), ApiKeyCreate)


@pytest.mark.parametrize(
    ("asked", "kind", "cls"),
    [
        ("gift.send", "gift.send", ActionClass.EXIT),
        ("recovery.open", "recovery.open", ActionClass.LOOSENING),
        ("unknown.exit", UNKNOWN_TYPE, None),
        ("alice@example.com", UNKNOWN_TYPE, None),
    ],
)
def test_a_type_that_is_not_in_the_catalogue_is_unknown(
    asked: str, kind: str, cls: ActionClass | None
) -> None:
    payload = NotBuilt(account=ALICE, asked=asked, digest="")

    assert type_of(payload) == kind
    assert class_of(payload) is cls


@pytest.mark.parametrize("payload", [send(), list_address(MALLORYS_ADDRESS)])
def test_what_names_a_destination_says_every_byte_of_it(payload: AnyPayload) -> None:
    place = place_of(payload)

    assert place is not None
    assert (place.account, place.network, place.address, place.memo) == (
        ALICE,
        "ethereum",
        getattr(payload, "address", None),
        "",
    )


def test_what_names_no_destination_says_none() -> None:
    assert place_of(FREEZE) is None


def test_a_payload_is_of_the_type_that_its_tag_says() -> None:
    assert type_of(FREEZE) == "freeze.set"
    assert class_of(FREEZE) is ActionClass.TIGHTENING


def test_what_is_signed_is_hashed_under_its_own_tag() -> None:
    """Written out by hand, as signers and auditors elsewhere do it."""
    payload = payload_bytes(send())
    framed = b"twinlock/payload/v1\x00" + len(payload).to_bytes(8, "big") + payload

    assert from_b64url(payload_digest(payload)) == hashlib.sha256(framed).digest()
