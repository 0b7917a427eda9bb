"""What a member is told who has proved, while the others have not agreed yet."""

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, OLD_ADDRESS
from support.companies import (
    BOBS,
    CAROLS,
    TWO_ABOVE,
    a_company,
    agrees,
    asks,
    loosen,
    remove_member,
)
from support.contacts import BOB as FRIEND
from support.gates import Gate
from support.worlds import SYNCED, list_address, send

from twinlock.domain.account import OpenAction
from twinlock.domain.actions import AnyPayload, LimitRaise, TrustedContactRemove
from twinlock.domain.locks import Lock
from twinlock.domain.quorums import Quorum
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons
from twinlock.services.looking import Standing
from twinlock.web.preview import preview

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


CASES = [
    pytest.param(a_gate, list_address(NEW_ADDRESS), Reason.LOOSENING_WAITS, id="wait"),
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
    world: object, payload: AnyPayload, other: Reason
) -> None:
    """Prevents: a page that offers no proof, since none would lift what is asked for."""
    gate = world()  # type: ignore[operator]
    action = gate.propose(payload).action_id
    tried = preview(standing(gate, gate.action(action)))
    assert tried.offers
    assert tried.then_agrees

    said = gate.prove(action, SYNCED)

    told = set(reasons(said.requirement))
    assert told >= {Reason.MEMBERS_NEEDED, other}
    assert Reason.PROOF_NEEDED not in told
    assert preview(standing(gate, gate.action(action))).offers == ()


@pytest.mark.parametrize(("world", "payload", "other"), CASES)
def test_what_was_proved_by_a_key_that_is_gone_is_asked_for_again(
    world: object, payload: AnyPayload, other: Reason
) -> None:
    gate = world()  # type: ignore[operator]
    action = asks(gate, payload)
    (open_one,) = gate.account.actions
    gate.account = replace(gate.account, actions=(replace(open_one, shown=()),))
    tried = preview(standing(gate, gate.action(action)))

    assert other in set(reasons(tried.missing)) | {other}
    assert agrees(gate, action, BOBS).answer is not Answer.ALLOW
