"""S15: the server forgets to ask, and withdrawals pass without the second factor.

Whoever is upstream of the wallet has everything but the customer's key. They want a signature: with
no authorization, a used one, one for another payee or amount or under an older policy, or while
something the decision leans on is down. They are stopped by law 9: the signer believes what was
spent in the log for exactly this transaction, and nothing else. They leave behind nothing signed.
"""

import pytest
from support.ranges import said, shipped

from twinlock.range.results import Status, StepResult, StoryResult


@pytest.fixture
async def now() -> StoryResult:
    return await shipped("S15")


def steps(result: StoryResult) -> dict[str, StepResult]:
    return {step.id: step for part in result.parts for step in part.steps}


@pytest.mark.requirement("O-35")
def test_everything_the_file_demands_holds(now: StoryResult) -> None:
    assert now.status is Status.PASSED
    assert (now.lost_cents, now.leaked_cents) == (0, 0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("m1a", "proof_needed", id="nothing was proved"),
        pytest.param("m1b", "already_spent", id="it was spent before"),
        pytest.param("m1c", "other_address", id="it was for another payee"),
        pytest.param("m1d", "other_amount", id="it was for another amount"),
        pytest.param("m1e", "stale_policy", id="another policy is in force"),
    ],
)
def test_the_signer_refuses_for_the_reason_that_matters(
    now: StoryResult, name: str, reason: str
) -> None:
    found = steps(now)[name]

    assert said(found) == "deny"
    assert reason in found.codes


@pytest.mark.requirement("O-35")
@pytest.mark.parametrize("down", ["database", "clock", "prices"])
def test_nothing_is_signed_while_a_dependency_is_down(now: StoryResult, down: str) -> None:
    found = steps(now)["m1g"]

    assert said(found) == "deny"
    assert any(code.startswith(f"{down} down: ") for code in found.codes)


def test_a_proof_that_was_never_shown_is_noted(now: StoryResult) -> None:
    assert [step.notes for step in now.attack.steps[1:]] == [
        ("passkey@other_action not shown: decided before",),
        ("passkey@other_account not shown: decided before",),
    ]


async def test_where_the_rules_of_2024_refuse_what_was_reported_is_told() -> None:
    then = await shipped("S15", profile="baseline-2024")

    assert steps(then)["a1"].differs_from_reported
    assert then.status is Status.PLAYED


def test_a_slow_dependency_stops_nobody_and_doubles_nothing(now: StoryResult) -> None:
    assert [said(step) for step in now.twin.steps] == ["done", "allow", "deny"]
    assert now.twin.check is not None
    assert now.twin.check.looked_at == 100
