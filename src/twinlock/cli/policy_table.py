"""A policy as a table for people: what is permitted, and what each rule asks for."""

from collections.abc import Iterator
from datetime import timedelta
from typing import assert_never

from twinlock.domain.assurance import Factor
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.policy.annotations import (
    Agree,
    Ask,
    Demand,
    Permit,
    PolicyRefusedError,
    Refuse,
    Wait,
)
from twinlock.domain.policy.minima import minimum
from twinlock.domain.policy.statute import Statute
from twinlock.domain.policy.statutes import Statutes

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_EXITS = frozenset(kind for kind, cls in CLASS_OF.items() if cls is ActionClass.EXIT)
_NOTHING = "–"


def policy_table(statutes: Statutes) -> str:
    """Return the permits and the rules of a policy, a line for each."""
    permits = (
        ("action", "holds every exit for", "may be proved by", "lapses without use after"),
        *(_permit(kind, one) for kind, one in sorted(statutes.permits.items())),
    )
    rules = (
        ("rule", "about", "lifted by", "the laws ask anyway for", "reason"),
        *map(_rule, statutes.rules),
    )
    return "\n".join(
        [
            "What is permitted, and what follows from a yes",
            *_aligned(permits),
            "",
            "What is asked for while a rule matches, beside the laws",
            *_aligned(rules),
        ]
    )


def _aligned(rows: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _permit(kind: str, permit: Permit) -> tuple[str, ...]:
    every = permit.offers == frozenset(Factor)
    offers = "anything bound" if every else ", ".join(sorted(permit.offers))
    return kind, _length(permit.exits_held), offers, _length(permit.lapses)


def _rule(rule: Statute) -> tuple[str, ...]:
    return (
        rule.rule_id,
        _about(rule.actions),
        lifted_by(rule.demand),
        laws_ask(rule),
        rule.demand.reason,
    )


def laws_ask(rule: Statute) -> str:
    """Return in words what the laws ask for anyway, of what a rule asks for."""
    try:
        least = minimum(rule)
    except PolicyRefusedError:
        return "(it reads too many facts to say)"
    return _NOTHING if least is None else least.says


def _about(actions: frozenset[str]) -> str:
    if actions == frozenset(CLASS_OF):
        return "anything"
    return "every exit" if actions == _EXITS else ", ".join(sorted(actions))


def lifted_by(demand: Demand) -> str:
    """Return in words what lifts a rule."""
    match demand:
        case Ask(roots=roots, factors=factors):
            proofs = f"proofs of {roots} roots" if roots > 1 else "a proof at the floor"
            return f"{proofs}, {' and '.join(factors)} among them" if factors else proofs
        case Wait(length=length, or_roots=or_roots):
            wait = f"{_length(length)} after the proof"
            return f"{wait}, or proofs of {or_roots} roots" if or_roots else wait
        case Agree(count=count):
            return f"the approval of {count} drawn members of staff"
        case Refuse(retained=timedelta() as retained):
            return f"{_length(retained)} after the last exit"
        case Refuse(ends_with_day=ends):
            return "the next day" if ends else "nothing"
        case _:
            assert_never(demand)


def _length(value: timedelta | None) -> str:
    """Return a length in the largest unit of which it is a whole number."""
    if value is None:
        return _NOTHING
    seconds = int(value.total_seconds())
    unit, size = next((unit, size) for unit, size in _UNITS if not seconds % size)
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'}"
