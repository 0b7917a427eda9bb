"""The catalogue: every type of action the gate knows by name, and its class.

Exits are a closed list; what is not in the catalogue is unknown, and unknown is no (law 1). Types
that cannot be decided yet are known and refused.
"""

from enum import StrEnum
from types import MappingProxyType

import msgspec

from twinlock.domain.ids import AccountId


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
    DERIVATIVE_OPEN = "derivative.open"
    MARGIN_OPEN = "margin.open"
    STAKING_START = "staking.start"
    CONVERT_EXECUTE = "convert.execute"
    PLATFORM_EXIT = "platform.exit"
    SESSION_START = "session.start"
    AUTHENTICATOR_BIND = "authenticator.bind"
    AUTHENTICATOR_REMOVE = "authenticator.remove"
    AUTHENTICATOR_SUSPEND = "authenticator.suspend"
    AUTHENTICATOR_REACTIVATE = "authenticator.reactivate"
    AUTHENTICATOR_REPUDIATE = "authenticator.repudiate"
    PASSWORD_CHANGE = "password.change"  # noqa: S105 - the name of an action
    PASSWORD_RESET = "password.reset"  # noqa: S105 - the name of an action
    NOTICE_WORD_SET = "notice_word.set"
    CONTACT_CHANGE = "contact.change"
    CONTACT_REPUDIATE = "contact.repudiate"
    DESTINATION_ADD = "destination.add"
    DESTINATION_REMOVE = "destination.remove"
    TRUSTED_CONTACT_ADD = "trusted_contact.add"
    TRUSTED_CONTACT_REMOVE = "trusted_contact.remove"
    MEMBER_ADD = "member.add"
    MEMBER_REMOVE = "member.remove"
    QUORUM_TIGHTEN = "quorum.tighten"
    QUORUM_LOOSEN = "quorum.loosen"
    LIMIT_RAISE = "limit.raise"
    LIMIT_LOWER = "limit.lower"
    LOCK_LOOSEN = "lock.loosen"
    LOCK_TIGHTEN = "lock.tighten"
    API_KEY_CREATE = "api_key.create"
    API_KEY_WIDEN = "api_key.widen"
    API_KEY_NARROW = "api_key.narrow"
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
            ActionType.DERIVATIVE_OPEN,
            ActionType.MARGIN_OPEN,
            ActionType.STAKING_START,
            ActionType.CONVERT_EXECUTE,
            ActionType.PLATFORM_EXIT,
        ),
        ActionClass.LOOSENING: (
            ActionType.AUTHENTICATOR_BIND,
            ActionType.AUTHENTICATOR_REMOVE,
            ActionType.AUTHENTICATOR_REACTIVATE,
            ActionType.PASSWORD_RESET,
            ActionType.CONTACT_CHANGE,
            ActionType.DESTINATION_ADD,
            ActionType.TRUSTED_CONTACT_REMOVE,
            ActionType.MEMBER_ADD,
            ActionType.MEMBER_REMOVE,
            ActionType.QUORUM_LOOSEN,
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
            ActionType.TRUSTED_CONTACT_ADD,
            ActionType.QUORUM_TIGHTEN,
            ActionType.LIMIT_LOWER,
            ActionType.LOCK_TIGHTEN,
            ActionType.API_KEY_NARROW,
            ActionType.API_KEY_REVOKE,
            ActionType.FREEZE_SET,
        ),
        ActionClass.ACCESS: (
            ActionType.SESSION_START,
            ActionType.PASSWORD_CHANGE,
            ActionType.NOTICE_WORD_SET,
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


# What says that something bound is lost, stolen or never was the owner's: any older thing may.
REPUDIATIONS: frozenset[str] = frozenset(
    {ActionType.AUTHENTICATOR_REPUDIATE, ActionType.CONTACT_REPUDIATE}
)
REPORTS: frozenset[str] = REPUDIATIONS | {ActionType.AUTHENTICATOR_SUSPEND}
# What is done with little proof, and bounded where it is less than the floor (law 5).
ALARMS: frozenset[str] = REPORTS | {ActionType.FREEZE_SET}
TRADE_SCOPE, WITHDRAW_SCOPE = "trade", "withdraw"
SCOPES = frozenset({"read", TRADE_SCOPE, WITHDRAW_SCOPE})
UNKNOWN_TYPE = "unknown"
