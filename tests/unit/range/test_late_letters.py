"""A mail server that is down delays notices, and so waits; it denies nothing."""

from typing import Any

import pytest
from support.ranges import PASSKEY_ACCOUNT, a_story, answers, attack, step

from twinlock.range.profiles import rules_of
from twinlock.range.replay import Replay
from twinlock.range.results import Status
from twinlock.range.venue import open_world

ADD = step("destination.add", proof=["passkey"], **{"with": {"destination": "new_addr"}})


def mail(state: str, *, which: str = "mail_server", **words: object) -> dict[str, Any]:
    given = {"with": {"which": which, "state": state}}
    return step("event.dependency", by="world", **given, **words)


def leave(at: str, of: str = "x2") -> dict[str, Any]:
    given = {"destination": "new_addr", "amount": "small"}
    proof = ["passkey"]
    return step("withdrawal.crypto", at=f"wait:{of}+{at}", proof=proof, **{"with": given})


async def left(*steps: dict[str, Any], channels: list[str]) -> list[str]:
    return await answers(*steps, account={**PASSKEY_ACCOUNT, "channels": channels})


@pytest.mark.parametrize("which", ["mail", "mail_server", "smtp"])
async def test_word_by_another_channel_is_enough(which: str) -> None:
    down = mail("down", which=which)
    heard = await left(down, ADD | {"at": "1m"}, leave("1m"), channels=["email", "desktop"])

    assert heard == ["done", "hold", "allow"]


async def test_a_wait_of_which_nobody_heard_is_twice_as_long() -> None:
    heard = await left(
        mail("down"), ADD | {"at": "1m"}, leave("1m"), leave("169h"), channels=["email"]
    )

    assert heard == ["done", "hold", "hold", "allow"]


async def test_word_that_arrives_in_time_lengthens_nothing() -> None:
    heard = await left(
        mail("down"),
        ADD | {"at": "1m"},
        mail("up", at="20h"),
        leave("1m"),
        channels=["email"],
    )

    assert heard == ["done", "hold", "done", "allow"]


@pytest.mark.parametrize(
    ("channels", "trace", "status"),
    [
        (["email"], "notice_old_channels", Status.PASSED),
        (["email", "desktop"], "notice_old_channels", Status.PASSED),
        (["email", "desktop"], "veto_open", Status.PASSED),
        (["email"], "veto_open", Status.FAILED),
    ],
)
async def test_word_by_mail_is_late_and_not_missing_and_nobody_says_no_by_it(
    channels: list[str], trace: str, status: Status
) -> None:
    part = await attack(
        mail("down"),
        ADD | {"at": "1m", "expect": ["hold"], "leaves": [trace]},
        account={**PASSKEY_ACCOUNT, "channels": channels},
    )

    assert part.steps[1].status is status


async def test_what_nobody_is_told_of_is_missing_while_the_server_is_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("twinlock.range.late_letters.PATIENCE_SECONDS", 0.0)
    part = await attack(
        mail("down"),
        step("ungated.balance_read", at="1m", proof=["session"], leaves=["notice_old_channels"]),
        account={**PASSKEY_ACCOUNT, "channels": ["email"]},
    )

    assert part.steps[1].notes == ("notice_old_channels is missing",)


async def test_what_was_decided_before_still_arrives() -> None:
    heard = await left(
        step("ungated.balance_read", proof=["session"]),
        ADD | {"at": "1m"},
        mail("down", at="2m"),
        leave("1m"),
        channels=["email"],
    )

    assert heard[1:] == ["hold", "done", "allow"]


async def test_letters_that_waited_are_read_when_the_server_is_back() -> None:
    told = {"leaves": ["notice_old_channels"]}
    part = await attack(
        mail("down"),
        ADD | {"at": "1m"} | told,
        mail("up", at="2m"),
        step(
            "destination.add",
            at="3m",
            proof=["passkey"],
            **{"with": {"destination": "attacker_addr"}} | told,
        ),
        account={**PASSKEY_ACCOUNT, "channels": ["email"]},
    )

    assert [one.answer for one in part.steps] == ["done", "hold", "done", "hold"]


async def test_no_code_arrives_and_that_is_no_failure() -> None:
    account = {"authenticators": ["password", "passkey"], "channels": ["email", "sms"]}
    heard = await answers(
        mail("down"),
        step("session.start", at="1m", proof=["password", "email_code"]),
        step("contact.change", at="2m", proof=["passkey"], **{"with": {"channel": "email"}}),
        mail("up", at="3m"),
        account=account,
    )

    assert heard == ["done", "challenge", "hold", "done"]


async def test_a_mail_server_is_there_or_not() -> None:
    assert await answers(mail("slow"), mail("odd")) == ["unplayed", "unplayed"]


async def test_what_is_too_old_when_the_server_is_back_is_not_sent() -> None:
    """Of a change that waits a channel is told for as long; of a sign-in, for seven days."""
    story = a_story(
        mail("down"),
        step("session.start", at="1m", proof=["passkey"]),
        ADD | {"at": "2m"},
        mail("up", at="8d"),
        account={**PASSKEY_ACCOUNT, "channels": ["email"]},
    )
    async with open_world(rules_of("default")) as venue:
        replay = Replay(
            venue=venue, story=story, spec=story.account, steps=story.steps, judged=True
        )
        stage = await replay.fresh(story.steps)
        before = venue.mailbox.letters(stage.customer.account_id)
        await replay.play(stage, story.steps)
        after = venue.mailbox.letters(stage.customer.account_id)

    assert [one.kind for one in after[len(before) :]] == ["waiting"]
