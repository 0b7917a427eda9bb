"""Measures ``twinlock audit`` on a log of honest customers (``bench/audit_log.py``).

The log is built anew in a database of its own, on a disk; then the program itself is run, as an
operator runs it: all of it, and the rehash alone, each a few times, of which the median counts.
Reading is from the system's cache, as of a log that was just written.

usage: python -m bench.audit [--entries N] [--rounds N] [--jobs N] [--json]
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg
import msgspec
import psutil  # type: ignore[import-untyped] # it ships no types

from bench.audit_log import BEGINNING, PlayedClock, play
from bench.customers import ENTROPY
from bench.place import (
    APP_PASSWORD,
    MICRO,
    ROOT,
    SERVER_USER,
    cpu_seconds,
    database_cpu,
    make_directory,
    signature_cost,
)
from twinlock.adapters.anchor import AnchorFile
from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.signing import KeyringIndex, KeyringSigner
from twinlock.adapters.postgres import EmbeddedPostgres
from twinlock.adapters.settings import load
from twinlock.adapters.sql.installation import claim
from twinlock.adapters.sql.migrate import APP_ROLE, migrate
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.canonical import encode
from twinlock.ports.log import Anchor

ENTRIES = 200_000
ROUNDS = 3
MEGA = 1e6
LOOK_SECONDS = 0.02  # Between two looks at what processes use: what ends meanwhile is lost.
MEMORY_EVERY = 50  # Looks: asking for memory stops a process for a moment.


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the program says of one run; times in milliseconds."""

    size: int
    sound: bool
    counts: dict[str, int]
    milliseconds: int
    phases: dict[str, int]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run: entries a second on the whole and in each phase, and what it took.

    CPU is in microseconds an entry, ``signature_us`` one Ed25519 signature. ``peak_mb`` is
    the largest sum of private memory of all processes of the audit.
    """

    per_second: int
    phases: dict[str, int]
    app_us: float
    database_us: float
    signature_us: float
    peak_mb: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured, each the median of its rounds."""

    entries: int
    accounts: int
    database_mb: int
    jobs: int
    whole: Run
    only_log: Run
    build_per_second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An installation for this run."""

    directory: Path
    keyring: Keyring
    owner_dsn: str
    postmaster: int
    variables: Mapping[str, str]


@contextmanager
def place() -> Iterator[Place]:
    """Make an installation on a disk, and remove it in the end."""
    directory = make_directory()
    config = directory / "config"
    server = EmbeddedPostgres(
        directory / "pg",
        password_file=config / "postgres-password",
        entropy=ENTROPY,
        server_user=SERVER_USER,
    )
    try:
        address = server.ensure_running()
        keyring = keyrings.create_all(config / "keyring", entropy=ENTROPY, now=BEGINNING)
        owner = server.dsn(database="postgres", role=address.superuser, password=address.password)
        yield Place(
            directory=directory,
            keyring=keyring,
            owner_dsn=owner,
            postmaster=int((directory / "pg" / "data" / "postmaster.pid").read_text().split()[0]),
            variables={
                "TWINLOCK_DATABASE_URL": server.dsn(
                    database="postgres", role=APP_ROLE, password=APP_PASSWORD
                ),
                "TWINLOCK_DATA_DIR": str(directory / "data"),
                "TWINLOCK_KEYRING_DIR": str(config / "keyring"),
            },
        )
    finally:
        server.stop()
        shutil.rmtree(directory)


async def build(where: Place, *, entries: int) -> float:
    """Fill the log; return how many entries a second were decided and written."""
    settings, keyring = load(where.variables), where.keyring
    await migrate(where.owner_dsn, app_password=APP_PASSWORD)
    dsn = settings.database_url or ""
    await claim(
        dsn,
        fingerprint=keyring.fingerprint(),
        log_origin=settings.log_origin,
        seal_keys={key.key_id for key in keyring.keys(keyrings.Role.SEAL)},
    )
    clock = PlayedClock()
    began = time.perf_counter()
    async with SqlStore.connect(dsn, sealer=Sealer(keyring), entropy=ENTROPY, clock=clock) as store:
        await play(store, KeyringIndex(keyring), clock, entries=entries)
        head = await store.head()
    seconds = time.perf_counter() - began
    note = KeyringSigner(keyring, log_origin=settings.log_origin).checkpoint(head)
    anchor = Anchor(size=head.size, root=head.root, checkpoint=note.decode())
    AnchorFile(settings.data_dir / "log-anchor.json").advance(anchor, expected_size=None)
    owner = await asyncpg.connect(where.owner_dsn)
    try:
        await owner.execute("VACUUM ANALYZE")
    finally:
        await owner.close()
    return head.size / seconds


async def megabytes(where: Place) -> int:
    """Return how large the database is."""
    owner = await asyncpg.connect(where.owner_dsn)
    try:
        size: int = await owner.fetchval("SELECT pg_database_size(current_database())")
    finally:
        await owner.close()
    return round(size / MEGA)


def audit(where: Place, *, jobs: int, only_log: bool) -> tuple[Told, Run]:
    """Run the program once; return what it says, and what it took."""
    words = ["audit", "--json", "--jobs", str(jobs), *(["--only-log"] if only_log else [])]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TWINLOCK_")}
    environment = {**kept, "PYTHONPATH": str(ROOT / "src"), **where.variables}
    signature_us, database = signature_cost(), database_cpu(where.postmaster)
    before = database()
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "twinlock", *words], env=environment, stdout=subprocess.PIPE
    )
    app, peak, looks = 0.0, 0, 0
    while process.poll() is None:
        looks += 1
        app = max(app, _spent(process.pid))
        database()
        if looks % MEMORY_EVERY == 0:
            peak = max(peak, _memory(process.pid))
        time.sleep(LOOK_SECONDS)
    used = database() - before
    out = b"" if process.stdout is None else process.stdout.read()
    told = msgspec.json.decode(out, type=Told)
    if process.returncode or not told.sound:
        raise RuntimeError(f"an honest log was not found sound: {out!r}")
    return told, Run(
        per_second=round(1000 * told.size / told.milliseconds),
        phases={name: round(1000 * told.size / took) for name, took in told.phases.items()},
        app_us=MICRO * app / told.size,
        database_us=MICRO * used / told.size,
        signature_us=signature_us,
        peak_mb=peak,
    )


def _processes(pid: int) -> list[psutil.Process]:
    try:
        whole = psutil.Process(pid)
        return [whole, *whole.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _spent(pid: int) -> float:
    """Return the CPU seconds of a process and of its children so far."""
    try:
        return sum(cpu_seconds(one) for one in _processes(pid))
    except psutil.NoSuchProcess:  # One of them ended while we looked.
        return 0.0


def _memory(pid: int) -> int:
    try:
        sizes = [int(one.memory_full_info().uss) for one in _processes(pid)]
    except psutil.NoSuchProcess:
        return 0
    return round(sum(sizes) / MEGA)


def _median(runs: list[Run]) -> Run:
    phases = {name: [run.phases[name] for run in runs] for name in runs[0].phases}
    return Run(
        per_second=round(median(run.per_second for run in runs)),
        phases={name: round(median(rates)) for name, rates in phases.items()},
        app_us=median(run.app_us for run in runs),
        database_us=median(run.database_us for run in runs),
        signature_us=median(run.signature_us for run in runs),
        peak_mb=max(run.peak_mb for run in runs),
    )


def measure(*, entries: int, rounds: int, jobs: int) -> Report:
    """Build a log and audit it."""
    with place() as where:
        built = asyncio.run(build(where, entries=entries))
        runs: dict[bool, list[Run]] = {True: [], False: []}
        told = None
        for _ in range(rounds):
            for only_log in (True, False):
                told, run = audit(where, jobs=jobs, only_log=only_log)
                runs[only_log].append(run)
        if told is None:
            raise RuntimeError("nothing is measured in no rounds")
        return Report(
            entries=told.size,
            accounts=told.counts["accounts"],
            database_mb=asyncio.run(megabytes(where)),
            jobs=jobs,
            whole=_median(runs[False]),
            only_log=_median(runs[True]),
            build_per_second=round(built),
        )


def table(found: Report) -> str:
    """Return the report as people read it."""
    return "\n".join(
        [
            f"{found.entries:,} entries of {found.accounts:,} accounts, {found.database_mb:,} MB",
            f"{found.jobs} processes; built at {found.build_per_second:,} entries a second",
            _line("the whole audit", found.whole),
            _line("the rehash alone", found.only_log),
        ]
    )


def _line(name: str, run: Run) -> str:
    phases = ", ".join(f"{phase} {rate:,}" for phase, rate in run.phases.items())
    return (
        f"{name}: {run.per_second:,} entries a second ({phases});"
        f" CPU an entry {run.app_us:.0f} µs, in the database {run.database_us:.0f} µs,"
        f" of a signature {run.signature_us:.0f} µs; {run.peak_mb:,} MB at most"
    )


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(entries=options.entries, rounds=options.rounds, jobs=options.jobs)
    print(encode(found).decode() if options.json else table(found))


if __name__ == "__main__":
    main()
