"""A thief's own channel, whose silence would let money leave as if the owner had kept quiet.

Mallory has relayed one code of an app. With it she binds a key, and with that an address or a
program of her own, which lies off the phone: the account would be narrow no more. She is stopped
by law 4: the silence of a newcomer is nobody's, since it may veto nothing that is older. She leaves
behind a wait of a week, and word of it on every channel that the owner has.
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, MALLORYS_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    a_destination,
    a_passkey,
    an_account,
    bind,
    list_address,
    send,
)

from twinlock.domain.channels import Channel
from twinlock.domain.ids import ChannelId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

THIEFS = replace(DESKTOP, channel_id=ChannelId("chn_thief"), address="thief-program")
MOVED = replace(EMAIL, channel_id=ChannelId("chn_moved"), bound_at=NOON - 20 * DAY, entry=77)
NEW_DESK = replace(DESKTOP, bound_at=NOON - 20 * DAY, entry=78)


def listed_after(gate: Gate) -> float:
    """Return how many days the thief's address waits by her key."""
    asked = gate.propose(list_address(MALLORYS_ADDRESS))
    gate.prove(asked.action_id, gate.account.authenticators[-1])
    until = gate.action(asked.action_id).until
    assert until is not None
    gate.wait_until(until)
    gate.settle()
    return (until - NOON) / DAY


@pytest.mark.parametrize("adds", [False, True])
def test_a_thiefs_own_channel_does_not_make_a_narrow_account_wide(adds: bool) -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL,)))
    gate.prove(gate.propose(*bind(a_passkey("aut_thief"))).action_id, APP)
    gate.wait(DAY + HOUR)
    gate.settle()
    key = gate.account.authenticators[-1]
    if adds:
        gate.change_contact(None, THIEFS, key)
        gate.wait(2 * DAY + HOUR)
        gate.settle()
        assert gate.account.channel("chn_thief")

    assert listed_after(gate) > 7
    asked = gate.propose(send(99_000, to=MALLORYS_ADDRESS))
    refused = gate.prove(asked.action_id, key) if gate.is_open(asked.action_id) else asked
    assert Reason.NARROW_LIMIT in reasons(refused.requirement)


@pytest.mark.parametrize("channels", [(MOVED,), (MOVED, NEW_DESK), (NEW_DESK,)])
def test_a_channel_that_may_not_veto_is_not_heard(channels: tuple[Channel, ...]) -> None:
    """It came after the app that a thief relays: its link stops nothing of hers."""
    gate = Gate.of(an_account(PASSWORD, APP, channels=channels))
    asked = gate.propose(list_address(MALLORYS_ADDRESS))
    gate.prove(asked.action_id, APP)
    until = gate.action(asked.action_id).until

    for one in channels:
        assert Reason.NOT_ENTITLED in reasons(gate.veto(asked.action_id, one).requirement)
    assert until == NOON + 7 * DAY


@pytest.mark.parametrize("bound_at", [NOON - 31 * DAY, NOON - 400 * DAY])
def test_a_program_of_more_than_30_days_is_heard(bound_at: object) -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(replace(DESKTOP, bound_at=bound_at),)))
    asked = gate.propose(send(99_000))

    assert gate.prove(asked.action_id, APP).answer is Answer.HOLD
    gate.wait(DAY)
    assert gate.spend(asked.action_id).answer is Answer.ALLOW


@pytest.mark.parametrize("later", [(), (DESKTOP,)])
def test_an_owner_who_moves_to_a_new_mailbox_pays_whom_he_has_listed(
    later: tuple[Channel, ...],
) -> None:
    """The owner's twin: what is listed stands for the second root, and no silence is asked for."""
    gate = Gate.of(an_account(PASSWORD, ROAMING, channels=(EMAIL,)), a_destination())
    moved = replace(EMAIL, channel_id=ChannelId("chn_moved"), address="new@example.com")
    for old, new in ((EMAIL, moved), *((None, one) for one in later)):
        gate.change_contact(old, new, ROAMING)
        gate.wait(3 * DAY)
        gate.settle()
        gate.wait(3 * DAY)
    asked = gate.propose(send(5_000))

    assert gate.account.channel("chn_moved")
    assert gate.prove(asked.action_id, ROAMING).answer is Answer.ALLOW


def test_whoever_moved_waits_a_week_for_what_is_not_listed() -> None:
    """There silence is the second root, and the new mailbox may veto nothing of the older key's."""
    moved = replace(MOVED, replaced=EMAIL)
    gate = Gate.of(an_account(PASSWORD, ROAMING, channels=(moved,)))
    asked = gate.propose(list_address(MALLORYS_ADDRESS))
    gate.prove(asked.action_id, ROAMING)

    assert gate.action(asked.action_id).until == NOON + 7 * DAY


def test_a_removed_mailbox_that_is_kept_in_mind_is_not_heard() -> None:
    """It took its place in no eyes but our own."""
    kept = replace(THIEFS, bound_at=NOON - DAY, entry=90, replaced=replace(EMAIL, removed=True))
    gate = Gate.of(an_account(PASSWORD, APP, channels=(kept,)), a_destination())
    asked = gate.propose(send(5_000))
    refused = gate.prove(asked.action_id, APP) if gate.is_open(asked.action_id) else asked

    assert Reason.NARROW_LIMIT in reasons(refused.requirement)
