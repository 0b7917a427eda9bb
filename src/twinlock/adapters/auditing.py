"""An installation, opened for an audit: it is read, and nothing in it is written.

No database is migrated here nor bound to a keyring. Only where the embedded server is down is it
started, since nothing can be read from one that is. One connection exports its snapshot, and each
member of the crew joins it, in whatever process.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

import asyncpg
from msgspec.structs import replace

from twinlock.adapters.anchor import AnchorThread
from twinlock.adapters.boxes import Sealer
from twinlock.adapters.embedded import running
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring import signing
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.token import open_token
from twinlock.adapters.postgres import EmbeddedPostgres
from twinlock.adapters.settings import Settings
from twinlock.adapters.slots import Slots
from twinlock.adapters.sql.audit_extent import examine, kept_policies, platform_acts
from twinlock.adapters.sql.auditing import AuditReader, join, read_tiles, reading, share
from twinlock.adapters.sql.connections import DOWN, unreachable
from twinlock.adapters.sql.migrate import check_schema
from twinlock.domain.audit.findings import Findings
from twinlock.domain.audit.parts import Checked, Extent, Part, PlatformActs
from twinlock.domain.audit.suspensions import OfficersWords
from twinlock.domain.log.trust import parse_trust_policy
from twinlock.domain.policy.version import PolicyName
from twinlock.ports.audit import AuditCrew, AuditTask
from twinlock.proofs.officers import checked
from twinlock.services.auditing import Auditing, Progress, Verdict

Check: TypeAlias = Callable[[Part], Awaitable[Checked]]
Hire: TypeAlias = Callable[[AuditTask], AbstractContextManager[AuditCrew]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one member of the crew is handed. Implements ``ports.AuditTask``.

    ``dsn`` may hold a password: it travels between processes of ours only, through a pipe. Keys do
    not travel: each member loads the keyring, and has its own session with a token.
    """

    dsn: str = field(repr=False)
    load: Callable[[], Keyring] = field(repr=False)
    snapshot: str
    slots: Path
    size: int
    policies: dict[bytes, PolicyName]
    log_keys: frozenset[str]
    platform: PlatformActs
    log_origin: str

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Check]:
        """Open what a member needs, and lend what checks one part after the other."""
        with Slots.open(self.slots, self.size, tuple(self.policies)) as slots:
            async with reading(self.dsn) as connection:
                await join(connection, self.snapshot)
                yield AuditReader(
                    connection,
                    sealer=Sealer(self.load()),
                    slots=slots,
                    policies=self.policies,
                    log_keys=self.log_keys,
                    officers=OfficersWords(self.platform, self.log_origin, checked),
                ).check


async def open_auditor(settings: Settings, server: EmbeddedPostgres | None) -> "Auditor":
    """Return what audits an installation; its embedded ``server``, if there is one, then runs.

    Raises:
        KeyringMissingError, KeyringWrongError, TokenUnavailableError: as they say.
        DatabaseNotStartedError: the embedded database was never made, or does not start.
    """
    load = partial(_keyring, settings)
    load()  # Before anything is started.
    dsn = settings.database_url or ""
    if server is not None:
        dsn = await asyncio.to_thread(running, settings, server)
    return Auditor(settings, load=load, dsn=dsn)


def _keyring(settings: Settings) -> Keyring:
    return keyrings.load(settings.keyring_dir, open_token(settings.token))


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

    def __init__(self, settings: Settings, *, load: Callable[[], Keyring], dsn: str) -> None:
        self._settings = settings
        self._load = load
        self._keyring = load()
        self._dsn = dsn
        keys = signing.log_keys(self._keyring, log_origin=settings.log_origin, with_retired=True)
        self._log_keys = tuple(str(key) for key in keys)

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
        settings = self._settings
        # Whoever cosigned is another's to check: the log's own signature is what it is held to.
        lines = [f"log {key} {settings.origin}" for key in self._log_keys] + ["quorum none"]
        policy = parse_trust_policy("".join(f"{line}\n" for line in lines).encode("utf-8"))
        with AnchorThread.of(settings.data_dir / "log-anchor.json") as anchors:
            use = Auditing(anchors=anchors, log_policy=policy, log_origin=settings.log_origin)
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
            findings, sealer = Findings(), Sealer(self._keyring)
            policies = await kept_policies(connection, findings)
            extent = await examine(
                connection,
                sealer=sealer,
                fingerprint=self._keyring.fingerprint(),
                log_origin=self._settings.log_origin,
            )
            platform = await platform_acts(
                connection, findings, sealer=sealer, log_origin=self._settings.log_origin
            )
            joined = Findings.joined((extent.found, findings.found())).found()
            extent = replace(extent, found=joined)
            with tempfile.TemporaryDirectory(prefix="twinlock-audit-") as directory:
                place = Path(directory) / "slots"
                with Slots.open(place, extent.size, tuple(policies)) as slots:
                    task = Task(
                        dsn=self._dsn,
                        load=self._load,
                        snapshot=await share(connection),
                        slots=place,
                        size=extent.size,
                        policies=policies,
                        log_keys=frozenset(self._log_keys),
                        platform=platform,
                        log_origin=self._settings.log_origin,
                    )
                    yield task, Source(connection, extent, slots)
