"""Drafts of exits: what somebody wants to leave, before the gate gives it the form that is signed.

Amounts come in whole units, such as ``"0.25"``; a payload has them in minor units, with the
decimals of the policy version. Where an exit leads has one form, as a destination has.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from twinlock.domain.catalogue import ActionType
from twinlock.domain.drafts import (
    Address,
    Amount,
    DraftForm,
    Memo,
    Short,
    Text,
    Where,
    parse,
)
from twinlock.domain.exits import (
    BANK,
    PLACE,
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
    WithdrawalCrypto,
    WithdrawalFiat,
)
from twinlock.domain.ids import AccountId
from twinlock.domain.money import Asset, parse_amount, parse_amount_or_zero
from twinlock.domain.policy.version import Policy

Named = Annotated[str, Meta(pattern=PLACE, min_length=1, max_length=64)]
Price = Annotated[
    str, Meta(pattern=r"\A(0|[1-9][0-9]{0,29})(\.[0-9]{1,30})?\Z", min_length=1, max_length=61)
]


Normal: TypeAlias = Callable[[str, str, str], Where]


class WithdrawalCryptoDraft(DraftForm, frozen=True, kw_only=True):
    """Amounts are decimal strings of whole units, such as ``"0.25"``."""

    asset: Short
    """The symbol of an asset of the policy."""
    network: Short
    """Its network, as the policy names it."""
    address: Address
    """Where it goes, in any of its network's spellings."""
    amount: Amount
    """How much leaves, in the asset's own units."""
    max_fee: Amount = "0"
    """The most that the signer may pay on top, in the network's own coin."""
    memo: Memo = ""
    """The memo or tag, where the receiver asks for one."""


class WithdrawalFiatDraft(DraftForm, frozen=True, kw_only=True):
    """Money of banks."""

    asset: Short
    """The currency, as the policy names it on the network ``bank``."""
    address: Address
    """The account that gets it; spaces and small letters mean nothing."""
    amount: Amount
    """How much leaves, such as ``"12.50"``."""
    max_fee: Amount = "0"
    """The most that may be paid on top, in the same currency."""
    memo: Memo = ""
    """The reference that the receiver sees."""


class ExitDraft(DraftForm, frozen=True, kw_only=True):
    """What leaves by the platform's own books."""

    asset: Short
    """The symbol of an asset of the policy."""
    amount: Amount
    """How much leaves, in the asset's own units."""


class TransferInternalDraft(ExitDraft, frozen=True, kw_only=True):
    """To somebody else's account with you."""

    counterparty: Named
    """Whose account, by the name that you know it by; each account has one name only."""


class TransferSubaccountDraft(ExitDraft, frozen=True, kw_only=True):
    """To another account of the same customer."""

    subaccount: Named
    """Which one, by the name that you know it by."""
    source: Text = ""
    """From which one, where it is not the main account."""


class P2pReleaseDraft(ExitDraft, frozen=True, kw_only=True):
    """To whoever bought it from the customer."""

    counterparty: Named
    """Who bought it, by the name that you know the account by."""
    order: Named
    """The order, by the name that you know it by."""
    received: Short
    """What the customer got for it, in words that he is shown, such as ``1200.00 EUR by bank``."""


class GiftSendDraft(ExitDraft, frozen=True, kw_only=True):
    """To somebody who gets it for nothing."""

    counterparty: Named
    """Who gets it; of a gift that anybody can take, a name that no other gift had."""


class CardPayDraft(ExitDraft, frozen=True, kw_only=True):
    """By a card, or onto it."""

    card: Named
    """Which card, by a name that you gave it; never its number."""
    merchant: Text = ""
    """Who is paid, where that is known."""


class TradeUnusualDraft(ExitDraft, frozen=True, kw_only=True):
    """Orders that were found to be out of the ordinary; the asset is the one that is given."""

    pair: Named
    """The pair, such as ``QTUM/BTC``."""
    side: Literal["buy", "sell"]
    """Of the pair's first asset."""
    price: Price
    """The worst price that is agreed to, in the pair's second asset for one of its first."""
    orders: Annotated[int, Meta(ge=1, le=10_000)] = 1
    """How many orders it is about."""


class LoanCollateralDraft(ExitDraft, frozen=True, kw_only=True):
    """As the pledge for a loan."""

    loan: Named
    """Which loan, by the name that you know it by."""


class ProductDraft(ExitDraft, frozen=True, kw_only=True):
    """Into a product, where it can be lost."""

    product: Named
    """Which product or market, by the name that you know it by."""


def _crypto(
    draft: WithdrawalCryptoDraft, named: AccountId, policy: Policy, normal: Normal
) -> WithdrawalCrypto:
    asset = policy.asset(draft.asset, draft.network)
    where = normal(asset.network, draft.address, draft.memo)
    return WithdrawalCrypto(
        account=named,
        asset=asset.symbol,
        network=asset.network,
        contract=asset.contract,
        decimals=asset.decimals,
        address=where.address,
        memo=where.memo,
        amount_minor=str(parse_amount(draft.amount, decimals=asset.decimals)),
        max_fee_minor=_fee(draft.max_fee, policy.coin(draft.network)),
    )


def _fiat(
    draft: WithdrawalFiatDraft, named: AccountId, policy: Policy, normal: Normal
) -> WithdrawalFiat:
    asset = policy.asset(draft.asset, BANK)
    where = normal(BANK, draft.address, draft.memo)
    return WithdrawalFiat(
        account=named,
        asset=asset.symbol,
        network=where.network,
        decimals=asset.decimals,
        address=where.address,
        memo=where.memo,
        amount_minor=str(parse_amount(draft.amount, decimals=asset.decimals)),
        max_fee_minor=_fee(draft.max_fee, asset),
    )


def _fee(text: str, paid_in: Asset) -> str:
    return str(parse_amount_or_zero(text, decimals=paid_in.decimals))


def _in_books(draft: ExitDraft, form: type[Any], named: AccountId, policy: Policy) -> AnyExit:
    """Return an exit by the platform's own books: its own fields are the draft's."""
    asset = policy.in_books(draft.asset)
    own = {
        field: getattr(draft, field)
        for field in draft.__struct_fields__
        if field not in ("asset", "amount")
    }
    payload: AnyExit = form(
        account=named,
        asset=asset.symbol,
        decimals=asset.decimals,
        amount_minor=str(parse_amount(draft.amount, decimals=asset.decimals)),
        **own,
    )
    return payload


_BOOKS: Mapping[str, tuple[type[ExitDraft], type[Any]]] = MappingProxyType(
    {
        ActionType.TRANSFER_INTERNAL: (TransferInternalDraft, TransferInternal),
        ActionType.TRANSFER_SUBACCOUNT: (TransferSubaccountDraft, TransferSubaccount),
        ActionType.P2P_RELEASE: (P2pReleaseDraft, P2pRelease),
        ActionType.GIFT_SEND: (GiftSendDraft, GiftSend),
        ActionType.CARD_PAY: (CardPayDraft, CardPay),
        ActionType.TRADE_UNUSUAL: (TradeUnusualDraft, TradeUnusual),
        ActionType.LOAN_COLLATERAL: (LoanCollateralDraft, LoanCollateral),
        ActionType.DERIVATIVE_OPEN: (ProductDraft, DerivativeOpen),
        ActionType.MARGIN_OPEN: (ProductDraft, MarginOpen),
        ActionType.STAKING_START: (ProductDraft, StakingStart),
        ActionType.CONVERT_EXECUTE: (ProductDraft, ConvertExecute),
    }
)
EXIT_DRAFTS: Mapping[str, type[DraftForm]] = MappingProxyType(
    {
        ActionType.WITHDRAWAL_CRYPTO: WithdrawalCryptoDraft,
        ActionType.WITHDRAWAL_FIAT: WithdrawalFiatDraft,
        **{kind: draft for kind, (draft, _) in _BOOKS.items()},
    }
)


def exit_of(
    kind: str, data: dict[str, Any], named: AccountId, *, policy: Policy, normal: Normal
) -> AnyExit:
    """Return the payload that a draft of an exit of ``kind`` stands for.

    ``normal`` gives network, address and memo their one form.

    Raises:
        MalformedError, UnknownAssetError, NetworkUnknownError, AmountError, AddressError: as they
            say.
    """
    match kind:
        case ActionType.WITHDRAWAL_CRYPTO:
            return _crypto(parse(data, WithdrawalCryptoDraft), named, policy, normal)
        case ActionType.WITHDRAWAL_FIAT:
            return _fiat(parse(data, WithdrawalFiatDraft), named, policy, normal)
        case _:
            form, made = _BOOKS[kind]
            return _in_books(parse(data, form), made, named, policy)
