"""What anybody may see of the log at one look: its head, who signed and cosigned it, how it grew.

Always true (tests/unit/services/test_public_log.py): what is shown as signed or cosigned was
verified over exactly the checkpoint that stands beside it. When an entry came is the operator's own
word, and of checkpoints before this one none is kept; so growth is told by the entries' times.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from twinlock.domain.errors import QuorumError
from twinlock.domain.log.note import SignedNote, VerifierKey, parse_note
from twinlock.domain.log.trust import TrustPolicy
from twinlock.domain.trust import Trust
from twinlock.ports import Clock
from twinlock.ports.log import LeafTimes, PublishedHeads
from twinlock.proofs.notes import verify_checkpoint

POINTS_MOST = 25  # Of the picture: more of them nobody tells apart at the width of a phone.
GROWTH_FOR = timedelta(seconds=30)  # A picture may be that old; it costs a query.


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """The log came to have ``size`` entries at ``at``, by the operator's clock."""

    size: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenKey:
    """A key of the log, in C2SP's spelling, and whether it signed the checkpoint shown."""

    key: VerifierKey
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWitness:
    """A witness that this service knows; ``cosigned_at`` is by its own clock, None: it did not."""

    name: str
    key: VerifierKey
    url: str | None
    cosigned_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSeen:
    """The log at one look. ``root`` has 32 bytes; ``note`` is the checkpoint as it is signed.

    ``fresh_at`` is the latest instant at or after which a whole quorum cosigned, None where none is
    asked for or reached. ``growth`` begins with the first entry and ends with the last one that was
    looked at.
    """

    origin: str
    size: int
    root: bytes
    note: str
    keys: tuple[SeenKey, ...]
    witnesses: tuple[SeenWitness, ...]
    fresh_at: datetime | None
    growth: tuple[Grown, ...]
    trust: Trust
    now: datetime


class PublicLog:
    """The use case of looking at the log. ``told`` gives the trust file of this moment.

    ``times`` is None where nobody keeps the entries' times: then no growth is told.
    """

    def __init__(
        self,
        *,
        origin: str,
        published: PublishedHeads,
        told: Callable[[], Trust],
        times: LeafTimes | None,
        clock: Clock,
    ) -> None:
        self._origin = origin
        self._published = published
        self._told = told
        self._times = times
        self._clock = clock
        self._growth: tuple[Grown, ...] = ()
        self._grown_at: datetime | None = None

    def trust(self) -> Trust:
        """Return whom evidence of this service is verified by, as it says itself."""
        return self._told()

    async def look(self) -> LogSeen:
        """Return the log as it may be shown now.

        Raises:
            NotWitnessedError: too few witnesses have cosigned any head so far.
            LogDamagedError: the log is not to be trusted.
        """
        data = (await self._published.covering(0)).note
        trust, now = self._told(), self._clock.now(database_at=None)
        policy, note = trust.log_policy, parse_note(data)
        # What is shown has its quorum; how old that is follows below, where one is asked for.
        seen = verify_checkpoint(note, replace(policy, quorum=None), origin=self._origin)
        return LogSeen(
            origin=self._origin,
            size=seen.checkpoint.size,
            root=seen.checkpoint.root,
            note=data.decode("utf-8"),
            keys=tuple(SeenKey(key=one.key, signed=_has(note, one.key)) for one in policy.logs),
            witnesses=tuple(
                SeenWitness(
                    name=one.name,
                    key=one.key,
                    url=one.url,
                    cosigned_at=seen.cosigned_at.get(one.name),
                )
                for one in policy.witnesses
            ),
            fresh_at=_fresh_at(policy, seen.cosigned_at),
            growth=await self._grown(seen.checkpoint.size, now),
            trust=trust,
            now=now,
        )

    async def _grown(self, size: int, now: datetime) -> tuple[Grown, ...]:
        """Return how the log grew, as it was looked at a moment ago or is now."""
        if self._times is None or not size:
            return ()
        if self._grown_at is None or now - self._grown_at > GROWTH_FOR:
            times = await self._times.times(sampled(size))
            self._growth = tuple(Grown(size=at + 1, at=times[at]) for at in sorted(times))
            self._grown_at = now
        return self._growth


def sampled(size: int) -> tuple[int, ...]:
    """Return the indexes of a few entries of the first ``size``, evenly, the first and last too."""
    last = size - 1
    steps = min(last, POINTS_MOST - 1) or 1
    return tuple(sorted({last * step // steps for step in range(steps + 1)}))


def _has(note: SignedNote, key: VerifierKey) -> bool:
    return any((line.name, line.key_id) == (key.name, key.key_id) for line in note.signatures)


def _fresh_at(policy: TrustPolicy, cosigned_at: Mapping[str, datetime]) -> datetime | None:
    with suppress(QuorumError):
        return policy.quorum_fresh_at(cosigned_at)
    return None
