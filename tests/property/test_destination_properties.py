"""A destination's small budget spares a proof, and nothing else: no sum, no hold, no refusal."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.facts import facts
from support.policies import DEFAULT, STRICT
from support.worlds import rules_of

from twinlock.domain.assurance import Level
from twinlock.domain.bounds import BUDGET_CENTS_MOST
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.decisions import judge_facts
from twinlock.domain.key_laws import within_budget
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.policy.version import Policy
from twinlock.domain.requirements import Answer, answer
from twinlock.domain.screening import Screened

DAY_LIMIT = 10_000_000  # Of default.cedar, in US cents.


@st.composite
def on_the_session(draw: st.DrawFn) -> Facts:
    """Draw any withdrawal within a budget that a session signs and nothing else proves."""
    found = draw(facts())
    cents = draw(st.integers(0, 50_000))
    return replace(
        found,
        action=ActionType.WITHDRAWAL_CRYPTO,
        action_class=ActionClass.EXIT,
        session=SessionState.FULL,
        destination=DestinationState.USABLE,
        proved_at=None,
        shown_level=Level.NONE,
        shown_roots=(),
        api_key=None,
        value_cents=cents,
        destination_day_cents=draw(st.integers(0, BUDGET_CENTS_MOST - 50_000)),
        budget_left_cents=draw(st.integers(cents, BUDGET_CENTS_MOST)),
    )


@given(on_the_session(), st.sampled_from([DEFAULT, STRICT]))
def test_a_budget_lifts_no_hold_no_freeze_no_sum_and_no_refusal(
    found: Facts, policy: Policy
) -> None:
    assert within_budget(found)
    rules = rules_of(policy, now=found.now)
    stopped = [
        replace(found, held_until=found.now + timedelta(hours=1)),
        replace(found, frozen_until=found.now + timedelta(hours=1), frozen_at=found.now),
        replace(found, enrolling=True),
        replace(found, look_alike=True),
        replace(found, screened=Screened.LISTED),
        replace(found, screened=Screened.UNKNOWN),
        replace(found, promised_until=found.now + timedelta(hours=1)),
        replace(found, day_cents=DAY_LIMIT + 1),
    ]
    for one in stopped:
        assert answer(judge_facts(one, rules=rules)) is not Answer.ALLOW


@given(on_the_session())
def test_a_cent_above_the_budget_takes_a_proof(found: Facts) -> None:
    above = replace(found, value_cents=found.budget_left_cents + 1)

    assert not within_budget(above)
    assert answer(judge_facts(above, rules=rules_of(now=found.now))) is not Answer.ALLOW


@given(on_the_session(), st.integers(0, 20))
def test_what_others_want_never_asks_for_less(found: Facts, more: int) -> None:
    """The count of others only adds: whatever it lets pass passes without it too."""
    rules = rules_of(now=found.now)
    counted = replace(found, wanted_elsewhere=more, destination=DestinationState.NEW)
    alone = replace(counted, wanted_elsewhere=0)

    if answer(judge_facts(counted, rules=rules)) is Answer.ALLOW:
        assert answer(judge_facts(alone, rules=rules)) is Answer.ALLOW
