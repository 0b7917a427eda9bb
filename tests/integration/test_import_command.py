"""``twinlock import`` as an operator types it: files with every damage, kills, and reports."""

import asyncio
import csv
import json
import os
import random
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import pytest
from support.commands import Ended, environment, run
from support.imports import ADDRESS, BCRYPT, SEED, a_row, base32
from support.installations import environment_of
from support.postgres import TestDatabase
from support.until import seen

from twinlock.adapters import private_files
from twinlock.adapters.settings import load as load_settings
from twinlock.bootstrap.anchoring import adopt_log
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.world import prepare
from twinlock.cli.importing import HELPED_BYTES

Variables = dict[str, str]
COUNT = "SELECT count(*) FROM stream WHERE kind = 'account'"


@pytest.fixture
async def variables(database: TestDatabase, tmp_path: Path) -> Variables:
    made = environment_of(tmp_path, DATABASE_URL=database.app_dsn)
    make_keyring(load_settings(made))
    await adopt_log(await prepare(load_settings(made)))
    return made


def written(path: Path, *lines: str | bytes) -> str:
    data = b"".join(line.encode() if isinstance(line, str) else line for line in lines)
    path.write_bytes(data)
    path.chmod(0o600)
    return str(path)


def in_lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def told(ended: Ended) -> dict[str, Any]:
    assert ended.out, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


async def count(database: TestDatabase) -> int:
    found = await database.value(COUNT)
    assert isinstance(found, int)
    return found


async def test_sound_rows_go_in_and_each_broken_one_is_told_by_its_line(
    variables: Variables, database: TestDatabase, tmp_path: Path
) -> None:
    file = written(
        tmp_path / "old.jsonl",
        b"\xef\xbb\xbf" + in_lines(a_row("first")).encode(),
        "\n",
        in_lines(a_row("second", destinations=[{"network": "ethereum", "address": ADDRESS}])),
        "{broken\n",
        b"\xff\xfe\n",
        in_lines(a_row("=cmd|' /C calc'!A0")),
        in_lines(a_row("third") | {"reference": "nul\0"}),
        "x" * 70_000 + "\n",
        in_lines(a_row("first")),
        '{"reference": "a", "reference": "b"}\n',
        in_lines(a_row("hmac", api_keys=[{"secret": "s" * 32, "scopes": ["read"]}])),
        in_lines(a_row("last")).rstrip("\n"),
    )
    errors, accounts = tmp_path / "errors.csv", tmp_path / "accounts.jsonl"
    ended = await run(
        variables, "import", file, "--json", "--errors", str(errors), "--accounts", str(accounts)
    )

    assert ended.code == 1, ended
    assert (told(ended)["imported"], told(ended)["refused"]) == (3, 8)
    assert await database.value(COUNT) == 3
    with errors.open(newline="") as report:
        rows = list(csv.DictReader(report))
    assert [(int(row["line"]), row["column"], row["code"]) for row in rows] == [
        (4, "", "json_broken"),
        (5, "", "not_utf8"),
        (6, "reference", "formula"),
        (7, "reference", "text_unreadable"),
        (8, "", "row_too_large"),
        (9, "reference", "reference_twice"),
        (10, "", "json_broken"),
        (11, "api_keys[0].secret", "api_key_symmetric"),
    ]
    known = [json.loads(line) for line in accounts.read_text().splitlines()]
    assert [one["reference"] for one in known] == ["first", "second", "last"]
    assert {oct(path.stat().st_mode & 0o777) for path in (errors, accounts)} == {"0o600"}
    for text in (ended.out, ended.err, errors.read_text()):
        assert BCRYPT not in text
        assert "calc" not in text
    audit = await run(variables, "audit", "--json")
    assert audit.code == 0, audit


async def test_a_csv_file_with_the_names_of_another_system_is_mapped(
    variables: Variables, database: TestDatabase, tmp_path: Path
) -> None:
    file = written(
        tmp_path / "old.csv",
        "\N{ZERO WIDTH NO-BREAK SPACE}user id,mail,hash,seed,passkeys,net,addr,junk\r\n",
        f"u-1,a@example.com,{BCRYPT},{base32(SEED)},[],ethereum,{ADDRESS},=evil()\r\n",
        f'u-2,"b@example.com,{BCRYPT},,,,,\r\n',
        f"u-3,c@example.com,{BCRYPT},,,,,,\r\n",
    )
    renames = written(
        tmp_path / "map.json",
        json.dumps(
            {
                "user id": "reference",
                "mail": "email_1",
                "hash": "password_hash",
                "seed": "totp_1_seed",
                "net": "destination_1_network",
                "addr": "destination_1_address",
                "junk": None,
            }
        ),
    )
    ended = await run(variables, "import", file, "--map", renames, "--json")

    assert (ended.code, told(ended)["faults"]) == (1, {"csv_broken": 2})
    assert await database.value(COUNT) == 1
    assert await database.value("SELECT count(*) FROM stream WHERE kind = 'destination'") == 1


async def test_a_dry_run_writes_nothing_and_says_what_the_run_will_say(
    variables: Variables, database: TestDatabase, tmp_path: Path
) -> None:
    file = written(tmp_path / "old.jsonl", in_lines(a_row("a"), a_row("b"), a_row("b")))
    dry = await run(variables, "import", file, "--dry-run", "--json")
    assert await database.value("SELECT size FROM head") == 0
    real = await run(variables, "import", file, "--json")

    assert (dry.code, real.code) == (1, 1)
    assert {**told(dry), "dry_run": False} == told(real)
    again = await run(variables, "import", file)
    assert "0 imported, 0 imported before, 3 refused" in again.out
    resumed = await run(variables, "import", file, "--resume")
    assert "0 imported, 2 imported before, 1 refused" in resumed.out


def seed(number: int) -> str:
    return base32(number.to_bytes(20, "big"))


async def test_a_killed_import_goes_on_and_doubles_and_loses_nothing(
    variables: Variables, database: TestDatabase, tmp_path: Path
) -> None:
    rows = [a_row(f"customer-{number}", totp=[{"seed": seed(number)}]) for number in range(1_500)]
    file = written(tmp_path / "old.jsonl", in_lines(*rows))
    assert len(in_lines(*rows)) > HELPED_BYTES  # So that another process checks rows.
    for _ in range(6):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "twinlock", "import", file, "--resume", "--json"),
            env=environment(variables),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        enough = await count(database) + random.randint(1, 250)  # noqa: S311 - anywhere

        async def went_on(process: Process = process, enough: int = enough) -> bool:
            return process.returncode is not None or await count(database) >= enough

        await seen(went_on, within=60)
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    ended = await run(variables, "import", file, "--resume", "--json")

    assert ended.code == 0, ended
    assert told(ended)["imported"] + told(ended)["imported_before"] == len(rows)
    assert await database.value(COUNT) == len(rows)
    assert await database.value("SELECT size FROM head") == len(rows)
    assert (await run(variables, "audit", "--json")).code == 0


async def test_an_import_whose_anchor_another_process_moves_is_done_all_the_same(
    variables: Variables, database: TestDatabase, tmp_path: Path
) -> None:
    """A service moves the anchor each second, and so does another import."""
    file = written(tmp_path / "old.jsonl", in_lines(a_row("alice")))
    anchor = load_settings(variables).data_dir / "log-anchor.json.lock"
    with private_files.locked(anchor, patience_seconds=5):
        ended = await run(variables, "import", file, "--json")

    assert ended.code == 0, ended
    assert told(ended)["imported"] == await count(database) == 1


async def test_in_a_long_file_too_the_later_of_two_like_rows_is_refused_and_told_in_order(
    variables: Variables, database: TestDatabase, tmp_path: Path
) -> None:
    """Prevents: an order of rows that follows from how many are under way at once."""
    rows = [a_row(f"customer-{number}", totp=[{"seed": seed(number)}]) for number in range(2_000)]
    rows += [a_row("another", totp=[{"seed": seed(7)}]), a_row("customer-3"), a_row("last")]
    file, errors = tmp_path / "old.jsonl", tmp_path / "errors.csv"
    written(file, in_lines(*rows[:1_000]), "{broken\n", in_lines(*rows[1_000:]))
    assert len(in_lines(*rows)) > HELPED_BYTES
    ended = await run(variables, "import", str(file), "--json", "--errors", str(errors))

    assert (ended.code, told(ended)["imported"], await count(database)) == (1, 2_001, 2_001)
    with errors.open(newline="") as report:
        found = [(int(row["line"]), row["code"]) for row in csv.DictReader(report)]
    assert found == [(1_001, "json_broken"), (2_002, "totp_twice"), (2_003, "reference_twice")]


@pytest.mark.parametrize(
    ("name", "data", "words", "code"),
    [
        ("old.csv", b"reference,nonsense\n", (), "import_file_refused"),
        ("old.csv", b"reference,email_1,email\n", (), "import_file_refused"),
        ("old.csv", b"reference,totp,totp_1_seed\n", (), "import_file_refused"),
        ("old.csv", '"reference'.encode("utf-16"), (), "import_file_refused"),
        ("old.txt", b"reference\n", (), "import_file_refused"),
        ("old.json", b'[{"reference": "c-1"}]', (), "import_file_refused"),
        ("old.csv", None, (), "file_unreadable"),
        ("old.jsonl", b"", ("--map", "nowhere.json"), "file_unreadable"),
    ],
)
async def test_a_file_that_cannot_be_read_at_all_is_refused_whole(
    variables: Variables,
    tmp_path: Path,
    name: str,
    data: bytes | None,
    words: tuple[str, ...],
    code: str,
) -> None:
    path = tmp_path / name
    if data is not None:
        written(path, data)
    ended = await run(variables, "import", str(path), *words)

    assert (ended.code, ended.out) == (2, ""), ended
    assert ended.err.rstrip().endswith(f"[{code}]"), ended


async def test_a_file_that_others_may_read_is_told_as_that(
    variables: Variables, tmp_path: Path
) -> None:
    file = tmp_path / "old.jsonl"
    file.write_text(in_lines(a_row()))
    file.chmod(0o644)

    assert "chmod 600" in (await run(variables, "import", str(file))).err
