"""The tests' own rules: names that cannot collide, no mocks, no naps."""

import ast
from collections import Counter
from pathlib import Path

from tidy.repository import ROOT, faults, name_of, nodes, python_files

TEST_FILES = [path for path in python_files("tests") if path.name.startswith("test_")]
KINDS = {"unit", "property", "integration", "e2e", "attacks", "vectors", "tidy", "support"}


def test_no_two_test_files_share_a_name() -> None:
    counted = Counter(path.name for path in TEST_FILES)

    assert [name for name, count in counted.items() if count > 1] == []


def test_every_test_stands_in_a_folder_that_says_of_what_kind_it_is() -> None:
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in TEST_FILES}

    assert folders <= KINDS


def test_tests_are_modules_and_not_packages() -> None:
    assert [name_of(path) for path in python_files("tests") if path.name == "__init__.py"] == []


def test_a_test_mocks_nothing_and_never_naps() -> None:
    assert faults(TEST_FILES, mocks_and_naps) == {}


def mocks_and_naps(path: Path) -> list[str]:
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in nodes(path)
        if (isinstance(node, ast.Import | ast.ImportFrom) and "mock" in ast.unparse(node))
        or (isinstance(node, ast.Call) and _naps(node))
    ]


def _naps(call: ast.Call) -> bool:
    """Giving way to other tasks is no nap; waiting for a length of time is."""
    if _last_name(call.func) != "sleep":
        return False
    whole = ast.unparse(call.func)
    gives_way = whole == "asyncio.sleep" and ast.unparse(call.args[0]) == "0"
    return whole in ("asyncio.sleep", "time.sleep", "sleep") and not gives_way


def _last_name(node: ast.AST) -> str:
    """Return the last part of a dotted name: to spell all of each takes seconds."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


SKIPS = ("pytest.skip", "pytest.importorskip", "pytest.mark.skip", "pytest.mark.xfail")
ENDS = {name.rpartition(".")[2] for name in SKIPS}


def test_a_test_is_skipped_only_where_it_means_nothing_and_says_so() -> None:
    """``skipif`` with a reason is for another kind of system; ``make test`` prints each."""
    assert faults(TEST_FILES, bare_skips) == {}


def bare_skips(path: Path) -> list[int]:
    skips = [
        node.lineno
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in ENDS and ast.unparse(node) in SKIPS
    ]
    unreasoned = [
        node.lineno
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and _last_name(node.func) == "skipif"
        and ast.unparse(node.func) == "pytest.mark.skipif"
        and not any(keyword.arg == "reason" for keyword in node.keywords)
    ]

    return skips + unreasoned
