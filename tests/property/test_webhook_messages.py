"""Messages about anything that anybody does: one for every outcome, and nothing private in any."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from support.enrolments import asked_of, calm_gates, gates
from support.gates import Gate
from support.officers import ADA
from support.suspending import Desk

from twinlock.domain.account import Chain
from twinlock.domain.answers import ended_as
from twinlock.domain.assurance import Factor
from twinlock.domain.canonical import b64url, decode, encode
from twinlock.domain.catalogue import CLASS_OF, UNKNOWN_TYPE
from twinlock.domain.commands import EndSession
from twinlock.domain.decisions import Decision
from twinlock.domain.entries import SALTS_BYTES, Entry, Kept, Origin, record
from twinlock.domain.events import ActionAuthorized, ChallengeIssued, ClosingEvent
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.transmitting.told import EMITTED
from twinlock.domain.transmitting.told import told_of as signals_of
from twinlock.domain.webhooks.outcomes import LogEntry, Message, message_of

POLICY = PolicyName(version=1, digest=b64url(b"p" * 32))
DATA = {
    "account_id",
    "action_id",
    "type",
    "answer",
    "state",
    "until",
    "reasons",
    "index",
    "policy_digest",
}


@st.composite
def played(draw: st.DrawFn) -> Gate:
    """A gate at which some things were asked, proved, vetoed, spent and waited for.

    An officer may have stopped it before.
    """
    gate = draw(gates() | calm_gates())
    if draw(st.booleans()):
        desk = Desk(gate)
        desk.does(ADA, desk.suspending)
    for _ in range(draw(st.integers(1, 4))):
        action = gate.propose(*draw(asked_of(gate.account))).action_id
        gate.wait(draw(st.sampled_from([timedelta(), timedelta(hours=2), timedelta(days=9)])))
        if not gate.is_open(action):
            continue
        bound, channels = gate.account.authenticators, gate.account.channels
        match draw(st.sampled_from(["prove", "wrong", "veto", "ask", "spend", "end"])):
            case "prove" if bound:
                gate.prove(action, draw(st.sampled_from(bound)))
            case "ask" if bound:
                gate.ask(action, draw(st.sampled_from(bound)))
            case "veto" if channels:
                gate.veto(action, draw(st.sampled_from(channels)))
            case "wrong":
                gate.wrong(action, Factor.PASSWORD)
            case "spend" if isinstance(gate.action(action).payload, WithdrawalCrypto):
                gate.spend(action)
            case _:
                gate.run(EndSession(session_id=None))
    return gate


def entries_of(gate: Gate) -> Iterator[tuple[Decision, Entry, LogEntry]]:
    chain = Chain(label_key=b64url(b"k" * 32), last_leaf=b64url(b"l" * 32))
    origin = Origin(account_id=gate.account.account_id, actor="platform:1", policy=POLICY)
    for _, decided, at in gate.book:
        for decision in decided.decisions:
            salts = chain.entries.to_bytes(4, "big") * (SALTS_BYTES // 4)
            entry, chain = record(decision, chain, origin=origin, at=at, salts=salts)
            kept = Kept(events=entry.events, openings=dict(entry.openings))
            place = LogEntry(
                index=entry.number, account_id=origin.account_id, leaf=entry.leaf, kept=kept
            )
            yield decision, entry, place


def told_of(gate: Gate) -> Iterator[tuple[Decision, Entry, Message | None]]:
    for decision, entry, place in entries_of(gate):
        yield decision, entry, message_of(place)


@given(played())
def test_every_outcome_of_an_action_is_told_and_no_question_is(gate: Gate) -> None:
    for decision, _, message in told_of(gate):
        asked = any(isinstance(event, ChallengeIssued) for event in decision.events)
        if decision.action_id:
            assert (message is None) is asked


@given(played())
def test_what_is_told_is_what_was_decided(gate: Gate) -> None:
    for decision, entry, message in told_of(gate):
        if message is None or not decision.action_id:
            continue
        body = decode(message.body)
        data = body["data"]
        assert data["answer"] == decision.answer
        assert (data["action_id"], data["index"]) == (decision.action_id, entry.number)
        ends = [ended_as(one) for one in decision.events if isinstance(one, ClosingEvent)]
        yes = [one for one in decision.events if isinstance(one, ActionAuthorized)]
        if ends or yes:
            assert body["type"] == f"action.{(ends or ['authorized'])[0]}"
            assert data["state"] == (ends or ["authorized"])[0]


@given(played())
def test_no_two_outcomes_share_an_id(gate: Gate) -> None:
    ids = [message.message_id for _, _, message in told_of(gate) if message is not None]

    assert len(ids) == len(set(ids))


@given(played())
def test_a_message_says_what_its_page_lists_and_nothing_that_is_the_customers(gate: Gate) -> None:
    for decision, _, message in told_of(gate):
        if message is None:
            continue
        data = decode(message.body)["data"]
        assert set(data) <= DATA
        assert data.get("type", UNKNOWN_TYPE) in {*CLASS_OF, UNKNOWN_TYPE}
        private = [
            str(value)
            for name, value in msgspec.json.decode(decision.payload or b"{}").items()
            if name not in ("type", "account")
            and len(str(value)) > 12
            and str(value) not in CLASS_OF
        ]
        private += [channel.address for channel in gate.account.channels if channel.address]
        assert [one for one in private if one in message.body.decode()] == []


MEMBERS = {
    *("event_timestamp", "namespace", "current_level", "change_direction"),
    *("change_type", "credential_type"),
}


@given(played())
def test_every_signal_is_of_a_known_kind_and_says_nothing_private(gate: Gate) -> None:
    account = gate.account
    private = [
        *(one.address for one in account.channels),
        *(one.authenticator_id for one in account.authenticators),
    ]
    for _, _, place in entries_of(gate):
        signals = signals_of(place)
        assert len({encode(one) for one in signals}) == len(signals)
        for one in signals:
            assert one.kind in EMITTED
            assert one.claims.keys() <= MEMBERS
            assert not any(secret in encode(one.claims).decode() for secret in private)
