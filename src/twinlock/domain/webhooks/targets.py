"""Where a webhook may lead: the form of its URL, and the addresses that it may reach.

A URL is read by one strict grammar and sent as it was read, so that no other reader can take it for
something else. An address is judged once more whenever a connection is made, and the connection
goes to the very address that was judged.

Always true (tests/unit/domain/test_webhook_targets.py): without a word of the operator's only
public addresses are reached, by https on port 443; link-local addresses, a cloud's metadata and
every form that hides an IPv4 address in an IPv6 one are never reached.

Prevents: SSRF, a message sent into the platform's own network by whoever may name an endpoint.
Source: OWASP, Server Side Request Forgery Prevention; the IANA special-purpose address registries.
"""

import ipaddress
import re
from typing import TypeAlias

import msgspec

from twinlock.domain.errors import TwinlockError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

URL_LENGTH_MOST = 2_000  # Characters: what every server and proxy takes.
HTTPS_PORT, HTTP_PORT = 443, 80
PORT_MOST = 65_535


class WebhookUrlRefusedError(TwinlockError):
    """A webhook's URL is not one that messages may go to: the detail says why."""

    code = "webhook_url_refused"
    status = 422


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator allows beyond public addresses by https on port 443.

    ``networks`` are private ones that may be reached; ``ports`` are allowed besides 443;
    ``plain_loopback`` lets http go to this machine, for trying out.
    """

    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset()
    plain_loopback: bool = False


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A URL in its parts. ``host`` is a name or an address without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def plain(self) -> bool:
        """Say whether it goes without TLS, to this machine only."""
        return self.scheme == "http"

    @property
    def authority(self) -> str:
        """Return host and port as the Host header names them (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = HTTP_PORT if self.plain else HTTPS_PORT
        return host if self.port == usual else f"{host}:{self.port}"


_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label begins with a letter, so 127.1, 0x7f.0.0.1 and 2130706433 are no names.
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)+(?=[a-z])(?:{_LABEL})")
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[(?P<v6>[0-9a-f:.]{2,45})\]|(?P<host>[a-z0-9.-]{1,253}))"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
)
_HERE = "localhost"


def parse_url(text: str, *, reach: Reach) -> Target:
    """Return the parts of a webhook's URL.

    Raises:
        WebhookUrlRefusedError: another form or scheme, a user or fragment in it, a port or an
            address that is not allowed. The detail never quotes it: its path may be a secret.
    """
    found = _URL.fullmatch(text) if len(text) <= URL_LENGTH_MOST else None
    if found is None:
        raise WebhookUrlRefusedError(
            "not https://host[:port]/path in ASCII, lower case before the path, without user, "
            f"password and fragment, of at most {URL_LENGTH_MOST} characters"
        )
    plain = found["scheme"] == "http"
    target = Target(
        scheme=found["scheme"],
        host=_host(found["v6"], found["host"], plain=plain),
        port=int(found["port"] or (HTTP_PORT if plain else HTTPS_PORT)),
        path=found["path"] or "/",
    )
    _check_port(target, reach)
    address = _literal(target.host)
    if address is not None:
        check_address(address, reach=reach, plain=plain)
    return target


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL that was read before: its path may be a secret."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _host(v6: str | None, host: str | None, *, plain: bool) -> str:
    if v6 is not None:
        address = _literal(v6)
        if address is None or str(address) != v6:
            raise WebhookUrlRefusedError("no IPv6 address in its shortest form in brackets")
        return v6
    name = host or ""
    if _literal(name) is not None or (plain and name == _HERE):
        return name
    if not _NAME.fullmatch(name) or name.endswith(f".{_HERE}"):
        raise WebhookUrlRefusedError("the host is neither a whole DNS name nor an address")
    if plain:
        raise WebhookUrlRefusedError("plain http goes to this machine only")
    return name


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _check_port(target: Target, reach: Reach) -> None:
    if target.plain:
        if not reach.plain_loopback:
            raise WebhookUrlRefusedError("not https")
    elif target.port != HTTPS_PORT and target.port not in reach.ports:
        raise WebhookUrlRefusedError("a port other than 443 that no setting allows")
    if target.port > PORT_MOST:
        raise WebhookUrlRefusedError("there is no such port")


# --- Addresses ---


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# Whatever a setting allows.
_NEVER = _networks(
    "0.0.0.0/8",  # this host, by another name
    "169.254.0.0/16",  # link-local, and the metadata of most clouds
    "100.100.100.200/32",  # metadata
    "168.63.129.16/32",  # metadata and more of one cloud, at an address that looks public
    "192.0.0.192/32",  # metadata
    "192.88.99.0/24",  # 6to4 relays
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
    "::/128",
    "::ffff:0:0/96",  # IPv4-mapped
    "64:ff9b::/96",  # NAT64
    "64:ff9b:1::/48",  # NAT64 of one's own
    "2001::/32",  # Teredo
    "2002::/16",  # 6to4
    "fe80::/10",  # link-local
    "fec0::/10",  # site-local
    "fd00:42::42/128",  # metadata
    "fd00:c1::a9fe:a9fe/128",  # metadata
    "fd00:ec2::254/128",  # metadata
    "fd20:ce::254/128",  # metadata
    "ff00::/8",  # multicast
)
# Unless a setting names them.
_PRIVATE = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",  # carriers' NAT
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "2001::/23",  # protocols
    "2001:db8::/32",  # documentation
    "2620:4f:8000::/48",
    "3fff::/20",  # documentation
)
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")  # All that is given out so far.
_ISATAP = 0x5EFE  # RFC 5214, 6.1: bits 32 to 63 of the address, but for the universal bit.
_ISATAP_MASK = 0xFDFF_FFFF


def check_address(address: Address, *, reach: Reach, plain: bool) -> Address:
    """Return ``address`` when a message may be sent to it; ``plain`` without TLS.

    Raises:
        WebhookUrlRefusedError: it is private and no setting names it, or never reached.
    """
    if plain:
        if not address.is_loopback:
            raise WebhookUrlRefusedError("plain http goes to this machine only")
        return address
    if _within(address, _NEVER) or _hides_v4(address):
        raise WebhookUrlRefusedError("an address that is never reached")
    if not _within(address, reach.networks) and not _is_public(address):
        raise WebhookUrlRefusedError("an address that is not public, and that no setting names")
    return address


def check_resolved(text: str, *, reach: Reach, plain: bool) -> Address:
    """Return the address that a resolver gave as ``text``. Raises WebhookUrlRefusedError."""
    address = _literal(text)
    if address is None or "%" in text:
        raise WebhookUrlRefusedError("an address with a zone, or none")
    return check_address(address, reach=reach, plain=plain)


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _is_public(address: Address) -> bool:
    """Say whether an address is public by our list and by the registry of the language."""
    if address.version == 6 and address not in _UNICAST_V6:  # noqa: PLR2004 - the protocol's name
        return False
    return address.is_global and not _within(address, _PRIVATE)


def _hides_v4(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and (
        int(address) >> 32 & _ISATAP_MASK == _ISATAP
    )
