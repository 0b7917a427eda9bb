"""The leaf that names a key of the log."""

import hashlib
from datetime import UTC, datetime

import msgspec
import pytest

from twinlock.domain.canonical import b64url, decode
from twinlock.domain.errors import BundleRefusedError
from twinlock.domain.log_keys import is_log_key, log_key_label, log_key_leaf
from twinlock.proofs.leaves import read_leaf

VKEY = "log.example/twinlock+a2cb7d8f+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_leaf_names_a_key_in_clear() -> None:
    assert msgspec.to_builtins(decode(log_key_leaf(VKEY, at=AT))) == {
        "at": 1767225600000,
        "key": VKEY,
        "lbl": b64url(log_key_label(VKEY)),
        "t": "log.key",
        "v": 1,
    }


def test_one_key_has_one_label_whenever_it_is_named() -> None:
    assert log_key_label(VKEY) == log_key_label(VKEY)
    assert log_key_label(VKEY) != log_key_label(f"{VKEY}=")


def test_it_never_passes_for_a_decision() -> None:
    with pytest.raises(BundleRefusedError) as refused:
        read_leaf(log_key_leaf(VKEY, at=AT))
    assert refused.value.fault == "leaf_malformed"


def test_it_is_told_from_a_decision_by_its_type() -> None:
    assert is_log_key(log_key_leaf(VKEY, at=AT))
    assert not is_log_key(b'{"t":"freeze.set"}')


def test_its_label_has_a_tag_of_its_own() -> None:
    """Written out by hand, as whoever follows the log does it."""
    name = VKEY.encode()
    framed = b"twinlock/log-key/v1\x00" + len(name).to_bytes(8, "big") + name

    assert log_key_label(VKEY) == hashlib.sha256(framed).digest()
