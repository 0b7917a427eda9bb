"""Pairing: two policies beside each other, each rule that they have alike looked at once.

Always true (tests/property/test_pairing_properties.py): what a pair asks for, each side asks for by
itself.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from twinlock.domain.canonical import encode
from twinlock.domain.policy.annotations import Demand
from twinlock.domain.policy.cells import bodies_of
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.statute import Statute
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.policy.vocabulary import context_of

Bodies: TypeAlias = Mapping[Statute, tuple[Any, ...]]  # The clauses of rules, in Cedar's JSON.


class Matched(NamedTuple):
    """What the rules that match ask for: those of both sides, and those of one alone."""

    common: list[Demand]
    first: list[Demand]
    second: list[Demand]


class Apart:
    """The rules of two sides about one action: those they have alike, and those of one alone."""

    def __init__(self, first: tuple[Statute, ...], second: tuple[Statute, ...]) -> None:
        both = {*first} & {*second}
        self.common = tuple(rule for rule in first if rule in both)
        self.first = tuple(rule for rule in first if rule not in both)
        self.second = tuple(rule for rule in second if rule not in both)
        every = (*self.common, *self.first, *self.second)
        self._common, self._first, self._second = (
            tuple((rule.demand, rule.when.run) for rule in some)
            for some in (self.common, self.first, self.second)
        )
        self.reads = tuple(sorted({name for rule in every for name in rule.when.facts}))

    def matched(self, facts: Facts) -> Matched:
        """Return what is asked for in ``facts``. Raises OutOfRangeError, OutOfLongError."""
        context = context_of(facts, self.reads)
        return Matched(
            [demand for demand, runs in self._common if runs(context)],
            [demand for demand, runs in self._first if runs(context)],
            [demand for demand, runs in self._second if runs(context)],
        )


class Pair:
    """Two policies. ``first`` and ``second`` have one value for each rule that they have alike."""

    def __init__(self, first: Statutes, second: Statutes) -> None:
        old, new = bodies_of(first), bodies_of(second)
        known = {_means(rule, old): rule for rule in first.rules}
        rules = tuple(known.get(_means(rule, new), rule) for rule in second.rules)
        self.first, self.second = first, Statutes(second.text, second.permits, rules)
        bodies = {rule: new[own.rule_id] for rule, own in zip(rules, second.rules, strict=True)}
        self.bodies: Bodies = bodies | {rule: old[rule.rule_id] for rule in first.rules}
        self._apart: dict[str, Apart] = {}

    def about(self, action: str) -> Apart:
        """Return the rules of both about ``action``."""
        found = self._apart.get(action)
        if found is None:
            found = Apart(self.first.of(action), self.second.of(action))
            self._apart[action] = found
        return found


def _means(rule: Statute, bodies: Mapping[str, tuple[Any, ...]]) -> tuple[object, ...]:
    """Return all that a rule says but its name."""
    return rule.actions, repr(rule.demand), encode(bodies[rule.rule_id])
