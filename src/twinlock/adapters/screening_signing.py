"""The signature beside a list of sanctions: who put it in place, when, and that it is whole.

It is detached: a JWS in a file of the list's name and ``.jws``, over the SHA-256 of the list's
bytes and the time of signing. A list stays what its publisher made, and a new signature renews it.

Always true (tests/unit/adapters/test_screening_signing.py): under a key that is set, bytes that
this key did not sign are not read as a list; and what was read is what was signed.
"""

import hashlib
import io
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from twinlock.adapters import private_files
from twinlock.adapters.prices import read_private_key
from twinlock.adapters.regular_files import open_regular
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import JwsRefusedError
from twinlock.domain.screening import ScreeningListWrongError
from twinlock.proofs import jws

TYPE = "twinlock-screening+jwt"
SUFFIX = ".jws"
SIGNATURE_BYTES_MOST = 4_096
SIGNATURE_MODE = 0o644  # No secret: the service may run as another user.
_CHUNK = 1 << 20


class SignedList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed: the SHA-256 of the list's bytes, base64url, and when (UTC)."""

    sha256: str
    signed_at: datetime


def signature_path(path: Path) -> Path:
    """Return where the signature of the list at ``path`` is."""
    return path.with_name(path.name + SUFFIX)


def checked(path: Path, *, key: bytes) -> SignedList:
    """Return what the signature beside the list at ``path`` says, by ``key``.

    Raises:
        ScreeningListWrongError: there is none, or it is not by this key.
    """
    try:
        with open_regular(signature_path(path)) as file:
            token = file.read(SIGNATURE_BYTES_MOST).decode("ascii").strip()
        claims = jws.verify(token, keys=_keys(key), typ=TYPE)
        said = msgspec.json.decode(claims, type=SignedList)
    except OSError as error:
        raise ScreeningListWrongError(f"the list is not signed: {error.strerror}") from error
    except (UnicodeDecodeError, JwsRefusedError, msgspec.MsgspecError) as error:
        raise ScreeningListWrongError("the list is not signed by the key that is set") from error
    if said.signed_at.tzinfo is None:
        raise ScreeningListWrongError("the list's signature says no time zone")
    return said


def _keys(key: bytes) -> Mapping[str, Ed25519PublicKey]:
    return {b64url(key): Ed25519PublicKey.from_public_bytes(key)}


class Hashing(io.RawIOBase):
    """A file that is hashed as it is read; ``check`` says whether it is what was signed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any buffer, as the base class says
        """Read some bytes."""
        data = self._file.read(len(buffer))
        self._hash.update(data)
        buffer[: len(data)] = data
        return len(data)

    def check(self, signed: SignedList) -> None:
        """Return when all that was read is what was signed. Raises ScreeningListWrongError."""
        if b64url(self._hash.digest()) != signed.sha256:
            raise ScreeningListWrongError("the list is not the one that was signed")


def check_bytes(file: BinaryIO, signed: SignedList) -> None:
    """Check a whole file before anything of it is read as a list, and go back to its begin.

    Raises:
        ScreeningListWrongError: it is not what was signed.
    """
    hashing = Hashing(file)
    while hashing.read(_CHUNK):
        pass
    hashing.check(signed)
    file.seek(0)


def sign_list(path: Path, *, key_file: Path, now: datetime) -> SignedList:
    """Sign the list at ``path``, and put the signature beside it, whole or not at all.

    Raises:
        ScreeningListWrongError: the list cannot be read, or the signature not be written.
        PriceKeyWrongError, FileUnsafeError: ``key_file`` holds no key, or is open to others.
    """
    key: Ed25519PrivateKey = read_private_key(key_file)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        said = SignedList(sha256=b64url(digest), signed_at=now.replace(microsecond=0))
        kid = b64url(key.public_key().public_bytes_raw())
        token = jws.sign(encode(said), kid=kid, typ=TYPE, key=key)
        target = signature_path(path)
        private_files.write(target, f"{token}\n".encode("ascii"), mode=SIGNATURE_MODE)
    except OSError as error:
        raise ScreeningListWrongError(f"{error.filename}: {error.strerror}") from error
    return said
