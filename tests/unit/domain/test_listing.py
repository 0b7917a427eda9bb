"""The life of a destination, step by step; and what an account's list of them says."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, LONG_AGO, NEW_ADDRESS, NOON, OLD_ADDRESS
from support.gates import Gate
from support.policies import policy_of, with_rules
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    send,
    unlist,
)

from twinlock.domain.assurance import Factor
from twinlock.domain.destinations import Key, Listed, listing
from twinlock.domain.errors import InvariantError
from twinlock.domain.forgetting import versions_of
from twinlock.domain.listed import Destination
from twinlock.domain.listing import TRANSITIONS, Listing, Step, after, followed

S = Listing
LAPSE = timedelta(days=30)


def test_nothing_is_usable_that_was_not_proved_and_waited_for() -> None:
    into = {step for (_, step), state in TRANSITIONS.items() if state is S.USABLE}
    before = {state for (state, _), to in TRANSITIONS.items() if to is S.USABLE}

    assert into == {Step.WAIT, Step.USE}
    assert before == {S.WAITING, S.USABLE, S.LAPSED}
    assert {to for (state, _), to in TRANSITIONS.items() if state is S.PROPOSED} == {
        S.WAITING,
        S.NEW,
    }


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("step", list(Step))
def test_what_the_table_does_not_name_does_not_happen(state: S, step: Step) -> None:
    if (state, step) in TRANSITIONS:
        assert after(state, step) in S
    else:
        with pytest.raises(InvariantError):
            after(state, step)


def test_every_state_is_reached() -> None:
    assert set(TRANSITIONS.values()) == set(S)


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ((), S.NEW),
        ((Step.IMPORT,), S.UNPROVED),
        ((Step.PROPOSE,), S.PROPOSED),
        ((Step.PROPOSE, Step.END), S.NEW),
        ((Step.PROPOSE, Step.PROVE), S.WAITING),
        ((Step.PROPOSE, Step.PROVE, Step.END), S.NEW),
        ((Step.PROPOSE, Step.PROVE, Step.WAIT), S.USABLE),
        ((Step.PROPOSE, Step.PROVE, Step.WAIT, Step.FORGET), S.LAPSED),
        ((Step.PROPOSE, Step.PROVE, Step.WAIT, Step.FORGET, Step.USE), S.USABLE),
        ((Step.PROPOSE, Step.PROVE, Step.WAIT, Step.DOUBT), S.UNPROVED),
        ((Step.PROPOSE, Step.PROVE, Step.WAIT, Step.REMOVE), S.REMOVED),
        ((Step.IMPORT, Step.REMOVE, Step.PROPOSE, Step.PROVE, Step.WAIT), S.USABLE),
    ],
)
def test_a_life_has_its_end(steps: tuple[Step, ...], state: S) -> None:
    assert followed(steps) is state


@pytest.mark.parametrize(
    ("one", "state", "lapses_at"),
    [
        (a_destination(usable_at=None, used_at=None, imported=True), S.UNPROVED, None),
        (a_destination(usable_at=None, used_at=None), S.WAITING, None),
        (a_destination(usable_at=NOON + HOUR, used_at=None), S.WAITING, NOON + HOUR + LAPSE),
        (a_destination(usable_at=NOON, used_at=None), S.USABLE, NOON + LAPSE),
        (a_destination(usable_at=NOON - LAPSE, used_at=None), S.USABLE, NOON),
        (a_destination(usable_at=NOON - LAPSE - HOUR, used_at=None), S.LAPSED, NOON - HOUR),
        (a_destination(used_at=NOON - 29 * DAY), S.USABLE, NOON + DAY),
        (a_destination(used_at=NOON - 31 * DAY), S.LAPSED, NOON - DAY),
        (a_destination(removed=True), S.REMOVED, NOON + 25 * DAY),
        (
            a_destination(usable_at=None, used_at=None, imported=True, removed=True),
            S.REMOVED,
            None,
        ),
    ],
)
def test_a_destination_is_good_for_what_happened_to_it(
    one: Destination, state: S, lapses_at: object
) -> None:
    assert one.state(now=NOON, lapse=LAPSE).value == state.value
    assert one.lapses_at(LAPSE) == lapses_at


# --- The list ---


def listed(gate: Gate) -> dict[str, Listed]:
    known = tuple(gate.destinations[one] for one in sorted(versions_of(gate.account)))
    found = listing(gate.account, known, lapse=LAPSE, now=gate.now)
    return {one.address: one for one in found}


def a_gate(*known: Destination) -> Gate:
    account = an_account(PASSWORD, SYNCED, ROAMING, channels=[EMAIL, DESKTOP])
    return Gate.of(account, *known, policy=policy_of(with_rules()))


def test_the_list_says_who_added_what_when_and_by_which_key() -> None:
    gate = a_gate(a_destination(OLD_ADDRESS, usable_at=None, used_at=None, imported=True))
    asked = gate.propose(list_address(NEW_ADDRESS, budget_cents=100)).action_id

    before = listed(gate)
    assert before[OLD_ADDRESS].state is S.UNPROVED
    assert (before[OLD_ADDRESS].entry, before[OLD_ADDRESS].keys) == (None, ())
    assert (before[NEW_ADDRESS].state, before[NEW_ADDRESS].until) == (S.PROPOSED, NOON + HOUR)

    gate.prove(asked, SYNCED)
    waits = listed(gate)[NEW_ADDRESS]
    assert (waits.state, waits.until, waits.action_id) == (S.WAITING, NOON + DAY, asked)
    key = Key(
        entry=SYNCED.entry,
        authenticator_id=SYNCED.authenticator_id,
        factor=Factor.PASSKEY,
        name=SYNCED.name,
    )
    assert (waits.proved_by, waits.keys) == ((Factor.PASSKEY,), (key,))

    gate.wait(DAY)
    gate.settle()
    usable = listed(gate)[NEW_ADDRESS]
    assert (usable.state, usable.until) == (S.USABLE, NOON + DAY + LAPSE)
    assert (usable.added_at, usable.action_id) == (NOON + DAY, asked)
    assert usable.entry is not None
    assert (usable.keys, usable.proved_by) == ((key,), (Factor.PASSKEY,))
    assert usable.budget_cents == 100


def test_what_is_used_stays_and_what_is_not_lapses_to_needs_proof() -> None:
    gate = a_gate(a_destination(OLD_ADDRESS, used_at=LONG_AGO))

    assert (listed(gate)[OLD_ADDRESS].state, listed(gate)[OLD_ADDRESS].until) == (S.LAPSED, None)
    gate.prove(gate.propose(send()).action_id, SYNCED)
    used = listed(gate)[OLD_ADDRESS]
    assert (used.state, used.until, used.used_at) == (S.USABLE, NOON + LAPSE, NOON)

    gate.prove(gate.propose(unlist(OLD_ADDRESS)).action_id, SYNCED)
    gone = listed(gate)[OLD_ADDRESS]
    assert (gone.state, gone.until) == (S.REMOVED, None)


def test_a_key_that_is_bound_no_more_is_named_by_its_entry() -> None:
    one = replace(a_destination(OLD_ADDRESS), by=(7,), proved_by=(Factor.PASSKEY,), entry=9)
    found = listed(a_gate(one))[OLD_ADDRESS]

    assert (found.keys, found.entry) == ((Key(entry=7),), 9)


def test_where_nothing_ever_lapses_there_is_no_day_on_which_it_does() -> None:
    one = a_destination(OLD_ADDRESS, used_at=LONG_AGO)

    assert one.lapses_at(timedelta.max) is None
    assert one.state(now=NOON, lapse=timedelta.max).value == S.USABLE.value


def test_what_something_repudiated_proved_is_proved_by_nothing() -> None:
    one = replace(a_destination(OLD_ADDRESS), by=(7,), proved_by=(Factor.PASSKEY,), entry=9)
    gate = a_gate(one)
    gate.account = replace(gate.account, doubts=((7, 7),))
    found = listed(gate)[OLD_ADDRESS]

    assert (found.state, found.until, found.proved_by) == (S.UNPROVED, None, ())
