"""Connections to PostgreSQL, and what it means that the database is down.

A process has connections that write, in turn, and a few that read, so that no crowd of readers
keeps a decision waiting. Nothing here waits longer than the limits below: a stopped database costs
its callers an answer, never their patience.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from twinlock.adapters.sql import queries
from twinlock.domain.errors import SettingsWrongError, UnavailableError

T = TypeVar("T")

READERS = 4  # Connections for reading; a read takes a tenth of a millisecond of the database.
CONNECT_SECONDS = 2.0  # Also for a reader's turn. A healthy database takes 10 ms.
READ_SECONDS = 3.0  # No statement of ours takes a hundredth of that.
OWNER_SECONDS = 60.0  # Of the tables' owner: one that reads ten million rows, or one long life.
CLOSE_SECONDS = 2.0  # For a goodbye, and readers who still read when the process ends.
SETTINGS = {
    "application_name": "twinlock",
    "search_path": "twinlock",
    "timezone": "UTC",
    # Whatever the database's owner made the default: a lock is followed by a fresh look, and what
    # was answered is on the disk.
    "default_transaction_isolation": "read committed",
    "synchronous_commit": "on",
    "lock_timeout": "1000",  # ms. A neighbour that was stopped holds nobody up longer:
    # its transaction is ended by then (ms). A batch idles for 30 ms while it decides; a process
    # that gets a tenth of a processor must still get its batches through.
    "idle_in_transaction_session_timeout": "500",
    "statement_timeout": "2000",  # ms
    "jit": "off",  # Our statements are short; compiling them would take longer than running them.
}
# What a writer sends looks rows up by their keys, always: planned once, and never by reading whole
# tables. Halved the database's time for a batch (measured).
PLANS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
DOWN = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # A statement sent while the server was ending the session.
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,  # Its disk fails, or is gone.
    asyncpg.LockNotAvailableError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.TransactionRollbackError,
    OSError,
    TimeoutError,
)
# A database that is there, and not for us: its operator is at work, or our settings are wrong.
REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)


def unavailable(cause: BaseException) -> UnavailableError:
    """Return the error for a caller whose request met a database that is down."""
    down = UnavailableError("the database does not answer; repeat with the same idempotency key")
    down.__cause__ = cause
    return down


def unreachable(cause: BaseException) -> UnavailableError:
    """Return the error for a start that met a database that is down, or not for us."""
    told = "is there, and refuses us" if isinstance(cause, REFUSED) else "does not answer"
    down = UnavailableError(f"the database {told}: is it running, and is its URL right?")
    down.__cause__ = cause
    return down


@asynccontextmanager
async def connected_as_owner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the owner of the tables, for commands that do what the application may not.

    Raises:
        UnavailableError: the database does not answer, or ends in the middle.
        SettingsWrongError: this is not the owner.
    """
    settings = SETTINGS | {"statement_timeout": str(int(OWNER_SECONDS * 1000))}
    try:
        connection = await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, command_timeout=OWNER_SECONDS, server_settings=settings
        )
    except (*DOWN, *REFUSED) as error:
        raise unreachable(error) from error
    try:
        yield connection
    except asyncpg.InsufficientPrivilegeError as error:
        raise SettingsWrongError("TWINLOCK_OWNER_URL is not that of the tables' owner") from error
    except DOWN as error:
        raise unavailable(error) from error
    finally:
        connection.terminate()


async def leave(connection: asyncpg.Connection) -> None:
    """Say goodbye to a server that may not be listening."""
    try:
        await connection.close(timeout=CLOSE_SECONDS)
    except DOWN:
        connection.terminate()


class Database:
    """One process's way to one database, as the application's role."""

    def __init__(self, dsn: str, pool: asyncpg.Pool) -> None:
        self._dsn = dsn
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str) -> AsyncIterator["Database"]:
        """Open the database at ``dsn``, and close every connection on leaving.

        Raises:
            UnavailableError: it does not answer, or not to us.
        """
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=READERS,
            timeout=CONNECT_SECONDS,
            command_timeout=READ_SECONDS,
            server_settings=SETTINGS,
            reset=_leave_as_it_is,
        )
        try:
            database = cls(dsn, pool)
            await database.ping()
            yield database
        finally:
            await _close(pool)

    async def ping(self) -> None:
        """Ask the database for nothing. Raises UnavailableError."""
        await self.read(lambda db: db.fetchval(queries.PING))

    async def writer(self) -> asyncpg.Connection:
        """Return a new connection of its own, for the one who writes.

        Raises:
            UnavailableError: the database does not answer.
        """
        try:
            return await asyncpg.connect(
                self._dsn, timeout=CONNECT_SECONDS, server_settings=SETTINGS | PLANS
            )
        except (*DOWN, *REFUSED) as error:
            raise unavailable(error) from error

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend one of the readers' connections.

        Raises:
            UnavailableError: all are taken for too long, or the database does not answer.
        """
        try:
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                try:
                    yield connection
                except TimeoutError:
                    connection.terminate()  # Or the next reader would wait for the same answer.
                    raise
        except (*DOWN, *REFUSED) as error:
            raise unavailable(error) from error

    async def read(self, ask: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Return what ``ask`` reads. Raises UnavailableError."""
        async with self.reader() as connection:
            return await ask(connection)


async def _close(pool: asyncpg.Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), CLOSE_SECONDS)
    except DOWN:
        pool.terminate()


async def _leave_as_it_is(connection: asyncpg.Connection) -> None:
    """Save a round trip for each read: ours change nothing that would have to be undone."""
