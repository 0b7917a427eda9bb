"""What a replay found: steps, parts, stories. Sums are US cents, instants are told as lengths.

Always true (tests/unit/range/test_results.py): what could not be played counts neither as passed
nor as stopped, and a part is as bad as its worst step.
"""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

import msgspec

from twinlock.range.words import Outcome


class Status(StrEnum):
    """How a demand fared, best first. ``played``: nothing was demanded under this profile."""

    PASSED = "passed"
    PLAYED = "played"
    NOT_PLAYABLE = "not_playable"
    FAILED = "failed"


_BADNESS = {status: rank for rank, status in enumerate(Status)}


def worst(statuses: Sequence[Status]) -> Status:
    """Return the worst of ``statuses``; of none, PASSED."""
    return max(statuses, key=_BADNESS.__getitem__, default=Status.PASSED)


class Kind(StrEnum):
    """Which part of a story it was."""

    ATTACK = "attack"
    MUST = "must"
    MUST_NOT = "must_not"
    BENIGN = "benign_twin"


class StepResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step. ``answer`` None: it was not played; ``stopped``: what it needs was refused.

    ``after`` is the time since the first step, ``waits`` how long it must wait from then. Under a
    weaker profile it is told where the answer differs from what was reported.
    """

    id: str
    by: str
    do: str
    proof: tuple[str, ...] = ()
    after: timedelta
    expect: tuple[Outcome, ...]
    status: Status
    answer: Outcome | None = None
    stopped: bool = False
    reported: Outcome | None = None
    differs_from_reported: bool = False
    codes: tuple[str, ...] = ()
    sentence: str = ""
    waits: timedelta | None = None
    taken_cents: int = 0
    notes: tuple[str, ...] = ()


class Later(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a patient thief got, nobody objecting: the step that was tried again, and when."""

    step: str
    after: timedelta
    answer: Outcome
    taken_cents: int = 0
    codes: tuple[str, ...] = ()


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A check that walked a table: what it looked at, what it found wrong, what it could not do.

    ``looked_at`` counts what was really tried; ``failed`` is where the service failed. Under a
    weaker profile what is wrong is only told.
    """

    name: str
    status: Status
    looked_at: int = 0
    wrong: tuple[str, ...] = ()
    not_playable: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class PartResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One part, played on a fresh account. ``taps`` and ``waited`` are its people's trouble.

    ``without`` is what the account was played without; ``notes`` say why the part fared as it did.
    """

    kind: Kind
    id: str
    text: str = ""
    status: Status
    steps: tuple[StepResult, ...] = ()
    check: CheckResult | None = None
    later: tuple[Later, ...] = ()
    lost_cents: int = 0
    lost_later_cents: int = 0
    stopped_after: timedelta | None = None
    stopped_by: tuple[str, ...] = ()
    stopped_because: str = ""
    taps: int = 0
    taps_before: int = 0
    refusals: int = 0
    waited: timedelta = timedelta(0)
    without: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class StoryResult(msgspec.Struct, frozen=True, kw_only=True):
    """One story under one profile."""

    id: str
    title: str
    profile: str
    value_cents: int
    parts: tuple[PartResult, ...]

    @property
    def status(self) -> Status:
        """Return the worst of its parts."""
        return worst([part.status for part in self.parts])

    @property
    def attack(self) -> PartResult:
        """Return the attack itself."""
        return self.parts[0]

    @property
    def lost_cents(self) -> int:
        """Return what the attack took at once."""
        return self.attack.lost_cents

    @property
    def leaked_cents(self) -> int:
        """Return what left in the demands, where nothing must."""
        return sum(part.lost_cents for part in self.parts[1:])

    @property
    def twin(self) -> PartResult:
        """Return the benign twin."""
        return self.parts[-1]


def told(results: Sequence[StoryResult]) -> list[dict[str, Any]]:
    """Return ``results`` as JSON tells them: every field, and how each story fared as a whole."""
    return [
        {
            **msgspec.to_builtins(one),
            "status": one.status.value,
            "lost_cents": one.lost_cents,
            "leaked_cents": one.leaked_cents,
        }
        for one in results
    ]
