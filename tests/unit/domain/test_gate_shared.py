"""What others want as well is counted at the proof, and counts in all that is decided of it."""

from datetime import timedelta

from msgspec.structs import replace
from support.cast import DAY, HOUR, MALLORYS_ADDRESS, NEW_ADDRESS
from support.gates import Gate
from support.policies import policy_of
from support.worlds import APP, PASSWORD, SYNCED, an_account, destination_id, list_address, send

from twinlock.adapters.policies import shipped
from twinlock.domain.bounds import SIGHTINGS_COUNTED
from twinlock.domain.limits import Limits, Spent
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons, waits_until

SHARED = 5  # What default.cedar says.
SHARED_WAITS = timedelta(hours=60)
MULES = """
@id("mine.mules") @outcome("deny") @reason("platform_rule")
forbid (principal, action in Action::"exits", resource) when { context.wanted_elsewhere >= 10 };
"""
DAYS_LIMIT = 1_000_00  # Cents.


def gate_of(policy: Policy | None = None) -> Gate:
    account = an_account(PASSWORD, APP, SYNCED)
    return Gate.of(account) if policy is None else Gate.of(account, policy=policy)


def test_what_a_count_refuses_when_it_is_proved_is_refused_when_it_is_spent() -> None:
    """Prevents: a policy's no that a spend passes, since nobody counts then."""
    gate = gate_of(policy_of(shipped("default") + MULES))
    gate.wanted_elsewhere = 10
    action = gate.propose(send(1, to=NEW_ADDRESS)).action_id
    assert gate.prove(action, SYNCED).answer is Answer.DENY

    gate.wanted_elsewhere = 0
    assert Reason.PLATFORM_RULE in reasons(gate.spend(action).requirement)


def test_a_proof_under_a_no_that_ends_waits_as_long_as_any() -> None:
    """Prevents: a proof just before midnight, when a limit is used up, to spare half the wait."""
    gate = gate_of()
    gate.wait_until(gate.now.replace(hour=23, minute=50))
    gate.wanted_elsewhere = SHARED
    action = gate.propose(send(1, to=NEW_ADDRESS)).action_id
    used_up = Spent().plus(DAYS_LIMIT, at=gate.now)
    gate.account = replace(gate.account, limits=Limits(day_cents=DAYS_LIMIT), spent=used_up)
    assert gate.prove(action, SYNCED).answer is Answer.DENY

    gate.wanted_elsewhere = 0
    gate.wait(timedelta(minutes=20))
    told_at = gate.now
    assert waits_until(gate.spend(action).requirement) == told_at + SHARED_WAITS
    gate.wait_until(told_at + DAY + HOUR)
    assert gate.spend(action).answer is Answer.HOLD
    gate.wait_until(told_at + SHARED_WAITS)
    assert gate.spend(action).answer is Answer.ALLOW


def test_a_count_speaks_of_its_own_destination_alone() -> None:
    """Prevents: a listing that is due, and waits for what others want of the next one."""
    gate = gate_of()
    listing = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(listing, SYNCED)
    gate.wait(DAY - timedelta(minutes=1))
    action = gate.propose(send(1, to=MALLORYS_ADDRESS)).action_id
    gate.ask(action, SYNCED)
    gate.wait(timedelta(minutes=2))

    gate.wanted_elsewhere = SHARED
    decision = gate.answer(action, gate.right(action, SYNCED))
    assert Reason.DESTINATION_SHARED in reasons(decision.requirement)
    assert not gate.is_open(listing)
    assert destination_id("ethereum", NEW_ADDRESS, "") in gate.destinations


def test_a_later_proof_counts_anew_and_only_adds() -> None:
    gate = gate_of()
    action = gate.propose(send(1, to=NEW_ADDRESS)).action_id
    for count, kept, source in (
        (3, 3, PASSWORD),
        (2, 3, APP),
        (SIGHTINGS_COUNTED + 9, SIGHTINGS_COUNTED, SYNCED),
    ):
        gate.wanted_elsewhere = count
        gate.prove(action, source)
        assert gate.action(action).wanted_elsewhere == kept
