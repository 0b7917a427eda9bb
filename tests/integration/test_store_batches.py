"""Group commit: who shares a transaction, in which order, and who fails alone."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.postgres import TestDatabase, both_versions
from support.stores import (
    PLATFORM,
    POLICY,
    Customer,
    SteerableClock,
    during,
    freezing,
    idempotency,
    listing,
    new_action,
    new_customer,
    opened,
    opening,
    outcomes,
    several,
    spend,
    touching,
    withdrawal,
)

from twinlock.adapters.sql import group_commit
from twinlock.adapters.sql.keys_used import KeyName, key_use
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.account import ActionUnknownError, State
from twinlock.domain.answers import Teller
from twinlock.domain.bounds import DOCUMENT_BYTES_MOST
from twinlock.domain.decisions import Decided
from twinlock.domain.errors import (
    AccountUnknownError,
    ClockUntrustedError,
    DocumentTooLargeError,
    InvariantError,
    SealBrokenError,
    TwinlockError,
)
from twinlock.domain.ids import AccountId
from twinlock.domain.importing.faults import AccountExistsError
from twinlock.domain.requirements import Answer
from twinlock.ports import (
    Committed,
    Work,
)


@both_versions
async def test_requests_that_wait_together_share_one_transaction(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    everybody = await several(store, clock, 5)
    batches, requests = store.batches, store.batched

    answers = await asyncio.gather(*(store.run(touching(one)) for one in everybody))

    assert (store.batches - batches, store.batched - requests) == (1, 5)
    assert sorted(answer.indexes[0] for answer in answers) == list(range(5, 10))
    assert len({answer.at for answer in answers}) == 1
    writers = await database.value(
        "SELECT count(DISTINCT xmin::text) FROM leaf WHERE leaf_index >= 5"
    )
    assert writers == 1


@both_versions
async def test_the_next_batch_is_decided_while_one_is_written_and_committed_after_it(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    alice, bob = await several(store, clock, 2)
    size = (await store.head()).size
    decided = asyncio.Event()
    async with database.owner() as holder, holder.transaction():
        await holder.execute("LOCK TABLE outbox IN EXCLUSIVE MODE")
        first = asyncio.ensure_future(store.run(touching(alice)))
        await database.somebody_waits_for_a_lock()
        second = asyncio.ensure_future(store.run(during(bob, decided.set)))
        await asyncio.wait_for(decided.wait(), 1)
        assert not first.done()

    assert (await first).indexes == (size,)
    assert (await second).indexes == (size + 1,)


async def test_an_answer_that_cannot_be_told_was_decided_and_fails_nobody_else(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice, bob = await several(store, clock, 2)
    size = (await store.head()).size

    def broken(claims: bytes, typ: str) -> str:
        raise OSError("the key is gone")

    action = new_action(alice)
    untold = replace(
        withdrawal(alice, action, key=idempotency("key")),
        teller=Teller(policy=POLICY, log_origin="example.org/log", sign=broken),
    )
    failed, told = await outcomes(store.run(untold), store.run(touching(bob)))

    assert isinstance(failed, TwinlockError)
    assert isinstance(failed.__cause__, OSError)
    assert isinstance(told, Committed)
    assert (await store.head()).size == size + 2
    assert (await store.run(untold)).repeated == action


async def test_a_lone_request_goes_alone(store: SqlStore, clock: SteerableClock) -> None:
    alice = await opened(store, clock)
    batches = store.batches

    await store.run(touching(alice))
    await store.run(touching(alice))

    assert store.batches - batches == 2


async def test_no_batch_is_larger_than_its_limit(store: SqlStore, clock: SteerableClock) -> None:
    alice = await opened(store, clock)
    batches = store.batches
    count = group_commit.BATCH_MOST + 1

    await asyncio.gather(*(store.run(touching(alice)) for _ in range(count)))

    assert store.batches - batches == 2


@both_versions
async def test_requests_of_one_account_are_decided_in_the_order_in_which_they_came(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = await opened(store, clock)
    action = new_action(alice)

    authorized, frozen, stopped = await asyncio.gather(
        store.run(withdrawal(alice, action)),
        store.run(freezing(alice, new_action(alice))),
        store.run(spend(alice, action)),
    )

    assert authorized.answer.answer is Answer.ALLOW
    assert frozen.answer.answer is Answer.ALLOW
    assert stopped.answer.answer is Answer.DENY
    firsts = [one.first_entry for one in (authorized, frozen, stopped)]
    assert firsts == [1, 2, 3]
    assert (await store.account(alice.account_id)).chain.entries == 4


async def test_a_batch_may_propose_spend_and_close_one_action(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = await opened(store, clock)
    action = new_action(alice)

    await asyncio.gather(store.run(withdrawal(alice, action)), store.run(spend(alice, action)))

    closed = await store.closed_action(action)
    assert closed is not None
    assert closed.entry == 2
    assert (await store.account(alice.account_id)).actions == ()


async def test_an_account_may_be_opened_and_used_in_one_batch(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = new_customer()
    batches = store.batches

    await asyncio.gather(
        store.run(opening(alice, now=clock.at)),
        store.run(withdrawal(alice, new_action(alice))),
        store.run(touching(alice, with_destination=True)),
    )

    assert store.batches - batches == 1
    destination = await store.destination(alice.account_id, alice.destination_id)
    assert destination is not None
    assert destination.version == 2


# --- Failing alone ---


def too_large(customer: Customer, clock: SteerableClock) -> Work:
    return opening(new_customer(), now=clock.at, padding=DOCUMENT_BYTES_MOST)


def unknown(customer: Customer, clock: SteerableClock) -> Work:
    return touching(new_customer())


def no_such_action(customer: Customer, clock: SteerableClock) -> Work:
    return spend(customer, new_action(customer))


def our_own_mistake(customer: Customer, clock: SteerableClock) -> Work:
    def decide(state: State, now: object) -> Decided:
        raise ZeroDivisionError

    return replace(touching(customer), decide=decide)


def another_ones_account(customer: Customer, clock: SteerableClock) -> Work:
    stranger = opening(new_customer(), now=clock.at, listed=False)
    return replace(stranger, account_id=customer.account_id, opens=None)


def another_ones_destination(customer: Customer, clock: SteerableClock) -> Work:
    stranger = listing(new_customer(), now=clock.at)
    return replace(stranger, account_id=customer.account_id, destination_id=None)


def a_destination_for_an_account(customer: Customer, clock: SteerableClock) -> Work:
    return replace(touching(customer), account_id=AccountId(customer.destination_id))


def opened_twice(customer: Customer, clock: SteerableClock) -> Work:
    return opening(customer, now=clock.at)


def a_key_that_is_no_text(customer: Customer, clock: SteerableClock) -> Work:
    return withdrawal(customer, new_action(customer), key=idempotency("nul\0byte"))


@both_versions
@pytest.mark.parametrize(
    ("guilty", "error"),
    [
        (unknown, AccountUnknownError),
        (no_such_action, ActionUnknownError),
        (too_large, DocumentTooLargeError),
        (our_own_mistake, TwinlockError),
        (another_ones_account, InvariantError),
        (another_ones_destination, InvariantError),
        (a_destination_for_an_account, InvariantError),
        (opened_twice, AccountExistsError),
        (a_key_that_is_no_text, TwinlockError),
    ],
)
async def test_a_request_that_fails_alone_fails_nobody_else(
    store: SqlStore,
    clock: SteerableClock,
    guilty: Callable[[Customer, SteerableClock], Work],
    error: type[TwinlockError],
) -> None:
    alice, bob = await several(store, clock, 2)
    size = (await store.head()).size

    before, failed, after = await outcomes(
        store.run(touching(alice)), store.run(guilty(bob, clock)), store.run(touching(bob))
    )

    assert isinstance(failed, error)
    assert isinstance(before, Committed)
    assert isinstance(after, Committed)
    assert (before.indexes, after.indexes) == ((size,), (size + 1,))
    assert (await store.head()).size == size + 2


async def test_a_command_that_names_another_ones_destination_is_dropped(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice, bob = await several(store, clock, 2)
    foreign = replace(touching(alice), destination_id=bob.destination_id)

    with pytest.raises(InvariantError, match="belongs to its account"):
        await store.run(foreign)


async def test_a_document_that_is_too_large_does_not_even_abort_the_batch(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = await opened(store, clock)
    batches = store.batches

    ok, refused = await outcomes(store.run(touching(alice)), store.run(too_large(alice, clock)))

    assert isinstance(ok, Committed)
    assert isinstance(refused, DocumentTooLargeError)
    assert store.batches - batches == 1


async def test_what_nobody_foresaw_of_one_request_decides_no_neighbour_a_second_time(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice, bob = await several(store, clock, 2)
    decided: list[str] = []

    before, broken, after = await outcomes(
        store.run(during(alice, lambda: decided.append("alice"))),
        store.run(our_own_mistake(bob, clock)),
        store.run(during(bob, lambda: decided.append("bob"))),
    )

    assert isinstance(before, Committed)
    assert isinstance(after, Committed)
    assert isinstance(broken, TwinlockError)
    assert (broken.code, type(broken.__cause__)) == ("internal", ZeroDivisionError)
    assert decided == ["alice", "bob"]


async def test_two_openings_under_one_key_that_cross_are_one(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    """Two processes ask at once, and neither sees the other's key before it writes its own."""
    alice, late = new_customer(), new_customer()
    key = idempotency("customer 7")
    name = KeyName(PLATFORM, key.key)
    use = key_use(store.sealer, name, digest=key.digest, action_id=alice.account_id)
    async with database.owner() as other:
        async with other.transaction():
            await other.execute(
                "INSERT INTO idempotency VALUES ($1, $2, $3, $4, $5, now())", *name, *use
            )
            asked = asyncio.create_task(store.run(opening(late, now=clock.at, key=key)))
            await database.somebody_waits_for_a_lock()
        answered = await asked

    assert answered.repeated == alice.account_id
    assert await database.value("SELECT count(*) FROM leaf") == 0


async def test_when_the_world_fails_among_requests_tried_alone_the_rest_is_told_at_once(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice, bob = await several(store, clock, 2)

    def once_alone() -> None:
        clock.fault = ClockUntrustedError("it jumped")

    told = await outcomes(
        store.run(a_key_that_is_no_text(bob, clock)),  # The database refuses all of them for it.
        store.run(during(alice, once_alone)),
        store.run(touching(alice)),
        store.run(touching(alice)),
    )

    assert [type(one) for one in told] == [
        TwinlockError,
        Committed,
        ClockUntrustedError,
        ClockUntrustedError,
    ]
    assert told[2] is not told[3]


async def test_a_broken_seal_of_another_account_is_its_own_trouble(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    alice, bob = await several(store, clock, 2)
    await database.execute("UPDATE stream SET box = '\\x00' WHERE id = $1", bob.account_id)

    ok, broken, also_broken = await outcomes(
        store.run(touching(alice)), store.run(touching(bob)), store.run(touching(bob))
    )

    assert isinstance(ok, Committed)
    assert isinstance(broken, SealBrokenError)
    assert isinstance(also_broken, SealBrokenError)
    assert broken is not also_broken


async def test_a_failure_that_rests_on_an_uncommitted_neighbour_waits_for_its_commit(
    store: SqlStore, clock: SteerableClock
) -> None:
    """Prevents: "no such action" told of one that the same batch is about to close."""
    alice = await opened(store, clock)
    action = new_action(alice)
    await store.run(withdrawal(alice, action))

    async def second() -> object:
        with pytest.raises(ActionUnknownError):
            await store.run(spend(alice, action, spend_id="spend-00002"))
        return await store.closed_action(action)

    _, closed = await asyncio.gather(store.run(spend(alice, action)), second())

    assert closed is not None


@both_versions
async def test_a_destination_that_another_process_adds_meanwhile_is_seen(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    """Prevents: a false alarm of an old row put back, when two processes share an account.

    The statement that waits for the account has looked before the other's commit, and so does not
    see the row that came with it.
    """
    alice = await opened(store, clock, listed=False)
    before = await database.fetch("SELECT version, box FROM stream WHERE id = $1", alice.account_id)
    await store.run(listing(alice, now=clock.at))
    after = await database.fetch("SELECT version, box FROM stream WHERE id = $1", alice.account_id)
    row = await database.fetch("SELECT * FROM stream WHERE id = $1", alice.destination_id)
    write = "UPDATE stream SET version = $2, box = $3 WHERE id = $1"
    await database.execute(write, alice.account_id, *before[0])
    await database.execute("DELETE FROM stream WHERE id = $1", alice.destination_id)

    async with database.owner() as other:
        async with other.transaction():
            await other.execute(write, alice.account_id, *after[0])
            await other.execute("INSERT INTO stream VALUES ($1, $2, $3, $4, $5)", *row[0])
            asked = asyncio.create_task(store.run(withdrawal(alice, new_action(alice))))
            await database.somebody_waits_for_a_lock()
        answered = await asked

    assert answered.answer.answer is Answer.ALLOW
