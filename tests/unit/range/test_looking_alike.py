"""Duress that looks the same: a second account, on which chance does what duress did."""

from typing import Any

import msgspec
import pytest
from support.ranges import PASSKEY_ACCOUNT, a_story, attack, step

from twinlock.range.looking_alike import letters_about, looked_at
from twinlock.range.profiles import rules_of
from twinlock.range.replay import Replay
from twinlock.range.results import Status
from twinlock.range.venue import open_world
from twinlock.range.words import Outcome

SAME = {"leaves": ["looks_the_same"], "proof": ["passkey@duress"]}
SMALL = {"with": {"amount": "small", "destination": "old_addr"}}
STEPS = (
    step("session.start", **SAME, **{"with": {"from": "known_device"}}),
    step("destination.add", at="1m", **SAME, **{"with": {"destination": "attacker_addr"}}),
    step("withdrawal.crypto", at="2m", **SAME, **SMALL),
)


async def test_what_is_done_under_duress_looks_as_if_chance_had_picked_its_owner() -> None:
    part = await attack(*STEPS, account=PASSKEY_ACCOUNT, capabilities=["COERCE_OWNER"])

    assert [one.answer for one in part.steps] == ["allow", "hold", "hold"]
    assert [(one.status, one.notes) for one in part.steps] == [(Status.PASSED, ())] * 3
    assert part.notes == ()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param({"answer": Outcome.ALLOW}, "it is answered hold", id="another answer"),
        pytest.param({"codes": ()}, "it is answered hold", id="other reasons"),
        pytest.param({"sentence": "Help is on its way."}, "it is answered hold", id="other words"),
        pytest.param({"waits": None}, "it waits 2 days, 23:58:00", id="another wait"),
    ],
)
async def test_what_only_duress_is_answered_does_not_look_the_same(
    changed: dict[str, Any], why: str
) -> None:
    story = a_story(STEPS[0], STEPS[2], account=PASSKEY_ACCOUNT)
    async with open_world(rules_of("default")) as venue:
        replay = Replay(
            venue=venue, story=story, spec=story.account, steps=story.steps, judged=True
        )
        stage = await replay.fresh(story.steps)
        first, told = await replay.play(stage, story.steps)
        letters = letters_about(stage, story.steps)
        seen = (first, msgspec.structs.replace(told, **changed))
        [_, found] = await looked_at(replay, story.steps, seen, letters)

    assert found.status is Status.FAILED
    assert found.notes == (f"looks_the_same is missing: by chance {why}",)


async def test_a_letter_that_chance_would_not_bring_does_not_look_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = a_story(STEPS[0], account=PASSKEY_ACCOUNT)
    async with open_world(rules_of("default")) as venue:
        monkeypatch.setattr(venue.mailbox, "_patience", 0.1)
        replay = Replay(
            venue=venue, story=story, spec=story.account, steps=story.steps, judged=True
        )
        stage = await replay.fresh(story.steps)
        played = await replay.play(stage, story.steps)
        letters = letters_about(stage, story.steps)
        letters["x1"]["email", "help"] += 1
        [found] = await looked_at(replay, story.steps, played, letters)

    assert found.notes == ("looks_the_same is missing: by chance not all these letters would come",)


async def test_nothing_is_lived_twice_where_nothing_must_look_the_same() -> None:
    story = a_story(step("freeze.set", proof=["password"]))
    async with open_world(rules_of("default")) as venue:
        replay = Replay(
            venue=venue, story=story, spec=story.account, steps=story.steps, judged=True
        )
        stage = await replay.fresh(story.steps)
        played = await replay.play(stage, story.steps)
        assert await looked_at(replay, story.steps, played, {}) == played

    assert len(replay.stages) == 1
