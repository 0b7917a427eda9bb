"""Clock and entropy: the only place where either is read.

Always true (tests/unit/adapters/test_system.py):

* no instant is given out while the wall clock is more than 2 s away from where it is believed to
  be. What is believed goes with a clock that nobody sets, and follows the wall clock by at most
  500 ppm of the time that passes: neither one jump nor many small ones move it faster;
* nor while the database's clock is more than 5 s away;
* nor is a jump forgotten by restarting the process: what is believed is kept in a file.

Prevents: ending every wait at once by setting the clock, in one step or in many. Whatever somebody
who sets the clock does, between any two instants given out in one boot it gains at most 4 s and
1/2,000 of the time between them: 2 s on either side of what is believed. A wait of a day is 48 s
shorter at most. Time in which nobody looks counts as well, so a process looks once a minute
(``keep``); while none runs, a clock may be moved by 2 s and 1/2,000 of that time unnoticed.

The clock that nobody sets is CLOCK_MONOTONIC_RAW, which a time daemon does not slew either, and the
time spent suspended besides, which is what CLOCK_BOOTTIME has and CLOCK_MONOTONIC has not
(clock_gettime(2)). CLOCK_BOOTTIME itself would go along with a slew, and the kernel lets a slew be
a tenth (adjtimex(2), tick).
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from twinlock.adapters import private_files
from twinlock.adapters.beside import beside
from twinlock.domain import canonical
from twinlock.domain.errors import ClockUntrustedError, invariant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JUMP_MS = 2_000  # A leap second, and the small steps time daemons take after a suspend.
DRIFT_PARTS = 2_000  # 500 ppm: the worst crystal that the kernel corrects (adjtimex(2), freq).
FOLLOW_MS = 1_000  # What is believed is set anew once a second: below, rounding would add up.
KEEP_SECONDS = 60.0  # Between two writes of the file: what a killed process forgets having seen.
DATABASE_DISTANCE = timedelta(seconds=5)  # Its answer is as old as the batch that asked: < 1 s.
LOOK_MS = 100  # Wall and boot time are read together within this, or read again.
LOOKS = 5
MAX_DRAW_BYTES = 65_536  # Ids, nonces and keys take 12 to 64; more is a bug.
_NS_PER_MS = 1_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_RAW: int | None = getattr(time, "CLOCK_MONOTONIC_RAW", None)
_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux only.


class SystemEntropy:
    """The kernel's generator, asked each time.

    A buffer of our own would save 0.6 of 0.8 µs a draw (measured), and after a fork two processes
    would draw the same nonces from it.
    """

    def draw(self, size: int) -> bytes:
        """Return ``size`` unpredictable bytes (1 to 65,536)."""
        invariant(0 < size <= MAX_DRAW_BYTES, f"a draw has 1 to {MAX_DRAW_BYTES} bytes")
        return os.urandom(size)


def boottime_ns() -> int:
    """Return nanoseconds since boot, suspended time included, that nobody sets and nothing slews.

    It is put together from three clocks, so it may go back by the time that reading them takes.
    Systems that have not all three give their monotonic clock.
    """
    if _RAW is None or _BOOT is None:
        return time.monotonic_ns()
    suspended = time.clock_gettime_ns(_BOOT) - time.monotonic_ns()
    return time.clock_gettime_ns(_RAW) + suspended


def boot_id(source: Path = _BOOT_ID) -> str | None:
    """Return the name of this boot, or None on systems that give it none."""
    try:
        return source.read_text("ascii").strip()
    except OSError:
        return None


class _Anchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was believed at one moment of a boot, as kept in the file (milliseconds)."""

    boot_id: str
    boottime_ms: int
    wall_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """Both clocks at one moment (nanoseconds)."""

    boottime_ns: int
    wall_ns: int


class SystemClock:
    """The wall clock, as long as it can be believed.

    ``anchor`` is where what is believed is kept (mode 0600); it is used only on systems that name
    their boots. Once the clock is refused it stays refused until it is set right again, or an
    operator who has looked into it stops us, deletes the file and starts again. (What is believed
    follows a refused clock too, or one set right after a day would be refused for its drift: a jump
    of an hour is believed after 83 days in which nothing was decided.)

    Raises:
        ClockUntrustedError: the anchor exists and is not one that we wrote.
    """

    def __init__(
        self,
        *,
        anchor: Path | None = None,
        wall: Callable[[], int] = time.time_ns,
        boottime: Callable[[], int] = boottime_ns,
        boot: Callable[[], str | None] = boot_id,
    ) -> None:
        self._wall = wall
        self._boottime = boottime
        self._boot = boot()
        self._anchor = anchor if self._boot is not None else None
        self._believed = self._look()
        if self._anchor is not None:
            self._believed = self._kept(self._anchor)

    def now(self, *, database_at: datetime | None = None) -> datetime:
        """Return the instant (UTC, whole milliseconds).

        ``database_at`` is the database's clock as just read, where there is one.

        Raises:
            ClockUntrustedError: the clock jumped, or the database's disagrees by more than 5 s.
        """
        believed = self._believed  # Before the look: another thread may move it meanwhile.
        look = self._look()
        self._refuse_jump(believed, look)
        now = EPOCH + timedelta(milliseconds=look.wall_ns // _NS_PER_MS)
        if database_at is not None:
            invariant(database_at.utcoffset() is not None, "the database's time has an offset")
            if abs(database_at - now) > DATABASE_DISTANCE:
                raise ClockUntrustedError("this host's clock and the database's disagree")
        return now

    def keep(self) -> None:
        """Look, and keep what is believed for the next process. It writes: not for a hot path.

        A file that an operator deleted is not made anew by those who believed in it.

        Raises:
            ClockUntrustedError: the clock jumped; what was believed before is kept.
        """
        try:
            self.now()
        finally:
            if self._anchor is not None and self._anchor.exists():
                self._write(self._anchor, self._believed)

    def _refuse_jump(self, believed: _Look, look: _Look) -> None:
        """Hold ``look`` against what is believed, which follows it as far as time has passed."""
        elapsed = look.boottime_ns - believed.boottime_ns
        apart = look.wall_ns - believed.wall_ns - elapsed
        drift = max(0, elapsed) // DRIFT_PARTS
        follow = max(-drift, min(drift, apart))
        if elapsed >= FOLLOW_MS * _NS_PER_MS:
            wall_ns = believed.wall_ns + elapsed + follow
            self._believed = _Look(boottime_ns=look.boottime_ns, wall_ns=wall_ns)
        if elapsed < -LOOK_MS * _NS_PER_MS or abs(apart - follow) > JUMP_MS * _NS_PER_MS:
            raise ClockUntrustedError(
                "the wall clock jumped: set it right, or see docs/threat-model.md, Time"
            )

    def _look(self) -> _Look:
        """Read both clocks close together, so that a process stopped in between sees no jump."""
        for _ in range(LOOKS):
            before = self._boottime()
            wall = self._wall()
            if self._boottime() - before <= LOOK_MS * _NS_PER_MS:
                return _Look(boottime_ns=before, wall_ns=wall)
        raise ClockUntrustedError("the clocks cannot be read together")

    def _kept(self, path: Path) -> _Look:
        """Return what was kept in this boot; keep our first look where nothing was."""
        kept = _read_anchor(path)
        if kept is not None and kept.boot_id == self._boot:
            return _Look(
                boottime_ns=kept.boottime_ms * _NS_PER_MS, wall_ns=kept.wall_ms * _NS_PER_MS
            )
        self._write(path, self._believed)
        return self._believed

    def _write(self, path: Path, look: _Look) -> None:
        anchor = _Anchor(
            boot_id=self._boot or "",
            boottime_ms=look.boottime_ns // _NS_PER_MS,
            wall_ms=look.wall_ns // _NS_PER_MS,
        )
        private_files.make_directory(path.parent)
        private_files.write(path, canonical.encode(anchor))


def _read_anchor(path: Path) -> _Anchor | None:
    try:
        return msgspec.json.decode(private_files.read(path), type=_Anchor)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ClockUntrustedError(
            f"{path} is not a clock's anchor: look, then delete it"
        ) from error


@asynccontextmanager
async def own_clock(anchor: Path) -> AsyncIterator[SystemClock]:
    """Lend this machine's clock; look at it now and then, and keep what is believed of it."""
    clock = SystemClock(anchor=anchor)

    async def look() -> None:
        await asyncio.to_thread(clock.keep)

    async with beside("clock_waits", look, pause=KEEP_SECONDS):
        yield clock
