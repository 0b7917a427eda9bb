"""The world fails: the database is down, hangs, refuses or is cut off; the clock is wrong.

Whatever fails, nothing is half written, nothing is decided twice, every caller is told soon, and
the store goes on by itself when the world is back.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from datetime import datetime

import asyncpg
import pytest
from msgspec.structs import replace
from support.cutting_proxy import cutting_proxy
from support.postgres import TestDatabase, TestServer, both_versions
from support.store_audit import audit
from support.stores import (
    Customer,
    SteerableClock,
    idempotency,
    new_action,
    open_store,
    opened,
    outcomes,
    touching,
    withdrawal,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql import connections, writer
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.account import State
from twinlock.domain.decisions import Decided
from twinlock.domain.errors import UnavailableError
from twinlock.ports import (
    Committed,
    Work,
)

SOON_SECONDS = 1.5  # A caller is told within this that the database is down.
NEXT_WRITER = """
SELECT pid FROM pg_stat_activity
 WHERE application_name = 'twinlock' AND datname = current_database() AND query LIKE 'COMMIT;'
 ORDER BY state_change LIMIT 1
"""
END_SESSIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'twinlock'
"""


class Watched:
    """A work that counts how often it is decided, and does something the first time."""

    def __init__(self, work: Work, happens: Callable[[], object] = lambda: None) -> None:
        self.calls = 0
        self._inner = work.decide
        self._happens = happens
        self.work = replace(work, decide=self._decide)

    def _decide(self, state: State, now: datetime) -> Decided:
        self.calls += 1
        if self.calls == 1:
            self._happens()
        return self._inner(state, now)


async def next_writer(database: TestDatabase) -> int:
    """Return the process of the server behind the connection that writes next: they take turns."""
    (row,) = await database.fetch(NEXT_WRITER)
    return int(row["pid"])


async def kinds(*works: "asyncio.Future[Committed]") -> list[type]:
    told = await asyncio.gather(*works, return_exceptions=True)
    return [type(one) for one in told]


# --- Down ---


@pytest.mark.parametrize(
    "dsn",
    [
        pytest.param(lambda s, d: s.dsn("no_such_database"), id="no such database"),
        pytest.param(lambda s, d: s.dsn(d.name, password="guess"), id="a wrong password"),  # noqa: S106 - wrong on purpose
        pytest.param(lambda s, d: "postgresql:///x?host=/nowhere", id="no server"),
        pytest.param(lambda s, d: "postgresql://x@127.0.0.1:1/x", id="no port"),
    ],
)
async def test_a_database_that_is_not_there_at_the_start_is_told(
    server: TestServer,
    database: TestDatabase,
    keyring: Keyring,
    clock: SteerableClock,
    dsn: Callable[[TestServer, TestDatabase], str],
) -> None:
    with pytest.raises(UnavailableError):
        async with open_store(dsn(server, database), keyring, clock):
            pass


@pytest.mark.requirement("O-35")
@both_versions
async def test_a_database_that_stops_is_told_to_all_soon_and_used_again_when_it_is_back(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    server: TestServer,
    keyring: Keyring,
) -> None:
    alice = await opened(store, clock)
    await asyncio.to_thread(server.stop)
    loop = asyncio.get_running_loop()
    asked_at = loop.time()

    works = [asyncio.ensure_future(store.run(touching(alice))) for _ in range(200)]
    told = await kinds(*works)

    assert set(told) == {UnavailableError}
    assert loop.time() - asked_at < SOON_SECONDS
    with pytest.raises(UnavailableError):
        await store.account(alice.account_id)
    with pytest.raises(UnavailableError):
        await store.head()

    await asyncio.to_thread(server.start)
    assert (await store.run(touching(alice))).indexes == (1,)
    assert (await store.account(alice.account_id)).chain.entries == 2
    await audit(database, keyring)


@pytest.mark.requirement("O-35", "O-22")
@both_versions
async def test_a_server_killed_in_the_middle_of_a_batch_leaves_nothing_half_written(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    server: TestServer,
    keyring: Keyring,
) -> None:
    alice, bob = await opened(store, clock), await opened(store, clock)
    pids = (server.postmaster, await next_writer(database))

    def kill() -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    fatal = Watched(touching(alice), kill)

    told = await kinds(
        asyncio.ensure_future(store.run(fatal.work)),
        asyncio.ensure_future(store.run(touching(bob))),
    )

    assert told == [UnavailableError] * 2
    await asyncio.to_thread(server.start)
    assert (await store.head()).size == 2
    assert (await store.run(touching(alice))).indexes == (2,)
    await audit(database, keyring)


@both_versions
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_connection_lost_before_the_commit_is_replaced_and_nobody_notices(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    server: TestServer,
    keyring: Keyring,
    number: signal.Signals,
) -> None:
    alice, bob = await opened(store, clock), await opened(store, clock)
    pid = await next_writer(database)
    hit = Watched(touching(alice), lambda: os.kill(pid, number))

    told = await kinds(
        asyncio.ensure_future(store.run(hit.work)),
        asyncio.ensure_future(store.run(touching(bob))),
    )

    if number is signal.SIGTERM:  # A killed one takes the whole server down for a moment.
        assert told == [Committed] * 2
        assert hit.calls == 2
    await asyncio.to_thread(server.start)
    await audit(database, keyring)


async def test_a_connection_lost_between_two_batches_is_replaced(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    alice = await opened(store, clock)
    await store.account(alice.account_id)
    await database.execute(END_SESSIONS)

    assert (await store.run(touching(alice))).indexes == (1,)
    assert (await store.account(alice.account_id)).chain.entries == 2


# --- The commit whose answer is lost ---


@both_versions
async def test_a_commit_whose_answer_is_lost_is_told_as_unknown_and_learnt_by_repeating(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> None:
    async with (
        cutting_proxy(database) as proxy,
        open_store(proxy.dsn, keyring, clock) as store,
    ):
        alice, bob = await opened(store, clock), await opened(store, clock)
        action = new_action(alice)
        watched = Watched(withdrawal(alice, action, key=idempotency("key")))
        proxy.cut_next_commit()

        told = await kinds(
            asyncio.ensure_future(store.run(watched.work)),
            asyncio.ensure_future(store.run(touching(bob))),
        )
        again = await store.run(withdrawal(alice, new_action(alice), key=idempotency("key")))

    assert proxy.cuts == 1
    assert told == [UnavailableError] * 2
    assert watched.calls == 1
    assert again.repeated == action
    log = await audit(database, keyring)
    assert log.size == 4
    assert log.proposed == {action: [2]}


@both_versions
async def test_a_commit_that_fails_is_told_as_unknown_and_was_nothing(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    """The server ends the session while it commits."""
    alice = await opened(store, clock)
    await database.execute(
        "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'"
    )
    await database.execute(
        "CREATE CONSTRAINT TRIGGER die AFTER UPDATE ON head DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION public.die()"
    )
    watched = Watched(touching(alice))

    with pytest.raises(UnavailableError):
        await store.run(watched.work)

    assert watched.calls == 1
    await database.execute("DROP TRIGGER die ON head")
    assert (await store.run(touching(alice))).indexes == (1,)
    await audit(database, keyring)


# --- Hanging, full, refusing ---


@both_versions
async def test_a_process_of_the_database_that_hangs_is_given_up(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    keyring: Keyring,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice, bob = await opened(store, clock), await opened(store, clock)
    monkeypatch.setattr(writer, "BATCH_SECONDS", 0.3)
    pid = await next_writer(database)
    stuck = Watched(touching(alice), lambda: os.kill(pid, signal.SIGSTOP))
    try:
        with pytest.raises(UnavailableError):
            await store.run(stuck.work)
        assert (await store.run(touching(bob))).indexes == (2,)
    finally:
        os.kill(pid, signal.SIGCONT)

    monkeypatch.undo()
    assert (await store.run(touching(alice))).indexes == (3,)
    await audit(database, keyring)


async def test_a_reader_whose_connection_hangs_is_told_and_the_next_one_is_not(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    keyring: Keyring,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 0.2)
    async with open_store(database.app_dsn, keyring, clock) as other:
        alice = await opened(store, clock)
        pid = await other.database.read(lambda db: db.fetchval("SELECT pg_backend_pid()"))
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(UnavailableError):
                await other.account(alice.account_id)
            assert (await other.account(alice.account_id)).account_id == alice.account_id
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_a_statement_that_takes_too_long_is_ended(
    database: TestDatabase,
    keyring: Keyring,
    clock: SteerableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(connections.SETTINGS, "statement_timeout", "100")
    async with open_store(database.app_dsn, keyring, clock) as store:
        alice = await opened(store, clock)
        await database.execute(
            "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(5); RETURN NEW; END'"
        )
        await database.execute(
            "CREATE TRIGGER wait BEFORE INSERT ON leaf FOR EACH ROW EXECUTE FUNCTION public.wait()"
        )
        with pytest.raises(UnavailableError):
            await store.run(touching(alice))
        await database.execute("DROP TRIGGER wait ON leaf")

        assert (await store.run(touching(alice))).indexes == (1,)


@pytest.mark.parametrize("code", ["disk_full", "io_error"])
async def test_a_disk_that_is_full_or_fails_is_a_database_that_is_down(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring, code: str
) -> None:
    alice, bob = await opened(store, clock), await opened(store, clock)
    await database.execute(
        "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN RAISE {code}; END'"
    )
    await database.execute(
        "CREATE TRIGGER fail BEFORE INSERT ON tile FOR EACH ROW EXECUTE FUNCTION public.fail()"
    )
    told = await outcomes(store.run(touching(alice)), store.run(touching(bob)))
    await database.execute("DROP TRIGGER fail ON tile")

    assert [type(one) for one in told] == [UnavailableError] * 2
    assert (await store.run(touching(alice))).indexes == (2,)
    await audit(database, keyring)


async def test_when_every_reader_is_taken_the_next_is_told_and_deciding_goes_on(
    store: SqlStore, clock: SteerableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await opened(store, clock)
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.1)
    taken = [store.database.reader() for _ in range(connections.READERS)]
    for one in taken:
        await one.__aenter__()
    try:
        with pytest.raises(UnavailableError):
            await store.account(alice.account_id)
        assert (await store.run(touching(alice))).indexes == (1,)
    finally:
        for one in taken:
            await one.__aexit__(None, None, None)
    assert (await store.account(alice.account_id)).chain.entries == 2


@both_versions
@pytest.mark.parametrize(
    ("refuse", "allow"),
    [
        pytest.param(
            "ALTER DATABASE {name} SET default_transaction_read_only = on",
            "ALTER DATABASE {name} RESET default_transaction_read_only",
            id="it has become read-only",
        ),
        pytest.param(
            "ALTER DATABASE {name} CONNECTION LIMIT 0",
            "ALTER DATABASE {name} CONNECTION LIMIT -1",
            id="it takes no more connections",
        ),
        pytest.param(
            "ALTER DATABASE {name} ALLOW_CONNECTIONS false",
            "ALTER DATABASE {name} ALLOW_CONNECTIONS true",
            id="it takes no connections at all",
        ),
    ],
)
async def test_a_database_that_refuses_us_is_used_again_when_it_no_longer_does(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    server: TestServer,
    refuse: str,
    allow: str,
) -> None:
    alice = await opened(store, clock)
    await server.execute(refuse.format(name=database.name))
    await server.execute(END_SESSIONS)
    with pytest.raises(UnavailableError):
        await store.run(touching(alice))

    await server.execute(allow.format(name=database.name))
    await server.execute(END_SESSIONS)
    assert (await store.run(touching(alice))).indexes == (1,)


async def test_what_the_owner_made_the_default_weakens_nothing(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> None:
    for setting, value in (
        ("synchronous_commit", "off"),
        ("default_transaction_isolation", "'repeatable read'"),
        ("search_path", "public"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
    ):
        await database.execute(
            f"ALTER ROLE twinlock_app IN DATABASE {database.name} SET {setting} = {value}"
        )
    async with open_store(database.app_dsn, keyring, clock) as store:
        await opened(store, clock)
        found = [
            await store.database.read(lambda db, name=name: db.fetchval(f"SHOW {name}"))  # type: ignore[misc] # bound now
            for name in ("synchronous_commit", "default_transaction_isolation", "lock_timeout")
        ]

    assert found == ["on", "read committed", "1s"]


# --- The end of the process ---


async def test_a_reader_who_does_not_finish_does_not_keep_the_process_from_ending(
    database: TestDatabase,
    keyring: Keyring,
    clock: SteerableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "CLOSE_SECONDS", 0.1)
    async with open_store(database.app_dsn, keyring, clock) as store:
        reading = store.database.reader()
        connection = await reading.__aenter__()

    with pytest.raises(asyncpg.InterfaceError):
        await connection.fetchval("SELECT 1")
    await reading.__aexit__(None, None, None)


async def test_a_store_whose_task_is_cancelled_closes_all_the_same(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> None:
    stores: list[tuple[SqlStore, Customer]] = []
    ready = asyncio.Event()

    async def serve() -> None:
        async with open_store(database.app_dsn, keyring, clock) as store:
            stores.append((store, await opened(store, clock)))
            ready.set()
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await ready.wait()
    serving.cancel()
    await asyncio.wait({serving})

    store, alice = stores[0]
    with pytest.raises(UnavailableError):
        await store.run(touching(alice))
