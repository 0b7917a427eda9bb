"""``twinlock erase-due``, ``export`` and ``legal-hold`` as an operator types them."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.commands import Ended, run
from support.due import due_customer, proved_customer
from support.installations import environment_of
from support.postgres import TestDatabase
from support.stores import SteerableClock, open_store, opened

from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.system import SystemClock
from twinlock.bootstrap.anchoring import adopt_log
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.world import World, prepare

Variables = dict[str, str]


@pytest.fixture
def variables(database: TestDatabase, tmp_path: Path) -> Variables:
    """The settings of an installation, with the owner of its tables."""
    made = environment_of(tmp_path, DATABASE_URL=database.app_dsn, OWNER_URL=database.owner_dsn)
    make_keyring(load_settings(made))
    return made


@pytest.fixture
async def world(variables: Variables) -> World:
    world = await prepare(load_settings(variables))
    await adopt_log(world)
    return world


async def due(world: World, database: TestDatabase) -> str:
    """Open an account whose erasure is due, and return its id."""
    clock = SteerableClock(datetime.now(UTC) - timedelta(days=31))
    async with open_store(database.app_dsn, world.keyring, clock) as store:
        customer, _ = await proved_customer(store, clock)
        await opened(store, clock)
    return customer.account_id


def refused(told: Ended, code: str) -> None:
    assert (told.code, told.out) == (2, ""), told
    assert told.err.rstrip().endswith(f"[{code}]"), told


async def test_what_is_due_is_erased_and_told(
    variables: Variables, world: World, database: TestDatabase
) -> None:
    assert (await run(variables, "erase-due")).out == "no erasure is due\n"
    named = await due(world, database)
    held = await run(variables, "legal-hold", "set", named, "--reference", "court 7", "--json")
    assert json.loads(held.out) == {"account": named, "reference": "court 7"}
    kept = await run(variables, "erase-due")
    assert (kept.code, kept.out) == (0, f"{named}  not erased  legal_hold\n")
    assert (await run(variables, "legal-hold", "lift", named, "--reference", "court 7")).code == 0
    (erased,) = json.loads((await run(variables, "erase-due", "--json")).out)
    assert (erased["account_id"], type(erased["index"])) == (named, int)
    assert (await run(variables, "erase-due")).out == "no erasure is due\n"

    refused(await run(variables, "export", named), "account_erased")
    refused(await run(variables, "legal-hold", "set", named, "--reference", "x"), "account_erased")


async def test_a_wait_that_only_the_document_tells_of_is_no_wait(
    variables: Variables, world: World, database: TestDatabase
) -> None:
    """Prevents: a thief of the application who seals a document in which somebody has waited."""
    clock = SystemClock()
    async with open_store(database.app_dsn, world.keyring, clock) as store:
        customer, _ = await due_customer(store, clock)
    told = await run(variables, "erase-due")

    assert (told.code, told.out) == (1, f"{customer.account_id}  not erased  log_damaged\n")
    assert await database.value("SELECT count(*) FROM erased") == 0


async def test_without_the_owner_of_the_tables_nothing_is_erased(
    variables: Variables, world: World, database: TestDatabase
) -> None:
    named = await due(world, database)
    without = {name: one for name, one in variables.items() if name != "TWINLOCK_OWNER_URL"}
    refused(await run(without, "erase-due"), "settings_wrong")
    app = {**variables, "TWINLOCK_OWNER_URL": database.app_dsn}
    refused(await run(app, "erase-due"), "settings_wrong")

    assert (await run(without, "export", named)).code == 0


async def test_an_export_is_a_private_file_or_is_printed(
    variables: Variables, world: World, database: TestDatabase, tmp_path: Path
) -> None:
    named = await due(world, database)
    printed = await run(variables, "export", named)
    told = json.loads(printed.out)
    assert (told["account"]["account_id"], told["complete"]) == (named, True)
    directory = tmp_path / "exports"
    directory.mkdir()
    written = await run(variables, "export", named, "--out", str(directory))

    assert (written.code, written.out) == (0, "")
    (file,) = directory.iterdir()
    assert file.name == f"{named}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_bytes())["complete"]
    again = await run(variables, "export", named, "--out", str(directory))
    assert again.code == 0
    assert len(json.loads(file.read_bytes())["entries"]) == len(told["entries"]) + 2


async def test_what_makes_no_sense_is_refused_before_anything_is_logged(
    variables: Variables, world: World, database: TestDatabase, tmp_path: Path
) -> None:
    named = await due(world, database)
    before = await database.value("SELECT size FROM head")
    nobody = f"acc_{'a' * 26}"
    refused(await run(variables, "export", "alice"), "malformed")
    refused(await run(variables, "export", nobody), "account_not_found")
    nowhere = str(tmp_path / "nowhere")
    told = await run(variables, "export", named, "--out", nowhere)
    assert told.code == 2
    assert told.err.rstrip().endswith("[system_refused]")
    refused(
        await run(variables, "legal-hold", "lift", named, "--reference", "court 7"),
        "legal_hold_not_found",
    )

    assert await database.value("SELECT size FROM head") == before
