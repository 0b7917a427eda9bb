"""The shape of the code: small, described, and every exception to a rule with its reason."""

import ast
import re
from pathlib import Path

import pytest
from tidy.repository import SOURCE, comments, name_of, python_files, text_files, tree

MOST_LINES_OF_A_FUNCTION = 60
MOST_LINES_OF_A_MODULE = 500
EXCEPTION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma|fmt:|ruff:|mypy:|nosec|pylint)")
REASONED = re.compile(
    r"#\s*(?:noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*|type: ignore\[[a-z-]+(?:, ?[a-z-]+)*\])"
    r"\s*(?:-|–|#)\s*\S+"
)
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b")
# The domain is arithmetic (docs/architecture.md): what it may import, rather than what it may not.
ARITHMETIC = {
    "base64",
    "binascii",
    "bisect",
    "collections",
    "collections.abc",
    "contextlib",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "hmac",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "msgspec",
    "msgspec.json",
    "msgspec.structs",
    "operator",
    "re",
    "string",
    "struct",
    "types",
    "typing",
    "unicodedata",
}


MODULES = [path for path in python_files() if "tests" not in path.parts]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_at_most_500_lines_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES_OF_A_MODULE


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_no_function_is_longer_than_60_lines(path: Path) -> None:
    long = [
        f"{node.name}, line {node.lineno}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    ]

    assert long == []


@pytest.mark.parametrize("path", python_files("src", "bench", "tools"), ids=name_of)
def test_a_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_an_exception_to_a_rule_has_its_reason_beside_it(path: Path) -> None:
    bare = [
        f"line {line}: {text}"
        for line, text in comments(path)
        if EXCEPTION.search(text) and not REASONED.search(text)
    ]

    assert bare == []


@pytest.mark.parametrize("path", text_files(), ids=name_of)
def test_nothing_is_left_for_later_in_a_comment(path: Path) -> None:
    assert UNFINISHED.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted((SOURCE / "domain").rglob("*.py")), ids=name_of)
def test_the_domain_imports_arithmetic_and_nothing_else(path: Path) -> None:
    imported = [
        name
        for node in ast.walk(tree(path))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]

    strange = {name for name in imported if not name.startswith("twinlock.domain")} - ARITHMETIC
    assert strange == set()


@pytest.mark.parametrize("path", python_files("src"), ids=name_of)
def test_assert_is_for_tests(path: Path) -> None:
    asserted = [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)]

    assert asserted == []
