"""From an account and an action to facts: what counts, and what does not."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from support.asked import KNOWN, an_action, at_hand, facts_of
from support.cast import (
    ALICE,
    ALICES_LAPTOP,
    DAY,
    HOUR,
    INSTANT,
    MALLORYS_LAPTOP,
    NEW_ADDRESS,
    NOON,
    OLD_ADDRESS,
)
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_passkey,
    an_account,
    bind,
    destination_id,
    list_address,
    make_key,
    remove,
    send,
    sign_in,
)

from twinlock.domain.account import Account, ActionState, ApiKey, OpenAction, Shown
from twinlock.domain.actions import AnyPayload, NotBuilt
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bounds import (
    API_KEY_UNUSED_LIFETIME,
    API_KEYS_MOST,
    AUTHENTICATORS_MOST,
    DESTINATIONS_MOST,
    MAX_VALUE_CENTS,
    OPEN_ACTIONS_MOST,
)
from twinlock.domain.freezes import Freeze, freezes_as, weak_root
from twinlock.domain.holds import Hold
from twinlock.domain.ids import ActionId, ApiKeyId, DestinationId
from twinlock.domain.limits import Spent
from twinlock.domain.policy.facts import DestinationState, Within

# --- Money and destinations ---


def test_an_exit_without_a_fee_is_worth_its_amount() -> None:
    free = replace(send(50), max_fee_minor="0")

    assert facts_of(an_action(free)).value_cents == 49_99


def test_an_exit_is_worth_the_higher_of_list_and_platform() -> None:
    assert facts_of(an_action(send(50))).value_cents == 50_00
    assert facts_of(an_action(send(50), claimed_cents=60_00)).value_cents == 60_01
    assert facts_of(an_action(sign_in(), claimed_cents=60_00)).value_cents == 0


def test_no_figure_makes_a_known_value_unknown() -> None:
    """Prevents: an application that was taken over, and lifts a limit by the highest figure."""
    highest = {"claimed_cents": MAX_VALUE_CENTS}
    listed = facts_of(an_action(send(50), **highest))
    fee_unknown = facts_of(an_action(replace(send(50), asset="XRP", network="xrpl", contract="")))

    assert listed.value_cents == MAX_VALUE_CENTS - 1
    assert fee_unknown.value_cents == MAX_VALUE_CENTS


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, DestinationState.USABLE),
        ({"removed": True}, DestinationState.REMOVED),
        ({"address": NEW_ADDRESS}, DestinationState.NEW),
        ({"network": "tron"}, DestinationState.NEW),
        ({"memo": "1"}, DestinationState.NEW),
    ],
)
def test_only_the_destination_that_the_payload_names_is_known(
    changes: dict[str, Any], state: DestinationState
) -> None:
    """Prevents: a service that puts another destination at hand than the one that is signed."""
    assert facts_of(an_action(send()), **at_hand(**changes)).destination is state


@pytest.mark.parametrize(
    ("other", "state"),
    [
        (an_action(list_address(OLD_ADDRESS), SYNCED), DestinationState.WAITING),
        (an_action(list_address(OLD_ADDRESS)), DestinationState.NEW),
        (an_action(list_address(NEW_ADDRESS), SYNCED), DestinationState.NEW),
        (an_action(send(), SYNCED), DestinationState.NEW),
    ],
)
def test_a_destination_waits_once_its_listing_is_proved(
    other: OpenAction, state: DestinationState
) -> None:
    account = replace(an_account(), actions=(other,))

    assert facts_of(an_action(send()), account).destination is state


@pytest.mark.parametrize(
    ("budget", "spent", "left"),
    [
        (90_00, Spent(), 90_00),
        (90_00, Spent(day="2026-01-15", cents=40_00), 50_00),
        (90_00, Spent(day="2026-01-15", cents=100_00), 0),
        (90_00, Spent(day="2026-01-14", cents=40_00), 90_00),
        (900_00, Spent(), 900_00),
        (10**13, Spent(), MAX_VALUE_CENTS),
    ],
)
def test_a_budget_is_what_is_left_of_the_day(budget: int, spent: Spent, left: int) -> None:
    facts = facts_of(an_action(send()), **at_hand(budget_cents=budget, spent=spent))

    assert facts.budget_left_cents == left
    today = spent.day == "2026-01-15"
    assert facts.destination_day_cents == (spent.cents if today else 0)


YES = {"state": ActionState.AUTHORIZED, "value_cents": 30_00}


@pytest.mark.parametrize(
    ("changes", "day", "cents"),
    [
        ({}, Spent(day="2026-01-15", cents=40_00), 40_00),
        ({}, Spent(day="2026-01-14", cents=40_00), 0),
        (YES | {"authorized_at": NOON}, Spent(day="2026-01-15", cents=40_00), 10_00),
        (YES | {"authorized_at": NOON - DAY}, Spent(day="2026-01-15", cents=40_00), 40_00),
        ({}, Spent(day="2026-01-15", cents=3 * MAX_VALUE_CENTS), MAX_VALUE_CENTS),
    ],
)
def test_the_days_sum_is_that_of_the_other_exits(
    changes: dict[str, Any], day: Spent, cents: int
) -> None:
    account = replace(an_account(), spent=day)

    assert facts_of(an_action(send(), **changes), account).day_cents == cents


@pytest.mark.parametrize(("asked", "cents"), [(10_00, 10_00), (10**30, MAX_VALUE_CENTS)])
def test_a_budget_beyond_every_sum_counts_as_the_highest(asked: int, cents: int) -> None:
    assert facts_of(an_action(list_address(NEW_ADDRESS, budget_cents=asked))).budget_cents == cents


# --- Room ---


def some(count: int) -> tuple[OpenAction, ...]:
    return tuple(an_action(send(), action_id=ActionId(f"act_{n}")) for n in range(count))


@pytest.mark.parametrize(
    ("account", "payload", "full"),
    [
        (replace(an_account(), actions=some(OPEN_ACTIONS_MOST - 1)), send(), False),
        (replace(an_account(), actions=some(OPEN_ACTIONS_MOST)), send(), True),
        (replace(an_account(), actions=some(OPEN_ACTIONS_MOST)), FREEZE, False),
        (replace(an_account(), actions=some(OPEN_ACTIONS_MOST)), sign_in(), False),
        (an_account(*[SYNCED] * (AUTHENTICATORS_MOST - 1)), bind(ROAMING)[0], False),
        (an_account(*[SYNCED] * AUTHENTICATORS_MOST), bind(ROAMING)[0], True),
        (an_account(*[SYNCED] * AUTHENTICATORS_MOST), send(), False),
    ],
)
def test_an_account_is_full_when_it_holds_the_most_of_something(
    account: Account, payload: AnyPayload, full: bool
) -> None:
    made = an_action(payload, secret=bind(ROAMING)[1])

    assert facts_of(made, account).too_many is full


@pytest.mark.parametrize(
    ("count", "secret", "full"),
    [
        (DESTINATIONS_MOST - 1, "dst_new", False),
        (DESTINATIONS_MOST, "dst_new", True),
        (DESTINATIONS_MOST, "dst_0", False),
    ],
)
def test_a_full_list_takes_no_new_destination_and_an_old_one_again(
    count: int, secret: str, full: bool
) -> None:
    known = {DestinationId(f"dst_{n}"): 1 for n in range(count)}
    account = replace(an_account(), destinations=known)
    action = an_action(list_address(NEW_ADDRESS), secret=secret)

    assert facts_of(action, account).too_many is full


@pytest.mark.parametrize(("count", "full"), [(API_KEYS_MOST - 1, False), (API_KEYS_MOST, True)])
def test_an_account_has_so_many_api_keys(count: int, full: bool) -> None:
    key = ApiKey(
        api_key_id=ApiKeyId("key_1"),
        public_key="",
        scopes=(),
        ip_list=(),
        destinations=(),
        daily_cents=0,
        created_at=NOON,
    )
    account = replace(an_account(), api_keys=(key,) * count)

    assert facts_of(an_action(make_key("read")), account).too_many is full
    old = replace(key, created_at=NOON - API_KEY_UNUSED_LIFETIME)
    account = replace(account, api_keys=(old, *account.api_keys[1:]))
    assert facts_of(an_action(make_key("read")), account).too_many is False


# --- The rest ---


@pytest.mark.parametrize(
    ("bound", "target", "left"),
    [
        ((PASSWORD, SYNCED), SYNCED, True),
        ((PASSWORD, SYNCED), PASSWORD, True),
        ((APP, SYNCED), SYNCED, False),
        ((PASSWORD, APP), PASSWORD, False),
        ((SYNCED,), SYNCED, False),
    ],
)
def test_an_app_alone_is_no_way_in(
    bound: tuple[Authenticator, ...], target: Authenticator, left: bool
) -> None:
    assert facts_of(an_action(remove(target)), an_account(*bound)).way_in_left is left


@pytest.mark.parametrize(("device", "new"), [(ALICES_LAPTOP, False), (MALLORYS_LAPTOP, True)])
def test_a_device_is_new_until_it_has_signed_in(device: str, new: bool) -> None:
    assert facts_of(an_action(sign_in(device))).new_device is new


def test_what_stops_the_account_is_a_fact() -> None:
    hold = Hold(because="password.change", placed_at=NOON - HOUR, ends_at=NOON + DAY)
    freeze = Freeze(until=NOON + HOUR, set_at=NOON, weak={"mailbox": NOON - DAY})
    account = replace(an_account(enrolling_until=NOON + INSTANT), holds=(hold,), freeze=freeze)
    facts = facts_of(an_action(FREEZE, EMAIL), account)

    assert (facts.held_until, facts.frozen_until, facts.frozen_at) == (
        NOON + DAY,
        NOON + HOUR,
        NOON,
    )
    assert facts.weak_freeze_at == NOON - DAY
    assert facts.enrolling


def test_what_an_api_key_may_do_is_a_fact() -> None:
    key = make_key("read", "withdraw", ip_list=("::1", "::2"), destinations=("dst_1",))
    facts = facts_of(an_action(key))

    assert (facts.scopes, facts.ip_list, facts.key_destinations) == (("read", "withdraw"), 2, 1)


def test_a_payload_without_its_fields_is_not_built() -> None:
    named = NotBuilt(account=ALICE, asked="withdrawal.crypto", digest="")

    assert not facts_of(an_action(named)).built
    assert facts_of(an_action(send())).built


@pytest.mark.parametrize(
    ("roots", "name"),
    [((), "knowledge"), (("phone",), "phone"), (("roaming:aut_1", "roaming:aut_2"), "roaming")],
)
def test_a_freeze_below_the_floor_is_remembered_by_its_root(
    roots: tuple[str, ...], name: str
) -> None:
    assert weak_root(roots) == name


@pytest.mark.parametrize(
    ("roots", "factors", "name"),
    [
        (("phone",), {Factor.EMAIL_CODE}, "mailbox"),
        (("phone",), {Factor.EMAIL_CODE, Factor.PASSWORD, Factor.SESSION}, "mailbox"),
        (("phone",), {Factor.EMAIL_CODE, Factor.SMS_CODE}, "phone"),
        (("phone",), {Factor.SMS_CODE}, "phone"),
        (("phone",), {Factor.TOTP}, "phone"),
        (("phone",), {Factor.PASSWORD, Factor.RECOVERY_CODE}, "phone"),
        (("phone", "roaming:aut_1"), {Factor.PASSKEY, Factor.EMAIL_CODE}, "phone"),
        (("desktop",), {Factor.EMAIL_CODE}, "desktop"),
        ((), {Factor.PASSWORD}, "knowledge"),
    ],
)
def test_a_freeze_from_a_mailbox_is_the_mailbox_s(
    roots: tuple[str, ...], factors: set[Factor], name: str
) -> None:
    assert freezes_as(roots, factors) == name


def test_facts_are_those_of_the_state_that_is_given() -> None:
    gate = Gate.of(an_account(), KNOWN)
    decision = gate.propose(send())

    assert decision.facts is not None
    assert decision.facts.destination is DestinationState.USABLE
    assert destination_id("ethereum", OLD_ADDRESS, "") == KNOWN.destination_id


# --- What stands in the account, one for one ---


def test_a_fee_is_worth_a_cent_at_least() -> None:
    smallest = replace(send(50), max_fee_minor="1")

    assert facts_of(an_action(smallest)).value_cents == 50_00


def test_what_is_no_exit_has_no_sums_and_no_budget() -> None:
    for payload in (FREEZE, sign_in(), list_address(NEW_ADDRESS, budget_cents=0)):
        facts = facts_of(an_action(payload), **at_hand(budget_cents=90_00))

        assert (facts.destination, facts.budget_cents) == (DestinationState.NONE, 0)
        assert (facts.budget_left_cents, facts.destination_day_cents) == (0, 0)


def test_a_new_destination_has_no_sums() -> None:
    facts = facts_of(an_action(send(to=NEW_ADDRESS)))

    assert (facts.budget_left_cents, facts.destination_day_cents) == (0, 0)


def test_a_sum_that_is_all_its_own_leaves_nothing_of_others() -> None:
    own = an_action(send(), authorized_at=NOON, value_cents=30_00)
    account = replace(an_account(), spent=Spent(day="2026-01-15", cents=30_00))

    assert facts_of(own, account).day_cents == 0


@pytest.mark.parametrize(("listed", "others"), [(KNOWN.destination_id, 10_00), (None, 40_00)])
def test_only_what_was_charged_to_a_destination_is_taken_off_its_sum(
    listed: DestinationId | None, others: int
) -> None:
    """Prevents: what was allowed before its destination was listed, taken off what others sent."""
    own = an_action(send(), authorized_at=NOON, value_cents=30_00, destination_id=listed)
    facts = facts_of(own, **at_hand(spent=Spent(day="2026-01-15", cents=40_00)))

    assert facts.destination_day_cents == others


def test_a_listing_is_found_behind_other_actions() -> None:
    others = (an_action(send(to=NEW_ADDRESS), SYNCED), an_action(list_address(OLD_ADDRESS), SYNCED))
    account = replace(an_account(), actions=others)

    assert facts_of(an_action(send()), account).destination is DestinationState.WAITING


def test_what_was_promised_and_what_the_owner_chose_are_facts() -> None:
    account = replace(an_account(), destinations_required=True)
    facts = facts_of(an_action(send(), SYNCED, until=NOON + DAY), account)

    assert (facts.promised_until, facts.destinations_required) == (NOON + DAY, True)
    assert not facts_of(an_action(send())).destinations_required


def test_the_last_exit_is_an_instant_in_utc() -> None:
    account = replace(an_account(), last_exit_at=int((NOON - DAY).timestamp()))
    facts = facts_of(an_action(send()), account)

    assert facts.last_exit_at == NOON - DAY
    assert facts.last_exit_at is not None
    assert facts.last_exit_at.tzinfo is UTC
    assert facts_of(an_action(send())).last_exit_at is None


def test_two_roots_are_heard_on_any_channel() -> None:
    """Law 4: two keys of one kind, and a channel on such a machine: each hears of the other."""
    desks = [a_passkey(name, placement=Placement.DESKTOP) for name in ("aut_one", "aut_two")]
    account = an_account(PASSWORD, *desks, channels=(DESKTOP,))

    assert facts_of(an_action(send(), desks[0]), account).narrow
    assert not facts_of(an_action(send(), *desks), account).narrow
    silent = replace(account, channels=())
    assert facts_of(an_action(send(), *desks), silent).narrow


# --- Beside an API key ---

A_KEY = ApiKey(
    api_key_id=ApiKeyId("key_1"),
    public_key="K" * 43,
    scopes=("withdraw",),
    ip_list=("203.0.113.7/32",),
    destinations=(KNOWN.destination_id,),
    daily_cents=900_00,
    created_at=NOON - DAY,
    proved_by=(Factor.PASSKEY,),
)


@pytest.mark.parametrize(
    ("ip", "proved_at"),
    [
        pytest.param(Within.INSIDE, NOON, id="within its powers the wait runs from its signature"),
        pytest.param(Within.OUTSIDE, NOON + HOUR, id="beyond them from what people showed"),
    ],
)
def test_a_wait_runs_from_what_is_worth_something(ip: Within, proved_at: datetime) -> None:
    by_key = Shown(
        source="key_1",
        factor=Factor.API_KEY,
        root=None,
        bound_at=NOON - DAY,
        at=NOON,
        entry=0,
        ip=ip,
    )
    by_hand = an_action(send(), SYNCED).shown[0]
    shown = (by_key, replace(by_hand, at=NOON + HOUR))
    account = replace(an_account(PASSWORD, SYNCED), api_keys=(A_KEY,))
    action = an_action(send(), proved_at=NOON, shown=shown, until=NOON + DAY)

    assert facts_of(action, account, now=NOON + HOUR, **at_hand()).proved_at == proved_at
