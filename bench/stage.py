"""Where the benchmark plays: one PostgreSQL, one keyring, and both contenders as processes.

Everything lies in one directory of its own on a real disk, so that a flush costs what it costs, and
is removed in the end. Both contenders use the same PostgreSQL server, each a database of its own
with the same tables, the same role, the same keyring and the same price list.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import psutil  # type: ignore[import-untyped] # it ships no types
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import create_async_engine

from bench.customers import ENTROPY, Tables
from bench.place import APP_PASSWORD, ROOT, SERVER_USER, make_directory
from bench.rivals.orm_tables import CELL, Table
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.keyring.signing import KeyringMac
from twinlock.adapters.postgres import EmbeddedPostgres
from twinlock.adapters.prices import PRICES_TYPE
from twinlock.adapters.sql.migrate import APP_ROLE, migrate
from twinlock.adapters.system import SystemClock
from twinlock.domain.canonical import encode
from twinlock.domain.ids import PlatformKeyId
from twinlock.domain.money import Prices
from twinlock.ports.keys import (
    PlatformKey,
)
from twinlock.proofs import jws
from twinlock.services.platform_keys import Keys, Scope

START_SECONDS = 30
STOP_SECONDS = 20
OURS = Tables(schema="twinlock", keys="subject_key", documents="stream")
RIVAL = Tables(schema="public", keys="subject_key", documents="document")

# What the migrations say of storage and rights, for the rival's tables.
RIVAL_SETTINGS = f"""
ALTER TABLE document ALTER COLUMN box SET STORAGE MAIN;
ALTER TABLE event ALTER COLUMN box SET STORAGE MAIN;
INSERT INTO head (cell, size, edge, at, mac, platform)
VALUES ({CELL}, 0, '', '1970-01-01T00:00:00Z', '', '');
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP_ROLE};
"""  # noqa: S608 - constants of ours
ADD_KEY = """
INSERT INTO {schema}.platform_key (id, mac, scopes, networks, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One side: how its process is started, and where its customers are put."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int
    owner_dsn: str
    tables: Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that stands before the first request."""

    directory: Path
    keyring: Keyring
    prices: Ed25519PrivateKey
    postmaster: int
    platform_key: str
    ours: Contender
    rival: Contender

    def list_prices(self) -> None:
        """Sign the price list anew; one older than a quarter of an hour would value nothing."""
        claims = encode(Prices(as_of=now(), cents={"USDT": 100, "ETH": 3_000_00}))
        kid = self.keyring.keys(Role.PRICES)[0].key_id
        draft = self.directory / "prices.new"
        draft.write_text(jws.sign(claims, kid=kid, typ=PRICES_TYPE, key=self.prices), "ascii")
        draft.replace(self.directory / "prices.jws")


def now() -> datetime:
    """Return the time, as the service reads it."""
    return SystemClock().now()


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """Build the stage, and remove it in the end."""
    directory = make_directory()
    server = EmbeddedPostgres(
        directory / "pg",
        password_file=directory / "config" / "postgres-password",
        entropy=ENTROPY,
        server_user=SERVER_USER,
    )
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, directory)
        undo.callback(server.stop)
        yield await _build(directory, server)


async def _build(directory: Path, server: EmbeddedPostgres) -> Stage:
    address = server.ensure_running()
    prices = Ed25519PrivateKey.generate()
    keyring = _keyring(directory, prices)
    ports = _free_ports(2)
    environment = _environment(directory)

    def owner(database: str) -> str:
        return server.dsn(database=database, role=address.superuser, password=address.password)

    def app(database: str) -> str:
        return server.dsn(database=database, role=APP_ROLE, password=APP_PASSWORD)

    await _execute(owner("postgres"), "CREATE DATABASE ours", "CREATE DATABASE rival")
    await migrate(owner("ours"), app_password=APP_PASSWORD)
    await _make_rival_tables(owner("rival"))
    key, presented = await _platform_key(keyring)
    for dsn, schema in ((owner("ours"), OURS.schema), (owner("rival"), RIVAL.schema)):
        await _add_key(dsn, schema, key)
    stage = Stage(
        directory=directory,
        keyring=keyring,
        prices=prices,
        postmaster=_postmaster(directory),
        platform_key=presented,
        ours=Contender(
            name="ours",
            command=(sys.executable, "-m", "bench.ours"),
            environment={
                **environment,
                "TWINLOCK_DATABASE_URL": app("ours"),
                "TWINLOCK_LISTEN": f"127.0.0.1:{ports[0]}",
            },
            port=ports[0],
            owner_dsn=owner("ours"),
            tables=OURS,
        ),
        rival=Contender(
            name="rival",
            command=(sys.executable, "-m", "bench.rivals.orm", str(ports[1])),
            environment={**environment, "RIVAL_DSN": app("rival")},
            port=ports[1],
            owner_dsn=owner("rival"),
            tables=RIVAL,
        ),
    )
    stage.list_prices()
    return stage


def _postmaster(directory: Path) -> int:
    return int((directory / "pg" / "data" / "postmaster.pid").read_text("ascii").split()[0])


def _keyring(directory: Path, prices: Ed25519PrivateKey) -> Keyring:
    path = directory / "config" / "keyring"
    keyrings.create_all(path, entropy=ENTROPY, now=now())
    return keyrings.trust_prices(path, prices.public_key().public_bytes_raw(), now=now())


def _environment(directory: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TWINLOCK_")}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "TWINLOCK_DATA_DIR": str(directory / "data"),
        "TWINLOCK_KEYRING_DIR": str(directory / "config" / "keyring"),
        "TWINLOCK_PRICE_FILE": str(directory / "prices.jws"),
        "TWINLOCK_LOG_LEVEL": "warning",
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


async def _execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _make_rival_tables(owner_dsn: str) -> None:
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(owner_dsn)
    )
    async with engine.begin() as connection:
        await connection.run_sync(Table.metadata.create_all)
    await engine.dispose()
    await _execute(owner_dsn, RIVAL_SETTINGS)


class _OneKey:
    """Keeps the key that is made. Implements ``ports.PlatformKeys`` as far as making one goes."""

    def __init__(self) -> None:
        self.kept: list[PlatformKey] = []

    async def add(self, key: PlatformKey) -> None:
        """Keep a new key."""
        self.kept.append(key)

    async def read(self, key_id: PlatformKeyId) -> PlatformKey | None:
        """Return a key, or None."""
        return next((one for one in self.kept if one.key_id == key_id), None)

    async def revoke(self, key_id: PlatformKeyId, *, at: datetime) -> datetime:
        """End a key."""
        raise NotImplementedError(key_id, at)

    async def use_nonce(self, key_id: PlatformKeyId, nonce: str, *, until: datetime) -> None:
        """Keep a nonce."""
        raise NotImplementedError(key_id, nonce, until)

    async def youngest(self, *, most: int) -> tuple[PlatformKey, ...]:
        """List keys."""
        raise NotImplementedError(most)


async def _platform_key(keyring: Keyring) -> tuple[PlatformKey, str]:
    """Return a new platform key as it is kept, and as it is presented."""
    keys = _OneKey()
    use = Keys(keys, mac=KeyringMac(keyring), entropy=ENTROPY, clock=SystemClock())
    presented = await use.create(
        scopes=tuple(Scope), networks=("127.0.0.0/8",), lifetime=timedelta(days=30)
    )
    return keys.kept[0], presented


async def _add_key(owner_dsn: str, schema: str, key: PlatformKey) -> None:
    connection = await asyncpg.connect(owner_dsn)
    try:
        await connection.execute(
            ADD_KEY.format(schema=schema),
            key.key_id,
            key.mac,
            list(key.scopes),
            list(key.networks),
            key.created_at,
            key.expires_at,
        )
    finally:
        await connection.close()


# --- Processes ---


@contextmanager
def running(contender: Contender) -> Iterator[psutil.Process]:
    """Start a contender's process, wait until it is ready, and stop it in the end."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        contender.command, env=dict(contender.environment), cwd=ROOT
    )
    try:
        _wait_until_ready(process, contender.port)
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            get(port, "/health/ready")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} was not ready in {START_SECONDS} s")


def get(port: int, path: str) -> bytes:
    """Return what ``path`` of a contender answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        data: bytes = answer.read()
    return data
