"""Keys whose secret lies in a file and works in this process. Implements the ports of a key."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from twinlock.domain.errors import SealBrokenError


class FileSigning:
    """An Ed25519 key from its seed (30 µs: keep it). Implements ``ports.SigningKey``."""

    __slots__ = ("_key", "_public")

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()

    @property
    def public(self) -> bytes:
        """The public key: 32 bytes."""
        return self._public

    def sign(self, message: bytes, /) -> bytes:
        """Return the signature (64 bytes); Ed25519 gives the same one each time."""
        return self._key.sign(message)


class FileSeal:
    """An AES-256-GCM key. Implements ``ports.SealKey``."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def wrap(self, secret: bytes, *, nonce: bytes, owner: bytes) -> bytes:
        """Return ciphertext ‖ tag."""
        return self._cipher.encrypt(nonce, secret, owner)

    def unwrap(self, wrapped: bytes, *, nonce: bytes, owner: bytes) -> bytes:
        """Return what was wrapped for this owner. Raises SealBrokenError."""
        try:
            return self._cipher.decrypt(nonce, wrapped, owner)
        except InvalidTag as error:
            raise SealBrokenError("a wrapped key is not what we wrapped") from error
