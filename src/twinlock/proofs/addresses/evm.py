"""Ethereum and the chains that are built like it: 20 bytes in hexadecimal, EIP-55 in mixed case."""

import re

from Crypto.Hash import keccak

from twinlock.domain.addresses import (
    AddressChecksumError,
    AddressError,
    AddressNobodysError,
)

_ADDRESS = re.compile(r"0x([0-9a-fA-F]{40})", re.ASCII)
_RESERVED_MOST = 0xFFFF  # EIP-1352: a chain's own programs; whatever is sent there stays there.
_EIGHT = 8  # EIP-55: the nibble of the hash from which a letter is a capital.


def normal_evm(text: str) -> str:
    """Return the one form: 0x and 40 digits, in small letters.

    Raises:
        AddressError: it is none; or it is in mixed case, and that is not its checksum's.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise AddressError("an address of this network is 0x and 40 hexadecimal digits")
    digits = found[1]
    if digits not in (digits.lower(), digits.upper()) and text != checksummed(text):
        raise AddressChecksumError(
            "capital and small letters of the address do not fit its checksum (EIP-55)"
        )
    if int(digits, 16) <= _RESERVED_MOST:
        raise AddressNobodysError("nobody has the keys of this address")
    return text.lower()


def checksummed(text: str) -> str:
    """Return an address of 20 bytes as EIP-55 writes it."""
    digits = text[2:].lower()
    hashed = keccak.new(digest_bits=256, data=digits.encode("ascii")).hexdigest()
    written = (
        one.upper() if int(nibble, 16) >= _EIGHT else one
        for one, nibble in zip(digits, hashed, strict=False)
    )
    return "0x" + "".join(written)
