"""What is told of a decision, of an open action, and of one that ended."""

from datetime import datetime

import msgspec
import pytest
from support.cast import DAY, NOON
from support.gates import Gate
from support.policies import DEFAULT
from support.worlds import (
    DESKTOP,
    FREEZE,
    PASSWORD,
    SYNCED,
    a_destination,
    a_passkey,
    an_account,
    bind,
    send,
)

from twinlock.domain.actions import payload_bytes
from twinlock.domain.answers import Answered, Teller, spend_claims, tell, tell_closed, tell_open
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authorization import AUTHORIZATION_TYPE
from twinlock.domain.canonical import encode
from twinlock.domain.entries import ClosedAction, Kept, facts_digest
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import (
    ActionDone,
    ActionLapsed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
    ClosingEvent,
)
from twinlock.domain.ids import ActionId
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Answer,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
    reasons,
    waits_until,
)

ACTION = ActionId("act_x")
VETOED_BY = DESKTOP.channel_id


@pytest.mark.parametrize(
    ("ended", "state", "answer", "why"),
    [
        (ActionDone(at=NOON, action_id=ACTION), "done", Answer.ALLOW, []),
        (
            ActionSpent(
                at=NOON, action_id=ACTION, spend_id="payout-1", fee_minor="1", value_cents=50_00
            ),
            "spent",
            Answer.ALLOW,
            [],
        ),
        (
            ActionRefused(at=NOON, action_id=ACTION, reasons=(Reason.TOO_MANY,)),
            "refused",
            Answer.DENY,
            [Reason.TOO_MANY],
        ),
        (
            ActionVetoed(at=NOON, action_id=ACTION, by=VETOED_BY, root=None),
            "vetoed",
            Answer.DENY,
            [Reason.VETOED],
        ),
        (
            ActionLapsed(at=NOON, action_id=ACTION),
            "lapsed",
            Answer.DENY,
            [Reason.AUTHORIZATION_EXPIRED],
        ),
    ],
)
def test_every_end_is_told_and_every_no_has_its_reason(
    ended: ClosingEvent, state: str, answer: Answer, why: list[Reason]
) -> None:
    gate = Gate(account=an_account())
    action = gate.action(gate.propose(FREEZE).action_id)
    policy = PolicyName(version=1, digest="d")

    told = tell_closed(ClosedAction(action=action, ended=ended, entry=3, policy=policy))

    assert (told.state, told.answer) == (state, answer)
    assert [one.code for one in told.why] == why
    assert told.payload == msgspec.json.decode(payload_bytes(FREEZE))


# --- Of a decision ---


def signed(claims: bytes, kind: str) -> str:
    assert kind == AUTHORIZATION_TYPE
    return claims.decode()


TELLER = Teller(policy=DEFAULT, log_origin="example.org/log", sign=signed)


def told(gate: Gate) -> Answered:
    """Return what is told of the last decision, which is entry 7."""
    return tell(gate.book[-1][1], index=7, teller=TELLER)


def test_a_no_is_told_with_its_reasons_and_what_would_lift_it() -> None:
    gate = Gate.of(an_account(), a_destination())
    decision = gate.propose(send())
    said = told(gate)

    assert (said.action_id, said.type) == (decision.action_id, "withdrawal.crypto")
    assert (said.answer, said.state, said.index) == (decision.answer, "open", 7)
    assert (said.requirement, said.digest) == (decision.requirement, decision.digest)
    assert [one.code for one in said.why] == list(reasons(decision.requirement)) != []
    assert (said.authorization, said.session_id, said.fault) == ("", "", "")


def test_a_wait_is_told_with_its_end() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    gate.prove(gate.propose(*bind(a_passkey("aut_new"))).action_id, SYNCED)
    said = told(gate)

    assert (said.answer, said.state) == (Answer.HOLD, "open")
    assert said.until is not None
    assert said.until == waits_until(gate.book[-1][1].answer.requirement)


def test_a_yes_to_an_exit_is_an_authorization_of_these_facts() -> None:
    gate = Gate.of(an_account(), a_destination())
    decision = gate.prove(gate.propose(send()).action_id, SYNCED)
    said = told(gate)
    claims = msgspec.json.decode(said.authorization)

    assert (said.answer, said.state) == (Answer.ALLOW, "authorized")
    assert (said.requirement, said.why, said.until) == (None, (), None)
    assert claims["facts"] == facts_digest(encode(decision.facts))
    assert (claims["iss"], claims["index"]) == ("example.org/log", 7)


def test_a_sign_in_names_its_session() -> None:
    gate = Gate.of(an_account())
    gate.sign_in(SYNCED)
    said = told(gate)

    assert (said.answer, said.state) == (Answer.ALLOW, "done")
    assert said.session_id == gate.account.sessions[0].session_id
    assert said.authorization == ""


def test_a_wrong_answer_is_told_with_its_fault() -> None:
    gate = Gate.of(an_account())
    gate.wrong(gate.propose(send()).action_id, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)

    assert told(gate).fault == "password_wrong"


def test_a_word_without_an_action_of_its_own_is_done() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    new = a_passkey("aut_new")
    action = gate.propose(*bind(new)).action_id
    gate.prove(action, SYNCED)
    gate.wait(2 * DAY)
    gate.settle()
    gate.repudiate(action, target=new.authenticator_id, channel=DESKTOP)

    assert (told(gate).answer, told(gate).state) == (Answer.ALLOW, "done")


def test_a_word_that_is_not_heard_leaves_its_action_as_it_was() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    gate.repudiate("act_of_long_ago", target=SYNCED.authenticator_id, channel=DESKTOP)

    assert (told(gate).answer, told(gate).state) == (Answer.DENY, "open")


def test_of_several_open_actions_it_is_the_own_one() -> None:
    gate = Gate.of(an_account(), a_destination())
    gate.prove(gate.propose(send()).action_id, SYNCED)
    gate.propose(send(2))

    assert told(gate).state == "open"


def test_only_a_spend_is_rendered_as_one() -> None:
    gate = Gate(account=an_account())
    action = gate.action(gate.propose(FREEZE).action_id)
    done = ActionDone(at=NOON, action_id=ACTION)
    policy = PolicyName(version=1, digest="d")
    closed = ClosedAction(action=action, ended=done, entry=3, policy=policy)

    with pytest.raises(InvariantError, match="only a spend"):
        spend_claims(closed, 3, Kept(events=(), openings={}), log_origin="example.org/log")


# --- Of an open action ---


def test_an_open_action_is_told_without_deciding_anything() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    decision = gate.prove(gate.propose(*bind(a_passkey("aut_new"))).action_id, SYNCED)
    action = gate.action(decision.action_id)
    said = tell_open(action, decision.requirement)

    assert (said.answer, said.state, said.requirement) == (
        Answer.HOLD,
        "open",
        decision.requirement,
    )
    assert [one.code for one in said.why] == list(reasons(decision.requirement))
    assert said.until == waits_until(decision.requirement)
    assert said.payload == msgspec.json.decode(payload_bytes(action.payload))
    assert said.index is None


FINAL = Never(code=Reason.ABOVE_PLATFORM_LIMIT)
LAPSES = Never(code=Reason.ACCOUNT_FROZEN, until=NOON + DAY)
SOON = WaitUntil(code=Reason.EXITS_HELD, until=NOON)
LATE = WaitUntil(code=Reason.DESTINATION_NEW, until=NOON + 2 * DAY)
PROOF = Prove(code=Reason.PROOF_NEEDED, level=Level.KNOWLEDGE)


@pytest.mark.parametrize(
    ("missing", "until"),
    [
        pytest.param(SOON, SOON.until, id="a wait"),
        pytest.param(all_of(SOON, PROOF), SOON.until, id="a wait beside a proof"),
        pytest.param(any_of(PROOF, LATE), None, id="a proof instead of a wait"),
        pytest.param(NOTHING, None, id="nothing"),
        pytest.param(FINAL, None, id="a refusal without an end"),
        pytest.param(all_of(SOON, FINAL), None, id="a wait beside a refusal without an end"),
        pytest.param(all_of(LAPSES, FINAL, LATE), None, id="one refusal of two has no end"),
        pytest.param(LAPSES, LAPSES.until, id="a refusal that lapses"),
        pytest.param(all_of(SOON, LAPSES, PROOF), LAPSES.until, id="it lapses after the wait"),
        pytest.param(all_of(LATE, LAPSES), LATE.until, id="it lapses before the wait is over"),
        pytest.param(all_of(LAPSES, any_of(PROOF, LATE)), LAPSES.until, id="a wait of choice"),
    ],
)
def test_nobody_is_told_to_come_back_for_what_stays_refused(
    missing: Requirement, until: datetime | None
) -> None:
    gate = Gate.of(an_account(), a_destination())
    decision = gate.propose(send())
    decided = gate.book[-1][1]
    judged = msgspec.structs.replace(decided.answer, requirement=missing)

    said = tell_open(gate.action(decision.action_id), missing)
    answered = tell(msgspec.structs.replace(decided, decisions=(judged,)), index=7, teller=TELLER)

    assert (said.until, answered.until) == (until, until)


def test_an_open_action_that_misses_nothing_requires_nothing() -> None:
    gate = Gate.of(an_account(), a_destination())
    action = gate.action(gate.propose(send()).action_id)

    assert tell_open(action, NOTHING).requirement is None
