"""The actions that rows of a file named so far, in a private file that is gone with the process.

SQLite makes it in the temporary directory and unlinks it at once; in memory a few megabytes of it
are held, however many rows there are.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

_MAKE = "CREATE TABLE seen (action TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID"
_NOTE = "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING"
# Of an action that was named before: who named it first.
_FIRST = "SELECT line FROM seen WHERE action = ?"


class SeenInFile:
    """Implements ``ports.SeenActions``."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def note(self, rows: Sequence[tuple[str, int]]) -> list[int]:
        """Note actions and the lines that name them; return the earlier line of each, or 0."""
        return [self._note(action, line) for action, line in rows]

    def _note(self, action: str, line: int) -> int:
        if self._database.execute(_NOTE, (action, line)).rowcount:
            return 0
        return int(self._database.execute(_FIRST, (action,)).fetchone()[0])

    def has(self, actions: Sequence[str]) -> list[bool]:
        """Return of each action whether a row named it."""
        ask = self._database.execute
        return [ask(_FIRST, (action,)).fetchone() is not None for action in actions]


@contextmanager
def seen_in_file() -> Iterator[SeenInFile]:
    """Open an empty one; it ends with the block."""
    with closing(sqlite3.connect("")) as database:
        database.execute(_MAKE)
        yield SeenInFile(database)
