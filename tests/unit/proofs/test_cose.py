import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.proofs import cose

P256 = ec.derive_private_key(7, ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RSA2048 = rsa.generate_private_key(65537, 2048)


def ec2(x: bytes, y: bytes, **changed: object) -> bytes:
    return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y} | {int(k): v for k, v in changed.items()})


def coordinates(key: ec.EllipticCurvePrivateKey = P256) -> tuple[bytes, bytes]:
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")


def okp(point: bytes) -> bytes:
    return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: point})


def rs256(modulus: int, *, exponent: bytes = b"\x01\x00\x01", size: int | None = None) -> bytes:
    length = size or (modulus.bit_length() + 7) // 8
    return cbor2.dumps({1: 3, 3: -257, -1: modulus.to_bytes(length, "big"), -2: exponent})


ES256_KEY = ec2(*coordinates())
EDDSA_KEY = okp(ED25519.public_key().public_bytes_raw())
RS256_KEY = rs256(RSA2048.public_key().public_numbers().n)
KEYS = [
    pytest.param(ES256_KEY, P256.sign(b"data", ec.ECDSA(SHA256())), id="ES256"),
    pytest.param(EDDSA_KEY, ED25519.sign(b"data"), id="EdDSA"),
    pytest.param(RS256_KEY, RSA2048.sign(b"data", PKCS1v15(), SHA256()), id="RS256"),
]


def test_those_three_are_offered_and_nothing_else() -> None:
    offered = [cbor2.loads(key)[3] for key in (ES256_KEY, EDDSA_KEY, RS256_KEY)]

    assert list(cose.ALGORITHMS) == offered == [-7, -8, -257]


@pytest.mark.requirement("O-30")
@pytest.mark.parametrize(("key", "signature"), KEYS)
def test_the_three_kinds_of_key_verify_what_they_signed(key: bytes, signature: bytes) -> None:
    assert cose.verify(cose.load(key), signature, b"data") == b"data"


@pytest.mark.parametrize(("key", "signature"), KEYS)
def test_no_key_verifies_what_it_did_not_sign(key: bytes, signature: bytes) -> None:
    with pytest.raises(ProofRefusedError) as refused:
        cose.verify(cose.load(key), signature, b"date")
    assert refused.value.fault is ProofFault.BAD_SIGNATURE


@pytest.mark.parametrize(("key", "signature"), KEYS)
def test_a_key_is_parted_from_what_follows_it(key: bytes, signature: bytes) -> None:
    assert cose.split(key) == (key, b"")
    assert cose.split(key + b"\xa0") == (key, b"\xa0")


@pytest.mark.parametrize(("key", "signature"), KEYS)
@pytest.mark.parametrize("change", [b"", b"\x00"], ids=["a byte short", "a byte long"])
def test_a_key_of_another_length_is_refused(key: bytes, signature: bytes, change: bytes) -> None:
    with pytest.raises(ProofRefusedError) as refused:
        cose.load(key + change if change else key[:-1])
    assert refused.value.fault is ProofFault.ALGORITHM_NOT_ALLOWED


X, Y = coordinates()
X384 = bytes(48)
NOT_ALLOWED = {
    "nothing at all": b"",
    "no CBOR": b"\xff" * 77,
    "ES384": ec2(X384, X384, **{"3": -35, "-1": 2}),
    "ES512": ec2(bytes(66), bytes(66), **{"3": -36, "-1": 3}),
    "ES256 on P-384": ec2(X384, X384, **{"-1": 2}),
    "ES256K on secp256k1": ec2(X, Y, **{"3": -47, "-1": 8}),
    "a compressed point": cbor2.dumps({1: 2, 3: -7, -1: 1, -2: X, -3: True}),
    "coordinates swapped": cbor2.dumps({1: 2, 3: -7, -1: 1, -3: Y, -2: X}),
    "a parameter more": ec2(X, Y, **{"4": [2]}),
    "a parameter less": cbor2.dumps({1: 2, 3: -7, -1: 1, -2: X}),
    "a long form of a short length": ES256_KEY.replace(b"\x21\x58\x20", b"\x21\x59\x00\x20"),
    "an uncompressed U2F point": b"\x04" + X + Y,
    "another tag before y": ES256_KEY.replace(b"\x22\x58\x20", b"\x23\x58\x20"),
    "Ed448": cbor2.dumps({1: 1, 3: -8, -1: 7, -2: bytes(57)}),
    "X25519": cbor2.dumps({1: 1, 3: -8, -1: 4, -2: bytes(32)}),
    "PS256": RS256_KEY.replace(b"\x39\x01\x00", b"\x38\x24\x00"),
    "RS1": cbor2.dumps({1: 3, 3: -65535, -1: bytes(256), -2: b"\x01\x00\x01"}),
    "RSA with exponent 3": rs256(RSA2048.public_key().public_numbers().n, exponent=b"\x03"),
    "RSA with exponent 65539": rs256(
        RSA2048.public_key().public_numbers().n, exponent=b"\x01\x00\x03"
    ),
    "ML-DSA-44": cbor2.dumps({1: 7, 3: -48, -1: bytes(1312)}),
}


@pytest.mark.requirement("O-30")
@pytest.mark.parametrize("key", NOT_ALLOWED.values(), ids=NOT_ALLOWED)
def test_any_other_kind_or_form_of_key_is_refused(key: bytes) -> None:
    with pytest.raises(ProofRefusedError) as refused:
        cose.load(key)
    assert refused.value.fault is ProofFault.ALGORITHM_NOT_ALLOWED


PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
ODD_2048, ODD_4096 = 2**2047 + 1, 2**4095 + 1
INVALID = {
    "a point off the curve": ec2(X, (int.from_bytes(Y, "big") ^ 1).to_bytes(32, "big")),
    "the point (0, 0)": ec2(bytes(32), bytes(32)),
    "a coordinate not below the prime": ec2(PRIME.to_bytes(32, "big"), Y),
    "RSA of 2047 bits": rs256(2**2046 + 1),
    "RSA of 4097 bits": rs256(2**4096 + 1),
    "RSA with a leading zero": rs256(ODD_2048, size=257),
    "RSA with an even modulus": rs256(2**2047),
}


@pytest.mark.parametrize("key", INVALID.values(), ids=INVALID)
def test_a_key_that_cannot_prove_is_refused(key: bytes) -> None:
    with pytest.raises(ProofRefusedError) as refused:
        cose.load(key)
    assert refused.value.fault is ProofFault.KEY_INVALID


@pytest.mark.parametrize("modulus", [ODD_2048, ODD_4096], ids=["2048 bits", "4096 bits"])
def test_rsa_is_accepted_from_2048_to_4096_bits(modulus: int) -> None:
    key = cose.load(rs256(modulus))

    assert isinstance(key, rsa.RSAPublicKey)
    assert key.public_numbers().n == modulus


def field_square_root(square: int, p: int) -> int:
    """RFC 8032, 5.1.3, step 3: p is 5 modulo 8."""
    root = pow(square, (p + 3) // 8, p)
    return root if root * root % p == square else root * pow(2, (p - 1) // 4, p) % p


def points_of_small_order() -> list[bytes]:
    """All spellings of the y of a point of order 1, 2, 4 or 8 on Ed25519, from first principles."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p
    # Of order 1, 2, 4: y = 1, -1, 0. Of order 8: doubled they have y = 0, so x² = -y², and then
    # -x² + y² = 1 + d·x²·y² says d·y⁴ + 2·y² - 1 = 0.
    root = field_square_root((1 + d) % p, p)
    squares = [(-1 + sign * root) * pow(d, -1, p) % p for sign in (1, -1)]
    eighths = [field_square_root(square, p) for square in squares]
    ys = [y for y, square in zip(eighths, squares, strict=True) if y * y % p == square]
    spellings = {1, p - 1, 0, p, p + 1, *ys, *(p - y for y in ys)}
    return [(y | sign << 255).to_bytes(32, "little") for y in sorted(spellings) for sign in (0, 1)]


@pytest.mark.parametrize("point", points_of_small_order(), ids=bytes.hex)
def test_an_ed25519_point_of_small_order_is_no_key(point: bytes) -> None:
    with pytest.raises(ProofRefusedError) as refused:
        cose.load(okp(point))
    assert refused.value.fault is ProofFault.KEY_INVALID


def test_without_that_rule_one_signature_would_verify_for_any_message() -> None:
    neutral = b"\x01" + bytes(31)
    key = ed25519.Ed25519PublicKey.from_public_bytes(neutral)

    for message in (b"pay Alice", b"pay Mallory"):
        assert cose.verify(key, neutral + bytes(32), message) == message
