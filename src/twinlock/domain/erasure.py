"""Erasing an account: what the log keeps of it, and what is told of one that is gone.

An account ends by an entry of a type of its own. With it, all that opens its entries is destroyed:
its key, its documents, salts and values. Its leaves stay where they are, each with a mark that
says it belonged to somebody who was erased, and never to whom.

Source: docs/erasure.md.
"""

import msgspec

from twinlock.domain.account import Chain, OpenAction
from twinlock.domain.canonical import b64url, commit, encode, from_b64url, tagged_mac
from twinlock.domain.entries import (
    ERASED_ENTRY,
    ERASED_FIELD,
    SALT_BYTES,
    Kept,
    entry_key,
    entry_label,
    erased_value,
    events_digest,
    leaf_time,
)
from twinlock.domain.errors import LogDamagedError, TwinlockError
from twinlock.domain.events import ProofAccepted
from twinlock.domain.log.merkle import leaf_hash

NO_FACTS = b"{}"  # What stands beside each leaf of an account that was erased.


class AccountErasedError(TwinlockError):
    """The account of this id was erased, and everything about it is gone: forget the id."""

    code = "account_erased"
    status = 410


class _Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """Of a public leaf, its time, its type, and what ties it to its entry and its account."""

    at: int
    c: dict[str, str]
    t: str
    lbl: str = ""
    prev: str = ""


_LEAF = msgspec.json.Decoder(_Leaf)


def proof_entries(action: OpenAction) -> tuple[int, ...]:
    """Return the numbers of the entries of which one completed the proof of ``action``.

    What is decided together is of one time: each entry of that time may be the one.
    """
    return tuple(one.entry for one in action.shown if one.at == action.proved_at)


def check_proved(action: OpenAction, leaf: bytes, kept: Kept) -> None:
    """Check that the proof of ``action`` stands in this leaf of the log, of the time it claims.

    A leaf's time is no earlier than that of the leaf before it. Prevents: whoever has the
    application and its keys, and writes a document in which an erasure has waited long enough.

    Raises:
        LogDamagedError: the leaf is of another time, or commits to other events.
    """
    said, opening = _LEAF.decode(leaf), kept.openings.get("events")
    if opening is None:
        raise LogDamagedError("nothing is kept of what the events of this erasure's proof were")
    opened = commit(from_b64url(opening.salt), "events", opening.value.encode("utf-8"))
    told = encode(events_digest(kept.events)).decode("ascii") == opening.value
    accepted = any(
        isinstance(event, ProofAccepted)
        and (event.action_id, event.proved, event.at) == (action.action_id, True, action.proved_at)
        for event in kept.events
    )
    same_time = action.proved_at is not None and said.at == leaf_time(action.proved_at)
    if said.c.get("events") != b64url(opened) or not (told and accepted and same_time):
        raise LogDamagedError("the log does not show that this erasure was proved when it says")


class OwnLeaves:
    """An account's own leaves, checked in their order before they are marked as erased.

    Each bears the label of its number and is tied to the one before it, under the account's own
    key, and the last is the one that its document names: no other leaf does. Prevents: a leaf of a
    neighbour, marked because whoever owns the database let an entry of this account point at it.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._key = from_b64url(chain.label_key, size=32)
        self._last = b""
        self._count = 0

    def take(self, leaf: bytes, *, number: int) -> bytes:
        """Return the hash (32 bytes) of ``leaf``, which is entry ``number``, the next one.

        Raises:
            LogDamagedError: it is not.
        """
        said, key = _read(leaf), entry_key(self._key, self._count)
        label, before = entry_label(key), tagged_mac(key, "prev/v1", self._last)
        if (number, said.lbl, said.prev) != (self._count, b64url(label), b64url(before)):
            raise LogDamagedError("a leaf is not the one that this account wrote next")
        self._count, self._last = self._count + 1, leaf_hash(leaf)
        return self._last

    def finish(self) -> None:
        """Return when these were all of them. Raises LogDamagedError."""
        if (self._count, b64url(self._last)) != (self._chain.entries, self._chain.last_leaf):
            raise LogDamagedError("the account does not have the entries that it counts")


def _read(leaf: bytes) -> _Leaf:
    try:
        return _LEAF.decode(leaf)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LogDamagedError("this is no leaf of an entry") from error


def check_erased(leaf: bytes, account_id: str, *, entries: int, salt: bytes) -> None:
    """Check that this leaf of the log says of an account that it is erased, with all its entries.

    Prevents: an account whose key somebody deleted, keyring in hand, passed off as one that was
    erased: its leaves are then more than the log's erasures speak of.

    Raises:
        LogDamagedError: the leaf says nothing of the kind.
    """
    said = _read(leaf)
    if len(salt) != SALT_BYTES:
        raise LogDamagedError("this salt opens no leaf")
    opened = b64url(commit(salt, ERASED_FIELD, erased_value(account_id, entries)))
    if said.t != ERASED_ENTRY or said.c.get(ERASED_FIELD) != opened:
        raise LogDamagedError("its leaf does not say that this account was erased")
