"""What is remembered of vetoes, and of the contest that stands."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, INSTANT, NOON

from twinlock.domain.bounds import CONTEST_HOLDS_EVERY, OBJECTIONS_MOST, SILENT_ROOTS_MOST
from twinlock.domain.disputes import (
    NO_DISPUTES,
    Contest,
    Disputes,
    Objection,
    exits_held_until,
    instant,
    kind_of,
    may_hold,
    meets,
    objected_before,
    opened,
    over,
    silenced,
    upheld,
    with_objection,
)
from twinlock.domain.ids import ActionId

SECOND = DAY / 86_400
AT = int(NOON.timestamp())
PHONE = ("phone",)
CONTEST = Contest(
    action_id=ActionId("act_1"),
    change="list",
    asked=("roaming:a",),
    objected=PHONE,
    opened_at=AT,
    ends_at=AT + 14 * 86_400,
    holds=True,
)
VETOED = with_objection(NO_DISPUTES, change="list", roots=PHONE, at=NOON)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("phone", "phone", True),
        ("phone", "desktop", False),
        ("roaming:a", "roaming:a", True),
        ("roaming:a", "roaming:b", False),
        ("desktop", "desktop:a", True),
        ("desktop:a", "desktop", True),
        ("desktop:a", "desktop:bb", False),
        ("known", "phone", False),
    ],
)
def test_which_roots_may_be_one(one: str, other: str, meet: bool) -> None:
    assert meets((one,), (other,)) is meet
    assert meets(("other", one), (other,)) is meet
    assert not meets((), (other,))


def test_keys_of_a_kind_share_one() -> None:
    assert (kind_of("roaming:a"), kind_of("phone")) == ("roaming", "phone")


@pytest.mark.parametrize(
    ("change", "roots", "later", "before"),
    [
        ("list", PHONE, 0 * DAY, True),
        ("list", ("desktop",), 0 * DAY, False),
        ("remove", PHONE, 0 * DAY, False),
        ("list", PHONE, 30 * DAY - SECOND, True),
        ("list", PHONE, 30 * DAY, False),
    ],
)
def test_a_second_no_is_against_the_same_change_from_the_same_root_within_a_month(
    change: str, roots: tuple[str, ...], later: timedelta, before: bool
) -> None:
    now = NOON + later

    assert objected_before(VETOED, change=change, roots=roots, now=now) is before


def test_of_too_many_vetoes_the_oldest_is_forgotten_and_what_is_too_old() -> None:
    many = NO_DISPUTES
    for number in range(OBJECTIONS_MOST + 1):
        many = with_objection(many, change=str(number), roots=PHONE, at=NOON + number * DAY)

    assert [one.change for one in many.objections] == ["1", "2", "3", "4"]
    later = with_objection(many, change="x", roots=PHONE, at=NOON + 33 * DAY)
    assert later.objections == (
        Objection("4", PHONE, AT + 4 * 86_400),
        Objection("x", PHONE, AT + 33 * 86_400),
    )


def test_a_contest_holds_exits_once_in_a_while_for_each_kind_of_root() -> None:
    held = opened(replace(NO_DISPUTES, held={"known": 1}), CONTEST)

    assert held.held == {"phone": AT, "known": 1}
    assert not may_hold(held, PHONE, now=NOON + CONTEST_HOLDS_EVERY - SECOND)
    assert may_hold(held, PHONE, now=NOON + CONTEST_HOLDS_EVERY)
    assert may_hold(held, ("roaming:a",), now=NOON)
    assert not may_hold(replace(held, held={"roaming": AT}), ("roaming:b",), now=NOON)
    assert opened(NO_DISPUTES, replace(CONTEST, holds=False)).held == {}


def test_exits_are_held_while_the_contest_that_holds_them_stands() -> None:
    held = opened(NO_DISPUTES, CONTEST)
    end = NOON + 14 * DAY

    assert exits_held_until(held, now=end - INSTANT) == end
    assert exits_held_until(held, now=end) is None
    assert exits_held_until(NO_DISPUTES, now=NOON) is None
    without = opened(NO_DISPUTES, replace(CONTEST, holds=False))
    assert exits_held_until(without, now=NOON) is None


def test_who_lost_is_silent_for_a_month_and_what_was_settled_is_forgotten() -> None:
    lost = upheld(opened(VETOED, CONTEST), at=NOON)

    assert (lost.contest, lost.objections) == (None, ())
    assert silenced(lost, PHONE, now=NOON + 30 * DAY - SECOND)
    assert not silenced(lost, PHONE, now=NOON + 30 * DAY)
    assert not silenced(lost, (), now=NOON)
    assert not silenced(lost, ("phone", "roaming:a"), now=NOON)
    assert not silenced(lost, ("desktop",), now=NOON)
    assert upheld(NO_DISPUTES, at=NOON) == NO_DISPUTES


def test_of_too_many_silent_roots_those_that_end_first_are_heard_again() -> None:
    before = Disputes(silent={"old": AT, "a": AT + 1, "b": AT + 2, "phone": AT + 3})
    after = upheld(replace(before, contest=CONTEST), at=NOON)

    assert after.silent == {"b": AT + 2, "phone": AT + 30 * 86_400}
    assert len(after.silent) == SILENT_ROOTS_MOST


def test_a_contest_that_ran_out_is_over_and_its_vetoes_are_remembered() -> None:
    stands = opened(VETOED, CONTEST)

    assert over(stands, ActionId("act_2"), settled=True) == stands
    assert over(stands, CONTEST.action_id, settled=False).objections == VETOED.objections
    assert over(stands, CONTEST.action_id, settled=True).objections == ()
    other = with_objection(stands, change="other", roots=PHONE, at=NOON)
    assert [one.change for one in over(other, CONTEST.action_id, settled=True).objections] == [
        "other"
    ]
    assert over(NO_DISPUTES, CONTEST.action_id, settled=True) == NO_DISPUTES


def test_an_instant_is_utc() -> None:
    assert instant(AT) == NOON
