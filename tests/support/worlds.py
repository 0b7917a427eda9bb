"""Accounts in every state of enrolment, policies, and payloads, with a test's few words."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace
from support.cast import (
    ALICE,
    ALICES_LAPTOP,
    LONG_AGO,
    MEMBER,
    NOON,
    OLD_ADDRESS,
)
from support.policies import DEFAULT

from twinlock.domain.account import Account, Chain, Device, Session
from twinlock.domain.actions import (
    AccountErase,
    ApiKeyCreate,
    AuthenticatorBind,
    AuthenticatorReactivate,
    AuthenticatorRemove,
    AuthenticatorRepudiate,
    AuthenticatorSuspend,
    ContactChange,
    ContactRepudiate,
    DestinationAdd,
    DestinationRemove,
    FreezeLift,
    FreezeSet,
    NoticeWordSet,
    PasswordChange,
    PasswordReset,
    SessionStart,
    TrustedContactAdd,
    TrustedContactRemove,
)
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    Totp,
    credential_of,
)
from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.decisions import Rules, agreed
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.ids import AuthenticatorId, ChannelId, DestinationId, MemberId, SessionId, tail
from twinlock.domain.laws import LAWS
from twinlock.domain.listed import Destination
from twinlock.domain.money import Prices
from twinlock.domain.notice_words import commitment, packed
from twinlock.domain.policy.version import Policy

CONTRACT = "0xdac17f958d2ee523a2206206994597c13d831ec7"
PRICES: Mapping[str, int] = {"USDT": 100, "BTC": 100_000_00, "ETH": 3_000_00, "USD": 100}


# --- Authenticators ---

_BOUND_BY = ("aut_password", "aut_totp", "aut_passkey", "aut_roaming", "aut_desktop")


def entry_of(name: str) -> int:
    """Return the entry that bound what is so called: none that a test's own entries come to."""
    return 10**6 + (_BOUND_BY.index(name) if name in _BOUND_BY else len(_BOUND_BY))


def a_password(name: str = "aut_password", *, bound_at: datetime = LONG_AGO) -> Password:
    return Password(
        authenticator_id=AuthenticatorId(name),
        member_id=MEMBER,
        bound_at=bound_at,
        entry=entry_of(name),
        verifier=f"hash of {name}",
    )


def an_app(name: str = "aut_totp", *, bound_at: datetime = LONG_AGO) -> Totp:
    return Totp(
        authenticator_id=AuthenticatorId(name),
        member_id=MEMBER,
        bound_at=bound_at,
        entry=entry_of(name),
        seed=f"seed of {name}",
    )


def a_passkey(
    name: str = "aut_passkey",
    *,
    placement: Placement = Placement.PHONE,
    bound_at: datetime = LONG_AGO,
) -> Passkey:
    return Passkey(
        authenticator_id=AuthenticatorId(name),
        member_id=MEMBER,
        bound_at=bound_at,
        entry=entry_of(name),
        credential_id=f"credential of {name}",
        public_key=f"key of {name}",
        backup_eligible=placement is Placement.PHONE,
        placement=placement,
    )


def saved_codes(
    name: str = "aut_saved", *, bound_at: datetime = LONG_AGO, left: int = 3
) -> RecoveryCodes:
    return RecoveryCodes(
        authenticator_id=AuthenticatorId(name),
        member_id=MEMBER,
        bound_at=bound_at,
        entry=0,
        left=tuple(f"hash {number} of {name}" for number in range(left)),
    )


PASSWORD = a_password()
APP = an_app()
SYNCED = a_passkey()
SAVED = saved_codes()
ROAMING = a_passkey("aut_roaming", placement=Placement.ROAMING)
DESKTOP_KEY = a_passkey("aut_desktop", placement=Placement.DESKTOP)


# --- Channels, sessions, destinations ---


def a_channel(kind: ChannelKind, *, bound_at: datetime = LONG_AGO) -> Channel:
    return Channel(
        channel_id=ChannelId(f"chn_{kind}"), kind=kind, address=f"{kind}@alice", bound_at=bound_at
    )


EMAIL = a_channel(ChannelKind.EMAIL)
SMS = a_channel(ChannelKind.SMS)
DESKTOP = a_channel(ChannelKind.DESKTOP)


def a_session(
    name: str = "ses_alice",
    *,
    thumbprint: str = ALICES_LAPTOP,
    started_at: datetime = NOON,
    seen_at: datetime | None = None,
    read_only: bool = False,
) -> Session:
    return Session(
        session_id=SessionId(name),
        member_id=MEMBER,
        thumbprint=thumbprint,
        started_at=started_at,
        seen_at=started_at if seen_at is None else seen_at,
        bound_at=LONG_AGO,
        read_only=read_only,
    )


def destination_id(network: str, address: str, memo: str) -> DestinationId:
    """Name a destination as the services do: by what it is."""
    named = tagged_hash("test/v1", network.encode(), address.encode(), memo.encode())
    return DestinationId(f"dst_{tail(named[:16])}")


def a_destination(  # noqa: PLR0913 - each is one thing a test may want otherwise
    address: str = OLD_ADDRESS,
    *,
    network: str = "ethereum",
    usable_at: datetime | None = LONG_AGO,
    used_at: datetime | None = NOON - timedelta(days=5),
    imported: bool = False,
    removed: bool = False,
    budget_cents: int = 0,
) -> Destination:
    return Destination(
        destination_id=destination_id(network, address, ""),
        account_id=ALICE,
        version=1,
        network=network,
        address=address,
        memo="",
        added_at=LONG_AGO,
        imported=imported,
        removed=removed,
        usable_at=usable_at,
        used_at=used_at,
        budget_cents=budget_cents,
    )


# --- Accounts ---


def an_account(
    *authenticators: Authenticator,
    channels: Iterable[Channel] = (EMAIL, DESKTOP),
    destinations: Iterable[Destination] = (),
    sessions: Iterable[Session] = (),
    enrolling_until: datetime | None = None,
    destinations_required: bool = False,
    opened_at: datetime = LONG_AGO,
) -> Account:
    """Return Alice's account: a password and a phone's passkey, unless told otherwise."""
    return Account(
        account_id=ALICE,
        member_id=MEMBER,
        opened_at=opened_at,
        chain=Chain(label_key=b64url(b"k" * 32)),
        enrolling_until=enrolling_until,
        destinations_required=destinations_required,
        authenticators=authenticators or (PASSWORD, SYNCED),
        channels=tuple(channels),
        devices=(Device(thumbprint=ALICES_LAPTOP, since=LONG_AGO, seen_at=NOON),),
        sessions=tuple(sessions),
        destinations={one.destination_id: one.version for one in destinations},
    )


def rules_of(
    policy: Policy = DEFAULT, *, now: datetime = NOON, prices: Mapping[str, int] | None = PRICES
) -> Rules:
    """Return the rules of ``policy``, with prices listed at ``now`` or none at all."""
    return Rules(
        laws=LAWS,
        statutes=policy.statutes.laws(),
        policy=policy,
        confirm=agreed,
        prices=None if prices is None else Prices(as_of=now, cents=prices),
    )


# --- Payloads ---


def send(dollars: int = 50, *, to: str = OLD_ADDRESS) -> WithdrawalCrypto:
    """Ask for so many dollars to leave: USDT, and a fee that counts as a cent."""
    return WithdrawalCrypto(
        account=ALICE,
        asset="USDT",
        network="ethereum",
        contract=CONTRACT,
        decimals=6,
        address=to,
        memo="",
        amount_minor=str(dollars * 10**6 - 10**4),
        max_fee_minor="1000",
    )


def list_address(address: str, *, budget_cents: int = 0) -> DestinationAdd:
    return DestinationAdd(
        account=ALICE, network="ethereum", address=address, memo="", budget_cents=budget_cents
    )


def unlist(address: str) -> DestinationRemove:
    return DestinationRemove(account=ALICE, network="ethereum", address=address, memo="")


def sign_in(device: str = ALICES_LAPTOP) -> SessionStart:
    return SessionStart(account=ALICE, device=device)


def bind(one: Authenticator) -> tuple[AuthenticatorBind, str]:
    """Return the payload that binds ``one``, and its secret."""
    kind = one.__struct_config__.tag
    payload = AuthenticatorBind(account=ALICE, authenticator=str(kind), credential="digest")
    return payload, encode(one).decode()


def remove(one: Authenticator) -> AuthenticatorRemove:
    return AuthenticatorRemove(account=ALICE, authenticator_id=one.authenticator_id)


def change_password(new: str = "another hash") -> tuple[PasswordChange, str]:
    """Return the payload that replaces PASSWORD, and its secret."""
    return (
        PasswordChange(account=ALICE, verifier="digest"),
        encode(replace(PASSWORD, verifier=new)).decode(),
    )


def reset_password(
    new: str = "another hash", old: Password | None = None
) -> tuple[PasswordReset, str]:
    """Return the payload that sets a password in the place of ``old``, PASSWORD unless told."""
    payload = PasswordReset(account=ALICE, verifier="digest")
    return payload, encode(replace(old or PASSWORD, verifier=new)).decode()


def set_word(text: str = "blue heron") -> tuple[NoticeWordSet, str]:
    """Return the payload that sets the word of messages, and its secret."""
    secret = packed(text, salt="s" * 26)
    return NoticeWordSet(account=ALICE, commitment=commitment(secret)), secret


def suspend(one: Authenticator) -> AuthenticatorSuspend:
    return AuthenticatorSuspend(account=ALICE, authenticator_id=one.authenticator_id)


def reactivate(one: Authenticator) -> AuthenticatorReactivate:
    return AuthenticatorReactivate(account=ALICE, authenticator_id=one.authenticator_id)


def repudiate(one: Authenticator | Channel) -> AuthenticatorRepudiate | ContactRepudiate:
    if isinstance(one, Channel):
        return ContactRepudiate(account=ALICE, channel_id=one.channel_id)
    return AuthenticatorRepudiate(account=ALICE, authenticator_id=one.authenticator_id)


def change_contact(
    old: Channel | None, new: Channel | None, name: str = ""
) -> tuple[ContactChange, str]:
    """Return the payload that puts ``new`` in the place of ``old``, and the id of what comes."""
    payload = ContactChange(
        account=ALICE,
        channel_id="" if old is None else old.channel_id,
        old_kind="" if old is None else old.kind.value,
        old_address="" if old is None else old.address,
        new_kind="" if new is None else new.kind.value,
        new_address="" if new is None else new.address,
    )
    return payload, name or ("" if new is None else new.channel_id)


def make_key(
    *scopes: str,
    ip_list: tuple[str, ...] = (),
    destinations: tuple[str, ...] = (),
    daily_cents: int = 1_000_00,
    public_key: str = "P" * 43,
) -> ApiKeyCreate:
    return ApiKeyCreate(
        account=ALICE,
        public_key=public_key,
        scopes=scopes or ("read",),
        ip_list=ip_list,
        destinations=destinations,
        daily_cents=daily_cents,
    )


FREEZE = FreezeSet(account=ALICE)
LIFT = FreezeLift(account=ALICE)
ERASE = AccountErase(account=ALICE)
CODE_FACTORS = {ChannelKind.EMAIL: Factor.EMAIL_CODE, ChannelKind.SMS: Factor.SMS_CODE}


# --- Other people ---


def a_contact(name: str = "Bob", *, bound_at: datetime = LONG_AGO) -> Passkey:
    """Return another person's passkey, who may agree."""
    return replace(
        a_passkey(f"con_{name.lower()}"),
        member_id=MemberId(f"mem_{name.lower()}"),
        name=name,
        bound_at=bound_at,
    )


def add_contact(name: str = "Bob", *, first: bool = True) -> tuple[TrustedContactAdd, str]:
    """Return the payload that adds a contact, and what will be kept of it."""
    made = a_contact(name)
    payload = TrustedContactAdd(
        account=ALICE, name=name, credential=credential_of(made), first=first
    )
    return payload, encode(made).decode("utf-8")


def remove_contact(name: str = "Bob") -> TrustedContactRemove:
    return TrustedContactRemove(account=ALICE, contact_id=f"con_{name.lower()}")
