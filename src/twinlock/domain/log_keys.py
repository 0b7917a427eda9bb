"""The leaf by which the log names its own next key, while its old one alone signs.

Whoever follows the log learns the next key from what he believes already, beside the trust file
that he is handed. It is no decision and belongs to nobody's account: its layout has a type that no
action has, and no commitments.

Source: docs/log-format.md, "A new key of the log".
"""

from datetime import datetime

import msgspec

from twinlock.domain.canonical import b64url, encode, tagged_hash

LOG_KEY_ENTRY = "log.key"


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """Of a leaf, its type."""

    t: str


_SAID = msgspec.json.Decoder(_Said)


def is_log_key(leaf: bytes) -> bool:
    """Say whether ``leaf``, which stands in our log, names a key of it."""
    return _SAID.decode(leaf).t == LOG_KEY_ENTRY


def log_key_label(vkey: str) -> bytes:
    """Return the label (32 bytes) of the leaf that names ``vkey``: each key is named once."""
    return tagged_hash("log-key/v1", vkey.encode("utf-8"))


def log_key_leaf(vkey: str, *, at: datetime) -> bytes:
    """Return the leaf that names ``vkey``, a key as C2SP spells it, from ``at`` (UTC) on."""
    return encode(
        {
            "at": int(at.timestamp() * 1000),
            "key": vkey,
            "lbl": b64url(log_key_label(vkey)),
            "t": LOG_KEY_ENTRY,
            "v": 1,
        }
    )
