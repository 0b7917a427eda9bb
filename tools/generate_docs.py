"""Write the pages of ``docs/`` that follow from the code.

usage: python tools/generate_docs.py

A page that is written by hand goes out of date on the day somebody is in a hurry. These cannot: a
test (tests/tidy/test_generated_docs.py) compares each with what this program would write.
"""

import ast
import importlib
import inspect
import itertools
import pkgutil
import types
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import msgspec

import twinlock
from twinlock.adapters import settings
from twinlock.api import problems
from twinlock.domain import actions, bounds
from twinlock.domain.authenticators import faults
from twinlock.domain.errors import TwinlockError
from twinlock.domain.events import Event
from twinlock.domain.reasons import EXPLANATIONS, Reason
from twinlock.domain.requirements import Answer

DOCS = Path(__file__).resolve().parent.parent / "docs"
SOURCE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->"


def main() -> None:
    """Write every page anew."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name}")


# --- Errors ---


def all_errors() -> list[type[TwinlockError]]:
    """Return every error class of the package, by code, after importing all of its modules."""
    for module in pkgutil.walk_packages(twinlock.__path__, prefix="twinlock."):
        if not module.name.endswith(".__main__"):  # Importing that one runs the program.
            importlib.import_module(module.name)
    return sorted(_family(TwinlockError), key=lambda error: error.code)


def _family(error: type[TwinlockError]) -> Iterator[type[TwinlockError]]:
    yield error
    for child in error.__subclasses__():
        yield from _family(child)


def errors_page() -> str:
    """Return docs/errors.md."""
    rows = [(f"`{error.code}`", str(error.status), summary(error)) for error in all_errors()]
    return page(
        "Errors",
        """
An error means that a question could not be answered: its input was nonsense, something that
Twinlock leans on failed, or Twinlock itself is wrong. It decides nothing and opens nothing. A "no"
of the gate is not an error: it is an answer, in the log like a "yes", and its codes stand in
[reason-codes.md](reason-codes.md).

The API tells an error as a problem (RFC 9457) whose `code` is the one below, with this HTTP status.
Codes never change and are never used again. The text beside a code may change; do not read it with
a program. No error holds a secret.
""",
        table(("code", "status", "meaning"), rows),
        "## What the web server refuses",
        "Before any of our code is asked, with the same kind of answer.",
        table(("code", "status", "meaning"), _http_rows()),
    )


def _http_rows() -> list[tuple[str, str, str]]:
    own = {error.code for error in all_errors()}
    return [
        (f"`{code}`", f"{status}", title)
        for status, (code, title) in sorted(problems.HTTP_ERRORS.items())
        if code not in own
    ]


# --- Events ---


def events_page() -> str:
    """Return docs/events.md."""
    rows = [
        (f"`{event.__struct_config__.tag}`", summary(event), fields_of(event, skip=("at",)))
        for event in sorted(get_args(Event), key=lambda event: str(event.__struct_config__.tag))
    ]
    return page(
        "Events",
        """
An event is a fact about an account, in the past tense. An account changes by its events and in no
other way, so replaying them from the first gives the account that the gate decided on. Events are
stored sealed; the log's leaf of a decision commits to the digest of its events
([log-format.md](log-format.md)).

The number after the slash is the event's version: an event whose meaning or fields change gets a
new one, and the old one is read for ever. Every event also has `at`, the time of its decision
(UTC). Fields in brackets are left out while they have their default.
""",
        table(("event", "meaning", "fields"), rows),
    )


# --- Reasons and faults ---


def reasons_page() -> str:
    """Return docs/reason-codes.md."""
    reasons = [(f"`{one}`", *EXPLANATIONS[one]) for one in sorted(Reason)]
    sentences = attribute_docs(faults, faults.ProofFault.__name__)
    of_proofs = [(f"`{one}`", sentences[one.name]) for one in sorted(faults.ProofFault)]
    return page(
        "Reason codes",
        """
Every "no" has a reason, an end and a way on. A decision of the gate lists all of its reasons by
code, and with each what would lift it. Codes are written to the log, so they never change and are
never used again; the sentences are for people and may be reworded.

The answer of a decision is its strongest demand. From the weakest:
"""
        + "".join(f"\n* `{one}`: {_ANSWERS[one]}" for one in Answer)
        + "\n",
        table(("code", "what the customer is told", "ends", "way on"), reasons),
        "## Faults of a proof",
        "When an answer to a challenge does not count, `fault` says why. It names the first thing\n"
        "found wrong, and nothing of the answer itself.",
        table(("fault", "meaning"), of_proofs),
    )


_ANSWERS = {
    Answer.ALLOW: "nothing is missing",
    Answer.READ_ONLY: "a session that may look, freeze and veto, and nothing else",
    Answer.CHALLENGE: "a proof is missing, or a stronger one",
    Answer.HOLD: "nothing takes effect before a stated time, and a veto can end it",
    Answer.REVIEW: "people must agree",
    Answer.DENY: "nothing lifts this for the payload at hand",
}


# --- Actions ---


def actions_page() -> str:
    """Return docs/actions.md."""
    payloads = {str(one.__struct_config__.tag): one for one in get_args(actions.AnyPayload)}
    rows = [
        (
            f"`{kind}`",
            actions.CLASS_OF[kind],
            summary(payloads[kind]) if kind in actions.BUILT else "Known, and refused so far.",
            fields_of(payloads[kind], skip=("account",)) if kind in actions.BUILT else "",
        )
        for kind in sorted(actions.ActionType, key=_by_class)
    ]
    return page(
        "Actions",
        """
An action is a sensitive thing that somebody wants done. Its payload names everything that decides
what happens, and is what the customer signs: one changed byte needs a new proof. Every payload also
names its `account`. Fields in brackets may be left out. A type that is not on this page is refused.

The class says what an action does to protection and money. An *exit* lets value leave; a
*loosening* weakens a protection, so it waits and can be vetoed; a *tightening* acts at once with
little proof; *access* lets somebody in. An API key that may withdraw counts as a loosening.
""",
        table(("action", "class", "meaning", "payload"), rows),
    )


def _by_class(kind: actions.ActionType) -> tuple[int, int, str]:
    classes = list(actions.ActionClass)
    return (classes.index(actions.CLASS_OF[kind]), kind not in actions.BUILT, kind)


# --- Settings and bounds ---


def settings_page() -> str:
    """Return docs/settings.md."""
    rows = [
        (f"`{row.name}`", row.unit, row.default, row.meaning.replace("\n", " "))
        for row in settings.describe()
    ]
    return page(
        "Settings",
        """
Settings are environment variables, read once when a process starts. A variable with the prefix
`TWINLOCK_` that is not on this page is refused, and so is a value that cannot be meant: a typing
error never passes silently. No setting weakens a law.
""",
        table(("variable", "value", "default", "meaning"), rows),
        "## What cannot be set",
        "These limits, waits and lifetimes hold for every installation and every policy.",
        table(("name", "value", "reason"), bounds_of(bounds)),
    )


def bounds_of(module: types.ModuleType) -> list[tuple[str, str, str]]:
    """Return name, value and reason of each constant in ``module``, as its source gives them.

    The reason is the comment behind the value, or else the one above its group.
    """
    source = inspect.getsource(module)
    lines = source.splitlines()
    found = []
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value, end_lineno=int(end)):
                behind = lines[end - 1].partition("  # ")[2]
                above = _comment_above(lines[: node.lineno - 1])
                words = name.lower().replace("_", " ")
                text = in_words(getattr(module, name), written=ast.unparse(value))
                found.append((words, text, behind or above))
            case _:  # the docstring and the imports
                continue
    return found


def _comment_above(lines: list[str]) -> str:
    for line in reversed(lines):
        if line.startswith("#") or not line:
            return line.removeprefix("#").strip()
    return ""


def in_words(value: timedelta | int, *, written: str) -> str:
    """Return a length of time or a number as people read it; beyond reading, as ``written``."""
    if isinstance(value, int):
        return f"{value:,}" if value <= 10**15 else f"`{written}`"
    seconds = int(value.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, rest = divmod(seconds, size)
        if count and not rest:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return str(value)


# --- How a page is made ---


def page(title: str, introduction: str, *parts: str) -> str:
    """Return a page of Markdown."""
    return "\n\n".join([SOURCE, f"# {title}", introduction.strip(), *parts]) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of Markdown; a bar inside a cell is kept as a bar."""
    head = tuple(head)
    lines = [_row(head), _row("---" for _ in head)]
    return "\n".join([*lines, *map(_row, rows)])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def summary(thing: type) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split()).replace("``", "`")


def attribute_docs(module: types.ModuleType, name: str) -> dict[str, str]:
    """Return the string that stands below each attribute of class ``name`` of ``module``."""
    tree = ast.parse(inspect.getsource(module))
    body = next(one.body for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name)
    found = {}
    for before, after in itertools.pairwise(body):
        match before, after:
            case (
                ast.Assign(targets=[ast.Name(id=attribute)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[attribute] = " ".join(text.split())
            case _:  # anything else that stands in a class
                continue
    return found


def fields_of(struct: type[msgspec.Struct], *, skip: tuple[str, ...]) -> str:
    """Return the fields of ``struct`` with their types; optional ones stand in brackets."""
    told = []
    for field in msgspec.structs.fields(struct):
        if field.name not in skip:
            text = f"`{field.name}` {type_name(field.type)}"
            told.append(text if field.required else f"[{text}]")
    return ", ".join(told)


def type_name(kind: Any) -> str:  # noqa: ANN401 - any type that a field may have
    """Return a type in words."""
    plain = {str: "text", int: "number", bool: "yes or no", datetime: "time", type(None): "none"}
    if kind in plain:
        return plain[kind]
    if get_origin(kind) is tuple:
        return f"list of {type_name(get_args(kind)[0])}"
    if get_origin(kind) in (types.UnionType, Union):
        return " or ".join(type_name(part) for part in get_args(kind))
    return str(getattr(kind, "__name__", kind))


PAGES: dict[str, Callable[[], str]] = {
    "actions.md": actions_page,
    "errors.md": errors_page,
    "events.md": events_page,
    "reason-codes.md": reasons_page,
    "settings.md": settings_page,
}

if __name__ == "__main__":
    main()
