"""Where things lead: the places behind the symbols of one replay, on a chain, at a bank, in books.

A symbol is one place on each network. Which network is meant follows from the exit that leads
there; where none does, from the symbol's own name (``old_bank``, ``sub_1``); else it is an address.

Always true (tests/unit/range/test_places.py): the same symbol is the same place, two symbols are
two, and no other replay has either; a pair is one pair of the market for everybody.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from base58_bech32.base58 import BITCOIN_ALPHABET, RIPPLE_ALPHABET, b58encode, b58encode_check

from twinlock.domain.catalogue import ActionType
from twinlock.domain.exits import (
    BANK,
    CARD,
    LOAN,
    MARKET,
    PRODUCT,
    SUBACCOUNT,
    VENUE,
    AnyExit,
    PlatformExit,
)
from twinlock.range.customer import NotPlayableError

NETWORK = "ethereum"
_HASH_BYTES = 20  # Of the public key that an address in Base58Check is of.
_ACCOUNT_OF_STELLAR = 6 << 3  # SEP-23: the version byte that is written as G.
_NOT_BOUNCEABLE = 0x51  # TEP-2
_EOS_LETTERS, _EOS_NAME = b"abcdefghijklmnopqrstuvwxyz", 12


class Chain(NamedTuple):
    """A chain: its coin, the fee in it that is signed for, and how its addresses are written.

    ``write`` takes 32 random bytes; none: an address as Ethereum has them.
    """

    coin: str
    max_fee: str
    write: Callable[[bytes], bytes] | None = None


def _checked(version: bytes, alphabet: bytes = BITCOIN_ALPHABET) -> Callable[[bytes], bytes]:
    """Return how a chain writes the hash of a key: in Base58Check, after its version."""
    return lambda drawn: b58encode_check(version + drawn[:_HASH_BYTES], alphabet=alphabet)


def _stellar(drawn: bytes) -> bytes:
    """Return an account of Stellar's with this public key (SEP-23): its checksum stands last."""
    body = bytes([_ACCOUNT_OF_STELLAR]) + drawn
    return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little"))


def _ton(drawn: bytes) -> bytes:
    """Return an address of TON's, on the basechain and not bounceable (TEP-2)."""
    body = bytes([_NOT_BOUNCEABLE, 0]) + drawn
    return base64.urlsafe_b64encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "big"))


def _eos(drawn: bytes) -> bytes:
    """Return a name of EOSIO's, of twelve letters."""
    return bytes(_EOS_LETTERS[one % len(_EOS_LETTERS)] for one in drawn[:_EOS_NAME])


CHAINS: Mapping[str, Chain] = MappingProxyType(
    {
        NETWORK: Chain("ETH", "0.01"),
        "bitcoin": Chain("BTC", "0.0005", _checked(b"\x00")),
        "tron": Chain("TRX", "300", _checked(b"\x41")),
        "xrpl": Chain("XRP", "60", _checked(b"\x00", RIPPLE_ALPHABET)),
        "litecoin": Chain("LTC", "0.3", _checked(b"\x30")),
        "dogecoin": Chain("DOGE", "300", _checked(b"\x1e")),
        "solana": Chain("SOL", "0.2", b58encode),
        "stellar": Chain("XLM", "300", _stellar),
        "eos": Chain("EOS", "60", _eos),
        "ton": Chain("TON", "10", _ton),
    }
)
# Pairs of the market by the words of files: the first asset is bought and sold for the second.
PAIRS: Mapping[str, str] = MappingProxyType(
    {
        "thin": "XRP/USDT",
        "liquid": "BTC/USDT",
        "declared": "ETH/USDT",
        "old_pair": "TRX/USDT",
    }
)
DECLARED_BAND_BP = 200  # What a declared price band is, in basis points.
# By which field of its draft an exit by the platform's books says where it leads.
FIELDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        str(one.__struct_config__.tag): one.books
        for one in get_args(AnyExit)
        if hasattr(one, "books") and one is not PlatformExit  # Stories name no platform's own.
    }
)
NETWORKS: Mapping[str, str] = MappingProxyType(
    {
        ActionType.WITHDRAWAL_CRYPTO: NETWORK,
        ActionType.WITHDRAWAL_FIAT: BANK,
        **{kind: network for kind, (network, _) in FIELDS.items()},
    }
)
# The place that stands in for each network where a check tries every exit: old, signed and used.
OLD: Mapping[str, str] = MappingProxyType(
    {
        NETWORK: "old_addr",
        BANK: "old_bank",
        VENUE: "old_friend",
        SUBACCOUNT: "old_sub",
        CARD: "old_card",
        LOAN: "old_loan",
        MARKET: "old_pair",
        PRODUCT: "old_product",
    }
)
_BY_NAME = {
    "bank": BANK,
    "friend": VENUE,
    "sub": SUBACCOUNT,
    "subaccount": SUBACCOUNT,
    "card": CARD,
    "loan": LOAN,
    "pair": MARKET,
    "product": PRODUCT,
}
_ADDRESS_DIGITS = 40
_ACCOUNT_DIGITS = 18  # Of a German bank account (ISO 13616).
_UNPLAIN = re.compile(r"[^A-Za-z0-9_]")


def pair_of(word: str) -> str:
    """Return the pair that a word means. Raises NotPlayableError: none."""
    pair = PAIRS.get(word, word)
    if "/" not in pair:
        raise NotPlayableError(f"the pair {word!r} has no meaning here")
    return pair


def pairs_of(words: object) -> tuple[str, ...]:
    """Return the pairs that one word, or several, mean. Raises NotPlayableError: one means none."""
    listed = words if isinstance(words, list | tuple) else [words]
    return tuple(pair_of(str(one)) for one in listed)


def band_bp(word: object) -> int:
    """Return a price band in basis points. Raises NotPlayableError: it is none."""
    if word == "declared":
        return DECLARED_BAND_BP
    if isinstance(word, int):
        return word
    raise NotPlayableError(f"price_band: {word!r}: declared, or basis points")


class Places:
    """The places behind the symbols of one replay; the same symbol is the same place.

    ``networks`` says on which network a symbol is that only destinations name.
    """

    def __init__(self, salt: str, networks: Mapping[str, str] | None = None) -> None:
        self._salt = salt
        self._networks = dict(networks or {})
        self._known: dict[tuple[str, int, int], str] = {}
        self._likeness: dict[str, str] = {}

    def network(self, symbol: str) -> str:
        """Return the network of a symbol of which no exit says more."""
        if symbol in self._networks:
            return self._networks[symbol]
        named = (_BY_NAME.get(word) for word in symbol.lower().split("_"))
        return next((one for one in named if one is not None), NETWORK)

    def where(
        self, symbol: str, given: Mapping[str, Any] | None = None, *, network: str = ""
    ) -> dict[str, str]:
        """Return network and address of ``symbol``, as destinations are named."""
        network = network or self.network(symbol)
        return {"network": network, "address": self.address(symbol, given, network=network)}

    def address(
        self, symbol: str, given: Mapping[str, Any] | None = None, *, network: str = ""
    ) -> str:
        """Return the address of ``symbol``; ``given`` may say which other one it resembles.

        Raises:
            NotPlayableError: what resembles another is no address of Ethereum's.
        """
        network, given = network or self.network(symbol), given or {}
        if network == NETWORK:
            return self._on_the_chain(symbol, given)
        if given.get("resembles"):
            raise NotPlayableError(
                f"a place on {network} that resembles another: none is made here"
            )
        write = CHAINS[network].write if network in CHAINS else None
        if write is not None:
            return write(bytes.fromhex(self._digits(symbol))).decode("ascii")
        return (
            _bank_account(self._digits(symbol)) if network == BANK else self._name(symbol, network)
        )

    def _on_the_chain(self, symbol: str, given: Mapping[str, Any]) -> str:
        resembles = str(given.get("resembles", self._likeness.get(symbol, "")))
        first, last = (int(given.get(name, 0)) for name in ("same_first", "same_last"))
        key = (symbol, first, last)
        if key not in self._known:
            self._known[key] = self._make(symbol, resembles, first, last)
        if resembles:
            self._likeness[symbol] = resembles
        return self._known[key]

    def _make(self, symbol: str, resembles: str, first: int, last: int) -> str:
        digits = self._digits(f"{symbol}/{first}/{last}")[:_ADDRESS_DIGITS]
        if resembles and (first or last):
            like = self._on_the_chain(resembles, {}).removeprefix("0x")
            between = slice(first, _ADDRESS_DIGITS - last)
            middle = _unlike(digits[between], like[between])
            digits = like[:first] + middle + like[_ADDRESS_DIGITS - last :]
        return f"0x{digits}"

    def _name(self, symbol: str, network: str) -> str:
        if network == MARKET:
            return PAIRS.get(symbol, f"no_{_UNPLAIN.sub('', symbol)[:32]}")
        return f"{_UNPLAIN.sub('', symbol)[:32] or 'x'}-{self._digits(symbol)[:8]}"

    def _digits(self, text: str) -> str:
        return hashlib.sha256(f"{self._salt}/{text}".encode()).hexdigest()


def _unlike(digits: str, like: str) -> str:
    """Return ``digits``, of which neither the first nor the last is that of ``like``.

    Prevents: an address of which one digit more is the same, by chance.
    """
    ends = {0, len(digits) - 1}
    return "".join(
        f"{(int(one, 16) + 1) % 16:x}" if at in ends and one == like[at] else one
        for at, one in enumerate(digits)
    )


def _bank_account(digits: str) -> str:
    """Return a bank account whose check digits are right (ISO 13616; ISO/IEC 7064, MOD 97-10)."""
    number = f"{int(digits, 16) % 10**_ACCOUNT_DIGITS:0{_ACCOUNT_DIGITS}}"
    rest = int(f"{number}131400") % 97  # "DE00", as numbers.
    return f"DE{98 - rest:02}{number}"


def networks_in(named: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """Return the networks of the symbols that exits lead to: of each exit's type and parameters."""
    found: dict[str, str] = {}
    for kind, given in named:
        network = NETWORKS.get(kind)
        if network == NETWORK:
            network = str(given.get("network") or _chain_of(str(given.get("asset"))))
        for word in ("destination", *WORDS.get(kind, ())):
            if network not in (None, MARKET) and isinstance(given.get(word), str):
                found.setdefault(given[word], str(network))
    return found


def _chain_of(coin: str) -> str:
    """Return the chain whose coin is ``coin``; Ethereum for everything else that is sent."""
    return next((name for name, chain in CHAINS.items() if chain.coin == coin), NETWORK)


# By which words files say where an exit by the books leads, the best first.
WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        ActionType.TRANSFER_INTERNAL: ("counterparty", "to"),
        ActionType.TRANSFER_SUBACCOUNT: ("to", "subaccount"),
        ActionType.P2P_RELEASE: ("counterparty", "to"),
        ActionType.GIFT_SEND: ("counterparty", "to"),
        ActionType.CARD_PAY: ("card",),
        ActionType.TRADE_UNUSUAL: ("pair",),
        ActionType.LOAN_COLLATERAL: ("loan",),
        ActionType.DERIVATIVE_OPEN: ("product", "pair"),
        ActionType.MARGIN_OPEN: ("product", "pair"),
        ActionType.STAKING_START: ("product",),
        ActionType.CONVERT_EXECUTE: ("product", "pair"),
    }
)
