"""Promises about orders, on whatever rights, prices, rules and counts there can be."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
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
    known,
)

from twinlock.domain.order_intents.judging import Count, Known, Name, examine
from twinlock.domain.order_intents.model import Intent, Kind, Verdict
from twinlock.domain.order_intents.view import view_of

PRICES = st.sampled_from(("", "0", "NaN", "90", "95", "99", "100", "101", "105", "106", "1000"))
RIGHTS = st.sampled_from(
    (
        {},
        {"session_id": ""},
        {"session_id": "ses_other"},
        {"session_id": "", "api_key_id": KEY.api_key_id, "ip": HOME},
        {"session_id": "", "api_key_id": KEY.api_key_id, "ip": "198.51.100.1"},
        {"session_id": "", "api_key_id": "key_other", "ip": HOME},
    )
)


@st.composite
def orders(draw: st.DrawFn) -> Intent:
    return an_order(
        **draw(RIGHTS),
        pair=draw(st.sampled_from((LIQUID, THIN, "PYR/BTC"))),
        side=draw(st.sampled_from(("buy", "sell"))),
        kind=draw(st.sampled_from(Kind)),
        price=draw(PRICES),
        mid=draw(PRICES),
        notional_cents=draw(st.integers(1, 10**12)),
        action_id=draw(st.sampled_from(("", PERMIT))),
    )


@st.composite
def worlds(draw: st.DrawFn) -> Known:
    key = replace(
        KEY,
        pairs=draw(st.sampled_from(((), (LIQUID,), (LIQUID, THIN)))),
        price_band_bp=draw(st.sampled_from((0, 100, 1_000))),
        ip_list=draw(st.sampled_from(((), (f"{HOME}/32",)))),
        scopes=draw(st.sampled_from((("read",), ("trade",)))),
        created_at=NOON - draw(st.sampled_from((timedelta(0), DAY, 20 * DAY, 40 * DAY))),
    )
    account = replace(
        a_trading_account(),
        api_keys=(key,),
        sessions=(replace(SESSION, read_only=draw(st.booleans())),),
    )
    view = replace(view_of(account), held_until=draw(st.sampled_from((None, NOON + DAY))))
    rules = replace(RULES, far_anywhere=draw(st.booleans()))
    return replace(known(), views={ALICE: view}, rules=rules)


def counts_of(orders_before: int) -> dict[Name, Count]:
    made = counted()
    for _ in range(orders_before):
        made[Name(ALICE)].add(100)
    return made


@given(st.lists(orders(), min_size=1, max_size=20), worlds())
def test_a_frozen_account_s_orders_never_pass(batch: list[Intent], world: Known) -> None:
    frozen = replace(world.views[ALICE], frozen_until=NOON + DAY)
    answers = examine(tuple(batch), replace(world, views={ALICE: frozen}), counted())

    for order, answer in zip(batch, answers, strict=True):
        if order.kind is Kind.ORDER:
            assert answer.verdict is not Verdict.PASS


@given(orders(), worlds(), st.integers(0, 120))
def test_a_middle_that_is_told_only_lets_more_pass_where_it_is_near(
    order: Intent, world: Known, before: int
) -> None:
    """Without the platform's word of the middle nothing passes that does not pass with it."""
    [without] = examine((replace(order, mid=""),), world, counts_of(before))
    if without.verdict is not Verdict.PASS:
        return
    [at_the_price] = examine((replace(order, mid=order.price),), world, counts_of(before))
    assert at_the_price.verdict is Verdict.PASS


@given(orders(), worlds())
def test_no_band_lets_pass_what_is_far_from_the_middle_of_a_thin_pair(
    order: Intent, world: Known
) -> None:
    far = replace(order, pair=THIN, kind=Kind.ORDER, price="106", mid="100", action_id="")

    [answer] = examine((far,), world, counted())
    assert answer.verdict is not Verdict.PASS


@given(orders(), worlds())
def test_a_hold_lets_nothing_more_pass(order: Intent, world: Known) -> None:
    held = replace(world, views={ALICE: replace(world.views[ALICE], held_until=NOON + DAY)})
    free = replace(world, views={ALICE: replace(world.views[ALICE], held_until=None)})

    [with_hold] = examine((order,), held, counted())
    [without] = examine((order,), free, counted())
    if with_hold.verdict is Verdict.PASS:
        assert without.verdict is Verdict.PASS


@given(st.lists(orders(), max_size=20), worlds(), st.integers(0, 120))
def test_a_batch_counts_as_batches_of_one(batch: list[Intent], world: Known, before: int) -> None:
    together, apart = counts_of(before), counts_of(before)

    at_once = examine(tuple(batch), world, together)
    one_by_one = tuple(examine((one,), world, apart)[0] for one in batch)

    assert at_once == one_by_one
    assert together == apart


@given(st.lists(orders(), max_size=20), worlds())
def test_only_what_passes_is_counted(batch: list[Intent], world: Known) -> None:
    counts = counted()
    answers = examine(tuple(batch), world, counts)

    passed = [
        order
        for order, answer in zip(batch, answers, strict=True)
        if answer.verdict is Verdict.PASS and order.kind is not Kind.CANCEL
    ]
    assert counts[Name(ALICE)].orders == len(passed)
    assert counts[Name(ALICE)].cents == sum(one.notional_cents for one in passed)
