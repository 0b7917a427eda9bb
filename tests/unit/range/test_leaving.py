"""Exits in words: each of them is played, leads where it says, and leaves no word out."""

from typing import Any

import pytest
from support.ranges import APP_ACCOUNT, PASSKEY_ACCOUNT, answers, attack, step

from twinlock.domain.exits import BANK
from twinlock.range.leaving import leaving
from twinlock.range.places import NETWORKS, OLD
from twinlock.range.profiles import rules_of
from twinlock.range.results import Status
from twinlock.range.setting_up import set_up
from twinlock.range.story import AccountSpec, Step
from twinlock.range.venue import open_world
from twinlock.range.words import Outcome, Person, Proof

LISTED = {
    **PASSKEY_ACCOUNT,
    "destinations": {
        "entries": [
            {"name": name, "signed": True, "age": "40d", "last_used": "5d"}
            for name in sorted(OLD.values())
        ]
    },
}
OLD_PLACE = {
    kind: {"pair" if kind == "trade.unusual" else "destination": OLD[network]}
    for kind, network in NETWORKS.items()
}
FRIEND = {"amount": "small", "counterparty": "bob"}


async def test_every_exit_leaves_to_an_old_place_with_one_tap() -> None:
    steps = [
        step(kind, id=f"y{number}", **{"with": {"amount": "small", **OLD_PLACE[kind]}})
        for number, kind in enumerate(sorted(NETWORKS), start=1)
    ]
    said = await answers(*({**one, "proof": ["passkey"]} for one in steps), account=LISTED)

    assert said == ["allow"] * len(NETWORKS)


async def test_every_exit_waits_where_its_place_is_new() -> None:
    named = {"withdrawal.crypto": "new_addr", "withdrawal.fiat": "new_bank"}
    given = [
        {"amount": "small", **({"destination": named[kind]} if kind in named else {"to": "bob"})}
        if NETWORKS[kind] in ("ethereum", "bank", "venue")
        else {"amount": "small"}
        for kind in sorted(NETWORKS)
    ]
    steps = [
        step(kind, id=f"y{number}", proof=["passkey"], **{"with": words})
        for number, (kind, words) in enumerate(zip(sorted(NETWORKS), given, strict=True))
    ]
    first = await answers(*steps[:7], account=PASSKEY_ACCOUNT)
    others = await answers(*steps[7:], account=PASSKEY_ACCOUNT)  # More than eight are never open.

    assert first + others == ["hold"] * len(NETWORKS)


@pytest.mark.parametrize(
    ("do", "given"),
    [
        pytest.param("gift.send", {**FRIEND, "wrapping": "red"}, id="a parameter"),
        pytest.param("gift.send", {"amount": "small"}, id="to nobody"),
        pytest.param("transfer.internal", {**FRIEND, "asset": "USDC"}, id="an asset"),
        pytest.param("withdrawal.fiat", {"destination": "old_bank", "asset": "ETH"}, id="no money"),
        pytest.param("p2p.release", {**FRIEND, "call": "spend"}, id="a wallet"),
        pytest.param("trade.unusual", {"pair": "unheard_of"}, id="a pair"),
        pytest.param("trade.unusual", {"pair": "QTUM/PEAR"}, id="paid with what has no price"),
        pytest.param("trade.unusual", {"pair": "/BTC"}, id="a pair of nothing"),
        pytest.param("trade.unusual", {"side": "both"}, id="a side"),
        pytest.param("trade.unusual", {"pairs": 100}, id="more pairs than there are"),
    ],
)
async def test_a_word_without_a_meaning_is_told(do: str, given: dict[str, Any]) -> None:
    part = await attack(step(do, **{"with": given}), account=PASSKEY_ACCOUNT)

    assert part.steps[0].status is Status.NOT_PLAYABLE
    assert part.steps[0].notes


def a_step(do: str, **given: object) -> Step:
    return Step(id="x1", at="0m", by=Person.ALICE, do=do, expect=(Outcome.ALLOW,), given=given)


@pytest.mark.parametrize(
    ("do", "given", "said"),
    [
        pytest.param(
            "p2p.release", {**FRIEND, "paid": False}, {"received": "nothing"}, id="unpaid"
        ),
        pytest.param(
            "p2p.release",
            {**FRIEND, "order": "o_7"},
            {"received": "50.000000 USDT by bank", "order": "o_7"},
            id="paid",
        ),
        pytest.param("card.pay", {"merchant": "a bakery"}, {"merchant": "a bakery"}, id="a card"),
        pytest.param(
            "transfer.subaccount", {"from": "sub_2", "to": "sub_1"}, {"source": "sub_2"}, id="from"
        ),
        pytest.param(
            "trade.unusual",
            {"pair": "thin", "price_to_mid": 10},
            {"pair": "XRP/USDT", "side": "buy", "price": "5", "asset": "USDT", "orders": 1},
            id="ten times the middle",
        ),
        pytest.param(
            "trade.unusual",
            {"pair": "thin", "side": "sell", "price_to_mid": 0.1},
            {"side": "sell", "price": "0.05", "asset": "XRP", "amount": "100.000000"},
            id="a tenth of it",
        ),
        pytest.param(
            "trade.unusual",
            {"times": 40},
            {"orders": 40, "amount": "2000.000000"},
            id="many orders",
        ),
        pytest.param(
            "trade.unusual",
            {"times": 40, "amount": "all"},
            {"orders": 40, "amount": "1000000.000000"},
            id="all of it",
        ),
    ],
)
async def test_what_a_file_says_stands_in_what_is_signed(
    do: str, given: dict[str, Any], said: dict[str, Any]
) -> None:
    spec = AccountSpec(authenticators=(Proof.PASSWORD,))
    async with open_world(rules_of("default")) as venue:
        stage = await set_up(venue, spec)
        [one] = leaving(stage, a_step(do, **given))

    assert {name: one.payload[name] for name in said} == said


async def test_trades_of_many_pairs_are_as_many_actions_and_all_of_it_counts() -> None:
    trade = {"pair": "thin", "times": 10, "pairs": 5, "amount": "small", "counterparty": "attacker"}
    steps = [step("trade.unusual", by="mallory", **{"with": trade}, proof=["password"])]
    now = await attack(*steps, account=APP_ACCOUNT)
    then = await attack(
        *steps, account={**APP_ACCOUNT, "value_usd": 10_000}, profile="baseline-2024"
    )

    assert (now.steps[0].answer, now.lost_cents) == (Outcome.HOLD, 0)
    # Where an asset is dearer, fifty dollars are rounded up to its smallest unit.
    assert 0 <= then.lost_cents - 5 * 2 * 50_00 < 5 * 2


TRADES = step(
    "trade.unusual",
    by="mallory",
    proof=["passkey"],
    **{"with": {"pairs": 3, "amount": "small", "pair": "XRP/USDT"}},
)


async def test_a_patient_thief_gets_every_pair_that_waited() -> None:
    """Prevents: a loss of many actions that is told as that of one."""
    part = await attack(TRADES, account=PASSKEY_ACCOUNT)

    assert (part.steps[0].answer, part.lost_cents) == (Outcome.HOLD, 0)
    assert [(one.step, one.answer) for one in part.later] == [("x1", Outcome.ALLOW)]
    assert 0 <= part.lost_later_cents - 3 * 50_00 < 3


@pytest.mark.parametrize("said", [{"channel": "email"}, {}], ids=["letter", "session"])
async def test_a_no_stops_every_pair_of_a_step(said: dict[str, Any]) -> None:
    no = step("event.veto", at="5m", **{"with": {"of": "x1", **said}})
    part = await attack(TRADES, no, account=PASSKEY_ACCOUNT)

    came_back = part.later[0]
    assert (came_back.answer, came_back.taken_cents) == (Outcome.DENY, 0)


async def test_what_an_honest_owner_gives_to_a_thief_is_lost() -> None:
    given = {"amount": "small", "counterparty": "mule", "paid": False}
    part = await attack(
        step("p2p.release", **{"with": given}, proof=["password"]), profile="baseline-2024"
    )

    assert (part.steps[0].answer, part.lost_cents) == (Outcome.ALLOW, 50_00)


async def test_an_old_bank_account_need_not_be_listed_by_a_file() -> None:
    assert OLD[BANK] == "old_bank"
    given = {"amount": "small", "destination": "old_bank"}
    said = await answers(
        step("withdrawal.fiat", **{"with": given}, proof=["passkey"]), account=PASSKEY_ACCOUNT
    )

    assert said == ["allow"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param({"asset": "SOL"}, "allow", id="its own chain"),
        pytest.param({"asset": "XLM"}, "allow", id="Stellar's"),
        pytest.param({"asset": "EOS"}, "allow", id="EOSIO's"),
        pytest.param({"asset": "TON", "network": "ton"}, "allow", id="TON's"),
        pytest.param({"asset": "USDT", "network": "tron"}, "allow", id="of two chains the named"),
        pytest.param({"asset": "USDT", "network": "bitcoin"}, "unplayed", id="not sent there"),
        pytest.param({"network": "moon"}, "unplayed", id="no chain"),
    ],
)
async def test_a_coin_is_sent_on_its_chain_or_on_the_one_that_is_named(
    words: dict[str, Any], said: str
) -> None:
    network = {"network": words["network"]} if "network" in words else {}
    given = {"amount": "small", "destination": "hers", **words}
    listed = step("destination.add", **{"with": {"destination": "hers", **network}})

    answered = await answers(
        listed | {"proof": ["passkey"]},
        step("withdrawal.crypto", at="8d", proof=["passkey"], **{"with": given}),
        account=PASSKEY_ACCOUNT,
    )

    assert answered[-1] == said


async def test_a_thin_coin_need_not_stand_on_the_price_list() -> None:
    given = {"pairs": ["QTUM/BTC", "DASH/BTC"], "price_to_mid": 10, "amount": "small"}
    part = await attack(
        step("trade.unusual", by="mallory", proof=["passkey"], **{"with": given}),
        account=PASSKEY_ACCOUNT,
    )

    assert part.steps[0].answer == "hold"
    assert part.later[0].taken_cents == 2 * 50_01  # Nobody objected.


async def test_a_destination_may_have_a_budget_and_be_named_by_its_coin() -> None:
    budget = {"destination": "payroll_addr", "budget": "small"}
    coin = {"destination": "miner_addr", "asset": "BTC"}
    pays = {"amount": "within_budget", "destination": "payroll_addr"}
    sends = {"amount": "small", "destination": "miner_addr", "asset": "BTC"}
    said = await answers(
        step("destination.add", proof=["passkey"], **{"with": budget}),
        step("destination.add", proof=["passkey"], **{"with": coin}),
        step("destination.add", proof=["passkey"], **{"with": {**coin, "budget": "plenty"}}),
        step("withdrawal.crypto", at="wait:x1", proof=["session"], **{"with": pays}),
        step("withdrawal.crypto", at="wait:x1+1m", proof=["passkey"], **{"with": sends}),
        account=PASSKEY_ACCOUNT,
    )

    assert said == ["hold", "hold", "unplayed", "allow", "allow"]


async def test_pairs_may_be_named_one_by_one() -> None:
    given = {"pairs": ["XRP/BTC", "TRX/USDT", "liquid"], "price_to_mid": 10, "amount": "small"}
    named = step("trade.unusual", proof=["passkey"], **{"with": given})
    odd = step("trade.unusual", proof=["passkey"], **{"with": {"pairs": ["banana"]}})

    part = await attack(named, odd, account=PASSKEY_ACCOUNT)

    assert [one.answer for one in part.steps] == ["hold", None]
    assert part.steps[0].codes[0] == "destination_new"
