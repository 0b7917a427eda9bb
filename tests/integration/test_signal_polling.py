"""Transmitters that are asked: keys fetched over HTTP, tokens polled, and what a bad one costs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.receivers import Answer, Receiver, raw, receiving, status
from support.stores import SteerableClock
from support.transmitters import AUDIENCE, ISSUER, Transmitter, email, mail_stream, public
from support.until import until

from twinlock.adapters.signals import keys as signal_keys
from twinlock.adapters.signals import polling
from twinlock.adapters.signals.keys import (
    AGAIN_SECONDS,
    FRESH_SECONDS,
    STALE_SECONDS,
    TransmitterKeys,
)
from twinlock.adapters.signals.polling import Polls
from twinlock.adapters.signals.streams import StreamFile
from twinlock.adapters.webhooks.asking import HttpAsk, NotAnsweredError
from twinlock.domain.errors import SealBrokenError, UnavailableError
from twinlock.domain.signal_streams import Stream
from twinlock.domain.webhooks.endpoints import Fault
from twinlock.domain.webhooks.targets import Reach
from twinlock.proofs.sets import SignalKeysStaleError, verify_set
from twinlock.services.signals import Heard

HERE = Reach(plain_loopback=True)
ALICE = email("alice@example.com")


@pytest.fixture
async def server() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


def says(body: object, code: int = 200) -> Answer:
    return status(code, "content-type: application/json", body=json.dumps(body).encode())


def published(*names: str) -> Answer:
    return says(json.loads(public(*names)))


class Seconds:
    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def keys(seconds: Seconds) -> TransmitterKeys:
    return TransmitterKeys(HttpAsk(HERE), seconds=seconds)


def fetched_from(server: Receiver) -> Stream:
    return mail_stream(keys="", keys_url=server.url())


# --- Keys ---


async def test_keys_are_fetched_once_and_kept(server: Receiver, keys: TransmitterKeys) -> None:
    server.otherwise = published("ec")
    stream = fetched_from(server)

    assert list(await keys.keys(stream, kid="ec")) == ["ec"]
    assert list(await keys.keys(stream, kid="ec")) == ["ec"]
    assert len(server.got) == 1


async def test_a_new_key_is_found_by_its_id_and_unknown_ids_make_no_flood(
    server: Receiver, keys: TransmitterKeys, seconds: Seconds
) -> None:
    server.otherwise = published("ec")
    stream = fetched_from(server)
    await keys.keys(stream, kid="ec")
    server.otherwise = published("ec", "ed")
    seconds.at += 1
    for _ in range(20):
        with pytest.raises(SignalKeysStaleError):  # It may come again: nobody knows yet.
            await keys.keys(stream, kid="ed")
    assert len(server.got) == 1
    seconds.at += AGAIN_SECONDS
    assert "ed" in await keys.keys(stream, kid="ed")


async def test_a_key_that_is_not_published_is_none_after_one_look(
    server: Receiver, keys: TransmitterKeys, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.otherwise = published("ec")
    stream = fetched_from(server)
    for kid in ("old", "old", "", "x" * 257):
        assert list(await keys.keys(stream, kid=kid)) == ["ec"]
        seconds.at += 1
    assert len(server.got) == 1

    monkeypatch.setattr(signal_keys, "SOUGHT_MOST", 1)
    for kid in ("older", "old"):  # Forgotten, and so looked for once more.
        with pytest.raises(SignalKeysStaleError):
            await keys.keys(stream, kid=kid)


async def test_a_key_that_was_withdrawn_verifies_nothing_an_hour_later(
    server: Receiver, keys: TransmitterKeys, seconds: Seconds
) -> None:
    server.otherwise = published("ec")
    stream = fetched_from(server)
    await keys.keys(stream, kid="ec")
    server.otherwise = published("ed")
    seconds.at += FRESH_SECONDS + 1

    assert list(await keys.keys(stream, kid="ec")) == ["ed"]


async def test_keys_that_cannot_be_fetched_go_on_for_a_day_and_then_fail_closed(
    server: Receiver, keys: TransmitterKeys, seconds: Seconds
) -> None:
    server.otherwise = published("ec")
    stream = fetched_from(server)
    await keys.keys(stream, kid="ec")
    server.otherwise = status(503)
    seconds.at += STALE_SECONDS
    assert "ec" in await keys.keys(stream, kid="ec")
    seconds.at += 1
    with pytest.raises(SignalKeysStaleError):
        await keys.keys(stream, kid="ec")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(status(302, "location: http://127.0.0.1:1/"), id="a redirect"),
        pytest.param(says({"keys": []}), id="no keys"),
        pytest.param(says("x" * 70_000), id="too long"),
        pytest.param(raw(b"HTTP/1.1 200 Fine\r\ncontent-length: 9\r\n\r\n{"), id="cut off"),
        pytest.param(raw(b"nonsense\r\n\r\n"), id="no HTTP"),
        pytest.param(raw(b"HTTP/1.1 103 Early\r\n\r\n" * 50_000, end="stay"), id="interim answers"),
    ],
)
async def test_what_is_no_key_set_is_none(
    server: Receiver, keys: TransmitterKeys, answer: Answer
) -> None:
    server.otherwise = answer
    with capture_logs() as logged, pytest.raises(SignalKeysStaleError):
        await keys.keys(fetched_from(server), kid="ec")
    [said] = logged
    assert (said["event"], said["stream"]) == ("signal_keys_wait", "mail")


async def test_keys_of_a_file_need_no_server(keys: TransmitterKeys) -> None:
    assert set(await keys.keys(mail_stream(), kid="ec")) == {"rsa", "ec", "ed"}
    with pytest.raises(SignalKeysStaleError):
        await keys.keys(mail_stream(keys="{}"), kid="ec")


async def test_an_address_of_our_own_network_is_not_asked() -> None:
    with pytest.raises(NotAnsweredError) as refused:
        await HttpAsk(Reach()).ask("https://10.0.0.1/keys", most=10)
    assert refused.value.fault is Fault.ADDRESS_REFUSED


# --- Polls ---


class Deciding:
    """Decides as the service does, on nothing but the token, or says what a test wants."""

    def __init__(self, clock: SteerableClock) -> None:
        self._clock = clock
        self.heard: list[str] = []
        self.down = False

    async def __call__(self, stream: Stream, token: str) -> Heard:
        if self.down:
            raise UnavailableError("no database")
        read = await TransmitterKeys(HttpAsk(HERE), seconds=lambda: 0.0).keys(stream, kid="")
        now = self._clock.now()
        event = verify_set(token, keys=read, issuer=ISSUER, audience=AUDIENCE, now=now)
        self.heard.append(event.jti)
        return Heard()


@pytest.fixture
def clock() -> SteerableClock:
    return SteerableClock()


@pytest.fixture
def decide(clock: SteerableClock) -> Deciding:
    return Deciding(clock)


Polled = Callable[..., Polls]


@pytest.fixture
def polled(server: Receiver, decide: Deciding, tmp_path: Path) -> Polled:
    def make(**changes: str) -> Polls:
        streams = StreamFile(tmp_path / "streams")
        streams.add(mail_stream(poll_url=server.url(), **changes))
        streams.add(mail_stream(stream_id="pushes"))
        return Polls(streams, HttpAsk(HERE), decide)

    return make


async def test_what_was_decided_is_acknowledged_with_the_next_question(
    server: Receiver, decide: Deciding, polled: Polled, clock: SteerableClock
) -> None:
    mail = Transmitter(clock.at)
    answers = [says({"sets": {"jti-1": mail.token(ALICE)}}), says({"sets": {}})]
    server.answers.extend(answers)
    await polled().look()

    assert decide.heard == ["jti-1"]
    asked = [one.value for one in server.got]
    assert asked == [
        {"maxEvents": 20, "returnImmediately": True},
        {"ack": ["jti-1"], "maxEvents": 20, "returnImmediately": True},
    ]


async def test_what_does_not_hold_is_said_to_be_wrong(
    server: Receiver, decide: Deciding, polled: Polled, clock: SteerableClock
) -> None:
    forged = Transmitter(clock.at).token(ALICE, aud="https://other.example")
    server.answers.extend([says({"sets": {"a": forged, "b": 7}}), says({"sets": {}})])
    await polled().look()

    told = server.got[-1].value["setErrs"]
    assert (told["a"]["err"], told["b"]["err"]) == ("invalid_audience", "invalid_request")
    assert decide.heard == []


async def test_what_cannot_be_decided_now_is_neither_and_comes_again(
    server: Receiver, decide: Deciding, polled: Polled, clock: SteerableClock
) -> None:
    token = Transmitter(clock.at).token(ALICE)
    polls = polled()
    decide.down = True
    server.answers.append(says({"sets": {"jti-1": token}}))
    await polls.look()
    decide.down = False
    server.answers.extend([says({"sets": {"jti-1": token}}), says({"sets": {}})])
    await polls.look()

    assert "ack" not in server.got[1].value
    assert server.got[2].value["ack"] == ["jti-1"]


async def test_an_account_that_cannot_decide_keeps_no_other_from_being_heard(
    server: Receiver, tmp_path: Path
) -> None:
    """It is not acknowledged: once the account is mended its signal counts."""
    heard = []

    async def decide(_: Stream, token: str) -> Heard:
        if token == "broken":  # noqa: S105 - it stands for a signal
            raise SealBrokenError("its document does not open")
        heard.append(token)
        return Heard()

    streams = StreamFile(tmp_path / "streams")
    streams.add(mail_stream(poll_url=server.url()))
    server.answers.extend([says({"sets": {"a": "broken", "b": "sound"}}), says({"sets": {}})])
    await Polls(streams, HttpAsk(HERE), decide).look()

    assert heard == ["sound"]
    assert server.got[1].value["ack"] == ["b"]
    assert "setErrs" not in server.got[1].value


async def test_more_is_fetched_while_there_is_more(
    server: Receiver, decide: Deciding, polled: Polled, clock: SteerableClock
) -> None:
    mail = Transmitter(clock.at)
    one = says({"sets": {"jti-1": mail.token(ALICE)}, "moreAvailable": True})
    two = says({"sets": {"jti-2": mail.token(ALICE)}})
    server.answers.extend([one, two, says({"sets": {}})])
    await polled().look()

    assert decide.heard == ["jti-1", "jti-2"]


@pytest.mark.parametrize("answer", [says([]), says({"sets": []}), status(500), raw(b"x")])
async def test_a_transmitter_that_answers_nonsense_stops_nobody(
    server: Receiver, decide: Deciding, polled: Polled, answer: Answer
) -> None:
    server.otherwise = answer
    await polled().look()

    assert decide.heard == []


async def test_a_transmitter_that_does_not_answer_keeps_no_other_waiting(
    server: Receiver, decide: Deciding, tmp_path: Path, clock: SteerableClock
) -> None:
    """Prevents: a hostile transmitter behind which a mail provider's warning comes too late."""
    streams = StreamFile(tmp_path / "streams")
    token = Transmitter(clock.at).token(ALICE)
    server.answers.append(says({"sets": {"jti-1": token}}))
    server.otherwise = says({"sets": {}})
    async with receiving() as hostile:
        hostile.otherwise = raw(b"", end="silence")
        streams.add(mail_stream(stream_id="a-hostile-one", poll_url=hostile.url()))
        streams.add(mail_stream(poll_url=server.url()))
        look = asyncio.create_task(Polls(streams, HttpAsk(HERE), decide).look())
        await until(lambda: decide.heard == ["jti-1"], within=5.0)
        look.cancel()
        with suppress(asyncio.CancelledError):
            await look


async def test_a_transmitter_that_always_has_more_is_left_until_the_next_look(
    server: Receiver, polled: Polled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "DRAIN_SECONDS", 0.0)
    server.otherwise = says({"sets": {}, "moreAvailable": True})
    await polled().look()

    assert len(server.got) == 1


async def test_what_nobody_expected_is_not_swallowed(server: Receiver, tmp_path: Path) -> None:
    async def broken(_: Stream, __: str) -> Heard:
        raise ZeroDivisionError

    streams = StreamFile(tmp_path / "streams")
    streams.add(mail_stream(poll_url=server.url()))
    server.answers.append(says({"sets": {"jti-1": "a token"}}))

    with pytest.raises(ZeroDivisionError):
        await Polls(streams, HttpAsk(HERE), broken).look()


async def test_the_agreed_token_is_shown(server: Receiver, polled: Polled, tmp_path: Path) -> None:
    shared = tmp_path / "bearer"
    shared.write_text("a shared secret")
    shared.chmod(0o600)
    server.otherwise = says({"sets": {}})
    await polled(token_file=str(shared)).look()

    assert server.got[0].headers["authorization"] == "Bearer a shared secret"
