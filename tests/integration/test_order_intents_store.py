"""Order intents between processes, without a database, and what is left of them in it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from support.postgres import TestDatabase
from support.service import Customer, Service, SteerableClock, serving
from support.traders import LIQUID, THIN, by_key, by_session, make_key, order, ticket

from twinlock.adapters.sql import order_intents
from twinlock.adapters.sql.order_intents import SqlOrderCounts
from twinlock.adapters.sql.store import SqlStore
from twinlock.bootstrap.records import erasing_of, open_records
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.world import World
from twinlock.client import ProblemError
from twinlock.domain.errors import UnavailableError, present
from twinlock.domain.ids import AccountId
from twinlock.domain.order_intents.judging import Count, Name
from twinlock.domain.order_intents.model import IntentBatch
from twinlock.ports import Committed, Store, Work
from twinlock.services import order_intents as remembering
from twinlock.services.order_intents import OrderIntents

PASSED = {"verdict": "pass"}
FIRST_DAYS = "SELECT count(*) FROM order_count"


@pytest.fixture
async def beside(service: Service, world: World) -> AsyncIterator[Service]:
    """Another process of the same installation, with a memory of its own."""

    async def waiting() -> int:
        return 0

    async with serving(world, waiting_letters=waiting, clock=service.clock) as other:
        yield other


async def test_a_freeze_by_another_process_is_seen_by_the_next_batch(
    alice: Customer, beside: Service
) -> None:
    key = await make_key(alice)
    elsewhere = [order(alice.account_id, api_key_id=key, ip="203.0.113.7")]
    assert await beside.client.examine(elsewhere) == [PASSED]

    frozen = await alice.propose("freeze.set")
    await alice.with_passkey(frozen.action_id)

    [answer] = await beside.client.examine(elsewhere)
    assert answer["why"] == ["account_frozen"]


async def test_a_revoked_key_is_dead_in_every_process(alice: Customer, beside: Service) -> None:
    key = await make_key(alice)
    elsewhere = [order(alice.account_id, api_key_id=key, ip="203.0.113.7")]
    assert await beside.client.examine(elsewhere) == [PASSED]

    revoked = await alice.propose("api_key.revoke", {"api_key_id": key})
    await alice.with_passkey(revoked.action_id)

    [answer] = await beside.client.examine(elsewhere)
    assert answer["why"] == ["api_key_gone"]


async def test_processes_share_a_key_s_sum(alice: Customer, beside: Service) -> None:
    key = await make_key(alice, notional_daily_cents=20_00)
    elsewhere = [order(alice.account_id, api_key_id=key, ip="203.0.113.7")]

    assert await by_key(alice, key) == PASSED
    assert await beside.client.examine(elsewhere) == [PASSED]
    assert (await by_key(alice, key))["why"] == ["api_key_notional"]


async def test_without_a_database_nothing_passes(alice: Customer, database: TestDatabase) -> None:
    assert await by_session(alice) == PASSED
    await database.execute("ALTER TABLE order_count RENAME TO away")
    with pytest.raises(ProblemError) as broken:
        await by_session(alice)
    assert broken.value.status >= 500
    await database.execute("ALTER TABLE away RENAME TO order_count")
    assert await by_session(alice) == PASSED


async def test_an_account_that_does_not_open_trades_nothing(
    alice: Customer, beside: Service, database: TestDatabase
) -> None:
    assert await by_session(alice) == PASSED
    named = [order(alice.account_id, session_id=alice.session_id)]
    await database.execute("UPDATE stream SET box = substr(box, 2) WHERE kind = 'account'")

    [answer] = await beside.client.examine(named, tickets=[ticket(alice)])
    assert answer["why"] == ["account_unknown"]


async def test_what_is_counted_names_nobody(alice: Customer, database: TestDatabase) -> None:
    key = await make_key(alice)
    await by_key(alice, key)

    assert await database.value(FIRST_DAYS) == 2
    assert await database.value("SELECT sum(day_orders) FROM order_count") == 2
    columns = await database.value(
        "SELECT string_agg(attname, ' ') FROM pg_attribute WHERE attrelid = "
        "'order_count'::regclass AND attnum > 0 AND atttypid IN ('text'::regtype)"
    )
    assert columns is None


async def test_names_that_somebody_makes_up_leave_nothing(
    alice: Customer, database: TestDatabase
) -> None:
    made_up = [order(alice.account_id, api_key_id=f"key_{one}", ip="::1") for one in range(50)]
    made_up += [order(f"acc_{one}", session_id="ses_x") for one in range(50)]
    made_up += [order(alice.account_id, session_id="x", action_id=f"act_{one}") for one in range(9)]

    told = await alice.client.examine(made_up)

    assert {one["verdict"] for one in told} == {"refuse"}
    assert await database.value(FIRST_DAYS) == 1
    assert await database.value("SELECT sum(orders) FROM order_count") == 0


async def test_counts_go_with_the_account(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    await by_session(alice)
    asked = await alice.propose("account.erase")
    await alice.with_passkey(asked.action_id)
    service.clock.forward(days=30)

    owned = replace(world, owner_dsn=database.owner_dsn)
    async with open_records(owned, book=rule_book(), clock=service.clock) as use:
        await erasing_of(use).run()

    assert await database.value("SELECT count(*) FROM stream") == 0
    assert await database.value(FIRST_DAYS) == 0
    [answer] = await alice.client.examine([order(alice.account_id, session_id="ses_x")])
    assert answer["why"] == ["account_unknown"]


# --- Hours and days ---


async def count_of(service: Service, alice: Customer) -> Count:
    """Return what is counted of the account now, and count nothing."""
    found: list[Count] = []
    named = AccountId(alice.account_id)
    store = service.api.store
    assert isinstance(store, SqlStore)
    await SqlOrderCounts(store).examine(
        frozenset({named}),
        frozenset({Name(named)}),
        lambda _, counts: found.append(counts[Name(named)]),
        now=service.clock.at,
    )
    return found[0]


async def test_the_busiest_hour_is_that_of_earlier_days(service: Service, alice: Customer) -> None:
    clock = service.clock
    clock.at = (clock.at + timedelta(days=1)).replace(hour=1, minute=0)
    await alice.sign_in()
    for orders in (3, 5, 2):
        for _ in range(orders):
            await by_session(alice)
        clock.forward(minutes=50)
    assert (await count_of(service, alice)).top_orders == 0

    clock.at = clock.at.replace(hour=0, minute=0) + timedelta(days=1)
    counted = await count_of(service, alice)
    assert (counted.orders, counted.day_orders, counted.all_orders) == (0, 0, 10)
    assert counted.top_orders == 8  # The first two began within one hour.
    clock.forward(days=29)
    assert (await count_of(service, alice)).top_orders == 8
    clock.forward(days=1)
    assert (await count_of(service, alice)).top_orders == 0


@pytest.fixture
async def behind(service: Service, world: World) -> AsyncIterator[Service]:
    """Another process of the same installation, whose clock is a second behind."""

    async def waiting() -> int:
        return 0

    clock = SteerableClock()
    async with serving(world, waiting_letters=waiting, clock=clock) as other:
        clock.at = service.clock.at
        yield other


async def test_an_hour_is_counted_once_where_clocks_differ_at_its_border(
    service: Service, alice: Customer, behind: Service
) -> None:
    key = await make_key(alice)
    border = service.clock.at.replace(hour=1, minute=0, second=0) + timedelta(days=1)
    service.clock.at, behind.clock.at = border, border - timedelta(seconds=1)
    hundred = [order(alice.account_id, api_key_id=key, ip="203.0.113.7")] * 100

    assert await behind.client.examine(hundred) == [PASSED] * 100
    assert await service.client.examine(hundred) == [PASSED] * 100  # The next hour's own.
    for process in (behind, service, behind, service):
        [answer] = await process.client.examine(hundred[:1])
        assert answer["why"] == ["trade_rate"]
    service.clock.at = behind.clock.at = border + timedelta(hours=1)
    assert await behind.client.examine(hundred) == [PASSED] * 100


async def a_permit_at_midnight(alice: Customer) -> tuple[dict[str, Any], datetime]:
    """Return what a spent permit lets pass, once, and the midnight that comes next."""
    listed = await alice.propose("destination.add", {"network": "market", "address": THIN})
    await alice.with_passkey(listed.action_id)
    midnight = alice.service.clock.at.replace(hour=0, minute=0, second=0) + timedelta(days=3)
    alice.service.clock.at = midnight - timedelta(minutes=5)
    await alice.sign_in()
    draft = {"pair": THIN, "side": "buy", "price": "10", "asset": "BTC", "amount": "0.01"}
    proposed = await alice.propose("trade.unusual", draft)
    await alice.with_passkey(proposed.action_id)
    await alice.client.spend(proposed.action_id, spend_id="trade-0001")
    far = {"pair": THIN, "price": "10", "mid": "1", "action_id": proposed.action_id}
    return order(alice.account_id, session_id=alice.session_id, **far), midnight


async def test_a_permit_is_used_once_where_clocks_differ_at_midnight(
    service: Service, alice: Customer, behind: Service
) -> None:
    once, midnight = await a_permit_at_midnight(alice)
    service.clock.at, behind.clock.at = midnight, midnight - timedelta(seconds=1)
    tickets = [ticket(alice)]

    assert await service.client.examine([once], tickets=tickets) == [PASSED]
    [answer] = await behind.client.examine([once], tickets=tickets)
    assert answer["verdict"] == "ask"


async def test_a_permit_is_used_once_by_two_batches_on_either_side_of_midnight(
    service: Service, alice: Customer, behind: Service, database: TestDatabase
) -> None:
    once, midnight = await a_permit_at_midnight(alice)
    service.clock.at, behind.clock.at = midnight, midnight - timedelta(seconds=1)
    tickets = [ticket(alice)]
    await behind.client.examine([{**once, "price": "11"}], tickets=tickets)  # It makes the rows.

    async with database.owner() as db, db.transaction():
        await db.execute("LOCK TABLE order_count IN EXCLUSIVE MODE")
        first = asyncio.create_task(behind.client.examine([once], tickets=tickets))
        await database.somebody_waits_for_a_lock()
        second = asyncio.create_task(service.client.examine([once], tickets=tickets))
        await database.somebody_waits_for_a_lock(sessions=2)

    told = [answer["verdict"] for [answer] in (await first, await second)]
    assert told == ["pass", "ask"]


async def test_what_is_old_is_forgotten(
    service: Service, alice: Customer, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_intents, "FORGET_MOST", 1)
    store = service.api.store
    assert isinstance(store, SqlStore)
    counts = SqlOrderCounts(store)
    await make_key(alice)
    await by_session(alice, pair=LIQUID)
    await by_key(alice, (await alice.client.account(alice.account_id))["api_keys"][0]["api_key_id"])

    await counts.forget(now=service.clock.at + timedelta(days=31))
    assert await database.value(FIRST_DAYS) == 2
    await counts.forget(now=service.clock.at + timedelta(days=32))
    assert await database.value(FIRST_DAYS) == 0


async def test_few_accounts_are_remembered_at_a_time(
    alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_intents, "VIEWS_MOST", 0)

    for _ in range(2):
        assert await by_session(alice) == PASSED


# --- What is remembered, and what the log is told ---


class Failing:
    """The store, which fails to write."""

    def __init__(self, store: Store, error: Exception) -> None:
        self.closed_action = store.closed_action
        self._error = error

    async def run(self, _: Work) -> Committed:
        raise self._error


def failing(service: Service, error: Exception) -> OrderIntents:
    """Return the use case over a store that fails to write."""
    use = service.api.use.order_intents
    return OrderIntents(
        Failing(service.api.store, error),  # type: ignore[arg-type] # what is asked of it
        counts=use._counts,  # noqa: SLF001 - the service's own
        clock=service.clock,
        policies=use._policies,  # noqa: SLF001 - the service's own
    )


async def test_a_log_that_cannot_be_told_now_is_told_by_a_later_batch(
    service: Service, alice: Customer
) -> None:
    key = await make_key(alice)
    asked = order(alice.account_id, api_key_id=key, ip="203.0.113.7")
    batch = msgspec.convert({"intents": [asked]}, IntentBatch)

    [answer] = await failing(service, UnavailableError("busy")).examine(batch)
    assert answer.verdict == "pass"
    with pytest.raises(ZeroDivisionError):
        await failing(service, ZeroDivisionError()).examine(batch)

    account = await service.api.store.account(AccountId(alice.account_id))
    assert not account.api_keys[0].used_on
    assert await by_key(alice, key) == PASSED
    account = await service.api.store.account(AccountId(alice.account_id))
    assert account.api_keys[0].used_on


async def key_with_a_wider_band(alice: Customer) -> str:
    """Make a key that may trade within 0.1 % of the middle, and within 1 % in a day."""
    key = await make_key(alice, price_band_bp=10)
    more = await alice.propose("api_key.widen", {"api_key_id": key, "price_band_bp": 100})
    await alice.with_passkey(more.action_id)
    return key


async def test_a_wait_that_is_over_needs_nobody_who_ends_it(
    service: Service, alice: Customer
) -> None:
    key = await key_with_a_wider_band(alice)
    service.clock.forward(hours=24, seconds=-1)
    assert (await by_key(alice, key, price="60300"))["why"] == ["api_key_band"]

    service.clock.forward(seconds=1)
    orders = [
        order(alice.account_id, api_key_id=key, ip="203.0.113.7", price=price)
        for price in ("60000", "60300", "70000")
    ]
    answers = await alice.client.examine(orders)

    assert [one["verdict"] for one in answers] == ["pass", "pass", "refuse"]


async def test_orders_go_on_when_the_wait_for_the_end_of_a_freeze_is_over(
    service: Service, alice: Customer
) -> None:
    key = await make_key(alice)
    await alice.with_passkey((await alice.propose("freeze.set")).action_id)
    lifted = await alice.with_passkey((await alice.propose("freeze.lift")).action_id)
    assert (await by_key(alice, key))["why"] == ["account_frozen"]

    length = present(lifted.until, "it waits") - service.clock.at
    service.clock.forward(seconds=length.total_seconds())

    assert await by_key(alice, key) == PASSED


async def test_what_is_due_and_lacks_something_is_tried_once(
    service: Service, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await make_key(alice)
    payload = {"kind": "email", "address": "new@example.com"}  # Nobody confirms that it is read.
    waits = await alice.with_passkey((await alice.propose("contact.change", payload)).action_id)
    length = present(waits.until, "it waits") - service.clock.at
    service.clock.forward(seconds=length.total_seconds())
    told = []
    run = service.api.store.run

    async def counted(work: Work) -> Committed:
        told.append(work.actor)
        return await run(work)

    monkeypatch.setattr(service.api.use.order_intents._store, "run", counted)  # noqa: SLF001 - it is counted what is asked of it
    for _ in range(3):
        assert (await by_key(alice, key, price="70000"))["why"] == ["api_key_band"]

    assert told.count(remembering.ACTOR) == 1


async def test_what_is_due_later_takes_effect_behind_what_lacks_something(
    service: Service, alice: Customer
) -> None:
    key = await make_key(alice, price_band_bp=10)
    payload = {"kind": "email", "address": "new@example.com"}  # Nobody confirms that it is read.
    first = await alice.with_passkey((await alice.propose("contact.change", payload)).action_id)
    length = present(first.until, "it waits") - service.clock.at
    service.clock.forward(seconds=(length - timedelta(hours=20)).total_seconds())
    more = await alice.propose("api_key.widen", {"api_key_id": key, "price_band_bp": 100})
    await alice.with_passkey(more.action_id)
    service.clock.forward(hours=20)
    assert (await by_key(alice, key, price="60300"))["why"] == ["api_key_band"]
    service.clock.forward(hours=4)

    assert await by_key(alice, key, price="60300") == PASSED


async def test_what_is_due_is_settled_by_a_later_batch_where_it_cannot_be_now(
    service: Service, alice: Customer
) -> None:
    key = await key_with_a_wider_band(alice)
    service.clock.forward(hours=24)
    asked = order(alice.account_id, api_key_id=key, ip="203.0.113.7", price="60300")
    batch = msgspec.convert({"intents": [asked]}, IntentBatch)

    [answer] = await failing(service, UnavailableError("busy")).examine(batch)
    assert answer.verdict == "refuse"
    assert await by_key(alice, key, price="60300") == PASSED


async def test_few_tickets_are_remembered_at_a_time(
    service: Service, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "REMEMBERED_MOST", 1)
    for _ in range(3):
        assert await by_session(alice) == PASSED
        service.clock.forward(seconds=1)
    assert len(service.api.use.order_intents._tickets) == 1  # noqa: SLF001 - what bounds memory


async def test_a_ticket_is_remembered_by_a_short_name_however_long_it_is(
    service: Service, alice: Customer
) -> None:
    """Prevents: twenty thousand tickets of a megabyte each, and a process without memory."""
    long = ticket(alice, jwk={"kty": "EC", "x": "x" * 500_000})
    asked = order(alice.account_id, session_id=alice.session_id)
    [answer] = await alice.client.examine([asked], tickets=[long])

    assert answer["why"] == ["proof_not_bound"]
    [(name, signed)] = service.api.use.order_intents._tickets.items()  # noqa: SLF001 - what bounds memory
    assert (len(name), signed.thumbprint) == (32, "")
