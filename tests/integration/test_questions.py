"""Questions: whoever else asks about an action, its owner's tap still answers.

Alice opens the page of an action and is asked for her passkey. Mallory has the same link, or a
platform key, and asks too: again, another way, and at the same moment.
"""

import asyncio
from typing import Any

import httpx
import pytest
from support.browser import Web
from support.service import Customer, Service

from twinlock.client import ProblemError
from twinlock.domain.bounds import CHALLENGE_LIFETIME, FREE_FAILURES
from twinlock.domain.ids import parse_account_id
from twinlock.services.platform_keys import Scope

HALF = CHALLENGE_LIFETIME.total_seconds() / 2
PASSKEY = {"factor": "passkey"}


def tap(customer: Customer, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the passkey's answer to a question."""
    response = customer.passkey.get(customer.ceremony(asked["options"]["challenge"]))
    return {"challenge_id": asked["challenge_id"], "response": response}


async def entries(customer: Customer) -> int:
    account = await customer.service.api.store.account(parse_account_id(customer.account_id))
    return account.chain.entries


async def test_a_stranger_with_the_link_takes_no_question_away(
    web: Web, alice: Customer, mallory: httpx.AsyncClient
) -> None:
    for kind, payload in (("freeze.set", {}), ("session.start", {"device": alice.device.jwk()})):
        path = f"/confirm/{(await alice.propose(kind, payload)).action_id}"
        asked = (await web.json(f"{path}/challenge", PASSKEY)).json()
        for factor in ("passkey", "password", "email_code", "passkey"):
            web.service.clock.forward(seconds=1)
            headers = {"Origin": web.origin, "Sec-Fetch-Site": "same-origin"}
            if factor == "passkey":
                got = await mallory.post(f"{path}/challenge", json=PASSKEY, headers=headers)
                assert got.json() == asked
            else:
                form = {"page": factor.ljust(26, "x"), "factor": factor}
                got = await mallory.post(f"{path}/code", data=form, headers=headers)
                assert got.status_code == 303

        answer = await web.json(f"{path}/assertion", tap(alice, asked))

        assert (answer.status_code, answer.json()["state"]) == (200, "done")


async def test_a_platform_key_that_asks_at_the_same_moment_takes_no_question_away(
    service: Service, alice: Customer
) -> None:
    action = (await alice.propose("session.start", {"device": alice.device.jwk()})).action_id
    key = await service.platform_key(Scope.PROPOSE)

    async def thief(number: int) -> int:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"thief-{number:04d}"}
        path = f"/v1/actions/{action}/challenges"
        return (await service.http.post(path, json=PASSKEY, headers=headers)).status_code

    asked, *codes = await asyncio.gather(
        service.client.ask(action, PASSKEY), *(thief(number) for number in range(12))
    )
    account = await service.api.store.account(parse_account_id(alice.account_id))
    answer = await service.client.prove(action, {**PASSKEY, **tap(alice, asked)})

    assert codes == [201] * 12
    assert len(account.action(action).challenges) == 1
    assert answer.state == "done"


async def test_a_passkeys_question_is_put_again_while_half_of_its_time_is_left(
    service: Service, alice: Customer
) -> None:
    action = (await alice.propose("freeze.set")).action_id
    first = await service.client.ask(action, PASSKEY)
    before = await entries(alice)

    service.clock.forward(seconds=HALF)
    same = await service.client.ask(action, PASSKEY)
    written = await entries(alice) - before
    service.clock.forward(seconds=1)
    other = await service.client.ask(action, PASSKEY)

    assert (same["challenge_id"], same["options"]) == (first["challenge_id"], first["options"])
    assert (same["expires_in_seconds"], same["answered"]["state"]) == (HALF, "open")
    assert written == 0
    assert other["challenge_id"] != first["challenge_id"]
    assert await entries(alice) == before + 1


@pytest.mark.parametrize("seconds", [HALF + 1, 2 * HALF - 1])
async def test_whoever_asks_every_second_leaves_each_question_its_whole_life(
    service: Service, alice: Customer, seconds: float
) -> None:
    action = (await alice.propose("freeze.set")).action_id
    await service.client.ask(action, PASSKEY)
    service.clock.forward(seconds=HALF + 1)  # Of the first, which Mallory asked for.
    asked = await service.client.ask(action, PASSKEY)
    for _ in range(int(seconds // 30)):
        service.clock.forward(seconds=30)
        await service.client.ask(action, PASSKEY)
    service.clock.forward(seconds=seconds % 30)
    await service.client.ask(action, PASSKEY)

    answer = await service.client.prove(action, {**PASSKEY, **tap(alice, asked)})

    assert answer.state == "done"


async def test_each_question_is_answered_once_and_not_after_its_time(
    service: Service, alice: Customer
) -> None:
    action = (await alice.propose("withdrawal.crypto", alice.withdrawal())).action_id
    late = await service.client.ask(action, PASSKEY)
    service.clock.forward(seconds=HALF + 1)
    asked = await service.client.ask(action, PASSKEY)
    service.clock.forward(seconds=HALF - 1)
    for question, refused in ((late, "challenge_gone"), (asked, ""), (asked, "challenge_gone")):
        reply = {**PASSKEY, **tap(alice, question)}
        if not refused:
            assert (await service.client.prove(action, reply)).state == "open"
            continue
        with pytest.raises(ProblemError, match=refused):
            await service.client.prove(action, reply)


async def test_what_is_typed_is_asked_for_again_under_its_key_while_it_would_be_read(
    service: Service, alice: Customer
) -> None:
    action = (await alice.propose("freeze.set")).action_id
    typed, key = {"factor": "password"}, "typed-key-1"
    first = await service.client.ask(action, typed, key=key)
    before = await entries(alice)

    again = await service.client.ask(action, typed, key=key)

    assert (again["challenge_id"], again["expires_in_seconds"]) == (first["challenge_id"], 2 * HALF)
    assert await entries(alice) == before
    for number in range(FREE_FAILURES):
        with pytest.raises(ProblemError, match="password_wrong"):
            await alice.with_secret(action, "password", f"a wrong guess {number}")
    with pytest.raises(ProblemError, match="not_repeatable"):
        await service.client.ask(action, typed, key=key)


async def test_a_question_that_was_refused_is_no_question_under_its_key(
    service: Service, alice: Customer
) -> None:
    action = (await alice.propose("freeze.set")).action_id
    for code in ("proof_refused", "not_repeatable"):
        with pytest.raises(ProblemError) as refused:
            await service.client.ask(action, {"factor": "totp"}, key="typed-key-1")
        assert refused.value.code == code
