"""One process that serves: its use cases, what runs beside them, and the pages.

The rules are an argument: ``twinlock serve`` passes ``rule_book()``, which holds ``LAWS`` and
nothing weaker.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace

from litestar import Router
from litestar.datastructures import State

from twinlock.adapters.beside import attempt, beside
from twinlock.adapters.hashing import ThreadHasher
from twinlock.adapters.keys_at_work import LOOK_SECONDS as KEYS_SECONDS
from twinlock.adapters.keys_at_work import KeysAtWork
from twinlock.adapters.known_passwords import KnownPasswords
from twinlock.adapters.letters import InTime, LetterFiles
from twinlock.adapters.revival import looked_after
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.api_key_marks import SqlMarkedAccounts
from twinlock.adapters.sql.order_intents import SqlOrderCounts
from twinlock.adapters.sql.outbox import Outbox
from twinlock.adapters.sql.platform_keys import SqlPlatformKeys
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.records import SqlRecords
from twinlock.adapters.system import SystemEntropy, own_clock
from twinlock.adapters.webhooks import pumps as webhook_pumps
from twinlock.adapters.witnesses import open_publishing
from twinlock.api.serving import Api, UseCases
from twinlock.api.throttling import Rates
from twinlock.api.witnessing import WitnessMetrics
from twinlock.bootstrap.anchoring import anchored
from twinlock.bootstrap.rulebook import BookPolicies, RuleBook
from twinlock.bootstrap.world import World
from twinlock.domain.policy.version import Policy
from twinlock.ports import Clock, PolicyTexts, PriceFeed, Relay, Store
from twinlock.ports.keys import MarkedAccounts, PlatformKeys
from twinlock.ports.log import PublishedHeads
from twinlock.ports.order_intents import OrderCounts
from twinlock.ports.records import Records
from twinlock.proofs.passkeys import RelyingParty
from twinlock.services.accounts import Accounts
from twinlock.services.actions.proposing import Actions
from twinlock.services.evidence import Evidence
from twinlock.services.exporting import Exporting
from twinlock.services.integrators import Integrators
from twinlock.services.legal_holds import LegalHolds
from twinlock.services.logbook import Logbook, NewestHeads
from twinlock.services.looking import Looking
from twinlock.services.order_intents import OrderIntents
from twinlock.services.platform_keys import Keys
from twinlock.services.proving import Proving
from twinlock.services.spending import Spends
from twinlock.services.vetoes import Vetoes
from twinlock.web.routes import page_router
from twinlock.web.serving import Pages

OUTBOX_SECONDS = 0.2  # Between two looks at the outbox; a notice leaves within a second.

ANCHOR_SECONDS = 1.0  # Between two looks at the log's head; two fsyncs a second at most.

FORGET_SECONDS = 3600.0  # Between two looks for idempotency keys that are a week old.

OUTBOX_MOST = 100  # Messages in one transaction.


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelves:
    """Where one process keeps things: state and log, platforms' keys, policies, the outbox.

    ``at_work`` are the installation's own keys, where somebody follows what becomes of them.
    """

    store: Store
    keys: PlatformKeys
    policies: PolicyTexts
    outbox: Relay
    records: Records
    order_counts: OrderCounts
    marked: MarkedAccounts
    at_work: KeysAtWork | None = None
    published: PublishedHeads | None = None  # None: every committed head may be shown.


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """What the range turns and ``serve`` never passes.

    ``seconds`` is what rates are counted by, ``outbox_seconds`` the pause between two looks at the
    outbox; ``through`` stands between the use cases and their store. ``earlier`` is a book that
    decided before the one that is served, and ``in_force`` says by which of them to decide now.
    """

    seconds: Callable[[], float] = time.monotonic
    outbox_seconds: float = OUTBOX_SECONDS
    through: Callable[[Store], Store] = lambda store: store
    earlier: RuleBook | None = None
    in_force: Callable[[RuleBook], RuleBook] = lambda book: book


@asynccontextmanager
async def open_api(
    world: World,
    *,
    book: RuleBook,
    clock: Clock | None = None,
    prices: PriceFeed | None = None,
    steering: Steering | None = None,
) -> AsyncIterator[Api]:
    """Open the use cases of one process, with its share of the outbox; close them on leaving."""
    settings = world.settings
    async with (
        own_clock(settings.data_dir / "clock-anchor.json")
        if clock is None
        else nullcontext(clock) as trusted,
        anchored(world, trusted) as (kept, anchoring, keys),
    ):
        await anchoring.check()
        order_counts = SqlOrderCounts(kept)
        shelves = Shelves(
            store=kept,
            keys=SqlPlatformKeys(kept),
            policies=SqlPolicyTexts(kept.database),
            outbox=Outbox(kept),
            records=SqlRecords(kept),
            order_counts=order_counts,
            marked=SqlMarkedAccounts(kept.database),
            at_work=keys,
        )

        async def forget_keys() -> None:
            now = trusted.now(database_at=None)
            await kept.forget_keys(now=now)
            await order_counts.forget(now=now)

        async with (
            looked_after(world.server, kept.database.ping),
            beside("keyring_waits", keys.look, pause=KEYS_SECONDS),
            beside("anchor_waits", anchoring.follow, pause=ANCHOR_SECONDS),
            beside("forgetting_waits", forget_keys, pause=FORGET_SECONDS),
            open_publishing(settings, world.keyring, kept, keys=keys, clock=trusted) as published,
            open_on(
                replace(shelves, published=published),
                world,
                book=book,
                clock=trusted,
                prices=prices or keys.price_file(settings.price_file),
                steering=steering or Steering(),
            ) as api,
            webhook_pumps.delivering(kept, settings, clock=trusted, registry=api.metrics.registry),
        ):
            api.metrics.registry.register(WitnessMetrics(published))
            yield api
        # A stop in good order leaves nothing that is not anchored.
        await attempt("anchor_waits", anchoring.follow)


@asynccontextmanager
async def open_on(
    shelves: Shelves,
    world: World,
    *,
    book: RuleBook,
    clock: Clock,
    prices: PriceFeed,
    steering: Steering,
) -> AsyncIterator[Api]:
    """Open the use cases of one process on what it keeps things in; close them on leaving."""
    for one in (book, steering.earlier):
        if one is not None:
            await shelves.policies.keep(one.policy.text)  # Before it decides anything.
    store, seconds = steering.through(shelves.store), steering.seconds
    kept = replace(shelves, store=store)
    letters = LetterFiles(world.settings.outbox_dir, store, origin=world.settings.origin)
    in_time = InTime(letters.send, clock=clock)

    async def hand_on() -> None:
        while await shelves.outbox.deliver(in_time.send, most=OUTBOX_MOST) == OUTBOX_MOST:
            pass

    keys = shelves.at_work or KeysAtWork.of(world.keyring, world.settings)
    async with beside("outbox_waits", hand_on, pause=steering.outbox_seconds):
        yield Api(
            use=_use_cases(
                world,
                kept,
                keys,
                in_force=lambda: steering.in_force(book),
                clock=clock,
                prices=prices,
            ),
            store=store,
            entropy=SystemEntropy(),
            clock=clock,
            rates=Rates(seconds),
            answers=keys.answers,
            origin=world.settings.origin,
            trusted_proxies=world.settings.trusted_proxies,
            # Keys that nobody follows are as good as they were when they were read.
            check_health=keys.check_health if shelves.at_work else lambda: None,
        )


def page_routes(settings: Settings, *, policy: Policy) -> Router:
    """Return the routes of the pages for people; their use cases are those of the process."""

    def pages(state: State) -> Pages:
        api: Api = state.api

        return Pages(
            looking=api.use.looking,
            proving=api.use.proving,
            vetoes=api.use.vetoes,
            destinations=api.use.accounts.destinations,
            policy=policy,
            visit=lambda connection: api.rates.pages.take(api.caller_address(connection)),
            visit_to_veto=lambda connection: api.rates.page_vetoes.take(
                api.caller_address(connection)
            ),
            answer=lambda connection, action_id: api.rates.page_answers.take(
                action_id, by=api.caller_address(connection)
            ),
            once=api.once,
            count=api.metrics.count,
        )

    return page_router(origin=settings.origin, entropy=SystemEntropy(), pages=pages)


def _use_cases(
    world: World,
    shelves: Shelves,
    keys: KeysAtWork,
    *,
    in_force: Callable[[], RuleBook],
    clock: Clock,
    prices: PriceFeed,
) -> UseCases:
    settings, entropy, store = world.settings, SystemEntropy(), shelves.store
    signer = keys.signer(log_origin=settings.log_origin)
    heads = shelves.published or NewestHeads(store, signer=signer)
    policies = BookPolicies(in_force, prices=prices, signer=signer)
    blind = keys.index
    hasher = ThreadHasher(entropy, KnownPasswords(settings.breached_passwords_file))
    rp = RelyingParty(rp_id=settings.rp_id, origin=settings.origin)
    return UseCases(
        accounts=Accounts(store, entropy=entropy, clock=clock, policies=policies, blind=blind),
        actions=Actions(
            store,
            entropy=entropy,
            clock=clock,
            policies=policies,
            blind=blind,
            hasher=hasher,
            rp=rp,
        ),
        proving=Proving(
            store,
            entropy=entropy,
            clock=clock,
            policies=policies,
            blind=blind,
            hasher=hasher,
            rp=rp,
        ),
        vetoes=Vetoes(store, policies=policies),
        spends=Spends(store, policies=policies, blind=blind, signer=signer, published=heads),
        looking=Looking(store, clock=clock, policies=policies, blind=blind),
        evidence=Evidence(store, policies=shelves.policies, signer=signer, published=heads),
        logbook=Logbook(store, published=heads),
        keys=Keys(shelves.keys, mac=keys.mac, entropy=entropy, clock=clock),
        legal_holds=LegalHolds(store, policies=policies),
        exporting=Exporting(store, records=shelves.records, policies=policies),
        integrators=Integrators(store, marked=shelves.marked, blind=blind, policies=policies),
        order_intents=OrderIntents(
            store, counts=shelves.order_counts, clock=clock, policies=policies
        ),
    )
