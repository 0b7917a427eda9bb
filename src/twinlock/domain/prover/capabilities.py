"""What a thief may hold, and what each of it gives: one table, for the prover and for its readers.

A capability is counted as one, whatever it costs. What it gives are *means*: proofs that can be
made with it, and notice channels that say nothing to the owner any more. Always in the worst case:
whatever lies on a phone falls with the phone.

Always true (tests/unit/domain/prover/test_capabilities.py): each word of the attack stories has
its capability, and what gives nothing says which mechanism makes that so.

Source: docs/proof.md; docs/threat-model.md.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

import msgspec

from twinlock.domain.bounds import OWNER_REACTS, SIGNER_KEY_AGES


class Mean(StrEnum):
    """What a thief can do with what he holds."""

    PASSWORD = "password"  # noqa: S105 - the name of a means
    READ_EMAIL = "read_email"  # codes by e-mail
    READ_SMS = "read_sms"  # codes by SMS
    TOTP = "totp"
    PHONE_KEY = "phone_key"  # the passkey that is synced: in the phone, and with its provider
    BUILT_IN_KEY = "built_in_key"  # one that stays in a device: browsers say the same of both kinds
    ROAMING_KEY = "roaming_key"  # a security key
    SAVED_CODE = "saved_code"  # one of the recovery codes
    COOKIE = "cookie"  # a session is named, and not signed by its device
    DEVICE = "device"  # the customer's own device signs in a live session
    TRADE_KEY = "trade_key"
    WITHDRAW_KEY = "withdraw_key"
    CONTACT = "contact"  # the trusted contact agrees
    MUTE_EMAIL = "mute_email"  # no notice by e-mail is read in time
    MUTE_SMS = "mute_sms"
    MUTE_DESKTOP = "mute_desktop"
    PAST_GATE = "past_gate"  # authorizations are had that no gate decided


class Kind(StrEnum):
    """Whose capability it is. The owner's own will is shown, and is not counted as a theft."""

    THIEF = "thief"
    INSIDER = "insider"
    OPERATOR = "operator"
    OWNER = "owner"


class Capability(StrEnum):
    """What an attacker is given; the value is the word in reports and certificates."""

    PASSWORD = "password"  # noqa: S105 - the name of a capability
    EMAIL_FULL = "email_full"
    SMS_RECEIVE = "sms_receive"
    TOTP_RELAY = "totp_relay"
    TOTP_SEED = "totp_seed"
    SESSION_COOKIE = "session_cookie"
    PHONE_MALWARE = "phone_malware"
    PC_MALWARE = "pc_malware"
    PASSKEY_PROVIDER = "passkey_provider"
    HW_KEY = "hw_key"
    RECOVERY_CODE = "recovery_code"
    PII = "pii"
    ID_IMAGES = "id_images"
    FORGED_ID = "forged_id"
    DEEPFAKE_VIDEO = "deepfake_video"
    CAMERA_INJECTION = "camera_injection"
    MAIL_BOMB = "mail_bomb"
    API_KEY_TRADE = "api_key_trade"
    API_KEY_WITHDRAW = "api_key_withdraw"
    FORGED_LEGAL = "forged_legal"
    CHAIN_DUST = "chain_dust"
    COUNTERPARTY = "counterparty"
    CONTACT_TURNED = "contact_turned"
    STAFF_READ = "staff_read"
    STAFF_SUPPORT = "staff_support"
    STAFF_APPROVE = "staff_approve"
    STAFF_APPROVE_2 = "staff_approve_2"
    NOTICE_PROVIDER = "notice_provider"
    STAFF_ADMIN = "staff_admin"
    PLATFORM_KEY = "platform_key"
    APP_DEPLOY = "app_deploy"
    LOG_KEY = "log_key"
    SEALING_KEY = "sealing_key"
    AUTHORIZATION_KEY = "authorization_key"
    OFFICER = "officer"
    OFFICER_2 = "officer_2"
    OFFICER_3 = "officer_3"
    INATTENTIVE = "inattentive"
    PERSUADE_OWNER = "persuade_owner"
    COERCE_OWNER = "coerce_owner"


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken for granted of people. ``reacts``: who reads a notice stops it within so long.

    ``mailbox_by_phone``: the mailbox can be taken over by whoever receives the SMS.
    ``typed_codes``: malware in the computer catches the app's codes that are typed there.
    ``key_ages``: for how long a signer has known a key before it believes it (``key_age_least``).
    """

    reacts: timedelta = OWNER_REACTS
    mailbox_by_phone: bool = True
    typed_codes: bool = False
    key_ages: timedelta = SIGNER_KEY_AGES


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table: whose it is, what it gives, and what that is in words."""

    kind: Kind
    means: frozenset[Mean] = frozenset()
    says: str


_MAILBOX = frozenset({Mean.READ_EMAIL, Mean.MUTE_EMAIL})
_NUMBER = frozenset({Mean.READ_SMS, Mean.MUTE_SMS})
MUTES = frozenset({Mean.MUTE_EMAIL, Mean.MUTE_SMS, Mean.MUTE_DESKTOP})
_ALL_OF_THE_OWNER = frozenset(Mean) - {Mean.PAST_GATE, Mean.CONTACT, Mean.COOKIE}
_WHAT_WE_KEEP = frozenset(
    {Mean.PASSWORD, Mean.READ_EMAIL, Mean.READ_SMS, Mean.TOTP, Mean.SAVED_CODE}
)

TABLE: Mapping[Capability, Given] = MappingProxyType(
    {
        Capability.PASSWORD: Given(
            kind=Kind.THIEF, means=frozenset({Mean.PASSWORD}), says="the password, from a leak"
        ),
        Capability.EMAIL_FULL: Given(
            kind=Kind.THIEF, means=_MAILBOX, says="the mailbox: reads, sends and deletes"
        ),
        Capability.SMS_RECEIVE: Given(
            kind=Kind.THIEF,
            means=_NUMBER,
            says="the telephone number: a swapped SIM, or SS7",
        ),
        Capability.TOTP_RELAY: Given(
            kind=Kind.THIEF, means=frozenset({Mean.TOTP}), says="a code of the app, by a fake page"
        ),
        Capability.TOTP_SEED: Given(
            kind=Kind.THIEF, means=frozenset({Mean.TOTP}), says="the seed of the app"
        ),
        Capability.SESSION_COOKIE: Given(
            kind=Kind.THIEF, means=frozenset({Mean.COOKIE}), says="the copied cookie of a session"
        ),
        Capability.PHONE_MALWARE: Given(
            kind=Kind.THIEF,
            means=_MAILBOX
            | _NUMBER
            | {
                Mean.PASSWORD,
                Mean.TOTP,
                Mean.PHONE_KEY,
                Mean.BUILT_IN_KEY,
                Mean.SAVED_CODE,
                Mean.COOKIE,
            },
            says="malware in the phone, or the phone itself, unlocked",
        ),
        Capability.PC_MALWARE: Given(
            kind=Kind.THIEF,
            means=_MAILBOX
            | {
                Mean.PASSWORD,
                Mean.BUILT_IN_KEY,
                Mean.DEVICE,
                Mean.COOKIE,
                Mean.MUTE_DESKTOP,
            },
            says="malware in the computer, where the customer is signed in",
        ),
        Capability.PASSKEY_PROVIDER: Given(
            kind=Kind.THIEF,
            means=frozenset({Mean.PHONE_KEY}),
            says="the account that passkeys are synced to",
        ),
        Capability.HW_KEY: Given(
            kind=Kind.THIEF, means=frozenset({Mean.ROAMING_KEY}), says="the security key, with PIN"
        ),
        Capability.RECOVERY_CODE: Given(
            kind=Kind.THIEF, means=frozenset({Mean.SAVED_CODE}), says="the saved codes"
        ),
        Capability.PII: Given(
            kind=Kind.THIEF,
            says="name, number, contacts and balance: nothing asks for them",
        ),
        Capability.ID_IMAGES: Given(
            kind=Kind.THIEF, says="pictures of documents: no picture opens a door (law 8)"
        ),
        Capability.FORGED_ID: Given(
            kind=Kind.THIEF, says="a forged document: no picture opens a door (law 8)"
        ),
        Capability.DEEPFAKE_VIDEO: Given(
            kind=Kind.THIEF, says="a face that follows prompts: no video opens a door (law 8)"
        ),
        Capability.CAMERA_INJECTION: Given(
            kind=Kind.THIEF, says="a camera that shows what it likes: as a video (law 8)"
        ),
        Capability.MAIL_BOMB: Given(
            kind=Kind.THIEF,
            means=frozenset({Mean.MUTE_EMAIL}),
            says="thousands of messages, under which a notice by e-mail is not found",
        ),
        Capability.API_KEY_TRADE: Given(
            kind=Kind.THIEF, means=frozenset({Mean.TRADE_KEY}), says="an API key that trades"
        ),
        Capability.API_KEY_WITHDRAW: Given(
            kind=Kind.THIEF,
            means=frozenset({Mean.WITHDRAW_KEY, Mean.TRADE_KEY}),
            says="an API key that withdraws, from any address to any address",
        ),
        Capability.FORGED_LEGAL: Given(
            kind=Kind.THIEF, says="a forged order of a court: it discloses and moves nothing here"
        ),
        Capability.CHAIN_DUST: Given(
            kind=Kind.THIEF,
            says="dust from a look-alike address: a look-alike is refused (law 5)",
        ),
        Capability.COUNTERPARTY: Given(
            kind=Kind.THIEF, says="another account of the venue, to be paid or traded with"
        ),
        Capability.CONTACT_TURNED: Given(
            kind=Kind.THIEF,
            means=frozenset({Mean.CONTACT}),
            says="the trusted contact, bribed or robbed: agrees, and proves nothing of the owner's",
        ),
        Capability.STAFF_READ: Given(
            kind=Kind.INSIDER, says="a bribed agent who reads: no action is proved by what is known"
        ),
        Capability.STAFF_SUPPORT: Given(
            kind=Kind.INSIDER,
            says="bribed support: no action of staff grants or shortens anything (law 7)",
        ),
        Capability.STAFF_APPROVE: Given(
            kind=Kind.INSIDER, says="a bribed reviewer: nothing is granted by a review (law 7)"
        ),
        Capability.STAFF_APPROVE_2: Given(
            kind=Kind.INSIDER, says="a second bribed reviewer: as the first one (law 7)"
        ),
        Capability.NOTICE_PROVIDER: Given(
            kind=Kind.INSIDER,
            means=_MAILBOX | _NUMBER,
            says="whoever carries e-mail and SMS: reads each code, keeps each notice back",
        ),
        Capability.STAFF_ADMIN: Given(
            kind=Kind.OPERATOR,
            means=MUTES,
            says="writes the database: deletes messages that were not sent; what is sealed stays"
            " what it is (law 9)",
        ),
        Capability.PLATFORM_KEY: Given(
            kind=Kind.OPERATOR, says="a key of the platform's API: proposes, and proves nothing"
        ),
        Capability.APP_DEPLOY: Given(
            kind=Kind.OPERATOR,
            means=_WHAT_WE_KEEP | MUTES | {Mean.PAST_GATE},
            says="another program in our place: it decides what it likes, and the signer does not",
        ),
        Capability.LOG_KEY: Given(
            kind=Kind.OPERATOR, says="the key that signs the log: alone it opens nothing"
        ),
        Capability.SEALING_KEY: Given(
            kind=Kind.OPERATOR,
            says="the keys that seal what is stored: alone they read and move nothing",
        ),
        Capability.AUTHORIZATION_KEY: Given(
            kind=Kind.OPERATOR,
            says="the key that signs authorizations: the signer wants them in the log, too (law 9)",
        ),
        Capability.OFFICER: Given(
            kind=Kind.OPERATOR, says="an officer: halts and suspends, and alone lets nothing out"
        ),
        Capability.OFFICER_2: Given(
            kind=Kind.OPERATOR,
            says="a second officer: with the first, and a wait, another policy that adds no attack",
        ),
        Capability.OFFICER_3: Given(
            kind=Kind.OPERATOR,
            says="a third officer: all three, after a wait, a policy that adds what they named;"
            " what the laws alone hold then is in docs/proof.md",
        ),
        Capability.INATTENTIVE: Given(
            kind=Kind.OWNER, means=MUTES, says="an owner who never reads a notice"
        ),
        Capability.PERSUADE_OWNER: Given(
            kind=Kind.OWNER,
            means=_ALL_OF_THE_OWNER,
            says="an owner who is talked into it: proves all, and stops nothing",
        ),
        Capability.COERCE_OWNER: Given(
            kind=Kind.OWNER,
            means=_ALL_OF_THE_OWNER,
            says="an owner under duress: proves all, and stops nothing while it lasts",
        ),
    }
)

# What two of the operator's things give together that neither gives alone.
TOGETHER: tuple[tuple[frozenset[Capability], frozenset[Mean], str], ...] = (
    (
        frozenset({Capability.SEALING_KEY, Capability.STAFF_ADMIN}),
        _WHAT_WE_KEEP | {Mean.PAST_GATE},
        "rows are opened, forged and sealed again",
    ),
    (
        frozenset({Capability.AUTHORIZATION_KEY, Capability.LOG_KEY}),
        frozenset({Mean.PAST_GATE}),
        "an authorization is signed, and so is a log that holds it",
    ),
)


def means_of(capability: Capability, *, assumed: Assumptions) -> frozenset[Mean]:
    """Return what ``capability`` gives at once."""
    means = TABLE[capability].means
    if assumed.typed_codes and capability is Capability.PC_MALWARE:
        means |= {Mean.TOTP}
    if assumed.mailbox_by_phone and Mean.READ_SMS in means:
        means |= _MAILBOX
    return means


def counted(capability: Capability) -> bool:
    """Say whether the theorem counts this: what a thief takes, or buys of an insider."""
    return TABLE[capability].kind in (Kind.THIEF, Kind.INSIDER)
