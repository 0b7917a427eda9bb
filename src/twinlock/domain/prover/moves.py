"""What a thief wants done: the actions by which value leaves, or comes nearer to leaving.

Whatever a thief adds has a name of its own: an address on the list, a session on his device, a
password that he set, an API key, a passkey, a notice channel. The first four change nothing for
whoever does not use them; the last two change the account, and so make another *place* from which
he goes on.

Always true (tests/unit/domain/prover/test_moves.py): no other action of the catalogue adds an
attack, in any state that was tried.
"""

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Account, ApiKey, Session
from twinlock.domain.actions import (
    ApiKeyCreate,
    AuthenticatorBind,
    ContactChange,
    DestinationAdd,
    PasswordReset,
    SessionStart,
    TrustedContactRemove,
)
from twinlock.domain.assurance import PHONE, Factor, Placement
from twinlock.domain.authenticators.model import Passkey, Password
from twinlock.domain.bounds import MAX_VALUE_CENTS, NEWCOMER_PERIOD
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import TRADE_SCOPE, WITHDRAW_SCOPE
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.ids import ApiKeyId, AuthenticatorId, ChannelId, DestinationId, SessionId
from twinlock.domain.listed import Destination
from twinlock.domain.money import Asset
from twinlock.domain.newcomers import in_place_of
from twinlock.domain.prover.enrolment import CONTACT, MEMBER, NOW, OLD, OWNER


class Gain(StrEnum):
    """What a thief has gained of his own; the value is an atom of the rules."""

    LISTING = "listing"
    PLANTED = "planted"
    SESSION = "session"
    PASSWORD = "own_password"  # noqa: S105 - the name of a gain
    API_KEY = "api_key"
    KEY = "key"  # a passkey of his own
    NOBODY_ASKED = "nobody_asked"  # the trusted contact is none any more


_ADDRESS = "0x" + "6" * 40
_NETWORK = "ethereum"
_DEVICE = "thief".ljust(43, "T")
LISTED = Destination(
    destination_id=DestinationId("dst_thief"),
    account_id=OWNER,
    version=1,
    network=_NETWORK,
    address=_ADDRESS,
    memo="",
    added_at=OLD,
)
OWN_SESSION = Session(
    session_id=SessionId("ses_thief"),
    member_id=MEMBER,
    thumbprint=_DEVICE,
    started_at=NOW,
    seen_at=NOW,
    bound_at=OLD,
    entry=20,
)
OWN_KEY = Passkey(
    authenticator_id=AuthenticatorId("aut_thief"),
    member_id=MEMBER,
    bound_at=NOW,
    entry=21,
    credential_id="credential of a thief",
    public_key="key of a thief",
    backup_eligible=False,
    placement=Placement.ROAMING,
)
OWN_PASSWORD = Password(
    authenticator_id=AuthenticatorId("aut_password"),
    member_id=MEMBER,
    bound_at=NOW,
    entry=22,
    verifier="hash of a thief's",
)
OWN_API_KEY = ApiKey(
    api_key_id=ApiKeyId("key_thief"),
    public_key="A" * 43,
    scopes=("read", TRADE_SCOPE, WITHDRAW_SCOPE),
    ip_list=("203.0.113.66/32",),
    destinations=(LISTED.destination_id,),
    daily_cents=MAX_VALUE_CENTS,
    created_at=NOW,
    proved_by=(Factor.PASSKEY, Factor.PASSWORD, Factor.TOTP),
)
OWN_CHANNEL = Channel(
    channel_id=ChannelId("chn_thief"),
    kind=ChannelKind.DESKTOP,
    address="program@thief",
    bound_at=NOW,
    entry=23,
)


def leaving(asset: Asset) -> WithdrawalCrypto:
    """Return what has ``asset`` leave to the thief; how much of it is for the facts to say."""
    return WithdrawalCrypto(
        account=OWNER,
        asset=asset.symbol,
        network=asset.network,
        contract=asset.contract,
        decimals=asset.decimals,
        address=_ADDRESS,
        memo="",
        amount_minor="1",
        max_fee_minor="0",
    )


def listing(*, budget_cents: int) -> DestinationAdd:
    """Return what lists the thief's address, with a budget on the session key alone."""
    return DestinationAdd(
        account=OWNER, network=_NETWORK, address=_ADDRESS, memo="", budget_cents=budget_cents
    )


SIGN_IN = SessionStart(account=OWNER, device=_DEVICE)
RESET = PasswordReset(account=OWNER, verifier="digest")
RESET_SECRET = encode(OWN_PASSWORD).decode("ascii")
BIND = AuthenticatorBind(
    account=OWNER, authenticator=Factor.PASSKEY.value, credential="digest", name=""
)
BIND_SECRET = encode(OWN_KEY).decode("ascii")
# Of another public key than the one that lies there already: nothing is bound twice.
MAKE_KEY = ApiKeyCreate(
    account=OWNER,
    public_key="B" * 43,
    scopes=OWN_API_KEY.scopes,
    ip_list=OWN_API_KEY.ip_list,
    destinations=OWN_API_KEY.destinations,
    daily_cents=OWN_API_KEY.daily_cents,
)


REMOVE_CONTACT = TrustedContactRemove(account=OWNER, contact_id=CONTACT.authenticator_id)


def change_of(old: Channel | None) -> ContactChange:
    """Return what puts the thief's channel in the place of ``old``, or beside the others."""
    return ContactChange(
        account=OWNER,
        channel_id="" if old is None else old.channel_id,
        old_kind="" if old is None else old.kind.value,
        old_address="" if old is None else old.address,
        new_kind=OWN_CHANNEL.kind.value,
        new_address=OWN_CHANNEL.address,
    )


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An account as a thief has made it, by steps of which ``name`` tells.

    ``has_key``: a passkey of his is bound.
    """

    name: str
    account: Account
    has_key: bool = False
    has_channel: bool = False


def with_tools(account: Account) -> Account:
    """Return ``account`` with what a thief may come to use: nothing else is decided by it."""
    return replace(
        account,
        sessions=(*account.sessions, OWN_SESSION),
        api_keys=(*account.api_keys, OWN_API_KEY),
    )


def with_key(place: Place, *, aged: bool, born_of: str = PHONE) -> Place:
    """Return ``place`` with the thief's passkey: old, or young and bound by ``born_of`` alone."""
    at = NOW - NEWCOMER_PERIOD if aged else NOW
    key = replace(OWN_KEY, bound_at=at, born_of="" if aged else born_of)
    account = replace(place.account, authenticators=(*place.account.authenticators, key))
    name = f"{place.name}+{'' if aged else 'new '}key"
    return replace(place, name=name, account=account, has_key=True)


def with_channel(place: Place, old: Channel | None, *, aged: bool) -> Place:
    """Return ``place`` with the thief's channel, in the place of ``old`` or beside the others."""
    account, at = place.account, NOW - NEWCOMER_PERIOD if aged else NOW
    new = replace(OWN_CHANNEL, bound_at=at)
    if old is not None:
        new = in_place_of(account, old, new, now=NOW)
    left = tuple(one for one in account.channels if one is not old)
    gone = "" if old is None else f" for {old.kind}"
    name = f"{place.name}+{'aged ' if aged else ''}channel{gone}"
    after = replace(account, channels=(*left, new))
    return replace(place, name=name, account=after, has_channel=True)
