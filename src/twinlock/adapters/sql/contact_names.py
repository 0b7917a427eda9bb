"""Under which names accounts are found by their addresses: written with what changes them.

Always true (tests/integration/test_signals_received.py): an account that has a channel is found by
it; the names are MACs under a key that no database holds; with the account they go.
"""

from collections.abc import Iterable

import asyncpg

from twinlock.adapters.boxes import Sealer
from twinlock.domain.account import Account
from twinlock.domain.decisions import Decided
from twinlock.domain.events import AccountOpened, ChannelBound, ChannelRemoved

# A name that another account of the batch has as well may stay: it only says where to look.
_REPLACE = """
WITH gone AS (DELETE FROM contact WHERE subject = ANY($1::text[]) AND NOT name = ANY($3::bytea[]))
INSERT INTO contact (subject, name) SELECT * FROM unnest($2::text[], $3::bytea[])
ON CONFLICT (name, subject) DO NOTHING
"""


async def rename(
    connection: asyncpg.Connection, done: Iterable[tuple[Decided, Account]], *, sealer: Sealer
) -> None:
    """Write under which names each account is found whose channels changed: mostly none did."""
    changed = {after.account_id: after for decided, after in done if _moves(decided)}
    if not changed:
        return
    rows = {
        (account.account_id, sealer.contact_names(one.address)[0])
        for account in changed.values()
        for one in account.channels
        if one.takes_codes
    }
    subjects, names = [row[0] for row in sorted(rows)], [row[1] for row in sorted(rows)]
    await connection.execute(_REPLACE, list(changed), subjects, names)


def _moves(decided: Decided) -> bool:
    moving = AccountOpened | ChannelBound | ChannelRemoved
    return any(isinstance(one, moving) for each in decided.decisions for one in each.events)
