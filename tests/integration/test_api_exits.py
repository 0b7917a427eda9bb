"""Exits by banks and by the platform's own books, limits and locks: over the API, with evidence."""

from typing import Any

import pytest
from support.service import Customer, Service

from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.trust import trust_of
from twinlock.client import ProblemError
from twinlock.domain.requirements import Answer
from twinlock.proofs.bundles import verify_bundle

GIFT = {"asset": "USDT", "amount": "5", "counterparty": "bob"}
IBAN = "DE75512108001245126199"


async def alice_of(service: Service) -> Customer:
    alice = Customer(service, "alice")
    await alice.set_up()
    return alice


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("gift.send", GIFT),
        ("withdrawal.fiat", {"asset": "USD", "amount": "12.50", "address": IBAN, "memo": "rent"}),
        (
            "trade.unusual",
            {
                "asset": "USDT",
                "amount": "5",
                "pair": "QTUM/USDT",
                "side": "buy",
                "price": "31.5",
            },
        ),
    ],
)
async def test_every_exit_goes_from_its_proposal_to_evidence_that_verifies(
    service: Service, kind: str, payload: dict[str, Any]
) -> None:
    alice = await alice_of(service)
    proposed = await alice.propose(kind, payload)
    held = await alice.with_passkey(proposed.action_id)
    assert held.answer is Answer.HOLD
    service.clock.forward(hours=24)

    spent = await service.client.spend(proposed.action_id, spend_id="spend-0001")
    assert (spent.state, spent.type) == ("spent", kind)
    bundle = await service.client.evidence(proposed.action_id)
    trust = trust_of(service.settings, service.keyring, book=rule_book())
    verified = verify_bundle(bundle, trust=trust)
    assert (verified.spent, verified.account) == (True, alice.account_id)


async def test_a_listed_counterparty_takes_one_proof(service: Service) -> None:
    alice = await alice_of(service)
    listing = {"network": "venue", "address": "bob", "label": "Bob"}
    asked = await alice.propose("destination.add", listing)
    await alice.with_passkey(asked.action_id)
    service.clock.forward(hours=24)

    gift = await alice.propose("gift.send", GIFT)
    assert (await alice.with_passkey(gift.action_id)).answer is Answer.ALLOW
    (listed,) = await service.client.destinations(alice.account_id)
    assert (listed["network"], listed["address"]) == ("venue", "bob")


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        ("gift.send", {**GIFT, "counterparty": "b\u200bob"}, "malformed"),
        ("gift.send", {**GIFT, "amount": "0"}, "amount_refused"),
        ("gift.send", {**GIFT, "asset": "SHELLS"}, "asset_unknown"),
        ("gift.send", {**GIFT, "network": "venue"}, "malformed"),
        ("withdrawal.fiat", {"asset": "USDT", "amount": "1", "address": IBAN}, "asset_unknown"),
        ("withdrawal.fiat", {"asset": "USD", "amount": "1.001", "address": IBAN}, "amount_refused"),
        ("lock.tighten", {"days": 31}, "malformed"),
        ("limit.raise", {"day_cents": "many"}, "malformed"),
    ],
)
async def test_what_is_not_of_its_form_is_refused_by_name(
    service: Service, kind: str, payload: dict[str, Any], code: str
) -> None:
    alice = await alice_of(service)
    with pytest.raises(ProblemError) as refused:
        await alice.propose(kind, payload)
    assert refused.value.code == code


async def test_limits_and_lock_are_told_with_the_account(service: Service) -> None:
    alice = await alice_of(service)
    for kind, payload in (("limit.lower", {"day_cents": 5_00}), ("lock.tighten", {"days": 2})):
        asked = await alice.propose(kind, payload)
        assert (await alice.with_passkey(asked.action_id)).state == "done"

    seen = await service.client.account(alice.account_id)
    assert seen["limits"] == {
        "day_cents": 5_00,
        "destination_cents": None,
        "agreement_cents": None,
    }
    assert seen["lock"] == {"days": 2, "two_keys": False, "both_keys": False}
    refused = await alice.propose("gift.send", {**GIFT, "amount": "6"})
    assert "own_limit" in [why.code for why in refused.why]
