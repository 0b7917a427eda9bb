"""Exits: every way in which value leaves, and what a customer signs for each.

The list is closed (law 6). A payload says how much of which asset leaves, where it leads, and what
may leave beside it as a fee. *Where* has one form for all of them, network, address and memo, so
that one list of destinations, one wait, one budget and one sum a day speak of every exit: a chain
and an address on it, a bank account, or a place in the platform's own books.

Always true (tests/unit/domain/test_exits.py): every exit that is built leads somewhere.
"""

from collections.abc import Iterable
from typing import ClassVar, TypeAlias

from twinlock.domain.catalogue import ActionType, Payload
from twinlock.domain.money import AmountError, Asset, UnknownAssetError, minor_units

# Networks that are no chain; but for ``BANK`` the books of the platform, which no asset names.
BANK = "bank"  # whatever carries money between banks
VENUE = "venue"  # somebody else's account with the platform
SUBACCOUNT = "subaccount"  # another account of the same customer
CARD = "card"
LOAN = "loan"
MARKET = "market"  # a pair: whoever stands on the other side of it
PRODUCT = "product"  # staking, margin, derivatives, conversion
PLATFORM = "platform"  # where an exit leads that a platform registered
# What platforms call exits of their own: in a namespace in which nothing here is called anything.
REGISTERED = r"\Ax\.[a-z0-9_]{1,24}\Z"
PLACE = r"\A[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,63}\Z"  # What platforms call people, cards and pairs.
BOOKS: frozenset[str] = frozenset({VENUE, SUBACCOUNT, CARD, LOAN, MARKET, PRODUCT, PLATFORM})
# Names in the books that all customers share by nature (a pair, a product), or that each has for
# something of their own (a sub-account called "savings"): that many want one says nothing.
COMMON_NAMES: frozenset[str] = frozenset({SUBACCOUNT, CARD, LOAN, MARKET, PRODUCT})


class Exit(Payload, frozen=True, kw_only=True):
    """``amount_minor`` of an asset leaves: a decimal string of minor units, more than zero."""

    asset: str
    decimals: int
    amount_minor: str

    def __post_init__(self) -> None:
        if minor_units(self.amount_minor) == 0:
            raise AmountError("an amount is more than zero")


class _WithFee(Exit, frozen=True, kw_only=True):
    """An exit that costs something beside its amount, at most ``max_fee_minor``."""

    network: str
    address: str
    memo: str
    max_fee_minor: str

    def __post_init__(self) -> None:
        minor_units(self.max_fee_minor)
        super().__post_init__()


class WithdrawalCrypto(_WithFee, frozen=True, kw_only=True, tag=ActionType.WITHDRAWAL_CRYPTO.value):
    """Send ``amount_minor`` of an asset to an address; amounts are decimal strings of minor units.

    ``contract`` and ``decimals`` are those of the policy version. ``max_fee_minor`` bounds what
    the signer may pay on top, in minor units of the network's own coin.
    """

    contract: str


class WithdrawalFiat(_WithFee, frozen=True, kw_only=True, tag=ActionType.WITHDRAWAL_FIAT.value):
    """Send money to a bank account; ``memo`` is the reference, the fee in the same currency."""


class TransferInternal(Exit, frozen=True, kw_only=True, tag=ActionType.TRANSFER_INTERNAL.value):
    """Give value to another account of the platform."""

    books: ClassVar[tuple[str, str]] = (VENUE, "counterparty")
    counterparty: str


class TransferSubaccount(Exit, frozen=True, kw_only=True, tag=ActionType.TRANSFER_SUBACCOUNT.value):
    """Move value to a sub-account of the same customer, from the main one where none is named."""

    books: ClassVar[tuple[str, str]] = (SUBACCOUNT, "subaccount")
    subaccount: str
    source: str = ""


class P2pRelease(Exit, frozen=True, kw_only=True, tag=ActionType.P2P_RELEASE.value):
    """Release what was sold to its buyer, who is said to have paid ``received`` for it."""

    books: ClassVar[tuple[str, str]] = (VENUE, "counterparty")
    counterparty: str
    order: str
    received: str


class GiftSend(Exit, frozen=True, kw_only=True, tag=ActionType.GIFT_SEND.value):
    """Give value away, to another account of the platform."""

    books: ClassVar[tuple[str, str]] = (VENUE, "counterparty")
    counterparty: str


class CardPay(Exit, frozen=True, kw_only=True, tag=ActionType.CARD_PAY.value):
    """Pay by a card, or load it; ``merchant`` is whom, where that is known."""

    books: ClassVar[tuple[str, str]] = (CARD, "card")
    card: str
    merchant: str = ""


class TradeUnusual(Exit, frozen=True, kw_only=True, tag=ActionType.TRADE_UNUSUAL.value):
    """Trade out of the ordinary: ``orders`` orders, in which ``amount_minor`` of an asset is given.

    ``price`` is the worst that is agreed to, in units of the pair's second asset for one of its
    first. Whoever stands on the other side gets what is given: it is an exit.
    """

    books: ClassVar[tuple[str, str]] = (MARKET, "pair")
    pair: str
    side: str
    price: str
    orders: int = 1


class LoanCollateral(Exit, frozen=True, kw_only=True, tag=ActionType.LOAN_COLLATERAL.value):
    """Pledge value for a loan, whose sum can leave in its place."""

    books: ClassVar[tuple[str, str]] = (LOAN, "loan")
    loan: str


class _IntoProduct(Exit, frozen=True, kw_only=True):
    books: ClassVar[tuple[str, str]] = (PRODUCT, "product")
    product: str


class DerivativeOpen(_IntoProduct, frozen=True, kw_only=True, tag=ActionType.DERIVATIVE_OPEN.value):
    """Put value behind derivatives, where one price can take all of it."""


class MarginOpen(_IntoProduct, frozen=True, kw_only=True, tag=ActionType.MARGIN_OPEN.value):
    """Put value behind borrowed trading, where one price can take all of it."""


class StakingStart(_IntoProduct, frozen=True, kw_only=True, tag=ActionType.STAKING_START.value):
    """Bind value to somebody who validates, and can lose it."""


class ConvertExecute(_IntoProduct, frozen=True, kw_only=True, tag=ActionType.CONVERT_EXECUTE.value):
    """Exchange value at a price that the platform names; ``product`` is the pair."""


class PlatformExit(Exit, frozen=True, kw_only=True, tag=ActionType.PLATFORM_EXIT.value):
    """Let value leave by a way that the platform registered: ``exit`` is the name of it.

    ``place`` is where it leads, behind that name; ``says`` is what customers read of it, ``terms``
    all that it says beside.
    """

    books: ClassVar[tuple[str, str]] = (PLATFORM, "place")
    exit: str
    place: str
    says: str
    terms: tuple[tuple[str, str], ...] = ()


AnyExit: TypeAlias = (
    WithdrawalCrypto
    | WithdrawalFiat
    | TransferInternal
    | TransferSubaccount
    | P2pRelease
    | GiftSend
    | CardPay
    | TradeUnusual
    | LoanCollateral
    | DerivativeOpen
    | MarginOpen
    | StakingStart
    | ConvertExecute
    | PlatformExit
)
EXITS: frozenset[str] = frozenset(
    {
        ActionType.WITHDRAWAL_CRYPTO,
        ActionType.WITHDRAWAL_FIAT,
        ActionType.TRANSFER_INTERNAL,
        ActionType.TRANSFER_SUBACCOUNT,
        ActionType.P2P_RELEASE,
        ActionType.GIFT_SEND,
        ActionType.CARD_PAY,
        ActionType.TRADE_UNUSUAL,
        ActionType.LOAN_COLLATERAL,
        ActionType.DERIVATIVE_OPEN,
        ActionType.MARGIN_OPEN,
        ActionType.STAKING_START,
        ActionType.CONVERT_EXECUTE,
        ActionType.PLATFORM_EXIT,
    }
)


def leads_to(payload: AnyExit) -> tuple[str, str, str]:
    """Return where ``payload`` leads: network, address and memo, every byte of them."""
    if isinstance(payload, WithdrawalCrypto | WithdrawalFiat):
        return payload.network, payload.address, payload.memo
    network, field = payload.books
    return network, getattr(payload, field), ""


def terms_of(payload: AnyExit) -> dict[str, str]:
    """Return what ``payload`` says beyond how much of what leaves, and where to: by its fields."""
    if isinstance(payload, WithdrawalCrypto | WithdrawalFiat):
        return {}
    if isinstance(payload, PlatformExit):
        return {**dict(payload.terms), "exit": payload.exit}
    said = set(payload.__struct_fields__) - set(Exit.__struct_fields__) - {payload.books[1]}
    return {field: str(getattr(payload, field)) for field in sorted(said)}


def most_fee(payload: AnyExit) -> int:
    """Return the highest fee of ``payload``, in minor units; the books of a platform take none."""
    if isinstance(payload, WithdrawalCrypto | WithdrawalFiat):
        return minor_units(payload.max_fee_minor)
    return 0


def asset_in(payload: AnyExit, assets: Iterable[Asset]) -> Asset:
    """Return the one of a policy's ``assets`` in which ``payload`` is paid.

    Prevents: a payload that calls another token by the name of a cheap one.

    Raises:
        UnknownAssetError: there is none, or contract or decimals are not its own.
    """
    if isinstance(payload, WithdrawalCrypto | WithdrawalFiat):
        if (payload.network == BANK) is not isinstance(payload, WithdrawalFiat):
            raise UnknownAssetError("money of banks leaves to banks, and nothing else does")
        named = asset_on(payload.asset, payload.network, assets)
    else:
        named = asset_in_books(payload.asset, assets)
    contract = payload.contract if isinstance(payload, WithdrawalCrypto) else named.contract
    if (contract, payload.decimals) != (named.contract, named.decimals):
        raise UnknownAssetError("contract and decimals are not those of this policy version")
    return named


def asset_on(symbol: str, network: str, assets: Iterable[Asset]) -> Asset:
    """Return the asset ``symbol`` on ``network``. Raises UnknownAssetError: there is none."""
    for asset in assets:
        if asset.symbol == symbol and asset.network == network:
            return asset
    raise UnknownAssetError(f"{symbol[:16]} on {network[:16]} is not in this policy version")


def asset_in_books(symbol: str, assets: Iterable[Asset]) -> Asset:
    """Return ``symbol`` as the platform's own books count it: as finely as its finest network.

    Raises:
        UnknownAssetError: no network has it.
    """
    same = (one for one in assets if one.symbol == symbol)
    finest = max(same, key=lambda one: one.decimals, default=None)
    if finest is None:
        raise UnknownAssetError(f"{symbol[:16]} is not in this policy version")
    return Asset(symbol=symbol, network=VENUE, decimals=finest.decimals)
