"""From an account and the proofs of an action to facts: what counts, and what does not."""

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace
from support.asked import an_action, facts_of
from support.cast import (
    DAY,
    HOUR,
    LONG_AGO,
    NOON,
)
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    DESKTOP_KEY,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SAVED,
    SYNCED,
    a_destination,
    a_passkey,
    a_session,
    an_account,
    change_password,
    remove,
    send,
    sign_in,
)

from twinlock.domain.account import Account, ActionState, Session
from twinlock.domain.actions import AnyPayload
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.channels import Channel
from twinlock.domain.policy.facts import SessionState
from twinlock.domain.requirements import Answer, ask_again_at

# --- Proofs ---


def test_a_proof_that_stands_no_more_is_no_fact() -> None:
    action = an_action(send(), SYNCED, PASSWORD)
    account = an_account(PASSWORD, replace(SYNCED, bound_at=NOON))

    assert facts_of(action, account).shown_factors == (Factor.PASSWORD,)
    assert facts_of(action, account).shown_roots == ()


@pytest.mark.parametrize(
    ("account", "sources", "stored", "since"),
    [
        pytest.param(an_account(), (SYNCED,), NOON, NOON, id="the floor's proof"),
        pytest.param(an_account(), (SYNCED,), NOON + DAY, NOON + DAY, id="told later"),
        pytest.param(an_account(), (SYNCED,), None, None, id="never told"),
        pytest.param(an_account(), (PASSWORD,), NOON, None, id="below the floor"),
        pytest.param(
            an_account(), (PASSWORD, SYNCED), NOON, NOON + HOUR, id="reached with the second"
        ),
        pytest.param(
            an_account(PASSWORD, ROAMING),
            (SYNCED, ROAMING),
            NOON,
            NOON + HOUR,
            id="the first was removed",
        ),
        pytest.param(
            an_account(PASSWORD, channels=(EMAIL,)),
            (PASSWORD, EMAIL),
            NOON,
            NOON + HOUR,
            id="a password and then a code",
        ),
        pytest.param(
            an_account(PASSWORD, SYNCED),
            (PASSWORD, EMAIL),
            NOON,
            None,
            id="the floor has risen since",
        ),
    ],
)
def test_a_wait_runs_since_proofs_that_still_stand_reach_todays_floor(
    account: Account,
    sources: tuple[Authenticator | Channel, ...],
    stored: datetime | None,
    since: datetime | None,
) -> None:
    action = an_action(send(), *sources, proved_at=stored, until=NOON + 2 * DAY)

    assert facts_of(action, account).proved_at == since


@pytest.mark.parametrize(
    ("change", "since"),
    [
        pytest.param({}, NOON + HOUR, id="nobody was told of a wait"),
        pytest.param({"until": NOON + DAY}, NOON, id="somebody was"),
        pytest.param({"offered_until": NOON + DAY}, NOON, id="or of one that two roots spare"),
        pytest.param({"state": ActionState.AUTHORIZED}, NOON, id="there was none"),
    ],
)
def test_a_wait_begins_no_sooner_than_it_is_told(change: dict[str, Any], since: datetime) -> None:
    """Prevents: silence that nobody could have broken, counted as a root (law 4)."""
    action = an_action(send(), SYNCED, proved_at=NOON, **change)

    assert facts_of(action, an_account(), now=NOON + HOUR).proved_at == since


def test_an_account_with_nothing_bound_is_proved_by_nothing() -> None:
    account = replace(an_account(), authenticators=())

    assert facts_of(an_action(send(), EMAIL), account).proved_at is None


def test_codes_add_no_root_where_anything_stronger_is_bound_except_to_tighten() -> None:
    strong = an_account(PASSWORD, ROAMING)
    weak = an_account(PASSWORD)

    assert facts_of(an_action(send(), EMAIL, ROAMING), strong).shown_roots == (
        "roaming:aut_roaming",
    )
    assert facts_of(an_action(FREEZE, EMAIL), strong).shown_roots == ("phone",)
    assert facts_of(an_action(send(), EMAIL), weak).shown_roots == ("phone",)


@pytest.mark.parametrize(
    ("sources", "oldest"),
    [
        ((), None),
        ((PASSWORD,), None),
        ((SYNCED,), LONG_AGO),
        ((PASSWORD, a_passkey("aut_new", bound_at=NOON)), NOON),
        ((SYNCED, a_passkey("aut_new", bound_at=NOON)), LONG_AGO),
    ],
)
def test_how_old_a_proof_is_counts_only_if_it_is_as_strong_as_the_target(
    sources: tuple[Authenticator, ...], oldest: datetime | None
) -> None:
    new = a_passkey("aut_new", bound_at=NOON)
    action = an_action(remove(SYNCED), *sources)
    facts = facts_of(action, an_account(PASSWORD, SYNCED, new))

    assert facts.shown_oldest_at == oldest
    assert facts.target_level is Level.PHISHING_RESISTANT
    assert facts.target_bound_at == LONG_AGO


@pytest.mark.requirement("N-B04")
@pytest.mark.parametrize(
    ("sources", "bound"),
    [
        ((ROAMING,), True),
        ((PASSWORD, ROAMING), True),
        ((SYNCED,), False),
        ((PASSWORD, APP), False),
        ((), False),
    ],
)
def test_a_key_that_cannot_leave_its_device_is_a_fact(
    sources: tuple[Authenticator, ...], bound: bool
) -> None:
    account = an_account(PASSWORD, APP, SYNCED, ROAMING)

    assert facts_of(an_action(send(), *sources), account).shown_device_bound is bound


def test_the_target_of_a_new_password_is_the_old_one() -> None:
    action = replace(an_action(change_password()[0]), secret=change_password()[1])
    facts = facts_of(action, an_account(PASSWORD, SYNCED))
    none = facts_of(action, an_account(SYNCED))

    assert (facts.target_level, facts.target_bound_at) == (Level.KNOWLEDGE, LONG_AGO)
    assert none.target_bound_at is None


def test_the_target_that_is_not_bound_is_none() -> None:
    assert facts_of(an_action(remove(ROAMING))).target_bound_at is None


@pytest.mark.parametrize(
    ("account", "enrolled"),
    [
        (an_account(PASSWORD), 0),
        (an_account(PASSWORD, APP, SYNCED), 1),
        (an_account(SYNCED, ROAMING, DESKTOP_KEY), 3),
    ],
)
def test_the_roots_enrolled_are_those_of_authenticators(account: Account, enrolled: int) -> None:
    assert facts_of(an_action(send()), account).roots_enrolled == enrolled


FOREIGN = replace(a_passkey("aut_foreign"), rp_id="old.example")


@pytest.mark.parametrize(
    ("payload", "bound", "enrolled"),
    [
        (send(), (ROAMING, SAVED), 1),
        (send(), (ROAMING, FOREIGN), 1),
        (send(), (PASSWORD, SAVED), 0),
        (sign_in(), (ROAMING, SAVED), 2),
        (sign_in(), (ROAMING, FOREIGN), 1),
        (sign_in(), (FOREIGN,), 1),
        (remove(ROAMING), (ROAMING, SAVED), 1),
        (remove(APP), (APP, SAVED), 1),
    ],
)
def test_what_is_not_read_for_an_action_has_no_root_to_be_asked_for(
    payload: AnyPayload, bound: tuple[Authenticator, ...], enrolled: int
) -> None:
    assert facts_of(an_action(payload), an_account(*bound)).roots_enrolled == enrolled


@pytest.mark.parametrize("beside", [SAVED, FOREIGN])
def test_nobody_is_asked_for_a_second_root_that_nothing_bound_can_show(
    beside: Authenticator,
) -> None:
    """Prevents: a narrow account with one key, whose larger sum is asked for a second for ever."""
    young = replace(EMAIL, bound_at=NOON - DAY)
    gate = Gate.of(an_account(ROAMING, beside, channels=(young,)), a_destination())
    too_much, alone = gate.propose(send(1_001)), gate.propose(send(1_000))
    gate.prove(alone.action_id, ROAMING)
    gate.spend(alone.action_id)
    second = gate.propose(send(1))

    assert too_much.answer is second.answer is Answer.DENY
    assert ask_again_at(second.requirement) == NOON + 12 * HOUR


@pytest.mark.parametrize(
    ("changes", "session", "state"),
    [
        ({"unsigned": True}, a_session(), SessionState.UNSIGNED),
        ({}, a_session(), SessionState.FULL),
        ({}, a_session(read_only=True), SessionState.READ_ONLY),
        ({}, a_session("ses_other"), SessionState.NONE),
        ({"shown": ()}, a_session(), SessionState.NONE),
    ],
)
def test_the_session_behind_a_proposal(
    changes: dict[str, Any],
    session: Session,
    state: SessionState,
) -> None:
    action = replace(an_action(send(), "ses_alice"), **changes)

    assert facts_of(action, an_account(sessions=(session,))).session is state


# --- Narrow accounts ---


@pytest.mark.parametrize(
    ("bound", "channels", "sources", "narrow"),
    [
        pytest.param((SYNCED,), (), (), True, id="no channel at all"),
        pytest.param((SYNCED,), (EMAIL,), (), True, id="a phone and its mailbox"),
        pytest.param((SYNCED,), (EMAIL,), (SYNCED,), True, id="the same, shown"),
        pytest.param((SYNCED,), (EMAIL, DESKTOP), (), False, id="a desktop hears it"),
        pytest.param((PASSWORD,), (EMAIL,), (), True, id="a password and a mailbox"),
        pytest.param((PASSWORD,), (DESKTOP,), (), False, id="a password and a desktop"),
        pytest.param((ROAMING,), (EMAIL,), (), False, id="a key, and the phone hears it"),
        pytest.param((DESKTOP_KEY,), (DESKTOP,), (), True, id="a desktop for both"),
        pytest.param((SYNCED, ROAMING), (EMAIL,), (), True, id="it may be the phone"),
        pytest.param((SYNCED, ROAMING), (EMAIL,), (SYNCED,), True, id="it was the phone"),
        pytest.param((SYNCED, ROAMING), (EMAIL,), (ROAMING,), False, id="it was the key"),
        pytest.param((SYNCED, ROAMING), (EMAIL,), (SYNCED, ROAMING), False, id="it was both"),
        pytest.param((SYNCED, ROAMING), (), (SYNCED, ROAMING), True, id="both, and nobody hears"),
        pytest.param((APP, ROAMING), (EMAIL,), (), False, id="the app alone is not enough"),
    ],
)
def test_an_account_is_narrow_while_silence_may_be_the_thiefs(
    bound: tuple[Authenticator, ...],
    channels: tuple[Channel, ...],
    sources: tuple[Authenticator, ...],
    narrow: bool,
) -> None:
    facts = facts_of(an_action(send(), *sources), an_account(*bound, channels=channels))

    assert facts.narrow is narrow
    assert facts.has_channel is bool(channels)
