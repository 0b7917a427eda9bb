"""What follows from a yes, by type; and what can follow from none."""

from typing import Any

import pytest
from msgspec.structs import replace
from support.asked import an_action, facts_of
from support.cast import ALICE, DAY, MEMBER, NEW_ADDRESS, NOON
from support.companies import add_member, loosen, remove_member, tighten
from support.leaving import OTHERS, REGISTERED_EXIT
from support.policies import DEFAULT
from support.worlds import (
    DESKTOP,
    EMAIL,
    ERASE,
    FREEZE,
    LIFT,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    a_session,
    add_contact,
    an_account,
    bind,
    change_contact,
    change_password,
    list_address,
    make_key,
    reactivate,
    remove,
    remove_contact,
    repudiate,
    reset_password,
    send,
    set_word,
    sign_in,
    suspend,
    unlist,
)

from twinlock.domain import effects as effects_module
from twinlock.domain import ids
from twinlock.domain.account import ApiKey, OpenAction, State
from twinlock.domain.actions import (
    BUILT,
    AnyPayload,
    ApiKeyNarrow,
    ApiKeyRevoke,
    ApiKeyWiden,
    LimitLower,
    LimitRaise,
    LockLoosen,
    LockTighten,
    NotBuilt,
    type_of,
)
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.bounds import API_KEYS_MOST
from twinlock.domain.catalogue import ActionType
from twinlock.domain.effects import effects, may_list, session
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import (
    ActionAuthorized,
    ActionDone,
    ApiKeyChanged,
    ApiKeyCreated,
    ApiKeyRevoked,
    AuthenticatorBound,
    AuthenticatorReactivated,
    AuthenticatorRemoved,
    AuthenticatorSuspended,
    ChannelBound,
    ChannelRemoved,
    ContactJoined,
    ContactLeft,
    DestinationAdded,
    DestinationRemoved,
    Event,
    FreezeLifted,
    FreezeSet,
    HoldPlaced,
    LimitsSet,
    LockSet,
    MemberJoined,
    MemberLeft,
    NewcomerRepudiated,
    NoticeWordChanged,
    QuorumSet,
    SessionEnded,
    SessionStarted,
)
from twinlock.domain.ids import DestinationId
from twinlock.domain.limits import Spent
from twinlock.domain.policy.facts import Facts

FRESH = "f" * 26
KNOWN = a_destination()
KEY = make_key("read", "withdraw", ip_list=("::1",), destinations=("dst_1",))
REVOKE = ApiKeyRevoke(account=ALICE, api_key_id="key_1")
WHERE = KNOWN.destination_id


def act(payload: AnyPayload, secret: str = "") -> OpenAction:
    return OpenAction(
        action_id=ids.action_id(ALICE, b"one open action."),
        member_id=MEMBER,
        payload=payload,
        digest="",
        proposed_at=NOON,
        lapses_at=NOON + DAY,
        veto_key="",
        secret=secret,
    )


def facts(action: OpenAction, **changes: Any) -> Facts:  # noqa: ANN401 - any of the fields
    found = Facts(
        now=NOON,
        action=type_of(action.payload),
        action_class=None,
        built=True,
        opened_at=NOON,
        proposed_at=NOON,
        proved_at=NOON,
        floor=Level.PHISHING_RESISTANT,
        shown_level=Level.PHISHING_RESISTANT,
        shown_factors=(Factor.PASSKEY,),
        value_cents=50_00,
    )
    return replace(found, **changes)


CHANNELS = (replace(EMAIL, entry=7), DESKTOP)
BOT = ApiKey(
    api_key_id=ids.ApiKeyId("key_1"),
    public_key="",
    scopes=("trade",),
    ip_list=(),
    destinations=(),
    daily_cents=0,
    created_at=NOON,
)
OWNER = replace(an_account(channels=CHANNELS), api_keys=(BOT,))
POWERS: dict[str, Any] = {
    "account": ALICE,
    "api_key_id": "key_1",
    "ip_list": (),
    "pairs": (),
    "price_band_bp": 1,
    "notional_daily_cents": 0,
}
STATE = State(account=OWNER, destination_id=WHERE, destination=KNOWN)


def follows(
    payload: AnyPayload,
    secret: str = "",
    *,
    state: State = STATE,
    **changes: Any,  # noqa: ANN401 - fields
) -> tuple[Event, ...]:
    action = act(payload, secret)
    return effects(state, action, facts(action, **changes), statutes=DEFAULT.statutes, fresh=FRESH)


FOLLOWS: list[tuple[AnyPayload, str, list[type[Any]]]] = [
    (send(), "", [ActionAuthorized]),
    *((payload, "", [ActionAuthorized]) for payload in (*OTHERS, REGISTERED_EXIT)),
    (sign_in(), "", [SessionStarted, ActionDone]),
    (*bind(ROAMING), [AuthenticatorBound, HoldPlaced, ActionDone]),
    (remove(PASSWORD), "", [AuthenticatorRemoved, HoldPlaced, ActionDone]),
    (suspend(SYNCED), "", [AuthenticatorSuspended, ActionDone]),
    (reactivate(SYNCED), "", [AuthenticatorReactivated, HoldPlaced, ActionDone]),
    (
        repudiate(SYNCED),
        "",
        [NewcomerRepudiated, AuthenticatorRemoved, HoldPlaced, ActionDone],
    ),
    (*change_contact(EMAIL, SMS), [ChannelBound, HoldPlaced, ActionDone]),
    (*change_contact(EMAIL, None), [ChannelRemoved, HoldPlaced, ActionDone]),
    (
        repudiate(EMAIL),
        "",
        [NewcomerRepudiated, ChannelRemoved, HoldPlaced, ActionDone],
    ),
    (*change_password(), [AuthenticatorBound, HoldPlaced, ActionDone]),
    (*reset_password(), [AuthenticatorBound, HoldPlaced, ActionDone]),
    (*set_word(), [NoticeWordChanged, ActionDone]),
    (list_address(KNOWN.address), WHERE, [DestinationAdded, ActionDone]),
    (unlist(KNOWN.address), WHERE, [DestinationRemoved, ActionDone]),
    (KEY, "key_1", [ApiKeyCreated, HoldPlaced, ActionDone]),
    (make_key("read", "trade"), "key_1", [ApiKeyCreated, ActionDone]),
    (REVOKE, "", [ApiKeyRevoked, ActionDone]),
    (ApiKeyWiden(**POWERS), "", [ApiKeyChanged, ActionDone]),
    (ApiKeyNarrow(**POWERS), "", [ApiKeyChanged, ActionDone]),
    (*add_member(), [MemberJoined, ActionDone]),
    (remove_member(), "", [MemberLeft, ActionDone]),
    (tighten(1, 2), "", [QuorumSet, ActionDone]),
    (loosen(1, 2), "", [QuorumSet, ActionDone]),
    (FREEZE, "", [FreezeSet, ActionDone]),
    (LimitRaise(account=ALICE, day_cents=1, destination_cents=None), "", [LimitsSet, ActionDone]),
    (LimitLower(account=ALICE, day_cents=1, destination_cents=None), "", [LimitsSet, ActionDone]),
    (LockTighten(account=ALICE, days=1, two_keys=False), "", [LockSet, ActionDone]),
    (LockLoosen(account=ALICE, days=0, two_keys=False), "", [LockSet, HoldPlaced, ActionDone]),
    (*add_contact(), [ContactJoined, ActionDone]),
    (remove_contact(), "", [ContactLeft, ActionDone]),
    (LIFT, "", [FreezeLifted, ActionDone]),
    (ERASE, "", []),
]


@pytest.mark.parametrize(("payload", "secret", "events"), FOLLOWS)
def test_what_follows_from_a_yes(
    payload: AnyPayload, secret: str, events: list[type[Event]]
) -> None:
    assert [type(event) for event in follows(payload, secret)] == events


def test_every_type_that_can_be_decided_has_its_effect() -> None:
    decided = {type_of(payload) for payload, _, _ in FOLLOWS}

    assert decided == BUILT


def test_a_key_that_has_lapsed_gives_way_where_a_new_one_finds_no_place() -> None:
    old = replace(BOT, created_at=NOON - 365 * DAY)
    others = (replace(BOT, api_key_id=ids.ApiKeyId(f"key_{n}")) for n in range(2, API_KEYS_MOST))
    full = replace(STATE, account=replace(OWNER, api_keys=(BOT, *others, old)))
    room = replace(STATE, account=replace(OWNER, api_keys=(old,)))
    made = follows(KEY, "key_new", state=full)

    assert [type(one) for one in made][:2] == [ApiKeyRevoked, ApiKeyCreated]
    assert ApiKeyRevoked not in [type(one) for one in follows(KEY, "key_new", state=room)]


# --- Holds ---


def held(payload: AnyPayload, secret: str = "", **changes: Any) -> float | None:  # noqa: ANN401 - fields
    for event in follows(payload, secret, **changes):
        if isinstance(event, HoldPlaced):
            assert event.hold.placed_at == NOON
            return (event.hold.ends_at - NOON) / DAY
    return None


@pytest.mark.parametrize(
    ("payload", "secret", "changes", "days"),
    [
        (*bind(ROAMING), {}, 1),
        (*bind(ROAMING), {"enrolling": True}, None),
        (remove(PASSWORD), "", {}, 3),
        (*change_password(), {}, 1),
        (*change_password(), {"enrolling": True}, 1),
        (sign_in(), "", {}, None),
        (sign_in(), "", {"new_device": True}, 1),
        (sign_in(), "", {"new_device": True, "enrolling": True}, None),
        (KEY, "key_1", {}, 1),
        (make_key("read"), "key_1", {}, None),
        (list_address(KNOWN.address), WHERE, {}, None),
        (FREEZE, "", {}, None),
    ],
)
def test_what_changes_protection_holds_every_exit(
    payload: AnyPayload, secret: str, changes: dict[str, Any], days: float | None
) -> None:
    assert held(payload, secret, **changes) == days


# --- Exits ---


def test_an_authorization_names_the_destination_it_counts_for() -> None:
    (event,) = follows(send())

    assert isinstance(event, ActionAuthorized)
    assert (event.value_cents, event.destination_id) == (50_00, WHERE)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(State(account=an_account(), destination_id=WHERE), id="not listed"),
        pytest.param(
            replace(STATE, destination=replace(KNOWN, address=NEW_ADDRESS)), id="another address"
        ),
    ],
)
def test_an_authorization_counts_for_no_destination_that_it_does_not_name(state: State) -> None:
    (event,) = follows(send(), state=state)

    assert isinstance(event, ActionAuthorized)
    assert event.destination_id is None


def test_nothing_leaves_without_saying_where_to() -> None:
    with pytest.raises(InvariantError, match="where to"):
        follows(NotBuilt(account=ALICE, asked="withdrawal.crypto", digest=""))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (suspend(ROAMING), "suspended is bound"),
        (repudiate(ROAMING), "repudiated is bound"),
        (ApiKeyWiden(**{**POWERS, "api_key_id": "key_2"}), "widened is there"),
        (ApiKeyNarrow(**{**POWERS, "api_key_id": "key_2"}), "narrowed is there"),
        (NotBuilt(account=ALICE, asked="contact.change", digest=""), r"contact\.change"),
    ],
)
def test_nothing_changes_that_is_not_there(asked: AnyPayload, why: str) -> None:
    with pytest.raises(InvariantError, match=why):
        follows(asked)


# --- Sessions ---


def test_a_session_is_bound_to_the_device_that_was_signed() -> None:
    started = session(STATE, act(sign_in("laptop")), read_only=True, fresh=FRESH, now=NOON)

    assert started.session.thumbprint == "laptop"
    assert started.session.session_id == f"ses_{FRESH}"
    assert started.session.read_only


def test_a_session_knows_the_entry_that_began_it() -> None:
    chain = replace(STATE.account.chain, entries=7)
    state = replace(STATE, account=replace(STATE.account, chain=chain))
    started = session(state, act(sign_in("laptop")), read_only=False, fresh=FRESH, now=NOON)

    assert started.session.entry == 7


def test_a_session_starts_by_signing_in_alone() -> None:
    with pytest.raises(InvariantError, match=r"session\.start"):
        session(STATE, act(send()), read_only=True, fresh=FRESH, now=NOON)


@pytest.mark.requirement("O-17")
def test_a_change_of_factors_ends_every_session_but_the_one_it_was_asked_in() -> None:
    sessions = (a_session("ses_1"), a_session("ses_2"))
    state = replace(STATE, account=an_account(sessions=sessions))
    asked = replace(act(remove(PASSWORD)), session_id="ses_1")
    events = effects(state, asked, facts(asked), statutes=DEFAULT.statutes, fresh=FRESH)

    assert [one.session_id for one in events if isinstance(one, SessionEnded)] == ["ses_2"]


# --- Destinations ---


def test_a_destination_that_was_listed_goes_on_in_its_stream_and_keeps_its_day() -> None:
    spent = Spent(day="2026-01-15", cents=30_00)
    state = replace(STATE, destination=replace(KNOWN, version=4, spent=spent))
    event = follows(list_address(KNOWN.address, budget_cents=90_00), WHERE, state=state)[0]

    assert isinstance(event, DestinationAdded)
    assert event.destination.version == 5
    assert event.destination.spent == spent
    assert event.destination.usable_at == NOON
    assert event.destination.budget_cents == 90_00
    assert event.destination.proved_by == (Factor.PASSKEY,)


def test_a_new_destination_begins_its_stream_whatever_is_at_hand() -> None:
    chain = replace(STATE.account.chain, entries=41)
    state = replace(STATE, account=replace(STATE.account, chain=chain))
    event = follows(list_address(NEW_ADDRESS), "dst_new", state=state)[0]

    assert isinstance(event, DestinationAdded)
    assert (event.destination.version, event.destination.destination_id) == (1, "dst_new")
    assert event.destination.action_id == ids.action_id(ALICE, b"one open action.")
    assert event.destination.entry == 41


@pytest.mark.parametrize(
    ("shown", "root"),
    [(Level.PHISHING_RESISTANT, ""), (Level.POSSESSION, "phone"), (Level.KNOWLEDGE, "phone")],
)
def test_a_suspension_below_the_floor_names_the_root_that_may_not_do_so_again(
    shown: Level, root: str
) -> None:
    event = follows(suspend(SYNCED), shown_level=shown, shown_roots=("phone",))[0]

    assert isinstance(event, AuthenticatorSuspended)
    assert (event.weak_root, event.for_good) == (root, root == "")


@pytest.mark.parametrize(
    ("listed", "at_hand", "may"),
    [
        ({}, None, True),
        ({}, WHERE, True),
        ({WHERE: 1}, WHERE, True),
        ({WHERE: 1}, None, False),
    ],
)
def test_a_destination_that_was_listed_needs_its_stream_at_hand(
    listed: dict[DestinationId, int],
    at_hand: DestinationId | None,
    may: bool,
) -> None:
    account = replace(an_account(), destinations=listed)
    state = State(account=account, destination_id=at_hand)
    asked = act(list_address(KNOWN.address), WHERE)

    assert may_list(state, asked) is may
    if not may:
        with pytest.raises(InvariantError, match="stream is at hand"):
            effects(state, asked, facts(asked), statutes=DEFAULT.statutes, fresh=FRESH)


def test_a_destination_is_removed_with_its_stream_at_hand() -> None:
    with pytest.raises(InvariantError, match="stream is at hand"):
        follows(unlist(KNOWN.address), "dst_other")


def test_a_destination_that_was_never_listed_is_removed_already() -> None:
    state = State(account=an_account(), destination_id=WHERE)

    assert [type(one) for one in follows(unlist(KNOWN.address), WHERE, state=state)] == [ActionDone]


# --- Freezes ---


@pytest.mark.parametrize(
    ("changes", "weak"),
    [
        ({}, None),
        ({"shown_level": Level.POSSESSION, "shown_roots": ("phone",)}, "phone"),
        (
            {
                "shown_level": Level.NONE,
                "shown_roots": ("phone",),
                "shown_factors": (Factor.EMAIL_CODE,),
            },
            "mailbox",
        ),
        ({"shown_level": Level.KNOWLEDGE}, "knowledge"),
        ({"shown_level": Level.NONE, "floor": Level.NONE}, "knowledge"),
        ({"shown_level": Level.KNOWLEDGE, "floor": Level.KNOWLEDGE}, None),
    ],
)
def test_a_freeze_below_the_floor_has_an_end_and_is_remembered(
    changes: dict[str, Any], weak: str | None
) -> None:
    event = follows(FREEZE, **changes)[0]

    assert isinstance(event, FreezeSet)
    assert event.weak_root == (weak or "")
    assert (event.until - NOON == 3 * DAY) is (weak is not None)


def test_limits_and_locks_are_set_by_their_own_actions() -> None:
    for kind in ("limit.raise", "limit.lower", "lock.tighten"):
        effect = effects_module._EFFECTS[ActionType(kind)]  # noqa: SLF001 - what no gate can reach
        with pytest.raises(InvariantError, match="payload of its type"):
            effect(State(account=an_account()), an_action(FREEZE), facts_of(an_action(FREEZE)), "")
