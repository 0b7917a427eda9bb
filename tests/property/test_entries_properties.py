"""Entries: what stands in public, what opens it, and what two entries with one number do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICE, NOON
from support.enrolments import asked_of, gates
from support.gates import Gate
from support.worlds import send

from twinlock.domain.account import Chain, State
from twinlock.domain.actions import NotBuilt
from twinlock.domain.canonical import b64url, commit, decode, from_b64url
from twinlock.domain.catalogue import CLASS_OF, UNKNOWN_TYPE
from twinlock.domain.decisions import Decision
from twinlock.domain.entries import (
    FIELDS,
    SALTS_BYTES,
    Entry,
    Origin,
    closed,
    entry_key,
    events_digest,
    record,
)
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import AccountOpened, ActionSpent
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.requirements import Answer

CHAIN = Chain(label_key=b64url(b"k" * 32), entries=7, last_leaf=b64url(b"l" * 32))
POLICY = PolicyName(version=1, digest=b64url(b"p" * 32))
ORIGIN = Origin(account_id=ALICE, actor="platform:1", policy=POLICY)
salts = st.binary(min_size=SALTS_BYTES, max_size=SALTS_BYTES)
KINDS = {*CLASS_OF, UNKNOWN_TYPE, "action.veto", "session.end"}


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    gate = draw(gates())
    decision = gate.propose(*draw(asked_of(gate.account)))
    if gate.is_open(decision.action_id) and draw(st.booleans()):
        return gate.prove(decision.action_id, draw(st.sampled_from(gate.account.authenticators)))
    return decision


def entry_of(decision: Decision, salt: bytes = b"s" * SALTS_BYTES, chain: Chain = CHAIN) -> Entry:
    return record(decision, chain, origin=ORIGIN, at=NOON, salts=salt)[0]


@pytest.mark.requirement("O-32")
@given(decisions(), salts)
def test_a_leaf_holds_type_time_answer_policy_label_chain_and_commitments_and_no_more(
    decision: Decision, salt: bytes
) -> None:
    leaf = decode(entry_of(decision, salt).leaf)

    assert sorted(leaf) == ["at", "c", "dec", "lbl", "pol", "prev", "t", "v"]
    assert leaf["t"] in KINDS
    assert sorted(leaf["c"]) == sorted(FIELDS)
    digests = [leaf["lbl"], leaf["prev"], leaf["pol"], *leaf["c"].values()]
    assert all(len(from_b64url(one)) == 32 for one in digests)


@given(decisions(), salts)
def test_nothing_of_the_customers_is_readable_in_a_leaf(decision: Decision, salt: bytes) -> None:
    leaf = entry_of(decision, salt).leaf.decode()
    values = json.loads(decision.payload)
    said = {"type", "asked"}  # What was done, or asked for, is what a leaf tells.
    private = [str(one) for name, one in values.items() if name not in said and len(str(one)) > 12]

    assert decision.action_id not in leaf
    assert not [one for one in private if one in leaf]


@given(decisions(), salts, salts)
def test_every_commitment_opens_with_its_salt_and_value_and_with_nothing_else(
    decision: Decision, salt: bytes, other: bytes
) -> None:
    entry = entry_of(decision, salt)
    published = decode(entry.leaf)["c"]
    for place, field in enumerate(FIELDS):
        opening = entry.openings[field]
        value = opening.value.encode()
        assert b64url(commit(from_b64url(opening.salt), field, value)) == published[field]
        wrong = other[place * 32 : place * 32 + 32]
        assert (b64url(commit(wrong, field, value)) == published[field]) is (
            b64url(wrong) == opening.salt
        )
        assert b64url(commit(from_b64url(opening.salt), field, value + b" ")) != published[field]


@given(decisions(), decisions(), salts, salts)
def test_two_entries_with_one_number_have_one_label(
    one: Decision, two: Decision, salt: bytes, other: bytes
) -> None:
    """So that an old document put back collides at its next decision (law 9)."""
    assert entry_of(one, salt).label == entry_of(two, other).label


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.binary(min_size=32, max_size=32))
def test_labels_differ_by_number_and_by_account(one: int, two: int, key: bytes) -> None:
    gate = Gate()
    decision = gate.propose(send())
    labels = {
        entry_of(decision, chain=replace(CHAIN, entries=number)).label for number in (one, two)
    }
    elsewhere = replace(CHAIN, label_key=b64url(key))

    assert len(labels) == len({one, two})
    assert (entry_of(decision, chain=elsewhere).label == entry_of(decision).label) is (
        key == b"k" * 32
    )


@given(decisions(), salts)
def test_the_chain_goes_on_from_the_leaf(decision: Decision, salt: bytes) -> None:
    entry, after = record(decision, CHAIN, origin=ORIGIN, at=NOON, salts=salt)

    assert after == replace(CHAIN, entries=8, last_leaf=b64url(leaf_hash(entry.leaf)))
    assert entry.number == CHAIN.entries
    assert entry.events == decision.events


@given(salts)
def test_the_entry_of_a_spend_and_no_other_commits_to_its_id_and_fee(salt: bytes) -> None:
    gate = Gate()
    action = gate.propose(send()).action_id
    proved = gate.prove(action, gate.account.authenticators[1])
    early = gate.spend(action)
    gate.wait(gate.policy.statutes.waits("withdrawal.crypto"))
    spent = entry_of(gate.spend(action, fee="7"), salt)
    leaf = decode(spent.leaf)

    assert {decode(entry_of(one).leaf)["t"] for one in (proved, early)} == {"withdrawal.crypto"}
    assert (leaf["t"], leaf["dec"]) == ("action.spend", "allow")
    assert sorted(leaf["c"]) == sorted((*FIELDS, "spend"))
    opening = spent.openings["spend"]
    spend_id, fee = json.loads(opening.value)
    assert (len(spend_id) > 0, fee) == (True, "7")
    own = from_b64url(opening.salt)
    assert own == salt[-32:]
    assert leaf["c"]["spend"] == b64url(commit(own, "spend", opening.value.encode()))


def test_the_first_entry_commits_to_the_label_key() -> None:
    account = Gate().account
    opened = Decision(
        kind="account.open",
        action_id="",
        answer=Answer.ALLOW,
        events=(AccountOpened(at=NOON, account=account),),
    )
    entry = entry_of(opened)

    assert sorted(decode(entry.leaf)["c"]) == sorted((*FIELDS, "label_key"))
    assert entry.openings["label_key"].value == f'"{account.chain.label_key}"'
    with pytest.raises(InvariantError, match="opening"):
        entry_of(replace(opened, events=()))


def test_an_entry_that_says_spend_and_spends_nothing_is_our_own_mistake() -> None:
    decision = replace(Gate().propose(send()), kind="action.spend")

    with pytest.raises(InvariantError, match="spend"):
        entry_of(decision)


def test_the_first_entry_follows_nothing() -> None:
    decision = Gate().propose(send())
    first = replace(CHAIN, entries=0, last_leaf="")

    assert decode(entry_of(decision, chain=first).leaf)["prev"]


@pytest.mark.parametrize("missing", [33, 64, SALTS_BYTES])  # The last 32 are for a spend.
def test_no_entry_is_made_with_too_little_salt(missing: int) -> None:
    with pytest.raises(InvariantError, match="32 bytes"):
        entry_of(Gate().propose(send()), b"s" * (SALTS_BYTES - missing))


def test_an_entrys_key_gives_away_neither_its_neighbour_nor_the_account() -> None:
    keys = {entry_key(b"k" * 32, number) for number in range(100)}

    assert len(keys) == 100
    assert b"k" * 32 not in keys


def test_the_digest_of_events_binds_their_order() -> None:
    gate = Gate()
    decision = gate.prove(gate.propose(sign := send()).action_id, gate.account.authenticators[1])
    assert sign.account == ALICE

    assert len(decision.events) > 1
    assert events_digest(decision.events) != events_digest(decision.events[::-1])


def test_a_name_that_a_caller_made_up_is_not_published() -> None:
    asked = NotBuilt(account=ALICE, asked="alice@example.com", digest="")
    entry = entry_of(Gate().propose(asked))

    assert decode(entry.leaf)["t"] == UNKNOWN_TYPE
    assert b"alice@" not in entry.leaf + entry.facts
    assert "alice@example.com" in entry.openings["payload"].value


def test_a_decision_without_facts_commits_to_none() -> None:
    gate = Gate()
    action = gate.propose(send()).action_id
    vetoed = gate.veto(action, gate.account.channels[0])

    assert entry_of(vetoed).facts == b"{}"


# --- Closed actions ---


def test_an_action_that_is_over_is_kept_as_it_ended() -> None:
    gate = Gate()
    action = gate.propose(send()).action_id
    gate.prove(action, gate.account.authenticators[1])
    gate.wait(gate.policy.statutes.waits("withdrawal.crypto"))
    spent = gate.spend(action)
    before, _, _ = gate.book[-1]
    over = closed(before, spent, number=9, policy=POLICY)

    assert over is not None
    assert isinstance(over.ended, ActionSpent)
    assert over.entry == 9
    assert over.action.authorized_at == gate.now


def test_an_action_that_is_still_open_is_not_closed() -> None:
    gate = Gate()
    proposed = gate.propose(send())

    assert closed(State(account=gate.account), proposed, number=9, policy=POLICY) is None
