"""Real PKCS #11 tokens in software: SoftHSM's, each test its own.

SoftHSM reads where its tokens lie once in the life of a process, so the directory is one for each
test process; a token that is made later is seen when the module begins again.
"""

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pkcs11

from twinlock.adapters.keyring.pkcs11 import Token
from twinlock.adapters.settings import TokenPlace

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
TOOL = "/usr/bin/softhsm2-util"
CONFIG = "SOFTHSM2_CONF"
PIN, OFFICERS_PIN = "4711-geheim", "12345678"
_numbers = itertools.count(1)


@cache
def home() -> Path:
    """Return where this test process keeps its tokens; the module is told by the environment."""
    directory = Path(tempfile.mkdtemp(prefix="twinlock-hsm-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    (directory / "tokens").mkdir(mode=0o700)
    config = directory / "softhsm2.conf"
    config.write_text(
        f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\n"
        "log.level = ERROR\nslots.removable = false\n"
    )
    os.environ[CONFIG] = str(config)
    return directory


@dataclass(frozen=True, kw_only=True)
class SoftToken:
    """A token, the directory that it lies in, and the file of its PIN."""

    place: TokenPlace
    directory: Path

    @property
    def variables(self) -> dict[str, str]:
        """What an installation on this token is told by its environment, without our prefix."""
        return {
            "PKCS11_MODULE": str(self.place.module),
            "PKCS11_TOKEN": self.place.label,
            "PKCS11_PIN_FILE": str(self.place.pin_file),
        }

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Take the token away for a while, as by a cable."""
        aside = home() / self.directory.name
        self.directory.rename(aside)
        try:
            yield
        finally:
            aside.rename(self.directory)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let the token hang for a while: what it reads before each answer is a pipe that waits."""
        generation = self.directory / "generation"
        kept = home() / f"{self.directory.name}.generation"
        generation.rename(kept)
        os.mkfifo(generation, mode=0o600)
        try:
            yield
        finally:
            handle = os.open(generation, os.O_RDWR | os.O_NONBLOCK)  # Whoever waits goes on.
            kept.rename(generation)
            os.close(handle)

    def opened(self) -> Token:
        """Return a session on it; whoever had one on another token has it no more."""
        return Token(self.place)


def make_token(directory: Path) -> SoftToken:
    """Make a token; its PIN lies in ``directory``."""
    label = f"token-{os.getpid()}-{next(_numbers)}"
    before = set((home() / "tokens").iterdir())
    words = ["--init-token", "--free", "--label", label, "--so-pin", OFFICERS_PIN, "--pin", PIN]
    subprocess.run([TOOL, *words], check=True, capture_output=True)  # noqa: S603 - Debian's
    (made,) = set((home() / "tokens").iterdir()) - before
    pin_file = directory / f"{label}.pin"
    pin_file.write_text(f"{PIN}\n")
    pin_file.chmod(0o600)
    pkcs11.lib(str(MODULE)).reinitialize()
    place = TokenPlace(module=MODULE, label=label, pin_file=pin_file)
    return SoftToken(place=place, directory=made)
