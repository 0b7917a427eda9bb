"""What was due before an erasure is written without the refusal of it."""

import pytest
from msgspec.structs import replace
from support.cast import DAY, NOON
from support.worlds import an_account

from twinlock.domain.account import State
from twinlock.domain.decisions import Decided, Decision
from twinlock.domain.errors import UnavailableError
from twinlock.domain.events import ActionHeld
from twinlock.domain.ids import ActionId
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.requirements import NOTHING, Answer
from twinlock.ports import Work
from twinlock.services import erasing

STATE = State(account=an_account())


LATER = ActionHeld(at=NOON, action_id=ActionId("act_1"), until=NOON + DAY, lapses_at=NOON + 2 * DAY)


def decision(kind: str, *events: ActionHeld) -> Decision:
    return Decision(kind=kind, action_id="", answer=Answer.DENY, requirement=NOTHING, events=events)


def written(*kinds: str, held: tuple[ActionHeld, ...] = ()) -> list[str]:
    *before, last = kinds
    decisions = (*map(decision, before), decision(last, *held))
    decided = Decided(decisions=decisions, states=(STATE,) * len(kinds))
    work = Work(
        account_id=STATE.account.account_id,
        decide=lambda _state, _now: decided,
        actor="operator",
        policy=PolicyName(version=1, digest="d"),
    )
    left = erasing._without_a_refusal(work)  # noqa: SLF001 - only a race gets to its refusal
    return [one.kind for one in left.decide(STATE, NOON).decisions]


def test_what_was_due_is_kept_and_the_refusal_is_not() -> None:
    assert written("bind", "list", "account.erase") == ["bind", "list"]


@pytest.mark.parametrize("before", [(), ("bind",)])
def test_a_wait_that_is_lengthened_is_kept_and_no_other(before: tuple[str, ...]) -> None:
    kinds = (*before, "account.erase")

    assert written(*kinds, held=(replace(LATER, lengthened=True),)) == [*kinds]
    if before:
        assert written(*kinds, held=(LATER,)) == [*before]


def test_where_somebody_else_was_faster_nothing_is_written() -> None:
    with pytest.raises(UnavailableError, match="run it again"):
        written("account.erase")
