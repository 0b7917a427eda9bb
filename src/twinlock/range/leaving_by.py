"""What a thief has leave by each exit, and where to: payloads at the gate, and drafts over HTTP."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from twinlock.domain.actions import place_of
from twinlock.domain.catalogue import ActionType
from twinlock.domain.drafts import Where
from twinlock.domain.errors import present
from twinlock.domain.exit_drafts import exit_of
from twinlock.domain.exits import (
    BANK,
    AnyExit,
    CardPay,
    ConvertExecute,
    DerivativeOpen,
    GiftSend,
    LoanCollateral,
    MarginOpen,
    P2pRelease,
    StakingStart,
    TradeUnusual,
    TransferInternal,
    TransferSubaccount,
)
from twinlock.domain.ids import DestinationId
from twinlock.domain.listed import Destination
from twinlock.domain.policy.version import Policy
from twinlock.domain.prover.enrolment import OLD, OWNER
from twinlock.range.weather import CENTS

_DOLLAR = 100
_BOOKS = {
    str(form.__struct_config__.tag): form.books
    for form in (
        TransferInternal,
        TransferSubaccount,
        P2pRelease,
        GiftSend,
        CardPay,
        TradeUnusual,
        LoanCollateral,
        DerivativeOpen,
        MarginOpen,
        StakingStart,
        ConvertExecute,
    )
}
ADDRESS = "0x" + "6" * 40
ACCOUNT_AT_A_BANK = "DE02120300000000202051"  # An example of the European standard's.
_SOMEBODY: Mapping[str, str] = MappingProxyType({"counterparty": "mule"})
_PRODUCT: Mapping[str, str] = MappingProxyType({"product": "futures"})
_OWN_FIELDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        ActionType.TRANSFER_INTERNAL: _SOMEBODY,
        ActionType.TRANSFER_SUBACCOUNT: MappingProxyType({"subaccount": "sub"}),
        ActionType.P2P_RELEASE: MappingProxyType(
            {**_SOMEBODY, "order": "order", "received": "nothing"}
        ),
        ActionType.GIFT_SEND: _SOMEBODY,
        ActionType.CARD_PAY: MappingProxyType({"card": "card"}),
        ActionType.TRADE_UNUSUAL: MappingProxyType(
            {"pair": "QTUM/BTC", "side": "buy", "price": "1"}
        ),
        ActionType.LOAN_COLLATERAL: MappingProxyType({"loan": "loan"}),
        ActionType.DERIVATIVE_OPEN: _PRODUCT,
        ActionType.MARGIN_OPEN: _PRODUCT,
        ActionType.STAKING_START: _PRODUCT,
        ActionType.CONVERT_EXECUTE: _PRODUCT,
    }
)
PLAYED = frozenset({*_OWN_FIELDS, ActionType.WITHDRAWAL_CRYPTO, ActionType.WITHDRAWAL_FIAT})


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """One exit: what is asked for, and the place where it leads as one that was listed long ago."""

    payload: AnyExit
    listed: Destination


def draft_by(action: str, cents: int, *, policy: Policy) -> dict[str, Any]:
    """Return the draft by which ``cents`` leave, at a dollar for one of everything."""
    amount = f"{cents // 100}.{cents % 100:02}"
    if action == ActionType.WITHDRAWAL_CRYPTO:
        coin = _on(policy, "ethereum")
        return {"asset": coin, "network": "ethereum", "address": ADDRESS, "amount": amount}
    if action == ActionType.WITHDRAWAL_FIAT:
        return {"asset": _on(policy, BANK), "address": ACCOUNT_AT_A_BANK, "amount": amount}
    return {"asset": _on(policy, "ethereum"), "amount": amount, **_OWN_FIELDS[action]}


def place_by(draft: Mapping[str, Any], action: str) -> dict[str, str]:
    """Return where a draft of ``action`` leads, as it is listed."""
    if action == ActionType.WITHDRAWAL_CRYPTO:
        return {"network": draft["network"], "address": draft["address"]}
    if action == ActionType.WITHDRAWAL_FIAT:
        return {"network": BANK, "address": draft["address"]}
    books, field = _BOOKS[action]
    return {"network": books, "address": draft[field]}


def _on(policy: Policy, network: str) -> str:
    """Return what is worth a dollar on ``network``, here and at the range's venues."""
    there = (one.symbol for one in policy.assets if one.network == network)
    found = next((one for one in there if CENTS[one] == _DOLLAR), None)
    return present(found, "a policy has something on this network that is worth a dollar")


def leaving_by(action: str, cents: int, *, policy: Policy) -> Leaving:
    """Return what has ``cents`` leave by ``action``."""
    draft = draft_by(action, cents, policy=policy)
    payload = exit_of(action, draft, OWNER, policy=policy, normal=_as_it_is)
    place = present(place_of(payload), "an exit leads somewhere")
    listed = Destination(
        destination_id=DestinationId("dst_thief"),
        account_id=OWNER,
        version=1,
        network=place.network,
        address=place.address,
        memo=place.memo,
        added_at=OLD,
    )
    return Leaving(payload=payload, listed=listed)


def _as_it_is(network: str, address: str, memo: str) -> Where:
    return Where(network=network, address=address, memo=memo)
