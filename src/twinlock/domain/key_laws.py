"""The laws that speak of API keys: what one stands for, and how far (law 3).

Source: docs/laws.md.
"""

from datetime import datetime, timedelta

from twinlock.domain.assurance import Level
from twinlock.domain.bounds import BUDGET_CENTS_MOST
from twinlock.domain.catalogue import WITHDRAW_SCOPE, ActionClass
from twinlock.domain.policy.facts import (
    ApiKeyState,
    ApiKeyUse,
    DestinationState,
    Facts,
    SessionState,
    Within,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Answer,
    Never,
    Requirement,
    WaitUntil,
    all_of,
    answer,
)


def own_proof(facts: Facts) -> bool:
    """Say whether the proofs shown for this payload reach the account's floor."""
    return facts.shown_level >= facts.floor and facts.shown_level > Level.NONE


def within_budget(facts: Facts) -> bool:
    """Say whether this exit may leave on the session key alone (law 4)."""
    return (
        facts.action_class is ActionClass.EXIT
        and facts.session is SessionState.FULL
        and facts.destination is DestinationState.USABLE
        and facts.value_cents <= facts.budget_left_cents
        and facts.destination_day_cents + facts.value_cents <= BUDGET_CENTS_MOST
    )


def by_api_key(facts: Facts) -> bool:
    """Say whether an API key shows the floor: it stands for the proof that signed its powers."""
    key = facts.api_key
    if key is None or key.level < facts.floor or key.level is Level.NONE:
        return False
    return answer(_beyond_the_key(facts, key)) is not Answer.DENY


def an_api_key_reaches_so_far(facts: Facts) -> Requirement:
    """Law 3: an API key proves what was signed for it, and nothing beyond.

    Whoever shows enough of their own needs no key. Prevents: a stolen key used from elsewhere, for
    another destination, for more than its sum; and one that speaks before its wait is over.
    """
    key = facts.api_key
    return NOTHING if key is None or stands_alone(facts) else _beyond_the_key(facts, key)


def stands_alone(facts: Facts) -> bool:
    """Say whether this is proved without an API key: it counts in no key's sum then."""
    return own_proof(facts) or within_budget(facts)


def _beyond_the_key(facts: Facts, key: ApiKeyUse) -> Requirement:
    return all_of(
        _until_the_key_is_there(facts, key),
        *(
            Never(code=code)
            for code, misses in (
                (Reason.API_KEY_SCOPE, _may_not_withdraw(facts, key)),
                (Reason.API_KEY_IP, key.ip is not Within.INSIDE),
                (Reason.API_KEY_DESTINATION, _leads_elsewhere(facts, key)),
            )
            if misses
        ),
        _sum_of_the_key(facts, key),
    )


def _may_not_withdraw(facts: Facts, key: ApiKeyUse) -> bool:
    return WITHDRAW_SCOPE not in key.scopes or facts.action_class is not ActionClass.EXIT


def _leads_elsewhere(facts: Facts, key: ApiKeyUse) -> bool:
    """A destination that lapsed, or was removed, takes the customer's own proof again."""
    return key.destination is not Within.INSIDE or facts.destination is not DestinationState.USABLE


def _until_the_key_is_there(facts: Facts, key: ApiKeyUse) -> Requirement:
    if key.state is ApiKeyState.LIVE:
        return NOTHING
    if key.state is ApiKeyState.LAPSED:
        return Never(code=Reason.API_KEY_LAPSED)
    until = key.usable_from if key.state is ApiKeyState.WAITING else None
    if until is None or until <= facts.now:
        return Never(code=Reason.API_KEY_STOPPED)
    return WaitUntil(code=Reason.API_KEY_WAITS, until=until)


def _sum_of_the_key(facts: Facts, key: ApiKeyUse) -> Requirement:
    if facts.value_cents <= key.left_cents:
        return NOTHING
    another_day = facts.value_cents <= key.daily_cents
    return Never(code=Reason.API_KEY_SUM, until=next_day(facts.now) if another_day else None)


def next_day(now: datetime) -> datetime:
    """Return the next midnight (UTC): when sums of a day begin anew."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def a_withdraw_key_is_bounded(facts: Facts) -> Requirement:
    """Law 3: a key that may withdraw names its addresses, destinations and sum, or cannot exist."""
    if WITHDRAW_SCOPE not in facts.scopes:
        return NOTHING
    no_ips = NOTHING if facts.ip_list else Never(code=Reason.API_KEY_IP_LIST)
    no_set = NOTHING if facts.key_destinations else Never(code=Reason.API_KEY_DESTINATIONS)
    no_sum = NOTHING if facts.key_daily_cents else Never(code=Reason.API_KEY_DAILY_SUM)
    return all_of(no_ips, no_set, no_sum)
