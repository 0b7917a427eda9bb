"""Letters for tests, and the settings by which they go to a test's own mail server."""

from pathlib import Path

from support.mail_server import MailServer
from support.stores import BEGINNING

from twinlock.adapters.mail.settings import IMPLICIT, PLAIN, STARTTLS, MailSettings
from twinlock.domain.ids import AccountId
from twinlock.domain.letters import Letter
from twinlock.domain.notices import NoticeKind

ALICES = "alice@example.com"
OUR_HOST = "confirm.example"


def settings_for(
    server: MailServer,
    *,
    host: str = "localhost",
    ca_file: Path | None = None,
    user: str = "",
    password_file: Path | None = None,
    connections: int = 2,
) -> MailSettings:
    """Return the settings for ``server``: with TLS where it has some."""
    tls = PLAIN if server.tls is None else IMPLICIT if server.implicit else STARTTLS
    return MailSettings(
        host=host,
        port=server.port,
        tls=tls,
        ca_file=ca_file,
        user=user,
        password_file=password_file,
        connections=connections,
        sender=("Exämple & Söhne", "no-reply@confirm.example"),
    )


def a_letter(address: str = ALICES, *, name: str = "ntc_one") -> Letter:
    """Return word of a listing that waits."""
    return Letter(
        account_id=AccountId("acc_alice"),
        channel_id="chn_mail",
        channel="email",
        address=address,
        kind=NoticeKind.WAITING,
        what="destination.add",
        at=BEGINNING.isoformat(),
        until=BEGINNING.replace(day=2).isoformat(),
        action_id="act_one",
        veto="secret",
        link="https://confirm.example/veto/act_one?c=chn_mail&t=secret",
        freeze="https://confirm.example/freeze/act_one?c=chn_mail&t=another",
        name=name,
    )
