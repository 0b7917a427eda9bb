from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, MEMBER, NOON
from support.gates import Gate
from support.worlds import send

from twinlock.domain import ids
from twinlock.domain.account import ActionState, OpenAction
from twinlock.domain.assurance import Level
from twinlock.domain.bounds import AUTHORIZATION_LIFETIME, OPEN_ACTION_LIFETIME
from twinlock.domain.policy.facts import Facts
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Prove, Requirement, WaitUntil, all_of, any_of
from twinlock.domain.waits import held, lapses_at

ACTION = OpenAction(
    action_id=ids.action_id(ALICE, b"one open action."),
    member_id=MEMBER,
    payload=send(),
    digest="",
    proposed_at=NOON,
    lapses_at=NOON + HOUR,
    veto_key="",
    proved_at=NOON,
)
PROVED = Facts(
    now=NOON,
    action="",
    action_class=None,
    built=True,
    opened_at=NOON,
    proposed_at=NOON,
    proved_at=NOON,
)
UNPROVED = replace(PROVED, proved_at=None)
PROOF = Prove(code=Reason.SECOND_ROOT_NEEDED, level=Level.POSSESSION, roots=2)
AUTHORIZED = {"state": ActionState.AUTHORIZED, "authorized_at": NOON}


def wait(hours: int) -> WaitUntil:
    return WaitUntil(code=Reason.EXITS_HELD, until=NOON + hours * HOUR)


def told(missing: Requirement, facts: Facts = PROVED, **changes: Any) -> list[tuple[int, bool]]:  # noqa: ANN401 - fields
    action = replace(ACTION, **changes)
    events = held(action, facts, missing, now=NOON)
    return [((event.until - NOON) // HOUR, event.choice) for event in events]


@pytest.mark.parametrize(
    ("missing", "changes", "waits"),
    [
        pytest.param(PROOF, {}, [], id="a proof is no wait"),
        pytest.param(wait(24), {}, [(24, False)], id="a wait"),
        pytest.param(wait(24), {"until": NOON + DAY}, [], id="told before"),
        pytest.param(wait(25), {"until": NOON + DAY}, [(25, False)], id="longer than told"),
        pytest.param(wait(23), {"until": NOON + DAY}, [], id="shorter than told"),
        pytest.param(all_of(wait(24), PROOF), {}, [(24, False)], id="a wait, and a proof too"),
        pytest.param(any_of(wait(24), PROOF), {}, [(24, True)], id="a wait or a proof"),
        pytest.param(
            any_of(wait(24), PROOF), {"offered_until": NOON + DAY}, [], id="offered before"
        ),
        pytest.param(
            all_of(wait(24), any_of(wait(48), PROOF)),
            {},
            [(24, False), (48, True)],
            id="a wait, then a choice",
        ),
        pytest.param(
            all_of(wait(48), any_of(wait(24), PROOF)),
            {},
            [(48, False)],
            id="the choice is over first",
        ),
        pytest.param(
            any_of(wait(24), PROOF),
            AUTHORIZED | {"offered_until": NOON + DAY},
            [(24, True)],
            id="a yes that must wait after all",
        ),
    ],
)
def test_what_is_told_of_waits_once_it_is_proved(
    missing: Requirement, changes: dict[str, Any], waits: list[tuple[int, bool]]
) -> None:
    assert told(missing, **changes) == waits


@pytest.mark.parametrize(
    ("missing", "waits"),
    [
        (all_of(wait(24), PROOF), []),
        (any_of(wait(24), PROOF), [(24, True)]),
        (wait(24), [(24, False)]),
    ],
)
def test_before_the_proof_only_what_needs_none_is_told(
    missing: Requirement, waits: list[tuple[int, bool]]
) -> None:
    assert told(missing, UNPROVED) == waits


def test_what_waits_is_kept_for_a_week_after_its_wait() -> None:
    (event,) = held(ACTION, PROVED, wait(24), now=NOON)

    assert event.lapses_at == NOON + DAY + OPEN_ACTION_LIFETIME


def test_a_lifetime_is_never_shortened() -> None:
    kept = replace(ACTION, lapses_at=NOON + 100 * DAY)
    (event,) = held(kept, PROVED, wait(24), now=NOON)

    assert event.lapses_at == NOON + 100 * DAY


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({}, NOON + HOUR),
        (AUTHORIZED, NOON + AUTHORIZATION_LIFETIME),
        ({"authorized_at": NOON}, NOON + HOUR),
    ],
)
def test_when_an_action_is_over(changes: dict[str, Any], at: datetime) -> None:
    assert lapses_at(replace(ACTION, **changes)) == at


def test_a_wait_that_nobody_was_told_of_is_longer_than_its_action_lives() -> None:
    gate = Gate()
    decision = gate.propose(send())

    assert lapses_at(gate.action(decision.action_id)) - gate.now < DAY
