"""Whose a subject's key is, before it lives on under another seal key.

Retiring a seal key ends the keys of erased people in every backup. Prevents: one of them that
whoever owns the database puts back for as long as keys are wrapped anew, which then opens what
backups hold of its person under the new seal key too.

Always true (tests/integration/test_rotation_of_the_erased.py): a person's key is somebody's only
where their account opens under it; where no mark says that it was erased; and where the log has no
entry after the account's last one. An account that was put back whole has one. An endpoint's key is
no person's, and stays when the endpoint is removed; nor is that of a stream of signals.
"""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql import codec, queries
from twinlock.domain.account import Chain
from twinlock.domain.canonical import from_b64url
from twinlock.domain.entries import entry_key, entry_label
from twinlock.domain.errors import SealBrokenError


class Sorted(NamedTuple):
    """Rows whose keys are somebody's; how many keys are nobody's; how many rows are not ours."""

    owned: list[asyncpg.Record]
    unowned: int
    broken: int


async def sort_out(
    connection: asyncpg.Connection, rows: Sequence[asyncpg.Record], *, sealer: Sealer
) -> Sorted:
    """Sort ``rows`` of ``queries.READ_OTHERS_WRAPPED``. Raises TokenUnavailableError."""
    somebodys = [row for row in rows if not _is_nobodys(row)]
    opened, labels = list[asyncpg.Record](), list[tuple[str, int, bytes]]()
    for row in somebodys:
        try:
            chain = _open(row, sealer)
        except SealBrokenError:
            continue
        opened.append(row)
        if chain is not None:
            labels.append((row["subject"], row["account_version"], _next_label(chain)))
    columns = [list(column) for column in zip(*labels, strict=True)] or [[], [], []]
    ended = {row["id"] for row in await connection.fetch(queries.READ_ENDED, *columns)}
    owned = [row for row in opened if row["subject"] not in ended]
    unowned = len(rows) - len(somebodys) + len(opened) - len(owned)
    return Sorted(owned, unowned, len(somebodys) - len(opened))


def _is_nobodys(row: asyncpg.Record) -> bool:
    return row["is_erased"] or (row["account_box"] is None and not row["is_followers"])


def _open(row: asyncpg.Record, sealer: Sealer) -> Chain | None:
    """Return the chain of the account that opens under this key; None of a follower's key.

    Raises:
        SealBrokenError: the key, or what lies under it, is not what we sealed.
    """
    subject, key = row["subject"], sealer.open_subject_key(row["subject"], row["wrapped"])
    if row["account_box"] is None:
        return None
    place = codec.Place("account", subject, row["account_version"])
    return codec.unseal(key, row["account_box"], codec.ACCOUNT, place).chain


def _next_label(chain: Chain) -> bytes:
    return entry_label(entry_key(from_b64url(chain.label_key, size=32), chain.entries))
