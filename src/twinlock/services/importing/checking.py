"""Lines of a file read and checked, each on its own: half of an import's work, and no state.

So it can be done by another process than the one that opens accounts, in the same way.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from twinlock.domain.importing.faults import RowFault, RowRefusedError
from twinlock.domain.importing.naming import imported_account_id
from twinlock.ports import Entropy
from twinlock.proofs.importing import Arrival, Terms, arrival
from twinlock.services.importing.reading import Reader

FIRST_LINE = 1

Lines: TypeAlias = Sequence[tuple[int, bytes]]  # each with its number in the file, from 1


class Checked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a file: the account that it is, or the first fault that was found in it."""

    line: int
    reference: str = ""
    arrival: Arrival | None = None
    fault: RowFault | None = None
    column: str = ""


Check: TypeAlias = Callable[[Lines, datetime], Awaitable[Sequence[Checked]]]


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines of one file are held to; ``source`` is the digest of that file."""

    terms: Terms
    log_origin: str
    source: str


def checked(
    lines: Lines, reader: Reader, checks: Checks, *, entropy: Entropy, now: datetime
) -> tuple[Checked, ...]:
    """Return what each of ``lines`` is."""
    return tuple(
        _checked(number, data, reader, checks, label_key=entropy.draw(32), now=now)
        for number, data in lines
    )


def _checked(
    number: int, data: bytes, reader: Reader, checks: Checks, *, label_key: bytes, now: datetime
) -> Checked:
    reference = ""
    try:
        row = reader.row(data, first=number == FIRST_LINE)
        reference = row.reference
        made = arrival(
            row,
            named=imported_account_id(checks.log_origin, reference),
            label_key=label_key,
            source=checks.source,
            terms=checks.terms,
            now=now,
        )
    except RowRefusedError as refused:
        fault, column = refused.fault, refused.column
        return Checked(line=number, reference=reference, fault=fault, column=column)
    return Checked(line=number, reference=reference, arrival=made)
