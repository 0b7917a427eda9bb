"""Base58Check, with the error that says what is wrong."""

import re

from base58_bech32.base58 import BITCOIN_ALPHABET, b58decode, b58decode_check
from base58_bech32.exceptions import Base58Bech32ValueError

from twinlock.domain.addresses import AddressChecksumError, AddressError, AddressNetworkError

_CHARACTERS_MOST = 64
_HEX = re.compile(r"(0[xX])?[0-9a-fA-F]{40,44}", re.ASCII)


def decoded(text: str, *, name: str, alphabet: bytes = BITCOIN_ALPHABET) -> bytes:
    """Return the bytes (one at least) that ``text`` says; its checksum fits.

    Raises:
        AddressError: it is not base58, or its checksum does not fit.
    """
    if _HEX.fullmatch(text):
        # Prevents: one wrong digit of a form that has no checksum.
        raise AddressNetworkError(f"addresses of {name} are not written in hexadecimal")
    if not set(text.encode("ascii")) <= set(alphabet) or len(text) > _CHARACTERS_MOST:
        raise AddressError(f"no address of {name} is written like this")
    try:
        data = b58decode_check(text, alphabet=alphabet)
    except Base58Bech32ValueError as error:
        if len(b58decode(text, alphabet=alphabet)) == 32:  # noqa: PLR2004 - an Ed25519 key
            raise AddressNetworkError(f"this is no address of {name}") from error
        raise AddressChecksumError(
            "the address does not fit its checksum: a character is missing or wrong"
        ) from error
    if not data:
        raise AddressError(f"no address of {name} is written like this")
    return data
