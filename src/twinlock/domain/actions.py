"""Actions: the payload that a customer signs for each type, and what follows from it.

A payload names everything that decides what happens: a thief who changes one byte of it needs a
new proof (law 2; RTS-SCA Art. 5(1)).
"""

from typing import TypeAlias

import msgspec

from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.catalogue import (
    CLASS_OF,
    UNKNOWN_TYPE,
    WITHDRAW_SCOPE,
    ActionClass,
    ActionType,
    Payload,
)
from twinlock.domain.exits import EXITS, AnyExit, Exit, leads_to
from twinlock.domain.ids import AccountId
from twinlock.domain.money import AmountError


class SessionStart(Payload, frozen=True, kw_only=True, tag=ActionType.SESSION_START.value):
    """Sign in on the device whose key has this RFC 7638 thumbprint (base64url, 32 bytes)."""

    device: str


class AuthenticatorBind(
    Payload, frozen=True, kw_only=True, tag=ActionType.AUTHENTICATOR_BIND.value
):
    """Bind what ``credential`` describes: a digest of a secret, or a public key, base64url."""

    authenticator: str
    credential: str
    name: str = ""


class AuthenticatorRemove(
    Payload, frozen=True, kw_only=True, tag=ActionType.AUTHENTICATOR_REMOVE.value
):
    """Remove one authenticator by its id."""

    authenticator_id: str


class AuthenticatorSuspend(
    Payload, frozen=True, kw_only=True, tag=ActionType.AUTHENTICATOR_SUSPEND.value
):
    """Report one authenticator lost or stolen: it proves nothing from now on."""

    authenticator_id: str


class AuthenticatorReactivate(
    Payload, frozen=True, kw_only=True, tag=ActionType.AUTHENTICATOR_REACTIVATE.value
):
    """Have a suspended authenticator prove again, after the wait."""

    authenticator_id: str


class AuthenticatorRepudiate(
    Payload, frozen=True, kw_only=True, tag=ActionType.AUTHENTICATOR_REPUDIATE.value
):
    """Say of a new authenticator or password that it was never yours: it is undone at once."""

    authenticator_id: str


class ContactChange(Payload, frozen=True, kw_only=True, tag=ActionType.CONTACT_CHANGE.value):
    """Add, replace or remove one notice channel: the old one goes, the new one comes.

    Empty where there is none. Addresses stand whole and in their one form (``domain.contacts``).
    """

    channel_id: str = ""  # of the old one
    old_kind: str = ""
    old_address: str = ""
    new_kind: str = ""
    new_address: str = ""


class ContactRepudiate(Payload, frozen=True, kw_only=True, tag=ActionType.CONTACT_REPUDIATE.value):
    """Say of a new channel that it was never yours: what it replaced is back at once."""

    channel_id: str


class PasswordReset(Payload, frozen=True, kw_only=True, tag=ActionType.PASSWORD_RESET.value):
    """Set a password in the place of a forgotten one; ``verifier`` is a digest of its hash."""

    verifier: str


class PasswordChange(Payload, frozen=True, kw_only=True, tag=ActionType.PASSWORD_CHANGE.value):
    """Replace the password; ``verifier`` is a digest of the new hash, base64url."""

    verifier: str


class NoticeWordSet(Payload, frozen=True, kw_only=True, tag=ActionType.NOTICE_WORD_SET.value):
    """Have every message hold the word behind ``commitment``: a salted digest, base64url."""

    commitment: str


class DestinationAdd(Payload, frozen=True, kw_only=True, tag=ActionType.DESTINATION_ADD.value):
    """List a destination, with the sum per day that may leave to it on the session key alone."""

    network: str
    address: str
    memo: str
    label: str = ""
    budget_cents: int = 0

    def __post_init__(self) -> None:
        if self.budget_cents < 0:
            raise AmountError("a budget is not negative")


class DestinationRemove(
    Payload, frozen=True, kw_only=True, tag=ActionType.DESTINATION_REMOVE.value
):
    """Take a destination off the list."""

    network: str
    address: str
    memo: str


class TrustedContactAdd(
    Payload, frozen=True, kw_only=True, tag=ActionType.TRUSTED_CONTACT_ADD.value
):
    """Have one more person agree above the owner's own limit, with the passkey ``credential``.

    ``first``: there is none yet, so nobody is less asked for; another one might agree where the
    first one would not.
    """

    name: str
    credential: str
    first: bool


class TrustedContactRemove(
    Payload, frozen=True, kw_only=True, tag=ActionType.TRUSTED_CONTACT_REMOVE.value
):
    """Have a trusted contact agree to nothing any more, after the wait."""

    contact_id: str


class MemberAdd(Payload, frozen=True, kw_only=True, tag=ActionType.MEMBER_ADD.value):
    """Make one more person a member, with the passkey ``credential``, after the wait."""

    member_id: str
    name: str
    credential: str


class MemberRemove(Payload, frozen=True, kw_only=True, tag=ActionType.MEMBER_REMOVE.value):
    """Have somebody be no member any more, with all of their authenticators, after the wait."""

    member_id: str


class _Sums(Payload, frozen=True, kw_only=True):
    two_cents: int | None
    three_cents: int | None


class QuorumTighten(_Sums, frozen=True, kw_only=True, tag=ActionType.QUORUM_TIGHTEN.value):
    """Have two, or three, members agree above these sums a day (US cents), at once; None: none."""


class QuorumLoosen(_Sums, frozen=True, kw_only=True, tag=ActionType.QUORUM_LOOSEN.value):
    """Have them agree above these sums from now on, after the wait."""


class LimitRaise(
    Payload, frozen=True, kw_only=True, omit_defaults=True, tag=ActionType.LIMIT_RAISE.value
):
    """Let more leave a day, after the wait: US cents in all and to one destination.

    Above ``agreement_cents`` a day a trusted contact agrees. None: as much as the platform lets
    leave, and without a contact.
    """

    day_cents: int | None
    destination_cents: int | None
    agreement_cents: int | None = None


class LimitLower(
    Payload, frozen=True, kw_only=True, omit_defaults=True, tag=ActionType.LIMIT_LOWER.value
):
    """Let less leave a day, at once: US cents in all and to one destination; None: no limit.

    Above ``agreement_cents`` a day a trusted contact agrees.
    """

    day_cents: int | None
    destination_cents: int | None
    agreement_cents: int | None = None


class LockTighten(
    Payload, frozen=True, kw_only=True, omit_defaults=True, tag=ActionType.LOCK_TIGHTEN.value
):
    """Have all that leaves or loosens wait ``days``, at once.

    ``two_keys`` may spare the wait, or ``both_keys`` are needed beside it.
    """

    days: int
    two_keys: bool
    both_keys: bool = False


class LockLoosen(
    Payload, frozen=True, kw_only=True, omit_defaults=True, tag=ActionType.LOCK_LOOSEN.value
):
    """Have it wait ``days`` from now on, after the lock's own delay; 0 ends the lock."""

    days: int
    two_keys: bool
    both_keys: bool = False


class ApiKeyCreate(Payload, frozen=True, kw_only=True, tag=ActionType.API_KEY_CREATE.value):
    """Make an API key for ``public_key`` (Ed25519, base64url) with exactly these powers."""

    public_key: str
    scopes: tuple[str, ...]
    ip_list: tuple[str, ...]
    destinations: tuple[str, ...]
    daily_cents: int = 0
    pairs: tuple[str, ...] = ()  # it trades; none: any that the policy calls liquid
    price_band_bp: int = 0  # basis points from the middle, of every order; 0: no band
    notional_daily_cents: int = 0  # it may trade a day; 0: no sum of its own
    integrator: str = ""  # whose program it was made for


class _KeyPowers(Payload, frozen=True, kw_only=True):
    api_key_id: str
    ip_list: tuple[str, ...]
    pairs: tuple[str, ...]
    price_band_bp: int
    notional_daily_cents: int


class ApiKeyWiden(_KeyPowers, frozen=True, kw_only=True, tag=ActionType.API_KEY_WIDEN.value):
    """Have an API key trade and be used so from now on, after the wait."""


class ApiKeyNarrow(_KeyPowers, frozen=True, kw_only=True, tag=ActionType.API_KEY_NARROW.value):
    """Have an API key trade and be used so from now on, at once: nothing of it is more."""


class ApiKeyRevoke(Payload, frozen=True, kw_only=True, tag=ActionType.API_KEY_REVOKE.value):
    """End an API key."""

    api_key_id: str


class FreezeSet(Payload, frozen=True, kw_only=True, tag=ActionType.FREEZE_SET.value):
    """Stop everything that leaves or loosens, at once."""


class FreezeLift(Payload, frozen=True, kw_only=True, tag=ActionType.FREEZE_LIFT.value):
    """Go on again, after the wait."""


class AccountErase(Payload, frozen=True, kw_only=True, tag=ActionType.ACCOUNT_ERASE.value):
    """Destroy all that is kept of this account, after the wait; nothing brings it back."""


class NotBuilt(Payload, frozen=True, kw_only=True, tag="not_built"):
    """An action that the gate knows by name or not at all, and does not decide yet.

    ``digest`` commits to the fields that were asked for, so that the refusal can be shown.
    """

    asked: str
    digest: str


AnyPayload: TypeAlias = (
    AnyExit
    | SessionStart
    | AuthenticatorBind
    | AuthenticatorRemove
    | AuthenticatorSuspend
    | AuthenticatorReactivate
    | AuthenticatorRepudiate
    | ContactChange
    | ContactRepudiate
    | PasswordChange
    | PasswordReset
    | NoticeWordSet
    | DestinationAdd
    | DestinationRemove
    | TrustedContactAdd
    | TrustedContactRemove
    | MemberAdd
    | MemberRemove
    | QuorumTighten
    | QuorumLoosen
    | LimitRaise
    | LimitLower
    | LockTighten
    | LockLoosen
    | ApiKeyCreate
    | ApiKeyWiden
    | ApiKeyNarrow
    | ApiKeyRevoke
    | FreezeSet
    | FreezeLift
    | AccountErase
    | NotBuilt
)

BUILT: frozenset[str] = EXITS | frozenset(
    {
        ActionType.SESSION_START,
        ActionType.AUTHENTICATOR_BIND,
        ActionType.AUTHENTICATOR_REMOVE,
        ActionType.AUTHENTICATOR_SUSPEND,
        ActionType.AUTHENTICATOR_REACTIVATE,
        ActionType.AUTHENTICATOR_REPUDIATE,
        ActionType.CONTACT_CHANGE,
        ActionType.CONTACT_REPUDIATE,
        ActionType.PASSWORD_CHANGE,
        ActionType.PASSWORD_RESET,
        ActionType.NOTICE_WORD_SET,
        ActionType.DESTINATION_ADD,
        ActionType.DESTINATION_REMOVE,
        ActionType.TRUSTED_CONTACT_ADD,
        ActionType.TRUSTED_CONTACT_REMOVE,
        ActionType.MEMBER_ADD,
        ActionType.MEMBER_REMOVE,
        ActionType.QUORUM_TIGHTEN,
        ActionType.QUORUM_LOOSEN,
        ActionType.LIMIT_RAISE,
        ActionType.LIMIT_LOWER,
        ActionType.LOCK_TIGHTEN,
        ActionType.LOCK_LOOSEN,
        ActionType.API_KEY_CREATE,
        ActionType.API_KEY_WIDEN,
        ActionType.API_KEY_NARROW,
        ActionType.API_KEY_REVOKE,
        ActionType.FREEZE_SET,
        ActionType.FREEZE_LIFT,
        ActionType.ACCOUNT_ERASE,
    }
)


def type_of(payload: AnyPayload) -> str:
    """Return the name of the action that ``payload`` asks for, or UNKNOWN_TYPE.

    The name is public in the log, so a name outside the catalogue, which a caller made up and could
    fill with anything, stands in the committed payload only.
    """
    if isinstance(payload, NotBuilt):
        return payload.asked if payload.asked in CLASS_OF else UNKNOWN_TYPE
    return str(payload.__struct_config__.tag)


def class_of(payload: AnyPayload) -> ActionClass | None:
    """Return the class of the action, or None for one that the catalogue does not name.

    An API key that may withdraw weakens protection; one that may not gives access only. Another
    trusted contact beside the first is one more who may agree.
    """
    if isinstance(payload, TrustedContactAdd) and not payload.first:
        return ActionClass.LOOSENING
    if isinstance(payload, ApiKeyCreate) and WITHDRAW_SCOPE in payload.scopes:
        return ActionClass.LOOSENING
    return CLASS_OF.get(type_of(payload))


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a payload would send value or what it lists: a destination in its one form."""

    account: AccountId
    network: str
    address: str
    memo: str


def place_of(payload: AnyPayload) -> Place | None:
    """Return the destination that ``payload`` names, or None where it names none."""
    if isinstance(payload, Exit):
        network, address, memo = leads_to(payload)
    elif isinstance(payload, DestinationAdd | DestinationRemove):
        network, address, memo = payload.network, payload.address, payload.memo
    else:
        return None
    return Place(account=payload.account, network=network, address=address, memo=memo)


def payload_bytes(payload: AnyPayload) -> bytes:
    """Return the canonical bytes that are signed, committed and hashed."""
    return encode(payload)


def payload_digest(payload: bytes) -> str:
    """Return the digest of canonical payload bytes, base64url of 32 bytes."""
    return b64url(tagged_hash("payload/v1", payload))
