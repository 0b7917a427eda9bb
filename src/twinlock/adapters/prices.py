"""The signed price list: a JWS in a file, replaced by whoever runs the price feed.

The file is read again when it changes. A list that does not verify is no list: every value is then
unknown, which counts as the highest (law 1).

Always true (tests/integration/test_price_lists.py): what ``sign_list`` writes, the service reads;
what it would not believe, ``sign_list`` refuses to sign. The feed's private key is its own, and
never lies in the keyring: who serves signs no prices.

Source: docs/prices.md, which gives the form of the list.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec import Meta

from twinlock.adapters import private_files
from twinlock.adapters.keyring.ring import KEY_BYTES, Keyring, Role, is_keyring, key_id_of
from twinlock.adapters.regular_files import open_regular
from twinlock.domain.canonical import b64url, encode, from_b64url, parse_strict
from twinlock.domain.errors import JwsRefusedError, MalformedError, TwinlockError
from twinlock.domain.money import MAX_PRICE_CENTS, PRICE_LIFETIME, Prices
from twinlock.ports import (
    Entropy,
)
from twinlock.proofs import jws

PRICES_TYPE = "twinlock-prices+jwt"
FILE_BYTES_MOST = jws.MAX_TOKEN  # Some eight hundred assets.
HEADER_CHARACTERS_MOST = 512  # Of a token, beside its claims: header and signature have some 200.
LIST_BYTES_MOST = (jws.MAX_TOKEN - HEADER_CHARACTERS_MOST) * 3 // 4  # Base64 has 4 for every 3.
DOCUMENT_BYTES_MOST = 65_536  # Before it is written anew; spaces and line ends may be many.
LIST_MODE = 0o644  # No secret: the service may run as another user than the feed.
_NO_ZONE = "as_of has no time zone: write it as 2026-01-15T14:00:00Z"
_SYMBOL = re.compile(r"[A-Z0-9]{1,32}")
_Cents = Annotated[int, Meta(ge=1, le=MAX_PRICE_CENTS)]
_log = structlog.get_logger(__name__)


class PriceListWrongError(TwinlockError):
    """What was given to be signed is no price list, or one that no service would believe."""

    code = "price_list_wrong"
    status = 422


class PriceKeyWrongError(TwinlockError):
    """A key of a price feed that is none, or a file for one that may not be written."""

    code = "price_key_wrong"
    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceKey:
    """The public half of a price feed's key: 32 bytes, and the id under which lists name it."""

    public: bytes

    @property
    def key_id(self) -> str:
        """Return the id: the one that the keyring gives it."""
        return key_id_of(Role.PRICES, self.public)

    def __str__(self) -> str:
        return b64url(self.public)


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a feed writes: US cents for one whole unit of each asset."""

    cents: Annotated[dict[str, _Cents], Meta(min_length=1)]
    as_of: datetime | None = None


class PriceFile:
    """Reads the list. Implements ``ports.PriceFeed``."""

    def __init__(self, path: Path | None, keyring: Keyring) -> None:
        self._path = path
        self._keys = _keys(keyring)
        self._seen: tuple[int, int] | None = None
        self._prices: Prices | None = None
        self._told = ""  # What the log was told last of a list that is none.

    def take(self, keyring: Keyring) -> None:
        """Go on with a keyring that has changed: the list is read anew, under its keys."""
        self._keys, self._seen = _keys(keyring), None

    def prices(self) -> Prices | None:
        """Return the list in force, or None where there is none that verifies."""
        if self._path is None:
            return None
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._seen:
                self._prices, self._seen = self._read(self._path), stamp
        except (OSError, TwinlockError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._tell(error, self._path)
            self._prices, self._seen = None, None
        else:
            self._told = ""
        return self._prices

    def _tell(self, error: Exception, path: Path) -> None:
        """Log why there is no list: once until it changes, since every decision asks."""
        text = str(error)
        if text != self._told:
            reason = type(error).__name__
            _log.warning("price_list_refused", path=str(path), reason=reason, text=text)
        self._told = text

    def _read(self, path: Path) -> Prices:
        claims = jws.verify(_token(path), keys=self._keys, typ=PRICES_TYPE)
        prices = msgspec.json.decode(claims, type=Prices)
        if prices.as_of.tzinfo is None:
            # Prevents: a time that is compared with no other, so that every decision breaks on it.
            raise PriceListWrongError(_NO_ZONE)
        return prices

    def signed_by(self) -> str | None:
        """Return the id of the key that signed the list in force, or None."""
        if self._path is None or self.prices() is None:
            return None
        return next((one for one in self._keys if self._is_by(one, self._path)), None)

    def _is_by(self, key_id: str, path: Path) -> bool:
        try:
            jws.verify(_token(path), keys={key_id: self._keys[key_id]}, typ=PRICES_TYPE)
        except JwsRefusedError:
            return False
        return True


def _token(path: Path) -> str:
    with open_regular(path) as file:
        return file.read(FILE_BYTES_MOST).decode("ascii").strip()


def _keys(keyring: Keyring) -> dict[str, Ed25519PublicKey]:
    return {
        key.key_id: Ed25519PublicKey.from_public_bytes(key.public)
        for key in keyring.keys(Role.PRICES)
        if key.public is not None
    }


# --- For whoever runs the feed ---


def make_key(path: Path, *, entropy: Entropy) -> PriceKey:
    """Make a private key at ``path``, PKCS #8 in PEM, mode 0600; return its public half.

    Raises:
        PriceKeyWrongError: something stands there already, or it is a keyring's directory.
    """
    if path.parent.is_dir() and is_keyring(path.parent):
        raise PriceKeyWrongError(f"{path.parent} is a keyring: the feed's key is not the service's")
    key = Ed25519PrivateKey.from_private_bytes(entropy.draw(KEY_BYTES))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        private_files.create(path, pem)
    except FileExistsError as error:
        raise PriceKeyWrongError(f"{path} exists already; no key is ever overwritten") from error
    return PriceKey(public=key.public_key().public_bytes_raw())


def read_public_key(text: str) -> PriceKey:
    """Return the public key that ``text`` says: 32 bytes in base64url.

    Raises:
        PriceKeyWrongError: it says none.
    """
    try:
        return PriceKey(public=from_b64url(text, size=KEY_BYTES))
    except MalformedError as error:
        form = f"{KEY_BYTES} bytes in base64url, as `twinlock prices keygen` prints it"
        raise PriceKeyWrongError(f"not a public key: {form}") from error


def sign_list(document: bytes, *, key_file: Path, out: Path, now: datetime) -> Prices:
    """Sign the prices in ``document`` and put them at ``out``, whole or not at all.

    ``document`` is JSON (docs/prices.md); without ``as_of`` it is of ``now`` (UTC), to the second.

    Raises:
        PriceListWrongError: it is no list, or one that no service would believe; or ``out`` cannot
            be written.
        PriceKeyWrongError: ``key_file`` holds no Ed25519 key.
        FileUnsafeError: others may read the key.
    """
    key = read_private_key(key_file)
    prices = _read_document(document, now=now)
    claims = encode(prices)
    if len(claims) > LIST_BYTES_MOST:
        raise PriceListWrongError(f"a list has at most {LIST_BYTES_MOST} bytes of prices")
    kid = PriceKey(public=key.public_key().public_bytes_raw()).key_id
    token = jws.sign(claims, kid=kid, typ=PRICES_TYPE, key=key)
    try:
        private_files.write(out, f"{token}\n".encode("ascii"), mode=LIST_MODE)
    except OSError as error:  # Of a file that is written beside it first: say which one was asked.
        raise PriceListWrongError(f"{out} cannot be written: {error.strerror}") from error
    return prices


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key of a file. Raises PriceKeyWrongError, FileUnsafeError."""
    try:
        key = load_pem_private_key(private_files.read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Without its cause: that may quote the secret.
        raise PriceKeyWrongError(f"{path} holds no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise PriceKeyWrongError(f"{path} holds a key of another kind than Ed25519")
    return key


def _read_document(data: bytes, *, now: datetime) -> Prices:
    if len(data) > DOCUMENT_BYTES_MOST:
        raise PriceListWrongError(f"a list has at most {DOCUMENT_BYTES_MOST} bytes")
    try:
        read = msgspec.convert(parse_strict(data), _Document)
    except (MalformedError, msgspec.ValidationError) as error:
        raise PriceListWrongError(f"not a list of prices: {error}") from error
    _check_symbols(read.cents)
    return Prices(as_of=_as_of(read.as_of, now=now), cents=read.cents)


def _check_symbols(cents: Mapping[str, int]) -> None:
    for symbol in cents:
        if not _SYMBOL.fullmatch(symbol):
            raise PriceListWrongError(f"{symbol[:40]!r} is no asset: capitals and digits, as USDT")


def _as_of(told: datetime | None, *, now: datetime) -> datetime:
    """Return when the prices were so. Prevents: signing what counts as no price, unnoticed."""
    if told is None:
        return now.replace(microsecond=0)
    if told.tzinfo is None:
        raise PriceListWrongError(_NO_ZONE)
    if not timedelta(0) <= now - told <= PRICE_LIFETIME:
        minutes = PRICE_LIFETIME // timedelta(minutes=1)
        raise PriceListWrongError(f"as_of lies ahead, or more than {minutes} minutes back")
    return told.astimezone(UTC)
