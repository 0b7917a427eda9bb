"""Moving in: how many accounts a second ``twinlock import`` takes over, and in how much memory.

usage: python -m bench.importing [--rows 20000] [--rounds 3]

The floor is COPY of the very same bytes into a table of one column, on the same server: no import
can be quicker than putting its file on the disk. Each row has a password hash of bcrypt, an app, an
e-mail address and a telephone number, and every second one an address. The command runs as a
process of its own, from reading the file to the last commit.
"""

import argparse
import asyncio
import base64
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import asyncpg

from bench.customers import ENTROPY
from bench.place import APP_PASSWORD, SERVER_USER, make_directory
from twinlock.adapters.postgres import EmbeddedPostgres
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.sql.migrate import APP_ROLE, migrate
from twinlock.bootstrap.anchoring import adopt_log
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.world import prepare

HEADER = (
    "reference",
    "email_1",
    "phone_1",
    "password_hash",
    "totp_1_seed",
    "destination_1_network",
    "destination_1_address",
)


def write_file(path: Path, rows: int) -> None:
    """Write so many customers, of whom no two are alike."""
    with path.open("w", encoding="utf-8", newline="") as file:
        path.chmod(0o600)
        out = csv.writer(file)
        out.writerow(HEADER)
        for number in range(rows):
            seed = base64.b32encode(ENTROPY.draw(20)).decode("ascii")
            salt = base64.b64encode(ENTROPY.draw(40)).decode("ascii").replace("+", ".")[:53]
            listed = ("ethereum", f"0x{ENTROPY.draw(20).hex()}") if number % 2 else ("", "")
            out.writerow(
                (
                    f"customer-{number}",
                    f"customer{number}@example.com",
                    f"+1555{number:07}",
                    f"$2b$12${salt}",
                    seed,
                    *listed,
                )
            )


async def copied(dsn: str, path: Path) -> float:
    """Return the seconds that COPY of the same bytes takes, its flush included."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("DROP TABLE IF EXISTS public.floor")
        await connection.execute("CREATE TABLE public.floor (line text NOT NULL)")
        started = time.perf_counter()
        await connection.copy_to_table(
            "floor", schema_name="public", source=path, format="csv", delimiter="\x01", quote="\x02"
        )
        return time.perf_counter() - started
    finally:
        await connection.close()


def imported(environment: dict[str, str], path: Path) -> tuple[float, int, float]:
    """Return seconds, KiB at most, and CPU seconds of one import of ``path``, which is whole."""
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "twinlock", "import", str(path), "--json"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
    )
    told = json.loads(process.stdout.read() if process.stdout else b"")
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status or told["refused"]:
        raise SystemExit(f"not every row was taken: {told}")
    return seconds, used.ru_maxrss, used.ru_utime + used.ru_stime


def main() -> None:
    """Measure, and print."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rows", type=int, default=20_000)
    words.add_argument("--rounds", type=int, default=3)
    asked = words.parse_args()
    directory = make_directory()
    server = EmbeddedPostgres(
        directory / "pg",
        password_file=directory / "config" / "postgres-password",
        entropy=ENTROPY,
        server_user=SERVER_USER,
    )
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, directory)
        undo.callback(server.stop)
        asyncio.run(_measure(directory, server, asked.rows, asked.rounds))


async def _measure(directory: Path, server: EmbeddedPostgres, rows: int, rounds: int) -> None:
    address = server.ensure_running()

    def dsn(role: str, password: str, database: str) -> str:
        return server.dsn(database=database, role=role, password=password)

    owner = dsn(address.superuser, address.password, "postgres")
    rates, floors = [], []
    for turn in range(rounds):
        name = f"turn{turn}"
        connection = await asyncpg.connect(owner)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        own = dsn(address.superuser, address.password, name)
        await migrate(own, app_password=APP_PASSWORD)
        environment = {
            "TWINLOCK_DATA_DIR": str(directory / name / "data"),
            "TWINLOCK_KEYRING_DIR": str(directory / name / "keys"),
            "TWINLOCK_DATABASE_URL": dsn(APP_ROLE, APP_PASSWORD, name),
        }
        settings = load_settings(environment)
        make_keyring(settings)
        await adopt_log(await prepare(settings))
        path = directory / f"{name}.csv"
        write_file(path, rows)
        floor = await copied(own, path)
        seconds, kib, cpu = await asyncio.to_thread(imported, environment, path)
        rates.append(rows / seconds)
        floors.append(seconds / floor)
        print(
            f"round {turn + 1}: {rows} accounts in {seconds:.1f} s, {rates[-1]:.0f} a second, "
            f"{cpu / rows * 1e6:.0f} µs of CPU each, {kib // 1024} MB at most; "
            f"COPY took {floor:.2f} s, {floors[-1]:.0f} times less"
        )
    print(f"median: {median(rates):.0f} accounts a second, {median(floors):.0f} times COPY")


if __name__ == "__main__":
    main()
