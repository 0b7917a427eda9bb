"""Freeman's model, computed by hand."""

import pytest

from twinlock.domain.risk.freeman import (
    IP_WEIGHTS,
    NEVER_SEEN,
    UA_WEIGHTS,
    Sizes,
    Tallies,
    ratio,
    score,
)

# Ten sign-ins: eight of address "1" in ASN "a" of "DE", two of "2" in "b" of "FR"; four are hers.
OF_ALL = ({"1": 8, "2": 2}, {"a": 8, "b": 2}, {"DE": 8, "FR": 2})
HERS = ({"1": 4}, {"a": 4}, {"DE": 4})
SIZES = Sizes(sign_ins=10, users=2, own=4)
TALLIES = Tallies(OF_ALL, HERS)


def test_the_weights_of_a_feature_sum_to_one() -> None:
    assert sum(IP_WEIGHTS) == pytest.approx(1.0)
    assert sum(UA_WEIGHTS) == pytest.approx(1.0)


def test_what_she_always_shows() -> None:
    """Below k different coarser values, k / (10 + k) is held back: k is 5, 3 and 1."""
    everybody = 0.8 * (0.6 * (1 - 5 / 15) + 0.3 * (1 - 3 / 13) + 0.1 * (1 - 1 / 11))

    assert ratio(("1", "a", "DE"), TALLIES, IP_WEIGHTS, sizes=SIZES) == pytest.approx(everybody)


def test_an_unseen_address_of_her_provider() -> None:
    everybody = 0.6 / 15 + 0.3 * 0.8 * (1 - 3 / 13) + 0.1 * 0.8 * (1 - 1 / 11)

    found = ratio(("9", "a", "DE"), TALLIES, IP_WEIGHTS, sizes=SIZES)

    assert found == pytest.approx(everybody / 0.4)


def test_what_she_never_showed_any_part_of_is_four_times_as_risky() -> None:
    assert ratio(("2", "b", "FR"), TALLIES, IP_WEIGHTS, sizes=SIZES) == NEVER_SEEN


def test_whoever_signs_in_more_often_is_attacked_no_more_often() -> None:
    """(1/2) / (4/10), and the ratio of the address."""
    values = ("2", "b", "FR")

    assert score([(values, TALLIES, IP_WEIGHTS)], SIZES) == pytest.approx(1.25 * NEVER_SEEN)


def test_before_the_first_sign_in_the_counts_are_one() -> None:
    nobody = Tallies(({}, {}, {}), ({}, {}, {}))

    found = score([(("1", "a", "DE"), nobody, IP_WEIGHTS)], Sizes(sign_ins=0, users=0, own=0))

    assert found == NEVER_SEEN
