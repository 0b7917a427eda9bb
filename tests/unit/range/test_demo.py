"""What the demo holds against the files, and that it would say so."""

from datetime import timedelta
from typing import cast

import msgspec
import pytest

from twinlock.cli.demo import Shown, differences
from twinlock.domain.errors import BundleRefusedError
from twinlock.proofs.bundles import VerifiedBundle
from twinlock.range.honest import Honest
from twinlock.range.results import Kind, PartResult, Status, StepResult, StoryResult
from twinlock.range.words import Outcome

REFUSED = BundleRefusedError("so", fault="opening_wrong", step=6, name="openings")
ELSEWHERE = BundleRefusedError("so", fault="quorum_missing", step=2, name="checkpoint")


class Spent(msgspec.Struct):
    """As much of verified evidence as the demo looks at."""

    spent: bool = True
    assertions: tuple[str, ...] = ("hers",)


def a_step(answer: Outcome, *, status: Status, reported: Outcome | None) -> StepResult:
    return StepResult(
        id="a1",
        by="mallory",
        do="withdrawal.crypto",
        after=timedelta(0),
        expect=(Outcome.DENY,),
        status=status,
        answer=answer,
        reported=reported,
        notes=("why",),
    )


def a_story(
    *,
    answer: Outcome = Outcome.DENY,
    status: Status = Status.PASSED,
    lost_cents: int = 0,
    leaked_cents: int = 0,
    reported: Outcome | None = None,
    profile: str = "default",
) -> StoryResult:
    step = a_step(answer, status=status, reported=reported)
    attack = PartResult(
        kind=Kind.ATTACK, id="", status=status, steps=(step,), lost_cents=lost_cents
    )
    demand = PartResult(kind=Kind.MUST_NOT, id="n1", status=Status.PASSED, lost_cents=leaked_cents)
    return StoryResult(id="S02", title="t", profile=profile, value_cents=1, parts=(attack, demand))


def a_part(status: Status, why: str, *, story: str = "S02") -> StoryResult:
    part = PartResult(kind=Kind.MUST, id="m4", status=status, notes=(why,))
    whole = a_story()
    return msgspec.structs.replace(whole, id=story, parts=(*whole.parts, part))


GOOD = a_story()
THEN = "baseline-2024"
BAD = a_story(answer=Outcome.ALLOW, lost_cents=1, reported=Outcome.ALLOW, profile=THEN)


def shown(
    *,
    now: StoryResult = GOOD,
    then: StoryResult = BAD,
    spent: bool = True,
    assertions: tuple[str, ...] = ("hers",),
    forged: BundleRefusedError | None = REFUSED,
) -> Shown:
    return Shown(
        played=(then, now),
        honest=cast("Honest", None),
        verified=cast("VerifiedBundle", Spent(spent=spent, assertions=assertions)),
        forged=forged,
    )


def test_what_goes_as_the_files_say_differs_in_nothing() -> None:
    assert differences(shown()) == []


@pytest.mark.parametrize(
    ("found", "says"),
    [
        pytest.param(shown(now=a_story(status=Status.FAILED)), "S02 a1 FAILED: why", id="a step"),
        pytest.param(shown(now=a_story(lost_cents=1)), "S02 lost money under default", id="a loss"),
        pytest.param(
            shown(now=a_story(leaked_cents=1)), "S02 lost money under default", id="a leak"
        ),
        pytest.param(
            shown(then=a_story(reported=Outcome.ALLOW, lost_cents=1, profile=THEN)),
            "S02 a1 was reported allow, and is deny",
            id="another answer then",
        ),
        pytest.param(
            shown(then=a_story(profile=THEN)),
            "S02 lost nothing under baseline-2024",
            id="no loss then",
        ),
        pytest.param(shown(spent=False), "the evidence does not show a spend", id="no spend"),
        pytest.param(
            shown(assertions=()),
            "the evidence holds no assertion of the customer's",
            id="no assertion",
        ),
        pytest.param(shown(forged=None), "the forged bundle was not refused", id="a forgery"),
        pytest.param(
            shown(forged=ELSEWHERE),
            "the forged bundle was refused at checkpoint for quorum_missing",
            id="a forgery that is refused for something else",
        ),
        pytest.param(
            shown(now=a_story(status=Status.NOT_PLAYABLE)),
            "S02 a1 not playable: why",
            id="a step that could not be played",
        ),
        pytest.param(
            shown(now=a_part(Status.NOT_PLAYABLE, "the account was not set up: internal")),
            "S02 m4: the account was not set up: internal",
            id="a part that could not be played",
        ),
        pytest.param(
            shown(now=a_part(Status.FAILED, "the service failed in set-up: internal")),
            "S02 m4: the service failed in set-up: internal",
            id="a part whose account broke",
        ),
        pytest.param(
            shown(now=a_part(Status.NOT_PLAYABLE, "something else", story="S07")),
            "S07 m4: something else",
            id="a part that may be so, for another reason",
        ),
        pytest.param(
            shown(now=a_part(Status.FAILED, "device_key: so", story="S07")),
            "S07 m4: device_key: so",
            id="a part that may be so, and failed",
        ),
    ],
)
def test_the_demo_says_what_differs(found: Shown, says: str) -> None:
    assert differences(found) == [says]
