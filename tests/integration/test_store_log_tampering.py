"""A superuser edits the head of the log or its last tiles: nothing is decided on what is left."""

import asyncio

import pytest
from support.postgres import TestDatabase
from support.store_audit import audit
from support.store_scene import Scene, set_scene
from support.stores import (
    SteerableClock,
    open_store,
    touching,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import (
    ClockUntrustedError,
    LogDamagedError,
)
from twinlock.domain.log.tiles import TILE_WIDTH


@pytest.fixture
async def scene(store: SqlStore, clock: SteerableClock, database: TestDatabase) -> Scene:
    return await set_scene(store, clock, database)


LOG = [
    pytest.param("DELETE FROM head", id="the head removed"),
    pytest.param("UPDATE head SET size = size + 1", id="a head of one leaf more"),
    pytest.param("UPDATE head SET edge = ''", id="a head without edge"),
    pytest.param(
        "UPDATE head SET edge = set_byte(edge, 0, get_byte(edge, 0) # 1)", id="a bit of the head"
    ),
    pytest.param(
        "UPDATE head h SET size = o.size, edge = o.edge FROM public.old_head o",
        id="an old head put back",
    ),
    pytest.param(
        "UPDATE head h SET size = o.size, edge = o.edge, at = o.at, mac = o.mac"
        " FROM public.old_head o;"
        "UPDATE tile t SET hashes = o.hashes FROM public.old_tile o"
        " WHERE (o.level, o.number) = (t.level, t.number)",
        id="an old head put back with its tiles",
    ),
    pytest.param("DELETE FROM tile WHERE level = 0", id="the last tile removed"),
    pytest.param(
        "UPDATE tile SET hashes = substr(hashes, 1, length(hashes) - 32)", id="the last tile cut"
    ),
    pytest.param(
        "UPDATE tile SET hashes = hashes || substr(hashes, 1, 32)", id="the last tile grown"
    ),
    pytest.param(
        "UPDATE tile SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1)",
        id="a bit of the last tile",
    ),
    pytest.param(
        "INSERT INTO leaf SELECT 1, size, decode(repeat('ab', 32), 'hex'), 'x', '' FROM head",
        id="a leaf beyond the head",
    ),
]


@pytest.mark.parametrize("edit", LOG)
async def test_on_a_damaged_log_nothing_is_decided(
    store: SqlStore,
    database: TestDatabase,
    scene: Scene,
    keyring: Keyring,
    clock: SteerableClock,
    edit: str,
) -> None:
    """A process that starts afterwards; the one that runs knows the edge that it wrote."""
    streams = await database.fetch("SELECT * FROM stream ORDER BY id")
    await database.execute(edit)

    async with open_store(database.app_dsn, keyring, clock) as fresh:
        for customer in (scene.alice, scene.bob):
            with pytest.raises(LogDamagedError):
                await fresh.run(touching(customer))

    assert await database.fetch("SELECT * FROM stream ORDER BY id") == streams


@pytest.mark.parametrize("edit", LOG[:-1])
async def test_a_damaged_edge_is_seen_at_start_up(
    store: SqlStore,
    database: TestDatabase,
    scene: Scene,
    keyring: Keyring,
    clock: SteerableClock,
    edit: str,
) -> None:
    head = await store.checked_head()
    assert head == await store.head()
    await database.execute(edit)

    async with open_store(database.app_dsn, keyring, clock) as fresh:
        if "old_tile" in edit:  # Its own anchor outside the database sees this one.
            assert (await fresh.checked_head()).size < head.size
            return
        with pytest.raises(LogDamagedError):
            await fresh.checked_head()


async def test_a_running_process_writes_the_last_tile_anew_from_what_it_knows(
    store: SqlStore, database: TestDatabase, scene: Scene, keyring: Keyring
) -> None:
    await database.execute("UPDATE tile SET hashes = set_byte(hashes, 40, 7)")

    await store.run(touching(scene.bob))

    await audit(database, keyring)


async def test_a_log_with_full_tiles_is_checked_at_its_edge_too(
    store: SqlStore,
    database: TestDatabase,
    scene: Scene,
    keyring: Keyring,
    clock: SteerableClock,
) -> None:
    missing = TILE_WIDTH - (await store.head()).size
    await asyncio.gather(*(store.run(touching(scene.bob)) for _ in range(missing)))
    assert await store.checked_head() == await store.head()
    async with open_store(database.app_dsn, keyring, clock) as fresh:
        await fresh.run(touching(scene.alice))
    await audit(database, keyring)

    await database.execute("UPDATE tile SET hashes = set_byte(hashes, 3, 7) WHERE level = 1")
    async with open_store(database.app_dsn, keyring, clock) as fresh:
        with pytest.raises(LogDamagedError):
            await fresh.run(touching(scene.alice))


async def test_a_head_from_the_future_stops_the_log(
    store: SqlStore, database: TestDatabase, scene: Scene
) -> None:
    await database.execute("UPDATE head SET at = at + interval '1 hour'")

    with pytest.raises(ClockUntrustedError):
        await store.run(touching(scene.bob))
