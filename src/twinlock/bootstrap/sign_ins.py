"""What sign-ins look like, put together: an operator's files, the keys, the table of counts."""

import time

from twinlock.adapters.keys_at_work import KeysAtWork
from twinlock.adapters.settings import Settings
from twinlock.adapters.sign_ins.counting import CountedSignIns
from twinlock.bootstrap.risk import reader_of
from twinlock.ports.sign_ins import SignInCounts

COUNTS_SECONDS = 300.0  # Between two looks at what all processes counted: habits change slowly.


def counted_sign_ins(
    settings: Settings, keys: KeysAtWork, *, table: SignInCounts | None
) -> CountedSignIns:
    """Return what reads and counts the sign-ins of one process. Raises NetworkFileError."""
    return CountedSignIns(reader_of(settings), keys.nodes, seconds=time.monotonic, table=table)
