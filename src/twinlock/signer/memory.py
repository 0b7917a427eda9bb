"""What a signer remembers: the heads it saw, what it cleared, which consents are used up.

It is asked for as named pages, so that a wallet can keep them in its own database, in the
transaction in which it also writes what it is about to sign. Nothing that was cleared is ever
forgotten: an assertion carries no time, so an old one is told from a new one by memory alone.

Always true (tests/unit/signer/test_signer_log.py, test_signer_consents.py):

* a head counts as seen from when this signer saw it, by its own clock; thinning out the history
  only ever makes a key look younger, and an entry by seconds where it asks whether a spend is new;
* no window of 24 hours lets more leave without consent than the daily sum.
"""

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.errors import MalformedError
from twinlock.domain.log.checkpoint import Checkpoint

T = TypeVar("T")
HOURS = 25  # Buckets of the daily sum: any 24 hours lie within so many hours of the clock.
HEADS = 32  # The time that a key has to age is told in as many parts; two heads each are kept.
FRESH_HEADS = 120  # The same of the minutes that a spend is new: a part of six has three seconds.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Pages(Protocol):
    """Named pages of bytes, held alone by one process."""

    def get(self, name: str) -> bytes | None:
        """Return the page ``name`` as it was last put, or None."""
        ...

    def put(self, name: str, value: bytes) -> None:
        """Put the page ``name``; it is durable when the block around it has ended."""
        ...


class SignerState(Protocol):
    """Where the pages are kept."""

    def open(self) -> AbstractContextManager[Pages]:
        """Hold the pages alone. When the block ends, all that was put is durable, or it raises.

        After an exception, or a crash at any point, either all of it was put or none.
        """
        ...


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How large the log was when this signer looked, by its own clock (UTC)."""

    size: int
    seen_at: datetime


S = TypeVar("S", bound=Seen)


class SeenHead(Seen, frozen=True, kw_only=True):
    """A head of the log, and when this signer first saw it."""

    root: str


class Heads(msgspec.Struct, frozen=True, kw_only=True):
    """The heads seen, oldest first, at least one; ``latest_at`` is when the clock was last read.

    ``seen`` reaches as far back as keys have to age, ``lately`` a few minutes, in finer steps.
    """

    origin: str
    latest_at: datetime
    seen: tuple[SeenHead, ...]
    lately: tuple[Seen, ...] = ()

    @property
    def last(self) -> Checkpoint:
        """The newest head, which every other must extend."""
        head = self.seen[-1]
        return Checkpoint(origin=self.origin, size=head.size, root=from_b64url(head.root))

    def size_at(self, instant: datetime) -> int:
        """Return how large the log was when this signer last looked before ``instant``, or 0."""
        both = (*self.seen, *self.lately)
        return max((head.size for head in both if head.seen_at <= instant), default=0)


class ClearedSpend(msgspec.Struct, frozen=True, kw_only=True):
    """An action that was cleared: its spend, its payload's digest, and what it counted for.

    ``cents`` is its part of the daily sum; ``at`` is when it was first cleared.
    """

    spend_id: str
    digest: str
    fee_minor: str
    cents: int
    at: datetime


class Hearing(msgspec.Struct, frozen=True, kw_only=True):
    """What officers said to this signer: since when (ms) it is halted, and who agreed to its end.

    ``agreed`` holds of each officer which act a resume named, and when (ms) it was heard;
    ``nonces`` until when (ms) each statement that was heard counts.
    """

    halted: int | None = None
    because: str = ""
    agreed: dict[str, tuple[int, int]] = {}
    nonces: dict[str, int] = {}


def first_seen(head: Checkpoint, *, now: datetime) -> Heads:
    """Return the history that begins with ``head``."""
    return Heads(origin=head.origin, latest_at=now, seen=(_seen(head, now),))


def _seen(head: Checkpoint, now: datetime) -> SeenHead:
    return SeenHead(size=head.size, root=b64url(head.root), seen_at=now)


def followed(
    heads: Heads, head: Checkpoint, *, now: datetime, age: timedelta, fresh: timedelta
) -> Heads:
    """Return the history after ``head``, which extends its last one.

    ``age`` is how old a key has to be, ``fresh`` how long a spend is new after it was first seen.
    """
    latest_at = max(now, heads.latest_at)
    if head.size == heads.seen[-1].size:
        return replace(heads, latest_at=latest_at)
    one = _seen(head, latest_at)
    return replace(
        heads,
        latest_at=latest_at,
        seen=_thinned((*heads.seen, one), now - age, step=age / HEADS),
        lately=_thinned(
            (*heads.lately, Seen(size=one.size, seen_at=latest_at)),
            now - fresh,
            step=fresh / FRESH_HEADS,
        ),
    )


def _thinned(seen: tuple[S, ...], since: datetime, *, step: timedelta) -> tuple[S, ...]:
    """Return a few of the heads since ``since``, of which the last is new, and the newest older.

    What the one before the last held beyond the one before that looks younger without it, by less
    than ``step``.
    """
    *before, one = seen
    if len(before) > 1 and one.seen_at - before[-2].seen_at < step:
        before.pop()
    kept = (*before, one)
    old = sum(head.seen_at <= since for head in kept)
    return kept[max(old - 1, 0) :]


class Memory:
    """The pages by what they mean.

    Raises:
        MalformedError: from every method, where a page is not what was put there.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def heads(self) -> Heads | None:
        """Return the heads seen, or None before the first."""
        return self._read("heads", Heads)

    def put_heads(self, heads: Heads) -> None:
        """Keep the heads seen."""
        self._pages.put("heads", encode(heads))

    def hearing(self) -> Hearing:
        """Return what officers said to this signer."""
        return self._read("officers", Hearing) or Hearing()

    def put_hearing(self, hearing: Hearing) -> None:
        """Keep what officers said."""
        self._pages.put("officers", encode(hearing))

    def cleared(self, action_id: str) -> ClearedSpend | None:
        """Return what was cleared for an action, or None."""
        return self._read(f"action:{action_id}", ClearedSpend)

    def put_cleared(self, action_id: str, spend: ClearedSpend) -> None:
        """Keep what was cleared for an action, for ever."""
        self._pages.put(f"action:{action_id}", encode(spend))

    def owner(self, kind: str, name: str) -> str | None:
        """Return the action that a ``consent`` or a ``spend`` belongs to, or None."""
        return self._read(f"{kind}:{name}", str)

    def put_owner(self, kind: str, name: str, action_id: str) -> None:
        """Keep, for ever, the action that a ``consent`` or a ``spend`` belongs to."""
        self._pages.put(f"{kind}:{name}", encode(action_id))

    def sum_cents(self, now: datetime) -> int:
        """Return what left without consent in at least the 24 hours before ``now``."""
        return sum(self._hours(now).values())

    def add_cents(self, cents: int, *, now: datetime) -> None:
        """Count ``cents`` that leave without consent at ``now``."""
        hours, hour = self._hours(now), _hour(now)
        hours[hour] = hours.get(hour, 0) + cents
        self._pages.put("hours", encode(sorted(hours.items())))

    def _hours(self, now: datetime) -> dict[int, int]:
        hours = self._read("hours", list[tuple[int, int]]) or []
        return {hour: cents for hour, cents in hours if hour > _hour(now) - HOURS}

    def _read(self, name: str, form: type[T]) -> T | None:
        data = self._pages.get(name)
        try:
            return None if data is None else msgspec.json.decode(data, type=form)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise MalformedError("a page of the signer's memory is damaged") from error


def _hour(now: datetime) -> int:
    return (now - _EPOCH) // timedelta(hours=1)
