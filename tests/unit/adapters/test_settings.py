import ipaddress
import os
from pathlib import Path

import pytest

from twinlock.adapters import setting_table, settings
from twinlock.adapters.mail.settings import MailSettings
from twinlock.adapters.settings import Settings, TokenPlace
from twinlock.domain.errors import SettingsUnknownError, SettingsWrongError
from twinlock.domain.webhooks.targets import Reach

MAIL = {
    "SMTP_SERVER": "mail.example:465",
    "SMTP_TLS": "implicit",
    "SMTP_CA_FILE": "/srv/mail-ca.pem",
    "SMTP_USER": "twinlock",
    "SMTP_PASSWORD_FILE": "/srv/mail-password",
    "SMTP_CONNECTIONS": "8",
    "MAIL_FROM": "Example <no-reply@confirm.example>",
}
TOKEN_PLACE = TokenPlace(
    module=Path("/usr/lib/hsm.so"), label="twinlock", pin_file=Path("/srv/pin")
)
MAIL_SETTINGS = MailSettings(
    host="mail.example",
    port=465,
    tls="implicit",
    ca_file=Path("/srv/mail-ca.pem"),
    user="twinlock",
    password_file=Path("/srv/mail-password"),
    connections=8,
    sender=("Example", "no-reply@confirm.example"),
)


def load(**variables: str) -> Settings:
    """Load from ``variables`` without their prefix, as root: its defaults are fixed."""
    return settings.load({f"TWINLOCK_{name}": v for name, v in variables.items()}, as_root=True)


def test_an_empty_environment_gives_a_working_local_installation() -> None:
    assert settings.load({"PATH": "/bin"}, as_root=True) == Settings(
        database_url=None,
        owner_url=None,
        data_dir=Path("/var/lib/twinlock"),
        keyring_dir=Path("/etc/twinlock/keyring"),
        token=None,
        origin="http://localhost:8080",
        rp_id="localhost",
        legacy_origins=(),
        log_origin="localhost/twinlock",
        listen_host="127.0.0.1",
        listen_port=8080,
        workers=1,
        profile="default",
        outbox_dir=Path("/var/lib/twinlock/outbox"),
        mail=None,
        price_file=None,
        screening_file=None,
        screening_key=None,
        exits_file=None,
        breached_passwords_file=None,
        picked_one_in=0,
        network_file=None,
        city_file=None,
        witness_policy=None,
        log_level="info",
        trusted_proxies=(),
        webhook_networks=(),
        webhook_ports=(),
        webhook_ca_file=None,
        webhook_plain_loopback=False,
    )


EVERYTHING = {
    "DATABASE_URL": "postgresql://app:pw@db.example:5432/twinlock",
    "DATA_DIR": "/srv/twinlock",
    "KEYRING_DIR": "/srv/keys",
    "PKCS11_MODULE": "/usr/lib/hsm.so",
    "PKCS11_TOKEN": "twinlock",
    "PKCS11_PIN_FILE": "/srv/pin",
    "ORIGIN": "https://confirm.example",
    "RP_ID": "confirm.example",
    "LOG_ORIGIN": "log.example/twinlock",
    "LISTEN": "[::1]:9000",
    "WORKERS": "4",
    "PROFILE": "default",
    "OWNER_URL": "postgresql://owner:pw@db.example:5432/twinlock",
    "OUTBOX_DIR": "/srv/outbox",
    "PRICE_FILE": "/srv/prices.json",
    "SCREENING_FILE": "/srv/sdn.xml",
    "EXITS_FILE": "/srv/exits.json",
    "BREACHED_PASSWORDS_FILE": "/srv/pwned.txt",
    "PICKED_ONE_IN": "1000",
    "NETWORK_FILE": "/srv/asn.mmdb",
    "CITY_FILE": "/srv/city.mmdb",
    "WITNESS_POLICY": "/srv/witnesses.policy",
    "LOG_LEVEL": "debug",
    "TRUSTED_PROXIES": "10.0.0.1, fd00::/8",
    "WEBHOOK_NETWORKS": "10.8.0.0/16",
    "WEBHOOK_PORTS": "8443, 9443",
    "WEBHOOK_CA_FILE": "/srv/ca.pem",
    "WEBHOOK_PLAIN_LOOPBACK": "yes",
}


def test_every_setting_can_be_set() -> None:
    loaded = load(**EVERYTHING, **MAIL)

    assert loaded == Settings(
        database_url="postgresql://app:pw@db.example:5432/twinlock",
        owner_url="postgresql://owner:pw@db.example:5432/twinlock",
        data_dir=Path("/srv/twinlock"),
        keyring_dir=Path("/srv/keys"),
        token=TOKEN_PLACE,
        origin="https://confirm.example",
        rp_id="confirm.example",
        legacy_origins=(),
        log_origin="log.example/twinlock",
        listen_host="::1",
        listen_port=9000,
        workers=4,
        profile="default",
        outbox_dir=Path("/srv/outbox"),
        mail=MAIL_SETTINGS,
        price_file=Path("/srv/prices.json"),
        screening_file=Path("/srv/sdn.xml"),
        screening_key=None,
        exits_file=Path("/srv/exits.json"),
        breached_passwords_file=Path("/srv/pwned.txt"),
        picked_one_in=1000,
        network_file=Path("/srv/asn.mmdb"),
        city_file=Path("/srv/city.mmdb"),
        witness_policy=Path("/srv/witnesses.policy"),
        log_level="debug",
        trusted_proxies=(ipaddress.ip_network("10.0.0.1/32"), ipaddress.ip_network("fd00::/8")),
        webhook_networks=(ipaddress.ip_network("10.8.0.0/16"),),
        webhook_ports=(8443, 9443),
        webhook_ca_file=Path("/srv/ca.pem"),
        webhook_plain_loopback=True,
    )
    assert loaded.webhook_reach == Reach(
        networks=(ipaddress.ip_network("10.8.0.0/16"),),
        ports=frozenset({8443, 9443}),
        plain_loopback=True,
    )


@pytest.mark.parametrize("number", [20, 99_999])
def test_one_in_so_many_is_picked(number: int) -> None:
    assert load(PICKED_ONE_IN=str(number)).picked_one_in == number


def test_the_embedded_database_lives_in_the_data_and_its_password_beside_the_keys() -> None:
    loaded = load()

    assert loaded.postgres_dir == Path("/var/lib/twinlock/pg")
    assert loaded.postgres_password_file == Path("/etc/twinlock/postgres-password")


def test_a_user_gets_the_directories_of_the_xdg_specification(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    loaded = settings.load({}, as_root=False)

    assert loaded.postgres_dir == tmp_path / "data" / "twinlock" / "pg"
    assert loaded.keyring_dir == tmp_path / "config" / "twinlock" / "keyring"


def test_one_home_for_data_and_configuration_still_keeps_the_keys_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    loaded = settings.load({}, as_root=False)

    assert loaded.data_dir == tmp_path / "twinlock" / "data"
    assert loaded.keyring_dir == tmp_path / "twinlock" / "config" / "keyring"


def test_who_runs_it_chooses_the_default_directories() -> None:
    assert settings.load({}) == settings.load({}, as_root=os.geteuid() == 0)


def test_the_origin_follows_the_port_unless_it_is_the_usual_one() -> None:
    assert load(LISTEN="127.0.0.1:9000").origin == "http://localhost:9000"
    assert load(LISTEN="127.0.0.1:80").origin == "http://localhost"


def test_a_typing_error_in_a_name_is_refused_and_its_value_not_told() -> None:
    with pytest.raises(SettingsUnknownError, match="TWINLOCK_DATABSE_URL") as refused:
        load(DATABSE_URL="postgresql://app:hunter2@db/twinlock")
    assert refused.value.code == "settings_unknown"
    assert "hunter2" not in str(refused.value)


def test_the_databases_url_never_stands_in_a_repr() -> None:
    assert "hunter2" not in repr(load(DATABASE_URL="postgresql://app:hunter2@db/twinlock"))


@pytest.mark.parametrize("row", settings.describe(), ids=lambda row: row.name)
def test_an_empty_value_is_no_way_to_say_default(row: setting_table.SettingRow) -> None:
    with pytest.raises(SettingsWrongError, match="is empty") as refused:
        settings.load({row.name: " "}, as_root=True)
    assert refused.value.code == "settings_wrong"


@pytest.mark.parametrize("linked", ["KEYRING_DIR", "DATA_DIR"])
def test_keys_and_data_lie_apart_whichever_links_lead_there(tmp_path: Path, linked: str) -> None:
    """Prevents: keys that are copied with the data, since the path to them only looks another."""
    data, link = tmp_path / "data", tmp_path / "link"
    data.mkdir()
    link.symlink_to(data)
    places = {"KEYRING_DIR": data / "keyring", "DATA_DIR": data}
    places[linked] = link / places[linked].relative_to(data)
    named = {f"TWINLOCK_{name}": str(path) for name, path in places.items()}

    with pytest.raises(SettingsWrongError, match="KEYRING_DIR"):
        settings.load(named, as_root=True)
    apart = {**named, "TWINLOCK_KEYRING_DIR": str(tmp_path / "config" / "keyring")}
    assert settings.load(apart, as_root=True).keyring_dir == tmp_path / "config" / "keyring"


WRONG = [
    ("DATABASE_URL", "mysql://db/twinlock", "another database"),
    ("DATABASE_URL", "postgresql://db", "no database"),
    ("DATABASE_URL", "postgresql://db/", "an empty database"),
    ("DATABASE_URL", "postgresql://db:port/x", "a port in words"),
    ("DATABASE_URL", "postgresql://[::1/x", "an open bracket"),
    ("DATA_DIR", "data", "a relative path"),
    ("DATA_DIR", "/srv/../etc", "a path that climbs"),
    ("KEYRING_DIR", "/var/lib/twinlock/keys", "keys inside the data"),
    ("KEYRING_DIR", "/var/lib/twinlock", "keys and data in one place"),
    ("KEYRING_DIR", "/var/lib", "data inside the keys"),
    ("OUTBOX_DIR", "~/outbox", "a tilde"),
    ("PRICE_FILE", "/srv/a\0b", "a NUL"),
    ("ORIGIN", "http://confirm.example", "plain http elsewhere"),
    ("ORIGIN", "ftp://confirm.example", "another scheme"),
    ("ORIGIN", "confirm.example", "no scheme"),
    ("ORIGIN", "https://", "no host"),
    ("ORIGIN", "https://confirm.example/", "a trailing slash"),
    ("ORIGIN", "https://confirm.example/path", "a path"),
    ("ORIGIN", "https://confirm.example?x", "a query"),
    ("ORIGIN", "https://confirm.example#x", "a fragment"),
    ("ORIGIN", "https://sam@confirm.example", "a user"),
    ("ORIGIN", "https://Confirm.example", "capitals"),
    ("ORIGIN", "https://confirm.example:443", "the usual port spelled out"),
    ("ORIGIN", "https://confirm.example:0443", "a port with a zero before it"),
    ("ORIGIN", "https://confirm.example:65536", "a port too high"),
    ("ORIGIN", "https://192.0.2.1", "an IPv4 address"),
    ("ORIGIN", "https://[::1]", "an IPv6 address"),
    ("ORIGIN", "https://confirm", "a bare name"),
    ("ORIGIN", "https://confirm.example.", "a dot at the end"),
    ("ORIGIN", "https://-confirm.example", "a label that starts with a dash"),
    ("ORIGIN", "https://" + "a" * 64 + ".example", "a label of 64 characters"),
    ("ORIGIN", "https://" + "a." * 124 + "example", "a host of 255 characters"),
    ("ORIGIN", "https://confïrm.example", "a letter beyond ASCII"),
    ("ORIGIN", "https://confirm.example\n", "a newline"),
    ("RP_ID", "example", "another host than the origin's"),
    ("LOG_ORIGIN", "https://log.example", "a scheme"),
    ("LOG_ORIGIN", "log.example/", "a trailing slash"),
    ("LOG_ORIGIN", "log example", "a space"),
    ("LOG_ORIGIN", "log+example", "a plus"),
    ("LOG_ORIGIN", "lög.example", "a letter beyond ASCII"),
    ("LOG_ORIGIN", "l" * 256, "256 characters"),
    ("LISTEN", "8080", "no host"),
    ("LISTEN", "127.0.0.1", "no port"),
    ("LISTEN", "::1:8080", "an IPv6 address without brackets"),
    ("LISTEN", "[::g]:8080", "no IPv6 address in brackets"),
    ("LISTEN", "[1:2]:8080", "half an IPv6 address"),
    ("LISTEN", "127.0.0.1:0", "port 0"),
    ("LISTEN", "127.0.0.1:65536", "a port too high"),
    ("LISTEN", "127.0.0.1:080", "a port with a zero before it"),
    ("WORKERS", "0", "no worker"),
    ("WORKERS", "65", "too many workers"),
    ("WORKERS", "-1", "a negative number"),
    ("WORKERS", "1.0", "a fraction"),
    ("WORKERS", "٤", "another script's digit"),
    ("PROFILE", "baseline-2024", "a profile of the range"),
    ("PROFILE", "Strict", "capitals"),
    ("LOG_LEVEL", "trace", "no level of ours"),
    ("WEBHOOK_NETWORKS", "10.0.0.1/8", "a network with host bits"),
    ("WEBHOOK_NETWORKS", "0.0.0.0/0", "everything"),
    ("PICKED_ONE_IN", "19", "more often than is sensible"),
    ("PICKED_ONE_IN", "100000", "so rarely that it is nobody"),
    ("PICKED_ONE_IN", "0", "never, which is said by not saying it"),
    ("PICKED_ONE_IN", "1e3", "no whole number"),
    ("WEBHOOK_PORTS", "8443,", "nothing after a comma"),
    ("WEBHOOK_PORTS", "0", "port 0"),
    ("WEBHOOK_PORTS", "65536", "a port too high"),
    ("WEBHOOK_PORTS", ",".join(str(port) for port in range(1, 66)), "too many ports"),
    ("WEBHOOK_CA_FILE", "ca.pem", "a relative path"),
    ("WEBHOOK_PLAIN_LOOPBACK", "true", "neither yes nor no"),
    ("TRUSTED_PROXIES", "proxy.example", "a name"),
    ("TRUSTED_PROXIES", "10.0.0.1/8", "a network with host bits"),
    ("TRUSTED_PROXIES", "10.0.0.1,", "nothing after a comma"),
    ("TRUSTED_PROXIES", "0.0.0.0/0", "everybody"),
    ("TRUSTED_PROXIES", "10.0.0.1,::/0", "everybody on IPv6"),
    ("TRUSTED_PROXIES", ",".join(["10.0.0.1"] * 65), "too many"),
]


@pytest.mark.parametrize(
    ("name", "value"), [pytest.param(n, v, id=f"{n}: {why}") for n, v, why in WRONG]
)
def test_a_value_that_cannot_be_meant_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsWrongError, match=f"^TWINLOCK_{name} ") as refused:
        load(**{name: value})
    assert value not in str(refused.value).removeprefix(f"TWINLOCK_{name} ") or len(value) < 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORIGIN", "https://confirm.example"),
        ("ORIGIN", "https://confirm.example:8443"),
        ("ORIGIN", "https://xn--bcher-kva.example"),
        ("ORIGIN", "https://localhost:8443"),
        ("ORIGIN", "http://localhost"),
        ("LISTEN", "0.0.0.0:1"),
        ("LISTEN", "host.internal:65535"),
        ("WORKERS", "64"),
        ("LOG_ORIGIN", "l" * 255),
        ("TRUSTED_PROXIES", ",".join(["10.0.0.1"] * 64)),
        ("TRUSTED_PROXIES", "0.0.0.0/1"),
        ("DATABASE_URL", "postgres:///twinlock?host=/run/postgresql"),
    ],
)
def test_a_value_within_the_limits_is_taken(name: str, value: str) -> None:
    load(**{name: value})


def test_the_table_and_the_settings_know_the_same_names() -> None:
    shown = {row.name.removeprefix("TWINLOCK_").lower() for row in settings.describe()}
    held = set(Settings.__dataclass_fields__) - {"listen_host", "listen_port", "token", "mail"}
    held |= {"listen", "pkcs11_module", "pkcs11_token", "pkcs11_pin_file"}
    held |= {name.lower() for name in MAIL}

    assert shown == held


TOKEN = {"PKCS11_MODULE": "/m.so", "PKCS11_TOKEN": "t", "PKCS11_PIN_FILE": "/pin"}


@pytest.mark.parametrize("missing", TOKEN)
def test_a_token_is_named_whole(missing: str) -> None:
    with pytest.raises(SettingsWrongError, match="and they need it"):
        load(**{name: value for name, value in TOKEN.items() if name != missing})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PKCS11_MODULE", "m.so"),
        ("PKCS11_PIN_FILE", "../pin"),
        ("PKCS11_TOKEN", "ä" * 17),
        ("PKCS11_TOKEN", "\udcff"),
    ],
)
def test_a_token_that_cannot_be_meant_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsWrongError, match=f"TWINLOCK_{name}"):
        load(**TOKEN | {name: value})


def test_every_setting_is_described_with_unit_and_default() -> None:
    for row in settings.describe():
        assert row.unit
        assert row.default
        assert row.meaning.endswith(".")


def test_older_sites_are_rp_ids_with_an_origin_of_theirs() -> None:
    sites = "old.example@https://old.example, old.example@https://www.old.example:8443"
    loaded = settings.load({"TWINLOCK_LEGACY_ORIGINS": sites}, as_root=True)

    assert loaded.legacy_origins == (
        ("old.example", "https://old.example"),
        ("old.example", "https://www.old.example:8443"),
    )


@pytest.mark.parametrize(
    "sites",
    [
        "old.example",
        "https://old.example",
        "old.example@http://old.example",
        "old.example@https://notold.example",
        "www.old.example@https://old.example",
        "old.example@https://old.example/",
        "OLD.example@https://old.example",
        "@https://old.example",
        ",".join(["old.example@https://old.example"] * 65),
    ],
)
def test_an_older_site_that_cannot_be_meant_is_refused(sites: str) -> None:
    with pytest.raises(SettingsWrongError):
        settings.load({"TWINLOCK_LEGACY_ORIGINS": sites}, as_root=True)
