"""PostgreSQL for tests: a real server for each test process, a fresh database for each test.

The wheel's PostgreSQL 16 and, where it is installed, Debian's 15. A server lives in memory, in a
directory of its own, and is stopped and removed when the test process ends. A database is a copy of
a migrated template: some ten milliseconds.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from twinlock.adapters.postgres import EmbeddedPostgres
from twinlock.adapters.sql.migrate import APP_ROLE, migrate
from twinlock.adapters.system import SystemEntropy

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
WHEEL, DEBIAN = "wheel", "debian15"
# A user who owns nothing and exists everywhere: making one needs the lock on /etc/passwd.
UNPRIVILEGED = "nobody"
APP_PASSWORD = "app-" + "x" * 28
TEMPLATE = "twinlock_template"
# What says that a server was killed, or recovers.
_AWAY = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)

both_versions = pytest.mark.parametrize(
    "version",
    [
        pytest.param(WHEEL, id="the wheel's 16"),
        pytest.param(
            DEBIAN,
            id="Debian's 15",
            marks=pytest.mark.skipif(not DEBIAN_15.exists(), reason="PostgreSQL 15 is missing"),
        ),
    ],
    indirect=True,
)


@dataclass(frozen=True, kw_only=True)
class TestDatabase:
    """One database: how its owner reaches it, and how the application does."""

    __test__ = False  # A value for tests, not one of them.

    name: str
    owner_dsn: str = field(repr=False)
    app_dsn: str = field(repr=False)
    server: "TestServer"

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        """Connect as the owner, who is a superuser and knows where the tables are."""
        settings = {"search_path": "twinlock"}
        connection = await asyncpg.connect(self.owner_dsn, server_settings=settings)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def app(self) -> AsyncIterator[asyncpg.Connection]:
        """Connect as the application."""
        settings = {"search_path": "twinlock"}
        connection = await asyncpg.connect(self.app_dsn, server_settings=settings)
        try:
            yield connection
        finally:
            await connection.close()

    async def execute(self, sql: str, *arguments: object) -> str:
        """Do what a superuser can do to any row."""
        async with self.owner() as connection:
            return str(await connection.execute(sql, *arguments))

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Read what a superuser can read."""
        async with self.owner() as connection:
            return list(await connection.fetch(sql, *arguments))

    async def somebody_waits_for_a_lock(self, *, sessions: int = 1) -> None:
        """Return once so many sessions of this database wait for a lock."""
        await self._somebody("Lock", sessions)

    async def somebody_sleeps(self) -> None:
        """Return once a session of this database is in ``pg_sleep``."""
        await self._somebody("PgSleep", 1)

    async def _somebody(self, waits_for: str, sessions: int) -> None:
        waiting = """
            SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND $1 IN (wait_event_type, wait_event)
        """
        async with self.owner() as connection, asyncio.timeout(10):
            while await connection.fetchval(waiting, waits_for) < sessions:
                await connection.execute("SELECT pg_stat_clear_snapshot()")

    async def value(self, sql: str, *arguments: object) -> object:
        """Read one value."""
        async with self.owner() as connection:
            return await connection.fetchval(sql, *arguments)


class TestServer:
    """One PostgreSQL with a migrated template."""

    __test__ = False

    def __init__(self, directory: Path, *, binaries: Path | None) -> None:
        self.directory = directory
        self.embedded = EmbeddedPostgres(
            directory / "pg",
            password_file=directory / "config" / "password",
            entropy=SystemEntropy(),
            binaries=binaries,
            server_user=UNPRIVILEGED,
            start_seconds=30,
        )
        self._numbers = itertools.count(1)
        self._password = ""

    def start(self) -> None:
        """Start the server, also after it was killed, and wait until it lets people in."""
        self._password = self.embedded.ensure_running().password
        in_a_loop_of_its_own(self._let_in())

    async def _let_in(self) -> None:
        """One whose child was killed recovers by itself, and refuses connections meanwhile."""
        async with asyncio.timeout(30):
            while True:
                try:
                    await self.execute("SELECT 1")
                except _AWAY:
                    await asyncio.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        """Stop the server."""
        self.embedded.stop()

    @property
    def postmaster(self) -> int:
        """The process id of the server that runs now."""
        pid_file = self.directory / "pg" / "data" / "postmaster.pid"
        return int(pid_file.read_text("ascii").splitlines()[0])

    def dsn(self, database: str, *, role: str = "postgres", password: str = "") -> str:
        """Return the URL of a database for a role; the owner unless told."""
        return self.embedded.dsn(database=database, role=role, password=password or self._password)

    def make_template(self) -> None:
        """Start, and migrate the database that every other one is a copy of."""
        self.start()
        in_a_loop_of_its_own(self.execute(f"CREATE DATABASE {TEMPLATE}"))
        in_a_loop_of_its_own(migrate(self.dsn(TEMPLATE), app_password=APP_PASSWORD))

    async def execute(self, sql: str) -> None:
        """Do what the superuser can do to the whole server."""
        connection = await asyncpg.connect(self.dsn("postgres"))
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    @asynccontextmanager
    async def database(self, *, template: str = TEMPLATE) -> AsyncIterator[TestDatabase]:
        """Make a fresh database, and drop it afterwards."""
        name = f"twinlock_{next(self._numbers)}"
        copy = "STRATEGY FILE_COPY"  # In memory it takes half as long as through the log.
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template} {copy}")
        try:
            yield TestDatabase(
                name=name,
                owner_dsn=self.dsn(name),
                app_dsn=self.dsn(name, role=APP_ROLE, password=APP_PASSWORD),
                server=self,
            )
        finally:
            await self._drop(name)

    async def _drop(self, name: str) -> None:
        """Drop a database, of a server that a test may have killed."""
        drop = f"DROP DATABASE {name} WITH (FORCE)"
        try:
            await self.execute(drop)
        except _AWAY:
            await asyncio.to_thread(self.start)
            await self.execute(drop)


@contextmanager
def running_server(version: str) -> Iterator[TestServer]:
    """Make a server with its template, and remove it afterwards."""
    _remove_orphans()
    name = f"twinlock-{version}-{os.getpid()}-"
    directory = Path(tempfile.mkdtemp(prefix=name, dir=base()))
    directory.chmod(0o711)  # The server's user passes through.
    server = TestServer(directory, binaries=_binaries(version))
    try:
        server.make_template()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


def _binaries(version: str) -> Path | None:
    return DEBIAN_15 if version == DEBIAN else None


def _remove_orphans() -> None:
    """Stop and remove the servers of test processes that were killed before they could."""
    for directory in base().glob("twinlock-*-*-*"):
        version, number = directory.name.split("-")[1:3]
        if version in (WHEEL, DEBIAN) and not _lives(int(number)):
            TestServer(directory, binaries=_binaries(version)).stop()
            shutil.rmtree(directory, ignore_errors=True)  # Another test process may be at it too.


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def base() -> Path:
    """Return where anybody may enter: memory, if programs may run there."""
    memory = Path("/dev/shm")  # noqa: S108 - only a private directory of our own in it
    if memory.is_dir() and not os.statvfs(memory).f_flag & os.ST_NOEXEC:
        return memory
    return Path("/var/lib") if os.geteuid() == 0 else Path(tempfile.gettempdir())


def in_a_loop_of_its_own(work: Coroutine[object, object, object]) -> None:
    """Run ``work`` to its end beside whatever loop the tests have."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
