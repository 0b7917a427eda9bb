"""What the operator's commands about a person's records are made of: erasing, exporting, holds."""

import os
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from twinlock.adapters import private_files
from twinlock.adapters.screening import ScreeningFile
from twinlock.adapters.sql.erasing import SqlEraser
from twinlock.adapters.sql.officers import SqlPlatformActs
from twinlock.adapters.sql.records import SqlRecords
from twinlock.adapters.system import SystemEntropy, own_clock
from twinlock.bootstrap.anchoring import anchored, follow_unless_busy
from twinlock.bootstrap.rulebook import BookPolicies, RuleBook
from twinlock.bootstrap.ruling import keep_ruling, ruling_of
from twinlock.bootstrap.world import World
from twinlock.domain.errors import SettingsWrongError
from twinlock.ports import Clock
from twinlock.services.erasing import Erasing
from twinlock.services.exporting import Exporting
from twinlock.services.legal_holds import LegalHolds
from twinlock.services.officers import Officers
from twinlock.services.suspensions import Suspensions


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The use cases of records. ``erasing`` is None where the tables' owner is not known."""

    exporting: Exporting
    legal_holds: LegalHolds
    officers: Officers
    suspensions: Suspensions
    erasing: Erasing | None


@asynccontextmanager
async def open_records(
    world: World, *, book: RuleBook | None = None, clock: Clock | None = None
) -> AsyncIterator[Records]:
    """Open the operator's use cases of records, on a log that is the anchored one.

    They decide by what officers activated; before there are officers by ``book``, or by the profile
    of the settings.

    Raises:
        PolicyDiffersError: before there are officers: a service decides by another policy.
        TwinlockError: as ``anchored``, ``Anchoring.check`` or ``ruling_of``.
    """
    settings = world.settings
    own = own_clock(settings.data_dir / "clock-anchor.json")
    async with (
        own if clock is None else nullcontext(clock) as trusted,
        anchored(world, trusted) as (kept, anchoring, keys),
    ):
        await anchoring.check()
        ruling = await ruling_of(kept, given=book, profile=settings.profile)
        await keep_ruling(ruling, kept)
        origin = settings.log_origin
        signer = keys.signer(log_origin=origin)
        acts = SqlPlatformActs(kept.database, sealer=keys.sealer, clock=trusted, log_origin=origin)
        prices = keys.price_file(settings.price_file)
        screening = ScreeningFile(
            settings.screening_file, clock=trusted, key=settings.screening_key
        )
        policies = BookPolicies(
            ruling.in_force,
            renew=ruling.follow,
            prices=prices,
            signer=signer,
            screening=screening,
        )
        owner, entropy = world.owner_dsn, SystemEntropy()
        eraser = SqlEraser(owner, sealer=keys.sealer, entropy=entropy, clock=trusted)
        erasing = Erasing(eraser, store=kept, policies=policies, clock=trusted)
        yield Records(
            exporting=Exporting(kept, records=SqlRecords(kept), policies=policies),
            legal_holds=LegalHolds(kept, policies=policies),
            officers=Officers(acts, clock=trusted, entropy=entropy, log_origin=origin),
            suspensions=Suspensions(kept, acts=acts, policies=policies, log_origin=origin),
            erasing=erasing if owner else None,
        )
        await follow_unless_busy(anchoring)


def erasing_of(records: Records) -> Erasing:
    """Return the use case of erasing. Raises SettingsWrongError."""
    if records.erasing is None:
        raise SettingsWrongError("TWINLOCK_OWNER_URL is not set: name the owner of the tables")
    return records.erasing


async def write_export(pieces: AsyncIterable[bytes], path: Path) -> None:
    """Put an export at ``path``, mode 0600, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    try:
        with private_files.create_open(draft) as file:
            async for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    private_files.sync_directory(path.parent)
