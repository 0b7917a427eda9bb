"""Signatures of messages against the vectors of the standards, and against what others sign.

Source: RFC 9421, B.1.4 and B.2.6; RFC 9530, B.1 and B.2; RFC 8032, 5.1 (small order).
"""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    InvalidSignature,
    algorithms,
)
from http_message_signatures.resolvers import MappingKeyResolver

from twinlock.domain.canonical import b64url
from twinlock.domain.message_signatures import (
    ANSWER_TAG,
    REQUEST_TAG,
    RequestMessage,
    SignatureFault,
    SignatureRefusedError,
    content_digest,
    draft_answer,
    draft_request,
    signature_base,
)
from twinlock.domain.structured_fields import read_bytes, read_inner_list, read_member
from twinlock.proofs.message_signatures import (
    PEM_CHARACTERS_MOST,
    SigningKeyWrongError,
    read_public_key,
    verify_request,
)

PUBLIC_PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
"""
SECRET = bytes.fromhex("9f8362f87a484a954e6e740c5b4c0e84229139a20aa8ab56ff66586f6a7d29c5")
B26 = (
    'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
    ';created=1618884473;keyid="test-key-ed25519"'
)
B26_SIGNATURE = (
    "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw"
    "==:"
)
B26_VALUES = {
    "date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "@method": "POST",
    "@path": "/foo",
    "@authority": "example.com",
    "content-type": "application/json",
    "content-length": "18",
}
URL = "https://twinlock.example/v1/actions?a=b&c=%20d"
BODY = b'{"hello": "world"}'
KEY = "k" * 26
NONCE = "a-nonce-of-somebody"
ed25519 = algorithms.ED25519


def test_the_signature_of_the_standard_verifies_over_our_base() -> None:
    _, text = read_member(B26)
    _, signature = read_member(B26_SIGNATURE)
    base = signature_base(read_inner_list(text), lambda item: B26_VALUES[item.value])

    assert base.splitlines()[0] == b'"date": Tue, 20 Apr 2021 02:07:55 GMT'
    key = Ed25519PublicKey.from_public_bytes(read_public_key(PUBLIC_PEM))
    key.verify(read_bytes(signature), base)
    assert Ed25519PrivateKey.from_private_bytes(SECRET).sign(base) == read_bytes(signature)


def test_the_digests_of_the_standard_are_ours() -> None:
    line = b'{"hello": "world"}\n'

    assert content_digest(line) == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    assert content_digest(BODY) == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    assert content_digest(b"") == "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"


# --- Others ---

SIGNER = Ed25519PrivateKey.from_private_bytes(SECRET)
PUBLIC = SIGNER.public_key().public_bytes_raw()
KEYS = MappingKeyResolver(
    public_keys={KEY: SIGNER.public_key()},
    private_keys={KEY: SIGNER},
)


def now() -> datetime:
    """Return the second of the day: the other library looks at the clock itself."""
    return datetime.now(UTC).replace(microsecond=0)


def a_request() -> httpx.Request:
    headers = {
        "Authorization": "Bearer tlk_x",
        "Idempotency-Key": "key-0001",
        "Content-Type": "application/json",
    }
    return httpx.Request("POST", URL, content=BODY, headers=headers)


def received(request: httpx.Request) -> RequestMessage:
    path, _, query = request.url.raw_path.decode().partition("?")
    return RequestMessage(
        method=request.method,
        scheme="https",
        authority="twinlock.example",
        path=path,
        query=query,
        fields=tuple((name.lower(), one) for name, one in request.headers.multi_items()),
        body=request.content,
    )


@pytest.mark.parametrize("target", [("@target-uri",), ("@authority", "@path", "@query")])
def test_what_another_library_signs_is_read(target: tuple[str, ...]) -> None:
    request = a_request()
    others = HTTPMessageSigner(signature_algorithm=ed25519, key_resolver=KEYS)
    others.sign(
        request,
        key_id=KEY,
        created=now(),
        expires=now() + timedelta(minutes=1),
        nonce=NONCE,
        tag=REQUEST_TAG,
        label="sig1",
        covered_component_ids=("@method", *target, "authorization", "idempotency-key"),
        body=BODY,
    )

    found = verify_request(received(request), public_key=PUBLIC, keyid=KEY, now=now())
    assert found.nonce == NONCE
    request.headers["Idempotency-Key"] = "key-0002"
    with pytest.raises(SignatureRefusedError) as refused:
        verify_request(received(request), public_key=PUBLIC, keyid=KEY, now=now())
    assert refused.value.fault is SignatureFault.WRONG


def signed_by_us() -> httpx.Request:
    request = a_request()
    draft = draft_request(received(request), keyid=KEY, nonce=NONCE, now=now())
    request.headers.update(draft.fields(SIGNER.sign(draft.base)))
    return request


def test_what_we_sign_is_read_by_another_library() -> None:
    request = signed_by_us()
    others = HTTPMessageVerifier(signature_algorithm=ed25519, key_resolver=KEYS)
    needed = ("@method", "@authority", "@path", "@query", "authorization", "idempotency-key")

    (found,) = others.verify(request, expect_tag=REQUEST_TAG, require_components=needed, body=BODY)
    assert (found.nonce, found.body) == (NONCE, BODY)
    request.headers["Authorization"] = "Bearer tlk_y"
    with pytest.raises(InvalidSignature):
        others.verify(request, expect_tag=REQUEST_TAG)


def test_what_we_answer_is_read_by_another_library() -> None:
    request = signed_by_us()
    to = verify_request(received(request), public_key=PUBLIC, keyid=KEY, now=now())
    body = b'{"answer":"allow"}'
    draft = draft_answer(
        status=200, content_type="application/json", body=body, to=to, keyid=KEY, now=now()
    )
    fields = {"content-type": "application/json", **draft.fields(SIGNER.sign(draft.base))}
    answer = httpx.Response(200, content=body, headers=fields, request=request)
    others = HTTPMessageVerifier(signature_algorithm=ed25519, key_resolver=KEYS)
    needed = ("@status", "content-digest", "content-type", '"signature";req')

    (found,) = others.verify(answer, expect_tag=ANSWER_TAG, require_components=needed, body=body)
    assert found.body == body
    other = httpx.Response(200, content=body, headers=fields, request=a_request())
    other.request.headers["Signature"] = f"twinlock=:{'A' * 86}==:"
    with pytest.raises(InvalidSignature):
        others.verify(other, expect_tag=ANSWER_TAG)


# --- Public keys ---

_PRIME = 2**255 - 19


def double(y: int) -> int:
    """Return the y of twice a point of edwards25519 (RFC 8032, 5.1.4), by its y alone."""
    d = -121665 * pow(121666, -1, _PRIME) % _PRIME
    x2 = (y * y - 1) * pow(d * y * y + 1, -1, _PRIME) % _PRIME
    return (y * y + x2) * pow(1 - d * x2 * y * y, -1, _PRIME) % _PRIME


def small_order() -> list[bytes]:
    """Return the points of an order up to 8, with both signs, and those written past the prime."""
    eighth = 2707385501144840649318225287225658788936804267575313519463743609750303402022
    found = [0, 1, _PRIME - 1, eighth, _PRIME - eighth]
    for y in found:
        assert double(double(double(y))) == 1  # Eight times the point is the neutral one.
    past = [_PRIME, _PRIME + 1]
    both = [y | sign << 255 for y in (*found, *past) for sign in (0, 1)]
    return [y.to_bytes(32, "little") for y in both]


@pytest.mark.parametrize("key", small_order(), ids=bytes.hex)
def test_a_key_for_which_anybody_can_sign_is_refused(key: bytes) -> None:
    with pytest.raises(SigningKeyWrongError):
        read_public_key(b64url(key))


def test_a_key_is_read_from_base64url_and_from_pem() -> None:
    assert read_public_key(PUBLIC_PEM) == read_public_key(b64url(PUBLIC)) == PUBLIC
    assert b64encode(PUBLIC).decode() in PUBLIC_PEM


def test_space_around_a_pem_is_no_matter_up_to_its_limit() -> None:
    padded = ("\n " + PUBLIC_PEM).ljust(PEM_CHARACTERS_MOST)

    assert read_public_key(padded) == PUBLIC
    with pytest.raises(SigningKeyWrongError, match="too long"):
        read_public_key(padded + " ")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("key", id="a word"),
        pytest.param(b64url(bytes(31)), id="31 bytes"),
        pytest.param(b64url(bytes(33)), id="33 bytes"),
        pytest.param(b64encode(PUBLIC).decode(), id="base64"),
        pytest.param("ä", id="another script"),
        pytest.param("-----BEGIN PUBLIC KEY-----", id="cut off"),
        pytest.param("-----ä", id="no PEM"),
        pytest.param(PUBLIC_PEM.replace("PUBLIC", "PRIVATE"), id="another label"),
        pytest.param("-----" + " " * 1_024, id="too long"),
        pytest.param(
            "-----BEGIN PUBLIC KEY-----\n"
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf\n"
            "w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==\n"
            "-----END PUBLIC KEY-----\n",
            id="a key on P-256",
        ),
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(SigningKeyWrongError):
        read_public_key(text)
