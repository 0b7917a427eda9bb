"""Why a row of an older system is not taken: a closed list, a sentence each.

Always true: a refusal names the column and never what stood in it. Its row holds seeds and hashes.

Source: docs/import.md, whose table is made from this module.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

from twinlock.domain.errors import TwinlockError


class RowFault(StrEnum):
    """The first thing found wrong with a row; the value is told, so it never changes."""

    NOT_UTF8 = "not_utf8"
    ROW_TOO_LARGE = "row_too_large"
    CSV_BROKEN = "csv_broken"
    JSON_BROKEN = "json_broken"
    COLUMN_UNKNOWN = "column_unknown"
    VALUE_MISSING = "value_missing"
    VALUE_WRONG = "value_wrong"
    TEXT_UNREADABLE = "text_unreadable"
    FORMULA = "formula"
    REFERENCE_PERSONAL = "reference_personal"
    REFERENCE_TWICE = "reference_twice"
    ACCOUNT_EXISTS = "account_exists"
    ACCOUNT_ERASED = "account_erased"
    WAY_IN_MISSING = "way_in_missing"
    CHANNEL_MISSING = "channel_missing"
    CHANNEL_REFUSED = "channel_refused"
    PASSWORD_HASH_UNKNOWN = "password_hash_unknown"  # noqa: S105 - a code
    PASSWORD_HASH_MALFORMED = "password_hash_malformed"  # noqa: S105 - a code
    PASSWORD_HASH_COSTLY = "password_hash_costly"  # noqa: S105 - a code
    PASSWORD_HASH_WEAK = "password_hash_weak"  # noqa: S105 - a code
    TOTP_SEED_MALFORMED = "totp_seed_malformed"
    TOTP_SEED_SIZE = "totp_seed_size"
    TOTP_UNSUPPORTED = "totp_unsupported"
    TOTP_TWICE = "totp_twice"
    PASSKEY_MALFORMED = "passkey_malformed"
    PASSKEY_KEY_REFUSED = "passkey_key_refused"
    PASSKEY_FLAGS_WRONG = "passkey_flags_wrong"
    PASSKEY_SITE_UNKNOWN = "passkey_site_unknown"
    PASSKEY_TWICE = "passkey_twice"
    DESTINATION_REFUSED = "destination_refused"
    DESTINATION_TWICE = "destination_twice"
    API_KEY_SYMMETRIC = "api_key_symmetric"
    API_KEY_REFUSED = "api_key_refused"
    API_KEY_POWERS = "api_key_powers"
    API_KEY_NETWORK = "api_key_network"
    API_KEY_TWICE = "api_key_twice"
    TOO_MANY = "too_many"
    ACCOUNT_TOO_LARGE = "account_too_large"


# What is told of each, to whoever mends the file.
SENTENCES: Mapping[RowFault, str] = MappingProxyType(
    {
        RowFault.NOT_UTF8: "The row is not UTF-8.",
        RowFault.ROW_TOO_LARGE: "The row has more than 64 KiB, or more cells than any row can "
        "have.",
        RowFault.CSV_BROKEN: "The row is not CSV: a quote is open at its end, or has been "
        "since an earlier row, or it has another number of cells.",
        RowFault.JSON_BROKEN: "The row, or a cell that holds JSON, is not one JSON value whose "
        "names are all different.",
        RowFault.COLUMN_UNKNOWN: "There is something that nothing here is called by. Leave it "
        "out, or map it.",
        RowFault.VALUE_MISSING: "Something that every row must say is missing.",
        RowFault.VALUE_WRONG: "It is of another type, too long, or outside its range.",
        RowFault.TEXT_UNREADABLE: "It holds a NUL, a control character, or one with no settled "
        "form; of a reference also a space at an end, what is not seen, or another form than "
        "NFKC.",
        RowFault.FORMULA: "It begins with = + - or @, which a spreadsheet would run, and which "
        "means nothing here.",
        RowFault.REFERENCE_PERSONAL: "A reference looks like an e-mail address. Take the "
        "customer's number in the older system.",
        RowFault.REFERENCE_TWICE: "An earlier row has the same reference. Only that one was taken.",
        RowFault.ACCOUNT_EXISTS: "This reference was imported before. An account is imported "
        "once, and changed at the gate.",
        RowFault.ACCOUNT_ERASED: "This reference was imported before and has been erased. No name "
        "is given out again.",
        RowFault.WAY_IN_MISSING: "There is neither a password nor a passkey, or the policy takes "
        "no sign-in by what there is, so nobody could ever sign in.",
        RowFault.CHANNEL_MISSING: "There is neither an e-mail address nor a telephone number, so "
        "nobody could be told.",
        RowFault.CHANNEL_REFUSED: "It is no address or number in a form that we know, or stands "
        "there twice.",
        RowFault.PASSWORD_HASH_UNKNOWN: "The hash is of no scheme that we know. Plain hashes such "
        "as MD5 and SHA-1 are none.",
        RowFault.PASSWORD_HASH_MALFORMED: "The hash begins like a scheme that we know, and goes "
        "on otherwise.",
        RowFault.PASSWORD_HASH_COSTLY: "Checking the hash would keep a core or much memory busy "
        "for longer than a sign-in may.",
        RowFault.PASSWORD_HASH_WEAK: "Salt, digest or cost of the hash are so small that it "
        "protects nothing.",
        RowFault.TOTP_SEED_MALFORMED: "The seed is not base32 (RFC 4648, 6).",
        RowFault.TOTP_SEED_SIZE: "The seed has fewer than 10 bytes, or more than 64.",
        RowFault.TOTP_UNSUPPORTED: "Only codes of six digits, every 30 seconds, by SHA1 are "
        "checked, as apps in use show them.",
        RowFault.TOTP_TWICE: "This seed stands in an earlier row or twice in this one. A seed is "
        "one person's.",
        RowFault.PASSKEY_MALFORMED: "Credential id or public key are not base64url without "
        "padding, or too long.",
        RowFault.PASSKEY_KEY_REFUSED: "The public key is no COSE key of ES256, EdDSA or RS256, or "
        "one that proves nothing.",
        RowFault.PASSKEY_FLAGS_WRONG: "It is said to be backed up, and not to be able to be.",
        RowFault.PASSKEY_SITE_UNKNOWN: "Its RP ID is among no TWINLOCK_LEGACY_ORIGINS, so it "
        "could never be used.",
        RowFault.PASSKEY_TWICE: "This credential stands in an earlier row or twice in this one. "
        "It is one person's.",
        RowFault.DESTINATION_REFUSED: "The network is unknown to the policy, or the address or "
        "memo is none of that network.",
        RowFault.DESTINATION_TWICE: "The same destination stands twice in this row.",
        RowFault.API_KEY_SYMMETRIC: "A shared secret (HMAC) is not taken over: whoever has a copy "
        "could sign. Make a new key.",
        RowFault.API_KEY_REFUSED: "The public key is no Ed25519 key in base64url, or one under "
        "which anybody can sign.",
        RowFault.API_KEY_POWERS: "A scope is unknown, or the right to withdraw, which takes the "
        "owner's own proof here.",
        RowFault.API_KEY_NETWORK: "The IP list holds something that is no network, or one that is "
        "too wide to bind anything.",
        RowFault.API_KEY_TWICE: "This key stands in an earlier row or twice in this one. It is "
        "one person's.",
        RowFault.TOO_MANY: "An account has room for so many of these, and no more.",
        RowFault.ACCOUNT_TOO_LARGE: "All of it together is more than an account has room for.",
    }
)


class AccountExistsError(TwinlockError):
    """An account of this name exists: each is opened once."""

    code: ClassVar[str] = "account_exists"
    status: ClassVar[int] = 409


class RowRefusedError(TwinlockError):
    """A row of an older system is not taken: ``fault`` says why, ``column`` where."""

    code: ClassVar[str] = "import_row_refused"
    status: ClassVar[int] = 422

    def __init__(self, fault: RowFault, column: str = "") -> None:
        super().__init__(f"the row is not taken: {fault}")
        self.fault = fault
        self.column = column
