"""The extortionist who says no to everything, until he is paid.

Has: Alice's mailbox. Wants: that nothing about her account can be changed, nor money leave it,
until she pays. Is stopped by law 5: his second no against the same change is a contest, which her
other key decides, and then nobody hears him for a month. Leaves behind: at most 14 days in
90 in which nothing leaves; where Alice has no third authenticator, her changes wait for one.
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, MALLORYS_ADDRESS, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    DESKTOP_KEY,
    EMAIL,
    LIFT,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    change_contact,
    list_address,
    remove,
    send,
)

from twinlock.domain.account import Account
from twinlock.domain.actions import AnyPayload
from twinlock.domain.events import ContestOpened, DestinationAdded
from twinlock.domain.ids import DestinationId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never
from twinlock.domain.room import bytes_that_last

LIST = list_address(NEW_ADDRESS)


def owner(*, account: Account | None = None) -> Gate:
    made = account or an_account(PASSWORD, SYNCED, ROAMING, DESKTOP_KEY)
    return Gate.of(made, a_destination())


def asks(gate: Gate, payload: AnyPayload = LIST, *, secret: str = "") -> str:
    action = gate.propose(payload, secret).action_id
    if gate.is_open(action):
        gate.prove(action, ROAMING)
    return action


def listed(gate: Gate) -> set[DestinationId]:
    return set(gate.destinations) - {a_destination().destination_id}


def test_who_vetoes_everything_is_outvoted_by_a_third_key_and_then_not_heard() -> None:
    gate = owner()
    gate.veto(asks(gate), EMAIL)
    second = asks(gate)
    gate.veto(second, EMAIL)
    gate.wait(2 * DAY)
    assert gate.prove(second, DESKTOP_KEY).answer is Answer.ALLOW
    assert listed(gate)

    gone, secret = change_contact(EMAIL, None)
    removal = asks(gate, gone, secret=secret)  # And so his mailbox goes.
    assert gate.veto(removal, EMAIL).requirement == Never(code=Reason.NOT_ENTITLED)
    gate.wait(3 * DAY)
    gate.settle()
    assert gate.account.channel(EMAIL.channel_id) is None


@pytest.mark.parametrize("label", ["", "savings", "my own wallet"])
def test_no_other_name_makes_it_another_change(label: str) -> None:
    gate = owner()
    gate.veto(asks(gate), EMAIL)
    again = asks(gate, replace(LIST, label=label, budget_cents=1))
    gate.veto(again, EMAIL)

    assert gate.is_open(again)
    assert gate.account.disputes.contest is not None


def test_without_a_third_key_nothing_changes_and_money_leaves_all_the_same() -> None:
    """He holds exits for a fortnight once, and not again within 90 days."""
    gate = owner(account=an_account(PASSWORD, ROAMING))
    held = 0
    for _ in range(90):
        action = asks(gate)
        if gate.is_open(action):
            gate.veto(action, EMAIL)
        gate.wait(DAY / 2)
        paid = gate.propose(send(1)).action_id
        left = gate.is_open(paid) and gate.prove(paid, ROAMING).answer is Answer.ALLOW
        held += not (left and gate.spend(paid).answer is Answer.ALLOW)
        gate.wait(DAY / 2)
        gate.settle()

    assert held == 14
    assert not listed(gate)


def test_saying_no_to_it_all_day_opens_one_contest_and_fills_nothing() -> None:
    """The flood: he vetoes every change there is, again and again, to fill her account."""
    gate = owner()
    before = bytes_that_last(gate.account)
    for number in range(40):
        action = asks(gate, list_address(f"0x{number % 3:040x}"))
        if gate.is_open(action):
            gate.veto(action, EMAIL)
        gate.wait(HOUR)
    opened = [
        event
        for _, decided, _ in gate.book
        for one in decided.decisions
        for event in one.events
        if isinstance(event, ContestOpened)
    ]

    assert len(opened) == 1
    assert len(gate.account.disputes.objections) <= 4
    waits = [one for one in gate.account.actions if one.proved_at is not None]
    assert bytes_that_last(replace(gate.account, actions=())) <= before
    assert len(waits) <= 1


def test_a_thief_s_two_nos_are_no_way_to_a_yes() -> None:
    """Mallory has one key, and contests her own proposal to be rid of the owner's veto."""
    gate = owner()
    hers = replace(a_session("ses_mallory"), by=(ROAMING.entry,))
    signed = gate.give_session(hers)
    payload = list_address(MALLORYS_ADDRESS)
    gate.veto(asks(gate, payload), session=signed)
    action = asks(gate, payload)
    gate.veto(action, session=signed)
    assert gate.account.disputes.contest is not None
    assert gate.veto(action, DESKTOP).answer is Answer.ALLOW
    gate.wait(20 * DAY)
    gate.settle()

    assert not listed(gate)


# --- Who is honest ---


def test_the_owner_who_vetoes_a_thief_twice_wins() -> None:
    """Mallory has the key that Alice lost. Alice has her mailbox only, and says no each time."""
    gate = owner(account=an_account(PASSWORD, ROAMING))
    for _ in range(90):
        action = asks(gate, list_address(MALLORYS_ADDRESS))
        if gate.is_open(action):
            gate.veto(action, EMAIL)
        gate.wait(DAY)
        gate.settle()

    assert not listed(gate)
    events = (one for _, decided, _ in gate.book for one in decided.decisions)
    assert not any(isinstance(e, DestinationAdded) for one in events for e in one.events)


def test_a_thief_who_bound_a_key_of_her_own_is_not_even_contested() -> None:
    young = replace(ROAMING, bound_at=NOON - DAY)
    gate = owner(account=an_account(PASSWORD, SYNCED, young))
    for _ in range(5):
        action = asks(gate, list_address(MALLORYS_ADDRESS))
        gate.veto(action, EMAIL)
        assert not gate.is_open(action)
        gate.wait(HOUR)

    assert gate.account.disputes.contest is None
    assert gate.prove(gate.propose(send(1)).action_id, SYNCED).answer is Answer.ALLOW


def test_a_couple_that_quarrels_makes_up_at_once() -> None:
    """He vetoes her change from his phone twice; she takes it back, and nothing is held."""
    gate = owner()
    his = gate.give_session(replace(a_session("ses_his"), by=(SYNCED.entry,)))
    gate.veto(asks(gate, remove(DESKTOP_KEY)), session=his)
    action = asks(gate, remove(DESKTOP_KEY))
    gate.veto(action, session=his)
    assert gate.propose(send(1)).answer is Answer.DENY
    hers = gate.give_session(replace(a_session("ses_hers"), by=(ROAMING.entry,)))
    assert gate.veto(action, session=hers).answer is Answer.ALLOW

    paid = gate.propose(send(1)).action_id
    assert gate.prove(paid, SYNCED).answer is Answer.ALLOW
    assert gate.account.disputes.contest is None


def test_a_lift_that_was_vetoed_twice_is_decided_like_any_other() -> None:
    """Freezing and vetoing each lift is no lock either, for who has a third key."""
    gate = owner()
    freeze = gate.propose(LIFT.__class__(account=LIFT.account)).action_id
    assert gate.is_open(freeze)
    gate.veto(asks(gate, LIFT), EMAIL)
    action = asks(gate, LIFT)
    gate.veto(action, EMAIL)
    gate.wait(2 * DAY)

    assert gate.prove(action, DESKTOP_KEY).answer is Answer.ALLOW
