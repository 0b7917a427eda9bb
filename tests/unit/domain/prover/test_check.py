"""The checker alone: short, apart from everything, and what it refuses."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.reference_policies import CAPABILITIES, HARDENED, Table, policy
from tidy.repository import SOURCE

from twinlock.domain.canonical import encode, tagged_hash
from twinlock.domain.prover.check import check
from twinlock.domain.prover.closure import Rule
from twinlock.domain.prover.covering import certify, claim_of, question_of

PAGE = SOURCE / "domain" / "prover" / "check.py"
LINES_MOST = 40
Plain = dict[str, Any]


def asked() -> tuple[Plain, Plain]:
    """Return the hardened policy's question and its certificate, as plain data."""
    table = Table()
    table.add(policy(HARDENED))
    theft = table.atom("theft")
    claim = claim_of(k=2, goals=[theft], capabilities=range(len(CAPABILITIES)), states=1)
    question = question_of(list(table.atoms), list(table.rules), table.states, [claim])
    return plain(question), plain(certify(question, policy=b"p" * 32))


def plain(value: object) -> Plain:
    return dict(json.loads(encode(value)))


def naming(question: Plain, certificate: Plain) -> Plain:
    """Return a certificate that names this question: what else is wrong is found all the same."""
    digest = tagged_hash("prover-question/v1", encode(question)).hex()
    return certificate | {"question": digest}


def test_the_checker_has_at_most_forty_lines_and_imports_nothing_of_ours() -> None:
    text = PAGE.read_text(encoding="utf-8")
    imported = {
        name
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert len(text.splitlines()) <= LINES_MOST
    assert imported == {"functools", "hashlib", "json", "itertools", "typing"}
    assert imported <= sys.stdlib_module_names


def test_the_checker_runs_where_nothing_of_ours_is_installed() -> None:
    question, certificate = asked()
    program = (
        "import json, sys, runpy\n"
        f"check = runpy.run_path({str(PAGE)!r})['check']\n"
        "question, certificate = json.load(sys.stdin)\n"
        "check(question, certificate)\n"
        "print('proved', sorted(name for name in sys.modules if 'twinlock' in name))"
    )
    run = subprocess.run(  # noqa: S603 - what is run stands above
        [sys.executable, "-I", "-S", "-c", program],
        input=json.dumps([question, certificate]),
        capture_output=True,
        check=True,
        text=True,
    )

    assert run.stdout == "proved []\n"


def test_a_certificate_proves_its_question() -> None:
    check(*asked())


def without_a_set(question: Plain, certificate: Plain) -> None:
    certificate["proofs"][0].pop()


def without_a_proof(question: Plain, certificate: Plain) -> None:
    certificate["proofs"].clear()


def holding_the_goal(question: Plain, certificate: Plain) -> None:
    one = certificate["proofs"][0][0]
    one[1] = f"{int(one[1], 16) | 1 << question['claims'][0]['goals'][0]:x}"


def holding_everything(question: Plain, certificate: Plain) -> None:
    certificate["proofs"][0][0][1] = "-1"


def with_a_capability_more(question: Plain, certificate: Plain) -> None:
    one = certificate["proofs"][0][0]
    one[0] = f"{2 ** len(CAPABILITIES) - 1:x}"


def with_a_capability_less(question: Plain, certificate: Plain) -> None:
    one = certificate["proofs"][0][-1]
    one[0] = "0"


def in_another_state(question: Plain, certificate: Plain) -> None:
    certificate["proofs"][0][0][2] = "2"


def of_more_compromises(question: Plain, certificate: Plain) -> None:
    question["claims"][0]["k"] = 3


def of_another_goal(question: Plain, certificate: Plain) -> None:
    question["claims"][0]["goals"].append(question["atoms"].index("keyA"))


def of_a_further_state(question: Plain, certificate: Plain) -> None:
    question["claims"][0]["states"] = "3"


def of_a_further_rule(question: Plain, certificate: Plain) -> None:
    goal, cookie = question["claims"][0]["goals"][0], question["atoms"].index("session_cookie")
    question["rules"].append([[cookie], [goal], "0+1"])


OTHERWISE: list[tuple[Callable[[Plain, Plain], None], str]] = [
    (without_a_set, "lie in no set"),
    (without_a_proof, "shorter"),
    (holding_the_goal, "holds a goal"),
    (holding_everything, "holds a goal"),
    (with_a_capability_more, "lacks its own capabilities"),
    (with_a_capability_less, "lie in no set"),
    (in_another_state, "lie in no set"),
    (of_more_compromises, "lie in no set"),
    (of_another_goal, "holds a goal"),
    (of_a_further_state, "lie in no set"),
    (of_a_further_rule, "leads out of a set"),
]


@pytest.mark.parametrize(("edit", "why"), OTHERWISE)
def test_what_does_not_follow_is_refused(edit: Callable[[Plain, Plain], None], why: str) -> None:
    question, certificate = asked()
    edit(question, certificate)

    with pytest.raises(ValueError, match=why):
        check(question, naming(question, certificate))


def test_an_atom_less_is_refused_wherever_it_follows_from_the_others() -> None:
    question, certificate = asked()
    caps, closed, _ = (int(part, 16) for part in certificate["proofs"][0][0])
    made = [head for _, heads, _ in question["rules"] for head in heads if closed >> head & 1]
    refused = 0
    for atom in sorted(set(made)):
        certificate["proofs"][0][0][1] = f"{closed & ~(1 << atom):x}"
        with pytest.raises(ValueError, match="leads out of a set"):
            check(question, certificate)
        refused += 1

    assert caps & ~closed == 0
    assert refused > 5


def test_a_certificate_of_another_question_is_refused() -> None:
    question, certificate = asked()
    question["rules"].pop()

    with pytest.raises(ValueError, match="another question"):
        check(question, certificate)


def test_to_ask_for_more_compromises_than_there_are_capabilities_asks_for_all_of_them() -> None:
    """Prevents: a claim of k = 9 over two capabilities, which holds of no nine."""
    safe = [Rule(head=2, body=(0,))]
    theft = [Rule(head=3, body=(0, 1))]
    claims = [claim_of(k=9, goals=[3], capabilities=[0, 1], states=1)]
    question = plain(question_of(["a", "b", "c", "theft"], safe, [1], claims))
    certificate = plain(
        certify(question_of(["a", "b", "c", "theft"], safe, [1], claims), policy=b"")
    )
    falls = plain(question_of(["a", "b", "c", "theft"], theft, [1], claims))

    check(question, certificate)
    for proof in ([], [["1", "1", "1"], ["2", "2", "1"]], certificate["proofs"][0]):
        with pytest.raises(ValueError, match=r"in no set|out of a set"):
            check(falls, naming(falls, {"proofs": [proof]}))
