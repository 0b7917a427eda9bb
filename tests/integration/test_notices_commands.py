"""``twinlock notices``: what did not go out, and trying it again."""

import msgspec
from support.commands import Ended, run
from support.installations import environment_of
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.stores import ENTROPY, open_store

from twinlock.adapters.sql.deliveries import sealed_parcel
from twinlock.bootstrap.world import World
from twinlock.domain.ids import AccountId
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.domain.parcels import Parcel

DEAD = """
INSERT INTO delivery (subject, name, lane, carrier, rank, owes, box, state, fault, ended_at)
VALUES ($1, $2, 'chn_1', $3, 1, false, $4, 'dead', $5, '2026-03-01T12:00:00Z')
"""


def value_of(told: Ended) -> object:
    assert told.code == 0, told
    return msgspec.json.decode(told.out)


async def dies(
    service: Service, world: World, database: TestDatabase, alice: Customer, **row: str
) -> None:
    """Leave a message to Alice's first channel as one that nobody tries any more."""
    named = AccountId(alice.account_id)
    account = await service.api.store.account(named)
    notice = Notice(
        kind=NoticeKind.DONE,
        what="destination.add",
        at=service.clock.at,
        channels=(account.channels[0].channel_id,),
    )
    parcel = Parcel(channel=account.channels[0], notice=notice)
    wrapped = await database.value("SELECT wrapped FROM subject_key WHERE subject = $1", named)
    async with open_store(database.app_dsn, world.keyring, service.clock) as store:
        assert isinstance(wrapped, bytes)
        key = store.sealer.open_subject_key(named, wrapped)
        box = sealed_parcel(key, row["name"], parcel, entropy=ENTROPY)
    await database.execute(DEAD, named, row["name"], row["carrier"], box, row["fault"])


async def test_dead_messages_are_listed_without_an_address_and_tried_again(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    settings = world.settings
    variables = environment_of(
        settings.data_dir.parent,
        DATABASE_URL=database.app_dsn,
        DATA_DIR=str(settings.data_dir),
        KEYRING_DIR=str(settings.keyring_dir),
    )
    empty = await run(variables, "notices", "dead")
    await dies(service, world, database, alice, name="ntc_1", carrier="mail", fault="refused")
    await dies(service, world, database, alice, name="ntc_2", carrier="none", fault="no_carrier")
    told = await run(variables, "notices", "dead")
    listed = value_of(await run(variables, "notices", "dead", "--json"))
    retried = value_of(await run(variables, "notices", "retry", "--json"))
    left = value_of(await run(variables, "notices", "dead", "--json"))

    assert "no message is dead" in empty.out
    assert "ntc_1  done by email: refused, tried 0 times" in told.out
    assert "alice@example.com" not in told.out
    assert isinstance(listed, list)
    assert {one["name"] for one in listed} == {"ntc_1", "ntc_2"}
    assert listed[0]["account_id"] == alice.account_id
    assert retried == {"revived": 1}
    assert isinstance(left, list)
    assert [one["name"] for one in left] == ["ntc_2"]

    await dies(service, world, database, alice, name="ntc_3", carrier="mail", fault="refused")
    await database.execute("UPDATE delivery SET box = 'x' WHERE name = 'ntc_2'")
    beside = await run(variables, "notices", "dead")
    known = value_of(await run(variables, "notices", "dead", "--json"))
    assert "ntc_2  does not open: no_carrier, tried 0 times" in beside.out
    assert "ntc_3  done by email: refused, tried 0 times" in beside.out
    assert isinstance(known, list)
    assert {one["name"]: one["kind"] for one in known} == {"ntc_2": None, "ntc_3": "done"}
