"""What stands on what, and how long a report lasts: each on both sides of its boundary."""

from datetime import datetime

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, LONG_AGO, MEMBER, NOON
from support.facts import FOREVER
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    SMS,
    SYNCED,
    a_session,
    an_account,
    change_contact,
    send,
)

from twinlock.domain.account import Account, Channel, OpenAction, Shown, State
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.model import Suspension, SuspensionKind
from twinlock.domain.bounds import DOUBTS_MOST, WEAK_FREEZE_LENGTH
from twinlock.domain.decisions import Decision
from twinlock.domain.events import AuthenticatorSuspended, NewcomerRepudiated
from twinlock.domain.ids import ActionId
from twinlock.domain.newcomers import (
    for_ever,
    proved_by,
    struck_by,
    suspended_until,
    undo,
    with_doubts,
)
from twinlock.domain.repudiations import bound_by
from twinlock.domain.requirements import Answer
from twinlock.domain.striking import struck

REPORTED_AT = NOON - DAY
SUSPENDED = Suspension(at_ms=int(REPORTED_AT.timestamp()) * 1_000, kind=SuspensionKind.A_WHILE)
SUSPENDED_UNTIL = REPORTED_AT + WEAK_FREEZE_LENGTH


def shown(source: str, factor: Factor, *, entry: int, bound_at: datetime = LONG_AGO) -> Shown:
    return Shown(
        source=source,
        factor=factor,
        root=None,
        bound_at=bound_at,
        bound_entry=entry,
        at=NOON,
        entry=1,
    )


def an_action(name: str, *proofs: Shown) -> OpenAction:
    return OpenAction(
        action_id=ActionId(name),
        member_id=MEMBER,
        payload=send(),
        digest="",
        proposed_at=NOON,
        lapses_at=NOON + HOUR,
        veto_key="",
        shown=proofs,
    )


def test_only_what_still_stands_has_proved_anything() -> None:
    """Prevents: a listing that rests on a passkey which was removed since."""
    session = a_session()
    action = an_action(
        "act",
        shown(SYNCED.authenticator_id, Factor.PASSKEY, entry=SYNCED.entry),
        shown("aut_removed", Factor.PASSKEY, entry=7),
        shown(PASSWORD.authenticator_id, Factor.PASSWORD, entry=8, bound_at=NOON),
        shown(session.session_id, Factor.SESSION, entry=9),
    )

    assert proved_by(an_account(sessions=[session]), action) == (SYNCED.entry,)


def test_as_many_doubts_as_are_told_apart_stay_apart() -> None:
    apart = tuple((10 * number, 10 * number) for number in range(1, DOUBTS_MOST + 1))

    assert with_doubts(apart[:-1], [apart[-1][0]]) == apart
    assert with_doubts(apart, [99]) == ((10, 20), (99, 99))


def suspended(account: Account, level: Level) -> AuthenticatorSuspended:
    """Return how SYNCED is suspended when it is repudiated by something of ``level``."""
    (found,) = (
        event
        for event in undo(account, SYNCED, level=level, now=NOON)
        if isinstance(event, AuthenticatorSuspended)
    )
    return found


@pytest.mark.parametrize(
    ("kept", "channel", "weak"),
    [
        pytest.param(False, False, False, id="nothing is left, so a password is the floor"),
        pytest.param(True, False, False, id="no codes are left without a channel"),
        pytest.param(True, True, True, id="with codes the floor is higher"),
    ],
)
def test_the_floor_that_a_repudiation_must_reach_is_that_of_what_is_left(
    kept: bool, channel: bool, weak: bool
) -> None:
    """Of the channels only those count that the repudiation leaves, also behind a newcomer."""
    left = [replace(PASSWORD, suspension=SUSPENDED)] if kept else []
    behind = replace(EMAIL, entry=5)
    newcomer = replace(EMAIL, entry=6, by=(SYNCED.entry,), replaced=behind if channel else None)
    account = an_account(SYNCED, *left, channels=[newcomer, DESKTOP])

    assert suspended(account, Level.KNOWLEDGE).for_good is not weak


def test_a_report_of_the_floor_lasts_until_somebody_ends_it() -> None:
    assert for_ever(NOON) == FOREVER
    assert suspended_until(SYNCED, weak=False, now=NOON) == FOREVER


def test_a_weaker_report_lasts_a_while_and_no_second_one_makes_it_longer() -> None:
    once = replace(SYNCED, suspension=SUSPENDED)

    assert suspended_until(SYNCED, weak=True, now=NOON) == NOON + WEAK_FREEZE_LENGTH
    assert suspended_until(once, weak=True, now=SUSPENDED_UNTIL - INSTANT) == SUSPENDED_UNTIL
    again = suspended_until(once, weak=True, now=SUSPENDED_UNTIL)
    assert again == SUSPENDED_UNTIL + WEAK_FREEZE_LENGTH
    assert suspended_until(once, weak=False, now=NOON) == FOREVER


def test_actions_are_struck_in_which_a_session_had_a_hand_that_rests_on_what_is_repudiated() -> (
    None
):
    thief = replace(a_session("ses_thief"), entry=40, by=(30,))
    owner = replace(a_session("ses_owner"), entry=41, by=(SYNCED.entry,))
    actions = (
        an_action("act_thief", shown("ses_thief", Factor.SESSION, entry=0)),
        an_action("act_owner", shown("ses_owner", Factor.SESSION, entry=0)),
        an_action("act_key", shown("aut_new", Factor.PASSKEY, entry=30)),
        an_action("act_other", shown("aut_passkey", Factor.PASSKEY, entry=SYNCED.entry)),
    )
    account = replace(an_account(sessions=[thief, owner]), actions=actions)
    repudiated = NewcomerRepudiated(at=NOON, entries=(30,), since=NOON - HOUR)

    struck = [one.action_id for one in struck_by(account, repudiated)]
    assert struck == ["act_thief", "act_key"]


def test_a_repudiation_strikes_every_such_action_but_its_own() -> None:
    actions = tuple(
        an_action(name, shown("aut_new", Factor.PASSKEY, entry=30)) for name in ("act_1", "act_2")
    )
    repudiated = NewcomerRepudiated(at=NOON, entries=(30,), since=NOON - HOUR)
    decision = Decision(
        kind="authenticator.repudiate",
        action_id="act_1",
        answer=Answer.ALLOW,
        events=(repudiated,),
    )
    state = State(account=replace(an_account(), actions=actions))

    assert [one.action_id for one in struck(state, decision)] == ["act_2"]


@pytest.mark.parametrize(("new", "bound"), [(SMS, EMAIL.channel_id), (None, "")])
def test_a_channel_that_is_only_removed_binds_nothing(new: Channel | None, bound: str) -> None:
    payload, _ = change_contact(EMAIL, new)

    assert bound_by(replace(an_action("act"), payload=payload, secret=EMAIL.channel_id)) == bound
