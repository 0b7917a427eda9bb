from datetime import timedelta

import pytest

from twinlock.range.results import (
    Kind,
    PartResult,
    Status,
    StepResult,
    StoryResult,
    told,
    worst,
)
from twinlock.range.tally import Tally
from twinlock.range.words import Outcome


def a_part(kind: Kind, status: Status = Status.PASSED, *, lost_cents: int = 0) -> PartResult:
    step = StepResult(
        id="x1",
        by="alice",
        do="freeze.set",
        after=timedelta(0),
        expect=(Outcome.ALLOW,),
        status=status,
        answer=Outcome.ALLOW,
    )
    return PartResult(kind=kind, id="", status=status, steps=(step,), lost_cents=lost_cents)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], Status.PASSED),
        ([Status.PASSED, Status.PLAYED], Status.PLAYED),
        ([Status.NOT_PLAYABLE, Status.PASSED], Status.NOT_PLAYABLE),
        ([Status.NOT_PLAYABLE, Status.FAILED], Status.FAILED),
    ],
)
def test_a_whole_is_as_bad_as_its_worst_part(statuses: list[Status], expected: Status) -> None:
    assert worst(statuses) is expected


@pytest.mark.parametrize(
    ("tally", "judged", "then"),
    [
        pytest.param(Tally(looked_at=1), Status.PASSED, Status.PLAYED, id="all is well"),
        pytest.param(
            Tally(looked_at=1, missing=["so"]),
            Status.NOT_PLAYABLE,
            Status.NOT_PLAYABLE,
            id="in part",
        ),
        pytest.param(Tally(), Status.NOT_PLAYABLE, Status.NOT_PLAYABLE, id="at nothing"),
        pytest.param(
            Tally(looked_at=1, wrong=["so"]), Status.FAILED, Status.PLAYED, id="something wrong"
        ),
        pytest.param(Tally(wrong=["so"]), Status.FAILED, Status.PLAYED, id="wrong before it began"),
        pytest.param(Tally(failed=["so"]), Status.FAILED, Status.FAILED, id="a broken service"),
    ],
)
def test_a_check_is_as_bad_as_what_it_found(tally: Tally, judged: Status, then: Status) -> None:
    assert tally.result("c", judged=True).status is judged
    assert tally.result("c", judged=False).status is then


def test_a_check_that_looked_at_nothing_says_so() -> None:
    assert Tally().result("c", judged=True).not_playable == ("there was nothing to look at",)


def test_what_left_in_the_demands_is_told_apart_from_what_the_attack_took() -> None:
    parts = (
        a_part(Kind.ATTACK, lost_cents=5),
        a_part(Kind.MUST_NOT, Status.FAILED, lost_cents=7),
        a_part(Kind.BENIGN),
    )
    story = StoryResult(id="S99", title="t", profile="default", value_cents=9, parts=parts)

    assert (story.lost_cents, story.leaked_cents) == (5, 7)
    assert story.status is Status.FAILED
    assert story.twin.kind is Kind.BENIGN
    [plain] = told([story])
    assert (plain["status"], plain["lost_cents"], plain["leaked_cents"]) == ("failed", 5, 7)
    assert plain["parts"][0]["steps"][0]["answer"] == "allow"
