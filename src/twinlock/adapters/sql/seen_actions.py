"""The actions that rows named so far, in this file and in earlier ones: a private SQLite file.

What a run noted is kept when it ends as it should, and not at all where it breaks off, so that it
can be repeated. In memory a few megabytes of it are held, however many rows there are.

Always true (tests/unit/adapters/test_seen_actions.py): of two executions on one action the second
is found, in whichever files they stand; the same one, told in two files, is one. It is the same by
its reference and its time. Prevents: a ledger that names executions by their withdrawal, so that
the second one seems to be the first, told once more.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC
from pathlib import Path

from twinlock.adapters import private_files
from twinlock.domain.errors import FileBusyError, TwinlockError
from twinlock.domain.reconciling.comparing import Before
from twinlock.domain.reconciling.rows import Executed

PARENTS_RIGHTS = 0o755  # Others may look into the directory, and change nothing in it.
PATIENCE_SECONDS = 0.5  # Another run takes minutes: whoever comes meanwhile comes again.
_MAKE = """
CREATE TABLE IF NOT EXISTS seen (
    action TEXT PRIMARY KEY, reference TEXT NOT NULL, run INTEGER NOT NULL, line INTEGER NOT NULL,
    at TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID
"""
# Files that were made before times were kept: "" is any time.
_HAS_TIMES = "SELECT count(*) FROM pragma_table_info('seen') WHERE name = 'at'"
_ADD_TIMES = "ALTER TABLE seen ADD COLUMN at TEXT NOT NULL DEFAULT ''"
# How many runs there were.
_READ_RUN = "PRAGMA user_version"
_NOTE = "INSERT INTO seen VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
# Of an action that was named before: who named it first.
_FIRST = "SELECT reference, run, line, at FROM seen WHERE action = ?"
# An earlier file's row that this one tells once more: the next of its action is the second.
_AGAIN = "UPDATE seen SET run = ?, line = ? WHERE action = ?"


class ReconcileStateWrongError(TwinlockError):
    """The file of what was reconciled before is none, or cannot be written."""

    code = "reconcile_state_wrong"
    status = 500


class SeenInFile:
    """Implements ``ports.SeenActions``."""

    def __init__(self, database: sqlite3.Connection, *, run: int) -> None:
        self._database = database
        self._run = run

    def note(self, rows: Sequence[Executed]) -> list[Before | None]:
        """Note rows, and return what was executed on the same action before (see the port)."""
        return [self._note(row) for row in rows]

    def _note(self, row: Executed) -> Before | None:
        at = row.executed_at.astimezone(UTC).isoformat()
        values = (row.action, row.reference, self._run, row.line, at)
        if self._database.execute(_NOTE, values).rowcount:
            return None
        reference, run, line, first = self._database.execute(_FIRST, (row.action,)).fetchone()
        if run == self._run:
            return Before(line=line, reference=reference)
        if reference != row.reference or first not in ("", at):
            return Before(line=0, reference=reference)
        self._database.execute(_AGAIN, (self._run, row.line, row.action))
        return None

    def has(self, actions: Sequence[str]) -> list[bool]:
        """Return of each action whether a row named it."""
        ask = self._database.execute
        return [ask(_FIRST, (action,)).fetchone() is not None for action in actions]


@contextmanager
def seen_in_file(path: Path) -> Iterator[SeenInFile]:
    """Open what earlier runs kept at ``path``, and keep what this one notes when the block ends.

    Raises:
        FileUnsafeError: others may read or replace it.
        FileBusyError: another run has it.
        ReconcileStateWrongError: it is none, or the disk is full.
    """
    private_files.make_directory(path.parent)
    private_files.check_or_make(path, allowed=PARENTS_RIGHTS)
    try:
        connection = sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)
        with closing(connection) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(_MAKE)
            if not database.execute(_HAS_TIMES).fetchone()[0]:
                database.execute(_ADD_TIMES)
            run = database.execute(_READ_RUN).fetchone()[0] + 1
            database.execute(f"PRAGMA user_version = {run:d}")
            yield SeenInFile(database, run=run)
            database.execute("COMMIT")
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise FileBusyError(f"{path} is held by another process") from error
        raise ReconcileStateWrongError(f"{path} cannot be used: {error}") from error
