"""Addresses: which form each network's have, and what a memo may be. Checksums are ``proofs``'.

A policy version names the form of each network's addresses. Every spelling of one destination has
one normal form, and only that becomes a payload: what is listed, counted and signed is then one
thing. A network whose form nobody named is refused (law 1).
"""

import re
from enum import StrEnum
from types import MappingProxyType

from twinlock.domain.errors import TwinlockError

_TAG_MOST = 2**32 - 1  # XLS-5d: a destination tag is an unsigned number of 32 bits.
_MEMO = re.compile(r"[!-~]([ -~]*[!-~])?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,10}", re.ASCII)
STELLAR_TEXT_MOST = 28  # bytes: MEMO_TEXT of Stellar's transactions
TEXT_MOST = 120  # bytes: a comment of TON's that fits one cell (TEP-74), and less than EOSIO's 256


class AddressForm(StrEnum):
    """How addresses are written; the value stands in the policy version."""

    BITCOIN = "bitcoin"
    LITECOIN = "litecoin"
    DOGECOIN = "dogecoin"
    EVM = "evm"
    TRON = "tron"
    SOLANA = "solana"
    XRPL = "xrpl"
    STELLAR = "stellar"
    EOS = "eos"
    TON = "ton"
    BANK = "bank"  # an IBAN, or routing number and account where a country has none
    VENUE = "venue"  # somebody's id on the platform itself
    PLAIN = "plain"  # printable ASCII: for a network of which no form is known here


class MemoRule(StrEnum):
    """What a network knows beside an address, to tell one customer of a receiver from another."""

    NONE = "none"
    TAG = "tag"  # a number of 32 bits
    TEXT = "text"


MEMOS: MappingProxyType[AddressForm, MemoRule] = MappingProxyType(
    dict.fromkeys(AddressForm, MemoRule.NONE)
    | {
        AddressForm.XRPL: MemoRule.TAG,
        AddressForm.STELLAR: MemoRule.TEXT,
        AddressForm.EOS: MemoRule.TEXT,
        AddressForm.TON: MemoRule.TEXT,
        AddressForm.BANK: MemoRule.TEXT,  # what the payment is for
        AddressForm.PLAIN: MemoRule.TEXT,
    }
)
SHARED: frozenset[AddressForm] = frozenset(  # Exchanges take deposits of all at one address.
    {AddressForm.XRPL, AddressForm.STELLAR, AddressForm.EOS, AddressForm.TON}
)


class AddressError(TwinlockError):
    """Not of the form that addresses of this network have: the detail says what is wrong."""

    code = "address_refused"
    status = 422


class AddressCharactersError(AddressError):
    """An address holds something invisible, a space, or a letter that only looks like another."""

    code = "address_characters"


class AddressChecksumError(AddressError):
    """An address does not fit its own checksum: it was mistyped or changed; copy it again."""

    code = "address_checksum"


class AddressNetworkError(AddressError):
    """An address of another network, or of a test network: what is sent there is lost."""

    code = "address_of_another_network"


class AddressNobodysError(AddressError):
    """An address that nobody can have the keys of: what is sent there is lost."""

    code = "address_nobodys"


class MemoError(AddressError):
    """A memo or tag that this network cannot carry, or that contradicts the address."""

    code = "memo_refused"


def normal_memo(form: AddressForm, memo: str) -> str:
    """Return the one form of a memo; an empty one stays empty, and is told where it may be missed.

    Raises:
        MemoError: the network has none, or none like this.
    """
    if not memo:
        return ""
    rule = MEMOS[form]
    if rule is MemoRule.NONE:
        raise MemoError("this network knows no memo: what was meant by it would be lost")
    if rule is MemoRule.TAG:
        return _normal_tag(memo)
    if not _MEMO.fullmatch(memo):
        raise MemoError("a memo is printable ASCII without spaces at its ends")
    most = STELLAR_TEXT_MOST if form is AddressForm.STELLAR else TEXT_MOST
    if len(memo) > most:
        raise MemoError(f"a memo of this network has at most {most} characters")
    return memo


def _normal_tag(memo: str) -> str:
    if not _WHOLE.fullmatch(memo) or int(memo) > _TAG_MOST:
        raise MemoError(f"a destination tag is a whole number from 0 to {_TAG_MOST}")
    return str(int(memo))


def misses_memo(form: AddressForm | None, memo: str) -> bool:
    """Say whether a deposit to an exchange would be nobody's: its address is all its customers'."""
    return form in SHARED and not memo
