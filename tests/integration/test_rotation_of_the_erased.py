"""Wrapping keys anew leaves those of erased people to end with the old seal key."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from support.due import due_customer, eraser, erasing
from support.hooks import hooks_on
from support.postgres import TestDatabase
from support.stores import ENTROPY, SteerableClock, make_keyring, open_store, opened, touching

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.prices import PriceFile
from twinlock.adapters.sql import connections, queries
from twinlock.adapters.sql.key_uses import SqlKeyUses
from twinlock.adapters.sql.rewrap import Rewrap, Rewrapped
from twinlock.adapters.sql.told_streams import SqlToldStreams
from twinlock.domain.errors import SealBrokenError
from twinlock.domain.keys import KeyUse
from twinlock.domain.transmitting.streams import ReceiverId, StreamId, ToldStream
from twinlock.domain.webhooks.endpoints import Endpoint, WebhookId

TABLES = ("subject_key", "stream", "event")
NOBODYS = "subjects' keys that are nobody's, as of the erased"


@dataclass
class House:
    """A store whose seal key is rotated, and the id (8 bytes) of the one that it began with."""

    database: TestDatabase
    clock: SteerableClock
    directory: Path
    first: bytes = b""

    def ring(self) -> Keyring:
        return keyrings.load(self.directory)

    def rotate(self) -> None:
        self.clock.advance(timedelta(days=1))
        self.first = bytes.fromhex(self.ring().current(Role.SEAL).key_id)
        with keyrings.changing(self.directory):
            at = self.clock.at
            keyrings.announce(self.directory, Role.SEAL, entropy=ENTROPY, now=at, token=None)
            keyrings.activate(self.directory, Role.SEAL, now=at, token=None)

    def retire(self) -> None:
        with keyrings.changing(self.directory):
            at, first = self.clock.at, self.first.hex()
            keyrings.retire(self.directory, Role.SEAL, first, now=at, token=None)

    async def rewrap(self) -> Rewrapped:
        sealer, dsn = Sealer(self.ring()), self.database.owner_dsn
        return await Rewrap(dsn, sealer=sealer, entropy=ENTROPY, told=lambda _: None).run()

    async def needed(self) -> dict[str, int]:
        """Return what keeps the first seal key from being retired."""
        ring = self.ring()
        key = next(one.record for one in ring.keys(Role.SEAL) if one.key_id == self.first.hex())
        async with open_store(self.database.app_dsn, ring, self.clock) as store:
            prices = PriceFile(None, ring)
            uses = SqlKeyUses(store, keyring=ring, prices=prices, clock=self.clock)
            counted: tuple[KeyUse, ...] = await uses.count(key)
        return {one.what: one.count for one in counted if one.count}


@pytest.fixture
def house(database: TestDatabase, clock: SteerableClock, tmp_path: Path) -> House:
    make_keyring(tmp_path / "ring")
    return House(database, clock, tmp_path / "ring")


PutBack = Callable[[TestDatabase], Awaitable[object]]


async def nothing_more(database: TestDatabase) -> None:
    """Leave the mark where it is."""


async def without_its_mark(database: TestDatabase) -> None:
    await database.execute("DELETE FROM erased")


async def with_a_box_of_nobodys(database: TestDatabase) -> None:
    await database.execute("DELETE FROM erased")
    await database.execute("UPDATE stream SET box = set_byte(box, 40, get_byte(box, 40) # 1)")


@pytest.mark.parametrize(
    ("tables", "also", "told"),
    [
        (TABLES[:1], nothing_more, (1, 0)),
        (TABLES[:1], without_its_mark, (1, 0)),
        (TABLES, nothing_more, (1, 0)),
        (TABLES, without_its_mark, (1, 0)),
        (TABLES, with_a_box_of_nobodys, (0, 1)),
    ],
    ids=["its key", "and no mark", "all of it", "all and no mark", "all and another document"],
)
async def test_the_key_of_an_erased_person_ends_with_the_seal_key_whoever_puts_it_back(
    tables: tuple[str, ...], also: PutBack, told: tuple[int, int], house: House
) -> None:
    """Prevents: a key put back for as long as keys are wrapped anew, which opens old backups."""
    database, clock = house.database, house.clock
    async with open_store(database.app_dsn, house.ring(), clock) as store:
        alice, action = await due_customer(store, clock)
        await store.run(touching(alice))
    named = alice.account_id
    backup = {
        table: await database.fetch(f"SELECT * FROM {table} WHERE subject = $1", named)  # noqa: S608 - of ours
        for table in TABLES
    }
    await eraser(database.owner_dsn, house.ring(), clock).erase(erasing(alice, action))
    house.rotate()
    async with database.owner() as owner:
        for table in tables:
            await owner.copy_records_to_table(table, records=backup[table], schema_name="twinlock")
    await also(database)

    done = await house.rewrap()

    assert (done.subjects, (done.unowned, done.broken)) == (0, told)
    wrapped = await database.value("SELECT wrapped FROM subject_key WHERE subject = $1", named)
    assert isinstance(wrapped, bytes)
    assert wrapped == backup["subject_key"][0]["wrapped"]
    known_as_nobodys = tables == TABLES[:1] or also is nothing_more
    assert await house.needed() == {NOBODYS if known_as_nobodys else "subjects' keys": 1}
    await database.execute("DELETE FROM subject_key WHERE subject = $1", named)
    assert await house.needed() == {}
    house.retire()
    with pytest.raises(SealBrokenError):
        Sealer(house.ring()).open_subject_key(named, wrapped)


async def test_who_acts_while_keys_are_wrapped_anew_keeps_theirs(house: House) -> None:
    async with open_store(house.database.app_dsn, house.ring(), house.clock) as store:
        bob = await opened(store, house.clock)
        await store.run(touching(bob))
    house.rotate()

    done = await house.rewrap()

    assert (done.subjects, done.unowned, done.broken) == (1, 0, 0)
    house.retire()
    async with open_store(house.database.app_dsn, house.ring(), house.clock) as store:
        await store.run(touching(bob))


@pytest.mark.parametrize("removed", [False, True])
async def test_the_key_of_an_endpoint_goes_along_also_where_it_was_removed(
    removed: bool, house: House
) -> None:
    """The application can delete no key; a removed endpoint's would keep a seal key for good."""
    webhook = WebhookId("wh_" + "a" * 26)
    endpoint = Endpoint(
        webhook_id=webhook,
        url="https://platform.example/hooks",
        patterns=("*",),
        secrets=(),
        added_at=house.clock.at,
    )
    async with open_store(house.database.app_dsn, house.ring(), house.clock) as store:
        shelf = hooks_on(store, house.clock).shelf
        await shelf.add(endpoint)
        if removed:
            await shelf.remove(webhook)
    house.rotate()

    done = await house.rewrap()

    assert (done.subjects, done.unowned, done.broken) == (1, 0, 0)
    assert await house.needed() == {}


async def test_the_key_of_a_stream_of_signals_goes_along(house: House) -> None:
    """Prevents: a seal key that is retired, after which nobody else is told of anything."""
    made = ToldStream(
        stream_id=StreamId("ssf_" + "a" * 26),
        receiver_id=ReceiverId("broker"),
        audience="https://broker.example",
        requested=(),
        added_at=house.clock.at,
    )
    async with open_store(house.database.app_dsn, house.ring(), house.clock) as store:
        await SqlToldStreams(store, entropy=ENTROPY).add(made, most=1)
    house.rotate()

    done = await house.rewrap()

    assert (done.subjects, done.unowned, done.broken) == (1, 0, 0)
    assert await house.needed() == {}
    house.retire()
    async with open_store(house.database.app_dsn, house.ring(), house.clock) as store:
        kept = await SqlToldStreams(store, entropy=ENTROPY).read(made.stream_id)
    assert kept.stream == made


async def test_what_needs_a_key_is_counted_however_long_it_takes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: a seal key that is never retired, since ten million rows take more than a read."""
    house.rotate()
    slowly = f"SELECT counted.* FROM ({queries.COUNT_SEALED}) AS counted, pg_sleep(0.7)"  # noqa: S608 - ours
    monkeypatch.setattr(queries, "COUNT_SEALED", slowly)
    monkeypatch.setattr(connections, "READ_SECONDS", 0.5)

    assert await house.needed() == {}
