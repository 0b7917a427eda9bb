"""Password hashing beside the event loop, in few threads with a bounded queue.

argon2id takes 20 ms of a core and 19 MiB: without a bound, a flood of sign-ins would stop every
withdrawal. What does not fit in the queue is refused at once.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from twinlock.domain.errors import UnavailableError
from twinlock.ports import Entropy
from twinlock.proofs import passwords

T = TypeVar("T")
THREADS = 2  # A core keeps deciding while the other hashes.
WAITING_MOST = 64  # About 0.7 s of work for two threads.


class ThreadHasher:
    """Hashes and verifies in threads. Implements ``ports.Hasher``."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the encoded argon2id hash of a new password."""
        salt = self._entropy.draw(passwords.SALT_BYTES)
        return await self._run(lambda: passwords.hash_password(password, salt=salt))

    async def verify(self, encoded: str, password: str) -> None:
        """Return when ``password`` fits ``encoded``."""
        await self._run(lambda: passwords.verify_password(encoded, password))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MOST:
            raise UnavailableError("too many passwords wait to be checked")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1
