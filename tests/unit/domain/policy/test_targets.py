"""What an action is about: its level and its age, for each kind of action (law 3)."""

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, LONG_AGO, NOON
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    ERASE,
    PASSWORD,
    ROAMING,
    SAVED,
    SMS,
    SYNCED,
    a_session,
    an_account,
    bind,
    change_contact,
    change_password,
    reactivate,
    remove,
    repudiate,
    reset_password,
    saved_codes,
    send,
    suspend,
)

from twinlock.domain.account import Account, Shown
from twinlock.domain.actions import AnyPayload, AuthenticatorRepudiate, ContactRepudiate
from twinlock.domain.assurance import Factor, Level, level_of
from twinlock.domain.authenticators.model import Suspension, SuspensionKind
from twinlock.domain.policy.targets import NO_TARGET, Target, oldest_shown, reported, target

YESTERDAY = NOON - DAY
LATER = replace(PASSWORD, bound_at=YESTERDAY)
LOST = Suspension(at_ms=int(YESTERDAY.timestamp()) * 1_000, kind=SuspensionKind.FOR_GOOD)
MAIL = replace(EMAIL, bound_at=YESTERDAY)
ALL = an_account(LATER, SYNCED, channels=(MAIL, DESKTOP))
TOP = Level.PHISHING_RESISTANT
CODES = level_of(Factor.RECOVERY_CODE)


@pytest.mark.parametrize(
    ("account", "payload", "about"),
    [
        pytest.param(ALL, send(), NO_TARGET, id="an exit is about nothing bound"),
        pytest.param(ALL, remove(SYNCED), (TOP, LONG_AGO), id="what is removed"),
        pytest.param(ALL, remove(ROAMING), NO_TARGET, id="what is not there"),
        pytest.param(
            ALL, change_password()[0], (Level.KNOWLEDGE, YESTERDAY), id="the password before"
        ),
        pytest.param(
            an_account(SYNCED), change_password()[0], NO_TARGET, id="no password to change"
        ),
        pytest.param(ALL, bind(APP)[0], NO_TARGET, id="what is new"),
        pytest.param(
            an_account(SYNCED, SAVED),
            bind(saved_codes("aut_more"))[0],
            (CODES, LONG_AGO),
            id="the set of codes before",
        ),
        pytest.param(ALL, reset_password()[0], (TOP, YESTERDAY), id="the forgotten password"),
        pytest.param(
            replace(an_account(SYNCED), opened_at=YESTERDAY),
            reset_password()[0],
            (TOP, YESTERDAY),
            id="no password, as old as the account",
        ),
        pytest.param(
            an_account(PASSWORD, replace(SYNCED, suspension=LOST)),
            reactivate(SYNCED),
            (TOP, YESTERDAY),
            id="a suspension is as old as itself",
        ),
        pytest.param(ALL, reactivate(SYNCED), (TOP, None), id="nothing to reactivate"),
        pytest.param(ALL, reactivate(ROAMING), NO_TARGET, id="nobody to reactivate"),
        pytest.param(ALL, change_contact(MAIL, SMS)[0], (TOP, YESTERDAY), id="a channel"),
        pytest.param(ALL, change_contact(None, SMS)[0], NO_TARGET, id="a new channel"),
        pytest.param(ALL, suspend(LATER), (Level.NONE, YESTERDAY), id="what is reported lost"),
        pytest.param(ALL, repudiate(MAIL), (Level.NONE, YESTERDAY), id="what is repudiated"),
        pytest.param(ALL, suspend(ROAMING), NO_TARGET, id="nothing to report"),
        pytest.param(ALL, ERASE, (TOP, LONG_AGO), id="all that is bound"),
        pytest.param(
            replace(ALL, authenticators=()), ERASE, (Level.NONE, None), id="nothing is bound"
        ),
    ],
)
def test_what_an_action_is_about(account: Account, payload: AnyPayload, about: Target) -> None:
    assert target(account, payload) == about


def test_new_recovery_codes_take_no_more_than_the_floor() -> None:
    """Law 10: who lost them all, and has a password beside them only, can have new ones."""
    account = an_account(PASSWORD, SAVED, channels=(DESKTOP,))
    level, _ = target(account, bind(saved_codes("aut_more"))[0])

    assert level is min(CODES, account.floor)


def test_a_report_is_about_a_thing_of_its_own_kind() -> None:
    contact = ContactRepudiate(account=ALICE, channel_id=SYNCED.authenticator_id)
    key = AuthenticatorRepudiate(account=ALICE, authenticator_id=MAIL.channel_id)

    assert reported(ALL, contact) is None
    assert reported(ALL, key) is None
    assert reported(ALL, repudiate(MAIL)) == MAIL


def test_only_a_session_is_as_old_as_what_began_it() -> None:
    account = an_account(sessions=[replace(a_session(), bound_at=YESTERDAY)])
    shown = Shown(
        source="ses_alice", factor=Factor.SESSION, root=None, bound_at=NOON, at=NOON, entry=0
    )
    other = replace(shown, factor=Factor.PASSKEY)

    assert oldest_shown(account, [shown], Level.NONE) == YESTERDAY
    assert oldest_shown(account, [other], Level.NONE) == NOON
    assert oldest_shown(account, [shown], Level.KNOWLEDGE) is None
