"""Mail goes to a real server, by TLS that was checked, and what the server says is taken so."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.mail_server import MailServer, mail_server
from support.mails import ALICES, OUR_HOST, a_letter, settings_for
from support.receivers import Authority, new_authority
from support.until import until

from twinlock.adapters.mail import sending
from twinlock.adapters.mail.sending import SmtpMail
from twinlock.adapters.mail.settings import IMPLICIT, STARTTLS, MailSettings
from twinlock.domain.deliveries import Fate, Fault


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return new_authority(tmp_path)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as running:
        yield running


async def sent(settings: MailSettings, *addresses: str) -> list[Fate]:
    """Send a letter to each address, one after another, and end the connections."""
    mail = SmtpMail(settings, host=OUR_HOST)
    try:
        return [
            await mail.send(a_letter(address, name=f"ntc_{number}"))
            for number, address in enumerate(addresses or (ALICES,))
        ]
    finally:
        await mail.close()


async def test_a_message_arrives_as_it_was_meant(server: MailServer) -> None:
    assert await sent(settings_for(server)) == [Fate()]
    (mail,) = server.mails
    message = mail.message

    assert (mail.sender, mail.to) == ("no-reply@confirm.example", (ALICES,))
    assert message["From"] == "Exämple & Söhne <no-reply@confirm.example>"
    assert message["To"] == ALICES
    assert message["Subject"] == "Waiting: adding an address for withdrawals"
    assert message["Message-ID"] == "<ntc_0@confirm.example>"
    assert message["Date"].datetime.isoformat() == a_letter().at
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] is None
    assert a_letter().link in mail.text
    assert a_letter().freeze in mail.text
    assert "2 Mar 2026 12:00 UTC" in mail.text
    assert "<img" not in mail.html
    assert mail.html.count("https://") == 2


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit TLS"])
async def test_tls_and_sign_in(authority: Authority, tmp_path: Path, *, implicit: bool) -> None:
    password = tmp_path / "password"
    password.write_text("pässword with spaces \n")
    password.chmod(0o600)
    tls = authority.server("localhost")
    users = {"twinlock": "pässword with spaces "}
    async with mail_server(tls=tls, implicit=implicit, users=users) as server:
        given = settings_for(
            server, ca_file=authority.ca_file, user="twinlock", password_file=password
        )
        fates = await sent(given, ALICES, "bob@example.com")

    assert fates == [Fate(), Fate()]
    assert [(one.tls, one.user) for one in server.mails] == [(True, "twinlock")] * 2


async def test_a_wrong_password_is_the_carrier_s_fault(
    authority: Authority, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("wrong")
    password.chmod(0o600)
    async with mail_server(tls=authority.server("localhost"), users={"twinlock": "x"}) as server:
        given = settings_for(
            server, ca_file=authority.ca_file, user="twinlock", password_file=password
        )
        assert await sent(given) == [Fate(Fault.SIGN_IN_REFUSED, carrier=True)]
        password.chmod(0o644)
        assert await sent(given) == [Fate(Fault.SIGN_IN_REFUSED, carrier=True)]
        password.unlink()
        assert await sent(given) == [Fate(Fault.SIGN_IN_REFUSED, carrier=True)]
    assert server.mails == []


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit TLS"])
@pytest.mark.parametrize("wrong", ["another name", "nobody trusts it", "expired"])
async def test_a_certificate_that_is_not_right_gets_nothing(
    authority: Authority, *, implicit: bool, wrong: str
) -> None:
    """Prevents: a veto link and a code for whoever stands between."""
    name = "mail.example" if wrong == "another name" else "localhost"
    tls = authority.server(name, expired=wrong == "expired")
    async with mail_server(tls=tls, implicit=implicit) as server:
        ca_file = None if wrong == "nobody trusts it" else authority.ca_file
        assert await sent(settings_for(server, ca_file=ca_file)) == [
            Fate(Fault.TLS_REFUSED, carrier=True)
        ]
    assert server.mails == []


async def test_a_server_without_tls_gets_nothing_where_tls_is_asked_for(
    server: MailServer,
) -> None:
    """Prevents: somebody on the way who takes the word STARTTLS out (STRIPTLS)."""
    plain = settings_for(server)
    fates = [(await sent(_with(plain, tls)))[0].fault for tls in (STARTTLS, IMPLICIT)]

    assert fates == [Fault.TLS_REFUSED, Fault.TLS_REFUSED]
    assert server.mails == []


def _with(settings: MailSettings, tls: str) -> MailSettings:
    from dataclasses import replace  # noqa: PLC0415 - its only use

    return replace(settings, tls=tls)


@pytest.mark.parametrize(
    ("command", "said", "fate"),
    [
        ("RCPT", "450 come later", Fate(Fault.PUT_OFF, status=450)),
        ("RCPT", "550 nobody here", Fate(Fault.REFUSED, final=True, status=550)),
        ("DATA", "451 greylisted", Fate(Fault.PUT_OFF, status=451)),
        ("DATA", "554 no", Fate(Fault.REFUSED, final=True, status=554)),
        ("MAIL", "451 later", Fate(Fault.PUT_OFF, status=451)),
        # About our sender, which its operator repairs: nothing is lost meanwhile.
        ("MAIL", "550 you may not", Fate(Fault.PUT_OFF, status=550)),
        ("RCPT", "421 closing", Fate(Fault.PUT_OFF, status=421)),
    ],
)
async def test_what_the_server_says_is_of_one_message(
    server: MailServer, command: str, said: str, fate: Fate
) -> None:
    server.says[command] = [said]

    assert await sent(settings_for(server), ALICES, "bob@example.com") == [fate, Fate()]
    assert [one.to for one in server.mails] == [("bob@example.com",)]


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_connection_that_ends_in_the_middle_is_no_delivery(
    server: MailServer, command: str
) -> None:
    server.cuts.add(command)
    (fate,) = await sent(settings_for(server))

    assert (fate.fault, fate.final, fate.carrier) == (Fault.CUT_OFF, False, False)
    assert fate.begun is (command == "DATA")
    assert server.mails == []


async def test_what_was_taken_without_an_answer_is_sent_again_as_the_same(
    server: MailServer,
) -> None:
    server.says["DATA"] = ["taken "]
    (first,) = await sent(settings_for(server))
    (second,) = await sent(settings_for(server))

    assert (first.fault, second.fault) == (Fault.CUT_OFF, None)
    assert len({one.message["Message-ID"] for one in server.mails}) == 1
    assert len({one.data for one in server.mails}) == 1


@pytest.mark.parametrize("command", ["EHLO", "RCPT", "DATA"])
async def test_a_server_that_hangs_costs_its_time_and_no_more(
    server: MailServer, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "COMMAND_SECONDS", 0.2)
    server.hangs.add(command)
    (fate,) = await sent(settings_for(server))

    assert fate.fault in (Fault.TIMED_OUT, Fault.UNREACHABLE)
    assert not fate.final
    assert fate.carrier is (command == "EHLO")


async def test_a_server_that_speaks_slowly_for_ever_is_given_up(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: a tarpit to which each attempt leaves one more connection open."""
    monkeypatch.setattr(sending, "ATTEMPT_SECONDS", 0.2)
    server.hangs.add("DATA")
    fates = await sent(settings_for(server))
    await until(lambda: server.ended == server.connections, within=2.0)

    assert fates == [Fate(Fault.TIMED_OUT)]


async def test_what_was_taken_stays_taken_however_slow_the_goodbye_is(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: the same message twice, since its server hangs once it has taken it."""
    monkeypatch.setattr(sending, "ATTEMPT_SECONDS", 0.5)
    monkeypatch.setattr(sending, "MESSAGES_MOST", 1)
    server.hangs.add("QUIT")

    assert await sent(settings_for(server)) == [Fate()]
    assert len(server.mails) == 1


async def test_nobody_there_is_the_carrier_s_fault() -> None:
    async with mail_server() as server:
        given = settings_for(server)

    assert await sent(given) == [Fate(Fault.UNREACHABLE, carrier=True)]


async def test_a_server_that_is_busy_is_the_carrier_s_fault(server: MailServer) -> None:
    server.says["EHLO"] = ["421 too busy", "421 too busy"]
    (fate,) = await sent(settings_for(server))

    assert (fate.carrier, fate.final) == (True, False)


async def test_connections_are_kept_and_one_that_was_closed_meanwhile_costs_nothing(
    server: MailServer,
) -> None:
    mail = SmtpMail(settings_for(server), host=OUR_HOST)
    assert [await mail.send(a_letter(name=f"ntc_{n}")) for n in range(5)] == [Fate()] * 5
    assert server.connections == 1
    server.hang_up()
    assert await mail.send(a_letter(name="ntc_after")) == Fate()
    await mail.close()

    assert (server.connections, len(server.mails)) == (2, 6)


async def test_connections_that_were_idle_or_used_often_are_not_used_again(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = SmtpMail(settings_for(server), host=OUR_HOST)
    await mail.send(a_letter())
    monkeypatch.setattr(sending, "IDLE_SECONDS", 0.0)
    await mail.send(a_letter())
    assert server.connections == 2
    monkeypatch.undo()
    monkeypatch.setattr(sending, "MESSAGES_MOST", 2)
    for _ in range(3):
        await mail.send(a_letter())
    await mail.close()

    assert server.connections == 3
    assert len(server.mails) == 5


async def test_several_messages_go_side_by_side(server: MailServer) -> None:
    mail = SmtpMail(settings_for(server, connections=3), host=OUR_HOST)
    fates = await asyncio.gather(*(mail.send(a_letter(name=f"ntc_{n}")) for n in range(3)))
    await mail.close()

    assert fates == [Fate()] * 3
    assert mail.lanes == 3
    assert {one.message["Message-ID"] for one in server.mails} == {
        f"<ntc_{n}@confirm.example>" for n in range(3)
    }


@pytest.mark.parametrize(
    "address",
    [
        "alice",
        "alice@",
        "@example.com",
        "alice@example.com\r\nRCPT TO:<mallory@example.com>",
        "alice@example.com, mallory@example.com",
        "alice@example.com>, <mallory@example.com",
        "Alice <alice@example.com>",
        "(comment)alice@example.com",
        "alïce@example.com",
        "alice @example.com",
        "a" * 250 + "@example.com",
        "alice@exa\u0000mple.com",
    ],
)
async def test_what_is_no_single_address_is_refused_before_anything_is_said(
    server: MailServer, address: str
) -> None:
    """Prevents: a second recipient, or a command, in what a customer calls an address."""
    assert await sent(settings_for(server), address) == [Fate(Fault.ADDRESS_REFUSED, final=True)]
    assert (server.connections, server.mails) == (0, [])
