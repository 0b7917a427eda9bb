"""What the routes serve from: the use cases, and who may call them how often."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import nan
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from twinlock.api.message_signatures import IncomingRequest
from twinlock.api.request import Network, client_address, counted_address, header
from twinlock.api.throttling import Rates, share
from twinlock.domain.answers import Answered
from twinlock.domain.canonical import tagged_hash
from twinlock.domain.errors import TwinlockError
from twinlock.domain.ids import AccountId, ActionId, account_of, parse_account_id, tail
from twinlock.domain.message_signatures import SignatureRefusedError
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.ports import (
    Clock,
    Entropy,
    Idempotency,
    Store,
)
from twinlock.ports.keys import (
    AnswerSigner,
)
from twinlock.ports.notices import Carriers
from twinlock.ports.signals import SignalStreams
from twinlock.services.accounts import Accounts
from twinlock.services.actions.proposing import Actions
from twinlock.services.agreements import Agreements
from twinlock.services.evidence import Evidence
from twinlock.services.exporting import Exporting
from twinlock.services.freeze_links import FreezeLinks
from twinlock.services.integrators import Integrators
from twinlock.services.key_lapses import KeyLapsing
from twinlock.services.legal_holds import LegalHolds
from twinlock.services.logbook import Logbook
from twinlock.services.looking import Looking
from twinlock.services.notices.looking import Inbox
from twinlock.services.notices.reporting import Callbacks, Reporting
from twinlock.services.notices.telling import Telling
from twinlock.services.order_intents import OrderIntents
from twinlock.services.platform_keys import Keys, PlatformKeyRefusedError, Scope
from twinlock.services.proving.taking import Proving
from twinlock.services.public_log import PublicLog
from twinlock.services.signals import Signals
from twinlock.services.spending import Spends
from twinlock.services.transmitting.managing import Transmitting
from twinlock.services.vetoes import Vetoes


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """Every use case, by the feature's name."""

    accounts: Accounts
    actions: Actions
    proving: Proving
    vetoes: Vetoes
    freeze_links: FreezeLinks
    spends: Spends
    agreements: Agreements
    looking: Looking
    evidence: Evidence
    logbook: Logbook
    public_log: PublicLog
    keys: Keys
    legal_holds: LegalHolds
    exporting: Exporting
    telling: Telling
    reporting: Reporting
    callbacks: Callbacks
    inbox: Inbox
    signals: Signals
    order_intents: OrderIntents
    integrators: Integrators
    key_lapsing: KeyLapsing
    transmitting: Transmitting | None = None  # None: there are no receivers of signals.


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What Prometheus reads. Labels are from closed lists; none names a person."""

    registry: CollectorRegistry
    answers: Counter
    engine_errors: Counter
    seconds: Histogram
    order_intents: Counter
    halted: Gauge
    policy: Gauge
    by_route: dict[str, Callable[[float], None]] = field(default_factory=dict)
    by_answer: dict[tuple[str, str], Counter] = field(default_factory=dict)

    def count(self, answered: Answered) -> None:
        """Count one answer of the gate."""
        kind, answer = answered.type, answered.answer.value
        counter = self.by_answer.get((kind, answer))
        if counter is None:
            counter = self.by_answer[kind, answer] = self.answers.labels(kind, answer)
        counter.inc()
        if any(why.code == Reason.ENGINE_ERROR for why in answered.why):
            self.engine_errors.inc()

    def observe(self, route: str, seconds: float) -> None:
        """Count one request to ``route``, the template of a path and never a path."""
        observe = self.by_route.get(route)
        if observe is None:
            observe = self.by_route[route] = self.seconds.labels(route).observe
        observe(seconds)


def new_metrics() -> Metrics:
    """Return fresh metrics in a registry of their own."""
    registry = CollectorRegistry()
    return Metrics(
        registry=registry,
        answers=Counter(
            "twinlock_answers", "Answers of the gate.", ("type", "answer"), registry=registry
        ),
        engine_errors=Counter(
            "twinlock_engine_errors",
            "Refusals since the policy's two engines disagree, or one fails.",
            registry=registry,
        ),
        seconds=Histogram(
            "twinlock_request_seconds", "Seconds a request took.", ("route",), registry=registry
        ),
        order_intents=Counter(
            "twinlock_order_intents",
            "Orders that were examined.",
            ("verdict", "reason"),
            registry=registry,
        ),
        halted=Gauge(
            "twinlock_platform_halted",
            "1 while officers have halted the platform, 0 while they have not, NaN if unknown.",
            registry=registry,
        ),
        policy=Gauge(
            "twinlock_policy",
            "1, by the digest of the policy version by which this process decides.",
            ("digest",),
            registry=registry,
        ),
    )


class Api:
    """The API of one process. ``origin`` is how the world calls it.

    ``policy`` returns the version by which it decides now; ``refused`` is why that is not the one
    that its settings name.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that routes need
        self,
        *,
        use: UseCases,
        store: Store,
        entropy: Entropy,
        clock: Clock,
        rates: Rates,
        answers: AnswerSigner,
        streams: SignalStreams,
        origin: str,
        trusted_proxies: tuple[Network, ...] = (),
        check_health: Callable[[], None] = lambda: None,
        carriers: Carriers | None = None,
        policy: Callable[[], Policy],
        check_ruling: Callable[[], None],
        refused: TwinlockError | None = None,
    ) -> None:
        self.use = use
        self.store = store
        self.entropy = entropy
        self.clock = clock
        self.rates = rates
        self.answers = answers
        self.streams = streams
        self.origin = origin
        self.trusted_proxies = trusted_proxies
        self.check_health = check_health
        self._carriers = carriers
        self.policy = policy
        self.check_ruling = check_ruling
        self.refused = refused
        self.metrics = new_metrics()

    async def measured(self) -> bytes:
        """Return the metrics of this moment."""
        try:
            self.metrics.halted.set(0 if await self.store.halted_at() is None else 1)
        except TwinlockError:  # What is told of this process must not hang on the database.
            self.metrics.halted.set(nan)
        self.metrics.policy.clear()
        self.metrics.policy.labels(self.policy().name.digest).set(1)
        return generate_latest(self.metrics.registry)

    async def notices_are_files(self) -> bool:
        """Say whether nobody carries notices: they are files then, which no customer gets."""
        return self._carriers is None or await self._carriers.are_files()

    async def caller(self, request: Request[Any, Any, Any], scope: Scope, *more: Scope) -> str:
        """Return the actor behind the request's platform key, which has each of these scopes.

        Raises:
            PlatformKeyRefusedError, SignatureRefusedError, ScopeMissingError, RateLimitedError:
                as they say.
        """
        kind, _, presented = header(request, b"authorization").partition(" ")
        if kind.lower() != "bearer":
            raise PlatformKeyRefusedError("a platform key is sent as a bearer token")
        address = client_address(request, trusted=self.trusted_proxies)
        try:
            key_id = await self.use.keys.check(
                presented,
                address=address,
                scope=scope,
                more=more,
                incoming=IncomingRequest(request, origin=self.origin),
            )
        except (PlatformKeyRefusedError, SignatureRefusedError):
            self.rates.refused.take(counted_address(address))
            raise
        self.rates.keys.take(key_id)
        return f"platform:{key_id}"

    def caller_address(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str:
        """Return the name under which requests from where ``connection`` comes from are counted."""
        return counted_address(client_address(connection, trusted=self.trusted_proxies))

    def account(self, account_id: str, *, by: str) -> AccountId:
        """Return a well-formed account id that ``by``, an actor, does not flood.

        Raises:
            MalformedError, RateLimitedError: as they say.
        """
        named = parse_account_id(account_id)
        self.rates.answers.accounts.take(share(by, named))
        return named

    def exported(self, account_id: str, *, by: str) -> AccountId:
        """Return a well-formed account id of which ``by``, an actor, may have one more copy now.

        Raises:
            MalformedError, RateLimitedError: as they say.
        """
        named = parse_account_id(account_id)
        self.rates.exports.take(by)
        self.rates.exports_of_one.take(named)
        return named

    def once(self) -> Idempotency:
        """Return a key that nobody has used: what a page sends has no key of its own."""
        key = f"page-{tail(self.entropy.draw(16))}"
        return Idempotency(key=key, digest=tagged_hash("page/v1", key.encode("ascii")))

    def looked_at(self, action_id: str, *, by: str) -> ActionId:
        """Return a well-formed action id whose account ``by``, an actor, does not flood.

        Raises:
            MalformedError, RateLimitedError: as they say.
        """
        self.rates.answers.accounts.take(share(by, account_of(action_id)))
        return ActionId(action_id)

    def vetoed(self, action_id: str, *, by: str) -> ActionId:
        """Return a well-formed action id that ``by`` may veto, however they flood its account.

        Raises:
            MalformedError, RateLimitedError: as they say.
        """
        account_of(action_id)
        self.rates.stops.take(share(by, action_id))
        return ActionId(action_id)


def api_of(request: Request[Any, Any, Any]) -> Api:
    """Return what this process serves from.

    Litestar's injection does the same for a tenth of what a whole request costs (measured).
    """
    api: Api = request.app.state.api
    return api
