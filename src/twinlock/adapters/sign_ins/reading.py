"""What a visitor is: the country and the network of an address, the parts of a user agent.

All of it on data that lies here: a table of countries that a package ships, the operator's own
files for networks and places, and patterns of user agents. Nothing is asked of anybody.

Always true (tests/unit/adapters/test_sign_ins_reading.py): whatever bytes come in, something comes
out; what cannot be read is named by a fault and left unknown, which scores no less than what nobody
has ever seen.
"""

import ipaddress
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import iptocc
import maxminddb
from ua_parser import Device, Parser
from ua_parser.core import Matcher
from ua_parser.loaders import load_builtins
from ua_parser.matchers import DeviceMatcher
from ua_parser.regex import Resolver

from twinlock.adapters.sign_ins.places import centres
from twinlock.domain.errors import TwinlockError
from twinlock.domain.risk.counters import UNKNOWN
from twinlock.domain.risk.visits import DEGREES, RTT_MOST, Visit, VisitFault, joined
from twinlock.ports.sign_ins import Visitor

UA_LETTERS_MOST = 1_024  # The longest of apps have 600.
NO_FILE = "-"  # A level of which no file tells: one node for everybody, which changes nothing.
OTHER = "other"
BOT = "Spider"  # What the patterns call one.
_V4_NET, _V6_NET = 24, 48  # Bits that one site is assigned.
_V6_LINK = 64  # Bits that one customer of any provider has to himself.
_FLAGS = (
    "is_anonymous",
    "is_anonymous_proxy",
    "is_anonymous_vpn",
    "is_hosting",
    "is_hosting_provider",
    "is_public_proxy",
    "is_tor_exit_node",
)
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class NetworkFileError(TwinlockError):
    """The operator's file of networks or of places is no MaxMind DB that can be read."""

    code = "network_file_unreadable"
    status = 503


class Read(NamedTuple):
    """A visitor as it was read: what is kept, and whether a data centre or a VPN is behind it.

    ``whence`` is whose neighbours he has: the address, of IPv6 its first 64 bits; "" of none.
    """

    visit: Visit
    hosting: bool
    whence: str = ""


class Reader:
    """Reads visitors; ``networks`` and ``cities`` are the operator's files, where there are any.

    They are held in memory, so that whoever writes over one changes nothing until the next start.

    Raises:
        NetworkFileError: on making it, where a file is not what it should be.
    """

    def __init__(self, *, networks: Path | None = None, cities: Path | None = None) -> None:
        self._networks = _opened(networks)
        self._cities = _opened(cities)

    def warm(self) -> None:
        """Load the patterns of user agents, which takes an eighth of a second and 12 MB."""
        _parser()

    def read(self, visitor: Visitor) -> Read:
        """Return what ``visitor`` is."""
        where, what = self._where(visitor.ip), _what(visitor.user_agent)
        rtt = 0 if visitor.rtt_ms is None else min(max(visitor.rtt_ms.bit_length(), 1), RTT_MOST)
        visit = Visit(
            ip=joined(*where.values),
            ua=joined(*what.values),
            place=where.place,
            rtt=rtt,
            version=what.version,
            faults=(*where.faults, *what.faults),
        )
        return Read(visit, where.hosting, where.whence)

    def parts(self, visitor: Visitor) -> tuple[tuple[str, ...], tuple[str, ...], int]:
        """Return the values of address and agent, coarse to fine, and the browser's version."""
        what = _what(visitor.user_agent)
        return self._where(visitor.ip).values, what.values, what.version

    def _where(self, text: str) -> "_Where":
        if not text:
            return _Where(faults=(VisitFault.IP_MISSING,))
        try:
            address = _address(text)
        except ValueError:
            return _Where(faults=(VisitFault.IP_MALFORMED,))
        if not address.is_global or address.is_multicast:
            return _Where(faults=(VisitFault.IP_NOT_PUBLIC,))
        try:
            where = self._placed(address)
        except Exception:  # noqa: BLE001 - the operator's file may hold anything: told, and the score rises
            where = _Where(faults=(VisitFault.LOOKUP_DOWN,))
        return where._replace(whence=_whence(address))

    def _placed(self, address: Address) -> "_Where":
        network, city = _record(self._networks, address), _record(self._cities, address)
        country = _country(city) or iptocc.country_code(str(address)) or UNKNOWN
        owner = _owner(network) if _tells_of(self._networks, address) else NO_FILE
        bits = _V4_NET if address.version == 4 else _V6_NET  # noqa: PLR2004 - the version's own name
        site = ipaddress.ip_network((address, bits), strict=False)
        values = (country, owner, str(site), str(address))
        return _Where(
            values=values,
            place=_place(city) or centres().get(country),
            hosting=_hosting(network) or _hosting(city),
            faults=() if country and owner else (VisitFault.IP_UNKNOWN,),
        )


class _Where(NamedTuple):
    values: tuple[str, ...] = ()
    place: tuple[int, int] | None = None
    hosting: bool = False
    faults: tuple[VisitFault, ...] = ()
    whence: str = ""


def _whence(address: Address) -> str:
    """Prevents: one machine that has an address of its own for each account it tries."""
    if address.version == 4:  # noqa: PLR2004 - the version's own name
        return str(address)
    return str(ipaddress.ip_network((address, _V6_LINK), strict=False))


def _address(text: str) -> Address:
    """Return the address; IPv4 inside IPv6 is the IPv4 it is. Raises ValueError."""
    if "%" in text:
        raise ValueError("a zone is of one machine's links")
    found = ipaddress.ip_address(text)
    mapped = getattr(found, "ipv4_mapped", None)
    return found if mapped is None else mapped


def _opened(path: Path | None) -> maxminddb.Reader | None:
    if path is None:
        return None
    try:
        return maxminddb.open_database(path, maxminddb.MODE_MEMORY)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise NetworkFileError("it is no MaxMind DB file that can be read") from error


def _tells_of(file: maxminddb.Reader | None, address: Address) -> bool:
    """Say whether the file has addresses of this version: many are of IPv4 only.

    Prevents: every sign-in by IPv6 that counts as raised, since the reader breaks on it.
    """
    return file is not None and address.version <= file.metadata().ip_version


def _record(file: maxminddb.Reader | None, address: Address) -> Mapping[str, Any]:
    if file is None or not _tells_of(file, address):
        return {}
    found = file.get(address)
    return found if isinstance(found, dict) else {}


def _owner(record: Mapping[str, Any]) -> str:
    """Return the number of the network's owner, as the usual files name it."""
    for name in ("autonomous_system_number", "asn"):
        number = record.get(name)
        if isinstance(number, int | str) and str(number):
            return str(number)[:32]
    return UNKNOWN


def _country(record: Mapping[str, Any]) -> str:
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else country
    return code if isinstance(code, str) and code in centres() else ""


def _place(record: Mapping[str, Any]) -> tuple[int, int] | None:
    location = record.get("location", record)
    if not isinstance(location, dict):
        return None
    try:
        lat, lon = float(location["latitude"]), float(location["longitude"])
    except (KeyError, TypeError, ValueError):
        return None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):  # noqa: PLR2004 - degrees on a globe
        return None
    return int(lat * DEGREES), int(lon * DEGREES)


def _hosting(record: Mapping[str, Any]) -> bool:
    traits = record.get("traits")
    every = (record, traits if isinstance(traits, dict) else {})
    return any(one.get(flag) is True for one in every for flag in _FLAGS)


# --- User agents ---


class _What(NamedTuple):
    values: tuple[str, ...] = ()
    version: int = 0
    faults: tuple[VisitFault, ...] = ()


def _what(text: str) -> _What:
    """Return device, system, browser and string, the browser's version, and what is wrong."""
    if not text:
        return _What(faults=(VisitFault.UA_MISSING,))
    if len(text) > UA_LETTERS_MOST:
        return _What(faults=(VisitFault.UA_TOO_LONG,))
    if not text.isprintable():
        return _What(faults=(VisitFault.UA_MALFORMED,))
    try:
        found = _parser().parse(text)
    except Exception:  # noqa: BLE001 - a stranger's bytes may break it: told, and the score rises
        return _What(faults=(VisitFault.LOOKUP_DOWN,))
    browser = found.user_agent
    system = OTHER if found.os is None else found.os.family
    family = OTHER if browser is None else browser.family
    device = _device(text, system, is_bot=found.device is not None and _is_bot(text))
    version = _version(None if browser is None else browser.major)
    return _What(values=(device, system, family, text), version=version)


@cache
def _parser() -> Parser:
    """Return the parser of browsers, systems and bots."""
    browsers, systems, devices = load_builtins()
    bots: list[Matcher[Device]] = [
        one for one in devices if isinstance(one, DeviceMatcher) and one.family == BOT
    ]
    return Parser(Resolver((browsers, systems, bots)))


@cache
def _devices() -> Parser:
    """Return the parser of devices, most of them telephones: 25 MB, for what looks like a bot."""
    return Parser(Resolver(([], [], load_builtins()[2])))


def _is_bot(text: str) -> bool:
    """Say whether a bot said ``text``, and no telephone whose name has a bot's in it."""
    found = _devices().parse_device(text)
    return found is not None and found.family == BOT


def _version(major: str | None) -> int:
    """Return a browser's version where it is one; numbers that no browser has are none."""
    whole = major is not None and re.fullmatch("[0-9]{1,4}", major)
    return int(major or 0) if whole else 0


def _device(text: str, system: str, *, is_bot: bool) -> str:
    if is_bot:
        return "bot"
    if "iPad" in text or "Tablet" in text:
        return "tablet"
    if system in {"iOS", "Android"} or "Mobile" in text:
        return "phone"
    return "pc"
