"""Floods: what counts as told, when it is too much, and what is told no more one by one."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    FREEZE,
    PASSWORD,
    ROAMING,
    SYNCED,
    an_account,
    list_address,
)

from twinlock.domain.account import Shown
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import FLOOD_TOLD_EVERY, FLOOD_WINDOW, NOTICES_PER_HOUR_MOST
from twinlock.domain.catalogue import ActionType
from twinlock.domain.commands import ReportFlood
from twinlock.domain.events import (
    ActionAuthorized,
    ActionRefused,
    ProofAccepted,
    ProofRefused,
    SessionUsed,
)
from twinlock.domain.floods import Rings, rung, under_flood
from twinlock.domain.ids import ActionId, ApiKeyId, SessionId
from twinlock.domain.notices import Notice, NoticeKind, folds, notices, rings

SECOND = int(NOON.timestamp())
MOST = NOTICES_PER_HOUR_MOST
ACTION = ActionId("act_1")


def after(number: int, *, every: timedelta = timedelta(seconds=1), start: datetime = NOON) -> Rings:
    counted = Rings()
    for one in range(number):
        counted = rung(counted, start + one * every, entry=one)
    return counted


# --- Counting ---


def test_the_thirtieth_message_of_an_hour_makes_a_flood() -> None:
    assert not after(MOST - 1).flooded(NOON + timedelta(seconds=MOST))
    assert after(MOST).flooded(NOON + timedelta(seconds=MOST))
    assert after(MOST).flood_at == SECOND + MOST - 1


def test_what_one_decision_tells_is_one_message() -> None:
    counted = after(5)

    assert rung(counted, NOON + timedelta(seconds=4), entry=4) == counted
    assert rung(counted, NOON + timedelta(seconds=4), entry=5).count == 6


@pytest.mark.parametrize(("more", "count"), [(timedelta(seconds=1), MOST), (timedelta(), 1)])
def test_the_next_hour_is_counted_anew(more: timedelta, count: int) -> None:
    counted = rung(after(MOST - 1), NOON + FLOOD_WINDOW - more, entry=MOST)

    assert counted.count == count
    assert bool(counted.flood_at) is (count == MOST)


def test_a_flood_is_over_an_hour_after_its_height() -> None:
    flooded = under_flood(Rings(), NOON)

    assert flooded.flooded(NOON)
    assert flooded.flooded(NOON + HOUR - timedelta(milliseconds=1))
    assert not flooded.flooded(NOON + HOUR)
    assert not Rings().flooded(datetime.fromtimestamp(0, tz=NOON.tzinfo))


@pytest.mark.parametrize(
    ("at", "since"),
    [
        (NOON - DAY, True),
        (NOON - timedelta(milliseconds=1), True),
        (NOON, True),
        (NOON + HOUR - timedelta(seconds=1), True),
        (NOON + HOUR, False),
    ],
)
def test_what_was_proved_an_hour_after_a_flood_is_not_buried_by_it(
    at: datetime, *, since: bool
) -> None:
    assert under_flood(Rings(), NOON).since_flooded(at) is since
    assert not Rings().since_flooded(at)


@pytest.mark.parametrize(("more", "told"), [(timedelta(), True), (timedelta(seconds=1), False)])
def test_its_owner_hears_of_floods_once_a_day(more: timedelta, *, told: bool) -> None:
    first = under_flood(Rings(), NOON)
    later = NOON + FLOOD_TOLD_EVERY - more
    second = under_flood(first, later)

    assert first.told_at == SECOND
    assert (second.told_at > first.told_at) is told
    assert second.flood_at == int(later.timestamp())


def test_a_flood_that_is_reported_late_takes_nothing_back() -> None:
    assert under_flood(under_flood(Rings(), NOON), NOON - HOUR).flood_at == SECOND


# --- What counts ---


def a_proof(factor: Factor) -> ProofAccepted:
    shown = Shown(source="x", factor=factor, root=None, bound_at=NOON, at=NOON, entry=1)
    return ProofAccepted(at=NOON, action_id=ACTION, shown=shown)


REFUSED = ActionRefused(at=NOON, action_id=ACTION, reasons=())
LEFT = ActionAuthorized(at=NOON, action_id=ACTION, value_cents=1)


@pytest.mark.parametrize(
    ("event", "among", "counts"),
    [
        (REFUSED, (), False),
        (REFUSED, (a_proof(Factor.PASSWORD),), True),
        (REFUSED, (a_proof(Factor.API_KEY),), False),
        (REFUSED, (a_proof(Factor.API_KEY), a_proof(Factor.PASSWORD)), True),
        (REFUSED, (replace(a_proof(Factor.PASSWORD), action_id=ActionId("act_2")),), False),
        (LEFT, (), True),
        (replace(LEFT, api_key_id=ApiKeyId("key_1")), (), False),
        (SessionUsed(at=NOON, session_id=SessionId("ses_1")), (), False),
        (
            ProofRefused(
                at=NOON, action_id=ACTION, factor=Factor.PASSWORD, fault=ProofFault.PASSWORD_WRONG
            ),
            (),
            True,
        ),
        (
            ProofRefused(
                at=NOON, action_id=ACTION, factor=Factor.PASSKEY, fault=ProofFault.NOT_OFFERED
            ),
            (),
            False,
        ),
    ],
)
def test_what_counts_as_told(event: object, among: tuple[ProofAccepted, ...], counts: bool) -> None:
    assert rings(an_account(), event, among) is counts  # type: ignore[arg-type] # of many types


def test_what_was_shown_before_counts_as_shown() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    refused = replace(REFUSED, action_id=ActionId(action))
    assert not rings(gate.account, refused)
    gate.prove(action, PASSWORD)

    assert rings(gate.account, refused)


# --- What is told in it ---


def told(gate: Gate) -> list[Notice]:
    before, decided, _ = gate.book[-1]
    states = (before, *decided.states)
    return [
        notice
        for one, state in zip(decided.decisions, states, strict=False)
        for notice in notices(
            state.account, what=one.kind, action_id=one.action_id, events=one.events
        )
    ]


def kinds(gate: Gate) -> list[NoticeKind]:
    return [one.kind for one in told(gate)]


def test_a_report_is_told_once_a_day_and_floods_at_once() -> None:
    gate = Gate.of(an_account())
    gate.run(ReportFlood())
    first = told(gate)
    gate.wait(HOUR)
    gate.run(ReportFlood())
    again = kinds(gate)
    gate.wait(DAY)
    gate.run(ReportFlood())

    assert [one.kind for one in first] == [NoticeKind.MANY]
    assert first[0].channels == tuple(one.channel_id for one in gate.account.channels)
    assert again == []
    assert kinds(gate) == [NoticeKind.MANY]


def test_in_a_flood_what_changes_nothing_is_folded_and_what_waits_is_told() -> None:
    account = replace(an_account(PASSWORD, SYNCED, ROAMING), rings=under_flood(Rings(), NOON))
    gate = Gate.of(account)
    frozen = gate.propose(FREEZE).action_id
    gate.wrong(frozen, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)
    attempt = kinds(gate)
    waits = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(waits, ROAMING)

    assert attempt == []
    assert kinds(gate) == [NoticeKind.WAITING]
    gate.wait(HOUR)
    later = gate.propose(FREEZE).action_id
    gate.wrong(later, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)
    assert kinds(gate) == [NoticeKind.ATTEMPT]


def test_the_message_that_makes_a_flood_is_told_beside_the_one_that_says_so() -> None:
    account = replace(an_account(PASSWORD, SYNCED), rings=after(MOST - 1))
    gate = Gate.of(account)
    gate.wait(timedelta(minutes=1))
    gate.wrong(gate.propose(FREEZE).action_id, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)

    assert kinds(gate) == [NoticeKind.ATTEMPT, NoticeKind.MANY]
    assert gate.account.rings.flooded(gate.now)


def test_requests_that_are_decided_in_one_instant_are_a_flood_as_well() -> None:
    """Prevents: a thief who sends a hundred at once, and by whose count they are one."""
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    for _ in range(MOST):
        gate.prove(gate.propose(FREEZE).action_id, SYNCED)

    assert gate.account.rings.flooded(gate.now)


def test_what_is_folded_changes_nothing_or_only_protects_more() -> None:
    every = {(kind, what) for kind in NoticeKind for what in ActionType if folds(kind, what)}

    assert {kind for kind, _ in every} == {
        NoticeKind.REFUSED,
        NoticeKind.ATTEMPT,
        NoticeKind.DONE,
    }
    assert {what.value for kind, what in every if kind is NoticeKind.DONE} == {
        "api_key.revoke",
        "destination.remove",
        "limit.lower",
        "lock.tighten",
    }


def test_strangers_who_guess_as_fast_as_they_may_make_no_flood() -> None:
    """Prevents: somebody who knows a name, and has the owner's changes wait twice as long."""
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    end = NOON + DAY
    while gate.now < end:
        action = gate.propose(FREEZE).action_id
        gate.wrong(action, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)
        gate.wait(timedelta(seconds=20))

    assert gate.account.rings.flood_at == 0
