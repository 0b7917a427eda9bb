"""API keys that are widened, after a wait, or narrowed, at once."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICE, DAY, LONG_AGO, NOON
from support.companies import asks, company
from support.gates import Gate
from support.worlds import DESKTOP, EMAIL, PASSWORD, SMS, SYNCED, a_passkey, a_session, an_account

from twinlock.domain.account import Account, ApiKey
from twinlock.domain.actions import ApiKeyNarrow, ApiKeyWiden
from twinlock.domain.api_keys import LONGEST, day_number, lapses_at, stopped
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.bounds import API_KEY_UNBOUND_LIFETIME
from twinlock.domain.drafts import ScopeUnknownError
from twinlock.domain.errors import MalformedError
from twinlock.domain.ids import ApiKeyId
from twinlock.domain.key_changes import (
    NEVER,
    changed,
    exempts,
    exempts_from,
    narrowed,
    narrows,
    read_change,
    widened,
)
from twinlock.domain.quorums import Quorum
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

KEY = ApiKey(
    api_key_id=ApiKeyId("key_bot"),
    public_key="K" * 43,
    scopes=("read", "trade"),
    ip_list=("203.0.113.0/28", "2001:db8::/48"),
    destinations=(),
    daily_cents=0,
    created_at=LONG_AGO,
    by=(SYNCED.entry,),
    entry=9_000,
    proved_by=(Factor.PASSKEY,),
    pairs=("BTC/USDT", "ETH/USDT"),
    price_band_bp=100,
    notional_daily_cents=1_000_00,
    used_on=day_number(NOON),
)
THIEFS = a_passkey("aut_thief", placement=Placement.ROAMING, bound_at=NOON - DAY)


def account_with(*keys: ApiKey, **changes: Any) -> Account:  # noqa: ANN401 - any of the fields
    return replace(an_account(PASSWORD, SYNCED, THIEFS), api_keys=keys or (KEY,), **changes)


def asked(kind: str, key: ApiKey = KEY, /, **said: object) -> ApiKeyWiden | ApiKeyNarrow:
    draft = read_change({"api_key_id": key.api_key_id, **said})
    return changed(f"api_key.{kind}", draft, key, account_with(key))


def narrow(key: ApiKey = KEY, /, **said: object) -> ApiKeyNarrow:
    payload = asked("narrow", key, **said)
    assert isinstance(payload, ApiKeyNarrow)
    return payload


def widen(**said: object) -> ApiKeyWiden:
    payload = asked("widen", **said)
    assert isinstance(payload, ApiKeyWiden)
    return payload


# --- Drafts ---


def test_what_is_left_out_stays_and_the_rest_has_one_form() -> None:
    payload = narrow(ip_list=["203.0.113.2", "203.0.113.1", "203.0.113.1"])

    assert payload.ip_list == ("203.0.113.1/32", "203.0.113.2/32")
    assert (payload.account, payload.api_key_id) == (ALICE, "key_bot")
    assert (payload.pairs, payload.price_band_bp) == (KEY.pairs, 100)
    assert payload.notional_daily_cents == 1_000_00
    assert widen(pairs=["B/C", "A/B", "A/B"]).pairs == ("A/B", "B/C")


@pytest.mark.parametrize("kind", ["widen", "narrow"])
def test_a_list_of_networks_is_never_dropped(kind: str) -> None:
    with pytest.raises(ScopeUnknownError, match="keeps its list"):
        asked(kind, ip_list=[])
    free = replace(KEY, ip_list=())
    assert asked(kind, free, ip_list=[]).ip_list == ()


@pytest.mark.parametrize(
    "said", [{"pairs": ["A/B"]}, {"price_band_bp": 1}, {"notional_daily_cents": 1}]
)
def test_only_a_key_that_trades_has_terms_of_trading(said: dict[str, object]) -> None:
    plain = replace(KEY, scopes=("read",), pairs=(), price_band_bp=0, notional_daily_cents=0)

    with pytest.raises(ScopeUnknownError, match="may trade"):
        asked("widen", plain, **said)
    assert asked("widen", plain, ip_list=["203.0.113.1"]).pairs == ()


@pytest.mark.parametrize(
    "said",
    [
        {"scopes": ["withdraw"]},
        {"daily_cents": 1},
        {"price_band_bp": 1_001},
        {"price_band_bp": -1},
        {"pairs": ["A/B"] * 21},
        {"ip_list": ["203.0.113.1"] * 21},
    ],
)
def test_what_a_key_was_made_for_does_not_change(said: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        asked("widen", **said)


# --- What is narrower ---


@pytest.mark.parametrize(
    ("said", "narrower"),
    [
        ({}, False),
        ({"ip_list": ["203.0.113.1"]}, True),
        ({"ip_list": ["203.0.113.0/28"]}, True),
        ({"ip_list": ["2001:db8::/64"]}, True),
        ({"ip_list": ["203.0.113.0/27"]}, False),
        ({"ip_list": ["203.0.113.1", "198.51.100.1"]}, False),
        ({"ip_list": ["2001:db9::/64"]}, False),
        ({"pairs": ["BTC/USDT"]}, True),
        ({"pairs": ["BTC/USDT", "QTUM/BTC"]}, False),
        ({"pairs": []}, False),
        ({"price_band_bp": 99}, True),
        ({"price_band_bp": 101}, False),
        ({"price_band_bp": 0}, False),
        ({"notional_daily_cents": 999_99}, True),
        ({"notional_daily_cents": 1_000_01}, False),
        ({"notional_daily_cents": 0}, False),
        ({"price_band_bp": 1, "pairs": ["BTC/USDT"]}, True),
        ({"price_band_bp": 1, "notional_daily_cents": 0}, False),
    ],
)
def test_less_in_something_and_more_in_nothing_is_narrower(
    said: dict[str, object], *, narrower: bool
) -> None:
    assert narrows(account_with(), narrow(**said)) is narrower


@pytest.mark.parametrize(
    ("said", "narrower"),
    [
        ({"ip_list": ["203.0.113.1"]}, True),
        ({"price_band_bp": 1_000}, True),
        ({"notional_daily_cents": 10**12}, True),
        ({"pairs": ["QTUM/BTC"]}, False),
        ({"pairs": []}, False),
    ],
)
def test_where_nothing_is_bounded_any_bound_is_narrower_but_pairs(
    said: dict[str, object], *, narrower: bool
) -> None:
    """Prevents: a thin pair, named as less than any liquid one."""
    free = replace(KEY, ip_list=(), pairs=(), price_band_bp=0, notional_daily_cents=0)

    assert narrows(account_with(free), narrow(free, **said)) is narrower


def test_of_a_key_that_is_not_there_nobody_says_which_is_narrower() -> None:
    assert narrows(account_with(), replace(narrow(), api_key_id="key_none"))


bands = st.integers(0, 3)


@given(old=bands, new=bands, pairs=st.sets(st.sampled_from(["A/B", "B/C", "C/D"])))
def test_an_order_that_a_narrower_key_may_place_the_old_one_might_too(
    old: int, new: int, pairs: set[str]
) -> None:
    key = replace(KEY, price_band_bp=old, pairs=("A/B", "B/C"))
    payload = narrow(key, price_band_bp=new, pairs=sorted(pairs))
    if not narrows(account_with(key), payload):
        return

    assert not old or 0 < new <= old
    assert pairs <= {"A/B", "B/C"}
    assert pairs


# --- What takes effect ---


def test_a_band_that_is_narrowed_exempts_on() -> None:
    after = narrowed(KEY, narrow(price_band_bp=50), proved=False, at=NOON)

    assert (after.price_band_bp, after.declared_at) == (50, 0)
    assert exempts_from(after) == LONG_AGO


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ({"price_band_bp": 0}, {"price_band_bp": 50}),
        ({"ip_list": ()}, {"ip_list": ["203.0.113.1"]}),
    ],
)
def test_what_comes_to_exempt_by_narrowing_waits_from_then(
    before: dict[str, Any], said: dict[str, object]
) -> None:
    key = replace(KEY, **before)
    at = NOON + timedelta(milliseconds=1)
    after = narrowed(key, narrow(key, **said), proved=True, at=at)

    assert (exempts(key), exempts(after)) == (False, True)
    assert exempts_from(after) == NOON + timedelta(seconds=1)
    alone = narrowed(key, narrow(key, **said), proved=False, at=at)
    assert alone == replace(after, declared_at=NEVER)
    again = narrowed(alone, narrow(alone, notional_daily_cents=1), proved=False, at=at)
    assert again == replace(alone, notional_daily_cents=1)
    proved = narrowed(alone, narrow(alone, notional_daily_cents=1), proved=True, at=at)
    assert exempts_from(proved) == NOON + timedelta(seconds=1)


def test_what_exempts_nothing_has_no_such_time() -> None:
    free = replace(KEY, pairs=())
    after = narrowed(free, narrow(free, price_band_bp=1), proved=True, at=NOON)

    assert (after.declared_at, exempts_from(after)) == (0, None)


def test_a_widened_key_stands_for_the_weaker_proof_and_for_both() -> None:
    gate = Gate.of(account_with(replace(KEY, proved_by=(Factor.PASSWORD,))))
    named = gate.propose(widen(price_band_bp=200)).action_id
    gate.prove(named, THIEFS)
    key = gate.account.api_keys[0]

    after = widened(gate.account, key, gate.action(named))
    assert (after.price_band_bp, after.proved_by) == (200, (Factor.PASSWORD,))
    assert set(after.by) == {SYNCED.entry, THIEFS.entry}
    strong = widened(gate.account, replace(key, proved_by=(Factor.PASSKEY,)), gate.action(named))
    assert strong.proved_by == (Factor.PASSKEY,)


def test_a_key_that_a_code_by_sms_made_falls_with_the_number_however_it_was_widened_since() -> None:
    """Prevents: who swapped the SIM card, makes a key, and widens it by a code from a mailbox."""
    made = (Factor.PASSWORD, Factor.SMS_CODE)
    gate = Gate.of(replace(an_account(PASSWORD), api_keys=(KEY,)))
    named = gate.propose(widen(price_band_bp=200)).action_id
    gate.prove(named, PASSWORD)
    gate.prove(named, EMAIL)

    for shown_at in (NOON - DAY, NOON + DAY):
        key = replace(KEY, proved_by=made, sms_at=shown_at)
        after = widened(gate.account, key, gate.action(named))
        assert (after.proved_by, after.sms_at) == (made, shown_at)
        swapped = replace(gate.account, sim_changed_at=shown_at)
        assert stopped(swapped, after)


@pytest.mark.parametrize(("first", "second"), [(NOON - DAY, NOON), (NOON, NOON - DAY)])
def test_of_two_codes_by_sms_the_one_that_falls_first_counts(
    first: datetime, second: datetime
) -> None:
    made = (Factor.PASSWORD, Factor.SMS_CODE)
    gate = Gate.of(replace(an_account(PASSWORD, channels=(SMS,)), api_keys=(KEY,)))
    gate.now = second
    named = gate.propose(widen(price_band_bp=200)).action_id
    gate.prove(named, PASSWORD)
    gate.prove(named, SMS)
    key = replace(KEY, proved_by=made, sms_at=first)

    assert widened(gate.account, key, gate.action(named)).sms_at == NOON - DAY


# --- The gate ---


def only(gate: Gate) -> ApiKey:
    [key] = gate.account.api_keys
    return key


def test_narrowing_acts_at_once_in_a_session_of_the_devices_own() -> None:
    gate = Gate.of(account_with())
    signed = gate.give_session(a_session())

    said = gate.propose(narrow(price_band_bp=10), session=signed)
    assert (said.answer, only(gate).price_band_bp) == (Answer.ALLOW, 10)
    assert only(gate).by == KEY.by


def test_a_session_alone_exempts_no_key_from_anything() -> None:
    """Prevents: a stolen session and a stolen key, which is bound to the thief's network."""
    key = replace(KEY, ip_list=(), created_at=NOON - DAY)
    gate = Gate.of(account_with(key))
    bound = narrow(key, ip_list=["198.51.100.66"])
    gate.propose(bound, session=gate.give_session(a_session()))
    assert (only(gate).ip_list, only(gate).declared_at) == (("198.51.100.66/32",), NEVER)
    gate.wait(20 * DAY)
    assert (exempts_from(only(gate)) or NOON) > gate.now

    named = gate.propose(narrow(only(gate), price_band_bp=10)).action_id
    gate.prove(named, SYNCED)
    assert exempts_from(only(gate)) == gate.now


def test_one_of_several_members_exempts_no_key_from_anything() -> None:
    """Prevents: a member who binds a key to their own network, and trades at any rate by it."""
    free = replace(KEY, ip_list=(), created_at=NOON - DAY)
    gate = Gate.of(replace(company(), api_keys=(free,)))
    asks(gate, narrow(free, ip_list=["198.51.100.66"]))
    assert (only(gate).ip_list, only(gate).declared_at) == (("198.51.100.66/32",), NEVER)

    alone = Gate.of(replace(company(quorum=Quorum()), api_keys=(free,)))
    asks(alone, narrow(free, ip_list=["198.51.100.66"]))
    assert exempts_from(only(alone)) == alone.now


def test_what_widens_a_key_was_proved_and_has_waited() -> None:
    gate = Gate.of(account_with(replace(KEY, declared_at=NEVER)))
    gate.prove(gate.propose(widen(price_band_bp=200)).action_id, SYNCED)
    gate.wait(DAY)
    gate.settle()

    assert (only(gate).price_band_bp, only(gate).declared_at) == (200, 0)


def test_what_is_more_does_not_pass_as_less() -> None:
    gate = Gate.of(account_with())
    refused = gate.propose(narrow(price_band_bp=200), session=gate.give_session(a_session()))

    assert (refused.answer, Reason.NOT_TIGHTER in reasons(refused.requirement)) == (
        Answer.DENY,
        True,
    )
    assert only(gate) == KEY


def test_widening_waits_a_day_and_can_be_vetoed() -> None:
    gate = Gate.of(account_with())
    held = gate.prove(gate.propose(widen(price_band_bp=200)).action_id, SYNCED)
    assert (held.answer, only(gate)) == (Answer.HOLD, KEY)
    gate.wait(DAY)
    gate.settle()
    assert only(gate).price_band_bp == 200

    named = gate.propose(widen(price_band_bp=300)).action_id
    gate.prove(named, SYNCED)
    gate.veto(named, EMAIL)
    gate.wait(DAY)
    gate.settle()
    assert only(gate).price_band_bp == 200


def test_a_list_that_a_key_came_to_have_is_not_dropped_by_what_was_asked_for_before() -> None:
    """Prevents: of two changes that wait at once the later one, which frees the key from it."""
    free = replace(KEY, ip_list=(), created_at=NOON - DAY, used_on=0)
    gate = Gate.of(account_with(free))
    bound, more = (
        asked("widen", free, **said)
        for said in ({"ip_list": ["203.0.113.7"], "pairs": []}, {"price_band_bp": 200})
    )
    for payload in (bound, more):
        gate.prove(gate.propose(payload).action_id, SYNCED)
        gate.wait(timedelta(minutes=1))
    gate.wait(DAY)
    gate.settle()

    assert (only(gate).ip_list, only(gate).price_band_bp) == (("203.0.113.7/32",), 200)


def test_whoever_narrows_a_key_wants_nothing_of_what_would_widen_it() -> None:
    gate = Gate.of(
        account_with(KEY, replace(KEY, api_key_id=ApiKeyId("key_two"), public_key="T" * 43))
    )
    one, two = widen(price_band_bp=200), replace(widen(price_band_bp=200), api_key_id="key_two")
    named = [gate.propose(each).action_id for each in (one, two)]
    for action in named:
        gate.prove(action, SYNCED)
    gate.propose(narrow(price_band_bp=10), session=gate.give_session(a_session()))

    assert [gate.is_open(action) for action in named] == [False, True]
    gate.wait(DAY)
    gate.settle()
    assert [key.price_band_bp for key in gate.account.api_keys] == [10, 200]


@pytest.mark.parametrize("payload", [widen(price_band_bp=200), narrow(price_band_bp=1)])
def test_a_key_that_is_not_there_is_told_as_gone(payload: ApiKeyWiden | ApiKeyNarrow) -> None:
    said = Gate.of(an_account()).propose(payload)

    assert (said.answer, Reason.TARGET_GONE in reasons(said.requirement)) == (Answer.DENY, True)


@pytest.mark.parametrize("kind", ["narrow", "widen"])
@pytest.mark.parametrize(("later", "gone"), [(timedelta(0), True), (-timedelta(seconds=1), False)])
def test_a_key_that_lapsed_unbound_is_bound_no_more(
    kind: str, later: timedelta, *, gone: bool
) -> None:
    """Prevents: an old key in a repository, that a stolen session narrows to the thief's address.

    It was used of late, and so lives again as soon as it names any.
    """
    unbound = replace(KEY, ip_list=())
    key = replace(unbound, created_at=NOON - API_KEY_UNBOUND_LIFETIME - later)
    gate = Gate.of(account_with(key))
    payload = asked(kind, key, ip_list=["198.51.100.6"])
    said = gate.propose(payload, session=gate.give_session(a_session()))

    assert (Reason.TARGET_GONE in reasons(said.requirement)) is gone
    assert (lapses_at(only(gate), lapses=LONGEST) <= NOON) is gone


def test_a_key_that_a_newcomer_widened_ends_with_it() -> None:
    gate = Gate.of(account_with())
    gate.prove(gate.propose(widen(price_band_bp=900)).action_id, THIEFS)
    gate.wait(DAY)
    gate.settle()
    assert only(gate).price_band_bp == 900

    assert gate.repudiate("act", target="aut_thief", channel=DESKTOP).answer is Answer.ALLOW
    assert gate.account.api_keys == ()


@pytest.mark.parametrize(
    ("before", "said", "ends"),
    [((), {"ip_list": ["198.51.100.66"]}, True), (KEY.ip_list, {"price_band_bp": 10}, False)],
)
def test_a_key_that_a_newcomer_had_exempt_its_orders_ends_with_it(
    before: tuple[str, ...], said: dict[str, object], ends: bool
) -> None:
    """Prevents: a stolen key on the thief's network, which trades at any rate when he is undone."""
    key = replace(KEY, ip_list=before, created_at=NOON - DAY)
    gate = Gate.of(account_with(key))
    gate.prove(gate.propose(asked("narrow", key, **said)).action_id, THIEFS)
    assert only(gate).ip_list != ()

    assert gate.repudiate("act", target="aut_thief", channel=DESKTOP).answer is Answer.ALLOW
    assert (gate.account.api_keys == ()) is ends
