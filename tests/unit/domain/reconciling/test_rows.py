"""Rows of executed exits: what is read, and each thing that breaks one."""

from datetime import UTC, datetime

import pytest
from support.executed import ACTION, ADDRESS, ALICE

from twinlock.domain.reconciling.rows import (
    CELL_CHARACTERS_MOST,
    NEEDED,
    SENTENCES,
    RowBrokenError,
    RowFault,
    executed,
)

SAID = {
    "reference": "tx-1",
    "type": "withdrawal.crypto",
    "account": ALICE,
    "action": ACTION,
    "asset": "USDT",
    "network": "ethereum",
    "address": ADDRESS,
    "memo": "",
    "amount_minor": "1",
    "executed_at": "2026-03-01T13:00:00+01:00",
}


def fault(**changes: str) -> tuple[RowFault, str]:
    with pytest.raises(RowBrokenError) as raised:
        executed(7, SAID | changes)
    assert str(raised.value) == SENTENCES[raised.value.fault]
    return raised.value.fault, raised.value.column


def test_a_row_is_read_as_it_says_with_its_instant_in_utc() -> None:
    row = executed(7, SAID | {"fee_minor": "0", "colour": "red"})

    assert (row.line, row.reference, row.amount_minor, row.fee_minor) == (7, "tx-1", "1", "0")
    assert row.executed_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert row.executed_at.tzinfo is UTC


@pytest.mark.parametrize("name", ["action", "network", "memo"])
def test_what_a_ledger_may_not_know_may_be_empty(name: str) -> None:
    assert getattr(executed(7, SAID | {name: ""}), name) == ""


@pytest.mark.parametrize("name", ["reference", "type", "account", "asset", "address"])
def test_what_names_the_exit_must_be_there(name: str) -> None:
    assert fault(**{name: ""}) == (RowFault.VALUE_MISSING, name)


@pytest.mark.parametrize("name", NEEDED)
def test_no_value_is_longer_than_any_that_we_know_nor_hides_anything(name: str) -> None:
    assert fault(**{name: "x" * (CELL_CHARACTERS_MOST + 1)}) == (RowFault.ROW_TOO_LARGE, name)
    assert fault(**{name: "x\x1b[2J"}) == (RowFault.VALUE_WRONG, name)


def test_a_value_of_the_most_characters_is_read() -> None:
    memo = "x" * CELL_CHARACTERS_MOST

    assert executed(7, SAID | {"memo": memo}).memo == memo


@pytest.mark.parametrize("amount", ["", "0", "-1", "1.5", "01", "1e6", "=1", str(2**256)])
def test_an_amount_is_minor_units(amount: str) -> None:
    assert fault(amount_minor=amount) == (RowFault.AMOUNT_WRONG, "amount_minor")


@pytest.mark.parametrize("fee", ["-1", "0.1", "=1"])
def test_a_fee_is_too(fee: str) -> None:
    assert fault(fee_minor=fee) == (RowFault.AMOUNT_WRONG, "fee_minor")


@pytest.mark.parametrize(
    "at",
    [
        "",
        "yesterday",
        "2026-03-01T12:00:00",
        "1772366400",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
    ],
)
def test_a_time_has_its_offset(at: str) -> None:
    assert fault(executed_at=at) == (RowFault.TIME_WRONG, "executed_at")


@pytest.mark.parametrize("one", RowFault)
def test_each_fault_has_a_sentence(one: RowFault) -> None:
    assert SENTENCES[one].endswith(".")
