"""Rows of files of sign-ins: those that are read, and each way to break one."""

import csv
import io
import json

import pytest

from twinlock.adapters.sign_ins.reading import Reader
from twinlock.cli.risk_rows import LINE_BYTES_MOST, Columns, Fault, Rows, SignInFileError
from twinlock.services.risk import Attempt

READER = Reader()
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
RBA = (
    "index,Login Timestamp,User ID,Round-Trip Time [ms],IP Address,Country,Region,City,ASN,"
    "User Agent String,Browser Name and Version,OS Name and Version,Device Type,"
    "Login Successful,Is Attack IP,Is Account Takeover"
)


def rba(**changes: str) -> str:
    row = {
        "index": "0",
        "time": "2020-02-03 12:43:30.772",
        "user": "-4324475583306591935",
        "rtt": "",
        "ip": "10.0.65.171",
        "country": "NO",
        "region": "-",
        "city": "-",
        "asn": "29695",
        "agent": "Mozilla/5.0 (iPhone, like Gecko)",
        "browser": "Firefox 20.0.0.1618",
        "system": "iOS 13.4",
        "device": "mobile",
        "success": "True",
        "attack": "False",
        "takeover": "False",
    } | changes
    line = io.StringIO()
    csv.writer(line).writerow(row.values())
    return line.getvalue()


def read(text: str | bytes, columns: Columns = Columns.OWN) -> tuple[list[Attempt], Rows]:
    data = text if isinstance(text, bytes) else text.encode()
    rows = Rows(io.BytesIO(data), columns, READER)
    return list(rows), rows


def test_a_row_of_the_public_data_set_is_read_as_it_says() -> None:
    [one], rows = read(f"{RBA}\n{rba()}", Columns.RBA)

    assert one == Attempt(
        user="-4324475583306591935",
        ip=("NO", "29695", "10.0.65.0/24", "10.0.65.171"),
        ua=("mobile", "iOS", "Firefox", "Mozilla/5.0 (iPhone, like Gecko)"),
        versions=("Firefox 20.0.0.1618", "iOS 13.4"),
    )
    assert not rows.broken


def test_a_sign_in_that_failed_is_skipped_and_a_takeover_told() -> None:
    found, rows = read(
        f"{RBA}\n{rba(success='False')}{rba(takeover='True')}{rba(takeover='')}", Columns.RBA
    )

    assert [one.takeover for one in found] == [True, False]
    assert rows.skipped == 1


def test_a_row_of_an_operators_own_is_read_as_the_service_reads_it() -> None:
    [one], _ = read(f"user,ip,user_agent\nalice,8.8.8.8,{FIREFOX}\n")

    assert one.ip == ("US", "-", "8.8.8.0/24", "8.8.8.8")
    assert one.ua == ("pc", "Linux", "Firefox", FIREFOX)
    assert one.versions == ("Firefox 140", "Linux")


def test_json_lines_are_read_too_and_country_and_provider_as_told() -> None:
    row = {"user": "alice", "ip": "8.8.8.8", "country": "DE", "asn": 1, "takeover": True}
    failed = {"user": "bob", "ip": "2001:db8::1", "success": False, "user_agent": None}
    found, rows = read(f"{json.dumps(row)}\n\n{json.dumps(failed)}\n")

    assert [(one.ip[:2], one.ua, one.takeover) for one in found] == [
        (("DE", "1"), ("", "", "", ""), True)
    ]
    assert rows.skipped == 1


def test_a_private_address_is_known_by_its_site_and_no_country() -> None:
    [one], _ = read("user,ip,user_agent\nalice,fd00::1,x\n")

    assert one.ip == ("", "", "fd00::/48", "fd00::1")


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    found, _ = read(b"\xef\xbb\xbfuser,ip,user_agent\nalice,8.8.8.8,x\n")

    assert len(found) == 1


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b",8.8.8.8,x", Fault.USER),
        (b"alice,8.8.8,x", Fault.IP),
        (b"alice,,x", Fault.IP),
        (b"alice,8.8.8.8", Fault.FIELDS),
        (b"alice,8.8.8.8,x,y", Fault.FIELDS),
        (b'alice,8.8.8.8,"x"y', Fault.NOT_CSV),
        (b"alice,8.8.8.8,\xff", Fault.NOT_UTF8),
        (b"alice,8.8.8.8," + b"x" * LINE_BYTES_MOST, Fault.TOO_LONG),
        (b"alice,8.8.8.8," + b"x" * 3 * LINE_BYTES_MOST, Fault.TOO_LONG),
        (b"=cmd|' /C calc'!A0,8.8.8.8", Fault.FIELDS),
    ],
)
def test_a_broken_row_is_counted_with_its_line_and_the_next_is_read(
    line: bytes, fault: Fault
) -> None:
    found, rows = read(b"user,ip,user_agent\n" + line + b"\nbob,8.8.8.8,x\n")

    assert [one.user for one in found] == ["bob"]
    assert [(one.line, one.code) for one in rows.told] == [(2, fault)]
    assert rows.broken == {fault: 1}


@pytest.mark.parametrize(
    ("opening", "fault"),
    [
        (b'alice,8.8.8.8,"x', Fault.NOT_CSV),
        (b'alice,8.8.8.8,"\xff', Fault.NOT_UTF8),
        (b'alice,8.8.8.8,"' + b"x" * LINE_BYTES_MOST, Fault.TOO_LONG),
        (b"alice,8.8.8.8," + b"x" * LINE_BYTES_MOST + b',"', Fault.TOO_LONG),
    ],
)
def test_no_line_within_a_cell_is_a_row(opening: bytes, fault: Fault) -> None:
    """Prevents: a user agent of several lines, of which one tells of another user's sign-in."""
    lines = (b"user,ip,user_agent", opening, b"mallory,8.8.8.8,x", b'x"', b"bob,8.8.8.8,x")
    found, rows = read(b"\n".join(lines))

    assert [one.user for one in found] == ["bob"]
    told = [(one.line, one.code) for one in rows.told]
    assert told == [(2, fault), (3, Fault.NOT_CSV), (4, Fault.NOT_CSV)]


def test_a_line_of_just_the_length_is_a_row_with_and_without_its_end() -> None:
    start = b"alice,8.8.8.8,"
    just = start + b"x" * (LINE_BYTES_MOST - len(start))
    found, rows = read(b"user,ip,user_agent\n" + just + b"\n" + just)

    assert (len(found), rows.broken) == (2, {})


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", Fault.NOT_JSON),
        ("[]", Fault.NOT_JSON),
        ('{"user": ["alice"]}', Fault.NOT_JSON),
        ('{"ip": "8.8.8.8"}', Fault.USER),
        ('{"user": "alice", "ip": "8.8.8.8", "success": "perhaps"}', Fault.FLAG),
    ],
)
def test_a_broken_line_of_json_is_counted_too(line: str, fault: Fault) -> None:
    found, rows = read('{"user": "bob", "ip": "8.8.8.8"}\n' + line)

    assert len(found) == 1
    assert [(one.line, one.code) for one in rows.told] == [(2, fault)]


def test_lines_are_told_of_a_thousand_and_all_are_counted() -> None:
    _, rows = read("user,ip,user_agent\n" + ",,\n" * 1_500)

    assert (rows.broken[Fault.USER], len(rows.told)) == (1_500, 1_000)


def test_a_file_whose_lines_end_otherwise_is_refused_and_breaks_nothing() -> None:
    with pytest.raises(SignInFileError, match="no header of CSV"):
        read("user,ip,user_agent\rbob,8.8.8.8,Firefox\r")


@pytest.mark.parametrize("name", ["user", "ip", "user_agent", "country", "takeover"])
def test_a_file_with_two_columns_of_one_name_is_refused(name: str) -> None:
    """Prevents: measures of whom nobody meant."""
    header = f"user,ip,user_agent,country,takeover,{name}\n"
    with pytest.raises(SignInFileError, match=f"the column '{name}' twice"):
        read(header + "alice,203.0.113.7,Firefox,NO,no,bob\n")
    with pytest.raises(SignInFileError, match="'ASN' twice"):
        read(f"{RBA},ASN\n", Columns.RBA)


@pytest.mark.parametrize("text", ["", "\n\n", "a,b,c\n", "user,ip\n", "\x00"])
def test_a_file_without_the_columns_is_refused(text: str) -> None:
    with pytest.raises(SignInFileError, match="names no column"):
        read(text)
    with pytest.raises(SignInFileError, match="names no column 'User ID'"):
        read(text, Columns.RBA)
