"""The catalogue: every type of action, its class, and the payload a customer signs.

A payload names everything that decides what happens: a thief who changes one byte of it needs a
new proof (law 2; RTS-SCA Art. 5(1)). Exits are a closed list; what is not in the catalogue is
unknown, and unknown is no (law 1). Types that cannot be decided yet are known and refused.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.ids import AccountId
from twinlock.domain.money import AmountError, minor_units


class ActionClass(StrEnum):
    """What an action does to protection and money."""

    EXIT = "exit"
    LOOSENING = "loosening"
    TIGHTENING = "tightening"
    ACCESS = "access"
    STAFF = "staff"


class ActionType(StrEnum):
    """Every action the gate knows by name; the value is stored, signed and public in the log."""

    WITHDRAWAL_CRYPTO = "withdrawal.crypto"
    WITHDRAWAL_FIAT = "withdrawal.fiat"
    TRANSFER_INTERNAL = "transfer.internal"
    TRANSFER_SUBACCOUNT = "transfer.subaccount"
    P2P_RELEASE = "p2p.release"
    GIFT_SEND = "gift.send"
    CARD_PAY = "card.pay"
    TRADE_UNUSUAL = "trade.unusual"
    LOAN_COLLATERAL = "loan.collateral"
    SESSION_START = "session.start"
    AUTHENTICATOR_BIND = "authenticator.bind"
    AUTHENTICATOR_REMOVE = "authenticator.remove"
    AUTHENTICATOR_SUSPEND = "authenticator.suspend"
    AUTHENTICATOR_REACTIVATE = "authenticator.reactivate"
    AUTHENTICATOR_REPUDIATE = "authenticator.repudiate"
    PASSWORD_CHANGE = "password.change"  # noqa: S105 - the name of an action
    PASSWORD_RESET = "password.reset"  # noqa: S105 - the name of an action
    CONTACT_CHANGE = "contact.change"
    CONTACT_REPUDIATE = "contact.repudiate"
    DESTINATION_ADD = "destination.add"
    DESTINATION_REMOVE = "destination.remove"
    LIMIT_RAISE = "limit.raise"
    LIMIT_LOWER = "limit.lower"
    LOCK_LOOSEN = "lock.loosen"
    LOCK_TIGHTEN = "lock.tighten"
    API_KEY_CREATE = "api_key.create"
    API_KEY_WIDEN = "api_key.widen"
    API_KEY_REVOKE = "api_key.revoke"
    FREEZE_SET = "freeze.set"
    FREEZE_LIFT = "freeze.lift"
    ACCOUNT_ERASE = "account.erase"
    RECOVERY_OPEN = "recovery.open"
    RECOVERY_COMPLETE = "recovery.complete"
    STAFF_OPEN_FILE = "staff.open_file"
    STAFF_DISCLOSE = "staff.disclose"
    STAFF_REVIEW = "staff.review"
    STAFF_POLICY_ACTIVATE = "staff.policy_activate"


_CLASSES = MappingProxyType(
    {
        ActionClass.EXIT: (
            ActionType.WITHDRAWAL_CRYPTO,
            ActionType.WITHDRAWAL_FIAT,
            ActionType.TRANSFER_INTERNAL,
            ActionType.TRANSFER_SUBACCOUNT,
            ActionType.P2P_RELEASE,
            ActionType.GIFT_SEND,
            ActionType.CARD_PAY,
            ActionType.TRADE_UNUSUAL,
            ActionType.LOAN_COLLATERAL,
        ),
        ActionClass.LOOSENING: (
            ActionType.AUTHENTICATOR_BIND,
            ActionType.AUTHENTICATOR_REMOVE,
            ActionType.AUTHENTICATOR_REACTIVATE,
            ActionType.PASSWORD_RESET,
            ActionType.CONTACT_CHANGE,
            ActionType.DESTINATION_ADD,
            ActionType.LIMIT_RAISE,
            ActionType.LOCK_LOOSEN,
            ActionType.API_KEY_WIDEN,
            ActionType.FREEZE_LIFT,
            ActionType.ACCOUNT_ERASE,
            ActionType.RECOVERY_OPEN,
            ActionType.RECOVERY_COMPLETE,
        ),
        ActionClass.TIGHTENING: (
            ActionType.AUTHENTICATOR_SUSPEND,
            ActionType.AUTHENTICATOR_REPUDIATE,
            ActionType.CONTACT_REPUDIATE,
            ActionType.DESTINATION_REMOVE,
            ActionType.LIMIT_LOWER,
            ActionType.LOCK_TIGHTEN,
            ActionType.API_KEY_REVOKE,
            ActionType.FREEZE_SET,
        ),
        ActionClass.ACCESS: (
            ActionType.SESSION_START,
            ActionType.PASSWORD_CHANGE,
            ActionType.API_KEY_CREATE,
        ),
        ActionClass.STAFF: (
            ActionType.STAFF_OPEN_FILE,
            ActionType.STAFF_DISCLOSE,
            ActionType.STAFF_REVIEW,
            ActionType.STAFF_POLICY_ACTIVATE,
        ),
    }
)
CLASS_OF: MappingProxyType[str, ActionClass] = MappingProxyType(
    {kind.value: cls for cls, kinds in _CLASSES.items() for kind in kinds}
)


class Payload(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True
):
    """What is signed: always names the account, so that a proof cannot serve another one."""

    account: AccountId


class WithdrawalCrypto(Payload, frozen=True, kw_only=True, tag=ActionType.WITHDRAWAL_CRYPTO.value):
    """Send ``amount_minor`` of an asset to an address; amounts are decimal strings of minor units.

    ``contract`` and ``decimals`` are those of the policy version. ``max_fee_minor`` bounds what
    the signer may pay on top, in minor units of the network's own coin.
    """

    asset: str
    network: str
    contract: str
    decimals: int
    address: str
    memo: str
    amount_minor: str
    max_fee_minor: str

    def __post_init__(self) -> None:
        minor_units(self.max_fee_minor)
        if minor_units(self.amount_minor) == 0:
            raise AmountError("an amount is more than zero")


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


class ApiKeyCreate(Payload, frozen=True, kw_only=True, tag=ActionType.API_KEY_CREATE.value):
    """Make an API key for ``public_key`` (Ed25519, base64url) with exactly these powers."""

    public_key: str
    scopes: tuple[str, ...]
    ip_list: tuple[str, ...]
    destinations: tuple[str, ...]
    daily_cents: int = 0


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
    WithdrawalCrypto
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
    | DestinationAdd
    | DestinationRemove
    | ApiKeyCreate
    | ApiKeyRevoke
    | FreezeSet
    | FreezeLift
    | AccountErase
    | NotBuilt
)

BUILT: frozenset[str] = frozenset(
    {
        ActionType.WITHDRAWAL_CRYPTO,
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
        ActionType.DESTINATION_ADD,
        ActionType.DESTINATION_REMOVE,
        ActionType.API_KEY_CREATE,
        ActionType.API_KEY_REVOKE,
        ActionType.FREEZE_SET,
        ActionType.FREEZE_LIFT,
        ActionType.ACCOUNT_ERASE,
    }
)
# What says that something bound is lost, stolen or never was the owner's: any older thing may.
REPUDIATIONS: frozenset[str] = frozenset(
    {ActionType.AUTHENTICATOR_REPUDIATE, ActionType.CONTACT_REPUDIATE}
)
REPORTS: frozenset[str] = REPUDIATIONS | {ActionType.AUTHENTICATOR_SUSPEND}
# What is done with little proof, and bounded where it is less than the floor (law 5).
ALARMS: frozenset[str] = REPORTS | {ActionType.FREEZE_SET}
WITHDRAW_SCOPE = "withdraw"
SCOPES = frozenset({"read", "trade", WITHDRAW_SCOPE})
UNKNOWN_TYPE = "unknown"


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

    An API key that may withdraw weakens protection; one that may not gives access only.
    """
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
    if not isinstance(payload, WithdrawalCrypto | DestinationAdd | DestinationRemove):
        return None
    return Place(
        account=payload.account,
        network=payload.network,
        address=payload.address,
        memo=payload.memo,
    )


def payload_bytes(payload: AnyPayload) -> bytes:
    """Return the canonical bytes that are signed, committed and hashed."""
    return encode(payload)


def payload_digest(payload: bytes) -> str:
    """Return the digest of canonical payload bytes, base64url of 32 bytes."""
    return b64url(tagged_hash("payload/v1", payload))
