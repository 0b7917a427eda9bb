"""The platform's word on a sign-in only adds: under every profile, for any facts whatever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import NOON
from support.facts import facts
from support.policies import policies
from support.visits import known_at_home
from support.worlds import an_account, sign_in

from twinlock.bootstrap.rulebook import RuleBook
from twinlock.domain.bounds import RISK_MOST, SCORE_HOLD_MOST
from twinlock.domain.catalogue import ActionType
from twinlock.domain.decisions import Rules, agreed, judge_facts
from twinlock.domain.laws import LAWS
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.version import Policy
from twinlock.domain.requirements import NOTHING, AllOf, Requirement
from twinlock.domain.risk.scoring import Noticed
from twinlock.domain.risk.visits import Visit
from twinlock.domain.signing_in import scored, unusual_hold
from twinlock.range.profiles import PROFILES, rules_of

scores = st.integers(0, RISK_MOST)


def parts(missing: Requirement) -> set[Requirement]:
    if missing == NOTHING:
        return set()
    return set(missing.parts) if isinstance(missing, AllOf) else {missing}


def rules(book: RuleBook) -> Rules:
    return Rules(
        laws=book.laws, statutes=book.policy.statutes.laws(), policy=book.policy, confirm=agreed
    )


@pytest.mark.parametrize("profile", PROFILES)
@given(found=facts(), low=scores, high=scores)
def test_a_higher_score_misses_all_that_a_lower_one_does(
    profile: str, found: Facts, low: int, high: int
) -> None:
    low, high = sorted((low, high))
    by = rules(rules_of(profile))

    less = parts(judge_facts(replace(found, risk=low), rules=by))
    more = parts(judge_facts(replace(found, risk=high), rules=by))
    none = parts(judge_facts(replace(found, risk=0), rules=by))

    assert none <= less <= more


@pytest.mark.parametrize("profile", PROFILES)
@given(found=facts())
def test_a_hold_that_a_score_placed_misses_all_that_is_missed_without_it(
    profile: str, found: Facts
) -> None:
    by = rules(rules_of(profile))

    with_it = parts(judge_facts(found, rules=by))
    without = parts(judge_facts(replace(found, unusual_until=None), rules=by))

    assert without <= with_it


@given(found=facts(), policy=policies(), low=scores, high=scores)
def test_under_any_policy_that_is_taken_a_higher_score_misses_no_less(
    found: Facts, policy: Policy, low: int, high: int
) -> None:
    low, high = sorted((low, high))
    by = Rules(laws=LAWS, statutes=policy.statutes.laws(), policy=policy, confirm=agreed)

    less = parts(judge_facts(replace(found, risk=low), rules=by))

    assert less <= parts(judge_facts(replace(found, risk=high), rules=by))


@pytest.mark.parametrize("profile", PROFILES)
@given(found=facts(action=ActionType.SESSION_START), low=scores, high=scores)
def test_a_higher_score_places_no_shorter_hold_and_none_of_more_than_two_weeks(
    profile: str, found: Facts, low: int, high: int
) -> None:
    low, high = sorted((low, high))
    lengths = rules_of(profile).policy.statutes.scores_held(ActionType.SESSION_START)

    less = unusual_hold(replace(found, risk=low), lengths)
    more = unusual_hold(replace(found, risk=high), lengths)

    assert less is None or (more is not None and more.ends_at >= less.ends_at)
    assert more is None or more.ends_at <= found.now + SCORE_HOLD_MOST


steps = st.tuples(*[st.floats(1e-9, 1.0)] * 4)
noticed = st.builds(
    Noticed,
    visit=st.builds(Visit, rtt=st.integers(0, 16)),
    ip=steps,
    ua=steps,
    hosting=st.booleans(),
    fan_out=st.integers(0, 10**6),
)


@given(st.none() | noticed, st.booleans(), st.booleans())
def test_whatever_is_told_is_a_score_in_range(
    told: Noticed | None, by_device: bool, known: bool
) -> None:
    account = known_at_home(an_account()) if known else an_account()

    visit, risk = scored(account, sign_in(), told, by_device=by_device, now=NOON)

    assert 0 <= risk <= RISK_MOST
    assert (visit is None) is (told is None)
