"""One process that serves: its use cases, what runs beside them, and the pages.

The rules hold ``LAWS`` and nothing weaker: no command of ``twinlock`` but the range's passes any.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace

from litestar import Router
from litestar.datastructures import State

from twinlock.adapters.beside import attempt, beside
from twinlock.adapters.hashing import ThreadHasher
from twinlock.adapters.keys_at_work import KeysAtWork
from twinlock.adapters.known_passwords import KnownPasswords
from twinlock.adapters.letters import InTime, LetterFiles
from twinlock.adapters.notices import pumps as notice_pumps
from twinlock.adapters.revival import looked_after
from twinlock.adapters.screening import ScreeningFile
from twinlock.adapters.settings import Settings
from twinlock.adapters.signals.streams import StreamFile
from twinlock.adapters.sql.api_key_marks import SqlMarkedAccounts
from twinlock.adapters.sql.clocks import check_agrees
from twinlock.adapters.sql.contacts import SqlSignalIndex
from twinlock.adapters.sql.deliveries import SqlDeliveries
from twinlock.adapters.sql.leaf_times import SqlLeafTimes
from twinlock.adapters.sql.order_intents import SqlOrderCounts
from twinlock.adapters.sql.outbox import Outbox, Send
from twinlock.adapters.sql.platform_keys import SqlPlatformKeys
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.records import SqlRecords
from twinlock.adapters.sql.sightings import SqlSightings
from twinlock.adapters.sql.sign_in_counts import SqlSignInCounts
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.told_streams import SqlToldStreams
from twinlock.adapters.sql.webhooks import SqlWebhooks
from twinlock.adapters.system import SystemEntropy, own_clock
from twinlock.adapters.trust_at_work import TrustAtWork
from twinlock.adapters.webhooks import pumps as webhook_pumps
from twinlock.adapters.witnesses import open_publishing
from twinlock.api.serving import Api, UseCases
from twinlock.api.throttling import Rates
from twinlock.api.witnessing import WitnessMetrics
from twinlock.bootstrap.anchoring import ANCHOR_SECONDS, anchored
from twinlock.bootstrap.exits import registered_exits
from twinlock.bootstrap.rulebook import BookPolicies, RuleBook
from twinlock.bootstrap.ruling import LOOK_SECONDS, Ruling, ruling_of
from twinlock.bootstrap.sign_ins import COUNTS_SECONDS, counted_sign_ins
from twinlock.bootstrap.signals import NOBODY, polling, signal_use_cases
from twinlock.bootstrap.transmitting import telling_others, told_use_cases
from twinlock.bootstrap.world import World
from twinlock.domain.parcels import Slip, slips
from twinlock.ports import Clock, Outgoing, PolicyTexts, PriceFeed, Relay, Store
from twinlock.ports.keys import MarkedAccounts, PlatformKeys
from twinlock.ports.log import LeafTimes, PublishedHeads
from twinlock.ports.notices import Carriers, Endpoints, NoticeShelf
from twinlock.ports.order_intents import OrderCounts
from twinlock.ports.records import Records
from twinlock.ports.sign_ins import SignInCounts, SignIns
from twinlock.ports.signals import SignalIndex
from twinlock.proofs.passkeys import OlderSite, RelyingParty
from twinlock.services.accounts import Accounts
from twinlock.services.actions.proposing import Actions
from twinlock.services.agreements import Agreements
from twinlock.services.evidence import Evidence
from twinlock.services.exporting import Exporting
from twinlock.services.freeze_links import FreezeLinks
from twinlock.services.integrators import Integrators
from twinlock.services.key_lapses import KeyLapsing
from twinlock.services.legal_holds import LegalHolds
from twinlock.services.logbook import Logbook, NewestHeads
from twinlock.services.looking import Looking
from twinlock.services.notices.looking import Inbox
from twinlock.services.notices.reporting import Callbacks, Reporting
from twinlock.services.notices.telling import Telling
from twinlock.services.order_intents import OrderIntents
from twinlock.services.platform_keys import Keys
from twinlock.services.proving.taking import Proving, no_desk
from twinlock.services.public_log import PublicLog
from twinlock.services.spending import Spends
from twinlock.services.vetoes import Vetoes
from twinlock.web.routes import page_router
from twinlock.web.serving import Pages

OUTBOX_SECONDS = 0.2  # Between two looks at the outbox; a notice leaves within a second.

# Between two looks for API keys that lapse within a week: some hours of it are lost at most.
LAPSES_SECONDS = 6 * 3600.0
FORGET_SECONDS = 3600.0  # Between two looks for idempotency keys that are a week old.

OUTBOX_MOST = 100  # Messages in one transaction.


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelves:
    """Where one process keeps things: state and log, platforms' keys, policies, the outbox.

    ``at_work`` are the installation's own keys, where somebody follows what becomes of them.
    ``carriers`` say who carries notices; where there are none, those are left as files.
    """

    store: Store
    keys: PlatformKeys
    policies: PolicyTexts
    outbox: Relay
    records: Records
    notices: NoticeShelf
    endpoints: Endpoints
    order_counts: OrderCounts
    marked: MarkedAccounts
    counts: SignInCounts | None = None  # None: sign-ins are counted for this process alone.
    index: SignalIndex = NOBODY
    at_work: KeysAtWork | None = None
    sightings: SqlSightings | None = None  # None: nobody counts
    carriers: Carriers | None = None
    published: PublishedHeads | None = None  # None: every committed head may be shown.
    told: SqlToldStreams | None = None  # None: nobody is told by signals.
    times: LeafTimes | None = None  # None: how the log grew is not told.
    has_desk: Callable[[], Awaitable[bool]] = no_desk  # whether anybody would hear of duress


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """What the range turns and ``serve`` never passes.

    ``seconds`` is what rates are counted by, ``outbox_seconds`` the pause between two looks at the
    outbox; ``through`` stands between the use cases and their store. ``earlier`` is a book that
    decided before the one that is served, and ``in_force`` says by which of them to decide now.
    ``letters`` stands between messages and the files that they become.
    """

    seconds: Callable[[], float] = time.monotonic
    outbox_seconds: float = OUTBOX_SECONDS
    through: Callable[[Store], Store] = lambda store: store
    earlier: RuleBook | None = None
    in_force: Callable[[RuleBook], RuleBook] = lambda book: book
    letters: Callable[[LetterFiles], Send] = lambda files: files.send


def _shelves(
    kept: SqlStore, keys: KeysAtWork, *, clock: Clock
) -> tuple[Shelves, Callable[[], Awaitable[None]]]:
    """Return what a process keeps things in, and what forgets in it what nobody needs any more."""
    sightings = SqlSightings(kept.database, blind=keys.index, clock=clock)
    order_counts = SqlOrderCounts(kept)

    async def forget() -> None:
        now = clock.now(database_at=None)
        await kept.forget_keys(now=now)
        await sightings.forget()
        await order_counts.forget(now=now)

    shelves = Shelves(
        store=kept,
        keys=SqlPlatformKeys(kept),
        policies=SqlPolicyTexts(kept.database),
        outbox=Outbox(kept),
        records=SqlRecords(kept),
        counts=SqlSignInCounts(kept),
        notices=SqlDeliveries(kept, entropy=SystemEntropy()),
        endpoints=SqlWebhooks(kept, entropy=SystemEntropy()),
        index=SqlSignalIndex(kept),
        order_counts=order_counts,
        marked=SqlMarkedAccounts(kept.database),
        at_work=keys,
        sightings=sightings,
        told=SqlToldStreams(kept, entropy=SystemEntropy()),
        times=SqlLeafTimes(kept.database),
        has_desk=SqlWebhooks(kept, entropy=SystemEntropy()).has_desk,
    )
    return shelves, forget


@asynccontextmanager
async def open_api(
    world: World,
    *,
    book: RuleBook | None = None,
    clock: Clock | None = None,
    prices: PriceFeed | None = None,
    steering: Steering | None = None,
) -> AsyncIterator[Api]:
    """Open the use cases of one process, with its share of the outbox; close them on leaving.

    Until officers say by what, it decides by ``book``, or else by the profile of the settings.
    """
    settings = world.settings
    async with (
        own_clock(settings.data_dir / "clock-anchor.json")
        if clock is None
        else nullcontext(clock) as trusted,
        anchored(world, trusted) as (kept, anchoring, keys),
    ):
        await check_agrees(trusted, kept.database)
        await anchoring.check()
        shelves, forget = _shelves(kept, keys, clock=trusted)
        ruling = await ruling_of(kept, given=book, profile=settings.profile)

        async with (
            looked_after(world.server, kept.database.ping),
            beside("anchor_waits", anchoring.follow, pause=ANCHOR_SECONDS),
            beside("policy_waits", ruling.follow, pause=LOOK_SECONDS),
            beside("forgetting_waits", forget, pause=FORGET_SECONDS),
            open_publishing(settings, world.keyring, kept, keys=keys, clock=trusted) as published,
            notice_pumps.mailroom(kept, settings, clock=trusted) as room,
            open_on(
                replace(shelves, published=published, carriers=room.ways),
                world,
                ruling=ruling,
                clock=trusted,
                prices=prices or keys.price_file(settings.price_file),
                steering=steering or Steering(),
            ) as api,
            webhook_pumps.delivering(kept, settings, clock=trusted, registry=api.metrics.registry),
            notice_pumps.delivering(
                room,
                telling=api.use.telling,
                reporting=api.use.reporting,
                clock=trusted,
                registry=api.metrics.registry,
            ),
            polling(settings, api.use.signals),
            telling_others(
                settings,
                SqlToldStreams(kept, entropy=SystemEntropy()),
                signer=keys.tokens,
                clock=trusted,
                registry=api.metrics.registry,
            ),
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
    ruling: Ruling,
    clock: Clock,
    prices: PriceFeed,
    steering: Steering,
) -> AsyncIterator[Api]:
    """Open the use cases of one process on what it keeps things in; close them on leaving."""
    for one in (ruling.book, steering.earlier):
        if one is not None:
            await shelves.policies.keep(one.policy.text)  # Before it decides anything.
    store, seconds = steering.through(shelves.store), steering.seconds
    kept = replace(shelves, store=store)
    keys = shelves.at_work or KeysAtWork.of(world.keyring, world.settings)
    sign_ins = counted_sign_ins(world.settings, keys, table=shelves.counts)
    await sign_ins.warm()
    await attempt("counts_wait", sign_ins.renew)  # Before anybody signs in.
    policies = _policies(world.settings, keys, ruling, steering, prices=prices, clock=clock)
    use = _use_cases(
        world,
        kept,
        keys,
        policies=policies,
        sign_ins=sign_ins,
        clock=clock,
    )
    files = LetterFiles(world.settings.outbox_dir, use.telling, use.reporting)
    in_time = InTime(_dealing(steering.letters(files), shelves.carriers), clock=clock)

    async def hand_on() -> None:
        while await shelves.outbox.deliver(in_time.send, most=OUTBOX_MOST) == OUTBOX_MOST:
            pass

    async with (
        beside("outbox_waits", hand_on, pause=steering.outbox_seconds),
        beside("keys_lapse_untold", use.key_lapsing.turn, pause=LAPSES_SECONDS),
        beside("counts_wait", sign_ins.renew, pause=COUNTS_SECONDS),
        beside("counts_forgetting_waits", sign_ins.forget, pause=FORGET_SECONDS),
    ):
        yield Api(
            use=use,
            store=store,
            entropy=SystemEntropy(),
            clock=clock,
            rates=Rates(seconds),
            answers=keys.answers,
            streams=StreamFile(world.settings.data_dir),
            origin=world.settings.origin,
            trusted_proxies=world.settings.trusted_proxies,
            # Keys that nobody follows are as good as they were when they were read.
            check_health=keys.check_health if shelves.at_work else lambda: None,
            check_ruling=ruling.check,
            carriers=shelves.carriers,
            policy=lambda: steering.in_force(ruling.book).policy,
            refused=ruling.refused,
        )


def _policies(
    settings: Settings,
    keys: KeysAtWork,
    ruling: Ruling,
    steering: Steering,
    *,
    prices: PriceFeed,
    clock: Clock,
) -> BookPolicies:
    return BookPolicies(
        lambda: steering.in_force(ruling.in_force()),
        renew=ruling.follow,
        prices=prices,
        signer=keys.signer(log_origin=settings.log_origin),
        screening=ScreeningFile(settings.screening_file, clock=clock, key=settings.screening_key),
    )


def _dealing(leave: Send, carriers: Carriers | None) -> Send:
    """Return what deals a notice out to its channels, or leaves files while nobody carries it."""

    async def deal(outgoing: Outgoing) -> tuple[Slip, ...] | None:
        named = {} if carriers is None else await carriers.named()
        if not named:
            return await leave(outgoing)
        notice, serial = outgoing.notice, outgoing.serial
        return slips(outgoing.account, notice, serial=serial, carriers=named)

    return deal


def page_routes(settings: Settings) -> Router:
    """Return the routes of the pages for people; their use cases are those of the process."""

    def pages(state: State) -> Pages:
        api: Api = state.api

        return Pages(
            looking=api.use.looking,
            actions=api.use.actions,
            agreements=api.use.agreements,
            proving=api.use.proving,
            vetoes=api.use.vetoes,
            freeze_links=api.use.freeze_links,
            public_log=api.use.public_log,
            destinations=api.use.accounts.destinations,
            policy=api.policy(),
            visit=lambda connection: api.rates.pages.take(api.caller_address(connection)),
            visit_veto_page=lambda connection: api.rates.veto_pages.take(
                api.caller_address(connection)
            ),
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
    policies: BookPolicies,
    sign_ins: SignIns,
    clock: Clock,
) -> UseCases:
    settings, entropy, store = world.settings, SystemEntropy(), shelves.store
    signer = keys.signer(log_origin=settings.log_origin)
    heads = shelves.published or NewestHeads(store, signer=signer)
    blind, texts, counts = keys.index, shelves.policies, shelves.order_counts
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
            sign_ins=sign_ins,
            registered=registered_exits(settings.exits_file),
        ),
        proving=_proving(
            world, shelves, keys, policies=policies, hasher=hasher, sign_ins=sign_ins, clock=clock
        ),
        vetoes=Vetoes(store, policies=policies),
        freeze_links=FreezeLinks(store, policies=policies, entropy=entropy, clock=clock),
        spends=Spends(
            store, policies=policies, blind=blind, signer=signer, published=heads, clock=clock
        ),
        agreements=Agreements(store, clock=clock, rp=rp),
        looking=Looking(store, clock=clock, policies=policies, blind=blind),
        evidence=Evidence(store, policies=texts, signer=signer, published=heads, clock=clock),
        logbook=Logbook(store, published=heads),
        public_log=_public_log(world, shelves, keys, heads=heads, clock=clock),
        keys=Keys(shelves.keys, mac=keys.mac, entropy=entropy, clock=clock),
        legal_holds=LegalHolds(store, policies=policies),
        exporting=Exporting(store, records=shelves.records, policies=policies),
        telling=Telling(store, origin=settings.origin),
        reporting=Reporting(store, policies=policies),
        callbacks=Callbacks(shelves.endpoints, shelves.notices, clock=clock),
        inbox=Inbox(store, shelves.notices),
        signals=signal_use_cases(settings, store, shelves.index, clock=clock, policies=policies),
        transmitting=None
        if shelves.told is None
        else told_use_cases(settings, shelves.told, signer=keys.tokens, clock=clock),
        integrators=Integrators(store, marked=shelves.marked, blind=blind, policies=policies),
        key_lapsing=KeyLapsing(
            store, marked=shelves.marked, blind=blind, policies=policies, clock=clock
        ),
        order_intents=OrderIntents(store, counts=counts, clock=clock, policies=policies),
    )


def _public_log(
    world: World, shelves: Shelves, keys: KeysAtWork, *, heads: PublishedHeads, clock: Clock
) -> PublicLog:
    return PublicLog(
        origin=world.settings.log_origin,
        published=heads,
        told=keys.following(TrustAtWork(world.keyring, world.settings)).trust,
        times=shelves.times,
        clock=clock,
    )


def _proving(  # noqa: PLR0913 - each is one thing that a process has
    world: World,
    shelves: Shelves,
    keys: KeysAtWork,
    *,
    policies: BookPolicies,
    hasher: ThreadHasher,
    sign_ins: SignIns,
    clock: Clock,
) -> Proving:
    settings = world.settings
    return Proving(
        shelves.store,
        entropy=SystemEntropy(),
        clock=clock,
        policies=policies,
        blind=keys.index,
        hasher=hasher,
        sightings=shelves.sightings,
        rp=RelyingParty(rp_id=settings.rp_id, origin=settings.origin),
        older=tuple(OlderSite(rp_id=one, origin=at) for one, at in settings.legacy_origins),
        sign_ins=sign_ins,
        picked_one_in=settings.picked_one_in,
        has_desk=shelves.has_desk,
    )
