"""S07: a listed address that nobody remembers, and that needs no proof.

Mallory has the cookie of a live session, and nothing that proves. She wants everything to leave to
an address that stands on the list since before anybody's memory. She is stopped by law 2, since a
session counts with its device's signature only, and by law 4: an imported entry was proved by
nobody, so its address is new. She leaves behind a refusal in the log.
"""

from datetime import timedelta

import pytest
from support.ranges import said, shipped

from twinlock.range.results import Status, StoryResult


@pytest.fixture
async def now() -> StoryResult:
    return await shipped("S07")


def test_nothing_fails_and_nothing_is_lost(now: StoryResult) -> None:
    assert now.status is not Status.FAILED
    assert (now.lost_cents, now.leaked_cents, now.attack.lost_later_cents) == (0, 0, 0)


def test_the_cookie_opens_nothing(now: StoryResult) -> None:
    [step] = now.attack.steps

    assert step.answer == "deny"
    assert step.codes[0] == "proof_not_bound"
    assert now.attack.stopped_after == timedelta(0)


def test_an_entry_nobody_signed_is_new_and_one_nobody_used_needs_a_proof(now: StoryResult) -> None:
    told = {step.id: said(step) for part in now.parts for step in part.steps}

    assert (told["m1a"], told["m2a"], told["m2b"]) == ("hold", "challenge", "allow")
    assert told["n1a"] == "challenge"


def test_the_payroll_takes_no_tap(now: StoryResult) -> None:
    assert [step.answer for step in now.twin.steps] == ["allow", "allow"]
    assert (now.twin.taps, now.twin.waited) == (0, timedelta(0))


async def test_by_the_rules_of_2024_the_cookie_was_enough() -> None:
    then = await shipped("S07", profile="baseline-2024")

    assert then.lost_cents == 1_000_000_00
    assert then.attack.stopped_after is None
