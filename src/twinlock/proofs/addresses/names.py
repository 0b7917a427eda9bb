"""Destinations without a checksum, or with a bank's: EOSIO names, bank accounts, ids of a venue.

Sources: EOSIO, "Naming conventions"; ISO 13616-1 and the IBAN registry; ISO 7064 (MOD 97-10).
"""

import re

from twinlock.domain.addresses import (
    AddressCharactersError,
    AddressChecksumError,
    AddressError,
)
from twinlock.domain.exits import PLACE
from twinlock.proofs.addresses.banks import SEPARATOR, normal_national
from twinlock.proofs.addresses.characters import check_characters
from twinlock.proofs.addresses.iban import LENGTHS

_EOS = re.compile(r"[a-z1-5]([a-z1-5.]{0,10}[a-z1-5])?", re.ASCII)
_VENUE = re.compile(PLACE, re.ASCII)
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}", re.ASCII)


def normal_eos(text: str) -> str:
    """Return an account's name, which has one form. Raises AddressError."""
    if not _EOS.fullmatch(text):
        raise AddressError("an account has 1 to 12 small letters, digits from 1 to 5, and dots")
    return text


def normal_venue_id(text: str) -> str:
    """Return a place in the platform's own books, which has one form. Raises AddressError."""
    if not _VENUE.fullmatch(text):
        raise AddressError(
            "a place in the books is 1 to 64 letters, digits and _ . : / @ + -, the first a letter "
            "or digit"
        )
    return text


def normal_bank_account(text: str) -> str:
    """Return the one form of a bank account: an IBAN, or where there is none ``banks``' own.

    An IBAN is in capitals, without the spaces in which banks print it.

    Raises:
        AddressError: it is neither; a country, a length or the check digits are wrong.
    """
    if SEPARATOR in text:
        check_characters(text)
        return normal_national(text)
    if "  " in text or text.strip(" ") != text:
        raise AddressCharactersError("an IBAN is printed in groups with one space between them")
    whole = text.replace(" ", "").upper() if text.isascii() else text
    check_characters(whole)
    if not _IBAN.fullmatch(whole):
        raise AddressError("an IBAN is two letters, two digits, and letters and digits")
    length = LENGTHS.get(whole[:2])
    if length is None:
        raise AddressError(f"no country of the IBAN registry has the code {whole[:2]}")
    if len(whole) != length:
        raise AddressError(f"an IBAN of {whole[:2]} has {length} characters, this {len(whole)}")
    number = int("".join(str(int(one, 36)) for one in whole[4:] + whole[:4]))
    if not 2 <= int(whole[2:4]) <= 98 or number % 97 != 1:  # noqa: PLR2004 - ISO 13616-1, 6.2
        raise AddressChecksumError(
            "the IBAN does not fit its check digits: a character is missing or wrong"
        )
    return whole
