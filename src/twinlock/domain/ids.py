"""Names of things. An id says which thing, and never what it is allowed to do.

An id is a prefix, ``_`` and 26 characters of lower-case base32 (128 random bits). The id of an
action carries its account, so that a command can name the stream it locks before reading anything.
"""

import re
from typing import NewType

from twinlock.domain.errors import MalformedError, invariant

AccountId = NewType("AccountId", str)
MemberId = NewType("MemberId", str)
ActionId = NewType("ActionId", str)
AuthenticatorId = NewType("AuthenticatorId", str)
ChallengeId = NewType("ChallengeId", str)
ChannelId = NewType("ChannelId", str)
DestinationId = NewType("DestinationId", str)
SessionId = NewType("SessionId", str)
ApiKeyId = NewType("ApiKeyId", str)
PlatformKeyId = NewType("PlatformKeyId", str)

_TAIL = r"[a-z2-7]{26}"
_ACCOUNT = re.compile(rf"acc_{_TAIL}")
_ACTION = re.compile(rf"act_(?P<account>{_TAIL})_{_TAIL}")
ENTROPY_BYTES = 16
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648, 6, in lower case and without padding.
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS = range(120, -1, -10)


def tail(entropy: bytes) -> str:
    """Return 26 characters of base32 for 16 random bytes."""
    invariant(len(entropy) == ENTROPY_BYTES, "an id takes 16 random bytes")
    number = int.from_bytes(entropy, "big") << 2  # 130 bits: 26 characters of 5 bits each
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def account_id(entropy: bytes) -> AccountId:
    """Name a new account."""
    return AccountId(f"acc_{tail(entropy)}")


def action_id(account: AccountId, entropy: bytes) -> ActionId:
    """Name a new action of ``account``."""
    return ActionId(f"act_{account.removeprefix('acc_')}_{tail(entropy)}")


def parse_account_id(text: str) -> AccountId:
    """Return ``text`` as an account id.

    Raises:
        MalformedError: it does not have the form of one.
    """
    if not _ACCOUNT.fullmatch(text):
        raise MalformedError("not an account id")
    return AccountId(text)


def account_of(action: str) -> AccountId:
    """Return the account whose action ``action`` names.

    Raises:
        MalformedError: it does not have the form of an action id.
    """
    found = _ACTION.fullmatch(action)
    if found is None:
        raise MalformedError("not an action id")
    return AccountId(f"acc_{found['account']}")
