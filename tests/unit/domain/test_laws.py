"""Each law on its own, on both sides of each of its limits."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, NOON
from support.facts import FOREVER

from twinlock.domain import key_laws, laws, member_laws, own_laws
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.both_keys import two_keys_are_there
from twinlock.domain.bounds import BUDGET_CENTS_MOST
from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.domain.key_laws import within_budget
from twinlock.domain.laws import LAWS, Law
from twinlock.domain.locks import Lock
from twinlock.domain.policy.facts import (
    ApiKeyState,
    ApiKeyUse,
    DestinationState,
    Facts,
    SessionState,
    Within,
)
from twinlock.domain.quorums import Quorum
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
from twinlock.domain.screening import Screened
from twinlock.domain.successor_laws import an_imported_passkey_opens_no_door

TOP = Level.PHISHING_RESISTANT
MIDNIGHT = NOON + DAY / 2
SECOND = Prove(code=Reason.SECOND_ROOT_NEEDED, level=TOP, roots=2)


def the(action: str, **changes: Any) -> Facts:  # noqa: ANN401 - any of the fields
    """Return the facts of an account with a passkey, shown just now, for a known action."""
    found = Facts(
        now=NOON,
        action=action,
        action_class=CLASS_OF.get(action),
        built=True,
        opened_at=NOON,
        proposed_at=NOON,
        proved_at=NOON,
        floor=TOP,
        shown_level=TOP,
        shown_factors=(Factor.PASSKEY,),
        shown_roots=("phone",),
        roots_enrolled=1,
        narrow=False,
        has_channel=True,
        destination=DestinationState.NONE,
    )
    return replace(found, **changes)


SEND, LIST, START = "withdrawal.crypto", "destination.add", "session.start"
FREEZE, REMOVE, BIND = "freeze.set", "authenticator.remove", "authenticator.bind"
KEY, LIFT, CHANGE = "api_key.create", "freeze.lift", "password.change"
SUSPEND, REPUDIATE, DISOWN = "authenticator.suspend", "authenticator.repudiate", "contact.repudiate"
CONTACT, REACTIVATE = "contact.change", "authenticator.reactivate"
ERASE = "account.erase"
UNLIST, REVOKE = "destination.remove", "api_key.revoke"


def wait(code: Reason, until: Any) -> WaitUntil:  # noqa: ANN401 - an instant
    return WaitUntil(code=code, until=until)


def never(code: Reason, until: Any = None) -> Never:  # noqa: ANN401 - an instant or none
    return Never(code=code, until=until)


def proof(code: Reason = Reason.PROOF_NEEDED, level: Level = TOP) -> Prove:
    return Prove(code=code, level=level)


NEW = {"destination": DestinationState.NEW}
SILENCE = wait(Reason.DESTINATION_NEW, NOON + DAY)
NOT_SHOWN = {"shown_level": Level.NONE, "shown_factors": (), "shown_roots": (), "proved_at": None}
BUDGET = NOT_SHOWN | {
    "shown_factors": (Factor.SESSION,),
    "session": SessionState.FULL,
    "destination": DestinationState.USABLE,
    "value_cents": 100,
    "budget_left_cents": 100,
}
ROOTLESS = {"shown_roots": ()}  # A passkey is shown, which a password alone bound this month.
LITTLE = NOT_SHOWN | {
    "shown_level": Level.KNOWLEDGE,
    "shown_factors": (Factor.EMAIL_CODE, Factor.PASSWORD),
}
LOOKING = NOT_SHOWN | {
    "shown_factors": (Factor.SESSION,),
    "session": SessionState.READ_ONLY,
}
TARGET = {"target_level": TOP, "target_bound_at": NOON - 2 * DAY}
KEYED = {"scopes": ("withdraw",), "ip_list": 1, "key_destinations": 1, "key_daily_cents": 1}
LIVE = ApiKeyUse(
    state=ApiKeyState.LIVE,
    level=TOP,
    scopes=("withdraw",),
    ip=Within.INSIDE,
    destination=Within.INSIDE,
    daily_cents=1_000,
    left_cents=100,
)
NOBODY = NOT_SHOWN | {"shown_factors": (Factor.API_KEY,)}
BY_KEY = NOBODY | {"destination": DestinationState.USABLE, "value_cents": 100}


def by_key(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the fields of a key's use
    return BY_KEY | {"api_key": replace(LIVE, **changes)}


def waiting(until: datetime | None) -> dict[str, Any]:
    return by_key(state=ApiKeyState.WAITING, usable_from=until)


# How a key is used, what it misses, and whether it shows the floor.
USES: list[tuple[dict[str, Any], Requirement, bool]] = [
    (by_key(), NOTHING, True),
    (by_key(level=Level.POSSESSION), NOTHING, False),
    (by_key(level=Level.NONE), NOTHING, False),
    (by_key(scopes=("read", "trade")), never(Reason.API_KEY_SCOPE), False),
    (by_key(ip=Within.OUTSIDE), never(Reason.API_KEY_IP), False),
    (by_key(ip=Within.ANY), never(Reason.API_KEY_IP), False),
    (by_key(destination=Within.OUTSIDE), never(Reason.API_KEY_DESTINATION), False),
    (by_key(destination=Within.ANY), never(Reason.API_KEY_DESTINATION), False),
    *(
        (by_key() | {"destination": state}, never(Reason.API_KEY_DESTINATION), False)
        for state in DestinationState
        if state is not DestinationState.USABLE
    ),
    (by_key() | {"value_cents": 101}, never(Reason.API_KEY_SUM, MIDNIGHT), False),
    (by_key() | {"value_cents": 1_000}, never(Reason.API_KEY_SUM, MIDNIGHT), False),
    (by_key() | {"value_cents": 1_001}, never(Reason.API_KEY_SUM), False),
    (by_key(state=ApiKeyState.STOPPED), never(Reason.API_KEY_STOPPED), False),
    (
        by_key(state=ApiKeyState.STOPPED, usable_from=NOON + DAY),
        never(Reason.API_KEY_STOPPED),
        False,
    ),
    (waiting(NOON + INSTANT), wait(Reason.API_KEY_WAITS, NOON + INSTANT), True),
    (waiting(NOON), never(Reason.API_KEY_STOPPED), False),
    (waiting(None), never(Reason.API_KEY_STOPPED), False),
    (
        by_key(ip=Within.OUTSIDE, destination=Within.OUTSIDE),
        all_of(never(Reason.API_KEY_IP), never(Reason.API_KEY_DESTINATION)),
        False,
    ),
]

OLDER = Prove(code=Reason.OLDER_NEEDED, level=Level.KNOWLEDGE)


def ages(shown_at: datetime | None, target_at: datetime | None) -> dict[str, Any]:
    return {"shown_oldest_at": shown_at, "target_bound_at": target_at}


# Who speaks against what: an action, the ages of both, and what is missing.
SPOKEN: list[tuple[str, dict[str, Any], Requirement]] = [
    (REMOVE, ages(NOON, NOON - DAY), NOTHING),
    (SUSPEND, ages(NOON, None), NOTHING),
    (SUSPEND, ages(None, NOON - DAY), OLDER),
    (SUSPEND, {"older_enrolled": False} | ages(None, NOON), never(Reason.OLDER_NEEDED)),
    (SUSPEND, {"older_enrolled": False} | ages(NOON - DAY, NOON), NOTHING),
    (SUSPEND, ages(NOON - 2 * DAY, NOON - DAY), NOTHING),
    (SUSPEND, ages(NOON - DAY + HOUR, NOON - DAY), NOTHING),
    (SUSPEND, ages(NOON - DAY + HOUR + INSTANT, NOON - DAY), OLDER),
    (SUSPEND, ages(NOON - 30 * DAY, NOON - 40 * DAY), NOTHING),
    (SUSPEND, ages(NOON - 30 * DAY + INSTANT, NOON - 40 * DAY), OLDER),
    *(
        (action, about, missing)
        for action in (REPUDIATE, DISOWN)
        for about, missing in (
            (ages(NOON, None), NOTHING),
            (ages(None, NOON - DAY), OLDER),
            (ages(NOON - DAY - HOUR, NOON - DAY), OLDER),
            (ages(NOON - DAY - HOUR - INSTANT, NOON - DAY), NOTHING),
            (ages(NOON, NOON - DAY), OLDER),
            (ages(NOON - 40 * DAY, NOON - 30 * DAY + INSTANT), NOTHING),
            (ages(NOON - 40 * DAY, NOON - 30 * DAY), never(Reason.REPUDIATION_OVER)),
        )
    ),
]

TABLE: list[tuple[Law, Facts, Requirement]] = [
    # Law 1
    (laws.unknown_is_no, the(SEND), NOTHING),
    (laws.unknown_is_no, the(SEND, action_class=None), never(Reason.ACTION_UNKNOWN)),
    (laws.unknown_is_no, the(SEND, built=False), never(Reason.ACTION_NOT_BUILT)),
    (laws.unknown_is_no, the(KEY, scopes=("read", "withdraw")), NOTHING),
    (laws.unknown_is_no, the(KEY, scopes=("read", "Withdraw")), never(Reason.ACTION_UNKNOWN)),
    # Law 2
    (laws.a_proof_counts_once, the(SEND, session=SessionState.READ_ONLY), NOTHING),
    (
        laws.a_proof_counts_once,
        the(SEND, session=SessionState.UNSIGNED),
        never(Reason.PROOF_NOT_BOUND),
    ),
    # Law 3
    (laws.the_floor_never_sinks, the(SEND), NOTHING),
    (laws.the_floor_never_sinks, the(SEND, shown_level=Level.POSSESSION), proof()),
    (
        laws.the_floor_never_sinks,
        the(SEND, floor=Level.NONE, **NOT_SHOWN),
        never(Reason.NOTHING_BOUND),
    ),
    (
        laws.the_floor_never_sinks,
        the(SEND, floor=Level.KNOWLEDGE, **NOT_SHOWN),
        proof(level=Level.KNOWLEDGE),
    ),
    (laws.the_floor_never_sinks, the(SEND, **BUDGET), NOTHING),
    (laws.the_floor_never_sinks, the(SEND, **BUDGET | {"value_cents": 101}), proof()),
    (
        laws.the_floor_never_sinks,
        the(SEND, **BUDGET | {"session": SessionState.READ_ONLY}),
        proof(),
    ),
    (
        laws.the_floor_never_sinks,
        the(SEND, **BUDGET | {"destination": DestinationState.LAPSED}),
        proof(),
    ),
    (laws.the_floor_never_sinks, the(LIST, **BUDGET), proof()),
    (laws.the_floor_never_sinks, the(BIND, enrolling=True, **NOT_SHOWN), NOTHING),
    (laws.the_floor_never_sinks, the(BIND, **NOT_SHOWN), proof()),
    (laws.the_floor_never_sinks, the(LIST, enrolling=True, **NOT_SHOWN), proof()),
    (
        laws.the_floor_never_sinks,
        the(FREEZE, **NOT_SHOWN | {"shown_factors": (Factor.SMS_CODE,)}),
        NOTHING,
    ),
    (laws.the_floor_never_sinks, the(FREEZE, **NOT_SHOWN), proof(level=Level.KNOWLEDGE)),
    *(
        row
        for tightens in (UNLIST, REVOKE)
        for row in (
            (laws.the_floor_never_sinks, the(tightens), NOTHING),
            (laws.the_floor_never_sinks, the(tightens, **NOT_SHOWN), proof()),
            (laws.the_floor_never_sinks, the(tightens, **LITTLE), proof()),
            (laws.the_floor_never_sinks, the(tightens, **LOOKING), proof()),
            (
                laws.the_floor_never_sinks,
                the(tightens, **LOOKING | {"session": SessionState.FULL}),
                NOTHING,
            ),
        )
    ),
    # Law 4
    (laws.a_budget_is_small, the(LIST, budget_cents=BUDGET_CENTS_MOST), NOTHING),
    (
        laws.a_budget_is_small,
        the(LIST, budget_cents=BUDGET_CENTS_MOST + 1),
        never(Reason.BUDGET_TOO_HIGH),
    ),
    (laws.a_budget_is_small, the(SEND, budget_cents=BUDGET_CENTS_MOST + 1), NOTHING),
    (laws.a_password_is_no_root, the(SEND), NOTHING),
    (laws.a_password_is_no_root, the(SEND, floor=Level.OUT_OF_BAND), NOTHING),
    (laws.a_password_is_no_root, the(SEND, floor=Level.KNOWLEDGE), never(Reason.ROOT_MISSING)),
    (laws.a_password_is_no_root, the(SEND, floor=Level.KNOWLEDGE, **BUDGET), NOTHING),
    (laws.a_password_is_no_root, the(LIST, floor=Level.KNOWLEDGE), never(Reason.ROOT_MISSING)),
    (laws.a_password_is_no_root, the(BIND, floor=Level.KNOWLEDGE), NOTHING),
    (laws.a_password_is_no_root, the(SEND, **ROOTLESS), never(Reason.ROOT_MISSING)),
    (laws.a_password_is_no_root, the(LIST, **ROOTLESS), never(Reason.ROOT_MISSING)),
    (laws.a_password_is_no_root, the(BIND, **ROOTLESS), NOTHING),
    (laws.a_password_is_no_root, the(SEND, **(ROOTLESS | BUDGET)), NOTHING),
    (
        laws.a_password_is_no_root,
        the(KEY, floor=Level.KNOWLEDGE, scopes=("withdraw",)),
        never(Reason.ROOT_MISSING),
    ),
    (
        laws.a_password_is_no_root,
        the(KEY, floor=Level.KNOWLEDGE, scopes=("read",)),
        NOTHING,
    ),
    (laws.nothing_is_bound_twice, the(BIND), NOTHING),
    (laws.nothing_is_bound_twice, the(BIND, bound_already=True), never(Reason.ALREADY_BOUND)),
    (laws.newcomers_undo_nothing, the(REMOVE), NOTHING),
    (laws.newcomers_undo_nothing, the(REMOVE, **TARGET), NOTHING),
    (
        laws.newcomers_undo_nothing,
        the(REMOVE, shown_oldest_at=NOON - 2 * DAY, **TARGET),
        NOTHING,
    ),
    (
        laws.newcomers_undo_nothing,
        the(REMOVE, shown_oldest_at=NOON - DAY, **TARGET),
        never(Reason.NEWCOMER, NOON + 29 * DAY),
    ),
    (
        laws.newcomers_undo_nothing,
        the(REMOVE, shown_oldest_at=NOON - 2 * DAY + HOUR, **TARGET),
        NOTHING,
    ),
    (
        laws.newcomers_undo_nothing,
        the(REMOVE, shown_oldest_at=NOON - 2 * DAY + HOUR + INSTANT, **TARGET),
        never(Reason.NEWCOMER, NOON + 28 * DAY + HOUR + INSTANT),
    ),
    (
        laws.newcomers_undo_nothing,
        the(
            REMOVE, **TARGET | {"target_bound_at": NOON - 31 * DAY}, shown_oldest_at=NOON - 30 * DAY
        ),
        NOTHING,
    ),
    (
        laws.newcomers_undo_nothing,
        the(
            REMOVE,
            **TARGET | {"target_bound_at": NOON - 31 * DAY},
            shown_oldest_at=NOON - 30 * DAY + INSTANT,
        ),
        never(Reason.NEWCOMER, NOON + INSTANT),
    ),
    (
        laws.newcomers_undo_nothing,
        the(REMOVE, shown_level=Level.POSSESSION, **TARGET),
        proof(Reason.WEAKER_PROOF),
    ),
    (key_laws.a_withdraw_key_is_bounded, the(KEY, **KEYED), NOTHING),
    (key_laws.a_withdraw_key_is_bounded, the(KEY, scopes=("read", "trade")), NOTHING),
    (
        key_laws.a_withdraw_key_is_bounded,
        the(KEY, **KEYED | {"ip_list": 0}),
        never(Reason.API_KEY_IP_LIST),
    ),
    (
        key_laws.a_withdraw_key_is_bounded,
        the(KEY, **KEYED | {"key_destinations": 0}),
        never(Reason.API_KEY_DESTINATIONS),
    ),
    (
        key_laws.a_withdraw_key_is_bounded,
        the(KEY, **KEYED | {"key_daily_cents": 0}),
        never(Reason.API_KEY_DAILY_SUM),
    ),
    *(
        (key_laws.an_api_key_reaches_so_far, the(SEND, **used), missing)
        for used, missing, _ in USES
    ),
    *(
        (laws.the_floor_never_sinks, the(SEND, **used), NOTHING if shows else proof())
        for used, _, shows in USES
    ),
    (key_laws.an_api_key_reaches_so_far, the(SEND), NOTHING),
    (  # The customer's own proof needs no key, wherever that one is used from.
        key_laws.an_api_key_reaches_so_far,
        the(SEND, api_key=replace(LIVE, ip=Within.OUTSIDE)),
        NOTHING,
    ),
    (  # Nor does the session key's budget.
        key_laws.an_api_key_reaches_so_far,
        the(SEND, **BUDGET, api_key=replace(LIVE, ip=Within.OUTSIDE)),
        NOTHING,
    ),
    (  # On the closed list of what keys sign there are exits only; a law says it too.
        key_laws.an_api_key_reaches_so_far,
        the(LIST, **by_key()),
        never(Reason.API_KEY_SCOPE),
    ),
    # Law 4
    (laws.two_roots, the(SEND, **NEW), SILENCE),
    (laws.two_roots, the(SEND, **NEW, shown_roots=("phone", "roaming:a")), NOTHING),
    (laws.two_roots, the(SEND, **NEW, roots_enrolled=2), any_of(SECOND, SILENCE)),
    (laws.two_roots, the(SEND, **NEW, proved_at=NOON - DAY), NOTHING),
    (
        laws.two_roots,
        the(SEND, **NEW, proved_at=NOON - DAY + INSTANT),
        wait(Reason.DESTINATION_NEW, NOON + INSTANT),
    ),
    (laws.two_roots, the(SEND, **NEW, proved_at=None), SILENCE),
    (laws.two_roots, the(SEND, destination=DestinationState.USABLE), NOTHING),
    (laws.two_roots, the(SEND, destination=DestinationState.LAPSED), NOTHING),
    (laws.two_roots, the(SEND, destination=DestinationState.UNPROVED), SILENCE),
    (laws.two_roots, the(SEND, destination=DestinationState.REMOVED), SILENCE),
    (laws.two_roots, the(SEND, destination=DestinationState.WAITING), SILENCE),
    (laws.two_roots, the(LIST), NOTHING),
    # Law 5
    (laws.loosening_waits, the(LIST), wait(Reason.LOOSENING_WAITS, NOON + DAY)),
    (laws.loosening_waits, the(LIST, proved_at=NOON - DAY), NOTHING),
    (laws.loosening_waits, the(SEND), NOTHING),
    (laws.loosening_waits, the(BIND, enrolling=True), NOTHING),
    (
        laws.loosening_waits,
        the(LIST, enrolling=True),
        wait(Reason.LOOSENING_WAITS, NOON + DAY),
    ),
    (laws.a_told_wait_stays, the(SEND), NOTHING),
    (laws.a_told_wait_stays, the(SEND, promised_until=NOON), NOTHING),
    (
        laws.a_told_wait_stays,
        the(SEND, promised_until=NOON + INSTANT),
        wait(Reason.WAIT_TOLD, NOON + INSTANT),
    ),
    (laws.a_told_wait_stays, the(SEND, offered_until=NOON), NOTHING),
    (
        laws.a_told_wait_stays,
        the(SEND, offered_until=NOON + DAY),
        any_of(SECOND, wait(Reason.WAIT_TOLD, NOON + DAY)),
    ),
    (
        laws.a_told_wait_stays,
        the(SEND, offered_until=NOON + DAY, promised_until=NOON + HOUR),
        all_of(
            wait(Reason.WAIT_TOLD, NOON + HOUR),
            any_of(SECOND, wait(Reason.WAIT_TOLD, NOON + DAY)),
        ),
    ),
    (
        laws.a_told_wait_stays,
        the(SEND, offered_until=NOON + DAY, shown_roots=("phone", "roaming:a")),
        NOTHING,
    ),
    (laws.a_no_is_no_weapon, the(FREEZE, weak_freeze_at=NOON), NOTHING),
    (laws.a_no_is_no_weapon, the(SEND, weak_freeze_at=NOON, **NOT_SHOWN), NOTHING),
    (laws.a_no_is_no_weapon, the(FREEZE, **NOT_SHOWN), NOTHING),
    (laws.a_no_is_no_weapon, the(SUSPEND, weak_freeze_at=NOON, **NOT_SHOWN), NOTHING),
    (
        laws.a_no_is_no_weapon,
        the(SUSPEND, weak_freeze_at=NOON - HOUR + INSTANT, **NOT_SHOWN),
        NOTHING,
    ),
    (
        laws.a_no_is_no_weapon,
        the(SUSPEND, weak_freeze_at=NOON - HOUR, **NOT_SHOWN),
        proof(Reason.FREEZE_TOO_SOON),
    ),
    (laws.a_no_is_no_weapon, the(SUSPEND, weak_freeze_at=NOON - 30 * DAY, **NOT_SHOWN), NOTHING),
    (laws.a_no_is_no_weapon, the(SUSPEND, weak_freeze_at=NOON - HOUR), NOTHING),
    (laws.a_no_is_no_weapon, the(FREEZE, weak_freeze_at=NOON - 30 * DAY, **NOT_SHOWN), NOTHING),
    (
        laws.a_no_is_no_weapon,
        the(FREEZE, weak_freeze_at=NOON - 30 * DAY + INSTANT, **NOT_SHOWN),
        proof(Reason.FREEZE_TOO_SOON),
    ),
    (laws.an_unheard_wait_is_longer, the(LIST), NOTHING),
    (laws.an_unheard_wait_is_longer, the(LIST, unheard_until=NOON), NOTHING),
    (
        laws.an_unheard_wait_is_longer,
        the(LIST, unheard_until=NOON + INSTANT),
        wait(Reason.NOTICE_UNCONFIRMED, NOON + INSTANT),
    ),
    (laws.a_contest_is_decided, the(LIST), NOTHING),
    (laws.a_contest_is_decided, the(FREEZE, contested_until=NOON + DAY), NOTHING),
    (
        laws.a_contest_is_decided,
        the(LIST, contested_until=NOON),
        Never(code=Reason.CONTESTED),
    ),
    (
        laws.a_contest_is_decided,
        the(LIST, contested_until=NOON + INSTANT),
        Never(code=Reason.CONTESTED, until=NOON + INSTANT),
    ),
    (
        laws.a_contest_is_decided,
        the(LIST, contested_until=NOON + DAY, contest_open=True, shown_roots=("phone",)),
        Prove(code=Reason.CONTESTED, level=Level.PHISHING_RESISTANT, roots=2),
    ),
    (
        laws.a_contest_is_decided,
        the(LIST, contested_until=NOON + DAY, contest_open=True, floor=Level.NONE, shown_roots=()),
        Prove(code=Reason.CONTESTED, level=Level.POSSESSION, roots=1),
    ),
    (
        laws.a_contest_is_decided,
        the(
            LIST,
            contested_until=NOON + DAY,
            contest_open=True,
            members=2,
            quorum=Quorum(two_cents=0),
        ),
        Prove(code=Reason.CONTESTED, level=Level.NONE, factors=(Factor.MEMBER,)),
    ),
    (
        laws.a_contest_is_decided,
        the(LIST, contested_until=NOON + DAY, contest_open=True, members=2, shown_roots=()),
        Prove(code=Reason.CONTESTED, level=Level.PHISHING_RESISTANT, roots=1),
    ),
    (laws.a_contest_is_decided, the(LIST, exits_contested_until=NOON + DAY), NOTHING),
    (laws.a_contest_is_decided, the(SEND, exits_contested_until=NOON), NOTHING),
    (
        laws.a_contest_is_decided,
        the(SEND, exits_contested_until=NOON + INSTANT),
        Never(code=Reason.EXITS_CONTESTED, until=NOON + INSTANT),
    ),
    # Law 6
    (laws.a_hold_covers_every_exit, the(SEND), NOTHING),
    (laws.a_hold_covers_every_exit, the(SEND, held_until=NOON), NOTHING),
    (
        laws.a_hold_covers_every_exit,
        the(SEND, held_until=NOON + INSTANT),
        wait(Reason.EXITS_HELD, NOON + INSTANT),
    ),
    (laws.a_hold_covers_every_exit, the(LIST, held_until=NOON + DAY), NOTHING),
    (laws.a_hold_covers_every_exit, the(SEND, enrolling=True), never(Reason.ENROLMENT_OPEN)),
    (laws.a_freeze_stops, the(SEND), NOTHING),
    (laws.a_freeze_stops, the(SEND, frozen_until=NOON), NOTHING),
    (
        laws.a_freeze_stops,
        the(SEND, frozen_until=NOON + INSTANT),
        never(Reason.ACCOUNT_FROZEN, NOON + INSTANT),
    ),
    (laws.a_freeze_stops, the(LIST, frozen_until=FOREVER), never(Reason.ACCOUNT_FROZEN)),
    (laws.a_freeze_stops, the(KEY, frozen_until=FOREVER), never(Reason.ACCOUNT_FROZEN)),
    (
        laws.a_freeze_stops,
        the("password.change", frozen_until=FOREVER),
        never(Reason.ACCOUNT_FROZEN),
    ),
    (
        laws.a_freeze_stops,
        the("member.remove", frozen_until=NOON + DAY, members=2, quorum=Quorum(two_cents=0)),
        NOTHING,
    ),
    (
        laws.a_freeze_stops,
        the("member.remove", frozen_until=FOREVER, members=2, quorum=Quorum(two_cents=0)),
        never(Reason.ACCOUNT_FROZEN),
    ),
    (
        laws.a_freeze_stops,
        the("member.remove", frozen_until=NOON + DAY, members=2),
        never(Reason.ACCOUNT_FROZEN, NOON + DAY),
    ),
    (
        laws.a_freeze_stops,
        the("member.add", frozen_until=NOON + DAY, members=2, quorum=Quorum(two_cents=0)),
        never(Reason.ACCOUNT_FROZEN, NOON + DAY),
    ),
    (laws.a_freeze_stops, the(START, frozen_until=FOREVER), NOTHING),
    (laws.a_freeze_stops, the("limit.lower", frozen_until=FOREVER), NOTHING),
    (laws.a_freeze_stops, the(LIFT, frozen_until=FOREVER, frozen_at=NOON), NOTHING),
    (laws.a_freeze_stops, the(LIFT, frozen_until=FOREVER), NOTHING),
    (
        laws.a_freeze_stops,
        the(LIFT, frozen_until=NOON + DAY, frozen_at=NOON + INSTANT),
        never(Reason.ACCOUNT_FROZEN, NOON + DAY),
    ),
    # Law 10
    (laws.the_last_way_in_stays, the(REMOVE), NOTHING),
    (
        laws.the_last_way_in_stays,
        the(REMOVE, way_in_left=False),
        never(Reason.LAST_AUTHENTICATOR),
    ),
    (laws.nothing_beyond_its_room, the(LIST), NOTHING),
    (laws.nothing_beyond_its_room, the(LIST, too_many=True), never(Reason.TOO_MANY)),
    *((laws.older_ones_speak, the(action, **about), missing) for action, about, missing in SPOKEN),
    (laws.what_is_named_is_there, the(REMOVE), NOTHING),
    (laws.what_is_named_is_there, the(REMOVE, target_gone=True), never(Reason.TARGET_GONE)),
    (laws.somebody_is_told, the(CONTACT), NOTHING),
    (laws.somebody_is_told, the(CONTACT, channel_left=False), never(Reason.LAST_CHANNEL)),
    (laws.a_new_channel_answers, the(CONTACT), NOTHING),
    (
        laws.a_new_channel_answers,
        the(CONTACT, channel_confirmed=False),
        Prove(code=Reason.CHANNEL_UNCONFIRMED, level=Level.NONE, factors=(Factor.CHANNEL_CODE,)),
    ),
    (laws.an_unspoken_exit_is_held, the(SEND, proposed_at=NOON), NOTHING),
    (
        laws.an_unspoken_exit_is_held,
        the("platform.exit", unspoken=True, proposed_at=NOON),
        wait(Reason.EXIT_UNSPOKEN, NOON + DAY),
    ),
    (
        laws.an_unspoken_exit_is_held,
        the("platform.exit", unspoken=True, proposed_at=NOON - DAY),
        wait(Reason.EXIT_UNSPOKEN, NOON + DAY),
    ),
    (
        laws.an_unspoken_exit_is_held,
        the("platform.exit", unspoken=True, proposed_at=NOON - DAY + HOUR),
        wait(Reason.EXIT_UNSPOKEN, NOON + HOUR),
    ),
    (laws.no_look_alike, the(SEND), NOTHING),
    (laws.no_look_alike, the(SEND, look_alike=True), never(Reason.LOOK_ALIKE)),
    (laws.no_look_alike, the(LIST, look_alike=True), never(Reason.LOOK_ALIKE)),
    *(
        (laws.nothing_to_the_listed, the(SEND, screened=said), missing)
        for said, missing in (
            (Screened.NONE, NOTHING),
            (Screened.CLEAR, NOTHING),
            (Screened.LISTED, never(Reason.SCREENED)),
            (Screened.UNKNOWN, never(Reason.SCREENING_DOWN)),
        )
    ),
    # Moving in
    (an_imported_passkey_opens_no_door, the(SEND), NOTHING),
    *(
        (an_imported_passkey_opens_no_door, the(action, floor_imported=True), missing)
        for action, missing in (
            (SEND, proof(Reason.SUCCESSOR_NEEDED)),
            (START, proof(Reason.SUCCESSOR_NEEDED)),
            (LIST, proof(Reason.SUCCESSOR_NEEDED)),
            (LIFT, proof(Reason.SUCCESSOR_NEEDED)),
            (FREEZE, NOTHING),
            (UNLIST, NOTHING),
        )
    ),
    *(
        (
            an_imported_passkey_opens_no_door,
            the(BIND, floor_imported=True, proved_at=proved_at),
            missing,
        )
        for proved_at, missing in (
            (None, wait(Reason.SUCCESSOR_WAITS, NOON + 3 * DAY)),
            (NOON - 3 * DAY + INSTANT, wait(Reason.SUCCESSOR_WAITS, NOON + INSTANT)),
            (NOON - 3 * DAY, NOTHING),
        )
    ),
    # SP 800-63B
    (laws.an_app_needs_its_password, the(START), NOTHING),
    (laws.an_app_needs_its_password, the(SEND, shown_level=Level.POSSESSION), NOTHING),
    *(
        (
            laws.an_app_needs_its_password,
            the(access, shown_level=Level.POSSESSION, shown_factors=shown),
            Prove(code=Reason.PASSWORD_NEEDED, level=Level.POSSESSION, factors=(Factor.PASSWORD,)),
        )
        for access in (START, CHANGE, KEY)
        for shown in ((Factor.TOTP,), (Factor.SESSION, Factor.TOTP))
    ),
    (
        laws.an_app_needs_its_password,
        the(
            START,
            shown_level=Level.POSSESSION,
            shown_factors=(Factor.PASSWORD, Factor.TOTP),
        ),
        NOTHING,
    ),
    (
        laws.an_app_needs_its_password,
        the(
            KEY,
            action_class=ActionClass.LOOSENING,
            shown_level=Level.POSSESSION,
            shown_factors=(Factor.TOTP,),
        ),
        NOTHING,
    ),
    (laws.nothing_needed_is_erased, the(ERASE), NOTHING),
    (laws.nothing_needed_is_erased, the(ERASE, legal_hold=True), Never(code=Reason.LEGAL_HOLD)),
    (laws.nothing_needed_is_erased, the(LIFT, legal_hold=True, held_until=NOON + DAY), NOTHING),
    *(
        row
        for fact, code in (
            ("held_until", Reason.EXITS_HELD),
            ("exit_open_until", Reason.EXIT_OPEN),
            ("exits_contested_until", Reason.EXITS_CONTESTED),
        )
        for row in (
            (
                laws.nothing_needed_is_erased,
                the(ERASE, **{fact: NOON + INSTANT}),
                wait(code, NOON + INSTANT),
            ),
            (laws.nothing_needed_is_erased, the(ERASE, **{fact: NOON}), NOTHING),
        )
    ),
    (
        laws.nothing_needed_is_erased,
        the(ERASE, legal_hold=True, held_until=NOON + DAY),
        all_of(wait(Reason.EXITS_HELD, NOON + DAY), Never(code=Reason.LEGAL_HOLD)),
    ),
]


@pytest.mark.parametrize(
    ("law", "facts", "missing"),
    TABLE,
    ids=[f"{number}-{law.__name__}" for number, (law, _, _) in enumerate(TABLE)],
)
def test_what_a_law_misses(law: Law, facts: Facts, missing: Requirement) -> None:
    assert law(facts) == missing


@pytest.mark.parametrize(
    ("value", "day", "leaves"),
    [
        (BUDGET_CENTS_MOST, 0, True),
        (BUDGET_CENTS_MOST + 1, 0, False),
        (1, BUDGET_CENTS_MOST - 1, True),
        (1, BUDGET_CENTS_MOST, False),
    ],
)
def test_however_large_a_budget_was_signed_only_a_small_sum_leaves_without_a_proof(
    value: int, day: int, leaves: bool
) -> None:
    """Prevents: a budget of a million that an older version took, spent by a stolen device."""
    signed = {**BUDGET, "budget_left_cents": 10**9}
    asked = the(SEND, **{**signed, "value_cents": value, "destination_day_cents": day})

    assert within_budget(asked) is leaves


EXIT = "withdrawal.crypto"
BOTH = Lock(days=2, both_keys=True)


def both() -> Prove:
    return Prove(code=Reason.BOTH_KEYS_NEEDED, level=TOP, roots=2)


AGREE = Prove(code=Reason.AGREEMENT_NEEDED, level=Level.NONE, factors=(Factor.TRUSTED_CONTACT,))
OWN = [
    (laws.a_halt_stops_every_exit, the(EXIT), NOTHING),
    (laws.a_halt_stops_every_exit, the(EXIT, platform_halted=True), never(Reason.PLATFORM_HALTED)),
    (laws.a_halt_stops_every_exit, the(ERASE, platform_halted=True), never(Reason.PLATFORM_HALTED)),
    (laws.a_halt_stops_every_exit, the("limit.raise", platform_halted=True), NOTHING),
    (laws.a_suspension_stops_every_exit, the(EXIT), NOTHING),
    (laws.a_suspension_stops_every_exit, the(EXIT, suspended_until=NOON), NOTHING),
    (
        laws.a_suspension_stops_every_exit,
        the(EXIT, suspended_until=NOON + DAY),
        never(Reason.ACCOUNT_SUSPENDED, NOON + DAY),
    ),
    (laws.a_suspension_stops_every_exit, the("limit.raise", suspended_until=NOON + DAY), NOTHING),
    (own_laws.own_limits_hold, the(EXIT, value_cents=5, own_day_cents=5), NOTHING),
    (own_laws.own_limits_hold, the(EXIT, value_cents=5), NOTHING),
    (
        own_laws.own_limits_hold,
        the(EXIT, value_cents=5, day_cents=1, own_day_cents=5),
        Never(code=Reason.OWN_LIMIT, until=key_laws.next_day(NOON)),
    ),
    (
        own_laws.own_limits_hold,
        the(EXIT, value_cents=6, own_destination_cents=5),
        Never(code=Reason.OWN_LIMIT),
    ),
    (own_laws.own_limits_hold, the("freeze.set", own_day_cents=0), NOTHING),
    (own_laws.a_lock_delays, the(EXIT), NOTHING),
    (own_laws.a_lock_delays, the("freeze.set", lock=Lock(days=2)), NOTHING),
    (own_laws.a_lock_delays, the(EXIT, lock=Lock(days=2), proved_at=NOON - 2 * DAY), NOTHING),
    (
        own_laws.a_lock_delays,
        the("destination.add", lock=Lock(days=2), proved_at=NOON - DAY),
        WaitUntil(code=Reason.LOCKED, until=NOON + DAY),
    ),
    (
        own_laws.a_lock_delays,
        the(EXIT, lock=Lock(days=2, two_keys=True), shown_roots=("a", "b"), proved_at=NOON),
        NOTHING,
    ),
    (
        own_laws.a_lock_delays,
        the(EXIT, lock=Lock(days=2, two_keys=True), shown_roots=("a",), proved_at=NOON),
        any_of(Prove(code=Reason.LOCKED, level=TOP, roots=2), wait(Reason.LOCKED, NOON + 2 * DAY)),
    ),
    (
        own_laws.a_lock_delays,
        the(
            "lock.loosen",
            lock=Lock(days=2, two_keys=True),
            shown_roots=("a", "b"),
            proved_at=NOON,
        ),
        WaitUntil(code=Reason.LOCKED, until=NOON + 2 * DAY),
    ),
    (
        own_laws.a_lock_delays,
        the(EXIT, lock=BOTH, shown_roots=("a", "b"), roots_bound=2),
        wait(Reason.LOCKED, NOON + 2 * DAY),
    ),
    (
        own_laws.a_lock_delays,
        the(EXIT, lock=BOTH, shown_roots=("a", "b"), roots_bound=2, proved_at=NOON - 2 * DAY),
        NOTHING,
    ),
    (
        own_laws.a_lock_delays,
        the("destination.add", lock=BOTH, roots_bound=2, proved_at=None),
        all_of(both(), wait(Reason.LOCKED, NOON + 2 * DAY)),
    ),
    (
        own_laws.a_lock_delays,
        the(EXIT, lock=BOTH, roots_bound=2, **NOT_SHOWN),
        all_of(both(), wait(Reason.LOCKED, NOON + 2 * DAY)),
    ),
    (own_laws.a_lock_delays, the(EXIT, lock=BOTH, roots_bound=2, proved_at=NOON - 9 * DAY), both()),
    (
        own_laws.a_lock_delays,
        the(EXIT, lock=BOTH, roots_bound=2, one_root_from=NOON + DAY, proved_at=NOON - 9 * DAY),
        wait(Reason.BOTH_KEYS_NEEDED, NOON + DAY),
    ),
    (
        own_laws.a_lock_delays,
        the(EXIT, lock=BOTH, roots_bound=2, one_root_from=NOON, proved_at=NOON - 2 * DAY),
        NOTHING,
    ),
    (
        own_laws.a_lock_delays,
        the(EXIT, lock=BOTH, roots_bound=1, **NOT_SHOWN),
        all_of(
            Prove(code=Reason.LOCKED, level=TOP),
            wait(Reason.LOCKED, NOON + 2 * DAY),
        ),
    ),
    (own_laws.a_lock_delays, the("freeze.set", lock=BOTH, roots_bound=2), NOTHING),
    (two_keys_are_there, the("lock.tighten", asked_both_keys=True, roots_bound=2), NOTHING),
    (two_keys_are_there, the("lock.tighten", asked_lock_days=30, roots_bound=1), NOTHING),
    (two_keys_are_there, the(EXIT, asked_both_keys=True), NOTHING),
    (
        two_keys_are_there,
        the("lock.loosen", asked_both_keys=True, roots_bound=1),
        Never(code=Reason.KEYS_TOO_FEW),
    ),
    (
        two_keys_are_there,
        the("lock.tighten", asked_both_keys=True, roots_bound=2, one_root_from=NOON + DAY),
        Never(code=Reason.KEYS_TOO_FEW),
    ),
    (own_laws.what_tightens_is_tighter, the("limit.lower"), NOTHING),
    (
        own_laws.what_tightens_is_tighter,
        the("lock.tighten", tightens=False),
        Never(code=Reason.NOT_TIGHTER),
    ),
    (own_laws.what_tightens_is_tighter, the("limit.raise", tightens=False), NOTHING),
    (own_laws.a_weak_lock_is_short, the("lock.tighten", asked_lock_days=3), NOTHING),
    (own_laws.a_weak_lock_is_short, the("lock.loosen", asked_lock_days=30), NOTHING),
    (
        own_laws.a_weak_lock_is_short,
        the("lock.tighten", asked_lock_days=1, asked_both_keys=True, **NOT_SHOWN),
        proof(),
    ),
    (own_laws.a_contact_agrees, the(EXIT, value_cents=5), NOTHING),
    (own_laws.a_contact_agrees, the(EXIT, value_cents=5, agreement_cents=5), NOTHING),
    (own_laws.a_contact_agrees, the(EXIT, value_cents=5, day_cents=1, agreement_cents=5), AGREE),
    (own_laws.a_contact_agrees, the(EXIT, value_cents=6, agreement_cents=5, agreed=True), NOTHING),
    (
        own_laws.a_contact_agrees,
        the(EXIT, value_cents=1, agreement_cents=0, **NOT_SHOWN),
        all_of(proof(), AGREE),
    ),
    (
        own_laws.a_contact_agrees,
        the(EXIT, value_cents=1, agreement_cents=0, agreed=True, **NOT_SHOWN),
        proof(),
    ),
    (
        own_laws.a_contact_agrees,
        the(EXIT, value_cents=1, agreement_cents=0, floor=Level.NONE, **NOT_SHOWN),
        all_of(proof(level=Level.KNOWLEDGE), AGREE),
    ),
    (own_laws.a_contact_agrees, the("limit.raise", agreement_cents=0), NOTHING),
    (own_laws.a_contact_stays_a_while, the("limit.raise"), NOTHING),
    (
        own_laws.a_contact_stays_a_while,
        the("limit.raise", loosens_agreement=True, proved_at=NOON - DAY),
        wait(Reason.CONTACT_STAYS, NOON + 6 * DAY),
    ),
    (
        own_laws.a_contact_stays_a_while,
        the("limit.raise", loosens_agreement=True, **NOT_SHOWN),
        all_of(proof(), wait(Reason.CONTACT_STAYS, NOON + 7 * DAY)),
    ),
    (
        own_laws.a_contact_stays_a_while,
        the("authenticator.bind", loosens_agreement=True, floor=Level.NONE, **NOT_SHOWN),
        all_of(proof(level=Level.KNOWLEDGE), wait(Reason.CONTACT_STAYS, NOON + 7 * DAY)),
    ),
    (
        own_laws.a_contact_stays_a_while,
        the("limit.raise", loosens_agreement=True, proved_at=NOON - 7 * DAY),
        NOTHING,
    ),
    (own_laws.a_contact_is_the_owners, the("trusted_contact.add"), NOTHING),
    (own_laws.a_contact_is_the_owners, the("trusted_contact.add", **NOT_SHOWN), proof()),
    (
        own_laws.a_contact_is_the_owners,
        the("trusted_contact.add", floor=Level.NONE, **NOT_SHOWN),
        proof(level=Level.KNOWLEDGE),
    ),
    (own_laws.a_contact_is_the_owners, the("limit.lower", **NOT_SHOWN), NOTHING),
]


ANOTHER = Prove(code=Reason.MEMBERS_NEEDED, level=Level.NONE, factors=(Factor.MEMBER,))
AGAIN = Prove(code=Reason.FREEZE_TOO_SOON, level=Level.NONE, factors=(Factor.MEMBER,))
SEVERAL = {"members": 3, "quorum": Quorum(two_cents=10, three_cents=20), "members_behind": 1}
ASKS_FOR_TWO = SEVERAL | {"value_cents": 11}
OF_MEMBERS = [
    (member_laws.a_quorum_agrees, the(EXIT, value_cents=11), NOTHING),
    (member_laws.a_quorum_agrees, the(EXIT, **SEVERAL | {"value_cents": 10}), NOTHING),
    (member_laws.a_quorum_agrees, the(EXIT, **ASKS_FOR_TWO), ANOTHER),
    (member_laws.a_quorum_agrees, the(EXIT, **ASKS_FOR_TWO | {"members_behind": 2}), NOTHING),
    (member_laws.a_quorum_agrees, the(EXIT, **ASKS_FOR_TWO | {"members": 1}), NOTHING),
    (
        member_laws.a_quorum_agrees,
        the(EXIT, **SEVERAL | {"value_cents": 5, "day_cents": 6}),
        ANOTHER,
    ),
    (
        member_laws.a_quorum_agrees,
        the(EXIT, **ASKS_FOR_TWO | {"value_cents": 21, "members_behind": 2}),
        ANOTHER,
    ),
    (
        member_laws.a_quorum_agrees,
        the(EXIT, **ASKS_FOR_TWO | NOT_SHOWN | {"members_behind": 0}),
        all_of(proof(), ANOTHER),
    ),
    (member_laws.a_quorum_agrees, the(EXIT, **ASKS_FOR_TWO | NOT_SHOWN), proof()),
    (
        member_laws.a_quorum_agrees,
        the(EXIT, **ASKS_FOR_TWO | NOT_SHOWN | {"floor": Level.NONE}),
        proof(level=Level.POSSESSION),
    ),
    (member_laws.a_quorum_agrees, the("limit.raise", **SEVERAL), ANOTHER),
    (member_laws.a_quorum_agrees, the("limit.raise", **SEVERAL | {"members_behind": 3}), NOTHING),
    (member_laws.a_quorum_agrees, the("limit.lower", **SEVERAL), NOTHING),
    (member_laws.a_quorum_agrees, the("lock.tighten", **SEVERAL, asked_lock_days=7), NOTHING),
    (member_laws.a_quorum_agrees, the("lock.tighten", **SEVERAL, asked_lock_days=8), ANOTHER),
    (
        member_laws.a_quorum_agrees,
        the("quorum.tighten", members=3, members_behind=2, asked_members=3),
        ANOTHER,
    ),
    (member_laws.a_member_stays_a_while, the("limit.raise", proved_at=None), NOTHING),
    (
        member_laws.a_member_stays_a_while,
        the("member.remove", proved_at=None),
        wait(Reason.MEMBERS_STAY, NOON + 7 * DAY),
    ),
    (member_laws.a_member_stays_a_while, the("member.add", proved_at=NOON - 7 * DAY), NOTHING),
    (
        member_laws.a_member_stays_a_while,
        the("quorum.loosen", proved_at=NOON - 7 * DAY + INSTANT),
        wait(Reason.MEMBERS_STAY, NOON + INSTANT),
    ),
    (member_laws.a_member_has_a_passkey, the("member.add"), NOTHING),
    (member_laws.a_member_has_a_passkey, the("member.remove", **NOT_SHOWN), NOTHING),
    (member_laws.a_member_has_a_passkey, the("member.add", **NOT_SHOWN), proof()),
    (
        member_laws.a_member_has_a_passkey,
        the("member.add", shown_level=Level.POSSESSION, floor=Level.POSSESSION),
        proof(),
    ),
    (member_laws.what_changes_members_is_proved, the("quorum.tighten"), NOTHING),
    (member_laws.what_changes_members_is_proved, the("quorum.tighten", **NOT_SHOWN), proof()),
    (
        member_laws.what_changes_members_is_proved,
        the("quorum.tighten", floor=Level.NONE, **NOT_SHOWN),
        proof(level=Level.KNOWLEDGE),
    ),
    (member_laws.what_changes_members_is_proved, the("limit.lower", **NOT_SHOWN), NOTHING),
    (member_laws.members_are_enough, the("member.remove"), NOTHING),
    (
        member_laws.members_are_enough,
        the("member.remove", members_fit=False),
        never(Reason.MEMBERS_TOO_FEW),
    ),
    (member_laws.one_member_freezes_for_a_while, the(FREEZE, **SEVERAL), NOTHING),
    (
        member_laws.one_member_freezes_for_a_while,
        the(FREEZE, **SEVERAL, weak_freeze_at=NOON - 30 * DAY + INSTANT),
        AGAIN,
    ),
    (
        member_laws.one_member_freezes_for_a_while,
        the(FREEZE, **SEVERAL, weak_freeze_at=NOON - 30 * DAY),
        NOTHING,
    ),
    (
        member_laws.one_member_freezes_for_a_while,
        the(FREEZE, **SEVERAL | {"members_behind": 3}, weak_freeze_at=NOON),
        NOTHING,
    ),
    (
        member_laws.one_member_freezes_for_a_while,
        the(FREEZE, **SEVERAL | NOT_SHOWN, weak_freeze_at=NOON),
        NOTHING,
    ),
    (member_laws.one_member_freezes_for_a_while, the(FREEZE, weak_freeze_at=NOON), NOTHING),
    (
        member_laws.one_member_freezes_for_a_while,
        the("limit.lower", **SEVERAL, weak_freeze_at=NOON),
        NOTHING,
    ),
]


@pytest.mark.parametrize(("law", "found", "missing"), OF_MEMBERS)
def test_what_takes_several_members(law: laws.Law, found: Facts, missing: Requirement) -> None:
    assert law(found) == missing


@pytest.mark.parametrize(("law", "found", "missing"), OWN)
def test_what_an_owner_set_binds(law: laws.Law, found: Facts, missing: Requirement) -> None:
    assert law(found) == missing


def test_every_law_has_its_rows() -> None:
    assert {law for law, _, _ in (*TABLE, *OWN, *OF_MEMBERS)} == set(LAWS)


def test_the_least_wait_is_a_night_and_a_day() -> None:
    assert laws.LEAST_WAIT == DAY


@pytest.mark.parametrize("action", ActionType)
def test_no_action_is_free_of_every_law(action: ActionType) -> None:
    """With nothing shown, nothing is allowed: not even what only tightens."""
    nothing = the(action, **NOT_SHOWN)

    assert all_of(*(law(nothing) for law in LAWS)) != NOTHING
    assert CLASS_OF[action] in ActionClass


@pytest.mark.parametrize(
    "now",
    [
        MIDNIGHT - DAY,
        MIDNIGHT - DAY + timedelta(hours=12, minutes=34, seconds=56, microseconds=789),
    ],
)
def test_sums_of_a_day_begin_anew_at_midnight_to_the_instant(now: datetime) -> None:
    assert key_laws.next_day(now) == MIDNIGHT


@pytest.mark.parametrize("members", [1, 2, 3])
def test_two_of_two_members_agree_as_two_of_three_do(members: int) -> None:
    """Prevents: a company of two in which one alone moves what takes both."""
    quorum = Quorum(two_cents=0)
    found = the(SEND, members=members, quorum=quorum, value_cents=1, members_behind=1)
    several = members > 1

    assert member_laws.members_needed(found) == (2 if several else 1)
    assert member_laws.takes_others(found) is several
    assert member_laws.alone(found) is several
    assert member_laws.is_proved(replace(found, proved_at=None)) is several
