"""The list of sanctions: what a file says, before it is put in place."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from twinlock.adapters import screening_signing
from twinlock.adapters.prices import read_public_key
from twinlock.adapters.screening import SCREENING_LIFETIME, read_list
from twinlock.adapters.screening_signing import SignedList
from twinlock.adapters.system import SystemClock


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a list says: how many entries of each form, when it was renewed, and until when."""

    file: str
    entries: Mapping[str, int]
    renewed_at: datetime
    good_until: datetime
    stale: bool
    signed: bool


def check_screening_list(path: Path, *, key: str = "") -> Checked:
    """Return what the list at ``path`` says, signed by ``key`` (base64url), if one is named.

    Raises:
        ScreeningListWrongError, PriceKeyWrongError, OSError: as they say.
    """
    found = read_list(path, key=read_public_key(key).public if key else None)
    return Checked(
        file=str(path),
        entries=dict(sorted(found.entries.items())),
        renewed_at=found.renewed_at,
        good_until=found.renewed_at + SCREENING_LIFETIME,
        stale=found.is_stale(SystemClock().now()),
        signed=found.signed,
    )


def sign_screening_list(path: Path, *, key_file: Path) -> SignedList:
    """Sign a list that the service would read, and put the signature beside it.

    Raises:
        ScreeningListWrongError, PriceKeyWrongError, FileUnsafeError, OSError: as they say.
    """
    read_list(path)
    return screening_signing.sign_list(path, key_file=key_file, now=SystemClock().now())
