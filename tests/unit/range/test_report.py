from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console, RenderableType
from support.ranges import PASSKEY_ACCOUNT, a_story, played, step

from twinlock.domain.actions import BUILT
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.range.comparison import beside, holds
from twinlock.range.report import (
    because,
    dollars,
    length,
    looked_at,
    print_stories,
    remarks,
    story_table,
)

THEFT = step(
    "withdrawal.crypto",
    by="mallory",
    **{"with": {"amount": "large", "destination": "attacker_addr"}, "proof": ["passkey"]},
)


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(0), "0 min"),
        (timedelta(seconds=30), "30 s"),
        (timedelta(minutes=4), "4 min"),
        (timedelta(hours=1, seconds=5), "1 h"),
        (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
    ],
)
def test_a_length_is_told_in_its_largest_units(span: timedelta, said: str) -> None:
    assert length(span) == said


@pytest.mark.parametrize(
    ("cents", "said"), [(0, "US$0"), (1, "US$0.01"), (1_460_000_00, "US$1,460,000")]
)
def test_money_is_told_in_dollars(cents: int, said: str) -> None:
    assert dollars(cents) == said


def test_the_strongest_reasons_are_told_and_the_others_counted() -> None:
    assert because(("a",)) == "a"
    assert because(("a", "b")) == "a\nb"
    assert because(("a", "b", "c", "d")) == "a\nb\nand 2 more"


def printed(*what: RenderableType) -> str:
    page = StringIO()
    Console(file=page, width=80, highlight=False).print(*what)
    return page.getvalue()


async def test_a_story_is_told_with_its_answers_its_failures_and_its_twin() -> None:
    story = a_story(
        {**THEFT, "expect": ["deny"]},
        step("event.case_opened", at="1m"),
        step("staff.review", at="2m", needs=["x2"]),
        account=PASSKEY_ACCOUNT,
        must=[
            {"id": "m1", "text": "so", "check": {"name": "no_reach"}},
            {
                "id": "m2",
                "text": "so",
                "check": {"name": "notice_before_effect", "of": ["x1"], "channels": ["pager"]},
            },
            {"id": "m3", "text": "so", "steps": [step("freeze.set", proof=["password"])]},
        ],
        must_not=[
            {
                "id": "n1",
                "text": "so",
                "account": {"lock": {"delay": "36h"}},
                "steps": [step("freeze.set")],
            }
        ],
    )
    result = await played(story)
    page = StringIO()

    print_stories(Console(file=page, width=80, highlight=False), [result, result])

    text = page.getvalue()
    for told in (
        "profile default · US$1,000,000 at stake · lost US$0 · stopped after 0 min",
        "x1 FAILED: answered hold, not deny",
        "if nobody objects: US$50,000 leaves after 1 d (x1)",
        "x2 not playable: event.case_opened",
        "m1 not playable: the prover is not built",
        "m2 FAILED: x1 was not announced on every channel",
        "n1: account.lock: a lock of '36h': locks are of whole days",
        "demands: m1 not playable  m2 FAILED  m3 ok  n1 not playable",
        "the honest twin, who does alike in good faith: 0 taps",
        "all parts",
        "2 of 6 failed",
        "thief: withdrawal.crypto",
    ):
        assert told in text
    assert max(map(len, text.splitlines())) <= 80


async def test_what_people_must_know_is_told_beside_what_failed() -> None:
    story = a_story(
        {**THEFT, "proof": ["passkey@other_action"], "reported": "hold"},
        account={**PASSKEY_ACCOUNT, "destinations": {"list": "required"}, "any": True},
        must=[
            {
                "id": "m1",
                "text": "so",
                "check": {
                    "name": "same_floor_on_all_paths",
                    "paths": "all_but_tightening",
                    "refuse": [["password"]],
                },
            }
        ],
    )
    now, then = await played(story), await played(story, profile="baseline-2024")

    assert remarks(now) == [
        "account.any: played on one with password and passkey",
        "x1: passkey@other_action not shown: decided before",
    ]
    walked = {one for one, cls in CLASS_OF.items() if cls is not ActionClass.TIGHTENING}
    walked -= {"api_key.widen", "trusted_contact.remove"}  # There is no key, and no contact.
    walked -= {"member.add", "member.remove", "quorum.loosen"}  # Nor any other member.
    built = len(BUILT & walked - {"platform.exit"})  # Nobody registered one.
    left = f"{len(walked) - built} more are of actions not built yet, and always refused"
    tried = f"{built + 1} cases tried; {left}"
    assert looked_at(now.parts[1]) == [tried]
    assert f"m1: {tried}" in printed(story_table(now))
    assert "(same_floor_on_all_paths)" in printed(story_table(now))
    page = printed(beside([then, now], ours="default"))
    assert all(one in page for one in (tried, "x1: passkey@other_action", "    ok so"))
    assert "does not hold under baseline-2024" in page
    assert (holds(now.parts[1]), holds(then.parts[1])) == (True, False)
    assert "x1 was reported hold, and is deny here" in remarks(then)
    text = printed(story_table(then))
    assert "x1 was reported hold, and is deny here" in text
    assert "FAILED" not in text
    assert "m1 would have failed: withdrawal.crypto with password was allowed" in text


async def test_what_is_lost_is_told_as_lost() -> None:
    twin = {"text": "so", "steps": [step("freeze.set", proof=["password"])]}
    story = a_story(THEFT, account=PASSKEY_ACCOUNT, benign_twin=twin)
    now, then = await played(story), await played(story, profile="baseline-2024")
    page = StringIO()
    print_stories(Console(file=page, width=80), [then])

    assert "lost US$50,000 · not stopped" in page.getvalue()
    text = printed(beside([then, now], ours="default"))
    assert "US$50,000" in text
    assert "With Twinlock (default): stopped at once" in text
    assert "default: 1 tap, waits for nothing" in text
    assert "mallory" not in text
    assert max(map(len, text.splitlines())) <= 80
