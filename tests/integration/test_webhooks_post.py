"""What is sent to an endpoint, and how little an endpoint can do to us, on real servers."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.receivers import (
    Answer,
    Authority,
    Receiver,
    dripping,
    new_authority,
    raw,
    receiving,
    status,
)

from twinlock.adapters.webhooks import sending as webhooks
from twinlock.adapters.webhooks.sending import HttpPost, SystemResolver, UnresolvedError
from twinlock.domain.webhooks.endpoints import Fault
from twinlock.domain.webhooks.outcomes import Message, MessageType
from twinlock.domain.webhooks.targets import Reach

MESSAGE = Message(
    message_id="msg_" + "a" * 26,
    kind=MessageType.ACTION_HELD,
    body=b'{"data":{},"type":"action.held"}',
    index=7,
    at=datetime(2026, 3, 1, tzinfo=UTC),
)
HEADERS = {"webhook-id": MESSAGE.message_id, "webhook-timestamp": "1", "webhook-signature": "v1,x"}
PLAIN = HttpPost(Reach(plain_loopback=True))
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
OK = b"HTTP/1.1 200 OK\r\n"


class Names:
    """A resolver that a test drives: each name's answers, the last of which is given for good."""

    def __init__(self, **answers: list[tuple[str, ...]]) -> None:
        self.answers = {name.replace("_", "."): given for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        given = self.answers.get(host)
        if given is None:
            raise UnresolvedError
        return given.pop(0) if len(given) > 1 else given[0]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("ca"))


async def send(
    post: HttpPost, url: str, headers: Mapping[str, str] = HEADERS
) -> tuple[Fault | None, int]:
    async with post.session(url) as session:
        return await session.send(MESSAGE, headers)


def private(
    authority: Authority | None, names: Names, *ports: int, allowed: bool = True
) -> HttpPost:
    """Return the way to names that lead to loopback, where the operator allows that."""
    reach = Reach(networks=(LOOPBACK,) if allowed else (), ports=frozenset(ports))
    return HttpPost(reach, ca_file=authority.ca_file if authority else None, resolve=names)


# --- What is sent ---


async def test_a_message_is_posted_and_nothing_else_goes_along(receiver: Receiver) -> None:
    assert await send(PLAIN, receiver.url("/hooks?a=b")) == (None, 204)

    got = receiver.got[0]
    assert got.line == "POST /hooks?a=b HTTP/1.1"
    assert got.body == MESSAGE.body
    assert got.headers == {
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-length": str(len(MESSAGE.body)),
        "content-type": "application/json",
        "host": f"127.0.0.1:{receiver.port}",
        "user-agent": "twinlock-webhooks/1",
        **HEADERS,
    }


async def test_a_proxy_of_the_environment_is_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))

        assert await send(PLAIN, receiver.url()) == (None, 204)

        assert proxy.connections == 0


async def test_a_session_keeps_its_connection(receiver: Receiver) -> None:
    async with PLAIN.session(receiver.url()) as session:
        for _ in range(3):
            assert await session.send(MESSAGE, HEADERS) == (None, 204)

    assert [one.connection for one in receiver.got] == [1, 1, 1]


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_kept_connection_that_was_closed_meanwhile_costs_no_message(
    receiver: Receiver, end: str
) -> None:
    async with PLAIN.session(receiver.url()) as session:
        await session.send(MESSAGE, HEADERS)
        receiver.answers.append(raw(b"", end=end))  # On the kept one, without an answer.
        assert await session.send(MESSAGE, HEADERS) == (None, 204)

    assert [one.connection for one in receiver.got] == [1, 1, 2]


# --- What comes back ---


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (status(200), (None, 200)),
        (status(202, body=b"x" * 1_000), (None, 202)),
        (status(400), (Fault.STATUS, 400)),
        (status(404), (Fault.STATUS, 404)),
        (status(410), (Fault.GONE, 410)),
        (status(429, "retry-after: 1"), (Fault.STATUS, 429)),
        (status(500), (Fault.STATUS, 500)),
        (status(503), (Fault.STATUS, 503)),
        (raw(OK + b"content-length: 0\r\nconnection: close\r\n\r\n"), (None, 200)),
        (raw(OK + b"\r\nsome words, then the end"), (None, 200)),
        (raw(OK + b"\r\nhalf of it", end="half"), (None, 200)),
        (raw(OK + b"content-length: 100\r\n\r\nless"), (None, 200)),
        (raw(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n"), (None, 200)),
        (raw(OK + b"content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc"), (None, 200)),
        (raw(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 0\r\n\r\n"), (None, 200)),
        (raw(b""), (Fault.CUT_OFF, 0)),
        (raw(b"", end="half"), (Fault.CUT_OFF, 0)),
        (raw(b"", end="reset"), (Fault.CUT_OFF, 0)),
        (raw(b"HTTP/1.1 2"), (Fault.CUT_OFF, 0)),
        (raw(OK + b"a-header: and then"), (Fault.CUT_OFF, 0)),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), (Fault.CUT_OFF, 0)),
        (raw(b"HTTP/1.1 700 Odd\r\ncontent-length: 0\r\n\r\n"), (Fault.STATUS, 700)),
        (raw(b"HTTP/1.1 99 Odd\r\n\r\n"), (Fault.CUT_OFF, 0)),
        (raw(OK + b"content-length: -1\r\n\r\n"), (Fault.CUT_OFF, 0)),
        (raw(OK + b"x: " + b"y" * 1_000_000, end="close"), (Fault.CUT_OFF, 0)),
    ],
)
async def test_an_answer_is_judged_by_its_status_alone(
    receiver: Receiver, answer: Answer, expected: tuple[Fault | None, int]
) -> None:
    receiver.otherwise = answer

    assert await send(PLAIN, receiver.url()) == expected

    assert receiver.connections == 1


@pytest.mark.parametrize("code", [300, 301, 302, 303, 304, 307, 308])
async def test_a_redirect_is_not_followed(receiver: Receiver, code: int) -> None:
    async with receiving() as inside:
        receiver.otherwise = status(code, f"location: {inside.url('/secret')}")

        assert await send(PLAIN, receiver.url()) == (Fault.REDIRECTED, code)

        assert inside.connections == 0


SLOW: dict[str, Answer] = {
    "silent": raw(b"", end="stay"),
    "a header that never ends": dripping(OK, b"x: y\r\n"),
    "a line that never ends": dripping(b"HTTP/1.1 200 O", b"k"),
    "informational answers without end": dripping(b"", b"HTTP/1.1 103 Early\r\n\r\n"),
}


@pytest.mark.parametrize("name", SLOW)
async def test_a_slow_answer_ends_the_attempt(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(webhooks, "ATTEMPT_SECONDS", 0.4)
    receiver.otherwise = SLOW[name]
    began = asyncio.get_running_loop().time()

    assert await send(PLAIN, receiver.url()) == (Fault.TIMED_OUT, 0)

    assert asyncio.get_running_loop().time() - began < 2


@pytest.mark.parametrize("kept", [False, True], ids=["at once", "on a kept connection"])
async def test_interim_answers_without_end_are_cut_off_before_they_keep_others_waiting(
    receiver: Receiver, kept: bool
) -> None:
    """Prevents: a receiver that has the process read nothing else for ten seconds."""
    if kept:
        receiver.answers.append(status(204))
    receiver.otherwise = dripping(b"", b"HTTP/1.1 103 Early\r\n\r\n" * 2_000, seconds=0)

    async with PLAIN.session(receiver.url()) as session:
        if kept:
            assert await session.send(MESSAGE, HEADERS) == (None, 204)
        assert await session.send(MESSAGE, HEADERS) == (Fault.CUT_OFF, 0)


@pytest.mark.parametrize(
    "answer",
    [
        dripping(OK + b"content-length: 1000000\r\n\r\n", b"x"),
        dripping(OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        dripping(OK + b"content-length: 99999999999\r\n\r\n", b"x" * 65_536, seconds=0),
    ],
    ids=["slow", "slow chunks", "huge"],
)
async def test_a_body_without_end_is_not_read(receiver: Receiver, answer: Answer) -> None:
    receiver.answers.append(answer)
    began = asyncio.get_running_loop().time()

    async with PLAIN.session(receiver.url()) as session:
        assert await session.send(MESSAGE, HEADERS) == (None, 200)
        assert await session.send(MESSAGE, HEADERS) == (None, 204)

    assert asyncio.get_running_loop().time() - began < 3
    assert [one.connection for one in receiver.got] == [1, 2]


async def test_a_server_that_does_not_read_ends_the_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "ATTEMPT_SECONDS", 0.4)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)  # The kernel accepts; nobody reads or answers.

        url = f"http://127.0.0.1:{listening.getsockname()[1]}/x"
        assert await send(PLAIN, url) == (Fault.TIMED_OUT, 0)


async def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: connections are refused.

        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        assert await send(PLAIN, url) == (Fault.UNREACHABLE, 0)


# --- TLS, names and addresses ---


async def test_tls_is_spoken_under_the_name_of_the_url(authority: Authority) -> None:
    async with receiving(tls=authority.server("hooks.example")) as receiver:
        names = Names(hooks_example=[("127.0.0.1",)])

        sent = await send(
            private(authority, names, receiver.port),
            receiver.url("/x", scheme="https", host="hooks.example"),
        )

    assert sent == (None, 204)
    assert receiver.got[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_tls_works_for_an_address_too(authority: Authority) -> None:
    async with receiving(tls=authority.server("127.0.0.1")) as receiver:
        reach = Reach(networks=(LOOPBACK,), ports=frozenset({receiver.port}))
        post = HttpPost(reach, ca_file=authority.ca_file)

        assert await send(post, receiver.url("/x", scheme="https")) == (None, 204)


@pytest.mark.parametrize(
    ("certified", "expired", "trusted"),
    [
        ("other.example", False, True),
        ("hooks.example", True, True),
        ("hooks.example", False, False),
    ],
    ids=["another name", "expired", "nobody's authority"],
)
async def test_a_certificate_that_proves_nothing_gets_no_message(
    authority: Authority, certified: str, *, expired: bool, trusted: bool
) -> None:
    async with receiving(tls=authority.server(certified, expired=expired)) as receiver:
        names = Names(hooks_example=[("127.0.0.1",)])
        post = private(authority if trusted else None, names, receiver.port)

        sent = await send(post, receiver.url("/x", scheme="https", host="hooks.example"))

    assert sent == (Fault.TLS_REFUSED, 0)
    assert receiver.got == []


async def test_plain_http_behind_an_https_url_is_refused(authority: Authority) -> None:
    heard: list[bytes] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4_096))
        writer.write(OK + b"content-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        post = private(authority, Names(hooks_example=[("127.0.0.1",)]), port)

        sent = await send(post, f"https://hooks.example:{port}/x")

    assert sent == (Fault.TLS_REFUSED, 0)
    assert MESSAGE.body not in b"".join(heard)


async def test_a_private_address_is_not_reached_unless_a_setting_names_it(
    authority: Authority,
) -> None:
    async with receiving(tls=authority.server("hooks.example")) as receiver:
        names = Names(hooks_example=[("127.0.0.1",)])
        post = private(authority, names, receiver.port, allowed=False)

        sent = await send(post, receiver.url("/x", scheme="https", host="hooks.example"))

    assert sent == (Fault.ADDRESS_REFUSED, 0)
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        ("8.8.8.8", "10.0.0.1"),
        ("10.0.0.1", "8.8.8.8"),
        ("169.254.169.254",),
        ("::ffff:169.254.169.254",),
        ("64:ff9b::a9fe:a9fe",),
        ("fe80::1%lo",),
        tuple(f"8.8.8.{number}" for number in range(17)),
    ],
    ids=lambda answer: f"{answer[0]} of {len(answer)}",
)
async def test_one_address_that_may_not_be_reached_refuses_the_name(
    answer: tuple[str, ...],
) -> None:
    post = HttpPost(Reach(), resolve=Names(hooks_example=[answer]))

    assert await send(post, "https://hooks.example/x") == (Fault.ADDRESS_REFUSED, 0)


async def test_a_name_that_changes_its_address_is_reached_where_it_was_judged(
    authority: Authority,
) -> None:
    """Rebinding: one answer for the judgement, another for the connection, is not possible."""
    async with (
        receiving(tls=authority.server("hooks.example")) as receiver,
        receiving(tls=authority.server("hooks.example"), host="127.0.0.2") as inside,
    ):
        names = Names(hooks_example=[("127.0.0.1",), ("127.0.0.2",)])
        only = ipaddress.ip_network("127.0.0.1/32")
        reach = Reach(networks=(only,), ports=frozenset({receiver.port, inside.port}))
        post = HttpPost(reach, ca_file=authority.ca_file, resolve=names)
        url = receiver.url("/x", scheme="https", host="hooks.example")

        assert await send(post, url) == (None, 204)
        assert await send(post, url) == (Fault.ADDRESS_REFUSED, 0)

    assert names.asked == ["hooks.example", "hooks.example"]
    assert inside.connections == 0


async def test_a_second_address_is_tried_where_nobody_listens_at_the_first(
    authority: Authority,
) -> None:
    async with receiving(tls=authority.server("hooks.example")) as receiver:
        names = Names(hooks_example=[("127.0.0.2", "127.0.0.1")])
        post = private(authority, names, receiver.port)
        url = receiver.url("/x", scheme="https", host="hooks.example")

        assert await send(post, url) == (None, 204)


async def test_a_name_that_leads_nowhere_is_told_as_that() -> None:
    post = HttpPost(Reach(), resolve=Names(none_example=[()]))

    assert await send(post, "https://unknown.example/x") == (Fault.UNRESOLVED, 0)
    assert await send(post, "https://none.example/x") == (Fault.UNRESOLVED, 0)


async def test_a_resolver_that_hangs_ends_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "ATTEMPT_SECONDS", 0.2)

    async def hang(_: str) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()

    post = HttpPost(Reach(), resolve=hang)

    assert await send(post, "https://hooks.example/x") == (Fault.TIMED_OUT, 0)


async def test_a_url_that_the_settings_do_not_allow_any_more_gets_nothing(
    receiver: Receiver,
) -> None:
    assert await send(HttpPost(Reach()), receiver.url()) == (Fault.ADDRESS_REFUSED, 0)

    assert receiver.connections == 0


async def test_the_systems_resolver_knows_this_machine() -> None:
    resolve = SystemResolver()

    assert set(await resolve("localhost")) & {"127.0.0.1", "::1"}
    assert await resolve("127.0.0.1") == ("127.0.0.1",)


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 64 + ".example"])
async def test_a_name_that_nobody_can_look_up_is_unresolved(host: str) -> None:
    with pytest.raises(UnresolvedError):
        await SystemResolver()(host)


async def test_a_missing_file_of_authorities_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        HttpPost(Reach(), ca_file=tmp_path / "none.pem")
