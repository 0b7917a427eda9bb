"""Weighing: what an answer asks of a customer, and how another answer differs from it.

A requirement is weighed by what it takes to fulfil: an answer, a wait, and proofs. Whoever may
either prove more or wait is weighed as somebody who waits.

Always true (tests/property/test_weighing_properties.py): nothing that is asked beside it makes a
requirement weigh less, and what weighs as much as before still does beside anything else.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias, assert_never

import msgspec

from twinlock.domain.assurance import Level
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    STRENGTH,
    AllOf,
    Answer,
    AnyOf,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    leaves,
    reasons,
)


class Change(StrEnum):
    """How a second answer differs from a first one, the gravest first."""

    REFUSED = "refused"
    ALLOWED = "allowed"
    NOT_REFUSED = "not_refused"  # it may be had now, and takes more than nothing
    HELD = "held"  # it waits, and did not
    LONGER = "longer"
    MORE_PROOF = "more_proof"
    FEWER_WAYS = "fewer_ways"  # what did instead does no more
    SHORTER = "shorter"
    NOT_HELD = "not_held"
    LESS_PROOF = "less_proof"
    OTHER_PROOF = "other_proof"
    MORE_WAYS = "more_ways"
    TOLD_OTHERWISE = "told_otherwise"  # for other reasons, and nothing else


class Proofs(msgspec.Struct, frozen=True, kw_only=True):
    """What must be shown, whatever else is; a code of a reason stands for another's agreement."""

    level: Level = Level.NONE
    roots: int = 0
    factors: frozenset[str] = frozenset()

    def covers(self, other: "Proofs") -> bool:
        """Say whether whoever shows this has shown ``other``."""
        return (
            self.level >= other.level
            and self.roots >= other.roots
            and self.factors >= other.factors
        )


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer asks: ``until`` is the end of the wait, None where nobody has to wait.

    ``lapses`` is when a refusal ends, None where it is none or never ends.
    """

    missing: Requirement
    answer: Answer
    until: datetime | None
    proofs: Proofs
    lapses: datetime | None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why, sorted and without doubles."""
        return reasons(self.missing)


def weigh(missing: Requirement) -> Weight:
    """Return what it takes to fulfil ``missing``."""
    strength, until, proofs = _weighed(missing)
    said = _ANSWERS[strength]
    return Weight(
        missing=missing,
        answer=said,
        until=until,
        proofs=proofs,
        lapses=_lapses(missing) if said is Answer.DENY else None,
    )


def changes(first: Weight, second: Weight) -> tuple[Change, ...]:
    """Return how ``second`` differs from ``first``; nothing where it says and asks for the same.

    A refusal is compared by its answer and its end alone: nobody waits for it, or proves it.
    """
    denied, denies = first.answer is Answer.DENY, second.answer is Answer.DENY
    if denied and denies:
        return tuple(_ends(first, second)) or _told(first, second)
    if denies:
        return (Change.REFUSED,)
    if second.answer is Answer.ALLOW:
        return () if first.answer is Answer.ALLOW else (Change.ALLOWED,)
    if denied:
        return (Change.NOT_REFUSED,)
    found = (*_waits(first, second), *_shows(first.proofs, second.proofs))
    return found or _ways(first, second) or _told(first, second)


def _told(first: Weight, second: Weight) -> tuple[Change, ...]:
    return () if first.reasons == second.reasons else (Change.TOLD_OTHERWISE,)


def _ends(first: Weight, second: Weight) -> Iterable[Change]:
    if first.lapses != second.lapses:
        later = second.lapses is None or (first.lapses is not None and second.lapses > first.lapses)
        yield Change.LONGER if later else Change.SHORTER


def _waits(first: Weight, second: Weight) -> Iterable[Change]:
    if first.until == second.until:
        return
    if first.until is None:
        yield Change.HELD
    elif second.until is None:
        yield Change.NOT_HELD
    else:
        yield Change.LONGER if second.until > first.until else Change.SHORTER


def _shows(first: Proofs, second: Proofs) -> Iterable[Change]:
    if first == second:
        return
    if second.covers(first):
        yield Change.MORE_PROOF
    else:
        yield Change.LESS_PROOF if first.covers(second) else Change.OTHER_PROOF


def _ways(first: Weight, second: Weight) -> tuple[Change, ...]:
    """Return whether it waits for what a second root would have spared, or no more."""
    if first.answer is second.answer:
        return ()
    more = STRENGTH[second.answer] > STRENGTH[first.answer]
    return (Change.FEWER_WAYS if more else Change.MORE_WAYS,)


def longer_by(first: Weight, second: Weight, *, now: datetime) -> timedelta | None:
    """Return by how much ``second`` waits longer than ``first`` (less: negative); None if alike.

    What does not wait is over now; of refusals nobody knows.
    """
    if Answer.DENY in (first.answer, second.answer) or first.until == second.until:
        return None
    return (second.until or now) - (first.until or now)


# --- What a requirement takes ---

_Weighed: TypeAlias = tuple[int, datetime | None, Proofs]  # A strength, an end, proofs.
_ANSWERS = tuple(Answer)  # By their strengths.
_NO_PROOFS = Proofs()
_CHALLENGE, _HOLD, _REVIEW, _DENY = (
    STRENGTH[one] for one in (Answer.CHALLENGE, Answer.HOLD, Answer.REVIEW, Answer.DENY)
)


def answered(parts: Iterable[Requirement]) -> Answer:
    """Return the strongest answer of all that is asked for together."""
    return _ANSWERS[max([_weighed(one)[0] for one in parts], default=0)]


def _weighed(missing: Requirement) -> _Weighed:
    match missing:
        case Prove():
            return _CHALLENGE, None, _shown(missing)
        case WaitUntil():
            return _HOLD, missing.until, _NO_PROOFS
        case AllOf():
            return _together(missing.parts)
        case AnyOf():
            return _either(missing.options)
        case Never():
            return _DENY, None, _NO_PROOFS
        case Approvals():
            return _REVIEW, None, _NO_PROOFS
        case _:
            assert_never(missing)


def _shown(missing: Prove) -> Proofs:
    factors: frozenset[str] = frozenset(missing.factors)
    if missing.level is Level.NONE:  # Somebody else's agreement, or a code that was sent.
        factors |= {missing.code}
    return Proofs(level=missing.level, roots=missing.roots, factors=factors)


def _together(parts: Iterable[Requirement]) -> _Weighed:
    strength, until, proofs = 0, None, _NO_PROOFS
    for part in parts:
        own, ends, shown = _weighed(part)
        strength = max(strength, own)
        if ends is not None:
            until = ends if until is None else max(until, ends)
        if shown is not _NO_PROOFS:
            proofs = shown if proofs is _NO_PROOFS else _both(proofs, shown)
    return strength, until, proofs


def _both(one: Proofs, other: Proofs) -> Proofs:
    return Proofs(
        level=max(one.level, other.level),
        roots=max(one.roots, other.roots),
        factors=one.factors | other.factors,
    )


def _either(options: Iterable[Requirement]) -> _Weighed:
    strengths, ends, shown = zip(*map(_weighed, options), strict=True)
    return min(strengths), min(_present(ends), default=None), _least(shown)


def _least(some: tuple[Proofs, ...]) -> Proofs:
    if _NO_PROOFS in some:
        return _NO_PROOFS
    return Proofs(
        level=min(one.level for one in some),
        roots=min(one.roots for one in some),
        factors=some[0].factors.intersection(*(one.factors for one in some)),
    )


def _lapses(missing: Requirement) -> datetime | None:
    """Return when every refusal in ``missing`` is over, None where one never is."""
    ends = [one.until for one in leaves(missing) if isinstance(one, Never)]
    return max(_present(ends)) if all(ends) else None


def _present(instants: Iterable[datetime | None]) -> Iterable[datetime]:
    return (instant for instant in instants if instant is not None)
