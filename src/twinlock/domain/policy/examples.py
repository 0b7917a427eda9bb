"""Examples: facts in the words of statutes, and what is answered to them, for people and programs.

They are of no account: made up, at an instant of their own.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from twinlock.domain.policy.imagining import NOW
from twinlock.domain.policy.minima import in_dollars, in_hours
from twinlock.domain.policy.searching import Seen
from twinlock.domain.policy.vocabulary import VOCABULARY
from twinlock.domain.policy.weighing import Change, Proofs, Weight
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer

Told: TypeAlias = bool | int | str | tuple[str, ...]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What one policy answers, the laws included. ``wait_seconds`` is how long from now, 0: not.

    ``lapse_seconds`` is after how long a refusal is over, 0: it is none, or never is.
    """

    answer: Answer
    wait_seconds: int
    lapse_seconds: int = 0
    proofs: Proofs
    reasons: tuple[Reason, ...]


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one action under which two sets of rules answer differently, or the same."""

    action: str
    facts: dict[str, Told]
    first: Answered
    second: Answered
    changes: tuple[Change, ...]


def example(seen: Seen) -> Example:
    """Return ``seen`` as an example, told by the facts that were imagined."""
    return Example(
        action=seen.facts.action,
        facts={
            name: tuple(sorted(value)) if isinstance(value, frozenset) else value
            for name, value in seen.read.items()
        },
        first=_answered(seen.first),
        second=_answered(seen.second),
        changes=seen.changes,
    )


def _answered(weight: Weight) -> Answered:
    return Answered(
        answer=weight.answer,
        wait_seconds=_from_now(weight.until),
        lapse_seconds=_from_now(weight.lapses),
        proofs=weight.proofs,
        reasons=weight.reasons,
    )


def _from_now(until: datetime | None) -> int:
    return 0 if until is None else int((until - NOW).total_seconds())


# --- In words ---


def facts_in_words(facts: Mapping[str, Told]) -> str:
    """Return facts of an example on one line, in the order of the vocabulary."""
    named = [_fact_in_words(name, facts[name]) for name in VOCABULARY if name in facts]
    return ", ".join(named) or "nothing shown yet"


def _fact_in_words(name: str, value: Told) -> str:
    match value:
        case bool():
            return name if value else f"not {name}"
        case int() if name.endswith("_cents"):
            return f"{name} {in_dollars(value)}"
        case int() if name.endswith("_seconds"):
            return f"{name} {value:,}"
        case tuple():
            return f"{name} {' and '.join(value) or 'none'}"
        case _:
            return f"{name} {value}"


def answer_in_words(told: Answered) -> str:
    """Return an answer on one line: what is said, for how long, what is asked for, and why."""
    parts: list[str] = [told.answer.value]
    if told.answer is Answer.DENY:
        if told.lapse_seconds:
            parts.append(f"for {in_hours(timedelta(seconds=told.lapse_seconds))}")
    else:
        parts += _proofs_in_words(told.proofs)
        if told.wait_seconds:  # Whoever is challenged may wait, or show another root.
            spared = "or " if told.answer is Answer.CHALLENGE else ""
            wait = in_hours(timedelta(seconds=told.wait_seconds))
            parts.append(f"{spared}wait {wait}")
    why = f" ({', '.join(told.reasons)})" if told.reasons else ""
    return ", ".join(parts) + why


def _proofs_in_words(proofs: Proofs) -> Iterable[str]:
    if proofs.level:
        level = proofs.level.name.lower().replace("_", " ")
        yield f"prove ({level})" if proofs.roots <= 1 else f"prove ({level}, {proofs.roots} roots)"
    if proofs.factors:
        yield f"show {' and '.join(sorted(proofs.factors))}"
