"""What a score does at the gate, and what it cannot do."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICES_LAPTOP, DAY, HOUR, MALLORYS_LAPTOP, NOON
from support.gates import Gate
from support.policies import DEFAULT, STRICT, permits, policy_of, with_rules
from support.visits import ABROAD, HOME, STRANGE, known_at_home
from support.worlds import (
    APP,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    an_account,
    send,
    sign_in,
)

from twinlock.domain.account import Account
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import SILENCE_COUNTS_FOR
from twinlock.domain.catalogue import ActionType
from twinlock.domain.decisions import Decision
from twinlock.domain.events import HoldPlaced, SessionStarted
from twinlock.domain.holds import Hold, held_until
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, WaitUntil, leaves, reasons, waits_until
from twinlock.domain.risk.scoring import HIGH, RAISED, Noticed, unread
from twinlock.domain.risk.visits import History, VisitFault
from twinlock.domain.signing_in import UNUSUAL
from twinlock.domain.throttle import Throttle

_TWO_ROOTS = (
    '@id("two.roots") @outcome("challenge") @reason("second_root_needed") @roots("2") '
    'forbid (principal, action == Action::"session.start", resource) '
    "unless { context.roots_shown >= 2 };"
)
NEW_PHONE = "phone".ljust(43, "P")


def alice(account: Account | None = None, policy: Policy = DEFAULT) -> Gate:
    return Gate.of(known_at_home(account or an_account()), a_destination(), policy=policy)


def holds_of(decision: Decision) -> dict[str, timedelta]:
    """Return the holds that a decision placed, with their lengths."""
    return {
        event.hold.because: event.hold.ends_at - event.hold.placed_at
        for event in decision.events
        if isinstance(event, HoldPlaced)
    }


def session_of(decision: Decision) -> SessionStarted:
    return next(one for one in decision.events if isinstance(one, SessionStarted))


def test_a_sign_in_like_all_others_holds_nothing() -> None:
    decision = alice().sign_in(SYNCED, noticed=HOME)

    assert (decision.answer, holds_of(decision)) == (Answer.ALLOW, {})


@pytest.mark.parametrize(
    ("policy", "raised", "high"), [(DEFAULT, DAY, 3 * DAY), (STRICT, 2 * DAY, 7 * DAY)]
)
def test_a_risky_sign_in_holds_every_exit_on_a_known_device_too(
    policy: Policy, raised: timedelta, high: timedelta
) -> None:
    down = replace(HOME, visit=replace(HOME.visit, faults=(VisitFault.COUNTS_DOWN,)))

    assert holds_of(alice(policy=policy).sign_in(SYNCED, noticed=down)) == {UNUSUAL: raised}
    assert holds_of(alice(policy=policy).sign_in(SYNCED, noticed=STRANGE)) == {UNUSUAL: high}


def test_the_owner_on_the_known_device_signs_in_with_the_floors_proof_whatever_the_score() -> None:
    for noticed in (HOME, ABROAD, STRANGE, unread(*VisitFault)):
        assert alice().sign_in(SYNCED, noticed=noticed).answer is Answer.ALLOW


def test_who_is_held_is_told_why_until_when_and_can_go_on_after_it() -> None:
    gate = alice()
    gate.sign_in(SYNCED, noticed=STRANGE)
    asked = gate.propose(send())

    told = {one.code: one.until for one in leaves(asked.requirement) if isinstance(one, WaitUntil)}
    assert told[Reason.SIGN_IN_UNUSUAL] == told[Reason.EXITS_HELD] == NOON + 3 * DAY

    gate.wait(3 * DAY)
    assert gate.prove(gate.propose(send()).action_id, SYNCED).answer is Answer.ALLOW


def test_a_hold_of_another_kind_tells_of_no_unusual_sign_in() -> None:
    gate = alice()
    gate.sign_in(SYNCED, device=NEW_PHONE, noticed=HOME)
    asked = gate.propose(send())

    assert Reason.EXITS_HELD in reasons(asked.requirement)
    assert Reason.SIGN_IN_UNUSUAL not in reasons(asked.requirement)


def test_of_two_holds_the_longer_counts_and_both_are_told() -> None:
    gate = alice()
    gate.sign_in(SYNCED, device=NEW_PHONE, noticed=STRANGE)

    assert {hold.because for hold in gate.account.holds} == {UNUSUAL, "session.start"}
    assert held_until(gate.account.holds, now=NOON) == NOON + 3 * DAY


@pytest.mark.parametrize("noticed", [None, HOME])
def test_no_word_of_the_platforms_spares_a_new_device_its_hold(noticed: Noticed | None) -> None:
    gate = Gate.of(an_account()) if noticed is None else alice()
    decision = gate.sign_in(SYNCED, device=NEW_PHONE, noticed=noticed)

    assert holds_of(decision)["session.start"] == DAY


def test_two_roots_are_held_by_no_score() -> None:
    gate = alice(an_account(PASSWORD, SYNCED, ROAMING))
    action = gate.start(noticed=STRANGE)
    for source in (SYNCED, ROAMING):
        gate.ask(action, source)
    assert gate.account.action(action).risk >= HIGH

    gate.policy = policy_of(with_rules(_TWO_ROOTS))
    gate.answer(action, gate.right(action, SYNCED))
    done = gate.answer(action, gate.right(action, ROAMING))

    assert (done.answer, holds_of(done)) == (Answer.ALLOW, {})


def test_with_a_new_device_and_a_high_score_a_second_root_is_asked_for_where_there_is_one() -> None:
    gate = alice(an_account(PASSWORD, SYNCED, ROAMING))
    action = gate.start(NEW_PHONE, noticed=STRANGE)
    asked = gate.prove(action, SYNCED)

    assert asked.answer is not Answer.ALLOW
    assert Reason.SIGN_IN_UNUSUAL in reasons(asked.requirement)

    done = gate.prove(action, ROAMING)
    assert done.answer is Answer.ALLOW
    assert holds_of(done) == {"session.start": DAY}  # That of a new device, and no other.


def test_whoever_has_lost_the_second_root_signs_in_a_day_later() -> None:
    gate = alice(an_account(PASSWORD, SYNCED, ROAMING))
    action = gate.start(NEW_PHONE, noticed=STRANGE)
    gate.prove(action, SYNCED)
    gate.wait(DAY)
    gate.settle()

    assert not gate.is_open(action)
    assert [one.thumbprint for one in gate.account.sessions] == [NEW_PHONE]
    assert held_until(gate.account.holds, now=gate.now) == gate.now + 3 * DAY


def test_where_there_is_one_root_nobody_waits_to_sign_in() -> None:
    decision = alice().sign_in(SYNCED, device=NEW_PHONE, noticed=STRANGE)

    assert decision.answer is Answer.ALLOW
    assert holds_of(decision) == {UNUSUAL: 3 * DAY, "session.start": DAY}


def test_a_sign_in_below_the_floor_starts_no_hold_and_teaches_nothing() -> None:
    gate = alice(an_account(PASSWORD, APP, channels=(EMAIL,)))
    before = gate.account.history
    decision = gate.sign_in(PASSWORD, EMAIL, device=MALLORYS_LAPTOP, noticed=STRANGE)

    assert decision.answer is not Answer.ALLOW
    assert holds_of(decision) == {}
    assert gate.account.holds == ()
    assert gate.account.history == before


def test_a_read_only_session_teaches_nothing_either() -> None:
    gate = alice(an_account(PASSWORD, SYNCED, channels=(EMAIL,)))
    before = gate.account.history
    action = gate.start(MALLORYS_LAPTOP, noticed=STRANGE)
    gate.account = replace(gate.account)
    decision = gate.prove(action, PASSWORD)

    assert decision.answer is Answer.CHALLENGE
    assert (gate.account.history, gate.account.holds) == (before, ())


def test_what_was_seen_a_few_times_is_unusual_no_more() -> None:
    gate = alice()
    told = [bool(holds_of(gate.sign_in(SYNCED, noticed=STRANGE))) for _ in range(5)]

    assert told[0]
    assert not any(told[3:])


def test_a_score_freezes_nobody_out_of_freezing() -> None:
    gate = alice()
    gate.sign_in(SYNCED, noticed=STRANGE)
    action = gate.propose(FREEZE).action_id

    assert gate.prove(action, PASSWORD).answer is Answer.ALLOW


def test_a_platform_that_falls_silent_is_a_strangers_and_not_for_ever() -> None:
    gate = alice()
    assert holds_of(gate.sign_in(SYNCED)) == {UNUSUAL: 3 * DAY}

    gate.now = NOON - DAY + SILENCE_COUNTS_FOR - timedelta(seconds=1)
    assert holds_of(gate.sign_in(SYNCED)) == {UNUSUAL: 3 * DAY}

    gate.wait(timedelta(seconds=1))
    assert holds_of(gate.sign_in(SYNCED)) == {}


def test_a_platform_that_never_told_of_sign_ins_is_asked_for_nothing_more() -> None:
    assert holds_of(Gate.of(an_account()).sign_in(SYNCED)) == {}


def test_the_one_that_ends_setting_up_is_never_held() -> None:
    gate = Gate.of(known_at_home(an_account(enrolling_until=NOON + HOUR)))

    assert holds_of(gate.sign_in(SYNCED, noticed=STRANGE)) == {}


def test_a_policy_without_such_holds_places_none() -> None:
    held = '@risk_raised_held_seconds("86400") @risk_high_held_seconds("259200")'
    policy = policy_of("\n".join(permits()).replace(held, ""))

    assert holds_of(alice(policy=policy).sign_in(SYNCED, noticed=STRANGE)) == {}


@pytest.mark.parametrize("known", [True, False])
def test_wrong_answers_of_strangers_hold_nobody_on_her_own_device(*, known: bool) -> None:
    gate = Gate.of(an_account())
    stranger = gate.propose(send()).action_id
    for _ in range(4):
        gate.ask(stranger, PASSWORD)
        gate.wrong(stranger, Factor.PASSWORD, ProofFault.CODE_WRONG)
    assert gate.account.throttle.failures == 4

    action = gate.start(ALICES_LAPTOP if known else NEW_PHONE, noticed=HOME)

    assert gate.account.action(action).risk == (0 if known else 20)


def test_the_public_key_of_a_known_device_alone_takes_no_blame() -> None:
    gate = Gate.of(replace(an_account(), known_throttle=Throttle(failures=4)))
    action = gate.propose(sign_in(), noticed=HOME).action_id

    assert gate.account.action(action).risk == 0


def test_what_is_done_in_a_risky_session_has_its_score() -> None:
    gate = alice()
    started = session_of(gate.sign_in(SYNCED, noticed=STRANGE)).session
    decision = gate.propose(send(), session=gate.signs(started))

    assert decision.facts is not None
    assert decision.facts.risk == started.risk >= HIGH
    assert RAISED < HIGH


def test_an_account_remembers_a_sign_in_of_its_own() -> None:
    gate = Gate.of(an_account())
    decision = gate.sign_in(SYNCED, noticed=HOME)

    assert session_of(decision).visit == HOME.visit
    assert gate.account.history.at == int(NOON.timestamp())
    assert gate.account.history != History()


def test_only_sign_ins_are_told_of() -> None:
    gate = alice()
    action = gate.propose(send(), noticed=STRANGE).action_id

    assert gate.account.action(action).visit is None
    assert gate.account.action(action).risk == 0


def test_a_hold_that_is_over_is_told_no_more() -> None:
    gate = alice()
    over = Hold(because=UNUSUAL, placed_at=NOON - DAY, ends_at=NOON)
    gate.account = replace(gate.account, holds=(over,))

    assert Reason.SIGN_IN_UNUSUAL not in reasons(gate.propose(send()).requirement)


def ends(decision: Decision) -> datetime | None:
    return waits_until(decision.requirement)


def test_nobody_can_make_a_hold_of_a_score_shorter() -> None:
    gate = alice()
    gate.sign_in(SYNCED, noticed=STRANGE)
    before = ends(gate.propose(send()))
    gate.sign_in(SYNCED, noticed=HOME)

    assert ends(gate.propose(send())) == before
    assert ActionType.SESSION_START in UNUSUAL
