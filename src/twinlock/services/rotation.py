"""Rotating keys: announce, activate, retire; each step is refused while it is not due.

What is stored under a key is counted before the key goes. Between the count and the end nothing new
can come under it: its successor makes for long enough by then (``domain.keys``).
"""

import msgspec

from twinlock.domain import keys
from twinlock.domain.keys import KeyRecord, KeyState, Role
from twinlock.ports import (
    Clock,
)
from twinlock.ports.keys import (
    KeyRegister,
    KeyUses,
    LogKeys,
)


class ListedKeyring(msgspec.Struct, frozen=True, kw_only=True):
    """One key as it is told: never a secret."""

    key: KeyRecord
    state: KeyState


class Rotation:
    """The use cases of whoever keeps the keyring."""

    def __init__(self, register: KeyRegister, *, uses: KeyUses, log: LogKeys, clock: Clock) -> None:
        self._register = register
        self._uses = uses
        self._log = log
        self._clock = clock

    def listed(self) -> tuple[ListedKeyring, ...]:
        """Return every key of every role, the youngest of each first."""
        return tuple(
            ListedKeyring(key=one, state=held[one.key_id])
            for role in Role
            for records in (self._register.held(role),)
            for held in (keys.states(records),)
            for one in records
        )

    async def announce(self, role: Role) -> KeyRecord:
        """Make the next key of ``role``, which makes nothing yet. The log names its own in a leaf.

        Raises:
            RotationRefusedError: one is announced already.
            FileBusyError: another command changes the keyring.
        """
        with self._register.change():
            keys.check_announce(role, self._register.held(role))
            key = self._register.announce(role, now=self._clock.now(database_at=None))
            await self._tell(key)
            return key

    def vkey(self, key: KeyRecord) -> str:
        """Return a key of the log as witnesses are told it."""
        return self._register.vkey(key)

    async def activate(self, role: Role, *, at_once: bool = False) -> KeyRecord:
        """Let the announced key of ``role`` make; the one before it goes on reading.

        Raises:
            RotationRefusedError: none is announced, or not for long enough.
            FileBusyError: another command changes the keyring.
        """
        with self._register.change():
            now = self._clock.now(database_at=None)
            held = self._register.held(role)
            waiting = keys.check_activate(role, held, now=now, at_once=at_once)
            await self._tell(waiting)  # Once more: a command may have ended in between.
            return self._register.activate(waiting, now=now)

    async def _tell(self, key: KeyRecord) -> None:
        if key.role is Role.LOG:
            await self._log.tell(self._register.vkey(key))

    async def retire(self, role: Role, key_id: str, *, at_once: bool = False) -> KeyRecord:
        """Destroy the secret of a key that nothing needs any more.

        Raises:
            KeyNotFoundError, RotationRefusedError, KeyNeededError: as they say.
            FileBusyError: another command changes the keyring.
        """
        with self._register.change():
            now = self._clock.now(database_at=None)
            held = self._register.held(role)
            # Counted last: it may take minutes, and nothing waits for it in vain.
            keys.check_retire(role, held, key_id, now=now, uses=(), at_once=at_once)
            found = next(one for one in held if one.key_id == key_id)
            # Of one that is gone already at most a token's half is left, which nothing needs.
            uses = () if found.retired_at else await self._uses.count(found)
            key = keys.check_retire(role, held, key_id, now=now, uses=uses, at_once=at_once)
            return self._register.retire(key, now=now)
