"""Two policies beside each other ask for what each of them asks for by itself."""

from hypothesis import given
from support.facts import facts
from support.policies import policies

from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.pairing import Pair
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.vocabulary import context_of


@given(policies(6), policies(6), facts())
def test_a_pair_matches_what_each_side_matches(first: Policy, second: Policy, found: Facts) -> None:
    pair = Pair(first.statutes, second.statutes)
    matched = pair.about(found.action).matched(found)

    for statutes, own in ((first.statutes, matched.first), (second.statutes, matched.second)):
        alone = statutes.matching(found.action, context_of(found))
        assert sorted(map(repr, (*matched.common, *own))) == sorted(
            repr(rule.demand) for rule in alone
        )


@given(policies(6))
def test_a_policy_beside_itself_has_all_in_common(policy: Policy) -> None:
    pair = Pair(policy.statutes, policy.statutes)

    assert pair.second.rules == pair.first.rules
    for action in policy.statutes.permits:
        assert not pair.about(action).first
        assert not pair.about(action).second
