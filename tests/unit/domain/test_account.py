from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from support.cast import BOB, DAY, HOUR, INSTANT, LONG_AGO, NOON
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    a_session,
    an_account,
)

from twinlock.domain.account import Account, ActionUnknownError, Session, Shown, State
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bookkeeping import check_current
from twinlock.domain.bounds import SESSION_IDLE, SESSION_LIFETIME, SESSIONS_MOST
from twinlock.domain.channels import Channel
from twinlock.domain.errors import InvariantError
from twinlock.domain.listed import Destination
from twinlock.domain.policy.facts import DestinationState, SessionState
from twinlock.domain.signed_in import with_session

LAPSE = 30 * DAY


@pytest.mark.parametrize(
    ("authenticators", "channels", "floor"),
    [
        ((PASSWORD,), (), Level.KNOWLEDGE),
        ((PASSWORD,), (EMAIL,), Level.OUT_OF_BAND),
        ((PASSWORD,), (SMS,), Level.OUT_OF_BAND),
        ((PASSWORD,), (DESKTOP,), Level.KNOWLEDGE),
        ((PASSWORD, APP), (EMAIL,), Level.POSSESSION),
        ((PASSWORD, APP, SYNCED), (EMAIL,), Level.PHISHING_RESISTANT),
    ],
)
def test_the_floor_is_what_the_account_can_show(
    authenticators: tuple[Authenticator, ...], channels: tuple[Channel, ...], floor: Level
) -> None:
    """A desktop's program takes notices and no codes: it asks for none that cannot be shown."""
    assert an_account(*authenticators, channels=channels).floor is floor


def test_an_account_without_authenticators_has_no_floor() -> None:
    assert replace(an_account(), authenticators=()).floor is Level.NONE


@pytest.mark.parametrize(
    ("channel", "root", "codes"),
    [(EMAIL, "phone", True), (SMS, "phone", True), (DESKTOP, "desktop", False)],
)
def test_mailbox_and_messages_are_read_on_the_phone(
    channel: Channel, root: str, codes: bool
) -> None:
    assert channel.root == root
    assert channel.takes_codes is codes


@pytest.mark.parametrize(
    ("until", "now", "open_"),
    [
        (None, NOON, False),
        (NOON, NOON - INSTANT, True),
        (NOON, NOON, False),
    ],
)
def test_an_account_is_set_up_until_its_time_is_over(
    until: datetime | None, now: datetime, open_: bool
) -> None:
    assert an_account(enrolling_until=until).enrolling(now) is open_


def test_what_is_not_there_is_none_and_an_action_that_is_not_open_an_error() -> None:
    account = an_account()

    assert account.authenticator("aut_nobody") is None
    assert account.session("ses_nobody") is None
    with pytest.raises(ActionUnknownError):
        account.action("act_nobody")


# --- Which proofs still stand ---


def shown_by(source: str, factor: Factor, bound_at: datetime = LONG_AGO) -> Shown:
    return Shown(source=source, factor=factor, root=None, bound_at=bound_at, at=NOON, entry=0)


@pytest.mark.parametrize(
    ("shown", "stands"),
    [
        (shown_by(SYNCED.authenticator_id, Factor.PASSKEY), True),
        (shown_by(SYNCED.authenticator_id, Factor.PASSKEY, LONG_AGO - INSTANT), False),
        (shown_by("aut_gone", Factor.PASSKEY), False),
        (shown_by(EMAIL.channel_id, Factor.EMAIL_CODE), True),
        (shown_by(SMS.channel_id, Factor.SMS_CODE), False),
        (shown_by("ses_alice", Factor.SESSION, NOON), True),
        (shown_by("ses_gone", Factor.SESSION, NOON), False),
    ],
)
def test_a_proof_stands_while_what_made_it_is_bound_as_it_was(shown: Shown, stands: bool) -> None:
    account = an_account(sessions=(a_session(),))

    assert account.stands(shown) is stands


# --- Sessions ---


@pytest.mark.requirement("N-B03", "O-16")
@pytest.mark.parametrize(
    ("session", "now", "state"),
    [
        (a_session(), NOON, SessionState.FULL),
        (a_session(read_only=True), NOON, SessionState.READ_ONLY),
        (a_session(), NOON - INSTANT, SessionState.NONE),
        (a_session(), NOON + SESSION_IDLE, SessionState.FULL),
        (a_session(), NOON + SESSION_IDLE + INSTANT, SessionState.NONE),
        (
            a_session(seen_at=NOON + SESSION_LIFETIME - HOUR),
            NOON + SESSION_LIFETIME - INSTANT,
            SessionState.FULL,
        ),
        (
            a_session(seen_at=NOON + SESSION_LIFETIME - HOUR),
            NOON + SESSION_LIFETIME,
            SessionState.NONE,
        ),
    ],
)
def test_a_session_lives_a_day_and_an_hour_without_being_seen(
    session: Session, now: datetime, state: SessionState
) -> None:
    assert session.state(now) is state


def names(sessions: tuple[Session, ...]) -> list[str]:
    return sorted(one.session_id for one in sessions)


def test_a_session_ends_the_older_one_of_its_device() -> None:
    kept = with_session((a_session("ses_1"),), a_session("ses_2"))

    assert names(kept) == ["ses_2"]


def test_a_session_that_may_only_look_does_not_end_a_full_one_of_its_device() -> None:
    """Prevents: a thief with password and mailbox who signs the owner's device out."""
    full, looking = a_session("ses_full"), a_session("ses_look", read_only=True)

    assert names(with_session((full,), looking)) == ["ses_full", "ses_look"]
    assert names(with_session((looking,), full)) == ["ses_full"]


def test_of_too_many_sessions_the_dead_go_first_then_those_that_only_look() -> None:
    dead = a_session("ses_dead", thumbprint="0", started_at=NOON - 2 * DAY)
    looking = a_session("ses_look", thumbprint="1", read_only=True)
    full = tuple(a_session(f"ses_{n}", thumbprint=f"{n}") for n in range(2, SESSIONS_MOST))
    new = [a_session(f"ses_new{n}", thumbprint=f"new{n}", started_at=NOON) for n in range(3)]
    one = with_session((looking, *full, dead), new[0])
    two = with_session(one, new[1])
    three = with_session(two, new[2])

    assert names(one) == names((looking, *full, new[0]))
    assert names(two) == names((*full, new[0], new[1]))
    assert names(three) == names((*full[1:], *new))


def test_no_number_of_sessions_that_may_only_look_signs_the_owner_out() -> None:
    sessions = tuple(a_session(f"ses_{n}", thumbprint=f"{n}") for n in range(SESSIONS_MOST))
    for n in range(20):
        sessions = with_session(sessions, a_session("ses_x", thumbprint=f"x{n}", read_only=True))

    assert names(sessions) == names(
        tuple(a_session(f"ses_{n}", thumbprint=f"{n}") for n in range(SESSIONS_MOST))
    )


# --- Destinations ---


@pytest.mark.parametrize(
    ("destination", "state"),
    [
        (a_destination(removed=True), DestinationState.REMOVED),
        (a_destination(usable_at=None, imported=True), DestinationState.UNPROVED),
        (a_destination(usable_at=None), DestinationState.WAITING),
        (a_destination(usable_at=NOON + INSTANT), DestinationState.WAITING),
        (a_destination(usable_at=NOON), DestinationState.USABLE),
        (a_destination(used_at=NOON - LAPSE), DestinationState.USABLE),
        (a_destination(used_at=NOON - LAPSE - INSTANT), DestinationState.LAPSED),
        (a_destination(usable_at=NOON - LAPSE, used_at=None), DestinationState.USABLE),
        (a_destination(usable_at=NOON - LAPSE - INSTANT, used_at=None), DestinationState.LAPSED),
        (
            a_destination(usable_at=NOON - DAY, used_at=NOON - LAPSE - DAY),
            DestinationState.USABLE,
        ),
    ],
)
def test_what_a_destination_is_good_for(destination: Destination, state: DestinationState) -> None:
    assert destination.state(now=NOON, lapse=LAPSE) is state


def test_a_destination_of_another_account_is_not_at_hand() -> None:
    with pytest.raises(InvariantError, match="belongs to its account"):
        check_current(
            State(account=replace(an_account(), account_id=BOB), destination=a_destination())
        )


@pytest.mark.parametrize("length", [timedelta(0), LAPSE])
def test_the_length_of_a_lapse_is_the_profiles(length: timedelta) -> None:
    listed = a_destination(used_at=NOON - length)

    assert listed.state(now=NOON, lapse=length) is DestinationState.USABLE


def test_an_account_says_what_is_bound() -> None:
    account: Account = an_account(PASSWORD, ROAMING)

    assert account.authenticator(ROAMING.authenticator_id) == ROAMING


# --- What stands ---


def test_a_code_of_a_channel_to_come_stands_though_nothing_of_it_is_bound() -> None:
    proof = Shown(
        source="chn_to_come",
        factor=Factor.CHANNEL_CODE,
        root=None,
        bound_at=NOON,
        bound_entry=0,
        at=NOON,
        entry=1,
    )

    assert an_account().stands(proof)
    assert not an_account().stands(replace(proof, factor=Factor.EMAIL_CODE))
