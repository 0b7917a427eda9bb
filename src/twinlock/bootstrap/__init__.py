"""The composition root: the only place that names adapters.

``prepare`` brings the world up once; ``open_api`` makes the use cases of one process from it. The
rules are an argument: ``twinlock serve`` passes ``rule_book()``, which holds ``LAWS`` and nothing
weaker.
"""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from litestar import Router
from litestar.datastructures import State

from twinlock.adapters import embedded as embedded_servers
from twinlock.adapters import keyring as keyrings
from twinlock.adapters import prices as price_lists
from twinlock.adapters import signing, webhook_pumps
from twinlock.adapters.anchor import AnchorThread
from twinlock.adapters.auditing import Auditor, open_auditor
from twinlock.adapters.beside import attempt, beside
from twinlock.adapters.boxes import Sealer
from twinlock.adapters.hashing import ThreadHasher
from twinlock.adapters.key_register import KeyDirectory
from twinlock.adapters.keyring import Keyring, Role
from twinlock.adapters.keys_at_work import LOOK_SECONDS as KEYS_SECONDS
from twinlock.adapters.keys_at_work import KeysAtWork
from twinlock.adapters.known_passwords import KnownPasswords
from twinlock.adapters.letters import LetterFiles
from twinlock.adapters.postgres import SERVER_USER, EmbeddedPostgres
from twinlock.adapters.prices import PriceKey
from twinlock.adapters.revival import looked_after
from twinlock.adapters.settings import Settings
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.sql.connections import Database
from twinlock.adapters.sql.installation import claim
from twinlock.adapters.sql.key_uses import SqlKeyUses
from twinlock.adapters.sql.log_keys import SqlLogKeys
from twinlock.adapters.sql.migrate import migrate
from twinlock.adapters.sql.outbox import Outbox
from twinlock.adapters.sql.platform_keys import SqlPlatformKeys
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.records import SqlRecords
from twinlock.adapters.sql.rewrap import Rewrap, Rewrapped
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock, SystemEntropy, own_clock
from twinlock.adapters.token import open_token
from twinlock.adapters.witnesses import log_policy, open_publishing
from twinlock.api.serving import Api, UseCases
from twinlock.api.throttling import Rates
from twinlock.api.witnessing import WitnessMetrics
from twinlock.bootstrap.rulebook import (
    BookPolicies,
    RuleBook,
)
from twinlock.domain.answers import Answered
from twinlock.domain.errors import SettingsWrongError
from twinlock.domain.money import Prices
from twinlock.domain.policy.version import Policy
from twinlock.domain.trust import Trust
from twinlock.ports import (
    Clock,
    Entropy,
    PolicyTexts,
    PriceFeed,
    Relay,
    Store,
)
from twinlock.ports.keys import (
    PlatformKeys,
)
from twinlock.ports.log import (
    Head,
    PublishedHeads,
)
from twinlock.ports.records import Records
from twinlock.proofs.passkeys import RelyingParty
from twinlock.services.accounts import Accounts
from twinlock.services.actions import Actions
from twinlock.services.anchoring import Anchoring
from twinlock.services.evidence import Evidence
from twinlock.services.exporting import Exporting
from twinlock.services.legal_holds import LegalHolds
from twinlock.services.logbook import Logbook
from twinlock.services.looking import Looking
from twinlock.services.platform_keys import Keys
from twinlock.services.proving import Proving
from twinlock.services.publishing import NewestHeads
from twinlock.services.rotation import Rotation
from twinlock.services.spending import Spends
from twinlock.services.vetoes import Vetoes
from twinlock.services.webhooks import Webhooks
from twinlock.web.routes import page_router
from twinlock.web.serving import Pages

OUTBOX_SECONDS = 0.2  # Between two looks at the outbox; a notice leaves within a second.
ANCHOR_SECONDS = 1.0  # Between two looks at the log's head; two fsyncs a second at most.
FORGET_SECONDS = 3600.0  # Between two looks for idempotency keys that are a week old.
OUTBOX_MOST = 100  # Messages in one transaction.
PRICE_DOCUMENT_BYTES_MOST = price_lists.DOCUMENT_BYTES_MOST


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What every process of an installation shares: settings, keys, and where the database is.

    ``server`` is the embedded database, where there is one.
    """

    settings: Settings
    keyring: Keyring
    dsn: str = field(repr=False)  # It holds a password.
    owner_dsn: str = field(default="", repr=False)  # So may this; empty where it is not known.
    server: EmbeddedPostgres | None = None


embedded = embedded_servers.embedded
stop_database = embedded_servers.stop


async def known_policies(world: World) -> tuple[str, ...]:
    """Return the digests of all policy versions that decided in an installation, or may have."""
    async with Database.open(world.dsn) as database:
        return await SqlPolicyTexts(database).digests()


def trust_of(
    settings: Settings,
    keyring: Keyring,
    *,
    book: RuleBook,
    earlier: tuple[str, ...] = (),
    with_retired: bool = False,
) -> Trust:
    """Return the trust file of an installation.

    It pins the policy version of ``book`` and ``earlier`` ones, by their digests.
    """
    return signing.trust(
        keyring,
        log_policy=log_policy(settings, keyring, with_retired=with_retired),
        rp_id=settings.rp_id,
        origin=settings.origin,
        policies=tuple(dict.fromkeys((book.policy.name.digest, *earlier))),
        with_retired=with_retired,
    )


def settings_from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Return what the environment says. Raises SettingsUnknownError, SettingsWrongError."""
    return load_settings(os.environ if environ is None else environ)


def system_entropy() -> Entropy:
    """Return the kernel's random bytes."""
    return SystemEntropy()


def system_now() -> datetime:
    """Return this machine's time (UTC)."""
    return SystemClock().now()


async def migrate_owner(owner_url: str) -> int:
    """Bring the database of ``owner_url`` up to date; return the last step's number."""
    return await migrate(owner_url, app_password=None)


def make_price_key(path: Path) -> PriceKey:
    """Make the private key of a price feed at ``path``. Raises PriceKeyWrongError."""
    return price_lists.make_key(path, entropy=SystemEntropy())


def trust_price_key(settings: Settings, public_key: str) -> PriceKey:
    """Believe the price lists of whoever holds the other half of ``public_key``, base64url.

    Raises:
        PriceKeyWrongError: it is none.
        KeyringMissingError, KeyringWrongError: as they say.
    """
    key = price_lists.read_public_key(public_key)
    with keyrings.changing(settings.keyring_dir):
        now, token = SystemClock().now(), open_token(settings.token)
        keyrings.trust_prices(settings.keyring_dir, key.public, now=now, token=token)
    return key


def sign_price_list(document: bytes, *, key_file: Path, out: Path) -> Prices:
    """Sign ``document`` and put the list at ``out``, whole; return what it says.

    Raises:
        PriceListWrongError, PriceKeyWrongError, FileUnsafeError: as they say.
    """
    return price_lists.sign_list(document, key_file=key_file, out=out, now=SystemClock().now())


def make_keyring(settings: Settings) -> Keyring:
    """Make a new keyring, in the token if one is set. Raises KeyringWrongError where one exists."""
    now, token = SystemClock().now(), open_token(settings.token)
    return keyrings.create_all(settings.keyring_dir, entropy=SystemEntropy(), now=now, token=token)


@asynccontextmanager
async def key_rotation(world: World, *, clock: Clock | None = None) -> AsyncIterator[Rotation]:
    """Open the use cases of the keyring, over the store that its keys are used in."""
    settings, clock = world.settings, clock or SystemClock()
    async with _anchored(world, clock) as (kept, anchoring, keys):
        await anchoring.check()
        prices = keys.price_file(settings.price_file)
        yield Rotation(
            KeyDirectory(settings, entropy=SystemEntropy()),
            uses=SqlKeyUses(kept, keyring=world.keyring, prices=prices, clock=clock),
            log=SqlLogKeys(kept.database, sealer=keys.sealer, clock=clock),
            clock=clock,
        )


async def rewrap_keys(world: World, told: Callable[[int], None]) -> Rewrapped:
    """Put all that stands under an older seal key under the current one, as the tables' owner."""
    if not world.owner_dsn:
        raise SettingsWrongError("TWINLOCK_OWNER_URL is not set: name the owner of the tables")
    sealer, entropy = Sealer(world.keyring), SystemEntropy()
    return await Rewrap(world.owner_dsn, sealer=sealer, entropy=entropy, told=told).run()


async def prepare(settings: Settings, *, server_user: str = SERVER_USER) -> World:
    """Bring the world of an installation up: keys, database, tables, and that they belong together.

    ``server_user`` runs the embedded database where we are root.

    Raises:
        KeyringMissingError, KeyringWrongError: before anything is stored.
        DatabaseNotStartedError, MigrationError, InstallationError: as they say.
    """
    keyring = keyrings.load(settings.keyring_dir, open_token(settings.token))
    own = settings.database_url is None
    server = embedded(settings, server_user=server_user) if own else None
    dsn, owner = settings.database_url or "", settings.owner_url or ""
    if server is not None:
        dsn, owner = await embedded_servers.bring_up(settings, server)
    await claim(
        dsn,
        fingerprint=keyring.fingerprint(),
        log_origin=settings.log_origin,
        seal_keys={key.key_id for key in keyring.keys(Role.SEAL)},
    )
    return World(settings=settings, keyring=keyring, dsn=dsn, owner_dsn=owner, server=server)


async def auditor(settings: Settings, *, server_user: str = SERVER_USER) -> Auditor:
    """Return what audits an installation, and writes nothing in it. Raises as ``prepare``."""
    server = embedded(settings, server_user=server_user) if settings.database_url is None else None
    return await open_auditor(settings, server)


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
        _anchored(world, trusted) as (kept, anchoring, keys),
    ):
        await anchoring.check()
        shelves = Shelves(
            store=kept,
            keys=SqlPlatformKeys(kept),
            policies=SqlPolicyTexts(kept.database),
            outbox=Outbox(kept),
            records=SqlRecords(kept),
            at_work=keys,
        )

        async def forget_keys() -> None:
            await kept.forget_keys(now=trusted.now(database_at=None))

        async with (
            looked_after(world.server, kept.database.ping),
            beside("keyring_waits", keys.look, pause=KEYS_SECONDS),
            beside("anchor_waits", anchoring.follow, pause=ANCHOR_SECONDS),
            beside("forgetting_waits", forget_keys, pause=FORGET_SECONDS),
            open_publishing(settings, world.keyring, kept, clock=trusted) as published,
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
async def _anchored(
    world: World, clock: Clock
) -> AsyncIterator[tuple[SqlStore, Anchoring, KeysAtWork]]:
    """Open the store with its anchor, which is not held against it yet, and the keys it uses."""
    settings, keys = world.settings, KeysAtWork.of(world.keyring, world.settings)
    with AnchorThread.of(settings.data_dir / "log-anchor.json") as anchors:
        async with SqlStore.connect(
            world.dsn, sealer=keys.sealer, entropy=SystemEntropy(), clock=clock
        ) as kept:
            signer = keys.signer(log_origin=settings.log_origin)
            yield kept, Anchoring(kept, signer=signer, anchors=anchors), keys


anchored = _anchored  # For the other modules of this package.


@asynccontextmanager
async def open_webhooks(world: World) -> AsyncIterator[Webhooks]:
    """Open the operator's use cases of webhooks, on a log that is the anchored one."""
    clock = SystemClock()
    async with _anchored(world, clock) as (kept, anchoring, _):
        await anchoring.check()
        yield webhook_pumps.use_cases(kept, world.settings, clock=clock)


async def adopt_log(world: World) -> Head:
    """Take the log as it stands for the anchored one (see ``Anchoring.adopt``)."""
    async with _anchored(world, SystemClock()) as (_, anchoring, _):
        return await anchoring.adopt()


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

    async def hand_on() -> None:
        while await shelves.outbox.deliver(letters.send, most=OUTBOX_MOST) == OUTBOX_MOST:
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
            rates=Rates(seconds),
            answers=keys.answers,
            origin=world.settings.origin,
            trusted_proxies=world.settings.trusted_proxies,
        )


def page_routes(settings: Settings, *, policy: Policy) -> Router:
    """Return the routes of the pages for people; their use cases are those of the process."""

    def pages(state: State) -> Pages:
        api: Api = state.api

        def count(answered: Answered) -> None:
            api.metrics.count(answered.type, answered.answer.value)

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
            count=count,
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
    )
