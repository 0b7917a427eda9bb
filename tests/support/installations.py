"""Whole installations for tests: settings, a keyring, and where the database is."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.commands import free_port
from support.postgres import UNPRIVILEGED, base

from twinlock.adapters.settings import Settings
from twinlock.adapters.settings import load as load_settings
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.world import embedded


def environment_of(directory: Path, **more: str) -> dict[str, str]:
    """Return the variables of an installation in ``directory``."""
    return {
        "TWINLOCK_DATA_DIR": str(directory / "data"),
        "TWINLOCK_KEYRING_DIR": str(directory / "keys" / "ring"),
        "TWINLOCK_LISTEN": f"127.0.0.1:{free_port()}",  # Somebody may try it out beside the tests.
        **{f"TWINLOCK_{name}": value for name, value in more.items()},
    }


@contextmanager
def embedded_installation(*, server_user: str = UNPRIVILEGED) -> Iterator[Settings]:
    """Make an installation whose database is its own, and remove both afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="twinlock-own-", dir=base()))
    directory.chmod(0o711)  # The server's user passes through.
    settings = load_settings(environment_of(directory))
    make_keyring(settings)
    try:
        yield settings
    finally:
        embedded(settings, server_user=server_user).stop()
        shutil.rmtree(directory)
