"""Lines of files of executed exits: read, or a fault of their own."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.executed import ACTION, ADDRESS, ALICE

from twinlock.cli.import_files import Line
from twinlock.cli.reconcile_rows import ExecutedFileError, Reader
from twinlock.domain.reconciling.rows import MAY, NEEDED, Executed, RowBrokenError, RowFault
from twinlock.services.importing.reading import LINE_BYTES_MOST, Format

SAID = {
    "reference": "tx-1",
    "type": "withdrawal.crypto",
    "account": ALICE,
    "action": ACTION,
    "asset": "USDT",
    "network": "ethereum",
    "address": ADDRESS,
    "memo": "",
    "amount_minor": "1",
    "executed_at": "2026-03-01T12:00:00Z",
}


def cells(*values: str) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().encode()


def of_csv(*names: str) -> Reader:
    reader = Reader(Format.CSV)
    reader.header(cells(*names))
    return reader


def read(reader: Reader, data: bytes) -> Executed:
    return reader.row(Line(2, data, 0))


def fault(reader: Reader, data: bytes) -> tuple[RowFault, str]:
    with pytest.raises(RowBrokenError) as raised:
        read(reader, data)
    return raised.value.fault, raised.value.column


def test_columns_may_stand_in_any_order_among_others() -> None:
    reader = of_csv("colour", *reversed(NEEDED), "fee_minor", "colour")
    row = read(reader, cells("red", *[SAID[name] for name in reversed(NEEDED)], "5", "blue"))

    assert (row.line, row.reference, row.account, row.fee_minor) == (2, "tx-1", ALICE, "5")


@pytest.mark.parametrize(("form", "wants"), [(Format.CSV, True), (Format.JSONL, False)])
def test_csv_begins_with_a_header(form: Format, *, wants: bool) -> None:
    assert Reader(form).wants_header is wants
    assert of_csv(*NEEDED).wants_header is False


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    Reader(Format.CSV).header("\N{ZERO WIDTH NO-BREAK SPACE}".encode() + cells(*NEEDED))


@pytest.mark.parametrize("name", NEEDED)
def test_a_file_without_a_column_is_refused_whole(name: str) -> None:
    with pytest.raises(ExecutedFileError, match=f"no column {name}"):
        Reader(Format.CSV).header(cells(*[one for one in NEEDED if one != name]))


@pytest.mark.parametrize("name", [*NEEDED, *MAY])
def test_two_columns_of_one_name_are_refused(name: str) -> None:
    with pytest.raises(ExecutedFileError, match="same name"):
        Reader(Format.CSV).header(cells(*NEEDED, *MAY, name))


@pytest.mark.parametrize("line", [b"\xff\xfe", b'"open', b"x" * 70_000])
def test_a_header_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(ExecutedFileError, match="no header"):
        Reader(Format.CSV).header(line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"\xff\n", RowFault.NOT_UTF8),
        (b"x" * 70_000, RowFault.ROW_TOO_LARGE),
        (b"one,two\n", RowFault.CSV_BROKEN),
        (b'"open,two\n', RowFault.CSV_BROKEN),
    ],
)
def test_a_broken_line_of_csv_says_how(line: bytes, expected: RowFault) -> None:
    assert fault(of_csv(*NEEDED), line) == (expected, "")


def test_no_line_within_a_cell_tells_of_an_exit() -> None:
    reader = of_csv(*NEEDED, "note")
    row = cells(*SAID.values(), "").rstrip()
    assert read(reader, row).reference == "tx-1"

    assert fault(reader, row + b'"said the customer\n') == (RowFault.CSV_BROKEN, "")
    assert fault(reader, row + b"\n") == (RowFault.CSV_BROKEN, "")
    assert fault(reader, row + b'"\n') == (RowFault.CSV_BROKEN, "")
    assert read(reader, row).reference == "tx-1"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"{broken", (RowFault.JSON_BROKEN, "")),
        (b"[]", (RowFault.JSON_BROKEN, "")),
        (b"[" * 60_000, (RowFault.JSON_BROKEN, "")),
        (b'{"memo": "1", "memo": "2"}', (RowFault.JSON_BROKEN, "")),
        (json.dumps(SAID | {"memo": 17}).encode(), (RowFault.JSON_BROKEN, "memo")),
        (b'{"reference": "tx-1"}', (RowFault.VALUE_MISSING, "type")),
    ],
)
def test_a_broken_line_of_json_says_how(line: bytes, expected: tuple[RowFault, str]) -> None:
    assert fault(Reader(Format.JSONL), line) == expected


def test_a_line_of_json_is_read_and_more_in_it_passed_over() -> None:
    line = json.dumps(SAID | {"colour": ["red"]}).encode() + b"\r\n"

    assert read(Reader(Format.JSONL), line).memo == ""


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_of_just_the_length_is_read_with_and_without_an_end(end: bytes) -> None:
    line = json.dumps(SAID).encode().ljust(LINE_BYTES_MOST)

    assert read(Reader(Format.JSONL), line + end).reference == "tx-1"


@given(data=st.binary(max_size=200), form=st.sampled_from(Format))
def test_any_bytes_are_a_row_or_a_fault(data: bytes, form: Format) -> None:
    reader = of_csv(*NEEDED) if form is Format.CSV else Reader(form)

    fault(reader, data)
