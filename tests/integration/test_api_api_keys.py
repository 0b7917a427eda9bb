"""API keys over the API, on a real database: made, used, replayed, used at once, and stopped."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from support.owned_keys import AWAY, BOUNDED, FEE, HOME, KEY, OTHER, make, use
from support.service import Customer, Service

from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.trust import trust_of
from twinlock.client import ProblemError
from twinlock.domain.bounds import LOOSE_ACTIONS_MOST
from twinlock.domain.requirements import Answer
from twinlock.proofs.bundles import verify_bundle

AT_ONCE = LOOSE_ACTIONS_MOST


async def fault(alice: Customer, action_id: str, signature: dict[str, str]) -> str:
    with pytest.raises(ProblemError) as refused:
        await alice.client.prove_by_api_key(action_id, signature, ip=HOME)
    return refused.value.fault or refused.value.code


@pytest.fixture
async def owner(alice: Customer) -> Customer:
    """Alice, with a key that withdraws US$100 a day."""
    await alice.add_destination()
    made = await make(alice)
    assert made.answer is Answer.HOLD
    return alice


async def test_a_key_withdraws_and_what_it_withdrew_is_spent(owner: Customer) -> None:
    authorized = await use(owner, "50")
    assert (authorized.answer, authorized.state) == (Answer.ALLOW, "authorized")

    spent = await owner.client.spend(authorized.action_id, spend_id="spend-0001")
    assert spent.state == "spent"
    bundle = await owner.client.evidence(authorized.action_id)
    settings, keyring = owner.service.settings, owner.service.keyring
    verified = verify_bundle(bundle, trust=trust_of(settings, keyring, book=rule_book()))
    assert verified.spent
    assert (verified.assertions, verified.recorded) == ((), ("api_key",))


async def test_the_account_tells_its_keys_without_what_they_sign_with(owner: Customer) -> None:
    [told] = (await owner.client.account(owner.account_id))["api_keys"]

    assert (told["public_key"], told["stopped"]) == (KEY.public_key, False)
    assert (told["scopes"], told["ip_list"]) == (["withdraw"], [f"{HOME}/32"])
    assert told["daily_cents"] == 100_00


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"ip_list": []}, "api_key_ip_list", id="from anywhere"),
        pytest.param({"destinations": []}, "api_key_destinations", id="to anywhere"),
        pytest.param({"daily_cents": 0}, "api_key_daily_sum", id="any sum"),
    ],
)
async def test_a_key_without_bounds_cannot_exist(
    alice: Customer, changes: dict[str, Any], reason: str
) -> None:
    await alice.add_destination()

    refused = await alice.propose("api_key.create", {**BOUNDED, **changes})

    assert refused.state == "refused"
    assert reason in [why.code.value for why in refused.why]


@pytest.mark.parametrize(
    "public_key", ["A" * 43, KEY.public_key[:-1], KEY.public_key + "A", "?" * 43, ""]
)
async def test_a_key_that_is_none_is_refused(alice: Customer, public_key: str) -> None:
    await alice.add_destination()

    with pytest.raises(ProblemError) as refused:
        await alice.propose("api_key.create", {**BOUNDED, "public_key": public_key})
    assert refused.value.status in (400, 422)


async def test_beyond_its_powers_it_is_refused_and_told_why(owner: Customer) -> None:
    assert (await use(owner, ip=AWAY)).why[0].code == "api_key_ip"
    assert (await use(owner, "101")).why[0].code == "api_key_sum"
    other = await use(owner, address="0x" + "9" * 40)
    assert other.why[0].code == "api_key_destination"
    assert other.state == "refused"


async def test_an_address_that_is_none_changes_nothing(owner: Customer) -> None:
    proposed = await owner.propose("withdrawal.crypto", owner.withdrawal())
    told = await owner.client.action(proposed.action_id)
    signature = KEY.sign(proposed.action_id, told.payload or {})

    for ip in ("localhost", "203.0.113.7/32", "1" * 45, "1" * 46):
        with pytest.raises(ProblemError) as refused:
            await owner.client.prove_by_api_key(proposed.action_id, signature, ip=ip)
        assert refused.value.status == 400
    again = await owner.client.prove_by_api_key(proposed.action_id, signature, ip=HOME)
    assert again.answer is Answer.ALLOW


# --- Replayed, exchanged, malformed ---


async def test_a_signature_is_good_for_one_action_once(owner: Customer) -> None:
    first = await owner.propose("withdrawal.crypto", owner.withdrawal())
    second = await owner.propose("withdrawal.crypto", owner.withdrawal())
    told = await owner.client.action(first.action_id)
    signature = KEY.sign(first.action_id, told.payload or {})

    assert await fault(owner, second.action_id, signature) == "bad_signature"
    await owner.client.prove_by_api_key(first.action_id, signature, ip=HOME)
    assert await fault(owner, first.action_id, signature) == "already_shown"


async def test_a_signature_over_another_payload_opens_nothing(owner: Customer) -> None:
    proposed = await owner.propose("withdrawal.crypto", owner.withdrawal("99"))
    told = await owner.client.action(proposed.action_id)
    smaller = {**(told.payload or {}), "amount_minor": "1"}

    assert await fault(owner, proposed.action_id, KEY.sign(proposed.action_id, smaller)) == (
        "bad_signature"
    )


async def test_a_key_of_another_account_opens_nothing(owner: Customer) -> None:
    bob = Customer(owner.service, "bob")
    await bob.set_up()
    proposed = await bob.propose("withdrawal.crypto", bob.withdrawal("1"))
    told = await bob.client.action(proposed.action_id)

    assert await fault(
        bob, proposed.action_id, KEY.sign(proposed.action_id, told.payload or {})
    ) == ("authenticator_gone")


async def test_malformed_signatures_lock_nobody_out(owner: Customer) -> None:
    proposed = await owner.propose("withdrawal.crypto", owner.withdrawal("1"))
    for signature in ({}, {"signature": "A" * 86}, {**KEY.sign("x", {}), "more": "1"}):
        assert await fault(owner, proposed.action_id, signature) == "malformed"
    for _ in range(12):
        wrong = await fault(owner, proposed.action_id, KEY.sign(proposed.action_id, {}))
        assert wrong == "bad_signature"

    assert (await use(owner)).answer is Answer.ALLOW
    assert (await owner.withdraw("1")).answer is Answer.ALLOW


async def test_a_key_proves_no_other_action(owner: Customer) -> None:
    for kind, payload in (
        ("freeze.set", {}),
        ("destination.add", {"network": "ethereum", "address": "0x" + "9" * 40}),
        ("api_key.create", {**BOUNDED, "public_key": OTHER.public_key, "scopes": ["read"]}),
    ):
        proposed = await owner.propose(kind, payload)
        told = await owner.client.action(proposed.action_id)
        signature = KEY.sign(proposed.action_id, told.payload or {})
        assert await fault(owner, proposed.action_id, signature) == "wrong_kind"


# --- At once ---


async def test_uses_at_once_keep_the_sum_of_the_day(owner: Customer) -> None:
    """Prevents: a daily sum that is read by all before any of them is counted."""
    signed = []
    for _ in range(AT_ONCE):  # More would push each other out, before anybody proves them.
        proposed = await owner.propose("withdrawal.crypto", owner.withdrawal("40", max_fee=FEE))
        told = await owner.client.action(proposed.action_id)
        signed.append((proposed.action_id, KEY.sign(proposed.action_id, told.payload or {})))

    answers = await asyncio.gather(
        *(owner.client.prove_by_api_key(action, by, ip=HOME) for action, by in signed)
    )

    assert Counter(one.answer for one in answers) == {Answer.ALLOW: 2, Answer.DENY: AT_ONCE - 2}
    refused = {one.why[0].code.value for one in answers if one.answer is Answer.DENY}
    assert refused == {"api_key_sum"}
    assert (await use(owner, "19")).answer is Answer.ALLOW
    assert (await use(owner, "2")).answer is Answer.DENY


async def test_one_signature_sent_many_times_at_once_is_taken_once(owner: Customer) -> None:
    proposed = await owner.propose("withdrawal.crypto", owner.withdrawal("60", max_fee=FEE))
    told = await owner.client.action(proposed.action_id)
    signature = KEY.sign(proposed.action_id, told.payload or {})

    async def replay() -> str:
        try:
            proved = await owner.client.prove_by_api_key(proposed.action_id, signature, ip=HOME)
        except ProblemError as refused:
            return refused.fault or refused.code
        return proved.state

    found = Counter(await asyncio.gather(*(replay() for _ in range(16))))

    assert found == {"authorized": 1, "already_shown": 15}
    assert (await use(owner, "39")).answer is Answer.ALLOW  # It was counted once.
    assert (await use(owner, "1")).answer is Answer.DENY


# --- Stopped ---


async def test_a_revoked_key_withdraws_nothing_more(owner: Customer) -> None:
    pending = await use(owner)
    [told] = (await owner.client.account(owner.account_id))["api_keys"]
    revoked = await owner.propose("api_key.revoke", {"api_key_id": told["api_key_id"]})
    await owner.with_passkey(revoked.action_id)

    with pytest.raises(ProblemError) as late:
        await owner.client.spend(pending.action_id, spend_id="spend-0001")
    assert late.value.code == "action_closed"
    proposed = await owner.propose("withdrawal.crypto", owner.withdrawal())
    seen = await owner.client.action(proposed.action_id)
    signature = KEY.sign(proposed.action_id, seen.payload or {})
    assert await fault(owner, proposed.action_id, signature) == "authenticator_gone"


async def test_under_a_freeze_a_key_withdraws_nothing(owner: Customer) -> None:
    pending = await use(owner)
    frozen = await owner.propose("freeze.set")
    await owner.with_passkey(frozen.action_id)

    late = await owner.client.spend(pending.action_id, spend_id="spend-0001")

    assert (late.answer, late.why[0].code.value) == (Answer.DENY, "account_frozen")


async def test_a_key_of_an_account_without_prices_withdraws_nothing(
    owner: Customer, service: Service
) -> None:
    """An unknown value counts as the highest (law 1), which no daily sum covers."""
    service.prices.known = False

    unknown = await use(owner, "1")

    assert (unknown.answer, unknown.state) == (Answer.DENY, "refused")
    assert "api_key_sum" in [why.code.value for why in unknown.why]
