"""Examining orders that a platform is about to place, many at once.

Nothing that passes is an entry of the log. That a key traded is, once for each of its days; and
that a session does, every half an hour. What is due in the account is settled where an order does
not pass.

Always true (tests/integration/test_order_intents_store.py): what any process committed before a
batch is asked about, a freeze above all, is seen by it; a database that does not answer lets
nothing pass.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple, TypeVar

from twinlock.domain.account import State
from twinlock.domain.bounds import SESSION_TOLD_EVERY, SIGNED_AT_TOLERANCE
from twinlock.domain.canonical import encode
from twinlock.domain.commands import RecordTrading, SessionSignature
from twinlock.domain.decisions import Decided, Rules
from twinlock.domain.errors import MalformedError, SealBrokenError, TwinlockError, present
from twinlock.domain.gate import decide
from twinlock.domain.ids import (
    AccountId,
    ActionId,
    ApiKeyId,
    SessionId,
    account_of,
    parse_account_id,
)
from twinlock.domain.order_intents.judging import Count, Known, Name, examine, names_of
from twinlock.domain.order_intents.model import (
    TRADE,
    Examined,
    Intent,
    IntentBatch,
    Kind,
    Ticket,
    Verdict,
    ticket_digest,
)
from twinlock.domain.order_intents.view import TradePermit, TradingView, permit_of, used_today
from twinlock.ports import Clock, Committed, Policies, Store, Work
from twinlock.ports.order_intents import OrderCounts
from twinlock.ports.ruled import by_rules
from twinlock.proofs.sessions import check_session

K = TypeVar("K")
T = TypeVar("T")
ACTOR = "system:order-intents"
REMEMBERED_MOST = 20_000  # Tickets, permits, and what was due: a few MB.
TOLD_MOST = 16  # Accounts of which one batch tells the log that they trade; the next tells of more.


class _Basis(NamedTuple):
    """By what one batch is examined; ``tickets`` are thumbprints of devices."""

    rules: Rules
    now: datetime
    permits: Mapping[str, TradePermit]
    tickets: Mapping[tuple[str, str], str]


class _Found(NamedTuple):
    """Answers in the order of their orders, and the accounts that they were found by."""

    answers: tuple[Examined, ...]
    views: Mapping[str, TradingView]


class OrderIntents:
    """The use case of examining orders."""

    def __init__(
        self, store: Store, *, counts: OrderCounts, clock: Clock, policies: Policies
    ) -> None:
        self._store = store
        self._counts = counts
        self._clock = clock
        self._policies = policies
        self._tickets: OrderedDict[bytes, SessionSignature] = OrderedDict()
        self._permits: OrderedDict[str, TradePermit] = OrderedDict()
        self._tried: OrderedDict[str, datetime] = OrderedDict()

    async def examine(self, batch: IntentBatch) -> tuple[Examined, ...]:
        """Return the answer to each intent of ``batch``, in order.

        Raises:
            UnavailableError, ClockUntrustedError: nothing is examined, and nothing counted.
        """
        now, rules = self._clock.now(database_at=None), self._policies.rules()
        intents = batch.intents
        basis = _Basis(
            rules=rules,
            now=now,
            permits=await self._permits_of(intents),
            tickets=self._signed_by(batch.tickets, now=now),
        )
        found = await self._examined(intents, basis)
        answers, views = list(found.answers), dict(found.views)
        again = await self._settled(intents, found, basis)
        if again:
            anew = await self._examined(tuple(intents[one] for one in again), basis)
            views.update(anew.views)
            for one, answer in zip(again, anew.answers, strict=True):
                answers[one] = answer
        told = tuple(answers)
        await self._tell(_to_tell(intents, told, views, now=now))
        return told

    async def _examined(self, intents: tuple[Intent, ...], basis: _Basis) -> _Found:
        found: list[_Found] = []

        def run(views: Mapping[str, TradingView], counts: Mapping[Name, Count]) -> None:
            known = Known(
                rules=basis.rules.policy.statutes.trading,
                views=views,
                permits=basis.permits,
                tickets=basis.tickets,
                now=basis.now,
                prices=basis.rules.prices,
            )
            found.append(_Found(answers=examine(intents, known, counts), views=views))

        names = names_of(intents, basis.permits)
        await self._counts.examine(frozenset(_accounts(intents)), names, run, now=basis.now)
        return found[-1]

    # --- What is due ---

    async def _settled(
        self, intents: tuple[Intent, ...], found: _Found, basis: _Basis
    ) -> tuple[int, ...]:
        """Settle what is due where orders did not pass; return the numbers of those orders.

        Nobody has to end a wait: a key that was asked for a day ago trades, and so does who lifted
        a freeze, though nobody has looked since. What is due and does not take effect, because
        something is missing, is tried once, and once more with whatever is due later. Prevents: one
        change that lacks something, behind which nothing else takes effect.
        """
        late: dict[str, list[int]] = {}
        for number, intent in enumerate(intents):
            view = found.views.get(intent.account_id)
            if view is None or found.answers[number].verdict is Verdict.PASS:
                continue
            at = view.due_at(basis.now)
            if at is not None and self._tried.get(view.account_id) != at:
                late.setdefault(view.account_id, []).append(number)
        some = dict(list(late.items())[:TOLD_MOST])
        done = await self._run(dict.fromkeys(some, RecordTrading()))
        for named in done:
            at = present(found.views[named].due_at(basis.now), "it was due")
            _keep(self._tried, named, at)
        return tuple(sorted(one for named in done for one in some[named]))

    # --- What the platform names ---

    def _signed_by(
        self, tickets: tuple[Ticket, ...], *, now: datetime
    ) -> dict[tuple[str, str], str]:
        """Return the thumbprints of the devices that signed a ticket that is good at ``now``."""
        found = {}
        for ticket in tickets:
            signed = self._signature(ticket)
            at = signed.signed_at
            if at is not None and abs(now - at) <= SIGNED_AT_TOLERANCE:
                found[ticket.account_id, ticket.session_id] = signed.thumbprint
        return found

    def _signature(self, ticket: Ticket) -> SessionSignature:
        """Return what a ticket's signature is worth, which costs as much as ten orders once."""
        name = sha256(encode(ticket)).digest()  # Of all of it, and short however long it is.
        known = self._tickets.get(name)
        if known is None:
            digest = ticket_digest(ticket.account_id)
            known = check_session(ticket, purpose=TRADE, name=ticket.account_id, digest=digest)
            _keep(self._tickets, name, known)
        return known

    async def _permits_of(self, intents: tuple[Intent, ...]) -> dict[str, TradePermit]:
        """Return what spent exits let pass: nothing while officers have halted every exit."""
        found: dict[str, TradePermit] = {}
        every = {one.action_id for one in intents if one.action_id}
        if not every or await self._store.halted_at() is not None:
            return found
        for named in every:
            permit = self._permits.get(named) or await self._permit(named)
            if permit is not None:
                found[named] = permit
        return found

    async def _permit(self, named: str) -> TradePermit | None:
        """Return what an action that is over lets pass; what is over never changes.

        What names none, or does not open, lets nothing pass, and fails no neighbour.
        """
        try:
            account_of(named)
            permit = permit_of(await self._store.closed_action(ActionId(named)))
        except (MalformedError, SealBrokenError):
            return None
        if permit is not None:
            _keep(self._permits, named, permit)
        return permit

    # --- What the log is told ---

    async def _tell(self, due: Mapping[str, RecordTrading]) -> None:
        """Tell the log of keys and sessions that trade; what fails is told by a later batch."""
        await self._run(dict(list(due.items())[:TOLD_MOST]))

    async def _run(self, of: Mapping[str, RecordTrading]) -> tuple[str, ...]:
        """Commit what is told of these accounts; return those of which it was."""
        works = [self._record(AccountId(one), used) for one, used in of.items()]
        done = []
        for named, result in zip(
            of, await asyncio.gather(*works, return_exceptions=True), strict=True
        ):
            if not isinstance(result, BaseException):
                done.append(named)
            elif not isinstance(result, TwinlockError):
                raise result
        return tuple(done)

    async def _record(self, named: AccountId, used: RecordTrading) -> Committed:
        return await by_rules(
            self._policies, lambda rules: self._store.run(_work(named, used, rules))
        )


def _keep(known: OrderedDict[K, T], name: K, value: T) -> None:
    known[name] = value
    while len(known) > REMEMBERED_MOST:
        known.popitem(last=False)


def _accounts(intents: tuple[Intent, ...]) -> Iterable[AccountId]:
    for named in {one.account_id for one in intents}:
        try:
            yield parse_account_id(named)
        except MalformedError:
            continue


def _to_tell(
    intents: tuple[Intent, ...],
    answers: tuple[Examined, ...],
    views: Mapping[str, TradingView],
    *,
    now: datetime,
) -> dict[str, RecordTrading]:
    """Return by which keys and sessions orders passed, where the log was not told of late."""
    keys: dict[str, set[ApiKeyId]] = {}
    sessions: dict[str, set[SessionId]] = {}
    for intent, answer in zip(intents, answers, strict=True):
        if answer.verdict is not Verdict.PASS or intent.kind is Kind.CANCEL:
            continue
        view = views[intent.account_id]
        if intent.api_key_id:
            if not used_today(view.keys[intent.api_key_id], now):
                keys.setdefault(intent.account_id, set()).add(ApiKeyId(intent.api_key_id))
        elif now >= view.sessions[intent.session_id].seen_at + SESSION_TOLD_EVERY:
            sessions.setdefault(intent.account_id, set()).add(SessionId(intent.session_id))
    return {
        named: RecordTrading(
            api_key_ids=tuple(sorted(keys.get(named, ()))),
            session_ids=tuple(sorted(sessions.get(named, ()))),
        )
        for named in keys.keys() | sessions.keys()
    }


def _work(named: AccountId, used: RecordTrading, rules: Rules) -> Work:
    def run(state: State, now: datetime) -> Decided:
        return decide(state, used, rules=rules, now=now)

    return Work(account_id=named, decide=run, actor=ACTOR, policy=rules.policy.name)
