"""Orders, which the platform shows before it places them (``POST /v1/intents``).

A venue shows its orders where its rules name pairs that are liquid: those of ``default`` and
``strict`` do. The rules of 2024 and 2026 know nothing of orders; there the platform lets whoever
has a right trade (``trading.py``).

Always true (tests/unit/range/test_orders.py): an order is shown by the rights that a step lists,
and no others; of many orders the strongest verdict counts.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from twinlock.domain.order_intents.model import (
    INTENTS_MOST,
    TRADE,
    IntentReason,
    Kind,
    Verdict,
    ticket_digest,
)
from twinlock.range.acts import Act, live_session
from twinlock.range.customer import Customer, LiveSession, NotHeldError, NotPlayableError
from twinlock.range.key_use import address_of, key_of
from twinlock.range.leaving import price_of
from twinlock.range.setting_up import neighbour
from twinlock.range.stage import Heard, Stage
from twinlock.range.story import Step
from twinlock.range.words import Mark, Outcome, Person, Proof, Showing

_OUTCOMES = {  # The strongest last.
    Verdict.PASS: Outcome.ALLOW,
    Verdict.ASK: Outcome.CHALLENGE,
    Verdict.REFUSE: Outcome.DENY,
}
NO_SESSION = "session_that_nobody_began"
_STRENGTH = {verdict: place for place, verdict in enumerate(_OUTCOMES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """``count`` orders alike, each worth ``cents``; ``action_id`` is what was spent for them."""

    pair: str
    side: str
    price: str
    cents: int
    count: int = 1
    kind: Kind = Kind.ORDER
    action_id: str = ""

    def intent(self, account_id: str, right: dict[str, str]) -> dict[str, Any]:
        """Return one of them as it is shown."""
        return {
            "account_id": account_id,
            "pair": self.pair,
            "side": self.side,
            "notional_cents": self.cents,
            "price": self.price,
            "mid": price_of(self.pair),
            "kind": self.kind.value,
            "action_id": self.action_id,
            **right,
        }


class _Right(NamedTuple):
    """By what an order is shown: fields of the intent, and tickets beside it."""

    fields: dict[str, str]
    tickets: list[dict[str, Any]]


def reports_orders(stage: Stage) -> bool:
    """Say whether the platform shows its orders."""
    return bool(stage.policy.statutes.trading.liquid)


def unusual(act: Act) -> Orders:
    """Return the orders that an act of ``trade.unusual`` is about."""
    asked = act.payload
    each = max(1, act.value_cents // asked["orders"])
    return Orders(
        pair=asked["pair"],
        side=asked["side"],
        price=asked["price"],
        cents=each,
        count=asked["orders"],
    )


async def show_orders(stage: Stage, step: Step, orders: Orders) -> Heard:
    """Show ``orders`` by each right that ``step`` lists, until one does, and return the answer.

    Raises:
        NotPlayableError: a right has a mark that means nothing here.
        ProblemError: the service failed.
    """
    heard = Heard(outcome=Outcome.DENY, codes=(IntentReason.NO_RIGHT.value,))
    for showing in step.showings:
        if showing.proof not in (Proof.SESSION, Proof.API_KEY):
            continue
        right = await _right(stage, step, showing)
        heard = await _examined(stage, orders, right)
        if heard.outcome is not Outcome.DENY:
            return heard
    return heard


async def refused_before(stage: Stage, step: Step, act: Act) -> Heard | None:
    """Return the refusal of unusual orders before anybody is asked; None where the gate asks."""
    rights = {one.proof for one in step.showings} & {Proof.SESSION, Proof.API_KEY}
    if not rights or not reports_orders(stage):
        return None
    heard = await show_orders(stage, step, unusual(act))
    return heard if heard.outcome is Outcome.DENY else None


async def placed(stage: Stage, step: Step, act: Act, heard: Heard) -> Heard:
    """Show the orders again with what was spent for them, and note whether they may be placed."""
    if not heard.taken_cents or not reports_orders(stage):
        return heard
    spent = replace(unusual(act), action_id=heard.action_id)
    told = await show_orders(stage, step, spent)
    if told.outcome is Outcome.ALLOW:
        return heard
    note = f"spent, and the orders do not pass: {', '.join(told.codes)}"
    return replace(heard, notes=(*heard.notes, note))


async def _right(stage: Stage, step: Step, showing: Showing) -> _Right:
    if showing.proof is Proof.API_KEY:
        return await _by_key(stage, step, showing)
    return await _by_session(stage, step, showing)


async def _by_session(stage: Stage, step: Step, showing: Showing) -> _Right:
    if showing.mark is Mark.DURESS:
        raise NotPlayableError(f"{showing}: not understood here")
    if showing.mark is Mark.NEW and step.by not in stage.sessions:
        return _Right({"session_id": NO_SESSION}, [])
    if showing.mark is Mark.OTHER_ACCOUNT:
        other = await neighbour(stage)
        return _signed(other, await other.sign_in(), purpose=TRADE)
    copied = showing.mark is Mark.COPIED
    try:
        session = await live_session(stage, Person.ALICE if copied else step.by)
    except NotHeldError:
        return _Right({"session_id": NO_SESSION}, [])
    if copied:  # A cookie names a session, and has not its device's key.
        return _Right({"session_id": session.session_id}, [])
    again = showing.mark in (Mark.OTHER_ACTION, Mark.SPENT)  # What it signed was for no trade.
    return _signed(stage.customer, session, purpose="proposal" if again else TRADE)


def _signed(customer: Customer, session: LiveSession, *, purpose: str) -> _Right:
    """Return a session as a right, with the ticket that its device signed for ``purpose``."""
    account = customer.account_id
    signed = customer.signed(session, ticket_digest(account), purpose=purpose, name=account)
    return _Right({"session_id": session.session_id}, [{"account_id": account, **signed}])


async def _by_key(stage: Stage, step: Step, showing: Showing) -> _Right:
    if showing.mark not in (None, Mark.NEW, Mark.COPIED):
        raise NotPlayableError(f"{showing}: not understood here")
    try:
        key = key_of(stage, step)
    except NotHeldError:
        return _Right({"api_key_id": "key_that_nobody_made"}, [])
    seen = await stage.account()
    ids = {one["public_key"]: str(one["api_key_id"]) for one in seen["api_keys"]}
    named = ids.get(key.public_key, "key_that_is_gone")
    return _Right({"api_key_id": named, "ip": address_of(key, step, mark=showing.mark)}, [])


async def _examined(stage: Stage, orders: Orders, right: _Right) -> Heard:
    one = orders.intent(stage.customer.account_id, right.fields)
    told: list[dict[str, Any]] = []
    for first in range(0, orders.count, INTENTS_MOST):
        batch = [one] * min(INTENTS_MOST, orders.count - first)
        told += await stage.venue.client.examine(batch, tickets=right.tickets)
    strongest = max((Verdict(answer["verdict"]) for answer in told), key=_STRENGTH.__getitem__)
    why = [
        code for answer in told if answer["verdict"] == strongest for code in answer.get("why", ())
    ]
    return Heard(outcome=_OUTCOMES[strongest], codes=tuple(dict.fromkeys(why)))
