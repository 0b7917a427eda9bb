"""Minima: what the laws ask for anyway where a rule matches, and rules that are milder than that.

A milder rule is taken, for a policy only adds, and does nothing: whoever writes a wait of a minute
should hear that it will be a day. And a rule may tell another length than its condition has.

Always true (tests/property/test_minima_properties.py): while a rule that is said to be below the
laws matches, the laws ask for as much, or two roots are shown.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from twinlock.domain.actions import BUILT
from twinlock.domain.bounds import BUDGET_CENTS_MOST
from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.domain.laws import LEAST_WAIT, LISTED
from twinlock.domain.policy.annotations import Ask, Refuse, Wait
from twinlock.domain.policy.facts import DestinationState, SessionState
from twinlock.domain.policy.statute import Statute, outcomes
from twinlock.domain.policy.terms import Choice, Shape, Span
from twinlock.domain.policy.varying import READING_KEY, box_of
from twinlock.domain.policy.vocabulary import HELD_SECONDS_MOST

Part = Mapping[str, Shape]  # Of a box: the facts that are bounded in it.

_SUMS = frozenset({"destination_day_cents", "value_cents"})
_STEPS = 20  # Of two sums that have one limit: a limit less than a twentieth above is not told.
_ALL_TIME = {"held_seconds": HELD_SECONDS_MOST, "since_last_exit_seconds": HELD_SECONDS_MOST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """What the laws ask for anyway, in words; ``below``: this rule asks for less than that.

    ``two_roots`` do instead by the laws, and not by the rule.
    """

    says: str
    below: bool
    two_roots: bool = False


def minimum(rule: Statute) -> Minimum | None:
    """Return what the laws ask for where ``rule`` matches, of what it asks for; None if nothing.

    Raises:
        PolicyRefusedError: it reads more facts than can be looked through.
    """
    match rule.demand:
        case Wait():
            return _of_waits(rule, rule.demand)
        case Ask(roots=1, factors=()) if rule.when.facts & _SUMS:
            return _of_budgets(rule)
        case Refuse() if "budget_cents" in rule.when.facts:
            return _of_listings(rule)
        case _:
            return None


def matched(rule: Statute) -> tuple[str, ...]:
    """Return the actions that are built and that ``rule`` can match."""
    named = sorted(rule.actions & BUILT)
    return tuple(action for action in named if True in outcomes(rule, box_of(action)))


# --- Waits ---


def _of_waits(rule: Statute, demand: Wait) -> Minimum | None:
    actions = matched(rule)
    if not actions or any(_can_match(rule, action, _unwaited(action)) for action in actions):
        return None
    says, leaves = f"{in_hours(LEAST_WAIT)} after the proof", _exits(actions)
    return Minimum(
        says=f"{says}, or proofs of 2 roots" if leaves else says,
        below=demand.length < LEAST_WAIT,
        two_roots=leaves and not demand.or_roots,
    )


def _unwaited(action: str) -> tuple[Part, ...]:
    """Return where no law lets ``action`` wait: ``two_roots`` and ``loosening_waits`` say so."""
    match CLASS_OF[action]:
        case ActionClass.EXIT:
            return ({"destination": Choice(frozenset(map(str, LISTED)))},)
        case ActionClass.LOOSENING if action == ActionType.AUTHENTICATOR_BIND:
            return ({"enrolling": Choice(frozenset({True}))},)
        case ActionClass.LOOSENING:
            return ()
        case _ if action == ActionType.API_KEY_CREATE:
            return (READING_KEY,)
        case _:
            return ({},)


# --- Budgets ---


def _of_budgets(rule: Statute) -> Minimum | None:
    """A proof that is asked for above a sum: ``within_budget`` asks for it above another."""
    actions = matched(rule)
    if not actions or not _exits(actions):
        return None
    says = f"a proof above {in_dollars(BUDGET_CENTS_MOST)} a day to one destination"
    below = not any(_can_match(rule, action, _within_budget()) for action in actions)
    return Minimum(says=says, below=below)


def _within_budget() -> Iterator[Part]:
    """Give parts that cover all in which the laws ask for no proof, and a cent beyond.

    That there is none yet goes without saying: a proof lifts the rule.
    """
    most = BUDGET_CENTS_MOST + 1
    for step in range(_STEPS):
        yield {
            "session": Choice(frozenset({SessionState.FULL.value})),
            "destination": Choice(frozenset({DestinationState.USABLE.value})),
            "destination_day_cents": Span(most * step // _STEPS, most * (step + 1) // _STEPS),
            "value_cents": Span(0, most - most * step // _STEPS),
        }


def _of_listings(rule: Statute) -> Minimum | None:
    """A budget above which nothing is listed: ``a_budget_is_small`` has another."""
    actions = matched(rule)
    if actions != (ActionType.DESTINATION_ADD,):
        return None
    below = not _can_match(rule, *actions, ({"budget_cents": Span(0, BUDGET_CENTS_MOST + 1)},))
    says = f"a refusal above {in_dollars(BUDGET_CENTS_MOST)} a day"
    return Minimum(says=says, below=below)


def _can_match(rule: Statute, action: str, parts: Iterable[Part]) -> bool:
    return any(True in outcomes(rule, {**box_of(action), **part}) for part in parts)


def _exits(actions: Iterable[str]) -> bool:
    return all(CLASS_OF[action] is ActionClass.EXIT for action in actions)


# --- Two lengths in one rule ---


class TwoLengths(NamedTuple):
    """How long the customer is told that it takes, and after how long the condition ends."""

    told: timedelta
    ends: timedelta


def two_lengths(rule: Statute) -> TwoLengths | None:
    """Return both lengths of a wait where they differ: none is told shorter than its condition.

    Raises:
        PolicyRefusedError: it reads more facts than can be looked through.
    """
    match rule.demand:
        case Wait(length=told):
            name, proved = "held_seconds", Choice(frozenset({True}))
        case Refuse(retained=timedelta() as told):
            name, proved = "since_last_exit_seconds", Choice(frozenset({True, False}))
        case _:
            return None
    actions, most = matched(rule), int(told.total_seconds())
    steps = {0, most, *rule.when.steps, *(step + 1 for step in rule.when.steps)}

    def over_after(seconds: int) -> bool:
        after: Part = {"proved": proved, name: Span(seconds, _ALL_TIME[name])}
        return not any(_can_match(rule, action, (after,)) for action in actions)

    ends = sorted(step for step in steps if 0 <= step <= most)
    low, high = 0, len(ends) - 1
    while low < high:  # What is over after a while is over after any longer one.
        middle = (low + high) // 2
        low, high = (low, middle) if over_after(ends[middle]) else (middle + 1, high)
    return TwoLengths(told, timedelta(seconds=ends[low])) if actions and ends[low] < most else None


# --- In words ---


def in_hours(length: timedelta) -> str:
    """Return a length in hours, or in seconds where it has less than one."""
    hours = length / timedelta(hours=1)
    if hours < 1:
        return f"{length.total_seconds():g} seconds"
    return f"{hours:g} hour{'' if hours == 1 else 's'}"


def in_dollars(cents: int) -> str:
    """Return a sum of US cents in dollars."""
    return f"US${cents / 100:,.2f}".removesuffix(".00")
