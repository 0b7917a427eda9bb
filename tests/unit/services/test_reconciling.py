"""Reconciling over spends in memory: groups, spellings of addresses, and what is missing."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.executed import (
    ACTION,
    ALICE,
    GIVEN,
    NOON,
    PAYLOAD,
    TRADED,
    MemorySpends,
    a_row,
    closed_action,
    numbered,
)
from support.policies import DEFAULT

from twinlock.adapters.sql.seen_actions import seen_in_file
from twinlock.domain.bounds import EXECUTION_LENGTH
from twinlock.domain.exits import WithdrawalFiat
from twinlock.domain.ids import ActionId
from twinlock.domain.reconciling.comparing import Finding, Spent
from twinlock.services.reconciling import LOOKED_UP_AT_ONCE, Reconciling

BEFORE, AFTER = NOON - timedelta(days=1), NOON + timedelta(days=1)
PAID = WithdrawalFiat(
    account=ALICE,
    asset="EUR",
    network="bank",
    decimals=2,
    address="DE75512108001245126199",
    memo="",
    amount_minor="1250",
    max_fee_minor="0",
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "reconciled.sqlite3"


def unwatched(done: int, of: int) -> None:
    assert done <= of


def spent(action: ActionId = ACTION, **changes: object) -> Spent:
    one = Spent(action=action, spend_id="spend-00001", spent_at=NOON, payload=PAYLOAD)
    return replace(one, **changes)


async def missing(use: Reconciling, *types: str) -> list[str]:
    found = [one async for one in use.missing(BEFORE, AFTER, types=types, advance=unwatched)]
    assert {one.kind.value for one in found} <= {"never_executed"}
    return [one.action for one in found]


def told(findings: list[Finding]) -> list[tuple[int, str]]:
    return [(one.line, one.kind.value) for one in findings]


async def test_rows_are_matched_across_groups_and_counted(state: Path) -> None:
    source = MemorySpends()
    source.closed[ACTION] = closed_action()
    source.erased.add(ALICE)
    with seen_in_file(state) as seen:
        use = Reconciling(source, seen, policy=DEFAULT)
        first = await use.take([a_row(2), a_row(3, action=""), a_row(4, action=numbered(4))])
        second = await use.take([a_row(5), a_row(6, action=numbered(4))])
        nothing = await use.take([])

    assert told(first) == [(3, "no_action"), (4, "account_erased")]
    assert told(second) == [(5, "executed_twice"), (6, "executed_twice"), (6, "account_erased")]
    assert [one.detail for one in second][:2] == ["as line 2", "as line 4"]
    assert nothing == []
    assert (use.counts["rows"], use.counts["matched"]) == (5, 1)
    assert source.asked == [{ACTION, numbered(4)}, {ACTION, numbered(4)}, set()]


async def test_an_account_of_a_bank_is_the_same_in_groups_and_without_a_network(
    state: Path,
) -> None:
    source = MemorySpends()
    source.closed[ACTION] = closed_action(payload=PAID)
    row = a_row(type="withdrawal.fiat", asset="EUR", network="", amount_minor="1250")
    with seen_in_file(state) as seen:
        use = Reconciling(source, seen, policy=DEFAULT)
        wrong = await use.take([replace(row, address="de75 5121 0800 1245 1261 99")])
        other = await use.take([replace(row, address="DE89370400440532013000", line=3)])

    assert wrong == []
    assert [one.kind.value for one in other] == ["executed_twice", "differs"]


async def test_the_time_of_a_file_is_that_of_its_rows_in_whatever_order(state: Path) -> None:
    with seen_in_file(state) as seen:
        use = Reconciling(MemorySpends(), seen, policy=DEFAULT)
        assert (use.first_at, use.last_at) == (None, None)
        for hours in (2, 1, 3):
            await use.take([a_row(executed_at=NOON + timedelta(hours=hours))])

    assert use.first_at == NOON + timedelta(hours=1)
    assert use.last_at == NOON + timedelta(hours=3)


@pytest.mark.parametrize("address", [PAYLOAD.address, "0xABABABABABABABABABABABABABABABABABABABAB"])
async def test_an_address_is_compared_in_its_one_form(state: Path, address: str) -> None:
    source = MemorySpends()
    source.closed[ACTION] = closed_action()
    with seen_in_file(state) as seen:
        use = Reconciling(source, seen, policy=DEFAULT)
        fits = await use.take([a_row(address=address)])
        unknown = await use.take([a_row(3, network="no-such-network", address=address)])
        broken = await use.take([a_row(4, address="no address")])

    assert fits == []
    assert [one.detail for one in (*unknown, *broken)][1::2] == [
        "network" if address == PAYLOAD.address else "network, address",
        "address",
    ]


async def test_a_spend_that_no_row_named_is_missing_unless_it_is_young(state: Path) -> None:
    source = MemorySpends()
    source.every = [
        spent(numbered(1)),
        spent(numbered(2), spent_at=BEFORE - timedelta(seconds=1)),
        spent(numbered(3), spent_at=AFTER),
        spent(numbered(4), spent_at=AFTER - EXECUTION_LENGTH + timedelta(seconds=1)),
        spent(ACTION),
        spent(numbered(5), payload=GIVEN),
        spent(numbered(6), payload=TRADED),
    ]
    with seen_in_file(state) as seen:
        use = Reconciling(source, seen, policy=DEFAULT)
        await use.take([a_row()])

        assert await missing(use) == [numbered(1), numbered(5)]
        assert (use.counts["spends"], use.counts["pending"]) == (4, 1)
        assert await missing(use, "transfer.internal") == [numbered(5)]
        assert await missing(use, "card.pay") == []
        assert await missing(use, "trade.unusual") == []  # No order of it was filled.


async def test_many_spends_are_looked_for_group_by_group(state: Path) -> None:
    source = MemorySpends()
    count = LOOKED_UP_AT_ONCE * 2 + 1
    source.every = [spent(numbered(number)) for number in range(count)]
    with seen_in_file(state) as seen:
        use = Reconciling(source, seen, policy=DEFAULT)
        await use.take([a_row(number, action=numbered(number)) for number in range(1, count - 1)])

        assert await missing(use) == [numbered(0), numbered(count - 1)]
    assert use.counts["spends"] == count


async def test_what_an_earlier_file_told_of_is_executed_twice_and_never_missing(
    state: Path,
) -> None:
    """Prevents: money that left yesterday and again today on one authorization."""
    source = MemorySpends()
    source.closed[ACTION] = closed_action()
    source.every = [spent(ACTION)]
    with seen_in_file(state) as seen:
        assert await Reconciling(source, seen, policy=DEFAULT).take([a_row(2)]) == []
    with seen_in_file(state) as seen:
        use = Reconciling(source, seen, policy=DEFAULT)
        again = await use.take([a_row(3, reference="tx-other")])
        assert await missing(use) == []

    assert [(one.kind.value, one.detail) for one in again] == [
        ("executed_twice", "as tx-2 in an earlier file")
    ]
