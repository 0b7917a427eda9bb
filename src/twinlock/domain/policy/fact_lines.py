"""Fact lines: past decisions as lines of JSON, to be replayed where the database is not.

A line is an entry (its index, its leaf, its facts) or the whole text of a policy that decided,
which stands before the first entry that it made. Bytes stay as they are: what is read back has the
digests that the log commits to.

Always true (tests/property/test_fact_lines_properties.py): what is written is read back, byte for
byte.
"""

from typing import TypeAlias

import msgspec

from twinlock.domain.canonical import encode
from twinlock.domain.errors import TwinlockError
from twinlock.domain.policy.backtesting import Snapshot

LINE_BYTES_MOST = 2_000_000  # The longest policy there can be has a seventh, with its schema.


class FactLineError(TwinlockError):
    """A line of a file of facts is none: it was cut off, edited, or is of another program."""

    code = "facts_file_broken"
    status = 400


class PolicyLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole text of the policy of a digest."""

    policy: str
    text: msgspec.Raw


class _EntryLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    index: int
    leaf: msgspec.Raw
    facts: msgspec.Raw


Line: TypeAlias = Snapshot | PolicyLine


def write_entry(one: Snapshot) -> bytes:
    """Return the line of an entry."""
    raw = msgspec.Raw
    return encode(_EntryLine(index=one.place, leaf=raw(one.leaf), facts=raw(one.facts))) + b"\n"


def write_policy(digest: str, text: bytes) -> bytes:
    """Return the line of a policy."""
    return encode(PolicyLine(policy=digest, text=msgspec.Raw(text))) + b"\n"


def read_line(data: bytes, *, number: int) -> Line:
    """Return what line ``number`` says. Raises FactLineError."""
    if len(data) > LINE_BYTES_MOST:
        raise FactLineError(f"line {number} has more than {LINE_BYTES_MOST} bytes")
    try:
        if data.startswith(b'{"policy":'):
            return msgspec.json.decode(data, type=PolicyLine)
        found = msgspec.json.decode(data, type=_EntryLine)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise FactLineError(f"line {number} is no line of facts: {error}") from error
    return Snapshot(found.index, bytes(found.leaf), bytes(found.facts))
