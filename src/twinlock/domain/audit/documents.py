"""The documents of one account as its events make them, held against the rows that are stored.

Values are compared, not bytes: bytes that are equal spare the decoding, and that is all.
"""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import msgspec

from twinlock.domain.account import Account
from twinlock.domain.audit.findings import Fault, Findings
from twinlock.domain.canonical import encode
from twinlock.domain.entries import ClosedAction
from twinlock.domain.listed import Destination

T = TypeVar("T", bound=msgspec.Struct)

_ACCOUNT = msgspec.json.Decoder(Account)
_DESTINATION = msgspec.json.Decoder(Destination)
_CLOSED = msgspec.json.Decoder(ClosedAction)

# Prevents: one sealed box full of brackets, at which an audit breaks before it says a word.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Closed(NamedTuple):
    """An action that is over, as the events tell it: how, in which entry, and a hash of it all.

    A hash, since an account may have ended a million actions. It is None where the entry's leaf is
    not sound, so that nobody knows which policy decided.
    """

    ended: str
    entry: int
    digest: bytes | None


def closed_digest(closed: ClosedAction) -> bytes:
    """Return a hash (32 bytes) of everything that is stored of an action that is over."""
    return hashlib.sha256(encode(closed)).digest()


class Stored(NamedTuple):
    """A row of ``stream``, opened; ``data`` is None where that failed, and was told."""

    kind: str
    row_id: str
    version: int
    data: bytes | None


class Documents:
    """What must be stored of one account; ``account`` is None where nobody can tell."""

    def __init__(
        self,
        account_id: str,
        *,
        account: Account | None,
        destinations: Mapping[str, Destination],
        closed: Mapping[str, Closed],
        entries: int,
        findings: Findings,
    ) -> None:
        self._id = account_id
        self._account = account
        self._destinations = dict(destinations)
        self._closed = dict(closed)
        self._entries = entries
        self._findings = findings
        self._lost = account is None
        self._seen = False

    def check(self, row: Stored) -> None:
        """Hold a row against what it must be."""
        if row.kind == "account" and row.row_id == self._id:
            self._seen = True
            self._check_account(row)
        elif row.kind == "destination":
            self._check_destination(row)
        elif row.kind == "action":
            self._check_closed(row)
        else:
            self._fault(
                Fault.STREAM_UNKNOWN, row, "no account has a document of this kind and name"
            )

    def finish(self) -> None:
        """Miss what was not among the rows."""
        if self._lost:
            return
        if not self._seen:
            self._findings.add(Fault.ACCOUNT_MISSING, self._id, "its document is gone")
        for name in self._destinations:
            says = f"the document of destination {name} is gone"
            self._findings.add(Fault.DESTINATION_MISSING, self._id, says)
        for name, closed in self._closed.items():
            says = f"the action was ended in entry {closed.entry}, and its document is gone"
            self._findings.add(Fault.CLOSED_MISSING, name, says)

    def _fault(self, code: Fault, row: Stored, says: str) -> None:
        own = row.row_id == self._id
        self._findings.add(code, self._id if own else f"{row.row_id} of {self._id}", says)

    def _check_account(self, row: Stored) -> None:
        if not 1 <= row.version <= self._entries:
            self._fault(
                Fault.VERSION_WRONG, row, "it was written more often than there are entries"
            )
        wrong = self._difference(row, self._account, _ACCOUNT)
        if wrong:
            self._fault(Fault.ACCOUNT_DIFFERS, row, f"its events make another {wrong}")

    def _check_destination(self, row: Stored) -> None:
        known = self._destinations.pop(row.row_id, None)
        if known is None and not self._lost:
            self._fault(Fault.STREAM_UNKNOWN, row, "no event has listed this destination")
            return
        if known is not None and not self._lost and not 1 <= row.version <= known.version:
            self._fault(Fault.VERSION_WRONG, row, "it was written more often than it was changed")
        wrong = self._difference(row, known, _DESTINATION)
        if wrong:
            self._fault(
                Fault.DESTINATION_DIFFERS, row, f"its account's events make another {wrong}"
            )

    def _check_closed(self, row: Stored) -> None:
        known = self._closed.pop(row.row_id, None)
        if known is None and not self._lost:
            self._fault(Fault.STREAM_UNKNOWN, row, "no event has ended this action")
            return
        if row.version != 1:
            self._fault(Fault.VERSION_WRONG, row, "an action is ended and written once")
        if known is not None and row.data and hashlib.sha256(row.data).digest() == known.digest:
            return
        closed = self._decoded(row, _CLOSED)
        if self._lost or known is None or closed is None:
            return
        ended = type(closed.ended).__name__
        if (ended, closed.entry) != (known.ended, known.entry):
            says = (
                f"it says {ended} in entry {closed.entry}, the events {known.ended} in entry"
                f" {known.entry}"
            )
            self._fault(Fault.CLOSED_DIFFERS, row, says)
        elif known.digest is not None and closed_digest(closed) != known.digest:
            self._fault(
                Fault.CLOSED_DIFFERS, row, "the events end an action that says other things"
            )

    def _difference(self, row: Stored, made: T | None, decoder: msgspec.json.Decoder[T]) -> str:
        """Return the names of what is not as the events make it, or nothing."""
        if made is not None and row.data == encode(made):
            return ""
        stored = self._decoded(row, decoder)
        if stored is None or made is None or self._lost:
            return ""
        names = made.__struct_fields__
        return ", ".join(one for one in names if getattr(made, one) != getattr(stored, one))

    def _decoded(self, row: Stored, decoder: msgspec.json.Decoder[T]) -> T | None:
        if row.data is None:
            return None
        try:
            return decoder.decode(row.data)
        except UNREADABLE:
            self._fault(
                Fault.STREAM_BROKEN, row, f"what was sealed is no {row.kind} of this version"
            )
            return None
