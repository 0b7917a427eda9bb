"""Orders examined over the API, on a real database: by session, by key, by a spent permit."""

import asyncio

import pytest
from support.cast import NOON
from support.owned_keys import AWAY
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.traders import THIN, by_key, by_session, make_key, order, ticket

from twinlock.client import ProblemError
from twinlock.domain.order_intents.model import INTENTS_MOST
from twinlock.services.platform_keys import Scope

PASSED = {"verdict": "pass"}


@pytest.fixture
async def bob(service: Service) -> Customer:
    """Another customer, without a key that trades."""
    other = Customer(service, "bob")
    await other.set_up()
    return other


async def test_a_session_whose_device_signs_trades(alice: Customer) -> None:
    assert await by_session(alice) == PASSED


async def test_a_copied_cookie_trades_nothing(alice: Customer) -> None:
    named = order(alice.account_id, session_id=alice.session_id)
    foreign = ticket(alice, signature="A" * 86)

    for tickets in ([], [foreign], [ticket(alice, signed_at=1)]):
        [answer] = await alice.client.examine([named], tickets=tickets)
        assert answer == {"verdict": "refuse", "why": ["proof_not_bound"]}


async def test_a_ticket_is_good_for_five_minutes(alice: Customer) -> None:
    old, named = ticket(alice), order(alice.account_id, session_id=alice.session_id)
    alice.service.clock.forward(minutes=5)
    [answer] = await alice.client.examine([named], tickets=[old])
    assert answer == PASSED

    alice.service.clock.forward(seconds=1)
    [answer] = await alice.client.examine([named], tickets=[old])
    assert answer["why"] == ["proof_not_bound"]


async def test_a_ticket_of_one_account_is_none_of_another(alice: Customer, bob: Customer) -> None:
    named = order(bob.account_id, session_id=alice.session_id)

    [answer] = await alice.client.examine([named], tickets=[ticket(alice)])

    assert answer["why"] == ["session_gone"]


async def test_a_key_trades_within_its_powers_only(alice: Customer) -> None:
    key = await make_key(alice, notional_daily_cents=25_00)

    assert await by_key(alice, key) == PASSED
    assert (await by_key(alice, key, ip=AWAY))["why"] == ["api_key_ip"]
    assert (await by_key(alice, key, ip=""))["why"] == ["api_key_ip"]
    assert (await by_key(alice, key, ip="nowhere"))["why"] == ["api_key_ip"]
    assert (await by_key(alice, key, pair="ETH/USDT"))["why"] == ["api_key_pair"]
    assert (await by_key(alice, key, price="60601"))["why"] == ["api_key_band"]
    assert (await by_key(alice, key, mid=""))["why"] == ["api_key_band"]
    assert await by_key(alice, key, price="60600", notional_cents=15_00) == PASSED
    assert (await by_key(alice, key, notional_cents=1))["why"] == ["api_key_notional"]
    assert (await by_key(alice, "key_none"))["why"] == ["api_key_gone"]
    alice.service.clock.forward(hours=24)
    assert await by_key(alice, key, notional_cents=25_00) == PASSED


async def test_its_use_is_told_to_the_log_once_a_day(alice: Customer) -> None:
    key = await make_key(alice)
    before = (await alice.service.api.store.head()).size

    for _ in range(3):
        await by_key(alice, key)

    assert (await alice.service.api.store.head()).size == before + 1
    account = await alice.service.api.store.account(alice.account_id)  # type: ignore[arg-type] # as it came over the wire
    assert account.api_keys[0].used_on
    alice.service.clock.forward(hours=24)
    await by_key(alice, key)
    assert (await alice.service.api.store.head()).size == before + 2


async def test_a_key_that_trades_lives_and_one_that_rests_lapses(alice: Customer) -> None:
    key = await make_key(alice)
    alice.service.clock.forward(days=29)
    assert await by_key(alice, key) == PASSED
    alice.service.clock.forward(days=29)
    assert await by_key(alice, key) == PASSED

    alice.service.clock.forward(days=32)
    assert (await by_key(alice, key))["why"] == ["api_key_lapsed"]


async def test_a_freeze_stops_sessions_and_keys_and_leaves_cancelling_open(
    alice: Customer,
) -> None:
    key = await make_key(alice)
    assert await by_key(alice, key) == PASSED
    frozen = await alice.propose("freeze.set")
    await alice.with_passkey(frozen.action_id)

    assert (await by_session(alice))["why"] == ["account_frozen"]
    assert (await by_key(alice, key))["why"] == ["account_frozen"]
    for kind in ("cancel", "reduce"):
        assert await by_session(alice, kind=kind) == PASSED
        assert await by_key(alice, key, kind=kind) == PASSED
    assert (await by_session(alice, kind="reduce", pair=THIN, price="10", mid="1"))["why"] == [
        "trade_far"
    ]


async def test_the_middle_that_the_platform_tells_is_held_against_the_price_list(
    alice: Customer,
) -> None:
    """A thief with two orders of her own makes the middle of a thin pair; the list knows better."""
    hers = {"pair": "USDT/ETH", "price": "0.01", "mid": "0.01"}
    assert (await by_session(alice, **hers))["why"] == ["trade_far"]
    assert await by_session(alice, **hers, side="sell") == PASSED
    honest = {"pair": "USDT/ETH", "price": "0.00034", "mid": "0.00034"}
    assert await by_session(alice, **honest) == PASSED


async def test_far_from_the_middle_of_a_thin_pair_is_asked_for_and_passes_when_spent(
    alice: Customer,
) -> None:
    far = {"pair": THIN, "price": "0.0006", "mid": "0.00006", "notional_cents": 500_00}
    asked = await by_session(alice, **far)
    assert asked == {
        "verdict": "ask",
        "why": ["trade_far"],
        "propose": {"type": "trade.unusual", "pair": THIN, "side": "buy", "price": "0.0006"},
    }
    listed = await alice.propose("destination.add", {"network": "market", "address": THIN})
    await alice.with_passkey(listed.action_id)
    alice.service.clock.forward(hours=24)
    await alice.sign_in()

    wanted = {**asked["propose"], "asset": "BTC", "amount": "0.01666", "orders": 2}
    kind = wanted.pop("type")
    proposed = await alice.propose(kind, wanted, value_cents=1_000_00)
    named = {**far, "action_id": proposed.action_id}
    assert (await by_session(alice, **named))["verdict"] == "ask"
    await alice.with_passkey(proposed.action_id)
    assert (await by_session(alice, **named))["verdict"] == "ask"  # It is not spent yet.
    spent = await alice.client.spend(proposed.action_id, spend_id="trade-0001")
    assert spent.state == "spent"

    assert (await by_session(alice, **{**named, "price": "0.00060001"}))["verdict"] == "ask"
    assert (await by_session(alice, **{**named, "side": "sell"}))["verdict"] == "ask"
    assert (await by_session(alice, **{**named, "pair": "PYR/BTC"}))["verdict"] == "ask"
    assert (await by_session(alice, **{**named, "notional_cents": 1_001_00}))["verdict"] == "ask"
    assert await by_session(alice, **named) == PASSED
    assert await by_session(alice, **{**named, "notional_cents": 499_00}) == PASSED
    assert (await by_session(alice, **{**named, "notional_cents": 1}))["verdict"] == "ask"


async def test_a_permit_lapses_and_counts_for_nothing_under_a_halt(
    alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = {"pair": THIN, "price": "10", "mid": "1"}
    listed = await alice.propose("destination.add", {"network": "market", "address": THIN})
    await alice.with_passkey(listed.action_id)
    alice.service.clock.forward(hours=24)
    await alice.sign_in()
    draft = {"pair": THIN, "side": "buy", "price": "10", "asset": "BTC", "amount": "0.01"}
    proposed = await alice.propose("trade.unusual", draft)
    await alice.with_passkey(proposed.action_id)
    await alice.client.spend(proposed.action_id, spend_id="trade-0001")

    alice.service.clock.forward(minutes=14)
    with monkeypatch.context() as halted:
        halted.setattr(alice.service.api.store, "halted_at", lambda: asyncio.sleep(0, NOON))
        assert (await by_session(alice, **far, action_id=proposed.action_id))["verdict"] == "ask"
        assert await by_session(alice) == PASSED
    assert await by_session(alice, **far, action_id=proposed.action_id) == PASSED
    alice.service.clock.forward(minutes=1)
    assert (await by_session(alice, **far, action_id=proposed.action_id))["verdict"] == "ask"
    assert (await by_session(alice, **far, action_id="act_none"))["verdict"] == "ask"
    assert (await by_session(alice, **far, action_id="nonsense"))["verdict"] == "ask"


async def test_a_permit_that_was_changed_lets_nothing_pass_and_fails_no_neighbour(
    alice: Customer, database: TestDatabase
) -> None:
    proposed = await alice.propose("freeze.set")
    await alice.with_passkey(proposed.action_id)
    await database.execute("UPDATE stream SET box = 'x' WHERE kind = 'action'")
    far = order(alice.account_id, session_id=alice.session_id, pair=THIN, price="10", mid="1")
    asked = [
        {**far, "kind": "reduce", "action_id": proposed.action_id},
        order(alice.account_id, session_id=alice.session_id, kind="reduce"),
    ]

    answers = await alice.client.examine(asked, tickets=[ticket(alice)])

    assert [one["verdict"] for one in answers] == ["ask", "pass"]


async def test_batches_at_once_count_as_one_after_the_other(alice: Customer) -> None:
    """Prevents: a sum that two batches spend at the same time."""
    key = await make_key(alice, notional_daily_cents=1_000_00)
    one = order(alice.account_id, api_key_id=key, ip="203.0.113.7")

    batches = await asyncio.gather(*(alice.client.examine([one] * 20) for _ in range(10)))

    verdicts = [answer["verdict"] for batch in batches for answer in batch]
    assert (verdicts.count("pass"), verdicts.count("refuse")) == (100, 100)


async def test_asked_twice_it_counts_twice(alice: Customer) -> None:
    key = await make_key(alice, notional_daily_cents=10_00)

    assert await by_key(alice, key) == PASSED
    assert (await by_key(alice, key))["why"] == ["api_key_notional"]


async def test_answers_stand_in_the_order_of_the_batch(alice: Customer, bob: Customer) -> None:
    key = await make_key(alice)
    asked = [
        order("acc_nobody", api_key_id=key),
        order(alice.account_id, api_key_id=key, ip="203.0.113.7"),
        order(bob.account_id, api_key_id=key, ip="203.0.113.7"),
        order(alice.account_id),
        order(alice.account_id, api_key_id=key, session_id="ses_x"),
        order(alice.account_id, api_key_id=key, ip="203.0.113.7", price="NaN"),
    ]

    told = await alice.client.examine(asked)

    assert [one.get("why", ["pass"])[0] for one in told] == [
        "account_unknown",
        "pass",
        "api_key_gone",
        "no_right",
        "no_right",
        "intent_malformed",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"notional_cents": -1},
        {"notional_cents": 0},
        {"notional_cents": 10**12 + 1},
        {"notional_cents": "one"},
        {"notional_cents": True},
        {"side": "hold"},
        {"kind": "Order"},
        {"pair": "BTC USDT"},
        {"pair": ""},
        {"price": 1},
        {"price": "1" * 62},
        {"mid": None},
        {"account_id": "a" * 65},
        {"unknown": 1},
    ],
)
async def test_a_batch_that_is_not_of_its_form_is_refused_whole(
    alice: Customer, changes: dict[str, object]
) -> None:
    good = order(alice.account_id, session_id=alice.session_id)

    with pytest.raises(ProblemError) as refused:
        await alice.client.examine([good, {**good, **changes}])

    assert refused.value.status == 400


async def test_a_batch_has_a_thousand_intents_and_no_more(alice: Customer) -> None:
    one = order(alice.account_id, session_id=alice.session_id)

    told = await alice.client.examine([one] * INTENTS_MOST)
    assert len(told) == INTENTS_MOST
    for wrong in ([one] * (INTENTS_MOST + 1), []):
        with pytest.raises(ProblemError) as refused:
            await alice.client.examine(wrong)
        assert refused.value.status == 400
    with pytest.raises(ProblemError) as refused:
        await alice.client.examine([{**one, "ip": "1" * 1_100_000}])
    assert refused.value.status == 413


async def test_it_takes_a_scope_of_its_own(service: Service, alice: Customer) -> None:
    key = await service.platform_key(Scope.PROPOSE, Scope.SPEND, Scope.READ)
    answer = await service.http.post(
        "/v1/intents",
        json={"intents": [order(alice.account_id)]},
        headers={"Authorization": f"Bearer {key}"},
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_what_is_not_passed_is_counted_for_operators(alice: Customer) -> None:
    await by_session(alice, pair=THIN, price="10", mid="1")

    told = (await alice.service.http.get("/metrics")).text
    counted = 'twinlock_order_intents_total{reason="trade_far",verdict="ask"} 1.0'
    assert counted in told


async def test_who_asks_is_known_before_a_long_batch_is_read(service: Service) -> None:
    answer = await service.http.post(
        "/v1/intents",
        content=b"{" * 500_000,
        headers={"Authorization": "Bearer nonsense", "Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.json()["code"]) == (401, "platform_key_refused")
