"""The signed price list: a JWS in a file, replaced by whoever runs the price feed.

The file is read again when it changes. A list that does not verify is no list: every value is then
unknown, which counts as the highest (law 1).
"""

from pathlib import Path

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from twinlock.adapters.keyring import Keyring, Role
from twinlock.domain.errors import TwinlockError
from twinlock.domain.money import Prices
from twinlock.proofs import jws

PRICES_TYPE = "twinlock-prices+jwt"
FILE_BYTES_MOST = jws.MAX_TOKEN  # About four hundred assets.
_log = structlog.get_logger(__name__)


class PriceFile:
    """Reads the list. Implements ``ports.PriceFeed``."""

    def __init__(self, path: Path | None, keyring: Keyring) -> None:
        self._path = path
        self._keys = {
            key.key_id: Ed25519PublicKey.from_public_bytes(key.public)
            for key in keyring.keys(Role.PRICES)
            if key.public is not None
        }
        self._seen: tuple[int, int] | None = None
        self._prices: Prices | None = None

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
            _log.warning("price_list_refused", reason=type(error).__name__)
            self._prices, self._seen = None, None
        return self._prices

    def _read(self, path: Path) -> Prices:
        with path.open("rb") as file:
            token = file.read(FILE_BYTES_MOST).decode("ascii").strip()
        claims = jws.verify(token, keys=self._keys, typ=PRICES_TYPE)
        return msgspec.json.decode(claims, type=Prices)
