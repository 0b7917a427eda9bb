"""The parts that conditions are made of, at the edges of what they may hold."""

import pytest

from twinlock.domain.policy.terms import LONG_LEAST, LONG_MOST, OutOfLongError, checked


@pytest.mark.parametrize("number", [LONG_LEAST, 0, LONG_MOST])
def test_a_number_of_64_bits_is_held(number: int) -> None:
    assert checked(number) == number


@pytest.mark.parametrize("number", [LONG_LEAST - 1, LONG_MOST + 1])
def test_a_number_beyond_64_bits_is_not(number: int) -> None:
    with pytest.raises(OutOfLongError):
        checked(number)
