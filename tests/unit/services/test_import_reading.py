"""Lines of CSV and JSON to rows: names, maps, cells, and what is told of each that is wrong."""

import json

import pytest
from support.imports import BCRYPT, a_row

from twinlock.domain.importing.faults import RowFault, RowRefusedError
from twinlock.domain.importing.rows import Row, schema
from twinlock.services.importing.reading import (
    CELLS_MOST,
    LINE_BYTES_MOST,
    Column,
    Format,
    ImportFileError,
    Layout,
    Reader,
    column_names,
    read_renames,
)

BOM = b"\xef\xbb\xbf"


def csv_reader(*names: str, **renames: str) -> Reader:
    reader = Reader(Format.CSV, renames=renames)
    reader.header(",".join(names).encode())
    return reader


def fault(reader: Reader, line: bytes, *, first: bool = False) -> tuple[RowFault, str]:
    with pytest.raises(RowRefusedError) as refused:
        reader.row(line, first=first)
    return refused.value.fault, refused.value.column


def of_json(value: object) -> tuple[RowFault, str]:
    return fault(Reader(Format.JSONL, renames={}), json.dumps(value).encode())


def test_the_first_line_of_csv_names_the_columns() -> None:
    reader = Reader(Format.CSV, renames={"Mail": "email", "junk": ""})
    wanted = [reader.wants_header]
    reader.header(BOM + b"reference, Mail ,junk,phone_2,phone_1\r\n")
    wanted.append(reader.wants_header)
    row = reader.row(b"c-1,a@x.de,whatever,+15550100002,+15550100001\r\n")

    assert wanted == [True, False]
    assert row == Row(reference="c-1", emails=("a@x.de",), phones=("+15550100001", "+15550100002"))


def test_numbered_columns_are_put_in_order_and_lists_are_parted_by_spaces() -> None:
    reader = csv_reader(
        "reference",
        "passkey_10_credential_id",
        "passkey_10_public_key",
        "passkey_10_rp_id",
        "passkey_10_transports",
        "passkey_2_credential_id",
        "passkey_2_public_key",
        "passkey_2_rp_id",
        "passkey_2_sign_count",
        "passkey_2_backed_up",
    )
    row = reader.row(b"c-1,late,k,old.example,usb nfc,early,k,old.example,7,true")

    assert [one.credential_id for one in row.passkeys] == ["early", "late"]
    assert row.passkeys[1].transports == ("usb", "nfc")
    assert (row.passkeys[0].sign_count, row.passkeys[0].backed_up) == (7, True)


def test_a_cell_may_hold_json() -> None:
    reader = csv_reader("reference", "totp")

    assert reader.row(b'c-1,"[{""seed"": ""AAAA""}]"').totp[0].seed == "AAAA"
    assert fault(reader, b'c-1,"[{]"') == (RowFault.JSON_BROKEN, "totp")
    assert fault(reader, b'c-1,"{}"') == (RowFault.VALUE_WRONG, "totp")
    assert fault(reader, b'c-1,"[{') == (RowFault.CSV_BROKEN, "")


def test_an_empty_cell_says_nothing_and_an_empty_file_of_columns_too() -> None:
    assert csv_reader("reference", "email_1").row(b"c-1,") == Row(reference="c-1")
    assert fault(csv_reader("reference"), b"") == (RowFault.CSV_BROKEN, "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"c-1", RowFault.CSV_BROKEN),
        (b"c-1,a,b", RowFault.CSV_BROKEN),
        (b'"c-1,a', RowFault.CSV_BROKEN),
        (b'c-1,"a"b', RowFault.CSV_BROKEN),
        (b"c-1,a\0", RowFault.TEXT_UNREADABLE),
        (b"c-1,a\rb", RowFault.TEXT_UNREADABLE),
        (b"\xff,a", RowFault.NOT_UTF8),
        (b"," * CELLS_MOST, RowFault.ROW_TOO_LARGE),
        (b"x" * (LINE_BYTES_MOST + 1), RowFault.ROW_TOO_LARGE),
    ],
)
def test_a_broken_line_of_csv_is_told_as_that(line: bytes, expected: RowFault) -> None:
    assert fault(csv_reader("reference", "email_1"), line)[0] is expected


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_row_of_just_the_length_is_read_with_and_without_an_end(end: bytes) -> None:
    start, close = b'{"reference": "c-1"', b"}"
    line = start + b" " * (LINE_BYTES_MOST - len(start) - len(close)) + close

    assert Reader(Format.JSONL, renames={}).row(line + end).reference == "c-1"


def outcomes(reader: Reader, *lines: bytes) -> list[Row | RowFault]:
    found: list[Row | RowFault] = []
    for line in lines:
        try:
            found.append(reader.row(line))
        except RowRefusedError as refused:
            found.append(refused.fault)
    return found


@pytest.mark.parametrize(
    ("opening", "within", "closing"),
    [
        (b'c-1,"a\n', (), b'c-2,b"\n'),
        (b'c-1,"a\n', (b"c-2,b\n", b'c-3,""quoted""\n'), b'"\n'),
        (b'c-1,"\xff\n', (b"c-2,b\n",), b'c-3,"\r\n'),
        (b'c-1,"a\r\0\n', (b"c-2,b\n",), b'c-3,"\n'),
        (b'c-1,"' + b"a" * LINE_BYTES_MOST + b"\n", (b"c-2,b\n",), b'c-3,"\n'),
        (b'"c-1","a"",b\n', (b'c-2",b,"c\n',), b'"'),
        (b'c-1,"a\n', (), b'c-2,b",c,"open","\n'),
    ],
)
def test_no_line_within_a_cell_is_a_row(
    opening: bytes, within: tuple[bytes, ...], closing: bytes
) -> None:
    found = outcomes(csv_reader("reference", "email_1"), opening, *within, closing, b"c-9,zzz\n")

    still_open = b"open" in closing
    assert all(type(one) is RowFault for one in found[:-1])
    assert found[-1] == (
        RowFault.CSV_BROKEN if still_open else Row(reference="c-9", emails=("zzz",))
    )


@pytest.mark.parametrize("header", [b"reference,\n", b'reference,"  "\n', b",reference\n"])
def test_a_column_without_a_name_is_left_out_only_where_the_map_says_so(header: bytes) -> None:
    with pytest.raises(ImportFileError, match="the name of column"):
        Reader(Format.CSV, renames={"junk": ""}).header(header)

    reader = Reader(Format.CSV, renames={"": ""})
    reader.header(header)
    assert reader.row(b"c-1,c-1") == Row(reference="c-1")


@pytest.mark.parametrize("renames", [{}, {"junk": ""}])
def test_a_member_without_a_name_is_unknown(renames: dict[str, str]) -> None:
    line, reader = b'{"reference": "c-1", "": 1}', Reader(Format.JSONL, renames=renames)

    assert fault(reader, line)[0] is RowFault.COLUMN_UNKNOWN
    assert Reader(Format.JSONL, renames={"": ""}).row(line) == Row(reference="c-1")


@pytest.mark.parametrize("line", [b'c-1,5" high', b'c-1,"a"b"', b'c-1,"a ""b"""', b'"c-1",'])
def test_a_quote_that_opens_nothing_breaks_no_other_row(line: bytes) -> None:
    *_, last = outcomes(csv_reader("reference", "email_1"), line, b"c-9,zzz")

    assert last == Row(reference="c-9", emails=("zzz",))


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"{} {}",
        b'{"reference": NaN}',
        b'{"reference": "a", "reference": "b"}',
        b"[" * 60_000,
        BOM + b"{}",
    ],
)
def test_a_broken_line_of_json_is_told_as_that(line: bytes) -> None:
    assert fault(Reader(Format.JSONL, renames={}), line) == (RowFault.JSON_BROKEN, "")


@pytest.mark.parametrize(
    "line",
    [
        b'{"reference": "\\udfff"}',
        b'{"reference": "c-1", "password_hash": "\\ud800"}',
        b'{"reference": "c-1", "\\ud800": 1}',
    ],
)
def test_half_a_character_is_no_text(line: bytes) -> None:
    """Prevents: one row that ends the import of all the others."""
    assert fault(Reader(Format.JSONL, renames={}), line) == (RowFault.TEXT_UNREADABLE, "")


def test_half_a_character_in_a_cell_of_json_is_no_text() -> None:
    cell = b'c-1,"[{""seed"":""\\ud800""}]"'
    assert fault(csv_reader("reference", "totp"), cell) == (RowFault.TEXT_UNREADABLE, "totp")


def test_a_byte_order_mark_stands_before_the_first_row_only() -> None:
    reader = Reader(Format.JSONL, renames={})

    assert reader.row(BOM + b'{"reference": "c-1"}', first=True).reference == "c-1"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], (RowFault.VALUE_WRONG, "")),
        ({}, (RowFault.VALUE_MISSING, "reference")),
        ({"reference": ""}, (RowFault.VALUE_WRONG, "reference")),
        ({"reference": 7}, (RowFault.VALUE_WRONG, "reference")),
        (a_row(colour="x"), (RowFault.COLUMN_UNKNOWN, "")),
        (a_row(totp=[{}]), (RowFault.VALUE_MISSING, "totp[0].seed")),
        (a_row(totp=[{"seed": "A", "key": "B"}]), (RowFault.COLUMN_UNKNOWN, "totp[0]")),
        (a_row(totp=[{"seed": "A"}] * 9), (RowFault.VALUE_WRONG, "totp")),
        (
            a_row(
                passkeys=[
                    {"credential_id": "a", "public_key": "b", "rp_id": "c"} | {"sign_count": -1}
                ]
            ),
            (RowFault.VALUE_WRONG, "passkeys[0].sign_count"),
        ),
    ],
)
def test_what_is_wrong_is_told_by_where_it_is(value: object, told: tuple[RowFault, str]) -> None:
    assert of_json(value) == told


def test_names_of_json_are_mapped_too_and_two_do_not_become_one() -> None:
    reader = Reader(Format.JSONL, renames={"id": "reference", "hash": "password_hash", "x": ""})
    row = reader.row(json.dumps({"id": "c-1", "hash": BCRYPT, "x": 1}).encode())

    assert (row.reference, row.password_hash) == ("c-1", BCRYPT)
    assert fault(reader, b'{"id": "c-1", "reference": "c-2"}') == (RowFault.JSON_BROKEN, "")
    assert fault(reader, b"[]") == (RowFault.VALUE_WRONG, "")


@pytest.mark.parametrize(
    "header",
    [
        b"reference,unknown",
        b"reference,reference",
        b"email_1",
        b"reference,email,email_1",
        b"reference,totp,totp_1_seed",
        b"reference,totp_0_seed",
        b"=reference",
        b'"reference',
        b"\xff",
        b"",
        b"totp_1_no_such_field_that_is_longer_than_any",
    ],
)
def test_a_header_that_cannot_be_meant_is_refused(header: bytes) -> None:
    reader = Reader(Format.CSV, renames={})
    with pytest.raises(ImportFileError):
        reader.header(header)


def test_a_column_that_has_no_known_name_is_told_by_its_place() -> None:
    """Prevents: a file without a header, and the first customer's hash on somebody's screen."""
    with pytest.raises(ImportFileError, match="the name of column 2 is not") as refused:
        csv_reader("reference", "$2b$10$abcdefgh", "email")

    assert "$2b" not in str(refused.value)


def test_a_layout_reads_as_its_header_says_and_an_empty_file_has_no_rows() -> None:
    layout = Layout(form=Format.CSV, renames={"user": "reference"}, header=b"user,email_1\n")
    assert layout.reader().row(b"u-1,a@example.com").emails == ("a@example.com",)
    assert Layout(form=Format.CSV, renames={}).reader().wants_header
    assert not Layout(form=Format.JSONL, renames={}).reader().wants_header
    with pytest.raises(ImportFileError):
        Layout(form=Format.CSV, renames={}, header=b"user\n").reader()


@pytest.mark.parametrize("text", [b"", b"[]", b'{"a": 1}', b"[" * 10_000, b"\xff", b'{"a":"\xff"}'])
def test_a_map_is_an_object_of_names(text: bytes) -> None:
    with pytest.raises(ImportFileError):
        read_renames(text)


def test_a_name_that_is_mapped_to_nothing_is_left_out() -> None:
    assert read_renames(b'{"a": "reference", "b": null}') == {"a": "reference", "b": ""}


def test_every_name_that_is_documented_is_known() -> None:
    for name in column_names():
        assert Column(name.replace("_N_*", "_1_name").replace("_N", "_1"), place=1).field in {
            *Row.__struct_fields__
        }


def test_the_schema_is_of_every_member() -> None:
    assert set(schema()["$defs"]["Row"]["properties"]) == {*Row.__struct_fields__}
