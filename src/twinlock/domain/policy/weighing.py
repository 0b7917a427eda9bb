"""Weighing: what an answer asks of a customer, and how another answer differs from it.

A requirement is weighed by what it takes to fulfil: an answer, a wait, and proofs. Whoever may
either prove more or wait is weighed as somebody who waits.

Always true (tests/property/test_weighing_properties.py): nothing that is asked beside it makes a
requirement weigh less, and what weighs as much as before still does beside anything else.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

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
    answer,
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
    said = answer(missing)
    return Weight(
        missing=missing,
        answer=said,
        until=_waited(missing),
        proofs=_proofs(missing),
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


def _waited(missing: Requirement) -> datetime | None:
    match missing:
        case WaitUntil(until=until):
            return until
        case AnyOf(options=options):
            return min(_present(map(_waited, options)), default=None)
        case AllOf(parts=parts):
            return max(_present(map(_waited, parts)), default=None)
        case _:
            return None


def _lapses(missing: Requirement) -> datetime | None:
    """Return when every refusal in ``missing`` is over, None where one never is."""
    ends = [one.until for one in leaves(missing) if isinstance(one, Never)]
    return max(_present(ends)) if all(ends) else None


def _present(instants: Iterable[datetime | None]) -> Iterable[datetime]:
    return (instant for instant in instants if instant is not None)


_NO_PROOFS = Proofs()


def _proofs(missing: Requirement) -> Proofs:
    match missing:
        case Prove(code=code, level=level, roots=roots, factors=factors):
            # What reaches no level is somebody else's agreement, or a code that was sent.
            others = {code.value} if level is Level.NONE else set()
            shown = frozenset(map(str, factors)) | others
            return Proofs(level=level, roots=roots, factors=shown)
        case AllOf(parts=parts):
            return _joined([one for one in map(_proofs, parts) if one is not _NO_PROOFS])
        case AnyOf(options=options):
            return _least(tuple(map(_proofs, options)))
        case WaitUntil() | Approvals() | Never():
            return _NO_PROOFS
        case _:
            assert_never(missing)


def _joined(some: list[Proofs]) -> Proofs:
    if len(some) <= 1:
        return some[0] if some else _NO_PROOFS
    return Proofs(
        level=max(one.level for one in some),
        roots=max(one.roots for one in some),
        factors=frozenset[str]().union(*(one.factors for one in some)),
    )


def _least(some: tuple[Proofs, ...]) -> Proofs:
    if _NO_PROOFS in some:
        return _NO_PROOFS
    return Proofs(
        level=min(one.level for one in some),
        roots=min(one.roots for one in some),
        factors=some[0].factors.intersection(*(one.factors for one in some)),
    )
