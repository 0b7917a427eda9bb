"""All minimal attacks of timed Horn rules over integer atoms, each with its earliest minute.

A *rule* makes its head hold when all of its body holds: ``delay`` minutes later, with a ``freeze``
of all exits from then on; a ``gated`` rule takes effect only after every freeze, and its wait runs
while a freeze runs, as at the gate. An atom's *label* ``(capabilities, at, frozen)`` says: with
these capabilities the atom holds from minute ``at``, and nothing gated takes effect before minute
``frozen``, which is never before ``at``. One label dominates another that needs no fewer
capabilities, is no sooner and is frozen no shorter; every rule is monotone in that order, so the
undominated labels of the least fixpoint hold every minimal set with its earliest minute.

Many *states* are solved at once: a mask says for each rule in which states it stands, a label
carries the states that it holds in, and what states have in common is derived once.

Always true (tests/property/test_prover_properties.py, tests/property/test_prover_random_*.py):

* the sets and minutes are those of plain enumeration, of clingo and of z3;
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
from operator import or_
from typing import NamedTuple

import msgspec

from twinlock.domain.errors import invariant

NO_RULE = -1
NO_NODE = -1


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


AT_ONCE = Rule(head=NO_NODE)


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


# In the order of settling: size, at, frozen, a number of its own; then node, capabilities, states;
# then the rule and the labels that it stems from: two joined, one of a rule, none of a capability.
_Label = tuple[int, int, int, int, int, int, int, int, "_Label | None", "_Label | None"]


def attacks(
    rules: Sequence[Rule],
    goals: Sequence[int],
    capabilities: Sequence[int],
    most: int | None = None,
    *,
    states: Sequence[int] | None = None,
) -> dict[int, tuple[Attack, ...]]:
    """Return for each goal every minimal attack, fewest capabilities first, then soonest.

    ``states`` says for each rule the mask of the states that it stands in; without it there is one
    state. ``most`` leaves out sets of more capabilities, and only those. In one state, no attack
    needs all capabilities of another and is no sooner; the same set and minute may stand twice for
    different states, by different paths.
    """
    invariant(len(set(capabilities)) == len(capabilities), "a capability counts once")
    masks = [1] * len(rules) if states is None else states
    every = reduce(or_, masks, 0) if rules else 1
    kept, wanted = relevant(rules, goals, capabilities)
    solver = _Solver(wanted, every)
    solver.learn(rules, kept, masks)
    aims = [goal for goal in dict.fromkeys(goals) if goal in wanted]
    if aims:
        solver.aim(aims, _reached(rules, aims, capabilities, masks, every))
    for bit, atom in enumerate(capabilities):
        if atom in wanted:
            solver.offer(solver.nodes[atom], 1 << bit, every)
    solver.run(len(capabilities) if most is None else most)
    return {goal: solver.found(goal) if goal in wanted else () for goal in goals}


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


def minimal_sets(found: Iterable[Attack]) -> tuple[int, ...]:
    """Return the minimal sets of capabilities of attacks in one state, whatever their minutes."""
    sets: list[int] = []
    for one in sorted({attack.capabilities for attack in found}, key=int.bit_count):
        if all(least & one != least for least in sets):
            sets.append(one)
    return tuple(sets)


def in_state(found: Iterable[Attack], state: int) -> tuple[Attack, ...]:
    """Return the attacks in one state, by its number."""
    return tuple(attack for attack in found if attack.states >> state & 1)


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
    return {goal: known[goal] for goal in goals}


def _undominated(labels: list[_Label], at: int, frozen: int, capabilities: int, states: int) -> int:
    """Return the states in which none of ``labels`` dominates."""
    for _, sooner, thawed, _, _, fewer, where, _, _, _ in labels:
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

    def __init__(self, atoms: Iterable[int], every: int) -> None:
        self.every = every
        self.heap: list[_Label] = []
        self.number = 0
        self.settled: list[list[_Label]] = []
        # Of each node: the nodes that it is joined with, and to what; and the rules that it fires.
        self.joins: list[list[tuple[int, int]]] = []
        self.steps: list[list[tuple[int, Rule, int, int]]] = []
        self.where: list[int] = []  # The states in which anything needs a joined node.
        self.joined: dict[tuple[int, int], int] = {}
        self.nodes = {atom: self.node() for atom in atoms}
        self.aims = NO_NODE
        self.reached: list[_Label] = []

    def node(self) -> int:
        self.settled.append([])
        self.joins.append([])
        self.steps.append([])
        self.where.append(0)
        return len(self.settled) - 1

    def learn(self, rules: Sequence[Rule], kept: list[int], masks: Sequence[int]) -> None:
        """Make nodes for the bodies of the rules ``kept``."""
        uses = Counter(atom for index in kept for atom in rules[index].body)
        for index in kept:
            rule, states = rules[index], masks[index]
            to = self.nodes[rule.head]
            if rule.body:
                body = sorted(set(rule.body), key=lambda atom: (-uses[atom], atom))
                node = self.join([self.nodes[atom] for atom in body], states)
                self.steps[node].append((to, rule, index, states))
            else:
                self.push(0, rule.delay, rule.delay + rule.freeze, to, 0, states, index)

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
        nodes = [self.nodes[goal] for goal in goals]
        if len(nodes) > 1:
            nodes = [self.shadow(self.nodes[goal], self.every & ~reached[goal]) for goal in goals]
        self.aims = self.join(nodes, self.every)

    def shadow(self, of: int, free: int) -> int:
        """Return a node that holds when ``of`` does, and at once in the states ``free``."""
        node = self.node()
        self.steps[of].append((node, AT_ONCE, NO_RULE, self.every))
        if free:
            self.offer(node, 0, free)
        return node

    def offer(self, node: int, capabilities: int, states: int) -> None:
        """Put a label that stems from nothing on the heap: it holds from the first minute."""
        self.push(capabilities.bit_count(), 0, 0, node, capabilities, states, NO_RULE)

    def push(self, *label: int) -> None:
        """Put a label without parents on the heap."""
        size, at, frozen, node, capabilities, states, rule = label
        number = self.number = self.number + 1
        heappush(
            self.heap, (size, at, frozen, number, node, capabilities, states, rule, None, None)
        )

    def run(self, most: int) -> None:
        """Settle labels of at most so many capabilities until none is left."""
        heap = self.heap
        while heap and heap[0][0] <= most:
            label = heappop(heap)
            _, at, frozen, _, node, capabilities, states, _, _, _ = label
            left = _undominated(self.settled[node], at, frozen, capabilities, states)
            left = left and _undominated(self.reached, at, frozen, capabilities, left)
            if not left:
                continue
            if left != states:
                label = (*label[:6], left, *label[7:])
            self.settled[node].append(label)
            if node == self.aims:
                self.reached.append((*label[:2], 0, *label[3:]))
                continue
            self.fire(label, self.steps[node])
            for partner, to in self.joins[node]:
                self.meet(label, self.settled[partner], to)

    def fire(self, label: _Label, steps: list[tuple[int, Rule, int, int]]) -> None:
        """Offer what a settled label makes hold by rules."""
        size, at, frozen, _, _, capabilities, states, _, _, _ = label
        for to, rule, index, where in steps:
            left = states & where
            if not left:
                continue
            then = at + rule.delay
            if rule.gated and then < frozen:
                then = frozen
            until = max(frozen, then + rule.freeze)
            left = _undominated(self.settled[to], then, until, capabilities, left)
            if left:
                self.number += 1
                heappush(
                    self.heap,
                    (size, then, until, self.number, to, capabilities, left, index, label, None),
                )

    def meet(self, label: _Label, others: list[_Label], to: int) -> None:
        """Offer what a settled label makes together with those of another node."""
        _, at, frozen, _, _, capabilities, states, _, _, _ = label
        states &= self.where[to]
        if not states:
            return
        settled = self.settled[to]
        for other in others:
            left = states & other[6]
            if not left:
                continue
            then = max(at, other[1])
            until = max(frozen, other[2])
            both = capabilities | other[5]
            left = _undominated(settled, then, until, both, left)
            if left:
                self.number += 1
                heappush(
                    self.heap,
                    (
                        both.bit_count(),
                        then,
                        until,
                        self.number,
                        to,
                        both,
                        left,
                        NO_RULE,
                        label,
                        other,
                    ),
                )

    def found(self, goal: int) -> tuple[Attack, ...]:
        """Return the attacks on a goal: its labels, whatever is still frozen."""
        kept: list[_Label] = []
        for label in self.settled[self.nodes[goal]]:
            _, at, _, _, _, capabilities, states, _, _, _ = label
            left = _undominated(kept, at, 0, capabilities, states)
            if left:
                kept.append((*label[:2], 0, *label[3:6], left, *label[7:]))
        return tuple(
            Attack(capabilities=label[5], minutes=label[1], states=label[6], path=_path(label))
            for label in kept
        )


def _path(goal: _Label) -> tuple[Step, ...]:
    """Return the rules that a label stems from: parents first, then by minute."""
    found: list[Step] = []
    seen: set[int] = set()
    stack: list[tuple[_Label, bool]] = [(goal, False)]
    while stack:
        label, after = stack.pop()
        if after:
            found.append(Step(label[7], label[1]))
        elif label[3] not in seen:
            seen.add(label[3])
            if label[7] != NO_RULE:
                stack.append((label, True))
            stack += [(parent, False) for parent in label[8:] if parent is not None]
    return tuple(sorted(found, key=lambda step: step.minute))
