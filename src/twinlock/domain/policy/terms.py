"""Terms: the expressions of statutes, each with what it is and what it can be.

A term *is* a value for given facts, and *can be* any of a shape for facts that lie in a box. The
second is never too narrow, so that what it rules out never happens.

Always true (tests/property/test_conditions_properties.py): what a term is lies within what it can
be.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

LONG_LEAST, LONG_MOST = -(2**63), 2**63 - 1  # Cedar's Long.

Value: TypeAlias = bool | int | str | frozenset[str]
Context: TypeAlias = Mapping[str, Value]


class Kind(StrEnum):
    """What an expression is: Cedar's types, as far as statutes have them."""

    FLAG = "Bool"
    WHOLE = "Long"
    WORD = "String"
    WORDS = "Set<String>"
    INSTANT = "datetime"
    LENGTH = "duration"


@dataclass(frozen=True, slots=True)
class Span:
    """The whole numbers from ``least`` to ``most``; instants and lengths are milliseconds."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these: flags, or words."""

    of: frozenset[bool | str]


@dataclass(frozen=True, slots=True)
class Between:
    """A set of words that has all of ``least`` and nothing beyond ``most``."""

    least: frozenset[str]
    most: frozenset[str]


Shape: TypeAlias = Span | Choice | Between
Box: TypeAlias = Mapping[str, Shape]

EITHER = Choice(frozenset({True, False}))
_YES, _NO = Choice(frozenset({True})), Choice(frozenset({False}))


class NotReadableError(Exception):
    """This expression is not of the language; the message says which part."""


class OutOfLongError(ArithmeticError):
    """A number left 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One expression. ``words`` are the words it may be; None for a literal, whose partner says.

    ``facts`` are the names of what it reads, ``steps`` the numbers at which it may change.
    """

    kind: Kind
    run: Callable[[Context], Any]
    over: Callable[[Box], Shape]
    facts: frozenset[str] = frozenset()
    steps: frozenset[int] = frozenset()
    words: frozenset[str] | None = None
    literal: Value | None = None


def checked(number: int) -> int:
    """Return ``number``. Raises OutOfLongError."""
    if not LONG_LEAST <= number <= LONG_MOST:
        raise OutOfLongError("a number leaves 64 bits")
    return number


def flag(*, value: bool) -> Term:
    """Return the term that is always ``value``."""
    return constant(Kind.FLAG, value, _YES if value else _NO)


def constant(
    kind: Kind, value: Value, shape: Shape, *, steps: frozenset[int] = frozenset()
) -> Term:
    """Return a term that reads no fact."""
    return Term(kind=kind, run=lambda _: value, over=lambda _: shape, steps=steps, literal=value)


# --- Operators: what each is, and what it can be ---


def _joined(
    kind: Kind,
    sides: tuple[Term, ...],
    *,
    run: Callable[[Context], Any],
    over: Callable[[Box], Shape],
) -> Term:
    return Term(
        kind=kind,
        run=run,
        over=over,
        facts=frozenset().union(*(side.facts for side in sides)),
        steps=frozenset().union(*(side.steps for side in sides)),
    )


def _want(term: Term, kind: Kind) -> None:
    if term.kind is not kind:
        raise NotReadableError(f"{term.kind} stands where {kind} belongs")


def flags(shape: Shape) -> frozenset[bool]:
    """Return what a flag can be."""
    if not isinstance(shape, Choice):
        raise NotReadableError("a flag belongs here")
    return frozenset(map(bool, shape.of))


def negate(term: Term) -> Term:
    """Return ``!term``."""
    _want(term, Kind.FLAG)
    run, over = term.run, term.over
    return _joined(
        Kind.FLAG,
        (term,),
        run=lambda facts: not run(facts),
        over=lambda box: Choice(frozenset(not one for one in flags(over(box)))),
    )


def both(left: Term, right: Term) -> Term:
    """Return ``left && right``; the right side is looked at only where the left one is true."""
    _want(left, Kind.FLAG)
    _want(right, Kind.FLAG)
    one, two = left.run, right.run

    def over(box: Box) -> Shape:
        first = flags(left.over(box))
        return Choice(first - {True} | flags(right.over(box))) if True in first else _NO

    return _joined(Kind.FLAG, (left, right), run=lambda facts: one(facts) and two(facts), over=over)


def either(left: Term, right: Term) -> Term:
    """Return ``left || right``; the right side is looked at only where the left one is not."""
    _want(left, Kind.FLAG)
    _want(right, Kind.FLAG)
    one, two = left.run, right.run

    def over(box: Box) -> Shape:
        first = flags(left.over(box))
        return Choice(first - {False} | flags(right.over(box))) if False in first else _YES

    return _joined(Kind.FLAG, (left, right), run=lambda facts: one(facts) or two(facts), over=over)


def _same_words(left: Term, right: Term) -> None:
    """Check that a literal is a word that its partner may be. Prevents: ``"passkye"``."""
    if left.words is None and right.words is None:
        raise NotReadableError("one side is a fact")
    known = (left.words or frozenset()) | (right.words or frozenset())
    for side in (left, right):
        literal = side.literal
        said = {literal} if isinstance(literal, str) else literal
        if isinstance(said, set | frozenset) and not known.issuperset(said):
            unknown = sorted(str(word) for word in said - known)
            words = ", ".join(sorted(known))
            raise NotReadableError(f"{unknown[0][:40]!r} is not a word of this fact: {words}")


def equal(left: Term, right: Term) -> Term:
    """Return ``left == right``."""
    _want(right, left.kind)
    if left.kind in (Kind.WORD, Kind.WORDS):
        _same_words(left, right)
    one, two = left.run, right.run
    return _joined(
        Kind.FLAG,
        (left, right),
        run=lambda facts: one(facts) == two(facts),
        over=lambda box: _can_equal(left.over(box), right.over(box)),
    )


def _can_equal(left: Shape, right: Shape) -> Choice:
    match left, right:
        case Span(), Span():
            apart = left.most < right.least or right.most < left.least
            fixed = left.least == left.most == right.least == right.most
        case Choice(), Choice():
            apart = not left.of & right.of
            fixed = len(left.of) == 1 and left.of == right.of
        case Between(), Between():
            apart = not (left.least <= right.most and right.least <= left.most)
            fixed = left.least == left.most == right.least == right.most
        case _:
            return EITHER
    if apart:
        return _NO
    return _YES if fixed else EITHER


def different(left: Term, right: Term) -> Term:
    """Return ``left != right``."""
    return negate(equal(left, right))


_ORDERED = frozenset({Kind.WHOLE, Kind.INSTANT, Kind.LENGTH})


def less(left: Term, right: Term) -> Term:
    """Return ``left < right``."""
    return _ordered(left, right, strictly=True)


def less_or_equal(left: Term, right: Term) -> Term:
    """Return ``left <= right``."""
    return _ordered(left, right, strictly=False)


def _ordered(left: Term, right: Term, *, strictly: bool) -> Term:
    if left.kind not in _ORDERED:
        raise NotReadableError(f"{left.kind} has no order")
    _want(right, left.kind)
    one, two = left.run, right.run

    def over(box: Box) -> Shape:
        a, b = _span(left.over(box)), _span(right.over(box))
        always = a.most < b.least if strictly else a.most <= b.least
        never = a.least >= b.most if strictly else a.least > b.most
        if always:
            return _YES
        return _NO if never else EITHER

    if strictly:
        return _joined(
            Kind.FLAG, (left, right), run=lambda facts: one(facts) < two(facts), over=over
        )
    return _joined(Kind.FLAG, (left, right), run=lambda facts: one(facts) <= two(facts), over=over)


def _span(shape: Shape) -> Span:
    if not isinstance(shape, Span):
        raise NotReadableError("a number belongs here")
    return shape


def _arithmetic(
    left: Term, right: Term, do: Callable[[int, int], int], *, kinds: tuple[Kind, Kind, Kind]
) -> Term:
    _want(left, kinds[0])
    _want(right, kinds[1])
    one, two = left.run, right.run

    def over(box: Box) -> Shape:
        a, b = _span(left.over(box)), _span(right.over(box))
        ends = [do(x, y) for x in (a.least, a.most) for y in (b.least, b.most)]
        return Span(checked(min(ends)), checked(max(ends)))

    return _joined(
        kinds[2], (left, right), run=lambda facts: checked(do(one(facts), two(facts))), over=over
    )


_WHOLES = (Kind.WHOLE, Kind.WHOLE, Kind.WHOLE)


def plus(left: Term, right: Term) -> Term:
    """Return ``left + right``."""
    return _arithmetic(left, right, operator.add, kinds=_WHOLES)


def minus(left: Term, right: Term) -> Term:
    """Return ``left - right``."""
    return _arithmetic(left, right, operator.sub, kinds=_WHOLES)


def times(left: Term, right: Term) -> Term:
    """Return ``left * right``."""
    return _arithmetic(left, right, operator.mul, kinds=_WHOLES)


def since(left: Term, right: Term) -> Term:
    """Return ``left.durationSince(right)``."""
    kinds = (Kind.INSTANT, Kind.INSTANT, Kind.LENGTH)
    return _arithmetic(left, right, operator.sub, kinds=kinds)


def negative(term: Term) -> Term:
    """Return ``-term``."""
    zero = constant(Kind.WHOLE, 0, Span(0, 0))
    return minus(zero, term)


def is_empty(term: Term) -> Term:
    """Return ``term.isEmpty()``."""
    _want(term, Kind.WORDS)
    run, over = term.run, term.over

    def can_be(box: Box) -> Shape:
        held = _between(over(box))
        if held.least:
            return _NO
        return EITHER if held.most else _YES

    return _joined(Kind.FLAG, (term,), run=lambda facts: not run(facts), over=can_be)


def _between(shape: Shape) -> Between:
    if not isinstance(shape, Between):
        raise NotReadableError("a set of words belongs here")
    return shape


def contains(left: Term, right: Term) -> Term:
    """Return ``left.contains(right)``."""
    _want(left, Kind.WORDS)
    _want(right, Kind.WORD)
    _same_words(left, right)
    one, two = left.run, right.run

    def over(box: Box) -> Shape:
        held, said = _between(left.over(box)), right.over(box)
        words = frozenset(map(str, said.of)) if isinstance(said, Choice) else held.most
        if words <= held.least:
            return _YES
        return EITHER if words & held.most else _NO

    return _joined(Kind.FLAG, (left, right), run=lambda facts: two(facts) in one(facts), over=over)


def contains_all(left: Term, right: Term) -> Term:
    """Return ``left.containsAll(right)``."""
    _want(left, Kind.WORDS)
    _want(right, Kind.WORDS)
    _same_words(left, right)
    one, two = left.run, right.run

    def over(box: Box) -> Shape:
        a, b = _between(left.over(box)), _between(right.over(box))
        if b.most <= a.least:
            return _YES
        return EITHER if b.least <= a.most else _NO

    return _joined(Kind.FLAG, (left, right), run=lambda facts: one(facts) >= two(facts), over=over)


def contains_any(left: Term, right: Term) -> Term:
    """Return ``left.containsAny(right)``."""
    _want(left, Kind.WORDS)
    _want(right, Kind.WORDS)
    _same_words(left, right)
    one, two = left.run, right.run

    def over(box: Box) -> Shape:
        a, b = _between(left.over(box)), _between(right.over(box))
        if a.least & b.least:
            return _YES
        return EITHER if a.most & b.most else _NO

    return _joined(
        Kind.FLAG, (left, right), run=lambda facts: not one(facts).isdisjoint(two(facts)), over=over
    )
