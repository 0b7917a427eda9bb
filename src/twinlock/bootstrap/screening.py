"""The list of sanctions: what a file says, before it is put in place."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from twinlock.adapters.screening import SCREENING_LIFETIME, read_list
from twinlock.adapters.system import SystemClock


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a list says: how many entries of each form, when it was renewed, and until when."""

    file: str
    entries: Mapping[str, int]
    renewed_at: datetime
    good_until: datetime
    stale: bool


def check_screening_list(path: Path) -> Checked:
    """Return what the list at ``path`` says. Raises ScreeningListWrongError, OSError."""
    found = read_list(path)
    return Checked(
        file=str(path),
        entries=dict(sorted(found.entries.items())),
        renewed_at=found.renewed_at,
        good_until=found.renewed_at + SCREENING_LIFETIME,
        stale=found.is_stale(SystemClock().now()),
    )
