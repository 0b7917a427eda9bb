import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import AUTHORIZATION_KEY, KID, LOG_KEY, TRUST, WITNESS_KEYS, public, trust

from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import MalformedError
from twinlock.domain.policy.version import policy_digest
from twinlock.domain.trust import (
    KEYS_MOST,
    POLICIES_MOST,
    TRUST_BYTES_MOST,
    Trust,
    read_trust,
)

DIGEST = policy_digest(b"{}")
SMALL_ORDER = b64url(b"\x01" + bytes(31))


def document(**changes: object) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(TRUST)
    return plain | changes


def keys(count: int) -> dict[str, str]:
    """Return ``count`` keys by their ids; a key need not be anybody's to be trusted."""
    return {f"key-{one}": b64url(b"\x09" + bytes(30) + bytes([one])) for one in range(count)}


def test_a_trust_file_is_read_as_it_was_written() -> None:
    assert read_trust(encode(TRUST)) == TRUST
    assert read_trust(json.dumps(document(), indent=2).encode()) == TRUST


def test_the_log_policy_is_the_one_it_spells() -> None:
    policy = TRUST.log_policy

    assert [log.key.public_key for log in policy.logs] == [LOG_KEY.public_key().public_bytes_raw()]
    assert policy.quorum == "both"


@pytest.mark.parametrize(
    "changes",
    [
        {"policies": [DIGEST] * POLICIES_MOST},
        {"authorization_keys": keys(KEYS_MOST)},
        {"origin": "https://prove.twinlock.example:8443"},
        {"origin": "http://localhost:8080", "rp_id": "localhost"},
    ],
)
def test_what_is_within_its_limits_is_read(changes: dict[str, object]) -> None:
    assert read_trust(encode(document(**changes))).v == 1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"v": 2}, id="another version"),
        pytest.param({"v": "1"}, id="a version in words"),
        pytest.param({"note": ""}, id="an unknown member"),
        pytest.param({"log": ""}, id="no log policy"),
        pytest.param({"log": "\ud800"}, id="half a character"),
        pytest.param({"log": TRUST.log.removesuffix("\n")}, id="a log policy cut short"),
        pytest.param({"authorization_keys": {}}, id="no key"),
        pytest.param({"authorization_keys": keys(KEYS_MOST + 1)}, id="too many keys"),
        pytest.param({"authorization_keys": {"": public(AUTHORIZATION_KEY)}}, id="a nameless key"),
        pytest.param({"authorization_keys": {"a b": public(AUTHORIZATION_KEY)}}, id="a space"),
        pytest.param({"authorization_keys": {KID: "AA"}}, id="a short key"),
        pytest.param({"authorization_keys": {KID: SMALL_ORDER}}, id="a key of small order"),
        pytest.param({"authorization_keys": {KID: public(LOG_KEY)}}, id="the log's own key"),
        pytest.param({"authorization_keys": {KID: public(WITNESS_KEYS[0])}}, id="a witness's key"),
        pytest.param(
            {"authorization_keys": dict.fromkeys("ab", public(AUTHORIZATION_KEY))}, id="a key twice"
        ),
        pytest.param({"rp_id": "twinlock.example"}, id="a parent of the host"),
        pytest.param({"origin": "http://prove.twinlock.example"}, id="without TLS"),
        pytest.param({"origin": "https://prove.twinlock.example/"}, id="a path"),
        pytest.param({"origin": "https://localhost", "rp_id": "LOCALHOST"}, id="another spelling"),
        pytest.param({"origin": ""}, id="no site"),
        pytest.param({"policies": [DIGEST[1:]]}, id="a short digest"),
        pytest.param({"policies": [DIGEST] * (POLICIES_MOST + 1)}, id="too many policies"),
    ],
)
def test_a_trust_file_that_cannot_be_used_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        read_trust(json.dumps(document(**changes)).encode())


def test_a_trust_file_of_exactly_64_kb_is_read() -> None:
    assert read_trust(encode(TRUST).ljust(TRUST_BYTES_MOST)) == TRUST


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"v":1,' + encode(TRUST)[1:], id="a doubled key"),
        pytest.param(encode(TRUST).ljust(TRUST_BYTES_MOST + 1), id="too large"),
        pytest.param(b'{"v":1}', id="missing members"),
    ],
)
def test_what_is_no_trust_file_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_trust(data)


def test_a_trust_that_was_not_read_is_checked_too() -> None:
    with pytest.raises(MalformedError):
        Trust(
            v=1,
            log=trust().log,
            authorization_keys={},
            rp_id=TRUST.rp_id,
            origin=TRUST.origin,
        )


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_trust(data)


def test_half_a_character_makes_no_trust_in_a_value_either() -> None:
    with pytest.raises(MalformedError, match="Unicode"):
        msgspec.structs.replace(TRUST, log="\ud800")
