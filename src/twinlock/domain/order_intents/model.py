"""Order intents as they come in, and what is answered to each."""

import re
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.canonical import b64url, tagged_hash
from twinlock.domain.discreet import Discreet
from twinlock.domain.drafts import Place
from twinlock.domain.sessions import SignedDraft

INTENTS_MOST = 1_000  # In one batch: a tenth of a second of one process.
TRADE = "trade"  # What a device signs for when its session trades.
_DECIMALS = 30
UNIT: int = 10**_DECIMALS  # A price of 1, as ``scaled`` has it.
_PRICE = re.compile(r"(0|[1-9][0-9]{0,29})(?:\.([0-9]{1,30}))?")


class Kind(StrEnum):
    """What an order does to what the customer has open."""

    ORDER = "order"
    REDUCE = "reduce"  # it can only make a position smaller
    CANCEL = "cancel"


class Intent(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order that the platform is about to place, and by what right.

    ``session_id`` or ``api_key_id`` with ``ip``. ``price`` is the worst that it is filled at, empty
    for any; ``mid`` the middle of the book as the platform sees it. ``action_id`` names a
    ``trade.unusual`` that was spent for it.
    """

    HIDDEN = frozenset({"ip"})

    account_id: Annotated[str, Meta(max_length=64)]
    pair: Place
    side: Literal["buy", "sell"]
    notional_cents: Annotated[int, Meta(ge=1, le=MAX_VALUE_CENTS)]
    kind: Kind = Kind.ORDER
    price: Annotated[str, Meta(max_length=61)] = ""
    mid: Annotated[str, Meta(max_length=61)] = ""
    session_id: Annotated[str, Meta(max_length=64)] = ""
    api_key_id: Annotated[str, Meta(max_length=64)] = ""
    ip: Annotated[str, Meta(max_length=45)] = ""
    action_id: Annotated[str, Meta(max_length=128)] = ""


class Ticket(SignedDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session's device says that it trades: good for five minutes around ``signed_at``."""

    account_id: Annotated[str, Meta(max_length=64)]


class IntentBatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Intents of any accounts, and the tickets of the sessions that they name."""

    intents: Annotated[tuple[Intent, ...], Meta(min_length=1, max_length=INTENTS_MOST)]
    tickets: Annotated[tuple[Ticket, ...], Meta(max_length=INTENTS_MOST)] = ()


class Verdict(StrEnum):
    """What the platform does with an order."""

    PASS = "pass"  # noqa: S105 - a word of the API
    ASK = "ask"  # propose ``trade.unusual``, and come again when it is spent
    REFUSE = "refuse"


class IntentReason(StrEnum):
    """Why an order does not just pass."""

    ACCOUNT_UNKNOWN = "account_unknown"
    MALFORMED = "intent_malformed"
    NO_RIGHT = "no_right"
    SESSION_GONE = "session_gone"
    SESSION_READ_ONLY = "session_read_only"
    PROOF_NOT_BOUND = "proof_not_bound"
    KEY_GONE = "api_key_gone"
    KEY_STOPPED = "api_key_stopped"
    KEY_LAPSED = "api_key_lapsed"
    KEY_SCOPE = "api_key_scope"
    KEY_IP = "api_key_ip"
    KEY_PAIR = "api_key_pair"
    KEY_BAND = "api_key_band"
    KEY_NOTIONAL = "api_key_notional"
    ACCOUNT_FROZEN = "account_frozen"
    TRADE_FAR = "trade_far"
    TRADE_RATE = "trade_rate"


class Suggested(msgspec.Struct, frozen=True, kw_only=True):
    """What to propose: the asset that is given, and how much, the platform knows."""

    pair: str
    side: str
    price: str
    type: str = "trade.unusual"


class Examined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to one intent."""

    verdict: Verdict
    why: tuple[IntentReason, ...] = ()
    propose: Suggested | None = None


def ticket_digest(account_id: str) -> str:
    """Return the digest that a device signs in its session to trade, base64url of 32 bytes."""
    return b64url(tagged_hash("order-ticket/v1", account_id.encode()))


def scaled(text: str) -> int | None:
    """Return a price as a whole number of 10^-30, or None where ``text`` is none, or zero."""
    found = _PRICE.fullmatch(text)
    if found is None:
        return None
    whole, part = found.groups()
    return int(whole + (part or "").ljust(_DECIMALS, "0")) or None
