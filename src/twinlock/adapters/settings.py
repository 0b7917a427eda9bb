"""Settings: environment variables, read once, each with its unit and default in one table.

Always true (tests/unit/adapters/test_settings.py):

* a variable named ``TWINLOCK_…`` that the table does not know is refused, and so is a value that
  cannot be meant; an empty value is no way to say "default";
* the database's URL never stands in a repr or an error;
* the keyring never lies inside the data directory, nor the other way round: whoever copies the
  data must not copy the keys.

Source: The Twelve-Factor App, III (config). ``docs/settings.md`` is generated from ``describe()``.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

import platformdirs

from twinlock.adapters.mail import settings as mail_settings
from twinlock.adapters.mail.settings import MailSettings
from twinlock.adapters.setting_table import (
    LOG_LEVELS,
    MAX_PROXIES,
    MAX_WORKERS,
    PREFIX,
    PROFILES,
    TABLE,
    YES_OR_NO,
    SettingRow,
)
from twinlock.domain.bounds import PICKED_ONE_IN_LEAST, PICKED_ONE_IN_MOST
from twinlock.domain.canonical import from_b64url
from twinlock.domain.errors import MalformedError, SettingsUnknownError, SettingsWrongError
from twinlock.domain.webhooks.targets import Reach

MAX_PORT = 65_535
HTTP_PORT, HTTPS_PORT = 80, 443
TOKEN_LABEL_MOST = 32  # PKCS #11 v2.40, 3.2: CK_TOKEN_INFO.

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlace:
    """Where a token is: the module's file, the token's label, and the file of its user's PIN."""

    module: Path
    label: str
    pin_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment said. ``database_url`` None means the embedded database."""

    database_url: str | None = field(repr=False)
    owner_url: str | None = field(repr=False)
    data_dir: Path
    keyring_dir: Path
    token: TokenPlace | None
    origin: str
    rp_id: str
    legacy_origins: tuple[tuple[str, str], ...]  # RP ID and origin of each
    log_origin: str
    listen_host: str
    listen_port: int
    workers: int
    profile: str
    outbox_dir: Path
    mail: MailSettings | None
    price_file: Path | None
    screening_file: Path | None
    screening_key: bytes | None
    exits_file: Path | None
    breached_passwords_file: Path | None
    picked_one_in: int
    network_file: Path | None
    city_file: Path | None
    witness_policy: Path | None
    log_level: str
    trusted_proxies: tuple[Network, ...]
    webhook_networks: tuple[Network, ...]
    webhook_ports: tuple[int, ...]
    webhook_ca_file: Path | None
    webhook_plain_loopback: bool

    @property
    def webhook_reach(self) -> Reach:
        """Return what webhooks may reach beyond public addresses by https on port 443."""
        return Reach(
            networks=self.webhook_networks,
            ports=frozenset(self.webhook_ports),
            plain_loopback=self.webhook_plain_loopback,
        )

    @property
    def postgres_dir(self) -> Path:
        """Return where the embedded database lives."""
        return self.data_dir / "pg"

    @property
    def postgres_password_file(self) -> Path:
        """Return where its superuser's password lives: next to the keyring, not in it."""
        return self.keyring_dir.parent / "postgres-password"

    @property
    def app_password_file(self) -> Path:
        """Return where the password of the application's role lives, beside the other one."""
        return self.keyring_dir.parent / "app-password"


def describe() -> list[SettingRow]:
    """Return every setting, in the order in which people read them."""
    return list(TABLE)


def load(environ: Mapping[str, str], *, as_root: bool | None = None) -> Settings:
    """Return the settings in ``environ``; ``as_root`` chooses the default directories.

    Raises:
        SettingsUnknownError: a variable of our prefix that the table does not know.
        SettingsWrongError: a value that cannot be meant.
    """
    values = _ours(environ)
    data, keyring = _default_directories(os.geteuid() == 0 if as_root is None else as_root)
    data_dir = _path(values, "DATA_DIR") or data
    keyring_dir = _path(values, "KEYRING_DIR") or keyring
    if _within(keyring_dir, data_dir) or _within(data_dir, keyring_dir):
        raise _wrong("KEYRING_DIR", "lies inside the data directory, or contains it")
    listen_host, listen_port = _listen(values.get("LISTEN", "127.0.0.1:8080"))
    origin, host = _origin(values.get("ORIGIN") or _local_origin(listen_port))
    if values.get("RP_ID", host) != host:
        raise _wrong("RP_ID", "is not the host of the origin")
    return Settings(
        database_url=_database_url(values, "DATABASE_URL"),
        owner_url=_database_url(values, "OWNER_URL"),
        data_dir=data_dir,
        keyring_dir=keyring_dir,
        token=_token(values),
        origin=origin,
        rp_id=host,
        legacy_origins=_legacy_origins(values),
        log_origin=_log_origin(values.get("LOG_ORIGIN", f"{host}/twinlock")),
        listen_host=listen_host,
        listen_port=listen_port,
        workers=_number("WORKERS", values.get("WORKERS", "1"), most=MAX_WORKERS),
        profile=_profile(values),
        outbox_dir=_path(values, "OUTBOX_DIR") or data_dir / "outbox",
        mail=mail_settings.load(values, lambda name: _path(values, name)),
        price_file=_path(values, "PRICE_FILE"),
        screening_file=_path(values, "SCREENING_FILE"),
        screening_key=_screening_key(values),
        exits_file=_path(values, "EXITS_FILE"),
        breached_passwords_file=_path(values, "BREACHED_PASSWORDS_FILE"),
        picked_one_in=_picked(values),
        network_file=_path(values, "NETWORK_FILE"),
        city_file=_path(values, "CITY_FILE"),
        witness_policy=_path(values, "WITNESS_POLICY"),
        log_level=_choice(values, "LOG_LEVEL", LOG_LEVELS, default="info"),
        trusted_proxies=_networks(values, "TRUSTED_PROXIES"),
        webhook_networks=_networks(values, "WEBHOOK_NETWORKS"),
        webhook_ports=_ports(values, "WEBHOOK_PORTS"),
        webhook_ca_file=_path(values, "WEBHOOK_CA_FILE"),
        webhook_plain_loopback=_choice(values, "WEBHOOK_PLAIN_LOOPBACK", YES_OR_NO, default="no")
        == "yes",
    )


def _ours(environ: Mapping[str, str]) -> dict[str, str]:
    known = {row.name for row in TABLE}
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    for name in sorted(ours.keys() - known):
        raise SettingsUnknownError(f"{name} is not a setting: see docs/settings.md")
    values = {name.removeprefix(PREFIX): value for name, value in ours.items()}
    for name, value in values.items():
        if not value.strip():
            raise _wrong(name, "is empty: unset it to take the default")
    return values


def _default_directories(as_root: bool) -> tuple[Path, Path]:
    if as_root:
        return Path("/var/lib/twinlock"), Path("/etc/twinlock/keyring")
    config = platformdirs.user_config_path("twinlock")
    data = platformdirs.user_data_path("twinlock")
    if config == data:  # macOS keeps both in one place.
        return data / "data", config / "config" / "keyring"
    return data, config / "keyring"


def _wrong(name: str, why: str) -> SettingsWrongError:
    """Return the error; it never quotes the value, which may be a secret."""
    return SettingsWrongError(f"{PREFIX}{name} {why}")


def _path(values: Mapping[str, str], name: str) -> Path | None:
    text = values.get(name)
    if text is None:
        return None
    path = Path(text)
    if not path.is_absolute() or ".." in path.parts or "\0" in text:
        raise _wrong(name, "is not an absolute path without ..")
    return path


def _within(path: Path, directory: Path) -> bool:
    """Say whether ``path`` lies in ``directory``, or is it, whichever links lead there."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def _screening_key(values: Mapping[str, str]) -> bytes | None:
    """Return the key of whoever signs the list of sanctions; with it there is a list."""
    text = values.get("SCREENING_KEY")
    if text is None:
        return None
    if values.get("SCREENING_FILE") is None:
        raise _wrong("SCREENING_KEY", "is set, and no list: name it by TWINLOCK_SCREENING_FILE")
    try:
        return from_b64url(text, size=32)
    except MalformedError as error:
        raise _wrong("SCREENING_KEY", "is not 32 bytes in base64url") from error


def _token(values: Mapping[str, str]) -> TokenPlace | None:
    """Return where the keys' token is: all three say so, or none does."""
    module, pin_file = _path(values, "PKCS11_MODULE"), _path(values, "PKCS11_PIN_FILE")
    label = values.get("PKCS11_TOKEN")
    if module is None and label is None and pin_file is None:
        return None
    if module is None or label is None or pin_file is None:
        raise _wrong("PKCS11_MODULE", "needs PKCS11_TOKEN and PKCS11_PIN_FILE, and they need it")
    if not label.isprintable():  # Nor is what the environment held in no UTF-8.
        raise _wrong("PKCS11_TOKEN", "is no text")
    if len(label.encode("utf-8")) > TOKEN_LABEL_MOST:
        raise _wrong("PKCS11_TOKEN", f"is longer than the {TOKEN_LABEL_MOST} bytes of a label")
    return TokenPlace(module=module, label=label, pin_file=pin_file)


def _choice(values: Mapping[str, str], name: str, choices: tuple[str, ...], *, default: str) -> str:
    value = values.get(name, default)
    if value not in choices:
        raise _wrong(name, f"is not {' or '.join(choices)}")
    return value


def _profile(values: Mapping[str, str]) -> str:
    """Return a profile that we ship, or the path of a policy file."""
    value = values.get("PROFILE", PROFILES[0])
    if value in PROFILES or (Path(value).is_absolute() and value.endswith(".cedar")):
        return value
    raise _wrong(
        "PROFILE", f"is not {' or '.join(PROFILES)}, nor the absolute path of a .cedar file"
    )


def _number(name: str, text: str, *, most: int) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > most:
        raise _wrong(name, f"is not a whole number from 1 to {most}")
    return int(text)


def _picked(values: Mapping[str, str]) -> int:
    """Return of how many proofs one picks its account, or 0: none does."""
    text = values.get("PICKED_ONE_IN")
    if text is None:
        return 0
    number = _number("PICKED_ONE_IN", text, most=PICKED_ONE_IN_MOST)
    if number < PICKED_ONE_IN_LEAST:
        raise _wrong("PICKED_ONE_IN", f"is less than {PICKED_ONE_IN_LEAST}")
    return number


def _listen(text: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[v6]:port``."""
    found = re.fullmatch(
        r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>.+)", text
    )
    if found is None:
        raise _wrong("LISTEN", "is not host:port")
    port = _number("LISTEN", found["port"], most=MAX_PORT)
    if found["v6"] is None:
        return found["host"], port
    try:
        return str(ipaddress.IPv6Address(found["v6"])), port
    except ValueError:
        raise _wrong("LISTEN", "holds no IPv6 address in its brackets") from None


def _split(name: str, text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # Read here, because a wrong one raises on reading.
    except ValueError:
        raise _wrong(name, "is not a URL") from None
    return parts


def _local_origin(port: int) -> str:
    """Return how a browser on this machine names us: it leaves out the usual port."""
    return "http://localhost" if port == HTTP_PORT else f"http://localhost:{port}"


_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)+(?=[a-z])(?:{_LABEL})|localhost")

_LEGACY = re.compile(
    rf"https://(?P<host>(?:{_LABEL}\.)+(?=[a-z])(?:{_LABEL}))(?::[1-9][0-9]{{0,4}})?"
)


def _origin(text: str) -> tuple[str, str]:
    """Return the origin as a browser writes it (RFC 6454, 6.1), and its host."""
    parts = _split("ORIGIN", text)
    host = parts.hostname or ""
    if not _HOST.fullmatch(host):
        raise _wrong("ORIGIN", "has no host name (an address cannot hold passkeys)")
    if parts.scheme != "https" and not (parts.scheme == "http" and host == "localhost"):
        raise _wrong("ORIGIN", "is not https")
    usual = HTTPS_PORT if parts.scheme == "https" else HTTP_PORT
    port = "" if parts.port in (None, usual) else f":{parts.port}"
    if text != f"{parts.scheme}://{host}{port}":
        raise _wrong("ORIGIN", "is not scheme://host[:port] in lower case and nothing more")
    return text, host


def _legacy_origins(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return RP ID and origin of each older site; a browser lets a host use its parents' RP IDs."""
    parts = [part.strip() for part in values.get("LEGACY_ORIGINS", "").split(",") if part.strip()]
    if len(parts) > MAX_PROXIES:
        raise _wrong("LEGACY_ORIGINS", f"has more than {MAX_PROXIES} parts")
    sites = []
    for part in parts:
        rp_id, at, origin = part.partition("@")
        found = _LEGACY.fullmatch(origin)
        host = found["host"] if found else ""
        if not at or not _HOST.fullmatch(rp_id) or not f".{host}".endswith(f".{rp_id}"):
            raise _wrong("LEGACY_ORIGINS", "is not RP_ID@https://host[:port], the host below it")
        sites.append((rp_id, origin))
    return tuple(sites)


def _log_origin(text: str) -> str:
    """Return a key name as signed notes allow it: a URL without scheme and trailing slash."""
    if not re.fullmatch(r"[!-*,-~]{1,255}", text) or "://" in text or text.endswith("/"):
        raise _wrong("LOG_ORIGIN", "is not a name without scheme, spaces, + and trailing slash")
    return text


def _database_url(values: Mapping[str, str], name: str) -> str | None:
    text = values.get(name)
    if text is None:
        return None
    parts = _split(name, text)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise _wrong(name, "is not a postgresql:// URL")
    if len(parts.path) <= 1:
        raise _wrong(name, "names no database")
    return text


def _networks(values: Mapping[str, str], name: str) -> tuple[Network, ...]:
    text = values.get(name)
    if text is None:
        return ()
    try:
        networks = tuple(ipaddress.ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        raise _wrong(name, "is not a list of addresses or networks") from None
    if len(networks) > MAX_PROXIES or any(network.prefixlen == 0 for network in networks):
        raise _wrong(name, f"trusts everybody, or has more than {MAX_PROXIES} parts")
    return networks


def _ports(values: Mapping[str, str], name: str) -> tuple[int, ...]:
    text = values.get(name)
    parts = [] if text is None else text.split(",")
    if len(parts) > MAX_PROXIES:
        raise _wrong(name, f"has more than {MAX_PROXIES} parts")
    return tuple(_number(name, part.strip(), most=MAX_PORT) for part in parts)
