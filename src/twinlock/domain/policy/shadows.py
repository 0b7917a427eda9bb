"""Shadows: which rules of a policy change an answer, and which never do.

A rule is *live* where there are facts under which it alone makes the difference; *shadowed* where
whatever it matches, the laws or other rules ask for at least as much; *dead* where nothing matches.
What could not be looked through to the end is *unseen*, and no verdict.

Always true (tests/property/test_shadows_properties.py): without a rule that is said to be shadowed
or dead, whatever facts are drawn, the gate asks for the same.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from twinlock.domain.actions import BUILT
from twinlock.domain.laws import Law
from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.domain.policy.cells import bodies_of
from twinlock.domain.policy.examples import Example, example
from twinlock.domain.policy.pairing import Bodies
from twinlock.domain.policy.searching import CELLS_MOST, Search, Seen, Side, groups
from twinlock.domain.policy.statute import Statute, outcomes
from twinlock.domain.policy.statutes import Statutes, required
from twinlock.domain.policy.varying import box_of
from twinlock.domain.policy.vocabulary import context_of
from twinlock.domain.policy.weighing import Change, changes, weigh
from twinlock.domain.requirements import NOTHING, Requirement, all_of

RULES_FEW = 64  # More than our own profiles have …
IN_ALL = 60_000  # … and of more of them so many cells are looked at: each asks all the others.


class State(StrEnum):
    """What a rule does."""

    LIVE = "live"
    SHADOWED = "shadowed"
    DEAD = "dead"
    UNSEEN = "unseen"


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule does, with an example where there is one.

    Of a live rule: facts under which it alone decides, answered without it and with it. Of a
    shadowed one: facts that it matches, and ``by`` which laws and rules hide it there and
    everywhere. ``tried`` cells of ``cells`` were looked at.
    """

    rule: str
    state: State
    says: str
    by: tuple[str, ...] = ()
    example: Example | None = None
    tried: int
    cells: int


def effects(
    statutes: Statutes, *, laws: tuple[Law, ...], most: int = CELLS_MOST
) -> tuple[Effect, ...]:
    """Return what each rule does beside the others and ``laws``, of ``most`` cells for each.

    Where there are very many rules, of fewer.
    """
    most = most if len(statutes.rules) <= RULES_FEW else min(most, IN_ALL // len(statutes.rules))
    found = bodies_of(statutes)
    bodies = {rule: found[rule.rule_id] for rule in statutes.rules}
    return tuple(
        _effect(rule, statutes, laws=laws, bodies=bodies, most=most) for rule in statutes.rules
    )


def _effect(
    rule: Statute,
    statutes: Statutes,
    *,
    laws: tuple[Law, ...],
    bodies: Bodies,
    most: int,
) -> Effect:
    if _is_dead(rule):
        says = "it matches nothing that any action it names can be"
        return Effect(rule=rule.rule_id, state=State.DEAD, says=says, tried=0, cells=0)
    tally = _Tally(rule, statutes, laws)
    named = rule.actions & statutes.permits.keys() & BUILT
    for group in groups(named, sides=(statutes,), bodies=bodies):
        others = tuple(one for one in statutes.of(group[0]) if one is not rule)
        search = Search(
            group[0],
            first=Side(permitted=True, rules=others),
            second=Side(permitted=True, rules=(*others, rule)),
            laws=laws,
            bodies=bodies,
            most=most,
        )
        for seen in search:
            if not seen.hidden:
                tally.add(search)
                return tally.live(search.shrunk(seen))
            tally.hidden(seen)
        tally.add(search)
    return tally.verdict()


def _is_dead(rule: Statute) -> bool:
    try:
        return all(outcomes(rule, box_of(action)) == {False} for action in rule.actions)
    except PolicyRefusedError:  # It reads more facts than can be looked through.
        return False


class _Tally:
    """What was seen of one rule, over all its actions."""

    def __init__(self, rule: Statute, statutes: Statutes, laws: tuple[Law, ...]) -> None:
        self._rule, self._statutes, self._laws = rule, statutes, laws
        self._first: Seen | None = None
        self._by: dict[str, None] = {}
        self._tried = self._cells = 0
        self._complete = True

    def add(self, search: Search) -> None:
        self._tried += search.tried
        self._cells += search.size
        self._complete = self._complete and search.complete and not search.sums

    def live(self, seen: Seen) -> Effect:
        return self._effect(State.LIVE, "it alone decides, for one", example=self._example(seen))

    def hidden(self, seen: Seen) -> None:
        """Note what hides the rule in this cell: one law or rule if one is enough, else all."""
        self._first = self._first or seen
        facts = seen.facts
        mine = required(self._rule.demand, facts)
        asked = dict(self._asked(seen))
        if any(name in self._by and _covers(one, mine) for name, one in asked.items()):
            return
        alone = [name for name, one in asked.items() if _covers(one, mine)]
        self._by.update(dict.fromkeys(alone[:1] or asked))

    def _asked(self, seen: Seen) -> Iterator[tuple[str, Requirement]]:
        for law in self._laws:
            missing = law(seen.facts)
            if missing != NOTHING:
                yield law.__name__, missing
        for rule in self._statutes.of(seen.facts.action):
            if rule is not self._rule and rule.when.run(context_of(seen.facts, rule.when.facts)):
                yield rule.rule_id, required(rule.demand, seen.facts)

    def verdict(self) -> Effect:
        if self._first is None:
            says = "no facts were found that it matches"
            return self._effect(State.UNSEEN, says)
        found = self._example(self._first)
        if not self._complete:
            says = "no facts were found for which it alone decides, and not all could be tried"
            return self._effect(State.UNSEEN, says, example=found)
        says = "whatever it matches, as much is asked for without it"
        return self._effect(State.SHADOWED, says, example=found)

    def _example(self, seen: Seen) -> Example:
        return example(seen)

    def _effect(self, state: State, says: str, *, example: Example | None = None) -> Effect:
        by = tuple(sorted(self._by)) if state is not State.LIVE else ()
        return Effect(
            rule=self._rule.rule_id,
            state=state,
            says=says,
            by=by,
            example=example,
            tried=self._tried,
            cells=self._cells,
        )


def _covers(one: Requirement, mine: Requirement) -> bool:
    """Say whether ``mine`` adds nothing beside ``one`` but reasons."""
    return set(changes(weigh(one), weigh(all_of(one, mine)))) <= {Change.TOLD_OTHERWISE}
