"""``twinlock reconcile`` as an operator types it, on spends of a service that goes on."""

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.commands import Ended, run
from support.postgres import TestDatabase
from support.service import ADDRESS, PASSWORD, Customer, Service

from twinlock.bootstrap.world import World

Variables = dict[str, str]


@pytest.fixture
def variables(world: World) -> Variables:
    settings = world.settings
    return {
        "TWINLOCK_DATABASE_URL": settings.database_url or "",
        "TWINLOCK_DATA_DIR": str(settings.data_dir),
        "TWINLOCK_KEYRING_DIR": str(settings.keyring_dir),
    }


async def spent(alice: Customer, number: int) -> str:
    """Withdraw ten dollars, and let the signer have them; return the action."""
    answer = await alice.withdraw("10")
    await alice.client.spend(answer.action_id, spend_id=f"spend-{number:05}", fee_minor="100")
    return answer.action_id


def a_row(alice: Customer, action: str, **changes: str) -> dict[str, str]:
    return {
        "reference": f"0xhash-{action[-6:]}",
        "type": "withdrawal.crypto",
        "account": alice.account_id,
        "action": action,
        "asset": "USDT",
        "network": "ethereum",
        "address": ADDRESS,
        "memo": "",
        "amount_minor": "10000000",
        "executed_at": alice.service.clock.at.isoformat(),
        **changes,
    }


def written(path: Path, *lines: str | bytes | dict[str, str]) -> str:
    told = [json.dumps(line) if isinstance(line, dict) else line for line in lines]
    data = [one.encode() if isinstance(one, str) else one for one in told]
    path.write_bytes(b"\n".join(data) + b"\n")
    return str(path)


def told(ended: Ended) -> dict[str, Any]:
    assert ended.out, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


async def test_what_was_executed_as_it_was_spent_is_reconciled(
    service: Service, alice: Customer, variables: Variables, tmp_path: Path
) -> None:
    await alice.add_destination(budget_cents=10_000)
    await alice.sign_in()
    rows = [a_row(alice, await spent(alice, number)) for number in range(3)]
    rows[1]["address"] = "0x" + "AB" * 20  # Another spelling of it.
    file = written(tmp_path / "ledger.jsonl", *rows)
    csv_file = tmp_path / "ledger.csv"
    with csv_file.open("w", newline="") as out:
        writer = csv.DictWriter(out, [*rows[0], "note"])
        writer.writeheader()
        writer.writerows(row | {"note": "=evil()"} for row in rows)

    state = ("--state", str(tmp_path / "state"))
    in_json = await run(variables, "reconcile", file, "--json", *state)
    in_words = await run(variables, "reconcile", str(csv_file), *state)

    assert (in_json.code, in_json.err) == (0, "")
    found = told(in_json)
    assert (found["rows"], found["matched"], found["findings"], found["broken"]) == (3, 3, {}, {})
    assert in_words.code == 0
    assert in_words.out.startswith("3 rows, 3 as they were authorized, 0 broken\n")
    assert in_words.out.endswith("reconciled\n")

    again = written(tmp_path / "next.jsonl", rows[2], rows[0] | {"reference": "0xanother"})
    twice = await run(variables, "reconcile", again, *state)
    assert twice.code == 1
    assert f"line 2, 0xanother: as {rows[0]['reference']} in an earlier file" in twice.out
    assert (await run(variables, "reconcile", again)).code == 0


async def test_everything_that_does_not_fit_is_found_told_and_written_down(
    service: Service, alice: Customer, variables: Variables, tmp_path: Path
) -> None:
    await alice.add_destination(budget_cents=10_000)
    await alice.sign_in()
    began = service.clock.at
    one, two, three = [await spent(alice, number) for number in range(3)]
    open_still = (await alice.withdraw("10")).action_id
    service.clock.forward(hours=2)
    file = written(
        tmp_path / "ledger.jsonl",
        a_row(alice, one, memo="=cmd|' /C calc'!A0"),
        a_row(alice, two),
        a_row(alice, two, reference="0xagain", amount_minor="99000000"),
        a_row(alice, open_still),
        a_row(alice, "", reference="=HYPERLINK(1)"),
        "{broken",
        b"\xff\xfe",
        a_row(alice, one, executed_at="yesterday"),
    )
    report = tmp_path / "report.csv"
    times = ("--since", began.isoformat(), "--until", service.clock.at.isoformat())
    ended = await run(variables, "reconcile", file, "--json", "--report", str(report), *times)

    assert (ended.code, ended.err) == (1, "")
    found = told(ended)
    assert found["findings"] == {
        "differs": 2,
        "executed_twice": 1,
        "never_executed": 1,
        "no_action": 1,
        "not_spent": 1,
    }
    assert found["broken"] == {"json_broken": 1, "not_utf8": 1, "time_wrong": 1}
    assert (found["rows"], found["matched"], found["spends"], found["pending"]) == (5, 1, 3, 0)
    with report.open(newline="") as opened:
        lines = list(csv.DictReader(opened))
    wanted = [(line["line"], line["kind"], line["field"], line["action"]) for line in lines]
    assert sorted(wanted) == sorted(
        [
            ("6", "json_broken", "", ""),
            ("7", "not_utf8", "", ""),
            ("8", "time_wrong", "executed_at", ""),
            ("1", "differs", "memo", one),
            ("3", "executed_twice", "", two),
            ("3", "differs", "amount_minor", two),
            ("4", "not_spent", "", open_still),
            ("5", "no_action", "", ""),
            ("", "never_executed", "", three),
        ]
    )
    assert all(cell[:1] not in ("=", "+", "-", "@") for line in lines for cell in line.values())
    assert (report.stat().st_mode & 0o777) == 0o600

    in_words = await run(variables, "reconcile", file, *times)
    assert in_words.code == 1
    assert "line 3, 0xagain: as line 2 [executed_twice]" in in_words.out
    assert f"{three}: withdrawal.crypto, spent as spend-00002" in in_words.out
    assert in_words.out.endswith("NOT RECONCILED\n")


async def test_only_the_exits_that_a_ledger_executes_are_missed(
    service: Service, alice: Customer, variables: Variables, tmp_path: Path
) -> None:
    await alice.add_destination(budget_cents=10_000)
    await alice.sign_in()
    began = service.clock.at
    await spent(alice, 1)
    stopped = (await alice.withdraw("10")).action_id
    frozen = await alice.propose("freeze.set")
    await alice.with_secret(frozen.action_id, "password", PASSWORD)
    refused = await alice.client.spend(stopped, spend_id="spend-00002", fee_minor="100")
    assert refused.authorization == ""
    empty = written(tmp_path / "ledger.jsonl")
    since = ("--since", began.isoformat())
    soon = ("--until", (began + timedelta(minutes=30)).isoformat())
    late = ("--until", (began + timedelta(hours=2)).isoformat())

    young = told(await run(variables, "reconcile", empty, "--json", *since, *soon))
    missed = await run(variables, "reconcile", empty, "--json", *since, *late)
    others = await run(variables, "reconcile", empty, "--json", *since, *late, "--type", "card.pay")

    assert (young["findings"], young["pending"]) == ({}, 1)
    assert (missed.code, told(missed)["findings"]) == (1, {"never_executed": 1})
    assert (others.code, told(others)["spends"]) == (0, 0)


async def test_of_many_findings_the_first_are_shown_and_all_are_counted_and_written(
    service: Service, alice: Customer, variables: Variables, tmp_path: Path
) -> None:
    rows = [a_row(alice, "", reference=f"tx-{number}") for number in range(1_300)]
    file = written(tmp_path / "ledger.jsonl", *rows)
    report = tmp_path / "report.csv"

    ended = await run(variables, "reconcile", file, "--report", str(report))

    assert ended.code == 1
    assert ended.out.count("[no_action]") == 20
    assert "and 1280 more: see --report" in ended.out
    assert len(report.read_text().splitlines()) == 1_301


async def test_an_account_that_was_erased_is_told_as_that(
    service: Service, alice: Customer, variables: Variables, database: TestDatabase, tmp_path: Path
) -> None:
    await alice.add_destination(budget_cents=10_000)
    await alice.sign_in()
    action = await spent(alice, 1)
    async with database.owner() as owner:
        await owner.execute("SET search_path TO twinlock")
        await owner.execute(
            "INSERT INTO erased VALUES ($1, 0, 1, $2, $3)", alice.account_id, b"s" * 32, b"m" * 40
        )
        await owner.execute("DELETE FROM stream WHERE id = $1", action)
    file = written(tmp_path / "ledger.jsonl", a_row(alice, action))

    assert told(await run(variables, "reconcile", file, "--json"))["findings"] == {
        "account_erased": 1
    }


@pytest.mark.parametrize(
    ("name", "data", "words", "code"),
    [
        ("ledger.txt", b"", (), "executed_file_refused"),
        ("ledger.json", b"[]", (), "executed_file_refused"),
        ("ledger.jsonl", b"", (), "executed_file_refused"),
        ("ledger.jsonl", b"{}", (), "executed_file_refused"),
        ("ledger.csv", b"reference,type\n", (), "executed_file_refused"),
        ("ledger.jsonl", b"", ("--since", "yesterday"), "executed_file_refused"),
        ("ledger.jsonl", b"", ("--since", "\udcff"), "executed_file_refused"),
        (
            "ledger.jsonl",  # Or nothing would be missed in no time at all.
            b"",
            ("--since", "2026-03-02T00:00:00Z", "--until", "2026-03-01T01:00:00Z"),
            "executed_file_refused",
        ),
        ("ledger.jsonl", b"", ("--type", "nothing.known"), "executed_file_refused"),
        ("ledger.jsonl", None, (), "file_unreadable"),
    ],
)
async def test_what_cannot_be_done_is_told_and_decides_nothing(
    variables: Variables,
    tmp_path: Path,
    name: str,
    data: bytes | None,
    words: tuple[str, ...],
    code: str,
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    ended = await run(variables, "reconcile", str(path), *words)

    assert (ended.code, ended.out) == (2, ""), ended
    assert ended.err.rstrip().endswith(f"[{code}]"), ended


@pytest.mark.parametrize("named", [True, False])
async def test_a_report_never_takes_the_place_of_what_earlier_files_told(
    world: World, variables: Variables, tmp_path: Path, named: bool
) -> None:
    """Prevents: an exit that is executed twice, and told of in two files, of which one is lost."""
    kept = tmp_path / "state" if named else world.settings.data_dir / "reconciled.sqlite3"
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(b"what earlier files told of")
    words = ("--report", str(kept), *(("--state", str(kept)) if named else ()))

    ended = await run(variables, "reconcile", written(tmp_path / "ledger.csv", "x"), *words)

    assert (ended.code, "[file_unsafe]" in ended.err) == (2, True)
    assert kept.read_bytes() == b"what earlier files told of"


async def test_nor_does_it_where_no_file_told_of_anything_yet(
    variables: Variables, tmp_path: Path
) -> None:
    kept = tmp_path / "state"
    words = ("--report", f"{tmp_path}/./state", "--state", str(kept))
    ended = await run(variables, "reconcile", written(tmp_path / "ledger.csv", "x"), *words)

    assert (ended.code, "[file_unsafe]" in ended.err) == (2, True)
    assert not kept.exists()
