"""What is written for one command: every decision its entry, and no state but the newest."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICE, BOB, NOON
from support.gates import Gate
from support.worlds import a_destination, an_account, send

from twinlock.domain.account import State
from twinlock.domain.bookkeeping import Booked, StateRolledBackError, bookkeep, check_current
from twinlock.domain.bounds import UNPROVED_ACTION_LIFETIME
from twinlock.domain.canonical import b64url
from twinlock.domain.entries import SALTS_BYTES, Origin
from twinlock.domain.errors import InvariantError
from twinlock.domain.listed import Destination
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.policy.version import PolicyName

ORIGIN = Origin(
    account_id=ALICE, actor="the platform", policy=PolicyName(version=1, digest=b64url(bytes(32)))
)
LISTED = a_destination()


def known(version: int | None, found: Destination | None) -> State:
    """Return the state of an account that knows LISTED in a version, beside what was found."""
    versions = {} if version is None else {LISTED.destination_id: version}
    return State(
        account=replace(an_account(), destinations=versions),
        destination_id=LISTED.destination_id,
        destination=found,
    )


@pytest.mark.parametrize(
    "state",
    [
        known(1, LISTED),
        known(7, replace(LISTED, version=7)),
        known(None, None),
        State(account=an_account()),
    ],
)
def test_a_destination_in_the_version_that_its_account_knows_is_current(state: State) -> None:
    assert check_current(state) is state


@pytest.mark.parametrize("state", [known(2, LISTED), known(1, None), known(None, LISTED)])
def test_a_destination_that_was_put_back_is_refused(state: State) -> None:
    """Prevents: an old row, in which a destination is listed that was removed since (law 9)."""
    with pytest.raises(StateRolledBackError):
        check_current(state)


def test_a_destination_of_another_account_is_refused() -> None:
    with pytest.raises(InvariantError, match="belongs"):
        check_current(known(1, replace(LISTED, account_id=BOB)))


def booked() -> tuple[Gate, Booked]:
    """Return what is written for a command before which two actions lapse."""
    gate = Gate()
    for _ in range(2):
        gate.propose(send())
    gate.wait(UNPROVED_ACTION_LIFETIME + timedelta(seconds=1))
    gate.settle()
    before, decided, _ = gate.book[-1]
    salts = bytes(place for place in range(3) for _ in range(SALTS_BYTES))
    return gate, bookkeep(before, decided, origin=ORIGIN, at=NOON, salts=salts)


def test_every_decision_of_a_command_has_its_entry_and_the_chain_goes_on() -> None:
    gate, written = booked()
    first = gate.account.chain.entries - 3

    assert [one.number for one in written.entries] == [first, first + 1, first + 2]
    assert written.state.account.chain.entries == gate.account.chain.entries
    assert written.state.account.chain.last_leaf == b64url(leaf_hash(written.entries[-1].leaf))


def test_each_entry_has_salts_of_its_own() -> None:
    _, written = booked()
    salts = [{opening.salt for opening in one.openings.values()} for one in written.entries]

    assert salts == [{b64url(bytes([place]) * 32)} for place in range(3)]


def test_every_action_that_a_command_ends_is_closed() -> None:
    gate, written = booked()

    assert [one.entry for one in written.closed] == [
        gate.account.chain.entries - 3,
        gate.account.chain.entries - 2,
    ]
