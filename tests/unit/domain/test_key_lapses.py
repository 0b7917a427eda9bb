"""API keys that lapse: bound to no address for too long, or unused."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, NOON
from support.gates import Gate
from support.trading import SESSION
from support.worlds import SYNCED, an_account, make_key

from twinlock.domain.account import ApiKey
from twinlock.domain.api_keys import KeyLapses, day_number, lapsed, lapses_at, used_on
from twinlock.domain.assurance import Level
from twinlock.domain.bounds import (
    API_KEY_UNBOUND_LIFETIME,
    API_KEY_UNUSED_LIFETIME,
    API_KEYS_MOST,
)
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.commands import RecordTrading
from twinlock.domain.drafts import ApiKeyCreateDraft, ScopeUnknownError, api_key_create, parse
from twinlock.domain.errors import MalformedError
from twinlock.domain.ids import ApiKeyId, SessionId
from twinlock.domain.key_laws import an_api_key_reaches_so_far, by_api_key
from twinlock.domain.policy.facts import ApiKeyState, ApiKeyUse, Facts
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Never, reasons

ONE = ApiKeyId("key_one")
SECOND = timedelta(seconds=1)
LAPSES = KeyLapses()


def a_key(**changes: object) -> ApiKey:
    key = ApiKey(
        api_key_id=ONE,
        public_key="K" * 43,
        scopes=("read", "trade"),
        ip_list=("203.0.113.7/32",),
        destinations=(),
        daily_cents=0,
        created_at=NOON,
    )
    return replace(key, **changes)


@pytest.mark.parametrize("scope", ["trade", "withdraw"])
def test_a_key_that_acts_from_anywhere_lapses_after_two_weeks(scope: str) -> None:
    key = a_key(ip_list=(), scopes=(scope,), used_on=day_number(NOON + 13 * DAY))

    assert lapses_at(key, lapses=LAPSES) == NOON + API_KEY_UNBOUND_LIFETIME


def test_a_key_that_only_reads_may_do_so_from_anywhere() -> None:
    key = a_key(ip_list=(), scopes=("read",))

    assert lapses_at(key, lapses=LAPSES) == NOON + API_KEY_UNUSED_LIFETIME


def test_an_unused_key_lapses_after_a_month_and_a_used_one_that_long_after_its_day() -> None:
    used = NOON + 20 * DAY
    night = used.replace(hour=0) + DAY

    assert lapses_at(a_key(), lapses=LAPSES) == NOON + API_KEY_UNUSED_LIFETIME
    traded = a_key(used_on=day_number(used))
    withdrew = a_key(spent=(day_number(used), 1))
    assert lapses_at(traded, lapses=LAPSES) == night + API_KEY_UNUSED_LIFETIME
    assert lapses_at(withdrew, lapses=LAPSES) == night + API_KEY_UNUSED_LIFETIME


def test_those_that_have_lapsed_are_told_apart_to_the_instant() -> None:
    old, new = a_key(), a_key(created_at=NOON + DAY)

    assert lapsed((old, new), lapses=LAPSES, now=NOON + API_KEY_UNUSED_LIFETIME) == (old,)
    assert lapsed((old, new), lapses=LAPSES, now=NOON + API_KEY_UNUSED_LIFETIME - SECOND) == ()


def full_of(*keys: ApiKey) -> Gate:
    named = (
        replace(key, api_key_id=ApiKeyId(f"key_{at}"), public_key=f"{at}" * 43)
        for at, key in enumerate(keys)
    )
    gate = Gate.of(replace(an_account(), api_keys=tuple(named)))
    gate.now = NOON + API_KEY_UNUSED_LIFETIME
    return gate


def test_a_new_key_takes_the_place_of_one_that_has_lapsed_where_there_is_no_other() -> None:
    lately = a_key(created_at=NOON + 29 * DAY)
    gate = full_of(lately, a_key(), a_key(), lately)
    made = gate.propose(make_key("read"))
    gate.prove(made.action_id, SYNCED)

    names = [key.api_key_id for key in gate.account.api_keys]
    assert names[:3] == ["key_0", "key_2", "key_3"]
    assert len(names) == API_KEYS_MOST


def test_while_there_is_another_place_a_lapsed_key_keeps_its_own() -> None:
    gate = full_of(a_key(), a_key())
    gate.prove(gate.propose(make_key("read")).action_id, SYNCED)

    assert len(gate.account.api_keys) == 3


def test_where_no_key_has_lapsed_there_is_no_place() -> None:
    lately = a_key(created_at=NOON + 29 * DAY)
    refused = full_of(*[lately] * API_KEYS_MOST).propose(make_key("read"))

    assert Reason.TOO_MANY in reasons(refused.requirement)


def test_a_statute_s_shorter_lives_are_heeded() -> None:
    short = KeyLapses(unbound=DAY, unused=2 * DAY)

    assert lapses_at(a_key(ip_list=()), lapses=short) == NOON + DAY
    assert lapses_at(a_key(), lapses=short) == NOON + 2 * DAY


def test_a_lapsed_key_proves_nothing() -> None:
    use = ApiKeyUse(state=ApiKeyState.LAPSED, scopes=("withdraw",))
    facts = Facts(
        now=NOON,
        action="withdrawal.crypto",
        action_class=ActionClass.EXIT,
        built=True,
        opened_at=NOON,
        proposed_at=NOON,
        proved_at=None,
        floor=Level.POSSESSION,
        api_key=replace(use, level=Level.POSSESSION),
    )

    assert not by_api_key(facts)
    missing = an_api_key_reaches_so_far(facts)
    assert Never(code=Reason.API_KEY_LAPSED) in getattr(missing, "parts", (missing,))


def test_a_use_that_is_told_makes_a_key_live_on() -> None:
    gate = Gate.of(
        replace(an_account(SYNCED), api_keys=(a_key(), a_key(api_key_id=ApiKeyId("key_two"))))
    )
    gate.wait(20 * DAY)

    gate.run(RecordTrading(api_key_ids=(ONE, ApiKeyId("key_gone"))))

    first, second = gate.account.api_keys
    assert (first.used_on, second.used_on) == (day_number(gate.now), 0)
    assert used_on((second,), ONE, at=NOON) == (second,)


def test_a_session_that_trades_does_not_idle_and_one_that_idled_stays_over() -> None:
    gate = Gate.of(replace(an_account(SYNCED), sessions=(SESSION,)))
    used = RecordTrading(session_ids=(SESSION.session_id, SessionId("ses_gone")))
    for _ in range(3):
        gate.wait(timedelta(minutes=50))
        gate.run(used)
    assert gate.account.sessions[0].seen_at == gate.now

    gate.wait(timedelta(minutes=61))
    gate.run(used)
    assert gate.account.sessions[0].seen_at < gate.now


def test_what_a_key_may_trade_stands_in_its_payload_in_one_form() -> None:
    draft = ApiKeyCreateDraft(
        public_key="K" * 43,
        scopes=("trade",),
        pairs=("ETH/USDT", "BTC/USDT", "ETH/USDT"),
        price_band_bp=50,
        notional_daily_cents=1_000_00,
        integrator="example-bot",
    )

    payload = api_key_create(draft, ALICE, networks=(), destinations=())

    assert payload.pairs == ("BTC/USDT", "ETH/USDT")
    assert (payload.price_band_bp, payload.notional_daily_cents) == (50, 1_000_00)
    assert payload.integrator == "example-bot"


@pytest.mark.parametrize(
    "more", [{"pairs": ("BTC/USDT",)}, {"price_band_bp": 1}, {"notional_daily_cents": 1}]
)
def test_what_does_not_trade_has_no_bounds_of_trading(more: dict[str, object]) -> None:
    draft = parse({"public_key": "K" * 43, "scopes": ["read"], **more}, ApiKeyCreateDraft)

    with pytest.raises(ScopeUnknownError):
        api_key_create(draft, ALICE, networks=(), destinations=())


@pytest.mark.parametrize(
    "more",
    [
        {"pairs": ["BTC USDT"]},
        {"pairs": [""]},
        {"pairs": ["BTC/USDT\n"]},
        {"pairs": ["A/B"] * 21},
        {"price_band_bp": -1},
        {"price_band_bp": 1_001},
        {"notional_daily_cents": -1},
        {"integrator": "Example Bot"},
        {"integrator": "EXAMPLE"},
        {"integrator": "x" * 65},
    ],
)
def test_a_draft_of_a_key_is_of_its_form(more: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        parse({"public_key": "K" * 43, "scopes": ["trade"], **more}, ApiKeyCreateDraft)
