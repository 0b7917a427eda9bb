"""The list of sanctions: what it names is refused, and what cannot be read is no list."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from twinlock.adapters import screening as lists
from twinlock.adapters.screening import (
    SCREENING_LIFETIME,
    ScreeningFile,
    read_list,
    spellings,
)
from twinlock.cli.screening import app
from twinlock.domain.screening import (
    NO_LIST,
    Screened,
    Screening,
    ScreeningListWrongError,
)

BITCOIN = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
ETHER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
TETHER = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
MONERO = "4" + "A" * 94
SDN = f"""<?xml version="1.0" standalone="yes"?>
<sdnList xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns="http://tempuri.org/sdnList.xsd">
  <publshInformation><Publish_Date>11/26/2026</Publish_Date><Record_Count>2</Record_Count>
  </publshInformation>
  <sdnEntry><uid>1</uid><lastName>MALLORY</lastName><sdnType>Individual</sdnType>
    <idList>
      <id><uid>10</uid><idType>Passport</idType><idNumber>X{"7" * 33}</idNumber></id>
      <id><uid>11</uid><idType>Digital Currency Address - XBT</idType>
          <idNumber>{BITCOIN.upper()}</idNumber></id>
      <id><uid>12</uid><idType>Digital Currency Address - ETH</idType>
          <idNumber>
            {ETHER}
          </idNumber></id>
    </idList></sdnEntry>
  <sdnEntry><uid>2</uid><lastName>&lt;IVAN&gt;</lastName><idList>
      <id><uid>20</uid><idType>Digital Currency Address - USDT</idType>
          <idNumber>{TETHER}</idNumber></id>
      <id><uid>21</uid><idType>Digital Currency Address - XMR</idType>
          <idNumber>{MONERO}</idNumber></id>
    </idList></sdnEntry>
</sdnList>
"""
DETAIL = f'<VersionDetail DetailTypeID="1432">{ETHER}</VersionDetail>'
_TYPES = """
  <ReferenceValueSets><FeatureTypeValues>
    <FeatureType ID="8" FeatureTypeGroupID="1">Birthdate</FeatureType>
    <FeatureType ID="344" FeatureTypeGroupID="1">Digital Currency Address - XBT</FeatureType>
    <FeatureType ID="345" FeatureTypeGroupID="1">Digital Currency Address - ETH</FeatureType>
  </FeatureTypeValues></ReferenceValueSets>"""
_PARTIES = f"""
  <DistinctParties><DistinctParty FixedRef="1"><Profile ID="1" PartySubTypeID="4">
    <Identity ID="9"><Alias><DocumentedName><DocumentedNamePart>
      <NamePartValue>MALLORY</NamePartValue></DocumentedNamePart></DocumentedName></Alias></Identity>
    <Feature ID="1" FeatureTypeID="8"><FeatureVersion ID="2">
      <VersionDetail DetailTypeID="1430">{MONERO}</VersionDetail></FeatureVersion></Feature>
    <Feature ID="3" FeatureTypeID="344"><FeatureVersion ReliabilityID="1560" ID="4"><Comment />
      <VersionDetail DetailTypeID="1432">{BITCOIN.upper()}</VersionDetail></FeatureVersion>
      <IdentityReference IdentityID="9" /></Feature>
    <Feature ID="5" FeatureTypeID="345"><FeatureVersion ReliabilityID="1560" ID="6"><Comment />
      {DETAIL}</FeatureVersion></Feature>
  </Profile></DistinctParty></DistinctParties>"""
_AROUND = '<?xml version="1.0"?>\n<Sanctions xmlns="https://ofac.example/ADVANCED_XML">'
ADVANCED = f"{_AROUND}{_TYPES}{_PARTIES}\n</Sanctions>\n"
LATE = f"{_AROUND}{_PARTIES}{_TYPES}\n</Sanctions>\n"
TABLE = f'name,Address,list\n"MALLORY, M.",{BITCOIN.upper()},SDN\n\nIVAN, {ETHER} ,SDN\n'


class Now:
    """A clock of the test's."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self, *, database_at: datetime | None) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Now:
    return Now()


def put(path: Path, text: str | bytes, *, age: timedelta = timedelta(0)) -> Path:
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    at = (datetime.now(UTC) - age).timestamp()
    os.utime(path, (at, at))
    return path


def test_ofacs_list_is_read_as_it_is_published(tmp_path: Path) -> None:
    found = read_list(put(tmp_path / "sdn.xml", SDN))

    assert found.addresses == {BITCOIN, ETHER.lower(), TETHER, MONERO}
    assert found.entries == {"bitcoin": 1, "evm": 1, "tron": 1, "other": 1}


def test_ofacs_advanced_list_is_read_as_it_is_published(tmp_path: Path) -> None:
    found = read_list(put(tmp_path / "sdn_advanced.xml", ADVANCED))

    assert found.addresses == {BITCOIN, ETHER.lower()}
    assert found.entries == {"bitcoin": 1, "evm": 1}
    assert not found.signed


def test_a_table_is_read_by_its_column(tmp_path: Path) -> None:
    assert read_list(put(tmp_path / "a.csv", TABLE)).addresses == {BITCOIN, ETHER.lower()}
    with_mark = b"\xef\xbb\xbf" + TABLE.encode()
    assert len(read_list(put(tmp_path / "b.csv", with_mark)).addresses) == 2


def test_an_address_is_listed_in_each_form_that_it_has() -> None:
    assert spellings("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy") == {
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy": "bitcoin",
        "MQMHBtvnBfxTzt3K2bdxgSE7qZPHSXWsGM": "litecoin",
    }


@pytest.mark.parametrize(
    "text", [ETHER.swapcase(), ETHER.upper(), "0x" + ETHER[2:].swapcase(), ETHER.lower(), ETHER]
)
def test_hexadecimal_is_read_whatever_its_capitals_say(text: str) -> None:
    assert spellings(text) == {ETHER.lower(): "evm"}


def test_a_bank_account_is_read_in_the_groups_that_banks_print(tmp_path: Path) -> None:
    """Prevents: a list of which one row is written so, and under which nothing leaves at all."""
    listed = put(tmp_path / "a.csv", f"address\nDE75 5121 0800 1245 1261 99\n{BITCOIN}\n")

    assert read_list(listed).addresses == {"DE75512108001245126199", BITCOIN}
    with pytest.raises(ScreeningListWrongError, match=r"character 5 is a space"):
        spellings("DE75 5121 0800 1245 1261 98")


@pytest.mark.parametrize("text", ["0xXY", "0X", "SOMETHING"])
def test_what_has_no_form_is_taken_as_it_is(text: str) -> None:
    assert spellings(text) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "one column called address", id="nothing"),
        pytest.param("address\n", "names no address", id="a head alone"),
        pytest.param("name\nx\n", "one column called address", id="no such column"),
        pytest.param("address,address\nx,y\n", "one column called address", id="two of them"),
        pytest.param(f"address,name\n{BITCOIN}\n", "row 2 has 1 cells", id="a row cut off"),
        pytest.param(f"address\n{BITCOIN}\u200b\n", "no address", id="what is not seen"),
        pytest.param('address\n"a"b\n', "comma-separated", id="quotes amiss"),
        pytest.param(f'address\n"{BITCOIN}', "comma-separated", id="quotes that never end"),
        pytest.param(b"address\n\xff\xfe\n", "comma-separated", id="no UTF-8"),
        pytest.param(SDN[:-200], "not whole", id="XML cut off"),
        pytest.param('<?xml version="1.0" encoding="big5"?><sdnList/>', "no XML", id="two bytes"),
        pytest.param('<?xml version="1.0" encoding="runes"?><sdnList/>', "no XML", id="runes"),
        pytest.param("<html><body>503</body></html>", "neither sdn.xml", id="another page"),
        pytest.param("<Sanctions/>", "names no address", id="an empty advanced list"),
        pytest.param(ADVANCED.replace(ETHER, ""), "no address", id="a feature without a detail"),
        pytest.param(
            ADVANCED.replace(DETAIL, ""), "without its characters", id="a feature without any"
        ),
        pytest.param(LATE, "none is expected", id="a type behind the parties"),
        pytest.param(
            ADVANCED.replace('ID="345" ', ""), "none is expected", id="a type without a number"
        ),
        pytest.param(ADVANCED[:-30], "not whole", id="an advanced list cut off"),
        pytest.param("<sdnList></sdnList>", "names no address", id="an empty list"),
        pytest.param(
            '<!DOCTYPE x [<!ENTITY a "aaaa">]><sdnList>&a;</sdnList>',
            "no document type",
            id="entities",
        ),
        pytest.param(SDN.replace(TETHER, ""), "no address", id="an id without a number"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(ScreeningListWrongError, match=says):
        read_list(put(tmp_path / "list", text))


def test_a_list_has_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "list", TABLE)
    monkeypatch.setattr(lists, "ROWS_MOST", 1)
    with pytest.raises(ScreeningListWrongError, match="at most 1 addresses"):
        read_list(path)
    monkeypatch.setattr(lists, "FILE_BYTES_MOST", 10)
    with pytest.raises(ScreeningListWrongError, match="at most 10 bytes"):
        read_list(path)


def test_where_no_list_is_asked_for_nothing_is_screened(clock: Now) -> None:
    assert ScreeningFile(None, clock=clock).screening() is None


def says(feed: ScreeningFile, address: str) -> Screened:
    found = feed.screening()
    assert found is not None
    return found.says(address)


def test_a_list_is_renewed_while_the_service_runs(tmp_path: Path, clock: Now) -> None:
    path = put(tmp_path / "list", TABLE, age=timedelta(hours=2))
    feed = ScreeningFile(path, clock=clock)

    assert (says(feed, BITCOIN), says(feed, TETHER)) == (Screened.LISTED, Screened.CLEAR)
    put(path, f"address\n{TETHER}\n", age=timedelta(hours=1))
    says(feed, TETHER)
    feed.settle()
    assert (says(feed, BITCOIN), says(feed, TETHER)) == (Screened.CLEAR, Screened.LISTED)


@pytest.mark.parametrize("what", ["gone", "broken", "encoded", "old", "ahead", "undated"])
def test_without_a_list_no_address_is_clear_and_the_log_says_so_once(
    tmp_path: Path, clock: Now, what: str
) -> None:
    path = put(tmp_path / "list", TABLE, age=timedelta(hours=1))
    feed = ScreeningFile(path, clock=clock)
    assert says(feed, TETHER) is Screened.CLEAR
    match what:
        case "gone":
            path.unlink()
        case "broken":
            put(path, "<html>")
        case "encoded":
            put(path, SDN.replace('version="1.0"', 'version="1.0" encoding="big5"'))
        case "ahead":
            put(path, TABLE, age=-timedelta(days=400))
        case "undated":
            os.utime(path, (1 << 40, 1 << 40))
        case _:
            clock.at += SCREENING_LIFETIME
    with capture_logs() as logs:
        feed.screening()
        feed.settle()
        assert [feed.screening() for _ in range(3)] == [NO_LIST] * 3
    assert says(feed, TETHER) is Screened.UNKNOWN
    assert [line["event"] for line in logs] == ["screening_list_refused"]

    put(path, TABLE)
    clock.at = datetime.now(UTC)
    feed.screening()
    feed.settle()
    assert says(feed, BITCOIN) is Screened.LISTED


@pytest.mark.parametrize("began", [True, False])
def test_a_pipe_is_no_list_and_no_decision_waits_for_it(
    tmp_path: Path, clock: Now, began: bool
) -> None:
    path = tmp_path / "list"
    feed = ScreeningFile(path, clock=clock)
    if began:
        put(path, TABLE, age=timedelta(hours=1))
        assert says(feed, TETHER) is Screened.CLEAR
        path.unlink()
    os.mkfifo(path)

    feed.screening()
    feed.settle()

    assert feed.screening() == NO_LIST


def test_while_a_list_is_read_the_one_before_it_counts(
    tmp_path: Path, clock: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path / "list", TABLE, age=timedelta(hours=1))
    feed = ScreeningFile(path, clock=clock)
    feed.screening()
    read = lists.read_list
    held: list[Screening | None] = []

    def slowly(where: Path, *, key: bytes | None) -> lists.ScreeningList:
        found = read(where, key=key)
        put(path, f"address\n{ETHER}\n")  # It changes once more meanwhile.
        held.append(feed.screening())
        return found

    monkeypatch.setattr(lists, "read_list", slowly)
    put(path, f"address\n{TETHER}\n", age=timedelta(minutes=30))
    feed.screening()
    feed.settle()
    monkeypatch.setattr(lists, "read_list", read)

    assert [None if one is None else one.says(BITCOIN) for one in held] == [Screened.LISTED]
    feed.screening()
    feed.settle()
    assert says(feed, ETHER.lower()) is Screened.LISTED


def test_the_command_says_what_a_list_names(tmp_path: Path) -> None:
    good = CliRunner().invoke(app, ["check", str(put(tmp_path / "sdn.xml", SDN))])
    old = put(tmp_path / "old.csv", TABLE, age=SCREENING_LIFETIME + timedelta(hours=1))
    stale = CliRunner().invoke(app, ["check", str(old), "--json"])
    wrong = CliRunner().invoke(app, ["check", str(put(tmp_path / "x", "nothing"))])

    assert (good.exit_code, stale.exit_code) == (0, 1)
    assert good.stdout.startswith("4 addresses: 1 of bitcoin, 1 of evm, 1 of other, 1 of tron")
    assert '"stale": true' in stale.stdout or '"stale":true' in stale.stdout
    assert isinstance(wrong.exception, ScreeningListWrongError)
