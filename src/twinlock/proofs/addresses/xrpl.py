"""The XRP Ledger: classic addresses and a tag, or X-addresses, which hold both.

Source: XRPL documentation, "Base58 Encodings"; XLS-5d (X-addresses).
"""

from typing import Final

from base58_bech32.base58 import RIPPLE_ALPHABET, b58encode_check

from twinlock.domain.addresses import (
    AddressError,
    AddressForm,
    AddressNetworkError,
    AddressNobodysError,
    MemoError,
    normal_memo,
)
from twinlock.proofs.addresses.base58check import decoded

_CLASSIC: Final = b"\x00"
_MAIN, _TEST = b"\x05\x44", b"\x04\x93"
_ID = 20  # bytes
_X = 2 + _ID + 1 + 8  # prefix, account, flag, tag
_NAME = "the XRP Ledger"


def normal_xrpl(text: str, memo: str) -> tuple[str, str]:
    """Return the one form: a classic address, and its tag as the memo.

    Raises:
        AddressError: it is no account of the main network.
        MemoError: an X-address, and a tag that is not the one inside.
    """
    data = decoded(text, name=_NAME, alphabet=RIPPLE_ALPHABET)
    if len(data) == _X:
        return _from_x(data, memo)
    if data[:1] != _CLASSIC or len(data) != 1 + _ID:
        raise AddressError("an address of the XRP Ledger names an account of 20 bytes")
    return _classic(data[1:]), memo


def _from_x(data: bytes, memo: str) -> tuple[str, str]:
    prefix, account, flag, tag = data[:2], data[2:22], data[22], data[23:]
    if prefix == _TEST:
        raise AddressNetworkError(f"this is an address of a test network, not of {_NAME}")
    if prefix != _MAIN or flag > 1 or any(tag[4:]) or (flag == 0 and any(tag)):
        raise AddressError("this X-address is of no form that is known")
    inside = str(int.from_bytes(tag, "little")) if flag else ""
    if memo and normal_memo(AddressForm.XRPL, memo) != inside:
        raise MemoError("the tag is not the one that is written into this X-address")
    return _classic(account), inside


def _classic(account: bytes) -> str:
    if not any(account[:-1]) and account[-1] <= 1:  # ACCOUNT_ZERO and ACCOUNT_ONE
        raise AddressNobodysError("nobody has the keys of this address")
    return b58encode_check(_CLASSIC + account, alphabet=RIPPLE_ALPHABET).decode("ascii")
