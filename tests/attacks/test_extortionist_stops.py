"""The extortionist who stops what leaves, with one thing of Alice's below the floor.

Has: one thing, her phone's mailbox or her old password. Wants: that her money cannot leave. Is
stopped by law 5: a freeze below the floor lapses after 72 hours and may be set once a month, a
suspension the same, and a contest holds exits 14 days in 90. Leaves behind: at most 32 days of 90,
and only if Alice never takes the mailbox off; each stop is told to every channel. Whoever has her
phone and her mailbox freezes twice a month, and comes to 41; with her password too to 59.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace
from support.cast import DAY, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    list_address,
    send,
    suspend,
)

from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.bounds import (
    CONTEST_HOLDS_EVERY,
    CONTEST_LENGTH,
    WEAK_FREEZE_EVERY,
    WEAK_FREEZE_LENGTH,
)
from twinlock.domain.channels import Channel
from twinlock.domain.commands import FreezeByLink
from twinlock.domain.ids import action_id
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Prove, leaves

# In 90 days, from one root below the floor: three freezes, three suspensions and one contest.
STOPPED_MOST = 3 * WEAK_FREEZE_LENGTH + 3 * WEAK_FREEZE_LENGTH + CONTEST_LENGTH
PERIOD = 90 * DAY
# A mailbox freezes in its own name, so that nobody who reads one uses up the phone's.
STOPPED_BY_BOTH = STOPPED_MOST + 3 * WEAK_FREEZE_LENGTH
# A password is a name of its own, for freezes and for suspensions.
STOPPED_BY_ALL = STOPPED_BY_BOTH + 6 * WEAK_FREEZE_LENGTH


def test_the_number_that_the_laws_state() -> None:
    assert STOPPED_MOST == 32 * DAY
    assert STOPPED_BY_BOTH == 41 * DAY
    assert STOPPED_BY_ALL == 59 * DAY
    assert PERIOD == 3 * WEAK_FREEZE_EVERY == CONTEST_HOLDS_EVERY


CHANNELS = (EMAIL, SMS, DESKTOP)


def a_gate() -> Gate:
    return Gate.of(an_account(PASSWORD, ROAMING, SYNCED, channels=CHANNELS), a_destination())


def leaves_now(gate: Gate) -> bool:
    """Say whether Alice's money leaves to where it always went, with her security key."""
    said = gate.propose(send(1))
    if not gate.is_open(said.action_id):
        return False
    proved = gate.prove(said.action_id, ROAMING)
    if gate.is_open(said.action_id) and proved.answer is Answer.ALLOW:
        return gate.spend(said.action_id).answer is Answer.ALLOW
    if gate.is_open(said.action_id):
        gate.veto(said.action_id, DESKTOP)
    return False


def test_a_freeze_of_each_month_stops_three_days_of_it() -> None:
    gate = a_gate()
    stopped = 0
    for _ in range(90):
        if not frozen(gate):
            gate.prove(gate.propose(FREEZE).action_id, PASSWORD)
        gate.wait(DAY / 2)
        stopped += not leaves_now(gate)
        gate.wait(DAY / 2)

    assert stopped == 9


def test_a_second_freeze_within_the_month_takes_the_floor() -> None:
    gate = a_gate()
    gate.prove(gate.propose(FREEZE).action_id, PASSWORD)
    gate.wait(WEAK_FREEZE_LENGTH)
    said = gate.prove(gate.propose(FREEZE).action_id, PASSWORD)

    assert any(
        isinstance(one, Prove) and one.code is Reason.FREEZE_TOO_SOON
        for one in leaves(said.requirement)
    )
    assert leaves_now(gate)


def tap(gate: Gate, channel: Channel) -> None:
    """Tap the link that freezes, in a message to ``channel`` of long ago."""
    gate.run(
        FreezeByLink(
            freeze_id=action_id(gate.account.account_id, gate.draw()),
            veto_key="A" * 43,
            channel_id=channel.channel_id,
            told_at=NOON,
        )
    )


def test_whoever_has_phone_and_mailbox_freezes_twice_a_month_and_no_more() -> None:
    assert stopped(lambda _: None) == 2 * 3 * WEAK_FREEZE_LENGTH


def test_whoever_has_the_password_too_stops_half_of_the_days_and_no_more() -> None:
    """But for the contest, which is counted once for all of it."""

    def knows_the_password(gate: Gate) -> None:
        if not frozen(gate):
            gate.prove(gate.propose(FREEZE).action_id, PASSWORD)
        for source in (PASSWORD, SMS):
            if not frozen(gate) and not all_suspended(gate):
                for key in (ROAMING, SYNCED):
                    gate.prove(gate.propose(suspend(key)).action_id, source)

    assert stopped(knows_the_password) == STOPPED_BY_ALL - CONTEST_LENGTH


def stopped(besides: Callable[[Gate], None]) -> timedelta:
    """Return on how many of 90 days nothing leaves: links are tapped, and ``besides`` is done."""
    gate, days = a_gate(), 0
    for _ in range(90):
        for channel in (EMAIL, SMS):
            if not frozen(gate):
                tap(gate, channel)
        besides(gate)
        gate.wait(DAY / 2)
        days += not leaves_now(gate)
        gate.wait(DAY / 2)
    return days * DAY


def frozen(gate: Gate) -> bool:
    return gate.account.freeze.until is not None and gate.account.freeze.until > gate.now


def all_suspended(gate: Gate) -> bool:
    keys = (one for one in gate.account.authenticators if isinstance(one, Passkey))
    return all(one.suspended(gate.now) for one in keys)


class OneRoot(RuleBasedStateMachine):
    """One mailbox and an old password, against an owner who pays and lists an address each day."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = a_gate()
        self.stopped: list[datetime] = []

    @rule()
    def freezes(self) -> None:
        action = self.gate.propose(FREEZE).action_id
        self.gate.prove(action, PASSWORD)

    @rule(key=st.sampled_from([ROAMING, SYNCED]))
    def suspends(self, key: Passkey) -> None:
        action = self.gate.propose(suspend(key)).action_id
        if self.gate.is_open(action):
            self.gate.prove(action, PASSWORD)

    @rule(number=st.integers(0, 2), by=st.sampled_from(["mail", "session"]))
    def vetoes_what_the_owner_asks(self, number: int, by: str) -> None:
        action = self.gate.propose(list_address(NEW_ADDRESS[:-1] + str(number))).action_id
        if not self.gate.is_open(action):
            return
        self.gate.prove(action, ROAMING)
        if not self.gate.is_open(action):
            return
        if by == "mail":
            self.gate.veto(action, EMAIL)
            return
        looks = replace(
            a_session("ses_looks", started_at=self.gate.now, read_only=True), by=(PASSWORD.entry,)
        )
        held = [one for one in self.gate.account.sessions if one.session_id != "ses_looks"]
        self.gate.account = replace(self.gate.account, sessions=tuple(held))
        self.gate.veto(action, session=self.gate.give_session(looks))

    @rule(length=st.sampled_from([1, 3, 14, 30]))
    def days_pass(self, length: int) -> None:
        for _ in range(length):
            self.gate.wait(DAY)
            if not leaves_now(self.gate):
                self.stopped.append(self.gate.now)

    @invariant()
    def exits_are_not_stopped_for_longer_than_the_laws_say(self) -> None:
        for start in self.stopped:
            within = [one for one in self.stopped if start <= one < start + PERIOD]
            assert len(within) * DAY <= STOPPED_MOST


TestOneRoot = OneRoot.TestCase
TestOneRoot.settings = settings(max_examples=80, stateful_step_count=12, deadline=None)
