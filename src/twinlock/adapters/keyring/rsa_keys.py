"""RSA keys, for those receivers of signals that verify RS256 alone.

A key has 3,072 bits, which SP 800-57 (part 1, 5.6.1) counts as good as the seeds of our other keys,
and the exponent 65,537. Its secret is its two primes, the larger one first; its public half is
their product. Each of them has ``RSA_BYTES``, big-endian.

Always true (tests/unit/adapters/test_rsa_keys.py): what is no such key is refused, and a key that
was read has signed a probe that its public half verifies.

Source: RFC 8017, 3 and 8.2; RFC 7518, 3.3 (``RS256``).
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from twinlock.domain.errors import MalformedError

RSA_BITS = 3_072
RSA_BYTES = RSA_BITS // 8
EXPONENT = 65_537
_PRIME_BYTES = RSA_BYTES // 2
_PROBE = b"twinlock rsa probe"


def new_secret() -> bytes:
    """Return the secret of a new key (0.1 to 1 s), by the random bits of OpenSSL."""
    numbers = rsa.generate_private_key(EXPONENT, RSA_BITS).private_numbers()
    larger, smaller = sorted((numbers.p, numbers.q), reverse=True)
    return larger.to_bytes(_PRIME_BYTES, "big") + smaller.to_bytes(_PRIME_BYTES, "big")


def public_half(secret: bytes) -> bytes:
    """Return the public half of ``secret``. Raises MalformedError: it has another size or order."""
    p, q = _primes(secret)
    if p <= q or (p * q).bit_length() != RSA_BITS:
        raise MalformedError("not the secret of an RSA key of ours")
    return (p * q).to_bytes(RSA_BYTES, "big")


def check_signature(public: bytes, signature: bytes, message: bytes) -> None:
    """Return when ``public`` verifies. Raises InvalidSignature, MalformedError: it is no key."""
    modulus = int.from_bytes(public, "big")
    if modulus.bit_length() != RSA_BITS:
        raise MalformedError("not the public half of an RSA key of ours")
    try:
        key = rsa.RSAPublicNumbers(EXPONENT, modulus).public_key()
    except ValueError as error:
        raise MalformedError("not the public half of an RSA key of ours") from error
    key.verify(signature, message, PKCS1v15(), SHA256())


class FileRsa:
    """An RSA key from its secret (3 ms: keep it). Implements ``ports.SigningKey``."""

    __slots__ = ("_key", "_public")

    def __init__(self, secret: bytes) -> None:
        """Raises MalformedError: the secret is none."""
        self._public = public_half(secret)
        p, q = _primes(secret)
        try:
            d = rsa.rsa_recover_private_exponent(EXPONENT, p, q)
            numbers = rsa.RSAPrivateNumbers(
                p=p,
                q=q,
                d=d,
                dmp1=rsa.rsa_crt_dmp1(d, p),
                dmq1=rsa.rsa_crt_dmq1(d, q),
                iqmp=rsa.rsa_crt_iqmp(p, q),
                public_numbers=rsa.RSAPublicNumbers(EXPONENT, p * q),
            )
            # Whether p and q are primes would be asked for 0.2 s, in which a process does nothing
            # else. They make up the modulus that names the key, and the probe shows the rest.
            self._key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
            check_signature(self._public, self.sign(_PROBE), _PROBE)
        except (ValueError, InvalidSignature):
            # Without its cause: that may quote the secret.
            raise MalformedError("not the secret of an RSA key of ours") from None

    @property
    def public(self) -> bytes:
        """The public key: the modulus."""
        return self._public

    def sign(self, message: bytes, /) -> bytes:
        """Return the signature by RS256 (1.5 ms), the same one each time."""
        return self._key.sign(message, PKCS1v15(), SHA256())


def _primes(secret: bytes) -> tuple[int, int]:
    return (
        int.from_bytes(secret[:_PRIME_BYTES], "big"),
        int.from_bytes(secret[_PRIME_BYTES:], "big"),
    )
