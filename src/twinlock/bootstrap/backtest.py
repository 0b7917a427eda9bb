"""What ``twinlock policy check``, ``diff`` and ``backtest`` are made of: nothing is written."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from twinlock.adapters.embedded import running
from twinlock.adapters.postgres import SERVER_USER
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.auditing import reading
from twinlock.adapters.sql.migrate import check_schema
from twinlock.adapters.sql.snapshots import SqlSnapshots
from twinlock.bootstrap.rulebook import checked_policy
from twinlock.bootstrap.world import embedded, settings_from_environment
from twinlock.domain.laws import LAWS
from twinlock.domain.policy.annotations import PolicyFault, refuse
from twinlock.domain.policy.diffing import Difference, difference
from twinlock.domain.policy.kept import read_kept
from twinlock.domain.policy.shadows import Effect, effects
from twinlock.domain.policy.version import Policy
from twinlock.ports.backtest import SnapshotSource
from twinlock.services.backtest import Backtesting

_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")


@asynccontextmanager
async def open_snapshots(
    settings: Settings, *, server_user: str = SERVER_USER
) -> AsyncIterator[SqlSnapshots]:
    """Open past decisions as of one moment of the database, in which nothing is written.

    Raises:
        DatabaseNotStartedError: the embedded database was never made, or does not start.
        MigrationError: the tables are not those of this version.
        UnavailableError: the database does not answer.
    """
    dsn = settings.database_url
    if dsn is None:
        dsn = await asyncio.to_thread(
            running, settings, embedded(settings, server_user=server_user)
        )
    async with reading(dsn) as connection:
        await check_schema(connection)
        yield SqlSnapshots(connection)


def backtesting(source: SnapshotSource) -> Backtesting:
    """Return the use case of replaying ``source`` under the laws that ``serve`` decides by."""
    return Backtesting(source, laws=LAWS)


def named_policy(name: Path) -> Policy:
    """Return the policy of a file, of a profile, or of a digest that the database keeps.

    Raises:
        PolicyRefusedError: it cannot be read or decided by, or nothing of this digest is kept.
        DatabaseNotStartedError, MigrationError, UnavailableError: as ``open_snapshots``.
    """
    if not _DIGEST.fullmatch(str(name)) or name.exists():
        return checked_policy(name).policy
    return asyncio.run(_kept(str(name)))


async def _kept(digest: str) -> Policy:
    async with open_snapshots(settings_from_environment()) as source:
        text = await source.policy(digest)
    if text is None:
        refuse(PolicyFault.UNREADABLE, f"the database keeps no policy of digest {digest}")
    return read_kept(text, digest=digest)


def difference_of(first: Policy, second: Policy) -> Difference:
    """Return how two policies differ, by the laws that ``serve`` decides by."""
    return difference(first, second, laws=LAWS)


def effects_of(policy: Policy) -> tuple[Effect, ...]:
    """Return what each rule of ``policy`` does beside the others and those laws."""
    return effects(policy.statutes, laws=LAWS)
