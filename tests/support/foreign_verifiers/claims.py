"""Reads the ``claims/`` of a log's directory for the Python verifiers, without our own code."""

import base64
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Somebody holds ``entry`` and says it stands at ``index`` under ``checkpoint``."""

    entry: bytes
    index: int
    hashes: list[bytes]
    checkpoint: str


def read_claims(directory: Path) -> list[Claim]:
    """Return the claims; there is at least one."""
    paths = sorted((directory / "claims").glob("*.tlog-proof"))
    if not paths:
        raise ValueError("no claims to check")
    return [_read_claim(path) for path in paths]


def read_growth(directory: Path) -> tuple[str, list[bytes]]:
    """Return the older checkpoint and the consistency proof."""
    hashes = (directory / "claims" / "consistency").read_text(encoding="ascii").split()
    return read_note(directory / "claims" / "old-checkpoint"), [_hash(line) for line in hashes]


def read_note(path: Path) -> str:
    """Return a note's text with its newlines as they are."""
    return path.read_bytes().decode("utf-8")


def _read_claim(path: Path) -> Claim:
    head, _, checkpoint = read_note(path).partition("\n\n")
    header, index, *hashes = head.split("\n")
    if header != "c2sp.org/tlog-proof@v1":
        raise ValueError("not a proof file")
    return Claim(
        entry=path.with_suffix(".entry").read_bytes(),
        index=int(index.removeprefix("index ")),
        hashes=[_hash(line) for line in hashes],
        checkpoint=checkpoint,
    )


def _hash(line: str) -> bytes:
    return base64.b64decode(line, validate=True)
