"""Drafts: what somebody asks for, before the gate gives it the form that is signed.

A draft is strict: unknown fields, wrong types and wrong ranges are refused. Turning it into a
payload fixes everything that decides what happens: contract and decimals of the policy version,
whole minor units, and where to, in its one form (``proofs.addresses``).
"""

import ipaddress
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from twinlock.domain.actions import ApiKeyCreate, DestinationAdd, DestinationRemove
from twinlock.domain.bounds import (
    API_KEY_BAND_BP_MOST,
    API_KEY_PAIRS_MOST,
    IPV4_PREFIX_LEAST,
    IPV6_PREFIX_LEAST,
    MAX_VALUE_CENTS,
)
from twinlock.domain.catalogue import SCOPES, TRADE_SCOPE
from twinlock.domain.channels import ChannelKind
from twinlock.domain.contacts import ADDRESS_BYTES_MOST
from twinlock.domain.discreet import Discreet
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.exits import PLACE
from twinlock.domain.ids import AccountId

D = TypeVar("D", bound=msgspec.Struct)
Short = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(max_length=64)]
Address = Annotated[str, Meta(min_length=1, max_length=128)]
Memo = Annotated[str, Meta(max_length=128)]
Amount = Annotated[str, Meta(min_length=1, max_length=128)]
Cents = Annotated[int, Meta(ge=0, le=MAX_VALUE_CENTS)]
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_MAPPED_BITS = 96  # RFC 4291, 2.5.5.2: ::ffff:0:0/96 before the IPv4 address.
# RFC 6052 and 8215: how translators write all of IPv4, of which a /48 is no one's site.
_TRANSLATED = tuple(ipaddress.ip_network(one) for one in ("64:ff9b::/96", "64:ff9b:1::/48"))
Place: TypeAlias = Annotated[str, Meta(pattern=PLACE, max_length=64)]
INTEGRATOR = r"\A([a-z0-9][a-z0-9._-]{0,63})?\Z"  # In small letters: one name is one integrator.


class ScopeUnknownError(TwinlockError):
    """An API key's scopes, addresses or networks are not of their form: the detail says which."""

    code = "api_key_refused"
    status = 422


class DraftForm(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every draft has in common: nothing but its strictness."""


class SessionStartDraft(DraftForm, frozen=True, kw_only=True):
    """The device makes a key pair and never gives out the private half."""

    device: dict[str, Any]
    """The device's public key: a P-256 JWK."""


class AuthenticatorBindDraft(DraftForm, frozen=True, kw_only=True):
    """A password comes alone; the others with what was offered, and with what shows it works."""

    HIDDEN = frozenset({"password", "code", "response"})

    authenticator: Short
    """``password``, ``totp``, ``passkey`` or ``recovery_code``, for a set of them."""
    name: Text = ""
    """What the customer calls it."""
    password: Annotated[str, Meta(max_length=256)] = ""
    """8 characters at least, or 15 while neither an app nor a passkey is bound."""
    candidate_id: Text = ""
    """What ``POST /v1/accounts/{id}/candidates`` offered."""
    code: Text = ""
    """A code of the app, which shows that it works; or a recovery code, which is not used up."""
    response: dict[str, Any] | None = None
    """The browser's answer to ``navigator.credentials.create``, as its ``toJSON`` tells it."""


class AuthenticatorRemoveDraft(DraftForm, frozen=True, kw_only=True):
    """One of the account's authenticators."""

    authenticator_id: Short
    """Its id, as ``GET /v1/accounts/{id}`` lists it."""


class TrustedContactAddDraft(DraftForm, frozen=True, kw_only=True):
    """Somebody who was invited, and made a passkey of their own for it."""

    HIDDEN = frozenset({"response"})

    candidate_id: Short
    """The invitation, as ``POST /v1/accounts/{id}/candidates`` gave it out; it says the name."""
    response: dict[str, Any]
    """Their browser's answer to ``navigator.credentials.create``, as its ``toJSON`` tells it."""


class TrustedContactRemoveDraft(DraftForm, frozen=True, kw_only=True):
    """One of the trusted contacts."""

    contact_id: Short
    """Its id, as ``GET /v1/accounts/{id}`` lists it."""


class MemberAddDraft(TrustedContactAddDraft, frozen=True, kw_only=True):
    """Somebody who was invited to be a member, and made a passkey of their own for it."""


class MemberRemoveDraft(DraftForm, frozen=True, kw_only=True):
    """One of the members."""

    member_id: Short
    """Its id, as ``GET /v1/accounts/{id}`` lists it."""


class QuorumDraft(DraftForm, frozen=True, kw_only=True):
    """The sums a day (UTC), in US cents, above which several members agree; ``null``: to none."""

    two_cents: Cents | None
    """Above it two members agree, and to whatever weakens the account."""
    three_cents: Cents | None = None
    """Above it three do; no less than the other sum; left out: ``null``, whatever stands."""


class ContactChangeDraft(DraftForm, frozen=True, kw_only=True):
    """An old channel goes, a new one comes, or one takes the other's place."""

    channel_id: Text = ""
    """The channel that goes, as ``GET /v1/accounts/{id}`` lists it."""
    kind: ChannelKind | None = None
    """``email``, ``sms`` or ``desktop``: the kind of the channel that comes."""
    address: Annotated[str, Meta(max_length=ADDRESS_BYTES_MOST)] = ""
    """Where it leads: name@domain in ASCII, a number with + and its country's code, or a name."""


class ContactRepudiateDraft(DraftForm, frozen=True, kw_only=True):
    """A channel that was never the customer's."""

    channel_id: Short
    """Its id, as ``GET /v1/accounts/{id}`` lists it."""


class PasswordResetDraft(DraftForm, frozen=True, kw_only=True):
    """The password that takes the place of a forgotten one."""

    HIDDEN = frozenset({"password"})

    password: Annotated[str, Meta(min_length=1, max_length=256)]
    """The new password, 15 characters at least, whatever else is bound: nobody is told what is."""


class NoticeWordSetDraft(DraftForm, frozen=True, kw_only=True):
    """The word that messages hold from now on."""

    HIDDEN = frozenset({"word"})

    word: Annotated[str, Meta(min_length=1, max_length=64)]
    """4 to 16 letters A to Z, as one to three words with one space between; not your password."""


class PasswordChangeDraft(DraftForm, frozen=True, kw_only=True):
    """The new password."""

    HIDDEN = frozenset({"password"})

    password: Annotated[str, Meta(min_length=1, max_length=256)]
    """8 characters at least, or 15 while neither an app nor a passkey is bound."""


class DestinationAddDraft(DraftForm, frozen=True, kw_only=True):
    """Where value may be sent, and how much a day on the session key alone."""

    network: Short
    """The network, as the policy names it; or ``venue``, ``subaccount``, ``card``, ``loan``,
    ``market``, ``product``: a place in your own books."""
    address: Address
    """The address, in any of its network's spellings."""
    memo: Memo = ""
    """The memo or tag, where the receiver asks for one."""
    label: Text = ""
    """What the customer calls it."""
    budget_cents: Cents = 0
    """US cents a day that may leave to it on the session key alone."""


class DestinationRemoveDraft(DraftForm, frozen=True, kw_only=True):
    """One of the account's destinations."""

    network: Short
    """The network, as the policy names it."""
    address: Address
    """The address, in any of its network's spellings."""
    memo: Memo = ""
    """The memo or tag that it was listed with."""


class Where(DraftForm, frozen=True, kw_only=True):
    """A destination by what it is."""

    network: Short
    address: Address
    memo: Memo = ""


class ApiKeyCreateDraft(DraftForm, frozen=True, kw_only=True):
    """A key of the customer's, with exactly these powers."""

    public_key: Annotated[str, Meta(min_length=43, max_length=43)]
    """Ed25519, base64url of 32 bytes."""
    scopes: Annotated[tuple[Short, ...], Meta(min_length=1, max_length=8)]
    """Of ``read``, ``trade`` and ``withdraw``."""
    ip_list: Annotated[tuple[Short, ...], Meta(max_length=20)] = ()
    """Addresses or networks it may be used from; one at least with ``withdraw``."""
    destinations: Annotated[tuple[Where, ...], Meta(max_length=20)] = ()
    """Usable destinations as ``network``, ``address``, ``memo``; one at least with ``withdraw``."""
    daily_cents: Cents = 0
    """US cents that may leave by it a day (UTC); one at least with ``withdraw``."""
    pairs: Annotated[tuple[Place, ...], Meta(max_length=API_KEY_PAIRS_MOST)] = ()
    """With ``trade``: the pairs it trades, such as ``BTC/USDT``; none: any liquid one."""
    price_band_bp: Annotated[int, Meta(ge=0, le=API_KEY_BAND_BP_MOST)] = 0
    """With ``trade``: how far from the middle its orders may lie, in basis points; 0: no band."""
    notional_daily_cents: Cents = 0
    """With ``trade``: US cents that it may trade a day (UTC); 0: no sum of its own."""
    integrator: Annotated[str, Meta(pattern=INTEGRATOR, max_length=64)] = ""
    """Whose program the key is for, such as ``example-bot``: all of their keys can be revoked."""


class ApiKeyRevokeDraft(DraftForm, frozen=True, kw_only=True):
    """One of the account's API keys."""

    api_key_id: Short
    """Its id, as ``GET /v1/accounts/{id}`` lists it."""


class EmptyDraft(DraftForm, frozen=True, kw_only=True):
    """Nothing more needs to be said."""


Draft: TypeAlias = (
    SessionStartDraft
    | AuthenticatorBindDraft
    | AuthenticatorRemoveDraft
    | ContactChangeDraft
    | ContactRepudiateDraft
    | TrustedContactAddDraft
    | TrustedContactRemoveDraft
    | MemberAddDraft
    | MemberRemoveDraft
    | QuorumDraft
    | PasswordChangeDraft
    | PasswordResetDraft
    | NoticeWordSetDraft
    | DestinationAddDraft
    | DestinationRemoveDraft
    | ApiKeyCreateDraft
    | ApiKeyRevokeDraft
    | EmptyDraft
)


def parse(data: dict[str, Any], form: type[D]) -> D:
    """Return ``data`` as a draft of ``form``. Raises MalformedError."""
    try:
        return msgspec.convert(data, form)
    except msgspec.ValidationError as error:
        raise MalformedError(f"the payload does not have its form: {error}") from error


def destination_add(draft: DestinationAddDraft, where: Where, account: AccountId) -> DestinationAdd:
    """Return the payload that lists ``where``, which is what the draft says, in its one form."""
    return DestinationAdd(
        account=account,
        network=where.network,
        address=where.address,
        memo=where.memo,
        label=draft.label,
        budget_cents=draft.budget_cents,
    )


def destination_remove(where: Where, account: AccountId) -> DestinationRemove:
    """Return the payload that takes ``where``, in its one form, off the list."""
    return DestinationRemove(
        account=account, network=where.network, address=where.address, memo=where.memo
    )


def api_key_create(
    draft: ApiKeyCreateDraft,
    account: AccountId,
    *,
    networks: tuple[str, ...],
    destinations: tuple[str, ...],
) -> ApiKeyCreate:
    """Return the payload of a new API key; ``networks`` are its IP list in canonical form."""
    if not SCOPES.issuperset(draft.scopes):
        raise ScopeUnknownError("a scope is one of read, trade, withdraw")
    trades = draft.pairs or draft.price_band_bp or draft.notional_daily_cents
    if trades and TRADE_SCOPE not in draft.scopes:
        raise ScopeUnknownError("pairs, a band and a sum to trade are of a key that may trade")
    return ApiKeyCreate(
        account=account,
        public_key=draft.public_key,
        scopes=tuple(sorted(set(draft.scopes))),
        ip_list=networks,
        destinations=destinations,
        daily_cents=draft.daily_cents,
        pairs=tuple(sorted(set(draft.pairs))),
        price_band_bp=draft.price_band_bp,
        notional_daily_cents=draft.notional_daily_cents,
        integrator=draft.integrator,
    )


def _no_network(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "an IP list holds addresses or networks"
    return "a network of an IP list is written by its first address, such as 203.0.113.0/24"


def normal_network(text: str) -> str:
    """Return the one form of an address or network of an IP list. Raises ScopeUnknownError."""
    try:
        network = _unmapped(ipaddress.ip_network(text))
    except ValueError as error:
        raise ScopeUnknownError(_no_network(text)) from error
    if "%" in text:  # Python takes any text behind it, as the zone of a link of one machine.
        raise ScopeUnknownError("an IP list holds addresses of the internet, without a zone")
    if network.prefixlen < _prefix_least(network):
        raise ScopeUnknownError("an IP list holds networks of one site, not of a country")
    return str(network)


def _prefix_least(network: _Network) -> int:
    """Return how many bits a network of an IP list names at least."""
    if network.version == 4:  # noqa: PLR2004 - IPv4
        return IPV4_PREFIX_LEAST
    translated = any(network.overlaps(one) for one in _TRANSLATED)
    return _MAPPED_BITS + IPV4_PREFIX_LEAST if translated else IPV6_PREFIX_LEAST


def _unmapped(network: _Network) -> _Network:
    """Return IPv4 networks inside IPv6 as the IPv4 they are, as ``api_keys.normal_ip`` does."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - _MAPPED_BITS))
