"""A policy version: statutes and assets under a name and a digest, as a value.

A policy only adds to the laws. Its *text* is the whole of it in canonical bytes, and is kept for as
long as anything that it decided. Its *header* names the statutes, the schema and the ranges by
their digests, and is short enough to travel with every piece of evidence; the policy's digest is
the header's.
"""

from typing import Any

import msgspec

from twinlock.domain.addresses import AddressForm
from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.exits import asset_in_books, asset_on
from twinlock.domain.money import Asset, NetworkUnknownError
from twinlock.domain.policy.annotations import PolicyFault, refuse
from twinlock.domain.policy.statutes import Statutes, read_statutes
from twinlock.domain.policy.vocabulary import ranges_bytes

_BY_DIGEST = ("ranges", "schema", "statutes")


class PolicyName(msgspec.Struct, frozen=True, kw_only=True):
    """A policy version by its number and the digest (base64url) of its header."""

    version: int
    digest: str


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy version is made of.

    ``profile`` is its name; ``statutes`` is Cedar's canonical JSON, ``schema`` Cedar's own form of
    the schema that it was checked against.
    """

    version: int
    profile: str
    assets: tuple[Asset, ...]
    statutes: bytes
    schema: str


class Policy:
    """One policy version: what the gate decides by beside the laws."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.text = policy_text(draft)
        self.profile = draft.profile
        self.assets = draft.assets
        self.statutes: Statutes = read_statutes(draft.statutes)
        self.name = PolicyName(version=draft.version, digest=policy_digest(header_of(self.text)))

    def asset(self, symbol: str, network: str) -> Asset:
        """Return the asset ``symbol`` on ``network``.

        Raises:
            UnknownAssetError: this policy version does not name it.
        """
        return asset_on(symbol, network, self.assets)

    def in_books(self, symbol: str) -> Asset:
        """Return the asset ``symbol`` as the platform's own books count it.

        Raises:
            UnknownAssetError: this policy version does not name it.
        """
        return asset_in_books(symbol, self.assets)

    def form_of(self, network: str) -> AddressForm | None:
        """Return the form of addresses of ``network``, or None where none is named."""
        return next((one.form for one in self.assets if one.network == network), None)

    def is_contract(self, network: str, address: str) -> bool:
        """Say whether ``address`` is that of a token on ``network``: nobody has its keys."""
        named = (one.contract.lower() for one in self.assets if one.network == network)
        return address.lower() in named

    def coin(self, network: str) -> Asset:
        """Return the coin of ``network`` itself, in which its fees are paid.

        Raises:
            NetworkUnknownError: this policy version does not name the network.
        """
        for asset in self.assets:
            if asset.network == network and not asset.contract:
                return asset
        raise NetworkUnknownError(f"{network[:16]} is not a network of this policy version")


def policy_text(draft: Draft) -> bytes:
    """Return the whole of a policy version in canonical bytes."""
    return encode(
        {
            "assets": draft.assets,
            "profile": draft.profile,
            "ranges": msgspec.Raw(ranges_bytes()),
            "schema": draft.schema,
            "statutes": msgspec.Raw(draft.statutes),
            "version": draft.version,
        }
    )


def header_of(text: bytes) -> bytes:
    """Return the header of a policy's text: statutes, schema and ranges stand by their digests.

    Raises:
        PolicyRefusedError: this is no policy's text.
    """
    try:
        whole: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        parts = {name: encode(whole[name]) for name in _BY_DIGEST}
        canonical = encode(whole)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        refuse(PolicyFault.UNREADABLE, "it is not the text of a policy")
    if canonical != text:
        refuse(PolicyFault.UNREADABLE, "it is not in canonical form")
    digests = {
        name: b64url(tagged_hash("policy-part/v1", name.encode("ascii"), part))
        for name, part in parts.items()
    }
    return encode({**whole, **digests})


def profile_of(text: bytes) -> str:
    """Return what the policy whose text this is is called. Raises PolicyRefusedError."""
    header_of(text)
    return msgspec.json.decode(text, type=_Named).profile


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    profile: str


def policy_digest(header: bytes) -> str:
    """Return the digest of a policy's header, base64url of 32 bytes."""
    return b64url(tagged_hash("policy/v1", header))


ASSETS = (
    Asset(symbol="BTC", network="bitcoin", decimals=8, form=AddressForm.BITCOIN),
    Asset(symbol="ETH", network="ethereum", decimals=18, form=AddressForm.EVM),
    Asset(
        symbol="USDT",
        network="ethereum",
        decimals=6,
        contract="0xdac17f958d2ee523a2206206994597c13d831ec7",
        form=AddressForm.EVM,
    ),
    Asset(symbol="TRX", network="tron", decimals=6, form=AddressForm.TRON),
    Asset(
        symbol="USDT",
        network="tron",
        decimals=6,
        contract="TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
        form=AddressForm.TRON,
    ),
    Asset(symbol="XRP", network="xrpl", decimals=6, form=AddressForm.XRPL),
    Asset(symbol="LTC", network="litecoin", decimals=8, form=AddressForm.LITECOIN),
    Asset(symbol="DOGE", network="dogecoin", decimals=8, form=AddressForm.DOGECOIN),
    Asset(symbol="SOL", network="solana", decimals=9, form=AddressForm.SOLANA),
    Asset(symbol="XLM", network="stellar", decimals=7, form=AddressForm.STELLAR),
    Asset(symbol="EOS", network="eos", decimals=4, form=AddressForm.EOS),
    Asset(symbol="TON", network="ton", decimals=9, form=AddressForm.TON),
    Asset(symbol="EUR", network="bank", decimals=2, form=AddressForm.BANK),
    Asset(symbol="USD", network="bank", decimals=2, form=AddressForm.BANK),
)
