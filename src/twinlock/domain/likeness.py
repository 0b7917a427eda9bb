"""Look-alikes: addresses that people take for another, since people compare the ends of one.

Prevents: address poisoning (S13). Dust comes from an address that begins and ends like one the
owner pays, and the owner copies it from the history. So what shares the first four and the last
four characters with a known address, and is not that, is blocked.

Known is what is listed, waits on a proof to be listed, or was paid before; and the last FORMER_MOST
that were proved, listed and removed, forgotten since or not. Addresses stand in destinations' own
streams, so the account keeps ten characters of each: a MAC of its ends and a MAC of the whole,
under the key that it labels its entries with, which no rotation changes.
"""

import re
from collections.abc import Iterable

from msgspec.structs import replace

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.actions import DestinationAdd, class_of, place_of
from twinlock.domain.bounds import FORMER_MOST, PAID_MOST
from twinlock.domain.canonical import b64url, tagged_mac
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.exits import BOOKS
from twinlock.domain.listing import Former

ENDS = 4  # characters at each end: what wallets and explorers show of an address
_HALF = 5  # characters of base64: 30 bits, so that no account ever meets two by chance
TAG = 2 * _HALF
_BASE58 = "[1-9A-HJ-NP-Za-km-z]"
# What every address of a kind begins with says nothing; people look at what follows.
_PREFIX = re.compile(
    "|".join(
        (
            "0x",  # Ethereum and its like
            "(?:bc|ltc)1[qp]",  # segregated witness
            f"[13LMADT9](?={_BASE58}{{24,33}}$)",  # Bitcoin, Litecoin, Dogecoin, TRON
            f"r(?={_BASE58}{{24,34}}$)",  # the XRP Ledger
            "G(?=[A-Z2-7]{55}$)",  # Stellar
            "U[Qf](?=[A-Za-z0-9_-]{46}$)",  # TON
            "[A-Z]{2}(?=[0-9]{2}[A-Z0-9]{11,29}$)",  # a bank account by its IBAN: the country
            # one without: all but the account's number, since many have theirs at one bank
            "[A-Z]{2}/[A-Z0-9]{1,12}/0*(?=[A-Z0-9]{1,34}$)",
        )
    ),
    re.ASCII,
)
_CASELESS = "0x"  # Of hexadecimal digits capitals and small letters are the same.


def ends_of(address: str) -> tuple[str, str]:
    """Return what people compare of ``address``, in its one form: first and last characters."""
    if address.startswith(_CASELESS):
        address = address.lower()
    found = _PREFIX.match(address)
    body = address if found is None else address[found.end() :]
    return body[:ENDS], body[-ENDS:]


def resembles(one: str, other: str) -> bool:
    """Say whether people take ``one`` for ``other``, which it is not."""
    return one != other and ends_of(one) == ends_of(other)


def tag_of(account: Account, address: str) -> str:
    """Return what ``account`` keeps of a known address: TAG characters."""
    key = account.chain.label_key.encode("utf-8")
    ends = (end.encode("utf-8") for end in ends_of(address))
    return _short(tagged_mac(key, "ends/v1", *ends)) + _short(
        tagged_mac(key, "address/v1", address.encode("utf-8"))
    )


def _short(mac: bytes) -> str:
    return b64url(mac)[:_HALF]


def looks_alike(account: Account, action: OpenAction) -> bool:
    """Say whether ``action`` leads to, or lists, what resembles a known address and is not it."""
    asked = _asked(action)
    if asked is None:
        return False
    if any(resembles(asked, other.address) for other in pending(account, action.action_id)):
        return True
    kept = (*listed(account), *former(account), *account.paid)
    if not kept:
        return False
    tag = tag_of(account, asked)
    return any(one[:_HALF] == tag[:_HALF] and one != tag for one in kept)


def _asked(action: OpenAction) -> str | None:
    """Return the address to compare; names in the platform's books resemble each other."""
    place, tightens = place_of(action.payload), class_of(action.payload) is ActionClass.TIGHTENING
    return None if place is None or tightens or place.network in BOOKS else place.address


def pending(account: Account, own: str = "") -> Iterable[DestinationAdd]:
    """Return what waits to be listed beside the action ``own``; of what nobody proved nothing.

    Prevents: a stranger's proposal that keeps the owner from paying whom they always pay.
    """
    for other in account.actions:
        if other.proved_at is None or other.action_id == own:
            continue
        if isinstance(other.payload, DestinationAdd):
            yield other.payload


# --- What the account keeps ---


def listed(account: Account) -> tuple[str, ...]:
    """Return the tags of all that is listed, one for each destination."""
    return _tags(account.looks)


def former(account: Account) -> tuple[str, ...]:
    """Return the tags of what was proved and was removed, each once; the last removed last."""
    return _tags(account.former.looks)


def _tags(whole: str) -> tuple[str, ...]:
    return tuple(whole[start : start + TAG] for start in range(0, len(whole), TAG))


def with_look(account: Account, address: str) -> str:
    """Return the looks of ``account`` with that of one more destination."""
    return account.looks + tag_of(account, address)


def without_look(account: Account, address: str) -> str:
    """Return the looks of ``account`` without that of one destination at ``address``."""
    kept, gone = list(listed(account)), tag_of(account, address)
    if gone in kept:
        kept.remove(gone)
    return "".join(kept)


def with_former_look(account: Account, address: str) -> Former:
    """Return what ``account`` keeps, with what was removed last; of too many the first goes."""
    tag = tag_of(account, address)
    rest = [one for one in former(account) if one != tag]
    return replace(account.former, looks="".join([*rest, tag][-FORMER_MOST:]))


def with_paid(account: Account, address: str) -> dict[str, int]:
    """Return what was paid without being listed, with ``address``; of too many the first goes.

    Each with the entry of its last spend, where the address can be read.
    """
    tag = tag_of(account, address)
    if tag in (*listed(account), *former(account)):
        return account.paid
    rest = {one: entry for one, entry in account.paid.items() if one != tag}
    rest[tag] = account.chain.entries
    # By their entries: a document that is read again has them by their tags.
    return dict(sorted(rest.items(), key=lambda one: one[1])[-PAID_MOST:])
