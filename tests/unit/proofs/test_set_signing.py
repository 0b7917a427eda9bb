"""Tokens of ours: signed once, read by the field's own library and by our own receiver."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.cast import NOON

from twinlock.domain.canonical import b64url, decode, encode, from_b64url
from twinlock.domain.errors import InvariantError
from twinlock.domain.transmitting.streams import TokenAlgorithm
from twinlock.proofs.set_signing import sign_set
from twinlock.proofs.sets import read_keys, verify_set

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
ISSUER, AUDIENCE = "https://id.example.com", "https://broker.example/signals"
CLAIMS = {
    "aud": AUDIENCE,
    "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}},
    "iat": int(NOON.timestamp()),
    "iss": ISSUER,
    "jti": "set_1",
    "sub_id": {"format": "opaque", "id": "acc_1"},
}


class Signer:
    algorithm = TokenAlgorithm.EDDSA
    key_id = "signals-1"

    def sign(self, base: bytes) -> bytes:
        return KEY.sign(base)


def test_a_token_says_what_it_is_and_what_it_was_given() -> None:
    header, payload, _ = sign_set(CLAIMS, signer=Signer()).split(".")

    assert decode(from_b64url(header)) == {
        "alg": "EdDSA",
        "kid": "signals-1",
        "typ": "secevent+jwt",
    }
    assert from_b64url(payload) == encode(CLAIMS)


def test_a_token_names_the_algorithm_of_what_signs_it() -> None:
    signer = Signer()
    signer.algorithm = TokenAlgorithm.RS256

    assert decode(from_b64url(sign_set(CLAIMS, signer=signer).split(".")[0]))["alg"] == "RS256"


def test_a_token_is_the_same_each_time_and_our_receiver_takes_it() -> None:
    token = sign_set(CLAIMS, signer=Signer())
    public = KEY.public_key().public_bytes_raw()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64url(public), "kid": "signals-1", "alg": "EdDSA"}
    keys = read_keys(encode({"keys": [jwk]}))

    assert token == sign_set(CLAIMS, signer=Signer())
    heard = verify_set(
        token,
        keys=keys,
        issuer=ISSUER,
        audience=AUDIENCE,
        now=NOON,
    )
    assert (heard.jti, heard.subject) == ("set_1", CLAIMS["sub_id"])


def test_a_token_that_we_would_not_read_is_not_signed() -> None:
    with pytest.raises(InvariantError):
        sign_set(CLAIMS | {"txn": "x" * 16_384}, signer=Signer())
