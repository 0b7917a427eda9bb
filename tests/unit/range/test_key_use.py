"""API keys in stories: who holds one, from where it is used, and what its marks show."""

from datetime import timedelta
from typing import Any

import pytest
from support.ranges import PASSKEY_ACCOUNT, attack, step

from twinlock.domain.api_keys import day_number
from twinlock.range.customer import NotPlayableError
from twinlock.range.profiles import PROFILES, rules_of
from twinlock.range.results import StepResult
from twinlock.range.setting_up import set_up
from twinlock.range.story import AccountSpec
from twinlock.range.venue import open_world
from twinlock.range.words import Proof

HOME = "203.0.113.7"
OWNED: dict[str, Any] = {
    "name": "payer",
    "scopes": ["withdraw"],
    "ip_list": [f"{HOME}/32"],
    "destinations": ["old_addr"],
    "daily": "small",
}
TRADER: dict[str, Any] = {"name": "maker", "scopes": ["trade"], "ip_list": [HOME]}
OLD: dict[str, Any] = {"amount": "small", "destination": "old_addr", "via": "api_key"}
STEP: dict[str, Any] = {"with": OLD, "proof": ["api_key"]}


def pay(**words: object) -> dict[str, Any]:
    return step("withdrawal.crypto", **(STEP | words))


async def used(
    *steps: dict[str, Any],
    keys: tuple[dict[str, Any], ...] = (OWNED,),
    **words: Any,  # noqa: ANN401 - keys of a file
) -> list[StepResult]:
    account = {**PASSKEY_ACCOUNT, "api_keys": list(keys)}
    return list((await attack(*steps, account=account, **words)).steps)


def told(results: list[StepResult]) -> list[tuple[str, tuple[str, ...]]]:
    return [("" if one.answer is None else one.answer.value, one.codes[:1]) for one in results]


async def test_the_owner_uses_an_old_key_at_the_first_step() -> None:
    assert told(await used(pay())) == [("allow", ())]


async def test_its_sum_of_the_day_is_the_files_word() -> None:
    assert told(await used(pay(), pay(at="1m"))) == [("allow", ()), ("deny", ("api_key_sum",))]


async def test_a_thief_without_the_key_has_none() -> None:
    assert told(await used(pay(by="mallory"))) == [("challenge", ("proof_needed",))]


@pytest.mark.parametrize(
    ("holds", "codes"),
    [("API_KEY_WITHDRAW", ("api_key_ip",)), ("API_KEY_TRADE", ("proof_needed",))],
)
async def test_a_thief_uses_what_was_stolen_and_from_elsewhere(
    holds: str, codes: tuple[str, ...]
) -> None:
    [found] = told(await used(pay(by="mallory"), capabilities=[holds]))

    assert found[1] == codes


@pytest.mark.parametrize(
    ("mark", "found"),
    [
        ("api_key@copied", ("deny", ("api_key_ip",))),
        ("api_key@other_action", ("deny", ("bad_signature",))),
        ("api_key@other_account", ("deny", ("authenticator_gone",))),
        ("api_key@spent", ("deny", ("bad_signature",))),
    ],
)
async def test_a_marked_signature_opens_nothing(
    mark: str, found: tuple[str, tuple[str, ...]]
) -> None:
    [shown] = told(await used(pay(proof=[mark])))

    assert shown[1] == found[1]
    assert shown[0] != "allow"


async def test_under_duress_no_key_signs() -> None:
    [shown] = await used(pay(proof=["api_key@duress"]))

    assert shown.answer is None


async def test_a_key_that_a_step_makes_may_have_a_name() -> None:
    given = {"name": "second", "scopes": ["trade"], "pairs": ["liquid"]}
    part = await attack(
        step("api_key.create", proof=["passkey"], **{"with": given}),
        step("ungated.trade", proof=["api_key"], **{"with": {"via": "api_key", "key": "second"}}),
        step("api_key.revoke", proof=["session"], **{"with": {"key": "second"}}),
        account=PASSKEY_ACCOUNT,
    )

    assert [one.answer for one in part.steps] == ["allow"] * 3


async def test_a_key_is_used_by_its_name() -> None:
    results = await used(
        step("ungated.trade", **{"with": {"via": "api_key", "key": "maker"}}, proof=["api_key"]),
        step("ungated.trade", **{"with": {"via": "api_key", "key": "payer"}}, proof=["api_key"]),
        keys=(OWNED, TRADER),
    )

    assert told(results) == [("allow", ()), ("deny", ("api_key_scope",))]


async def test_a_key_without_a_list_is_used_from_anywhere() -> None:
    trade = step("ungated.trade", **{"with": {"via": "api_key"}}, proof=["api_key"])
    results = await used(trade, keys=({**TRADER, "ip_list": []},))

    assert told(results) == [("allow", ())]


async def test_from_where_every_example_network_is_listed_elsewhere_is_the_last() -> None:
    wide = {**TRADER, "ip_list": ["198.51.100.0/24", "192.0.2.0/24"]}
    trade = step(
        "ungated.trade",
        **{"with": {"via": "api_key", "from": "other_network"}},
        proof=["api_key"],
    )
    results = await used(trade, keys=(wide,))

    assert told(results) == [("deny", ("api_key_ip",))]


async def test_what_a_file_says_of_a_key_besides_is_the_platforms() -> None:
    part = await attack(
        step("freeze.set", proof=["password"]),
        account={**PASSKEY_ACCOUNT, "api_keys": [{**TRADER, "color": "red", "age": "10d"}]},
    )

    assert part.without == ("account.api_keys: color is kept by the platform",)


async def test_a_sum_without_a_meaning_is_not_played() -> None:
    part = await attack(pay(), account={**PASSKEY_ACCOUNT, "api_keys": [{**OWNED, "daily": "odd"}]})

    assert part.status == "not_playable"


async def test_a_key_is_as_old_as_its_file_says_and_its_destination_older() -> None:
    results = await used(pay(), keys=({**OWNED, "age": "400d"},))

    assert results[0].after == timedelta()
    assert told(results)[0][0] == "allow"


@pytest.mark.parametrize(
    ("last_used", "found"),
    [
        ("never", ("deny", ("api_key_lapsed",))),
        ("31d", ("deny", ("api_key_lapsed",))),
        ("29d", ("allow", ())),
    ],
)
async def test_a_key_was_used_last_when_its_file_says(
    last_used: str, found: tuple[str, tuple[str, ...]]
) -> None:
    results = await used(pay(), keys=({**OWNED, "age": "100d", "last_used": last_used},))

    assert told(results) == [found]


def an_old(key: dict[str, Any]) -> AccountSpec:
    keys = ({**key, "age": "100d", "last_used": "3d"},)
    return AccountSpec(
        authenticators=(Proof.PASSWORD, Proof.PASSKEY), channels=("email",), api_keys=keys
    )


@pytest.mark.parametrize(("scope", "days"), [("trade", 3), ("read", None)])
async def test_an_old_key_has_traded_and_one_that_reads_left_no_trace(
    scope: str, days: int | None
) -> None:
    async with open_world(rules_of("default")) as venue:
        stage = await set_up(venue, an_old({**TRADER, "scopes": [scope]}))
        [key] = (await venue.client.export(stage.customer.account_id))["account"]["api_keys"]

    used_on = 0 if days is None else day_number(stage.start - timedelta(days=days))
    assert key.get("used_on", 0) == used_on


async def test_a_key_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinlock.range.key_use.home_of", lambda _: "198.51.100.66")
    for key in (TRADER, OWNED):
        async with open_world(rules_of("default")) as venue:
            with pytest.raises(NotPlayableError, match="could not be used before"):
                await set_up(venue, an_old(key))


@pytest.mark.parametrize("profile", list(PROFILES))
async def test_a_key_that_pays_is_there_by_rules_that_ask_nothing_of_a_listed_place(
    profile: str,
) -> None:
    assert told(await used(pay(), profile=profile)) == [("allow", ())]
