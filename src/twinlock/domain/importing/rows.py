"""One customer of an older system, as a line of a file tells it.

The types are the format: docs/import.md and its JSON Schema are made from them.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from twinlock.domain.authenticators.foreign_hashes import HASH_LETTERS_MOST
from twinlock.domain.bounds import (
    API_KEYS_MOST,
    AUTHENTICATORS_MOST,
    CHANNELS_MOST,
    DESTINATIONS_MOST,
)
from twinlock.domain.contacts import ADDRESS_BYTES_MOST
from twinlock.domain.discreet import Discreet
from twinlock.domain.drafts import INTEGRATOR

REFERENCE_MOST = 128  # Characters of a customer's number; a UUID has 36.
SEED_LETTERS_MOST = 256  # With the spaces that people type between fours.
CREDENTIAL_LETTERS_MOST = 544  # An id of 400 bytes and more never fits an account (``room``).
KEY_LETTERS_MOST = 720  # A COSE key of RSA 4096 in base64url.

_Name = Annotated[str, Meta(max_length=64)]
_Address = Annotated[str, Meta(min_length=3, max_length=ADDRESS_BYTES_MOST)]


class ImportedTotp(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An authenticator app. ``seed`` is base32; other codes than the usual ones are refused."""

    HIDDEN = frozenset({"seed"})

    seed: Annotated[str, Meta(min_length=1, max_length=SEED_LETTERS_MOST)]
    digits: int = 6
    period: int = 30
    algorithm: Annotated[str, Meta(max_length=16)] = "SHA1"
    name: _Name = ""


class ImportedPasskey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A WebAuthn credential: its id and COSE public key in base64url, bound for ``rp_id``.

    ``transports`` are read and believed of nothing: an imported passkey counts as the phone's.
    """

    credential_id: Annotated[str, Meta(min_length=1, max_length=CREDENTIAL_LETTERS_MOST)]
    public_key: Annotated[str, Meta(min_length=1, max_length=KEY_LETTERS_MOST)]
    rp_id: Annotated[str, Meta(min_length=1, max_length=253)]
    sign_count: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    backup_eligible: bool = False
    backed_up: bool = False
    transports: Annotated[tuple[Annotated[str, Meta(max_length=16)], ...], Meta(max_length=8)] = ()
    name: _Name = ""


class ImportedDestination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address of the older system's list: listed here, and proved by nobody."""

    network: Annotated[str, Meta(min_length=1, max_length=32)]
    address: Annotated[str, Meta(min_length=1, max_length=128)]
    memo: Annotated[str, Meta(max_length=128)] = ""
    label: _Name = ""


class ImportedApiKey(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API key: an Ed25519 public key in base64url. One with a ``secret`` is refused.

    It may not withdraw, and its owner was asked for nothing: it stands for no proof. ``integrator``
    is whose program it was made for, in small letters: all of their keys can be revoked at once.
    """

    HIDDEN = frozenset({"secret"})

    public_key: Annotated[str, Meta(max_length=64)] = ""
    scopes: Annotated[tuple[Annotated[str, Meta(max_length=32)], ...], Meta(max_length=8)] = ()
    ip_list: Annotated[tuple[Annotated[str, Meta(max_length=49)], ...], Meta(max_length=8)] = ()
    integrator: Annotated[str, Meta(pattern=INTEGRATOR, max_length=64)] = ""
    secret: Annotated[str, Meta(max_length=1024)] = ""


class Row(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One customer. ``reference`` is their number in the older system, and names the account."""

    HIDDEN = frozenset({"password_hash", "emails", "phones"})

    reference: Annotated[str, Meta(min_length=1, max_length=REFERENCE_MOST)]
    emails: Annotated[tuple[_Address, ...], Meta(max_length=CHANNELS_MOST)] = ()
    phones: Annotated[tuple[_Address, ...], Meta(max_length=CHANNELS_MOST)] = ()
    password_hash: Annotated[str, Meta(max_length=HASH_LETTERS_MOST)] = ""
    totp: Annotated[tuple[ImportedTotp, ...], Meta(max_length=AUTHENTICATORS_MOST)] = ()
    passkeys: Annotated[tuple[ImportedPasskey, ...], Meta(max_length=AUTHENTICATORS_MOST)] = ()
    destinations: Annotated[
        tuple[ImportedDestination, ...], Meta(max_length=DESTINATIONS_MOST)
    ] = ()
    destinations_required: bool = False
    api_keys: Annotated[tuple[ImportedApiKey, ...], Meta(max_length=API_KEYS_MOST)] = ()


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one line of a JSON Lines file."""
    return msgspec.json.schema(Row)
