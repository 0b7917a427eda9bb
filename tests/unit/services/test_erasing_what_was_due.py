"""What was due before an erasure is written without the refusal of it."""

import pytest
from support.cast import NOON
from support.worlds import an_account

from twinlock.domain.account import State
from twinlock.domain.decisions import Decided, Decision
from twinlock.domain.errors import UnavailableError
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.requirements import NOTHING, Answer
from twinlock.ports import Work
from twinlock.services import erasing

STATE = State(account=an_account())


def decision(kind: str) -> Decision:
    return Decision(kind=kind, action_id="", answer=Answer.DENY, requirement=NOTHING)


def without_the_last(*kinds: str) -> list[str]:
    decided = Decided(decisions=tuple(map(decision, kinds)), states=(STATE,) * len(kinds))
    work = Work(
        account_id=STATE.account.account_id,
        decide=lambda _state, _now: decided,
        actor="operator",
        policy=PolicyName(version=1, digest="d"),
    )
    left = erasing._without_the_last(work)  # noqa: SLF001 - only a race gets to its refusal
    return [one.kind for one in left.decide(STATE, NOON).decisions]


def test_what_was_due_is_kept_and_the_refusal_is_not() -> None:
    assert without_the_last("bind", "list", "account.erase") == ["bind", "list"]


def test_where_somebody_else_was_faster_nothing_is_written() -> None:
    with pytest.raises(UnavailableError, match="run it again"):
        without_the_last("account.erase")
