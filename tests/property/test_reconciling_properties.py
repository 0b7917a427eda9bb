"""A row passes where it is its own spend, once, and nowhere else."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from support.executed import ACTION, ADDRESS, ALICE, NOON, a_row, closed_action

from twinlock.domain.bounds import EXECUTION_SKEW
from twinlock.domain.reconciling.comparing import Before, compare

FITTING = {
    "type": "withdrawal.crypto",
    "account": ALICE,
    "action": ACTION,
    "asset": "USDT",
    "network": "ethereum",
    "address": ADDRESS,
    "memo": "",
    "amount_minor": "10000000",
}
OTHERS = {name: st.sampled_from([value, f"{value}0", ""]) for name, value in FITTING.items()}


@given(
    said=st.fixed_dictionaries(OTHERS),
    fee=st.integers(0, 2_000),
    seconds=st.integers(-600, 600),
    before=st.sampled_from([None, Before(line=0, reference="tx-1")]),
    over=st.booleans(),
)
def test_a_row_passes_where_all_is_as_it_was_spent_and_nowhere_else(
    said: dict[str, str], fee: int, seconds: int, before: Before | None, *, over: bool
) -> None:
    at = NOON + timedelta(seconds=seconds)
    row = a_row(**said, fee_minor=str(fee), executed_at=at)
    wrong = compare(row, closed_action() if over else None, before=before, erased=False)

    fits = said == FITTING and fee <= 1_000 and at >= NOON - EXECUTION_SKEW
    assert (not wrong) is (fits and over and not before)
