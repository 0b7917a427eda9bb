"""What else reads the log when somebody was erased: audits, webhooks, and the rotation of keys."""

from datetime import timedelta
from pathlib import Path

import pytest
from support.auditing import adopt, audited, codes, settings_of
from support.due import due_customer, eraser, erasing, proved_customer
from support.hooks import hooks_on
from support.postgres import TestDatabase
from support.stores import (
    ENTROPY,
    Customer,
    SteerableClock,
    make_keyring,
    new_action,
    open_store,
    opened,
    touching,
    withdrawal,
)

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.keyring.signing import log_keys
from twinlock.adapters.sql.erasure_marks import Gone, Mark
from twinlock.adapters.sql.log_keys import SqlLogKeys
from twinlock.adapters.sql.rewrap import Rewrap
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import LogDamagedError, SealBrokenError
from twinlock.domain.log.merkle import leaf_hash

MAC = b"x" * 40
SALT = b"s" * 32


@pytest.fixture
async def gone(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> tuple[Customer, int]:
    """A customer who was erased between others, and the index of the leaf that says so."""
    await opened(store, clock)
    customer, action = await due_customer(store, clock)
    committed = await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))
    bob = await opened(store, clock)
    await store.run(withdrawal(bob, new_action(bob)))
    return customer, committed.indexes[-1]


# --- Audits ---


async def found(database: TestDatabase, keyring: Keyring, directory: Path) -> set[str]:
    settings = settings_of(database, directory / "data")
    await adopt(database, keyring, settings)
    return codes(await audited(database, keyring, settings))


@pytest.mark.usefixtures("gone")
async def test_a_log_with_erased_accounts_is_sound(
    database: TestDatabase, keyring: Keyring, tmp_path: Path
) -> None:
    assert await found(database, keyring, tmp_path) == set()


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE erased_entry SET mac = $1", "erasure_forged"),
        ("UPDATE erased SET mac = $1", "erasure_forged"),
        ("UPDATE erased SET entries = entries + 1", "erasure_forged"),
        ("UPDATE erased SET leaf_index = -1", "erasure_forged"),
        ("UPDATE erased SET leaf_index = 9223372036854775807", "erasure_forged"),
        ("INSERT INTO erased_entry VALUES (-1, $1)", "erasure_forged"),
        ("DELETE FROM erased", "erasure_forged"),
        (
            "DELETE FROM leaf WHERE leaf_index = (SELECT leaf_index FROM erased)",
            "erasure_forged",
        ),
        (
            "DELETE FROM erased_entry WHERE leaf_index = (SELECT leaf_index - 1 FROM erased)",
            "leaf_unowned",
        ),
        ("INSERT INTO erased_entry VALUES (0, $1)", "erasure_forged"),
        (
            "UPDATE erased_entry e SET mac = o.mac FROM erased_entry o WHERE e <> o",
            "erasure_forged",
        ),
        (
            "UPDATE erased SET leaf_index = (SELECT min(leaf_index) FROM erased_entry)",
            "erasure_forged",
        ),
        ("UPDATE erased SET subject = 'acc_' || repeat('a', 26)", "erasure_forged"),
        (
            "INSERT INTO subject_key SELECT e.subject, wrapped FROM erased e, subject_key LIMIT 1",
            "erasure_undone",
        ),
        (
            "WITH e AS (DELETE FROM event) INSERT INTO erased_entry VALUES (0, $1)",
            "erasure_forged",
        ),
    ],
)
@pytest.mark.usefixtures("gone")
async def test_an_erasure_that_somebody_made_up_or_undid_is_found(
    sql: str, code: str, database: TestDatabase, keyring: Keyring, tmp_path: Path
) -> None:
    await database.execute(sql, *([MAC] if "$1" in sql else []))

    assert code in await found(database, keyring, tmp_path)


async def test_a_mark_that_we_made_of_a_leaf_that_erased_nobody_is_found(
    gone: tuple[Customer, int], database: TestDatabase, keyring: Keyring, tmp_path: Path
) -> None:
    customer, index = gone
    forged = Gone(index - 1, customer.account_id, 2, SALT)
    await database.execute(
        "UPDATE erased SET leaf_index = leaf_index - 1, salt = $1, mac = $2",
        SALT,
        forged.mac(Sealer(keyring)),
    )

    assert await found(database, keyring, tmp_path) == {"erasure_forged"}


async def test_an_account_that_whoever_has_the_keyring_removed_without_an_erasure_is_found(
    gone: tuple[Customer, int],
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    keyring: Keyring,
    tmp_path: Path,
) -> None:
    """Our own MAC on each mark is not enough: the log must tell of an erasure of as many leaves."""
    carol = await opened(store, clock)
    await store.run(withdrawal(carol, new_action(carol)))
    rows = await database.fetch(
        "DELETE FROM event WHERE subject = $1 RETURNING *", carol.account_id
    )
    await database.execute("DELETE FROM subject_key WHERE subject = $1", carol.account_id)
    await database.execute("DELETE FROM idempotency WHERE scope = $1", carol.account_id)
    for row in rows:
        entry = await database.value(
            "SELECT entry FROM leaf WHERE leaf_index = $1", row["leaf_index"]
        )
        assert isinstance(entry, bytes)
        mark = Mark(row["leaf_index"], leaf_hash(entry))
        forget = "UPDATE leaf SET facts = '{}' WHERE leaf_index = $1"
        await database.execute(forget, mark.leaf_index)
        await database.execute(
            "INSERT INTO erased_entry VALUES ($1, $2)", mark.leaf_index, mark.mac(Sealer(keyring))
        )
    assert len(rows) == 2
    assert await found(database, keyring, tmp_path) == {"erasure_forged"}

    # Nor does another erasure's leaf speak of it, or of more than it had.
    customer, index = gone
    (true,) = await database.fetch("SELECT * FROM erased")
    for forged in (
        Gone(index, customer.account_id, 4, bytes(true["salt"])),
        Gone(index, carol.account_id, 4, bytes(true["salt"])),
        Gone(rows[-1]["leaf_index"], carol.account_id, 2, SALT),
    ):
        await database.execute("DELETE FROM erased")
        await database.execute(
            "INSERT INTO erased (leaf_index, subject, entries, salt, mac) "
            "VALUES ($1, $2, $3, $4, $5)",
            *forged,
            forged.mac(Sealer(keyring)),
        )
        assert await found(database, keyring, tmp_path) == {"erasure_forged"}


async def test_an_account_that_is_put_back_whole_with_its_mark_taken_away_is_found(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    keyring: Keyring,
    tmp_path: Path,
) -> None:
    customer, action = await due_customer(store, clock)
    kept = {
        table: await database.fetch(f"SELECT * FROM {table}")  # noqa: S608 - of ours
        for table in ("subject_key", "event", "stream", "leaf")
    }
    await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))
    for table in ("subject_key", "event", "stream"):
        for row in kept[table]:
            places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
            await database.execute(f"INSERT INTO {table} VALUES ({places})", *row)  # noqa: S608 - of ours
    for row in kept["leaf"]:
        sql = "UPDATE leaf SET facts = $2 WHERE leaf_index = $1"
        await database.execute(sql, row["leaf_index"], row["facts"])
    await database.execute("DELETE FROM erased")

    assert await found(database, keyring, tmp_path) == {"erasure_forged", "erasure_undone"}
    await database.execute("DELETE FROM erased_entry WHERE leaf_index = 0")
    assert await found(database, keyring, tmp_path) == {"erasure_forged"}
    await database.execute("DELETE FROM erased_entry")
    assert await found(database, keyring, tmp_path) == {"leaf_unowned"}


@pytest.mark.parametrize("which", ["every leaf of theirs", "one leaf of theirs"])
async def test_facts_of_erased_leaves_that_are_put_back_are_found(
    which: str,
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    keyring: Keyring,
    tmp_path: Path,
) -> None:
    """They hold when the account was opened, which ties its leaves together again."""
    customer, action = await proved_customer(store, clock)
    clock.advance(timedelta(days=31))
    kept = await database.fetch("SELECT leaf_index, facts FROM leaf WHERE facts <> '{}'")
    committed = await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))
    assert kept
    assert committed.indexes
    for row in kept[-1:] if which == "one leaf of theirs" else kept:
        sql = "UPDATE leaf SET facts = $2 WHERE leaf_index = $1"
        await database.execute(sql, row["leaf_index"], row["facts"])

    assert await found(database, keyring, tmp_path) == {"erasure_undone"}


async def test_an_erasure_marks_no_leaf_of_a_neighbour(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    keyring: Keyring,
    tmp_path: Path,
) -> None:
    """Which leaf is whose stands in a column that whoever owns the database can write."""
    alice, action = await due_customer(store, clock)
    bob = await opened(store, clock)
    for customer in (alice, bob):
        await store.run(touching(customer))
    point = "UPDATE event SET leaf_index = $2 WHERE subject = $1 AND number = 1"
    own, other = await newest_leaf(database, alice), await newest_leaf(database, bob)
    await database.execute(point, alice.account_id, other)
    erases = eraser(database.owner_dsn, keyring, clock)

    with pytest.raises(LogDamagedError):
        await erases.erase(erasing(alice, action))
    assert await database.value("SELECT count(*) FROM erased_entry") == 0

    # Nor does it help to show it Alice's leaf there, and Bob's again afterwards.
    swap = """
UPDATE leaf l SET entry = o.entry FROM leaf o
 WHERE (l.leaf_index, o.leaf_index) IN (($1, $2), ($2, $1))
"""
    await database.execute(swap, own, other)
    await erases.erase(erasing(alice, action))
    await database.execute(swap, own, other)
    assert "erasure_forged" in await found(database, keyring, tmp_path)


async def newest_leaf(database: TestDatabase, customer: Customer) -> int:
    index = await database.value(
        "SELECT max(leaf_index) FROM event WHERE subject = $1", customer.account_id
    )
    assert isinstance(index, int)
    return index


# --- Webhooks ---


async def test_an_endpoint_is_told_of_the_erasure_and_passes_by_what_was_erased(
    gone: tuple[Customer, int], store: SqlStore, clock: SteerableClock, keyring: Keyring
) -> None:
    customer, index = gone
    vkey = next(iter(log_keys(keyring, log_origin="tests.example/log")))
    await SqlLogKeys(store.database, sealer=Sealer(keyring), clock=clock).tell(f"{vkey}")
    shelf = hooks_on(store, clock).shelf
    entries = await shelf.entries(start=0, count=100)

    told = {entry.index: entry.account_id for entry in entries if entry.kept is None}
    assert {told.pop(index), *told.values()} == {customer.account_id, ""}
    assert index - 1 in told
    assert entries[-1].index in told, "the log's own key is nobody's entry"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("DELETE FROM event WHERE leaf_index = 0", LogDamagedError),
        ("DELETE FROM erased_entry", LogDamagedError),
        ("UPDATE erased_entry SET mac = $1", SealBrokenError),
        ("UPDATE erased SET mac = $1", SealBrokenError),
        ("UPDATE erased SET entries = entries + 1", SealBrokenError),
        ("UPDATE erased SET subject = 'acc_' || repeat('a', 26)", SealBrokenError),
        ("DELETE FROM subject_key", LogDamagedError),
    ],
)
@pytest.mark.usefixtures("gone")
async def test_what_was_removed_and_not_erased_is_not_passed_by(
    sql: str,
    error: type[Exception],
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
) -> None:
    await database.execute(sql, *([MAC] if "$1" in sql else []))

    with pytest.raises(error):
        await hooks_on(store, clock).shelf.entries(start=0, count=100)


# --- Keys ---


async def test_marks_are_put_under_the_next_seal_key_and_keep_the_old_one_until_then(
    database: TestDatabase, clock: SteerableClock, tmp_path: Path
) -> None:
    directory = tmp_path / "ring"
    make_keyring(directory)
    old = keyrings.load(directory)
    async with open_store(database.app_dsn, old, clock) as store:
        customer, action = await due_customer(store, clock)
    await eraser(database.owner_dsn, old, clock).erase(erasing(customer, action))
    with keyrings.changing(directory):
        keyrings.announce(directory, Role.SEAL, entropy=ENTROPY, now=clock.at, token=None)
        keyrings.activate(directory, Role.SEAL, now=clock.at, token=None)
    ring = keyrings.load(directory)
    rewrap = Rewrap(database.owner_dsn, sealer=Sealer(ring), entropy=ENTROPY, told=lambda _: None)

    assert (await rewrap.run()).erased == 3
    current = bytes.fromhex(ring.current(Role.SEAL).key_id)
    rows = await database.fetch("SELECT mac FROM erased UNION ALL SELECT mac FROM erased_entry")
    assert {bytes(row["mac"][:8]) for row in rows} == {current}
    assert await found(database, ring, tmp_path) == set()
