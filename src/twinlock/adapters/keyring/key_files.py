"""One key in one file: its form, and every way in which a file is none.

The directory has mode 0700 and one file of mode 0600 for each key, ``<role>-<id>.json``, in
canonical JSON: ``{"created_at", "handle"?, "id", "key"?, "next"?, "public"?, "retired_at"?, "role",
"used_from"?, "wrapped"?}``. ``key`` and ``public`` are 32 bytes in base64url, of an RSA key 384
each (``rsa_keys``); the id is a tagged hash of the role and the public key, or of the secret where
there is no public one (of 256 random bits a hash gives nothing away). A key is used from its birth
unless ``used_from`` says when, or ``next`` that it is only announced. A retired one has its name
and public half left.

A key in a token has its name there in ``handle`` (16 bytes in hex) in place of ``key``. Where it
is symmetric, its id is a hash of the handle, and ``wrapped`` holds a secret of 32 bytes that is
wrapped under it, as nonce ‖ ciphertext ‖ tag: the MAC key of the role, which works in memory
(docs/adr/0008-what-a-token-holds.md).
"""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from twinlock.adapters import private_files
from twinlock.adapters.keyring.file_keys import FileSeal, FileSigning
from twinlock.adapters.keyring.rsa_keys import RSA_BYTES, FileRsa, new_secret, public_half
from twinlock.domain import canonical
from twinlock.domain.errors import (
    KeyringWrongError,
    MalformedError,
    SealBrokenError,
    TokenKeyWrongError,
    TokenMissingError,
    invariant,
)
from twinlock.domain.keys import OURS, SIGNING, KeyRecord, Role
from twinlock.ports import Entropy
from twinlock.ports.keys import (
    KeyToken,
    SealKey,
    SigningKey,
)

KEY_BYTES = 32  # AES-256, HMAC-SHA-256 and an Ed25519 seed alike.
KEY_ID_BYTES = 8
HANDLE_BYTES = 16
NONCE_BYTES = 12
WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + 16
MAX_FILE_BYTES = 2_048  # A key file has some 300, that of an RSA key 1,250.

_ROLES = "|".join(Role)
NAME = re.compile(rf"(?P<role>{_ROLES})-(?P<id>[0-9a-f]{{{2 * KEY_ID_BYTES}}})\.json")
# What a writer that was killed left, or has not finished (private_files.write).
DRAFT = re.compile(rf"\.(?:{_ROLES})-[0-9a-f]{{{2 * KEY_ID_BYTES}}}\.json\.[0-9]+\.new")
_HANDLE = re.compile(rf"[0-9a-f]{{{2 * HANDLE_BYTES}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of one role. ``created_at`` is UTC; ``key_id`` has 16 hex digits.

    ``material`` is the secret that works in this process (``size_of`` its role): None for somebody
    else's key, a retired one, and one that signs in a token. ``public`` is the public key, as
    long, None for symmetric roles. Of an RSA key ``signing`` is what signs. Of a key in a token
    ``signing`` or ``sealing`` is what works there, ``handle`` its name there, and ``wrapped`` the
    secret as it lies in the file.
    """

    role: Role
    key_id: str
    created_at: datetime
    used_from: datetime | None
    retired_at: datetime | None = None
    material: bytes | None = field(repr=False)
    public: bytes | None
    signing: SigningKey | None = field(default=None, repr=False)
    sealing: SealKey | None = field(default=None, repr=False)
    handle: str = ""
    wrapped: bytes = b""

    @property
    def record(self) -> KeyRecord:
        """Return what may be told of this key."""
        return KeyRecord(
            role=self.role,
            key_id=self.key_id,
            created_at=self.created_at,
            used_from=self.used_from,
            retired_at=self.retired_at,
            in_token=bool(self.handle),
        )

    @property
    def secret(self) -> bytes:
        """Return the secret bytes of a role that has them in memory."""
        invariant(self.material is not None, f"we hold no secret for {self.role}")
        return self.material or b""

    @property
    def row_key(self) -> bytes:
        """Return the key (32 bytes) of the MACs of rows that stay in clear: one key, one use."""
        invariant(self.role is Role.SEAL, f"a {self.role} key vouches for no row")
        return self.secret if self.handle else canonical.tagged_mac(self.secret, "row-key/v1")

    def signer(self) -> SigningKey:
        """Return what signs with this key (30 µs: keep it)."""
        invariant(self.role in SIGNING, f"a {self.role} key does not sign")
        return self.signing or FileSigning(self.secret)

    def seal(self) -> SealKey:
        """Return what wraps subjects' keys with this key."""
        invariant(self.role is Role.SEAL, f"a {self.role} key wraps nothing")
        return self.sealing or FileSeal(self.secret)


class _File(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    created_at: datetime
    id: str
    role: Role
    handle: str | None = None
    key: str | None = None
    next: bool = False
    public: str | None = None
    retired_at: datetime | None = None
    used_from: datetime | None = None
    wrapped: str | None = None


def key_id_of(role: Role, known_by: bytes) -> str:
    """Return the id of a key by what it is known by: its public key, its secret or its handle."""
    return canonical.tagged_hash("key-id/v1", role.encode("ascii"), known_by)[:KEY_ID_BYTES].hex()


def size_of(role: Role) -> int:
    """Return how many bytes a secret of ``role`` has, and its public half."""
    return RSA_BYTES if role is Role.SIGNALS_RSA else KEY_BYTES


def secret_of(role: Role, entropy: Entropy) -> bytes:
    """Return a new secret of a role; an RSA key is made by OpenSSL's own random bits."""
    return new_secret() if role is Role.SIGNALS_RSA else entropy.draw(KEY_BYTES)


def public_of(role: Role, material: bytes) -> bytes | None:
    """Return the public half of a role's secret, or None of a symmetric one."""
    if role is Role.SIGNALS_RSA:
        return public_half(material)
    return FileSigning(material).public if role in SIGNING else None


def owner_of(role: Role, key_id: str) -> bytes:
    """Return the associated data of the secret that a key in a token wraps for its own role."""
    return canonical.tagged_hash("token-key/v1", role.encode("ascii"), key_id.encode("ascii"))


def write(directory: Path, key: Key) -> None:
    """Put ``key`` into its file, whole, in place of what stood there."""
    in_file = not key.handle and key.material is not None
    file = _File(
        created_at=key.created_at,
        id=key.key_id,
        role=key.role,
        key=canonical.b64url(key.secret) if in_file else None,
        next=key.used_from is None,
        public=None if key.public is None else canonical.b64url(key.public),
        retired_at=key.retired_at,
        handle=key.handle or None,
        used_from=None if key.used_from == key.created_at else key.used_from,
        wrapped=canonical.b64url(key.wrapped) if key.wrapped else None,
    )
    private_files.write(directory / f"{key.role}-{key.key_id}.json", canonical.encode(file))


def read(path: Path, token: KeyToken | None) -> Key:
    """Return the key in the file at ``path``, and in ``token`` where it lies there.

    Raises:
        KeyringWrongError: the file is not as the module describes.
        FileUnsafeError: others could read or write it.
        TokenMissingError, TokenKeyWrongError, TokenUnavailableError: as they say.
    """
    named = NAME.fullmatch(path.name)
    if named is None:
        raise KeyringWrongError(f"{path} does not belong into a keyring")
    data = private_files.read(path, limit=MAX_FILE_BYTES)
    try:
        file = msgspec.json.decode(data, type=_File)
        key = _parse(file)
    except (msgspec.MsgspecError, UnicodeDecodeError, MalformedError):
        # Without its cause: that may quote the secret.
        raise KeyringWrongError(f"{path} is not a key") from None
    times = (key.created_at, file.used_from, key.retired_at)
    zones = {at.utcoffset() for at in times if at is not None}
    if canonical.encode(file) != data or zones != {timedelta(0)}:
        raise KeyringWrongError(f"{path} is not in canonical form")
    if (key.role, key.key_id) != (named["role"], named["id"]):
        raise KeyringWrongError(f"{path} holds the key of another name or role")
    if not key.handle or key.retired_at is not None:
        return key
    if token is None:
        raise TokenMissingError(
            f"{key.role} key {key.key_id} lies in a token: set TWINLOCK_PKCS11_MODULE"
        )
    with token.patiently():
        return _in_token(key, token)


def _parse(file: _File) -> Key:
    """Return the key of ``file``, its id and public key recomputed."""
    size = size_of(file.role)
    material = None if file.key is None else canonical.from_b64url(file.key, size=size)
    public = None if file.public is None else canonical.from_b64url(file.public, size=size)
    wrapped = (
        b"" if file.wrapped is None else canonical.from_b64url(file.wrapped, size=WRAPPED_BYTES)
    )
    if file.next and file.used_from is not None:
        raise MalformedError("a key that is only announced was never used")
    _check_parts(file)
    if material is not None and public != public_of(file.role, material):
        raise MalformedError("the public key is another one's")
    handle = None if file.handle is None else bytes.fromhex(file.handle)
    known_by = public or material or handle
    # Of a retired key without a public half nothing is left to know it by.
    if known_by is not None and file.id != key_id_of(file.role, known_by):
        raise MalformedError("the id is another key's")
    is_rsa = file.role is Role.SIGNALS_RSA
    return Key(
        role=file.role,
        key_id=file.id,
        created_at=file.created_at,
        used_from=None if file.next else file.used_from or file.created_at,
        retired_at=file.retired_at,
        material=material,
        public=public,
        signing=FileRsa(material) if is_rsa and material is not None else None,
        handle=file.handle or "",
        wrapped=wrapped,
    )


def _check_parts(file: _File) -> None:
    """Refuse a file that lacks a part of its role and state, or has one that is not theirs."""
    ours, live = file.role in OURS, file.retired_at is None
    signs = file.role in SIGNING
    if (file.key is not None) != (ours and live and file.handle is None):
        raise MalformedError("a secret where none belongs, or none where one does")
    if (file.wrapped is not None) != (ours and live and file.handle is not None and not signs):
        raise MalformedError("a wrapped secret where none belongs, or none where one does")
    if (file.public is not None) != (signs or not ours):
        raise MalformedError("a public key where none belongs, or none where one does")
    if file.handle is not None and not (ours and _HANDLE.fullmatch(file.handle)):
        raise MalformedError("not a token's handle")


def _in_token(key: Key, token: KeyToken) -> Key:
    """Return ``key`` with what works in the token."""
    if key.public is not None:
        return replace(key, signing=token.signing(key.role, key.handle, public=key.public))
    sealing = token.seal(key.role, key.handle)
    nonce, wrapped = key.wrapped[:NONCE_BYTES], key.wrapped[NONCE_BYTES:]
    try:
        secret = sealing.unwrap(wrapped, nonce=nonce, owner=owner_of(key.role, key.key_id))
    except SealBrokenError:
        raise TokenKeyWrongError(
            f"the token's {key.role} key {key.handle} is another one"
        ) from None
    return replace(key, material=secret, sealing=sealing)
