"""An index key is rotated: what is listed keeps its name, its budget and its past, and is one."""

import asyncio
import dataclasses
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from support.postgres import TestDatabase
from support.service import ADDRESS, Customer, Service, serving
from support.store_audit import audit

from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.keyring.signing import KeyringIndex
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.bootstrap.keys import key_rotation
from twinlock.bootstrap.world import World, prepare
from twinlock.domain.actions import Place
from twinlock.domain.ids import AccountId, DestinationId
from twinlock.domain.keys import KeyNeededError
from twinlock.domain.listed import Destination

ENTROPY = SystemEntropy()
WHERE = {"network": "ethereum", "address": ADDRESS, "budget_cents": 100_00}


async def nobody_waits() -> int:
    return 0


def rotated(directory: Path, *, activated: bool = True) -> Keyring:
    """Announce, and perhaps activate, an index key in a keyring that is served."""
    now = SystemClock().now() + timedelta(seconds=1)
    held = keyrings.announce(directory, Role.INDEX, entropy=ENTROPY, now=now)
    if activated:
        held = keyrings.activate(directory, Role.INDEX, now=now + timedelta(seconds=1))
    return held


def after(before: Service, service: Service) -> None:
    """Let ``service`` go on where the one before was: its time, and its callers' keys."""
    service.clock.at = max(before.clock.at, service.clock.at)
    service.clock.forward(seconds=1)
    service._count = before._count  # noqa: SLF001 - one platform asks both


@asynccontextmanager
async def later(world: World, alice: Customer) -> AsyncIterator[Service]:
    """Let a process that starts now serve Alice."""
    async with serving(await prepare(world.settings), waiting_letters=nobody_waits) as found:
        after(alice.service, found)
        alice.service, alice.client = found, found.client
        yield found


async def listed(alice: Customer) -> tuple[Destination, ...]:
    return await alice.service.api.use.accounts.destinations(AccountId(alice.account_id))


def names(keyring: Keyring, alice: Customer) -> tuple[DestinationId, ...]:
    account = AccountId(alice.account_id)
    place = Place(account=account, network="ethereum", address=ADDRESS, memo="")
    return KeyringIndex(keyring).names(place)


@pytest.fixture
async def alice(service: Service) -> Customer:
    alice = Customer(service, "alice")
    await alice.set_up()
    return alice


@pytest.mark.parametrize("activated", [False, True])
async def test_a_listed_destination_goes_on_as_it_was(
    alice: Customer, world: World, database: TestDatabase, *, activated: bool
) -> None:
    await alice.add_destination(budget_cents=100_00)
    assert (await alice.withdraw("10")).state == "authorized"
    (before,) = await listed(alice)
    held = rotated(world.settings.keyring_dir, activated=activated)

    async with later(world, alice):
        assert (await alice.withdraw("10")).state == "authorized"
        (now,) = await listed(alice)

    assert now.destination_id == before.destination_id == names(held, alice)[-int(activated)]
    assert now.budget_cents == before.budget_cents
    await audit(database, held)


async def test_what_was_proposed_under_the_old_key_is_listed_once_under_it(
    alice: Customer, world: World
) -> None:
    added = await alice.propose("destination.add", WHERE)
    held = rotated(world.settings.keyring_dir)

    async with later(world, alice) as service:
        await alice.with_passkey(added.action_id)
        second = await alice.propose("destination.add", WHERE)
        await alice.with_passkey(second.action_id)
        service.clock.forward(hours=24)
        assert (await alice.withdraw("10")).state == "authorized"
        (one,) = await listed(alice)

    assert one.destination_id == names(held, alice)[1]


async def test_a_removed_destination_is_listed_again_over_its_old_row(
    alice: Customer, world: World, database: TestDatabase
) -> None:
    await alice.add_destination()
    await alice.withdraw("10")
    (first,) = await listed(alice)
    removed = await alice.propose("destination.remove", {"network": "ethereum", "address": ADDRESS})
    await alice.with_passkey(removed.action_id)
    (gone,) = await listed(alice)
    assert gone.removed
    held = rotated(world.settings.keyring_dir)

    async with later(world, alice) as service:
        assert (await alice.withdraw("10")).state != "authorized"
        await alice.add_destination()
        service.clock.forward(hours=24)
        assert (await alice.withdraw("10")).state == "authorized"
        (again,) = await listed(alice)

    assert again.destination_id == first.destination_id
    assert again.version > gone.version > first.version
    await audit(database, held)


async def test_a_new_destination_is_named_by_the_new_key(alice: Customer, world: World) -> None:
    held = rotated(world.settings.keyring_dir)

    async with later(world, alice):
        await alice.add_destination()
        assert (await alice.withdraw("10")).state == "authorized"
        (one,) = await listed(alice)

    assert one.destination_id == names(held, alice)[0]


async def test_an_imported_destination_is_imported_once(service: Service, world: World) -> None:
    bob = Customer(service, "bob")
    where = {"network": "ethereum", "address": ADDRESS}
    key = service.key()
    body = {"channels": [{"kind": "desktop", "address": "desktop-1"}], "destinations": [where]}
    opened = await service.client.open_account(body, key=key)
    bob.account_id = opened["account_id"]
    (before,) = await listed(bob)
    rotated(world.settings.keyring_dir)

    async with later(world, bob) as found:
        await found.client.open_account(body, key=key)
        (now,) = await listed(bob)

    assert now == before


async def test_an_api_key_names_what_it_named(alice: Customer, world: World) -> None:
    await alice.add_destination()
    await alice.withdraw("10")
    (one,) = await listed(alice)
    rotated(world.settings.keyring_dir)

    async with later(world, alice) as service:
        await alice.sign_in()
        asked = await alice.propose(
            "api_key.create",
            {
                "public_key": "A" * 42 + "E",
                "scopes": ["withdraw"],
                "ip_list": ["203.0.113.7/32"],
                "destinations": [{"network": "ethereum", "address": ADDRESS}],
                "daily_cents": 100_00,
            },
        )
        shown = await service.client.action(asked.action_id)

    assert shown.payload is not None
    assert shown.payload["destinations"] == [one.destination_id]


async def test_two_machines_that_name_by_different_keys_list_a_destination_once(
    alice: Customer, world: World, database: TestDatabase, tmp_path: Path
) -> None:
    """One machine's keyring has only announced what the other's has activated."""
    directory = world.settings.keyring_dir
    rotated(directory, activated=False)
    behind = tmp_path / "other" / "ring"
    behind.parent.mkdir(mode=0o700)
    shutil.copytree(directory, behind)
    now = SystemClock().now() + timedelta(seconds=9)
    held = keyrings.activate(directory, Role.INDEX, now=now)
    other = replace_keyring(world, behind)

    async with later(world, alice) as one, serving(other, waiting_letters=nobody_waits) as two:
        after(one, two)
        one.clock.at = two.clock.at
        twin = Customer(two, "alice")
        twin.account_id, twin.session_id = alice.account_id, alice.session_id
        twin.passkey = alice.passkey  # One key, which counts what it signs.
        added = await asyncio.gather(
            *(who.propose("destination.add", WHERE) for who in (alice, twin))
        )
        # Each is proved where the other one was proposed.
        proved = [await twin.with_passkey(added[0].action_id)]
        proved.append(await alice.with_passkey(added[1].action_id))
        assert [one.state for one in proved] == ["open", "open"]
        one.clock.forward(hours=24)
        two.clock.forward(hours=24)
        assert (await twin.withdraw("1")).state == "authorized"
        assert (await alice.withdraw("1")).state == "authorized"
        (only,) = await listed(alice)

    assert only.destination_id in names(held, alice)
    assert await database.value("SELECT count(*) FROM stream WHERE kind = 'destination'") == 1
    await audit(database, held)


def replace_keyring(world: World, directory: Path) -> World:

    settings = dataclasses.replace(world.settings, keyring_dir=directory)
    return dataclasses.replace(world, settings=settings, keyring=keyrings.load(directory))


async def test_an_index_key_is_kept_while_anything_bears_its_name(
    alice: Customer, service: Service, world: World
) -> None:
    old = service.keyring.current(Role.INDEX)
    await alice.add_destination()
    await alice.withdraw("10")
    await alice.propose(
        "destination.add", {"network": "tron", "address": "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"}
    )
    rotated(world.settings.keyring_dir)
    clock = service.clock
    clock.forward(days=1)

    async with key_rotation(await prepare(world.settings), clock=clock) as rotation:
        with pytest.raises(KeyNeededError, match="1 destinations, 1 open proposals"):
            await rotation.retire(Role.INDEX, old.key_id, at_once=True)
    await alice.propose("destination.remove", {"network": "ethereum", "address": ADDRESS})
    async with key_rotation(await prepare(world.settings), clock=clock) as rotation:
        with pytest.raises(KeyNeededError, match="1 destinations"):
            await rotation.retire(Role.INDEX, old.key_id)
