"""Law 3 from one table: who of which age may do what to what of which age, to the millisecond.

"For 30 days a new authenticator or channel cannot veto or remove an older one, and any older one
can repudiate it." What was bound within an hour was bound in one sitting, and is of one age.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, LONG_AGO, NEW_ADDRESS, NOON
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_session,
    an_account,
    change_contact,
    change_password,
    list_address,
    remove,
    repudiate,
    reset_password,
    suspend,
)

from twinlock.domain.authenticators.model import Authenticator, Password
from twinlock.domain.channels import Channel
from twinlock.domain.requirements import Answer

MONTH = 30 * DAY
NO_TIME = timedelta(0)
Do: TypeAlias = Callable[[Gate, Source], Answer]

# Ages in relation to one another. Everything is bound at NOON or before it; it is NOON now.
OLDER = "older"  # The actor, by more than a sitting.
SAME = "of one age"
NEWER = "newer"  # The actor, by more than a sitting, and not yet thirty days old.
RIPE = "ripe"  # The actor is newer, and thirty days old.
AGES: list[tuple[str, datetime, datetime]] = [
    # actor bound at, target bound at
    (OLDER, NOON - 2 * DAY, NOON - DAY),
    (OLDER, NOON - DAY - HOUR - INSTANT, NOON - DAY),
    (SAME, NOON - DAY - HOUR, NOON - DAY),
    (SAME, NOON - DAY, NOON - DAY),
    (SAME, NOON - DAY + HOUR, NOON - DAY),
    (NEWER, NOON - DAY + HOUR + INSTANT, NOON - DAY),
    (NEWER, NOON, LONG_AGO),
    (NEWER, NOON - MONTH + INSTANT, LONG_AGO),
    (RIPE, NOON - MONTH, LONG_AGO),
    (RIPE, NOON - 2 * MONTH, LONG_AGO),
]
IDS = [f"{word}-{number}" for number, (word, _, _) in enumerate(AGES)]


def actor(at: datetime) -> Authenticator:
    return replace(SYNCED, bound_at=at)


def told(gate: Gate, action: str, by: Source) -> Answer:
    return gate.prove(action, by).answer if gate.is_open(action) else Answer.DENY


def removes(gate: Gate, by: Source) -> Answer:
    return told(gate, gate.propose(remove(ROAMING)).action_id, by)


def suspends(gate: Gate, by: Source) -> Answer:
    return told(gate, gate.propose(suspend(ROAMING)).action_id, by)


def repudiates(gate: Gate, by: Source) -> Answer:
    return told(gate, gate.propose(repudiate(ROAMING)).action_id, by)


def replaces_channel(gate: Gate, by: Source) -> Answer:
    return told(gate, gate.propose(*change_contact(bound_channel(gate), SMS)).action_id, by)


def removes_channel(gate: Gate, by: Source) -> Answer:
    return told(gate, gate.propose(*change_contact(bound_channel(gate), None)).action_id, by)


def repudiates_channel(gate: Gate, by: Source) -> Answer:
    return told(gate, gate.propose(repudiate(bound_channel(gate))).action_id, by)


def resets_password(gate: Gate, by: Source) -> Answer:
    return told(gate, gate.propose(*reset_password(old=bound_password(gate))).action_id, by)


def changes_password(gate: Gate, by: Source) -> Answer:
    payload, _ = change_password()
    _, secret = reset_password(old=bound_password(gate))
    return told(gate, gate.propose(payload, secret).action_id, by)


def bound_channel(gate: Gate) -> Channel:
    found = gate.account.channel(EMAIL.channel_id)
    assert found is not None
    return found


def bound_password(gate: Gate) -> Password:
    (found,) = [one for one in gate.account.authenticators if isinstance(one, Password)]
    return found


# What an actor of each age is told, where the target may be older, of one age, or newer.
UNDO = {OLDER: Answer.HOLD, SAME: Answer.HOLD, NEWER: Answer.DENY, RIPE: Answer.HOLD}
AT_ONCE = {**UNDO, OLDER: Answer.ALLOW, SAME: Answer.ALLOW, RIPE: Answer.ALLOW}
REPORT = {**AT_ONCE, NEWER: Answer.CHALLENGE}  # An older one may still be shown.
TABLE: dict[str, tuple[Do, dict[str, Answer]]] = {
    "authenticator.remove": (removes, UNDO),
    "authenticator.suspend": (suspends, REPORT),
    "contact.change, replaced": (replaces_channel, UNDO),
    "contact.change, removed": (removes_channel, UNDO),
    "password.change": (changes_password, AT_ONCE),
    "password.reset": (resets_password, UNDO),
}
REPUDIATE: dict[str, Do] = {
    "authenticator.repudiate": repudiates,
    "contact.repudiate": repudiates_channel,
}


def world(acts_at: datetime, stands_at: datetime) -> Gate:
    """Return an account with one actor of an age, and all that it may turn against of another."""
    return Gate.of(
        an_account(
            replace(PASSWORD, bound_at=stands_at),
            actor(acts_at),
            replace(ROAMING, bound_at=stands_at),
            replace(APP, bound_at=LONG_AGO - DAY),  # It could speak, and does not.
            channels=(replace(EMAIL, bound_at=stands_at, entry=77), DESKTOP),
        )
    )


@pytest.mark.requirement("N-B20", "N-B21")
@pytest.mark.parametrize(("age", "acts_at", "stands_at"), AGES, ids=IDS)
@pytest.mark.parametrize("what", TABLE)
def test_who_may_turn_against_what(
    what: str, age: str, acts_at: datetime, stands_at: datetime
) -> None:
    do, says = TABLE[what]

    assert do(world(acts_at, stands_at), actor(acts_at)) is says[age]


@pytest.mark.requirement("N-B20")
@pytest.mark.parametrize(("age", "acts_at", "stands_at"), AGES, ids=IDS)
@pytest.mark.parametrize("what", REPUDIATE)
def test_only_what_is_older_repudiates(
    what: str, age: str, acts_at: datetime, stands_at: datetime
) -> None:
    says = {OLDER: Answer.ALLOW, SAME: Answer.CHALLENGE, NEWER: Answer.CHALLENGE, RIPE: Answer.DENY}
    over = NOON - stands_at >= MONTH
    gate = world(acts_at, stands_at)

    assert REPUDIATE[what](gate, actor(acts_at)) is (Answer.DENY if over else says[age])


@pytest.mark.requirement("N-B20")
@pytest.mark.parametrize("what", REPUDIATE)
@pytest.mark.parametrize(("stood", "said"), [(MONTH - INSTANT, Answer.ALLOW), (MONTH, Answer.DENY)])
def test_a_newcomer_is_one_for_thirty_days(what: str, stood: timedelta, said: Answer) -> None:
    gate = world(LONG_AGO, NOON - stood)

    assert REPUDIATE[what](gate, actor(LONG_AGO)) is said


@pytest.mark.parametrize("what", REPUDIATE)
def test_where_nothing_is_older_nothing_is_asked_for(what: str) -> None:
    """Law 10: a no that nothing enrolled could lift says so."""
    gate = world(NOON - DAY, NOON - DAY)
    held = [one for one in gate.account.authenticators if one.bound_at == NOON - DAY]
    gate.account = replace(gate.account, authenticators=tuple(held))

    assert REPUDIATE[what](gate, actor(NOON - DAY)) is Answer.DENY


# --- Vetoes: a channel or a session against what an authenticator asked for ---


@pytest.mark.parametrize(("age", "acts_at", "stands_at"), AGES, ids=IDS)
def test_a_channel_vetoes_what_something_older_asked_for_when_it_is_ripe(
    age: str, acts_at: datetime, stands_at: datetime
) -> None:
    """``acts_at`` is the channel's age, ``stands_at`` that of what asked."""
    channel = replace(EMAIL, bound_at=acts_at)
    asks = replace(SYNCED, bound_at=stands_at)
    gate = Gate.of(an_account(PASSWORD, asks, channels=(channel, DESKTOP)))
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(action, asks)
    gate.veto(action, channel)

    assert gate.is_open(action) is (age is NEWER)


@pytest.mark.parametrize(("age", "acts_at", "stands_at"), AGES, ids=IDS)
def test_a_session_vetoes_as_what_began_it(
    age: str, acts_at: datetime, stands_at: datetime
) -> None:
    asks = replace(SYNCED, bound_at=stands_at)
    gate = Gate.of(an_account(PASSWORD, asks))
    signed = gate.give_session(replace(a_session(), bound_at=acts_at))
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(action, asks)
    gate.veto(action, session=signed)

    assert gate.is_open(action) is (age is NEWER)


@pytest.mark.parametrize(("age", "acts_at", "stands_at"), AGES, ids=IDS)
def test_a_channels_link_repudiates_what_is_younger(
    age: str, acts_at: datetime, stands_at: datetime
) -> None:
    gate = Gate.of(
        an_account(
            PASSWORD,
            SYNCED,
            replace(ROAMING, bound_at=stands_at),
            channels=(replace(EMAIL, bound_at=acts_at), DESKTOP),
        )
    )
    said = gate.repudiate("act", target="aut_roaming", channel=EMAIL)

    assert (said.answer is Answer.ALLOW) is (age is OLDER)
