"""Measures of scores, by hand."""

from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.risk.measures import area, middle_count, share_from, threshold

scores = st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=30).map(sorted)


def test_the_area_is_how_often_a_thief_scores_higher() -> None:
    assert area([3.0], [1.0, 2.0]) == 1.0
    assert area([1.5], [1.0, 2.0]) == 0.5
    assert area([1.0, 0.0], [1.0]) == 0.25
    assert area([], [1.0]) is area([1.0], []) is None


def test_a_threshold_catches_so_many_and_no_more_than_it_must() -> None:
    attacks = [float(n) for n in range(1_000)]

    assert threshold(attacks, 0.999) == 1.0
    assert threshold(attacks, 0.98) == 20.0
    assert threshold([5.0], 0.98) == 5.0
    assert threshold([5.0, 7.0], 0.0) == 7.0


def test_a_share_counts_the_limit_itself() -> None:
    assert share_from([1.0, 2.0, 2.0, 3.0], 2.0) == 0.75
    assert share_from([], 2.0) is None


def test_the_user_in_the_middle_is_of_those_who_signed_in_so_often() -> None:
    users = [[9.0, 9.0], [9.0, 0.0], [0.0, 0.0, 9.0], [9.0]]

    assert middle_count(users, 5.0, sign_ins=3) == 1
    assert middle_count(users, 5.0, sign_ins=5) is None


@given(scores, scores, st.integers(0, 9).map(float))
def test_a_thief_who_scores_higher_is_told_apart_no_worse(
    attacks: list[float], honest: list[float], more: float
) -> None:
    before, after = area(attacks, honest), area([one + more for one in attacks], honest)

    assert before is not None
    assert after is not None
    assert 0 <= before <= after <= 1


@given(scores, st.floats(0.01, 1.0))
def test_a_threshold_catches_at_least_its_rate(attacks: list[float], rate: float) -> None:
    caught = share_from(attacks, threshold(attacks, rate))

    assert caught is not None
    assert caught >= rate - 1e-9
