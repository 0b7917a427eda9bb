import pytest
from msgspec.structs import replace
from support.cast import NOON

from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.canonical import decode, encode
from twinlock.domain.errors import InvariantError
from twinlock.domain.policy.facts import Facts

FACTS = Facts(
    now=NOON,
    action="unknown",
    action_class=None,
    built=False,
    opened_at=NOON,
    proposed_at=NOON,
    proved_at=None,
)
SUMS = ["day_cents", "budget_left_cents", "value_cents", "budget_cents", "destination_day_cents"]


@pytest.mark.parametrize("field", SUMS)
@pytest.mark.parametrize("cents", [0, MAX_VALUE_CENTS])
def test_a_sum_is_in_range(field: str, cents: int) -> None:
    assert getattr(replace(FACTS, **{field: cents}), field) == cents


@pytest.mark.parametrize("field", SUMS)
@pytest.mark.parametrize("cents", [-1, MAX_VALUE_CENTS + 1])
def test_a_sum_out_of_range_is_no_fact(field: str, cents: int) -> None:
    with pytest.raises(InvariantError, match="in range"):
        replace(FACTS, **{field: cents})


def test_facts_are_canonical_in_bytes() -> None:
    assert decode(encode(FACTS))["action"] == "unknown"


def test_facts_assume_the_worst_of_what_nobody_said() -> None:
    assert FACTS.narrow
    assert not FACTS.has_channel
    assert FACTS.shown_level == 0
