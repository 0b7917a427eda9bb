"""The settings of mail: what can be meant, and that nothing goes out in clear."""

from pathlib import Path

import pytest

from twinlock.adapters import settings
from twinlock.adapters.mail.settings import MailSettings
from twinlock.domain.errors import SettingsWrongError

LEAST = {"SMTP_SERVER": "mail.example:587", "MAIL_FROM": "no-reply@example.com"}


def load(**variables: str) -> MailSettings | None:
    named = {f"TWINLOCK_{name}": value for name, value in variables.items()}
    return settings.load(named, as_root=True).mail


def test_a_server_and_a_sender_are_enough_and_mean_tls() -> None:
    assert load() is None
    assert load(**LEAST) == MailSettings(
        host="mail.example",
        port=587,
        tls="starttls",
        ca_file=None,
        user="",
        password_file=None,
        connections=4,
        sender=("", "no-reply@example.com"),
    )


@pytest.mark.parametrize("server", ["127.0.0.1:25", "127.8.8.8:1025", "[::1]:25"])
def test_without_tls_mail_goes_to_this_machine(server: str) -> None:
    loaded = load(**{**LEAST, "SMTP_SERVER": server, "SMTP_TLS": "plain-loopback"})

    assert loaded is not None
    assert loaded.host in ("127.0.0.1", "127.8.8.8", "::1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_TLS", "none"),
        ("SMTP_TLS", "plain-loopback"),  # mail.example may lead anywhere.
        ("SMTP_SERVER", "mail.example"),
        ("SMTP_SERVER", "mail.example:0"),
        ("SMTP_SERVER", "mail.example:65536"),
        ("SMTP_SERVER", "smtp://mail.example:587"),
        ("SMTP_USER", "twinlock"),
        ("SMTP_PASSWORD_FILE", "/srv/password"),
        ("SMTP_CONNECTIONS", "0"),
        ("SMTP_CONNECTIONS", "65"),
        ("SMTP_CONNECTIONS", "many"),
        ("SMTP_CA_FILE", "ca.pem"),
        ("MAIL_FROM", "no-reply"),
        ("MAIL_FROM", "no-reply@"),
        ("MAIL_FROM", "@example.com"),
        ("MAIL_FROM", "nö-reply@example.com"),
        ("MAIL_FROM", "Us\r\nBcc: mallory@example.com <no-reply@example.com>"),
        ("MAIL_FROM", f"{'a' * 250}@example.com"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsWrongError, match="TWINLOCK_") as refused:
        load(**{**LEAST, name: value})
    assert value not in str(refused.value)


@pytest.mark.parametrize("name", ["SMTP_TLS", "MAIL_FROM", "SMTP_USER", "SMTP_CA_FILE"])
def test_a_setting_of_mail_needs_the_server(name: str) -> None:
    with pytest.raises(SettingsWrongError, match=f"TWINLOCK_{name} needs SMTP_SERVER"):
        load(**{name: str(Path("/srv/x"))})


def test_a_server_needs_a_sender() -> None:
    with pytest.raises(SettingsWrongError, match="MAIL_FROM"):
        load(SMTP_SERVER="mail.example:587")
