"""What a story shows under duress, and how its owner got it."""

import pytest
from support.ranges import APP_ACCOUNT, PASSKEY_ACCOUNT, a_story, step

from twinlock.range.customer import NotPlayableError
from twinlock.range.duress import SELDOM, kinds_of, make_ready
from twinlock.range.profiles import DEFAULT, rules_of
from twinlock.range.setting_up import set_up
from twinlock.range.venue import open_world
from twinlock.range.words import Proof


def test_of_what_is_marked_passkeys_keys_and_apps_count() -> None:
    story = a_story(
        step("freeze.set", proof=["password@duress", "totp@duress"]),
        step("freeze.set", proof=["passkey"]),
        account=APP_ACCOUNT,
    )

    assert kinds_of(story.steps) == {Proof.TOTP}
    assert kinds_of(()) == frozenset()


async def test_the_owner_has_a_second_one_long_before_the_story() -> None:
    spec = a_story(account=PASSKEY_ACCOUNT).account
    async with open_world(rules_of(DEFAULT)) as venue:
        stage = await set_up(venue, spec, forced=(Proof.PASSKEY,))
        account = await venue.client.account(stage.customer.account_id)

        bound = [one for one in account["authenticators"] if one["factor"] == "passkey"]
        assert len(bound) == 2
        assert list(stage.customer.forced) == [Proof.PASSKEY]
        assert venue.api.use.proving.picked_one_in == SELDOM
        with pytest.raises(NotPlayableError, match="no first"):
            await make_ready(stage.customer, spec, (Proof.TOTP,))
