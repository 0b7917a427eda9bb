"""What an entry commits to: each field's bytes, as whoever opens it will compute them."""

from support.cast import ALICE, NOON
from support.gates import Gate
from support.worlds import ERASE, send

from twinlock.domain.actions import payload_bytes
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.decisions import Decision
from twinlock.domain.entries import (
    ERASED_ENTRY,
    ERASED_FIELD,
    FIELDS,
    SALTS_BYTES,
    Entry,
    Origin,
    erased_value,
    events_digest,
    facts_digest,
    record,
)
from twinlock.domain.outside_events import AccountErased
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

ORIGIN = Origin(
    account_id=ALICE, actor="the platform", policy=PolicyName(version=1, digest=b64url(bytes(32)))
)


def recorded(decision: Decision, gate: Gate) -> Entry:
    chain = gate.account.chain
    entry, _ = record(decision, chain, origin=ORIGIN, at=NOON, salts=bytes(SALTS_BYTES))
    return entry


def test_an_entry_commits_to_everything_that_the_decision_says() -> None:
    gate = Gate()
    decision = gate.propose(send())
    entry = recorded(decision, gate)
    facts = encode(decision.facts)

    assert decision.facts is not None
    assert entry.facts == facts
    assert {name: one.value.encode() for name, one in entry.openings.items()} == {
        "account": encode(ALICE),
        "action": encode(decision.action_id),
        "actor": encode("the platform"),
        "events": encode(events_digest(decision.events)),
        "facts": encode(facts_digest(facts)),
        "payload": payload_bytes(send()),
        "proofs": encode(()),
        "reasons": encode(reasons(decision.requirement)),
    }
    assert Reason.PROOF_NEEDED in reasons(decision.requirement)
    assert tuple(entry.openings) == FIELDS


def test_a_decision_without_facts_commits_to_none() -> None:
    gate = Gate()
    decision = Decision(kind="session.end", action_id="", answer=Answer.ALLOW)
    entry = recorded(decision, gate)

    assert entry.facts == b"{}"
    assert entry.openings["payload"].value == "null"


def test_the_last_entry_says_how_many_there_are() -> None:
    """Prevents: an account that was erased, shown without its last entries."""
    gate = Gate()
    action = gate.propose(ERASE).action_id
    decision = Decision(
        kind=ERASED_ENTRY,
        action_id=action,
        answer=Answer.ALLOW,
        events=(AccountErased(at=NOON),),
    )
    entry = recorded(decision, gate)

    assert entry.number == gate.account.chain.entries == 1
    assert entry.openings[ERASED_FIELD].value.encode() == erased_value(ALICE, 2)
    assert erased_value(ALICE, 2) == encode([ALICE, 2])
