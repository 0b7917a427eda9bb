"""The public leaf, from both sides: read by itself, or written again from what is kept beside it.

A sound leaf is byte for byte the one that is written again; only one that is not is taken apart, to
say what is wrong with it.

Always true (tests/unit/domain/audit/test_audit_leaves.py): a form writes the bytes that
``entries.record`` wrote, and ``read`` refuses whatever that never writes.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from twinlock.domain.audit.openings import Committer
from twinlock.domain.authorization import SPEND_ENTRY
from twinlock.domain.canonical import MAX_SAFE_INTEGER, b64url, encode
from twinlock.domain.entries import (
    ERASED_ENTRY,
    ERASED_FIELD,
    FIELDS,
    LABEL_KEY_FIELD,
    SPEND_FIELD,
)
from twinlock.domain.errors import MalformedError
from twinlock.domain.log_keys import LOG_KEY_ENTRY, log_key_label
from twinlock.domain.officers.platform import PLATFORM_ENTRY
from twinlock.domain.requirements import Answer

KIND_LETTERS_MOST = 48
LOG_KEY = LOG_KEY_ENTRY.encode("ascii")
PLATFORM = PLATFORM_ENTRY.encode("ascii")
ANSWERS = frozenset(answer.value.encode("ascii") for answer in Answer)
_OWN = {
    SPEND_ENTRY: SPEND_FIELD,
    "account.open": LABEL_KEY_FIELD,
    ERASED_ENTRY: ERASED_FIELD,
}
_HASH = re.compile(r"[A-Za-z0-9_-]{43}")
_KIND = re.compile(rf"[a-z][a-z0-9_.]{{0,{KIND_LETTERS_MOST - 1}}}")
_AT = len(b'{"at":')
_TAIL = b'},"dec":"'  # Where a leaf's commitments end.
_ANSWER, _LABEL, _POLICY, _TYPE, _PARTS = 3, 7, 11, 19, 23  # Of its tail, between quotes.


class Leaf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public leaf (docs/log-format.md)."""

    at: int
    c: dict[str, str]
    dec: str
    lbl: str
    pol: str
    prev: str
    t: str
    v: int


_DECODER = msgspec.json.Decoder(Leaf)


def fields_of(kind: str) -> tuple[str, ...]:
    """Return the fields that an entry of type ``kind`` commits to, in the order of its leaf."""
    own = _OWN.get(kind)
    return tuple(sorted(FIELDS if own is None else (*FIELDS, own)))


def read(entry: bytes) -> Leaf:
    """Return the leaf that ``entry`` is.

    Raises:
        MalformedError: it is not canonical, or not of the form of a leaf.
    """
    try:
        leaf = _DECODER.decode(entry)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError("it does not have the form of a leaf") from error
    if encode(leaf) != entry:
        raise MalformedError("it is not in canonical form")
    if leaf.v != 1 or not 0 <= leaf.at <= MAX_SAFE_INTEGER:
        raise MalformedError("its version or its time was never written")
    if leaf.dec.encode() not in ANSWERS or not _KIND.fullmatch(leaf.t):
        raise MalformedError("its answer or its type is none of the gate's")
    if tuple(leaf.c) != fields_of(leaf.t):
        raise MalformedError("it commits to other fields than an entry of its type")
    if not all(map(_HASH.fullmatch, (leaf.lbl, leaf.pol, leaf.prev, *leaf.c.values()))):
        raise MalformedError("one of its hashes is none")
    return leaf


class LogKeyLeaf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The leaf by which the log names a key of its own (``domain/log_keys.py``)."""

    at: int
    key: str
    lbl: str
    t: str
    v: int


_LOG_KEY = msgspec.json.Decoder(LogKeyLeaf)


def read_log_key(entry: bytes) -> LogKeyLeaf | None:
    """Return the leaf by which the log names a key, or None where ``entry`` is no such leaf."""
    try:
        leaf = _LOG_KEY.decode(entry)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    said_twice = leaf.t == LOG_KEY_ENTRY and leaf.lbl == b64url(log_key_label(leaf.key))
    sound = said_twice and leaf.v == 1 and 0 <= leaf.at <= MAX_SAFE_INTEGER
    return leaf if sound and encode(leaf) == entry else None


class Said(NamedTuple):
    """What a leaf says in clear: its time (ms), answer, policy digest, type and label."""

    at: int
    answer: bytes
    policy: bytes
    kind: bytes
    label: bytes


def said(entry: bytes) -> Said | None:
    """Return what ``entry`` says of itself, or None where it does not look like a leaf.

    It checks next to nothing: whoever writes the leaf again sees whether it says anything else.
    """
    digits, tail = entry[_AT : entry.find(b",")], entry[entry.rfind(_TAIL) :].split(b'"')
    if not digits.isdigit() or len(tail) != _PARTS:
        return None
    at = int(digits)
    if at > MAX_SAFE_INTEGER or tail[_ANSWER] not in ANSWERS or form_of(tail[_TYPE]) is None:
        return None
    return Said(at, tail[_ANSWER], tail[_POLICY], tail[_TYPE], tail[_LABEL])


class Form:
    """The leaves of one type of entry: what they commit to, and how they are written."""

    def __init__(self, kind: str) -> None:
        self.fields = fields_of(kind)
        self.own = _OWN.get(kind)
        self.commitments = Committer(self.fields).commitments
        committed = b",".join(b'"%b":"%%b"' % field.encode("ascii") for field in self.fields)
        self._text = (
            b'{"at":%d,"c":{' + committed + b'},"dec":"%b","lbl":"%b","pol":"%b","prev":"%b",'
            b'"t":"' + kind.encode("ascii") + b'","v":1}'
        )

    def write(
        self,
        *,
        at: int,
        answer: bytes,
        policy: bytes,
        commitments: Sequence[bytes],
        label: bytes,
        previous: bytes,
    ) -> bytes:
        """Return the leaf that says this, and commits to that."""
        return self._text % (at, *commitments, answer, label, policy, previous)


@lru_cache(maxsize=256)  # Types are some thirty; a forger may make up more.
def form_of(kind: bytes) -> Form | None:
    """Return the form of leaves of type ``kind``, or None where it can be none of the gate's."""
    text = kind.decode("ascii", "replace")
    return Form(text) if _KIND.fullmatch(text) else None
