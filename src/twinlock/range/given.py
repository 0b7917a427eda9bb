"""What stands in a step's ``with``, as far as it can be played: of which form each word must be.

Always true (tests/unit/range/test_reader.py): what is known here has its form before anything is
played, so that no replay ends in the middle of a file. A word that is not known here is left alone:
the step that has it is not playable, and says so (``acts``). So is one whose words have another
form: schema 1 says of none which it has.

Source: docs/range.md, "The file".
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from twinlock.domain.catalogue import ActionType
from twinlock.domain.exits import EXITS
from twinlock.range.words import Proof

LIKENESS_MOST = 20  # Digits that two different addresses may share at one end.
PRICE_MOST = 10**9  # Times the middle: no story tells of more than ten.
ORDERS_MOST = 10_000  # Of one action: as many as the gate takes.
MISFORMED = ""  # The word under which parameters of another form say what is wrong with them.
Name = Annotated[str, Meta(pattern=r"\A[a-zA-Z0-9_]{1,32}\Z")]
Word = Annotated[str, Meta(min_length=1, max_length=128)]
Listed = Annotated[tuple[Word, ...], Meta(max_length=32)]
Digits = Annotated[int, Meta(ge=0, le=LIKENESS_MOST)]


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of one kind of step."""


class _Nothing(_Given, frozen=True, kw_only=True):
    """No parameter that matters."""


class _Place(_Given, frozen=True, kw_only=True):
    """Where something goes, and which other place that looks like."""

    destination: Word | None = None
    network: Word | None = None
    resembles: Word | None = None
    same_first: Digits = 0
    same_last: Digits = 0


class _Exit(_Place, frozen=True, kw_only=True):
    amount: Word | int | float = ""
    asset: Word = ""
    via: Word = ""
    key: Word = ""
    call: Word = ""
    authorization: Word = ""
    counterparty: Word = ""
    to: Word = ""
    subaccount: Word = ""
    paid: bool = True
    order: Word = ""
    card: Word = ""
    merchant: Word = ""
    loan: Word = ""
    product: Word = ""
    pair: Word = ""


class _Trade(_Exit, frozen=True, kw_only=True):
    side: Word = ""
    price_to_mid: int | float = 1
    times: Annotated[int, Meta(ge=1, le=ORDERS_MOST)] = 1
    pairs: Annotated[int, Meta(ge=1, le=100)] | Listed = 1

    def __post_init__(self) -> None:
        _check_price(self.price_to_mid)


def _check_price(to_mid: float) -> None:
    if not 0 < to_mid <= PRICE_MOST:  # Nor is what is no number.
        raise ValueError(f"price_to_mid: {to_mid!r} is not a price")


class _Listing(_Place, frozen=True, kw_only=True):
    verification_free: bool = False
    budget: Word | int = ""
    asset: Word = ""


class _From(_Given, frozen=True, kw_only=True):
    place: Word = msgspec.field(name="from", default="")


class _Own(_Given, frozen=True, kw_only=True):
    to: Word | int | None = None
    per: Word = ""
    delay: Word = ""
    strict: bool = True


class _Authenticator(_Given, frozen=True, kw_only=True):
    authenticator: Word = ""


class _Channel(_Given, frozen=True, kw_only=True):
    channel: Word = ""
    change: Word = ""


class _NewKey(_Given, frozen=True, kw_only=True):
    name: Name = "key"
    scopes: Listed = ()
    ip_list: Listed = ()
    destinations: Listed = ()
    daily: Word | int = ""
    pairs: Listed | Word = ()
    price_band: Word | int = 0


class _Ungated(_Given, frozen=True, kw_only=True):
    via: Word = ""
    key: Word = ""
    pair: Word = ""
    inside_band: bool = True
    side: Word = ""
    times: Annotated[int, Meta(ge=1, le=ORDERS_MOST)] = 1
    price_to_mid: int | float = 1

    def __post_init__(self) -> None:
        _check_price(self.price_to_mid)


class _Key(_Given, frozen=True, kw_only=True):
    key: Word = ""


class _ChangedKey(_Key, frozen=True, kw_only=True):
    scopes: Listed = ()
    destinations: Listed = ()
    ip_list: Listed = ()
    pairs: Listed | Word = ()
    price_band: Word | int = 0


class _Veto(_Given, frozen=True, kw_only=True):
    of: Name
    channel: Word | None = None


class _OtherMethod(_Given, frozen=True, kw_only=True):
    asked: Proof
    wanted: Proof


class _Call(_Given, frozen=True, kw_only=True):
    verifiable: bool = False


class _Turned(_Given, frozen=True, kw_only=True):
    which: Word
    state: Word


_FORMS: dict[str, type[_Given]] = {
    **dict.fromkeys(EXITS, _Exit),
    ActionType.TRADE_UNUSUAL: _Trade,
    ActionType.SESSION_START: _From,
    ActionType.LIMIT_RAISE: _Own,
    ActionType.LIMIT_LOWER: _Own,
    ActionType.LOCK_TIGHTEN: _Own,
    ActionType.LOCK_LOOSEN: _Own,
    ActionType.AUTHENTICATOR_BIND: _Authenticator,
    ActionType.AUTHENTICATOR_REMOVE: _Authenticator,
    ActionType.AUTHENTICATOR_SUSPEND: _Authenticator,
    ActionType.AUTHENTICATOR_REACTIVATE: _Authenticator,
    ActionType.AUTHENTICATOR_REPUDIATE: _Authenticator,
    ActionType.CONTACT_CHANGE: _Channel,
    ActionType.CONTACT_REPUDIATE: _Channel,
    ActionType.DESTINATION_ADD: _Listing,
    ActionType.DESTINATION_REMOVE: _Place,
    ActionType.API_KEY_CREATE: _NewKey,
    ActionType.API_KEY_WIDEN: _ChangedKey,
    ActionType.API_KEY_NARROW: _ChangedKey,
    ActionType.API_KEY_REVOKE: _Key,
    "ungated.trade": _Ungated,
    "ungated.order_cancel": _Ungated,
    "ungated.deposit": _Ungated,
    "ungated.balance_read": _Ungated,
    "event.veto": _Veto,
    "event.other_method": _OtherMethod,
    "event.call_owner": _Call,
    "event.dependency": _Turned,
}


def of_its_form(do: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of ``do``; of those that are not of their form, only what is wrong.

    Prevents: a file of which nothing is played, because one step says something in another way.
    """
    try:
        msgspec.convert(given, _FORMS.get(do, _Nothing))
    except (msgspec.ValidationError, OverflowError) as error:
        return {MISFORMED: f"with: {error}"}
    return given
