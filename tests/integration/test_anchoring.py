"""What was signed once is kept outside the database, and holds the log to it."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
from support.postgres import TestDatabase
from support.put_back import keep, put_back
from support.service import Customer, Service
from support.stores import open_store
from typer.testing import CliRunner

from twinlock.adapters.anchor import AnchorFile, AnchorThread
from twinlock.adapters.keyring.signing import KeyringSigner
from twinlock.adapters.sql.store import SqlStore
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.world import prepare
from twinlock.cli.main import app
from twinlock.client import ProblemError
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import AnchorMovedError, FileBusyError, LogDamagedError
from twinlock.ports.log import (
    Anchor,
    AnchoredLog,
    Anchors,
    Head,
)
from twinlock.services.anchoring import Anchoring, LogRolledBackError


def anchoring(
    service: Service, path: Path, *, log: AnchoredLog | None = None, anchors: Anchors | None = None
) -> tuple[Anchoring, AnchorFile]:
    file = AnchorFile(path / "anchor" / "log.json")
    signer = KeyringSigner(service.keyring, log_origin=service.settings.log_origin)
    log = log or cast("SqlStore", service.api.store)
    keeper = Anchoring(log, signer=signer, anchors=anchors or AnchorThread(file))
    return keeper, file


def anchor_of(service: Service) -> AnchorFile:
    return AnchorFile(service.settings.data_dir / "log-anchor.json")


def forged(service: Service, size: int) -> Anchor:
    head = Head(size=size, root=bytes(32))
    signer = KeyringSigner(service.keyring, log_origin=service.settings.log_origin)
    return Anchor(size=size, root=head.root, checkpoint=signer.checkpoint(head).decode())


async def test_the_anchor_follows_the_log(service: Service, tmp_path: Path) -> None:
    keeper, file = anchoring(service, tmp_path)
    await keeper.check()
    first = file.read()
    assert first is not None
    assert first.size == 0
    await Customer(service, "alice").set_up()
    await keeper.follow()
    await keeper.follow()
    second = file.read()
    assert second is not None
    assert second.size == (await service.api.store.head()).size > 0
    await keeper.check()


async def test_a_stop_in_good_order_leaves_nothing_that_is_not_anchored(service: Service) -> None:
    world = await prepare(service.settings)
    async with open_api(world, book=rule_book(), clock=service.clock) as api:
        await Customer(service, "alice").open("email")
        size = (await api.store.head()).size
    anchor = anchor_of(service).read()
    assert anchor is not None
    assert anchor.size == size


# --- At the start ---


async def test_a_log_that_is_shorter_than_its_anchor_is_refused(
    service: Service, database: TestDatabase, tmp_path: Path
) -> None:
    keeper, _ = anchoring(service, tmp_path)
    alice = Customer(service, "alice")
    await alice.open("email")
    await keep(database)
    await alice.bind_password()
    await keeper.follow()
    await put_back(database)
    async with open_store(database.app_dsn, service.keyring, service.clock) as fresh:
        keeper, _ = anchoring(service, tmp_path, log=fresh)
        with pytest.raises(LogRolledBackError, match="shorter") as refused:
            await keeper.check()
    assert str(refused.value).endswith("see docs/postgresql.md, Restore")


async def test_a_right_edge_that_does_not_give_the_root_is_refused(
    service: Service, database: TestDatabase, tmp_path: Path
) -> None:
    keeper, _ = anchoring(service, tmp_path)
    await Customer(service, "alice").set_up()
    await database.execute("UPDATE tile SET hashes = overlay(hashes placing '\\x00' from 1)")
    with pytest.raises(LogDamagedError, match="not those of its head"):
        await keeper.check()
    await database.execute("DELETE FROM tile")
    with pytest.raises(LogDamagedError, match="do not fit its head"):
        await keeper.check()


async def test_a_log_that_is_another_one_is_refused(service: Service, tmp_path: Path) -> None:
    keeper, file = anchoring(service, tmp_path)
    await Customer(service, "alice").set_up()
    file.advance(forged(service, 2), expected_size=None)
    with pytest.raises(LogRolledBackError, match="not the anchored one"):
        await keeper.check()


async def test_a_log_with_leaves_and_without_an_anchor_is_not_started(service: Service) -> None:
    await Customer(service, "alice").open("email")
    anchor_of(service)._path.unlink()  # noqa: SLF001 - as somebody with the disk would
    world = await prepare(service.settings)
    with pytest.raises(LogRolledBackError, match="twinlock anchor adopt"):
        async with open_api(world, book=rule_book(), clock=service.clock):
            pytest.fail("it was started")


async def test_whoever_operates_the_log_may_adopt_it_where_there_is_no_anchor(
    service: Service, tmp_path: Path
) -> None:
    keeper, file = anchoring(service, tmp_path)
    await Customer(service, "alice").open("email")
    with pytest.raises(LogRolledBackError, match="no anchor beside a log of 1 leaves"):
        await keeper.check()

    head = await keeper.adopt()

    assert head == await service.api.store.head()
    anchor = file.read()
    assert anchor is not None
    assert (anchor.size, anchor.root) == (head.size, head.root)
    await keeper.check()
    with pytest.raises(AnchorMovedError, match="an anchor already, at 1 leaves"):
        await keeper.adopt()


async def test_the_log_is_adopted_by_a_command(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Customer(service, "alice").open("email")
    head = await service.api.store.head()
    settings = service.settings
    monkeypatch.setenv("TWINLOCK_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("TWINLOCK_DATA_DIR", str(tmp_path / "another machine's"))
    monkeypatch.setenv("TWINLOCK_KEYRING_DIR", str(settings.keyring_dir))

    told = await asyncio.to_thread(CliRunner().invoke, app, ["anchor", "adopt"])

    assert told.exit_code == 0, told.output
    assert f"{head.size} leaves, root {b64url(head.root)}" in told.output
    anchor = AnchorFile(tmp_path / "another machine's" / "log-anchor.json").read()
    assert anchor is not None
    assert anchor.size == head.size


class Beside:
    """Anchors beside which another process decides and anchors, before each look and after it."""

    def __init__(self, inner: Anchors, happens: Callable[[], Awaitable[None]]) -> None:
        self._inner = inner
        self._happens = happens

    async def read(self) -> Anchor | None:
        await self._happens()
        found = await self._inner.read()
        await self._happens()
        return found

    async def advance(self, new: Anchor, *, expected_size: int | None) -> None:
        await self._inner.advance(new, expected_size=expected_size)


async def test_a_process_that_starts_beside_a_busy_one_is_not_refused(
    service: Service, tmp_path: Path
) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    other, file = anchoring(service, tmp_path)
    await other.adopt()

    async def decide_and_anchor() -> None:
        await alice.propose("freeze.set")
        await other.follow()

    beside = Beside(AnchorThread(file), decide_and_anchor)
    await anchoring(service, tmp_path, anchors=beside)[0].check()
    await anchoring(service, tmp_path, anchors=beside)[0].follow()


async def test_a_process_that_starts_while_another_begins_the_log_is_not_refused(
    service: Service, tmp_path: Path
) -> None:
    await anchoring(service, tmp_path)[0].check()
    await Customer(service, "alice").open("email")

    late = OfAnotherProcess(tmp_path / "anchor" / "log.json", seen=None)
    await anchoring(service, tmp_path, anchors=AnchorThread(late))[0].check()


# --- While serving ---


async def test_a_process_that_finds_the_log_behind_its_anchor_decides_nothing_more(
    service: Service, tmp_path: Path
) -> None:
    keeper, file = anchoring(service, tmp_path)
    alice = Customer(service, "alice")
    await alice.open("email")
    await keeper.adopt()
    assert (await service.http.get("/health/ready")).status_code == 200
    file.advance(forged(service, 1_000), expected_size=1)

    with pytest.raises(LogRolledBackError, match="shorter"):
        await keeper.follow()

    with pytest.raises(ProblemError) as refused:
        await alice.bind_password()
    assert (refused.value.status, refused.value.code) == (503, "log_damaged")
    for path in ("/health/ready", "/checkpoint"):
        assert (await service.http.get(path)).status_code == 503
    assert (await service.http.get(f"/v1/accounts/{alice.account_id}")).status_code == 200


async def test_a_log_put_back_beside_another_process_is_found_by_its_anchor(
    service: Service, database: TestDatabase, tmp_path: Path
) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    await keep(database)
    await alice.bind_password()
    await anchoring(service, tmp_path)[0].adopt()
    await put_back(database)
    async with open_store(database.app_dsn, service.keyring, service.clock) as unaware:
        keeper, file = anchoring(service, tmp_path, log=unaware)
        before = file.read()
        with pytest.raises(LogRolledBackError, match="shorter"):
            await keeper.follow()
        with pytest.raises(LogDamagedError, match="shorter than what was signed"):
            await unaware.head()
    assert file.read() == before


async def test_a_database_put_back_while_serving_spends_nothing_twice(
    service: Service, database: TestDatabase
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    action = await alice.withdraw()
    await keep(database)
    await service.client.spend(action.action_id, spend_id="spend-0001")
    await put_back(database)

    with pytest.raises(ProblemError) as refused:
        await service.client.spend(action.action_id, spend_id="spend-0002")

    assert (refused.value.status, refused.value.code) == (503, "log_damaged")
    for path in ("/checkpoint", "/health/ready", "/proof/0"):
        assert (await service.http.get(path)).json()["code"] == "log_damaged"


async def test_a_log_whose_tiles_do_not_show_its_growth_is_distrusted(
    service: Service, database: TestDatabase, tmp_path: Path
) -> None:
    keeper, _ = anchoring(service, tmp_path)
    alice = Customer(service, "alice")
    await alice.open("email")
    await keeper.adopt()
    await alice.bind_password()
    await database.execute("DELETE FROM tile")

    with pytest.raises(LogRolledBackError, match="not the anchored one, grown"):
        await keeper.follow()


async def test_a_stopped_process_that_holds_the_anchor_holds_nobody_up(
    service: Service, tmp_path: Path
) -> None:
    keeper, file = anchoring(service, tmp_path)
    alice = Customer(service, "alice")
    await alice.open("email")
    await keeper.adopt()
    before = file.read()
    await alice.bind_password()
    held = f"""
import fcntl, os
fcntl.flock(os.open({str(file._lock)!r}, os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
print("held", flush=True)
input()
"""  # noqa: SLF001 - where it locks
    with subprocess.Popen(  # noqa: ASYNC220, S603 - our own line of Python
        [sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        other.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(FileBusyError):
            await keeper.follow()
        await keeper.check()  # A start goes on without moving it.
        assert time.monotonic() - begun < 1
        assert file.read() == before
        other.kill()
    await keeper.follow()
    assert file.read() != before


class OfAnotherProcess(AnchorFile):
    """An anchor that somebody else has moved since we looked: we see it as it was."""

    def __init__(self, path: Path, *, seen: Anchor | None) -> None:
        super().__init__(path)
        self._seen = [seen]

    def read(self) -> Anchor | None:
        return self._seen.pop() if self._seen else super().read()


async def test_of_two_processes_the_slower_leaves_the_anchor_where_it_is(
    service: Service, tmp_path: Path
) -> None:
    keeper, file = anchoring(service, tmp_path)
    await keeper.check()
    before = file.read()
    await Customer(service, "alice").open("email")
    await keeper.follow()
    moved = file.read()

    slower = OfAnotherProcess(tmp_path / "anchor" / "log.json", seen=before)
    await anchoring(service, tmp_path, anchors=AnchorThread(slower))[0].follow()
    assert file.read() == moved
    assert moved != before
