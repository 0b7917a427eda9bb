"""Mallory signs in as Alice with all that her floor asks for, from where she never was.

*Has*: Alice's password and her app's seed, from a phone that was backed up into the wrong cloud.
*Wants*: her money, before she reads a notice. *Is stopped by*: the hold of a new device, and a
longer one that the score of the sign-in adds; the second root that her account has. *Leaves
behind*: both holds, with their reasons, and a session in which nothing leaves.
"""

from datetime import timedelta

import pytest
from hypothesis import given
from msgspec.structs import replace
from support.cast import DAY, MALLORYS_ADDRESS, MALLORYS_LAPTOP, NOON, OLD_ADDRESS
from support.facts import EXITS, facts
from support.gates import Gate
from support.visits import HOME, STRANGE, known_at_home
from support.worlds import (
    APP,
    EMAIL,
    PASSWORD,
    ROAMING,
    a_destination,
    an_account,
    rules_of,
    send,
)

from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.decisions import judge_facts
from twinlock.domain.holds import held_until
from twinlock.domain.policy.facts import Facts
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons, waits_until
from twinlock.domain.risk.scoring import unread
from twinlock.domain.risk.visits import VisitFault


def alice(*more: object) -> Gate:
    account = an_account(PASSWORD, APP, *more)  # type: ignore[arg-type] # authenticators
    return Gate.of(known_at_home(account), a_destination())


def test_the_money_stays_for_three_days_on_the_listed_way_out_too() -> None:
    gate = alice()
    assert gate.sign_in(PASSWORD, APP, device=MALLORYS_LAPTOP, noticed=STRANGE).answer == "allow"
    ends = NOON + 3 * DAY

    for address in (OLD_ADDRESS, MALLORYS_ADDRESS):
        asked = gate.propose(send(to=address))
        told = gate.prove(asked.action_id, APP)
        assert told.answer is not Answer.ALLOW
        assert (waits_until(told.requirement) or NOON) >= ends
    gate.wait_until(ends - timedelta(seconds=30))
    assert held_until(gate.account.holds, now=gate.now) is not None


@pytest.mark.parametrize("lie", [HOME, unread(VisitFault.IP_MALFORMED), None])
def test_whatever_the_platform_says_a_new_device_holds_for_a_day(lie: object) -> None:
    """Also where she is said to be at home: the platform's word takes nothing away."""
    gate = alice()
    gate.sign_in(PASSWORD, APP, device=MALLORYS_LAPTOP, noticed=lie)  # type: ignore[arg-type] # as told

    assert (held_until(gate.account.holds, now=gate.now) or NOON) >= gate.now + DAY


def test_where_she_has_a_second_root_he_is_asked_for_it_and_waits() -> None:
    gate = alice(ROAMING)
    strong = gate.sign_in(ROAMING, device=MALLORYS_LAPTOP, noticed=STRANGE)

    assert strong.answer is not Answer.ALLOW
    assert Reason.SIGN_IN_UNUSUAL in reasons(strong.requirement)
    assert gate.account.sessions == ()


def test_a_veto_from_her_mailbox_ends_the_sign_in_that_waits() -> None:
    gate = alice(ROAMING)
    action = gate.start(MALLORYS_LAPTOP, noticed=STRANGE)
    gate.prove(action, ROAMING)
    assert gate.veto(action, EMAIL).answer is Answer.ALLOW

    gate.wait(2 * DAY)
    gate.settle()
    assert gate.account.sessions == ()


@given(facts())
def test_no_exit_is_left_out_of_what_a_score_holds(found: Facts) -> None:
    held = replace(found, enrolling=False, held_until=NOON + DAY, unusual_until=NOON + DAY)

    for exit_ in EXITS:
        missing = judge_facts(
            replace(held, action=exit_, action_class=ActionClass.EXIT, scopes=()), rules=rules_of()
        )
        assert {Reason.EXITS_HELD, Reason.SIGN_IN_UNUSUAL} <= set(reasons(missing))
    assert ActionType.SESSION_START not in EXITS
