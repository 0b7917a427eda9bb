"""The composition root: the only place that names adapters.

``prepare`` brings the world up once; ``open_api`` makes the use cases of one process from it. The
rules are an argument: ``twinlock serve`` passes ``rule_book()``, which holds ``LAWS`` and nothing
weaker.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from litestar import Router
from litestar.datastructures import State

from twinlock.adapters import keyring as keyrings
from twinlock.adapters import prices as price_lists
from twinlock.adapters import private_files, signing
from twinlock.adapters.anchor import AnchorThread
from twinlock.adapters.auditing import Auditor, running_dsn
from twinlock.adapters.beside import attempt, beside
from twinlock.adapters.boxes import Sealer
from twinlock.adapters.hashing import ThreadHasher
from twinlock.adapters.keyring import Keyring
from twinlock.adapters.letters import LetterFiles
from twinlock.adapters.postgres import SERVER_USER, EmbeddedPostgres
from twinlock.adapters.prices import PriceFile, PriceKey
from twinlock.adapters.revival import LOOK_SECONDS, Reviver
from twinlock.adapters.settings import Settings
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.signing import KeyringIndex, KeyringMac, KeyringSigner
from twinlock.adapters.sql.connections import Database
from twinlock.adapters.sql.installation import claim
from twinlock.adapters.sql.migrate import APP_ROLE, migrate
from twinlock.adapters.sql.outbox import Outbox
from twinlock.adapters.sql.platform_keys import SqlPlatformKeys
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import KEEP_SECONDS, SystemClock, SystemEntropy
from twinlock.api.serving import Api, UseCases
from twinlock.api.throttling import Rates
from twinlock.domain.answers import Answered, Teller
from twinlock.domain.canonical import b64url
from twinlock.domain.decisions import Rules
from twinlock.domain.errors import DatabaseNotOursError
from twinlock.domain.laws import LAWS, Law
from twinlock.domain.money import Prices
from twinlock.domain.policy.profile import ASSETS, DEFAULT, Policy, make_policy, text_of
from twinlock.domain.policy.statutes import statutes
from twinlock.domain.proving import CodesHelp, codes_help
from twinlock.domain.trust import Trust
from twinlock.ports import (
    Clock,
    Entropy,
    Head,
    LogSigner,
    Outgoing,
    PlatformKeys,
    PolicyTexts,
    PriceFeed,
    Store,
)
from twinlock.proofs.passkeys import RelyingParty
from twinlock.services.accounts import Accounts
from twinlock.services.actions import Actions
from twinlock.services.anchoring import Anchoring
from twinlock.services.evidence import Evidence
from twinlock.services.logbook import Logbook
from twinlock.services.looking import Looking
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
DATABASE = "postgres"  # The embedded server holds nothing else.
PRICE_DOCUMENT_BYTES_MOST = price_lists.DOCUMENT_BYTES_MOST


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """What the gate decides by: laws, statutes and the policy version they belong to."""

    laws: tuple[Law, ...]
    statutes: tuple[Law, ...]
    policy: Policy
    codes: CodesHelp = codes_help


def rule_book() -> RuleBook:
    """Return the laws with the statutes of the default profile: all that ``serve`` can pass."""
    policy = make_policy(version=1, profile=DEFAULT, assets=ASSETS)
    return RuleBook(laws=LAWS, statutes=statutes(DEFAULT), policy=policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What every process of an installation shares: settings, keys, and where the database is.

    ``server`` is the embedded database, where there is one.
    """

    settings: Settings
    keyring: Keyring
    dsn: str = field(repr=False)  # It holds a password.
    server: EmbeddedPostgres | None = None


async def known_policies(world: World) -> tuple[str, ...]:
    """Return the digests of all policy versions that decided in an installation, or may have."""
    async with Database.open(world.dsn) as database:
        return await SqlPolicyTexts(database).digests()


def trust_of(
    settings: Settings, keyring: Keyring, *, book: RuleBook, earlier: tuple[str, ...] = ()
) -> Trust:
    """Return the trust file of an installation.

    It pins the policy version of ``book`` and ``earlier`` ones, by their digests.
    """
    return signing.trust(
        keyring,
        log_origin=settings.log_origin,
        rp_id=settings.rp_id,
        origin=settings.origin,
        policies=tuple(dict.fromkeys((book.policy.name.digest, *earlier))),
    )


def load_keyring(settings: Settings) -> Keyring:
    """Return the keyring. Raises KeyringMissingError, KeyringWrongError."""
    return keyrings.load(settings.keyring_dir)


class BookPolicies:
    """The rules of one book at today's prices. Implements ``ports.Policies``."""

    def __init__(self, book: RuleBook, *, prices: PriceFeed, signer: LogSigner) -> None:
        self._book = book
        self._prices = prices
        self._teller = Teller(
            policy=book.policy, log_origin=signer.log_origin, sign=signer.authorization
        )

    def rules(self) -> Rules:
        """Return what the next decision is made by."""
        return Rules(
            laws=self._book.laws,
            statutes=self._book.statutes,
            policy=self._book.policy,
            prices=self._prices.prices(),
            codes=self._book.codes,
        )

    def teller(self) -> Teller:
        """Return how the next answer is signed."""
        return self._teller


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


def embedded(settings: Settings, *, server_user: str = SERVER_USER) -> EmbeddedPostgres:
    """Return the embedded server of an installation, running or not."""
    return EmbeddedPostgres(
        settings.postgres_dir,
        password_file=settings.postgres_password_file,
        entropy=SystemEntropy(),
        server_user=server_user,
    )


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
    keyrings.trust_prices(settings.keyring_dir, key.public, now=SystemClock().now())
    return key


def sign_price_list(document: bytes, *, key_file: Path, out: Path) -> Prices:
    """Sign ``document`` and put the list at ``out``, whole; return what it says.

    Raises:
        PriceListWrongError, PriceKeyWrongError, FileUnsafeError: as they say.
    """
    return price_lists.sign_list(document, key_file=key_file, out=out, now=SystemClock().now())


def stop_database(settings: Settings, *, server_user: str = SERVER_USER) -> bool:
    """Stop the embedded database of an installation, if it runs; say whether it did.

    Raises:
        DatabaseNotOursError: the settings name another database.
        DatabaseNotStartedError: it did not stop in a minute.
    """
    if settings.database_url is not None:
        raise DatabaseNotOursError("TWINLOCK_DATABASE_URL is set: stop that server yourself")
    made = settings.postgres_dir.exists()
    return made and embedded(settings, server_user=server_user).stop()


def make_keyring(settings: Settings) -> Keyring:
    """Make a new keyring. Raises KeyringWrongError where one exists."""
    return keyrings.create_all(
        settings.keyring_dir, entropy=SystemEntropy(), now=SystemClock().now()
    )


async def prepare(settings: Settings, *, server_user: str = SERVER_USER) -> World:
    """Bring the world of an installation up: keys, database, tables, and that they belong together.

    ``server_user`` runs the embedded database where we are root.

    Raises:
        KeyringMissingError, KeyringWrongError: before anything is stored.
        DatabaseNotStartedError, MigrationError, InstallationError: as they say.
    """
    keyring = keyrings.load(settings.keyring_dir)
    own = settings.database_url is None
    server = embedded(settings, server_user=server_user) if own else None
    dsn = settings.database_url or ""
    if server is not None:
        dsn = await _embedded_dsn(settings, server)
    await claim(dsn, fingerprint=keyring.fingerprint(), log_origin=settings.log_origin)
    return World(settings=settings, keyring=keyring, dsn=dsn, server=server)


async def auditor(settings: Settings, *, server_user: str = SERVER_USER) -> Auditor:
    """Return what audits an installation, and writes nothing in it. Raises as ``prepare``."""
    keyring, dsn = keyrings.load(settings.keyring_dir), settings.database_url
    if dsn is None:
        server = embedded(settings, server_user=server_user)
        dsn = await asyncio.to_thread(running_dsn, settings, server, DATABASE)
    return Auditor(settings, keyring=keyring, dsn=dsn)


async def _embedded_dsn(settings: Settings, server: EmbeddedPostgres) -> str:
    address = await asyncio.to_thread(server.ensure_running)
    password = private_files.read_or_make(
        settings.app_password_file, lambda: b64url(SystemEntropy().draw(24)).encode("ascii")
    ).decode("ascii")
    owner = server.dsn(database=DATABASE, role=address.superuser, password=address.password)
    await migrate(owner, app_password=password)
    return server.dsn(database=DATABASE, role=APP_ROLE, password=password)


class Relay(Protocol):
    """Messages that wait to be handed on."""

    async def deliver(self, send: Callable[[Outgoing], Awaitable[None]], *, most: int) -> int:
        """Hand on up to ``most`` messages, oldest first; return how many were."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelves:
    """Where one process keeps things: state and log, platforms' keys, policies, the outbox."""

    store: Store
    keys: PlatformKeys
    policies: PolicyTexts
    outbox: Relay


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """What the range turns and ``serve`` never passes.

    ``seconds`` is what rates are counted by, ``outbox_seconds`` the pause between two looks at the
    outbox; ``through`` stands between the use cases and their store.
    """

    seconds: Callable[[], float] = time.monotonic
    outbox_seconds: float = OUTBOX_SECONDS
    through: Callable[[Store], Store] = lambda store: store


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
    prices = prices or PriceFile(settings.price_file, world.keyring)
    async with (
        _own_clock(settings) if clock is None else nullcontext(clock) as trusted,
        _anchored(world, trusted) as (kept, anchoring),
    ):
        await anchoring.check()
        shelves = Shelves(
            store=kept,
            keys=SqlPlatformKeys(kept),
            policies=SqlPolicyTexts(kept.database),
            outbox=Outbox(kept),
        )

        async def forget_keys() -> None:
            await kept.forget_keys(now=trusted.now(database_at=None))

        async with (
            _looked_after(world.server, kept),
            beside("anchor_waits", anchoring.follow, pause=ANCHOR_SECONDS),
            beside("forgetting_waits", forget_keys, pause=FORGET_SECONDS),
            open_on(
                shelves,
                world,
                book=book,
                clock=trusted,
                prices=prices,
                steering=steering or Steering(),
            ) as api,
        ):
            yield api
        # A stop in good order leaves nothing that is not anchored.
        await attempt("anchor_waits", anchoring.follow)


@asynccontextmanager
async def _anchored(world: World, clock: Clock) -> AsyncIterator[tuple[SqlStore, Anchoring]]:
    """Open the store with its anchor, which is not held against it yet."""
    settings, sealer = world.settings, Sealer(world.keyring)
    with AnchorThread.of(settings.data_dir / "log-anchor.json") as anchors:
        async with SqlStore.connect(
            world.dsn, sealer=sealer, entropy=SystemEntropy(), clock=clock
        ) as kept:
            signer = KeyringSigner(world.keyring, log_origin=settings.log_origin)
            yield kept, Anchoring(kept, signer=signer, anchors=anchors)


async def adopt_log(world: World) -> Head:
    """Take the log as it stands for the anchored one (see ``Anchoring.adopt``)."""
    async with _anchored(world, SystemClock()) as (_, anchoring):
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
    await shelves.policies.keep(text_of(book.policy))  # Before it decides anything.
    store, seconds = steering.through(shelves.store), steering.seconds
    kept = replace(shelves, store=store)
    letters = LetterFiles(world.settings.outbox_dir, store, origin=world.settings.origin)

    async def hand_on() -> None:
        while await shelves.outbox.deliver(letters.send, most=OUTBOX_MOST) == OUTBOX_MOST:
            pass

    async with beside("outbox_waits", hand_on, pause=steering.outbox_seconds):
        yield Api(
            use=_use_cases(world, kept, book=book, clock=clock, prices=prices),
            store=store,
            entropy=SystemEntropy(),
            rates=Rates(seconds),
            trusted_proxies=world.settings.trusted_proxies,
        )


@asynccontextmanager
async def _own_clock(settings: Settings) -> AsyncIterator[Clock]:
    """Lend this machine's clock; look at it now and then, and keep what is believed of it."""
    clock = SystemClock(anchor=settings.data_dir / "clock-anchor.json")

    async def look() -> None:
        await asyncio.to_thread(clock.keep)

    async with beside("clock_waits", look, pause=KEEP_SECONDS):
        yield clock


@asynccontextmanager
async def _looked_after(server: EmbeddedPostgres | None, kept: SqlStore) -> AsyncIterator[None]:
    """Start the embedded database again whenever it does not answer; leave another one alone."""
    if server is None:
        yield
        return
    reviver = Reviver(kept.database.ping, start=server.ensure_running)
    async with beside("database_waits", reviver.look, pause=LOOK_SECONDS):
        yield


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
    world: World, shelves: Shelves, *, book: RuleBook, clock: Clock, prices: PriceFeed
) -> UseCases:
    settings, entropy, store = world.settings, SystemEntropy(), shelves.store
    signer = KeyringSigner(world.keyring, log_origin=settings.log_origin)
    policies = BookPolicies(book, prices=prices, signer=signer)
    blind = KeyringIndex(world.keyring)
    hasher = ThreadHasher(entropy)
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
        spends=Spends(store, policies=policies, blind=blind, signer=signer),
        looking=Looking(store, clock=clock, policies=policies, blind=blind),
        evidence=Evidence(store, policies=shelves.policies, signer=signer),
        logbook=Logbook(store, signer=signer),
        keys=Keys(shelves.keys, mac=KeyringMac(world.keyring), entropy=entropy, clock=clock),
    )
