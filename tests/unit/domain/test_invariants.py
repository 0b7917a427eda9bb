import pytest

from twinlock.domain.errors import InvariantError, invariant, present


def test_what_must_be_there_and_is_not_is_our_own_mistake() -> None:
    assert present(0, "zero is there") == 0
    with pytest.raises(InvariantError, match="it is there"):
        present(None, "it is there")


@pytest.mark.parametrize("holds", [True, False])
def test_a_false_fact_stops_us(holds: bool) -> None:
    if holds:
        invariant(holds, "this holds")
        return
    with pytest.raises(InvariantError, match="this does not"):
        invariant(holds, "this does not")
