"""One exit of each type, worth some fifty dollars, to a place that nobody has listed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from support.cast import ALICE
from support.worlds import send

from twinlock.domain.exits import (
    AnyExit,
    CardPay,
    ConvertExecute,
    DerivativeOpen,
    GiftSend,
    LoanCollateral,
    MarginOpen,
    P2pRelease,
    PlatformExit,
    StakingStart,
    TradeUnusual,
    TransferInternal,
    TransferSubaccount,
    WithdrawalFiat,
)

TETHER: dict[str, Any] = {
    "account": ALICE,
    "asset": "USDT",
    "decimals": 6,
    "amount_minor": "50000000",
}
OTHERS: tuple[AnyExit, ...] = (
    WithdrawalFiat(
        account=ALICE,
        asset="USD",
        network="bank",
        decimals=2,
        address="DE75512108001245126199",
        memo="rent",
        amount_minor="4999",
        max_fee_minor="1",
    ),
    TransferInternal(**TETHER, counterparty="bob"),
    TransferSubaccount(**TETHER, subaccount="sub_1"),
    P2pRelease(**TETHER, counterparty="bob", order="p2p-17", received="45.00 EUR by bank"),
    GiftSend(**TETHER, counterparty="bob"),
    CardPay(**TETHER, card="card_1", merchant="A bakery"),
    TradeUnusual(**TETHER, pair="QTUM/USDT", side="buy", price="31.5"),
    LoanCollateral(**TETHER, loan="loan_1"),
    DerivativeOpen(**TETHER, product="BTC-PERP"),
    MarginOpen(**TETHER, product="BTC/USDT"),
    StakingStart(**TETHER, product="validator_9"),
    ConvertExecute(**TETHER, product="USDT/BTC"),
)
# Of which no statute that we ship speaks.
REGISTERED_EXIT = PlatformExit(
    **TETHER,
    exit="x.bills",
    place="x.bills/city-power",
    says="Pay a bill",
    terms=(("invoice", "2026-17"),),
)
EVERY_EXIT: Mapping[str, AnyExit] = MappingProxyType(
    {str(one.__struct_config__.tag): one for one in (send(), *OTHERS, REGISTERED_EXIT)}
)
