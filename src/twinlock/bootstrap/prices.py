"""The price list: keys of its feed, and signed lists."""

from pathlib import Path

from twinlock.adapters import prices as price_lists
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.token import open_token
from twinlock.adapters.prices import PriceKey
from twinlock.adapters.settings import Settings
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.domain.money import Prices

PRICE_DOCUMENT_BYTES_MOST = price_lists.DOCUMENT_BYTES_MOST


def make_price_key(path: Path) -> PriceKey:
    """Make the private key of a price feed at ``path``. Raises PriceKeyWrongError."""
    return price_lists.make_key(path, entropy=SystemEntropy())


def trust_price_key(settings: Settings, public_key: str) -> PriceKey:
    """Believe the price lists of whoever holds the other half of ``public_key``, base64url.

    Raises:
        PriceKeyWrongError: it is none.
        KeyringMissingError, KeyringWrongError: as they say.
    """
    key = price_lists.read_public_key(public_key)
    with keyrings.changing(settings.keyring_dir):
        now, token = SystemClock().now(), open_token(settings.token)
        keyrings.trust_prices(settings.keyring_dir, key.public, now=now, token=token)
    return key


def sign_price_list(document: bytes, *, key_file: Path, out: Path) -> Prices:
    """Sign ``document`` and put the list at ``out``, whole; return what it says.

    Raises:
        PriceListWrongError, PriceKeyWrongError, FileUnsafeError: as they say.
    """
    return price_lists.sign_list(document, key_file=key_file, out=out, now=SystemClock().now())
