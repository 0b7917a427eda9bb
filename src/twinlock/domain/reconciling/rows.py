"""Rows of executed exits, as a ledger or a chain tells them; and why one cannot be read.

Always true (tests/unit/domain/reconciling/test_rows.py): a row that is read names an amount in
minor units, an instant in UTC and everything that it is compared by; any other is a fault.

Source: docs/reconcile.md.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

import msgspec

from twinlock.domain.errors import TwinlockError
from twinlock.domain.money import AmountError, minor_units

CELL_CHARACTERS_MOST = 256  # Of one value: the longest address has 128.
NEEDED = (
    "reference",
    "type",
    "account",
    "action",
    "asset",
    "network",
    "address",
    "memo",
    "amount_minor",
    "executed_at",
)
MAY = ("fee_minor",)


class RowFault(StrEnum):
    """Why a row cannot be read; the value is told, so it never changes."""

    NOT_UTF8 = "not_utf8"
    ROW_TOO_LARGE = "row_too_large"
    CSV_BROKEN = "csv_broken"
    JSON_BROKEN = "json_broken"
    VALUE_MISSING = "value_missing"
    VALUE_WRONG = "value_wrong"
    AMOUNT_WRONG = "amount_wrong"
    TIME_WRONG = "time_wrong"


# What is told of each, to whoever mends the file.
SENTENCES: Mapping[RowFault, str] = MappingProxyType(
    {
        RowFault.NOT_UTF8: "The row is not UTF-8.",
        RowFault.ROW_TOO_LARGE: "The row has more than 64 KiB, or a value of it more than "
        f"{CELL_CHARACTERS_MOST} characters.",
        RowFault.CSV_BROKEN: "The row is not CSV: a quote is open at its end, or has been "
        "since an earlier row, or it has another number of cells than the header.",
        RowFault.JSON_BROKEN: "The row is not one JSON object of texts whose names are all "
        "different.",
        RowFault.VALUE_MISSING: "Something that every row must say is missing.",
        RowFault.VALUE_WRONG: "It holds a control character.",
        RowFault.AMOUNT_WRONG: "It is no whole number of minor units, more than zero.",
        RowFault.TIME_WRONG: "It is no instant of RFC 3339 with its offset.",
    }
)


class RowBrokenError(TwinlockError):
    """A row of executed exits cannot be read: ``fault`` says why, ``column`` where."""

    code = "executed_row_broken"
    status = 422

    def __init__(self, fault: RowFault, column: str = "") -> None:
        super().__init__(SENTENCES[fault])
        self.fault = fault
        self.column = column


class Executed(msgspec.Struct, frozen=True, kw_only=True):
    """One exit that was executed. Empty where the ledger knows nothing: ``action``, ``fee_minor``.

    ``reference`` is the ledger's own name of it, such as the id of a transaction.
    """

    line: int
    reference: str
    type: str
    account: str
    action: str
    asset: str
    network: str
    address: str
    memo: str
    amount_minor: str
    executed_at: datetime
    fee_minor: str = ""


def executed(line: int, said: Mapping[str, str]) -> Executed:
    """Return the exit that row ``line`` tells of.

    Raises:
        RowBrokenError: with the first fault found.
    """
    values = {name: said.get(name, "") for name in (*NEEDED, *MAY)}
    for name, value in values.items():
        if len(value) > CELL_CHARACTERS_MOST:
            raise RowBrokenError(RowFault.ROW_TOO_LARGE, name)
        if not value.isprintable():
            raise RowBrokenError(RowFault.VALUE_WRONG, name)
    for name in ("reference", "type", "account", "asset", "address"):
        if not values[name]:
            raise RowBrokenError(RowFault.VALUE_MISSING, name)
    executed_at = instant(values.pop("executed_at"))
    if _amount(values["amount_minor"], "amount_minor") == 0:
        raise RowBrokenError(RowFault.AMOUNT_WRONG, "amount_minor")
    if values["fee_minor"]:
        _amount(values["fee_minor"], "fee_minor")
    return Executed(line=line, executed_at=executed_at, **values)


def _amount(text: str, column: str) -> int:
    try:
        return minor_units(text)
    except AmountError as error:
        raise RowBrokenError(RowFault.AMOUNT_WRONG, column) from error


def instant(text: str) -> datetime:
    """Return an instant of RFC 3339 in UTC. Raises RowBrokenError: it is none, or has no offset."""
    try:
        found = msgspec.convert(text, datetime)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise RowBrokenError(RowFault.TIME_WRONG, "executed_at") from error
    if found.tzinfo is None:
        raise RowBrokenError(RowFault.TIME_WRONG, "executed_at")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:  # In the first or the last hours of all years that there are.
        raise RowBrokenError(RowFault.TIME_WRONG, "executed_at") from error
