"""argon2 that does no work twice, for plays: whoever waits for months signs in again and again.

A function of what it is given, so that nothing else changes; a wrong password is never remembered.
As a program it is ``twinlock`` with this alone.
"""

import sys
from functools import cache, lru_cache

import pytest

from twinlock import __main__ as program
from twinlock.cli.main import main
from twinlock.proofs import passwords

MOST = 4096


@cache
def _remembering(name: str) -> object:
    return lru_cache(MOST)(getattr(passwords, name))


def remember(patch: pytest.MonkeyPatch) -> None:
    """Let our own hashes be remembered until ``patch`` is undone."""
    for name in ("hash_secret", "verify_secret"):
        patch.setattr(passwords, name, _remembering(name))


if __name__ == "__main__":
    remember(pytest.MonkeyPatch())
    sys.argv[0] = str(program.__file__)
    sys.modules["__main__"] = program
    main()
