"""Made-up sign-ins, for measuring and for tests. *Synthetic*: nobody's, drawn by our own rules.

What is measured on them says how a model does on these rules, and nothing of the world. Customers
have homes, some a telephone whose address changes each day, some a second device; they travel, use
a VPN now and then, and their browsers are renewed for all at once.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from twinlock.services.risk import Attempt

# Those of das-group/rba-dataset that are read.
COLUMNS = (
    "User ID",
    "IP Address",
    "Country",
    "ASN",
    "User Agent String",
    "Browser Name and Version",
    "OS Name and Version",
    "Device Type",
    "Login Successful",
    "Is Account Takeover",
)

COUNTRIES = (("NO", 0.4), ("DE", 0.2), ("US", 0.15), ("IN", 0.1), ("BR", 0.08), ("JP", 0.07))
DEVICES = (
    ("pc", "Windows", "Chrome", 0.34),
    ("pc", "Windows", "Edge", 0.1),
    ("pc", "Mac OS X", "Safari", 0.12),
    ("pc", "Linux", "Firefox", 0.04),
    ("phone", "Android", "Chrome Mobile", 0.25),
    ("phone", "iOS", "Mobile Safari", 0.15),
)
PROVIDERS = 6  # In each country.
VPN_PROVIDERS = 3
TRAVELS, TUNNELS, OTHER_DEVICE, NEW_DEVICE = 0.02, 0.03, 0.2, 0.01  # Of an honest sign-in.
BUILDS = 12  # Of each browser and version: systems differ.


class _Customer(NamedTuple):
    name: str
    country: str
    provider: int
    site: int
    address: int
    devices: list[tuple[str, str, str, int]]
    roams: bool


def sign_ins(*, customers: int, each: int, seed: int) -> Iterator[Attempt]:
    """Give so many honest sign-ins of each of so many customers, in an order in which they mix."""
    random = Random(seed)  # noqa: S311 - made-up sign-ins, the same each time
    everybody = [_customer(random, number) for number in range(customers)]
    for turn in range(each):
        for one in random.sample(everybody, len(everybody)):
            yield _sign_in(random, one, version=100 + turn // 4)


def as_row(one: Attempt) -> tuple[str, ...]:
    """Return a sign-in in the order of COLUMNS."""
    country, asn, _, address = one.ip
    device, *_, text = one.ua
    browser, system = one.versions
    where = one.user, address, country, asn
    return (*where, text, browser, system, device, "True", str(one.takeover))


def _customer(random: Random, number: int) -> _Customer:
    country = random.choices([name for name, _ in COUNTRIES], [w for _, w in COUNTRIES])[0]
    return _Customer(
        name=f"customer-{number}",
        country=country,
        provider=random.randrange(PROVIDERS),
        site=random.randrange(256),
        address=random.randrange(1, 255),
        devices=[_device(random) for _ in range(random.choice((1, 1, 2)))],
        roams=random.random() < 0.3,  # noqa: PLR2004 - a third
    )


def _device(random: Random) -> tuple[str, str, str, int]:
    device, system, browser, _ = random.choices(DEVICES, [weight for *_, weight in DEVICES])[0]
    return device, system, browser, random.randrange(BUILDS)


def _sign_in(random: Random, one: _Customer, *, version: int) -> Attempt:
    chance = random.random()
    country, provider, site, address = one.country, one.provider, one.site, one.address
    if chance < TRAVELS:
        country = random.choice(COUNTRIES)[0]
        provider, site, address = _anywhere(random)
    elif chance < TRAVELS + TUNNELS:
        provider = PROVIDERS + random.randrange(VPN_PROVIDERS)
        site, address = random.randrange(8), random.randrange(1, 255)
    elif one.roams:
        site, address = random.randrange(256), random.randrange(1, 255)
    if random.random() < NEW_DEVICE:
        one.devices[random.randrange(len(one.devices))] = _device(random)
    other = len(one.devices) > 1 and random.random() < OTHER_DEVICE
    device, system, browser, build = one.devices[1 if other else 0]
    number = [name for name, _ in COUNTRIES].index(country)
    network = f"10.{16 * number + provider}.{site}"
    return Attempt(
        user=one.name,
        ip=(country, f"{country}-{provider}", f"{network}.0/24", f"{network}.{address}"),
        ua=(device, system, browser, f"{browser}/{version} ({system}; {build})"),
        versions=(f"{browser} {version}", f"{system} {build}"),
    )


def _anywhere(random: Random) -> tuple[int, int, int]:
    return random.randrange(PROVIDERS), random.randrange(256), random.randrange(1, 255)
