"""The keyring's directory, for whoever changes its keys."""

from contextlib import AbstractContextManager
from datetime import datetime

from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.signing import log_key
from twinlock.adapters.keyring.token import open_token
from twinlock.adapters.settings import Settings
from twinlock.domain.errors import present
from twinlock.domain.keys import KeyRecord, Role
from twinlock.ports import (
    Entropy,
)


class KeyDirectory:
    """One keyring, read anew for each question. Implements ``ports.KeyRegister``."""

    def __init__(self, settings: Settings, *, entropy: Entropy) -> None:
        self._log_origin = settings.log_origin
        self._directory = settings.keyring_dir
        self._token = open_token(settings.token)
        self._entropy = entropy

    def load(self) -> Keyring:
        """Return the keyring as it stands (see ``keyring.load``)."""
        return keyrings.load(self._directory, self._token)

    def held(self, role: Role) -> tuple[KeyRecord, ...]:
        """Return the keys of a role, the youngest first, with the retired ones."""
        return tuple(key.record for key in self.load().all_keys(role))

    def vkey(self, key: KeyRecord) -> str:
        """Return a key of the log as verifiers are told it."""
        held = self.load().keys(Role.LOG)
        return str(log_key(self._log_origin, next(one for one in held if one.key_id == key.key_id)))

    def change(self) -> AbstractContextManager[None]:
        """Keep every other command from changing keys. Raises FileBusyError."""
        return keyrings.changing(self._directory)

    def announce(self, role: Role, *, now: datetime) -> KeyRecord:
        """Make a key that makes nothing yet: in the token, where there is one."""
        entropy, token = self._entropy, self._token
        ring = keyrings.announce(self._directory, role, entropy=entropy, now=now, token=token)
        return ring.all_keys(role)[0].record

    def activate(self, key: KeyRecord, *, now: datetime) -> KeyRecord:
        """Let an announced key make."""
        ring = keyrings.activate(self._directory, key.role, now=now, token=self._token)
        return present(ring.maker(key.role), "a key that was activated makes").record

    def retire(self, key: KeyRecord, *, now: datetime) -> KeyRecord:
        """Destroy a key's secret, in its file and in the token; its name stays."""
        ring = keyrings.retire(self._directory, key.role, key.key_id, now=now, token=self._token)
        return next(one.record for one in ring.all_keys(key.role) if one.key_id == key.key_id)
