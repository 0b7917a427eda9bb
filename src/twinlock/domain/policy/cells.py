"""Cells: contexts on both sides of everything that some rules compare, one for each cell.

The values of a fact fall into parts between which no comparison with a literal changes; a cell
takes one value of each. Sums of two facts may change inside a cell, so what is looked through is
complete over these values, and over nothing else.

The picks follow from a number and nothing else, so that an example is the same each time.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import prod
from typing import Any, assert_never, cast

import msgspec

from twinlock.domain.assurance import Factor
from twinlock.domain.canonical import tagged_hash
from twinlock.domain.policy.conditions import parse_length
from twinlock.domain.policy.imagining import NOW_MS
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.policy.terms import Between, Choice, Context, Kind, Shape, Span, Value
from twinlock.domain.policy.vocabulary import KNOWN

_STEPS = (-1, 0, 1)
_WORDS_MOST = 4  # Mentioned words of one set that are tried in every combination.
# What people show, one way of each level: a rule bites where something else was shown.
_SHOWN = tuple(
    frozenset(map(str, some))
    for some in (
        (),
        (Factor.PASSWORD,),
        (Factor.PASSWORD, Factor.EMAIL_CODE),
        (Factor.TOTP,),
        (Factor.PASSWORD, Factor.TOTP),
        (Factor.PASSKEY,),
        (Factor.PASSKEY, Factor.TOTP),
        (Factor.PASSWORD, Factor.PASSKEY),
        (Factor.SESSION,),
        (Factor.TOTP, Factor.SESSION),
        (Factor.PASSKEY, Factor.SESSION),
        (Factor.API_KEY,),
    )
)


@dataclass(slots=True)
class Compared:
    """What one fact is compared with: whole numbers (of a duration: milliseconds), and words.

    ``summed`` says that it is so beside another fact: what counts then lies in no cell's corner.
    """

    numbers: set[int] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    summed: bool = False

    def also(self, other: "Compared") -> "Compared":
        """Return what it is compared with by two readers."""
        return Compared(
            numbers=self.numbers | other.numbers,
            words=self.words | other.words,
            summed=self.summed or other.summed,
        )


def compared(bodies: Iterable[object]) -> dict[str, Compared]:
    """Return the facts that conditions in Cedar's JSON read, and what each is compared with."""
    found: dict[str, Compared] = {}
    for body in bodies:
        _walk(body, found)
    return found


def _walk(node: object, found: dict[str, Compared]) -> None:
    match node:
        case {"&&": {"left": left, "right": right}} | {"||": {"left": left, "right": right}}:
            _walk(left, found)
            _walk(right, found)
        case {"!": {"arg": arg}}:
            _walk(arg, found)
        case _:  # One comparison, or a flag: all that stands in it belongs together.
            said = Compared()
            names = frozenset(_names(node, said))
            said.summed = len(names - {"now"}) > 1
            for name in names:
                found[name] = found.get(name, Compared()).also(said)


def _names(node: object, said: Compared) -> Iterator[str]:
    """Give the facts in ``node``, and note the literals in ``said``."""
    match node:
        case {"left": {"Var": "context"}, "attr": str(name)}:
            yield name
        case {"duration": [{"Value": str(text)}]}:
            said.numbers.add(parse_length(text))
        case {"Value": bool()}:
            pass
        case {"Value": int(number)}:
            said.numbers.add(number)
        case {"Value": str(word)}:
            said.words.add(word)
        case dict():
            for inner in node.values():
                yield from _names(inner, said)
        case _:  # A list: nothing else stands in an expression that was read.
            for inner in cast("list[object]", node):
                yield from _names(inner, said)


def bodies_of(statutes: Statutes) -> Mapping[str, tuple[Any, ...]]:
    """Return the clauses of each rule in Cedar's JSON, by its id; of an unless, its opposite."""
    rules = msgspec.json.decode(statutes.text)["staticPolicies"]
    return {name: tuple(map(_clause, rule["conditions"])) for name, rule in rules.items()}


def _clause(said: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    return said["body"] if said["kind"] == "when" else {"!": {"arg": said["body"]}}


class Cells:
    """The cells of some facts: every combination of their values."""

    def __init__(self, values: Mapping[str, tuple[Value, ...]]) -> None:
        self.values = values
        self.size = prod(map(len, self.values.values()))

    def at(self, number: int) -> Context:
        """Return cell ``number``, of ``size``."""
        found: dict[str, Value] = {}
        for name, some in self.values.items():
            number, place = divmod(number, len(some))
            found[name] = some[place]
        return found

    def pick(self, most: int, *, of_more: int) -> Iterator[Context]:
        """Give every cell if there are at most ``most`` of them; else pick ``of_more`` evenly."""
        if self.size <= most:
            yield from map(self.at, range(self.size))
            return
        for number in range(of_more):
            drawn = tagged_hash("cells/v1", number.to_bytes(8, "big"))
            yield self.at(int.from_bytes(drawn, "big") % self.size)


def values_of(name: str, shape: Shape, said: Compared) -> tuple[Value, ...]:
    """Return one value of each part of what a fact can be: it is compared with what is ``said``."""
    return tuple(dict.fromkeys(_values(name, shape, said)))


def _values(name: str, shape: Shape, said: Compared) -> Iterator[Value]:
    match shape:
        case Choice(of=of):
            yield from sorted(of, key=str)
        case Span(least=least, most=most) if KNOWN[name].kind is Kind.WHOLE:
            steps = sorted({end for step in said.numbers for end in (step, step + 1)})
            yield from (least, *(step for step in steps if least < step <= most))
        case Span(least=least, most=most):
            # Instants are compared with each other, and so with one that stands still.
            moved = {abs(step) + one for step in said.numbers for one in _STEPS}
            yield from (NOW_MS, *(NOW_MS - step for step in sorted(moved) if name != "now"))
        case Between(most=words):
            yield from _sets(name, words, said)
        case _:
            assert_never(shape)


def _sets(name: str, words: frozenset[str], said: Compared) -> Iterator[Value]:
    mentioned = sorted(said.words & words)[:_WORDS_MOST]
    if name == "factors":
        yield from _SHOWN
    else:
        mentioned = sorted(words)[:_WORDS_MOST]
    for count in range(len(mentioned) + 1):
        yield from map(frozenset, combinations(mentioned, count))
