"""An audit in parts: what one worker is asked for, and what it says when it is done.

A part is small enough to hold in memory, and names rows by what orders them; what it checked goes
on as counts, findings and, for tiles, the roots for the level above.
"""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from twinlock.domain.audit.findings import Found

TILES_A_PART = 32  # 8,192 leaves: a tenth of a second of reading and hashing.


class Span(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All accounts from ``low`` on and before ``high``, in the database's order; None: no limit."""

    low: str | None
    high: str | None


class Leaves(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The leaves from ``start`` on and before ``stop``, and their tiles: ``start`` begins one.

    ``alone`` says that nobody will open the entries, so that each leaf is taken apart here.
    """

    start: int
    stop: int
    alone: bool = False


class Rest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What belongs to no span: idempotency keys, and messages that wait."""


class PlatformActs(msgspec.Struct, frozen=True, kw_only=True):
    """Where officers' acts stand in the log, and between which of them everything was halted.

    Of each halt that is the index of its leaf, and of the one that ended it, or of one behind all.
    ``officers`` are those who count from a leaf on, by its index, in order, with whose places their
    keys took; ``policies`` are the digests of the versions in force from a leaf on.
    """

    acts: frozenset[int] = frozenset()
    halts: tuple[tuple[int, int], ...] = ()
    officers: tuple[tuple[int, tuple[str, ...], Mapping[str, str]], ...] = ()
    policies: tuple[tuple[int, bytes], ...] = ()

    def officers_at(self, index: int) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """Return who counted when leaf ``index`` was written, and whose places their keys took."""
        since = [(named, instead) for first, named, instead in self.officers if first < index]
        return since[-1] if since else ((), {})

    def policy_at(self, index: int) -> bytes:
        """Return the digest that was in force when leaf ``index`` was written, b"" for none."""
        since = [digest for first, digest in self.policies if first < index]
        return since[-1] if since else b""


NO_ACTS = PlatformActs()

Part: TypeAlias = Span | Leaves | Rest


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to audit, as of one moment.

    ``size`` leaves are hashed; ``head`` is the size and the root that the head row says, where it
    can be read at all.
    """

    size: int
    head: tuple[int, bytes] | None
    spans: tuple[Span, ...]
    found: Found = Found()


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker checked: how many of each, and what it found.

    Of leaves, ``roots`` are those of the full tiles from leaf ``first`` on, and ``times`` the time
    (ms) of the first and of the last of them.
    """

    found: Found = Found()
    entries: int = 0
    accounts: int = 0
    documents: int = 0
    spends: int = 0
    leaves: int = 0
    tiles: int = 0
    letters: int = 0
    key_uses: int = 0
    first: int = 0
    roots: bytes = b""
    times: tuple[int, int] = (0, 0)


COUNTS = ("accounts", "documents", "entries", "key_uses", "leaves", "letters", "spends", "tiles")


def counted(parts: tuple[Checked, ...]) -> dict[str, int]:
    """Return how many of each were checked in all ``parts``."""
    return {name: sum(getattr(part, name) for part in parts) for name in COUNTS}
