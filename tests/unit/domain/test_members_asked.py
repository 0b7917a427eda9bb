"""What a member is told who has proved, while the others have not agreed yet."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.cast import ALICE
from support.companies import (
    TWO_ABOVE,
    a_company,
    loosen,
    remove_member,
)
from support.gates import Gate
from support.worlds import SYNCED, a_passkey, list_address, send

from twinlock.domain.account import OpenAction
from twinlock.domain.actions import AnyPayload, TrustedContactRemove
from twinlock.domain.locks import Lock
from twinlock.domain.quorums import Quorum
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import reasons
from twinlock.services.looking import Standing
from twinlock.web.preview import preview

FRIEND = a_passkey("aut_friend")
ABOVE, NEW_ADDRESS = 101, "0x" + "cd" * 20
FRIENDS_SUM = 50_00


def a_gate() -> Gate:
    return a_company(quorum=Quorum(two_cents=TWO_ABOVE))


def locked() -> Gate:
    gate = a_gate()
    gate.account = replace(gate.account, lock=Lock(days=3))
    return gate


def with_friend() -> Gate:
    gate = a_gate()
    limits = replace(gate.account.limits, agreement_cents=FRIENDS_SUM)
    gate.account = replace(gate.account, contacts=(FRIEND,), limits=limits)
    return gate


def standing(gate: Gate, action: OpenAction) -> Standing:
    state = gate.book[-1][1].state
    return Standing(state=state, action=action, rules=gate.rules, now=gate.now)


ABOVE_BUDGET = 501  # Above it a statute of the profile asks for a proof.
CASES = [
    pytest.param(a_gate, list_address(NEW_ADDRESS), Reason.LOOSENING_WAITS, id="wait"),
    pytest.param(a_gate, send(ABOVE_BUDGET), Reason.MEMBERS_NEEDED, id="statute"),
    pytest.param(locked, send(ABOVE), Reason.LOCKED, id="lock"),
    pytest.param(with_friend, send(ABOVE), Reason.AGREEMENT_NEEDED, id="contact"),
    pytest.param(
        with_friend,
        TrustedContactRemove(account=ALICE, contact_id=FRIEND.authenticator_id),
        Reason.CONTACT_STAYS,
        id="contact stays",
    ),
    pytest.param(a_gate, remove_member(), Reason.MEMBERS_STAY, id="removal"),
    pytest.param(a_gate, loosen(None), Reason.MEMBERS_STAY, id="quorum"),
]


@pytest.mark.parametrize(("world", "payload", "other"), CASES)
def test_who_has_proved_is_not_asked_again_and_the_others_are(
    world: Callable[[], Gate], payload: AnyPayload, other: Reason
) -> None:
    """Prevents: a page that offers no proof, since none would lift what is asked for."""
    gate = world()
    action = gate.propose(payload).action_id
    tried = preview(standing(gate, gate.action(action)))
    assert tried.offers
    assert tried.then_agrees

    said = gate.prove(action, SYNCED)

    told = set(reasons(said.requirement))
    assert told >= {Reason.MEMBERS_NEEDED, other}
    assert Reason.PROOF_NEEDED not in told
    assert preview(standing(gate, gate.action(action))).offers == ()
