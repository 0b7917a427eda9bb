"""Checks a tiled log with PyPI's ``tlog-scales``.

Usage: python -m support.foreign_verifiers.scales DIRECTORY LOG_VKEY WITNESS_VKEY
It ends with 0 and "accepted …", or with 1 and "refused: …". Of the entries it reads those claimed.
"""

import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from support.foreign_verifiers.claims import read_claims, read_growth, read_note
from tlog_scales import tiles, tlog  # type: ignore[import-not-found] # lives in .venv/foreign
from tlog_scales.backend import LocalBackend  # type: ignore[import-not-found] # as above
from tlog_scales.reader import TilesReader  # type: ignore[import-not-found] # as above
from tlog_scales.signing import Vkey  # type: ignore[import-not-found] # as above

REFUSALS = (
    tlog.InclusionProofInvalid,
    tlog.ConsistencyProofInvalid,
    InvalidSignature,
    RuntimeError,
    ValueError,
    OSError,
)


def check(directory: Path, log_vkey: str, witness_vkey: str) -> int:
    """Return the log's size; raise when anything does not verify."""
    log, witness = Vkey.from_string(log_vkey), Vkey.from_string(witness_vkey)

    def head(note: str) -> tlog.Checkpoint:
        checkpoint = tlog.Checkpoint.from_text(note)
        checkpoint.verify(log)
        checkpoint.verify(witness)
        return checkpoint

    now = head(read_note(directory / "checkpoint"))
    reader = TilesReader(LocalBackend(directory))
    reader.set_size(now.size)
    if reader.calculate_root_hash() != now.root_hash:
        raise ValueError("the tiles lead to another root")
    for claim in read_claims(directory):
        leaf, signed = tiles.leaf_hash(claim.entry), head(claim.checkpoint)
        given = tlog.InclusionProof(claim.index, signed.size, claim.hashes)
        given.check(leaf, signed.root_hash)
        served = tiles.leaf_hash(reader.get_entry(claim.index))
        reader.get_inclusion_proof(claim.index, now.size).check(served, now.root_hash)
    old_note, proof = read_growth(directory)
    old = head(old_note)
    growth = tlog.ConsistencyProof(old.size, now.size, proof)
    growth.check(old.root_hash, now.root_hash)
    return int(now.size)


if __name__ == "__main__":
    directory, log_vkey, witness_vkey = sys.argv[1:]
    try:
        verdict, code = f"accepted {check(Path(directory), log_vkey, witness_vkey)}", 0
    except REFUSALS as error:
        verdict, code = f"refused: {type(error).__name__} {error}", 1
    sys.stdout.write(f"{verdict}\n")
    sys.exit(code)
