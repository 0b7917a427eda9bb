"""Every field that can be reached from what is stored of a person, and whether it is told.

usage: python -m support.exported > tests/unit/domain/exported_fields.txt (with src and tests in
PYTHONPATH)
"""

import sys
import types
import typing
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec

from twinlock.domain.export import ROOTS, WITHHELD


def held() -> list[type[msgspec.Struct]]:
    """Return every type that can be reached from what is stored of a person, by name."""
    found: set[type[msgspec.Struct]] = set()
    waiting: list[Any] = list(ROOTS)
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            if kind not in found:
                found.add(kind)
                waiting += get_type_hints(kind).values()
        else:
            waiting += _parts(kind)
    return sorted(found, key=lambda one: (one.__module__, one.__qualname__))


def _parts(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any type that a field may have
    origin = typing.get_origin(kind)
    known = (tuple, list, dict, types.UnionType, typing.Union, typing.ClassVar)
    if origin is None or origin not in known:
        return ()
    return tuple(one for one in get_args(kind) if one is not Ellipsis)


def lines() -> Iterator[str]:
    for kind in held():
        hidden = WITHHELD.get(kind, {})
        for field in kind.__struct_fields__:
            said = "withheld" if field in hidden else "told"
            module = kind.__module__.removeprefix("twinlock.domain.")
            yield f"{module}.{kind.__name__}.{field} {said}"


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in lines()))
