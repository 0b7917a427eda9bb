"""From a row of an older system to an account as it will be opened: every value checked.

Always true (tests/unit/proofs/test_imported_rows.py): a row that is taken has a way in and somebody
who is told; all of it is of one age, the import's; nothing in it has a root of its own but the
phone's, and no key may withdraw.

Source: docs/import.md.
"""

import base64
import binascii
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn

import msgspec

from twinlock.domain.account import Account, ApiKey, Chain
from twinlock.domain.authenticators.foreign_hashes import ForeignHashError, read, write
from twinlock.domain.authenticators.model import Authenticator, Passkey, Password, Totp
from twinlock.domain.bounds import AUTHENTICATORS_MOST, CHANNELS_MOST
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.catalogue import WITHDRAW_SCOPE
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.contacts import normal_address
from twinlock.domain.drafts import Where, normal_network
from twinlock.domain.errors import TwinlockError
from twinlock.domain.ids import AccountId, ApiKeyId, AuthenticatorId, ChannelId, MemberId
from twinlock.domain.importing.faults import RowFault, RowRefusedError
from twinlock.domain.importing.naming import parts_of
from twinlock.domain.importing.rows import ImportedApiKey, ImportedPasskey, ImportedTotp, Row
from twinlock.domain.policy.targets import gets_in
from twinlock.domain.policy.version import Policy
from twinlock.domain.unseen import UNSEEN
from twinlock.proofs import cose, totp
from twinlock.proofs.addresses.normal import normal_where
from twinlock.proofs.api_keys import read_public_key

FORMULA = frozenset("=+-@")  # What a spreadsheet runs (OWASP, CSV Injection).
SEED_BYTES_MOST = 64  # The block of SHA-1: a longer key is hashed first (RFC 2104, 2).
SCOPES = frozenset({"read", "trade"})
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))  # UAX #9, 2
_UNREADABLE = frozenset({"Cc", "Cn", "Cs", "Co"})  # Control, unassigned, surrogate, private.


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a row is held to: the policy's networks, and the older sites that are known."""

    policy: Policy
    sites: frozenset[str]


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it will be opened, the destinations that it lists, and what is one person's.

    ``unique`` are pairs of fault and value that no other row may have.
    """

    account: Account
    listed: tuple[Where, ...]
    labels: tuple[str, ...]
    unique: tuple[tuple[RowFault, str], ...]


def arrival(
    row: Row, *, named: AccountId, label_key: bytes, source: str, terms: Terms, now: datetime
) -> Arrival:
    """Return the account of ``row``, under the id ``named``.

    ``source`` is the digest of its file; ``label_key`` are 32 random bytes.

    Raises:
        RowRefusedError: with the first fault found.
    """
    check_texts(row)
    count = 2 + len(row.totp) + len(row.passkeys) + len(row.emails) + len(row.phones)
    member, *ends = parts_of(named, count + len(row.api_keys))
    left = iter(ends)
    authenticators = _authenticators(row, MemberId(f"mem_{member}"), left, terms, now=now)
    if not gets_in(authenticators, statutes=terms.policy.statutes, always=False, now=now):
        _refuse(RowFault.WAY_IN_MISSING, "password_hash")
    listed = _destinations(row, terms.policy)
    account = Account(
        account_id=named,
        member_id=MemberId(f"mem_{member}"),
        opened_at=now,
        chain=Chain(label_key=b64url(label_key)),
        imported=source,
        destinations_required=row.destinations_required,
        authenticators=authenticators,
        channels=_channels(row, left, now=now),
        api_keys=_api_keys(row, left, now=now),
    )
    return Arrival(
        account=account,
        listed=listed,
        labels=tuple(one.label for one in row.destinations),
        unique=_unique(account),
    )


def check_texts(row: Row) -> Row:
    """Return ``row`` when its texts can be read by people, and by a spreadsheet without harm.

    Raises:
        RowRefusedError: text_unreadable, formula, reference_personal.
    """
    for column, text in _texts(row):
        plain = text.isascii() and text.isprintable()  # As nearly all are.
        if not plain and not all(map(_is_readable, text)):
            _refuse(RowFault.TEXT_UNREADABLE, column)
        if text[:1] in FORMULA and not column.startswith("phones"):
            _refuse(RowFault.FORMULA, column)
    if "@" in row.reference:
        _refuse(RowFault.REFERENCE_PERSONAL, "reference")
    if not _names_one(row.reference):
        _refuse(RowFault.TEXT_UNREADABLE, "reference")
    return row


def _names_one(reference: str) -> bool:
    """Say whether no other reference looks just like this one.

    Prevents: a customer who is imported twice, the second time with a space at the end.
    """
    if reference != reference.strip():
        return False
    if reference.isascii():
        return True
    unseen = any(unicodedata.category(one) == "Cf" or one in UNSEEN for one in reference)
    return not unseen and unicodedata.is_normalized("NFKC", reference)


def _is_readable(letter: str) -> bool:
    """Say whether ``letter`` has a settled form and turns no text around, as lies do."""
    return letter not in _TURNING and unicodedata.category(letter) not in _UNREADABLE


def _texts(row: Row) -> Iterable[tuple[str, str]]:
    yield "reference", row.reference
    yield from ((f"emails[{at}]", one) for at, one in enumerate(row.emails))
    yield from ((f"phones[{at}]", one) for at, one in enumerate(row.phones))
    yield from ((f"totp[{at}].name", one.name) for at, one in enumerate(row.totp))
    yield from ((f"passkeys[{at}].name", one.name) for at, one in enumerate(row.passkeys))
    yield from ((f"destinations[{at}].label", one.label) for at, one in enumerate(row.destinations))


def _refuse(fault: RowFault, column: str) -> NoReturn:
    raise RowRefusedError(fault, column)


# --- Channels ---


def _channels(row: Row, left: Iterator[str], *, now: datetime) -> tuple[Channel, ...]:
    every = [
        *(("emails", at, ChannelKind.EMAIL, one) for at, one in enumerate(row.emails)),
        *(("phones", at, ChannelKind.SMS, one) for at, one in enumerate(row.phones)),
    ]
    if not every:
        _refuse(RowFault.CHANNEL_MISSING, "emails")
    if len(every) > CHANNELS_MOST:
        _refuse(RowFault.TOO_MANY, "phones")
    found: list[Channel] = []
    for name, at, kind, text in every:
        column = f"{name}[{at}]"
        with _refusing(RowFault.CHANNEL_REFUSED, column):
            address = normal_address(kind, text)
        if any((one.kind, one.address) == (kind, address) for one in found):
            _refuse(RowFault.CHANNEL_REFUSED, column)
        channel_id = ChannelId(f"chn_{next(left)}")
        found.append(Channel(channel_id=channel_id, kind=kind, address=address, bound_at=now))
    return tuple(found)


@contextmanager
def _refusing(fault: RowFault, column: str) -> Iterator[None]:
    """Refuse the row where what is done in this block raises an error of ours."""
    try:
        yield
    except TwinlockError as error:
        raise RowRefusedError(fault, column) from error


# --- Authenticators ---


def _authenticators(
    row: Row, member: MemberId, left: Iterator[str], terms: Terms, *, now: datetime
) -> tuple[Authenticator, ...]:
    found: list[Authenticator] = []

    def common(name: str = "") -> dict[str, object]:
        return {
            "authenticator_id": AuthenticatorId(f"aut_{next(left)}"),
            "member_id": member,
            "bound_at": now,
            "entry": 0,
            "name": name,
        }

    if row.password_hash:
        found.append(Password(verifier=_verifier(row.password_hash), **common()))  # type: ignore[arg-type] # the fields that all share
    for at, app in enumerate(row.totp):
        seed = _seed(app, f"totp[{at}]")
        # Prevents: a code that the older system was shown a moment ago, shown here once more.
        step = totp.step_at(now) + totp.WINDOW
        found.append(Totp(seed=b64url(seed), last_step=step, **common(app.name)))  # type: ignore[arg-type] # as above
    for at, key in enumerate(row.passkeys):
        credential, public = _passkey(key, f"passkeys[{at}]", terms.sites)
        found.append(
            Passkey(
                credential_id=b64url(credential),
                public_key=b64url(public),
                backup_eligible=key.backup_eligible,
                backed_up=key.backed_up,
                sign_count=key.sign_count,
                rp_id=key.rp_id,
                **common(key.name),  # type: ignore[arg-type] # as above
            )
        )
    if len(found) > AUTHENTICATORS_MOST:
        _refuse(RowFault.TOO_MANY, "passkeys" if row.passkeys else "totp")
    return tuple(found)


def _verifier(text: str) -> str:
    try:
        return write(read(text))
    except ForeignHashError as error:
        raise RowRefusedError(RowFault(error.fault.value), "password_hash") from error


def _seed(app: ImportedTotp, column: str) -> bytes:
    usual = (app.digits, app.period) == (totp.DIGITS, totp.STEP_SECONDS)
    if not usual or app.algorithm.upper().replace("-", "") != "SHA1":
        _refuse(RowFault.TOTP_UNSUPPORTED, column)
    text = app.seed.replace(" ", "").rstrip("=")
    try:
        letters = text.encode("ascii").upper()  # ASCII first: capitals of others are I and S, too.
        seed = base64.b32decode(letters + b"=" * (-len(letters) % 8))
    except (binascii.Error, ValueError) as error:
        raise RowRefusedError(RowFault.TOTP_SEED_MALFORMED, f"{column}.seed") from error
    if not totp.OLDER_SEED_BYTES <= len(seed) <= SEED_BYTES_MOST:
        _refuse(RowFault.TOTP_SEED_SIZE, f"{column}.seed")
    return seed


def _passkey(key: ImportedPasskey, column: str, sites: frozenset[str]) -> tuple[bytes, bytes]:
    with _refusing(RowFault.PASSKEY_MALFORMED, column):
        credential, public = from_b64url(key.credential_id), from_b64url(key.public_key)
    with _refusing(RowFault.PASSKEY_KEY_REFUSED, f"{column}.public_key"):
        cose.load(public)
    if key.backed_up and not key.backup_eligible:
        _refuse(RowFault.PASSKEY_FLAGS_WRONG, f"{column}.backed_up")
    if key.rp_id not in sites:
        _refuse(RowFault.PASSKEY_SITE_UNKNOWN, f"{column}.rp_id")
    return credential, public


# --- Destinations and API keys ---


def _destinations(row: Row, policy: Policy) -> tuple[Where, ...]:
    found: list[Where] = []
    for at, one in enumerate(row.destinations):
        column = f"destinations[{at}]"
        with _refusing(RowFault.DESTINATION_REFUSED, column):
            where = normal_where(one.network, one.address, one.memo, policy)
        if where in found:
            _refuse(RowFault.DESTINATION_TWICE, column)
        found.append(where)
    return tuple(found)


def _api_keys(row: Row, left: Iterator[str], *, now: datetime) -> tuple[ApiKey, ...]:
    found: list[ApiKey] = []
    for at, one in enumerate(row.api_keys):
        column = f"api_keys[{at}]"
        _check_key(one, column)
        if any(known.public_key == one.public_key for known in found):
            _refuse(RowFault.API_KEY_TWICE, column)
        found.append(
            ApiKey(
                api_key_id=ApiKeyId(f"key_{next(left)}"),
                public_key=one.public_key,
                scopes=tuple(sorted(set(one.scopes))),
                ip_list=_networks(one, column),
                destinations=(),
                daily_cents=0,
                created_at=now,
                integrator=one.integrator,
            )
        )
    return tuple(found)


def _check_key(one: ImportedApiKey, column: str) -> None:
    if one.secret:
        _refuse(RowFault.API_KEY_SYMMETRIC, f"{column}.secret")
    with _refusing(RowFault.API_KEY_REFUSED, f"{column}.public_key"):
        read_public_key(one.public_key)
    if not one.scopes or WITHDRAW_SCOPE in one.scopes or not SCOPES.issuperset(one.scopes):
        _refuse(RowFault.API_KEY_POWERS, f"{column}.scopes")


def _networks(one: ImportedApiKey, column: str) -> tuple[str, ...]:
    with _refusing(RowFault.API_KEY_NETWORK, f"{column}.ip_list"):
        return tuple(sorted({normal_network(each) for each in one.ip_list}))


def _unique(account: Account) -> tuple[tuple[RowFault, str], ...]:
    found: list[tuple[RowFault, str]] = [(RowFault.REFERENCE_TWICE, account.account_id)]
    for one in account.authenticators:
        match one:
            case Totp(seed=seed):
                found.append((RowFault.TOTP_TWICE, seed))
            case Passkey(credential_id=credential, public_key=public):
                found += [(RowFault.PASSKEY_TWICE, credential), (RowFault.PASSKEY_TWICE, public)]
            case _:
                continue
    found += ((RowFault.API_KEY_TWICE, one.public_key) for one in account.api_keys)
    if len(set(found)) < len(found):
        _refuse(next(fault for fault, _ in found if found.count((fault, _)) > 1), "")
    return tuple(found)
