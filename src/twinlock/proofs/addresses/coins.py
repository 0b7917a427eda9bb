"""Bitcoin, Litecoin, Dogecoin and TRON: Base58Check, and segregated witness in bech32 or bech32m.

Sources: BIP-13, BIP-173, BIP-341, BIP-350; the chain parameters of Bitcoin Core, Litecoin Core and
Dogecoin Core; TRON's protocol buffers ("Account": 21 bytes that begin with 0x41).
"""

from types import MappingProxyType
from typing import NamedTuple, NoReturn

from base58_bech32.base58 import b58decode, b58encode_check
from base58_bech32.bech32 import (
    BECH32_1_CONST,
    BECH32_M_CONST,
    bech32_decode,
    bech32_encode,
    convertbits,
)
from base58_bech32.exceptions import Base58Bech32ValueError

from twinlock.domain.addresses import (
    AddressChecksumError,
    AddressError,
    AddressForm,
    AddressNetworkError,
    AddressNobodysError,
)
from twinlock.proofs.addresses.base58check import decoded

_BECH32_MOST = 90  # characters (BIP-173)
_HASH = 20  # bytes: HASH160, or the last bytes of Keccak-256
_SCRIPT = 32  # bytes: SHA-256 of a script, or the key of an output
_P = 2**256 - 2**32 - 977  # The field of secp256k1 (SEC 2, 2.4.1).
_TEST_HRPS = frozenset({"tb", "bcrt", "tltc", "rltc", "sb"})
_TEST_VERSIONS = frozenset({0x6F, 0xC4, 0x3A, 0x71, 0xEF})


class _Coin(NamedTuple):
    """One chain: which version bytes are its own, and how each is written today."""

    name: str
    versions: MappingProxyType[int, int]
    hrp: str = ""
    first: str = ""


_COINS = MappingProxyType(
    {
        AddressForm.BITCOIN: _Coin("Bitcoin", MappingProxyType({0x00: 0x00, 0x05: 0x05}), hrp="bc"),
        AddressForm.LITECOIN: _Coin(  # 0x05 is the old version of 0x32, and says the same.
            "Litecoin", MappingProxyType({0x30: 0x30, 0x32: 0x32, 0x05: 0x32}), hrp="ltc"
        ),
        AddressForm.DOGECOIN: _Coin("Dogecoin", MappingProxyType({0x1E: 0x1E, 0x16: 0x16})),
        AddressForm.TRON: _Coin("TRON", MappingProxyType({0x41: 0x41})),
    }
)


def normal_coin(form: AddressForm, text: str) -> str:
    """Return the one form of an address of Bitcoin, Litecoin, Dogecoin or TRON.

    Raises:
        AddressError: it is none, or one that nothing can be sent to.
    """
    coin = _COINS[form]
    hrp = text.rpartition("1")[0].lower()
    if coin.hrp and hrp == coin.hrp:
        return _segwit(coin, text)
    if hrp in _TEST_HRPS:
        raise AddressNetworkError(f"this is an address of a test network, not of {coin.name}")
    return _base58check(coin, text)


def _base58check(coin: _Coin, text: str) -> str:
    data = decoded(text, name=coin.name)
    version, payload = data[0], data[1:]
    if len(payload) != _HASH:
        raise AddressError(f"an address of {coin.name} names {_HASH} bytes, this {len(payload)}")
    if version in _TEST_VERSIONS:
        raise AddressNetworkError(f"this is an address of a test network, not of {coin.name}")
    if version not in coin.versions:
        raise AddressNetworkError(f"this is an address of another network than {coin.name}")
    if not any(payload):
        raise AddressNobodysError("nobody has the keys of this address")
    return b58encode_check(bytes([coin.versions[version]]) + payload).decode("ascii")


# --- Segregated witness ---


def _segwit(coin: _Coin, text: str) -> str:
    try:
        hrp, data, constant = bech32_decode(text, limit=_BECH32_MOST)
    except Base58Bech32ValueError as error:
        _told(coin, text, error)
    version, program = _program(data)
    wanted = BECH32_1_CONST if version == 0 else BECH32_M_CONST
    if constant != wanted:
        kind = "bech32" if version == 0 else "bech32m"
        raise AddressChecksumError(f"an address of witness version {version} is in {kind}")
    _check_output(coin, version, program)
    return bech32_encode(hrp, data, m=wanted, limit=_BECH32_MOST).decode("ascii")


def _told(coin: _Coin, text: str, error: Exception) -> NoReturn:
    if text not in (text.lower(), text.upper()):
        raise AddressChecksumError(
            f"an address of {coin.name} that begins with {coin.hrp}1 is in small letters"
        ) from error
    raise AddressChecksumError(
        "the address does not fit its checksum: a character is missing or wrong"
    ) from error


def _program(data: list[int]) -> tuple[int, bytes]:
    """Return version and program (BIP-173, "Decoding")."""
    try:
        return data[0], bytes(convertbits(data[1:], 5, 8, pad=False))
    except (Base58Bech32ValueError, IndexError) as error:
        raise AddressError("the address names no witness program of whole bytes") from error


def _check_output(coin: _Coin, version: int, program: bytes) -> None:
    if version == 0 and len(program) in (_HASH, _SCRIPT):
        if not any(program):
            raise AddressNobodysError("nobody has the keys of this address")
        return
    if version == 1 and len(program) == _SCRIPT:
        _check_key(program)
        return
    if version <= 1:
        raise AddressError(f"no output of witness version {version} has {len(program)} bytes")
    # BIP-141: anybody could spend it until a later rule gives the version a meaning.
    raise AddressNobodysError(f"{coin.name} gives witness version {version} no meaning so far")


def _check_key(program: bytes) -> None:
    """Check that a Taproot output has a key at all (BIP-341, lift_x): others are never spent."""
    x = int.from_bytes(program, "big")
    c = (pow(x, 3, _P) + 7) % _P
    y = pow(c, (_P + 1) // 4, _P)
    if x >= _P or y * y % _P != c:
        raise AddressNobodysError("the key in this address is no point of the curve")


def is_base58(text: str, size: int) -> bytes | None:
    """Return the ``size`` bytes that ``text`` says in base58 without a checksum, or None."""
    try:
        data = b58decode(text, max_length=64)
    except Base58Bech32ValueError:
        return None
    return data if len(data) == size else None
