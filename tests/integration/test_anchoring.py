"""What was signed once is kept outside the database, and holds the log to it."""

from pathlib import Path

import pytest
from support.postgres import TestDatabase
from support.put_back import keep, put_back
from support.service import Customer, Service
from support.stores import open_store

from twinlock.adapters.anchor import AnchorFile
from twinlock.adapters.signing import KeyringSigner
from twinlock.ports import Anchor, Head
from twinlock.services.anchoring import Anchoring, LogRolledBackError


def anchoring(service: Service, path: Path) -> tuple[Anchoring, AnchorFile]:
    file = AnchorFile(path / "anchor" / "log.json")
    signer = KeyringSigner(service.keyring, log_origin=service.settings.log_origin)
    return Anchoring(service.api.store, signer=signer, anchors=file), file


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


async def test_a_log_that_is_shorter_than_its_anchor_is_refused(
    service: Service, database: TestDatabase, tmp_path: Path
) -> None:
    keeper, file = anchoring(service, tmp_path)
    alice = Customer(service, "alice")
    await alice.open("email")
    await keep(database)
    await alice.bind_password()
    await keeper.follow()
    await put_back(database)
    signer = KeyringSigner(service.keyring, log_origin=service.settings.log_origin)
    async with open_store(database.app_dsn, service.keyring, service.clock) as fresh:
        with pytest.raises(LogRolledBackError, match="shorter"):
            await Anchoring(fresh, signer=signer, anchors=file).check()


async def test_a_right_edge_that_does_not_give_the_root_is_refused(
    service: Service, database: TestDatabase, tmp_path: Path
) -> None:
    keeper, _ = anchoring(service, tmp_path)
    await Customer(service, "alice").set_up()
    await database.execute("UPDATE tile SET hashes = overlay(hashes placing '\\x00' from 1)")
    with pytest.raises(LogRolledBackError, match="does not give its root"):
        await keeper.check()
    await database.execute("DELETE FROM tile")
    with pytest.raises(LogRolledBackError, match="incomplete"):
        await keeper.check()


async def test_a_log_that_is_another_one_is_refused(service: Service, tmp_path: Path) -> None:
    keeper, file = anchoring(service, tmp_path)
    await Customer(service, "alice").set_up()
    signer = KeyringSigner(service.keyring, log_origin=service.settings.log_origin)
    forged = Head(size=2, root=bytes(32))
    file.advance(
        Anchor(size=2, root=forged.root, checkpoint=signer.checkpoint(forged).decode()),
        expected_size=None,
    )
    with pytest.raises(LogRolledBackError, match="not the anchored one"):
        await keeper.check()


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
    signer = KeyringSigner(service.keyring, log_origin=service.settings.log_origin)
    await Anchoring(service.api.store, signer=signer, anchors=slower).follow()
    assert file.read() == moved
    assert moved != before
