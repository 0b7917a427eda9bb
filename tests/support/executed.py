"""Exits that were executed, and the spends that they are held against."""

from collections.abc import AsyncIterator, Callable, Collection
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from twinlock.domain.account import OpenAction
from twinlock.domain.actions import AnyPayload, payload_bytes, payload_digest
from twinlock.domain.entries import ClosedAction
from twinlock.domain.events import ActionSpent, ClosingEvent
from twinlock.domain.exits import TradeUnusual, TransferInternal, WithdrawalCrypto
from twinlock.domain.ids import AccountId, ActionId, MemberId
from twinlock.domain.ids import account_id as name_account
from twinlock.domain.ids import action_id as name_action
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.reconciling.comparing import Spent
from twinlock.domain.reconciling.rows import Executed
from twinlock.ports.reconciling import Known

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALICE = name_account(b"a" * 16)
ACTION = name_action(ALICE, b"1" * 16)
ADDRESS = "0x" + "ab" * 20
PAYLOAD = WithdrawalCrypto(
    account=ALICE,
    asset="USDT",
    network="ethereum",
    contract="0xdac17f958d2ee523a2206206994597c13d831ec7",
    decimals=6,
    address=ADDRESS,
    memo="",
    amount_minor="10000000",
    max_fee_minor="1000",
)
GIVEN = TransferInternal(
    account=ALICE, asset="USDT", decimals=6, amount_minor="10000000", counterparty="bob"
)
TRADED = TradeUnusual(
    account=ALICE,
    asset="USDT",
    decimals=6,
    amount_minor="10000000",
    pair="QTUM/USDT",
    side="buy",
    price="3",
    orders=300,
)


def numbered(number: int) -> ActionId:
    """Return one of many names of actions of Alice's."""
    return name_action(ALICE, number.to_bytes(16, "big"))


def a_row(line: int = 2, /, **changes: object) -> Executed:
    """Return the row that fits ``spent_action``, but for ``changes``."""
    row = Executed(
        line=line,
        reference=f"tx-{line}",
        type="withdrawal.crypto",
        account=ALICE,
        action=ACTION,
        asset="USDT",
        network="ethereum",
        address=ADDRESS,
        memo="",
        amount_minor="10000000",
        executed_at=NOON + timedelta(minutes=3),
    )
    return replace(row, **changes)


def spend_of(action: ActionId = ACTION, at: datetime = NOON) -> ActionSpent:
    """Return what happened when an action was spent."""
    return ActionSpent(
        at=at, action_id=action, spend_id="spend-00001", fee_minor="0", value_cents=1_000
    )


def closed_action(
    payload: AnyPayload = PAYLOAD, *, ended: ClosingEvent | None = None
) -> ClosedAction:
    """Return an action that is over: spent at noon, unless it ended otherwise."""
    action = OpenAction(
        action_id=ACTION,
        member_id=MemberId("mem_1"),
        payload=payload,
        digest=payload_digest(payload_bytes(payload)),
        proposed_at=NOON,
        lapses_at=NOON + timedelta(hours=1),
        veto_key="",
    )
    name = PolicyName(version=1, digest="d" * 43)
    return ClosedAction(action=action, ended=ended or spend_of(), entry=7, policy=name)


class MemorySpends:
    """Spends in memory. Implements ``ports.SpendSource``."""

    def __init__(self) -> None:
        self.closed: dict[str, ClosedAction] = {}
        self.erased: set[AccountId] = set()
        self.every: list[Spent] = []
        self.asked: list[set[str]] = []

    async def known(self, actions: Collection[str]) -> Known:
        """Return what is known of ``actions``."""
        self.asked.append(set(actions))
        closed = {name: self.closed[name] for name in actions if name in self.closed}
        return Known(closed=closed, erased=frozenset(self.erased))

    async def spends(
        self, since: datetime, until: datetime, *, advance: Callable[[int, int], None]
    ) -> AsyncIterator[Spent]:
        """Give every spend of a time."""
        for number, one in enumerate(self.every):
            if since <= one.spent_at < until:
                yield one
            advance(number + 1, len(self.every))
