"""What a proof is worth: levels, roots, and the floor that never sinks.

Always true (tests/property/test_assurance.py):

* the floor follows from the strongest authenticator bound, on every path alike (law 3);
* e-mail and SMS codes add nothing where anything stronger is bound (law 4);
* two proofs count as independent only when their roots differ (law 4; RTS-SCA Art. 9).

Gate and prover read the same tables, which stand here and nowhere else.
"""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import assert_never


class Factor(StrEnum):
    """A kind of thing that can be shown as proof; the value is stored and signed."""

    PASSWORD = "password"  # noqa: S105 - the name of a factor
    EMAIL_CODE = "email_code"
    SMS_CODE = "sms_code"
    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"
    SESSION = "session"
    API_KEY = "api_key"  # stands for the proof that signed its powers, within them
    CHANNEL_CODE = "channel_code"  # what a new channel was sent: it confirms that one, no more
    TRUSTED_CONTACT = "trusted_contact"  # another person agrees; proves nothing of the owner's
    MEMBER = "member"  # another member of the account agrees; proves nothing of who asks


# What stands beside the owner's proofs and is none: it speaks of a new channel, or of somebody
# else's consent. It shows no level, counts as no root of the owner's, and nothing rests on it.
BESIDE = frozenset({Factor.CHANNEL_CODE, Factor.TRUSTED_CONTACT, Factor.MEMBER})
# What can stand among the proofs of an action.
PROOFS = frozenset(Factor) - BESIDE


class Level(IntEnum):
    """How much a set of proofs shows; a higher level reaches every lower floor."""

    NONE = 0
    KNOWLEDGE = 1  # a password alone
    OUT_OF_BAND = 2  # a password and a code by e-mail or SMS
    # An authenticator app, or the password and a recovery code: bound by our own record only.
    POSSESSION = 3
    PHISHING_RESISTANT = 4  # a passkey: bound to origin and payload by its signature


class Placement(StrEnum):
    """Where an authenticator lives, as far as we may believe it."""

    PHONE = "phone"  # also everything of which we do not know better: the worst case
    DESKTOP = "desktop"
    ROAMING = "roaming"  # a security key of its own, never synced
    NOWHERE = "nowhere"  # knowledge: in a head, or on a slip


class Evidence(IntEnum):
    """How a proof is bound to the payload: by whose word."""

    RECORD = 0  # our own record only (TOTP, codes): no evidence against us
    SIGNATURE = 1  # the customer's key signed the payload


PHONE = "phone"  # The root of everything of which we do not know better (law 4).
KNOWN = "known"  # In place of a root: what a password alone has proved, which is none.


def root_of(factor: Factor, placement: Placement, *, name: str) -> str | None:
    """Return the root a thief must take to make this proof, or None where it is none.

    The table of law 4: password, none; SMS, TOTP, e-mail, recovery codes and the phone's passkey,
    all ``phone`` in the worst case; a roaming key and a desktop's key, one each, and so is each
    trusted contact and each other member. Session keys and API keys are no roots: they were born of
    other proofs. Of recovery codes we hope that they lie on paper, and know that many are
    photographed (docs/adr/0009-what-a-recovery-code-may-do.md).
    """
    match factor:
        case Factor.PASSWORD | Factor.SESSION | Factor.API_KEY | Factor.CHANNEL_CODE:
            return None
        case Factor.EMAIL_CODE | Factor.SMS_CODE | Factor.TOTP | Factor.RECOVERY_CODE:
            return PHONE
        case Factor.PASSKEY:
            if placement in (Placement.ROAMING, Placement.DESKTOP):
                return f"{placement.value}:{name}"
            return PHONE
        case Factor.TRUSTED_CONTACT:
            return f"contact:{name}"
        case Factor.MEMBER:
            return f"member:{name}"
        case _:
            assert_never(factor)


def level_shown(factors: Iterable[Factor], *, floor: Level) -> Level:
    """Return the level that ``factors`` show together on an account whose floor is ``floor``.

    A code by e-mail or SMS counts only beside the password, and only where nothing stronger was
    ever bound (N-B05, O-05: e-mail is no factor). A recovery code counts beside the password, and
    never as much as a passkey (N-B11). A session shows no level: it is no fresh proof. What an
    API key shows hangs on how it was made: ``api_keys.level_of_key``.
    """
    shown = set(factors)
    if Factor.PASSKEY in shown:
        return Level.PHISHING_RESISTANT
    if Factor.TOTP in shown:
        return Level.POSSESSION
    if Factor.PASSWORD not in shown:
        return Level.NONE
    if Factor.RECOVERY_CODE in shown:
        return Level.POSSESSION
    code = shown & {Factor.EMAIL_CODE, Factor.SMS_CODE}
    if code and floor <= Level.OUT_OF_BAND:
        return Level.OUT_OF_BAND
    return Level.KNOWLEDGE


_LEVELS = MappingProxyType(
    {
        Factor.PASSWORD: Level.KNOWLEDGE,
        Factor.EMAIL_CODE: Level.OUT_OF_BAND,
        Factor.SMS_CODE: Level.OUT_OF_BAND,
        Factor.TOTP: Level.POSSESSION,
        Factor.PASSKEY: Level.PHISHING_RESISTANT,
        Factor.RECOVERY_CODE: Level.POSSESSION,
        Factor.SESSION: Level.NONE,
        Factor.API_KEY: Level.NONE,
        Factor.CHANNEL_CODE: Level.NONE,
        Factor.TRUSTED_CONTACT: Level.NONE,
        Factor.MEMBER: Level.NONE,
    }
)


def level_of(factor: Factor) -> Level:
    """Return the level one factor reaches at most, beside a password where it needs one."""
    return _LEVELS[factor]


def floor_of(bound: Iterable[Factor], *, has_channel: bool, several: bool = False) -> Level:
    """Return the floor of an account with these authenticators bound.

    An account with a password and a channel for codes has at least OUT_OF_BAND: it can show a
    code, so it must. Whatever was removed has waited before it left ``bound`` (law 3). Recovery
    codes set no floor: they are there for the day when the usual way is lost. Of ``several``
    members each shows a passkey. Prevents: a mailbox that is read in common, as a member who has
    lost theirs.
    """
    if several:
        return Level.PHISHING_RESISTANT
    usual = [_LEVELS[factor] for factor in bound if factor is not Factor.RECOVERY_CODE]
    highest = max(usual, default=Level.NONE)
    if highest is Level.KNOWLEDGE and has_channel:
        return Level.OUT_OF_BAND
    return highest


def evidence_of(factor: Factor) -> Evidence:
    """Return by whose word a proof of ``factor`` is bound to its payload."""
    signs = factor in (
        Factor.PASSKEY,
        Factor.SESSION,
        Factor.API_KEY,
        Factor.TRUSTED_CONTACT,
        Factor.MEMBER,
    )
    return Evidence.SIGNATURE if signs else Evidence.RECORD
