"""What one channel is told, and the links that stand in it."""

from typing import Any

import pytest
from msgspec.structs import replace
from support.asked import an_action
from support.cast import DAY, HOUR, NOON
from support.worlds import DESKTOP, EMAIL, SMS, an_account, list_address

from twinlock.domain.account import OpenAction
from twinlock.domain.actions import FreezeSet
from twinlock.domain.channels import Channel
from twinlock.domain.letters import About, Letter, letter_to
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.domain.vetoes import freeze_token, veto_token

ACCOUNT = an_account(channels=(EMAIL, SMS))
KEY = "A" * 43
ACTION = replace(an_action(list_address("0x1")), veto_key=KEY, proposed_at=NOON)
WAITING = Notice(
    kind=NoticeKind.WAITING,
    what="destination.add",
    at=NOON,
    channels=(EMAIL.channel_id,),
    action_id=ACTION.action_id,
    until=NOON + DAY,
)
DONE = replace(WAITING, kind=NoticeKind.DONE, until=None, undo_until=NOON + 30 * DAY)


def told(
    notice: Notice = WAITING,
    channel: Channel = EMAIL,
    action: OpenAction | None = ACTION,
    *,
    stoppable: bool = True,
) -> Letter:
    about = About(action, stoppable)
    return letter_to(ACCOUNT, channel, notice, about=about, origin="https://here", name="ntc_1")


def test_what_waits_is_told_with_a_link_to_stop_it_and_one_to_freeze() -> None:
    letter = told()
    token, freeze = veto_token(ACTION, EMAIL.channel_id), freeze_token(ACTION, EMAIL.channel_id)
    query = f"{ACTION.action_id}?c={EMAIL.channel_id}&t="

    assert (letter.veto, letter.undo, letter.name) == (token, "", "ntc_1")
    assert letter.link == f"https://here/veto/{query}{token}"
    assert letter.freeze == f"https://here/freeze/{query}{freeze}"
    assert token != freeze
    assert (letter.at, letter.until) == (NOON.isoformat(), (NOON + DAY).isoformat())


def test_each_channel_and_each_action_has_its_own_links() -> None:
    other = replace(ACTION, action_id=replace(ACTION).action_id[:-1] + "b")
    tokens = {
        one(action, channel.channel_id)
        for one in (veto_token, freeze_token)
        for action in (ACTION, other)
        for channel in (EMAIL, SMS)
    }

    assert len(tokens) == 8


def test_what_is_done_is_told_with_a_link_to_undo_it() -> None:
    letter = told(DONE)

    assert (letter.veto, letter.undo_until) == ("", (NOON + 30 * DAY).isoformat())
    assert letter.undo == veto_token(ACTION, EMAIL.channel_id)


@pytest.mark.parametrize(
    "given",
    [
        {"stoppable": False},
        {"action": None},
        {"notice": DONE, "channel": replace(EMAIL, bound_at=NOON)},  # No older than what was bound.
        {"channel": replace(EMAIL, bound_at=NOON + HOUR)},  # It came after what waits.
    ],
    ids=["nothing to stop", "nothing known", "too young", "came later"],
)
def test_without_anything_to_stop_there_is_no_such_link(given: dict[str, Any]) -> None:
    letter = told(**given)

    assert (letter.veto, letter.undo, letter.link, letter.undo_until) == ("", "", "", "")


@pytest.mark.parametrize(
    "given",
    [
        {"action": None},
        {"channel": DESKTOP},  # Not of this account any more.
        {"channel": replace(EMAIL, bound_at=NOON + HOUR)},  # It came after what is told.
        {"notice": replace(WAITING, kind=NoticeKind.CODE, code="123456")},
        {"notice": replace(DONE, what="freeze.set")},
    ],
    ids=["nothing known", "gone", "younger", "a code", "frozen already"],
)
def test_without_reason_there_is_no_link_to_freeze(given: dict[str, Any]) -> None:
    assert told(**given).freeze == ""


def test_what_opens_something_is_not_printed() -> None:
    letter = told(replace(WAITING, code="123456"))

    assert "123456" not in repr(letter)
    assert letter.veto not in repr(letter)
    assert letter.freeze not in repr(letter)


def test_a_freeze_has_its_own_link_too() -> None:
    freezing = replace(ACTION, payload=FreezeSet(account=ACCOUNT.account_id))

    assert told(replace(DONE, what="authenticator.bind"), action=freezing).freeze
