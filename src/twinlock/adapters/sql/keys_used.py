"""Idempotency keys that were used: whose each is, and what it stands for.

A row of them is no secret, and has a MAC. Prevents: a key that is repointed at another customer's
action, so that a repeated request is answered with it.
"""

from typing import NamedTuple

from twinlock.adapters.boxes import Sealer
from twinlock.domain.errors import IdempotencyConflictError
from twinlock.ports import (
    Idempotency,
    Work,
)

_TAG = "idempotency/v1"


class KeyName(NamedTuple):
    """Whose idempotency key it is: the account's, or the caller's for a new account."""

    scope: str
    key: str


class KeyUse(NamedTuple):
    """What an idempotency key stands for: the digest of the request, and its action."""

    digest: bytes
    action_id: str
    mac: bytes


def key_name(work: Work, idempotency: Idempotency) -> KeyName:
    """Return the name of the key that ``work`` is asked under."""
    return KeyName(work.actor if work.opens is not None else work.account_id, idempotency.key)


def key_use(sealer: Sealer, name: KeyName, *, digest: bytes, action_id: str) -> KeyUse:
    """Return what the key stands for from now on."""
    parts = _parts(name, digest=digest, action_id=action_id)
    return KeyUse(digest, action_id, sealer.mac(_TAG, *parts))


def mac_anew(sealer: Sealer, name: KeyName, use: KeyUse) -> bytes:
    """Return the MAC of the same row under the current key. Raises SealBrokenError."""
    parts = _parts(name, digest=use.digest, action_id=use.action_id)
    sealer.check_mac(use.mac, _TAG, *parts)
    return sealer.mac(_TAG, *parts)


def repeated(sealer: Sealer, name: KeyName, use: KeyUse, idempotency: Idempotency) -> str:
    """Return the action that the key stands for already.

    Raises:
        SealBrokenError: the row is not the one that was written.
        IdempotencyConflictError: it was used for something else.
    """
    check_use(sealer, name, use)
    if use.digest != idempotency.digest:
        raise IdempotencyConflictError("this idempotency key was used for something else")
    return use.action_id


def check_use(sealer: Sealer, name: KeyName, use: KeyUse) -> None:
    """Return when the row is the one that was written. Raises SealBrokenError."""
    sealer.check_mac(use.mac, _TAG, *_parts(name, digest=use.digest, action_id=use.action_id))


def _parts(name: KeyName, *, digest: bytes, action_id: str) -> tuple[bytes, ...]:
    return name.scope.encode(), name.key.encode(), digest, action_id.encode()
