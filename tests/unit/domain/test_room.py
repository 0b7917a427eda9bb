"""Room in an account: who gives way, and what always finds some."""

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import HOUR, INSTANT, LONG_AGO, MALLORYS_LAPTOP, MEMBER, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    FREEZE,
    PASSWORD,
    SYNCED,
    an_account,
    send,
    sign_in,
    unlist,
)

from twinlock.domain.account import (
    ActionState,
    Challenge,
    OpenAction,
    Shown,
)
from twinlock.domain.actions import (
    AnyPayload,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import (
    LOOSE_ACTIONS_MOST,
    OPEN_ACTIONS_MOST,
)
from twinlock.domain.events import ActionLapsed
from twinlock.domain.ids import (
    ActionId,
    ChallengeId,
)
from twinlock.domain.room import gives_way, urgent

# --- What gives way ---


def an_action(payload: AnyPayload, name: str = "act", **changes: Any) -> OpenAction:  # noqa: ANN401 - fields
    action = OpenAction(
        action_id=ActionId(name),
        member_id=MEMBER,
        payload=payload,
        digest="",
        proposed_at=NOON,
        lapses_at=NOON + HOUR,
        veto_key="",
    )
    return replace(action, **changes)


def shown(*, bound_at: datetime = LONG_AGO) -> Shown:
    """Return a proof of the account's password, which stands if that is as old as it says."""
    return Shown(
        source="aut_password",
        factor=Factor.PASSWORD,
        root=None,
        bound_at=bound_at,
        at=NOON,
        entry=0,
    )


@pytest.mark.parametrize(
    ("payload", "is_urgent"),
    [(FREEZE, True), (unlist(NEW_ADDRESS), True), (sign_in(), True), (send(), False)],
)
def test_to_tighten_and_to_sign_in_is_urgent(payload: AnyPayload, is_urgent: bool) -> None:
    assert urgent(an_action(payload)) is is_urgent


def asked(*, until: datetime) -> Challenge:
    return Challenge(
        challenge_id=ChallengeId("chl"), factor=Factor.PASSWORD, expires_at=until, nonce=""
    )


PROVED = {"proved_at": NOON, "shown": (shown(),)}
FALLEN = {"proved_at": NOON, "shown": (shown(bound_at=NOON),) * 2}  # By what was replaced since.


@pytest.mark.parametrize(
    ("actions", "gone"),
    [
        pytest.param([], None, id="nothing is open"),
        pytest.param([{}] * (LOOSE_ACTIONS_MOST - 1), None, id="there is room"),
        pytest.param([{}] * LOOSE_ACTIONS_MOST, 0, id="the oldest"),
        pytest.param(
            [{"proposed_at": NOON + HOUR}, *[{}] * (LOOSE_ACTIONS_MOST - 1)], 1, id="not the first"
        ),
        pytest.param(
            [{"shown": (shown(),)}, *[{}] * (LOOSE_ACTIONS_MOST - 1)], 1, id="what shows least"
        ),
        pytest.param(
            [{"challenges": (asked(until=NOON),)}, *[{}] * (LOOSE_ACTIONS_MOST - 1)],
            0,
            id="a question that has just ended keeps nothing",
        ),
        pytest.param(
            [{"challenges": (asked(until=NOON + INSTANT),)}, *[{}] * (LOOSE_ACTIONS_MOST - 1)],
            1,
            id="whose customer is asked stays longer",
        ),
        pytest.param(
            [{"payload": FREEZE}, *[{}] * (LOOSE_ACTIONS_MOST - 1)], 1, id="what tightens stays"
        ),
        pytest.param(
            [{"payload": FREEZE}] * (LOOSE_ACTIONS_MOST - 1)
            + [{"challenges": (asked(until=NOON + INSTANT),)}],
            0,
            id="but not longer than one whose customer is asked",
        ),
        pytest.param([PROVED] * OPEN_ACTIONS_MOST, None, id="what waits on its proof stays"),
        pytest.param(
            [*[PROVED] * (OPEN_ACTIONS_MOST - 1), FALLEN],
            OPEN_ACTIONS_MOST - 1,
            id="what waits on nothing that stands",
        ),
        pytest.param(
            [{"shown": (shown(),)}, *[FALLEN] * (LOOSE_ACTIONS_MOST - 1)], 1, id="what shows none"
        ),
        pytest.param(
            [*[PROVED] * (OPEN_ACTIONS_MOST - 1), {}],
            OPEN_ACTIONS_MOST - 1,
            id="the only loose one",
        ),
        pytest.param(
            [*[PROVED] * (OPEN_ACTIONS_MOST - 1), PROVED | {"payload": sign_in()}],
            OPEN_ACTIONS_MOST - 1,
            id="a sign-in that waits for its password",
        ),
        pytest.param(
            [{"state": ActionState.AUTHORIZED}] * OPEN_ACTIONS_MOST, None, id="a yes stays"
        ),
    ],
)
def test_of_too_many_the_one_goes_that_nobody_proved(
    actions: list[dict[str, Any]], gone: int | None
) -> None:
    open_ = tuple(an_action(send(), f"act_{n}") for n in range(len(actions)))
    changed = tuple(replace(one, **changes) for one, changes in zip(open_, actions, strict=True))
    found = gives_way(replace(an_account(), actions=changed), now=NOON)

    assert (None if found is None else found.action_id) == (None if gone is None else f"act_{gone}")


def test_what_gives_way_lapses_in_a_decision_of_its_own() -> None:
    gate = Gate()
    first = gate.propose(send()).action_id
    for _ in range(LOOSE_ACTIONS_MOST):
        gate.propose(send())
    _, decided, _ = gate.book[-1]

    assert not gate.is_open(first)
    assert [type(event) for event in decided.decisions[0].events] == [ActionLapsed]
    assert len(gate.account.actions) == LOOSE_ACTIONS_MOST


def test_strangers_keep_nobody_from_signing_in_or_freezing() -> None:
    gate = Gate()
    for number in range(8):
        gate.prove(gate.propose(send(number + 1, to=NEW_ADDRESS)).action_id, SYNCED)
    full = gate.propose(send())
    for _ in range(20):
        gate.propose(sign_in(MALLORYS_LAPTOP))
    frozen = gate.prove(gate.propose(FREEZE).action_id, PASSWORD)

    assert full.answer.value == "deny"
    assert frozen.answer.value == "allow"
    assert gate.sign_in(SYNCED).answer.value == "allow"
