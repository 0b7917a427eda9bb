"""An installation, opened for an audit: it is read, and nothing in it is written.

No database is migrated here nor bound to a keyring. Only where the embedded server is down is it
started, since nothing can be read from one that is. One connection exports its snapshot, and each
member of the crew joins it, in whatever process.
"""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import asyncpg
from msgspec.structs import replace

from twinlock.adapters import private_files, signing
from twinlock.adapters.anchor import AnchorThread
from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring import Keyring
from twinlock.adapters.postgres import EmbeddedPostgres
from twinlock.adapters.settings import Settings
from twinlock.adapters.slots import Slots
from twinlock.adapters.sql.audit_extent import examine, kept_policies
from twinlock.adapters.sql.auditing import AuditReader, join, read_tiles, reading, share
from twinlock.adapters.sql.connections import DOWN, unreachable
from twinlock.adapters.sql.migrate import APP_ROLE, check_schema
from twinlock.domain.audit.findings import Findings
from twinlock.domain.audit.parts import Checked, Extent, Part
from twinlock.domain.errors import DatabaseNotStartedError
from twinlock.domain.policy.profile import PolicyName
from twinlock.ports import AuditCrew, AuditTask
from twinlock.services.auditing import Auditing, Progress, Verdict

Check: TypeAlias = Callable[[Part], Awaitable[Checked]]
Hire: TypeAlias = Callable[[AuditTask], AbstractContextManager[AuditCrew]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one member of the crew is handed. Implements ``ports.AuditTask``.

    It holds keys and a password, and travels between processes of ours only, through a pipe.
    """

    dsn: str = field(repr=False)
    keyring: Keyring = field(repr=False)
    snapshot: str
    slots: Path
    size: int
    policies: dict[bytes, PolicyName]

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Check]:
        """Open what a member needs, and lend what checks one part after the other."""
        with Slots.open(self.slots, self.size, tuple(self.policies)) as slots:
            async with reading(self.dsn) as connection:
                await join(connection, self.snapshot)
                yield AuditReader(
                    connection, sealer=Sealer(self.keyring), slots=slots, policies=self.policies
                ).check


def running_dsn(settings: Settings, server: EmbeddedPostgres, database: str) -> str:
    """Return how the application reaches the embedded server, which runs afterwards.

    Raises:
        DatabaseNotStartedError: it was never made, or does not start.
    """
    password = settings.app_password_file
    if not settings.postgres_dir.exists() or not password.exists():
        raise DatabaseNotStartedError("there is no embedded database yet: nothing to audit")
    server.ensure_running()
    secret = private_files.read(password).decode("ascii")
    return server.dsn(database=database, role=APP_ROLE, password=secret)


class Source:
    """What an audit looks at. Implements ``ports.AuditSource``."""

    def __init__(self, connection: asyncpg.Connection, extent: Extent, slots: Slots) -> None:
        self._connection = connection
        self._extent = extent
        self._slots = slots

    @property
    def extent(self) -> Extent:
        """How much there is."""
        return self._extent

    @property
    def hashes(self) -> Slots:
        """The hashes of all leaves that the crew has read, in the log's order."""
        return self._slots

    def unclaimed(self) -> Iterator[int]:
        """Yield the leaves that no account of those that were checked has as its entry."""
        return self._slots.unclaimed()

    async def tiles(self, level: int, first: int, last: int) -> Mapping[int, bytes]:
        """Return the stored tiles of ``level`` from ``first`` on and before ``last``."""
        return await read_tiles(self._connection, level, first, last)


class Auditor:
    """Audits one installation: its database at ``dsn``, its keyring and its anchor."""

    def __init__(self, settings: Settings, *, keyring: Keyring, dsn: str) -> None:
        self._settings = settings
        self._keyring = keyring
        self._dsn = dsn

    async def audit(
        self,
        hire: Hire,
        *,
        progress: Progress,
        since: bytes | None = None,
        only_log: bool = False,
    ) -> Verdict:
        """Return the verdict; ``hire`` makes a crew, ``since`` is a checkpoint that was kept.

        Raises:
            MalformedError, UntrustedNoteError: ``since`` is no checkpoint of this log.
            MigrationError: the tables are not those of this version.
            UnavailableError: the database does not answer, or stopped to.
        """
        settings, keyring = self._settings, self._keyring
        trust = signing.trust(
            keyring,
            log_origin=settings.log_origin,
            rp_id=settings.rp_id,
            origin=settings.origin,
            policies=(),
        )
        with AnchorThread.of(settings.data_dir / "log-anchor.json") as anchors:
            use = Auditing(
                anchors=anchors, log_policy=trust.log_policy, log_origin=settings.log_origin
            )
            held = await use.held(since)  # The anchor follows the log: read it before the moment.
            try:
                async with self._moment() as (task, source):
                    with hire(task) as crew:  # It ends before the moment does.
                        return await use.audit(
                            held, source=source, crew=crew, progress=progress, only_log=only_log
                        )
            except DOWN as error:
                raise unreachable(error) from error

    @asynccontextmanager
    async def _moment(self) -> AsyncIterator[tuple[Task, Source]]:
        """Hold one moment of the database, for everybody who is handed the task."""
        async with reading(self._dsn) as connection:
            await check_schema(connection)
            findings = Findings()
            policies = await kept_policies(connection, findings)
            extent = await examine(
                connection,
                sealer=Sealer(self._keyring),
                fingerprint=self._keyring.fingerprint(),
                log_origin=self._settings.log_origin,
            )
            joined = Findings.joined((extent.found, findings.found())).found()
            extent = replace(extent, found=joined)
            with tempfile.TemporaryDirectory(prefix="twinlock-audit-") as directory:
                place = Path(directory) / "slots"
                with Slots.open(place, extent.size, tuple(policies)) as slots:
                    task = Task(
                        dsn=self._dsn,
                        keyring=self._keyring,
                        snapshot=await share(connection),
                        slots=place,
                        size=extent.size,
                        policies=policies,
                    )
                    yield task, Source(connection, extent, slots)
