"""The page of the standards' requirements: docs/requirements.md, from tests that name them.

A test shows a line by ``@pytest.mark.requirement("N-B15")``, on itself or as the ``pytestmark`` of
its module. What no test shows says why, in tests/requirements.toml.
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec
from doc_parts import page, table

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
LINES = TESTS / "requirements.toml"
GROUPS = {
    "N-B": "SP 800-63B-4: authentication",
    "O-": "OWASP ASVS 5.0.0",
    "P-": "PSD2: strong customer authentication",
    "W-": "WebAuthn Level 3",
    "N-A": "SP 800-63A-4: proofing",
    "I-": "Presentation and injection attacks",
    "C-": "Identity chips (ICAO 9303)",
    "K-": "Keys and operations (CCSS)",
}
SHOWN_MOST = 4  # Tests named for one line; more would hide the table.


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One requirement. ``not_yet`` says why it is not met, or not wholly."""

    standard: str
    ref: str
    force: str
    demand: str
    basis: str
    not_yet: str = ""


@cache
def lines() -> Mapping[str, Line]:
    """Return every line, by its id."""
    return msgspec.convert(tomllib.loads(LINES.read_text("utf-8")), dict[str, Line])


@cache
def shown() -> Mapping[str, tuple[str, ...]]:
    """Return for each id that a test names the tests that name it."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, ids in _marked(ast.parse(path.read_text("utf-8"))):
            for one in ids:
                found.setdefault(one, []).append(f"{path.relative_to(ROOT)}::{name}".rstrip(":"))
    return {one: tuple(tests) for one, tests in found.items()}


def _marked(module: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in module.body:
        match node:
            case (
                ast.FunctionDef(name=name, decorator_list=marks)
                | ast.AsyncFunctionDef(name=name, decorator_list=marks)
            ):
                yield name, [one for mark in marks for one in _ids(mark)]
            case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                yield "", list(_ids(value))
            case _:
                continue


def _ids(node: ast.expr) -> Iterator[str]:
    for call in ast.walk(node):
        match call:
            case ast.Call(func=ast.Attribute(attr="requirement"), args=args):
                yield from (str(one.value) for one in args if isinstance(one, ast.Constant))
            case _:
                continue


def requirements_page() -> str:
    """Return docs/requirements.md."""
    return page("The requirements", _introduction(), *_groups())


def _introduction() -> str:
    met = [one for one, line in lines().items() if shown().get(one) and not line.not_yet]
    partly = [one for one, line in lines().items() if shown().get(one) and line.not_yet]
    rest = len(lines()) - len(met) - len(partly)
    return f"""
Numbered lines of the standards that account security is measured by, and the tests that show each.
Of {len(lines())} lines {len(met)} are met, {len(partly)} in part, and {rest} not yet.

A line is met when a test names it (`@pytest.mark.requirement`), and that test asks what the line
asks. One that is not, or not wholly, says why. Where the basis is a draft, or memory, the final
text may differ: check the source before you quote a line. This is our own measure, and nobody's
certificate.
"""


def _groups() -> Iterator[str]:
    for prefix, title in GROUPS.items():
        rows = [_row(one) for one in lines() if one.startswith(prefix)]
        yield f"## {title}"
        yield table(("line", "where", "asks", "", "shown by, or why not"), rows)


def _row(one: str) -> tuple[str, str, str, str, str]:
    line, tests = lines()[one], shown().get(one, ())
    state = ("in part" if line.not_yet else "met") if tests else "not yet"
    where = f"{line.standard} {line.ref}, {line.force}; {line.basis}"
    why = [*_named(tests), *([line.not_yet] if line.not_yet else [])]
    return one, where, line.demand, state, "<br>".join(why)


def _named(tests: tuple[str, ...]) -> Iterator[str]:
    for test in tests[:SHOWN_MOST]:
        path, _, name = test.partition("::")
        yield f"`{name}` in `{path}`" if name else f"`{path}`"
    if len(tests) > SHOWN_MOST:
        yield f"and {len(tests) - SHOWN_MOST} more"
