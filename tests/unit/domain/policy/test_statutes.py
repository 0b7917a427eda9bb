"""Each statute of the default profile, on both sides of each of its numbers."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import DAY, INSTANT, NOON
from support.worlds import STRICT

from twinlock.domain.actions import CLASS_OF, ActionClass
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.policy.profile import DEFAULT, Profile
from twinlock.domain.policy.statutes import statutes
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
    reasons,
)

TOP = Level.PHISHING_RESISTANT
SECOND = Prove(code=Reason.SECOND_ROOT_NEEDED, level=TOP, roots=2)
MIDNIGHT = NOON.replace(hour=0) + DAY
LIMIT, NARROW = DEFAULT.daily_limit_cents, DEFAULT.narrow_daily_cents


def the(action: str, **changes: Any) -> Facts:  # noqa: ANN401 - any of the fields
    """Return the facts of an account with a passkey, shown just now, for a known action."""
    found = Facts(
        now=NOON,
        action=action,
        action_class=CLASS_OF.get(action),
        built=True,
        proposed_at=NOON,
        proved_at=NOON,
        floor=TOP,
        shown_level=TOP,
        shown_factors=(Factor.PASSKEY,),
        shown_roots=("phone",),
        roots_enrolled=1,
        narrow=False,
        has_channel=True,
        destination=DestinationState.USABLE,
    )
    return replace(found, **changes)


def missing(facts: Facts, profile: Profile = DEFAULT) -> Requirement:
    return all_of(*(statute(facts) for statute in statutes(profile)))


SEND, LIST = "withdrawal.crypto", "destination.add"


# --- Changes wait ---


@pytest.mark.parametrize(("action", "length"), DEFAULT.waits.items())
def test_a_change_waits_as_long_as_its_profile_says(action: str, length: timedelta) -> None:
    asked = the(action, action_class=ActionClass.LOOSENING)
    early = replace(asked, proved_at=NOON - length + INSTANT)
    ripe = replace(asked, proved_at=NOON - length)

    assert missing(early) == WaitUntil(code=Reason.LOOSENING_WAITS, until=NOON + INSTANT)
    assert missing(ripe) == NOTHING


def test_a_loosening_without_a_wait_of_its_own_is_refused() -> None:
    assert missing(the("limit.raise")) == Never(code=Reason.ACTION_NOT_BUILT)


def test_while_setting_up_only_binding_does_not_wait() -> None:
    assert missing(the("authenticator.bind", enrolling=True)) == NOTHING
    assert missing(the(LIST, enrolling=True)) != NOTHING


# --- Destinations ---


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (DestinationState.NEW, Reason.DESTINATION_NEW),
        (DestinationState.WAITING, Reason.DESTINATION_NEW),
        (DestinationState.UNPROVED, Reason.DESTINATION_UNPROVED),
        (DestinationState.REMOVED, Reason.DESTINATION_REMOVED),
        (DestinationState.NONE, Reason.DESTINATION_NEW),
    ],
)
def test_an_exit_to_what_is_not_proved_and_aged_waits(
    state: DestinationState, code: Reason
) -> None:
    asked = the(SEND, destination=state)
    early = replace(asked, proved_at=NOON - DAY + INSTANT)
    ripe = replace(asked, proved_at=NOON - DAY)

    assert missing(early) == WaitUntil(code=code, until=NOON + INSTANT)
    assert missing(ripe) == NOTHING


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        (DestinationState.NONE, True),
        (DestinationState.NEW, True),
        (DestinationState.REMOVED, True),
        (DestinationState.UNPROVED, False),
        (DestinationState.WAITING, False),
        (DestinationState.USABLE, False),
        (DestinationState.LAPSED, False),
    ],
)
def test_where_the_owner_wants_a_list_what_is_not_on_it_is_refused(
    state: DestinationState, refused: bool
) -> None:
    asked = the(SEND, destination=state, destinations_required=True)

    assert (Reason.DESTINATION_NOT_LISTED in reasons(missing(asked))) is refused
    assert Reason.DESTINATION_NOT_LISTED not in reasons(
        missing(replace(asked, action=LIST, action_class=ActionClass.LOOSENING))
    )


@pytest.mark.parametrize(
    ("budget", "profile", "refused"),
    [
        (DEFAULT.budget_most_cents, DEFAULT, False),
        (DEFAULT.budget_most_cents + 1, DEFAULT, True),
        (0, STRICT, False),
        (1, STRICT, True),
    ],
)
def test_a_budget_is_small(budget: int, profile: Profile, refused: bool) -> None:
    asked = the(LIST, budget_cents=budget)

    assert (Reason.BUDGET_TOO_HIGH in reasons(missing(asked, profile))) is refused


# --- Narrow accounts ---


def narrow(**changes: Any) -> Facts:  # noqa: ANN401 - any of the fields
    return the(SEND, **{"narrow": True} | changes)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"value_cents": NARROW}, NOTHING),
        ({"value_cents": NARROW - 1, "day_cents": 1}, NOTHING),
        (
            {"value_cents": NARROW, "day_cents": 1},
            Never(code=Reason.NARROW_LIMIT, until=MIDNIGHT),
        ),
        ({"value_cents": NARROW + 1}, Never(code=Reason.NARROW_LIMIT)),
        (
            {"value_cents": NARROW + 1, "roots_enrolled": 2},
            Prove(code=Reason.NARROW_LIMIT, level=TOP, roots=2),
        ),
        (
            {"value_cents": NARROW + 1, "roots_enrolled": 2, "has_channel": False},
            Never(code=Reason.NARROW_LIMIT),
        ),
    ],
)
def test_a_narrow_account_sends_a_small_sum_a_day(
    changes: dict[str, Any], wanted: Requirement
) -> None:
    """No end is told that would not be one: tomorrow does not help what is too much for any day."""
    assert missing(narrow(**changes)) == wanted


def test_a_narrow_account_waits_seven_days_for_a_new_destination() -> None:
    asked = narrow(destination=DestinationState.NEW)
    early = replace(asked, proved_at=NOON - 7 * DAY + INSTANT)
    ripe = replace(asked, proved_at=NOON - 7 * DAY)
    listing = replace(early, action=LIST, action_class=ActionClass.LOOSENING)

    assert missing(early) == WaitUntil(code=Reason.NARROW_DESTINATION, until=NOON + INSTANT)
    assert missing(ripe) == NOTHING
    assert missing(listing) == missing(early)


def test_a_narrow_account_does_the_rest_like_any_other() -> None:
    asked = the("session.start", narrow=True)

    assert missing(asked) == NOTHING


# --- The daily limit ---


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"value_cents": LIMIT}, NOTHING),
        ({"value_cents": 1, "day_cents": LIMIT - 1}, NOTHING),
        (
            {"value_cents": 1, "day_cents": LIMIT},
            WaitUntil(code=Reason.LIMIT_EXCEEDED, until=NOON + DAY),
        ),
        (
            {"value_cents": LIMIT + 1, "roots_enrolled": 2},
            any_of(SECOND, WaitUntil(code=Reason.LIMIT_EXCEEDED, until=NOON + DAY)),
        ),
        ({"value_cents": LIMIT + 1, "shown_roots": ("phone", "roaming:a")}, NOTHING),
        ({"value_cents": LIMIT + 1, "proved_at": NOON - DAY}, NOTHING),
        (
            {"value_cents": LIMIT + 1, "proved_at": NOON - DAY, "roots_enrolled": 2},
            NOTHING,
        ),
        (
            {"value_cents": LIMIT + 1, "proved_at": None, "session": SessionState.FULL},
            Prove(code=Reason.LIMIT_EXCEEDED, level=TOP),
        ),
        (
            {"value_cents": MAX_VALUE_CENTS},
            WaitUntil(code=Reason.VALUE_UNKNOWN, until=NOON + DAY),
        ),
    ],
)
def test_above_the_days_limit_a_second_root_or_a_wait_stands_behind_an_exit(
    changes: dict[str, Any], wanted: Requirement
) -> None:
    assert missing(the(SEND, **changes)) == wanted


def test_no_limit_speaks_of_what_does_not_leave() -> None:
    asked = the("session.start", day_cents=MAX_VALUE_CENTS)

    assert missing(asked) == NOTHING
