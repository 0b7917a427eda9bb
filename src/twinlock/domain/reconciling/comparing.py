"""What an executed exit and its spend have to do with each other: nothing, or what differs.

Always true (tests/property/test_reconciling_properties.py): a row passes only where a spend of
exactly its action is in the log, no row before it named that action, and every value that both tell
is the same. Whatever else a row says is a finding.

Source: docs/laws.md, laws 6 and 9.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

from twinlock.domain.actions import AnyPayload, type_of
from twinlock.domain.bounds import EXECUTION_LENGTH, EXECUTION_SKEW
from twinlock.domain.entries import ClosedAction
from twinlock.domain.errors import MalformedError
from twinlock.domain.events import ActionSpent
from twinlock.domain.exits import (
    BANK,
    BOOKS,
    AnyExit,
    Exit,
    TradeUnusual,
    leads_to,
    most_fee,
)
from twinlock.domain.ids import account_of
from twinlock.domain.reconciling.rows import Executed


class Kind(StrEnum):
    """What was found; the value is told, so it never changes."""

    NO_ACTION = "no_action"
    NOT_SPENT = "not_spent"
    ACCOUNT_ERASED = "account_erased"
    EXECUTED_TWICE = "executed_twice"
    DIFFERS = "differs"
    NEVER_EXECUTED = "never_executed"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One value that was executed otherwise than it was authorized."""

    field: str
    executed: str
    authorized: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not fit. ``line`` is 0 where it is no row's; ``detail`` says more."""

    kind: Kind
    line: int = 0
    reference: str = ""
    action: str = ""
    detail: str = ""
    differences: tuple[Difference, ...] = ()


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier row of the same action: its line, or 0 where it stood in an earlier file."""

    line: int
    reference: str


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """A spend as the log tells of it."""

    action: str
    spend_id: str
    spent_at: datetime
    payload: AnyPayload


def names_action(executed: Executed) -> bool:
    """Say whether the row names an action at all: what is no id of one is looked up nowhere."""
    try:
        account_of(executed.action)
    except MalformedError:
        return False
    return True


def compare(
    executed: Executed, closed: ClosedAction | None, *, before: Before | None, erased: bool
) -> tuple[Finding, ...]:
    """Return all that is wrong with one row.

    ``closed`` is the action that it names, if that is over; ``before`` is an earlier row that named
    the same action; ``erased`` says that its account is erased.
    """
    if not names_action(executed):
        return (_finding(Kind.NO_ACTION, executed, "it names no action"),)
    found = []
    if before is not None:
        earlier = f"{before.reference} in an earlier file"
        says = f"as line {before.line}" if before.line else f"as {earlier}"
        found.append(_finding(Kind.EXECUTED_TWICE, executed, says))
    if closed is None and erased:
        found.append(_finding(Kind.ACCOUNT_ERASED, executed, "what it was is gone"))
    elif closed is None:
        says = "no action of this id is over: there is none, or it was not spent yet"
        found.append(_finding(Kind.NOT_SPENT, executed, says))
    elif not isinstance(closed.ended, ActionSpent):
        says = f"it ended as {closed.ended.__struct_config__.tag}"
        found.append(_finding(Kind.NOT_SPENT, executed, says))
    else:
        payload = closed.action.payload
        differences = _differences(executed, payload, closed.ended.at)
        if differences:
            names = ", ".join(one.field for one in differences)
            found.append(_finding(Kind.DIFFERS, executed, names, differences))
    return tuple(found)


def _finding(
    kind: Kind, executed: Executed, detail: str, differences: tuple[Difference, ...] = ()
) -> Finding:
    return Finding(
        kind=kind,
        line=executed.line,
        reference=executed.reference,
        action=executed.action,
        detail=detail,
        differences=differences,
    )


def _differences(
    executed: Executed, payload: AnyPayload, spent_at: datetime
) -> tuple[Difference, ...]:
    pairs = {
        "type": (executed.type, type_of(payload)),
        "account": (executed.account, str(payload.account)),
    }
    if isinstance(payload, Exit):
        pairs |= _of_exit(executed, payload)
    if executed.executed_at < spent_at - EXECUTION_SKEW:
        pairs["executed_at"] = (executed.executed_at.isoformat(), spent_at.isoformat())
    return tuple(
        Difference(field=field, executed=was, authorized=said)
        for field, (was, said) in pairs.items()
        if was != said
    )


def _of_exit(executed: Executed, payload: AnyExit) -> dict[str, tuple[str, str]]:
    network, address, memo = leads_to(payload)
    own = network in BOOKS or network == BANK  # A type of these has one network, and says it.
    pairs = {
        "asset": (executed.asset, payload.asset),
        "network": (executed.network or (network if own else ""), network),
        "address": (executed.address, address),
        "memo": (executed.memo, memo),
        "amount_minor": (executed.amount_minor, payload.amount_minor),
    }
    filled = isinstance(payload, TradeUnusual) and int(executed.amount_minor)
    if filled and filled <= int(payload.amount_minor):  # Orders are filled as far as others sell.
        del pairs["amount_minor"]
    if executed.fee_minor and int(executed.fee_minor) > most_fee(payload):
        pairs["fee_minor"] = (executed.fee_minor, f"at most {most_fee(payload)}")
    return pairs


def never_executed(spent: Spent) -> Finding:
    """Return what is told of a spend that no row tells of."""
    return Finding(
        kind=Kind.NEVER_EXECUTED,
        action=spent.action,
        detail=f"{type_of(spent.payload)}, spent as {spent.spend_id} at "
        f"{spent.spent_at.isoformat()}",
    )


def may_never_be_executed(spent: Spent) -> bool:
    """Say whether nobody misses it: an order that nobody fills gives nothing."""
    return isinstance(spent.payload, TradeUnusual)


def may_be_executed_yet(spent: Spent, *, until: datetime) -> bool:
    """Say whether a spend is so young at the end of the file that its execution may follow."""
    return spent.spent_at > until - EXECUTION_LENGTH
