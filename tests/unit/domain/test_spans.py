"""Which spans become one where there are too many of them."""

import pytest

from twinlock.domain.spans import Spans, joined


@pytest.mark.parametrize(
    ("spans", "apart", "left"),
    [
        pytest.param(((1, 1), (5, 5), (9, 9)), (), ((1, 5), (9, 9)), id="of equal ones the oldest"),
        pytest.param(((1, 1), (5, 5), (9, 9)), (3,), ((1, 1), (5, 9)), id="not over what is apart"),
        pytest.param(((1, 1), (5, 5), (9, 9)), (1,), ((1, 5), (9, 9)), id="the first is its own"),
        pytest.param(((1, 1), (5, 5), (9, 9)), (5,), ((1, 5), (9, 9)), id="so is the second"),
        pytest.param(((1, 1), (5, 8), (12, 12)), (6,), ((1, 8), (12, 12)), id="and all within it"),
        pytest.param(((1, 7), (2, 3), (9, 9)), (8,), ((1, 7), (9, 9)), id="one within another"),
    ],
)
def test_neighbours_with_the_least_between_them_become_one(
    spans: Spans, apart: tuple[int, ...], left: Spans
) -> None:
    assert joined(spans, most=2, apart=apart) == left


def test_what_is_few_enough_stays_and_counts_once() -> None:
    assert joined(((5, 5),), ((1, 1), (5, 5)), most=2) == ((1, 1), (5, 5))
