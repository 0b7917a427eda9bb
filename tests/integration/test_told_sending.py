"""Signals that are pushed: to a real server, once, again after a failure, and to nobody else."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry, generate_latest
from support.hooks import HERE, until
from support.postgres import TestDatabase
from support.receivers import Receiver, receiving, status
from support.stores import ENTROPY, Customer, SteerableClock, commanded, opened, several
from support.told import EVERY_KIND

from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.keyring.signing import KeyringTokens
from twinlock.adapters.sql import told_streams
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.told_streams import SqlToldStreams
from twinlock.adapters.transmitting.pumps import Pumps, Report, transmitting
from twinlock.adapters.transmitting.receivers import ReceiverFile, digest_of
from twinlock.adapters.webhooks.sending import HttpPost
from twinlock.api.transmitting import TokenWebKeys, web_key
from twinlock.domain.canonical import decode, encode, from_b64url
from twinlock.domain.commands import EndSession
from twinlock.domain.errors import SealBrokenError
from twinlock.domain.signal_streams import UPDATED
from twinlock.domain.transmitting.streams import (
    Method,
    ReceiverId,
    SignalKeyMissingError,
    StreamId,
    StreamStatus,
    TokenAlgorithm,
)
from twinlock.domain.transmitting.streams import (
    Receiver as Party,
)
from twinlock.domain.webhooks.endpoints import FAILING_MOST, RETRY_AFTER, Disabled, Health
from twinlock.ports import Work
from twinlock.proofs.sets import SecurityEvent, read_keys, verify_set
from twinlock.services.transmitting import sending as told_sending
from twinlock.services.transmitting.managing import (
    StatusView,
    StreamDelivery,
    Transmitting,
    WantedStream,
)
from twinlock.services.transmitting.sending import SignalSending

ISSUER, AUDIENCE = "https://id.example.com", "https://broker.example/signals"
LATER = timedelta(seconds=7)  # Past the first retry with all of its jitter.


@dataclass(frozen=True, kw_only=True)
class Telling:
    """The signals of one process, to one receiver."""

    store: SqlStore
    clock: SteerableClock
    shelf: SqlToldStreams
    use: Transmitting
    sending: SignalSending
    file: ReceiverFile
    party: Party
    signer: KeyringTokens
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    async def make(self, receiver: Receiver, *, header: str = "") -> StreamId:
        delivery = StreamDelivery(
            method=Method.PUSH, endpoint_url=receiver.url(), authorization_header=header
        )
        wanted = WantedStream(events_requested=EVERY_KIND, delivery=delivery)
        return (await self.use.create(self.party, wanted)).stream_id

    async def hear_of(self, stream: StreamId, customer: Customer) -> None:
        named = {"format": "opaque", "id": customer.account_id}
        await self.use.add_subject(self.party, stream, named)

    async def crowd(self, stream: StreamId, count: int) -> list[Customer]:
        """Return so many customers of whom the stream is told; each has a session."""
        crowd = await several(self.store, self.clock, count)
        for one in crowd:
            await self.hear_of(stream, one)
        return crowd

    async def signed_out(self, *customers: Customer) -> None:
        """End the session of each, which is what a stream is told of."""
        for one in customers:
            await self.store.run(signing_out(one))

    async def look(self, *, most: int = 32) -> int:
        """Take one turn with each stream that has something to be done; return how many had."""
        claimed = await self.shelf.claim(now=self.clock.now(), apart=(), most=most)
        for one in claimed:
            await self.sending.turn(one)
        return len(claimed)

    def read(self, token: bytes) -> SecurityEvent:
        keys = TokenWebKeys(keys=tuple(map(web_key, self.signer.public_keys())))
        return verify_set(
            token.decode(),
            keys=read_keys(encode(keys)),
            issuer=ISSUER,
            audience=AUDIENCE,
            now=self.clock.at,
        )

    def metrics(self) -> str:
        return generate_latest(self.registry).decode()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        running.otherwise = status(202)
        yield running


@pytest.fixture
async def telling(
    store: SqlStore, clock: SteerableClock, keyring: Keyring, tmp_path: Path, receiver: Receiver
) -> Telling:
    shelf, file = SqlToldStreams(store, entropy=ENTROPY), ReceiverFile(tmp_path / "data")
    party = Party(
        receiver_id=ReceiverId("rcv_1"),
        name="broker",
        audience=AUDIENCE,
        token_digest=digest_of("geheim"),
        push_to=(receiver.url(""),),
    )
    file.add(party)
    signer, registry = KeyringTokens(keyring), CollectorRegistry()
    sending = SignalSending(
        shelf,
        receivers=file,
        signer=signer,
        issuer=ISSUER,
        post=HttpPost(HERE),
        report=Report(registry),
        entropy=ENTROPY,
        clock=clock,
        seconds=asyncio.get_running_loop().time,
    )
    use = Transmitting(
        shelf,
        receivers=file,
        signer=signer,
        issuer=ISSUER,
        reach=HERE,
        entropy=ENTROPY,
        clock=clock,
    )
    return Telling(
        store=store,
        clock=clock,
        shelf=shelf,
        use=use,
        sending=sending,
        file=file,
        party=party,
        signer=signer,
        registry=registry,
    )


@pytest.fixture
async def alice(store: SqlStore, clock: SteerableClock) -> Customer:
    return await opened(store, clock)


def signing_out(customer: Customer) -> Work:
    return commanded(customer, lambda _: EndSession(session_id=customer.session_id))


# --- While nothing fails ---


async def test_a_signal_is_pushed_once_as_the_standard_says(
    telling: Telling, receiver: Receiver, alice: Customer
) -> None:
    stream = await telling.make(receiver, header="Bearer of-the-broker")
    await telling.hear_of(stream, alice)
    await telling.signed_out(alice)

    while await telling.look():
        pass

    (got,) = receiver.got
    assert got.line == "POST /hooks HTTP/1.1"
    assert got.headers["content-type"] == "application/secevent+jwt"
    assert got.headers["accept"] == "application/json"
    assert got.headers["authorization"] == "Bearer of-the-broker"
    heard = telling.read(got.body)
    assert heard.event.endswith("/session-revoked")
    assert heard.subject["user"]["id"] == alice.account_id
    assert heard.subject["session"]["id"] == alice.session_id
    assert 'twinlock_signals_pushed_total{result="delivered"} 1.0' in telling.metrics()


async def test_without_a_header_none_is_sent(
    telling: Telling, receiver: Receiver, alice: Customer
) -> None:
    await telling.hear_of(await telling.make(receiver), alice)
    await telling.signed_out(alice)
    await telling.look()

    assert "authorization" not in receiver.got[0].headers


async def test_more_than_one_read_of_the_log_and_of_what_waits_is_pushed_in_order(
    telling: Telling, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told_sending, "READ_MOST", 2)
    monkeypatch.setattr(told_sending, "PUSH_MOST", 2)
    stream = await telling.make(receiver)
    crowd = await telling.crowd(stream, 5)
    await telling.signed_out(*crowd)

    await telling.look()

    told = [telling.read(one.body).subject["user"]["id"] for one in receiver.got]
    assert told == [one.account_id for one in crowd]
    assert {one.connection for one in receiver.got} == {1}


async def test_a_stream_is_worked_at_by_one_process_at_a_time(
    telling: Telling, receiver: Receiver, alice: Customer
) -> None:
    stream = await telling.make(receiver)
    await telling.hear_of(stream, alice)
    await telling.signed_out(alice)
    (mine,) = await telling.shelf.claim(now=telling.clock.now(), apart=(), most=9)

    assert await telling.shelf.claim(now=telling.clock.now(), apart=(), most=9) == ()
    await telling.use.set_status(telling.party, _status(stream, StreamStatus.ENABLED))
    (theirs,) = await telling.shelf.claim(now=telling.clock.now(), apart=(), most=9)
    await telling.sending.turn(mine)  # Whose claim is not the one that stands.
    assert receiver.got == []
    await telling.sending.turn(theirs)
    assert len(receiver.got) == 1


def _status(stream: StreamId, wanted: StreamStatus) -> StatusView:
    return StatusView(stream_id=stream, status=wanted)


# --- When something fails ---


async def test_what_was_not_taken_is_tried_again_under_its_name(
    telling: Telling, receiver: Receiver, alice: Customer
) -> None:
    await telling.hear_of(await telling.make(receiver), alice)
    await telling.signed_out(alice)
    receiver.answers.append(status(500))
    await telling.look()
    await telling.look()
    assert len(receiver.got) == 1

    telling.clock.advance(LATER)
    await telling.look()

    names = [telling.read(one.body).jti for one in receiver.got]
    assert len(names) == 2
    assert len(set(names)) == 1


async def test_what_a_receiver_refuses_is_dead_and_keeps_no_other_waiting(
    telling: Telling, receiver: Receiver
) -> None:
    stream = await telling.make(receiver)
    await telling.signed_out(*await telling.crowd(stream, 2))
    receiver.answers.append(status(400, body=b'{"err":"invalid_key"}'))

    await telling.look()

    assert len(receiver.got) == 2
    kept = await telling.shelf.read(stream)
    assert (kept.waiting, kept.dead, kept.health) == (0, 1, Health())
    assert "twinlock_signals_dead_total 1.0" in telling.metrics()


async def test_of_dead_signals_the_newest_are_kept(
    telling: Telling, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, database: TestDatabase
) -> None:
    monkeypatch.setattr(told_streams, "TOLD_DEAD_MOST", 1)
    stream = await telling.make(receiver)
    crowd = await several(telling.store, telling.clock, 2)
    receiver.otherwise = status(400)
    for one in crowd:
        await telling.hear_of(stream, one)
        await telling.signed_out(one)
        await telling.look()

    assert (await telling.shelf.read(stream)).dead == 1
    assert await database.value("SELECT subject FROM told_token") == crowd[1].account_id


async def test_after_ten_attempts_a_signal_is_dead(
    telling: Telling, receiver: Receiver, alice: Customer
) -> None:
    stream = await telling.make(receiver)
    await telling.hear_of(stream, alice)
    await telling.signed_out(alice)
    receiver.otherwise = status(500)
    for wait in (timedelta(), *RETRY_AFTER):
        telling.clock.advance(wait * 6 / 5 + timedelta(seconds=1))
        await telling.look()

    assert len(receiver.got) == len(RETRY_AFTER) + 1
    kept = await telling.shelf.read(stream)
    assert (kept.waiting, kept.dead) == (0, 1)


async def test_a_receiver_that_is_gone_gets_nothing_until_it_says_otherwise(
    telling: Telling, receiver: Receiver
) -> None:
    stream = await telling.make(receiver)
    crowd = await telling.crowd(stream, 2)
    await telling.signed_out(crowd[0])
    receiver.answers.append(status(410))
    await telling.look()
    await telling.signed_out(crowd[1])
    telling.clock.advance(FAILING_MOST)
    await telling.look()

    assert len(receiver.got) == 1
    assert (await telling.shelf.read(stream)).health.disabled is Disabled.GONE
    told = await telling.use.status(telling.party, stream)
    assert (told.status, "410" in told.reason) == (StreamStatus.PAUSED, True)
    await telling.use.set_status(telling.party, _status(stream, StreamStatus.ENABLED))
    assert (await telling.use.status(telling.party, stream)).status is StreamStatus.ENABLED
    await telling.look()
    assert len(receiver.got) == 4


async def test_a_stream_that_we_stopped_says_so_behind_what_waits(
    telling: Telling, receiver: Receiver
) -> None:
    """Source: SSF 1.0, 8.1.2 and 8.1.5."""
    stream = await telling.make(receiver)
    await telling.signed_out(*await telling.crowd(stream, 2))
    receiver.answers.append(status(410))
    await telling.look()
    stopped = telling.clock.at
    telling.clock.advance(LATER)
    await telling.use.set_status(telling.party, _status(stream, StreamStatus.ENABLED))
    await telling.look()

    told = telling.read(receiver.got[-1].body)
    assert len(receiver.got) == 4
    assert (told.event, told.claims["status"]) == (UPDATED, "paused")
    assert "410" in told.claims["reason"]
    assert told.issued_at <= stopped
    telling.clock.advance(FAILING_MOST)
    assert await telling.look() == 0


async def test_a_stream_that_is_disabled_forgets_who_was_erased_before_it_was_told(
    telling: Telling, receiver: Receiver, database: TestDatabase
) -> None:
    stream = await telling.make(receiver)
    alice, bob = await telling.crowd(stream, 2)
    await database.execute("DELETE FROM subject_key WHERE subject = $1", alice.account_id)

    await telling.use.set_status(telling.party, _status(stream, StreamStatus.DISABLED))

    left = await database.fetch("SELECT subject FROM told_subject")
    assert [row["subject"] for row in left] == [bob.account_id]


async def test_a_turn_that_takes_long_goes_on_in_the_next(
    telling: Telling, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await telling.make(receiver)
    await telling.signed_out(*await telling.crowd(stream, 2))
    times = iter([0.0, 0.0, 0.0, 0.0, 0.0, 9.0])
    monkeypatch.setattr(telling.sending, "_seconds", lambda: next(times, 9.0))
    await telling.look()
    assert len(receiver.got) == 1
    monkeypatch.undo()
    await telling.look()
    assert len(receiver.got) == 2


async def test_what_waits_is_bounded_and_nothing_is_lost(
    telling: Telling, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told_sending, "TOLD_WAITING_MOST", 1)
    monkeypatch.setattr(told_sending, "READ_MOST", 1)
    stream = await telling.make(receiver)
    await telling.use.set_status(telling.party, _status(stream, StreamStatus.PAUSED))
    await telling.signed_out(*await telling.crowd(stream, 3))
    for _ in range(5):
        await telling.look()
    assert (await telling.shelf.read(stream)).waiting == 1

    await telling.use.set_status(telling.party, _status(stream, StreamStatus.ENABLED))
    while await telling.look():
        pass
    assert len(receiver.got) == 3


# --- Who is told nothing ---


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(None, id="the receiver"),
        pytest.param(("https://broker.example",), id="the origin that it is pushed to"),
    ],
)
async def test_what_the_operator_took_away_is_told_nothing(
    telling: Telling, receiver: Receiver, alice: Customer, left: tuple[str, ...] | None
) -> None:
    await telling.hear_of(await telling.make(receiver), alice)
    await telling.signed_out(alice)
    telling.file.remove("broker")
    if left is not None:
        telling.file.add(replace(telling.party, push_to=left))

    assert await telling.look() == 1
    assert await telling.look() == 0  # For a while.
    assert receiver.got == []


async def test_an_account_that_the_databases_owner_added_is_not_told(
    telling: Telling, receiver: Receiver, database: TestDatabase
) -> None:
    stream = await telling.make(receiver)
    alice, bob = await several(telling.store, telling.clock, 2)
    await telling.hear_of(stream, alice)
    await database.execute("UPDATE told_subject SET subject = $1", bob.account_id)
    await telling.signed_out(bob)

    with pytest.raises(SealBrokenError):
        await telling.look()
    assert receiver.got == []


async def test_a_stream_that_somebody_changed_stops_no_other(
    telling: Telling, receiver: Receiver, alice: Customer, database: TestDatabase
) -> None:
    broken, whole = await telling.make(receiver), await telling.make(receiver)
    await telling.hear_of(whole, alice)
    await database.execute("UPDATE told_stream SET version = 9 WHERE id = $1", broken)
    await telling.signed_out(alice)

    assert await telling.look() == 1
    assert telling.shelf.unopened == 1
    assert len(receiver.got) == 1
    with pytest.raises(SealBrokenError, match=broken):
        await telling.shelf.read(broken)


# --- To a receiver that takes RS256 alone ---


async def test_a_receiver_of_rs256_waits_for_a_key_and_is_told_by_it(
    telling: Telling,
    receiver: Receiver,
    alice: Customer,
    keyring_dir: Path,
    tmp_path: Path,
    database: TestDatabase,
) -> None:
    stream = await telling.make(receiver)
    await telling.hear_of(stream, alice)
    telling.file.remove("broker")
    telling.file.add(replace(telling.party, algorithm=TokenAlgorithm.RS256))
    await telling.signed_out(alice)
    with pytest.raises(SignalKeyMissingError):
        await telling.look()
    assert await telling.look() == 0  # Its claim keeps it quiet.
    assert not receiver.got

    copy = tmp_path / "keys"
    shutil.copytree(keyring_dir, copy)
    telling.signer.take(
        keyrings.add(copy, Role.SIGNALS_RSA, entropy=ENTROPY, now=telling.clock.now())
    )
    await database.execute("UPDATE told_stream SET claimed_until = NULL")  # As if 30 s had passed.
    while await telling.look():
        pass

    (got,) = receiver.got
    assert telling.read(got.body).event.endswith("/session-revoked")
    header = decode(from_b64url(got.body.decode().partition(".")[0]))
    by = telling.signer.by(TokenAlgorithm.RS256)
    assert header == {"alg": "RS256", "kid": by.key_id, "typ": "secevent+jwt"}


# --- Beside everything ---


async def test_a_process_sends_beside_everything_else(
    telling: Telling, receiver: Receiver, alice: Customer
) -> None:
    await telling.hear_of(await telling.make(receiver), alice)
    async with transmitting(telling.shelf, telling.sending, clock=telling.clock):
        await telling.signed_out(alice)
        await receiver.wait_for(1)


async def test_a_process_that_ends_leaves_a_stream_to_the_next(
    telling: Telling, receiver: Receiver, alice: Customer
) -> None:
    stuck = asyncio.Event()

    async def never(reader: asyncio.StreamReader, _: object) -> None:
        stuck.set()
        await reader.read()

    receiver.answers.append(never)
    await telling.hear_of(await telling.make(receiver), alice)
    await telling.signed_out(alice)
    pumps = Pumps(telling.shelf, telling.sending, telling.clock)
    await pumps.look()
    await until(stuck.is_set)
    await pumps.close()

    assert await telling.look() == 1
    names = {telling.read(one.body).jti for one in receiver.got}
    assert (len(receiver.got), len(names)) == (2, 1)
