"""Rows of forgotten destinations in PostgreSQL: they stay, count for nothing, and the audit holds.

One work here lists or removes as the gate would: with the version that the account asks for.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from support.auditing import audited_store, codes
from support.postgres import TestDatabase
from support.stores import (
    PLATFORM,
    POLICY,
    Customer,
    SteerableClock,
    destination_of,
    digest_of,
    new_action,
    new_customer,
    opened,
    opening,
    touching,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain import forgetting
from twinlock.domain.account import Account, OpenAction, Shown, State
from twinlock.domain.actions import DestinationAdd, payload_bytes, payload_digest
from twinlock.domain.assurance import Factor
from twinlock.domain.bookkeeping import StateRolledBackError
from twinlock.domain.canonical import b64url
from twinlock.domain.decisions import Decided, Decision
from twinlock.domain.errors import SealBrokenError
from twinlock.domain.events import DestinationAdded, DestinationRemoved, Event
from twinlock.domain.forgetting import first_version, versions_of
from twinlock.domain.ids import DestinationId
from twinlock.domain.replay import apply_all
from twinlock.domain.requirements import Answer
from twinlock.domain.stepping import advance
from twinlock.ports import Work

MOST = 3
Making = Callable[[State, datetime], Event]


@pytest.fixture(autouse=True)
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that names three destinations at most."""
    monkeypatch.setattr(forgetting, "DESTINATIONS_MOST", MOST)


def work(customer: Customer, making: Making) -> Work:
    def decided(state: State, at: datetime) -> Decided:
        events = (making(state, at),)
        one = Decision(kind="destination", action_id="", answer=Answer.ALLOW, events=events)
        return Decided(decisions=(one,), states=(advance(apply_all(state, events)),))

    return Work(
        account_id=customer.account_id,
        destination_id=customer.destination_id,
        decide=decided,
        actor=PLATFORM,
        policy=POLICY.name,
    )


def added(customer: Customer) -> Work:
    def making(state: State, at: datetime) -> Event:
        before = state.destination
        version = first_version(state.account) if before is None else before.version + 1
        new = replace(destination_of(customer, now=at), version=version)
        return DestinationAdded(at=at, destination=new)

    return work(customer, making)


def removed(customer: Customer) -> Work:
    return work(
        customer,
        lambda _, at: DestinationRemoved(at=at, destination_id=customer.destination_id),
    )


def place(customer: Customer, number: int) -> Customer:
    """Return ``customer`` with another destination."""
    named = DestinationId("dst_" + "abcdefgh"[number] * 26)
    return replace(customer, destination_id=named, address=f"0x{number:040x}")


async def churn(store: SqlStore, customer: Customer, *, count: int = MOST) -> None:
    """List and remove so many others that the customer's first, once removed, is forgotten."""
    for number in range(count):
        await store.run(added(place(customer, number)))
        await store.run(removed(place(customer, number)))


KEEP = "CREATE TABLE public.old_stream AS SELECT * FROM stream WHERE kind = 'destination'"
PUT_BACK = (
    "UPDATE stream s SET version = o.version, box = o.box FROM public.old_stream o"
    " WHERE o.id = s.id"
)


async def test_what_is_forgotten_leaves_its_row_which_the_audit_knows(
    store: SqlStore, database: TestDatabase, clock: SteerableClock, keyring: Keyring
) -> None:
    alice = await opened(store, clock)
    await store.run(removed(alice))
    await churn(store, alice)
    account = await store.account(alice.account_id)

    assert alice.destination_id not in versions_of(account)
    assert len(versions_of(account)) == MOST
    assert account.former.forgotten == 2
    rows = await database.value("SELECT count(*) FROM stream WHERE kind = 'destination'")
    assert rows == MOST + 1
    assert await store.destination(alice.account_id, alice.destination_id) is None
    assert codes(await audited_store(database, keyring)) == set()


async def test_an_old_row_of_a_forgotten_one_counts_for_nothing_and_is_found(
    store: SqlStore, database: TestDatabase, clock: SteerableClock, keyring: Keyring
) -> None:
    """Prevents: the row of the day on which it was usable, put back."""
    alice = await opened(store, clock)
    await database.execute(KEEP)
    await store.run(removed(alice))
    await churn(store, alice)
    await database.execute(PUT_BACK)
    seen: list[State] = []

    def look(state: State, at: datetime) -> Event:
        seen.append(state)
        new = replace(destination_of(alice, now=at), version=first_version(state.account))
        return DestinationAdded(at=at, destination=new)

    assert await store.destination(alice.account_id, alice.destination_id) is None
    assert codes(await audited_store(database, keyring)) == {"destination_differs"}
    await store.run(work(alice, look))

    assert [one.destination for one in seen] == [None]
    account = await store.account(alice.account_id)
    assert account.destinations == {alice.destination_id: 3}
    assert codes(await audited_store(database, keyring)) == set()  # It was written over.


@pytest.mark.parametrize("gone", [False, True], ids=["its row there", "its row gone"])
async def test_what_is_listed_anew_is_written_over_its_former_row(
    store: SqlStore, database: TestDatabase, clock: SteerableClock, keyring: Keyring, gone: bool
) -> None:
    alice = await opened(store, clock)
    await database.execute(KEEP)
    await store.run(removed(alice))
    await churn(store, alice)
    if gone:
        await database.execute("DELETE FROM stream WHERE id = $1", alice.destination_id)
    await store.run(added(alice))
    listed = await store.destination(alice.account_id, alice.destination_id)

    assert listed is not None
    assert (listed.version, listed.removed) == (3, False)
    assert codes(await audited_store(database, keyring)) == set()
    await database.execute(PUT_BACK)
    for ask in (
        lambda: store.run(touching(alice, with_destination=True)),
        lambda: store.destination(alice.account_id, alice.destination_id),
    ):
        with pytest.raises(StateRolledBackError):
            await ask()


def waiting(account: Account, customer: Customer, *, until: datetime) -> Account:
    """Return ``account`` with a listing of the customer's destination that is proved and waits."""
    payload = DestinationAdd(
        account=account.account_id,
        network="ethereum",
        address=customer.address,
        memo="",
        label="",
        budget_cents=0,
    )
    (key,) = account.authenticators
    begun = until - timedelta(days=8)
    proof = Shown(
        source=key.authenticator_id,
        factor=Factor.PASSKEY,
        root=f"roaming:{key.authenticator_id}",
        bound_at=key.bound_at,
        at=begun,
        entry=0,
    )
    action = OpenAction(
        action_id=new_action(customer),
        member_id=account.member_id,
        payload=payload,
        digest=payload_digest(payload_bytes(payload)),
        proposed_at=begun,
        lapses_at=until + timedelta(days=7),
        veto_key=b64url(digest_of("veto")),
        proved_at=begun,
        until=until,
        shown=(proof,),
        secret=customer.destination_id,
    )
    return replace(account, actions=(action,))


async def test_what_waited_is_listed_over_its_former_row_by_a_command_that_names_another(
    store: SqlStore, database: TestDatabase, clock: SteerableClock, keyring: Keyring
) -> None:
    """Prevents: a wait that ends in an error for ever, since a row stands where it will write."""
    alice = new_customer()
    until = clock.at + timedelta(days=8)
    await store.run(
        opening(alice, now=clock.at, change=lambda one: waiting(one, alice, until=until))
    )
    await store.run(removed(alice))
    await churn(store, alice)
    clock.advance(timedelta(days=9))

    await store.run(touching(alice))

    account = await store.account(alice.account_id)
    assert account.destinations == {alice.destination_id: 3}
    listed = await store.destination(alice.account_id, alice.destination_id)
    assert listed is not None
    assert not listed.removed
    assert codes(await audited_store(database, keyring)) == set()


async def test_a_former_row_that_does_not_open_fails_that_account_and_no_other(
    store: SqlStore, database: TestDatabase, clock: SteerableClock
) -> None:
    alice, bob = new_customer(), await opened(store, clock)
    until = clock.at + timedelta(days=8)
    await store.run(
        opening(alice, now=clock.at, change=lambda one: waiting(one, alice, until=until))
    )
    await store.run(removed(alice))
    await churn(store, alice)
    clock.advance(timedelta(days=9))
    await database.execute(
        "UPDATE stream SET box = set_byte(box, 20, get_byte(box, 20) # 1) WHERE id = $1",
        alice.destination_id,
    )

    with pytest.raises(SealBrokenError):
        await store.run(touching(alice))
    await store.run(touching(bob))
