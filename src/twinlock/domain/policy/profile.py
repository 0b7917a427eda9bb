"""A profile: the numbers a security officer chooses, each with its unit and its reason.

A profile only adds to the laws. Its canonical bytes, with the assets, are what a policy version's
digest commits to.
"""

from datetime import timedelta

import msgspec

from twinlock.domain.actions import ActionType
from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.money import Asset, NetworkUnknownError, UnknownAssetError


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one profile. Waits are counted from the proof, holds from the change."""

    name: str
    # Waits before a change takes effect, by action type; class LOOSENING needs an entry.
    waits: dict[str, timedelta]
    # Holds on every exit after a change took effect, by action type.
    holds: dict[str, timedelta]
    new_device_hold: timedelta
    new_destination_wait: timedelta
    narrow_destination_wait: timedelta  # for accounts without a notice channel off the phone
    destination_lapse: timedelta  # unused for so long: back to "needs proof"
    narrow_daily_cents: int
    daily_limit_cents: int  # above it one root is not enough
    over_limit_wait: timedelta
    budget_most_cents: int  # per destination and day, on the session key alone
    sms_codes: bool


_H = timedelta(hours=1)
_D = timedelta(days=1)

DEFAULT = Profile(
    name="default",
    waits={
        ActionType.AUTHENTICATOR_BIND: 24 * _H,
        ActionType.AUTHENTICATOR_REMOVE: 72 * _H,
        ActionType.AUTHENTICATOR_REACTIVATE: 24 * _H,
        ActionType.CONTACT_CHANGE: 48 * _H,
        ActionType.PASSWORD_RESET: 24 * _H,
        ActionType.DESTINATION_ADD: 24 * _H,
        ActionType.API_KEY_CREATE: 24 * _H,  # with the right to withdraw
        ActionType.FREEZE_LIFT: 24 * _H,
    },
    holds={
        ActionType.AUTHENTICATOR_BIND: 24 * _H,
        ActionType.AUTHENTICATOR_REMOVE: 72 * _H,
        ActionType.AUTHENTICATOR_REACTIVATE: 24 * _H,
        ActionType.AUTHENTICATOR_REPUDIATE: 72 * _H,
        ActionType.CONTACT_CHANGE: 48 * _H,
        ActionType.CONTACT_REPUDIATE: 72 * _H,
        ActionType.PASSWORD_CHANGE: 24 * _H,
        ActionType.PASSWORD_RESET: 24 * _H,
        ActionType.API_KEY_CREATE: 24 * _H,
    },
    new_device_hold=24 * _H,
    new_destination_wait=24 * _H,
    narrow_destination_wait=7 * _D,
    destination_lapse=30 * _D,
    narrow_daily_cents=1_000_00,
    daily_limit_cents=100_000_00,
    over_limit_wait=24 * _H,
    budget_most_cents=500_00,
    sms_codes=True,
)


class PolicyName(msgspec.Struct, frozen=True, kw_only=True):
    """A policy version by its number and the digest (base64url) of its canonical bytes."""

    version: int
    digest: str


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One policy version as a value: profile, assets, and the name that decisions carry."""

    name: PolicyName
    profile: Profile
    assets: tuple[Asset, ...]

    def asset(self, symbol: str, network: str) -> Asset:
        """Return the asset ``symbol`` on ``network``.

        Raises:
            UnknownAssetError: this policy version does not name it.
        """
        for asset in self.assets:
            if asset.symbol == symbol and asset.network == network:
                return asset
        raise UnknownAssetError(f"{symbol[:16]} on {network[:16]} is not in this policy version")

    def coin(self, network: str) -> Asset:
        """Return the coin of ``network`` itself, in which its fees are paid.

        Raises:
            NetworkUnknownError: this policy version does not name the network.
        """
        for asset in self.assets:
            if asset.network == network and not asset.contract:
                return asset
        raise NetworkUnknownError(f"{network[:16]} is not a network of this policy version")


def make_policy(*, version: int, profile: Profile, assets: tuple[Asset, ...]) -> Policy:
    """Return the policy version whose digest commits to everything in it."""
    digest = policy_digest(policy_bytes(version=version, profile=profile, assets=assets))
    return Policy(name=PolicyName(version=version, digest=digest), profile=profile, assets=assets)


def text_of(policy: Policy) -> bytes:
    """Return the canonical bytes of ``policy``."""
    return policy_bytes(version=policy.name.version, profile=policy.profile, assets=policy.assets)


def policy_bytes(*, version: int, profile: Profile, assets: tuple[Asset, ...]) -> bytes:
    """Return the canonical bytes of a policy version: what its digest hashes."""
    return encode({"assets": assets, "profile": profile, "version": version})


def policy_digest(data: bytes) -> str:
    """Return the digest of policy bytes, base64url of 32 bytes."""
    return b64url(tagged_hash("policy/v1", data))


ASSETS = (
    Asset(symbol="BTC", network="bitcoin", decimals=8),
    Asset(symbol="ETH", network="ethereum", decimals=18, evm=True),
    Asset(
        symbol="USDT",
        network="ethereum",
        decimals=6,
        contract="0xdac17f958d2ee523a2206206994597c13d831ec7",
        evm=True,
    ),
    Asset(symbol="TRX", network="tron", decimals=6),
    Asset(symbol="USDT", network="tron", decimals=6, contract="TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"),
    Asset(symbol="XRP", network="xrpl", decimals=6),
)
