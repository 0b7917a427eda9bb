"""Searching: facts for which two sets of rules answer differently, cell by cell.

Only the rules that differ can make a difference. So the cells are those of the facts that these
read, and of those by which the laws let go: proofs, roots, waits, where value goes. Whatever else
the other rules read is as mild as it can be; where one of them hides the difference, its facts are
filled in otherwise, too.

Always true (tests/unit/domain/policy/test_searching.py): where everything was looked at,
``complete`` says so, and nothing is said of what was not.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from twinlock.domain.bounds import BUDGET_CENTS_MOST, MAX_VALUE_CENTS
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.domain.laws import LEAST_WAIT, Law
from twinlock.domain.policy.cells import Cells, Compared, compared, values_of
from twinlock.domain.policy.facts import Facts, SessionState
from twinlock.domain.policy.imagining import imagine
from twinlock.domain.policy.pairing import Apart, Bodies
from twinlock.domain.policy.statute import Statute
from twinlock.domain.policy.statutes import Statutes, required
from twinlock.domain.policy.terms import Context, Value
from twinlock.domain.policy.varying import box_of
from twinlock.domain.policy.vocabulary import context_of
from twinlock.domain.policy.weighing import Change, Weight, changes, weigh
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Never, Requirement, all_of

CELLS_MOST = 100_000  # Looked at one by one, in a second or two …
PICKED = 20_000  # … and of more than that so many.
_Said: TypeAlias = Mapping[str, Compared]
OF_ONE_RULE = 1_000  # Before those, of each rule that differs: whatever else is read is mild …
OF_RULES = 20_000  # … and of all of them together.
FILLINGS_MOST = 256  # Of the facts that only other rules read, where one of those hides a cell.


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one policy says of an action."""

    permitted: bool
    rules: tuple[Statute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One cell in which the rules differ: facts, and what each side answers.

    ``read`` is what was imagined; ``changes`` is empty where something else hides the difference.
    """

    facts: Facts
    read: Context
    first: Weight
    second: Weight
    changes: tuple[Change, ...]

    @property
    def hidden(self) -> bool:
        """Whether both sides ask for the same, if for other reasons."""
        return set(self.changes) <= {Change.TOLD_OTHERWISE}


class Search:
    """All cells in which two sides differ about one action.

    ``size`` is how many cells there are, ``tried`` how many were looked at so far. ``complete``
    holds once nothing was left out; where facts are summed (``sums``) even that is no proof.
    """

    def __init__(
        self,
        action: str,
        *,
        first: Side,
        second: Side,
        laws: tuple[Law, ...],
        bodies: Bodies,
        most: int = CELLS_MOST,
    ) -> None:
        self._action, self._laws, self._most = action, laws, most
        self._first, self._second = first, second
        self._bodies = bodies
        self._apart = apart = Apart(first.rules, second.rules)
        differing = (*apart.first, *apart.second)
        self._said = compared(body for rule in differing for body in bodies[rule])
        self._said_by_others = compared(body for rule in apart.common for body in bodies[rule])
        self._by_laws = _read_by_laws(action)
        self._cells = self._cells_of(self._said, others=self._said_by_others)
        self.size = self._cells.size
        self.tried = 0
        self.complete = self.size <= most
        self.sums = any(
            said[name].summed
            for said in (self._said, self._said_by_others)
            for name in self._said.keys() & said.keys()
        )

    def _values(self, name: str, *, mine: _Said, others: _Said) -> tuple[Value, ...]:
        """Return the values of one fact: both sides of whatever any rule compares it with."""
        numbers, words = self._by_laws.get(name, (_NONE, ()))
        by_others = others.get(name, Compared())
        if name not in mine and words and not by_others.words:
            return words
        said = mine.get(name, Compared()).also(by_others).also(Compared(numbers=set(numbers)))
        if name == "value_cents" and "value_unknown" in mine:
            said.numbers.add(MAX_VALUE_CENTS)
        return values_of(name, box_of(self._action)[name], said)

    def _cells_of(self, mine: _Said, *, others: _Said) -> Cells:
        """Return the cells of the facts that some rules read, and of those the laws let go by."""
        names = sorted(mine.keys() | self._by_laws.keys())
        return Cells({name: self._values(name, mine=mine, others=others) for name in names})

    def __iter__(self) -> Iterator[Seen]:
        for cell in () if self.size <= self._most else self._rule_by_rule():
            self.tried += 1
            facts = imagine(self._action, cell)
            if facts is not None and self._differ(context_of(facts, self._apart.reads)):
                yield from self._seen(cell)
        for cell in self._cells.pick(self._most, of_more=min(PICKED, self._most)):
            self.tried += 1
            if self._differ(cell):
                yield from self._seen(cell)

    def _rule_by_rule(self) -> Iterator[Context]:
        """Give cells of one differing rule after the other, whatever others read being mild."""
        differing = (*self._apart.first, *self._apart.second)
        most = min(OF_ONE_RULE, min(OF_RULES, self._most) // max(len(differing), 1))
        for rule in differing:
            cells = self._cells_of(compared(self._bodies[rule]), others={})
            yield from cells.pick(most, of_more=most)

    def _differ(self, cell: Context) -> bool:
        if self._first.permitted is not self._second.permitted:
            return True
        one, other = (
            {rule.demand for rule in rules if rule.when.run(cell)}
            for rules in (self._apart.first, self._apart.second)
        )
        return one != other

    def _seen(self, cell: Context) -> tuple[Seen, ...]:
        """Return what both sides say in ``cell``: a difference if there is one, else all of it."""
        seen = self._told(cell)
        if seen is None:
            return ()
        if not seen.hidden:
            return (seen,)
        every = context_of(seen.facts, self._apart.reads)
        hiding = [one for one in self._apart.common if one.when.run(every)]
        free = {name for one in hiding for name in one.when.facts} - self._cells.values.keys()
        alone = self._told(cell, others=())  # What the laws hide, they hide always.
        if not free or alone is None or alone.hidden:
            return (seen,)
        hidden: list[Seen] = []
        for one in self._filled(cell, free):
            if not one.hidden:
                return (one,)
            hidden.append(one)
        return tuple(hidden)

    def _filled(self, cell: Context, free: set[str]) -> Iterator[Seen]:
        """Give what both sides say for everything that the other rules could be told beside."""
        box, said = box_of(self._action), self._said_by_others
        names = sorted(
            {one for rule in self._apart.common for one in rule.when.facts} - cell.keys()
        )
        fillings = Cells({name: values_of(name, box[name], said[name]) for name in names})
        if fillings.size > FILLINGS_MOST:  # Then those that hide it, and no others.
            self.complete = False
            fillings = Cells({name: fillings.values[name] for name in sorted(free)})
        for filling in fillings.pick(FILLINGS_MOST, of_more=FILLINGS_MOST):
            seen = self._told({**cell, **filling})
            if seen is not None:
                yield seen

    def shrunk(self, seen: Seen) -> Seen:
        """Return the same difference from as few facts as it takes: all others are mild."""
        for name in sorted(seen.read):
            fewer = {other: value for other, value in seen.read.items() if other != name}
            found = self._told(fewer)
            if found is not None and found.changes == seen.changes:
                seen = found
        return seen

    def _told(self, read: Context, *, others: tuple[Statute, ...] | None = None) -> Seen | None:
        """Return what both sides say of facts that are as ``read``; None if no account is so."""
        facts = imagine(self._action, read)
        if facts is None:
            return None
        every = context_of(facts, self._apart.reads)
        common: Requirement = NOTHING
        for law in self._laws:
            common = _beside(common, law(facts))
        common = _asked(self._apart.common if others is None else others, common, facts, every)
        first = _weight(self._first, self._apart.first, common, facts, every)
        second = _weight(self._second, self._apart.second, common, facts, every)
        return Seen(
            facts=facts, read=read, first=first, second=second, changes=changes(first, second)
        )


def _weight(
    side: Side, apart: tuple[Statute, ...], common: Requirement, facts: Facts, every: Context
) -> Weight:
    if not side.permitted:
        return weigh(_beside(common, Never(code=Reason.NOT_PERMITTED)))
    return weigh(_asked(apart, common, facts, every))


def _asked(
    rules: tuple[Statute, ...], common: Requirement, facts: Facts, every: Context
) -> Requirement:
    for rule in rules:
        if rule.when.run(every):
            common = _beside(common, required(rule.demand, facts))
    return common


def _beside(one: Requirement, other: Requirement) -> Requirement:
    return one if other is NOTHING else all_of(one, other)


def groups(
    actions: Iterable[str],
    *,
    sides: tuple[Statutes, ...],
    bodies: Bodies,
) -> tuple[tuple[str, ...], ...]:
    """Return ``actions`` in groups about which every side says the same: one stands for all of it.

    The laws tell one exit from another by nothing but what is signed; whatever else is alone.
    """
    found: dict[object, list[str]] = {}
    for action in sorted(actions, key=lambda one: (one != ActionType.WITHDRAWAL_CRYPTO, one)):
        key: object = action
        if CLASS_OF[action] is ActionClass.EXIT:
            key = tuple(_said_of(action, side, bodies) for side in sides)
        found.setdefault(key, []).append(action)
    return tuple(map(tuple, found.values()))


def _said_of(action: str, side: Statutes, bodies: Bodies) -> tuple[object, ...]:
    """Return all that ``side`` says of ``action``, but for the names of its rules."""
    rules = ((repr(rule.demand), encode(bodies[rule])) for rule in side.of(action))
    return action in side.permits, *sorted(rules)


# --- By which facts the laws let go: the numbers they compare with, or the words that count ---

_Looked: TypeAlias = tuple[frozenset[int], tuple[Value, ...]]
_NONE: frozenset[int] = frozenset()
_ALWAYS: Mapping[str, _Looked] = MappingProxyType(
    {
        "proved": (_NONE, (False, True)),
        "held_seconds": (frozenset({int(LEAST_WAIT.total_seconds())}), ()),
        "roots_shown": (frozenset({1}), ()),
        "roots_enrolled": (frozenset({1}), ()),
    }
)
_OF_EXITS: Mapping[str, _Looked] = MappingProxyType(
    {
        "destination": (_NONE, ()),
        "session": (_NONE, (SessionState.NONE.value, SessionState.FULL.value)),
        "value_cents": (frozenset({BUDGET_CENTS_MOST}), ()),
    }
)
_OF_TIGHTENING: Mapping[str, _Looked] = MappingProxyType({"session": _OF_EXITS["session"]})
_OF_BINDING: Mapping[str, _Looked] = MappingProxyType({"enrolling": (_NONE, (False, True))})
_OF_KEYS: Mapping[str, _Looked] = MappingProxyType({"scopes": (_NONE, ())})


def _read_by_laws(action: str) -> Mapping[str, _Looked]:
    match CLASS_OF[action]:
        case ActionClass.EXIT:
            return {**_ALWAYS, **_OF_EXITS}
        case ActionClass.TIGHTENING:
            return {**_ALWAYS, **_OF_TIGHTENING}
        case _ if action == ActionType.AUTHENTICATOR_BIND:
            return {**_ALWAYS, **_OF_BINDING}
        case _ if action == ActionType.API_KEY_CREATE:
            return {**_ALWAYS, **_OF_KEYS}
        case _:
            return _ALWAYS
