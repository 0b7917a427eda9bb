"""Weights: what is asked for beside something else never makes less of it."""

from hypothesis import given
from support.cast import NOON
from support.facts import requirements

from twinlock.domain.policy.weighing import Change, changes, longer_by, weigh
from twinlock.domain.requirements import NOTHING, STRENGTH, Requirement, all_of, answer

MORE = {
    Change.REFUSED,
    Change.HELD,
    Change.LONGER,
    Change.MORE_PROOF,
    Change.FEWER_WAYS,
    Change.TOLD_OTHERWISE,
}


@given(requirements, requirements)
def test_what_is_asked_beside_something_makes_no_less_of_it(
    one: Requirement, other: Requirement
) -> None:
    assert set(changes(weigh(one), weigh(all_of(one, other)))) <= MORE


@given(requirements, requirements, requirements)
def test_what_adds_nothing_adds_nothing_beside_anything_else(
    one: Requirement, other: Requirement, third: Requirement
) -> None:
    if set(changes(weigh(one), weigh(all_of(one, other)))) <= {Change.TOLD_OTHERWISE}:
        more = all_of(one, third)
        assert set(changes(weigh(more), weigh(all_of(more, other)))) <= {Change.TOLD_OTHERWISE}


@given(requirements, requirements)
def test_a_change_is_told_in_the_words_of_the_answers(one: Requirement, other: Requirement) -> None:
    told = changes(weigh(one), weigh(other))

    assert not changes(weigh(one), weigh(one))
    assert (Change.ALLOWED in told) == (answer(one) != answer(other) == answer(NOTHING))
    if STRENGTH[answer(one)] != STRENGTH[answer(other)]:
        assert told


@given(requirements, requirements)
def test_who_waits_longer_one_way_waits_less_the_other(
    one: Requirement, other: Requirement
) -> None:
    there = longer_by(weigh(one), weigh(other), now=NOON)
    back = longer_by(weigh(other), weigh(one), now=NOON)

    assert there is None if back is None else there == -back
