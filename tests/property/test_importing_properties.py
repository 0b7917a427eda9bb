"""Lines of files from anywhere: each is a row or a fault, and nothing of it is told."""

import csv
import io
import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.imports import ADDRESS, BCRYPT, SEED, a_row, base32

from twinlock.cli.import_files import Lines, write_cells
from twinlock.domain.importing.faults import RowFault, RowRefusedError
from twinlock.domain.importing.rows import Row
from twinlock.proofs.importing import FORMULA
from twinlock.services.importing.reading import Format, ImportFileError, Reader

HEADER = b"reference,email_1,password_hash,totp_1_seed,passkeys,api_key_1_scopes\n"
SECRET = "a very secret seed"  # noqa: S105 - it is looked for in what is told


def outcome(form: Format, line: bytes) -> Row | RowFault | str:
    reader = Reader(form, renames={})
    if form is Format.CSV:
        reader.header(HEADER)
    try:
        return reader.row(line)
    except RowRefusedError as refused:
        told = f"{refused} {refused.column}"
        return SECRET if SECRET in told else refused.fault


@given(st.sampled_from(Format), st.binary(max_size=200))
def test_any_bytes_are_a_row_or_a_fault(form: Format, line: bytes) -> None:
    assert type(outcome(form, line)) in (Row, RowFault)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(SECRET) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5) | st.just(SECRET), inner),
    max_leaves=8,
)
MEMBERS = ("reference", "emails", "password_hash", "totp", "passkeys", "destinations", "api_keys")


@given(st.dictionaries(st.sampled_from(MEMBERS) | st.just(SECRET), json_values))
def test_any_json_is_a_row_or_a_fault_that_quotes_nothing(value: dict[str, Any]) -> None:
    line = json.dumps(a_row() | value).encode()

    assert type(outcome(Format.JSONL, line)) in (Row, RowFault)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=40)


@given(texts, texts)
def test_csv_and_json_of_the_same_customer_are_the_same_row(reference: str, label: str) -> None:
    value = {
        "reference": reference,
        "emails": ["a@example.com"],
        "password_hash": BCRYPT,
        "totp": [{"seed": base32(SEED), "digits": 6}],
        "destinations": [{"network": "ethereum", "address": ADDRESS, "label": label}],
        "destinations_required": True,
        "api_keys": [{"public_key": "k", "scopes": ["read", "trade"]}],
    }
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        (
            *("reference", "email", "password_hash", "totp", "destinations_required"),
            *("destination_1_network", "destination_1_address", "destination_1_label"),
            *("api_key_1_public_key", "api_key_1_scopes"),
        )
    )
    listed = ("ethereum", ADDRESS, label)
    totp = json.dumps(value["totp"])
    writer.writerow((reference, "a@example.com", BCRYPT, totp, "true", *listed, "k", "read trade"))
    header, line, _ = out.getvalue().split("\r\n")
    reader = Reader(Format.CSV, renames={})
    reader.header(header.encode())

    expected = Reader(Format.JSONL, renames={}).row(json.dumps(value).encode())
    assert reader.row(line.encode()) == expected


@given(st.binary(max_size=80))
def test_any_header_is_taken_or_refused(line: bytes) -> None:
    reader = Reader(Format.CSV, renames={})
    try:
        reader.header(line)
    except ImportFileError as error:
        assert error.code == "import_file_refused"  # noqa: PT017 - one of two good ends
    else:
        assert not reader.wants_header


@given(st.lists(st.text(max_size=8), min_size=1))
def test_no_cell_of_a_report_begins_what_a_spreadsheet_runs(cells: list[str]) -> None:
    out = io.StringIO()
    write_cells(out, cells)
    (read,) = csv.reader(io.StringIO(out.getvalue(), newline=""))

    assert not any(cell[:1] in {*FORMULA, "\t", "\r"} for cell in read if cell)
    assert [cell.removeprefix("'") for cell in read] == [cell.removeprefix("'") for cell in cells]


hostile = st.text(st.sampled_from('a,"\n\r\0\u00e9 '), max_size=12) | st.just("c-1,a@b.de,x\n" * 3)


@given(st.lists(st.tuples(st.sampled_from(("c-1", "c-2", "c-3")), hostile), max_size=8))
def test_no_text_in_a_cell_of_csv_is_a_row(records: list[tuple[str, str]]) -> None:
    """Whatever customers call themselves, what is taken are rows that the platform wrote."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("reference", "email", "nickname"))
    writer.writerows((reference, "a@b.de", nickname) for reference, nickname in records)
    lines = iter(Lines(io.BufferedReader(io.BytesIO(out.getvalue().encode()))))
    reader = Reader(Format.CSV, renames={"nickname": ""})
    reader.header(next(lines).data)
    taken: list[str] = []
    for line in lines:
        with suppress(RowRefusedError):
            taken.append(reader.row(line.data).reference)

    assert taken == [name for name, nickname in records if not set(nickname) & set("\n\r\0")]
