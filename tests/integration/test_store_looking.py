"""Looking: what was committed, without a lock, and nothing else."""

import asyncio

import pytest
from support.postgres import TestDatabase, both_versions
from support.stores import (
    SteerableClock,
    new_action,
    new_customer,
    opened,
    spend,
    touching,
    withdrawal,
)

from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.bookkeeping import StateRolledBackError
from twinlock.domain.errors import AccountUnknownError, LogDamagedError
from twinlock.domain.events import ActionProposed, ActionSpent
from twinlock.domain.log.merkle import EMPTY_ROOT, Frontier, inclusion_proof, leaf_hash
from twinlock.domain.log.merkle import verify_inclusion as verify
from twinlock.domain.log.tiles import TILE_BYTES, TILE_WIDTH, hashes_in, tiles_needed


@both_versions
async def test_an_empty_log_has_the_empty_root(store: SqlStore) -> None:
    head = await store.head()

    assert (head.size, head.root) == (0, EMPTY_ROOT)
    assert head == await store.checked_head()
    assert await store.leaves(start=0, count=10) == ()
    assert await store.tiles(((0, 0),)) == {}


async def test_what_does_not_exist_is_told_as_such(store: SqlStore, clock: SteerableClock) -> None:
    alice, stranger = await opened(store, clock), new_customer()

    with pytest.raises(AccountUnknownError):
        await store.account(stranger.account_id)
    assert await store.destination(alice.account_id, stranger.destination_id) is None
    assert await store.closed_action(new_action(alice)) is None
    assert await store.entry(alice.account_id, 1) is None


async def test_a_destination_is_shown_to_its_own_account_only(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice, bob = await opened(store, clock), await opened(store, clock)

    assert await store.destination(alice.account_id, alice.destination_id) is not None
    assert await store.destination(bob.account_id, alice.destination_id) is None


async def test_an_entry_is_shown_with_its_events_and_its_place(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = await opened(store, clock)
    action = new_action(alice)
    proposed = await store.run(withdrawal(alice, action))
    spent = await store.run(spend(alice, action))

    entries = [await store.entry(alice.account_id, number) for number in (1, 2)]

    assert [one and one.index for one in entries] == [proposed.indexes[0], spent.indexes[0]]
    kinds = [type(one.kept.events[0]) for one in entries if one is not None]
    assert kinds[0] is ActionProposed
    assert entries[1] is not None
    assert ActionSpent in {type(event) for event in entries[1].kept.events}
    assert (entries[1].leaf,) == await store.leaves(start=spent.indexes[0], count=1)


@both_versions
async def test_leaves_and_tiles_prove_the_head(store: SqlStore, clock: SteerableClock) -> None:
    alice = await opened(store, clock)
    await asyncio.gather(*(store.run(touching(alice)) for _ in range(TILE_WIDTH + 5)))
    head = await store.head()

    leaves = await store.leaves(start=0, count=1_000)
    wanted = tiles_needed(lambda at: inclusion_proof(3, head.size, at))
    tiles = await store.tiles(tuple(sorted(wanted)))

    assert head.size == len(leaves) == TILE_WIDTH + 6
    assert Frontier().append(leaf_hash(leaf) for leaf in leaves).root() == head.root
    path = inclusion_proof(3, head.size, hashes_in(tiles))
    verify(leaf_hash(leaves[3]), index=3, size=head.size, proof=path, root=head.root)
    assert await store.leaves(start=4, count=2) == leaves[4:6]


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(
            "UPDATE tile SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1)"
            " WHERE (level, number) = (0, 0)",
            id="a bit of a full tile",
        ),
        pytest.param("DELETE FROM tile WHERE (level, number) = (0, 0)", id="a full tile gone"),
        pytest.param(
            "UPDATE tile SET hashes = substr(hashes, 1, 8160) WHERE (level, number) = (0, 0)",
            id="a full tile cut short",
        ),
        pytest.param("DELETE FROM tile WHERE level = 1", id="the tile above it gone"),
        pytest.param(
            "UPDATE tile SET hashes = set_byte(hashes, 3, get_byte(hashes, 3) # 1) WHERE level = 1",
            id="a bit of the tile above it",
        ),
    ],
)
async def test_a_tile_that_does_not_hash_to_the_head_is_not_shown(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, edit: str
) -> None:
    alice = await opened(store, clock)
    await asyncio.gather(*(store.run(touching(alice)) for _ in range(TILE_WIDTH + 5)))
    assert len((await store.tiles(((0, 0), (9, 9))))[0, 0]) == TILE_BYTES
    await database.execute(edit)

    with pytest.raises(LogDamagedError):
        await store.tiles(((0, 0),))
    with pytest.raises(LogDamagedError):
        await store.leaves(start=0, count=1)


async def test_an_erased_person_is_gone_and_the_log_stays_whole(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    """What an erasure will do: without the key nothing of the person opens again."""
    alice, bob = await opened(store, clock), await opened(store, clock)
    await store.run(withdrawal(alice, new_action(alice)))
    await database.execute("DELETE FROM subject_key WHERE subject = $1", alice.account_id)

    with pytest.raises(AccountUnknownError):
        await store.account(alice.account_id)
    assert await store.entry(alice.account_id, 0) is None
    assert await store.destination(alice.account_id, alice.destination_id) is None
    assert not await database.fetch("SELECT 1 FROM outbox WHERE subject = $1", alice.account_id)
    assert (await store.run(touching(bob))).indexes == (3,)
    assert (await store.checked_head()).size == 4


async def test_an_entry_that_the_account_counts_is_not_said_to_be_none(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    alice = await opened(store, clock)
    await store.run(touching(alice))
    await database.execute("DELETE FROM event WHERE number = 1")

    with pytest.raises(LogDamagedError, match="an entry that the account counts is gone"):
        await store.entry(alice.account_id, 1)
    assert await store.entry(alice.account_id, 2) is None


@pytest.mark.parametrize("edit", ["put back", "gone"])
async def test_a_destination_that_is_not_the_one_its_account_knows_is_not_shown(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, edit: str
) -> None:
    alice = await opened(store, clock)
    await database.execute("CREATE TABLE public.old AS TABLE stream")
    await store.run(withdrawal(alice, new_action(alice)))
    assert await store.destination(alice.account_id, alice.destination_id) is not None
    await database.execute(
        "UPDATE stream s SET version = o.version, box = o.box FROM public.old o"
        " WHERE o.id = s.id AND s.kind = 'destination'"
        if edit == "put back"
        else "DELETE FROM stream WHERE kind = 'destination'"
    )

    with pytest.raises(StateRolledBackError):
        await store.destination(alice.account_id, alice.destination_id)
