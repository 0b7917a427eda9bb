"""S10: a thief who cannot withdraw buys thin coins from herself, with the customer's money.

Mallory has a copy of the session's cookie; or malicious software in the browser, which acts on the
customer's own device; or a key that only trades; or a key whose making she brought about today. She
wants value to leave by trades far from the middle of thin pairs, with her own account on the other
side. She is stopped: by the device's key, by the gate that such a trade is an exit for, and by the
key's own powers. She leaves refusals and asks in the metrics, and what was proposed in the log.
"""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, NOON
from support.gates import Gate
from support.policies import DEFAULT, STRICT
from support.trading import HOME, KEY, SESSION, an_order, examined, known
from support.worlds import APP, EMAIL, PASSWORD, an_account

from twinlock.domain.account import Account
from twinlock.domain.actions import FreezeSet
from twinlock.domain.api_keys import day_number
from twinlock.domain.exits import TradeUnusual
from twinlock.domain.order_intents.judging import Count, Name, examine
from twinlock.domain.order_intents.model import Examined, Intent, Kind, Verdict
from twinlock.domain.policy.version import Policy
from twinlock.domain.requirements import Answer

ELSEWHERE = "198.51.100.66"
PAIRS = ("QTUM/BTC", "DASH/BTC", "PYR/BTC", "ENA/USDC", "NEO/USDC")
MINUTE = timedelta(minutes=1)


def victim(*, key: object = None) -> Account:
    """Return the account that the file describes: a password and an app, and a live session."""
    account = replace(an_account(PASSWORD, APP, channels=(EMAIL,)), sessions=(SESSION,))
    return account if key is None else replace(account, api_keys=(key,))


def bought(pair: str = PAIRS[0], **changes: object) -> Intent:
    """Return an order at ten times the middle."""
    return an_order(**{"pair": pair, "price": "10", "mid": "1", **changes})


def judged(
    order: Intent,
    account: Account,
    policy: Policy = DEFAULT,
    **changes: Any,  # noqa: ANN401 - as ``examined`` takes them
) -> Examined:
    return examined(order, account=account, rules=policy.statutes.trading, **changes)


# --- A copied cookie ---


@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
@pytest.mark.parametrize("order", [bought(), an_order(), an_order(kind=Kind.REDUCE)])
def test_a_copied_cookie_trades_nothing(order: Intent, policy: Policy) -> None:
    """m1, n1: the platform names the session; no ticket of its device's key comes with it."""
    for tickets in ({}, {(ALICE, SESSION.session_id): "the thief's own key"}):
        answer = judged(order, victim(), policy, tickets=tickets)
        assert (answer.verdict, answer.why) == (Verdict.REFUSE, ("proof_not_bound",))


# --- Software in the customer's own browser ---


@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
@pytest.mark.parametrize("pair", PAIRS)
def test_far_from_the_middle_it_needs_what_is_not_in_the_browser(pair: str, policy: Policy) -> None:
    """m2: the first such trade is asked for, and the session alone does not reach the floor."""
    answer = judged(bought(pair), victim(), policy)
    assert answer.verdict is Verdict.ASK
    assert answer.propose is not None

    gate = Gate.of(victim(), policy=policy)
    trade = TradeUnusual(
        account=ALICE,
        asset="BTC",
        decimals=8,
        amount_minor="1000",
        pair=pair,
        side=answer.propose.side,
        price=answer.propose.price,
    )
    assert gate.propose(trade).answer is not Answer.ALLOW
    assert gate.account.spent.cents == 0


def test_three_hundred_small_orders_are_not_let_through() -> None:
    """Near the middle, in a pair that she moves herself: the hour's number gives her away."""
    batch = tuple(an_order(pair=PAIRS[number % 5], price="1", mid="1") for number in range(300))
    world = known(victim(), rules=DEFAULT.statutes.trading)
    counts = {Name(ALICE): Count()}

    answers = examine(batch, world, counts)

    passed = [one for one in answers if one.verdict is Verdict.PASS]
    assert len(passed) == 100
    assert {one.why for one in answers[100:]} == {("trade_rate",)}


def test_what_she_trades_today_makes_nothing_usual_today() -> None:
    """An hour of a hundred orders is not the measure of the next: only earlier days are."""
    before = {Name(ALICE): Count(orders=100, day_orders=2_300, top_orders=0)}

    assert judged(an_order(), victim(), counts=before).why == ("trade_rate",)


def test_a_freeze_without_support_stops_all_of_it() -> None:
    """m3: a code by e-mail freezes; then neither liquid nor thin pairs, nor any key, trade."""
    gate = Gate.of(victim(key=KEY))
    gate.prove(gate.propose(FreezeSet(account=ALICE)).action_id, EMAIL)
    frozen = gate.account
    assert frozen.freeze.until is not None

    by_key = {"session_id": "", "api_key_id": KEY.api_key_id, "ip": HOME}
    for order in (an_order(), bought(), an_order(**by_key)):
        assert judged(order, frozen, now=NOON + MINUTE).why == ("account_frozen",)
    assert judged(an_order(kind=Kind.CANCEL), frozen, now=NOON + MINUTE).verdict is Verdict.PASS


# --- A stolen key that trades ---


def by(key_id: str, *, ip: str = HOME, **changes: object) -> Intent:
    return an_order(session_id="", api_key_id=key_id, ip=ip, **changes)


def test_a_stolen_key_is_worth_nothing_from_elsewhere() -> None:
    for ip in (ELSEWHERE, "", "::ffff:198.51.100.66"):
        answer = judged(by(KEY.api_key_id, ip=ip), victim(key=KEY))
        assert answer.why == ("api_key_ip",)


def test_a_stolen_key_without_a_list_is_exempt_from_nothing_and_ends() -> None:
    unbound = replace(KEY, ip_list=(), created_at=NOON - 13 * DAY)
    fast = {Name(ALICE): Count(orders=100)}

    far = by(KEY.api_key_id, ip=ELSEWHERE, pair=PAIRS[0], price="1.06", mid="1")
    assert judged(far, victim(key=replace(unbound, price_band_bp=1_000))).why == ("trade_far",)
    assert judged(by(KEY.api_key_id, ip=ELSEWHERE), victim(key=unbound), counts=fast).why == (
        "trade_rate",
    )
    over = victim(key=replace(unbound, created_at=NOON - 14 * DAY))
    assert judged(by(KEY.api_key_id, ip=ELSEWHERE), over).why == ("api_key_lapsed",)


def test_a_key_that_a_thief_made_wide_today_is_exempt_from_nothing() -> None:
    """She had a code of the app, and made a key for her own server, with every pair she wants."""
    hers = replace(KEY, ip_list=(f"{ELSEWHERE}/32",), price_band_bp=1_000, created_at=NOON)
    fast = {Name(ALICE): Count(orders=100)}
    order = by(KEY.api_key_id, ip=ELSEWHERE)

    assert judged(order, victim(key=hers), counts=fast).why == ("trade_rate",)
    near = NOON + DAY - MINUTE
    assert judged(order, victim(key=hers), counts=fast, now=near).why == ("trade_rate",)
    held = replace(known(victim(key=hers)).views[ALICE], held_until=NOON + 3 * DAY)
    late = NOON + 2 * DAY
    assert judged(order, victim(key=hers), counts=fast, view=held, now=late).why == ("trade_rate",)


# --- The honest twin ---


@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
def test_a_market_maker_trades_all_day_untouched(policy: Policy) -> None:
    """b1, b2: five thousand orders at once, twelve hours apart, in declared pairs and its band.

    The key is a week old: under either profile its band has done its own wait.
    """
    maker = replace(
        KEY,
        created_at=NOON - 7 * DAY,
        pairs=(*PAIRS, "BTC/USDT"),
        used_on=day_number(NOON),
    )
    pairs = (*PAIRS, "BTC/USDT")
    counts = {Name(ALICE): Count(), Name(ALICE, KEY.api_key_id): Count()}

    for hours in (0, 12):
        world = known(
            victim(key=maker), rules=policy.statutes.trading, now=NOON + timedelta(hours=hours)
        )
        batch = tuple(
            by(KEY.api_key_id, pair=pairs[number % 6], price="100.5") for number in range(5_000)
        )
        answers = examine(batch, world, counts)
        assert {one.verdict for one in answers} == {Verdict.PASS}
    assert counts[Name(ALICE)].day_orders == 10_000
