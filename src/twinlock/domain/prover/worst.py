"""Statutes at their mildest: a rule stands in a thief's way only if it does whatever he does.

A state of enrolment leaves much open that a statute may read: what day it is, when the account was
opened, what left before today, whether the owner wants listed destinations only, from which device
somebody signs in. None of that is probed value by value. A rule that reads it counts where it
matches for *all* values, and is as if it were not there where it does not.

A sum stands for all sums above the next lower one that is tried; whatever a rule compares, and
with what, it counts where it matches for all of them.

Always true (tests/property/test_prover_worst_properties.py): whatever is missing here is missing
by the statutes themselves, for any value of what is left open.
"""

from collections.abc import Iterable, Iterator
from types import MappingProxyType

from twinlock.domain.assurance import PROOFS
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.catalogue import SCOPES, WITHDRAW_SCOPE, ActionClass, ActionType
from twinlock.domain.laws import LEAST_WAIT
from twinlock.domain.policy.annotations import Ask, Demand, Wait
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.policy.statute import Statute, outcomes
from twinlock.domain.policy.statutes import Statutes, required
from twinlock.domain.policy.terms import EITHER, Between, Box, Choice, Context, Shape, Span, Value
from twinlock.domain.policy.vocabulary import whole_box
from twinlock.domain.requirements import Requirement, all_of, any_of

LEAST = 100  # US cents: below a dollar a step is none of a sum.

# What no probe varies: the clock, the owner's habits and wishes, and what a thief may choose.
OPEN_FACTS = frozenset(
    {
        "destination_day_cents",  # of as many destinations as he likes
        "destinations_required",
        "device_bound",
        "ip_list",
        "key_destinations",
        "look_alike",
        "new_device",
        "now",
        "opened_at",
        "since_last_exit_seconds",
    }
)
# What an address can become that is this: by waiting, or by being listed and taken off again.
_BECOMES = {
    DestinationState.NEW: (
        DestinationState.NEW,
        DestinationState.WAITING,
        DestinationState.REMOVED,
    ),
    DestinationState.USABLE: (DestinationState.USABLE, DestinationState.LAPSED),
}
_SOMETIMES = frozenset({"day_cents", "scopes", "session", "value_cents", "within_announced"})
_NOTHING: Context = MappingProxyType({"roots_shown": 0, "factors": frozenset[str]()})
_SIGNED_IN = Choice(
    frozenset({SessionState.NONE.value, SessionState.READ_ONLY.value, SessionState.FULL.value})
)


class Worst:
    """The statutes of a policy as a law, at their mildest; ``sums`` are those that are tried."""

    def __init__(self, statutes: Statutes, *, sums: Iterable[int]) -> None:
        self._statutes = statutes
        self._sums = tuple(sorted(sums))
        self._matching: dict[tuple[object, ...], tuple[tuple[Statute, ...], ...]] = {}
        self._matches: dict[tuple[object, ...], bool] = {}
        self._raised_after = max(LEAST_WAIT, statutes.waits(ActionType.LIMIT_RAISE))
        self._open = {rule.rule_id: self._open_in(rule) for rule in statutes.rules}

    def law(self, facts: Facts) -> Requirement:
        """Return what the statutes miss in ``facts``, whatever else is so."""
        if facts.action not in self._statutes.permits:
            return self._statutes.law(facts)
        return any_of(
            *(
                all_of(*(required(rule.demand, facts) for rule in rules))
                for rules in self.matching(facts)
            )
        )

    def matching(self, facts: Facts) -> tuple[tuple[Statute, ...], ...]:
        """Return the statutes that stand in the way, for each thing that the address can become."""
        context = self._statutes.context(facts)
        key = facts.action, facts.day_cents, facts.value_cents, tuple(context.values())
        known = self._matching.get(key)
        if known is None:
            known = self._matching[key] = tuple(dict.fromkeys(self._each(facts, context)))
        return known

    def _each(self, facts: Facts, context: Context) -> Iterator[tuple[Statute, ...]]:
        every = self._statutes.of(facts.action)
        becomes = _BECOMES.get(facts.destination, (facts.destination,))
        for one in becomes if "destination" in context else becomes[:1]:
            there = {**context, "destination": one.value}
            yield tuple(rule for rule in every if self._stands(rule, facts, there))

    def reads(self, action: str, names: frozenset[str]) -> bool:
        """Say whether a statute about ``action`` reads one of ``names``."""
        return not names.isdisjoint(self._statutes.reads(action))

    def _stands(self, rule: Statute, facts: Facts, context: Context) -> bool:
        if not self._open[rule.rule_id]:
            return bool(rule.when.run(context))
        read = tuple([context[name] for name in rule.when.facts])
        key = rule.rule_id, facts.action_class, facts.day_cents, facts.value_cents, read
        known = self._matches.get(key)
        if known is None:
            found = outcomes(rule, self._box(rule, facts, context))
            known = self._matches[key] = found == {True}
        return known

    def _open_in(self, rule: Statute) -> bool:
        """Say whether ``rule`` reads anything that may be open."""
        return not rule.when.facts.isdisjoint(OPEN_FACTS | _SOMETIMES | _shown(rule.demand).keys())

    def _box(self, rule: Statute, facts: Facts, context: Context) -> Box:
        """Return what is known of the facts that ``rule`` reads: one value, or what is open."""
        whole = whole_box()
        box = {
            name: whole[name] if name in OPEN_FACTS else _point(context[name])
            for name in rule.when.facts
        }
        found = {**_shown(rule.demand, context), **self._left(facts), **_chosen(facts)}
        if self._may_be_announced(rule.demand, facts):
            found["within_announced"] = EITHER
        return {**box, **{name: shape for name, shape in found.items() if name in box}}

    def _may_be_announced(self, demand: Demand, facts: Facts) -> bool:
        """Say whether a raised limit could spare more than it takes: it waits by itself."""
        longer = not isinstance(demand, Wait) or demand.length > self._raised_after
        return longer and facts.action_class is ActionClass.EXIT

    def _left(self, facts: Facts) -> dict[str, Shape]:
        """Return what leaves now, and before it on the same day: any sums that come to as much."""
        if facts.action_class is not ActionClass.EXIT or facts.value_cents == MAX_VALUE_CENTS:
            return {"day_cents": Span(0, MAX_VALUE_CENTS)}
        total = facts.day_cents + facts.value_cents
        least = max((one + 1 for one in self._sums if one < total), default=min(LEAST, total))
        if facts.day_cents:
            return {"day_cents": Span(max(least - facts.value_cents, 0), MAX_VALUE_CENTS)}
        return {
            "day_cents": Span(0, MAX_VALUE_CENTS),
            "value_cents": Span(least, facts.value_cents),
        }


def _chosen(facts: Facts) -> dict[str, Shape]:
    """Return what a thief chooses beside what is asked about: a session, and a key's scopes."""
    found: dict[str, Shape] = {}
    if facts.session is not SessionState.UNSIGNED:
        found["session"] = _SIGNED_IN
    if WITHDRAW_SCOPE in facts.scopes:
        found["scopes"] = Between(frozenset({WITHDRAW_SCOPE}), SCOPES)
    return found


def _shown(demand: Demand, context: Context = _NOTHING) -> dict[str, Shape]:
    """Return what more may be shown, or waited for, of which the demand says nothing.

    What it asks for itself is put to the gate.
    """
    found: dict[str, Shape] = {}
    asks = isinstance(demand, Ask) and demand.roots > 1
    spares = isinstance(demand, Wait) and bool(demand.or_roots)
    if not (asks or spares):
        roots = context.get("roots_shown", 0)
        found["roots_shown"] = Span(int(roots) if isinstance(roots, int) else 0, len(PROOFS))
    factors = context.get("factors")
    shown = factors if isinstance(factors, frozenset) else frozenset[str]()
    named = frozenset(map(str, demand.factors)) if isinstance(demand, Ask) else frozenset[str]()
    found["factors"] = Between(shown, shown | (frozenset(map(str, PROOFS)) - named))
    if not isinstance(demand, Wait):
        found["held_seconds"] = whole_box()["held_seconds"]
    return found


def _point(value: Value) -> Shape:
    if isinstance(value, bool | str):
        return Choice(frozenset({value}))
    if isinstance(value, int):
        return Span(value, value)
    return Between(value, value)
