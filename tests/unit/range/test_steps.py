"""A list of steps: times, needs, waits, and what counts as what."""

from datetime import timedelta
from typing import Any

import pytest
from support.ranges import APP_ACCOUNT, PASSKEY_ACCOUNT, a_story, answers, attack, played, step

from twinlock.range.results import Status

ADD = {"with": {"destination": "new_addr"}, "proof": ["totp"]}


async def test_a_step_that_needs_a_refused_one_is_stopped() -> None:
    part = await attack(
        step("recovery.open", proof=["email_code"]),
        step("session.start", at="1m", needs=["x1"], **{"with": {"from": "new_device"}}),
        step("freeze.set", at="2m", needs=["x2"], proof=["password"]),
    )

    assert [one.stopped for one in part.steps] == [False, True, True]
    assert part.steps[1].notes == ("x1 was refused",)
    assert part.status is Status.PASSED


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param({"by": "mallory", "expect": ["allow"]}, Status.PASSED, id="a thief"),
        pytest.param({"by": "ivan", "expect": ["allow"]}, Status.PASSED, id="the insider"),
        pytest.param({"by": "alice", "expect": ["allow"]}, Status.FAILED, id="the owner"),
        pytest.param({"by": "platform", "expect": ["hold"]}, Status.FAILED, id="the platform"),
        pytest.param({"by": "alice", "expect": ["deny", "allow"]}, Status.PASSED, id="as expected"),
    ],
)
async def test_being_stopped_is_well_for_thieves_and_for_who_expects_it(
    words: dict[str, Any], status: Status
) -> None:
    needing = step("freeze.set", at="1m", needs=["x1"], proof=["password"], **words)
    steps = [step("session.start", expect=["challenge"]), needing]
    part, then = await attack(*steps), await attack(*steps, profile="baseline-2024")

    assert (part.steps[1].stopped, part.steps[1].status) == (True, status)
    assert then.steps[1].status is Status.PLAYED


async def test_a_step_that_needs_one_that_is_not_built_is_not_played() -> None:
    part = await attack(
        step("recovery.open", **{"with": {"to": 5}}, expect=["hold"]),
        step("freeze.set", at="1m", needs=["x1"], proof=["password"], expect=["allow"]),
    )

    assert [one.status for one in part.steps] == [Status.NOT_PLAYABLE] * 2
    assert part.steps[1].notes == ("it needs x1, which cannot be played",)


async def test_a_step_that_needs_one_that_was_not_played_is_not_played() -> None:
    part = await attack(
        step("event.case_opened"),
        step("freeze.set", at="1m", needs=["x1"], proof=["password"]),
    )

    assert [one.status for one in part.steps] == [Status.NOT_PLAYABLE] * 2
    assert part.steps[1].notes == ("it needs x1, which cannot be played",)


async def test_a_step_waits_for_what_an_earlier_one_was_told() -> None:
    part = await attack(
        step("destination.add", **ADD),
        step("freeze.set", at="wait:x1+12h", proof=["password"]),
        account={**APP_ACCOUNT, "channels": ["desktop"]},
    )

    assert part.steps[1].after == timedelta(hours=36)


async def test_a_step_waits_for_the_hold_that_an_earlier_one_left() -> None:
    part = await attack(
        step("password.change", proof=["password", "totp"]),
        step("freeze.set", at="wait:x1", proof=["password"]),
    )

    assert part.steps[1].after == timedelta(hours=24)


async def test_a_wait_that_nobody_was_told_cannot_run_out() -> None:
    part = await attack(
        step("recovery.open", **{"with": {"amount": "small"}}),
        step("freeze.set", at="wait:x1", proof=["password"]),
    )

    assert part.steps[1].status is Status.NOT_PLAYABLE
    assert "was told no wait" in part.steps[1].notes[0]


async def test_who_was_refused_comes_back_at_once() -> None:
    part = await attack(
        step("freeze.lift", proof=["sms_code"]),
        step("freeze.set", at="wait:x1+1h", by="mallory", proof=["password"]),
    )

    assert [one.answer for one in part.steps] == ["challenge", "allow"]
    assert part.steps[1].after == timedelta(hours=1)


async def test_who_was_told_yes_at_once_need_not_wait() -> None:
    part = await attack(
        step("freeze.set", proof=["password"]),
        step("session.start", at="5m", proof=["password", "totp"]),
        step("freeze.set", id="x3", at="wait:x1+2m", proof=["password"]),
        step("freeze.set", id="x4", at="wait:x1+9m", proof=["password"]),
    )

    assert [one.after for one in part.steps[2:]] == [timedelta(minutes=5), timedelta(minutes=9)]


async def test_a_step_dated_before_one_that_had_to_wait_is_not_played() -> None:
    part = await attack(
        step("destination.add", **ADD),
        step("freeze.set", at="wait:x1", proof=["password"]),
        step("freeze.set", id="x3", at="1h", proof=["password"]),
    )

    assert part.steps[2].status is Status.NOT_PLAYABLE
    assert part.steps[2].notes == ("it is dated before the step above it, which had to wait",)


async def test_where_an_answer_differs_from_what_was_reported_is_told_and_no_failure() -> None:
    steps = [
        step("freeze.set", proof=["password"], reported="deny"),
        step("freeze.set", at="1m", proof=["password"], reported="allow"),
        step("freeze.lift", at="2m", reported="allow"),
        step("freeze.set", at="3m", needs=["x3"], reported="allow"),
    ]
    now, then = await attack(*steps), await attack(*steps, profile="baseline-2024")

    assert [one.differs_from_reported for one in then.steps] == [True, False, True, True]
    assert then.status is Status.PLAYED
    assert not any(one.differs_from_reported for one in now.steps)


async def test_an_account_without_channels_has_no_letters_to_look_at() -> None:
    part = await attack(
        step("destination.add", **{"with": {"destination": "new_addr"}}, proof=["passkey"])
        | {"leaves": ["veto_open", "notice_old_channels"]},
        account={**PASSKEY_ACCOUNT, "channels": []},
    )

    assert part.steps[0].status is Status.NOT_PLAYABLE
    assert part.steps[0].notes == (
        "veto_open: the account has no channel to look at",
        "notice_old_channels: the account has no channel to look at",
    )


@pytest.mark.parametrize(
    ("words", "status", "note"),
    [
        pytest.param({"expect": ["allow"]}, Status.PASSED, None, id="as expected"),
        pytest.param(
            {"expect": ["deny", "hold"]},
            Status.FAILED,
            "answered allow, not deny, hold",
            id="otherwise",
        ),
        pytest.param({"leaves": ["exits_held"]}, Status.PASSED, None, id="it leaves a hold"),
        pytest.param(
            {"leaves": ["veto_open"]}, Status.FAILED, "veto_open is missing", id="it leaves none"
        ),
        pytest.param(
            {"leaves": ["customer_view"]},
            Status.NOT_PLAYABLE,
            "customer_view: customers have no page of their own log yet",
            id="what it leaves cannot be seen",
        ),
        pytest.param(
            {"always": ["alarm_audit"]},
            Status.NOT_PLAYABLE,
            "alarm_audit: twinlock audit raises it, on a database, not here",
            id="what it always leaves cannot be seen",
        ),
        pytest.param(
            {"leaves": ["notice_old_channels"]}, Status.PASSED, None, id="everybody was told"
        ),
    ],
)
async def test_an_answer_and_what_it_leaves_are_held_against_the_file(
    words: dict[str, Any], status: Status, note: str | None
) -> None:
    part = await attack(step("password.change", proof=["password", "totp"], **words))

    [found] = part.steps
    assert found.status is status
    assert found.notes == (() if note is None else (note,))


async def test_what_a_refused_step_leaves_is_not_looked_for() -> None:
    part = await attack(
        step(
            "recovery.open", **{"with": {"amount": "small"}}, leaves=["veto_open"], expect=["deny"]
        )
    )

    assert part.status is Status.PASSED


async def test_an_honest_step_that_is_refused_because_it_is_not_built_did_not_fail() -> None:
    part = await attack(step("recovery.open", **{"with": {"to": "x"}}, expect=["hold"]))

    assert part.steps[0].status is Status.NOT_PLAYABLE
    assert part.steps[0].notes == ("recovery.open is refused until it is built",)


async def test_nothing_is_expected_under_a_weaker_profile() -> None:
    part = await attack(
        step("password.change", proof=["password"], expect=["deny"], leaves=["veto_open"]),
        profile="baseline-2024",
    )

    assert (part.steps[0].answer, part.steps[0].status) == ("allow", Status.PLAYED)


async def test_the_service_failing_is_a_failure_and_no_answer() -> None:
    given = {"with": {"amount": "small"}}
    flood = [step("recovery.open", id=f"y{n}", by="mallory", **given) for n in range(130)]
    part = await attack(*flood)

    failed = [one for one in part.steps if one.status is Status.FAILED]
    assert failed
    assert failed[0].answer is None
    assert failed[0].notes[0].startswith("the service failed: rate_limited")


# --- What happens beside the gate ---


@pytest.mark.parametrize(
    ("do", "words", "said"),
    [
        pytest.param("event.mailbox_taken", {"with": {"by": "sms"}}, "done", id="a mailbox"),
        pytest.param("event.dust", {}, "done", id="dust"),
        pytest.param("event.call_owner", {}, "done", id="a call"),
        pytest.param("event.call_owner", {"with": {"verifiable": True}}, "unplayed", id="our call"),
        pytest.param("event.case_opened", {}, "unplayed", id="a case"),
        pytest.param("ungated.trade", {}, "deny", id="a trade without a right"),
        pytest.param("tamper.row_update", {}, "unplayed", id="a row"),
        pytest.param(
            "event.dependency", {"with": {"which": "database", "state": "slow"}}, "done", id="slow"
        ),
        pytest.param(
            "event.dependency", {"with": {"which": "moon", "state": "down"}}, "unplayed", id="moon"
        ),
        pytest.param(
            "event.dependency", {"with": {"which": "clock", "state": "odd"}}, "unplayed", id="odd"
        ),
    ],
)
async def test_an_event_happens_or_says_why_not(do: str, words: dict[str, Any], said: str) -> None:
    assert await answers(step(do, **words)) == [said]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"asked": "totp", "wanted": "sms_code"}, "no_effect", id="a code"),
        pytest.param({"asked": "totp", "wanted": "face_video"}, "no_effect", id="a picture"),
        pytest.param({"asked": "totp", "wanted": "password"}, "no_effect", id="a factor of hers"),
        pytest.param({"asked": "passkey", "wanted": "totp"}, "unplayed", id="not on this page"),
    ],
)
async def test_a_page_is_asked_for_another_method(given: dict[str, str], said: str) -> None:
    assert await answers(step("event.other_method", **{"with": given})) == [said]


@pytest.mark.parametrize(
    ("account", "wanted", "held", "said"),
    [
        pytest.param(APP_ACCOUNT, "password", "PASSWORD", "no_effect", id="below the floor"),
        pytest.param(APP_ACCOUNT, "recovery_code", "RECOVERY_CODE", "no_effect", id="not read"),
        pytest.param(
            {**PASSKEY_ACCOUNT, "authenticators": ["password", "totp", "passkey"]},
            "passkey",
            "PASSKEY_PROVIDER",
            "hold",
            id="what proves it",
        ),
    ],
)
async def test_what_a_thief_shows_on_another_page_changes_only_what_it_proves(
    account: dict[str, Any], wanted: str, held: str, said: str
) -> None:
    ask = step("event.other_method", **{"with": {"asked": "totp", "wanted": wanted}})

    assert await answers(ask, account=account, capabilities=[held]) == [said]


async def test_a_thief_who_reads_no_messages_gets_nothing_from_a_code() -> None:
    ask = step("event.other_method", **{"with": {"asked": "totp", "wanted": "sms_code"}})

    without = await answers(ask, profile="baseline-2024")
    with_sms = await answers(ask, profile="baseline-2024", capabilities=["SMS_RECEIVE"])

    assert (without, with_sms) == (["challenge"], ["allow"])


@pytest.mark.parametrize(
    "no",
    [
        pytest.param({"of": "x1", "channel": "sms"}, id="by the letter's link"),
        pytest.param({"of": "x1"}, id="by a device that is signed in"),
    ],
)
async def test_a_veto_ends_a_change_for_good(no: dict[str, str]) -> None:
    said = await answers(
        step("destination.add", **ADD),
        step("event.veto", at="1h", **{"with": no}),
        step("event.veto", at="2h", **{"with": no}),
    )

    assert said == ["hold", "allow", "deny"]


async def test_a_veto_needs_something_to_object_to_and_a_letter() -> None:
    said = await answers(
        step("event.dust"),
        step("event.veto", at="1m", **{"with": {"of": "x1", "channel": "sms"}}),
        step("session.start", at="2m", proof=["password", "totp"]),
        step("event.veto", at="3m", **{"with": {"of": "x3", "channel": "sms"}}),
    )

    assert said == ["done", "unplayed", "allow", "unplayed"]


# --- The patient thief ---


async def test_a_patient_thief_tries_again_when_a_wait_has_run_out() -> None:
    part = await attack(
        step("destination.add", **{"with": {"destination": "attacker_addr"}, "proof": ["passkey"]}),
        step(
            "withdrawal.crypto",
            at="1m",
            by="mallory",
            **{"with": {"amount": "large", "destination": "attacker_addr"}, "proof": ["passkey"]},
        ),
        account=PASSKEY_ACCOUNT,
    )

    assert part.lost_cents == 0
    assert [(one.step, one.answer) for one in part.later] == [("x1", "allow"), ("x2", "allow")]
    assert part.lost_later_cents == 50_000_00
    assert part.stopped_after == timedelta(0)


async def test_a_patient_thief_gets_nothing_where_nothing_was_promised() -> None:
    part = await attack(
        step(
            "withdrawal.crypto",
            by="mallory",
            **{"with": {"amount": "all", "destination": "attacker_addr"}, "proof": ["sms_code"]},
        )
    )

    assert part.later == ()


async def test_a_thief_who_took_everything_was_not_stopped() -> None:
    all_of_it = {"amount": "all", "destination": "attacker_addr"}
    theft = step("withdrawal.crypto", by="mallory", **{"with": all_of_it, "proof": ["password"]})
    late = step("unknown.exit", at="1h", by="mallory", **{"with": {"amount": "all"}})
    part = await attack(theft, late, profile="baseline-2024")

    assert [one.answer for one in part.steps] == ["allow", "deny"]
    assert part.lost_cents == 1000_00
    assert part.stopped_after is None


async def test_an_exit_that_lapsed_is_tried_from_its_beginning() -> None:
    part = await attack(
        step(
            "authenticator.remove", **{"with": {"authenticator": "passkey"}, "proof": ["passkey"]}
        ),
        step(
            "withdrawal.crypto",
            at="1m",
            by="mallory",
            **{"with": {"amount": "large", "destination": "attacker_addr"}, "proof": ["passkey"]},
        ),
        account=PASSKEY_ACCOUNT,
    )

    tried = [one for one in part.later if one.step == "x2"]
    assert tried[0].answer == "allow"
    assert part.lost_later_cents == 50_000_00


async def test_an_honest_twin_is_told_its_taps_and_waits() -> None:
    story = a_story(
        benign_twin={
            "text": "so",
            "steps": [
                step("session.start", **{"with": {"from": "known_device"}, "proof": ["totp"]}),
                step("destination.add", id="b2", at="1m", **ADD, expect=["hold"]),
                step("recovery.open", id="b3", at="2m", **{"with": {"amount": "small"}}),
                step("freeze.set", id="b4", at="3m", expect=["allow"]),
            ],
        }
    )
    twin = (await played(story)).twin

    assert (twin.taps, twin.waited) == (2, timedelta(days=7))
    assert twin.refusals == 1


PAY = {"with": {"amount": "small", "destination": "new_addr"}, "proof": ["passkey"]}


async def came_back(*between: dict[str, Any], again: dict[str, Any] | None = None) -> list[str]:
    return await answers(
        step("withdrawal.crypto", **PAY),
        *between,
        step("withdrawal.crypto", at="wait:x1", **(PAY | (again or {}))),
        account=PASSKEY_ACCOUNT,
    )


async def test_who_comes_back_for_what_waited_has_it() -> None:
    assert await came_back() == ["hold", "allow"]


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({"by": "mallory"}, id="somebody else"),
        pytest.param({"with": {"amount": "tiny", "destination": "new_addr"}}, id="another sum"),
    ],
)
async def test_whatever_else_is_asked_for_then_is_asked_for_anew(again: dict[str, Any]) -> None:
    assert await came_back(again=again) == ["hold", "hold"]


async def test_a_thief_comes_back_when_the_list_is_over() -> None:
    thief = {"by": "mallory", **PAY}
    part = await attack(
        step("withdrawal.crypto", **thief),
        step("withdrawal.crypto", at="wait:x1", **thief),
        account=PASSKEY_ACCOUNT,
    )

    assert [one.answer for one in part.steps] == ["hold", "hold"]
    assert (part.lost_cents, part.lost_later_cents) == (0, 2 * 50_00)


async def test_what_was_vetoed_or_never_waited_is_asked_for_anew() -> None:
    no = step("event.veto", at="1h", proof=["session"], **{"with": {"of": "x1"}})
    known = {"with": {"amount": "small", "destination": "old_addr"}, "proof": ["passkey"]}
    twice = await answers(
        step("withdrawal.crypto", **known),
        step("withdrawal.crypto", at="wait:x1", **known),
        account=PASSKEY_ACCOUNT,
    )

    assert await came_back(no) == ["hold", "allow", "hold"]
    assert twice == ["allow", "allow"]


async def test_what_the_gate_refused_needs_nobodys_veto() -> None:
    no = step("event.veto", at="1m", expect=["allow"], **{"with": {"of": "x1", "channel": "email"}})
    part = await attack(
        step("unknown.exit", by="mallory"), no, step("freeze.set", at="2m", needs=["x2"])
    )
    unbuilt = await attack(step("recovery.open", expect=["hold"]), no)

    assert [one.stopped for one in part.steps] == [False, True, True]
    assert part.steps[1].notes == ("x1 was refused",)
    assert part.steps[1].status is Status.PASSED
    assert unbuilt.steps[1].status is Status.NOT_PLAYABLE


@pytest.mark.parametrize("profile", ["baseline-2024", "typical-2026"])
async def test_where_nobody_is_asked_for_a_veto_nobody_has_one(profile: str) -> None:
    part = await attack(
        step("destination.add", proof=["passkey"], **{"with": {"destination": "new_addr"}}),
        step("event.veto", at="1m", **{"with": {"of": "x1", "channel": "email"}}),
        account=PASSKEY_ACCOUNT,
        profile=profile,
    )

    assert [one.answer for one in part.steps] == ["allow", "deny"]
    assert part.steps[1].codes == ("no_letter_carries_a_veto",)
