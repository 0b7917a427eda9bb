"""The requirement algebra: what would lift a refusal.

A decision is a requirement that says what is still missing. ``NOTHING`` means allowed. Laws and
statutes return requirements; ``all_of`` joins them; alternatives are explicit (``any_of``).

Always true (tests/property/test_requirements.py):

* ``all_of`` and ``any_of`` are commutative, associative and idempotent in what they demand;
* a part that can never be fulfilled makes the whole impossible, an option that cannot drops out;
* the strongest demand of a conjunction, and the mildest of a choice, gives the answer.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias, assert_never

import msgspec

from twinlock.domain.assurance import Factor, Level
from twinlock.domain.reasons import Reason


class Answer(StrEnum):
    """What the gate says, weakest first; of several requirements the strongest counts."""

    ALLOW = "allow"
    READ_ONLY = "read_only"
    CHALLENGE = "challenge"
    HOLD = "hold"
    REVIEW = "review"
    DENY = "deny"


STRENGTH = {answer: rank for rank, answer in enumerate(Answer)}


class Prove(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="prove"):
    """Proofs bound to this payload that together reach ``level``, of ``roots`` different roots.

    All of ``factors`` (sorted) are among them.
    """

    code: Reason
    level: Level
    roots: int = 1
    factors: tuple[Factor, ...] = ()


class WaitUntil(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="wait"):
    """Nothing takes effect before ``until`` (UTC)."""

    code: Reason
    until: datetime


class Approvals(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="approvals"):
    """So many different, drawn members of staff agree to exactly this payload."""

    code: Reason
    count: int


class Never(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="never"):
    """Nothing lifts this for the payload at hand; ``until`` says when it would lapse."""

    code: Reason
    until: datetime | None = None


class AnyOf(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="any_of"):
    """One of the options is enough."""

    options: tuple["Requirement", ...]


class AllOf(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="all_of"):
    """All parts are needed; no parts: nothing is missing."""

    parts: tuple["Requirement", ...]


Requirement: TypeAlias = Prove | WaitUntil | Approvals | Never | AnyOf | AllOf
Leaf: TypeAlias = Prove | WaitUntil | Approvals | Never
NOTHING = AllOf(parts=())


def all_of(*requirements: Requirement) -> Requirement:
    """Return what demands everything that ``requirements`` demand."""
    parts: dict[Requirement, None] = {}
    for requirement in requirements:
        inner = requirement.parts if isinstance(requirement, AllOf) else (requirement,)
        parts.update(dict.fromkeys(inner))
    return next(iter(parts)) if len(parts) == 1 else AllOf(parts=tuple(parts))


def any_of(*requirements: Requirement) -> Requirement:
    """Return what one of ``requirements`` is enough for; impossible options drop out."""
    options: dict[Requirement, None] = {}
    for requirement in requirements:
        if requirement == NOTHING:
            return NOTHING
        inner = requirement.options if isinstance(requirement, AnyOf) else (requirement,)
        options.update(dict.fromkeys(inner))
    possible = tuple(option for option in options if answer(option) is not Answer.DENY)
    kept = possible or tuple(options)
    return kept[0] if len(kept) == 1 else AnyOf(options=kept)


def answer(requirement: Requirement) -> Answer:
    """Return what the gate says while ``requirement`` is what is missing."""
    match requirement:
        case Prove():
            return Answer.CHALLENGE
        case WaitUntil():
            return Answer.HOLD
        case Approvals():
            return Answer.REVIEW
        case Never():
            return Answer.DENY
        case AnyOf(options=options):
            return min((answer(option) for option in options), key=STRENGTH.__getitem__)
        case AllOf(parts=parts):
            answers = (answer(part) for part in parts)
            return max(answers, key=STRENGTH.__getitem__, default=Answer.ALLOW)
        case _:
            assert_never(requirement)


def leaves(requirement: Requirement) -> Iterator[Leaf]:
    """Give every single demand that stands in ``requirement``, alternatives included."""
    match requirement:
        case AnyOf(options=inner) | AllOf(parts=inner):
            for part in inner:
                yield from leaves(part)
        case _:
            yield requirement


def reasons(requirement: Requirement) -> tuple[Reason, ...]:
    """Return the codes in ``requirement``, sorted and without doubles."""
    return tuple(sorted({leaf.code for leaf in leaves(requirement)}))


def weightiest_first(requirement: Requirement) -> tuple[Reason, ...]:
    """Return the codes in ``requirement`` without doubles: what decides first, then by name."""
    weights: dict[Reason, int] = {}
    for leaf in leaves(requirement):
        weights[leaf.code] = max(weights.get(leaf.code, 0), STRENGTH[answer(leaf)])
    return tuple(sorted(weights, key=lambda code: (-weights[code], code)))


def waits_until(requirement: Requirement) -> datetime | None:
    """Return when the waits that must pass are over, or None when no wait must.

    Of a choice that is the earliest option, of a conjunction the latest part.
    """
    match requirement:
        case WaitUntil(until=until):
            return until
        case AnyOf(options=options):
            ends = [waits_until(option) for option in options]
            return (
                min((end for end in ends if end is not None), default=None) if all(ends) else None
            )
        case AllOf(parts=parts):
            return max(_present(waits_until(part) for part in parts), default=None)
        case _:
            return None


def ask_again_at(requirement: Requirement) -> datetime | None:
    """Return when the waits that must pass are over and every refusal has lapsed.

    None when there is nothing to wait for, or a refusal that never lapses.
    Prevents: a customer who comes back at the end of a wait that stands beside such a refusal.
    """
    must = waits_until(requirement)
    if answer(requirement) is not Answer.DENY:
        return must
    lapses = [leaf.until for leaf in leaves(requirement) if isinstance(leaf, Never)]
    return max(_present((must, *lapses))) if all(lapses) else None


def silence_until(requirement: Requirement) -> datetime | None:
    """Return when waiting alone will have fulfilled ``requirement``, or None when it never will."""
    match requirement:
        case WaitUntil(until=until):
            return until
        case AnyOf(options=options):
            return min(_present(silence_until(option) for option in options), default=None)
        case AllOf(parts=parts):
            ends = [silence_until(part) for part in parts]
            return max(_present(ends), default=None) if all(ends) else None
        case _:
            return None


def _present(instants: Iterable[datetime | None]) -> Iterator[datetime]:
    return (instant for instant in instants if instant is not None)
