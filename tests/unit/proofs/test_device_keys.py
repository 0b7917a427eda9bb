import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import b64url, from_b64url, tagged_hash
from twinlock.domain.errors import InvariantError
from twinlock.domain.ids import SessionId
from twinlock.proofs.device_keys import (
    DeviceKey,
    read_jwk,
    session_proof_message,
    verify_device_signature,
)
from twinlock.range.device import SoftwareDevice

DEVICE = SoftwareDevice(bytes(range(32)))
JWK = DEVICE.jwk()
KEY = read_jwk(JWK)
SESSION = SessionId("ses_a")
MESSAGE = session_proof_message(SESSION, nonce=bytes(16), payload_digest=bytes(32))
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1


def fault_of(jwk: dict[str, object]) -> ProofFault:
    with pytest.raises(ProofRefusedError) as refused:
        read_jwk(jwk)
    return refused.value.fault


def test_what_the_device_signed_is_accepted() -> None:
    proof = DEVICE.prove(SESSION, nonce=bytes(16), payload_digest=bytes(32))

    assert verify_device_signature(KEY, proof, MESSAGE) == MESSAGE


def test_a_bare_jwk_without_what_browsers_add_is_the_same_key() -> None:
    assert read_jwk({name: JWK[name] for name in ("kty", "crv", "x", "y")}) == KEY


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    another_maker = ECKey.import_key({name: str(JWK[name]) for name in ("kty", "crv", "x", "y")})

    assert KEY.thumbprint() == another_maker.thumbprint()
    assert KEY.canonical() == (
        f'{{"crv":"P-256","kty":"EC","x":"{JWK["x"]}","y":"{JWK["y"]}"}}'.encode()
    )
    assert from_b64url(KEY.thumbprint()) == hashlib.sha256(KEY.canonical()).digest()


def test_a_session_proof_is_over_session_nonce_and_payload() -> None:
    nonce, digest = bytes(range(16)), bytes(range(32))

    assert session_proof_message(SESSION, nonce=nonce, payload_digest=digest) == tagged_hash(
        "session-proof/v1", b"ses_a", nonce, digest
    )


@pytest.mark.requirement("P-06")
@pytest.mark.parametrize(
    "message",
    [
        pytest.param(
            session_proof_message(SessionId("ses_b"), nonce=bytes(16), payload_digest=bytes(32)),
            id="another session",
        ),
        pytest.param(
            session_proof_message(SESSION, nonce=b"\x01" * 16, payload_digest=bytes(32)),
            id="another nonce",
        ),
        pytest.param(
            session_proof_message(SESSION, nonce=bytes(16), payload_digest=b"\x01" * 32),
            id="another payload",
        ),
    ],
)
def test_a_session_proof_holds_for_nothing_else(message: bytes) -> None:
    proof = DEVICE.prove(SESSION, nonce=bytes(16), payload_digest=bytes(32))

    with pytest.raises(ProofRefusedError) as refused:
        verify_device_signature(KEY, proof, message)
    assert refused.value.fault is ProofFault.BAD_SIGNATURE


def test_another_device_cannot_prove_the_session() -> None:
    with pytest.raises(ProofRefusedError) as refused:
        verify_device_signature(KEY, SoftwareDevice(bytes(32)).sign(MESSAGE), MESSAGE)
    assert refused.value.fault is ProofFault.BAD_SIGNATURE


@pytest.mark.requirement("P-02")
@given(st.integers(0, 64 * 8 - 1))
def test_no_bit_of_a_signature_can_be_turned(bit: int) -> None:
    turned = int.from_bytes(from_b64url(DEVICE.sign(MESSAGE)), "big") ^ 1 << bit

    with pytest.raises(ProofRefusedError) as refused:
        verify_device_signature(KEY, b64url(turned.to_bytes(64, "big")), MESSAGE)
    assert refused.value.fault is ProofFault.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 0), (0, 1), (1, 0), (ORDER, 1), (1, ORDER), (2**256 - 1, 2**256 - 1)],
    ids=["0, 0", "r = 0", "s = 0", "r = n", "s = n", "all ones"],
)
def test_numbers_outside_the_group_are_no_signature(r: int, s: int) -> None:
    signature = b64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    with pytest.raises(ProofRefusedError) as refused:
        verify_device_signature(KEY, signature, MESSAGE)
    assert refused.value.fault is ProofFault.BAD_SIGNATURE


SIGNATURE = DEVICE.sign(MESSAGE)


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param("", id="empty"),
        pytest.param(b64url(bytes(63)), id="63 bytes"),
        pytest.param(b64url(bytes(65)), id="65 bytes"),
        pytest.param(SIGNATURE + "==", id="padding"),
        pytest.param("+" + SIGNATURE[1:], id="the other alphabet"),
        pytest.param(b64url(bytes.fromhex("3006020101020101")), id="DER"),
        pytest.param("é" * 86, id="not ASCII"),
    ],
)
def test_a_signature_of_another_form_is_malformed(signature: str) -> None:
    with pytest.raises(ProofRefusedError) as refused:
        verify_device_signature(KEY, signature, MESSAGE)
    assert refused.value.fault is ProofFault.MALFORMED


MALFORMED: dict[str, dict[str, object]] = {
    "no members": {},
    "a private key": JWK | {"d": b64url(bytes(32))},
    "an empty private member": JWK | {"d": ""},
    "a member more": JWK | {"kid": "mine"},
    "no y": {name: JWK[name] for name in ("kty", "crv", "x")},
    "RSA": {"kty": "RSA", "n": b64url(bytes(256)), "e": "AQAB"},
    "P-384": JWK | {"crv": "P-384"},
    "secp256k1": JWK | {"crv": "secp256k1"},
    "another case of the curve": JWK | {"crv": "p-256"},
    "a symmetric key": {"kty": "oct", "k": b64url(bytes(32))},
    "x of 31 bytes": JWK | {"x": b64url(bytes(31))},
    "x of 33 bytes": JWK | {"x": b64url(bytes(33))},
    "x with padding": JWK | {"x": f"{JWK['x']}="},
    "x with stray bits": JWK | {"x": "A" * 42 + "B"},
    "x in the other alphabet": JWK | {"x": "+" * 43},
    "x as a number": JWK | {"x": 1},
    "a key that signs": JWK | {"key_ops": ["sign"]},
    "a key that verifies twice": JWK | {"key_ops": ["verify", "verify"]},
    "a key that verifies and signs": JWK | {"key_ops": ["verify", "sign"]},
}


@pytest.mark.parametrize("jwk", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_public_p_256_key_is_malformed(jwk: dict[str, object]) -> None:
    assert fault_of(jwk) is ProofFault.MALFORMED


INVALID: dict[str, dict[str, object]] = {
    "off the curve": JWK | {"x": JWK["y"], "y": JWK["x"]},
    "the point (0, 0)": JWK | {"x": b64url(bytes(32)), "y": b64url(bytes(32))},
    "a coordinate not below the prime": JWK | {"x": b64url(PRIME.to_bytes(32, "big"))},
}


@pytest.mark.parametrize("jwk", INVALID.values(), ids=INVALID)
def test_a_point_off_the_curve_is_no_key(jwk: dict[str, object]) -> None:
    assert fault_of(jwk) is ProofFault.KEY_INVALID


def test_a_key_that_was_stored_wrong_verifies_nothing() -> None:
    with pytest.raises(ProofRefusedError) as refused:
        verify_device_signature(DeviceKey(x=KEY.y, y=KEY.x), SIGNATURE, MESSAGE)
    assert refused.value.fault is ProofFault.KEY_INVALID


@pytest.mark.requirement("O-14")
def test_short_nonces_and_digests_are_our_own_mistake() -> None:
    with pytest.raises(InvariantError, match="at least 16 bytes"):
        session_proof_message(SESSION, nonce=bytes(15), payload_digest=bytes(32))
    with pytest.raises(InvariantError, match="32 bytes"):
        session_proof_message(SESSION, nonce=bytes(16), payload_digest=bytes(31))


def test_the_software_device_is_the_same_each_time_it_is_made() -> None:
    again = SoftwareDevice(bytes(range(32)))

    assert (again.jwk(), again.sign(MESSAGE)) == (JWK, SIGNATURE)
    assert len(base64.urlsafe_b64decode(SIGNATURE + "==")) == 64
    with pytest.raises(InvariantError, match="32 random bytes"):
        SoftwareDevice(bytes(31))
