"""Checks a tiled log with PyPI's ``aics-tlog``.

Usage: python -m support.foreign_verifiers.aics DIRECTORY LOG_VKEY WITNESS_VKEY
It ends with 0 and "accepted …", or with 1 and "refused: …".
"""

import sys
from pathlib import Path

import aics_tlog  # type: ignore[import-not-found] # lives in .venv/foreign, out of our own reach
from support.foreign_verifiers.claims import read_claims, read_growth, read_note


def check(directory: Path, log_vkey: str, witness_vkey: str) -> int:
    """Return the log's size; raise when anything does not verify."""
    log, witness = aics_tlog.parse_vkey(log_vkey), aics_tlog.parse_vkey(witness_vkey)

    def head(note: str) -> tuple[int, bytes]:
        result = aics_tlog.verify_checkpoint(
            aics_tlog.parse_note(note), log, [witness], 1, expected_origin=log.name
        )
        if not result.ok:
            raise ValueError(result.error)
        return result.size, result.root

    size, root = head(read_note(directory / "checkpoint"))
    aics_tlog.audit_tiles(aics_tlog.FileSystemTileReader(directory), size, root)
    for claim in read_claims(directory):
        tree = head(claim.checkpoint)
        leaf = aics_tlog.leaf_hash(claim.entry)
        if not aics_tlog.verify_inclusion(leaf, claim.index, tree[0], claim.hashes, tree[1]):
            raise ValueError("inclusion proof refused")
    old_note, proof = read_growth(directory)
    old_size, old_root = head(old_note)
    if not aics_tlog.verify_consistency(old_size, size, old_root, root, proof):
        raise ValueError("consistency proof refused")
    return size


if __name__ == "__main__":
    directory, log_vkey, witness_vkey = sys.argv[1:]
    try:
        verdict, code = f"accepted {check(Path(directory), log_vkey, witness_vkey)}", 0
    except (ValueError, OSError) as error:
        verdict, code = f"refused: {error}", 1
    sys.stdout.write(f"{verdict}\n")
    sys.exit(code)
