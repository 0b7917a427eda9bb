"""Sealed boxes: what the database stores and cannot read, change or move.

Always true (tests/unit/adapters/test_boxes.py):

* a box opens only under the subject, kind, id and version that it was sealed for;
* a subject's key opens only for that subject, and only under a seal key of this keyring;
* a row that stays in clear and has a MAC is the one that we wrote, for the purpose of its tag;
* nothing is wrapped and no row gets a MAC by keys that may be gone (``check_ready``);
* any other bytes are SealBrokenError.

Each subject has its own AES-256-GCM key (NIST SP 800-38D), wrapped by the keyring's seal key:
deleting the wrapped key erases the person. Nonces are random, so one key may seal at most 2^32
boxes (SP 800-38D, 8.3): a subject at one action a second reaches that after 136 years, and one seal
key wraps at most 2^32 subjects.

Where the seal key lies in a token, a subject's key is unwrapped there once, and kept in memory for
as long as it is among the last that were used.

A box is nonce (12) ‖ ciphertext ‖ tag (16). A wrapped key is seal key id (8) ‖ nonce (12) ‖
ciphertext (32) ‖ tag (16): 68 bytes. A row's MAC is seal key id (8) ‖ HMAC-SHA-256 (32), under a
key of its own, since one key has one use: it is derived from the seal key in a file, and wrapped
under one in a token.
"""

import hmac
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from twinlock.adapters.keyring.ring import KEY_ID_BYTES, Key, Keyring, Role
from twinlock.domain.bounds import DOCUMENT_BYTES_MOST
from twinlock.domain.canonical import tagged_mac
from twinlock.domain.errors import DocumentTooLargeError, SealBrokenError, invariant
from twinlock.ports.keys import (
    SealKey,
)

NONCE_BYTES = 12
TAG_BYTES = 16
KEY_BYTES = 32
NEW_KEY_ENTROPY_BYTES = KEY_BYTES + NONCE_BYTES
_VERSION = (8).to_bytes(8, "big")  # The length of a version, as ``_framed`` writes it.
_WRAPPED_BYTES = KEY_ID_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES
OPENED_MOST = 20_000  # Subjects' keys from a token that are kept in memory: 20 MB.


class SubjectKey:
    """The key of one subject, for the time of one decision."""

    __slots__ = ("_cipher", "_key")

    def __init__(self, key: bytes) -> None:
        invariant(len(key) == KEY_BYTES, "a subject's key has 32 bytes")
        self._cipher = AESGCM(key)
        self._key = key

    def derived(self, tag: str) -> bytes:
        """Return a key of 32 bytes for another use, named by ``tag``; it goes with this one."""
        return tagged_mac(self._key, tag)

    def seal(
        self, plaintext: bytes, *, kind: str, row_id: str, version: int, nonce: bytes
    ) -> bytes:
        """Return the box of ``plaintext``; ``nonce`` is 12 random bytes, never used before.

        Raises:
            DocumentTooLargeError: more than DOCUMENT_BYTES_MOST bytes.
        """
        invariant(len(nonce) == NONCE_BYTES, "a nonce has 12 bytes")
        invariant(version >= 0, "a version is not negative")
        if len(plaintext) > DOCUMENT_BYTES_MOST:
            raise DocumentTooLargeError(f"a {kind} has more than {DOCUMENT_BYTES_MOST} bytes")
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


class _Held(NamedTuple):
    """The seal keys of one keyring, by their ids, and which of them makes."""

    current: bytes
    seals: dict[bytes, SealKey]
    row_keys: dict[bytes, bytes]
    in_token: frozenset[bytes]
    naming: tuple[tuple[bytes, bytes], ...]


def _always_ready() -> None:
    """Return: a keyring that is not followed is as good as it was when it was read."""


class Sealer:
    """Makes and opens subjects' keys under the seal keys of one keyring."""

    def __init__(self, keyring: Keyring, *, ready: Callable[[], None] = _always_ready) -> None:
        self._held = _held(keyring)
        self._opened: OrderedDict[tuple[str, bytes], SubjectKey] = OrderedDict()
        self._ready = ready

    def take(self, keyring: Keyring) -> None:
        """Go on with a keyring that has changed."""
        self._held = _held(keyring)

    def check_ready(self) -> None:
        """Return when the keys can be used for something new.

        Raises:
            KeysStaleError: this process does not see the keyring any more.
            TokenUnavailableError: the token that holds them does not answer.
        """
        self._ready()

    def new_subject_key(self, subject_id: str, *, random: bytes) -> bytes:
        """Return a new wrapped key (68 bytes) for ``subject_id``, from 44 random bytes.

        Raises:
            KeysStaleError, TokenUnavailableError: as ``check_ready``.
        """
        invariant(len(random) == NEW_KEY_ENTROPY_BYTES, "a new key takes 44 random bytes")
        return self._wrap(subject_id, random[:KEY_BYTES], nonce=random[KEY_BYTES:])

    def _wrap(self, subject_id: str, key: bytes, *, nonce: bytes) -> bytes:
        self._ready()
        held = self._held
        wrapped = held.seals[held.current].wrap(key, nonce=nonce, owner=_owner(subject_id))
        return held.current + nonce + wrapped

    def open_subject_key(self, subject_id: str, wrapped: bytes) -> SubjectKey:
        """Return the key that was wrapped for exactly this subject.

        Raises:
            SealBrokenError: anything else, or a seal key that this keyring does not hold.
            TokenUnavailableError: the token does not answer.
        """
        if wrapped[:KEY_ID_BYTES] not in self._held.in_token:
            return SubjectKey(self._unwrap(subject_id, wrapped))
        name = subject_id, wrapped
        known = self._opened.pop(name, None) or SubjectKey(self._unwrap(subject_id, wrapped))
        self._opened[name] = known
        while len(self._opened) > OPENED_MOST:
            self._opened.popitem(last=False)
        return known

    def _unwrap(self, subject_id: str, wrapped: bytes) -> bytes:
        seal = self._held.seals.get(wrapped[:KEY_ID_BYTES])
        if seal is None or len(wrapped) != _WRAPPED_BYTES:
            raise SealBrokenError("a subject's key was not sealed under this keyring")
        nonce, key = wrapped[KEY_ID_BYTES:][:NONCE_BYTES], wrapped[KEY_ID_BYTES + NONCE_BYTES :]
        try:
            return seal.unwrap(key, nonce=nonce, owner=_owner(subject_id))
        except SealBrokenError as error:
            raise SealBrokenError("a stored row is not what we sealed") from error

    def rewrap(self, subject_id: str, wrapped: bytes, *, nonce: bytes) -> bytes:
        """Return the same key of this subject, wrapped anew under the key that makes.

        ``nonce`` is 12 random bytes, never used before. Raises as ``open_subject_key``.
        """
        key = self._unwrap(subject_id, wrapped)
        anew = self._wrap(subject_id, key, nonce=nonce)
        # A token that lies here would cost the customer everything that lies under the key.
        invariant(self._unwrap(subject_id, anew) == key, "a key that was wrapped anew is the same")
        return anew

    @property
    def current_id(self) -> bytes:
        """The id (8 bytes) of the seal key that makes."""
        return self._held.current

    def mac(self, tag: str, *parts: bytes) -> bytes:
        """Return the MAC (40 bytes) of a row that stays in clear; ``tag`` says what kind it is.

        Raises:
            KeysStaleError, TokenUnavailableError: as ``check_ready``.
        """
        self._ready()
        held = self._held
        return held.current + tagged_mac(held.row_keys[held.current], tag, *parts)

    def contact_names(self, address: str) -> tuple[bytes, ...]:
        """Return the names (40 bytes) under which an address may stand, that of a new one first.

        In whatever capitals it is written: they only say where to look.
        """
        said = address.lower().encode()
        keys = self._held.naming
        return tuple(key_id + tagged_mac(key, "contact/v1", said) for key_id, key in keys)

    def check_mac(self, mac: bytes, tag: str, *parts: bytes) -> None:
        """Return when ``mac`` is that of exactly these parts, under any seal key that we hold.

        Raises:
            SealBrokenError: it is not, or the key is not in this keyring.
        """
        key = self._held.row_keys.get(mac[:KEY_ID_BYTES])
        if key is None:
            raise SealBrokenError("a stored row was not sealed under a key that this process holds")
        if not hmac.compare_digest(mac[KEY_ID_BYTES:], tagged_mac(key, tag, *parts)):
            raise SealBrokenError("a stored row is not what we sealed")


def _held(keyring: Keyring) -> _Held:
    keys = keyring.keys(Role.SEAL)
    return _Held(
        current=_id_bytes(keys[0]),
        seals={_id_bytes(key): key.seal() for key in keys},
        row_keys={_id_bytes(key): key.row_key for key in keys},
        in_token=frozenset(_id_bytes(key) for key in keys if key.handle),
        naming=tuple((_id_bytes(key), key.secret) for key in keyring.keys(Role.INDEX)),
    )


def _owner(subject_id: str) -> bytes:
    return _framed(b"subject-key/v1", subject_id.encode())


def _decrypt(cipher: AESGCM, box: bytes, associated: bytes) -> bytes:
    if not NONCE_BYTES + TAG_BYTES <= len(box) <= NONCE_BYTES + DOCUMENT_BYTES_MOST + TAG_BYTES:
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
