"""The time of what is written behind the log's head, and whether clocks agree at all."""

from datetime import datetime, timedelta

from twinlock.adapters.sql.connections import Database
from twinlock.domain.errors import ClockUntrustedError
from twinlock.ports import Clock

_READ_TIME = "SELECT clock_timestamp()"

CLOCK_BEHIND = timedelta(seconds=5)  # Our clock behind the log's last entry: no slew does that.


def time_behind(clock: Clock, *, head_at: datetime, database_at: datetime | None) -> datetime:
    """Return the time now: never before an entry that was committed before.

    Prevents: a wait that ends because a clock was set forward, or a log that runs backwards.

    Raises:
        ClockUntrustedError: our clock, the database's and the log's last entry do not agree.
    """
    now = clock.now(database_at=database_at)
    if head_at - now > CLOCK_BEHIND:
        raise ClockUntrustedError("the clock is behind the log's last entry")
    return max(now, head_at)


async def check_agrees(clock: Clock, database: Database) -> None:
    """Check that our clock and the database's agree, before anything is told old by ours alone.

    Prevents: a process on a machine that woke up in another year, which decides nothing, and drops
    what customers are yet to be told, and what callers may still repeat.

    Raises:
        ClockUntrustedError: they do not.
        UnavailableError: the database does not answer.
    """
    clock.now(database_at=await database.read(lambda db: db.fetchval(_READ_TIME)))
