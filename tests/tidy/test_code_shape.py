"""The shape of the code: small, described, and every exception to a rule with its reason."""

import ast
import re
from pathlib import Path

from tidy.repository import (
    SOURCE,
    comments,
    faults,
    name_of,
    nodes,
    python_files,
    text_files,
    text_of,
    tree,
)

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


def test_a_module_is_at_most_500_lines_long() -> None:
    modules = [path for path in python_files() if "tests" not in path.parts]

    assert faults(modules, lambda path: text_of(path).splitlines()[MOST_LINES_OF_A_MODULE:]) == {}


def test_no_function_is_longer_than_60_lines() -> None:
    assert faults(python_files(), long_functions) == {}


def long_functions(path: Path) -> list[str]:
    return [
        f"{node.name}, line {node.lineno}"
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    ]


def test_a_module_says_what_it_is() -> None:
    modules = python_files("src", "bench", "tools")

    assert [name_of(path) for path in modules if not ast.get_docstring(tree(path))] == []


def test_an_exception_to_a_rule_has_its_reason_beside_it() -> None:
    assert faults(python_files(), bare_exceptions) == {}


def bare_exceptions(path: Path) -> list[str]:
    if not EXCEPTION.search(text_of(path)):
        return []
    return [
        f"line {line}: {text}"
        for line, text in comments(path)
        if EXCEPTION.search(text) and not REASONED.search(text)
    ]


def test_nothing_is_left_for_later_in_a_comment() -> None:
    assert faults(text_files(), lambda path: UNFINISHED.findall(text_of(path))) == {}


def test_the_domain_imports_arithmetic_and_nothing_else() -> None:
    assert faults(sorted((SOURCE / "domain").rglob("*.py")), strange_imports) == {}


def strange_imports(path: Path) -> set[str]:
    imported = [
        name
        for node in nodes(path)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]

    return {name for name in imported if not name.startswith("twinlock.domain")} - ARITHMETIC


def test_assert_is_for_tests() -> None:
    assert faults(python_files("src"), asserted) == {}


def asserted(path: Path) -> list[int]:
    return [node.lineno for node in nodes(path) if isinstance(node, ast.Assert)]
