"""What single events change: each sum, mark and boundary of it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.asked import an_action
from support.cast import DAY, HOUR, INSTANT, LONG_AGO, NOON
from support.worlds import PASSWORD, SYNCED, a_destination, an_account, send

from twinlock.domain.account import ApiKey, Candidate, Device, OpenAction, Shown, State
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import FLOOD_TOLD_EVERY, WEAK_SITTING
from twinlock.domain.events import (
    ActionAuthorized,
    ActionLapsed,
    ActionRefused,
    ActionSpent,
    AuthenticatorSuspended,
    CandidateOffered,
    ClosingEvent,
    DestinationAdded,
    DestinationRemoved,
    NewcomerRepudiated,
    ProofAccepted,
)
from twinlock.domain.freezes import SUSPENSION, Freeze
from twinlock.domain.ids import ApiKeyId, ChallengeId
from twinlock.domain.limits import Spent
from twinlock.domain.replay import apply
from twinlock.domain.throttle import Throttle

ACTION = an_action(send()).action_id
KNOWN = replace(a_destination(), spent=Spent(day="2026-01-15", cents=5_00))
A_KEY = ApiKey(
    api_key_id=ApiKeyId("key_1"),
    public_key="K" * 43,
    scopes=("trade",),
    ip_list=(),
    destinations=(),
    daily_cents=0,
    created_at=LONG_AGO,
)
BY_KEY = Shown(
    source="key_1", factor=Factor.API_KEY, root=None, bound_at=LONG_AGO, at=NOON, entry=0
)


def state(*actions: OpenAction, **changes: Any) -> State:  # noqa: ANN401 - any of the fields
    account = replace(an_account(PASSWORD, SYNCED), actions=actions, **changes)
    return State(account=account, destination_id=KNOWN.destination_id, destination=KNOWN)


# --- An API key's use beyond its powers is told once a day ---

REFUSED = ActionRefused(at=NOON, action_id=ACTION, reasons=())


@pytest.mark.parametrize(
    ("event", "shown", "told_at", "then"),
    [
        pytest.param(REFUSED, (BY_KEY,), 0, NOON, id="refused"),
        pytest.param(REFUSED, (), 0, None, id="of nobody"),
        pytest.param(ActionLapsed(at=NOON, action_id=ACTION), (BY_KEY,), 0, None, id="lapsed"),
        pytest.param(REFUSED, (BY_KEY,), NOON - FLOOD_TOLD_EVERY, NOON, id="told a day ago"),
        pytest.param(
            REFUSED,
            (BY_KEY,),
            NOON - FLOOD_TOLD_EVERY + timedelta(seconds=1),
            NOON - FLOOD_TOLD_EVERY + timedelta(seconds=1),
            id="told today",
        ),
    ],
)
def test_that_the_owner_was_told_of_a_key_is_noted(
    event: ClosingEvent, shown: tuple[Shown, ...], told_at: datetime | int, then: datetime | None
) -> None:
    before = state(an_action(send(), shown=shown), key_told_at=seconds(told_at), api_keys=(A_KEY,))

    assert apply(before, event).account.key_told_at == (0 if then is None else seconds(then))


def seconds(at: datetime | int) -> int:
    return at if isinstance(at, int) else int(at.timestamp())


# --- What looks alike ---


def test_what_is_listed_anew_where_it_stands_looks_like_one_and_not_like_two() -> None:
    before = state()
    again = replace(KNOWN, label="renamed", version=KNOWN.version + 1)

    after = apply(before, DestinationAdded(at=NOON, destination=again))

    assert after.destination is not None
    assert after.destination.label == "renamed"
    assert after.account.looks == before.account.looks


def test_what_is_removed_twice_is_known_once() -> None:
    before = state(looks="")
    before = replace(before, destination=replace(KNOWN, removed=True))
    gone = DestinationRemoved(at=NOON, destination_id=KNOWN.destination_id)

    after = apply(before, gone)

    assert after.destination is not None
    assert after.destination.removed
    assert (after.account.looks, after.account.former.looks) == ("", "")


# --- Sums ---


def test_a_spend_is_the_last_exit_and_counts_where_it_led() -> None:
    spent = ActionSpent(
        at=NOON,
        action_id=ACTION,
        spend_id="s",
        fee_minor="0",
        value_cents=50_00,
        destination_id=KNOWN.destination_id,
    )
    after = apply(state(an_action(send())), spent)

    assert after.account.last_exit_at == NOON.timestamp()
    assert after.destination is not None
    assert after.destination.spent.cents == 55_00
    assert after.destination.version == KNOWN.version + 1
    assert after.account.destinations[KNOWN.destination_id] == KNOWN.version + 1


def test_a_yes_counts_once_however_often_it_is_said() -> None:
    yes = ActionAuthorized(
        at=NOON, action_id=ACTION, value_cents=50_00, destination_id=KNOWN.destination_id
    )
    chain = replace(an_account().chain, entries=41)
    once = apply(state(an_action(send()), chain=chain), yes)
    twice = apply(once, replace(yes, value_cents=60_00))

    assert once.account.spent.cents == 50_00
    assert twice.account.spent.cents == 60_00
    assert twice.destination is not None
    assert twice.destination.spent.cents == 65_00
    assert once.account.action(ACTION).entry == 41


# --- Proofs, offers and reports ---


def test_a_passkey_opens_both_throttles() -> None:
    closed = Throttle(failures=9, until=NOON + HOUR)
    proof = Shown(
        source=SYNCED.authenticator_id,
        factor=Factor.PASSKEY,
        root="phone",
        bound_at=SYNCED.bound_at,
        at=NOON,
        entry=0,
    )
    before = state(an_action(send()), throttle=closed, known_throttle=closed)
    after = apply(before, ProofAccepted(at=NOON, action_id=ACTION, shown=proof, proved=True))

    assert (after.account.throttle, after.account.known_throttle) == (Throttle(), Throttle())


def offered(name: str, factor: Factor) -> Candidate:
    return Candidate(
        candidate_id=ChallengeId(name), factor=factor, secret="", expires_at=NOON + HOUR
    )


def test_of_two_sets_of_codes_only_the_second_can_be_bound() -> None:
    first, second = (offered(name, Factor.RECOVERY_CODE) for name in ("chl_1", "chl_2"))
    app, other = (offered(name, Factor.TOTP) for name in ("chl_3", "chl_4"))

    def after(*every: Candidate) -> tuple[Candidate, ...]:
        found = state()
        for one in every:
            found = apply(found, CandidateOffered(at=NOON, candidate=one))
        return found.account.candidates

    assert after(first, second) == (second,)
    assert after(app, second) == (app, second)
    assert after(first, app) == (first, app)
    assert after(app, other) == (app, other)


def test_a_device_is_known_no_more_that_signed_in_since_what_is_repudiated() -> None:
    before, since = (
        Device(thumbprint=name, since=at, seen_at=NOON)
        for name, at in (("before", NOON - DAY - INSTANT), ("since", NOON - DAY))
    )
    said = NewcomerRepudiated(at=NOON, entries=(7,), since=NOON - DAY)

    assert apply(state(devices=(before, since)), said).account.devices == (before,)


@pytest.mark.parametrize(
    ("last", "noted"),
    [
        pytest.param(None, NOON, id="the first"),
        pytest.param(NOON - WEAK_SITTING + INSTANT, None, id="in the same sitting"),
        pytest.param(NOON - WEAK_SITTING, NOON, id="after it"),
    ],
)
def test_a_report_below_the_floor_is_noted_once_a_sitting(
    last: datetime | None, noted: datetime | None
) -> None:
    name = f"{SUSPENSION}phone"
    freeze = Freeze() if last is None else Freeze(weak={name: last})
    said = AuthenticatorSuspended(
        at=NOON,
        authenticator_id=SYNCED.authenticator_id,
        until=NOON + DAY,
        weak_root="phone",
    )

    assert apply(state(freeze=freeze), said).account.freeze.weak[name] == (noted or last)
