"""How an action ended, as it is told."""

import pytest
from support.cast import NOON
from support.gates import Gate
from support.worlds import DESKTOP, FREEZE, an_account

from twinlock.domain.answers import tell_closed
from twinlock.domain.entries import ClosedAction
from twinlock.domain.events import (
    ActionDone,
    ActionLapsed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
    ClosingEvent,
)
from twinlock.domain.ids import ActionId
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer

ACTION = ActionId("act_x")
VETOED_BY = DESKTOP.channel_id


@pytest.mark.parametrize(
    ("ended", "state", "answer", "why"),
    [
        (ActionDone(at=NOON, action_id=ACTION), "done", Answer.ALLOW, []),
        (
            ActionSpent(
                at=NOON, action_id=ACTION, spend_id="payout-1", fee_minor="1", value_cents=50_00
            ),
            "spent",
            Answer.ALLOW,
            [],
        ),
        (
            ActionRefused(at=NOON, action_id=ACTION, reasons=(Reason.TOO_MANY,)),
            "refused",
            Answer.DENY,
            [Reason.TOO_MANY],
        ),
        (
            ActionVetoed(at=NOON, action_id=ACTION, by=VETOED_BY, root=None),
            "vetoed",
            Answer.DENY,
            [Reason.VETOED],
        ),
        (
            ActionLapsed(at=NOON, action_id=ACTION),
            "lapsed",
            Answer.DENY,
            [Reason.AUTHORIZATION_EXPIRED],
        ),
    ],
)
def test_every_end_is_told_and_every_no_has_its_reason(
    ended: ClosingEvent, state: str, answer: Answer, why: list[Reason]
) -> None:
    gate = Gate(account=an_account())
    action = gate.action(gate.propose(FREEZE).action_id)
    policy = PolicyName(version=1, digest="d")

    told = tell_closed(ClosedAction(action=action, ended=ended, entry=3, policy=policy))

    assert (told.state, told.answer) == (state, answer)
    assert [one.code for one in told.why] == why
