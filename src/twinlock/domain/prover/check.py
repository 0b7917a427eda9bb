"""Checks a certificate of "fewer than k capabilities reach no goal"; it imports nothing of ours."""

import hashlib
import json
from itertools import combinations
from typing import Any


def check(question: dict[str, Any], certificate: dict[str, Any]) -> None:
    """Raise ValueError unless the certificate proves each claim of the question."""
    text = json.dumps(question, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    framed = b"twinlock/prover-question/v1\0" + len(text).to_bytes(8, "big") + text
    if hashlib.sha256(framed).hexdigest() != certificate["question"]:
        raise ValueError("it answers another question")
    rules = [(1 << head, _mask(body), where) for head, body, where in question["rules"]]
    for claim, proof in zip(question["claims"], certificate["proofs"], strict=True):
        goals, sets = _mask(claim["goals"]), [[int(part, 16) for part in one] for one in proof]
        for caps, closed, states in sets:  # In these states, who has caps never leaves closed.
            if caps & ~closed or closed & goals:
                raise ValueError("a set lacks its own capabilities, or holds a goal")
            for head, body, where in rules:
                if body & closed == body and not head & closed and _stands(where, states):
                    raise ValueError("a rule leads out of a set")
        capabilities = claim["capabilities"]
        for few in map(_mask, combinations(capabilities, min(claim["k"] - 1, len(capabilities)))):
            missing = int(claim["states"], 16)
            for caps, _, states in sets:
                missing &= ~states if caps & few == few else missing
            if missing:
                raise ValueError("fewer than k capabilities lie in no set")


def _stands(where: str, states: int) -> bool:
    runs = (run.split("+") for run in where.split())
    return any(states >> int(first) & (1 << int(count)) - 1 for first, count in runs)


def _mask(atoms: Any) -> int:  # noqa: ANN401 - plain data
    return sum(1 << atom for atom in set(atoms))
