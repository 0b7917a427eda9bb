import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as joserfc_jws
from joserfc.jwk import OKPKey

from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.errors import InvariantError, JwsRefusedError
from twinlock.proofs import jws

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYS: dict[str, Ed25519PublicKey] = {"a-1": KEY.public_key(), "a-0": OTHER.public_key()}
TYP = "twinlock-authorization+jws"
CLAIMS = encode({"amount": "1", "to": "Zürich"})
TOKEN = jws.sign(CLAIMS, kid="a-1", typ=TYP, key=KEY)
HEADER = {"alg": "Ed25519", "kid": "a-1", "typ": TYP}


def forged(header: object, *, claims: bytes = CLAIMS, key: Ed25519PrivateKey = KEY) -> str:
    """A token whose signature is real and whose header is as given."""
    text = (
        header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    )
    signed = f"{b64url(text)}.{b64url(claims)}"
    return f"{signed}.{b64url(key.sign(signed.encode()))}"


def refuse(token: str, *, typ: str = TYP) -> None:
    with pytest.raises(JwsRefusedError) as refused:
        jws.verify(token, keys=KEYS, typ=typ)
    assert (refused.value.code, refused.value.status) == ("jws_refused", 400)


def test_a_token_gives_back_the_very_bytes_that_were_signed() -> None:
    assert jws.verify(TOKEN, keys=KEYS, typ=TYP) == CLAIMS


def test_a_token_is_signed_the_same_each_time() -> None:
    assert jws.sign(CLAIMS, kid="a-1", typ=TYP, key=KEY) == TOKEN


def test_a_key_that_was_replaced_still_verifies_under_its_own_name() -> None:
    old = jws.sign(CLAIMS, kid="a-0", typ=TYP, key=OTHER)

    assert jws.verify(old, keys=KEYS, typ=TYP) == CLAIMS


@pytest.mark.requirement("O-30")
def test_the_header_is_canonical_and_says_three_things() -> None:
    assert from_b64url(TOKEN.split(".")[0]) == encode(HEADER)


def test_another_library_verifies_our_tokens() -> None:
    public = OKPKey.import_key(
        {"kty": "OKP", "crv": "Ed25519", "x": b64url(KEYS["a-1"].public_bytes_raw())}
    )

    verified = joserfc_jws.deserialize_compact(TOKEN, public, algorithms=["Ed25519"])

    assert verified.payload == CLAIMS


def test_we_verify_what_another_library_signs_in_our_form() -> None:
    private = OKPKey.import_key(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": b64url(KEYS["a-1"].public_bytes_raw()),
            "d": b64url(KEY.private_bytes_raw()),
        }
    )

    token = joserfc_jws.serialize_compact(HEADER, CLAIMS, private, algorithms=["Ed25519"])

    assert token == TOKEN


HEADERS = {
    "alg none": HEADER | {"alg": "none"},
    "alg EdDSA": HEADER | {"alg": "EdDSA"},
    "alg HS256": HEADER | {"alg": "HS256"},
    "another type": HEADER | {"typ": "twinlock-receipt+jws"},
    "an unknown key": HEADER | {"kid": "a-2"},
    "the key of another": HEADER | {"kid": "a-0"},
    "no kid": {"alg": "Ed25519", "typ": TYP},
    "no typ": {"alg": "Ed25519", "kid": "a-1"},
    "no alg": {"kid": "a-1", "typ": TYP},
    "crit": HEADER | {"crit": ["exp"]},
    "b64": HEADER | {"b64": False, "crit": ["b64"]},
    "jwk": HEADER | {"jwk": {"kty": "OKP"}},
    "jku": HEADER | {"jku": "https://example.com/keys"},
    "x5c": HEADER | {"x5c": ["MII"]},
    "zip": HEADER | {"zip": "DEF"},
    "another order": {"typ": TYP, "kid": "a-1", "alg": "Ed25519"},
    "a space": json.dumps(HEADER).encode(),
    "a doubled alg": b'{"alg":"none",' + encode(HEADER)[1:],
    "an escape": encode(HEADER).replace(b"a-1", b"\\u0061-1"),
    "a list": [HEADER],
    "no JSON": b"\xff",
    "nothing": b"",
}


@pytest.mark.requirement("O-30")
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_any_other_header_is_refused_however_well_signed(header: object) -> None:
    refuse(forged(header))


def parts() -> tuple[str, str, str]:
    header, payload, signature = TOKEN.split(".")
    return header, payload, signature


H, P, S = parts()
TOKENS = {
    "empty": "",
    "two dots": "..",
    "two parts": f"{H}.{P}",
    "four parts": f"{TOKEN}.",
    "five parts, as encrypted": f"{TOKEN}.a.b",
    "no signature": f"{H}.{P}.",
    "no payload": f"{H}..{S}",
    "detached, signature over all": f"{H}..{S}",
    "padding on the signature": f"{TOKEN}==",
    "padding on the payload": f"{H}.{P}=.{S}",
    "stray bits in the signature": TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1),
    "a signature of 63 bytes": f"{H}.{P}.{b64url(bytes(63))}",
    "a signature of 65 bytes": f"{H}.{P}.{b64url(bytes(65))}",
    "a signature of zeros": f"{H}.{P}.{b64url(bytes(64))}",
    "a line end behind": f"{TOKEN}\n",
    "a space before": f" {TOKEN}",
    "the JSON form": json.dumps({"protected": H, "payload": P, "signature": S}),
    "letters beyond ASCII": f"{H}.{P}é.{S}",
    "the payload of another": f"{H}.{b64url(b'{}')}.{S}",
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_any_other_form_is_refused(token: str) -> None:
    refuse(token)


def test_one_kind_of_statement_never_passes_for_another() -> None:
    refuse(TOKEN, typ="twinlock-receipt+jws")


def test_without_keys_nothing_is_trusted() -> None:
    with pytest.raises(JwsRefusedError):
        jws.verify(TOKEN, keys={}, typ=TYP)


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_no_character_of_a_token_can_be_changed(place: int, character: str) -> None:
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]

    if changed != TOKEN:
        refuse(changed)


@given(st.text(max_size=200))
def test_random_text_is_refused_and_raises_nothing_else(token: str) -> None:
    refuse(token)


def of_length(length: int) -> str:
    """A token of exactly ``length`` characters; the key's name is as long as that takes."""
    for name in ("k", "kk", "kkk"):
        header = HEADER | {"kid": name}
        room = length - len(forged(header, claims=b""))
        token = forged(header, claims=b"x" * (room * 3 // 4))
        if len(token) == length:
            return token
    raise AssertionError


def test_a_token_has_at_most_16384_characters() -> None:
    keys = {"k" * size: KEY.public_key() for size in (1, 2, 3)}
    largest, larger = of_length(16384), of_length(16385)

    claims = jws.verify(largest, keys=keys, typ=TYP)
    kid = json.loads(from_b64url(largest.split(".")[0]))["kid"]
    assert jws.sign(claims, kid=kid, typ=TYP, key=KEY) == largest
    with pytest.raises(JwsRefusedError, match="too large"):
        jws.verify(larger, keys=keys, typ=TYP)
    kid = json.loads(from_b64url(larger.split(".")[0]))["kid"]
    with pytest.raises(InvariantError, match="limit"):
        jws.sign(from_b64url(larger.split(".")[1]), kid=kid, typ=TYP, key=KEY)


@pytest.mark.parametrize("kid", ["", "a b", "a\n", "é", "x" * 129])
def test_a_key_has_a_plain_name(kid: str) -> None:
    with pytest.raises(InvariantError, match="plain characters"):
        jws.sign(CLAIMS, kid=kid, typ=TYP, key=KEY)
