"""Marks of what was erased: an account that is gone, and each leaf that was somebody's.

A mark has a MAC. Prevents: entries that somebody with the database removed, passed off as erased.
It is all that an audit, or whoever reads the log in order, has of such a leaf.
"""

from typing import NamedTuple

from twinlock.adapters.boxes import Sealer

_ACCOUNT, _ENTRY = "erased/v1", "erased-entry/v1"


class Mark(NamedTuple):
    """An erased leaf; with its ``subject``, the last leaf of that account."""

    leaf_index: int
    subject: str = ""

    def mac(self, sealer: Sealer) -> bytes:
        """Return the MAC (40 bytes) that says so."""
        return sealer.mac(*self._said())

    def check(self, sealer: Sealer, mac: bytes) -> None:
        """Return when ``mac`` is ours. Raises SealBrokenError."""
        tag, *parts = self._said()
        sealer.check_mac(mac, tag, *parts)

    def _said(self) -> tuple[str, *tuple[bytes, ...]]:
        index = self.leaf_index.to_bytes(8, "big")
        return (_ACCOUNT, self.subject.encode(), index) if self.subject else (_ENTRY, index)


class Marks(NamedTuple):
    """How the marks of one table are put under another seal key, in the order of their leaves."""

    read_others: str
    write_anew: str


ACCOUNTS = Marks(
    read_others="""
SELECT subject, leaf_index, mac FROM erased
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
SELECT leaf_index, mac FROM erased_entry
 WHERE leaf_index > $1 AND substr(mac, 1, 8) <> $2 ORDER BY leaf_index LIMIT $3
""",
    write_anew="""
UPDATE erased_entry e SET mac = n.mac
  FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS n (leaf_index, old, mac)
 WHERE e.leaf_index = n.leaf_index AND e.mac = n.old
""",
)
