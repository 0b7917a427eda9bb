"""What the word of others may do in a condition: add, and nothing else (law 1).

It is the platform's, another party's, or what other customers did, of whom some are thieves. Such a
fact is a flag, or is compared with a number, so that a rule that matches keeps matching as it
rises. Any other way to read one is refused.

Always true (tests/property/test_signing_in_properties.py): a policy that is taken misses nothing at
a higher score less than at a lower one.
"""

from collections.abc import Iterable
from typing import Any

from twinlock.domain.policy.vocabulary import VOCABULARY, Source

_OF_OTHERS = (Source.ADDS, Source.OTHERS, Source.CUSTOMERS)
ADDING = frozenset(name for name, fact in VOCABULARY.items() if fact.source in _OF_OTHERS)
_RISING = frozenset({">", ">="})  # Truer as the left side rises …
_FALLING = frozenset({"<", "<="})  # … and as the right side does.


def relaxes(clauses: Iterable[tuple[str, Any]]) -> bool:
    """Say whether a rule of these conditions (kind, Cedar's JSON) may stop matching.

    As a fact rises that may only add; or whether nobody can say.
    """
    return not all(_adds(body, more=kind == "when") for kind, body in clauses)


def _adds(data: Any, *, more: bool) -> bool:  # noqa: ANN401 - any JSON
    """Say whether ``data`` only becomes true, or with ``more`` False only false, as facts rise."""
    if not _reads(data):
        return True
    match data:
        case {"&&": {"left": left, "right": right}} | {"||": {"left": left, "right": right}}:
            return _adds(left, more=more) and _adds(right, more=more)
        case {"!": {"arg": arg}}:
            return _adds(arg, more=not more)
        case {".": _}:  # A flag, by itself: of whatever else a condition is made, it compares.
            return more
        case dict() if len(data) == 1:
            name, inner = next(iter(data.items()))
            return _compares(name, inner, more=more)
        case _:
            return False


def _compares(name: str, inner: Any, *, more: bool) -> bool:  # noqa: ANN401 - any JSON
    if name not in _RISING | _FALLING:
        return False
    match inner:
        case {"left": {".": _}, "right": {"Value": _}}:
            return more is (name in _RISING)
        case {"left": {"Value": _}, "right": {".": _}}:
            return more is (name in _FALLING)
        case _:
            return False


def _reads(data: Any) -> bool:  # noqa: ANN401 - any JSON
    match data:
        case {".": {"attr": str(name)}}:
            return name in ADDING
        case dict():
            return any(map(_reads, data.values()))
        case list():
            return any(map(_reads, data))
        case _:
            return False
