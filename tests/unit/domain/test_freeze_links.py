"""One tap in a notice freezes, as any freeze below the floor does, and from the channel's root."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, NOON
from support.companies import BOB, a_company
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    FREEZE,
    PASSWORD,
    SMS,
    SYNCED,
    an_account,
    list_address,
    send,
    sign_in,
)

from twinlock.domain import ids
from twinlock.domain.account import ActionUnknownError
from twinlock.domain.bounds import NOTICE_LIFETIME, WEAK_FREEZE_EVERY, WEAK_FREEZE_LENGTH
from twinlock.domain.channels import Channel
from twinlock.domain.commands import FreezeByLink
from twinlock.domain.decisions import Decision
from twinlock.domain.events import FreezeSet
from twinlock.domain.freeze_links import asked_before, link_stands
from twinlock.domain.notices import NoticeKind, notices
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Prove

ACCOUNT = an_account(PASSWORD, SYNCED, channels=(EMAIL, SMS, DESKTOP))
KEY = "A" * 43


def tap(gate: Gate, channel: Channel, name: bytes = b"freeze by a link") -> Decision:
    command = FreezeByLink(
        freeze_id=ids.action_id(gate.account.account_id, name),
        veto_key=KEY,
        channel_id=channel.channel_id,
        told_at=NOON,
    )
    return gate.run(command)


@pytest.mark.parametrize(
    ("channel", "root"), [(EMAIL, "mailbox"), (SMS, "phone"), (DESKTOP, "desktop")]
)
def test_it_freezes_for_three_days_from_the_channel_s_root(channel: Channel, root: str) -> None:
    gate = Gate(account=ACCOUNT)
    before = gate.account
    decision = tap(gate, channel)
    (frozen,) = [one for one in decision.events if isinstance(one, FreezeSet)]

    assert decision.answer is Answer.ALLOW
    assert (frozen.until, frozen.weak_root) == (NOON + WEAK_FREEZE_LENGTH, root)
    assert frozen.bound_at == channel.bound_at
    assert gate.account.freeze.until == NOON + WEAK_FREEZE_LENGTH
    assert gate.account.actions == ()
    told = notices(before, what=decision.kind, action_id=decision.action_id, events=decision.events)
    assert [one.kind for one in told] == [NoticeKind.DONE]
    assert gate.propose(send()).answer is not Answer.ALLOW


def test_once_a_month_from_one_root_then_it_takes_more_and_the_other_root_is_free() -> None:
    """Prevents: somebody who reads one mailbox and keeps the owner out of the account for ever."""
    gate = Gate(account=ACCOUNT)
    tap(gate, EMAIL)
    gate.wait(WEAK_FREEZE_EVERY - HOUR)
    again = tap(gate, EMAIL, b"again, by mail..")
    other = tap(gate, DESKTOP, b"from the desktop")
    gate.wait(HOUR)
    later = tap(gate, EMAIL, b"after the month.")

    assert again.answer is Answer.CHALLENGE
    assert isinstance(again.requirement, Prove)
    assert again.requirement.code is Reason.FREEZE_TOO_SOON
    assert other.answer is Answer.ALLOW
    assert later.answer is Answer.ALLOW


def test_whoever_reads_one_mailbox_uses_up_no_freeze_of_whoever_has_the_phone() -> None:
    """Prevents: a freeze a month by a stolen mailbox, after which the owner, whose key was stolen
    with it, has none when it counts.
    """
    gate = Gate(account=ACCOUNT)
    tap(gate, EMAIL)
    gate.wait(WEAK_FREEZE_LENGTH)
    by_phone = tap(gate, SMS, b"it is really me.")
    gate.wait(WEAK_FREEZE_LENGTH)
    again = tap(gate, SMS, b"twice in a month")

    assert by_phone.answer is Answer.ALLOW
    assert again.answer is Answer.CHALLENGE


def test_where_it_is_too_soon_the_floor_s_own_proof_freezes_for_good() -> None:
    gate = Gate(account=ACCOUNT)
    tap(gate, EMAIL)
    gate.wait(4 * DAY)
    again = tap(gate, EMAIL, b"freeze once more")
    done = gate.prove(again.action_id, SYNCED)

    assert again.answer is Answer.CHALLENGE
    assert done.answer is Answer.ALLOW
    assert gate.account.freeze.until is not None
    assert gate.account.freeze.until.year == 9999


@pytest.mark.parametrize(
    "channels",
    [(SMS,), (replace(EMAIL, bound_at=NOON + timedelta(seconds=1)), SMS)],
    ids=["removed", "younger than what it was told of"],
)
def test_a_channel_that_is_gone_or_came_later_freezes_nothing(
    channels: tuple[Channel, ...],
) -> None:
    gate = Gate(account=replace(ACCOUNT, channels=channels))

    with pytest.raises(ActionUnknownError):
        tap(gate, EMAIL)
    assert gate.account.freeze.until is None


def test_a_link_stands_until_a_week_after_what_it_told_of() -> None:
    over = NOON + DAY

    assert link_stands(ended_at=None, now=NOON + 90 * DAY)
    assert link_stands(ended_at=over, now=over + NOTICE_LIFETIME)
    assert not link_stands(ended_at=over, now=over + NOTICE_LIFETIME + timedelta(milliseconds=1))


def test_it_finds_room_in_a_full_account() -> None:
    gate = Gate(account=ACCOUNT)
    for number in range(6):
        gate.propose(list_address(f"0x{number:040d}"))

    assert tap(gate, EMAIL).answer is Answer.ALLOW


def test_tapped_over_and_over_it_is_one_action_and_nothing_gives_way_to_it() -> None:
    """Prevents: whoever reads one mailbox, and taps until the owner's sign-in is gone."""
    gate = Gate(account=ACCOUNT)
    tap(gate, EMAIL)
    gate.wait(4 * DAY)
    owners = gate.propose(sign_in("a new telephone")).action_id
    taps = {tap(gate, EMAIL, f"tapped again, {n}.".encode()).action_id for n in range(8)}
    by_desktop = tap(gate, DESKTOP, b"from the desktop")

    assert len(taps) == 1
    assert by_desktop.answer is Answer.ALLOW
    assert gate.prove(owners, SYNCED).answer is not Answer.DENY
    assert not gate.is_open(owners)
    assert gate.account.sessions
    assert gate.prove(taps.pop(), SYNCED).answer is Answer.ALLOW


def test_a_freeze_that_lapsed_is_asked_for_anew() -> None:
    gate = Gate(account=ACCOUNT)
    tap(gate, EMAIL)
    gate.wait(4 * DAY)
    first = tap(gate, EMAIL, b"and nobody came.").action_id
    lapsing = gate.account.action(first)
    gate.wait_until(lapsing.lapses_at)

    assert asked_before(gate.account, EMAIL, now=gate.now - timedelta(milliseconds=1)) == lapsing
    assert asked_before(gate.account, EMAIL, now=gate.now) is None
    again = tap(gate, EMAIL, b"an hour later...")
    assert again.action_id != first
    assert [one.action_id for one in gate.account.actions] == [again.action_id]


def test_of_several_members_another_one_s_freeze_is_not_the_one_that_a_link_asks_for() -> None:
    """Prevents: a rogue member, by whose open freeze the others' link leads to a page for him."""
    gate = a_company()
    tap(gate, EMAIL)
    gate.wait(4 * DAY)
    rogue = gate.propose(FREEZE, member=BOB.member_id).action_id
    gate.prove(rogue, EMAIL)
    tapped = tap(gate, EMAIL, b"the others' link")

    assert gate.is_open(rogue)
    assert tapped.action_id != rogue
    assert gate.action(tapped.action_id).member_id == gate.account.member_id
