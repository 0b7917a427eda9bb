"""An API key that nobody uses: its owner is told a week before it ends, once, by whoever looks."""

import asyncio

import pytest
from support.browser import letters
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.traders import make_key

from twinlock.domain.bounds import API_KEY_UNUSED_LIFETIME, KEY_LAPSE_NOTICE
from twinlock.domain.errors import ClockUntrustedError
from twinlock.domain.ids import AccountId
from twinlock.domain.notices import NoticeKind

BEFORE = int((API_KEY_UNUSED_LIFETIME - KEY_LAPSE_NOTICE).total_seconds())


async def told(service: Service) -> int:
    await service.deliver()
    return sum(one.kind is NoticeKind.LAPSES for one in letters(service))


async def entries(service: Service, one: Customer) -> int:
    return (await service.api.store.account(AccountId(one.account_id))).chain.entries


async def carol_has_one_too(service: Service, alice: Customer) -> Customer:
    """Make a key for alice, and one for another customer, who is returned."""
    carol = Customer(service, "carol")
    await carol.set_up()
    for one in (alice, carol):
        await make_key(one)
    return carol


@pytest.mark.parametrize("integrator", ["", "example-bot"])
async def test_its_owner_is_told_a_week_before_and_once(
    service: Service, alice: Customer, integrator: str
) -> None:
    await make_key(alice, integrator=integrator)
    look = service.api.use.key_lapsing.look
    service.clock.forward(seconds=BEFORE - 60)
    early, counted = await look(), await entries(service, alice)
    service.clock.forward(seconds=60)

    assert early == 0
    assert await look() == 1
    assert await look() == 0
    assert await entries(service, alice) == counted + 1
    assert await told(service) == len(
        (await service.api.store.account(AccountId(alice.account_id))).channels
    )


async def test_two_that_look_at_once_tell_once(service: Service, alice: Customer) -> None:
    await make_key(alice)
    look = service.api.use.key_lapsing.look
    service.clock.forward(seconds=BEFORE)
    await asyncio.gather(look(), look())
    account = await service.api.store.account(AccountId(alice.account_id))

    assert await told(service) == len(account.channels)


async def test_who_has_no_key_is_not_looked_at(service: Service, alice: Customer) -> None:
    counted = await entries(service, alice)
    service.clock.forward(seconds=BEFORE)

    assert await service.api.use.key_lapsing.look() == 0
    assert await entries(service, alice) == counted


async def test_an_account_that_does_not_open_keeps_no_other_from_being_told(
    service: Service, alice: Customer, database: TestDatabase
) -> None:
    await carol_has_one_too(service, alice)
    service.clock.forward(seconds=BEFORE)
    await database.execute(
        "UPDATE stream SET box = 'x' WHERE kind = 'account' AND subject = $1", alice.account_id
    )

    assert await service.api.use.key_lapsing.look() == 1


async def test_an_account_that_was_put_back_keeps_no_other_from_being_told(
    service: Service, alice: Customer, database: TestDatabase
) -> None:
    """Prevents: one old row, after which nobody hears that a key lapses."""
    carol = await carol_has_one_too(service, alice)
    first = min((alice, carol), key=lambda one: one.account_id)
    await database.execute("CREATE TABLE public.old AS TABLE stream")
    await first.propose("freeze.set")
    await database.execute(
        "UPDATE stream s SET version = o.version, box = o.box FROM public.old o"
        " WHERE s.id = o.id AND s.id = $1",
        first.account_id,
    )
    service.clock.forward(seconds=BEFORE)

    assert await service.api.use.key_lapsing.look() == 1


async def test_while_nothing_can_be_decided_a_look_ends_and_the_next_one_tells(
    service: Service, alice: Customer
) -> None:
    """Prevents: a clock that jumped, by which no account would be told of anything."""
    await make_key(alice)
    service.clock.forward(seconds=BEFORE)
    service.clock.fault = ClockUntrustedError("the wall clock jumped")
    with pytest.raises(ClockUntrustedError):
        await service.api.use.key_lapsing.look()
    service.clock.fault = None

    assert await service.api.use.key_lapsing.look() == 1
