"""Marks of what was erased: an account that is gone, and each leaf that was somebody's.

A mark has a MAC. Prevents: entries that somebody with the database removed, passed off as erased.
It is all that an audit, or whoever reads the log in order, has of such a leaf.
"""

from typing import NamedTuple

from twinlock.adapters.boxes import Sealer
from twinlock.domain.erasure import check_erased

_ACCOUNT, _ENTRY = "erased/v1", "erased-entry/v1"


class Mark(NamedTuple):
    """A leaf that was an erased account's, by its place and its hash.

    Prevents: the mark of one leaf on another, by who shows an erasure other leaves than there are.
    """

    leaf_index: int
    leaf_hash: bytes

    def mac(self, sealer: Sealer) -> bytes:
        """Return the MAC (40 bytes) that says so."""
        return sealer.mac(_ENTRY, _number(self.leaf_index), self.leaf_hash)

    def check(self, sealer: Sealer, mac: bytes) -> None:
        """Return when ``mac`` is ours. Raises SealBrokenError."""
        sealer.check_mac(mac, _ENTRY, _number(self.leaf_index), self.leaf_hash)


class Gone(NamedTuple):
    """An account that was erased, by its last leaf, with how many entries it had.

    ``salt`` (32 bytes) opens both in the leaf, so that the log says it too, and not our MAC alone.
    """

    leaf_index: int
    subject: str
    entries: int
    salt: bytes

    def mac(self, sealer: Sealer) -> bytes:
        """Return the MAC (40 bytes) that says so."""
        return sealer.mac(_ACCOUNT, *self._parts())

    def check(self, sealer: Sealer, mac: bytes, leaf: bytes) -> None:
        """Return when ``mac`` is ours, and ``leaf``, which stands in our log, says the same.

        Raises:
            SealBrokenError, LogDamagedError: as they say.
        """
        self.check_mac(sealer, mac)
        check_erased(leaf, self.subject, entries=self.entries, salt=self.salt)

    def check_mac(self, sealer: Sealer, mac: bytes) -> None:
        """Return when ``mac`` is ours. Raises SealBrokenError."""
        sealer.check_mac(mac, _ACCOUNT, *self._parts())

    def _parts(self) -> tuple[bytes, ...]:
        index, entries = _number(self.leaf_index), _number(self.entries)
        return self.subject.encode(), index, entries, self.salt


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)  # Whatever a row may hold: it is checked next.


class Marks(NamedTuple):
    """How the marks of one table are put under another seal key, in the order of their leaves."""

    read_others: str
    write_anew: str


ACCOUNTS = Marks(
    read_others="""
SELECT leaf_index, subject, entries, salt, mac FROM erased
 WHERE leaf_index > $1 AND substr(mac, 1, 8) <> $2 ORDER BY leaf_index LIMIT $3
""",
    write_anew="""
UPDATE erased e SET mac = n.mac
  FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS n (leaf_index, old, mac)
 WHERE e.leaf_index = n.leaf_index AND e.mac = n.old
""",
)
ENTRIES = Marks(
    read_others="""
SELECT m.leaf_index, m.mac, l.entry
  FROM erased_entry m LEFT JOIN leaf l ON l.cell = 1 AND l.leaf_index = m.leaf_index
 WHERE m.leaf_index > $1 AND substr(m.mac, 1, 8) <> $2 ORDER BY m.leaf_index LIMIT $3
""",
    write_anew="""
UPDATE erased_entry e SET mac = n.mac
  FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS n (leaf_index, old, mac)
 WHERE e.leaf_index = n.leaf_index AND e.mac = n.old
""",
)
