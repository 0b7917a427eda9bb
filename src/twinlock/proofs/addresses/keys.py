"""Solana, Stellar and TON: a public key or a contract, written out.

Sources: Solana's documentation, "Accounts" (32 bytes in base58); SEP-23 (strkeys); TEP-2 (TON's
addresses). The CRC-16 of the last two is XMODEM's, which Python brings along.
"""

import base64
import binascii
import re

from twinlock.domain.addresses import (
    AddressChecksumError,
    AddressError,
    AddressNetworkError,
    AddressNobodysError,
    MemoError,
)
from twinlock.proofs.addresses.coins import is_base58

_KEY = 32  # bytes
_SOLANA = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}", re.ASCII)
_INCINERATOR = "1nc1nerator11111111111111111111111111111111"  # Solana: sdk-ids, "incinerator".
_G, _M, _S = 6 << 3, 12 << 3, 18 << 3  # SEP-23: version bytes of an account, a muxed one, a seed.
_STRKEY = re.compile(r"[A-Z2-7]{1,128}", re.ASCII)
_RAW = re.compile(r"(0|-1):([0-9a-fA-F]{64})", re.ASCII)
_FRIENDLY = re.compile(r"[A-Za-z0-9+/]{48}|[A-Za-z0-9_-]{48}", re.ASCII)
_BOUNCEABLE, _NON_BOUNCEABLE, _TEST_ONLY = 0x11, 0x51, 0x80  # TEP-2
_CHAINS = {0x00: 0, 0xFF: -1}  # basechain and masterchain


def normal_solana(text: str) -> str:
    """Return the one form: base58 of 32 bytes. A key of a program is on no curve, and allowed."""
    key = is_base58(text, _KEY) if _SOLANA.fullmatch(text) else None
    if key is None:
        raise AddressError("an address of Solana is base58 of 32 bytes")
    if not any(key):
        raise AddressNobodysError("this is the address of Solana's own system program")
    if text == _INCINERATOR:
        raise AddressNobodysError("what is sent to this address is destroyed")
    return text


# --- Stellar ---


def normal_stellar(text: str, memo: str) -> tuple[str, str]:
    """Return the one form of an account, and its memo: a muxed account's id is the memo.

    Raises:
        AddressError: it is no account.
        MemoError: a muxed account, and a memo that is not its id.
    """
    data = _strkey(text)
    if data[0] in (_G, _M) and not any(data[1 : 1 + _KEY]):
        raise AddressNobodysError("nobody has the keys of this address")
    if data[0] == _G and len(data) == 1 + _KEY:
        return text, memo
    if data[0] == _M and len(data) == 1 + _KEY + 8:
        number = str(int.from_bytes(data[-8:], "big"))
        if memo not in ("", number):
            raise MemoError("the memo is not the id that is written into this address")
        return _written(bytes([_G]) + data[1 : 1 + _KEY]), number
    raise AddressError("an address of Stellar begins with G, or with M where it holds an id")


def _strkey(text: str) -> bytes:
    """Return version and payload (SEP-23); of what begins with S nothing is repeated."""
    if not _STRKEY.fullmatch(text):
        raise AddressError("an address of Stellar is of capital letters and of digits from 2 to 7")
    try:
        data = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise AddressError("an address of Stellar begins with G and has 56 characters") from error
    body, crc = data[:-2], data[-2:]
    if not body or _written(body) != text or _crc(body).to_bytes(2, "little") != crc:
        raise AddressChecksumError(
            "the address does not fit its checksum: a character is missing or wrong"
        )
    if body[0] == _S:
        raise AddressError("this is a secret key, not an address: show it to nobody")
    return body


def _written(body: bytes) -> str:
    whole = body + _crc(body).to_bytes(2, "little")
    return base64.b32encode(whole).decode("ascii").rstrip("=")


def _crc(data: bytes) -> int:
    return binascii.crc_hqx(data, 0)


# --- TON ---


def normal_ton(text: str) -> str:
    """Return the one form: user-friendly, mainnet, not bounceable, in base64url.

    Whether a transfer may bounce says how it is sent, not where to.

    Raises:
        AddressError: it is none.
    """
    raw = _RAW.fullmatch(text)
    if raw is not None:
        return _friendly(int(raw[1]), bytes.fromhex(raw[2]))
    if not _FRIENDLY.fullmatch(text):
        raise AddressError("an address of TON has 48 characters, or is a chain, : and 64 digits")
    data = base64.b64decode(text.replace("-", "+").replace("_", "/"))
    tag, chain, account = data[0], data[1], data[2:34]
    if _crc(data[:34]).to_bytes(2, "big") != data[34:]:
        raise AddressChecksumError(
            "the address does not fit its checksum: a character is missing or wrong"
        )
    if tag & _TEST_ONLY:
        raise AddressNetworkError("this is an address of a test network, not of TON")
    if tag not in (_BOUNCEABLE, _NON_BOUNCEABLE) or chain not in _CHAINS:
        raise AddressError("an address of TON is of the basechain or of the masterchain")
    return _friendly(_CHAINS[chain], account)


def _friendly(chain: int, account: bytes) -> str:
    if not any(account):
        raise AddressNobodysError("nobody has the keys of this address")
    body = bytes([_NON_BOUNCEABLE, chain & 0xFF]) + account
    return base64.urlsafe_b64encode(body + _crc(body).to_bytes(2, "big")).decode("ascii")
