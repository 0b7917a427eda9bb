"""What a visitor is read as: real addresses and agents, and whatever a thief may send instead."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import mmdb

from twinlock.adapters.sign_ins.places import centres
from twinlock.adapters.sign_ins.reading import (
    UA_LETTERS_MOST,
    NetworkFileError,
    Read,
    Reader,
    _opened,
)
from twinlock.domain.risk.counters import LEVELS
from twinlock.domain.risk.visits import NODE_LETTERS, VisitFault, joined, path_of
from twinlock.ports.sign_ins import Visitor

PLAIN = Reader()
GOOGLE = "8.8.8.8"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1"
)
IPAD = IPHONE.replace("iPhone; CPU iPhone OS", "iPad; CPU OS")
KINDLE = (  # Its browser is called as a bot is.
    "Mozilla/5.0 (Linux; Android 9; KFMAWI) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Silk/108.4.5 like Chrome/108.0.5359.220 Safari/537.36"
)
MOBILE_BOT = (
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like "
    "Gecko) Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
)
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
WHOLE = LEVELS * NODE_LETTERS


def read(ip: str = GOOGLE, user_agent: str = FIREFOX, *, by: Reader = PLAIN) -> Read:
    return by.read(Visitor(ip=ip, user_agent=user_agent))


@pytest.fixture
def files(tmp_path: Path) -> Reader:
    networks = mmdb.write(
        tmp_path / "asn.mmdb",
        {
            "8.8.8.0/24": {"autonomous_system_number": 15169},
            "1.1.1.0/24": {"asn": "AS13335", "is_hosting_provider": True},
            "9.9.9.0/24": {"organization": "no number"},
            "2001:4860::/32": {
                "autonomous_system_number": 15169,
                "traits": {"is_tor_exit_node": True},
            },
        },
    )
    cities = mmdb.write(
        tmp_path / "city.mmdb",
        {
            "8.8.8.0/24": {
                "country": {"iso_code": "DE"},
                "location": {"latitude": 52.52, "longitude": 13.4},
            },
            "1.1.1.0/24": {"country": "ZZ", "location": "nowhere"},
            "9.9.9.0/24": {"location": {"latitude": 91.0, "longitude": 0.0}},
            "2001:4860::/32": {"location": {"latitude": "north", "longitude": 0.0}},
        },
    )
    return Reader(networks=networks, cities=cities)


def test_without_files_an_address_has_its_country_and_one_provider() -> None:
    found = read()

    assert found.visit.ip == joined("US", "-", "8.8.8.0/24", GOOGLE)
    assert found.visit.place == centres()["US"] == (400, -980)
    assert (found.hosting, found.visit.faults) == (False, ())


def test_files_tell_provider_place_and_country(files: Reader) -> None:
    found = read(by=files)

    assert found.visit.ip == joined("DE", "15169", "8.8.8.0/24", GOOGLE)
    assert found.visit.place == (525, 134)


@pytest.mark.parametrize(
    ("ip", "hosting"), [(GOOGLE, False), ("1.1.1.1", True), ("2001:4860::8888", True)]
)
def test_a_data_centre_is_one_where_the_file_says_so(
    files: Reader, ip: str, *, hosting: bool
) -> None:
    assert read(ip, by=files).hosting is hosting


def test_what_a_file_says_amiss_is_not_believed(files: Reader) -> None:
    assert read("1.1.1.1", by=files).visit.place == centres()["AU"]
    assert read("9.9.9.9", by=files).visit.place == centres()["US"]
    assert read("2001:4860::1", by=files).visit.place == centres()["US"]


@pytest.mark.parametrize("ip", ["9.9.9.9", "4.4.4.4"])
def test_an_address_whose_provider_nobody_knows_is_known_to_its_country(
    files: Reader, ip: str
) -> None:
    found = read(ip, by=files).visit

    assert found.faults == (VisitFault.IP_UNKNOWN,)
    assert found.ip == joined("US")


def test_files_of_ipv4_only_tell_nothing_of_ipv6_and_break_nothing(tmp_path: Path) -> None:
    asn, city = {"autonomous_system_number": 15169}, {"country": {"iso_code": "DE"}}
    by = Reader(
        networks=mmdb.write(tmp_path / "asn.mmdb", {"8.8.8.0/24": asn}, version=4),
        cities=mmdb.write(tmp_path / "city.mmdb", {"8.8.8.0/24": city}, version=4),
    )

    four, six = read(by=by).visit, read("2001:4860::8888", by=by).visit

    assert (four.ip, four.faults) == (joined("DE", "15169", "8.8.8.0/24", GOOGLE), ())
    assert six == read("2001:4860::8888").visit
    assert six.faults == ()


@pytest.mark.parametrize("ip", ["::ffff:8.8.8.8", "::ffff:808:808"])
def test_ipv4_inside_ipv6_is_the_ipv4_it_is(ip: str) -> None:
    assert read(ip) == read(GOOGLE)


def test_ipv6_is_known_by_its_site() -> None:
    one, other = read("2001:4860:4860::8888").visit, read("2001:4860:4860:ffff::1").visit

    assert path_of(one.ip)[:3] == path_of(other.ip)[:3]
    assert one.ip != other.ip


@pytest.mark.parametrize(
    ("ip", "fault"),
    [
        ("", VisitFault.IP_MISSING),
        ("8.8.8", VisitFault.IP_MALFORMED),
        ("8.8.8.8 ", VisitFault.IP_MALFORMED),
        ("8.8.8.8, 9.9.9.9", VisitFault.IP_MALFORMED),
        ("08.8.8.8", VisitFault.IP_MALFORMED),
        ("8.8.8.8/24", VisitFault.IP_MALFORMED),
        ("8.8.8.8\x00", VisitFault.IP_MALFORMED),
        ("fe80::1%eth0", VisitFault.IP_MALFORMED),
        ("2001:4860::8888%lo", VisitFault.IP_MALFORMED),
        ("٨.٨.٨.٨", VisitFault.IP_MALFORMED),
        ("x" * 256, VisitFault.IP_MALFORMED),
        ("10.0.0.1", VisitFault.IP_NOT_PUBLIC),
        ("127.0.0.1", VisitFault.IP_NOT_PUBLIC),
        ("100.64.0.1", VisitFault.IP_NOT_PUBLIC),
        ("0.0.0.1", VisitFault.IP_NOT_PUBLIC),
        ("::ffff:192.168.1.1", VisitFault.IP_NOT_PUBLIC),
        ("fe80::1", VisitFault.IP_NOT_PUBLIC),
        ("224.0.0.1", VisitFault.IP_NOT_PUBLIC),
        ("ff0e::1", VisitFault.IP_NOT_PUBLIC),
    ],
)
def test_an_address_that_is_none_is_known_to_nobody(ip: str, fault: VisitFault) -> None:
    found = read(ip).visit

    assert (found.ip, found.place, found.faults) == ("", None, (fault,))
    assert len(found.ua) == WHOLE


@pytest.mark.parametrize(
    ("user_agent", "fault"),
    [
        ("", VisitFault.UA_MISSING),
        ("a" * (UA_LETTERS_MOST + 1), VisitFault.UA_TOO_LONG),
        (FIREFOX + "\x1b[31m", VisitFault.UA_MALFORMED),
        (FIREFOX + "\n" + IPHONE, VisitFault.UA_MALFORMED),
        ("\x00", VisitFault.UA_MALFORMED),
        (FIREFOX + "\u202e", VisitFault.UA_MALFORMED),
        (FIREFOX + "\u200b", VisitFault.UA_MALFORMED),
    ],
)
def test_an_agent_that_cannot_be_read_is_known_to_nobody(
    user_agent: str, fault: VisitFault
) -> None:
    found = read(user_agent=user_agent).visit

    assert (found.ua, found.version, found.faults) == ("", 0, (fault,))
    assert len(found.ip) == WHOLE


@pytest.mark.parametrize(
    ("user_agent", "parts", "version"),
    [
        (FIREFOX, ("pc", "Linux", "Firefox"), 140),
        (IPHONE, ("phone", "iOS", "Mobile Safari"), 17),
        (IPAD, ("tablet", "iOS", "Mobile Safari"), 17),
        (BOT, ("bot", "other", "Googlebot"), 2),
        (MOBILE_BOT, ("bot", "Android", "Googlebot"), 2),
        (KINDLE, ("phone", "Android", "Amazon Silk"), 108),
        ("an app of ours", ("pc", "other", "other"), 0),
        ("a" * UA_LETTERS_MOST, ("pc", "other", "other"), 0),
        (FIREFOX.replace("140.0", "99999.0"), ("pc", "Linux", "Firefox"), 0),
        ("an app of ours, Mobile", ("phone", "other", "other"), 0),
    ],
)
def test_an_agent_is_known_by_device_system_browser_and_string(
    user_agent: str, parts: tuple[str, ...], version: int
) -> None:
    found = read(user_agent=user_agent).visit

    assert found.ua == joined(*parts, user_agent)
    assert (found.version, found.faults) == (version, ())


@pytest.mark.parametrize(
    ("rtt_ms", "rtt"), [(None, 0), (0, 1), (1, 1), (2, 2), (120, 7), (65_535, 16), (2**31, 16)]
)
def test_a_round_trip_is_known_by_its_power_of_two(rtt_ms: int | None, rtt: int) -> None:
    assert PLAIN.read(Visitor(rtt_ms=rtt_ms)).visit.rtt == rtt


@given(st.text(max_size=256), st.text(max_size=2_000))
def test_whatever_comes_in_is_a_visit(ip: str, user_agent: str) -> None:
    found = read(ip, user_agent).visit

    assert len(found.ip) in range(0, WHOLE + 1, NODE_LETTERS)
    assert bool(found.faults) is (len(found.ip) < WHOLE or len(found.ua) < WHOLE)


def damaged(path: Path, kept: float) -> Path:
    data = path.read_bytes()
    middle = int(len(data) * kept)
    path.write_bytes(b"\xff" * middle + data[middle:])
    return path


def test_a_file_that_turns_out_to_be_damaged_raises_the_score_and_nothing_else(
    tmp_path: Path,
) -> None:
    whole = mmdb.write(tmp_path / "asn.mmdb", {"8.8.8.0/24": {"autonomous_system_number": 1}})
    found = read(by=Reader(networks=damaged(whole, 0.5))).visit

    assert found.faults == (VisitFault.LOOKUP_DOWN,)
    assert found.ip == ""


@pytest.mark.parametrize("content", [b"", b"no file of that kind", b"\x00" * 4_096])
def test_a_file_of_another_kind_is_refused_at_the_start(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "asn.mmdb"
    path.write_bytes(content)

    with pytest.raises(NetworkFileError):
        Reader(networks=path)


def test_a_file_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(NetworkFileError):
        Reader(cities=tmp_path / "nothing")
    assert _opened(None) is None


@pytest.mark.parametrize("record", ["text", {"autonomous_system_number": [1]}])
def test_a_record_of_another_form_names_no_provider(tmp_path: Path, record: Any) -> None:  # noqa: ANN401 - JSON
    path = mmdb.write(tmp_path / "asn.mmdb", {"8.8.8.0/24": record})

    assert read(by=Reader(networks=path)).visit.ip == joined("US")


def test_every_country_has_its_middle_on_the_globe() -> None:
    assert len(centres()) == 249 - 10 + 1  # ISO 3166-1 but where hardly anybody lives, and XK
    assert all(-900 < lat < 900 and -1_800 < lon < 1_800 for lat, lon in centres().values())
    assert centres()["DE"] == (510, 100)
