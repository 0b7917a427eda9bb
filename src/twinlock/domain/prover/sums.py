"""Sums: which make a difference, and how one leaves in a day, at once or by and by.

Always true (tests/unit/domain/prover/test_worst.py): what several exits of a day may let out
together is no less than what one lets out, and is told where it is more.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from twinlock.domain.bounds import BUDGET_CENTS_MOST, MAX_VALUE_CENTS
from twinlock.domain.decisions import Rules
from twinlock.domain.money import KNOWN_CENTS_MOST
from twinlock.domain.policy.facts import Facts
from twinlock.domain.prover.worst import LEAST, Worst

_OF_PRICES = frozenset({"value_unknown"})
_OF_SUMS = frozenset({"day_cents", "destination_day_cents", "value_cents"})


def sums_of(rules: Rules) -> tuple[int, ...]:
    """Return the sums that make a difference to a statute or a law, the highest first."""
    every = rules.policy.statutes.rules
    of_sums = [one.when for one in every if any(name.endswith("_cents") for name in one.when.facts)]
    of_waits = [one.when for one in every if one.when not in of_sums]
    steps = {step for when in of_sums for step in when.steps}
    steps -= {step for when in of_waits for step in when.steps}
    cents = {one for one in steps | {BUDGET_CENTS_MOST} if LEAST <= one < KNOWN_CENTS_MOST}
    return (KNOWN_CENTS_MOST, *sorted(cents, reverse=True))


def days(
    found: Facts, action: str, cents: int, *, sums: tuple[int, ...], worst: Worst
) -> Iterator[Facts]:
    """Give the last exit of a day on which ``cents`` leave: alone, or after others.

    Statutes may ask less of it then, or of what has no price that anybody vouches for. No law does.
    """
    alone = replace(found, action=action, value_cents=cents)
    yield alone
    if worst.reads(action, _OF_SUMS):
        usual = worst.matching(alone)
        for last in (one for one in sums if one < cents):
            before = cents - last
            after = replace(
                alone,
                value_cents=last,
                day_cents=before,
                destination_day_cents=before,
                budget_left_cents=max(found.budget_left_cents - before, 0),
            )
            if worst.matching(after) != usual:
                yield after
    if cents == KNOWN_CENTS_MOST and worst.reads(action, _OF_PRICES):
        yield replace(alone, value_cents=MAX_VALUE_CENTS)
