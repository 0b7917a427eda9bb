"""Limits that a newcomer raised, and locks that it loosened, stand again when it is repudiated."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICE, DAY, NOON
from support.gates import Gate
from support.worlds import EMAIL, PASSWORD, SYNCED, a_contact, a_passkey, an_account

from twinlock.domain.account import Account
from twinlock.domain.actions import (
    AnyPayload,
    LimitLower,
    LimitRaise,
    LockLoosen,
    LockTighten,
)
from twinlock.domain.assurance import Placement
from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.limits import Limits, as_high, lowest, undone
from twinlock.domain.locks import OPEN, Eased, Lock, tightens, tighter
from twinlock.domain.own_drafts import own
from twinlock.domain.own_effects import lock_kept, sums_kept
from twinlock.domain.requirements import Answer

SECOND = timedelta(seconds=1)
THIEFS = a_passkey("aut_thief", placement=Placement.ROAMING, bound_at=NOON - DAY)
SECOND_THIEF = a_passkey("aut_second", placement=Placement.ROAMING, bound_at=NOON - DAY)


def limits(day: int | None = None, to: int | None = None) -> LimitRaise:
    return LimitRaise(account=ALICE, day_cents=day, destination_cents=to)


def loosen(days: int = 0) -> LockLoosen:
    return LockLoosen(account=ALICE, days=days, two_keys=False)


def a_gate(**changes: object) -> Gate:
    account = an_account(PASSWORD, SYNCED, THIEFS, SECOND_THIEF)
    return Gate.of(replace(account, **changes))


def took_effect(gate: Gate, payload: AnyPayload, by: Passkey, *, after: int = 3) -> None:
    gate.prove(gate.propose(payload).action_id, by)
    gate.wait(after * DAY)
    gate.settle()


def disown(gate: Gate, one: Passkey = THIEFS) -> None:
    said = gate.repudiate("act", target=one.authenticator_id, channel=EMAIL)
    assert said.answer is Answer.ALLOW


def sums(gate: Gate) -> tuple[int | None, int | None]:
    return gate.account.limits.day_cents, gate.account.limits.destination_cents


# --- Limits ---


@pytest.mark.parametrize("before", [(100_00, 50_00), (100_00, None), (None, 50_00)])
def test_what_a_newcomer_raised_falls_back_with_it(before: tuple[int | None, int | None]) -> None:
    gate = a_gate(limits=Limits(day_cents=before[0], destination_cents=before[1]))
    took_effect(gate, limits(None, None), THIEFS)
    assert sums(gate) == (None, None)

    disown(gate)
    assert sums(gate) == before
    assert gate.account.limits == Limits(day_cents=before[0], destination_cents=before[1])


def test_what_an_older_one_raised_stays() -> None:
    gate = a_gate(limits=Limits(day_cents=100_00))
    took_effect(gate, limits(500_00), SYNCED)

    disown(gate)
    assert sums(gate) == (500_00, None)


def test_it_falls_back_to_what_an_older_one_raised_before() -> None:
    gate = a_gate(limits=Limits(day_cents=100_00))
    took_effect(gate, limits(500_00), SYNCED)
    took_effect(gate, limits(900_00), THIEFS)

    disown(gate)
    assert sums(gate) == (500_00, None)


def test_two_newcomers_in_a_row_hide_nothing_behind_each_other() -> None:
    """Prevents: a thief who raises twice by two keys, so that undoing the last keeps the first."""
    gate = a_gate(limits=Limits(day_cents=100_00))
    took_effect(gate, limits(500_00), SECOND_THIEF)
    took_effect(gate, limits(900_00), THIEFS)

    disown(gate)
    assert sums(gate) == (100_00, None)


def test_what_was_lowered_since_stays_lowered() -> None:
    gate = a_gate(limits=Limits(day_cents=100_00))
    took_effect(gate, limits(900_00), THIEFS)
    lower = LimitLower(account=ALICE, day_cents=20_00, destination_cents=5_00)
    gate.prove(gate.propose(lower).action_id, SYNCED)

    disown(gate)
    assert sums(gate) == (20_00, 5_00)


# --- Locks ---


def test_a_lock_that_a_newcomer_loosened_stands_again_with_its_end() -> None:
    gate = a_gate(lock=Lock(days=10))
    took_effect(gate, loosen(), THIEFS, after=11)
    assert gate.account.lock == OPEN

    disown(gate)
    assert gate.account.lock == Lock(days=10)
    assert gate.account.eased is None


def test_a_lock_that_an_older_one_loosened_stays_loose() -> None:
    gate = a_gate(lock=Lock(days=10))
    took_effect(gate, loosen(2), SYNCED, after=11)

    disown(gate)
    assert gate.account.lock == Lock(days=2)


def test_a_lock_that_was_tightened_since_is_the_tighter_of_both() -> None:
    gate = a_gate(lock=Lock(days=10))
    took_effect(gate, loosen(1), THIEFS, after=11)
    tighter_one = LockTighten(account=ALICE, days=2, two_keys=False)
    gate.prove(gate.propose(tighter_one).action_id, SYNCED)
    assert gate.account.lock == Lock(days=2)

    disown(gate)
    assert gate.account.lock == Lock(days=10)


def test_two_newcomers_who_loosen_in_a_row_hide_nothing_either() -> None:
    gate = a_gate(lock=Lock(days=5))
    took_effect(gate, loosen(1), SECOND_THIEF, after=6)
    took_effect(gate, loosen(), THIEFS, after=2)

    disown(gate)
    assert gate.account.lock == Lock(days=5)


# --- What is kept ---


def raised(by: tuple[int, ...], *, at: datetime = NOON, **changes: object) -> Account:
    kept = Limits(day_cents=900, before=(100, None), raised_at=at, by=by)
    account = an_account(PASSWORD, SYNCED, THIEFS)
    return replace(account, limits=replace(kept, **changes))


@pytest.mark.parametrize(
    ("by", "behind", "kept"),
    [
        ((SYNCED.entry,), (), (900, None)),
        ((THIEFS.entry,), (), (100, None)),
        ((SYNCED.entry, THIEFS.entry), (), (100, None)),
        ((SYNCED.entry,), ((THIEFS.entry, THIEFS.entry),), (100, None)),
        ((99_999,), (), (100, None)),
    ],
    ids=["old", "newcomer", "both", "behind", "gone"],
)
def test_a_raise_that_may_be_undone_hands_on_what_it_keeps(
    by: tuple[int, ...], behind: tuple[tuple[int, int], ...], kept: tuple[int, int | None]
) -> None:
    account = raised(by, behind=behind)

    assert sums_kept(account, now=NOON + DAY) == kept
    eased = Eased(before=Lock(days=9), at=NOON, by=by, behind=behind)
    loose = replace(account, lock=Lock(days=1), eased=eased)
    assert lock_kept(loose, now=NOON + DAY) == Lock(days=1 if kept[0] == 900 else 9)


@pytest.mark.parametrize(("after", "kept"), [(-SECOND, 100), (timedelta(0), 900)])
def test_after_thirty_days_nothing_undoes_a_raise_any_more(after: timedelta, kept: int) -> None:
    account = raised((99_999,))

    assert sums_kept(account, now=NOON + NEWCOMER_PERIOD + after) == (kept, None)


def test_what_never_was_raised_is_kept_as_it_is() -> None:
    account = replace(an_account(), limits=Limits(day_cents=7), lock=Lock(days=3))

    assert sums_kept(account, now=NOON) == (7, None)
    assert lock_kept(account, now=NOON) == Lock(days=3)


cents = st.none() | st.integers(0, 10**6)
locks = st.builds(Lock, days=st.integers(0, 30), two_keys=st.booleans()).map(
    lambda one: one if one.days else OPEN
)


@given(day=cents, to=cents, before=st.tuples(cents, cents))
def test_undoing_lets_no_more_leave(
    day: int | None, to: int | None, before: tuple[int | None, int | None]
) -> None:
    after = undone(Limits(day_cents=day, destination_cents=to, before=before, by=(1,)))

    for found, *both in zip(
        (after.day_cents, after.destination_cents), (day, to), before, strict=True
    ):
        assert found == lowest(*both)
        assert all(as_high(one, found) for one in both)
    assert (after.by, after.before, after.announced_cents) == ((), None, 0)


def test_of_no_sums_at_all_none_is_the_lowest() -> None:
    assert (lowest(), lowest(None, None), lowest(None, 3, 2)) == (None, None, 2)


@given(one=locks, other=locks)
def test_the_tighter_of_two_locks_spares_what_both_spare(one: Lock, other: Lock) -> None:
    found = tighter(one, other)

    assert found == tighter(other, one)
    for each in (one, other):
        assert found == each or not each.days or tightens(found, each)
    assert found.days == max(one.days, other.days)
    locked = [each for each in (one, other) if each.days] or [one]
    assert found.two_keys is all(each.two_keys for each in locked)


def test_what_is_no_lock_tightens_none() -> None:
    assert not tightens(Lock(days=0, two_keys=True), OPEN)
    assert not tightens(OPEN, Lock(days=0, two_keys=True))


# --- What was asked for before ---


def test_a_raise_that_waited_brings_nothing_back_that_was_undone() -> None:
    """Prevents: sums of a thief's, which the owner's own raise names because they stood then."""
    before = Limits(day_cents=100_00, agreement_cents=50_00)
    gate = a_gate(limits=before, contacts=(a_contact(),))
    took_effect(gate, limits(None, None), THIEFS, after=8)
    waits = gate.propose(own("limit.raise", {"destination_cents": 70_00}, gate.account)).action_id
    gate.prove(waits, SYNCED)

    disown(gate)
    gate.wait(8 * DAY)
    gate.settle()

    assert not gate.is_open(waits)
    assert gate.account.limits == before


def test_a_lock_that_is_tightened_ends_the_loosening_that_waits() -> None:
    """Prevents: a lock that its owner tightens in alarm, and that falls ten days later."""
    gate = a_gate(lock=Lock(days=2))
    loosens = gate.propose(loosen()).action_id
    gate.prove(loosens, SYNCED)
    tightens_it = LockTighten(account=ALICE, days=10, two_keys=False)
    gate.prove(gate.propose(tightens_it).action_id, SYNCED)

    gate.wait(12 * DAY)
    gate.settle()

    assert gate.account.lock == Lock(days=10)


def test_of_two_raises_neither_ends_the_other() -> None:
    gate = a_gate(limits=Limits(day_cents=100_00))
    for cents in (200_00, 300_00):
        gate.prove(gate.propose(limits(cents)).action_id, SYNCED)
        gate.wait(timedelta(hours=1))

    gate.wait(8 * DAY)
    gate.settle()

    assert gate.account.limits.day_cents == 300_00
