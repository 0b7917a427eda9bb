"""Which open actions a decision ends: those that would bring back what it takes away."""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, LONG_AGO, MEMBER, NOON
from support.worlds import DESKTOP, EMAIL, SMS, an_account, change_contact

from twinlock.domain.account import Account, OpenAction, State
from twinlock.domain.channels import Channel
from twinlock.domain.decisions import Decision
from twinlock.domain.events import NewcomerRepudiated
from twinlock.domain.ids import ActionId
from twinlock.domain.requirements import NOTHING, Answer
from twinlock.domain.striking import struck

BEFORE = replace(EMAIL, address="before@example.net", entry=5)
MAILBOX = replace(EMAIL, entry=9, replaced=BEFORE)


def adding(channel: Channel) -> OpenAction:
    payload, _ = change_contact(None, channel)
    return OpenAction(
        action_id=ActionId(f"act_{channel.address}"),
        member_id=MEMBER,
        payload=payload,
        digest="",
        proposed_at=NOON - DAY,
        lapses_at=NOON + DAY,
        until=NOON + HOUR,
        veto_key="",
    )


def ended(account: Account, after: Account, *gone: int) -> set[str]:
    """Return the addresses whose adding ends with a decision that leaves ``after``."""
    events = (NewcomerRepudiated(at=NOON, entries=gone, since=LONG_AGO),) if gone else ()
    decision = Decision(
        kind="contact.change",
        action_id=ActionId("act_removal"),
        answer=Answer.ALLOW,
        requirement=NOTHING,
        events=events,
    )
    found = struck(State(account=account), decision, after)
    return {one.action_id.removeprefix("act_") for one in found}


@pytest.mark.parametrize(
    ("left", "gone", "addresses"),
    [
        pytest.param((MAILBOX, DESKTOP), (), set(), id="nothing is taken away"),
        pytest.param((DESKTOP,), (), {MAILBOX.address}, id="removed"),
        pytest.param((BEFORE, DESKTOP), (9,), {MAILBOX.address}, id="undone, and one comes back"),
        pytest.param((DESKTOP,), (5, 9), {MAILBOX.address, BEFORE.address}, id="both undone"),
    ],
)
def test_a_channel_that_is_taken_away_takes_along_what_would_add_it_again(
    left: tuple[Channel, ...], gone: tuple[int, ...], addresses: set[str]
) -> None:
    """What it had replaced, and nobody undid, may be added all the same."""
    actions = tuple(map(adding, (MAILBOX, BEFORE, SMS)))
    account = replace(an_account(channels=[MAILBOX, DESKTOP]), actions=actions)

    assert ended(account, replace(account, channels=left), *gone) == addresses
