"""What waits while the owner's only address is away, and is told to nobody who would object.

Mallory has a passkey of Alice's. She adds an address of her own, removes Alice's, and asks for a
listing: that is told to her address alone. Alice undoes Mallory's address, and hers is back; it may
veto the listing, and would hear of it when the money leaves. She is stopped by law 5: an address
that comes back is told what waits.
"""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, MALLORYS_ADDRESS, NOON
from support.companies import BOBS, CAROLS, a_company, asks
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SYNCED,
    an_account,
    list_address,
    repudiate,
    send,
)

from twinlock.domain.assurance import Factor
from twinlock.domain.channels import Channel
from twinlock.domain.ids import ChannelId
from twinlock.domain.limits import Limits, Spent
from twinlock.domain.notices import Notice, NoticeKind, notices
from twinlock.domain.requirements import Answer

THIEFS = replace(
    EMAIL, channel_id=ChannelId("chn_thief"), address="mallory@example.net", bound_at=NOON
)


def away() -> Gate:
    """Return an account whose only address Mallory took away, and put hers there."""
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING, channels=(EMAIL,)))
    for old, new in ((None, THIEFS), (EMAIL, None)):
        gate.change_contact(old, new, SYNCED)
        gate.wait(2 * DAY)
        gate.settle()
    assert [one.channel_id for one in gate.account.channels] == [THIEFS.channel_id]
    return gate


def told(gate: Gate, channel: Channel) -> list[tuple[datetime, Notice]]:
    """Return every notice to ``channel``, with its time."""
    found = []
    for before, decided, at in gate.book:
        states = (before, *decided.states)
        for state, decision in zip(states, decided.decisions, strict=False):
            sent = notices(
                state.account,
                what=decision.kind,
                action_id=decision.action_id,
                events=decision.events,
            )
            found += [(at, one) for one in sent if channel.channel_id in one.channels]
    return found


@pytest.mark.parametrize("by_proof", [True, False])
def test_an_address_that_comes_back_is_told_what_waits_and_stops_it(by_proof: bool) -> None:
    gate = away()
    action = gate.propose(list_address(MALLORYS_ADDRESS)).action_id
    gate.prove(action, SYNCED)
    gate.wait(HOUR)
    thiefs = gate.account.channel(THIEFS.channel_id)
    assert thiefs is not None
    if by_proof:
        gate.prove(gate.propose(repudiate(thiefs)).action_id, ROAMING)
    else:
        signs = gate.give_session()
        gate.repudiate(
            "act_over",
            target=thiefs.channel_id,
            session=signs,
            entry=thiefs.entry,
            bound_at=thiefs.bound_at,
        )
    assert gate.account.channels == (EMAIL,)

    about = [(at, one) for at, one in told(gate, EMAIL) if one.action_id == action]
    assert [(at, one.kind, one.what, one.until) for at, one in about] == [
        (gate.now, NoticeKind.WAITING, "destination.add", gate.action(action).until)
    ]
    assert gate.veto(action, EMAIL).answer is Answer.ALLOW


def test_an_address_that_comes_back_because_hers_removes_itself_is_told_too() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING, channels=(EMAIL,)))
    more = replace(THIEFS, channel_id=ChannelId("chn_more"), address="more@example.net")
    for old, new in ((EMAIL, THIEFS), (None, more)):
        gate.change_contact(old, new, SYNCED)
        gate.wait(2 * DAY)
        gate.settle()
    removal = gate.change_contact(THIEFS, None, SYNCED)
    until = gate.action(removal).until
    assert until is not None
    gate.wait_until(until - HOUR)
    action = gate.propose(list_address(MALLORYS_ADDRESS)).action_id
    gate.prove(action, SYNCED)
    gate.wait_until(until)
    gate.settle()
    assert EMAIL in gate.account.channels

    waits = [one.action_id for _, one in told(gate, EMAIL) if one.kind is NoticeKind.WAITING]
    assert waits[-1] == action


def test_what_nobody_proved_rings_no_bell() -> None:
    """And of what waits there is one message each, however often it was asked for."""
    gate = away()
    unproved = gate.propose(send(90, to=MALLORYS_ADDRESS)).action_id
    waits = [gate.propose(list_address(f"{MALLORYS_ADDRESS[:-1]}{n}")).action_id for n in (1, 2)]
    for action in waits:
        gate.prove(action, SYNCED)
    thiefs = gate.account.channel(THIEFS.channel_id)
    assert thiefs is not None
    gate.prove(gate.propose(repudiate(thiefs)).action_id, ROAMING)

    assert gate.is_open(unproved)
    assert [one.action_id for _, one in told(gate, EMAIL)][-2:] == waits


# --- Told late ---


def test_what_is_proved_while_a_limit_is_used_up_waits_from_when_it_is_told() -> None:
    """Prevents: two of three members who agree in the morning, and are told of at night."""
    gate = a_company()
    gate.wait(HOUR)
    action = asks(gate, send(150, to=MALLORYS_ADDRESS), BOBS)
    full = Limits(day_cents=1_000_000_00)
    used_up = Spent().plus(1_000_000_00, at=gate.now)
    gate.account = replace(gate.account, limits=full, spent=used_up)
    gate.agree(action, CAROLS, factor=Factor.MEMBER)
    assert told(gate, DESKTOP) == []

    gate.wait_until(gate.now.replace(hour=23, minute=59))
    gate.wait(timedelta(minutes=1))
    assert gate.spend(action).answer is Answer.HOLD
    [(at, notice)] = told(gate, DESKTOP)
    assert (at, notice.kind) == (gate.now, NoticeKind.WAITING)
    gate.wait(DAY - timedelta(seconds=1))
    assert gate.spend(action).answer is Answer.HOLD
    gate.wait(timedelta(seconds=1))
    assert gate.spend(action).answer is Answer.ALLOW
