"""What the platform lets people do without the gate: it trades, and asks only who they are.

Trading, cancelling, paying in and looking are not gated; a missing right stops them, and a freeze
stops trading (law 5: orders are cancelled under any freeze). So the platform lets whoever shows a
right that Twinlock still vouches for: a live session of the account, or an API key whose powers
include it, from its list of addresses. Where its rules speak of orders, it shows them first
(``orders.py``).

Always true (tests/unit/range/test_trading.py): what ended, was revoked or was never made gives no
right; nothing here moves value out of the account.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from twinlock.domain.api_keys import lies_in
from twinlock.domain.laws import a_proof_counts_once
from twinlock.domain.order_intents.model import Kind
from twinlock.domain.policy.facts import Within
from twinlock.domain.reasons import Reason
from twinlock.range.acts import TOLD, live_session
from twinlock.range.api_keys import TRADE_SCOPE, VIA
from twinlock.range.customer import NotHeldError, NotPlayableError
from twinlock.range.key_use import address_of, key_of
from twinlock.range.leaving import in_books, price_of
from twinlock.range.orders import Orders, reports_orders, show_orders
from twinlock.range.places import pair_of
from twinlock.range.stage import Heard, Stage
from twinlock.range.story import Step
from twinlock.range.words import Mark, Outcome, Person, Proof, Showing

TRADE, CANCEL, DEPOSIT, READ = (
    f"ungated.{name}" for name in ("trade", "order_cancel", "deposit", "balance_read")
)
_SCOPES = {  # Of an API key: one of them is enough.
    TRADE: {TRADE_SCOPE},
    CANCEL: {TRADE_SCOPE},
    DEPOSIT: {"read", TRADE_SCOPE},
    READ: {"read", TRADE_SCOPE},
}
_KINDS = {TRADE: Kind.ORDER, CANCEL: Kind.CANCEL}
_UNDERSTOOD = frozenset({"via", "key", "from", "amount", "asset", "times"})
# Who is on the other side, and which orders are cancelled, the gate does not ask.
_OF_TRADES = frozenset({"sell", "buy", "side", "pair", "inside_band", "price_to_mid"})
_TOLD = frozenset({"counterparty", "order", "orders", "network"})
_UNSIGNED = (Mark.COPIED, Mark.OTHER_ACTION, Mark.SPENT)  # Nothing is signed for this action.
_OUTSIDE = "1.1"  # Times the middle: what is outside of every band here.
NO_RIGHT, KEY_GONE, SESSION_GONE = "no_right", "api_key_gone", "session_gone"


async def ungated(stage: Stage, step: Step) -> Heard:
    """Let the platform do what ``step`` asks beside the gate, if a right to it is alive.

    Raises:
        NotPlayableError: it has a word that cannot be played.
    """
    _check_understood(step)
    if step.do in _KINDS and reports_orders(stage):
        return await show_orders(stage, step, _orders(stage, step))
    seen = await stage.account()
    why = await _missing_right(stage, step)
    frozen = seen["frozen_until"]
    if not why and step.do == TRADE and frozen and _instant(frozen) > stage.venue.now:
        why = Reason.ACCOUNT_FROZEN.value
    if why:
        return Heard(outcome=Outcome.DENY, codes=(why,))
    return Heard(outcome=Outcome.ALLOW)


def _check_understood(step: Step) -> None:
    words = _UNDERSTOOD | (_OF_TRADES if step.do == TRADE else frozenset())
    strange = set(step.given) - words - TOLD - _TOLD
    if strange:
        raise NotPlayableError(f"{step.do} with {min(strange)!r}: not understood here")
    if step.given.get("via", VIA) != VIA:
        raise NotPlayableError(f"{step.do} via {step.given['via']!r}: not understood here")
    if step.given.get("side", "buy") not in ("buy", "sell"):
        raise NotPlayableError(f"side: {step.given['side']!r}: buy or sell")


def _orders(stage: Stage, step: Step) -> Orders:
    given = step.given
    pair = pair_of(str(given.get("pair", "liquid")))
    asset = in_books(stage, pair.split("/", 1)[1])
    return Orders(
        pair=pair,
        side=str(given.get("side", "sell" if "sell" in given else "buy")),
        price=price_of(pair, _to_mid(given)),
        cents=stage.amount(given.get("amount", "small"), asset)[1],
        count=int(given.get("times", 1)),
        kind=_KINDS[step.do],
    )


def _to_mid(given: Mapping[str, Any]) -> object:
    """Return how many times the middle an order's price is: inside the band where nothing says."""
    return given.get("price_to_mid", 1 if given.get("inside_band", True) else _OUTSIDE)


async def _missing_right(stage: Stage, step: Step) -> str:
    """Return why nothing that is shown gives the right; "" where one does."""
    why = NO_RIGHT
    for showing in step.showings:
        if showing.proof is Proof.API_KEY:
            why = await _by_key(stage, step, showing)
        elif showing.proof is Proof.SESSION:
            why = await _by_session(stage, step.by, showing)
        if not why:
            return ""
    return why


async def _by_session(stage: Stage, person: Person, showing: Showing) -> str:
    if showing.mark is Mark.DURESS:
        raise NotPlayableError(f"{showing}: not understood here")
    gone = showing.mark is Mark.NEW and person not in stage.sessions
    if gone or showing.mark is Mark.OTHER_ACCOUNT:
        return SESSION_GONE
    copied = showing.mark in _UNSIGNED
    if copied and a_proof_counts_once in stage.venue.book.laws:
        return Reason.PROOF_NOT_BOUND.value
    try:
        session = await live_session(stage, Person.ALICE if copied else person)
    except NotHeldError:
        return SESSION_GONE
    seen = await stage.account()
    full = {one["session_id"] for one in seen["sessions"] if not one["read_only"]}
    return "" if session.session_id in full else SESSION_GONE


async def _by_key(stage: Stage, step: Step, showing: Showing) -> str:
    if showing.mark not in (None, Mark.NEW, Mark.COPIED):
        raise NotPlayableError(f"{showing}: not understood here")
    try:
        key = key_of(stage, step)
    except NotHeldError:
        return KEY_GONE
    seen = await stage.account()
    for one in seen["api_keys"]:
        if one["public_key"] == key.public_key:
            return _of_key(one, step, address_of(key, step, mark=showing.mark))
    return KEY_GONE


def _of_key(one: dict[str, Any], step: Step, ip: str) -> str:
    """Return why a key that is there gives no right to ``step``; "" where it does."""
    if one["stopped"]:
        return Reason.API_KEY_STOPPED.value
    if _SCOPES[step.do].isdisjoint(one["scopes"]):
        return Reason.API_KEY_SCOPE.value
    return Reason.API_KEY_IP.value if lies_in(one["ip_list"], ip) is Within.OUTSIDE else ""


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
