"""What an action is about: its level and its age, for each kind of action (law 3)."""

from datetime import datetime

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, INSTANT, LONG_AGO, MEMBER, NOON
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    ERASE,
    LIFT,
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
    make_key,
    reactivate,
    remove,
    repudiate,
    reset_password,
    saved_codes,
    send,
    suspend,
)

from twinlock.domain.account import Account, ApiKey, OpenAction, Shown
from twinlock.domain.actions import AnyPayload, AuthenticatorRepudiate, ContactRepudiate
from twinlock.domain.ages import oldest_shown
from twinlock.domain.assurance import Factor, Level, level_of
from twinlock.domain.authenticators.model import Authenticator, Suspension, SuspensionKind
from twinlock.domain.channels import Channel
from twinlock.domain.freezes import Freeze
from twinlock.domain.ids import ActionId, ApiKeyId, AuthenticatorId
from twinlock.domain.policy.targets import (
    NO_TARGET,
    Target,
    bound_already,
    channel_left,
    level_against,
    reported,
    speakers,
    speaks_for,
    target,
    target_gone,
)

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
        pytest.param(ALL, LIFT, (TOP, None), id="nothing is frozen"),
        pytest.param(
            replace(ALL, freeze=Freeze(until=NOON + DAY, bound_at=int(YESTERDAY.timestamp()))),
            LIFT,
            (TOP, YESTERDAY),
            id="a freeze is as old as what set it",
        ),
        pytest.param(
            replace(ALL, authenticators=()), ERASE, (Level.NONE, None), id="nothing is bound"
        ),
    ],
)
def test_what_an_action_is_about(account: Account, payload: AnyPayload, about: Target) -> None:
    assert target(account, payload, now=NOON) == about


def test_new_recovery_codes_take_no_more_than_the_floor() -> None:
    """Law 10: who lost them all, and has a password beside them only, can have new ones."""
    account = an_account(PASSWORD, SAVED, channels=(DESKTOP,))
    level, _ = target(account, bind(saved_codes("aut_more"))[0], now=NOON)

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


# --- Who may speak about it ---

EVERY = frozenset(Factor)


def shown_at(bound_at: datetime, source: str = "aut_other") -> Shown:
    return Shown(
        source=source, factor=Factor.PASSKEY, root="phone", bound_at=bound_at, at=NOON, entry=0
    )


@pytest.mark.parametrize(
    ("bound_at", "speaks"),
    [
        pytest.param(LONG_AGO - DAY, True, id="what is older"),
        pytest.param(LONG_AGO, True, id="what is of one age"),
        pytest.param(YESTERDAY, False, id="a newcomer"),
        pytest.param(NOON - 30 * DAY, True, id="what was one"),
        pytest.param(NOON - 30 * DAY + INSTANT, False, id="what is one still"),
    ],
)
def test_no_newcomer_reports_what_is_older(bound_at: datetime, speaks: bool) -> None:
    level = level_against(ALL, suspend(SYNCED), [shown_at(bound_at)], now=NOON, offers=EVERY)

    assert level is (TOP if speaks else Level.NONE)


def test_nothing_reports_itself() -> None:
    own = shown_at(LONG_AGO, SYNCED.authenticator_id)

    assert level_against(ALL, suspend(SYNCED), [own], now=NOON, offers=EVERY) is Level.NONE
    assert level_against(ALL, remove(SYNCED), [own], now=NOON, offers=EVERY) is TOP


def test_who_may_speak_is_offered_and_can_answer() -> None:
    account = an_account(PASSWORD, SYNCED, replace(ROAMING, suspension=LOST), channels=(EMAIL, SMS))
    report = suspend(SYNCED)

    def speak(one: Account, *offers: Factor) -> list[object]:
        found = speakers(one, report, now=NOON, offers=frozenset(offers))
        return [getattr(each, "authenticator_id", "") or each for each in found]

    assert speak(account, Factor.PASSKEY) == [SYNCED.authenticator_id]
    assert speak(account, Factor.EMAIL_CODE) == [EMAIL]
    assert speak(account, Factor.EMAIL_CODE, Factor.SMS_CODE) == [EMAIL, SMS]
    changed = replace(account, sim_changed_at=NOON)
    assert speak(changed, Factor.EMAIL_CODE, Factor.SMS_CODE) == [EMAIL]


def test_of_anything_but_a_report_nobody_asks_who_may_speak() -> None:
    assert speaks_for(an_account(), send(), now=NOON, offers=frozenset())
    assert not speaks_for(an_account(), suspend(SYNCED), now=NOON, offers=frozenset())


# --- Whether it is there ---


def an_action(payload: AnyPayload, *, proposed_at: datetime = NOON) -> OpenAction:
    return OpenAction(
        action_id=ActionId("act"),
        member_id=MEMBER,
        payload=payload,
        digest="",
        proposed_at=proposed_at,
        lapses_at=NOON + DAY,
        veto_key="",
    )


DOUBTED = replace(ALL, doubts=((SYNCED.entry, SYNCED.entry),))
SUSPENDED = an_account(PASSWORD, replace(SYNCED, suspension=LOST))


@pytest.mark.parametrize(
    ("account", "action", "gone"),
    [
        pytest.param(ALL, an_action(remove(SYNCED)), False, id="what is removed is there"),
        pytest.param(ALL, an_action(remove(ROAMING)), True, id="what is removed is not there"),
        pytest.param(ALL, an_action(reactivate(ROAMING)), True, id="nobody to reactivate"),
        pytest.param(ALL, an_action(reactivate(SYNCED)), True, id="nothing to reactivate"),
        pytest.param(
            SUSPENDED, an_action(reactivate(SYNCED), proposed_at=YESTERDAY), False, id="suspended"
        ),
        pytest.param(
            SUSPENDED,
            an_action(reactivate(SYNCED), proposed_at=YESTERDAY - INSTANT),
            True,
            id="asked for before it was suspended",
        ),
        pytest.param(ALL, an_action(suspend(SYNCED)), False, id="what is reported is there"),
        pytest.param(DOUBTED, an_action(suspend(SYNCED)), False, id="also what is doubted"),
        pytest.param(ALL, an_action(repudiate(SYNCED)), False, id="what is repudiated is there"),
        pytest.param(DOUBTED, an_action(repudiate(SYNCED)), True, id="it is repudiated once"),
        pytest.param(ALL, an_action(send()), False, id="an exit names nothing bound"),
    ],
)
def test_what_is_named_is_there(account: Account, action: OpenAction, gone: bool) -> None:
    assert target_gone(account, action, now=NOON) is gone


@pytest.mark.parametrize(("channels", "left"), [((EMAIL,), False), ((EMAIL, SMS), True)])
def test_the_last_channel_is_not_removed(channels: tuple[Channel, ...], left: bool) -> None:
    payload, _ = change_contact(EMAIL, None)

    account = an_account(channels=channels)

    assert channel_left(account, payload, now=NOON, offers=frozenset(Factor)) is left


NEW_KEY = replace(SYNCED, authenticator_id=AuthenticatorId("aut_new"), bound_at=NOON, entry=70)
BY_IT = replace(DESKTOP, bound_at=NOON, entry=71, by=(70,))


@pytest.mark.parametrize(
    ("bound", "channels", "level", "left"),
    [
        pytest.param((PASSWORD, NEW_KEY), (BY_IT, EMAIL), Level.NONE, True, id="another stays"),
        pytest.param((SYNCED, NEW_KEY), (BY_IT,), TOP, True, id="an older key could say so"),
        pytest.param((APP, NEW_KEY), (BY_IT,), Level.POSSESSION, True, id="so could an older app"),
        pytest.param(
            (PASSWORD, NEW_KEY), (BY_IT,), Level.POSSESSION, False, id="no password could"
        ),
        pytest.param((), (BY_IT,), Level.NONE, True, id="there is nothing to undo"),
    ],
)
def test_what_bound_the_only_channel_is_undone_at_the_floor(
    bound: tuple[Authenticator, ...], channels: tuple[Channel, ...], level: Level, *, left: bool
) -> None:
    account, payload = an_account(*bound, channels=channels), repudiate(NEW_KEY)
    if not bound:
        account = replace(account, authenticators=())

    assert target(account, payload, now=NOON)[0] is level
    assert channel_left(account, payload, now=NOON, offers=frozenset(Factor)) is left
    assert target(account, suspend(NEW_KEY), now=NOON)[0] is Level.NONE


def test_what_stands_on_what_is_undone_sets_no_floor() -> None:
    second = replace(ROAMING, bound_at=NOON, entry=72, by=(70,))
    account = an_account(APP, NEW_KEY, second, channels=(BY_IT,))

    assert target(account, repudiate(NEW_KEY), now=NOON)[0] is Level.POSSESSION


def test_no_less_than_possession_undoes_what_bound_the_only_channel() -> None:
    """Where the floor is a password's: what was reset bound a channel that takes no codes."""
    word = replace(PASSWORD, bound_at=NOON, entry=70)
    account = an_account(word, channels=(BY_IT,))

    assert account.floor is Level.KNOWLEDGE
    assert target(account, repudiate(word), now=NOON)[0] is Level.POSSESSION
    assert not channel_left(account, repudiate(word), now=NOON, offers=frozenset(Factor))


@pytest.mark.parametrize(("public_key", "bound"), [("P" * 43, True), ("Q" * 43, False)])
def test_a_public_key_is_bound_once(public_key: str, bound: bool) -> None:
    key = ApiKey(
        api_key_id=ApiKeyId("key_1"),
        public_key=public_key,
        scopes=("read",),
        ip_list=(),
        destinations=(),
        daily_cents=0,
        created_at=NOON,
    )
    account = replace(an_account(), api_keys=(key,))

    assert bound_already(account, an_action(make_key("read"))) is bound
