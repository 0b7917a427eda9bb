"""The statutes of a profile: functions of the facts to what is still missing, like the laws.

A statute says what a platform's profile adds. Its numbers come from the profile; its form is that
of a law, so that gate, prover and backtest read both alike.
"""

from datetime import datetime, timedelta

from twinlock.domain.actions import ActionClass, ActionType
from twinlock.domain.assurance import Level
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.laws import Law, setting_up
from twinlock.domain.policy.facts import DestinationState, Facts
from twinlock.domain.policy.profile import Profile
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
)

_LISTED = (DestinationState.USABLE, DestinationState.LAPSED)


def statutes(profile: Profile) -> tuple[Law, ...]:
    """Return the statutes of ``profile``, in a fixed order."""
    return (
        _changes_wait(profile),
        _new_destinations_wait(profile),
        _only_listed_destinations(),
        _narrow_accounts(profile),
        _daily_limit(profile),
        _budgets_are_small(profile),
    )


def _wait(facts: Facts, length: timedelta, code: Reason) -> Requirement:
    until = (facts.proved_at or facts.now) + length
    return NOTHING if facts.now >= until else WaitUntil(code=code, until=until)


def _changes_wait(profile: Profile) -> Law:
    def changes_wait(facts: Facts) -> Requirement:
        """Each loosening waits as long as the profile says for its type."""
        if facts.action_class is not ActionClass.LOOSENING or setting_up(facts):
            return NOTHING
        length = profile.waits.get(facts.action)
        if length is None:
            return Never(code=Reason.ACTION_NOT_BUILT)
        return _wait(facts, length, Reason.LOOSENING_WAITS)

    return changes_wait


def _tomorrow(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


_CODES = {
    DestinationState.UNPROVED: Reason.DESTINATION_UNPROVED,
    DestinationState.REMOVED: Reason.DESTINATION_REMOVED,
}


def _new_destinations_wait(profile: Profile) -> Law:
    def new_destinations_wait(facts: Facts) -> Requirement:
        """An exit to a destination that is not proved and aged waits after its own proof."""
        if facts.action_class is not ActionClass.EXIT or facts.destination in _LISTED:
            return NOTHING
        code = _CODES.get(facts.destination, Reason.DESTINATION_NEW)
        return _wait(facts, profile.new_destination_wait, code)

    return new_destinations_wait


def _only_listed_destinations() -> Law:
    known = (*_LISTED, DestinationState.WAITING, DestinationState.UNPROVED)

    def only_listed_destinations(facts: Facts) -> Requirement:
        """Where the owner wants a list, an unlisted destination is refused.

        An imported entry nobody signed is on the list but proves nothing: it waits as a new one.
        """
        if facts.action_class is not ActionClass.EXIT or not facts.destinations_required:
            return NOTHING
        return NOTHING if facts.destination in known else Never(code=Reason.DESTINATION_NOT_LISTED)

    return only_listed_destinations


def _narrow_accounts(profile: Profile) -> Law:
    def narrow_accounts(facts: Facts) -> Requirement:
        """Without a channel off the phone: a small daily sum; new destinations wait longer."""
        if not facts.narrow:
            return NOTHING
        if facts.action == ActionType.DESTINATION_ADD:
            return _wait(facts, profile.narrow_destination_wait, Reason.NARROW_DESTINATION)
        if facts.action_class is not ActionClass.EXIT:
            return NOTHING
        wait: Requirement = NOTHING
        if facts.destination not in _LISTED:
            wait = _wait(facts, profile.narrow_destination_wait, Reason.NARROW_DESTINATION)
        if facts.day_cents + facts.value_cents <= profile.narrow_daily_cents:
            return wait
        return all_of(wait, _two_roots_or_never(facts, profile))

    return narrow_accounts


def _too_much(facts: Facts, code: Reason) -> Reason:
    """Return why a sum is too much: an unknown value counts as the highest (law 1)."""
    return Reason.VALUE_UNKNOWN if facts.value_cents == MAX_VALUE_CENTS else code


def _two_roots_or_never(facts: Facts, profile: Profile) -> Requirement:
    """Where no silence is heard, a second root can still stand behind the sum."""
    if facts.has_channel and facts.roots_enrolled > 1:
        return Prove(code=_too_much(facts, Reason.NARROW_LIMIT), level=facts.floor, roots=2)
    too_much_for_any_day = facts.value_cents > profile.narrow_daily_cents
    ends = None if too_much_for_any_day else _tomorrow(facts.now)
    return Never(code=_too_much(facts, Reason.NARROW_LIMIT), until=ends)


def _daily_limit(profile: Profile) -> Law:
    def daily_limit(facts: Facts) -> Requirement:
        """Above the day's limit a second root or the wait must stand behind the exit."""
        if facts.action_class is not ActionClass.EXIT or len(facts.shown_roots) > 1:
            return NOTHING
        if facts.day_cents + facts.value_cents <= profile.daily_limit_cents:
            return NOTHING
        if facts.proved_at is None:
            # A budget is no proof, and a wait runs from a proof.
            level = max(facts.floor, Level.KNOWLEDGE)
            return Prove(code=_too_much(facts, Reason.LIMIT_EXCEEDED), level=level)
        wait = _wait(facts, profile.over_limit_wait, _too_much(facts, Reason.LIMIT_EXCEEDED))
        if wait == NOTHING or facts.roots_enrolled < 2:  # noqa: PLR2004 - a second root
            return wait
        second = Prove(code=Reason.SECOND_ROOT_NEEDED, level=facts.floor, roots=2)
        return any_of(second, wait)

    return daily_limit


def _budgets_are_small(profile: Profile) -> Law:
    def budgets_are_small(facts: Facts) -> Requirement:
        """What may leave without a tap is bounded per destination and day."""
        if facts.budget_cents <= profile.budget_most_cents:
            return NOTHING
        return Never(code=Reason.BUDGET_TOO_HIGH)

    return budgets_are_small
