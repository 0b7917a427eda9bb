"""S02: an app is bound, and the thief picks "use another method".

Mallory has the password, the mailbox and the SMS, and not the app. She wants a code to stand in
for it: to list her address, to take the app off, to withdraw everything. She is stopped by laws 3
and 4: what the account must show follows from the app, and no page asks for less. She leaves behind
a session that can only look, and word of it on every channel.
"""

from datetime import timedelta

import pytest
from support.ranges import said, shipped

from twinlock.domain.actions import BUILT
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.range.results import Status, StoryResult


@pytest.fixture
async def now() -> StoryResult:
    return await shipped("S02")


@pytest.fixture
async def then() -> StoryResult:
    return await shipped("S02", profile="baseline-2024")


@pytest.mark.requirement("O-01")
def test_everything_the_file_demands_holds(now: StoryResult) -> None:
    assert [(part.kind.value, part.id, part.status) for part in now.parts] == [
        ("attack", "", Status.PASSED),
        ("must", "m1", Status.PASSED),
        ("must", "m2", Status.PASSED),
        ("must", "m3", Status.PASSED),
        ("must_not", "n1", Status.PASSED),
        ("benign_twin", "", Status.PASSED),
    ]


def test_nothing_is_lost_however_patient_the_thief_is(now: StoryResult) -> None:
    assert (now.lost_cents, now.leaked_cents, now.attack.lost_later_cents) == (0, 0, 0)


def test_the_thief_is_stopped_within_a_minute_by_the_floor(now: StoryResult) -> None:
    assert now.attack.stopped_after == timedelta(minutes=1)
    assert now.attack.stopped_by == ("below_floor",)
    assert [said(step) for step in now.attack.steps] == [
        "read_only",
        "no_effect",
        "challenge",
        "challenge",
        "deny",
    ]


@pytest.mark.requirement("O-01", "O-08")
def test_every_path_was_walked(now: StoryResult) -> None:
    check = now.parts[1].check

    assert check is not None
    walked = {one for one, cls in CLASS_OF.items() if cls is not ActionClass.TIGHTENING}
    walked -= {"api_key.widen", "trusted_contact.remove"}  # There is no key, and no contact.
    walked -= {"member.add", "member.remove", "quorum.loosen"}  # Nor any other member.
    built = 5 * len(BUILT & walked - {"platform.exit"})  # Five sets of proofs; none is registered.
    assert check.looked_at == built + 5  # And one that nobody knows.
    left = 5 * len(walked) - built
    assert check.notes == (f"{left} more are of actions not built yet, and always refused",)


def test_the_honest_twin_taps_twice_and_waits_three_days(now: StoryResult) -> None:
    assert (now.twin.taps, now.twin.refusals) == (2, 0)
    assert now.twin.waited == timedelta(days=3)


def test_by_the_rules_of_2024_everything_was_lost_in_four_minutes(then: StoryResult) -> None:
    assert then.lost_cents == 1_000_000_00
    assert then.attack.steps[-1].after == timedelta(minutes=4)


def test_the_rules_of_2024_answer_as_was_reported(then: StoryResult) -> None:
    reported = [step for step in then.attack.steps if step.reported is not None]

    assert [step.answer for step in reported] == [step.reported for step in reported]
    assert len(reported) == 4
