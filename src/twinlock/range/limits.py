"""The numbers of a policy that stories speak of without naming them."""

from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.reasons import Reason


def limit_of(statutes: Statutes, reason: Reason) -> int:
    """Return the sum in US cents above which statutes speak for ``reason``; of none, the highest.

    Of the numbers in a statute about a sum, the sum is the largest.
    """
    sums = [max(rule.when.steps) for rule in statutes.rules if rule.demand.reason is reason]
    return min(sums, default=MAX_VALUE_CENTS)
