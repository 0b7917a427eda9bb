"""An executed exit held against its spend: each thing that may be wrong, and nothing else."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.executed import ACTION, ALICE, GIVEN, NOON, PAYLOAD, TRADED, a_row, closed_action

from twinlock.domain.actions import AnyPayload, FreezeSet
from twinlock.domain.bounds import EXECUTION_LENGTH, EXECUTION_SKEW
from twinlock.domain.entries import ClosedAction
from twinlock.domain.events import ActionDone, ActionVetoed
from twinlock.domain.exits import WithdrawalFiat
from twinlock.domain.reconciling.comparing import (
    Before,
    Difference,
    Finding,
    Kind,
    Spent,
    compare,
    may_be_executed_yet,
    never_executed,
)
from twinlock.domain.reconciling.rows import Executed

WIRED = WithdrawalFiat(
    account=ALICE,
    asset="EUR",
    decimals=2,
    amount_minor="10000000",
    network="bank",
    address="DE02120300000000202051",
    memo="",
    max_fee_minor="100",
)

SECOND = Before(line=2, reference="tx-2")


def found(
    row: Executed,
    closed: ClosedAction | None,
    *,
    before: Before | None = None,
    erased: bool = False,
) -> tuple[Finding, ...]:
    return compare(row, closed, before=before, erased=erased)


def kinds(*findings: Finding) -> list[str]:
    return [one.kind.value for one in findings]


def test_what_was_executed_as_it_was_spent_is_no_finding() -> None:
    assert found(a_row(), closed_action()) == ()


@pytest.mark.parametrize("action", ["", "order-17", "act_x", ALICE])
def test_a_row_that_names_no_action_was_executed_without_a_spend(action: str) -> None:
    [one] = found(a_row(action=action), None)

    assert (one.kind, one.line, one.reference) == (Kind.NO_ACTION, 2, "tx-2")
    assert one.detail == "it names no action"


def test_an_action_that_is_not_over_was_not_spent() -> None:
    [one] = found(a_row(), None)

    assert (one.kind, one.action) == (Kind.NOT_SPENT, ACTION)
    assert one.detail == "no action of this id is over: there is none, or it was not spent yet"


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (ActionVetoed(at=NOON, action_id=ACTION, by="ch", root=None), "action.vetoed/1"),
        (ActionDone(at=NOON, action_id=ACTION), "action.done/1"),
    ],
)
def test_an_action_that_ended_otherwise_was_not_spent(
    ended: ActionVetoed | ActionDone, told: str
) -> None:
    [one] = found(a_row(), closed_action(ended=ended))

    assert (one.kind, one.detail) == (Kind.NOT_SPENT, f"it ended as {told}")


def test_of_an_erased_account_nothing_can_be_told_and_that_is_said() -> None:
    [one] = found(a_row(), None, erased=True)

    assert (one.kind, one.detail) == (Kind.ACCOUNT_ERASED, "what it was is gone")


def test_a_second_row_of_one_action_is_found_with_the_line_of_the_first() -> None:
    [one] = found(a_row(9), closed_action(), before=SECOND)

    assert (one.kind, one.line, one.detail) == (Kind.EXECUTED_TWICE, 9, "as line 2")


def test_a_row_has_all_its_findings_and_not_the_first_alone() -> None:
    twice = found(a_row(9, amount_minor="20000000"), closed_action(), before=SECOND)

    assert kinds(*twice) == ["executed_twice", "differs"]
    assert kinds(*found(a_row(9), None, before=SECOND)) == ["executed_twice", "not_spent"]


@pytest.mark.parametrize(
    ("field", "value", "authorized"),
    [
        ("type", "withdrawal.fiat", "withdrawal.crypto"),
        ("account", "acc_other", ALICE),
        ("asset", "USDC", "USDT"),
        ("network", "tron", "ethereum"),
        ("network", "", "ethereum"),
        ("address", "0x" + "cd" * 20, PAYLOAD.address),
        ("memo", "17", ""),
        ("amount_minor", "10000001", "10000000"),
        ("amount_minor", "9999999", "10000000"),
        ("fee_minor", "1001", "at most 1000"),
    ],
)
def test_each_value_that_differs_is_told_with_both(field: str, value: str, authorized: str) -> None:
    [one] = found(a_row(**{field: value}), closed_action())

    assert (one.kind, one.detail) == (Kind.DIFFERS, field)
    assert one.differences == (Difference(field=field, executed=value, authorized=authorized),)


@pytest.mark.parametrize("fee", ["", "0", "1000"])
def test_a_fee_up_to_what_was_signed_is_none_of_them(fee: str) -> None:
    assert found(a_row(fee_minor=fee), closed_action()) == ()


def test_what_left_before_its_spend_was_not_authorized_then() -> None:
    early = a_row(executed_at=NOON - EXECUTION_SKEW - timedelta(seconds=1))
    [one] = found(early, closed_action())

    assert one.detail == "executed_at"
    assert one.differences[0].authorized == NOON.isoformat()
    assert found(a_row(executed_at=NOON - EXECUTION_SKEW), closed_action()) == ()


@pytest.mark.parametrize(
    ("payload", "type_", "network", "address"),
    [
        (GIVEN, "transfer.internal", "venue", "bob"),
        (GIVEN, "transfer.internal", "", "bob"),
        (WIRED, "withdrawal.fiat", "bank", "DE02120300000000202051"),
        (WIRED, "withdrawal.fiat", "", "DE02120300000000202051"),
    ],
)
def test_what_stays_in_the_books_or_goes_to_a_bank_need_not_say_so(
    payload: AnyPayload, type_: str, network: str, address: str
) -> None:
    asset = getattr(payload, "asset", "")
    row = a_row(type=type_, network=network, address=address, asset=asset)

    assert found(row, closed_action(payload)) == ()
    [one] = found(replace(row, network="ethereum"), closed_action(payload))
    assert one.detail == "network"


@pytest.mark.parametrize(
    ("amount", "said"),
    [("10000000", []), ("1", []), ("10000001", ["amount_minor"])],
)
def test_orders_are_filled_in_part_and_never_beyond(amount: str, said: list[str]) -> None:
    row = a_row(type="trade.unusual", network="", address="QTUM/USDT", amount_minor=amount)

    assert [one.detail for one in found(row, closed_action(TRADED))] == said


def test_an_action_that_is_no_exit_differs_in_its_type() -> None:
    [one] = found(a_row(), closed_action(FreezeSet(account=ALICE)))

    assert one.detail == "type"


def test_a_spend_that_no_row_tells_of_is_told_by_its_name_and_time() -> None:
    spent = Spent(action=ACTION, spend_id="spend-00001", spent_at=NOON, payload=PAYLOAD)
    one = never_executed(spent)

    assert (one.kind, one.line, one.action) == (Kind.NEVER_EXECUTED, 0, ACTION)
    assert one.detail == f"withdrawal.crypto, spent as spend-00001 at {NOON.isoformat()}"


@pytest.mark.parametrize(("after", "young"), [(0, False), (1, True)])
def test_a_spend_is_missed_once_its_time_is_over(after: int, *, young: bool) -> None:
    at = NOON - EXECUTION_LENGTH + timedelta(seconds=after)
    spent = Spent(action=ACTION, spend_id="spend-00001", spent_at=at, payload=PAYLOAD)

    assert may_be_executed_yet(spent, until=NOON) is young
