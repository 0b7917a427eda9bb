"""Logs made here, checked by verifiers that nobody here wrote; changed ones, refused by each.

Needs Debian's Go packages, and PyPI's verifiers in a directory of their own
(tests/support/foreign_verifiers/requirements.txt says how). Without them the tests fail: a log that
only its maker can check proves nothing.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.foreign_verifiers.log_directory import (
    LOG_VKEY,
    WITNESS_VKEY,
    LogPlan,
    signed_head,
    write_log,
)

from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.log.note import SignedNote, parse_note
from twinlock.domain.log.proof import parse_tlog_proof

TESTS = Path(__file__).parents[1]
PROGRAMS = TESTS / "support" / "foreign_verifiers"
PYTHON_VERIFIERS = Path(sys.prefix) / "foreign"
GO_VERIFIER = Path(sys.prefix) / "foreign-go"
GO_PACKAGES = Path("/usr/share/gocode")

SMALL = LogPlan(size=3, old_size=2, claimed=(0, 1, 2))
LARGE = LogPlan(size=70_000, old_size=40_321, claimed=(0, 300, 65_535, 69_999))
FORGED = hashlib.sha256(b"forged").digest()

VERIFIERS = ["go", "aics", "scales"]
SKIPS_COSIGNATURES = "go"


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    written = {plan.size: tmp_path_factory.mktemp("log") for plan in (SMALL, LARGE)}
    for plan in (SMALL, LARGE):
        write_log(written[plan.size], plan)
    return written


@pytest.fixture(scope="session")
def programs() -> dict[str, list[str]]:
    if not (PYTHON_VERIFIERS / "aics_tlog").is_dir():
        pytest.fail(
            "install the Python verifiers: pip install --no-deps --ignore-requires-python "
            f"--require-hashes --target {PYTHON_VERIFIERS} -r {PROGRAMS / 'requirements.txt'}"
        )
    python = [sys.executable, "-m"]
    return {
        "go": [str(compiled_go())],
        "aics": [*python, "support.foreign_verifiers.aics"],
        "scales": [*python, "support.foreign_verifiers.scales"],
    }


def compiled_go() -> Path:
    """Return the Go verifier, compiled once for each version of its source."""
    source = PROGRAMS / "golog.go"
    program = GO_VERIFIER / f"golog-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None or not (GO_PACKAGES / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.fail("install Go: apt-get install golang-go golang-golang-x-mod-dev")
    GO_VERIFIER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=GO_VERIFIER) as scratch:
        subprocess.run(  # noqa: S603 - our own program, compiled by the Go found on the path
            [go, "build", "-o", f"{scratch}/golog", str(source)],
            env={
                "PATH": os.environ["PATH"],
                "GO111MODULE": "off",  # Debian's packages stand in a GOPATH, not in modules.
                "GOPATH": str(GO_PACKAGES),
                "GOCACHE": f"{scratch}/cache",
                "CGO_ENABLED": "0",
            },
            check=True,
        )
        Path(scratch, "golog").replace(program)
    return program


def verdict(program: list[str], directory: Path) -> tuple[int, str]:
    done = subprocess.run(  # noqa: S603 - the verifiers above, on a directory made here
        [*program, str(directory), LOG_VKEY, WITNESS_VKEY],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{TESTS}{os.pathsep}{PYTHON_VERIFIERS}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    before = path.read_bytes()
    after = change(before)
    assert after != before
    path.write_bytes(after)


def flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def change_entry(log: Path) -> None:
    edit(log / "tile/entries/000.p/3", flip_last)


def change_entry_and_its_hash(log: Path) -> None:
    edit(log / "tile/entries/000.p/3", lambda data: data[:-1] + b"X")
    forged = (log / "tile/entries/000.p/3").read_bytes()[-2:]
    edit(log / "tile/0/000.p/3", lambda data: data[:64] + leaf_hash(forged))


def change_hash(log: Path) -> None:
    edit(log / "tile/0/000.p/3", flip_last)


def change_size(log: Path) -> None:
    edit(log / "checkpoint", lambda data: data.replace(b"\n3\n", b"\n2\n"))


def change_origin(log: Path) -> None:
    edit(log / "checkpoint", lambda data: data.replace(b"log.example/t", b"log.example/T", 1))


def change_signature(log: Path) -> None:
    def forge(data: bytes) -> bytes:
        note = parse_note(data)
        first, *others = note.signatures
        bad = replace(first, signature=flip_last(first.signature))
        return SignedNote(text=note.text, signatures=(bad, *others)).encode()

    edit(log / "checkpoint", forge)


def sign_another_root(log: Path) -> None:
    edit(log / "checkpoint", lambda _: signed_head(3, FORGED).encode())


def rewrite_history(log: Path) -> None:
    edit(log / "claims/old-checkpoint", lambda _: signed_head(2, FORGED).encode())


def change_inclusion_proof(log: Path) -> None:
    def forge(data: bytes) -> bytes:
        proof = parse_tlog_proof(data)
        return replace(proof, hashes=(FORGED, *proof.hashes[1:])).encode()

    edit(log / "claims/1.tlog-proof", forge)


def change_claimed_index(log: Path) -> None:
    edit(log / "claims/1.tlog-proof", lambda data: data.replace(b"index 1", b"index 0"))


def change_claimed_entry(log: Path) -> None:
    edit(log / "claims/1.entry", flip_last)


def drop_consistency_proof(log: Path) -> None:
    edit(log / "claims/consistency", lambda _: b"")


CHANGES = [
    change_entry,
    change_entry_and_its_hash,
    change_hash,
    change_size,
    change_origin,
    change_signature,
    sign_another_root,
    rewrite_history,
    change_inclusion_proof,
    change_claimed_index,
    change_claimed_entry,
    drop_consistency_proof,
]


@pytest.mark.parametrize("size", [3, 70_000])
@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_log_made_here_is_accepted_elsewhere(
    logs: dict[int, Path], programs: dict[str, list[str]], verifier: str, size: int
) -> None:
    assert verdict(programs[verifier], logs[size]) == (0, f"accepted {size}\n")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_changed_log_is_refused_elsewhere(
    logs: dict[int, Path],
    programs: dict[str, list[str]],
    tmp_path: Path,
    verifier: str,
    change: Callable[[Path], None],
) -> None:
    changed = shutil.copytree(logs[3], tmp_path / "log")
    change(changed)

    code, said = verdict(programs[verifier], changed)

    assert (code, said.split(":")[0]) == (1, "refused"), said


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_one_changed_leaf_of_70_000_is_refused_elsewhere(
    logs: dict[int, Path], programs: dict[str, list[str]], tmp_path: Path, verifier: str
) -> None:
    changed = shutil.copytree(logs[70_000], tmp_path / "log")
    edit(changed / "tile/entries/001", lambda data: data.replace(b"300300", b"300301", 1))

    code, said = verdict(programs[verifier], changed)

    assert (code, said.split(":")[0]) == (1, "refused"), said


@pytest.mark.parametrize("verifier", [name for name in VERIFIERS if name != SKIPS_COSIGNATURES])
def test_a_changed_cosignature_is_refused_elsewhere(
    logs: dict[int, Path], programs: dict[str, list[str]], tmp_path: Path, verifier: str
) -> None:
    changed = shutil.copytree(logs[3], tmp_path / "log")

    def forge(data: bytes) -> bytes:
        note = parse_note(data)
        log, witness = note.signatures
        later = replace(witness, signature=b"\x01" + witness.signature[1:])
        return SignedNote(text=note.text, signatures=(log, later)).encode()

    edit(changed / "checkpoint", forge)

    code, said = verdict(programs[verifier], changed)

    assert (code, said.split(":")[0]) == (1, "refused"), said
