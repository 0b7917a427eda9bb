"""Conditions: what a statute says of the facts, read from Cedar's JSON.

The language is a small part of Cedar's. Whatever it does not know is refused, and never guessed.

Always true (tests/integration/test_cedar_differential.py): a condition is what Cedar's own engine
says it is.

Source: the JSON form of Cedar policies; docs/policy.md.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType

from twinlock.domain.policy import terms
from twinlock.domain.policy.terms import (
    LONG_LEAST,
    LONG_MOST,
    Between,
    Choice,
    Kind,
    NotReadableError,
    Span,
    Term,
    checked,
    constant,
    flag,
)

NESTING_MOST = 64  # A rule of forty conditions joined by "and" nests forty deep.
LENGTH_MOST_DIGITS = 15  # Of a number in a duration; more never fits.


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A fact that conditions may read: its kind, and the words it may be or hold."""

    kind: Kind
    words: frozenset[str] = frozenset()


def read_condition(data: object, known: Mapping[str, Known]) -> Term:
    """Return the condition (a flag) of Cedar's JSON expression ``data``.

    Raises:
        NotReadableError: it is not of this language, or names a fact or a word that is not known.
    """
    term = _Reader(known).read(data, depth=0)
    if term.kind is not Kind.FLAG:
        raise NotReadableError("a condition is true or false")
    return term


def comparisons(data: object, known: Mapping[str, Known]) -> tuple[Term, ...]:
    """Return every comparison in the condition ``data``. Raises NotReadableError."""
    reader = _Reader(known)
    reader.read(data, depth=0)
    return tuple(reader.compared)


def holds_for_all(parts: tuple[Term, ...]) -> Term:
    """Return the term that is true where all of ``parts`` are; of none it is true."""
    return reduce(terms.both, parts) if parts else flag(value=True)


def opposite(term: Term) -> Term:
    """Return the term that is true where ``term`` is not."""
    return terms.negate(term)


def parse_length(text: str) -> int:
    """Return a Cedar duration in milliseconds: d, h, m, s, ms in this order, each at most once.

    Raises:
        NotReadableError: anything else.
    """
    found = _LENGTH.fullmatch(text)
    if found is None or not any(found.groups()):
        raise NotReadableError("a duration is written like 2d, 36h or 1d12h")
    parts = found.groupdict(default="0")
    total = sum(int(parts[unit]) * size for unit, size in _UNITS.items())
    return checked(-total if text.startswith("-") else total)


_UNITS = MappingProxyType({"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1})
_LENGTH = re.compile(
    "-?" + "".join(rf"(?:(?P<{unit}>[0-9]{{1,{LENGTH_MOST_DIGITS}}}){unit})?" for unit in _UNITS),
    re.ASCII,
)


# --- Reading ---


class _Reader:
    """Reads expressions over the facts that are ``known``."""

    def __init__(self, known: Mapping[str, Known]) -> None:
        self._known = known
        self.compared: list[Term] = []

    def read(self, data: object, *, depth: int) -> Term:
        if depth > NESTING_MOST:
            raise NotReadableError(f"it nests deeper than {NESTING_MOST}")
        if not isinstance(data, dict) or len(data) != 1:
            raise NotReadableError("it is not an expression")
        name, inner = next(iter(data.items()))
        if name in _LEAVES:
            return _LEAVES[name](inner)
        if name in _SINGLES:
            return _SINGLES[name](self._one(inner, depth=depth))
        if name in _PAIRS:
            term = _PAIRS[name](*self._pair(inner, depth=depth))
            if name in _COMPARISONS:
                self.compared.append(term)
            return term
        if name == "durationSince":
            return terms.since(*self._method(inner, depth=depth))
        if name == ".":
            return self._fact(inner)
        raise NotReadableError(f"{str(name)[:40]!r} is not of the language of statutes")

    def _fact(self, inner: object) -> Term:
        match inner:
            case {"left": {"Var": "context"}, "attr": str(name), **rest} if not rest:
                known = self._known.get(name)
                if known is None:
                    raise NotReadableError(f"{name[:40]!r} is not a fact")
                return _fact(name, known)
            case _:
                raise NotReadableError("only facts of the context are read")

    def _one(self, inner: object, *, depth: int) -> Term:
        match inner:
            case {"arg": arg, **rest} if not rest:
                return self.read(arg, depth=depth + 1)
            case _:
                raise NotReadableError("an operator has one side")

    def _pair(self, inner: object, *, depth: int) -> tuple[Term, Term]:
        match inner:
            case {"left": left, "right": right, **rest} if not rest:
                return self.read(left, depth=depth + 1), self.read(right, depth=depth + 1)
            case _:
                raise NotReadableError("an operator has two sides")

    def _method(self, inner: object, *, depth: int) -> tuple[Term, Term]:
        match inner:
            case [left, right]:
                return self.read(left, depth=depth + 1), self.read(right, depth=depth + 1)
            case _:
                raise NotReadableError("a method has one argument")


def _fact(name: str, known: Known) -> Term:
    return Term(
        kind=known.kind,
        run=operator.itemgetter(name),
        over=operator.itemgetter(name),
        facts=frozenset({name}),
        words=known.words,
    )


def _literal(value: object) -> Term:
    match value:
        case bool():
            return flag(value=value)
        case int():
            if not LONG_LEAST <= value <= LONG_MOST:
                raise NotReadableError("a number leaves 64 bits")
            return constant(Kind.WHOLE, value, Span(value, value), steps=frozenset({value}))
        case str():
            return constant(Kind.WORD, value, Choice(frozenset({value})))
        case _:
            raise NotReadableError("a value is a flag, a whole number or a word")


def _set(inner: object) -> Term:
    if not isinstance(inner, list):
        raise NotReadableError("a set is a list of words")
    words = [_literal(one.get("Value")) if isinstance(one, dict) else None for one in inner]
    if not words or any(word is None or word.kind is not Kind.WORD for word in words):
        raise NotReadableError("a set is a list of words, and not empty")
    held = frozenset(str(word.literal) for word in words if word is not None)
    return constant(Kind.WORDS, held, Between(held, held))


def _length(inner: object) -> Term:
    match inner:
        case [{"Value": str(text)}]:
            value = parse_length(text)
            return constant(Kind.LENGTH, value, Span(value, value), steps=frozenset({value}))
        case _:
            raise NotReadableError("a duration is a word such as 2d")


_LEAVES: Mapping[str, Callable[[object], Term]] = MappingProxyType(
    {"Value": _literal, "Set": _set, "duration": _length}
)
_SINGLES: Mapping[str, Callable[[Term], Term]] = MappingProxyType(
    {"!": terms.negate, "neg": terms.negative, "isEmpty": terms.is_empty}
)
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_PAIRS: Mapping[str, Callable[[Term, Term], Term]] = MappingProxyType(
    {
        "&&": terms.both,
        "||": terms.either,
        "==": terms.equal,
        "!=": terms.different,
        "<": terms.less,
        "<=": terms.less_or_equal,
        ">": lambda left, right: terms.less(right, left),
        ">=": lambda left, right: terms.less_or_equal(right, left),
        "+": terms.plus,
        "-": terms.minus,
        "*": terms.times,
        "contains": terms.contains,
        "containsAll": terms.contains_all,
        "containsAny": terms.contains_any,
    }
)
