"""The real audit on a test's database, its crew in this process."""

import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from support.postgres import TestDatabase
from support.stores import POLICY

from twinlock.adapters.anchor import AnchorFile
from twinlock.adapters.auditing import Auditor
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.keyring.signing import KeyringSigner
from twinlock.adapters.settings import Settings
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.sql import queries
from twinlock.adapters.sql.installation import claim
from twinlock.domain.audit.parts import Checked, Part
from twinlock.domain.log.merkle import EMPTY_ROOT
from twinlock.ports.audit import AuditTask
from twinlock.ports.log import Anchor, Head
from twinlock.services.auditing import Verdict


class CrewOfOne:
    """One member, in this process. Implements ``ports.AuditCrew``."""

    def __init__(self, task: AuditTask) -> None:
        self._task = task

    @classmethod
    @contextmanager
    def of(cls, task: AuditTask) -> Iterator[Self]:
        """Hire nobody."""
        yield cls(task)

    async def check(self, parts: Sequence[Part]) -> AsyncIterator[Checked]:
        """Yield what was checked of each part, in order."""
        async with self._task.begin() as check:
            for part in parts:
                yield await check(part)


def unwatched(phase: str, *, done: int, of: int) -> None:
    """Show nobody how far it is; it never goes back nor beyond the whole."""
    assert phase
    assert 0 <= done <= of


def settings_of(database: TestDatabase, data_dir: Path) -> Settings:
    """Return the settings of an installation on ``database``."""
    return load_settings(
        {
            "TWINLOCK_DATABASE_URL": database.app_dsn,
            "TWINLOCK_DATA_DIR": str(data_dir),
            "TWINLOCK_KEYRING_DIR": str(data_dir.parent / "keyring-of-its-own"),
        },
        as_root=False,
    )


async def adopt(database: TestDatabase, keyring: Keyring, settings: Settings) -> None:
    """Do for a bare store what a service does before it decides: bind, keep the policy, anchor."""
    origin = settings.log_origin
    seals = {key.key_id for key in keyring.keys(Role.SEAL)}
    fingerprint = keyring.fingerprint()
    await claim(database.app_dsn, fingerprint=fingerprint, log_origin=origin, seal_keys=seals)
    await database.execute(queries.KEEP_POLICY, POLICY.name.digest, POLICY.text)
    anchors = AnchorFile(settings.data_dir / "log-anchor.json")
    if anchors.read() is None:
        empty = KeyringSigner(keyring, log_origin=origin).checkpoint(Head(size=0, root=EMPTY_ROOT))
        new = Anchor(size=0, root=EMPTY_ROOT, checkpoint=empty.decode())
        anchors.advance(new, expected_size=None)


async def audited(
    database: TestDatabase,
    keyring: Keyring,
    settings: Settings,
    *,
    since: bytes | None = None,
    only_log: bool = False,
) -> Verdict:
    """Return the verdict on an installation as it stands."""
    auditor = Auditor(settings, load=lambda: keyring, dsn=database.app_dsn)
    return await auditor.audit(CrewOfOne.of, progress=unwatched, since=since, only_log=only_log)


async def audited_store(database: TestDatabase, keyring: Keyring) -> Verdict:
    """Return the verdict on a bare store, as if it were an installation of its own."""
    with tempfile.TemporaryDirectory() as directory:
        settings = settings_of(database, Path(directory) / "data")
        await adopt(database, keyring, settings)
        return await audited(database, keyring, settings)


def codes(verdict: Verdict) -> set[str]:
    """Return the codes of everything that was found."""
    assert verdict.sound is (not verdict.faults)
    return set(verdict.faults)
