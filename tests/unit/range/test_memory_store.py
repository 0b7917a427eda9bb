from datetime import UTC, datetime, timedelta

import pytest
from support.stores import (
    BEGINNING,
    ENTROPY,
    Customer,
    SteerableClock,
    commanded,
    freezing,
    idempotency,
    listing,
    new_action,
    new_customer,
    opening,
    withdrawal,
)

from twinlock.domain.bookkeeping import StateRolledBackError
from twinlock.domain.commands import EndSession
from twinlock.domain.errors import (
    AccountUnknownError,
    ClockUntrustedError,
    IdempotencyConflictError,
    PlatformKeyUnknownError,
)
from twinlock.domain.events import ActionAuthorized
from twinlock.domain.ids import DestinationId, PlatformKeyId
from twinlock.domain.importing.faults import AccountExistsError
from twinlock.domain.log.merkle import inclusion_proof, leaf_hash, verify_inclusion
from twinlock.domain.log.tiles import hashes_in, tiles_needed
from twinlock.domain.message_signatures import SignatureFault, SignatureRefusedError
from twinlock.ports import (
    Outgoing,
    Work,
)
from twinlock.ports.keys import (
    PlatformKey,
)
from twinlock.range.memory_store import CLOCK_BEHIND, MemoryKeys, MemoryStore


def a_store(clock: SteerableClock | None = None) -> MemoryStore:
    return MemoryStore(clock=clock or SteerableClock(), entropy=ENTROPY)


async def opened(store: MemoryStore) -> Customer:
    customer = new_customer()
    await store.run(opening(customer, now=BEGINNING))
    return customer


def ending(customer: Customer) -> Work:
    return commanded(customer, lambda _: EndSession(session_id=None), with_destination=False)


async def test_what_was_decided_is_what_is_read() -> None:
    store = a_store()
    customer = await opened(store)
    action = new_action(customer)

    committed = await store.run(withdrawal(customer, action))

    assert any(isinstance(one, ActionAuthorized) for one in committed.answer.events)
    account = await store.account(customer.account_id)
    assert account.action(action).value_cents == 2  # and a cent of fee
    assert committed.decided is not None
    assert committed.decided.state.account.actions == account.actions
    assert committed.indexes == (1,)
    assert committed.first_entry == 1


async def test_a_destination_is_read_by_its_own_account_only() -> None:
    store = a_store()
    customer, other = await opened(store), await opened(store)

    found = await store.destination(customer.account_id, customer.destination_id)

    assert found is not None
    assert found.address == customer.address
    assert await store.destination(other.account_id, customer.destination_id) is None
    assert await store.destination(customer.account_id, DestinationId("dst_none")) is None


async def test_a_refused_action_is_kept_apart_when_it_is_over() -> None:
    store = a_store()
    customer = await opened(store)
    action = new_action(customer)
    await store.run(freezing(customer, new_action(customer)))
    await store.run(withdrawal(customer, action))

    closed = await store.closed_action(action)

    assert closed is not None
    assert closed.action.action_id == action
    assert await store.closed_action(new_action(customer)) is None


async def test_an_unknown_account_is_no_account() -> None:
    store = a_store()

    with pytest.raises(AccountUnknownError):
        await store.account(new_customer().account_id)
    with pytest.raises(AccountUnknownError):
        await store.run(ending(new_customer()))


async def test_an_account_is_opened_once() -> None:
    store = a_store()
    customer = await opened(store)

    with pytest.raises(AccountExistsError):
        await store.run(opening(customer, now=BEGINNING))


async def test_a_repeated_key_decides_nothing_and_names_what_it_stands_for() -> None:
    store = a_store()
    customer = await opened(store)
    action = new_action(customer)
    await store.run(withdrawal(customer, action, key=idempotency("key")))

    again = await store.run(withdrawal(customer, new_action(customer), key=idempotency("key")))

    assert (again.decided, again.repeated) == (None, action)
    assert (await store.head()).size == 2


async def test_a_key_that_was_used_for_something_else_is_refused() -> None:
    store = a_store()
    customer = await opened(store)
    await store.run(withdrawal(customer, new_action(customer), key=idempotency("key", "one")))

    with pytest.raises(IdempotencyConflictError):
        await store.run(withdrawal(customer, new_action(customer), key=idempotency("key", "two")))


async def test_what_a_key_stands_for_is_told_to_who_asks_for_the_same() -> None:
    store = a_store()
    customer = await opened(store)
    action = new_action(customer)
    await store.run(withdrawal(customer, action, key=idempotency("key", "one")))

    name = customer.account_id
    assert await store.stands_for(name, idempotency("key", "one")) == action
    assert await store.stands_for(name, idempotency("another")) is None
    with pytest.raises(IdempotencyConflictError):
        await store.stands_for(name, idempotency("key", "two"))


async def test_an_opening_key_belongs_to_its_caller() -> None:
    store = a_store()
    first, second = new_customer(), new_customer()
    key = idempotency("open")
    await store.run(opening(first, now=BEGINNING, key=key))

    same = await store.run(opening(second, now=BEGINNING, key=key))
    other = await store.run(opening(second, now=BEGINNING, key=key, actor="platform:other"))

    assert same.repeated == first.account_id
    assert other.repeated == ""


async def test_a_destination_that_its_account_does_not_know_is_rolled_back() -> None:
    store = a_store()
    customer = new_customer()
    await store.run(opening(customer, now=BEGINNING, listed=False))
    await store.run(listing(customer, now=BEGINNING))
    del store.destinations[customer.destination_id]

    with pytest.raises(StateRolledBackError):
        await store.run(withdrawal(customer, new_action(customer)))


async def test_an_old_account_put_back_meets_its_own_label() -> None:
    store = a_store()
    customer = await opened(store)
    before = store.accounts[customer.account_id]
    await store.run(ending(customer))
    store.accounts[customer.account_id] = before

    with pytest.raises(StateRolledBackError):
        await store.run(ending(customer))


async def test_the_log_never_goes_back_in_time() -> None:
    clock = SteerableClock()
    store = a_store(clock)
    customer = await opened(store)
    last = clock.at

    clock.at = last - CLOCK_BEHIND
    within = await store.run(ending(customer))
    clock.at = last - CLOCK_BEHIND - timedelta(seconds=1)

    assert within.at == last
    with pytest.raises(ClockUntrustedError):
        await store.run(ending(customer))


async def test_every_entry_is_in_the_tree() -> None:
    store = a_store()
    customer = await opened(store)
    for _ in range(5):
        await store.run(ending(customer))
    entry = await store.entry(customer.account_id, 3)
    head = await store.head()
    assert entry is not None

    wanted = tiles_needed(lambda at: inclusion_proof(entry.index, head.size, at))
    tiles = await store.tiles((*sorted(wanted), (7, 7)))
    path = inclusion_proof(entry.index, head.size, hashes_in(tiles))

    verify_inclusion(
        leaf_hash(entry.leaf), index=entry.index, size=head.size, root=head.root, proof=path
    )
    assert await store.leaves(start=3, count=1) == (entry.leaf,)
    assert await store.entry(customer.account_id, 99) is None


async def test_letters_are_handed_on_in_order_and_once() -> None:
    store = a_store()
    customer = await opened(store)
    for _ in range(4):
        await store.run(withdrawal(customer, new_action(customer)))
    got: list[Outgoing] = []

    async def send(letter: Outgoing) -> None:
        got.append(letter)

    counts = [await store.deliver(send, most=2) for _ in range(3)]

    assert counts == [2, 2, 0]
    assert [one.outbox_id for one in got] == [1, 2, 3, 4]


async def test_a_letter_that_cannot_be_handed_on_stays() -> None:
    store = a_store()
    customer = await opened(store)
    for _ in range(2):
        await store.run(withdrawal(customer, new_action(customer)))

    async def refuse(_: Outgoing) -> None:
        raise OSError("the disk is full")

    async def accept(_: Outgoing) -> None:
        return None

    with pytest.raises(OSError, match="the disk is full"):
        await store.deliver(refuse, most=5)
    assert await store.deliver(accept, most=5) == 2


async def test_a_key_is_revoked_once() -> None:
    keys = MemoryKeys()
    key = PlatformKey(
        key_id=PlatformKeyId("one"),
        mac=bytes(32),
        scopes=(),
        networks=(),
        created_at=BEGINNING,
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
    )
    await keys.add(key)

    assert await keys.revoke(key.key_id, at=BEGINNING) == BEGINNING
    later = BEGINNING + timedelta(days=1)
    assert await keys.revoke(key.key_id, at=later) == BEGINNING

    found = await keys.read(key.key_id)
    assert found is not None
    assert found.revoked_at == BEGINNING
    assert await keys.read(PlatformKeyId("two")) is None
    assert await keys.youngest(most=2) == (found,)
    with pytest.raises(PlatformKeyUnknownError):
        await keys.revoke(PlatformKeyId("two"), at=BEGINNING)


async def test_a_nonce_is_good_once_for_each_key() -> None:
    keys, one, two = MemoryKeys(), PlatformKeyId("one"), PlatformKeyId("two")
    for key_id in (one, two):
        await keys.use_nonce(key_id, "nonce", until=BEGINNING)
        with pytest.raises(SignatureRefusedError) as refused:
            await keys.use_nonce(key_id, "nonce", until=BEGINNING)
        assert refused.value.fault is SignatureFault.REPLAYED
