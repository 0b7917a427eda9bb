"""A stolen API key over the API, on a real database: its sum, its notices, and its end."""

from typing import Any

import pytest
from support.owned_keys import AWAY, BOUNDED, HOME, KEY, OTHER, make, use
from support.service import PASSWORD, Customer

from twinlock.client import ApiKey, ProblemError
from twinlock.domain.requirements import Answer


@pytest.fixture
async def owner(alice: Customer) -> Customer:
    """Alice, with two keys that withdraw US$100 a day each."""
    await alice.add_destination()
    for key in (KEY, OTHER):
        await make(alice, public_key=key.public_key)
    return alice


async def revoke(alice: Customer, key: ApiKey) -> None:
    known = (await alice.client.account(alice.account_id))["api_keys"]
    [named] = [one["api_key_id"] for one in known if one["public_key"] == key.public_key]
    revoked = await alice.propose("api_key.revoke", {"api_key_id": named})
    assert (await alice.with_passkey(revoked.action_id)).state == "done"


async def letters(alice: Customer) -> int:
    await alice.service.deliver()
    return len(list(alice.service.settings.outbox_dir.iterdir()))


async def test_a_revoked_keys_signature_leaves_the_sum_of_the_next_one_as_it_was(
    owner: Customer,
) -> None:
    """Prevents: what the second key carries, charged to the first that is gone (US$200 for 100)."""
    signed = [await use(owner, "49"), await use(owner, "49")]
    await revoke(owner, KEY)
    for one in signed:
        told = await owner.client.action(one.action_id)
        assert told.state == "vetoed"
        signature = OTHER.sign(one.action_id, told.payload or {})
        with pytest.raises(ProblemError) as closed:
            await owner.client.prove_by_api_key(one.action_id, signature, ip=HOME)
        assert closed.value.code == "action_closed"

    for number in range(2):
        again = await use(owner, "49", key=OTHER)
        spent = await owner.client.spend(again.action_id, spend_id=f"spend-000{number}")
        assert spent.state == "spent"
    beyond = await use(owner, "49", key=OTHER)

    assert "api_key_sum" in [why.code for why in beyond.why]


async def test_what_was_reported_and_found_leaves_its_key_stopped(owner: Customer) -> None:
    known = (await owner.client.account(owner.account_id))["authenticators"]
    [passkey] = [one for one in known if one["factor"] == "passkey"]
    lost = await owner.propose(
        "authenticator.suspend", {"authenticator_id": passkey["authenticator_id"]}
    )
    told = await owner.with_secret(lost.action_id, "password", PASSWORD)
    assert told.state == "done"
    owner.service.clock.forward(hours=73)

    keys = (await owner.client.account(owner.account_id))["api_keys"]
    refused = await use(owner, "10")

    assert [one["stopped"] for one in keys] == [True, True]
    assert (refused.answer, refused.state) == (Answer.DENY, "refused")
    assert "api_key_stopped" in [why.code for why in refused.why]


async def test_a_key_that_may_do_nothing_is_told_once_a_day(owner: Customer) -> None:
    before = await letters(owner)
    for _ in range(6):
        assert (await use(owner, "1", ip=AWAY)).state == "refused"
        owner.service.clock.forward(seconds=2)
    first = await letters(owner)
    owner.service.clock.forward(hours=24)
    await use(owner, "1", ip=AWAY)

    channels = len((await owner.client.account(owner.account_id))["channels"])
    assert channels > 0
    assert first - before == channels
    assert await letters(owner) - first == channels


@pytest.mark.parametrize(
    "listed",
    [["fe80::1%eth0"], ["fe80::%\u202e evil\n"], ["2001:db8::7%  approve: only reads "]],
)
async def test_no_words_get_into_what_is_signed_as_a_network(
    alice: Customer, listed: list[str]
) -> None:
    await alice.add_destination()
    draft: dict[str, Any] = {**BOUNDED, "ip_list": listed}

    with pytest.raises(ProblemError) as refused:
        await alice.propose("api_key.create", draft)

    assert refused.value.code == "api_key_refused"


async def test_a_mapped_network_is_the_one_that_it_names(alice: Customer) -> None:
    await alice.add_destination()
    await make(alice, ip_list=["::ffff:203.0.113.0/120"])

    assert (await use(alice, "10", ip=HOME)).answer is Answer.ALLOW
    assert (await use(alice, "10", ip=f"::ffff:{HOME}")).answer is Answer.ALLOW
