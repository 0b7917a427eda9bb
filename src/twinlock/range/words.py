"""The words of scenario files, schema 1: closed lists, so that no misspelt demand passes unnoticed.

A word that stands here and cannot be played yet is reported as "not playable"; one that does not
stand here is refused with the place where it was found.

Source: docs/range.md, "The file".
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from twinlock.domain.catalogue import CLASS_OF


class Person(StrEnum):
    """Who acts. Mallory steals, Ivan is the insider, Sam and Sue are staff."""

    MALLORY = "mallory"
    ALICE = "alice"
    BOB = "bob"
    SAM = "sam"
    SUE = "sue"
    IVAN = "ivan"
    PLATFORM = "platform"
    WORLD = "world"


THIEVES = (Person.MALLORY, Person.IVAN)


class Outcome(StrEnum):
    """What a step was answered: the gate's answers weakest first, then those of events."""

    ALLOW = "allow"
    READ_ONLY = "read_only"
    CHALLENGE = "challenge"
    HOLD = "hold"
    REVIEW = "review"
    DENY = "deny"
    NO_EFFECT = "no_effect"
    DONE = "done"


class Proof(StrEnum):
    """What can be shown with an action."""

    PASSWORD = "password"  # noqa: S105 - the name of a proof
    EMAIL_CODE = "email_code"
    SMS_CODE = "sms_code"
    TOTP = "totp"
    PASSKEY = "passkey"
    HARDWARE_KEY = "hardware_key"
    SESSION = "session"
    API_KEY = "api_key"
    STAFF_KEY = "staff_key"
    PERSONAL_DATA = "personal_data"
    DOCUMENT_IMAGE = "document_image"
    FACE_VIDEO = "face_video"
    CHIP_LIVE = "chip_live"
    WALLET = "wallet"
    RECOVERY_CODE = "recovery_code"
    TRUSTED_CONTACT = "trusted_contact"


class Mark(StrEnum):
    """What is special about a proof; one without a mark is fresh and bound to the action."""

    NEW = "new"
    COPIED = "copied"
    SPENT = "spent"
    OTHER_ACTION = "other_action"
    OTHER_ACCOUNT = "other_account"
    DURESS = "duress"


class Trace(StrEnum):
    """What a step leaves behind."""

    EXITS_HELD = "exits_held"
    NOTICE_OLD_CHANNELS = "notice_old_channels"
    VETO_OPEN = "veto_open"
    CUSTOMER_VIEW = "customer_view"
    SEALED_ENTRY = "sealed_entry"
    POLICY_RAISED = "policy_raised"
    KEY_PAUSED = "key_paused"
    LOOKS_THE_SAME = "looks_the_same"
    ALARM_CANARY = "alarm_canary"
    ALARM_AUDIT = "alarm_audit"


class CheckName(StrEnum):
    """Demands that walk a table instead of listing steps."""

    SAME_FLOOR_ON_ALL_PATHS = "same_floor_on_all_paths"
    EVERY_EXIT_HELD = "every_exit_held"
    NO_VALUE_LEAVES = "no_value_leaves"
    NO_REACH = "no_reach"
    NOTICE_BEFORE_EFFECT = "notice_before_effect"
    ENTRY_PROVABLE = "entry_provable"
    EXACTLY_ONCE = "exactly_once"
    REBUILT_FROM_LOG = "rebuilt_from_log"
    RECORD_COMPLETE = "record_complete"
    SCREEN_NAMES = "screen_names"
    NOT_OFFERED = "not_offered"
    SUM_BINDS = "sum_binds"


class Capability(StrEnum):
    """What the thief holds."""

    PASSWORD = "PASSWORD"  # noqa: S105 - the name of a capability
    EMAIL_FULL = "EMAIL_FULL"
    SMS_RECEIVE = "SMS_RECEIVE"
    TOTP_RELAY = "TOTP_RELAY"
    TOTP_SEED = "TOTP_SEED"
    SESSION_COOKIE = "SESSION_COOKIE"
    DEVICE_MALWARE = "DEVICE_MALWARE"
    PASSKEY_PROVIDER = "PASSKEY_PROVIDER"
    HW_KEY = "HW_KEY"
    RECOVERY_CODE = "RECOVERY_CODE"
    PII = "PII"
    ID_IMAGES = "ID_IMAGES"
    FORGED_ID = "FORGED_ID"
    DEEPFAKE_VIDEO = "DEEPFAKE_VIDEO"
    CAMERA_INJECTION = "CAMERA_INJECTION"
    MAIL_BOMB = "MAIL_BOMB"
    API_KEY_TRADE = "API_KEY_TRADE"
    API_KEY_WITHDRAW = "API_KEY_WITHDRAW"
    STAFF_READ = "STAFF_READ"
    STAFF_APPROVE = "STAFF_APPROVE"
    STAFF_ADMIN = "STAFF_ADMIN"
    FORGED_LEGAL = "FORGED_LEGAL"
    PERSUADE_OWNER = "PERSUADE_OWNER"
    COERCE_OWNER = "COERCE_OWNER"
    CHAIN_DUST = "CHAIN_DUST"
    COUNTERPARTY = "COUNTERPARTY"


# What makes a proof for as long as it is held. TOTP_RELAY is one code, once.
MAKES: Mapping[Capability, Proof] = MappingProxyType(
    {
        Capability.PASSWORD: Proof.PASSWORD,
        Capability.EMAIL_FULL: Proof.EMAIL_CODE,
        Capability.SMS_RECEIVE: Proof.SMS_CODE,
        Capability.TOTP_SEED: Proof.TOTP,
        Capability.PASSKEY_PROVIDER: Proof.PASSKEY,
        Capability.HW_KEY: Proof.HARDWARE_KEY,
        Capability.RECOVERY_CODE: Proof.RECOVERY_CODE,
        Capability.API_KEY_TRADE: Proof.API_KEY,
        Capability.API_KEY_WITHDRAW: Proof.API_KEY,
        Capability.DEVICE_MALWARE: Proof.SESSION,
    }
)


class Grade(StrEnum):
    """How well a chain is attested."""

    TWO_OUTLETS = "A"
    ONE_OUTLET = "B"
    WEAKNESS_SHOWN = "W"
    BUILT = "H"


class Listing(StrEnum):
    """Whether money leaves to listed destinations only."""

    REQUIRED = "required"
    OPTIONAL = "optional"


UNKNOWN_EXIT = "unknown.exit"  # A type that nobody registered.
EVENTS = frozenset(
    f"event.{name}"
    for name in (
        "veto",
        "other_method",
        "mailbox_taken",
        "mail_flood",
        "legal_request",
        "call_owner",
        "case_opened",
        "dust",
        "code_leaked",
        "dependency",
        "continue_as",
    )
)
UNGATED = frozenset(
    f"ungated.{name}" for name in ("trade", "order_cancel", "deposit", "balance_read")
)
TAMPERS = frozenset({"tamper.row_update", "tamper.entry_delete"})
DEEDS = frozenset({*CLASS_OF, UNKNOWN_EXIT}) | EVENTS | UNGATED | TAMPERS

LENGTH_MOST = timedelta(days=3_650)  # The oldest entry that was ever told of was three years old.
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LENGTH = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_AT = re.compile(r"(?:wait:(?P<step>[a-zA-Z0-9_]{1,32})(?:\+(?P<more>\w+))?)|(?P<length>\w+)")


class When(NamedTuple):
    """When a step happens: ``after`` the first, or after the wait that step ``wait`` was told."""

    after: timedelta
    wait: str = ""


class Showing(NamedTuple):
    """A proof as it is shown; no mark: fresh, and bound to this action."""

    proof: Proof
    mark: Mark | None = None

    def __str__(self) -> str:
        return self.proof.value if self.mark is None else f"{self.proof.value}@{self.mark.value}"


def parse_length(text: str) -> timedelta:
    """Return a length such as ``"72h"``. Raises ValueError."""
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a length of time such as 30m or 400d")
    length = timedelta(**{_UNITS[found["unit"]]: int(found["number"])})
    if length > LENGTH_MOST:
        raise ValueError(f"{text!r} is longer than {LENGTH_MOST.days}d")
    return length


def parse_when(text: str) -> When:
    """Return a time such as ``"5m"`` or ``"wait:a1+12h"``. Raises ValueError."""
    found = _AT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a time such as 5m or wait:a1+12h")
    if found["step"] is None:
        return When(parse_length(found["length"]))
    return When(parse_length(found["more"] or "0s"), found["step"])


def parse_showing(text: str) -> Showing:
    """Return a proof such as ``"totp"`` or ``"passkey@other_action"``. Raises ValueError."""
    word, at, mark = text.partition("@")
    try:
        proof = Proof(word)
    except ValueError:
        raise ValueError(f"{word!r} is not a proof") from None
    try:
        return Showing(proof, Mark(mark) if at else None)
    except ValueError:
        raise ValueError(f"{mark!r} is not a mark of a proof") from None
