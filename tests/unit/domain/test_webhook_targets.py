import ipaddress

import pytest

from twinlock.domain.webhooks.targets import (
    PORT_MOST,
    URL_LENGTH_MOST,
    Reach,
    Target,
    WebhookUrlRefusedError,
    check_address,
    check_resolved,
    origin_of,
    parse_url,
)

STRICT = Reach()
DEMO = Reach(plain_loopback=True)
VPC = Reach(networks=(ipaddress.ip_network("10.8.0.0/16"), ipaddress.ip_network("fd00:8::/32")))
# As wide as a setting can be: what is refused here is refused always.
WIDEST = Reach(
    networks=tuple(
        ipaddress.ip_network(text)
        for text in ("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1", "100.64.0.0/10", "fd00::/8")
    )
)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://hooks.example", Target(scheme="https", host="hooks.example", port=443, path="/")),
        (
            "https://hooks.example:443/a/b?c=d%20e",
            Target(scheme="https", host="hooks.example", port=443, path="/a/b?c=d%20e"),
        ),
        (
            "https://xn--bcher-kva.example/x",
            Target(scheme="https", host="xn--bcher-kva.example", port=443, path="/x"),
        ),
        ("https://8.8.8.8/x", Target(scheme="https", host="8.8.8.8", port=443, path="/x")),
        (
            "https://[2606:4700::1111]/x",
            Target(scheme="https", host="2606:4700::1111", port=443, path="/x"),
        ),
    ],
)
def test_a_url_is_read_as_it_is_written(url: str, target: Target) -> None:
    assert parse_url(url, reach=STRICT) == target


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://hooks.example/x", "hooks.example"),
        ("https://[2606:4700::1111]/x", "[2606:4700::1111]"),
        ("https://hooks.example:8443/x", "hooks.example:8443"),
    ],
)
def test_the_host_header_names_an_unusual_port_only(url: str, authority: str) -> None:
    assert parse_url(url, reach=Reach(ports=frozenset({8443}))).authority == authority


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://localhost/x", "localhost"),
        ("http://localhost:8080/x", "localhost:8080"),
        ("http://127.0.0.1:9/x", "127.0.0.1:9"),
        ("http://[::1]:9/x", "[::1]:9"),
    ],
)
def test_plain_http_goes_to_this_machine_where_a_setting_says_so(url: str, authority: str) -> None:
    target = parse_url(url, reach=DEMO)

    assert target.plain
    assert target.authority == authority
    with pytest.raises(WebhookUrlRefusedError, match="not https"):
        parse_url(url, reach=STRICT)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example/x",
        "//hooks.example/x",
        "ftp://hooks.example/x",
        "file:///etc/passwd",
        "gopher://hooks.example/x",
        "HTTPS://hooks.example/x",
        "https://Hooks.example/x",
        "https://sam@hooks.example/x",
        "https://sam:pw@hooks.example/x",
        "https://hooks.example@10.0.0.1/x",
        "https://hooks.example#@10.0.0.1/x",
        "https://hooks.example\\@10.0.0.1/x",
        "https://hooks.example/x#y",
        "https://hooks.example/a b",
        "https://hooks.example/\u00e9",
        "https://hooks.example/x\r\nHost: evil.example",
        "https://hooks.example/%zz",
        "https://hooks.example?x=y",
        "https://hooks.example:/x",
        "https://hooks.example:0/x",
        "https://hooks.example:0443/x",
        "https://hooks.example:65536/x",
        "https://hooks.example:8443/x",
        "https://hooks.example./x",
        "https://-hooks.example/x",
        "https://hooks..example/x",
        "https://hooks/x",
        "https://localhost/x",
        "https://a.localhost/x",
        "https://b\u00fccher.example/x",
        "https://hooks.example\u3002evil.example/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0x7f.0.0.1/x",
        "https://0177.0.0.1/x",
        "https://127.0.0.1/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:7f00:1]/x",
        "https://[64:ff9b::a00:1]/x",
        "https://[2606:4700:0::1111]/x",
        "https://[fe80::1%25eth0]/x",
        "https://[hooks.example]/x",
        "https://[::1/x",
        "https://[1:2]/x",
        "https://hooks.example/" + "x" * 2000,
        "http://hooks.example/x",
        "http://127.0.0.1/x",
    ],
)
def test_a_url_of_another_form_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(WebhookUrlRefusedError) as refused:
        parse_url(url, reach=STRICT)

    assert "hooks.example" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x",
        "http://8.8.8.8/x",
        "http://10.0.0.1/x",
        "http://localhost.example/x",
        "http://evil.localhost/x",
        "http://127.0.0.1:65536/x",
        "http://[::ffff:127.0.0.1]/x",
        "https://localhost/x",
        "https://127.0.0.1/x",
    ],
)
def test_the_demos_setting_opens_nothing_but_plain_http_to_this_machine(url: str) -> None:
    with pytest.raises(WebhookUrlRefusedError):
        parse_url(url, reach=DEMO)


def test_the_longest_url_and_the_last_port_are_taken() -> None:
    longest = "https://hooks.example/".ljust(URL_LENGTH_MOST, "x")
    last = f"https://hooks.example:{PORT_MOST}/x"

    assert len(parse_url(longest, reach=STRICT).path) == 1_979
    assert parse_url(last, reach=Reach(ports=frozenset({PORT_MOST}))).port == 65_535
    with pytest.raises(WebhookUrlRefusedError):
        parse_url(longest + "x", reach=STRICT)


@pytest.mark.parametrize(
    "path", ["", "/", "/secret?token=x", "/two/secrets", "/to?next=https://other.example/x"]
)
def test_what_is_shown_of_a_url_is_its_origin(path: str) -> None:
    assert origin_of(f"https://hooks.example:8443{path}") == "https://hooks.example:8443"


PUBLIC = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111"]
PRIVATE = [
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "::1",
    "fc00::1",
    "fd00:8::1",
    "2001:2::1",
    "2001:db8::1",
    "3fff::1",
    "4000::1",
    "100::1",
]
NEVER = [
    "0.0.0.0",  # noqa: S104 - that it is refused
    "0.1.2.3",
    "100.100.100.200",
    "169.254.0.1",
    "169.254.169.254",
    "192.0.0.192",
    "168.63.129.16",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:8.8.8.8",
    "::ffff:10.0.0.1",
    "64:ff9b::808:808",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2002:a00:1::1",
    "2606:4700::5efe:a00:1",
    "2606:4700::200:5efe:a00:1",
    "fe80::1",
    "fec0::1",
    "fd00:ec2::254",
    "fd00:42::42",
    "fd00:c1::a9fe:a9fe",
    "fd20:ce::254",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_reached(text: str) -> None:
    assert str(check_resolved(text, reach=STRICT, plain=False)) == text


@pytest.mark.parametrize("text", PRIVATE)
def test_a_private_address_is_reached_where_a_setting_names_it_and_not_else(text: str) -> None:
    named = Reach(networks=(ipaddress.ip_network(text),))

    assert str(check_resolved(text, reach=named, plain=False)) == text
    with pytest.raises(WebhookUrlRefusedError, match="not public"):
        check_resolved(text, reach=STRICT, plain=False)


@pytest.mark.parametrize("text", NEVER)
@pytest.mark.parametrize("reach", [STRICT, WIDEST, DEMO], ids=["strict", "widest", "demo"])
def test_some_addresses_are_never_reached(text: str, reach: Reach) -> None:
    with pytest.raises(WebhookUrlRefusedError):
        check_resolved(text, reach=reach, plain=False)


def test_a_named_network_opens_itself_alone() -> None:
    inside = ipaddress.ip_address("10.8.1.2")

    assert check_address(inside, reach=VPC, plain=False) == inside
    with pytest.raises(WebhookUrlRefusedError):
        check_address(ipaddress.ip_address("10.9.0.1"), reach=VPC, plain=False)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "2606:4700::1111%1", "hooks.example", ""])
def test_what_a_resolver_gives_must_be_an_address_without_a_zone(text: str) -> None:
    with pytest.raises(WebhookUrlRefusedError, match="zone"):
        check_resolved(text, reach=WIDEST, plain=False)


@pytest.mark.parametrize("text", ["8.8.8.8", "10.8.0.1", "::ffff:127.0.0.1", "169.254.169.254"])
def test_without_tls_only_this_machine_is_reached(text: str) -> None:
    with pytest.raises(WebhookUrlRefusedError):
        check_resolved(text, reach=DEMO, plain=True)


@pytest.mark.parametrize("text", ["127.0.0.1", "::1"])
def test_without_tls_this_machine_is(text: str) -> None:
    assert str(check_resolved(text, reach=DEMO, plain=True)) == text
