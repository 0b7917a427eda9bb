"""An officer's key: in a file of the officer's own, or in a PKCS #11 token that the file names.

It never lies in the keyring, and the service never loads it: who serves speaks for no officer.
"""

from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from twinlock.adapters import private_files
from twinlock.adapters.keyring.file_keys import FileSigning
from twinlock.adapters.keyring.ring import KEY_BYTES, is_keyring
from twinlock.adapters.keyring.token import open_token
from twinlock.adapters.settings import TokenPlace
from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.errors import MalformedError, TwinlockError, present
from twinlock.ports import Entropy
from twinlock.ports.keys import SigningKey

ROLE = "officer"  # The label of the key in a token is "twinlock officer".
HANDLE_BYTES = 8
FILE_BYTES_MOST = 4_096
_PEM = b"-----BEGIN"


class OfficerKeyWrongError(TwinlockError):
    """A file holds no officer's key, or one may not be put there."""

    code = "officer_key_wrong"
    status = 422


class _InToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file of a key that lies in a token: where that is, and nothing secret."""

    handle: str
    module: str
    pin_file: str
    public: str
    token: str


def make_key(path: Path, *, entropy: Entropy, place: TokenPlace | None = None) -> str:
    """Make an officer's key, and return its public half, base64url.

    It lies at ``path`` as PKCS #8 in PEM, mode 0600; or in the token at ``place``, and ``path``
    says where.

    Raises:
        OfficerKeyWrongError: something stands at ``path``, or it is a keyring's directory.
        TokenMissingError, TokenPinWrongError, TokenUnavailableError: as they say.
    """
    if path.parent.is_dir() and is_keyring(path.parent):
        raise OfficerKeyWrongError(f"{path.parent} is a keyring: an officer's key lies elsewhere")
    if path.exists():
        raise OfficerKeyWrongError(f"{path} exists already; no key is ever overwritten")
    made = _made_in_file(entropy) if place is None else _made_in(place, entropy)
    try:
        private_files.create(path, made[0])
    except FileExistsError as error:
        raise OfficerKeyWrongError(f"{path} exists already; no key is ever overwritten") from error
    return b64url(made[1])


def _made_in_file(entropy: Entropy) -> tuple[bytes, bytes]:
    key = Ed25519PrivateKey.from_private_bytes(entropy.draw(KEY_BYTES))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, key.public_key().public_bytes_raw()


def _made_in(place: TokenPlace, entropy: Entropy) -> tuple[bytes, bytes]:
    token = present(open_token(place), "a place has a token")
    handle = entropy.draw(HANDLE_BYTES).hex()
    public = token.make_signing(ROLE, handle).public
    where = _InToken(
        handle=handle,
        module=str(place.module),
        pin_file=str(place.pin_file),
        public=b64url(public),
        token=place.label,
    )
    return encode(where), public


def open_key(path: Path) -> SigningKey:
    """Return the officer's key that ``path`` holds, or names.

    Raises:
        OfficerKeyWrongError: there is none.
        FileUnsafeError: others may read it.
        TokenMissingError, TokenPinWrongError, TokenKeyWrongError, TokenUnavailableError: as they
            say.
    """
    try:
        data = private_files.read(path, limit=FILE_BYTES_MOST)
    except FileNotFoundError as error:
        raise OfficerKeyWrongError(f"{path} does not exist") from error
    if data.startswith(_PEM):
        return _in_file(path, data)
    try:
        where = msgspec.json.decode(data, type=_InToken)
        public = from_b64url(where.public, size=KEY_BYTES)
        bytes.fromhex(where.handle)
    except (msgspec.MsgspecError, UnicodeDecodeError, MalformedError, ValueError) as error:
        raise OfficerKeyWrongError(f"{path} holds no officer's key") from error
    place = TokenPlace(module=Path(where.module), label=where.token, pin_file=Path(where.pin_file))
    token = present(open_token(place), "a place has a token")
    return token.signing(ROLE, where.handle, public=public)


def _in_file(path: Path, pem: bytes) -> SigningKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise OfficerKeyWrongError(f"{path} holds no key that can be read") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise OfficerKeyWrongError(f"{path} holds no Ed25519 key")
    return FileSigning(key.private_bytes_raw())
