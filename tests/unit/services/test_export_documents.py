"""An export over the World's store: one document, whole, of one person."""

from pathlib import Path

import msgspec
from support.stores import (
    ENTROPY,
    FixedPolicies,
    SteerableClock,
    idempotency,
    make_keyring,
    new_action,
    new_customer,
    opening,
    spend,
    withdrawal,
)

from twinlock.adapters.keyring.signing import KeyringSigner
from twinlock.domain.export import Exported
from twinlock.range.memory_store import MemoryStore
from twinlock.services.exporting import Exporting


async def test_a_document_is_put_together_piece_by_piece(tmp_path: Path) -> None:
    clock = SteerableClock()
    store = MemoryStore(clock=clock, entropy=ENTROPY)
    alice, bob = new_customer(), new_customer()
    for customer in (alice, bob):
        await store.run(
            opening(customer, now=clock.at, key=idempotency(f"open-{customer.address}"))
        )
        action = new_action(customer)
        await store.run(withdrawal(customer, action, key=idempotency("withdraw")))
        await store.run(spend(customer, action))
    signer = KeyringSigner(make_keyring(tmp_path / "ring"), log_origin="tests.example/log")
    policies = FixedPolicies(clock, signer)
    use = Exporting(store, records=store, policies=policies)
    pieces = [piece async for piece in await use.export(alice.account_id, actor="operator:test")]
    told = msgspec.json.decode(b"".join(pieces), type=Exported)

    assert len(pieces) > 8
    assert told.complete
    assert told.account["account_id"] == alice.account_id
    assert [one.number for one in told.entries] == [0, 1, 2, 3]
    assert [one.index for one in told.entries] == [0, 1, 2, 6]
    assert [one["address"] for one in told.destinations] == [alice.address]
    assert [one["ended"]["spend_id"] for one in told.closed_actions] == ["spend-00001"]
    assert {one.key for one in told.repeats} == {f"open-{alice.address}", "withdraw"}
    assert told.notices[-1]["kind"] == "exported"
    assert told.entries[1].facts["action"] == "withdrawal.crypto"
    assert bob.account_id not in b"".join(pieces).decode()


async def test_lists_that_are_empty_are_lists(tmp_path: Path) -> None:
    clock = SteerableClock()
    store = MemoryStore(clock=clock, entropy=ENTROPY)
    customer = new_customer()
    await store.run(opening(customer, now=clock.at, listed=False))
    signer = KeyringSigner(make_keyring(tmp_path / "ring"), log_origin="tests.example/log")
    use = Exporting(store, records=store, policies=FixedPolicies(clock, signer))
    pieces = [piece async for piece in await use.export(customer.account_id, actor="x")]
    told = msgspec.json.decode(b"".join(pieces), type=Exported)

    assert (told.closed_actions, told.destinations, told.repeats) == ([], [], [])
    assert told.complete
