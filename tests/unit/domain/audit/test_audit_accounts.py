"""Accounts whose entries could not have been written: each says what does not hold."""

import msgspec
import pytest
from msgspec.structs import replace
from support.cast import ALICE, NOON
from support.officers import NO_OFFICERS
from support.worlds import an_account, send

from twinlock.domain.account import Account, Chain
from twinlock.domain.audit.accounts import Doubt, Rebuilt, StoredLeaf
from twinlock.domain.audit.documents import Documents, Stored
from twinlock.domain.audit.findings import Fault, Findings
from twinlock.domain.audit.leaves import said
from twinlock.domain.audit.openings import framed, hashed
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.decisions import Decision
from twinlock.domain.entries import SALTS_BYTES, Entry, Kept, Origin, record
from twinlock.domain.events import AccountOpened, ActionLapsed, Event, SessionEnded
from twinlock.domain.ids import ActionId, SessionId
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.requirements import Answer

DIGEST = b64url(b"p" * 32)
POLICY = PolicyName(version=1, digest=DIGEST)
POLICIES = {DIGEST.encode(): POLICY}
OPENED = an_account(opened_at=NOON)


class Life:
    """An account's entries as they are stored, and the audit that takes them."""

    def __init__(self, account: Account = OPENED) -> None:
        self.findings = Findings()
        self.rebuilt = Rebuilt(
            ALICE, policies=POLICIES, officers=NO_OFFICERS, findings=self.findings
        )
        self.chain = Chain(label_key=b64url(b"k" * 32))
        self.account = account
        self.doubts: list[Doubt] = []

    def enter(self, *events: Event, kind: str = "session.end", **changes: object) -> Entry:
        """Record a decision, and have the audit take it."""
        decision = Decision(kind=kind, action_id="", answer=Answer.ALLOW, events=events)
        decision = replace(decision, **changes)
        origin = Origin(account_id=ALICE, actor="me", policy=POLICY)
        salts = b"s" * SALTS_BYTES
        entry, self.chain = record(decision, self.chain, origin=origin, at=NOON, salts=salts)
        kept = Kept(events=entry.events, openings=dict(entry.openings))
        self.take(entry.number, encode(kept), stored(entry))
        return entry

    def take(self, number: int, kept: bytes | None, leaf: StoredLeaf | None) -> None:
        doubt = self.rebuilt.enter(number, number, kept, leaf)
        if doubt is not None:
            self.doubts.append(doubt)

    def open(self) -> Entry:
        return self.enter(AccountOpened(at=NOON, account=self.account), kind="account.open")

    @property
    def codes(self) -> set[Fault]:
        return set(self.findings.counts)


def stored(entry: Entry) -> StoredLeaf:
    found = said(entry.leaf)
    assert found is not None
    facts = hashed(framed("facts/v1"), (entry.facts,))
    return StoredLeaf(
        leaf_hash(entry.leaf), found.at, facts, found.kind, found.answer, found.policy
    )


def test_an_honest_life_is_sound() -> None:
    life = Life()
    life.open()
    life.enter()
    life.enter(SessionEnded(at=NOON, session_id=SessionId("ses_x")))

    assert (life.codes, life.doubts, life.rebuilt.entries) == (set(), [], 3)


def test_an_account_that_is_opened_twice_is_lost() -> None:
    life = Life()
    life.open()
    life.open()

    assert life.codes == {Fault.REPLAY_IMPOSSIBLE}


def test_a_first_entry_that_opens_another_account_opens_none() -> None:
    life = Life(replace(OPENED, account_id="acc_somebody_else"))
    entry = life.open()
    life.rebuilt.explain(life.doubts[0], entry.leaf)

    assert life.codes == {Fault.REPLAY_IMPOSSIBLE}


def test_a_life_that_does_not_begin_with_being_opened_is_none() -> None:
    life = Life()
    life.enter(ActionLapsed(at=NOON, action_id=ActionId("act_x")))

    assert life.codes == {Fault.REPLAY_IMPOSSIBLE}


def test_an_account_without_a_label_key_labels_nothing() -> None:
    life = Life(replace(OPENED, chain=Chain(label_key="short")))
    life.open()

    assert life.codes == {Fault.LABEL_WRONG}
    assert len(life.doubts) == 1


def test_an_account_whose_label_key_is_not_the_committed_one_is_found() -> None:
    life = Life()
    life.enter(AccountOpened(at=NOON, account=OPENED), kind="session.end")

    assert Fault.LABEL_WRONG in life.codes


def test_an_entry_that_cannot_be_opened_loses_the_account_and_not_its_leaves() -> None:
    life = Life()
    life.open()
    entry = life.enter()
    life.take(2, None, stored(entry))
    life.take(3, b"[]", stored(entry))

    assert life.codes == {Fault.ENTRY_BROKEN}
    assert [doubt.number for doubt in life.doubts] == [2, 3]
    for doubt in life.doubts:
        life.rebuilt.explain(doubt, entry.leaf)
    assert life.codes == {Fault.ENTRY_BROKEN}, "the leaf itself is one"


def test_a_leaf_after_one_that_is_gone_is_held_against_its_label_alone() -> None:
    life = Life()
    life.open()
    entry = life.enter()
    life.rebuilt.enter(2, 2, encode(Kept(events=(), openings=dict(entry.openings))), None)
    again = life.enter()
    assert life.codes == {Fault.LEAF_MISSING, Fault.ENTRY_MISSING}
    assert life.doubts[-1].previous == b""
    assert again.number == 2


def test_a_payload_is_held_against_what_was_proposed() -> None:
    life = Life()
    life.open()
    proposed = msgspec.json.decode(
        encode(
            {
                "event": "action.proposed/1",
                "at": NOON,
                "action": {
                    "action_id": "act_x",
                    "member_id": "mem_x",
                    "payload": send(),
                    "digest": "d",
                    "proposed_at": NOON,
                    "lapses_at": NOON,
                    "veto_key": "v",
                },
            }
        ),
        type=Event,
    )
    life.enter(proposed, kind="withdrawal.crypto", payload=encode(send()), action_id="act_x")
    life.enter(proposed, kind="withdrawal.crypto", payload=encode(send(1)), action_id="act_x")

    assert life.codes == {Fault.PAYLOAD_WRONG}


@pytest.mark.parametrize(
    ("kept", "code"),
    [
        (b"\xff", Fault.ENTRY_BROKEN),
        (b'{"events":[{"event":"unheard.of/1"}],"openings":{}}', Fault.ENTRY_BROKEN),
        (b'{"events":[],"openings":{}}', Fault.COMMITMENT_WRONG),
    ],
)
def test_what_was_sealed_and_is_no_entry_is_found(kept: bytes, code: Fault) -> None:
    life = Life()
    life.open()
    entry = life.enter()
    life.take(2, kept, stored(entry))

    assert code in life.codes


# --- Documents ---


def documents(findings: Findings, account: Account | None = OPENED) -> Documents:
    return Documents(
        ALICE, account=account, destinations={}, closed={}, entries=2, findings=findings
    )


def test_a_document_that_was_written_by_an_older_version_is_compared_by_its_values() -> None:
    findings = Findings()
    held = documents(findings)
    older = encode({**msgspec.to_builtins(OPENED), "api_keys": []})

    held.check(Stored("account", ALICE, 1, older))
    held.finish()

    assert older != encode(OPENED)
    assert findings.total == 0


def test_of_an_account_that_is_lost_only_the_form_of_its_documents_is_looked_at() -> None:
    findings = Findings()
    held = documents(findings, account=None)

    held.check(Stored("account", ALICE, 1, encode(OPENED)))
    held.check(Stored("destination", "dst_x", 1, None))
    held.check(Stored("action", "act_x", 1, b"[]"))
    held.finish()

    assert set(findings.counts) == {Fault.STREAM_BROKEN}
