"""A superuser of the database edits rows by hand; each edit ends in a refusal, and opens nothing.

What the store itself does not see, and only the audit does (see the tests at the end):

* an old account put back *together with* removing, or relabelling, the leaves and events that came
  after it: nothing is left that the next label could collide with;
* an old leaf rewritten together with its hash in the tile, or its label column;
* an idempotency key removed or edited: its request is decided again, by the gate and all its laws,
  or leads to another action's id; and a platform key's scopes: they may propose, and never prove.

Each of these contradicts the tree's head, which witnesses keep, or the account's own chain.
"""

import asyncio

import pytest
from support.postgres import TestDatabase
from support.store_audit import audit
from support.store_scene import Scene, set_scene
from support.stores import (
    SteerableClock,
    new_action,
    spend,
    touching,
    withdrawal,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.account import ActionUnknownError
from twinlock.domain.bookkeeping import StateRolledBackError
from twinlock.domain.errors import (
    AccountUnknownError,
    LogDamagedError,
    SealBrokenError,
    TwinlockError,
)


@pytest.fixture
async def scene(store: SqlStore, clock: SteerableClock, database: TestDatabase) -> Scene:
    return await set_scene(store, clock, database)


STREAMS = [
    pytest.param("{old_account}", StateRolledBackError, id="an old account put back as it was"),
    pytest.param(
        "{old_account} {old_destination}",
        StateRolledBackError,
        id="an old account put back with its old destination",
    ),
    pytest.param(
        "{old_account} {old_destination}"
        "DELETE FROM event WHERE subject = '{alice}' AND number > 0;",
        StateRolledBackError,
        id="an old account put back and its later events removed",
    ),
    pytest.param(
        "{old_account} {old_destination} DELETE FROM leaf WHERE leaf_index > 1;",
        StateRolledBackError,
        id="an old account put back and the later leaves removed",
    ),
    pytest.param("{old_destination}", StateRolledBackError, id="an old destination put back"),
    pytest.param(
        "DELETE FROM stream WHERE id = '{destination}'",
        StateRolledBackError,
        id="a destination removed",
    ),
    pytest.param(
        "UPDATE stream SET box = (SELECT box FROM public.old_stream WHERE id = '{alice}')"
        " WHERE id = '{alice}'",
        SealBrokenError,
        id="an old box under the new version",
    ),
    pytest.param(
        "UPDATE stream SET version = version + 1 WHERE id = '{alice}'",
        SealBrokenError,
        id="a version counted up",
    ),
    pytest.param(
        "UPDATE stream SET version = 1 WHERE id = '{alice}'",
        SealBrokenError,
        id="a version set back",
    ),
    pytest.param(
        "UPDATE stream s SET version = b.version, box = b.box FROM stream b"
        " WHERE s.id = '{alice}' AND b.id = '{bob}'",
        SealBrokenError,
        id="another account's row copied over",
    ),
    pytest.param(
        "UPDATE stream s SET version = b.version, box = b.box, subject = b.subject FROM stream b"
        " WHERE s.id = '{alice}' AND b.id = '{bob}'",
        SealBrokenError,
        id="another account's row copied over with its owner",
    ),
    pytest.param(
        "UPDATE stream s SET version = d.version, box = d.box FROM stream d"
        " WHERE s.id = '{alice}' AND d.id = '{destination}'",
        SealBrokenError,
        id="a destination's row copied over the account",
    ),
    pytest.param(
        "UPDATE stream s SET version = b.version, box = b.box FROM stream b"
        " WHERE s.id = '{destination}' AND b.id = '{bobs_destination}'",
        SealBrokenError,
        id="another account's destination copied over",
    ),
    pytest.param(
        "UPDATE stream SET kind = 'destination' WHERE id = '{alice}'",
        SealBrokenError,
        id="an account called a destination",
    ),
    pytest.param(
        "UPDATE stream SET kind = 'action' WHERE id = '{destination}'",
        SealBrokenError,
        id="a destination called an action",
    ),
    pytest.param(
        "UPDATE stream SET subject = '{bob}' WHERE id = '{alice}'",
        SealBrokenError,
        id="an account given to another",
    ),
    pytest.param(
        "UPDATE stream SET box = {flipped} WHERE id = '{alice}'",
        SealBrokenError,
        id="a bit of an account flipped",
    ),
    pytest.param(
        "UPDATE stream SET box = {flipped} WHERE id = '{destination}'",
        SealBrokenError,
        id="a bit of a destination flipped",
    ),
    pytest.param(
        "UPDATE stream SET box = substr(box, 1, 20) WHERE id = '{alice}'",
        SealBrokenError,
        id="a box cut off",
    ),
    pytest.param(
        "UPDATE stream SET box = '' WHERE id = '{alice}'", SealBrokenError, id="a box emptied"
    ),
    pytest.param(
        "UPDATE subject_key SET wrapped = (SELECT wrapped FROM subject_key WHERE subject = '{bob}')"
        " WHERE subject = '{alice}'",
        SealBrokenError,
        id="another subject's key",
    ),
    pytest.param(
        "UPDATE subject_key SET wrapped = substr(wrapped, 1, 67) WHERE subject = '{alice}'",
        SealBrokenError,
        id="a key cut off",
    ),
    pytest.param(
        "UPDATE subject_key SET wrapped = set_byte(wrapped, 3, get_byte(wrapped, 3) # 1)"
        " WHERE subject = '{alice}'",
        SealBrokenError,
        id="a key of another keyring",
    ),
    pytest.param(
        "DELETE FROM stream WHERE id = '{alice}'", AccountUnknownError, id="an account removed"
    ),
    pytest.param(
        "DELETE FROM subject_key WHERE subject = '{alice}'",
        AccountUnknownError,
        id="a subject's key removed, as when a person is erased",
    ),
]


@pytest.mark.parametrize(("edit", "error"), STREAMS)
async def test_an_edited_row_is_refused_and_the_others_go_on(
    store: SqlStore,
    database: TestDatabase,
    scene: Scene,
    edit: str,
    error: type[TwinlockError],
) -> None:
    size = (await store.head()).size
    await database.execute(scene.sql(edit))

    for work in (
        touching(scene.alice, with_destination=True),
        spend(scene.alice, scene.authorized),
        withdrawal(scene.alice, new_action(scene.alice)),
    ):
        with pytest.raises(TwinlockError) as refused:
            await store.run(work)
        assert type(refused.value) is error or isinstance(refused.value, ActionUnknownError)

    assert (await store.run(touching(scene.bob))).indexes == (size,)
    assert (await store.head()).size == size + 1


async def test_a_repaired_row_is_good_again(
    store: SqlStore, database: TestDatabase, scene: Scene, keyring: Keyring
) -> None:
    flip = scene.sql("UPDATE stream SET box = {flipped} WHERE id = '{alice}'")
    await database.execute(flip)
    with pytest.raises(SealBrokenError):
        await store.run(touching(scene.alice))

    await database.execute(flip)

    await store.run(touching(scene.alice))
    await audit(database, keyring)


async def test_an_old_row_put_back_fails_its_batch_for_nobody_else(
    store: SqlStore, database: TestDatabase, scene: Scene, clock: SteerableClock
) -> None:
    await database.execute(scene.sql("{old_account}"))

    told = await asyncio.gather(
        store.run(touching(scene.bob)),
        store.run(touching(scene.alice)),
        store.run(touching(scene.bob)),
        return_exceptions=True,
    )

    assert isinstance(told[1], StateRolledBackError)
    assert not isinstance(told[0], BaseException)
    assert not isinstance(told[2], BaseException)


# --- Actions that are over ---


async def test_a_spent_action_whose_row_is_removed_is_not_spent_again(
    store: SqlStore, database: TestDatabase, scene: Scene
) -> None:
    await database.execute("DELETE FROM stream WHERE id = $1", scene.spent)

    with pytest.raises(ActionUnknownError):
        await store.run(spend(scene.alice, scene.spent))
    assert await store.closed_action(scene.spent) is None


async def test_an_edited_closed_action_does_not_open(
    store: SqlStore, database: TestDatabase, scene: Scene
) -> None:
    await database.execute(scene.sql("UPDATE stream SET box = {flipped} WHERE id = '{spent}'"))

    with pytest.raises(SealBrokenError):
        await store.closed_action(scene.spent)


async def test_a_row_put_where_a_spend_will_write_stops_the_spend(
    store: SqlStore, database: TestDatabase, scene: Scene
) -> None:
    await database.execute(
        "INSERT INTO stream SELECT $2, subject, kind, version, box FROM stream WHERE id = $1",
        scene.spent,
        scene.authorized,
    )

    with pytest.raises(StateRolledBackError, match="another version"):
        await store.run(spend(scene.alice, scene.authorized))

    account = await store.account(scene.alice.account_id)
    assert [one.action_id for one in account.actions] == [scene.authorized]


# --- Entries ---

ENTRIES = [
    pytest.param(
        "UPDATE event SET box = {flipped} WHERE subject = '{alice}' AND number = 1",
        SealBrokenError,
        id="a bit of an event flipped",
    ),
    pytest.param(
        "UPDATE event SET box = (SELECT box FROM event WHERE subject = '{alice}' AND number = 2)"
        " WHERE subject = '{alice}' AND number = 1",
        SealBrokenError,
        id="another event of the account",
    ),
    pytest.param(
        "UPDATE event SET box = (SELECT box FROM event WHERE subject = '{bob}' AND number = 0)"
        " WHERE subject = '{alice}' AND number = 1",
        SealBrokenError,
        id="an event of another account",
    ),
    pytest.param(
        "UPDATE event SET leaf_index = 0 WHERE subject = '{alice}' AND number = 1",
        LogDamagedError,
        id="an event at another leaf",
    ),
    pytest.param(
        "UPDATE event SET leaf_index = 999 WHERE subject = '{alice}' AND number = 1",
        LogDamagedError,
        id="an event at a leaf that does not exist",
    ),
    pytest.param(
        "UPDATE leaf SET entry = convert_to(replace(convert_from(entry, 'UTF8'),"
        ' \'"dec":"allow"\', \'"dec":"deny"\'), \'UTF8\') WHERE leaf_index = 2',
        LogDamagedError,
        id="a leaf that says something else",
    ),
    pytest.param("DELETE FROM leaf WHERE leaf_index = 2", LogDamagedError, id="a leaf removed"),
    pytest.param(
        "UPDATE tile SET hashes = set_byte(hashes, 2 * 32, get_byte(hashes, 2 * 32) # 1)",
        LogDamagedError,
        id="the hash of a leaf flipped in its tile",
    ),
    pytest.param("DELETE FROM tile", LogDamagedError, id="a tile removed"),
    pytest.param(
        "UPDATE leaf SET entry = 'another' WHERE leaf_index = 2;"
        "UPDATE tile SET hashes = substr(hashes, 1, 64) ||"
        " sha256('\\x00' || convert_to('another', 'UTF8')) || substr(hashes, 97)",
        LogDamagedError,
        id="a leaf that is none, rewritten with its hash in the tile",
    ),
    pytest.param(
        "DELETE FROM event WHERE subject = '{alice}' AND number = 1",
        LogDamagedError,
        id="an event removed",
    ),
]


@pytest.mark.parametrize(("edit", "error"), ENTRIES)
async def test_an_edited_entry_is_not_shown(
    store: SqlStore,
    database: TestDatabase,
    scene: Scene,
    edit: str,
    error: type[TwinlockError],
) -> None:
    shown = await store.entry(scene.alice.account_id, 1)
    assert shown is not None
    assert shown.index == 2
    await database.execute(scene.sql(edit))

    with pytest.raises(error):
        await store.entry(scene.alice.account_id, 1)


# --- What only the audit sees ---

UNSEEN = [
    pytest.param(
        "{old_account} {old_destination}"
        "DELETE FROM event WHERE subject = '{alice}' AND number > 0;"
        "DELETE FROM leaf WHERE leaf_index > 1;"
        "DELETE FROM stream WHERE kind = 'action'",
        id="an old account put back and every trace after it removed",
    ),
    pytest.param(
        "{old_account} {old_destination}"
        "UPDATE event SET number = number + 100 WHERE subject = '{alice}' AND number > 0;"
        "UPDATE leaf SET label = sha256(label) WHERE leaf_index > 1;"
        "DELETE FROM stream WHERE kind = 'action'",
        id="an old account put back and the leaves after it relabelled",
    ),
    pytest.param(
        "UPDATE leaf SET entry = 'another' WHERE leaf_index = 0;"
        "UPDATE tile SET hashes = sha256('\\x00' || convert_to('another', 'UTF8'))"
        " || substr(hashes, 33) WHERE level = 0",
        id="an old leaf rewritten with its hash in a tile",
    ),
    pytest.param("DELETE FROM leaf WHERE leaf_index = 0", id="an old leaf removed"),
]


@pytest.mark.parametrize("edit", UNSEEN)
async def test_what_the_store_does_not_see_the_audit_does(
    store: SqlStore, database: TestDatabase, scene: Scene, keyring: Keyring, edit: str
) -> None:
    await audit(database, keyring)
    await database.execute(scene.sql(edit))

    await store.run(touching(scene.alice))

    with pytest.raises((AssertionError, SealBrokenError)):
        await audit(database, keyring)
