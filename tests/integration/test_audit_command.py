"""``twinlock audit`` as an operator starts it, on a service that goes on meanwhile."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest
from support.auditing import CrewOfOne, unwatched
from support.commands import Ended, alive, children_of, environment, run, until
from support.installations import embedded_installation, environment_of
from support.postgres import APP_PASSWORD, UNPRIVILEGED, TestDatabase
from support.service import Customer, Service
from support.store_process import Config, store_process
from support.stores import open_store, opened

from twinlock.adapters.system import SystemClock
from twinlock.bootstrap.auditing import auditor
from twinlock.bootstrap.world import World, prepare, stop_database
from twinlock.client import ProblemError
from twinlock.domain.audit.parts import Checked, Part
from twinlock.domain.errors import UnavailableError

Variables = dict[str, str]


def variables_of(world: World, **more: str) -> Variables:
    settings = world.settings
    return {
        "TWINLOCK_DATABASE_URL": settings.database_url or "",
        "TWINLOCK_DATA_DIR": str(settings.data_dir),
        "TWINLOCK_KEYRING_DIR": str(settings.keyring_dir),
        **more,
    }


def report(told: Ended) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode(told.out)
    return found


async def rows(database: TestDatabase) -> dict[str, object]:
    """Return everything that stands in the tables, and how often each was written."""
    async with database.owner() as owner:
        await owner.execute("SELECT pg_stat_force_next_flush()")
    tables = await database.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'twinlock' ORDER BY 1"
    )
    return {
        row["tablename"]: await database.fetch(
            f"SELECT xmin::text, xmax::text, t::text FROM {row['tablename']} t ORDER BY 3"  # noqa: S608 - a table's name
        )
        for row in tables
    }


async def lives(alice: Customer) -> None:
    """Do a good deal of what customers do, over some days."""
    service = alice.service
    await alice.add_destination(budget_cents=10_000)
    await alice.sign_in()
    spent = await alice.withdraw()
    await service.client.spend(spent.action_id, spend_id="spend-00001", fee_minor="100")
    late = await alice.withdraw("20")
    service.clock.forward(minutes=14)
    await service.client.spend(late.action_id, spend_id="spend-00002", fee_minor="0")
    await alice.bind_totp()
    wrong = await alice.propose("withdrawal.crypto", alice.withdrawal("30"))
    with pytest.raises(ProblemError):
        await alice.with_secret(wrong.action_id, "password", "not the password")
    service.clock.forward(hours=30)
    await alice.sign_in()
    await alice.propose("freeze.set", {})
    await alice.withdraw_refused()
    await alice.propose("destination.remove", {"network": "ethereum", "address": "0x" + "ab" * 20})


async def test_a_customers_life_is_sound(
    service: Service, world: World, alice: Customer, database: TestDatabase
) -> None:
    await lives(alice)
    await service.deliver()  # Or the service would hand notices on meanwhile.
    before = await rows(database)

    told = await run(variables_of(world), "audit", "--json", "--jobs", "2")

    assert (told.code, told.err) == (0, "")
    found = report(told)
    assert (found["sound"], found["findings"], found["faults"]) == (True, [], {})
    counts = found["counts"]
    assert isinstance(counts, dict)
    assert counts["entries"] == counts["leaves"] == found["size"]
    assert counts["spends"] == 2
    assert counts["accounts"] == 1
    assert counts["key_uses"] > 10
    assert await rows(database) == before, "an audit writes nothing"


async def test_an_empty_log_and_one_of_one_entry_are_sound(service: Service, world: World) -> None:
    empty = await run(variables_of(world), "audit")
    await Customer(service, "alice").open("email")
    one = await run(variables_of(world), "audit")

    assert (empty.code, one.code) == (0, 0)
    assert empty.out.startswith("sound: 0 leaves, 0 entries of 0 accounts")
    assert one.out.startswith("sound: 1 leaves, 1 entries of 1 accounts, 1 documents, 0 spends")


async def test_what_is_found_is_printed_and_is_exit_code_1(
    service: Service, world: World, alice: Customer, database: TestDatabase
) -> None:
    await lives(alice)
    await database.execute("UPDATE stream SET version = version + 1 WHERE kind = 'destination'")
    await database.execute("UPDATE leaf SET facts = '{}' WHERE leaf_index > 3")

    told = await run(variables_of(world), "audit")
    only_log = await run(variables_of(world), "audit", "--only-log")

    assert told.code == 1
    assert "[stream_broken]" in told.out
    assert "[facts_altered]" in told.out
    assert "NOT SOUND" in told.out
    assert told.err == ""
    assert only_log.code == 0, "a rehash opens no account"
    assert "0 entries of 0 accounts" in only_log.out


async def test_of_a_thousand_findings_the_first_are_told_and_all_are_counted(
    service: Service, world: World, alice: Customer, database: TestDatabase
) -> None:
    await lives(alice)
    await database.execute("UPDATE event SET box = 'x'")

    told = await run(variables_of(world), "audit")

    assert told.code == 1
    assert told.out.count("[entry_broken]") == 25
    assert "more of the same kinds" in told.out


async def test_an_audit_needs_its_keyring_and_its_database(
    world: World, tmp_path: Path, database: TestDatabase
) -> None:
    nowhere = str(tmp_path / "nowhere" / "ring")
    no_keys = await run(variables_of(world, TWINLOCK_KEYRING_DIR=nowhere), "audit")
    down = database.app_dsn.replace("twinlock_", "no_such_database_")
    no_database = await run(variables_of(world, TWINLOCK_DATABASE_URL=down), "audit")

    assert (no_keys.code, no_database.code) == (2, 2)
    assert no_keys.err.rstrip().endswith("[keyring_missing]")
    assert no_database.err.rstrip().endswith("[unavailable]")
    assert APP_PASSWORD not in no_database.err


async def test_a_database_that_was_never_migrated_is_not_made_one(
    world: World, database: TestDatabase
) -> None:
    await database.execute("DROP SCHEMA twinlock CASCADE")

    told = await run(variables_of(world), "audit")

    assert told.code == 2
    assert told.err.rstrip().endswith("[schema_wrong]")


async def test_a_kept_checkpoint_is_held_against_the_log(
    service: Service, world: World, alice: Customer, tmp_path: Path
) -> None:
    kept = tmp_path / "checkpoint"
    kept.write_bytes(await service.client.checkpoint())
    foreign = tmp_path / "foreign"
    foreign.write_text("log.example/other\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
    await alice.sign_in()

    told = await run(variables_of(world), "audit", "--since", str(kept))
    missing = await run(variables_of(world), "audit", "--since", str(tmp_path / "none"))
    nonsense = await run(variables_of(world), "audit", "--since", str(foreign))

    assert told.code == 0, told
    assert (missing.code, nonsense.code) == (2, 2)
    assert missing.err.rstrip().endswith("[file_unreadable]")
    why = "the checkpoint that was kept: a note has no signatures [malformed]"
    assert nonsense.err.rstrip().endswith(why)


async def test_the_log_grows_while_it_is_audited(world: World, database: TestDatabase) -> None:
    """Every audit sees one moment: what is decided meanwhile is not in it, and no finding."""
    keyring_dir = world.settings.keyring_dir
    clock = SystemClock()
    async with open_store(database.app_dsn, world.keyring, clock) as store:
        everybody = tuple([await opened(store, clock) for _ in range(8)])
    config = Config(
        mode="hammer",
        dsn=database.app_dsn,
        keyring_dir=str(keyring_dir),
        customers=everybody,
    )
    sizes: list[int] = []
    async with store_process(config) as hammering:
        await hammering.until("spent", 10)
        for _ in range(3):
            told = await run(variables_of(world), "audit", "--json")
            found = report(told)
            faults = found["faults"]
            assert isinstance(faults, dict)
            # The stores of tests keep no policy and no anchor; a service does.
            assert set(faults) <= {"leaf_policy_unknown", "anchor_missing"}, told.out
            sizes.append(int(str(found["size"])))
        await hammering.end()

    assert sizes == sorted(set(sizes)), "it went on meanwhile"


async def test_an_audit_makes_no_database() -> None:
    with embedded_installation() as settings:
        variables = environment_of(settings.data_dir.parent)
        nothing = await run(variables, "audit")

        assert nothing.code == 2
        assert nothing.err.rstrip().endswith("[database_not_started]")
        assert not settings.postgres_dir.exists()


async def test_an_audit_starts_the_database_that_it_finds_stopped() -> None:
    with embedded_installation() as settings:
        await prepare(settings, server_user=UNPRIVILEGED)
        stop_database(settings, server_user=UNPRIVILEGED)
        found = await auditor(settings, server_user=UNPRIVILEGED)

        verdict = await found.audit(CrewOfOne.of, progress=unwatched)

    assert (verdict.sound, verdict.size) == (True, 0)


def cut_off(database: TestDatabase) -> type[CrewOfOne]:
    """Return a crew whose connections the database ends between two parts."""

    class Cut(CrewOfOne):
        async def check(self, parts: Sequence[Part]) -> AsyncIterator[Checked]:
            async for checked in super().check(parts):
                yield checked
                await database.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'twinlock audit'"
                )

    return Cut


@pytest.mark.parametrize("only_log", [False, True])
async def test_a_database_that_goes_away_meanwhile_is_no_verdict(
    world: World, alice: Customer, database: TestDatabase, only_log: bool
) -> None:
    assert alice.service.settings is world.settings
    found = await auditor(world.settings)

    with pytest.raises(UnavailableError):
        await found.audit(cut_off(database).of, progress=unwatched, only_log=only_log)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_audit_says_so_and_is_no_verdict(
    service: Service, world: World, alice: Customer, sent: signal.Signals
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "twinlock",
        "audit",
        "--jobs",
        "2",
        env=environment(variables_of(world)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        await until(lambda: children_of(process.pid))  # Hired, and still starting.
        members = children_of(process.pid)
        process.send_signal(sent)
        out, err = await process.communicate()

    assert process.returncode == 2
    assert (out, err) == (b"", b"interrupted: not all was checked\n")
    assert not any(alive(pid) for pid in members)
