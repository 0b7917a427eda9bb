"""Where a benchmark keeps its database and its keys, and by what processor time is told."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped] # it ships no types
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT = Path(__file__).resolve().parents[1]
SERVER_USER = "nobody"  # Owns nothing and exists everywhere; used only where we are root.
SIGNATURES = 1_000
MICRO = 1e6
APP_PASSWORD = "app-" + "x" * 28  # For a socket that nobody else can reach.


def make_directory() -> Path:
    """Make the directory of this run, on a disk, where the database's user passes through."""
    base = "/var/lib" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="twinlock-bench-", dir=base))
    directory.chmod(0o711)
    return directory


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds of one process, in user and system mode."""
    times = process.cpu_times()
    return float(times.user + times.system)


def database_cpu(postmaster: int) -> Callable[[], float]:
    """Return what reads the CPU seconds of the database server and all its processes so far."""
    first = psutil.Process(postmaster)
    seen: dict[int, float] = {}

    def read() -> float:
        for process in (first, *first.children(recursive=True)):
            try:
                seen[process.pid] = cpu_seconds(process)
            except psutil.NoSuchProcess:  # What it used until the last look still counts.
                continue
        return sum(seen.values())

    return read


def signature_cost() -> float:
    """Return the CPU microseconds of one Ed25519 signature, here and now."""
    key, message = Ed25519PrivateKey.generate(), bytes(300)
    began = time.process_time()
    for _ in range(SIGNATURES):
        key.sign(message)
    return MICRO * (time.process_time() - began) / SIGNATURES
