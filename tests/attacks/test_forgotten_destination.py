"""A thief who has an account forget what was removed, by listing and removing a hundred others.

Mallory has Alice's password and her synced passkey for weeks, and reads her mail. Alice removed his
address long ago, and hers of an exchange that she left. He wants his address back without its wait,
a budget that counts from nothing, or a list that no longer knows what hers looked like; and he who
can write to the database puts back the row of the day on which his address was usable. He is
stopped by what forgetting leaves: each of the hundred takes a proof and a wait of a day, of which
every channel is told; what comes back begins above every row of its former life, and with what
left to it today; and looks outlive names. He leaves behind every listing and every removal in the
account's entries, with the keys that proved it.
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, MALLORYS_ADDRESS, OLD_ADDRESS
from support.gates import Gate
from support.worlds import (
    EMAIL,
    PASSWORD,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    send,
    unlist,
)

from twinlock.domain import forgetting
from twinlock.domain.bookkeeping import StateRolledBackError
from twinlock.domain.decisions import Decision
from twinlock.domain.events import DestinationAdded, DestinationRemoved
from twinlock.domain.forgetting import versions_of
from twinlock.domain.listed import Destination
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.leaving import destination_of
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

HIS = a_destination(MALLORYS_ADDRESS, budget_cents=500_00)
HERS = a_destination(OLD_ADDRESS)
OTHERS = [f"0x{n:04x}" + f"{n:036x}" for n in range(1, 9)]
ALIKE = OLD_ADDRESS[:6] + "5" * 32 + OLD_ADDRESS[-4:]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Both are removed, and eight others were listed and removed since."""
    monkeypatch.setattr(forgetting, "DESTINATIONS_MOST", 4)
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=[EMAIL]), HERS, HIS)
    for address in (MALLORYS_ADDRESS, OLD_ADDRESS):
        prove(gate, gate.propose(unlist(address)))
    for address in OTHERS:
        prove(gate, gate.propose(list_address(address)))
        gate.wait(8 * DAY)
        prove(gate, gate.propose(unlist(address)))
    assert {HIS.destination_id, HERS.destination_id}.isdisjoint(versions_of(gate.account))
    return gate


def prove(gate: Gate, asked: Decision) -> None:
    gate.prove(asked.action_id, PASSWORD, SYNCED)


def state_of(gate: Gate, asked: Decision) -> DestinationState:
    action = gate.action(asked.action_id)
    before, _, now = gate.book[-1]
    state = replace(before, account=gate.account)
    return destination_of(state, action, policy=gate.policy, now=now)[0]


def test_what_was_forgotten_counts_as_new_whatever_row_is_put_back(scene: Gate) -> None:
    scene.destinations[HIS.destination_id] = HIS  # As it was when it was usable.
    asked = scene.propose(send(to=MALLORYS_ADDRESS))

    assert state_of(scene, asked) is DestinationState.NEW
    assert asked.answer is not Answer.ALLOW
    assert Reason.DESTINATION_NEW in reasons(asked.requirement)


def test_it_comes_back_with_a_proof_and_a_wait_and_above_its_former_life(scene: Gate) -> None:
    asked = scene.propose(list_address(MALLORYS_ADDRESS, budget_cents=500_00))
    prove(scene, asked)
    assert scene.is_open(asked.action_id)  # It waits, and every channel may veto.
    assert HIS.destination_id not in scene.account.destinations
    scene.wait(8 * DAY)
    scene.settle()

    highest = max(last for last in rows_of(scene, HIS))
    assert scene.account.destinations[HIS.destination_id] > highest
    for version in range(1, highest + 1):
        scene.destinations[HIS.destination_id] = replace(HIS, version=version)
        with pytest.raises(StateRolledBackError):
            scene.propose(send(to=MALLORYS_ADDRESS))


def rows_of(gate: Gate, one: Destination) -> list[int]:
    """Return the versions that the stream of ``one`` had before the last decision."""
    found = [one.version]
    for before, _, _ in gate.book:
        named = versions_of(before.account).get(one.destination_id)
        found += [] if named is None else [named]
    return found


def test_what_resembles_what_she_knew_is_refused_as_ever(scene: Gate) -> None:
    asked = scene.propose(send(to=ALIKE))

    assert Reason.LOOK_ALIKE in reasons(asked.requirement)


def test_who_listed_and_who_removed_it_stands_in_her_entries(scene: Gate) -> None:
    events = [
        event
        for _, decided, _ in scene.book
        for decision in decided.decisions
        for event in decision.events
    ]
    added = [one.destination.address for one in events if isinstance(one, DestinationAdded)]
    removed = [one.destination_id for one in events if isinstance(one, DestinationRemoved)]

    assert added == OTHERS
    assert removed[:2] == [HIS.destination_id, HERS.destination_id]
    assert len(removed) == 2 + len(OTHERS)
