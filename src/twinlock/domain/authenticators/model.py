"""What is bound to an account: the authenticators, and how each stands in the tables of assurance.

A secret stands here in the form that is checked against (a hash, a seed, a public key); the
document that holds it is sealed.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from types import MappingProxyType
from typing import TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from twinlock.domain.assurance import KNOWN, Factor, Placement, root_of
from twinlock.domain.bounds import NEWCOMER_PERIOD, WEAK_FREEZE_LENGTH
from twinlock.domain.canonical import encode
from twinlock.domain.discreet import Discreet
from twinlock.domain.ids import AuthenticatorId, MemberId
from twinlock.domain.spans import Spans

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SuspensionKind(IntEnum):
    """How long a suspension lasts; the value is stored."""

    OVER = 0  # reactivated; what was proved before it stands no more
    A_WHILE = 1  # reported with less than the floor: it ends by itself
    FOR_GOOD = 2  # until it is reactivated or removed


class Suspension(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """When something was reported lost, in POSIX milliseconds, and how long that lasts.

    Sealed as an array of two numbers, since each account keeps room to have everything suspended.
    """

    at_ms: int
    kind: SuspensionKind

    @property
    def at(self) -> datetime:
        """Return when it began."""
        return datetime.fromtimestamp(0, tz=UTC) + timedelta(milliseconds=self.at_ms)

    @property
    def until(self) -> datetime:
        """Return when it ends; datetime.max: not by itself."""
        match self.kind:
            case SuspensionKind.OVER:
                return self.at
            case SuspensionKind.A_WHILE:
                return self.at + WEAK_FREEZE_LENGTH
            case SuspensionKind.FOR_GOOD:
                return datetime.max.replace(tzinfo=UTC, microsecond=0)
            case _:
                assert_never(self.kind)


def suspension(at: datetime, kind: SuspensionKind) -> Suspension:
    """Return the suspension that begins at ``at``, which our clock gives to the millisecond."""
    epoch = datetime.fromtimestamp(0, tz=UTC)
    return Suspension(at_ms=(at - epoch) // timedelta(milliseconds=1), kind=kind)


class _Bound(Discreet, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """What every authenticator has; ``entry`` numbers the account's entry that bound it.

    ``born_of`` is the root that alone proved its binding, if one did, or KNOWN; ``by`` are the
    entries that bound what proved it, and ``behind`` the newcomers behind those. ``used_on`` is the
    day of its last accepted answer, counted from 1970 (UTC); 0: none yet. ``suspension`` is the
    last one, if it was ever reported lost.
    """

    authenticator_id: AuthenticatorId
    member_id: MemberId
    bound_at: datetime
    entry: int
    name: str = ""
    born_of: str = ""
    used_on: int = 0
    by: tuple[int, ...] = ()
    behind: Spans = ()
    suspension: Suspension | None = None

    def suspended(self, now: datetime) -> bool:
        """Say whether this neither proves nor counts at ``now``; the floor it set stays (law 3)."""
        return self.suspension is not None and now < self.suspension.until


class Password(_Bound, frozen=True, kw_only=True, tag=Factor.PASSWORD.value):
    """A hash in its encoded form: argon2id, or what an older system made (``foreign_hashes``)."""

    HIDDEN = frozenset({"verifier"})

    verifier: str


class Totp(_Bound, frozen=True, kw_only=True, tag=Factor.TOTP.value):
    """An RFC 6238 seed (base64url) and the last time step that was accepted."""

    HIDDEN = frozenset({"seed", "seal"})

    seed: str
    last_step: int = 0
    seal: str = ""  # whether it is for duress (``duress``)


class Passkey(_Bound, frozen=True, kw_only=True, tag=Factor.PASSKEY.value, omit_defaults=True):
    """A WebAuthn credential: id and COSE public key in base64url.

    ``backup_eligible`` never changes (WebAuthn L3, 6.1.3). ``placement`` is PHONE unless the
    credential is device-bound and its transports say otherwise. ``rp_id`` is that of an older
    system which bound it, "" of our own site (``successors``). ``seal``: is it for duress?
    """

    HIDDEN = frozenset({"seal"})

    credential_id: str
    public_key: str
    backup_eligible: bool
    backed_up: bool = False
    sign_count: int = 0
    placement: Placement = Placement.PHONE
    rp_id: str = ""
    seal: str = ""


class RecoveryCodes(_Bound, frozen=True, kw_only=True, tag=Factor.RECOVERY_CODE.value):
    """A set of saved codes, each good once: ``left`` are the hashes of those not used yet.

    An account has one set at most; another one takes its place.
    """

    HIDDEN = frozenset({"left"})

    left: tuple[str, ...]


Authenticator: TypeAlias = Password | Totp | Passkey | RecoveryCodes


def used(
    authenticator: Authenticator,
    *,
    at: datetime,
    totp_step: int,
    sign_count: int,
    backed_up: bool,
    used_code: str = "",
) -> Authenticator:
    """Return ``authenticator`` after an answer accepted ``at``, with what of it is remembered."""
    now = replace(authenticator, used_on=(at - _EPOCH).days)
    match now:
        case Password():
            return now
        case Totp():
            return replace(now, last_step=totp_step)
        case Passkey():
            return replace(now, sign_count=sign_count, backed_up=backed_up)
        case RecoveryCodes(left=left):
            return replace(now, left=tuple(one for one in left if one != used_code))
        case _:
            assert_never(now)


def used_day(authenticator: Authenticator) -> date | None:
    """Return the day (UTC) of its last accepted answer, or None."""
    used_on = authenticator.used_on
    return (_EPOCH + timedelta(days=used_on)).date() if used_on else None


def device_bound(authenticator: Authenticator) -> bool:
    """Say whether its key cannot leave the thing that made it, as its maker says (N-B04, N-B23).

    Of an imported one only a file says so.
    """
    if not isinstance(authenticator, Passkey) or authenticator.rp_id:
        return False
    return not authenticator.backup_eligible


_FACTORS: Mapping[type[Authenticator], Factor] = MappingProxyType(
    {
        Password: Factor.PASSWORD,
        Totp: Factor.TOTP,
        Passkey: Factor.PASSKEY,
        RecoveryCodes: Factor.RECOVERY_CODE,
    }
)


def factor_of(authenticator: Authenticator) -> Factor:
    """Return the factor that this authenticator is shown as."""
    return _FACTORS[type(authenticator)]


def built_in(one: Authenticator) -> bool:
    """Say whether ``one`` is a passkey of some device: synced nowhere, and no security key.

    Browsers say the same of a phone's and of a computer's: nobody knows in which of both it is.
    """
    return isinstance(one, Passkey) and one.placement is Placement.PHONE and not one.backup_eligible


def root(authenticator: Authenticator, *, now: datetime) -> str | None:
    """Return the root behind this authenticator at ``now``, or None for a password.

    For 30 days a newcomer counts as the root that proved it: whoever took that one made it (law 3).
    What a password alone proved has none for so long. Prevents: one relayed code that binds a
    thief's key, and the key as a second root beside it; and a leaked password that becomes one.
    """
    placement = authenticator.placement if isinstance(authenticator, Passkey) else Placement.PHONE
    own = root_of(factor_of(authenticator), placement, name=authenticator.authenticator_id)
    if own is None or not authenticator.born_of:
        return own
    if now - authenticator.bound_at >= NEWCOMER_PERIOD:
        return own
    return None if authenticator.born_of == KNOWN else authenticator.born_of


def same(one: Authenticator, other: Authenticator) -> bool:
    """Say whether both are the same thing: a password, one seed, one credential or one key."""
    match one, other:
        case Password(), Password():
            return True
        case Totp(seed=seed), Totp(seed=again):
            return seed == again
        case RecoveryCodes(left=left), RecoveryCodes(left=again):
            return not set(left).isdisjoint(again)
        case Passkey(), Passkey():
            return one.credential_id == other.credential_id or one.public_key == other.public_key
        case _:
            return False


def placement_of(*, backup_eligible: bool, transports: tuple[str, ...]) -> Placement:
    """Return where a passkey lives, in the worst case.

    A synced key follows its account onto a phone. A device-bound one that answers over USB or NFC
    and not from inside a device is a roaming key. The browser reports the transports, so a thief
    who binds a key of his own may lie; that key has then waited in the open (law 5).
    """
    if backup_eligible or "internal" in transports or "hybrid" in transports:
        return Placement.PHONE
    return Placement.ROAMING if {"usb", "nfc"} & set(transports) else Placement.PHONE


def credential_of(passkey: Passkey) -> str:
    """Return what the customer signs of a passkey that is bound, and a signer reads later."""
    return encode(
        {
            "backup_eligible": passkey.backup_eligible,
            "credential_id": passkey.credential_id,
            "public_key": passkey.public_key,
        }
    ).decode("ascii")
