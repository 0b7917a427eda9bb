"""All minimal attacks of timed Horn rules over integer atoms, each with its earliest minute.

A *rule* makes its head hold when all of its body holds: ``delay`` minutes later, with a ``freeze``
of all exits from then on; a ``gated`` rule takes effect only after every freeze, and its wait runs
while a freeze runs, as at the gate. An atom's *label* ``(capabilities, at, frozen)`` says: with
these capabilities the atom holds from minute ``at``, and nothing gated takes effect before minute
``frozen``, which is never before ``at``. One label dominates another that needs all its
capabilities, is no sooner and no shorter frozen; every rule is monotone in that order, so the
undominated labels of the least fixpoint hold every minimal set with its earliest minute. A path may
have one atom in two ways, whose freezes are not held to each other: a minute may be told too soon,
never too late.

Many *states* are solved at once: a mask says for each rule in which states it stands, a label
carries the states that it holds in, and what states have in common is derived once.

Always true (tests/property/test_prover_properties.py):

* the sets and minutes are those of plain enumeration, of clingo and of z3
  (tests/property/test_prover_against_others.py);
* each attack's path derives the goal from exactly its capabilities at exactly its minute;
* no attack of a goal dominates another in the same state;
* more capabilities, rules or states never remove an attack, a longer delay never speeds one.

Source: Knuth, A generalization of Dijkstra's algorithm (1977), for labels that are settled in an
order in which none that dominates comes late; ATMS labels (de Kleer 1986) for sets.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from heapq import heappop, heappush
from operator import itemgetter, or_
from typing import NamedTuple

import msgspec

from twinlock.domain.errors import invariant
from twinlock.domain.prover.rules import (
    Gathered,
    Rule,
    closed,
    closed_by_state,
    gathered,
    relevant,
)

__all__ = [
    "Attack",
    "Gathered",
    "Rule",
    "Step",
    "attacks",
    "by_state",
    "closed",
    "closed_by_state",
    "gathered",
    "grown",
    "in_state",
    "minimal_sets",
    "relevant",
]

NO_RULE = -1
MERGED = -2
NO_NODE = -1


class Step(NamedTuple):
    """One rule of a path, by its index, and the minute from which its head holds."""

    rule: int
    minute: int


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """A minimal way to a goal: bit i of ``capabilities`` is the i-th capability that was asked of.

    ``states``: where it is minimal, bit by bit. ``path``: by minute, each rule after those whose
    heads it needs.
    """

    capabilities: int
    minutes: int
    states: int
    path: tuple[Step, ...]


# Node, capabilities, at, frozen, states; then the rule and the labels that it stems from: two that
# were joined, one of a rule, none of a capability. MERGED: it is the one label or the other, which
# differ in their states.
_Label = tuple[int, int, int, int, int, int, "_Label | None", "_Label | None"]

# What a node fires: the head's node, delay, freeze, gated; the rule's index and its states.
_Fire = tuple[int, int, int, bool, int, int]
LONG = 24  # Settled labels of a node, from which on it is faster to look among some of them only.


def attacks(
    rules: Sequence[Rule],
    goals: Sequence[int],
    capabilities: Sequence[int],
    most: int | None = None,
    *,
    states: Sequence[int] | None = None,
    paths: bool = True,
) -> dict[int, tuple[Attack, ...]]:
    """Return for each goal every minimal attack, fewest capabilities first, then soonest.

    ``states`` says for each rule the mask of the states that it stands in; without it there is one
    state. ``most`` leaves out sets of more capabilities, and only those. In one state, no attack
    needs all capabilities of another and is no sooner; in different states the same set and minute
    may come by different paths, and then stand more than once. Without ``paths`` they are empty.
    """
    invariant(len(set(capabilities)) == len(capabilities), "a capability counts once")
    masks = [1] * len(rules) if states is None else states
    every = reduce(or_, masks, 0) if rules else 1
    kept, wanted = relevant(rules, goals, capabilities)
    solver = _Solver(every, len(capabilities) if most is None else most)
    solver.learn(rules, kept, masks)
    aims = [goal for goal in dict.fromkeys(goals) if goal in wanted]
    if aims:
        solver.aim(aims, _reached(rules, aims, capabilities, masks, every))
    for bit, atom in enumerate(capabilities):
        if atom in wanted:
            solver.offer(solver.of(atom), 1 << bit, every)
    solver.run()
    return {goal: solver.found(goal, paths=paths) if goal in wanted else () for goal in goals}


def minimal_sets(found: Iterable[Attack]) -> tuple[int, ...]:
    """Return the minimal sets of capabilities of attacks in one state, whatever their minutes."""
    sets: list[int] = []
    every = {attack.capabilities for attack in found}
    for one in sorted(every, key=lambda one: (one.bit_count(), one)):
        if all(least & one != least for least in sets):
            sets.append(one)
    return tuple(sets)


def in_state(found: Iterable[Attack], state: int) -> tuple[Attack, ...]:
    """Return the attacks in one state, by its number."""
    return tuple(attack for attack in found if attack.states >> state & 1)


def by_state(found: Iterable[Attack], states: int) -> list[list[Attack]]:
    """Return the attacks in each of so many states, by number: in one go through all of them."""
    every: list[list[Attack]] = [[] for _ in range(states)]
    for attack in found:
        left = attack.states
        while left:
            first = left & -left
            every[first.bit_length() - 1].append(attack)
            left ^= first
    return every


def grown(old: Iterable[Attack], new: Iterable[Attack]) -> tuple[Attack, ...]:
    """Return what the new attacks on a goal add in one state: new sets, and old ones made faster.

    An attack adds nothing when an old one needs no other capability and is no later.
    """
    before = tuple(old)
    return tuple(one for one in new if not any(_covers(least, one) for least in before))


def _covers(least: Attack, one: Attack) -> bool:
    return least.minutes <= one.minutes and least.capabilities & ~one.capabilities == 0


def _reached(
    rules: Sequence[Rule],
    goals: Sequence[int],
    capabilities: Sequence[int],
    masks: Sequence[int],
    every: int,
) -> dict[int, int]:
    """Return for each goal the states in which all capabilities together reach it."""
    if len(goals) == 1:
        return dict.fromkeys(goals, every)  # Nobody asks.
    known = closed_by_state(rules, masks, dict.fromkeys(capabilities, every))
    return {goal: known.get(goal, 0) for goal in goals}


class _Front(list[_Label]):
    """The settled labels of one node; once it is long, also by the first of their capabilities."""

    __slots__ = ("by_first",)

    def __init__(self) -> None:
        super().__init__()
        self.by_first: dict[int, list[_Label]] = {}

    def add(self, label: _Label) -> None:
        """Keep one more."""
        self.append(label)
        self.by_first.setdefault(label[1] & -label[1], []).append(label)

    def among(self, capabilities: int) -> Iterable[_Label]:
        """Return at least all labels that need no other capability."""
        if len(self) < LONG:
            return self
        found = list(self.by_first.get(0, ()))
        while capabilities:
            first = capabilities & -capabilities
            found += self.by_first.get(first, ())
            capabilities ^= first
        return found


def _undominated(front: _Front, capabilities: int, at: int, frozen: int, states: int) -> int:
    """Return the states in which nothing of ``front`` dominates."""
    for _, fewer, sooner, thawed, where, _, _, _ in front.among(capabilities):
        if fewer & capabilities == fewer and sooner <= at and thawed <= frozen:
            states &= ~where
            if not states:
                return 0
    return states


class _Solver:
    """Labels on a network of nodes: one for each atom, and one for each two nodes that bodies join.

    Bodies are joined from their most used atoms on, so that rules share what their bodies share.
    Labels are settled by size, then minute, then freeze: what dominates is always settled earlier,
    and no settled label is ever taken back.
    """

    def __init__(self, every: int, most: int) -> None:
        self.every, self.most = every, most
        self.order: list[tuple[int, int, int]] = []
        self.turns: dict[tuple[int, int, int], dict[tuple[int, int], _Label]] = {}
        self.fronts: list[_Front] = []
        # Of each node: the nodes that it is joined with, and to what; and the rules that it fires.
        self.joins: list[list[tuple[int, int]]] = []
        self.steps: list[list[_Fire]] = []
        self.where: list[int] = []  # The states in which anything needs a joined node.
        self.joined: dict[tuple[int, int], int] = {}
        self.nodes: dict[int, int] = {}
        self.aims = NO_NODE
        self.reached = _Front()

    def node(self) -> int:
        self.fronts.append(_Front())
        self.joins.append([])
        self.steps.append([])
        self.where.append(0)
        return len(self.fronts) - 1

    def learn(self, rules: Sequence[Rule], kept: list[int], masks: Sequence[int]) -> None:
        """Make nodes for what the rules ``kept`` speak of, the atoms of most bodies first."""
        uses = Counter(atom for index in kept for atom in rules[index].body)
        for atom, _ in uses.most_common():
            self.nodes[atom] = self.node()
        for index in kept:
            rule, states = rules[index], masks[index]
            to = self.of(rule.head)
            if rule.body:
                at = self.join(sorted({self.nodes[atom] for atom in rule.body}), states)
                fire = (to, rule.delay, rule.freeze, rule.gated, index, states)
                self.steps[at].append(fire)
            else:
                until = rule.delay + rule.freeze
                self.push(0, (to, 0, rule.delay, until, states, index, None, None))

    def of(self, atom: int) -> int:
        """Return the node of an atom."""
        if atom not in self.nodes:
            self.nodes[atom] = self.node()
        return self.nodes[atom]

    def join(self, nodes: Sequence[int], states: int) -> int:
        """Return the node at which all ``nodes`` hold."""
        at = nodes[0]
        for node in nodes[1:]:
            pair = (at, node)
            if pair not in self.joined:
                self.joined[pair] = to = self.node()
                self.joins[at].append((node, to))
                self.joins[node].append((at, to))
            at = self.joined[pair]
            self.where[at] |= states
        return at

    def aim(self, goals: Sequence[int], reached: Mapping[int, int]) -> None:
        """Settle nothing that a way to every goal, where any leads to it, dominates already."""
        nodes = [self.of(goal) for goal in goals]
        if len(nodes) > 1:
            nodes = [self.shadow(self.of(goal), self.every & ~reached[goal]) for goal in goals]
        self.aims = self.join(nodes, self.every)

    def shadow(self, of: int, free: int) -> int:
        """Return a node that holds when ``of`` does, and at once in the states ``free``."""
        node = self.node()
        self.steps[of].append((node, 0, 0, False, NO_RULE, self.every))
        if free:
            self.offer(node, 0, free)
        return node

    def offer(self, node: int, capabilities: int, states: int) -> None:
        """Put a label that stems from nothing on the heap: it holds from the first minute."""
        size = capabilities.bit_count()
        if size <= self.most:
            self.push(size, (node, capabilities, 0, 0, states, NO_RULE, None, None))

    def push(self, size: int, label: _Label) -> None:
        """Put a label where its turn comes, and into what waits there for the same."""
        node, capabilities, at, frozen, states, _, _, _ = label
        turn = self.turns.get((size, at, frozen))
        if turn is None:
            turn = self.turns[size, at, frozen] = {}
            heappush(self.order, (size, at, frozen))
        waits = turn.get((node, capabilities))
        if waits is not None:
            both = waits[4] | states
            if both == waits[4]:
                return
            label = (node, capabilities, at, frozen, both, MERGED, waits, label)
        turn[node, capabilities] = label

    def run(self) -> None:
        """Settle labels until none is left.

        Of one state the newest goes first: goals are reached soonest, and cut off most. Of many
        states all that waits goes before what it makes, which is then merged.
        """
        order, turns, alone = self.order, self.turns, self.every.bit_count() == 1
        while order:
            turn = turns[order[0]]  # What is settled in it may add to it.
            while turn and alone:
                self.settle(turn.popitem()[1])
            while turn:
                turns[order[0]] = {}
                for label in turn.values():
                    self.settle(label)
                turn = turns[order[0]]
            del turns[heappop(order)]

    def settle(self, label: _Label) -> None:
        node, capabilities, at, frozen, states, rule, first, second = label
        front = self.fronts[node]
        left = _undominated(front, capabilities, at, frozen, states)
        if left and self.reached:
            left = _undominated(self.reached, capabilities, at, frozen, left)
        if not left:
            return
        if left != states:
            label = (node, capabilities, at, frozen, left, rule, first, second)
        front.add(label)
        if node == self.aims:
            self.reached.add((node, capabilities, at, 0, left, NO_RULE, None, None))
            return
        self.fire(label, self.steps[node])
        for partner, to in self.joins[node]:
            self.meet(label, self.fronts[partner], to)

    def fire(self, label: _Label, steps: list[_Fire]) -> None:
        """Offer what a settled label makes hold by rules."""
        _, capabilities, at, frozen, states, _, _, _ = label
        for to, delay, freeze, gated, index, where in steps:
            left = states & where
            if not left:
                continue
            then = max(at + delay, frozen) if gated else at + delay
            until = max(then + freeze, frozen)
            left = _undominated(self.fronts[to], capabilities, then, until, left)
            if left:
                self.push(
                    capabilities.bit_count(),
                    (to, capabilities, then, until, left, index, label, None),
                )

    def meet(self, label: _Label, partners: _Front, to: int) -> None:
        """Offer what a settled label makes together with those of another node."""
        _, capabilities, at, frozen, states, _, _, _ = label
        states &= self.where[to]
        if not states:
            return
        front = self.fronts[to]
        full = capabilities.bit_count() == self.most
        for other in partners.among(capabilities) if full else partners:
            _, both, then, until, left, _, _, _ = other
            left &= states
            if not left:
                continue
            if then < at:  # noqa: PLR1730 - max() would cost a tenth of everything here
                then = at
            if until < frozen:  # noqa: PLR1730 - as above
                until = frozen
            both |= capabilities
            size = both.bit_count()
            left = size <= self.most and _undominated(front, both, then, until, left)
            if left:
                self.push(size, (to, both, then, until, left, NO_RULE, label, other))

    def found(self, goal: int, *, paths: bool) -> tuple[Attack, ...]:
        """Return the attacks on a goal: its labels, whatever is still frozen."""
        front = _Front()
        found = []
        for label in self.fronts[self.of(goal)]:
            node, capabilities, at, _, states, _, _, _ = label
            left = _undominated(front, capabilities, at, 0, states)
            if left:
                front.add((node, capabilities, at, 0, left, NO_RULE, None, None))
            while left:
                path, same = _path(label, left) if paths else ((), left)
                found.append(Attack(capabilities=capabilities, minutes=at, states=same, path=path))
                left &= ~same
        return tuple(found)


def _path(goal: _Label, states: int) -> tuple[tuple[Step, ...], int]:
    """Return the rules that a label stems from in the first of ``states``, and all that share them.

    Each rule comes after those that it needs, and by minute.
    """
    first = states & -states
    found: list[Step] = []
    seen: set[int] = set()
    stack: list[tuple[_Label, bool]] = [(goal, False)]
    while stack:
        label, after = stack.pop()
        _, _, minute, _, where, rule, one, other = label
        if after:
            found.append(Step(rule, minute))
        elif rule == MERGED and one and other:
            states &= other[4] if other[4] & first else ~other[4]
            stack.append((other if other[4] & first else one, False))
        elif id(label) not in seen:
            seen.add(id(label))
            states &= where
            if rule != NO_RULE:
                stack.append((label, True))
            stack += [(parent, False) for parent in (one, other) if parent]
    return tuple(sorted(found, key=itemgetter(1))), states
