"""The keyring as one process works with it: looked at each second, and taken anew when it changed.

Always true (tests/integration/test_keys_at_work.py):

* a key that was announced is held by every process that serves within two seconds, so that another
  one may use it: nobody meets a row or a signature that he has no key for;
* nothing new is made by a look that is older than ten seconds. Prevents: a process that was stopped
  over a rotation, or cannot read the keyring, and seals something under a key that is gone;
* a keyring that does not load changes nothing: the keys of the last good look go on reading.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.signing import (
    KeyringAnswers,
    KeyringIndex,
    KeyringMac,
    KeyringNodes,
    KeyringSigner,
    KeyringTokens,
)
from twinlock.adapters.keyring.token import open_token
from twinlock.adapters.prices import PriceFile
from twinlock.adapters.settings import Settings
from twinlock.domain.errors import KeyringWrongError, KeysStaleError, TwinlockError
from twinlock.domain.keys import LOOK_LIFETIME
from twinlock.ports.keys import (
    KeyToken,
)

LOOK_SECONDS = 1.0  # Between two looks; each reads names and times, and no key that it has.


class Takes(Protocol):
    """Whatever works with keys, and can go on with others."""

    def take(self, keyring: Keyring) -> None:
        """Go on with a keyring that has changed."""
        ...


T = TypeVar("T", bound=Takes)


class KeysAtWork:
    """All that works with the keys of one process, and follows their directory."""

    def __init__(
        self,
        keyring: Keyring,
        directory: Path,
        *,
        token: KeyToken | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._token = token
        self._seconds = seconds
        # None: what is on the disk may have changed since ``keyring`` was read.
        self._stamp: object = None
        self._looked_at = seconds()
        self._wrong = ""  # The code of what the last look found; empty when it was a good one.
        self._takers: list[Takes] = []
        self.sealer = self.following(Sealer(keyring, ready=self.check_ready))
        self.index = self.following(KeyringIndex(keyring))
        self.mac = self.following(KeyringMac(keyring))
        self.nodes = self.following(KeyringNodes(keyring))
        self.answers = self.following(KeyringAnswers(keyring))
        self.tokens = self.following(KeyringTokens(keyring))
        self._keyring = keyring

    @classmethod
    def of(cls, keyring: Keyring, settings: Settings) -> "KeysAtWork":
        """Return the keys of one process of an installation."""
        return cls(keyring, settings.keyring_dir, token=open_token(settings.token))

    def signer(self, *, log_origin: str) -> KeyringSigner:
        """Return one more signer, which remembers what it signed itself."""
        return self.following(KeyringSigner(self._keyring, log_origin=log_origin))

    def price_file(self, path: Path | None) -> PriceFile:
        """Return the reader of the price list at ``path``."""
        return self.following(PriceFile(path, self._keyring))

    def following(self, taker: T) -> T:
        """Have ``taker`` go on with the keyring whenever it has changed, and return it."""
        self._takers.append(taker)
        return taker

    def check_ready(self) -> None:
        """Return when something new may be made with these keys.

        Raises:
            KeysStaleError: the last good look at them was too long ago.
            TokenUnavailableError: the token that holds them does not answer.
        """
        if self._seconds() - self._looked_at > LOOK_LIFETIME.total_seconds():
            raise KeysStaleError("the keyring was not seen for ten seconds: nothing is decided")
        if self._token is not None:
            self._token.check()

    def check_health(self) -> None:
        """Return as ``check_ready`` does; say the code of what is wrong as well.

        Raises:
            KeysStaleError, TokenUnavailableError: as in ``check_ready``.
        """
        try:
            self.check_ready()
        except KeysStaleError as stale:
            if not self._wrong:
                raise
            raise KeysStaleError(f"{stale}: {self._wrong}") from stale

    async def look(self) -> None:
        """Take the keyring anew if it has changed.

        Raises:
            KeyringWrongError: it is another installation's.
            TwinlockError: what ``keyring.load`` raises.
        """
        looked_at = self._seconds()
        try:
            found = await asyncio.to_thread(self._changed)
        except (TwinlockError, OSError) as error:
            # The code alone: whoever asks for health may be anybody, and texts name files.
            self._wrong = error.code if isinstance(error, TwinlockError) else "unreadable"
            raise
        if found is not None:
            self._keyring = found
            for taker in self._takers:
                taker.take(found)
        self._looked_at, self._wrong = looked_at, ""

    def _changed(self) -> Keyring | None:
        """Return the keyring, if it is not as it was at the last look."""
        stamp = keyrings.stamp(self._directory)
        if stamp == self._stamp:
            return None
        found = keyrings.load(self._directory, self._token)
        if found.fingerprint() != self._keyring.fingerprint():
            raise KeyringWrongError(
                "another installation's keyring lies in the place of ours: put ours back"
            )
        if not found.follows(self._keyring):
            raise KeyringWrongError(
                "an older keyring lies in the place of ours: put the newest back"
            )
        self._stamp = stamp  # Taken before the keys were: what changes meanwhile is seen next time.
        return found
