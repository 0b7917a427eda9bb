from math import inf, isfinite

from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.risk.freeman import IP_WEIGHTS, Sizes, Tallies, score

HUGE = 10**18


@given(
    st.lists(st.dictionaries(st.sampled_from("xyz"), st.integers(1, HUGE)), min_size=6, max_size=6),
    st.tuples(*[st.sampled_from("xyz?")] * 3),
    st.tuples(st.integers(0, HUGE), st.integers(0, HUGE), st.integers(0, HUGE)),
)
def test_freeman_s_score_is_a_positive_number(
    tallies: list[dict[str, int]], values: tuple[str, ...], sizes: tuple[int, int, int]
) -> None:
    feature = (values, Tallies(tallies[:3], tallies[3:]), IP_WEIGHTS)

    found = score([feature], Sizes(*sizes))

    assert 0 < found < inf
    assert isfinite(found)
