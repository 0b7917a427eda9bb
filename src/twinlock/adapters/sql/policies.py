"""The bytes of every policy version that decided here, kept for as long as its decisions.

Always true (tests/integration/test_store_policies.py): what comes back has the digest that was
asked for, whoever edited the table; nothing is ever replaced; which one is served is told by the
service that started last, and by no command.
"""

from twinlock.adapters.sql import queries
from twinlock.adapters.sql.connections import Database
from twinlock.domain.errors import LogDamagedError, PolicyDiffersError
from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.domain.policy.version import header_of, policy_digest


class SqlPolicyTexts:
    """Policies in the database, by their digests. Implements ``ports.PolicyTexts``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, text: bytes) -> None:
        """Keep the canonical bytes of a policy version; kept before, they stay."""
        digest = policy_digest(header_of(text))
        await self._database.read(lambda db: db.execute(queries.KEEP_POLICY, digest, text))

    async def read(self, digest: str) -> bytes | None:
        """Return the bytes that have ``digest``, or None. Raises LogDamagedError."""
        text: bytes | None = await self._database.read(
            lambda db: db.fetchval(queries.READ_POLICY, digest)
        )
        if text is not None and not _is(text, digest):
            raise LogDamagedError("a policy is not the one that its digest names")
        return text

    async def serve(self, text: bytes) -> None:
        """Keep a policy version, and that a service decides by it from now on."""
        await self.keep(text)
        digest = policy_digest(header_of(text))
        await self._database.read(lambda db: db.execute(queries.SERVE_POLICY, digest))

    async def served(self) -> str | None:
        """Return the digest by which the service that started last decides, or None before any."""
        digest: str | None = await self._database.read(
            lambda db: db.fetchval(queries.READ_SERVED_POLICY)
        )
        return digest

    async def check_served(self, digest: str) -> None:
        """Return when no other policy is served than ``digest``; before any service all are good.

        Prevents: a command that decides by another policy than the service, since a variable was
        not set where it runs, and erases what the served one would keep.

        Raises:
            PolicyDiffersError: another is.
        """
        served = await self.served()
        if served not in (None, digest):
            raise PolicyDiffersError(
                f"the service decides by the policy {served}, and this command would by {digest}:"
                " set TWINLOCK_PROFILE here as it is set for the service, or start the service"
                " anew by this one"
            )

    async def digests(self) -> tuple[str, ...]:
        """Return the digests of all that is kept."""
        rows = await self._database.read(lambda db: db.fetch(queries.LIST_POLICIES))
        return tuple(row["digest"] for row in rows)


def _is(text: bytes, digest: str) -> bool:
    try:
        return policy_digest(header_of(text)) == digest
    except PolicyRefusedError:
        return False
