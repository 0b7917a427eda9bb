"""A passkey that is built into the computer, which is taken whole.

Mallory has malware in the computer: it has the built-in passkey sign, reads and deletes the mail,
and shuts up the program that tells of what waits. Browsers say of such a passkey what phones say of
theirs, so it is placed there. She wants all that the account has, a day after she has it sign. She
is stopped by law 5: a passkey that is neither synced nor a security key counts as in the phone and
in the computer, so the account is narrow. She leaves behind a refusal; a small sum a day is hers
after seven days. With a number beside it the owner is told, and no sum is small.
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, NEW_ADDRESS
from support.companies import DAVE, add_member
from support.gates import Gate
from support.policies import DEFAULT, STRICT
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    SMS,
    SYNCED,
    a_passkey,
    an_account,
    bind,
    remove,
    send,
)

from twinlock.domain.assurance import Placement
from twinlock.domain.authenticators.model import placement_of
from twinlock.domain.bounds import MEMBER_WAIT
from twinlock.domain.channels import Channel
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

BUILT_IN = replace(a_passkey("aut_built_in"), backup_eligible=False)
MINE: tuple[Channel, ...] = (EMAIL, DESKTOP)


def test_a_key_in_the_computer_is_placed_as_one_in_the_phone() -> None:
    assert placement_of(backup_eligible=False, transports=("internal",)) is Placement.PHONE


@pytest.mark.parametrize("policy", [DEFAULT, STRICT], ids=["default", "strict"])
@pytest.mark.parametrize("channels", [MINE, (DESKTOP,)])
def test_it_takes_nothing_large_where_all_notices_are_read_there(
    policy: Policy, channels: tuple[Channel, ...]
) -> None:
    gate = Gate.of(an_account(PASSWORD, APP, BUILT_IN, channels=channels), policy=policy)
    refused = gate.propose(send(5_000, to=NEW_ADDRESS))

    assert (refused.answer, Reason.NARROW_LIMIT in reasons(refused.requirement)) == (
        Answer.DENY,
        True,
    )


@pytest.mark.parametrize("policy", [DEFAULT, STRICT], ids=["default", "strict"])
def test_another_that_it_bound_takes_no_more_once_it_has_removed_itself(policy: Policy) -> None:
    """For 30 days; after that it is an old key of the thief's, who was never objected to."""
    gate = Gate.of(an_account(PASSWORD, APP, BUILT_IN, channels=MINE), policy=policy)
    gate.prove(gate.propose(*bind(a_passkey("aut_thief"))).action_id, BUILT_IN)
    gate.wait(7 * DAY)
    gate.settle()
    gate.prove(gate.propose(remove(BUILT_IN)).action_id, BUILT_IN)
    gate.wait(10 * DAY)
    gate.settle()
    left = {one.authenticator_id for one in gate.account.authenticators}
    refused = gate.propose(send(5_000, to=NEW_ADDRESS))

    assert len(left) == 3
    assert BUILT_IN.authenticator_id not in left
    assert refused.answer is Answer.DENY
    assert Reason.NARROW_LIMIT in reasons(refused.requirement)


@pytest.mark.parametrize("channels", [MINE, (DESKTOP,)])
def test_a_friend_whom_it_let_in_takes_nothing_large_either(channels: tuple[Channel, ...]) -> None:
    """Found by a thief who roams: what is built in is not among the friend's own."""
    gate = Gate.of(an_account(PASSWORD, APP, BUILT_IN, channels=channels))
    gate.prove(gate.propose(*add_member(DAVE.name)).action_id, BUILT_IN)
    gate.wait(MEMBER_WAIT + HOUR)
    gate.settle()
    refused = gate.propose(send(5_000, to=NEW_ADDRESS), member=DAVE.member_id)

    assert [one.member_id for one in gate.account.members] == [DAVE.member_id]
    assert (refused.answer, Reason.NARROW_LIMIT in reasons(refused.requirement)) == (
        Answer.DENY,
        True,
    )


def test_a_small_sum_waits_for_a_week() -> None:
    gate = Gate.of(an_account(PASSWORD, BUILT_IN, channels=MINE))
    named = gate.propose(send(900, to=NEW_ADDRESS)).action_id
    gate.prove(named, BUILT_IN)
    gate.wait(6 * DAY)
    assert gate.spend(named, fee="0").answer is Answer.HOLD
    gate.wait(DAY)

    assert gate.spend(named, fee="0").answer is Answer.ALLOW


def test_a_number_beside_it_makes_no_account_narrow() -> None:
    gate = Gate.of(an_account(PASSWORD, BUILT_IN, channels=(*MINE, SMS)))
    named = gate.propose(send(5_000, to=NEW_ADDRESS)).action_id

    assert gate.prove(named, BUILT_IN).answer is Answer.HOLD
    assert gate.veto(named, SMS).answer is Answer.ALLOW


def test_a_synced_one_counts_as_in_the_phone() -> None:
    """What stays possible (docs/threat-model.md)."""
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=MINE))
    named = gate.propose(send(5_000, to=NEW_ADDRESS)).action_id

    assert gate.prove(named, SYNCED).answer is Answer.HOLD
