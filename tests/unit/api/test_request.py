"""Where a request came from: the last address that no proxy of ours added."""

import ipaddress
from collections.abc import Iterable

import pytest
from litestar.testing import RequestFactory

from twinlock.api.request import ADDRESS_LENGTH_MOST, client_address, counted_address

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
PROXY, OTHER_PROXY, CUSTOMER = "10.0.0.1", "10.0.0.2", "203.0.113.7"
SPOOFED = "198.51.100.1"
GARBAGE = "unknown"


def came_from(host: str, *lines: str, trusted: Iterable[ipaddress.IPv4Network] = ()) -> str:
    request = RequestFactory().get("/")
    request.scope["client"] = (host, 1)
    request.scope["headers"] = [(b"x-forwarded-for", line.encode()) for line in lines]
    return client_address(request, trusted=tuple(trusted) or PROXIES)


@pytest.mark.parametrize(
    ("host", "lines", "address"),
    [
        pytest.param(CUSTOMER, (), CUSTOMER, id="nobody between"),
        pytest.param(PROXY, (), PROXY, id="the proxy itself"),
        pytest.param(PROXY, (CUSTOMER,), CUSTOMER, id="one proxy"),
        pytest.param(CUSTOMER, (SPOOFED,), CUSTOMER, id="a list from nobody we trust"),
        pytest.param(PROXY, (f"{SPOOFED}, {CUSTOMER}",), CUSTOMER, id="a spoofed first address"),
        pytest.param(PROXY, (SPOOFED, CUSTOMER), CUSTOMER, id="a spoofed first line"),
        pytest.param(PROXY, (CUSTOMER, OTHER_PROXY), CUSTOMER, id="two proxies on two lines"),
        pytest.param(PROXY, (f" {CUSTOMER} ,{OTHER_PROXY} ",), CUSTOMER, id="spaces"),
        pytest.param(PROXY, (f"{CUSTOMER},,", ""), CUSTOMER, id="empty places"),
        pytest.param(PROXY, (OTHER_PROXY,), OTHER_PROXY, id="proxies only"),
        pytest.param(PROXY, ("2001:db8::7",), "2001:db8::7", id="IPv6"),
        pytest.param("fd00::1", (CUSTOMER,), CUSTOMER, id="a proxy by IPv6"),
        pytest.param(f"::ffff:{PROXY}", (CUSTOMER,), CUSTOMER, id="IPv4 written as IPv6"),
        pytest.param(PROXY, (f"{CUSTOMER}, {GARBAGE}",), GARBAGE, id="garbage ends the walk"),
        pytest.param(PROXY, (f"{GARBAGE}, {CUSTOMER}",), CUSTOMER, id="garbage before it"),
        pytest.param(PROXY, (f"{CUSTOMER}:4711",), f"{CUSTOMER}:4711", id="a port is garbage"),
        pytest.param(PROXY, ("x" * 9_000,), "x" * ADDRESS_LENGTH_MOST, id="long garbage"),
        pytest.param(GARBAGE, (CUSTOMER,), GARBAGE, id="a socket without an address"),
    ],
)
def test_a_request_comes_from_the_last_address_that_no_proxy_of_ours_added(
    host: str, lines: tuple[str, ...], address: str
) -> None:
    assert came_from(host, *lines) == address


def test_where_no_proxy_is_trusted_no_list_is_read() -> None:
    request = RequestFactory().get("/", headers={"X-Forwarded-For": SPOOFED})
    request.scope["client"] = (PROXY, 1)

    assert client_address(request, trusted=()) == PROXY


def test_a_connection_without_a_client_comes_from_nowhere() -> None:
    request = RequestFactory().get("/")
    request.scope["client"] = None

    assert client_address(request, trusted=()) == ""


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (CUSTOMER, CUSTOMER),
        (f"::ffff:{CUSTOMER}", CUSTOMER),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::7", "2001:db8:0:2::/64"),
        (GARBAGE, GARBAGE),
        ("", ""),
    ],
)
def test_requests_of_one_network_by_ipv6_are_counted_together(address: str, name: str) -> None:
    assert counted_address(address) == name
