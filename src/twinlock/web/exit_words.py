"""What leaves, in words: every field of an exit's payload, whole, and what it means."""

from typing import assert_never

from twinlock.domain.addresses import misses_memo
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
    WithdrawalCrypto,
    WithdrawalFiat,
)
from twinlock.domain.money import format_amount
from twinlock.domain.policy.version import Policy
from twinlock.web.lines import Form, Line, Told
from twinlock.web.words import visible

NO_MEMO = (
    "An exchange that you send to on this network asks for a memo or tag; without it, it does not "
    "know whose deposit this is."
)
_GONE = "What has been sent cannot be called back."
_LOST = "All of it can be lost there."


def tell_exit(payload: AnyExit, policy: Policy, *, own: bool = True) -> Told:
    """Return ``payload`` in words; ``policy`` knows in which coin a network's fee is paid.

    ``own`` says that whoever reads it is its owner, and not somebody who is asked to agree.
    """
    amount = format_amount(int(payload.amount_minor), decimals=payload.decimals)
    title, lines, effect = _parts(payload, policy, own=own)
    return Told(
        title=title.format(sum=f"{amount} {payload.asset}"),
        lines=(
            Line(label="Amount", text=amount, unit=payload.asset, form=Form.AMOUNT),
            *lines,
        ),
        effect=effect,
    )


def _parts(payload: AnyExit, policy: Policy, *, own: bool) -> tuple[str, tuple[Line, ...], str]:
    match payload:
        case WithdrawalCrypto():
            return "Send {sum}", _crypto(payload, policy), f"The platform may then send it. {_GONE}"
        case WithdrawalFiat():
            return (
                "Send {sum} to a bank",
                _fiat(payload, policy),
                f"The platform may then send it. {_GONE}",
            )
        case TransferInternal() | GiftSend() | TransferSubaccount():
            return _given(payload, own=own)
        case P2pRelease() | CardPay() | TradeUnusual():
            return _dealt(payload, own=own)
        case LoanCollateral():
            line = _name("Loan", payload.loan)
            return "Pledge {sum}", (line,), "It secures the loan, and can be taken for it."
        case DerivativeOpen() | MarginOpen() | StakingStart() | ConvertExecute():
            return _product(payload)
        case PlatformExit():
            return _registered(payload)
        case _:
            assert_never(payload)


def _dealt(
    payload: P2pRelease | CardPay | TradeUnusual, *, own: bool
) -> tuple[str, tuple[Line, ...], str]:
    match payload:
        case P2pRelease():
            effect = f"It is the buyer's then. {_GONE}"
            return "Release {sum} to its buyer", _sold(payload, own=own), effect
        case CardPay():
            return "Pay {sum} by card", _card(payload), "The card may then be charged with it."
        case TradeUnusual():
            effect = "What is given goes to whoever stands on the other side, at prices up to this."
            return "Trade {sum} out of the ordinary", _trade(payload, own=own), effect
        case _:
            assert_never(payload)


def _registered(payload: PlatformExit) -> tuple[str, tuple[Line, ...], str]:
    """Tell an exit of the platform's own: what that calls it is a text like any from outside."""
    terms = (Line(label=visible(name), text=visible(text)) for name, text in payload.terms)
    lines = (
        Line(label="What for", text=visible(payload.says)),
        _name("Way out", payload.exit),
        _name("To", payload.place),
        *terms,
    )
    return "Let {sum} leave by a way of the platform's own", lines, _GONE


def _given(
    payload: TransferInternal | GiftSend | TransferSubaccount, *, own: bool
) -> tuple[str, tuple[Line, ...], str]:
    if isinstance(payload, TransferSubaccount):
        whose = "your" if own else "their"
        source = visible(payload.source) or f"{whose.capitalize()} main account"
        lines = (
            Line(label="From", text=source, form=Form.EXACT),
            _name(f"To {whose} sub-account", payload.subaccount),
        )
        return "Move {sum} to a sub-account", lines, "It is in the sub-account then."
    to = (_name("To the account", payload.counterparty),)
    if isinstance(payload, GiftSend):
        return "Give {sum} away", to, f"It is the receiver's then. {_GONE}"
    return "Give {sum} to another account", to, f"It is the receiver's then. {_GONE}"


def _product(
    payload: DerivativeOpen | MarginOpen | StakingStart | ConvertExecute,
) -> tuple[str, tuple[Line, ...], str]:
    match payload:
        case DerivativeOpen():
            return "Put {sum} behind derivatives", (_name("Market", payload.product),), _LOST
        case MarginOpen():
            title = "Put {sum} behind borrowed trading"
            return title, (_name("Market", payload.product),), _LOST
        case StakingStart():
            effect = f"It is bound for a while. {_LOST}"
            return "Stake {sum}", (_name("With", payload.product),), effect
        case ConvertExecute():
            effect = "It is exchanged at the price that the platform names."
            return "Convert {sum}", (_name("Into", payload.product),), effect
        case _:
            assert_never(payload)


def _name(label: str, text: str) -> Line:
    return Line(label=label, text=text, form=Form.EXACT)


def _sold(payload: P2pRelease, *, own: bool) -> tuple[Line, ...]:
    who, whose = ("You", "your own") if own else ("They", "their")
    look = "Look at" if own else "Have them look at"
    return (
        _name("Buyer", payload.counterparty),
        _name("Order", payload.order),
        Line(
            label=f"{who} got",
            text=visible(payload.received),
            heed=True,
            note=f"So it is said. {look} {whose} bank account: nobody here can see it.",
        ),
    )


def _card(payload: CardPay) -> tuple[Line, ...]:
    merchant = Line(label="To", text=visible(payload.merchant) or "Not known", form=Form.EXACT)
    return (_name("Card", payload.card), merchant)


def _trade(payload: TradeUnusual, *, own: bool) -> tuple[Line, ...]:
    first, _, second = payload.pair.partition("/")
    who = "You" if own else "They"
    return (
        _name("Pair", payload.pair),
        Line(label="Side", text=payload.side, note=f"{who} {payload.side} {first}."),
        Line(label="At worst for", text=payload.price, unit=second, form=Form.AMOUNT),
        Line(label="Orders", text=str(payload.orders)),
    )


def _crypto(payload: WithdrawalCrypto, policy: Policy) -> tuple[Line, ...]:
    token = Line(
        label="Token contract",
        text=payload.contract,
        form=Form.EXACT,
        note=f"Amounts have {payload.decimals} decimals.",
    )
    coin = Line(label="Token contract", text="None: this is the network's own coin")
    return (
        Line(label="Network", text=payload.network),
        address_line("To address", payload.address),
        memo_line("Memo", payload.network, payload.memo, policy),
        token if payload.contract else coin,
        _network_fee(payload, policy),
    )


def _fiat(payload: WithdrawalFiat, policy: Policy) -> tuple[Line, ...]:
    fee = format_amount(int(payload.max_fee_minor), decimals=payload.decimals)
    return (
        Line(label="Network", text=payload.network),
        Line(label="To bank account", text=payload.address, form=Form.ADDRESS),
        memo_line("Reference", payload.network, payload.memo, policy),
        Line(label="Fee, at most", text=fee, unit=payload.asset, form=Form.AMOUNT),
    )


def address_line(label: str, address: str) -> Line:
    """Return the line of an address: of an EVM chain in lower case, as it is signed."""
    note = "Capital and small letters mean the same here." if address.startswith("0x") else ""
    return Line(label=label, text=address, form=Form.ADDRESS, note=note)


def memo_line(label: str, network: str, memo: str, policy: Policy) -> Line:
    """Return the line of a memo; one that is missing is told: many take deposits at one address."""
    if memo:
        return Line(label=label, text=memo, form=Form.EXACT)
    if misses_memo(policy.form_of(network), memo):
        return Line(label=label, text="None", note=NO_MEMO, heed=True)
    return Line(label=label, text="None")


def _network_fee(payload: WithdrawalCrypto, policy: Policy) -> Line:
    """The fee is paid in the network's own coin, of which the policy knows the decimals."""
    for asset in policy.assets:
        if asset.network == payload.network and not asset.contract:
            most = format_amount(int(payload.max_fee_minor), decimals=asset.decimals)
            return Line(
                label="Network fee, at most", text=most, unit=asset.symbol, form=Form.AMOUNT
            )
    return Line(
        label="Network fee, at most",
        text=payload.max_fee_minor,
        unit="of the coin's smallest unit",
        form=Form.AMOUNT,
    )
