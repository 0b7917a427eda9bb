"""Checks a certificate of "fewer than k capabilities reach no goal": nothing of ours is imported.

Whoever doubts the prover reads these lines instead (tests/unit/domain/prover/test_check.py).
"""

import hashlib
import json
from itertools import combinations
from typing import Any


def check(question: dict[str, Any], certificate: dict[str, Any]) -> None:
    """Raise ValueError unless the certificate proves each claim of the question.

    Each of its sets says: in these states, whoever has ``caps`` never gets beyond ``closed``.
    """
    text = json.dumps(question, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    framed = b"twinlock/prover-question/v1\0" + len(text).to_bytes(8, "big") + text
    if hashlib.sha256(framed).hexdigest() != certificate["question"]:
        raise ValueError("it answers another question")
    rules = [(1 << head, _mask(body), where) for head, body, where in question["rules"]]
    for claim, proof in zip(question["claims"], certificate["proofs"], strict=True):
        goals, sets = _mask(claim["goals"]), [[int(part, 16) for part in one] for one in proof]
        for caps, closed, states in sets:
            if caps & ~closed or closed & goals:
                raise ValueError("a set lacks its own capabilities, or holds a goal")
            for head, body, where in rules:
                if body & closed == body and not head & closed and int(where, 16) & states:
                    raise ValueError("a rule leads out of a set")
        capabilities = claim["capabilities"]
        for few in map(_mask, combinations(capabilities, min(claim["k"] - 1, len(capabilities)))):
            missing = int(claim["states"], 16)
            for caps, _, states in sets:
                missing &= ~states if caps & few == few else missing
            if missing:
                raise ValueError("fewer than k capabilities lie in no set")


def _mask(atoms: Any) -> int:  # noqa: ANN401 - plain data
    return sum(1 << atom for atom in set(atoms))
