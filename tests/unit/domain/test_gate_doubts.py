"""What was repudiated and proves again: a weak word takes a password for 72 hours and no more."""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, NEW_ADDRESS, NOON
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    a_passkey,
    an_account,
    bind,
    change_password,
    list_address,
    reset_password,
)

from twinlock.domain.authenticators.model import Authenticator, Password
from twinlock.domain.bounds import WEAK_FREEZE_LENGTH
from twinlock.domain.channels import Channel
from twinlock.domain.ids import ChannelId
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.leaving import state_of

YOUNG = replace(PASSWORD, bound_at=NOON - 10 * DAY, entry=50)
OTHER = replace(EMAIL, channel_id=ChannelId("chn_other"), address="o@alice.example", bound_at=NOON)


def doubted_word(*also: Authenticator) -> Gate:
    """Have a mailbox say "not me" of the owner's own password of ten days ago."""
    gate = Gate.of(an_account(YOUNG, *also, channels=(EMAIL, DESKTOP)))
    gate.repudiate("act_over", target=YOUNG.authenticator_id, channel=EMAIL)
    found = word(gate)
    assert found.suspended(gate.now + WEAK_FREEZE_LENGTH - INSTANT)
    assert not found.suspended(gate.now + WEAK_FREEZE_LENGTH)
    return gate


def word(gate: Gate) -> Password:
    (found,) = [one for one in gate.account.authenticators if isinstance(one, Password)]
    return found


def lists(gate: Gate, *by: Source) -> DestinationState:
    """List an address, wait for it, and return what it is good for."""
    gate.prove(gate.propose(list_address(NEW_ADDRESS)).action_id, *by)
    gate.wait(8 * DAY)
    gate.propose(list_address(NEW_ADDRESS))  # Its stream must be at hand.
    where = gate.where(list_address(NEW_ADDRESS))
    assert where is not None
    lapse = gate.policy.statutes.lapse
    return state_of(gate.account, gate.destinations[where], lapse=lapse, now=gate.now)


@pytest.mark.parametrize("beside", [APP, EMAIL], ids=["app", "mailbox"])
def test_what_a_password_lists_counts_again_when_its_time_is_over(
    beside: Authenticator | Channel,
) -> None:
    gate = doubted_word(*([APP] if beside is APP else []))
    gate.wait(WEAK_FREEZE_LENGTH)

    assert lists(gate, word(gate), beside) is DestinationState.USABLE


def test_so_does_what_is_listed_by_what_it_proved_then() -> None:
    """By its successor, and by a new mailbox: both stand on it."""
    gate = doubted_word()
    gate.wait(WEAK_FREEZE_LENGTH)
    payload, _ = change_password()
    secret = reset_password(old=word(gate))[1]
    gate.prove(gate.propose(payload, secret).action_id, word(gate), EMAIL)
    gate.change_contact(None, OTHER, word(gate), EMAIL)
    gate.wait(3 * DAY)
    gate.settle()
    new = gate.account.channel(OTHER.channel_id)
    assert new is not None
    assert word(gate).bound_at > NOON

    assert lists(gate, word(gate), new) is DestinationState.USABLE


def test_what_it_listed_before_stays_unproved() -> None:
    gate = Gate.of(an_account(YOUNG, channels=(EMAIL, DESKTOP)))
    assert lists(gate, YOUNG, EMAIL) is DestinationState.USABLE
    gate.repudiate("act_over", target=YOUNG.authenticator_id, channel=EMAIL)
    gate.wait(WEAK_FREEZE_LENGTH + HOUR)
    (listed,) = gate.destinations.values()
    lapse = gate.policy.statutes.lapse

    state = state_of(gate.account, listed, lapse=lapse, now=gate.now)
    assert state is DestinationState.UNPROVED


def test_so_does_what_a_thiefs_key_lists_that_could_not_be_taken_away() -> None:
    """It set the password too, so that nothing else was left to sign in."""
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, DESKTOP)))
    gate.prove(gate.propose(*bind(a_passkey("aut_thief"))).action_id, PASSWORD, EMAIL)
    gate.wait(2 * DAY)
    gate.settle()
    hers = gate.account.authenticator("aut_thief")
    assert hers is not None
    payload, _ = change_password()
    secret = reset_password("hers", word(gate))[1]
    gate.prove(gate.propose(payload, secret).action_id, PASSWORD, hers)
    gate.wait(2 * HOUR)
    gate.settle()
    gate.repudiate("act_over", target="aut_thief", channel=DESKTOP)
    suspended = gate.account.authenticator("aut_thief")
    assert suspended is not None
    assert suspended.suspended(gate.now)
    gate.wait(WEAK_FREEZE_LENGTH)

    assert lists(gate, word(gate), hers) is DestinationState.UNPROVED
