"""Duress: a second authenticator of the same kind, whose use proves as much and rings for help.

Its owner names it when binding it, and nothing that anybody is shown tells which one it is: what
says so is sealed behind random bytes, which every proof and every binding has. What follows from
its use follows from chance, too: now and then an account is *picked*, and for some days nothing
leaves it. Only the operator's security desk is told which of the two it was.

Always true (tests/property/test_duress_properties.py): what customers and platforms are shown is
the same, byte for byte, as if the account had been picked by chance; it proves what its like
proves; and nobody is held for more than PICKED_HOLD in each PICKED_EVERY, however often it is used.

Source: docs/duress.md, docs/adr/0016-duress-looks-like-chance.md.
"""

from datetime import UTC, datetime

from msgspec.structs import replace

from twinlock.domain.account import Account, OpenAction, Shown
from twinlock.domain.actions import AnyPayload, AuthenticatorBind
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Passkey, Totp
from twinlock.domain.bounds import PICKED_EVERY, PICKED_HOLD
from twinlock.domain.commands import Prove
from twinlock.domain.errors import TwinlockError, invariant
from twinlock.domain.events import HoldPlaced, ProofAccepted
from twinlock.domain.holds import PICKED, Hold


class DuressNotOfferedError(TwinlockError):
    """What is bound cannot be for duress, or nothing can: nobody is picked, or hears of it."""

    code = "duress_not_offered"
    status = 409


# A password is none: it opens nothing alone, and an account has one of it.
KINDS = (Factor.PASSKEY, Factor.TOTP)
# Whose proofs may ring and pick: another member's agreement is by their passkey, too.
_PICKS = (*KINDS, Factor.MEMBER)
_RINGS, _NAMES = 1, 2
SEAL_LETTERS = 23  # 16 random bytes, base64url, and what they hide.


def may_name(payload: AnyPayload) -> bool:
    """Say whether what ``payload`` binds may be an authenticator for duress."""
    return isinstance(payload, AuthenticatorBind) and payload.authenticator in KINDS


def is_offered(payload: AnyPayload, *, one_in: int, desk: bool) -> bool:
    """Say whether an owner may name what ``payload`` binds; ``one_in`` proofs one picks.

    ``desk`` says that somebody would hear the alarm. Prevents: an authenticator for duress where
    nobody else is picked, whose use is known by that; and one that its owner relies on in vain.
    """
    return bool(one_in) and desk and may_name(payload)


def check_offered(payload: AnyPayload, *, one_in: int, desk: bool) -> None:
    """Check the same. Raises DuressNotOfferedError."""
    if not is_offered(payload, one_in=one_in, desk=desk):
        raise DuressNotOfferedError("nothing is named for duress here")


# --- What is sealed ---


def sealed(blind: str, *, rings: bool, names: bool) -> str:
    """Return what a proof says under its seal: it was forced, or it names what it binds.

    ``blind`` are 16 random bytes, base64url, without which a reader of the log's openings could try
    out what is below. Without them nothing is said.
    """
    invariant(bool(blind) or not (rings or names), "what is said under a seal is blinded")
    return f"{blind}{rings * _RINGS + names * _NAMES}" if blind else ""


def rings(seal: str) -> bool:
    """Say whether a proof with this seal was forced."""
    return bool(_said(seal) & _RINGS)


def names(seal: str) -> bool:
    """Say whether what is bound with this seal is for duress."""
    return bool(_said(seal) & _NAMES)


def _said(seal: str) -> int:
    return int(seal[-1:] or "0")


def kept(before: str, after: str) -> str:
    """Return the seal of a binding after one more proof: what was named once stays named."""
    return before if names(before) or not after else after


# --- What follows ---


def is_forced(account: Account, shown: Shown) -> bool:
    """Say whether ``shown`` is the proof of an authenticator for duress."""
    bound = account.authenticator(shown.source)
    return isinstance(bound, Passkey | Totp) and names(bound.seal)


def under_seal(
    account: Account, action: OpenAction, accepted: ProofAccepted, command: Prove
) -> ProofAccepted:
    """Return ``accepted`` with what it says under its seal; only a proof at the floor names."""
    naming = command.forced and accepted.proved and may_name(action.payload)
    forced = is_forced(account, accepted.shown)
    return replace(accepted, seal=sealed(command.blind, rings=forced, names=naming))


def pick(account: Account, shown: Shown, *, drawn: bool, now: datetime) -> tuple[HoldPlaced, ...]:
    """Return the hold of an account that is picked, if it is: by chance, or since it was forced.

    An account of several members is picked as a whole, whoever of them proves or agrees.
    Prevents: whoever found the authenticator for duress, and holds its owner's money with it.
    """
    if shown.factor not in _PICKS or not (drawn or is_forced(account, shown)):
        return ()
    before = datetime.fromtimestamp(account.picked_at, tz=UTC)
    if account.picked_at and now < before + PICKED_EVERY:
        return ()
    hold = Hold(because=PICKED, placed_at=now, ends_at=now + PICKED_HOLD)
    return (HoldPlaced(at=now, hold=hold),)


def draws(random: bytes, *, one_in: int) -> bool:
    """Say whether chance picks: ``random`` are 8 bytes; ``one_in`` 0: nobody is ever picked."""
    return bool(one_in) and int.from_bytes(random, "big") % one_in == 0
