"""How a page that follows from the code is made: tables, types, lengths and docstrings in words."""

import ast
import inspect
import itertools
import types
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

SOURCE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->"


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
                ast.Assign(targets=[ast.Name(id=attribute)])
                | ast.AnnAssign(target=ast.Name(id=attribute)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[attribute] = " ".join(text.split()).replace("``", "`")
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
    if get_origin(kind) is Annotated:
        return type_name(get_args(kind)[0])
    if get_origin(kind) is dict:
        return "object"
    if get_origin(kind) is tuple:
        return f"list of {type_name(get_args(kind)[0])}"
    if get_origin(kind) in (types.UnionType, Union):
        return " or ".join(type_name(part) for part in get_args(kind))
    return str(getattr(kind, "__name__", kind))


def in_words(value: timedelta | int, *, written: str) -> str:
    """Return a length of time or a number as people read it; beyond reading, as ``written``."""
    if isinstance(value, int):
        return f"{value:,}" if value <= 10**15 else f"`{written.replace(' ', '')}`"
    seconds = int(value.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, rest = divmod(seconds, size)
        if count and not rest:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return str(value)
