"""What the routes serve from: the use cases, and who may call them how often."""

from dataclasses import dataclass
from typing import Any

from litestar import Request
from prometheus_client import CollectorRegistry, Counter, Histogram

from twinlock.api.request import Network, client_address
from twinlock.api.throttling import Buckets
from twinlock.domain.ids import ActionId, account_of
from twinlock.ports import Entropy, Store
from twinlock.services.accounts import Accounts
from twinlock.services.actions import Actions
from twinlock.services.evidence import Evidence
from twinlock.services.logbook import Logbook
from twinlock.services.looking import Looking
from twinlock.services.platform_keys import Keys, PlatformKeyRefusedError, Scope
from twinlock.services.proving import Proving
from twinlock.services.spending import Spends
from twinlock.services.vetoes import Vetoes


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """Every use case, by the feature's name."""

    accounts: Accounts
    actions: Actions
    proving: Proving
    vetoes: Vetoes
    spends: Spends
    looking: Looking
    evidence: Evidence
    logbook: Logbook
    keys: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What Prometheus reads. Labels are from closed lists; none names a person."""

    registry: CollectorRegistry
    answers: Counter
    seconds: Histogram


def new_metrics() -> Metrics:
    """Return fresh metrics in a registry of their own."""
    registry = CollectorRegistry()
    return Metrics(
        registry=registry,
        answers=Counter(
            "twinlock_answers", "Answers of the gate.", ("type", "answer"), registry=registry
        ),
        seconds=Histogram(
            "twinlock_request_seconds", "Seconds a request took.", ("route",), registry=registry
        ),
    )


class Api:
    """The API of one process."""

    def __init__(
        self,
        *,
        use: UseCases,
        store: Store,
        entropy: Entropy,
        key_buckets: Buckets,
        account_buckets: Buckets,
        trusted_proxies: tuple[Network, ...] = (),
    ) -> None:
        self.use = use
        self.store = store
        self.entropy = entropy
        self.key_buckets = key_buckets
        self.account_buckets = account_buckets
        self.trusted_proxies = trusted_proxies
        self.metrics = new_metrics()

    async def caller(self, request: Request[Any, Any, Any], scope: Scope) -> str:
        """Return the actor behind the request's platform key.

        Raises:
            PlatformKeyRefusedError, ScopeMissingError, RateLimitedError: as they say.
        """
        kind, _, presented = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            raise PlatformKeyRefusedError("a platform key is sent as a bearer token")
        address = client_address(request, trusted=self.trusted_proxies)
        key_id = await self.use.keys.check(presented, address=address, scope=scope)
        self.key_buckets.take(key_id)
        return f"platform:{key_id}"

    def named(self, action_id: str) -> ActionId:
        """Return a well-formed action id whose account is not being flooded.

        Raises:
            MalformedError, RateLimitedError: as they say.
        """
        self.account_buckets.take(account_of(action_id))
        return ActionId(action_id)


def api_of(request: Request[Any, Any, Any]) -> Api:
    """Return what this process serves from.

    Litestar's injection does the same for a tenth of what a whole request costs (measured).
    """
    api: Api = request.app.state.api
    return api
