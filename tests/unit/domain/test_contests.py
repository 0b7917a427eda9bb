"""A second no from the same root: what it opens, who decides, and how it ends."""

from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, NEW_ADDRESS, NOON, OLD_ADDRESS
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    LIFT,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    list_address,
    make_key,
    send,
    sign_in,
)

from twinlock.domain.account import ActionState
from twinlock.domain.actions import AccountErase, AnyPayload
from twinlock.domain.assurance import Level
from twinlock.domain.channels import Channel
from twinlock.domain.commands import SessionSignature, Veto
from twinlock.domain.contests import roots_of
from twinlock.domain.decisions import Decision
from twinlock.domain.events import (
    ActionDone,
    ActionLapsed,
    ActionVetoed,
    ContestDecided,
    ContestOpened,
)
from twinlock.domain.ids import ActionId, SessionId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never, Prove, WaitUntil, leaves

ENDS = NOON + 14 * DAY
LIST = list_address(NEW_ADDRESS)


def a_gate(*more: Channel) -> Gate:
    """Return a gate of an account with two keys, of which only one is used."""
    account = an_account(PASSWORD, SYNCED, ROAMING, channels=(EMAIL, DESKTOP, *more))
    return Gate.of(account, a_destination())


def asked(gate: Gate, payload: AnyPayload = LIST) -> str:
    action = gate.propose(payload).action_id
    gate.prove(action, ROAMING)
    return action


def contested(gate: Gate, payload: AnyPayload = LIST, *, by: Channel = EMAIL) -> str:
    """Veto ``payload`` twice, and return the action about which there is a contest now."""
    gate.veto(asked(gate, payload), by)
    action = asked(gate, payload)
    gate.veto(action, by)
    assert gate.account.disputes.contest is not None
    return action


def events(gate: Gate) -> list[type]:
    return [type(event) for one in gate.book[-1][1].decisions for event in one.events]


def test_the_first_no_kills_and_the_second_from_the_same_root_opens_a_contest() -> None:
    gate = a_gate(SMS)
    first = asked(gate)
    assert gate.veto(first, EMAIL).answer is Answer.ALLOW
    assert not gate.is_open(first)
    second = asked(gate, replace(LIST, label="another name", budget_cents=7))
    said = gate.veto(second, SMS)  # Another channel, and the same phone.
    contest = gate.account.disputes.contest

    assert (said.kind, said.answer) == ("action.veto", Answer.HOLD)
    assert said.requirement == WaitUntil(code=Reason.CONTESTED, until=ENDS)
    assert contest is not None
    assert (contest.asked, contest.objected) == (("roaming:aut_roaming",), ("phone",))
    assert (contest.holds, gate.action(second).lapses_at) == (True, ENDS)
    assert gate.action(second).state is ActionState.OPEN


@pytest.mark.parametrize("by", [DESKTOP, EMAIL])
def test_a_no_from_another_root_or_against_another_change_kills(by: Channel) -> None:
    gate = a_gate()
    gate.veto(asked(gate), EMAIL)
    action = asked(gate, LIST if by is DESKTOP else list_address("0x" + "7" * 40))

    assert gate.veto(action, by).answer is Answer.ALLOW
    assert not gate.is_open(action)


def test_what_nobody_proved_is_killed_each_time_and_not_remembered() -> None:
    gate = a_gate()
    for _ in range(3):
        action = gate.propose(LIST).action_id
        assert gate.veto(action, EMAIL).answer is Answer.ALLOW
    assert gate.account.disputes.objections == ()

    gate.veto(asked(gate), EMAIL)
    assert gate.veto(gate.propose(LIST).action_id, EMAIL).answer is Answer.ALLOW
    assert gate.account.disputes.contest is None


def test_what_takes_effect_at_once_opens_none() -> None:
    gate = a_gate()
    gate.account = replace(gate.account, authenticators=(PASSWORD, SYNCED, ROAMING))
    for _ in range(2):
        action = gate.propose(sign_in("another".ljust(43, "A"))).action_id
        assert gate.veto(action, EMAIL).answer is Answer.ALLOW
    assert gate.account.disputes.objections == ()


def test_against_a_newcomer_each_no_of_an_older_one_kills() -> None:
    gate = a_gate()
    young = replace(ROAMING, bound_at=NOON - DAY)
    gate.account = replace(gate.account, authenticators=(PASSWORD, SYNCED, young))
    for _ in range(3):
        action = asked(gate)
        assert gate.veto(action, EMAIL).answer is Answer.ALLOW
        assert not gate.is_open(action)


def test_nor_does_a_newcomer_veto_what_is_older_twice() -> None:
    gate = a_gate()
    gate.account = replace(gate.account, channels=(replace(EMAIL, bound_at=NOON - DAY), DESKTOP))
    action = asked(gate)

    assert gate.veto(action, EMAIL).requirement == Never(code=Reason.NOT_ENTITLED)
    assert gate.is_open(action)


def test_what_an_api_key_or_something_that_is_gone_asked_for_is_killed() -> None:
    gate = a_gate()
    gate.veto(asked(gate), EMAIL)
    action = asked(gate)
    gate.account = replace(gate.account, authenticators=(PASSWORD, SYNCED))

    assert gate.veto(action, EMAIL).answer is Answer.ALLOW
    assert not gate.is_open(action)


# --- While it stands ---


def test_nothing_leaves_while_a_contest_stands_that_is_the_first_of_its_root() -> None:
    gate = a_gate()
    contested(gate)
    said = gate.propose(send(to=OLD_ADDRESS))

    assert Never(code=Reason.EXITS_CONTESTED, until=ENDS) in list(leaves(said.requirement))
    gate.wait_until(ENDS)
    assert gate.prove(gate.propose(send()).action_id, SYNCED).answer is Answer.ALLOW


def test_a_second_contest_of_a_root_holds_no_exits_within_ninety_days() -> None:
    gate = a_gate()
    contested(gate)
    gate.wait_until(ENDS)
    gate.settle()
    action = asked(gate)
    gate.veto(action, EMAIL)

    assert gate.account.disputes.contest is not None
    assert not gate.account.disputes.contest.holds
    assert gate.prove(gate.propose(send()).action_id, SYNCED).answer is Answer.ALLOW


def test_the_same_change_asked_for_again_is_refused_while_it_stands() -> None:
    gate = a_gate()
    contested(gate)
    again = gate.propose(replace(LIST, label="again"))

    assert (again.answer, gate.is_open(again.action_id)) == (Answer.DENY, False)
    assert Never(code=Reason.CONTESTED, until=ENDS) in list(leaves(again.requirement))


def test_its_own_wait_runs_out_and_it_does_not_take_effect() -> None:
    gate = a_gate()
    action = contested(gate)
    gate.wait(5 * DAY)
    gate.settle()

    assert gate.is_open(action)
    assert gate.destinations.keys() == {a_destination().destination_id}


def test_saying_no_once_more_from_the_same_side_changes_nothing() -> None:
    gate = a_gate(SMS)
    action = contested(gate)
    before = gate.account.disputes
    said = gate.veto(action, SMS)

    assert said.requirement == WaitUntil(code=Reason.CONTESTED, until=ENDS)
    assert (gate.account.disputes, gate.is_open(action)) == (before, True)


def test_a_second_change_is_killed_while_a_contest_about_the_first_stands() -> None:
    gate = a_gate()
    contested(gate)
    for _ in range(3):
        other = asked(gate, LIFT)
        assert gate.veto(other, EMAIL).answer is Answer.ALLOW
        assert not gate.is_open(other)


# --- How it ends ---


def desktop_gate() -> Gate:
    """The desktop's program objects, so that the phone's passkey is a third root."""
    return a_gate()


def test_a_third_root_decides_for_the_change_which_then_waits_no_longer_than_it_did() -> None:
    gate = desktop_gate()
    action = contested(gate, by=DESKTOP)
    gate.wait(2 * DAY)
    said = gate.prove(action, SYNCED)

    assert said.answer is Answer.ALLOW
    assert [ContestDecided, ActionDone] == [
        one for one in events(gate) if one in (ContestDecided, ActionDone)
    ]
    assert not gate.is_open(action)
    assert gate.account.disputes.contest is None


def test_decided_before_its_wait_is_over_it_waits_on_and_may_be_taken_back() -> None:
    gate = desktop_gate()
    action = contested(gate, by=DESKTOP)
    told = gate.action(action).until
    said = gate.prove(action, SYNCED)

    assert said.answer is Answer.HOLD
    assert told is not None
    assert gate.action(action).lapses_at == told + 7 * DAY
    assert gate.veto(action, DESKTOP).requirement == Never(code=Reason.NOT_ENTITLED)
    assert gate.veto(action, EMAIL).answer is Answer.ALLOW


def test_an_erasure_that_was_decided_for_has_as_long_as_ever() -> None:
    gate = desktop_gate()
    action = contested(gate, AccountErase(account=gate.account.account_id), by=DESKTOP)
    until = gate.action(action).until
    gate.prove(action, SYNCED)

    assert until is not None
    assert gate.action(action).lapses_at == until + 30 * DAY


def test_an_exit_that_was_authorized_and_contested_needs_a_third_root() -> None:
    gate = desktop_gate()
    action = contested(gate, send(), by=DESKTOP)

    assert gate.spend(action).answer is Answer.CHALLENGE
    assert gate.prove(action, SYNCED).answer is Answer.ALLOW
    assert gate.spend(action).answer is Answer.ALLOW


def test_who_lost_is_not_heard_for_a_month() -> None:
    gate = desktop_gate()
    action = contested(gate, by=DESKTOP)
    gate.prove(action, SYNCED)
    decided = gate.now
    gate.wait(30 * DAY - HOUR)
    other = asked(gate, LIFT)

    assert gate.veto(other, DESKTOP).requirement == Never(code=Reason.NOT_ENTITLED)
    gate.wait_until(decided + 30 * DAY)
    assert gate.veto(other, DESKTOP).answer is Answer.ALLOW


def test_the_same_root_again_or_one_below_the_floor_decides_nothing() -> None:
    gate = desktop_gate()
    action = contested(gate, by=DESKTOP)
    said = gate.prove(action, PASSWORD)

    needed = Prove(code=Reason.CONTESTED, level=Level.PHISHING_RESISTANT, roots=2)
    assert needed in list(leaves(said.requirement))
    gate.prove(action, ROAMING)
    assert gate.account.disputes.contest is not None


def test_where_nothing_may_decide_it_says_so_and_when_it_is_over() -> None:
    gate = a_gate()
    action = contested(gate)  # The phone objects, and the phone's passkey is none of a third.
    said = gate.prove(action, SYNCED)

    assert said.answer is Answer.DENY
    assert Never(code=Reason.CONTESTED, until=ENDS) in list(leaves(said.requirement))
    assert gate.is_open(action)


@pytest.mark.parametrize("side", [SYNCED, ROAMING])
def test_a_no_from_another_side_ends_it_at_once_also_of_who_asked(side: object) -> None:
    gate = desktop_gate()
    action = contested(gate, by=DESKTOP)
    entry = SYNCED.entry if side is SYNCED else ROAMING.entry
    session = replace(a_session(), by=(entry,))
    said = gate.veto(action, session=gate.give_session(session))

    assert said.answer is Answer.ALLOW
    assert not gate.is_open(action)
    assert gate.account.disputes.contest is None
    assert [one.roots for one in gate.account.disputes.objections] == [
        ("phone",) if side is SYNCED else ("roaming:aut_roaming",)
    ]


def test_undecided_it_lapses_and_nothing_has_happened() -> None:
    gate = a_gate()
    action = contested(gate)
    gate.wait_until(ENDS - INSTANT)
    gate.settle()
    assert gate.is_open(action)
    gate.wait_until(ENDS)
    gate.settle()

    assert events(gate) == [ActionLapsed]
    assert not gate.is_open(action)
    assert gate.account.disputes.contest is None
    assert gate.is_open(gate.propose(LIST).action_id)


def test_after_a_month_a_no_is_a_first_one_again() -> None:
    gate = a_gate()
    gate.veto(asked(gate), EMAIL)
    gate.wait(30 * DAY)
    action = asked(gate)

    assert gate.veto(action, EMAIL).answer is Answer.ALLOW
    assert not gate.is_open(action)


# --- Whose no it is ---


def roots(gate: Gate, veto: Veto) -> tuple[str, ...]:
    return roots_of(gate.account, veto, now=gate.now)


def test_a_session_says_no_from_the_roots_that_began_it() -> None:
    gate = a_gate()
    code = replace(SMS, entry=77)
    gate.account = replace(gate.account, channels=(EMAIL, DESKTOP, code))
    of = {
        "ses_phone": ((PASSWORD.entry, SYNCED.entry), ("phone",)),
        "ses_code": ((PASSWORD.entry, 77), ("phone",)),
        "ses_key": ((ROAMING.entry,), ("roaming:aut_roaming",)),
        "ses_both": ((ROAMING.entry, SYNCED.entry), ("phone", "roaming:aut_roaming")),
        "ses_gone": ((PASSWORD.entry, 999), ("phone",)),
    }
    for name, (by, named) in of.items():
        signature = gate.give_session(replace(a_session(name), by=by))
        veto = Veto(action_id=ActionId("act"), session=signature)
        assert roots(gate, veto) == named


def test_nobody_s_no_has_no_root() -> None:
    gate = a_gate()
    nobody = SessionSignature(session_id=SessionId("ses_x"), thumbprint="", signed_at=None)

    assert roots(gate, Veto(action_id=ActionId("act"))) == ()
    assert roots(gate, Veto(action_id=ActionId("act"), session=nobody)) == ()
    assert roots(gate, Veto(action_id=ActionId("act"), channel_id=SMS.channel_id)) == ()


def test_a_session_may_open_one_too_and_an_older_session_kills_what_is_new() -> None:
    gate = a_gate()
    mine = replace(a_session(), by=(SYNCED.entry,))
    signature = gate.give_session(mine)
    gate.veto(asked(gate), session=signature)
    gate.veto(asked(gate), session=signature)
    contest = gate.account.disputes.contest

    assert contest is not None
    assert contest.objected == ("phone",)


def kinds(decision: Decision) -> list[type]:
    return [type(event) for event in decision.events]


def test_what_a_veto_remembers_stands_in_its_event() -> None:
    gate = a_gate()
    powers: dict[str, Any] = {
        "ip_list": ("203.0.113.7/32",),
        "destinations": (a_destination().destination_id,),
        "daily_cents": 10_000,
    }
    first = gate.veto(asked(gate, make_key("withdraw", **powers)), EMAIL)
    (ended,) = first.events
    another = make_key("read", "withdraw", public_key="q" * 43, **powers)
    second = gate.veto(asked(gate, another), EMAIL)

    assert isinstance(ended, ActionVetoed)
    assert (ended.roots, bool(ended.change)) == (("phone",), True)
    assert kinds(second) == [ContestOpened]
