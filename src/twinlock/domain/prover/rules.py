"""Rules over integer atoms: what follows from what, in one state or in many, and what leads to it.

A rule's times (delay, freeze, gate) say when its head holds; what follows at any time does not
depend on them. ``closure`` finds when.

Always true (tests/unit/domain/prover/test_rules.py, tests/property/test_prover_properties.py):

* what follows in many states at once is what follows in each alone;
* of a rule that is left out as irrelevant no attack is in need.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from twinlock.domain.errors import invariant


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """``head`` holds ``delay`` minutes after all of ``body`` does, and freezes exits from then on.

    ``gated``: it takes effect no sooner than every freeze has ended. A rule without a body needs
    nothing; it still waits, and starts its freeze.
    """

    head: int
    body: tuple[int, ...] = ()
    delay: int = 0
    freeze: int = 0
    gated: bool = False

    def __post_init__(self) -> None:
        invariant(self.delay >= 0 and self.freeze >= 0, "a rule waits and freezes forward in time")


class Gathered(NamedTuple):
    """Rules of many states over one numbering; states with the same rules are one *kind*.

    ``where`` says for each rule the mask of the kinds that it stands in, ``kinds`` for each state
    its kind.
    """

    rules: tuple[Rule, ...]
    where: tuple[int, ...]
    kinds: tuple[int, ...]


def gathered(states: Iterable[Iterable[Rule]]) -> Gathered:
    """Return the rules of states, each once, for ``attacks`` of all kinds of states at once."""
    numbers: dict[Rule, int] = {}
    of_kind: dict[frozenset[int], int] = {}
    kinds = []
    for rules in states:
        stand = frozenset([numbers.setdefault(rule, len(numbers)) for rule in rules])
        kinds.append(of_kind.setdefault(stand, len(of_kind)))
    where = [0] * len(numbers)
    for stand, kind in of_kind.items():
        for number in stand:
            where[number] |= 1 << kind
    return Gathered(rules=tuple(numbers), where=tuple(where), kinds=tuple(kinds))


def relevant(
    rules: Sequence[Rule], goals: Iterable[int], capabilities: Iterable[int]
) -> tuple[list[int], set[int]]:
    """Return the rules, by index, that can fire and lead to a goal, and the atoms on their way."""
    known, left = _fired(rules, capabilities)
    making: dict[int, list[int]] = {}
    for index, rule in enumerate(rules):
        if not left[index]:
            making.setdefault(rule.head, []).append(index)
    wanted = {goal for goal in goals if goal in known}
    kept, stack = [], list(wanted)
    while stack:
        for index in making.get(stack.pop(), ()):
            kept.append(index)
            for atom in rules[index].body:
                if atom not in wanted:
                    wanted.add(atom)
                    stack.append(atom)
    kept.sort()
    return kept, wanted


def closed(rules: Sequence[Rule], atoms: Iterable[int]) -> frozenset[int]:
    """Return everything that follows from ``atoms`` at any time: linear in the bodies' sizes."""
    return frozenset(_fired(rules, atoms)[0])


def closed_by_state(
    rules: Sequence[Rule], states: Sequence[int], atoms: Mapping[int, int]
) -> dict[int, int]:
    """Return for each atom the mask of states in which it follows, from those where it is given.

    ``states`` says for each rule the mask of the states that it stands in.
    """
    known = dict(atoms)
    uses: dict[int, list[int]] = {}
    for index, rule in enumerate(rules):
        for atom in rule.body:
            uses.setdefault(atom, []).append(index)
        if not rule.body:
            known[rule.head] = known.get(rule.head, 0) | states[index]
    stack = [atom for atom, mask in known.items() if mask]
    waiting = set(stack)
    while stack:
        last = stack.pop()
        waiting.discard(last)
        for index in uses.get(last, ()):
            fires, head = states[index], rules[index].head
            for atom in rules[index].body:
                fires &= known.get(atom, 0)
            before = known.get(head, 0)
            if fires & ~before:
                known[head] = before | fires
                if head not in waiting:
                    waiting.add(head)
                    stack.append(head)
    return known


def _fired(rules: Sequence[Rule], atoms: Iterable[int]) -> tuple[set[int], list[int]]:
    """Return what follows, and for each rule how many atoms of its body do not."""
    known, left = set(atoms), []
    uses: dict[int, list[int]] = {}
    for index, rule in enumerate(rules):
        body = set(rule.body)
        left.append(len(body))
        for atom in body:
            uses.setdefault(atom, []).append(index)
        if not body:
            known.add(rule.head)
    stack = list(known)
    while stack:
        for index in uses.get(stack.pop(), ()):
            left[index] -= 1
            head = rules[index].head
            if not left[index] and head not in known:
                known.add(head)
                stack.append(head)
    return known, left
