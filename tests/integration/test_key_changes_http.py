"""An owner narrows and widens a key over the API, and the orders of that key follow."""

import pytest
from support.service import Customer, Service
from support.traders import LIQUID, by_key, make_key

from twinlock.client import ProblemError
from twinlock.domain.requirements import Answer


async def test_a_key_is_narrowed_at_once_and_widened_after_a_day(
    service: Service, alice: Customer
) -> None:
    key = await make_key(alice)
    assert await by_key(alice, key, price="60300") == {"verdict": "pass"}

    less = await alice.propose("api_key.narrow", {"api_key_id": key, "price_band_bp": 10})
    assert (await alice.with_passkey(less.action_id)).answer is Answer.ALLOW
    told = await by_key(alice, key, price="60300")
    assert (told["verdict"], told["why"]) == ("refuse", ["api_key_band"])

    more = await alice.propose("api_key.widen", {"api_key_id": key, "price_band_bp": 100})
    assert (await alice.with_passkey(more.action_id)).answer is Answer.HOLD
    service.clock.forward(hours=24)
    await alice.sign_in()
    assert await by_key(alice, key, price="60300") == {"verdict": "pass"}
    [seen] = (await alice.client.account(alice.account_id))["api_keys"]
    assert (seen["price_band_bp"], seen["pairs"][0]) == (100, LIQUID)


async def test_more_by_the_name_of_less_and_a_key_of_nobodys_are_refused(alice: Customer) -> None:
    key = await make_key(alice)
    refused = await alice.propose("api_key.narrow", {"api_key_id": key, "price_band_bp": 900})
    with pytest.raises(ProblemError) as none:
        await alice.propose("api_key.widen", {"api_key_id": "key_x", "price_band_bp": 900})
    with pytest.raises(ProblemError) as dropped:
        await alice.propose("api_key.widen", {"api_key_id": key, "ip_list": []})

    assert (refused.state, none.value.code) == ("refused", "target_not_found")
    assert dropped.value.code == "api_key_refused"
