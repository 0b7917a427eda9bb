"""Orders examined: rights, powers of keys, what is unusual, and what a spent permit lets pass."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, NOON
from support.trading import (
    HOME,
    KEY,
    LIQUID,
    PERMIT,
    RULES,
    SESSION,
    THIN,
    a_trading_account,
    an_order,
    counted,
    examined,
    known,
)
from support.worlds import FREEZE

from twinlock.domain.actions import AnyPayload
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.disputes import Contest, Disputes
from twinlock.domain.entries import ClosedAction
from twinlock.domain.events import ActionLapsed, ActionSpent
from twinlock.domain.exits import TradeUnusual
from twinlock.domain.ids import ActionId
from twinlock.domain.locks import Lock
from twinlock.domain.money import PRICE_LIFETIME, Prices
from twinlock.domain.order_intents.judging import Count, Name, examine, names_of
from twinlock.domain.order_intents.model import Intent, IntentReason, Kind, Verdict, scaled
from twinlock.domain.order_intents.view import permit_of, used_today, view_of
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.suspensions import suspended

MINUTE = timedelta(minutes=1)
FAR = {"pair": THIN, "price": "10", "mid": "1"}
BY_KEY = {"session_id": "", "api_key_id": KEY.api_key_id, "ip": HOME}


def why(order: Intent, **changes: Any) -> list[str]:  # noqa: ANN401 - as ``examined`` takes them
    return [reason.value for reason in examined(order, **changes).why]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 10**30),
        ("0.5", 5 * 10**29),
        ("0." + "0" * 29 + "1", 1),
        ("0", None),
        ("0.0", None),
        ("", None),
        ("NaN", None),
        ("1e5", None),
        ("-1", None),
        ("+1", None),
        ("01", None),
        ("1.", None),
        (".1", None),
        ("١", None),
        ("1\n", None),
        ("Infinity", None),
    ],
)
def test_a_price_is_a_plain_decimal(text: str, number: int | None) -> None:
    assert scaled(text) == number


# --- Rights ---


def test_a_session_trades_when_its_device_signed() -> None:
    assert examined(an_order()).verdict is Verdict.PASS
    assert why(an_order(), tickets={}) == ["proof_not_bound"]
    assert why(an_order(), tickets={(ALICE, SESSION.session_id): "other"}) == ["proof_not_bound"]


def test_a_session_that_is_over_or_only_looks_trades_nothing() -> None:
    account = a_trading_account()
    looks = replace(account, sessions=(replace(SESSION, read_only=True),))

    assert why(an_order(session_id="ses_other")) == ["session_gone"]
    assert why(an_order(), now=NOON + DAY) == ["session_gone"]
    assert why(an_order(), account=looks) == ["session_read_only"]
    assert examined(an_order(kind=Kind.CANCEL), account=looks).verdict is Verdict.PASS


@pytest.mark.parametrize("both", [{"session_id": ""}, {"api_key_id": KEY.api_key_id}])
def test_an_order_names_one_right(both: dict[str, str]) -> None:
    assert why(an_order(**both)) == ["no_right"]


def test_an_account_that_there_is_not_trades_nothing() -> None:
    assert why(an_order(account_id="acc_other")) == ["account_unknown"]


def test_a_key_that_is_gone_stopped_lapsed_or_reads_trades_nothing() -> None:
    def of(**changes: object) -> list[str]:
        account = replace(a_trading_account(), api_keys=(replace(KEY, **changes),))
        return why(an_order(**BY_KEY), account=account)

    assert of() == []
    assert of(api_key_id="key_other") == ["api_key_gone"]
    assert of(stopped=True) == ["api_key_stopped"]
    assert of(created_at=NOON - 30 * DAY) == ["api_key_lapsed"]
    assert of(created_at=NOON - 30 * DAY + timedelta(seconds=1)) == []
    assert of(scopes=("read",)) == ["api_key_scope"]


@pytest.mark.parametrize("ip", ["", "198.51.100.7", "localhost", "::1%eth0"])
def test_a_key_trades_from_its_list_only(ip: str) -> None:
    assert why(an_order(**{**BY_KEY, "ip": ip})) == ["api_key_ip"]
    assert why(an_order(**{**BY_KEY, "ip": "::ffff:203.0.113.7"})) == []


def test_a_key_without_pairs_trades_liquid_ones() -> None:
    account = replace(a_trading_account(), api_keys=(replace(KEY, pairs=(), price_band_bp=0),))

    assert why(an_order(**BY_KEY), account=account) == []
    assert why(an_order(**BY_KEY, pair=THIN), account=account) == ["api_key_pair"]


@pytest.mark.parametrize(
    ("price", "mid", "said"),
    [
        ("101", "100", []),
        ("99", "100", []),
        ("101.0000000001", "100", ["api_key_band"]),
        ("98.9999999999", "100", ["api_key_band"]),
        ("", "100", ["api_key_band"]),
        ("100", "", ["api_key_band"]),
        ("100", "0", ["api_key_band"]),
        ("100", "NaN", ["api_key_band"]),
        ("NaN", "100", ["intent_malformed"]),
    ],
)
def test_a_key_trades_within_its_band(price: str, mid: str, said: list[str]) -> None:
    assert why(an_order(**BY_KEY, price=price, mid=mid)) == said


def test_a_key_trades_up_to_its_sum_of_the_day() -> None:
    account = replace(a_trading_account(), api_keys=(replace(KEY, notional_daily_cents=100),))
    at, over = an_order(**BY_KEY, notional_cents=100), an_order(**BY_KEY, notional_cents=101)

    assert why(at, account=account) == []
    assert why(over, account=account) == ["api_key_notional"]
    before = {Name(ALICE, KEY.api_key_id): Count(day_cents=1)}
    assert why(at, account=account, counts=before) == ["api_key_notional"]


# --- Freezes and holds ---


def test_a_freeze_stops_orders_and_no_cancelling_or_reducing() -> None:
    frozen = replace(
        a_trading_account(),
        freeze=replace(a_trading_account().freeze, until=NOON + timedelta(seconds=1)),
    )
    for right in ({}, BY_KEY):
        assert why(an_order(**right), account=frozen) == ["account_frozen"]
        for kind in (Kind.CANCEL, Kind.REDUCE):
            assert examined(an_order(**right, kind=kind), account=frozen).verdict is Verdict.PASS
    assert why(an_order(), account=frozen, now=NOON + timedelta(seconds=1)) == []


def test_what_reduces_is_not_too_fast_and_can_be_too_far() -> None:
    many = {Name(ALICE): Count(orders=10_000)}

    assert why(an_order(kind=Kind.REDUCE), counts=many) == []
    assert why(an_order(kind=Kind.REDUCE, **FAR), counts=many) == ["trade_far"]


# --- Unusual ---


@pytest.mark.parametrize(
    ("pair", "price", "mid", "asks"),
    [
        (THIN, "105", "100", False),
        (THIN, "105.0000000001", "100", True),
        (THIN, "95", "100", False),
        (THIN, "94.9999999999", "100", True),
        (THIN, "", "100", True),
        (THIN, "100", "", True),
        (THIN, "100", "0", True),
        (LIQUID, "1000", "100", False),
        (LIQUID, "", "", False),
    ],
)
def test_far_from_the_middle_of_a_thin_pair_is_unusual(
    pair: str, price: str, mid: str, asks: bool
) -> None:
    answer = examined(an_order(pair=pair, price=price, mid=mid))

    assert (answer.verdict is Verdict.ASK) is asks
    assert (answer.why == (IntentReason.TRADE_FAR,)) is asks
    if answer.propose is not None:
        assert (answer.propose.pair, answer.propose.side) == (pair, "buy")
        assert (answer.propose.price, answer.propose.type) == (price, "trade.unusual")


@pytest.mark.parametrize(
    ("side", "price", "asks"),
    [
        ("buy", "1.06", False),  # Each price may be a cent off: 102 by 99, and five in a hundred.
        ("buy", "1.0818", False),
        ("buy", "1.0819", True),
        ("buy", "0.01", False),
        ("sell", "0.9406", False),
        ("sell", "0.9405", True),
        ("sell", "100", False),
    ],
)
def test_a_middle_that_a_thief_made_is_held_against_the_price_list(
    side: str, price: str, *, asks: bool
) -> None:
    """Prevents: two orders of her own in an empty book, and a victim's in the middle of them."""
    listed = Prices(as_of=NOON, cents={"QTUM": 101, "BTC": 100})
    order = an_order(pair=THIN, side=side, price=price, mid=price)

    assert why(order) == []
    assert why(order, prices=listed) == (["trade_far"] if asks else [])
    assert why(replace(order, kind=Kind.REDUCE), prices=listed) == []
    stale = replace(listed, as_of=NOON - PRICE_LIFETIME - timedelta(seconds=1))
    assert why(order, prices=stale) == []
    for cents in ({"QTUM": 101}, {"BTC": 100}, {"QTUM": 0, "BTC": 100}, {}):
        assert why(order, prices=replace(listed, cents=cents)) == []


def test_the_price_list_asks_nothing_of_liquid_pairs_unless_far_orders_do() -> None:
    listed = Prices(as_of=NOON, cents={"BTC": 100, "USDT": 1_000})

    assert why(an_order(), prices=listed) == []
    assert why(an_order(), prices=listed, rules=replace(RULES, far_anywhere=True)) == ["trade_far"]


def test_what_is_worth_a_cent_or_nothing_is_never_off_the_list() -> None:
    listed = Prices(as_of=NOON, cents={"QTUM": 1, "BTC": 1})

    assert why(an_order(pair=THIN, price="9", mid="9"), prices=listed) == []
    assert why(an_order(pair=THIN, side="sell", price="0.1", mid="0.1"), prices=listed) == []


def test_a_strict_policy_finds_far_orders_unusual_in_any_pair() -> None:
    rules = replace(RULES, far_anywhere=True)

    assert why(an_order(price="1000"), rules=rules) == ["trade_far"]
    wide = replace(KEY, price_band_bp=1_000)
    account = replace(a_trading_account(), api_keys=(wide,))
    within = an_order(**BY_KEY, price="109")
    assert why(within, account=account, rules=rules) == []
    unbound = replace(account, api_keys=(replace(wide, ip_list=()),))
    assert why(within, account=unbound, rules=rules) == ["trade_far"]


def test_a_rate_never_seen_is_unusual_above_the_floor() -> None:
    def at(orders: int, top: int) -> list[str]:
        return why(an_order(), counts={Name(ALICE): Count(orders=orders, top_orders=top)})

    assert (at(99, 0), at(100, 0)) == ([], ["trade_rate"])
    assert (at(100, 34), at(101, 34), at(102, 34)) == ([], [], ["trade_rate"])


def test_a_sum_never_seen_is_unusual_above_the_floor() -> None:
    def at(cents: int, top: int) -> list[str]:
        return why(
            an_order(notional_cents=1), counts={Name(ALICE): Count(cents=cents, top_cents=top)}
        )

    assert (at(99_999_99, 0), at(100_000_00, 0)) == ([], ["trade_rate"])
    assert (at(100_000_00, 100_000_00), at(300_000_00, 100_000_00)) == ([], ["trade_rate"])


def test_a_far_order_may_be_too_fast_as_well() -> None:
    rules = replace(RULES, far_anywhere=True)
    counts = {Name(ALICE): Count(orders=1_000)}

    assert why(an_order(price="1000"), counts=counts, rules=rules) == ["trade_far", "trade_rate"]


@pytest.mark.parametrize(
    "changes",
    [
        {"pairs": ()},
        {"price_band_bp": 0},
        {"ip_list": ()},
        {"created_at": NOON - DAY + timedelta(seconds=1)},
    ],
)
def test_a_band_exempts_what_is_declared_bound_and_has_waited(changes: dict[str, object]) -> None:
    fast = {Name(ALICE): Count(orders=10_000)}
    order = an_order(**BY_KEY)
    declared = replace(a_trading_account(), api_keys=(KEY,))
    lacking = replace(declared, api_keys=(replace(KEY, **changes),))

    assert why(order, account=declared, counts=fast) == []
    assert why(order, account=lacking, counts=fast) == ["trade_rate"]
    held = replace(view_of(declared), held_until=NOON + DAY)
    assert why(order, view=held, counts=fast) == ["trade_rate"]


@pytest.mark.parametrize("two_keys", [False, True])
def test_under_a_lock_a_band_waits_as_long_as_what_loosens(two_keys: bool) -> None:
    """Prevents: a key that a thief makes under a lock of a month, and that exempts a day later."""
    fast, order = {Name(ALICE): Count(orders=10_000)}, an_order(**BY_KEY)
    locked = replace(a_trading_account(), lock=Lock(days=5, two_keys=two_keys))

    def after(waited: timedelta) -> list[str]:
        key = replace(KEY, created_at=NOON - waited)
        return why(order, account=replace(locked, api_keys=(key,)), counts=fast)

    assert (after(5 * DAY), after(5 * DAY - timedelta(seconds=1))) == ([], ["trade_rate"])


def test_under_a_lock_of_both_keys_no_band_exempts() -> None:
    """Prevents: a key that one stolen authenticator made, or a stolen key, that trades it away."""
    fast, order = {Name(ALICE): Count(orders=10_000)}, an_order(**BY_KEY)
    locked = replace(a_trading_account(), lock=Lock(days=5, both_keys=True))
    locked = replace(locked, api_keys=(replace(KEY, created_at=NOON - 9 * DAY),))

    assert why(order, account=locked, counts=fast) == ["trade_rate"]
    assert why(order, account=replace(locked, lock=Lock(days=5)), counts=fast) == []


def test_no_band_exempts_far_from_the_middle_of_a_thin_pair() -> None:
    wide = replace(KEY, price_band_bp=1_000)
    account = replace(a_trading_account(), api_keys=(wide,))

    far = an_order(**BY_KEY, pair=THIN, price="106", mid="100")
    assert why(far, account=account) == ["trade_far"]
    assert why(an_order(**BY_KEY, pair=THIN, price="105", mid="100"), account=account) == []


# --- Permits ---


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, True),
        ({"price": "10.1"}, False),
        ({"price": "9"}, True),
        ({"price": ""}, False),
        ({"side": "sell"}, False),
        ({"pair": "PYR/BTC"}, False),
        ({"notional_cents": 1_000_01}, False),
        ({"action_id": "act_other"}, False),
    ],
)
def test_a_spent_permit_lets_its_own_orders_pass(changes: dict[str, object], passes: bool) -> None:
    order = an_order(**{**FAR, "action_id": PERMIT, "notional_cents": 1_000_00, **changes})

    assert (examined(order).verdict is Verdict.PASS) is passes


def test_a_permit_to_sell_bounds_the_price_from_below() -> None:
    sells = known(permits={PERMIT: replace(known().permits[PERMIT], side="sell")})
    order = an_order(**{**FAR, "action_id": PERMIT, "side": "sell"})

    [at] = examine((order,), sells, counted())
    [below] = examine((replace(order, price="9.99"),), sells, counted())
    assert (at.verdict, below.verdict) == (Verdict.PASS, Verdict.ASK)


def test_a_permit_is_good_for_so_many_orders_and_until_it_lapses() -> None:
    order, counts = an_order(**{**FAR, "action_id": PERMIT}), counted()

    verdicts = [one.verdict for one in examine((order,) * 3, known(), counts)]
    assert verdicts == [Verdict.PASS, Verdict.PASS, Verdict.ASK]
    late = known(now=NOON + timedelta(minutes=15))
    assert examine((order,), late, counted())[0].verdict is Verdict.ASK


def test_a_hold_a_suspension_or_a_freeze_stops_what_was_spent_before() -> None:
    order = an_order(**{**FAR, "action_id": PERMIT})
    suspension = view_of(replace(a_trading_account(), suspension=suspended(by="o", at=NOON)))
    held = replace(view_of(a_trading_account()), held_until=NOON + DAY)
    frozen = replace(held, held_until=None, frozen_until=NOON + DAY)

    assert why(order, view=suspension) == ["trade_far"]
    assert why(order, view=held) == ["trade_far"]
    assert why(order, view=frozen) == ["account_frozen"]


def test_what_reduces_under_a_freeze_uses_no_permit() -> None:
    """Prevents: a position sold to the thief's own account, by a consent of before the freeze."""
    order = an_order(**{**FAR, "action_id": PERMIT, "kind": Kind.REDUCE})
    frozen = replace(view_of(a_trading_account()), frozen_until=NOON + DAY)

    assert why(order) == []
    assert why(order, view=frozen) == ["trade_far"]
    assert why(replace(order, price="1"), view=frozen) == []


@pytest.mark.parametrize(("holds", "said"), [(True, ["trade_far"]), (False, [])])
def test_a_contest_that_holds_exits_stops_what_was_spent_before(
    holds: bool, said: list[str]
) -> None:
    now = int(NOON.timestamp())
    contest = Contest(ActionId("act_other"), "change", ("a",), ("b",), now, now + 60, holds)
    account = replace(a_trading_account(), disputes=Disputes(contest=contest))
    order = an_order(**{**FAR, "action_id": PERMIT})

    assert why(order, account=account) == said
    assert why(order, account=account, now=NOON + MINUTE) == []


def test_an_order_that_needs_no_permit_uses_none_up() -> None:
    counts = counted()
    examine((an_order(action_id=PERMIT),), known(), counts)

    assert counts[Name(ALICE, PERMIT)].all_orders == 0
    assert counts[Name(ALICE)].orders == 1


def closed(ended: ActionSpent | ActionLapsed, payload: AnyPayload) -> ClosedAction:
    action = replace(a_trading_account().actions[0], payload=payload)
    return ClosedAction(
        action=action, ended=ended, entry=3, policy=PolicyName(version=1, digest="d")
    )


def test_a_permit_is_a_trade_that_was_spent() -> None:
    trade = TradeUnusual(
        account=ALICE,
        asset="BTC",
        decimals=8,
        amount_minor="1",
        pair=THIN,
        side="buy",
        price="10",
        orders=2,
    )
    spent = ActionSpent(
        at=NOON, action_id=ActionId(PERMIT), spend_id="s", fee_minor="0", value_cents=1_000_00
    )

    assert permit_of(None) is None
    assert permit_of(closed(ActionLapsed(at=NOON, action_id=ActionId(PERMIT)), trade)) is None
    assert permit_of(closed(spent, FREEZE)) is None
    assert permit_of(closed(spent, trade)) == known().permits[PERMIT]
    unknown = replace(spent, value_cents=MAX_VALUE_CENTS)
    told = closed(unknown, trade)
    told = replace(told, action=replace(told.action, claimed_cents=500))
    assert permit_of(closed(unknown, trade)) == replace(known().permits[PERMIT], cents=0)
    assert permit_of(told) == replace(known().permits[PERMIT], cents=500)


# --- Names, and what the log knows ---


def test_counts_are_named_by_account_key_and_permit() -> None:
    """Prevents: rows that somebody makes by naming what no key is called."""
    nobodys = an_order(**{**BY_KEY, "api_key_id": "whatever comes to mind"})
    orders = (an_order(), an_order(**BY_KEY), nobodys, an_order(action_id="act_unknown"))

    assert names_of(orders, known().permits) == {
        Name(ALICE),
        Name(ALICE, KEY.api_key_id),
        Name(ALICE, PERMIT),
    }


@pytest.mark.parametrize(("changes", "used"), [({}, False), ({"used_on": 1}, True)])
def test_a_use_is_known_on_its_day(changes: dict[str, int], used: bool) -> None:
    day = datetime(1970, 1, 2, tzinfo=NOON.tzinfo)

    assert used_today(replace(KEY, **changes), day) is used
    assert used_today(replace(KEY, spent=(1, 0)), day)
