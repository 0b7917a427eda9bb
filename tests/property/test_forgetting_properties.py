"""However often an account lists and removes: it forgets, and nothing that it forgot comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import NOON
from support.worlds import a_destination, an_account

from twinlock.domain import forgetting
from twinlock.domain.account import Account, State
from twinlock.domain.bookkeeping import StateRolledBackError, check_current
from twinlock.domain.events import DestinationAdded, DestinationRemoved
from twinlock.domain.forgetting import first_version, is_full, versions_of
from twinlock.domain.ids import DestinationId
from twinlock.domain.likeness import listed, tag_of
from twinlock.domain.listed import Destination
from twinlock.domain.replay import apply

MOST = 3
PLACES = [a_destination(f"0x{n:04x}" + f"{n:036x}") for n in range(1, 8)]
# What happens: a place by its number, whether it is listed or removed, and what is at hand.
STEPS = st.lists(
    st.tuples(st.integers(0, len(PLACES) - 1), st.booleans(), st.integers(0, len(PLACES) - 1)),
    max_size=60,
)
Rows = dict[DestinationId, list[Destination]]


def at_hand(account: Account, rows: Rows, number: int) -> State:
    """Return what a command on place ``number`` decides on, as stores put it together."""
    named = PLACES[number].destination_id
    written = rows.get(named)
    found = written[-1] if written else None
    return check_current(State(account=account, destination_id=named, destination=found))


def happen(account: Account, rows: Rows, step: tuple[int, bool, int]) -> Account:
    """Let one place be listed or removed, if the gate would; keep every row that is written."""
    number, adds, held = step
    place = PLACES[number]
    state = at_hand(account, rows, number)
    before = state.destination
    if adds:
        new = place.destination_id not in versions_of(account)
        if is_full(account) and place.destination_id not in account.destinations:
            return account
        version = first_version(account) if before is None else before.version + 1
        one = replace(place, version=version)
        elsewhere = at_hand(account, rows, held) if new and held != number else state
        after = apply(elsewhere, DestinationAdded(at=NOON, destination=one))
        before = elsewhere.destination
    elif before is None:
        return account
    else:
        after = apply(state, DestinationRemoved(at=NOON, destination_id=place.destination_id))
    changed = (*after.listed, *(() if after.destination is None else (after.destination,)))
    for each in changed:
        if each != before:
            rows.setdefault(each.destination_id, []).append(each)
    return after.account


@given(STEPS)
def test_no_row_of_a_former_life_is_ever_the_one_that_counts(
    steps: list[tuple[int, bool, int]],
) -> None:
    account, rows = an_account(), Rows()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forgetting, "DESTINATIONS_MOST", MOST)
        for step in steps:
            was = account
            account = happen(account, rows, step)
            check(was, account, rows)


def check(was: Account, account: Account, rows: Rows) -> None:
    known = versions_of(account)
    assert len(known) <= MOST
    assert len(known) == len(account.destinations) + len(account.former.removed)
    assert account.former.forgotten >= was.former.forgotten
    gone = versions_of(was).keys() - known.keys()
    assert not gone & was.destinations.keys()  # Only what was removed is forgotten.
    assert set(listed(account)) == {
        tag_of(account, one.address) for one in PLACES if one.destination_id in account.destinations
    }
    for named, written in rows.items():
        versions = [one.version for one in written]
        assert versions == sorted(set(versions))  # No version stands for two rows.
        current = written[-1]
        assert current.removed is (named not in account.destinations)
        for one in written:
            counts = seen(account, one)
            assert counts in (None, current)
            assert counts is None or known[named] == current.version


def seen(account: Account, row: Destination) -> Destination | None:
    """Return what a command sees where ``row`` was put back: nothing where it is refused."""
    try:
        state = State(account=account, destination_id=row.destination_id, destination=row)
        return check_current(state).destination
    except StateRolledBackError:
        return None
