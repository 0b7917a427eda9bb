"""Trusted contacts in stories: two friends of the owner's, and one whom somebody adds."""

from typing import Any

from support.ranges import PASSKEY_ACCOUNT, answers, attack, step

from twinlock.domain.bounds import CONTACT_WAIT
from twinlock.range.profiles import rules_of
from twinlock.range.setting_up import CODES, set_up
from twinlock.range.story import AccountSpec
from twinlock.range.venue import open_world
from twinlock.range.words import Proof

ONE = {**PASSKEY_ACCOUNT, "trusted_contacts": 1}
ABOVE = {"amount": "above_limit", "destination": "old_addr"}


def above(*proof: str, **words: object) -> dict[str, Any]:
    return step("withdrawal.crypto", **{"with": ABOVE, "proof": list(proof), **words})


async def test_an_account_has_two_friends_who_may_agree_and_its_places_keep_their_age() -> None:
    spec = AccountSpec(
        authenticators=(Proof.PASSWORD, Proof.PASSKEY), channels=("email",), trusted_contacts=2
    )
    async with open_world(rules_of("default")) as venue:
        began = venue.now
        stage = await set_up(venue, spec)
        seen = await venue.client.account(stage.customer.account_id)

    assert len(seen["trusted_contacts"]) == 2
    assert seen["limits"]["agreement_cents"] > 0
    assert stage.start - began >= CONTACT_WAIT + CODES


async def test_either_of_two_friends_agrees_as_one_does() -> None:
    said = await answers(
        above("passkey", "trusted_contact"), account={**ONE, "trusted_contacts": 2}
    )

    assert said == ["hold"]


async def test_a_thiefs_friend_waits_a_week_beside_the_owners_and_agrees_to_nothing_before() -> (
    None
):
    part = await attack(
        step(
            "trusted_contact.add",
            by="mallory",
            proof=["passkey"],
            expect=["hold"],
            leaves=["veto_open", "notice_old_channels"],
        ),
        above("passkey", "trusted_contact@new", at="1m", by="mallory"),
        account=ONE,
    )

    [added, tried] = part.steps
    assert added.status == "passed"
    assert added.waits == CONTACT_WAIT
    assert tried.answer == "deny"


async def test_the_first_friend_of_an_owner_is_there_at_once() -> None:
    said = await answers(
        step("trusted_contact.add", proof=["passkey"]),
        above("passkey", "trusted_contact@new", at="1m"),
        account=PASSKEY_ACCOUNT,
    )

    assert said[0] == "allow"


async def test_a_friend_who_need_not_agree_stands_in_nobodys_way() -> None:
    said = await answers(
        step(
            "withdrawal.crypto",
            proof=["trusted_contact", "passkey"],
            **{"with": {"amount": "small", "destination": "old_addr"}},
        ),
        step("limit.raise", at="1m", proof=["passkey", "trusted_contact"]),
        account=ONE,
    )

    assert said == ["allow", "hold"]
