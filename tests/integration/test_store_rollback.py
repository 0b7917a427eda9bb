"""A whole database put back while a process serves, and heads that somebody else wrote."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from support.postgres import TestDatabase
from support.put_back import keep, put_back
from support.store_scene import Scene, set_scene
from support.stores import (
    BEGINNING,
    ENTROPY,
    SteerableClock,
    make_keyring,
    open_store,
    opened,
    spend,
    touching,
)

from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import LogDamagedError
from twinlock.domain.log.merkle import Frontier, leaf_hash
from twinlock.domain.log.tiles import TILE_WIDTH, grow


@pytest.fixture
async def scene(store: SqlStore, clock: SteerableClock, database: TestDatabase) -> Scene:
    return await set_scene(store, clock, database)


async def append_without_a_key(database: TestDatabase, entry: bytes) -> None:
    """Grow the log by ``entry`` as the application's role can: leaf, tiles and head agree."""
    async with database.app() as app:
        head = await app.fetchrow("SELECT size, edge FROM head")
        tiles = await app.fetch("SELECT level, number, hashes FROM tile")
        before = Frontier.from_bytes(head["size"], head["edge"])
        rows = {(one["level"], one["number"]): one["hashes"] for one in tiles}
        after = before.append([leaf_hash(entry)])
        await app.execute(
            "INSERT INTO leaf VALUES (1, $1, $2, $3, '')", before.size, bytes(32), entry
        )
        for (level, number), hashes in grow(before.size, rows, [leaf_hash(entry)]).items():
            await app.execute(
                "UPDATE tile SET hashes = $3 WHERE (level, number) = ($1, $2)",
                level,
                number,
                hashes,
            )
        await app.execute("UPDATE head SET size = $1, edge = $2", after.size, after.to_bytes())


async def test_a_log_that_somebody_without_a_key_appended_to_is_believed_by_nobody(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    scene: Scene,
    keyring: Keyring,
) -> None:
    await append_without_a_key(database, b'{"forged":true}')

    async with open_store(database.app_dsn, keyring, clock) as fresh:
        for one in (store, fresh):
            for ask in (one.head, one.checked_head, lambda one=one: one.run(touching(scene.bob))):
                with pytest.raises(LogDamagedError, match="not ours"):
                    await ask()


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param("UPDATE head SET mac = ''", id="no MAC"),
        pytest.param("UPDATE head SET mac = substr(mac, 1, 39)", id="a cut MAC"),
        pytest.param("UPDATE head SET mac = set_byte(mac, 0, get_byte(mac, 0) # 1)", id="its key"),
        pytest.param("UPDATE head SET mac = set_byte(mac, 9, get_byte(mac, 9) # 1)", id="its bit"),
        pytest.param("UPDATE head SET at = at - interval '1 microsecond'", id="its time"),
        pytest.param(
            "UPDATE head SET size = 0, edge = '', mac = '', at = at", id="the first row, later"
        ),
    ],
)
async def test_a_head_that_is_not_the_one_that_was_sealed_is_refused(
    database: TestDatabase, scene: Scene, keyring: Keyring, clock: SteerableClock, edit: str
) -> None:
    await database.execute(edit)

    async with open_store(database.app_dsn, keyring, clock) as fresh:
        with pytest.raises(LogDamagedError, match="not ours"):
            await fresh.head()
        with pytest.raises(LogDamagedError, match="not ours"):
            await fresh.run(touching(scene.bob))


async def test_a_head_is_believed_when_a_younger_seal_key_has_come(
    database: TestDatabase, clock: SteerableClock, tmp_path: Path
) -> None:
    before = make_keyring(tmp_path / "ring")
    async with open_store(database.app_dsn, before, clock) as store:
        alice = await opened(store, clock)
        head = await store.head()
        after = keyrings.add(
            tmp_path / "ring", Role.SEAL, entropy=ENTROPY, now=BEGINNING + timedelta(days=1)
        )
        async with open_store(database.app_dsn, after, clock) as younger:
            assert await younger.checked_head() == head
            await younger.run(touching(alice))
        with pytest.raises(LogDamagedError, match="a key that this process holds"):
            await store.head()


async def test_a_database_put_back_under_a_running_process_decides_nothing(
    store: SqlStore, database: TestDatabase, scene: Scene
) -> None:
    await keep(database)
    await store.run(spend(scene.alice, scene.authorized))

    await put_back(database)

    for ask in (store.head, store.checked_head):
        with pytest.raises(LogDamagedError, match="shorter than it was"):
            await ask()
    with pytest.raises(LogDamagedError, match="shorter than it was"):
        await store.run(spend(scene.alice, scene.authorized, spend_id="spend-00002"))
    assert await database.value("SELECT size FROM head") == 5


async def test_a_process_remembers_also_what_it_only_read(
    store: SqlStore, database: TestDatabase, scene: Scene, keyring: Keyring, clock: SteerableClock
) -> None:
    await keep(database)
    async with open_store(database.app_dsn, keyring, clock) as reader:
        await store.run(touching(scene.bob))
        await reader.head()
        await put_back(database)

        with pytest.raises(LogDamagedError, match="shorter than it was"):
            await reader.run(touching(scene.bob))


@pytest.mark.parametrize("more", [0, 1], ids=["as long", "longer"])
async def test_a_history_that_another_process_went_on_with_is_a_fork(
    store: SqlStore,
    database: TestDatabase,
    scene: Scene,
    keyring: Keyring,
    clock: SteerableClock,
    more: int,
) -> None:
    await keep(database)
    await store.run(touching(scene.alice))
    await put_back(database)
    async with open_store(database.app_dsn, keyring, clock) as unaware:
        for _ in range(1 + more):
            await unaware.run(touching(scene.bob))

    with pytest.raises(LogDamagedError, match="not the one that it was"):
        await store.head()
    with pytest.raises(LogDamagedError, match="not the one that it was"):
        await store.run(touching(scene.bob))


async def test_what_another_process_wrote_is_believed_across_full_tiles_too(
    store: SqlStore, database: TestDatabase, scene: Scene, keyring: Keyring, clock: SteerableClock
) -> None:
    async with open_store(database.app_dsn, keyring, clock) as other:
        for _ in range(3):
            await asyncio.gather(*(other.run(touching(scene.bob)) for _ in range(TILE_WIDTH // 2)))
            assert await store.head() == await other.head()
            await store.run(touching(scene.alice))
    assert (await store.checked_head()).size == 5 + 3 * (TILE_WIDTH // 2 + 1)


async def test_readers_at_once_are_given_heads_in_order(
    store: SqlStore, database: TestDatabase, scene: Scene, keyring: Keyring, clock: SteerableClock
) -> None:
    async with open_store(database.app_dsn, keyring, clock) as reader:
        writing = [store.run(touching(scene.bob)) for _ in range(20)]
        given: list[int] = []

        async def look() -> None:
            for _ in range(20):
                head = await reader.head()
                given.append(head.size)

        await asyncio.gather(*writing, *(look() for _ in range(8)))
        assert given == sorted(given)
        assert (await reader.head()).size == 25


async def test_a_log_that_is_distrusted_decides_nothing_and_shows_no_head(
    store: SqlStore, scene: Scene
) -> None:
    store.distrust("the anchor says otherwise")

    for ask in (store.head, store.checked_head, lambda: store.run(touching(scene.bob))):
        with pytest.raises(LogDamagedError, match="the anchor says otherwise"):
            await ask()
