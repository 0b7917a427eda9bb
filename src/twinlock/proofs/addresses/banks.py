"""Bank accounts of countries that have no IBAN: ``CC/ROUTING/ACCOUNT``.

A country has one form: the routing number that its own payments use, or where none is known here
the BIC of the bank. Countries of the IBAN registry are refused: there an account has an IBAN, and a
second name would be a second destination with a budget of its own. So are territories whose
accounts have the numbers of another country, whatever country their banks' BICs name.

Sources: ABA Key to Routing Numbers; Payments Canada Standard 006; AusPayNet BSB; Payments NZ; RBI
IFSC; Banxico CLABE; Zengin System; ISO 9362 (BIC).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from twinlock.domain.addresses import AddressChecksumError, AddressError
from twinlock.proofs.addresses.iban import LENGTHS

SEPARATOR = "/"
_WHOLE = re.compile(r"([A-Z]{2})/([A-Z0-9]{1,12})/([A-Z0-9]{1,34})", re.ASCII)
_BIC = re.compile(r"[A-Z0-9]{4}([A-Z]{2})[A-Z0-9]{2}([A-Z0-9]{3})?", re.ASCII)
_WEIGHTS = (3, 7, 1)
# Whose numbers a territory's accounts have: the IBAN registry says so of the first three ("other
# territories"); the others are named by ABA's and AusPayNet's directories.
_NUMBERED_AS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"), "FR")
    | dict.fromkeys(("GG", "IM", "JE", "UK"), "GB")
    | {"AX": "FI"}
    | dict.fromkeys(("AS", "GU", "MP", "PR", "UM", "VI"), "US")
    | dict.fromkeys(("CC", "CX", "NF"), "AU")
)
_HEAD_OFFICE = "X" * 3  # ISO 9362: a BIC of 8 characters is that of 11 with this branch.
_BASE, _SUFFIX = 7, 3  # Digits of an account in New Zealand; of a suffix some write only two.


class _Form(NamedTuple):
    """What a country's numbers look like, and in words."""

    routing: str
    account: str
    words: str


_FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        "AU": _Form(r"[0-9]{6}", r"[0-9]{5,9}", "a BSB of 6 digits and 5 to 9 digits"),
        "CA": _Form(
            r"0[0-9]{8}",
            r"[0-9]{7,12}",
            "0, institution, transit (9 digits), and 7 to 12 digits",
        ),
        "IN": _Form(r"[A-Z]{4}0[A-Z0-9]{6}", r"[0-9]{9,18}", "an IFSC and 9 to 18 digits"),
        "JP": _Form(r"[0-9]{7}", r"[0-9]{7}", "bank and branch (7 digits), and 7 digits"),
        "MX": _Form(r"[0-9]{6}", r"[0-9]{12}", "a CLABE: its first 6 digits, and the other 12"),
        "NZ": _Form(
            r"[0-9]{6}", r"[0-9]{9,10}", "bank and branch (6 digits), and 7 digits with the suffix"
        ),
        "US": _Form(r"[0-9]{9}", r"[0-9]{4,17}", "a routing number of 9 digits and 4 to 17 digits"),
    }
)


def normal_national(text: str) -> str:
    """Return the one form of an account that has no IBAN: capitals; a BIC with its branch.

    Raises:
        AddressError: it has another form, is of a country with IBANs, or check digits are wrong.
    """
    found = _WHOLE.fullmatch(text.upper())
    if found is None:
        raise AddressError("an account without an IBAN is COUNTRY/ROUTING/ACCOUNT, as US/…/…")
    country, routing, account = found.groups()
    if country in _NUMBERED_AS:
        raise AddressError(f"an account in {country} is named as one in {_NUMBERED_AS[country]}")
    if country in LENGTHS:
        raise AddressError(f"an account in {country} is named by its IBAN")
    form = _FORMS.get(country)
    if form is None:
        return SEPARATOR.join((country, _normal_bic(routing, country), account))
    if not re.fullmatch(form.routing, routing) or not re.fullmatch(form.account, account):
        raise AddressError(f"an account in {country} is {form.words}")
    _check_digits(country, routing, account)
    if country == "NZ":
        account = account[:_BASE] + account[_BASE:].zfill(_SUFFIX)
    return SEPARATOR.join((country, routing, account))


def _normal_bic(bic: str, country: str) -> str:
    found = _BIC.fullmatch(bic)
    if found is None:
        raise AddressError(f"a bank in {country} is named by its BIC: 8 or 11 characters")
    if found[1] != country:
        raise AddressError(f"this BIC is of a bank in {found[1]}, not in {country}")
    return bic if found[2] else bic + _HEAD_OFFICE


def _check_digits(country: str, routing: str, account: str) -> None:
    """Return when the numbers fit their own check digits, where they have some."""
    if country == "US" and (_weighed(routing) or not int(routing)):
        raise AddressChecksumError("the routing number does not fit its check digit")
    if country == "MX":
        clabe = routing + account
        # Banxico: each product counts by its last digit, and so does their sum's complement.
        summed = sum(
            int(digit) * _WEIGHTS[place % 3] % 10 for place, digit in enumerate(clabe[:-1])
        )
        if (10 - summed % 10) % 10 != int(clabe[-1]):
            raise AddressChecksumError("the CLABE does not fit its check digit")


def _weighed(digits: str) -> int:
    """Return what is left of ABA's weighted sum; 0 where the check digit fits."""
    return sum(int(one) * _WEIGHTS[place % 3] for place, one in enumerate(digits)) % 10
