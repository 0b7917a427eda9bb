"""What a decision writes down: of what kind it is, what was shown, by whom, and how it counts."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, NOON
from support.gates import Gate
from support.worlds import (
    EMAIL,
    FREEZE,
    PASSWORD,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    list_address,
    send,
    sign_in,
)

from twinlock.domain.account import Account, Candidate, Chain, State
from twinlock.domain.actions import AnyPayload, payload_bytes, payload_digest
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.bounds import (
    DESTINATIONS_MOST,
    DOCUMENT_ROOM,
    UNPROVED_ACTION_LIFETIME,
)
from twinlock.domain.commands import (
    Ask,
    Command,
    EndSession,
    ImportDestination,
    LiftLegalHold,
    Offer,
    OpenAccount,
    RecordExport,
    ReportFlood,
    ReportSimChange,
    SetLegalHold,
)
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.events import ActionVetoed
from twinlock.domain.freezes import Freeze
from twinlock.domain.gate import decide
from twinlock.domain.ids import ActionId, ChallengeId, DestinationId, SessionId
from twinlock.domain.of_accounts import EnrolmentClosedError
from twinlock.domain.proving import digest_of
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never, reasons

IMPORTED = a_destination(imported=True, usable_at=None, used_at=None)
CANDIDATE = Candidate(
    candidate_id=ChallengeId("cnd_1"), factor=Factor.TOTP, secret="", expires_at=NOON + HOUR
)
OFFER = Offer(candidate=CANDIDATE)
IMPORT = ImportDestination(destination=IMPORTED)
END = EndSession(session_id=SessionId("ses_alice"))
SIM = ReportSimChange(changed_at=NOON)
HOLD = SetLegalHold(reference="case-1")


def setting_up() -> Gate:
    account = an_account(enrolling_until=NOON + HOUR, sessions=[a_session()])
    return Gate(account=account)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (OFFER, "candidate.offer"),
        (END, "session.end"),
        (SIM, "sim_change.report"),
        (ReportFlood(), "flood.report"),
        (IMPORT, "destination.import"),
        (HOLD, "legal_hold.set"),
        (RecordExport(), "data.export"),
    ],
)
def test_a_decision_about_the_account_says_of_what_kind_it_is(command: Command, kind: str) -> None:
    gate = setting_up()
    decided = gate.run(command, at_hand=IMPORTED.destination_id)
    again = gate.run(command, at_hand=IMPORTED.destination_id)

    assert (decided.kind, again.kind) == (kind, kind)
    assert (decided.action_id, decided.answer) == ("", Answer.ALLOW)


def test_a_legal_hold_is_lifted_by_a_decision_of_its_own_kind() -> None:
    gate = Gate()
    gate.run(HOLD)

    assert gate.run(LiftLegalHold(reference=HOLD.reference)).kind == "legal_hold.lift"


def test_an_account_is_opened_by_a_decision_of_its_own_kind() -> None:
    account = replace(an_account(), chain=Chain(label_key=an_account().chain.label_key))
    opened = Gate(account=account).run(OpenAccount(account=account))

    assert (opened.kind, opened.action_id) == ("account.open", "")


def test_every_decision_is_one_entry() -> None:
    gate = Gate()
    before = gate.account.chain.entries
    gate.prove(gate.propose(send()).action_id, SYNCED)
    gate.wait(2 * DAY)
    gate.settle()

    made = sum(len(decided.decisions) for _, decided, _ in gate.book)
    assert made > 3
    assert gate.account.chain.entries == before + made


@pytest.mark.parametrize(("listed", "refused"), [(-1, False), (0, True)])
def test_no_more_destinations_are_imported_than_an_account_holds(
    listed: int, refused: bool
) -> None:
    gate = setting_up()
    names = (DestinationId(f"dst_{number}") for number in range(DESTINATIONS_MOST + listed))
    gate.account = replace(gate.account, destinations=dict.fromkeys(names, 1))
    if not refused:
        assert gate.run(IMPORT, at_hand=IMPORTED.destination_id).events
        return
    with pytest.raises(EnrolmentClosedError):
        gate.run(IMPORT, at_hand=IMPORTED.destination_id)


# --- What was shown, and by whom ---


@pytest.mark.parametrize("frozen", [False, True])
def test_a_proposal_keeps_the_session_that_signed_it_and_its_signature(frozen: bool) -> None:
    gate = Gate()
    signature = replace(gate.give_session(), evidence=b"signed")
    if frozen:
        gate.account = replace(gate.account, freeze=Freeze(until=NOON + DAY, set_at=NOON))
    decided = gate.propose(send(), session=signature, claimed_cents=77)
    event = decided.events[0]
    action = getattr(event, "action")  # noqa: B009 - of a proposal, whatever follows

    assert (decided.answer is Answer.DENY) is frozen
    assert (action.session_id, action.claimed_cents) == (signature.session_id, 77)
    assert decided.evidence == b"signed"


def test_of_a_session_that_did_not_sign_now_nothing_is_kept_as_evidence() -> None:
    gate = Gate()
    late = replace(gate.give_session(), evidence=b"signed", signed_at=NOON - DAY)
    decided = gate.propose(send(), session=late)

    assert decided.evidence == b""
    assert Reason.PROOF_NOT_BOUND in reasons(decided.requirement)


def test_a_decision_names_what_was_signed_and_what_was_shown() -> None:
    gate = Gate()
    action = gate.propose(send()).action_id
    gate.prove(action, SYNCED)
    asked = gate.ask(action, PASSWORD)

    assert asked.payload == payload_bytes(send())
    assert asked.digest == payload_digest(payload_bytes(send()))
    assert asked.proofs == ((Factor.PASSKEY.value, digest_of(b"{}")),)
    assert asked.facts is not None


def test_an_answered_question_is_gone_and_what_the_passkey_counts_is_kept() -> None:
    """Prevents: one answer to one question, given twice."""
    gate = Gate()
    action = gate.propose(list_address("0xnew")).action_id
    gate.ask(action, SYNCED)
    right = replace(gate.right(action, SYNCED), sign_count=41, backed_up=True)
    gate.answer(action, right)
    key = gate.account.authenticator(SYNCED.authenticator_id)

    assert gate.action(action).challenges == ()
    assert isinstance(key, Passkey)
    assert (key.sign_count, key.backed_up) == (41, True)


def test_a_question_says_what_is_missing_beyond_its_answer() -> None:
    gate = Gate()
    exit_, freeze = (gate.propose(one).action_id for one in (send(), FREEZE))
    gate.account = replace(gate.account, freeze=Freeze(until=NOON + DAY, set_at=NOON))

    assert gate.ask(exit_, SYNCED).answer is Answer.DENY
    assert gate.ask(freeze, SYNCED).answer is Answer.CHALLENGE


def test_below_the_floor_a_session_only_looks() -> None:
    gate = Gate()
    decided = gate.sign_in(PASSWORD, EMAIL)

    assert decided.answer is Answer.READ_ONLY
    assert [one.read_only for one in gate.account.sessions] == [True]


# --- What has lapsed ---


@pytest.mark.parametrize(("late", "lapsed"), [(-INSTANT, False), (0 * INSTANT, True)])
def test_an_action_is_answered_to_just_before_it_lapses(late: timedelta, lapsed: bool) -> None:
    gate = Gate()
    action = gate.propose(FREEZE).action_id
    gate.wait(UNPROVED_ACTION_LIFETIME + late)
    other = gate.propose(send()).action_id
    decided = gate.ask(action, SYNCED) if gate.is_open(action) else None

    assert (decided is None) is lapsed
    assert gate.is_open(other)


def test_what_has_lapsed_is_told_to_who_answers_it() -> None:
    gate = Gate()
    action, other = (gate.propose(FREEZE).action_id for _ in range(2))
    gate.ask(action, SYNCED)
    right = gate.right(action, SYNCED)
    gate.wait(UNPROVED_ACTION_LIFETIME)
    told = gate.answer(action, right)

    assert told.requirement == Never(code=Reason.AUTHORIZATION_EXPIRED)
    assert told.action_id == action
    assert not gate.is_open(action)
    assert not gate.is_open(other)


# --- What may fill the account ---


@pytest.mark.parametrize("command", [OFFER, IMPORT])
def test_nothing_more_is_kept_in_an_account_that_is_full(command: Command) -> None:
    gate = setting_up()
    gate.account = full(gate)
    with pytest.raises(DocumentTooLargeError):
        gate.run(command, at_hand=IMPORTED.destination_id)


@pytest.mark.parametrize("command", [END, SIM, HOLD, RecordExport()])
def test_what_ends_or_only_tells_always_finds_room(command: Command) -> None:
    gate = setting_up()
    gate.account = full(gate)

    assert gate.run(command).answer is Answer.ALLOW


def full(gate: Gate) -> Account:
    named = replace(SYNCED, name="k" * DOCUMENT_ROOM)
    return replace(gate.account, authenticators=(PASSWORD, named))


@pytest.mark.parametrize(("payload", "fits"), [(send(), False), (FREEZE, True), (sign_in(), True)])
def test_in_a_full_account_only_the_urgent_is_proposed_asked_and_shown(
    payload: AnyPayload, fits: bool
) -> None:
    gate = Gate()
    before = gate.propose(payload).action_id
    gate.ask(before, SYNCED)
    gate.account = full(gate)
    right = gate.right(before, SYNCED)
    if fits:
        assert gate.ask(before, PASSWORD).fault is None
        assert gate.answer(before, right).answer is Answer.ALLOW
        assert gate.propose(payload).action_id
        return
    with pytest.raises(DocumentTooLargeError):
        gate.ask(before, PASSWORD)
    with pytest.raises(DocumentTooLargeError):
        gate.wrong(before, Factor.PASSWORD)
    with pytest.raises(DocumentTooLargeError):
        gate.propose(payload)


# --- Who said no, and by which law ---


def test_a_veto_by_a_link_names_the_channel_and_its_root() -> None:
    gate = Gate()
    action = gate.propose(list_address("0xnew")).action_id
    gate.prove(action, SYNCED)
    (vetoed,) = (one for one in gate.veto(action, EMAIL).events if isinstance(one, ActionVetoed))

    assert (vetoed.by, vetoed.root) == (EMAIL.channel_id, EMAIL.root)
    assert vetoed.root is not None


def test_codes_are_asked_for_where_the_rules_say_so() -> None:
    gate = Gate(account=an_account(PASSWORD))
    action = gate.propose(send()).action_id
    assert gate.ask(action, EMAIL).fault is None
    rules = replace(gate.rules, codes=lambda _account, _action: False)
    question = Ask(
        action_id=ActionId(action),
        challenge_id=ChallengeId("chl_1"),
        factor=Factor.EMAIL_CODE,
        nonce="nonce",
        channel_id=EMAIL.channel_id,
        code_mac="mac",
    )
    decided = decide(State(account=gate.account), question, rules=rules, now=gate.now)

    assert decided.answer.fault is ProofFault.BELOW_FLOOR


def test_a_fee_that_is_too_high_is_refused_on_the_facts_of_the_exit() -> None:
    gate = Gate.of(an_account(), a_destination())
    action = gate.propose(send()).action_id
    gate.prove(action, SYNCED)
    refused = gate.spend(action, fee="1001")

    assert refused.requirement == Never(code=Reason.FEE_TOO_HIGH)
    assert refused.facts is not None
    assert refused.facts.action == "withdrawal.crypto"
    assert gate.spend(action, fee="1000").answer is Answer.ALLOW
