"""What stands on what, and how long a report lasts: each on both sides of its boundary."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, LONG_AGO, MEMBER, NOON
from support.facts import FOREVER
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
    send,
)

from twinlock.domain.account import Account, ApiKey, OpenAction, Shown, State
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.model import Suspension, SuspensionKind
from twinlock.domain.bounds import DOUBTS_MOST, WEAK_FREEZE_LENGTH
from twinlock.domain.channels import Channel
from twinlock.domain.commands import Repudiate
from twinlock.domain.decisions import Decision
from twinlock.domain.events import AuthenticatorSuspended, NewcomerRepudiated
from twinlock.domain.freezes import for_ever
from twinlock.domain.ids import ActionId, ApiKeyId, ChannelId
from twinlock.domain.newcomers import (
    behind,
    comes_back,
    heir,
    in_place_of,
    links,
    proved_by,
    struck_by,
    suspended_until,
    undo,
    undone,
    with_doubts,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.repudiations import bound_by, objection
from twinlock.domain.requirements import Answer
from twinlock.domain.striking import struck

REPORTED_AT = NOON - DAY
SUSPENDED = Suspension(at_ms=int(REPORTED_AT.timestamp()) * 1_000, kind=SuspensionKind.A_WHILE)
SUSPENDED_UNTIL = REPORTED_AT + WEAK_FREEZE_LENGTH
A_KEY = ApiKey(
    api_key_id=ApiKeyId("key_hers"),
    public_key="K" * 43,
    scopes=("read",),
    ip_list=(),
    destinations=(),
    daily_cents=0,
    created_at=NOON,
)


def shown(source: str, factor: Factor, *, entry: int, bound_at: datetime = LONG_AGO) -> Shown:
    return Shown(
        source=source,
        factor=factor,
        root=None,
        bound_at=bound_at,
        bound_entry=entry,
        at=NOON,
        entry=1,
    )


def an_action(name: str, *proofs: Shown) -> OpenAction:
    return OpenAction(
        action_id=ActionId(name),
        member_id=MEMBER,
        payload=send(),
        digest="",
        proposed_at=NOON,
        lapses_at=NOON + HOUR,
        veto_key="",
        shown=proofs,
    )


def test_only_what_still_stands_has_proved_anything() -> None:
    """Prevents: a listing that rests on a passkey which was removed since."""
    session = a_session()
    action = an_action(
        "act",
        shown(SYNCED.authenticator_id, Factor.PASSKEY, entry=SYNCED.entry),
        shown("aut_removed", Factor.PASSKEY, entry=7),
        shown(PASSWORD.authenticator_id, Factor.PASSWORD, entry=8, bound_at=NOON),
        shown(session.session_id, Factor.SESSION, entry=9),
    )

    assert proved_by(an_account(sessions=[session]), action) == (SYNCED.entry,)


def test_as_many_doubts_as_are_told_apart_stay_apart() -> None:
    apart = tuple((10 * number, 10 * number) for number in range(1, DOUBTS_MOST + 1))

    few = replace(an_account(), doubts=apart[:-1])
    full = replace(an_account(), doubts=apart)
    between = replace(full, authenticators=(replace(SYNCED, entry=15), replace(APP, entry=29)))

    assert with_doubts(few, [apart[-1][0]]) == apart
    assert with_doubts(full, [999]) == ((10, 20), *apart[2:], (999, 999))
    assert with_doubts(between, [999])[:3] == ((10, 10), (20, 20), (30, 40))
    assert with_doubts(between, [15])[:2] == ((10, 15), (20, 20))


def test_only_newcomers_stand_behind_what_a_newcomer_proves() -> None:
    """Prevents: a document that keeps each thing that ever proved another."""
    old = replace(ROAMING, entry=3)
    young = replace(SYNCED, bound_at=NOON - DAY, entry=20, by=(3, 11), behind=((7, 7), (12, 14)))
    ripe = replace(APP, bound_at=NOON - 30 * DAY, entry=21, by=(5,))
    action = an_action(
        "act",
        shown(young.authenticator_id, Factor.PASSKEY, entry=20, bound_at=young.bound_at),
        shown(ripe.authenticator_id, Factor.TOTP, entry=21, bound_at=ripe.bound_at),
    )
    account = an_account(old, young, ripe)

    assert behind(account, action, now=NOON) == ((7, 7), (11, 11), (12, 14))
    assert behind(account, action, now=NOON + 29 * DAY) == ()
    gone = an_account(old, ripe)
    assert behind(gone, action, now=NOON) == ()


def test_a_channel_whose_code_proved_is_a_newcomer_too() -> None:
    young = replace(EMAIL, bound_at=NOON - DAY, entry=20, by=(11,))
    silent = replace(SMS, bound_at=NOON - DAY, entry=21, by=(12,))
    code = shown(young.channel_id, Factor.EMAIL_CODE, entry=20, bound_at=young.bound_at)
    account = an_account(channels=[young, silent])

    assert behind(account, an_action("act", code), now=NOON) == ((11, 11),)


def test_newcomers_behind_count_as_one_where_nothing_bound_lies_between() -> None:
    """Prevents: a chain so long that what the owner bound meanwhile falls with it."""
    owners = replace(APP, bound_at=NOON - DAY, entry=6)
    young = replace(SYNCED, bound_at=NOON - DAY, entry=20, by=(4, 8, 12, 16))
    proof = shown(young.authenticator_id, Factor.PASSKEY, entry=20, bound_at=young.bound_at)

    found = behind(an_account(owners, young), an_action("act", proof), now=NOON)

    assert found == ((4, 4), (8, 12), (16, 16))


def test_what_took_the_place_of_a_newcomer_stands_on_it() -> None:
    young = replace(EMAIL, bound_at=NOON - DAY, entry=20, by=(11,), behind=((7, 7),))
    new = replace(SMS, entry=30, by=(12,), behind=((9, 9),))
    account = an_account(channels=[young])
    placed = in_place_of(account, young, new, now=NOON)
    late = in_place_of(account, young, new, now=NOON + 29 * DAY)

    assert placed.replaced == young
    assert placed.behind == ((7, 9), (11, 11), (20, 20))
    assert late == replace(new, replaced=replace(young, replaced=None))


def test_what_is_gone_counts_as_undone_only_when_nothing_is_left_that_it_proved() -> None:
    """Prevents: doubts that cover what was never repudiated, and a key of its that lives on."""
    covered = replace(an_account(), doubts=((10, 20),))
    key = replace(A_KEY, by=(15,), entry=40)
    child = replace(ROAMING, entry=30, by=(15,))

    assert not undone(covered, 9)
    assert undone(covered, 15)
    assert not undone(replace(covered, api_keys=(key,)), 15)
    assert not undone(replace(covered, authenticators=(child,)), 15)
    doubted = replace(covered, authenticators=(child,), doubts=((10, 20), (30, 30)))
    assert undone(doubted, 15)
    assert undone(replace(covered, authenticators=(replace(child, entry=12),)), 12)


def test_a_word_without_proof_suspends_no_longer_what_was_repudiated_before() -> None:
    """Law 5. Prevents: a mailbox that has one password suspended again for each thing behind it."""
    once = replace(PASSWORD, entry=30, by=(15,), bound_at=NOON - DAY)
    account = replace(an_account(once, SYNCED), doubts=((30, 30),))

    def suspensions(level: Level) -> list[bool]:
        events = undo(account, 15, since=NOON - DAY, level=level, now=NOON)
        return [one.for_good for one in events if isinstance(one, AuthenticatorSuspended)]

    assert suspensions(Level.NONE) == []
    assert suspensions(Level.PHISHING_RESISTANT) == [True]


def suspended(account: Account, level: Level) -> AuthenticatorSuspended:
    """Return how SYNCED is suspended when it is repudiated by something of ``level``."""
    (found,) = (
        event
        for event in undo(account, SYNCED.entry, since=LONG_AGO, level=level, now=NOON)
        if isinstance(event, AuthenticatorSuspended)
    )
    return found


@pytest.mark.parametrize(
    ("kept", "channel", "weak"),
    [
        pytest.param(False, False, False, id="nothing is left, so a password is the floor"),
        pytest.param(True, False, False, id="no codes are left without a channel"),
        pytest.param(True, True, True, id="with codes the floor is higher"),
    ],
)
def test_the_floor_that_a_repudiation_must_reach_is_that_of_what_is_left(
    kept: bool, channel: bool, weak: bool
) -> None:
    """Of the channels only those count that the repudiation leaves, also behind a newcomer."""
    lost = replace(SUSPENDED, kind=SuspensionKind.FOR_GOOD)
    left = [replace(PASSWORD, suspension=lost)] if kept else []
    before = replace(EMAIL, entry=5)
    newcomer = replace(EMAIL, entry=6, by=(SYNCED.entry,), replaced=before if channel else None)
    account = an_account(SYNCED, *left, channels=[newcomer, DESKTOP])

    assert suspended(account, Level.KNOWLEDGE).for_good is not weak


def test_a_report_of_the_floor_lasts_until_somebody_ends_it() -> None:
    assert for_ever(NOON) == FOREVER
    assert suspended_until(SYNCED, weak=False, now=NOON) == FOREVER


def test_a_weaker_report_lasts_a_while_and_no_second_one_makes_it_longer() -> None:
    once = replace(SYNCED, suspension=SUSPENDED)

    assert suspended_until(SYNCED, weak=True, now=NOON) == NOON + WEAK_FREEZE_LENGTH
    assert suspended_until(once, weak=True, now=SUSPENDED_UNTIL - INSTANT) == SUSPENDED_UNTIL
    again = suspended_until(once, weak=True, now=SUSPENDED_UNTIL)
    assert again == SUSPENDED_UNTIL + WEAK_FREEZE_LENGTH
    assert suspended_until(once, weak=False, now=NOON) == FOREVER


def test_actions_are_struck_in_which_a_session_had_a_hand_that_rests_on_what_is_repudiated() -> (
    None
):
    thief = replace(a_session("ses_thief"), entry=40, by=(30,))
    owner = replace(a_session("ses_owner"), entry=41, by=(SYNCED.entry,))
    actions = (
        an_action("act_thief", shown("ses_thief", Factor.SESSION, entry=0)),
        an_action("act_owner", shown("ses_owner", Factor.SESSION, entry=0)),
        an_action("act_key", shown("aut_new", Factor.PASSKEY, entry=30)),
        an_action("act_other", shown("aut_passkey", Factor.PASSKEY, entry=SYNCED.entry)),
    )
    account = replace(an_account(sessions=[thief, owner]), actions=actions)
    repudiated = NewcomerRepudiated(at=NOON, entries=(30,), since=NOON - HOUR)

    struck = [one.action_id for one in struck_by(account, repudiated)]
    assert struck == ["act_thief", "act_key"]


def test_a_repudiation_strikes_every_such_action_but_its_own() -> None:
    actions = tuple(
        an_action(name, shown("aut_new", Factor.PASSKEY, entry=30)) for name in ("act_1", "act_2")
    )
    repudiated = NewcomerRepudiated(at=NOON, entries=(30,), since=NOON - HOUR)
    decision = Decision(
        kind="authenticator.repudiate",
        action_id="act_1",
        answer=Answer.ALLOW,
        events=(repudiated,),
    )
    state = State(account=replace(an_account(), actions=actions))

    assert [one.action_id for one in struck(state, decision, state.account)] == ["act_2"]


@pytest.mark.parametrize(("new", "bound"), [(SMS, EMAIL.channel_id), (None, "")])
def test_a_channel_that_is_only_removed_binds_nothing(new: Channel | None, bound: str) -> None:
    payload, _ = change_contact(EMAIL, new)

    assert bound_by(replace(an_action("act"), payload=payload, secret=EMAIL.channel_id)) == bound


# --- What a newcomer keeps in mind ---

OLD_MAIL = replace(EMAIL, entry=5)
YOUNG_MAIL = replace(
    EMAIL, channel_id=ChannelId("chn_young"), address="y@x.org", bound_at=NOON - DAY, entry=20
)
YOUNG_NUMBER = replace(SMS, bound_at=NOON - 2 * DAY, entry=19)
YOUNG_DESK = replace(DESKTOP, bound_at=NOON - DAY, entry=21)
CROWDED = replace(
    YOUNG_MAIL,
    replaced=replace(YOUNG_NUMBER, replaced=replace(YOUNG_NUMBER, replaced=None, entry=18)),
)


FULL_OF_THE_OWNERS = replace(YOUNG_MAIL, replaced=replace(YOUNG_NUMBER, replaced=SMS))


@pytest.mark.parametrize(
    ("channels", "keeps"),
    [
        pytest.param((OLD_MAIL, YOUNG_MAIL), YOUNG_MAIL, id="the only one left"),
        pytest.param((OLD_MAIL, YOUNG_MAIL, YOUNG_NUMBER), YOUNG_NUMBER, id="the oldest of them"),
        pytest.param((OLD_MAIL, YOUNG_MAIL, DESKTOP), YOUNG_MAIL, id="the only one for codes"),
        pytest.param((OLD_MAIL, YOUNG_MAIL, YOUNG_DESK), YOUNG_MAIL, id="before one without"),
        pytest.param((OLD_MAIL, YOUNG_DESK), YOUNG_DESK, id="where no other takes codes"),
        pytest.param((OLD_MAIL, YOUNG_MAIL, SMS), None, id="an old one for codes stays"),
        pytest.param((OLD_MAIL, DESKTOP), None, id="an old one stays"),
        pytest.param((DESKTOP, YOUNG_MAIL), YOUNG_MAIL, id="a desktop's place"),
        pytest.param((OLD_MAIL,), None, id="nothing is left"),
        pytest.param((YOUNG_MAIL, YOUNG_NUMBER), None, id="it was new itself"),
        pytest.param((), None, id="there is none"),
        pytest.param((OLD_MAIL, FULL_OF_THE_OWNERS), None, id="a place full of the owner's"),
    ],
)
def test_what_is_removed_where_only_newcomers_are_left_is_kept_in_mind(
    channels: tuple[Channel, ...], keeps: Channel | None
) -> None:
    named = channels[0].channel_id if channels else "chn_gone"
    found = heir(an_account(channels=channels), named, now=NOON)

    kept = replace(channels[0], removed=True) if channels else None
    expected = None if keeps is None else replace(keeps, replaced=kept)
    assert found == expected


def test_what_is_kept_in_mind_stands_before_all_that_was_there() -> None:
    before = replace(YOUNG_NUMBER, entry=18)
    young = replace(YOUNG_MAIL, replaced=before)
    chained = replace(OLD_MAIL, replaced=SMS)
    found = heir(an_account(channels=(chained, young)), OLD_MAIL.channel_id, now=NOON)

    kept = replace(OLD_MAIL, removed=True)
    assert found == replace(young, replaced=replace(before, replaced=kept))


def test_in_a_place_full_of_newcomers_the_first_of_them_is_forgotten() -> None:
    found = heir(an_account(channels=(OLD_MAIL, CROWDED)), OLD_MAIL.channel_id, now=NOON)

    kept = replace(OLD_MAIL, removed=True)
    assert found == replace(CROWDED, replaced=replace(YOUNG_NUMBER, replaced=kept))


def test_one_with_room_is_taken_before_an_older_one_without() -> None:
    full = replace(CROWDED, bound_at=NOON - 3 * DAY)
    account = an_account(channels=(OLD_MAIL, full, YOUNG_DESK, YOUNG_NUMBER))
    found = heir(account, OLD_MAIL.channel_id, now=NOON)

    assert found == replace(YOUNG_NUMBER, replaced=replace(OLD_MAIL, removed=True))


@pytest.mark.parametrize(
    ("after", "kept"), [(timedelta(0), True), (HOUR, True), (HOUR + timedelta(seconds=1), False)]
)
def test_what_an_account_was_opened_with_is_no_newcomer(after: timedelta, kept: bool) -> None:
    gone = replace(EMAIL, bound_at=NOON - 10 * DAY + after)
    account = an_account(channels=(gone, YOUNG_MAIL), opened_at=NOON - 10 * DAY)

    assert (heir(account, gone.channel_id, now=NOON) is not None) is kept


def test_nothing_is_kept_in_mind_beside_what_an_account_was_opened_with() -> None:
    opened = NOON - 10 * DAY
    mail, number = replace(EMAIL, bound_at=opened), replace(SMS, bound_at=opened)

    assert (
        heir(an_account(channels=(mail, number), opened_at=opened), mail.channel_id, now=NOON)
        is None
    )


def test_what_was_removed_is_no_voice_against_what_came_after_it() -> None:
    newer = replace(SMS, bound_at=NOON - HOUR, entry=60)
    said = Repudiate(
        action_id=ActionId("act_over"),
        target=newer.channel_id,
        entry=60,
        bound_at=newer.bound_at,
        channel_id=OLD_MAIL.channel_id,
    )

    def heard(elder: Channel) -> Reason | None:
        account = an_account(channels=(replace(newer, replaced=elder), DESKTOP))
        return objection(account, said, now=NOON)

    assert heard(replace(OLD_MAIL, removed=True)) is Reason.NOT_ENTITLED
    assert heard(OLD_MAIL) is None


HEIR = replace(YOUNG_MAIL, replaced=replace(OLD_MAIL, removed=True))


def test_what_was_removed_comes_back_as_it_was_where_nothing_else_is_left() -> None:
    assert comes_back(an_account(channels=(HEIR,)), HEIR.channel_id, now=NOON) == OLD_MAIL


def test_what_was_removed_is_handed_on_where_another_newcomer_stays() -> None:
    account = an_account(channels=(HEIR, YOUNG_NUMBER))
    found = heir(account, HEIR.channel_id, now=NOON)

    assert comes_back(account, HEIR.channel_id, now=NOON) is None
    assert found == replace(YOUNG_NUMBER, replaced=HEIR.replaced)


@pytest.mark.parametrize(
    ("left", "at"),
    [
        pytest.param((SMS,), NOON, id="an old one stays"),
        pytest.param((YOUNG_NUMBER, replace(OLD_MAIL, entry=30)), NOON, id="it is there again"),
        pytest.param((), NOON, id="nothing stays"),
        pytest.param((YOUNG_NUMBER,), YOUNG_MAIL.bound_at + 30 * DAY, id="after thirty days"),
    ],
)
def test_else_it_is_forgotten(left: tuple[Channel, ...], at: datetime) -> None:
    account = an_account(channels=(HEIR, *left))
    found = heir(account, HEIR.channel_id, now=at)

    assert found is None or HEIR.replaced not in tuple(links(found))
