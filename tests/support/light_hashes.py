"""argon2 with the least work, for tests that sign in again and again: it takes a tenth of them.

Nothing they show depends on how hard a hash is to make; tests/unit/proofs/test_passwords.py shows
that. As a program it is ``twinlock`` with this alone.
"""

import sys
from dataclasses import replace

import pytest

from twinlock import __main__ as program
from twinlock.cli.main import main
from twinlock.proofs import foreign_passwords, passwords

PASSES, KIB = 1, 8  # RFC 9106, 3.1: no fewer.
BEGINS = f"$argon2id$v=19$m={KIB},t={PASSES},p=1$"
NOBODYS_HASH = BEGINS + passwords.NOBODYS_HASH[passwords.NOBODYS_HASH.index("A") :]


def lighten(patch: pytest.MonkeyPatch) -> None:
    """Let our own hashes be light until ``patch`` is undone."""
    light = replace(passwords.PARAMETERS, time_cost=PASSES, memory_cost=KIB)
    patch.setattr(passwords, "PARAMETERS", light)
    patch.setattr(passwords, "NOBODYS_HASH", NOBODYS_HASH)
    patch.setattr(foreign_passwords, "_OURS", BEGINS)


if __name__ == "__main__":
    lighten(pytest.MonkeyPatch())
    sys.argv[0] = str(program.__file__)
    sys.modules["__main__"] = program
    main()
