from datetime import datetime, timedelta

import pytest

from twinlock.range.customer import NotPlayableError
from twinlock.range.profiles import rules_of
from twinlock.range.setting_up import AGE, lock_of, set_up
from twinlock.range.story import AccountSpec, Destinations, Listed
from twinlock.range.venue import open_world
from twinlock.range.words import Listing, Proof

DAY = timedelta(days=1)


def an_account(*entries: Listed, **words: object) -> AccountSpec:
    spec: dict[str, object] = {
        "authenticators": (Proof.PASSWORD, Proof.PASSKEY),
        "channels": ("email", "desktop"),
        "destinations": Destinations(list=Listing.REQUIRED, entries=entries),
    }
    return AccountSpec(**(spec | words))  # type: ignore[arg-type] # fields of the spec


@pytest.mark.parametrize("profile", ["default", "baseline-2024"])
async def test_a_signed_entry_is_as_old_and_as_long_unused_as_the_file_says(profile: str) -> None:
    entry = Listed(name="old", signed=True, age="400d", last_used="31d", budget="small")
    async with open_world(rules_of(profile)) as venue:
        stage = await set_up(venue, an_account(entry))

        [listed] = await venue.client.destinations(stage.customer.account_id)

    assert stage.start - datetime.fromisoformat(listed["usable_at"]) == 400 * DAY
    assert stage.start - datetime.fromisoformat(listed["used_at"]) == 31 * DAY
    assert listed["budget_cents"] == 200_00
    assert listed["added_by"]
    assert listed["address"] == stage.places.address("old")


async def test_a_budget_may_be_a_number_of_dollars() -> None:
    async with open_world(rules_of("default")) as venue:
        stage = await set_up(venue, an_account(Listed(name="payroll", age="2d", budget=100)))

        [listed] = await venue.client.destinations(stage.customer.account_id)

    assert listed["budget_cents"] == 100_00


async def test_an_imported_entry_is_listed_and_proved_by_nobody() -> None:
    entry = Listed(name="sleeper", signed=False, age="1095d")
    async with open_world(rules_of("default")) as venue:
        began = venue.now
        stage = await set_up(venue, an_account(entry))

        [listed] = await venue.client.destinations(stage.customer.account_id)

    assert stage.start == began + 1095 * DAY
    assert (listed["added_by"], listed["usable_at"]) == ("", None)


async def test_two_entries_are_each_as_old_as_they_should_be() -> None:
    older = Listed(name="older", signed=True, age="400d", last_used="5d")
    younger = Listed(name="younger", signed=True, age="40d", last_used="10d")
    async with open_world(rules_of("default")) as venue:
        stage = await set_up(venue, an_account(younger, older))

        listed = await venue.client.destinations(stage.customer.account_id)

    ages = {
        one["address"]: stage.start - datetime.fromisoformat(one["usable_at"]) for one in listed
    }
    uses = {one["address"]: stage.start - datetime.fromisoformat(one["used_at"]) for one in listed}
    assert ages[stage.places.address("older")] == 400 * DAY
    assert ages[stage.places.address("younger")] == 40 * DAY
    assert uses[stage.places.address("older")] == 5 * DAY
    assert uses[stage.places.address("younger")] == 10 * DAY


@pytest.mark.parametrize("proof", [Proof.PASSKEY, Proof.TOTP, None])
async def test_a_long_list_of_one_age_is_proved_over_days(proof: Proof | None) -> None:
    """An account has eight open actions, and is sent so many codes in an hour, and in a day."""
    entries = tuple(Listed(name=f"old_{n}", signed=True, age="400d") for n in range(20))
    own = (Proof.PASSWORD,) if proof is None else (Proof.PASSWORD, proof)
    async with open_world(rules_of("default")) as venue:
        stage = await set_up(venue, an_account(*entries, authenticators=own))

        listed = await venue.client.destinations(stage.customer.account_id)

    ages = [stage.start - datetime.fromisoformat(one["usable_at"]) for one in listed]
    assert len(ages) == 20
    assert sum(age == 400 * DAY for age in ages) == 6
    assert all(400 * DAY <= age < 422 * DAY for age in ages)  # Each six wait for those before.


async def test_the_old_address_is_there_for_whoever_names_it() -> None:
    async with open_world(rules_of("default")) as venue:
        without = await set_up(venue, an_account())
        with_it = await set_up(venue, an_account(), old=("old_addr",))

        assert await venue.client.destinations(without.customer.account_id) == []
        assert len(await venue.client.destinations(with_it.customer.account_id)) == 1


async def test_an_owner_with_an_app_takes_the_time_that_codes_take() -> None:
    spec = an_account(
        Listed(name="old", signed=True, age="40d", last_used="5d"),
        authenticators=(Proof.PASSWORD, Proof.TOTP),
        channels=("sms",),
    )
    async with open_world(rules_of("default")) as venue:
        stage = await set_up(venue, spec)

        [listed] = await venue.client.destinations(stage.customer.account_id)

    assert stage.start - datetime.fromisoformat(listed["usable_at"]) == 40 * DAY


async def test_an_account_without_entries_is_old_all_the_same() -> None:
    async with open_world(rules_of("default")) as venue:
        began = venue.now
        stage = await set_up(venue, an_account())

    assert stage.start == began + AGE


async def test_every_authenticator_is_bound_for_real() -> None:
    every = (Proof.PASSWORD, Proof.TOTP, Proof.PASSKEY, Proof.HARDWARE_KEY)
    async with open_world(rules_of("default")) as venue:
        stage = await set_up(venue, an_account(authenticators=every))

        seen = await venue.client.account(stage.customer.account_id)

    bound = [(one["factor"], one["placement"]) for one in seen["authenticators"]]
    assert bound == [("password", ""), ("totp", ""), ("passkey", "phone"), ("passkey", "roaming")]
    assert seen["enrolling_until"] is None
    assert seen["holds"] == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param({"channels": ("pigeon",)}, "channel 'pigeon'", id="a channel"),
        pytest.param({"lock": {"delay": "soon"}}, "account.lock", id="a lock"),
        pytest.param({"lock": 7}, "account.lock", id="a lock of nothing"),
        pytest.param({"lock": {"delay": "2d", "strict": "so"}}, "yes or no", id="half strict"),
        pytest.param(
            {"lock": {"strict": False, "both_keys": True}}, "is strict", id="spares and needs keys"
        ),
        pytest.param({"authenticators": (Proof.WALLET,)}, "'wallet' cannot be bound", id="a key"),
        pytest.param({"trusted_contacts": 3}, "2 at most", id="three contacts"),
        pytest.param({"authenticators": ()}, "cannot sign in", id="nobody who could sign in"),
    ],
)
async def test_an_account_that_cannot_be_had_is_not_playable(
    words: dict[str, object], why: str
) -> None:
    async with open_world(rules_of("default")) as venue:
        with pytest.raises(NotPlayableError, match=why):
            await set_up(venue, an_account(**words))


@pytest.mark.parametrize(
    ("said", "payload"),
    [
        (None, None),
        (False, None),
        ({}, None),
        (True, {"days": 1, "two_keys": False}),
        ("7d", {"days": 7, "two_keys": False}),
        ({"delay": "72h"}, {"days": 3, "two_keys": False}),
        ({"strict": False}, {"days": 1, "two_keys": True}),
        ({"both_keys": True}, {"days": 1, "two_keys": False, "both_keys": True}),
        ({"both_keys": False}, {"days": 1, "two_keys": False}),
    ],
)
def test_a_lock_has_the_delay_that_is_said_in_either_form(
    said: object, payload: dict[str, object] | None
) -> None:
    assert lock_of(an_account(lock=said)) == payload


async def test_what_the_account_lacks_is_noted() -> None:
    spec = an_account(
        enrolled_identity=("chip",),
        subaccounts=2,
        api_keys=(),
        shared_roots=(("email", "sms"),),
        any=True,
    )
    async with open_world(rules_of("default")) as venue:
        stage = await set_up(venue, spec)

    assert len(stage.notes) == 4
    assert stage.notes[-1] == "account.any: played on one with password and passkey"


async def test_a_key_is_made_once_its_destination_is_usable_and_lapsed_ones_are_used() -> None:
    entry = Listed(name="old", signed=True, age="40d", last_used="5d")
    key = {
        "name": "payer",
        "scopes": ["withdraw"],
        "ip_list": ["203.0.113.7"],
        "destinations": ["old"],
        "daily": "large",
    }
    async with open_world(rules_of("default")) as venue:
        stage = await set_up(venue, an_account(entry, api_keys=(key,)))

        [made] = (await venue.client.account(stage.customer.account_id))["api_keys"]

    assert stage.start - datetime.fromisoformat(made["created_at"]) >= 30 * DAY
    assert made["public_key"] == stage.keys[0].public_key
    assert not made["stopped"]


@pytest.mark.parametrize("profile", ["default", "baseline-2024"])
async def test_a_key_that_the_rules_refuse_or_let_lapse_is_told(profile: str) -> None:
    keys = (
        {"name": "drain", "scopes": ["withdraw"], "destinations": ["old_addr"]},
        {"name": "bot", "scopes": ["trade"], "age": "60d", "last_used": "1d"},
    )
    async with open_world(rules_of(profile)) as venue:
        stage = await set_up(venue, an_account(api_keys=keys))

    made, told = [one.name for one in stage.keys], stage.notes
    if profile == "default":
        assert made == ["bot"]
        assert sorted(told) == [
            "account.api_keys: bot, bound to no address, had lapsed",
            "account.api_keys: drain was refused (api_key_ip_list); played without",
        ]
    else:
        assert (sorted(made), told) == (["bot", "drain"], [])


@pytest.mark.parametrize("profile", ["default", "strict", "typical-2026", "baseline-2024"])
async def test_a_friend_agrees_above_what_the_platform_lets_leave_in_a_day(profile: str) -> None:
    async with open_world(rules_of(profile)) as venue:
        stage = await set_up(venue, an_account(trusted_contacts=1))
        seen = await venue.client.account(stage.customer.account_id)

    assert [one["name"] for one in seen["trusted_contacts"]] == ["a friend"]
    assert seen["limits"]["agreement_cents"] == stage.cents("above_limit") - 1
    assert not any("trusted_contacts" in note for note in stage.notes)
