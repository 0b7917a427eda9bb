"""Clock and entropy: the only place where either is read.

Always true (tests/unit/adapters/test_system.py):

* no instant is given out after the wall clock jumped, forward or back, by more than 2 s plus
  500 ppm of the time since the first look in this boot;
* nor while the database's clock is more than 5 s away;
* nor is a jump forgotten by restarting the process: the first look is kept in a file.

Prevents: ending every wait at once by setting the clock. The wall clock is compared with
CLOCK_BOOTTIME, which nothing sets and which counts suspended time too (clock_gettime(2)). So a wait
can be shortened unnoticed by at most 2 s and 1/2,000 of the machine's uptime.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from twinlock.adapters import private_files
from twinlock.domain import canonical
from twinlock.domain.errors import ClockUntrustedError, invariant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JUMP_MS = 2_000  # A leap second, and the small steps time daemons take after a suspend.
DRIFT_PARTS = 2_000  # 500 ppm, the most that the kernel slews a clock (adjtimex(2)).
DATABASE_DISTANCE = timedelta(seconds=5)  # Its answer is as old as the batch that asked: < 1 s.
LOOK_MS = 100  # Wall and boot time are read together within this, or read again.
LOOKS = 5
MAX_DRAW_BYTES = 65_536  # Ids, nonces and keys take 12 to 64; more is a bug.
_NS_PER_MS = 1_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


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
    """Return nanoseconds since boot, suspended time included where the system counts it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux only; it never goes back.
    return time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)


def boot_id(source: Path = _BOOT_ID) -> str | None:
    """Return the name of this boot, or None on systems that give it none."""
    try:
        return source.read_text("ascii").strip()
    except OSError:
        return None


class _Anchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first look in a boot, as kept in the file (milliseconds)."""

    boot_id: str
    boottime_ms: int
    wall_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """Both clocks at one moment (milliseconds)."""

    boottime_ms: int
    wall_ms: int


class SystemClock:
    """The wall clock, as long as it can be believed.

    ``anchor`` is where the first look of a boot is kept (mode 0600); it is used only on systems
    that name their boots. Once the clock is refused it stays refused until it is set right again,
    or an operator who has looked into it deletes the file and restarts.

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
        self._first = self._look()
        boot_name = boot()
        if anchor is not None and boot_name is not None:
            self._first = self._anchored(anchor, boot_name)

    def now(self, *, database_at: datetime | None = None) -> datetime:
        """Return the instant (UTC, whole milliseconds).

        ``database_at`` is the database's clock as just read, where there is one.

        Raises:
            ClockUntrustedError: the clock jumped, or the database's disagrees by more than 5 s.
        """
        look = self._look()
        self._refuse_jump(look)
        now = EPOCH + timedelta(milliseconds=look.wall_ms)
        if database_at is not None:
            invariant(database_at.utcoffset() is not None, "the database's time has an offset")
            if abs(database_at - now) > DATABASE_DISTANCE:
                raise ClockUntrustedError("this host's clock and the database's disagree")
        return now

    def _refuse_jump(self, look: _Look) -> None:
        elapsed = look.boottime_ms - self._first.boottime_ms
        jumped = abs(look.wall_ms - self._first.wall_ms - elapsed)
        if elapsed < 0 or jumped > JUMP_MS + elapsed // DRIFT_PARTS:
            raise ClockUntrustedError("the wall clock jumped")

    def _look(self) -> _Look:
        """Read both clocks close together, so that a process stopped in between sees no jump."""
        for _ in range(LOOKS):
            before = self._boottime()
            wall = self._wall()
            if self._boottime() - before <= LOOK_MS * _NS_PER_MS:
                return _Look(boottime_ms=before // _NS_PER_MS, wall_ms=wall // _NS_PER_MS)
        raise ClockUntrustedError("the clocks cannot be read together")

    def _anchored(self, path: Path, boot_name: str) -> _Look:
        kept = _read_anchor(path)
        if kept is not None and kept.boot_id == boot_name:
            return _Look(boottime_ms=kept.boottime_ms, wall_ms=kept.wall_ms)
        first = self._first
        anchor = _Anchor(boot_id=boot_name, boottime_ms=first.boottime_ms, wall_ms=first.wall_ms)
        private_files.make_directory(path.parent)
        private_files.write(path, canonical.encode(anchor))
        return first


def _read_anchor(path: Path) -> _Anchor | None:
    try:
        return msgspec.json.decode(private_files.read(path), type=_Anchor)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise ClockUntrustedError(
            f"{path} is not a clock's anchor: look, then delete it"
        ) from error
