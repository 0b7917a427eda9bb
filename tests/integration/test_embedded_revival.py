"""The embedded database is killed beneath a service that goes on, and comes back by itself."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from support.installations import embedded_installation
from support.postgres import UNPRIVILEGED
from support.service import Customer, Service, serving

from twinlock.adapters import revival
from twinlock.adapters.revival import Reviver
from twinlock.bootstrap.world import prepare
from twinlock.cli.console import log_to_stderr
from twinlock.domain.errors import DatabaseNotStartedError, TwinlockError, UnavailableError

BACK_SECONDS = 30  # A second in a quiet machine: a look, then a start.


@pytest.fixture(autouse=True)
def as_it_serves() -> Iterator[None]:
    """Log as ``twinlock serve`` does, and no more: requests fail here by the hundred."""
    log_to_stderr("critical")
    yield
    structlog.reset_defaults()


async def nobody_counts() -> int:
    return 0


@pytest.fixture
async def own_service() -> AsyncIterator[Service]:
    """The whole service on an embedded database of its own."""
    with embedded_installation() as settings:
        world = await prepare(settings, server_user=UNPRIVILEGED)
        async with serving(world, waiting_letters=nobody_counts) as service:
            yield service


def postmaster(service: Service) -> int:
    file: Path = service.settings.postgres_dir / "data" / "postmaster.pid"
    return int(file.read_text("ascii").splitlines()[0])


async def opened_at_last(service: Service, key: str) -> tuple[str, list[int]]:
    """Open an account as a platform does: again with the same key, until there is an answer."""
    refused: list[int] = []
    async with asyncio.timeout(BACK_SECONDS):
        while True:
            answer = await service.http.post(
                "/v1/accounts", json={"channels": []}, headers={"Idempotency-Key": key}
            )
            if answer.status_code < httpx.codes.BAD_REQUEST:
                return answer.json()["account_id"], refused
            assert answer.json()["code"] == "unavailable"
            refused.append(answer.status_code)
            await asyncio.sleep(0)  # A refused connection never gives way to anybody.


async def test_a_database_that_is_killed_comes_back_with_everything(own_service: Service) -> None:
    service = own_service
    alice = Customer(service, "alice")
    await alice.set_up()
    before = (await service.api.store.head()).size
    first = postmaster(service)

    opened_meanwhile = {}
    for number in range(3):
        os.kill(postmaster(service), signal.SIGKILL)
        key = f"opened-meanwhile-{number}"
        opened_meanwhile[key], refused = await opened_at_last(service, key)
        assert set(refused) <= {503}

    assert postmaster(service) != first
    assert (await service.client.account(alice.account_id))["account_id"] == alice.account_id
    again = {key: (await opened_at_last(service, key))[0] for key in opened_meanwhile}
    assert again == opened_meanwhile
    assert len(set(again.values())) == 3
    assert (await service.api.store.head()).size == before + 3


class World:
    """A database that answers or not, and what was done to start it."""

    def __init__(self) -> None:
        self.answers = False
        self.starts = 0
        self.fault: TwinlockError | None = None

    async def ping(self) -> None:
        if not self.answers:
            raise UnavailableError("it does not answer")

    def start(self) -> None:
        self.starts += 1
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revival, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(revival, "MOST_PATIENCE_SECONDS", 0.004)


async def test_one_that_answers_is_left_alone() -> None:
    world = World()
    world.answers = True

    await Reviver(world.ping, start=world.start).look()

    assert world.starts == 0


async def test_one_that_does_not_come_back_is_tried_less_and_less_often(hasty: None) -> None:
    world = World()
    world.fault = DatabaseNotStartedError("no room")
    reviver = Reviver(world.ping, start=world.start)
    loop = asyncio.get_running_loop()

    began = loop.time()
    for _ in range(5):
        with pytest.raises(DatabaseNotStartedError):
            await reviver.look()

    assert world.starts == 5
    assert loop.time() - began >= 0.001 + 0.002 + 0.004 + 0.004
    world.answers = True
    await reviver.look()
    assert world.starts == 5


async def test_a_start_that_hangs_keeps_no_loop_and_no_process_from_ending() -> None:
    world = World()
    begun, go_on = threading.Event(), threading.Event()

    def start() -> None:
        begun.set()
        go_on.wait()
        raise DatabaseNotStartedError("too late for anybody to hear")

    looking = asyncio.create_task(Reviver(world.ping, start=start).look())
    await asyncio.to_thread(begun.wait)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    [thread] = [one for one in threading.enumerate() if one.name == "revival"]
    assert thread.daemon
    go_on.set()
    await asyncio.to_thread(thread.join)
    await asyncio.sleep(0)


def test_a_loop_that_is_closed_is_not_told() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def start() -> None:
        begun.set()
        go_on.wait()

    async def look() -> None:
        looking = asyncio.create_task(revival.in_a_thread_of_its_own(start))
        await asyncio.to_thread(begun.wait)
        looking.cancel()

    asyncio.run(look())
    [thread] = [one for one in threading.enumerate() if one.name == "revival"]
    go_on.set()
    thread.join()
