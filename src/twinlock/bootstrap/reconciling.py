"""What ``twinlock reconcile`` is made of: the spends of an installation, which is only read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.embedded import running
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.token import open_token
from twinlock.adapters.postgres import SERVER_USER
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.auditing import reading
from twinlock.adapters.sql.migrate import check_schema
from twinlock.adapters.sql.seen_actions import seen_in_file
from twinlock.adapters.sql.spends import SqlSpends
from twinlock.bootstrap.ruling import book_in_force
from twinlock.bootstrap.world import World, embedded
from twinlock.services.reconciling import Reconciling

STATE = "reconciled.sqlite3"  # In the data directory.


def state_of(settings: Settings) -> Path:
    """Return where is kept what earlier files told of, unless somebody names another place."""
    return settings.data_dir / STATE


@asynccontextmanager
async def open_reconciling(
    settings: Settings, *, state: Path | None = None, server_user: str = SERVER_USER
) -> AsyncIterator[Reconciling]:
    """Open the use case on one moment of the database, in which nothing is written.

    What was executed is remembered in ``state``, else beside the data, when the block ends.

    Raises:
        KeyringMissingError, KeyringWrongError, TokenUnavailableError: as they say.
        DatabaseNotStartedError: the embedded database was never made, or does not start.
        MigrationError: the tables are not those of this version.
        UnavailableError: the database does not answer.
        FileUnsafeError, FileBusyError, ReconcileStateWrongError: as ``seen_in_file``.
    """
    keyring = keyrings.load(settings.keyring_dir, open_token(settings.token))
    dsn = settings.database_url
    if dsn is None:
        server = embedded(settings, server_user=server_user)
        dsn = await asyncio.to_thread(running, settings, server)
    async with reading(dsn) as connection:
        await check_schema(connection)
        book = await book_in_force(World(settings=settings, keyring=keyring, dsn=dsn))
        with seen_in_file(state or state_of(settings)) as seen:
            spends = SqlSpends(connection, sealer=Sealer(keyring))
            yield Reconciling(spends, seen, policy=book.policy)
