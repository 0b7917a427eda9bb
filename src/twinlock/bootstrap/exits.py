"""Exits that a platform registers: the file of them, read once when a process starts."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from twinlock.domain.registered_exits import (
    RegisteredExit,
    RegistrationRefusedError,
    read_registrations,
)

FILE_BYTES_MOST = 262_144  # As many exits as there may be, each with all of its terms, have 40 KB.
_NONE: Mapping[str, RegisteredExit] = MappingProxyType({})


def registered_exits(path: Path | None) -> Mapping[str, RegisteredExit]:
    """Return the exits in the file at ``path`` by their names; without a file there are none.

    Raises:
        RegistrationRefusedError: it is too large, or not of its form.
        OSError: the system says no.
    """
    if path is None:
        return _NONE
    with path.open("rb") as file:
        data = file.read(FILE_BYTES_MOST + 1)
    if len(data) > FILE_BYTES_MOST:
        raise RegistrationRefusedError(f"a file of exits has {FILE_BYTES_MOST} bytes at most")
    return read_registrations(data)
