"""Stories for tests: small ones told in a few lines, played in memory."""

import json
from typing import Any

from doc_parts import table
from range_table import README, is_unbuilt, row

from twinlock.bootstrap.rulebook import RuleBook
from twinlock.domain.decisions import agreed
from twinlock.domain.laws import LAWS
from twinlock.range.player import play_story
from twinlock.range.profiles import DEFAULT, PROFILES, rules_of
from twinlock.range.reader import read_story, shipped_story
from twinlock.range.results import CheckResult, PartResult, StepResult, StoryResult
from twinlock.range.story import Story
from twinlock.range.venue import open_world

APP_ACCOUNT: dict[str, Any] = {
    "authenticators": ["password", "totp"],
    "channels": ["email", "sms"],
    "value_usd": 1000,
}
PASSKEY_ACCOUNT: dict[str, Any] = {
    "authenticators": ["password", "passkey"],
    "channels": ["email", "sms", "desktop"],
    "value_usd": 1000000,
}
ANYTHING = [
    "allow",
    "read_only",
    "challenge",
    "hold",
    "review",
    "deny",
    "no_effect",
    "done",
]


def step(do: str, **words: object) -> dict[str, Any]:
    """Return a step by alice at once that any answer passes, unless told otherwise."""
    return {"id": "x1", "at": "0m", "by": "alice", "do": do, "expect": ANYTHING, **words}


def story_text(**words: object) -> bytes:
    """Return a scenario file; ``words`` replace its keys."""
    plain = {
        "schema": 1,
        "id": "T01",
        "title": "a story for a test",
        "happened": {"when": "2026-01", "where": ["here"], "text": "nothing"},
        "evidence": {"grade": "H", "note": "made up"},
        "sources": ["a test"],
        "account": APP_ACCOUNT,
        "capabilities": [],
        "steps": [step("freeze.set", proof=["password"])],
        "benign_twin": {"text": "nobody", "steps": []},
    }
    return json.dumps(plain | words, indent=1).encode()  # YAML 1.2 holds JSON.


def a_story(*steps: dict[str, Any], **words: object) -> Story:
    """Return a story whose attack has these steps, named x1, x2 … unless they have ids."""
    named = [
        one | ({"id": f"x{number}"} if one["id"] == "x1" else {})
        for number, one in enumerate(steps, start=1)
    ]
    chain = {"steps": named} if steps else {}
    return read_story(story_text(**chain, **words), name="test.yaml")


async def played(story: Story, *, profile: str = DEFAULT) -> StoryResult:
    """Play a story in a world of its own."""
    async with open_world(rules_of(profile)) as venue:
        return await play_story(venue, story)


_PLAYED: dict[tuple[str, str], StoryResult] = {}


async def shipped(name: str, *, profile: str = DEFAULT) -> StoryResult:
    """Return how a shipped story goes, which a process of tests plays once for each profile."""
    if (name, profile) not in _PLAYED:
        _PLAYED[name, profile] = await played(shipped_story(name), profile=profile)
    return _PLAYED[name, profile]


async def check_readme(name: str) -> None:
    """Check what the README tells of a shipped story: its row, or that it is left out."""
    told = {profile: await shipped(name, profile=profile) for profile in PROFILES}
    lines = README.read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith(f"| {name}: ")]
    (left_out,) = (line for line in lines if line.startswith("Not in it, "))
    unbuilt = is_unbuilt(told)

    assert (name in left_out) is unbuilt, "run `make range-table`"
    wanted = [] if unbuilt else table((), [row(name, told)]).splitlines()[-1:]
    assert rows == wanted, "run `make range-table`"


async def attack(*steps: dict[str, Any], profile: str = DEFAULT, **words: object) -> PartResult:
    """Play these steps as an attack, and return what became of it."""
    return (await played(a_story(*steps, **words), profile=profile)).attack


async def answers(*steps: dict[str, Any], profile: str = DEFAULT, **words: object) -> list[str]:
    """Play these steps, and return what each was answered."""
    return [said(one) for one in (await attack(*steps, profile=profile, **words)).steps]


def said(result: StepResult) -> str:
    """Return a step's answer in a word, also where there is none."""
    if result.stopped:
        return "stopped"
    return "unplayed" if result.answer is None else result.answer.value


async def checked(
    check: dict[str, Any], *steps: dict[str, Any], book: RuleBook | None = None, **words: object
) -> CheckResult:
    """Play one demand by ``book`` or the default rules; return what its check found."""
    story = a_story(*steps, must=[{"id": "m1", "text": "so", "check": check}], **words)
    async with open_world(book or rules_of("default")) as venue:
        result = await play_story(venue, story)
    found = result.parts[1].check
    assert found is not None
    return found


def without(*gone: object) -> RuleBook:
    """Return the default rules without some of the laws, and with nothing else instead."""
    book = rules_of("default")
    laws = tuple(law for law in LAWS if law not in gone)
    return RuleBook(laws=laws, statutes=(), policy=book.policy, confirm=agreed)
