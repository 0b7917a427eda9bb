"""RSA keys of ours: what they sign is RS256, and what is no such key is refused."""

from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from twinlock.adapters.keyring.rsa_keys import (
    FileRsa,
    check_signature,
    new_secret,
    public_half,
)
from twinlock.domain.errors import MalformedError


@pytest.fixture(scope="module")
def secret() -> bytes:
    return new_secret()


def joined(p: int, q: int) -> bytes:
    return p.to_bytes(192, "big") + q.to_bytes(192, "big")


def primes(secret: bytes) -> tuple[int, int]:
    return int.from_bytes(secret[:192], "big"), int.from_bytes(secret[192:], "big")


def test_what_a_key_signs_is_what_anybody_verifies(secret: bytes) -> None:
    key = FileRsa(secret)

    signature = key.sign(b"a token")

    public = rsa.RSAPublicNumbers(65_537, int.from_bytes(key.public, "big")).public_key()
    assert public.key_size == 3_072
    public.verify(signature, b"a token", PKCS1v15(), SHA256())
    check_signature(key.public, signature, b"a token")
    assert FileRsa(secret).sign(b"a token") == signature
    assert key.public == public_half(secret)
    with pytest.raises(InvalidSignature):
        check_signature(key.public, signature, b"another")


def test_two_keys_have_nothing_in_common(secret: bytes) -> None:
    assert set(primes(secret)) & set(primes(new_secret())) == set()


def test_a_secret_is_not_shown(secret: bytes) -> None:
    assert "0x" in repr(FileRsa(secret))
    assert not any(str(one) in repr(FileRsa(secret)) for one in primes(secret))


def nothing(_p: int, _q: int) -> bytes:
    return bytes(384)


def swapped(p: int, q: int) -> bytes:
    return joined(q, p)


def doubled(p: int, _q: int) -> bytes:
    return joined(p, p)


def no_prime(p: int, q: int) -> bytes:
    return joined(p + 2, q - 2)


def even(p: int, q: int) -> bytes:
    return joined(p + 1, q - 1)


def a_third(p: int, _q: int) -> bytes:
    return joined(p, 3)


def of_2048_bits(_p: int, _q: int) -> bytes:
    numbers = rsa.generate_private_key(65_537, 2_048).private_numbers()
    return joined(max(numbers.p, numbers.q), min(numbers.p, numbers.q))


@pytest.mark.parametrize(
    "change", [nothing, swapped, doubled, no_prime, even, a_third, of_2048_bits]
)
def test_what_is_no_such_key_is_refused_without_its_secret(
    secret: bytes, change: Callable[[int, int], bytes]
) -> None:
    with pytest.raises(MalformedError) as refused:
        FileRsa(change(*primes(secret)))
    assert refused.value.__cause__ is None
    assert str(refused.value) == "not the secret of an RSA key of ours"


@pytest.mark.parametrize("public", [bytes(384), b"\xff" * 383, b"\xff" * 383 + b"\xfe", b""])
def test_what_is_no_public_half_verifies_nothing(public: bytes) -> None:
    with pytest.raises((MalformedError, InvalidSignature)):
        check_signature(public, bytes(384), b"x")
