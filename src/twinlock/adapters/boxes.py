"""Sealed boxes: what the database stores and cannot read, change or move.

Always true (tests/unit/adapters/test_boxes.py):

* a box opens only under the subject, kind, id and version that it was sealed for;
* a subject's key opens only for that subject, and only under a seal key of this keyring;
* a row that stays in clear and has a MAC is the one that we wrote, for the purpose of its tag;
* any other bytes are SealBrokenError.

Each subject has its own AES-256-GCM key (NIST SP 800-38D), wrapped by the keyring's seal key:
deleting the wrapped key erases the person. Nonces are random, so one key may seal at most 2^32
boxes (SP 800-38D, 8.3): a subject at one action a second reaches that after 136 years, and one seal
key wraps at most 2^32 subjects.

A box is nonce (12) ‖ ciphertext ‖ tag (16). A wrapped key is seal key id (8) ‖ nonce (12) ‖
ciphertext (32) ‖ tag (16): 68 bytes. A row's MAC is seal key id (8) ‖ HMAC-SHA-256 (32), under a
key that is derived from the seal key, since one key has one use.
"""

import hmac
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from twinlock.adapters.keyring import KEY_ID_BYTES, Key, Keyring, Role
from twinlock.domain.canonical import tagged_mac
from twinlock.domain.errors import DocumentTooLargeError, SealBrokenError, invariant

NONCE_BYTES = 12
TAG_BYTES = 16
KEY_BYTES = 32
NEW_KEY_ENTROPY_BYTES = KEY_BYTES + NONCE_BYTES
MAX_PLAINTEXT_BYTES = 16_384  # A 27 KB document halved the throughput (measured).
_VERSION = (8).to_bytes(8, "big")  # The length of a version, as ``_framed`` writes it.
_WRAPPED_BYTES = KEY_ID_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES


class SubjectKey:
    """The key of one subject, for the time of one decision."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        invariant(len(key) == KEY_BYTES, "a subject's key has 32 bytes")
        self._cipher = AESGCM(key)

    def seal(
        self, plaintext: bytes, *, kind: str, row_id: str, version: int, nonce: bytes
    ) -> bytes:
        """Return the box of ``plaintext``; ``nonce`` is 12 random bytes, never used before.

        Raises:
            DocumentTooLargeError: more than 16,384 bytes.
        """
        invariant(len(nonce) == NONCE_BYTES, "a nonce has 12 bytes")
        invariant(version >= 0, "a version is not negative")
        if len(plaintext) > MAX_PLAINTEXT_BYTES:
            raise DocumentTooLargeError(f"a {kind} has more than {MAX_PLAINTEXT_BYTES} bytes")
        place = _place(kind=kind, row_id=row_id, version=version)
        return nonce + self._cipher.encrypt(nonce, plaintext, place)

    def open(self, box: bytes, *, kind: str, row_id: str, version: int) -> bytes:
        """Return what was sealed for exactly this kind, id and version.

        Raises:
            SealBrokenError: anything else.
        """
        if version < 0:
            raise SealBrokenError("a stored row has a version that we never wrote")
        place = _place(kind=kind, row_id=row_id, version=version)
        return _decrypt(self._cipher, box, place)


class Sealer:
    """Makes and opens subjects' keys under the seal keys of one keyring."""

    def __init__(self, keyring: Keyring) -> None:
        keys = keyring.keys(Role.SEAL)
        self._current_id = _id_bytes(keys[0])
        self._ciphers = {_id_bytes(key): AESGCM(key.secret) for key in keys}
        self._row_keys = {_id_bytes(key): tagged_mac(key.secret, "row-key/v1") for key in keys}

    def new_subject_key(self, subject_id: str, *, random: bytes) -> bytes:
        """Return a new wrapped key (68 bytes) for ``subject_id``, from 44 random bytes."""
        invariant(len(random) == NEW_KEY_ENTROPY_BYTES, "a new key takes 44 random bytes")
        key, nonce = random[:KEY_BYTES], random[KEY_BYTES:]
        owner = _framed(b"subject-key/v1", subject_id.encode())
        wrapped = self._ciphers[self._current_id].encrypt(nonce, key, owner)
        return self._current_id + nonce + wrapped

    def open_subject_key(self, subject_id: str, wrapped: bytes) -> SubjectKey:
        """Return the key that was wrapped for exactly this subject.

        Raises:
            SealBrokenError: anything else, or a seal key that this keyring does not hold.
        """
        cipher = self._ciphers.get(wrapped[:KEY_ID_BYTES])
        if cipher is None or len(wrapped) != _WRAPPED_BYTES:
            raise SealBrokenError("a subject's key was not sealed under this keyring")
        owner = _framed(b"subject-key/v1", subject_id.encode())
        return SubjectKey(_decrypt(cipher, wrapped[KEY_ID_BYTES:], owner))

    def mac(self, tag: str, *parts: bytes) -> bytes:
        """Return the MAC (40 bytes) of a row that stays in clear; ``tag`` says what kind it is."""
        key = self._row_keys[self._current_id]
        return self._current_id + tagged_mac(key, tag, *parts)

    def check_mac(self, mac: bytes, tag: str, *parts: bytes) -> None:
        """Return when ``mac`` is that of exactly these parts, under any seal key that we hold.

        Raises:
            SealBrokenError: it is not, or the key is not in this keyring: a process that started
                before a key was added does not hold it.
        """
        key = self._row_keys.get(mac[:KEY_ID_BYTES])
        if key is None:
            raise SealBrokenError("a stored row was not sealed under a key that this process holds")
        if not hmac.compare_digest(mac[KEY_ID_BYTES:], tagged_mac(key, tag, *parts)):
            raise SealBrokenError("a stored row is not what we sealed")


def _decrypt(cipher: AESGCM, box: bytes, associated: bytes) -> bytes:
    if not NONCE_BYTES + TAG_BYTES <= len(box) <= NONCE_BYTES + MAX_PLAINTEXT_BYTES + TAG_BYTES:
        raise SealBrokenError("a stored row is not what we sealed")
    try:
        return cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], associated)
    except InvalidTag as error:
        raise SealBrokenError("a stored row is not what we sealed") from error


def _place(*, kind: str, row_id: str, version: int) -> bytes:
    """Return the associated data of a row: no two (id, kind, version) give the same bytes."""
    return _name(row_id, kind) + _VERSION + version.to_bytes(8, "big")


@lru_cache(maxsize=256)  # Of the streams of a batch, and of an account whose entries are read.
def _name(row_id: str, kind: str) -> bytes:
    return _framed(b"box/v1", row_id.encode(), kind.encode())


def _framed(*parts: bytes) -> bytes:
    return b"".join([len(part).to_bytes(8, "big") + part for part in parts])


def _id_bytes(key: Key) -> bytes:
    return bytes.fromhex(key.key_id)
