"""Password hashing beside the event loop, in few threads with a bounded queue.

argon2id takes 20 ms of a core and 19 MiB: without a bound, a flood of sign-ins would stop every
withdrawal. What does not fit in the queue is refused at once.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from twinlock.adapters.known_passwords import KnownPasswords
from twinlock.domain.authenticators.passwords import Terms, fit
from twinlock.domain.errors import UnavailableError
from twinlock.ports import (
    Entropy,
)
from twinlock.proofs import passwords
from twinlock.proofs.foreign_passwords import check_password

T = TypeVar("T")
THREADS = 2  # A core keeps deciding while the other hashes.
WAITING_MOST = 64  # About 0.7 s of work for two threads.


class ThreadHasher:
    """Hashes and verifies in threads. Implements ``ports.Hasher``."""

    def __init__(self, entropy: Entropy, known: KnownPasswords) -> None:
        self._entropy = entropy
        self._known = known
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0

    async def hash(self, password: str, held_to: Terms) -> str:
        """Return the encoded argon2id hash of a new password that is fit to be set."""
        salt = self._entropy.draw(passwords.SALT_BYTES)

        def work() -> str:
            normal = self._known.check(password, normal=fit(password, held_to))
            return passwords.hash_password(normal, salt=salt)

        return await self._run(work)

    async def verify(self, encoded: str | None, password: str) -> str:
        """Return what to keep in the place of ``encoded``, which ``password`` fits, or "".

        Where there is no hash, work as long, in vain.
        """
        if encoded is None:
            return await self._run(lambda: passwords.burn(password))
        salt = self._entropy.draw(passwords.SALT_BYTES)
        return await self._run(lambda: check_password(encoded, password, salt=salt))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MOST:
            raise UnavailableError("too many passwords wait to be checked")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1
