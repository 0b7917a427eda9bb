"""Files that are odd, and in schema 1 all the same: what they say is played, and nothing else."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from support.ranges import (
    PASSKEY_ACCOUNT,
    a_story,
    answers,
    attack,
    played,
    step,
    story_text,
)

from twinlock.range.reader import read_story
from twinlock.range.results import Status

BUDGET = {
    **PASSKEY_ACCOUNT,
    "destinations": {
        "list": "optional",
        "entries": [
            {
                "name": "mule_addr",
                "signed": True,
                "age": "400d",
                "last_used": "5d",
                "budget": "small",
            }
        ],
    },
}


def given(**words: object) -> dict[str, Any]:
    return {"with": words}


ALL = 1_000_000_00  # What the account is worth.
ADD = step("destination.add", **given(destination="new_addr"), proof=["passkey"])
STEAL = {"by": "mallory", **given(amount="within_budget", destination="mule_addr")}


def enters(*proofs: str, **words: object) -> dict[str, Any]:
    return step(
        "session.start", by="mallory", **given(**{"from": "new_device"}), proof=[*proofs], **words
    )


# --- Whose session is shown ---


async def test_a_thief_who_may_only_look_has_no_session_of_the_owners() -> None:
    part = await attack(
        enters("password", "email_code", expect=["read_only"]),
        step("withdrawal.crypto", at="1m", **STEAL, proof=["session"], expect=["challenge"]),
        step("ungated.trade", at="2m", by="mallory", proof=["session"], expect=["deny"]),
        step("freeze.set", at="3m", by="mallory", proof=["session"], expect=["allow"]),
        account=BUDGET,
    )

    assert (part.status, part.lost_cents) == (Status.PASSED, 0)


@pytest.mark.parametrize(
    ("held", "said"),
    [([], ["challenge", "deny", "deny"]), (["SESSION_COOKIE"], ["challenge", "allow", "allow"])],
)
async def test_a_thief_who_could_not_sign_in_shows_a_session_that_he_took_or_none(
    held: list[str], said: list[str]
) -> None:
    told = await answers(
        enters("password"),
        step("ungated.trade", at="1m", by="mallory", proof=["session"]),
        step("ungated.balance_read", at="2m", by="mallory", proof=["session"]),
        account=PASSKEY_ACCOUNT,
        capabilities=held,
    )

    assert told == said


async def test_without_one_nothing_leaves_and_nothing_is_stopped() -> None:
    part = await attack(
        enters("password"),
        step("withdrawal.crypto", at="1m", **STEAL, proof=["session"]),
        {**ADD, "at": "2m"},
        step("event.veto", at="3m", by="mallory", **given(of="x3"), proof=["session"]),
        account=BUDGET,
    )

    assert [one.answer for one in part.steps] == ["challenge", "challenge", "hold", "deny"]
    assert part.lost_cents == 0


async def test_a_session_that_was_ended_is_dead() -> None:
    part = await attack(
        enters("passkey"),
        step("password.change", at="1m", proof=["passkey"]),
        step("ungated.trade", at="2m", by="mallory", proof=["session"], expect=["deny"]),
        account=PASSKEY_ACCOUNT,
    )

    assert part.status is Status.PASSED


@pytest.mark.parametrize(("proof", "said"), [("passkey", "allow"), ("password", "deny")])
async def test_a_session_of_this_list_is_the_one_that_began_in_it(proof: str, said: str) -> None:
    seen = await answers(
        enters(proof),
        step("ungated.balance_read", at="1m", by="mallory", proof=["session@new"]),
        step("ungated.trade", at="2m", by="mallory", proof=["session@new"]),
        step("withdrawal.crypto", at="3m", **STEAL, proof=["session@new"]),
        account=BUDGET,
        capabilities=["SESSION_COOKIE"],
    )

    assert seen[1:] == [said, said, "hold" if said == "allow" else "challenge"]


# --- Who says no, and by what ---


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param({"by": "mallory"}, "unplayed", id="a thief with nothing"),
        pytest.param({"by": "mallory", "proof": ["session@copied"]}, "deny", id="a cookie"),
        pytest.param({"by": "mallory", "proof": ["password"]}, "challenge", id="a password"),
        pytest.param(
            {"by": "mallory", "proof": ["password", "email_code"]}, "allow", id="who may look"
        ),
        pytest.param({"by": "mallory", "proof": ["email_code"]}, "allow", id="a mailbox"),
        pytest.param({"proof": ["passkey"]}, "allow", id="its owner"),
        pytest.param({"proof": ["session@spent"]}, "unplayed", id="a mark without meaning"),
    ],
)
async def test_a_no_is_said_by_what_the_step_shows(words: dict[str, Any], said: str) -> None:
    told = await answers(
        ADD, step("event.veto", at="1m", **given(of="x1"), **words), account=PASSKEY_ACCOUNT
    )

    assert told == ["hold", said]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("event.veto", {"of": "x1", "link": "old"}),
        ("event.mail_flood", {"channel": "sms"}),
        ("event.dependency", {"which": "database", "state": "down", "for": "3h"}),
        ("event.call_owner", {"until": "3h"}),
    ],
)
async def test_a_word_of_an_event_that_is_not_understood_is_told(
    event: str, words: dict[str, Any]
) -> None:
    told = await answers(ADD, step(event, at="1m", **given(**words)), account=PASSKEY_ACCOUNT)

    assert told == ["hold", "unplayed"]


async def test_a_flood_of_mail_may_say_how_large_it_is() -> None:
    told = await answers(step("event.mail_flood", **given(channel="email", count=5000)))

    assert told == ["done"]


# --- What was stopped, and what was lost ---


@pytest.mark.parametrize(
    "no",
    [step("freeze.set", at="1m", proof=["passkey"]), step("event.veto", at="1m", **given(of="x1"))],
)
async def test_an_owners_no_is_no_success_of_a_thiefs(no: dict[str, Any]) -> None:
    part = await attack({**ADD, "by": "mallory"}, no, account=PASSKEY_ACCOUNT)

    assert [one.answer for one in part.steps] == ["hold", "allow"]
    assert (part.stopped_after, part.stopped_by) == (timedelta(0), ("loosening_waits",))


@pytest.mark.parametrize(
    ("exit_", "where"),
    [
        ("transfer.internal", {"counterparty": "mallory"}),
        ("gift.send", {"to": "ivan"}),
        ("card.pay", {"merchant": "attacker_shop"}),
        ("card.pay", {"merchant": "a shop"}),
    ],
)
async def test_what_a_thief_gets_is_lost_wherever_he_gets_it(
    exit_: str, where: dict[str, str]
) -> None:
    part = await attack(
        step(exit_, **given(amount="small", **where), proof=["passkey"]),
        account=PASSKEY_ACCOUNT,
        profile="baseline-2024",
    )

    assert part.lost_cents == (0 if where == {"merchant": "a shop"} else 50_00)


@pytest.mark.parametrize(("to", "taken"), [("sub_1", [0, ALL]), ("attacker_sub", [ALL, 0])])
async def test_what_is_moved_to_an_own_subaccount_can_be_stolen_from_there(
    to: str, taken: list[int]
) -> None:
    part = await attack(
        step("transfer.subaccount", **given(amount="all", to=to), proof=["passkey"]),
        step(
            "withdrawal.crypto",
            at="1m",
            by="mallory",
            **given(**{"from": to}, amount="all", destination="attacker_addr", shown="old_addr"),
            proof=["passkey"],
        ),
        account={**PASSKEY_ACCOUNT, "subaccounts": 1},
        profile="baseline-2024",
    )

    assert [one.answer for one in part.steps] == ["allow", "allow"]
    assert [one.taken_cents for one in part.steps] == taken


async def test_what_another_customer_tries_again_is_of_their_own_account() -> None:
    """Prevents: a loss of the owner's, whose listed place and session Bob does not have."""
    part = await attack(
        step("withdrawal.crypto", **STEAL | {"by": "bob"}, proof=["session"]),
        {**ADD, "at": "1m"},
        account=BUDGET,
    )

    assert {one.answer for one in part.later if one.step == "x1"} == {"hold", "deny"}
    assert part.lost_later_cents == 0


# --- What a wait is, and what it leaves ---


async def test_who_may_only_look_starts_no_hold_and_waits_for_nothing() -> None:
    part = await attack(
        enters("password", "email_code", expect=["read_only"], leaves=["exits_held"]),
        step("event.dust", at="wait:x1", by="mallory"),
        step("freeze.set", at="wait:x2", proof=["passkey"], expect=["allow"]),
        account=PASSKEY_ACCOUNT,
    )

    assert [one.status for one in part.steps] == [Status.PASSED] * 3


async def test_a_hold_that_must_be_there_always_is_looked_for_all_the_same() -> None:
    part = await attack(
        enters("password", "email_code", always=["exits_held"]), account=PASSKEY_ACCOUNT
    )

    assert part.steps[0].notes == ("exits_held is missing",)


# --- Files ---


@pytest.mark.parametrize("day", ["2025-02-21", "2025-02-21T14:13:35Z", "2025-02-30"])
def test_a_day_is_text_whether_quoted_or_not(day: str) -> None:
    happened = {"when": "a day", "where": ["here"], "text": "so"}
    text = story_text(happened=happened).replace(b'"a day"', day.encode())

    assert read_story(text, name="test.yaml").happened.when == day


# --- Accounts ---


async def test_keys_without_names_are_several_keys() -> None:
    key = {"scopes": ["trade"], "ip_list": ["203.0.113.7"], "age": "30d", "last_used": "1d"}
    told = await answers(
        step("ungated.trade", **given(via="api_key"), proof=["api_key"]),
        account={**PASSKEY_ACCOUNT, "api_keys": [key, key, {"scopes": ["read"]}]},
    )

    assert told == ["allow"]


@pytest.mark.parametrize("scopes", [["withdraw"], ["withdraw", "trade"]])
async def test_a_key_that_pays_anybody_need_not_have_paid(scopes: list[str]) -> None:
    key = {"scopes": scopes, "ip_list": ["203.0.113.7"], "daily": 1000}
    part = await attack(
        step(
            "withdrawal.crypto",
            **given(via="api_key", amount="small", destination="attacker_addr"),
            proof=["api_key"],
        ),
        account={**PASSKEY_ACCOUNT, "api_keys": [key]},
        profile="baseline-2024",
    )

    assert (part.steps[0].answer, part.lost_cents) == ("allow", 50_00)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"scopes": ["withdraw"]}, "deny"),  # It names no destination.
        ({"scopes": ["withdraw"], "destinations": ["old_addr"]}, "hold"),
        ({"scopes": ["read"]}, "allow"),
    ],
)
async def test_more_scopes_take_another_key(more: dict[str, Any], said: str) -> None:
    key = {"name": "bot", "scopes": ["trade"], "ip_list": ["203.0.113.7"]}
    told = await answers(
        step("api_key.widen", **given(key="bot", **more), proof=["passkey"]),
        step("ungated.balance_read", at="1m", **given(via="api_key", key="bot"), proof=["api_key"]),
        account={**PASSKEY_ACCOUNT, "api_keys": [key]},
    )

    assert told == [said, "deny" if said == "hold" else "allow"]


async def test_the_wallet_signs_on_the_network_that_the_step_names() -> None:
    told = await answers(
        step(
            "withdrawal.crypto",
            by="platform",
            **given(
                call="spend",
                amount="small",
                asset="USDT",
                network="tron",
                destination="old_addr",
                authorization="valid",
            ),
            proof=["passkey"],
        ),
        account=PASSKEY_ACCOUNT,
    )

    assert told == ["allow"]


async def test_as_much_can_be_stolen_as_was_ever_stolen_at_once() -> None:
    part = await attack(
        step("withdrawal.crypto", **given(amount="all", destination="attacker_addr")),
        account={**PASSKEY_ACCOUNT, "value_usd": 1_460_000_000},
        profile="baseline-2024",
        capabilities=["DEVICE_MALWARE"],
    )

    assert part.status is Status.PLAYED


@pytest.mark.parametrize("word", ["to", "new"])
async def test_a_new_channel_may_have_a_name(word: str) -> None:
    told = await answers(
        step(
            "contact.change",
            **given(channel="email", **{word: "attacker_mail"}),
            proof=["passkey"],
        ),
        account=PASSKEY_ACCOUNT,
    )

    assert told == ["hold"]


async def test_what_nobody_foresaw_in_one_part_ends_no_other() -> None:
    must = [{"id": one, "text": "so", "steps": [step("event.dust")]} for one in ("m1", "m2")]
    story = a_story(step("event.dust"), must=must)
    broken = msgspec.structs.replace(story.must[0], account="nobody")  # What no reader lets in.
    told = await played(msgspec.structs.replace(story, must=(broken, story.must[1])))

    assert [one.status for one in told.parts] == [
        Status.PASSED,
        Status.FAILED,
        Status.PASSED,
        Status.PASSED,
    ]
    assert told.parts[1].notes[0].startswith("the range broke: AttributeError: ")


async def test_an_owner_whose_password_is_suspended_cannot_sign_in_and_that_is_no_failure() -> None:
    lost = step("authenticator.suspend", proof=["totp"], **{"with": {"authenticator": "password"}})
    part = await attack(
        lost, step("limit.lower", at="2h", proof=["session"], **{"with": {"to": 1}})
    )

    assert part.steps[1].status is Status.NOT_PLAYABLE
    assert part.steps[1].notes == ("the owner cannot sign in: suspended",)
