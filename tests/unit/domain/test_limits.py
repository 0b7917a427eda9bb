"""The owner's own limits and lock: they bind at once, and give way only after a wait."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, NEW_ADDRESS, NOON, OLD_ADDRESS
from support.gates import Gate
from support.leaving import OTHERS, TETHER
from support.policies import DEFAULT, STRICT, policy_of, with_rules
from support.worlds import (
    APP,
    DESKTOP,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    destination_id,
    list_address,
    remove,
    send,
)

from twinlock.domain.actions import AnyPayload, LimitLower, LimitRaise, LockLoosen, LockTighten
from twinlock.domain.catalogue import ActionType
from twinlock.domain.errors import MalformedError
from twinlock.domain.events import ActionAuthorized
from twinlock.domain.exits import (
    AnyExit,
    CardPay,
    GiftSend,
    TransferInternal,
    WithdrawalCrypto,
)
from twinlock.domain.limits import Limits, SentTo, Spent
from twinlock.domain.listed import Destination
from twinlock.domain.locks import OPEN, Lock
from twinlock.domain.own_drafts import own
from twinlock.domain.policy.leaving import place_mac
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.replay import apply
from twinlock.domain.requirements import Answer, reasons

PROFILES = pytest.mark.parametrize("policy", [DEFAULT, STRICT], ids=["default", "strict"])


THIRD_ADDRESS = "0x" + "3" * 40


def lower(day: int | None = None, to: int | None = None) -> LimitLower:
    return LimitLower(account=ALICE, day_cents=day, destination_cents=to)


def higher(day: int | None = None, to: int | None = None) -> LimitRaise:
    return LimitRaise(account=ALICE, day_cents=day, destination_cents=to)


def lock(days: int, *, two_keys: bool = False) -> LockTighten:
    return LockTighten(account=ALICE, days=days, two_keys=two_keys)


def loosen(days: int = 0, *, two_keys: bool = False) -> LockLoosen:
    return LockLoosen(account=ALICE, days=days, two_keys=two_keys)


def a_gate(policy: Policy = DEFAULT, **changes: object) -> Gate:
    bound = an_account(PASSWORD, SYNCED, ROAMING, APP)
    account = replace(bound, **changes) if changes else bound
    return Gate.of(account, a_destination(OLD_ADDRESS, used_at=NOON), policy=policy)


def done(gate: Gate, payload: AnyPayload, *sources: object) -> Answer:
    return gate.prove(gate.propose(payload).action_id, *sources).answer  # type: ignore[arg-type]  # what is bound


# --- Limits ---


@PROFILES
def test_above_the_owners_limit_nothing_leaves_until_tomorrow(policy: Policy) -> None:
    gate = a_gate(policy, limits=Limits(day_cents=100_00))

    assert done(gate, send(60), SYNCED) is Answer.ALLOW
    refused = gate.propose(send(60))
    assert refused.answer is Answer.DENY
    assert Reason.OWN_LIMIT in reasons(refused.requirement)
    gate.wait(DAY)
    assert done(gate, send(60), SYNCED) is Answer.ALLOW


def test_what_is_above_the_limit_on_any_day_has_no_end() -> None:
    gate = a_gate(limits=Limits(day_cents=100_00))
    never = gate.propose(send(101)).requirement

    assert "2026" not in str(never)


def test_a_limit_for_each_destination_counts_what_went_there() -> None:
    gate = a_gate(limits=Limits(destination_cents=100_00))

    assert done(gate, send(100), SYNCED) is Answer.ALLOW
    assert Reason.OWN_LIMIT in reasons(gate.propose(send(1)).requirement)
    elsewhere = gate.propose(send(1, to=NEW_ADDRESS)).requirement
    assert Reason.OWN_LIMIT not in reasons(elsewhere)


@pytest.mark.parametrize("silent", [False, True])
def test_a_limit_for_each_destination_is_not_passed_by_listing_none(silent: bool) -> None:
    """Prevents: the limit over and over again to one address, as long as it is not listed."""
    gate = a_gate(limits=Limits(destination_cents=100_00))
    exits = [gate.propose(send(60, to=NEW_ADDRESS)).action_id for _ in range(2)]
    for one in exits:
        gate.prove(one, SYNCED, *(() if silent else (ROAMING,)))
    gate.wait(DAY)

    first, second = map(gate.spend, exits)
    assert first.answer is Answer.ALLOW
    assert Reason.OWN_LIMIT in reasons(second.requirement)
    elsewhere = replace(send(60), address=THIRD_ADDRESS)
    assert Reason.OWN_LIMIT in reasons(gate.propose(elsewhere).requirement)
    assert Reason.OWN_LIMIT not in reasons(gate.propose(send(60)).requirement)
    gate.wait(DAY)
    assert Reason.OWN_LIMIT not in reasons(gate.propose(elsewhere).requirement)


def test_a_limit_for_each_destination_is_not_passed_by_all_that_were_removed() -> None:
    """Prevents: a limit for each address that its owner took off the list, once more for each."""
    gone = (a_destination(one, removed=True) for one in (NEW_ADDRESS, THIRD_ADDRESS))
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING), *gone)
    gate.account = replace(gate.account, limits=Limits(destination_cents=100_00))
    first = gate.propose(send(60, to=NEW_ADDRESS)).action_id
    gate.prove(first, SYNCED)
    second = gate.propose(replace(send(60), address=THIRD_ADDRESS)).action_id
    gate.prove(second, SYNCED)
    gate.wait(DAY)

    assert gate.spend(first).answer is Answer.ALLOW
    assert gate.account.unlisted.cents == 60_00
    assert Reason.OWN_LIMIT in reasons(gate.spend(second).requirement)


def test_what_is_not_listed_counts_once_and_at_its_highest() -> None:
    gate = a_gate(policy_of(with_rules()))
    named = gate.propose(send(60, to=NEW_ADDRESS)).action_id
    gate.prove(named, SYNCED, ROAMING)
    assert gate.account.unlisted == Spent(day="2026-01-15", cents=60_00)

    gate.price_list = {**gate.price_list, "USDT": 150}
    gate.spend(named)
    assert gate.account.unlisted == Spent(day="2026-01-15", cents=90_00)
    done(gate, send(10), SYNCED)
    assert gate.account.unlisted == Spent(day="2026-01-15", cents=90_00)
    assert gate.account.spent == Spent(day="2026-01-15", cents=105_00)


def test_a_limit_for_each_destination_is_not_passed_by_a_list_of_memos() -> None:
    """Prevents: one bank account, listed with ten references, and ten limits a day."""
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING), *(listed(memo) for memo in "12"))
    gate.account = replace(gate.account, limits=Limits(destination_cents=100_00))
    assert done(gate, to_memo("1"), SYNCED) is Answer.ALLOW

    assert Reason.OWN_LIMIT in reasons(gate.propose(to_memo("2")).requirement)
    assert Reason.OWN_LIMIT in reasons(gate.propose(to_memo("never listed")).requirement)
    elsewhere = gate.propose(send(60, to=NEW_ADDRESS)).requirement
    assert Reason.OWN_LIMIT not in reasons(elsewhere)
    gate.wait(DAY)
    assert done(gate, to_memo("2"), SYNCED) is Answer.ALLOW


def listed(memo: str) -> Destination:
    known = a_destination(OLD_ADDRESS, used_at=NOON)
    return replace(known, memo=memo, destination_id=destination_id("ethereum", OLD_ADDRESS, memo))


def to_memo(memo: str) -> WithdrawalCrypto:
    return replace(send(60), memo=memo)


def test_what_left_before_a_place_was_listed_counts_on_that_day() -> None:
    """Prevents: the limit of a day twice: before the end of a listing's wait, and after it."""
    gate = a_gate(limits=Limits(destination_cents=100_00))
    before = gate.propose(send(60, to=NEW_ADDRESS)).action_id
    gate.prove(before, SYNCED)
    gate.wait(HOUR)
    gate.prove(gate.propose(list_address(NEW_ADDRESS)).action_id, SYNCED)
    gate.wait(DAY - HOUR)
    assert gate.spend(before).answer is Answer.ALLOW
    gate.wait(HOUR)

    again = gate.propose(send(60, to=NEW_ADDRESS))
    assert gate.destinations[destination_id("ethereum", NEW_ADDRESS, "")].usable_at is not None
    assert Reason.OWN_LIMIT in reasons(again.requirement)
    gate.wait(DAY)
    assert done(gate, send(60, to=NEW_ADDRESS), SYNCED) is Answer.ALLOW


def test_what_was_authorized_and_is_spent_counts_once_at_its_place() -> None:
    gate = a_gate(policy_of(with_rules()))
    named = gate.propose(send(60)).action_id
    gate.prove(named, SYNCED)
    place = place_mac(gate.account, send(60))
    assert gate.account.sent_to == SentTo(day="2026-01-15", cents={place: 60_00})

    gate.price_list = {**gate.price_list, "USDT": 150}
    gate.spend(named)
    assert gate.account.sent_to == SentTo(day="2026-01-15", cents={place: 90_00})

    gate.wait_until(MIDNIGHT - HOUR / 60)
    later = gate.propose(send(10)).action_id
    gate.prove(later, SYNCED)
    assert gate.account.sent_to == SentTo(day="2026-01-15", cents={place: 105_00})
    gate.wait(HOUR / 30)
    gate.spend(later)
    assert gate.account.sent_to == SentTo(day="2026-01-16", cents={place: 15_00})


def test_what_became_cheaper_counts_no_less_once_it_left() -> None:
    gate = a_gate(policy_of(with_rules()))
    named = gate.propose(send(60)).action_id
    gate.prove(named, SYNCED)
    place = place_mac(gate.account, send(60))

    gate.price_list = {**gate.price_list, "USDT": 50}
    gate.spend(named)
    assert gate.account.sent_to == SentTo(day="2026-01-15", cents={place: 60_00})


def test_an_old_exit_without_a_place_counts_as_it_did() -> None:
    """An installation's earlier entries are folded to what they were folded to."""
    gate = a_gate(policy_of(with_rules()))
    named = gate.propose(send(60)).action_id
    gate.prove(named, SYNCED)
    before, decided, _ = gate.book[-1]
    events = [event for one in decided.decisions for event in one.events]
    authorized = next(one for one in events if isinstance(one, ActionAuthorized))

    after = apply(before, replace(authorized, place="")).account
    assert (after.sent_to, after.spent.cents) == (SentTo(), 60_00)


MIDNIGHT = NOON + DAY / 2
GIFT = GiftSend(**TETHER, counterparty="bob")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (send(1), replace(send(1), memo="2"), True),
        (send(1), replace(send(1), network="tron"), True),
        (send(1), send(1, to=NEW_ADDRESS), False),
        (GIFT, GiftSend(**TETHER, counterparty="ann"), False),
        (GIFT, TransferInternal(**TETHER, counterparty="bob"), True),
        (GIFT, CardPay(**TETHER, card="bob"), False),
        (GIFT, send(1, to="bob"), False),
    ],
)
def test_a_place_is_an_address_or_a_name_in_its_own_book(
    one: AnyExit, other: AnyExit, same: bool
) -> None:
    account = an_account()

    assert (place_mac(account, one) == place_mac(account, other)) is same
    assert len(place_mac(account, one)) == len("0123456789")
    elsewhere = replace(account, chain=replace(account.chain, label_key="another"))
    assert place_mac(elsewhere, one) != place_mac(account, one)


@pytest.mark.parametrize("payload", OTHERS)
def test_the_limit_counts_every_exit(payload: AnyPayload) -> None:
    """Prevents: by chain up to the limit, and as much again by gifts."""
    gate = a_gate(limits=Limits(day_cents=100_00))
    done(gate, send(60), SYNCED)

    assert Reason.OWN_LIMIT in reasons(gate.propose(payload).requirement)


def test_what_has_no_price_is_above_every_limit() -> None:
    gate = a_gate(limits=Limits(day_cents=10**11))
    gate.prices_up = False

    assert Reason.OWN_LIMIT in reasons(gate.propose(send(1)).requirement)


def test_lowering_acts_at_once_in_a_session() -> None:
    gate = a_gate()
    signed = gate.give_session(a_session(started_at=NOON))

    assert gate.propose(lower(50_00, 20_00), session=signed).answer is Answer.ALLOW
    assert gate.account.limits == Limits(day_cents=50_00, destination_cents=20_00)


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (Limits(), lower()),
        (Limits(day_cents=5), lower(5)),
        (Limits(day_cents=5), lower(6)),
        (Limits(day_cents=5), lower(None, 1)),
        (Limits(day_cents=5, destination_cents=3), lower(4, 4)),
        (Limits(destination_cents=3), lower(1, None)),
    ],
)
def test_what_lets_more_leave_in_anything_is_no_lowering(before: Limits, asked: LimitLower) -> None:
    gate = a_gate(limits=before)
    refused = gate.propose(asked)

    assert (refused.answer, Reason.NOT_TIGHTER in reasons(refused.requirement)) == (
        Answer.DENY,
        True,
    )
    assert gate.account.limits == before


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (Limits(), lower(0)),
        (Limits(), lower(None, 0)),
        (Limits(day_cents=5), lower(4)),
        (Limits(day_cents=5), lower(5, 1)),
        (Limits(day_cents=5, destination_cents=3), lower(4, 3)),
    ],
)
def test_lowering_lets_less_leave(before: Limits, asked: LimitLower) -> None:
    gate = a_gate(limits=before)

    assert done(gate, asked, SYNCED) is Answer.ALLOW
    assert (gate.account.limits.day_cents, gate.account.limits.destination_cents) == (
        asked.day_cents,
        asked.destination_cents,
    )


@pytest.mark.parametrize(("policy", "hours"), [(DEFAULT, 48), (STRICT, 72)])
def test_a_raise_waits_and_then_stands(policy: Policy, hours: int) -> None:
    gate = a_gate(policy, limits=Limits(day_cents=10_00))

    assert done(gate, higher(500_000_00), SYNCED) is Answer.HOLD
    gate.wait(hours * HOUR - timedelta(seconds=1))
    gate.settle()
    assert gate.account.limits.day_cents == 10_00
    gate.wait(timedelta(seconds=1))
    gate.settle()
    assert gate.account.limits.day_cents == gate.account.limits.announced_cents == 500_000_00


def test_a_vetoed_raise_raises_nothing() -> None:
    gate = a_gate(limits=Limits(day_cents=10_00))
    named = gate.propose(higher(500_000_00)).action_id
    gate.prove(named, SYNCED)
    gate.veto(named, DESKTOP)
    gate.wait(30 * DAY)
    gate.settle()

    assert gate.account.limits == Limits(day_cents=10_00)


@pytest.mark.parametrize("asked", [higher(2_000_00, 1_000_00), higher(None, 5_00), higher(5_00)])
def test_a_lowering_ends_the_raises_that_were_asked_for_before_it(asked: LimitRaise) -> None:
    """Prevents: a limit that its owner lowers in alarm, and that is high again the next day."""
    gate = a_gate(limits=Limits(day_cents=1_000_00, destination_cents=1_000_00))
    before = gate.propose(asked).action_id
    gate.prove(before, SYNCED)
    assert done(gate, lower(10_00, 10_00), SYNCED) is Answer.ALLOW
    after = gate.propose(higher(20_00, 10_00)).action_id
    gate.prove(after, SYNCED)

    assert (gate.is_open(before), gate.is_open(after)) == (False, True)
    gate.wait(30 * DAY)
    gate.settle()
    assert (gate.account.limits.day_cents, gate.account.limits.destination_cents) == (20_00, 10_00)


def test_a_lowering_that_is_refused_ends_nothing() -> None:
    gate = a_gate(limits=Limits(day_cents=10_00))
    named = gate.propose(higher(2_000_00)).action_id
    gate.prove(named, SYNCED)
    gate.propose(lower(20_00))
    gate.propose(lower(5_00))

    assert gate.is_open(named)
    assert gate.account.limits.day_cents == 10_00


def raised(policy: Policy = DEFAULT, cents: int = 500_000_00) -> Gate:
    gate = a_gate(policy)
    done(gate, higher(cents), SYNCED)
    gate.wait(3 * DAY)
    gate.settle()
    return gate


@PROFILES
def test_who_raised_the_limit_days_ahead_pays_for_a_house_with_one_tap(policy: Policy) -> None:
    gate = raised(policy)

    assert done(gate, send(500_000), SYNCED) is Answer.ALLOW
    assert Reason.OWN_LIMIT in reasons(gate.propose(send(1)).requirement)


@PROFILES
def test_without_a_raise_the_platforms_limit_asks_for_a_second_root(policy: Policy) -> None:
    gate = a_gate(policy)

    assert done(gate, send(500_000), SYNCED) is Answer.CHALLENGE
    gate = a_gate(policy)
    done(gate, lower(600_000_00), SYNCED)
    assert done(gate, send(500_000), SYNCED) is Answer.CHALLENGE


def test_what_was_lowered_since_is_announced_no_more() -> None:
    """Prevents: a limit lowered in alarm, whose raise is worth as much as before."""
    gate = raised()
    done(gate, lower(200_000_00), SYNCED)

    assert gate.account.limits.announced_cents == 200_000_00
    done(gate, lower(200_000_00, 1_00), SYNCED)
    assert gate.account.limits.announced_cents == 200_000_00


def test_a_raise_that_lifts_every_limit_announces_no_sum() -> None:
    gate = a_gate(limits=Limits(day_cents=10_00))
    done(gate, higher(None), SYNCED)
    gate.wait(3 * DAY)
    gate.settle()

    assert gate.account.limits == replace(gate.account.limits, day_cents=None, announced_cents=0)
    assert done(gate, send(500_000), SYNCED) is Answer.CHALLENGE


def test_a_raise_counts_no_more_when_what_proved_it_is_repudiated() -> None:
    gate = raised()
    (entry, *_) = gate.account.limits.by
    gate.account = replace(gate.account, doubts=((entry, entry),))

    assert done(gate, send(500_000), SYNCED) is Answer.CHALLENGE


# --- Locks ---


@PROFILES
@pytest.mark.parametrize("payload", [send(), *OTHERS])
def test_a_lock_holds_every_exit_for_its_days(policy: Policy, payload: AnyPayload) -> None:
    gate = a_gate(policy)
    assert done(gate, lock(10), SYNCED) is Answer.ALLOW

    named = gate.propose(payload).action_id
    waits = gate.prove(named, SYNCED, ROAMING)
    assert (waits.answer, Reason.LOCKED in reasons(waits.requirement)) == (Answer.HOLD, True)
    gate.wait(10 * DAY - timedelta(seconds=1))
    assert gate.spend(named).answer is Answer.HOLD


def test_after_its_days_what_was_proved_may_leave() -> None:
    gate = a_gate(lock=Lock(days=10))
    named = gate.propose(send()).action_id
    gate.prove(named, SYNCED)
    gate.wait(10 * DAY)

    assert gate.spend(named).answer is Answer.ALLOW


def test_under_a_lock_a_session_alone_lets_nothing_leave() -> None:
    gate = Gate.of(
        replace(an_account(), lock=Lock(days=1)), a_destination(OLD_ADDRESS, budget_cents=500_00)
    )
    signed = gate.give_session(a_session(started_at=NOON))
    asked = gate.propose(send(1), session=signed)

    assert asked.answer is Answer.HOLD
    gate.wait(DAY)
    assert gate.spend(asked.action_id).answer is Answer.DENY


@pytest.mark.parametrize("payload", [list_address(NEW_ADDRESS), remove(APP), higher(1)])
def test_a_lock_holds_whatever_loosens(payload: AnyPayload) -> None:
    gate = a_gate(lock=Lock(days=20))
    named = gate.propose(payload).action_id
    gate.prove(named, SYNCED)
    gate.wait(20 * DAY - timedelta(seconds=1))
    gate.settle()
    assert gate.is_open(named)
    gate.wait(timedelta(seconds=1))
    gate.settle()
    assert not gate.is_open(named)


def test_two_keys_spare_the_wait_where_the_lock_says_so() -> None:
    gate = a_gate(lock=Lock(days=30, two_keys=True))

    one = gate.prove(gate.propose(send()).action_id, SYNCED)
    two = gate.prove(gate.propose(send()).action_id, SYNCED, ROAMING)
    assert (one.answer, two.answer) == (Answer.CHALLENGE, Answer.ALLOW)


@PROFILES
@pytest.mark.parametrize("asked", [loosen(), loosen(1, two_keys=True)])
def test_two_keys_spare_a_lock_nothing_of_its_own_delay(policy: Policy, asked: LockLoosen) -> None:
    """Prevents: a month's lock that whoever once has both keys ends in a day."""
    before = Lock(days=30, two_keys=True)
    gate = a_gate(policy, lock=before)
    waits = gate.prove(gate.propose(asked).action_id, SYNCED, ROAMING)
    assert (waits.answer, Reason.LOCKED in reasons(waits.requirement)) == (Answer.HOLD, True)
    gate.wait(30 * DAY - timedelta(seconds=1))
    gate.settle()
    assert gate.account.lock == before
    gate.wait(timedelta(seconds=1))
    gate.settle()

    assert gate.account.lock == Lock(days=asked.days, two_keys=asked.two_keys)


def test_a_strict_lock_spares_nobody() -> None:
    gate = a_gate(lock=Lock(days=30))

    assert done(gate, send(), SYNCED, ROAMING) is Answer.HOLD


@pytest.mark.parametrize(("days", "allowed"), [(1, True), (3, True), (4, False), (30, False)])
def test_a_session_alone_sets_a_short_lock_only(days: int, allowed: bool) -> None:
    """Prevents: a stolen laptop that locks its owner out of a month."""
    gate = a_gate()
    asked = gate.propose(lock(days), session=gate.give_session(a_session(started_at=NOON)))

    assert (asked.answer is Answer.ALLOW) is allowed
    assert gate.account.lock == (Lock(days=days) if allowed else OPEN)
    if not allowed:
        assert gate.prove(asked.action_id, SYNCED).answer is Answer.ALLOW


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (Lock(days=5), lock(4)),
        (Lock(days=5), lock(5)),
        (Lock(days=5), lock(6, two_keys=True)),
        (Lock(days=5, two_keys=True), lock(5, two_keys=True)),
        (Lock(days=5, two_keys=True), lock(4)),
    ],
)
def test_what_spares_anybody_more_is_no_tightening(before: Lock, asked: LockTighten) -> None:
    gate = a_gate(lock=before)

    assert Reason.NOT_TIGHTER in reasons(gate.propose(asked).requirement)
    assert gate.account.lock == before


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (OPEN, lock(1, two_keys=True)),
        (Lock(days=5), lock(6)),
        (Lock(days=5, two_keys=True), lock(5)),
        (Lock(days=5, two_keys=True), lock(6, two_keys=True)),
    ],
)
def test_a_lock_is_tightened_at_once(before: Lock, asked: LockTighten) -> None:
    gate = a_gate(lock=before)

    assert done(gate, asked, SYNCED) is Answer.ALLOW
    assert gate.account.lock == Lock(days=asked.days, two_keys=asked.two_keys)


@PROFILES
def test_a_lock_ends_after_its_own_delay_and_holds_exits_then(policy: Policy) -> None:
    gate = a_gate(policy, lock=Lock(days=12))
    named = gate.propose(loosen()).action_id
    gate.prove(named, SYNCED, ROAMING)
    gate.wait(12 * DAY - timedelta(seconds=1))
    gate.settle()
    assert gate.account.lock == Lock(days=12)
    gate.wait(timedelta(seconds=1))
    gate.settle()

    assert gate.account.lock == OPEN
    assert Reason.EXITS_HELD in reasons(gate.propose(send()).requirement)


def test_a_lock_loosened_while_another_loosening_waits_takes_each_its_own_delay() -> None:
    gate = a_gate(lock=Lock(days=10))
    first = gate.propose(loosen(2)).action_id
    gate.prove(first, SYNCED)
    gate.wait(9 * DAY)
    second = gate.propose(loosen(0)).action_id
    gate.prove(second, SYNCED)
    gate.wait(DAY)
    gate.settle()
    assert (gate.account.lock, gate.is_open(second)) == (Lock(days=2), True)
    gate.wait(9 * DAY - timedelta(seconds=1))
    gate.settle()
    assert gate.account.lock == Lock(days=2)
    gate.wait(timedelta(seconds=1))
    gate.settle()
    assert gate.account.lock == OPEN


def test_tightening_meanwhile_makes_the_waiting_loosening_wait_as_long() -> None:
    """Prevents: a short lock on its way out, that ends the long one set in alarm."""
    gate = a_gate(lock=Lock(days=2))
    gate.prove(gate.propose(loosen(0)).action_id, SYNCED)
    gate.wait(DAY)
    assert done(gate, lock(20), ROAMING) is Answer.ALLOW
    gate.wait(2 * DAY)
    gate.settle()

    assert gate.account.lock == Lock(days=20)


def test_freezing_and_tightening_go_on_under_a_lock() -> None:
    gate = a_gate(lock=Lock(days=30))

    assert done(gate, lower(0), SYNCED) is Answer.ALLOW


# --- Drafts ---


def test_what_a_draft_leaves_out_stays_as_it_is() -> None:
    account = replace(an_account(), limits=Limits(day_cents=5, destination_cents=3))

    assert own(ActionType.LIMIT_LOWER, {"day_cents": 4}, account) == lower(4, 3)
    assert own(ActionType.LIMIT_RAISE, {"destination_cents": None}, account) == higher(5, None)
    assert own(ActionType.LOCK_TIGHTEN, {"days": 1}, account) == lock(1)
    assert own(ActionType.LOCK_LOOSEN, {"days": 0}, account) == loosen()


@pytest.mark.parametrize(
    ("kind", "draft"),
    [
        ("limit.raise", {"day_cents": -1}),
        ("limit.raise", {"day_cents": 10**12 + 1}),
        ("limit.lower", {"day_cents": "5"}),
        ("limit.lower", {"day_cents": 1.5}),
        ("limit.lower", {"more": 1}),
        ("lock.tighten", {"days": 0}),
        ("lock.tighten", {"days": 31}),
        ("lock.tighten", {}),
        ("lock.loosen", {"days": -1}),
        ("lock.loosen", {"days": 1, "two_keys": 1}),
    ],
)
def test_a_draft_of_another_form_is_refused(kind: str, draft: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        own(kind, draft, an_account())


def test_a_password_alone_raises_nothing_where_more_is_bound() -> None:
    assert done(a_gate(), higher(1), PASSWORD) is not Answer.ALLOW
