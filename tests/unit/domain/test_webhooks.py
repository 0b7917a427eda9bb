from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, NOON
from support.officers import ADA, BEN, CLEO, DORA, Board
from support.worlds import a_destination, an_account, send

from twinlock.domain.account import Chain, Challenge, OpenAction, Session, Shown
from twinlock.domain.actions import payload_bytes
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.canonical import b64url, decode, encode
from twinlock.domain.decisions import Decision
from twinlock.domain.disputes import Contest
from twinlock.domain.duress import sealed
from twinlock.domain.entries import SALTS_BYTES, Kept, Opening, Origin, record
from twinlock.domain.errors import LogDamagedError
from twinlock.domain.events import (
    AccountOpened,
    ActionAuthorized,
    ActionDone,
    ActionHeld,
    ActionLapsed,
    ActionProposed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
    ChallengeIssued,
    ContestOpened,
    DestinationAdded,
    Event,
    HoldPlaced,
    NewcomerRepudiated,
    ProofAccepted,
    ProofRefused,
    SessionEnded,
    SessionStarted,
)
from twinlock.domain.holds import PICKED, Hold
from twinlock.domain.ids import ActionId, ChallengeId, SessionId
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Answer, Never, Requirement
from twinlock.domain.webhooks import outcomes
from twinlock.domain.webhooks.endpoints import WebhookId
from twinlock.domain.webhooks.outcomes import (
    PATTERNS_MOST,
    TYPES,
    LogEntry,
    MessageType,
    WebhookPatternError,
    alarm_of,
    check_patterns,
    is_desks,
    leaf_time,
    message_id,
    message_of,
    trial_message,
    wants,
)

ACTION = ActionId("act_1")
POLICY = PolicyName(version=1, digest=b64url(b"p" * 32))
ORIGIN = Origin(account_id=ALICE, actor="platform:1", policy=POLICY)
CHAIN = Chain(label_key=b64url(b"k" * 32), entries=7, last_leaf=b64url(b"l" * 32))
SALTS = b"s" * SALTS_BYTES
PROPOSED = ActionProposed(
    at=NOON,
    action=OpenAction(
        action_id=ACTION,
        member_id=an_account().member_id,
        payload=send(),
        digest="",
        proposed_at=NOON,
        lapses_at=NOON + DAY,
        veto_key="",
    ),
)
AUTHORIZED = ActionAuthorized(at=NOON, action_id=ACTION, value_cents=1)
SPENT = ActionSpent(at=NOON, action_id=ACTION, spend_id="spend-1", fee_minor="0", value_cents=50_00)
DONE = ActionDone(at=NOON, action_id=ACTION)
REFUSED = ActionRefused(at=NOON, action_id=ACTION, reasons=(Reason.TOO_MANY,))
VETOED = ActionVetoed(at=NOON, action_id=ACTION, by="chn_1", root=None)
UNDONE = NewcomerRepudiated(at=NOON, entries=(7,), since=NOON)
LAPSED = ActionLapsed(at=NOON, action_id=ACTION)
WRONG = ProofRefused(at=NOON, action_id=ACTION, factor=Factor.TOTP, fault=ProofFault.CODE_WRONG)
ASKED = ChallengeIssued(
    at=NOON,
    action_id=ACTION,
    challenge=Challenge(
        challenge_id=ChallengeId("chl_1"), factor=Factor.PASSKEY, nonce="", expires_at=NOON + DAY
    ),
)
LOOKS = SessionStarted(
    at=NOON,
    session=Session(
        session_id=SessionId("ses_1"),
        member_id=an_account().member_id,
        thumbprint="t",
        started_at=NOON,
        seen_at=NOON,
        bound_at=NOON,
        read_only=True,
    ),
)
ENDED = SessionEnded(at=NOON, session_id=SessionId("ses_1"))
LISTED = DestinationAdded(at=NOON, destination=a_destination())
OPENED = AccountOpened(at=NOON, account=an_account())


def held(until: datetime, *, choice: bool = False) -> ActionHeld:
    return ActionHeld(at=NOON, action_id=ACTION, until=until, lapses_at=until + DAY, choice=choice)


def about(
    said: Answer,
    *events: Event,
    kind: str = "it",
    requirement: Requirement = NOTHING,
    action_id: str = ACTION,
) -> LogEntry:
    """Return entry 42 of the log: a decision of Alice's."""
    decision = Decision(
        kind="account.open" if OPENED in events else kind,
        action_id=action_id,
        answer=said,
        requirement=requirement,
        events=events,
        payload=payload_bytes(send()) if action_id else b"",
    )
    entry, _ = record(decision, CHAIN, origin=ORIGIN, at=NOON, salts=SALTS)
    kept = Kept(events=entry.events, openings=dict(entry.openings))
    return LogEntry(index=42, account_id=ALICE, leaf=entry.leaf, kept=kept)


def body_of(entry: LogEntry) -> dict[str, Any]:
    message = message_of(entry)
    assert message is not None
    value: dict[str, Any] = decode(message.body)
    assert value["type"] == message.kind
    return value


# --- What becomes a message ---


@pytest.mark.parametrize(
    ("entry", "kind", "state"),
    [
        (about(Answer.CHALLENGE, PROPOSED), "action.challenged", "open"),
        (about(Answer.HOLD, PROPOSED), "action.held", "open"),
        (about(Answer.HOLD, PROPOSED, held(NOON + DAY)), "action.held", "open"),
        (about(Answer.HOLD, AUTHORIZED, held(NOON + DAY)), "action.held", "open"),
        (about(Answer.REVIEW, PROPOSED), "action.in_review", "open"),
        (about(Answer.READ_ONLY, PROPOSED, LOOKS), "action.read_only", "open"),
        (about(Answer.ALLOW, PROPOSED, AUTHORIZED), "action.authorized", "authorized"),
        (about(Answer.ALLOW, PROPOSED, DONE), "action.done", "done"),
        (about(Answer.ALLOW, PROPOSED, UNDONE, DONE), "action.done", "done"),
        (about(Answer.ALLOW, UNDONE), "action.repudiated", None),
        (about(Answer.ALLOW, SPENT, kind="action.spend"), "action.spent", "spent"),
        (about(Answer.DENY, PROPOSED, REFUSED), "action.refused", "refused"),
        (about(Answer.ALLOW, VETOED, kind="action.veto"), "action.vetoed", "vetoed"),
        (about(Answer.DENY, LAPSED), "action.lapsed", "lapsed"),
        (about(Answer.DENY, WRONG), "action.proof_refused", None),
        (about(Answer.DENY), "action.denied", None),
        (about(Answer.CHALLENGE), "action.challenged", None),
        (about(Answer.ALLOW), "action.allowed", None),
        (
            about(Answer.ALLOW, OPENED, LISTED, kind="account.open", action_id=""),
            "account.opened",
            None,
        ),
        (
            about(Answer.ALLOW, LISTED, kind="destination.import", action_id=""),
            "destination.imported",
            None,
        ),
        (about(Answer.ALLOW, ENDED, kind="session.end", action_id=""), "session.ended", None),
    ],
)
def test_every_outcome_has_its_type_and_says_where_the_action_stands(
    entry: LogEntry, kind: str, state: str | None
) -> None:
    body = body_of(entry)

    assert body["type"] == kind
    assert body["data"].get("state") == state


@pytest.mark.parametrize(
    "entry",
    [
        about(Answer.CHALLENGE, ASKED),
        about(Answer.ALLOW, kind="session.end", action_id=""),
        about(Answer.ALLOW, kind="destination.import", action_id=""),
        replace(about(Answer.ALLOW, DONE), kept=None, account_id=""),
    ],
    ids=["a question", "nothing ended", "nothing imported", "an erased person"],
)
def test_what_is_no_outcome_gives_no_message(entry: LogEntry) -> None:
    assert message_of(entry) is None


def test_of_an_erasure_the_account_is_told_and_nothing_else() -> None:
    entry = replace(about(Answer.ALLOW, DONE), kept=None)
    message = message_of(entry)

    assert message is not None
    assert message.kind is MessageType.ACCOUNT_ERASED
    said = msgspec.json.decode(message.body)
    assert said["type"] == "account.erased"
    assert set(said["data"]) == {"account_id", "answer", "index", "policy_digest"}
    assert said["data"]["account_id"] == entry.account_id
    assert said["timestamp"] == "2026-01-15T12:00:00Z"
    assert (message.index, message.at) == (42, NOON)


def test_what_an_officer_said_is_told_to_every_endpoint() -> None:
    """Prevents: two who make themselves the only officers before anybody looks."""
    board = Board(ADA, BEN, CLEO)
    board.does(ADA, board.change(add=DORA, remove=CLEO))
    first, told = (
        message_of(LogEntry(index=place, account_id="", leaf=encode(leaf), kept=None))
        for place, leaf in enumerate(board.leaves)
    )
    assert first is not None
    assert told is not None

    assert (told.kind, wants(("*",), told.kind)) == (MessageType.OFFICERS_ACTED, True)
    said = msgspec.json.decode(told.body)["data"]
    change = {"add": DORA.key, "do": "officers.change", "remove": CLEO.key, "since": 0}
    assert said == {
        "act": change,
        "index": 1,
        "number": 1,
        "officer": ADA.key,
        "officers": [],
    }
    named = msgspec.json.decode(first.body)["data"]
    assert (named["act"], named["officer"]) == (None, "")
    assert set(named["officers"]) == {ADA.key, BEN.key, CLEO.key}


def test_a_message_says_who_what_why_and_where_in_the_log() -> None:
    never = Never(code=Reason.FEE_TOO_HIGH)

    body = body_of(about(Answer.DENY, PROPOSED, REFUSED, requirement=never))

    assert body == {
        "type": "action.refused",
        "timestamp": "2026-01-15T12:00:00Z",
        "data": {
            "account_id": ALICE,
            "action_id": ACTION,
            "type": "withdrawal.crypto",
            "answer": "deny",
            "state": "refused",
            "reasons": ["fee_too_high"],
            "index": 42,
            "policy_digest": POLICY.digest,
        },
    }


@pytest.mark.parametrize(
    ("waits", "until"),
    [
        ((held(NOON + DAY),), NOON + DAY),
        ((held(NOON + DAY, choice=True),), NOON + DAY),
        ((held(NOON + DAY), held(NOON + 2 * DAY, choice=True)), NOON + DAY),
        ((held(NOON + 2 * DAY, choice=True), held(NOON + DAY)), NOON + DAY),
    ],
    ids=["a wait", "a wait that a second root may spare", "both", "both, told otherwise"],
)
def test_a_wait_that_runs_is_told_with_its_end(
    waits: tuple[ActionHeld, ...], until: datetime
) -> None:
    said = body_of(about(Answer.HOLD, PROPOSED, *waits))["data"]["until"]

    assert datetime.fromisoformat(said) == until


def test_an_action_is_named_by_its_type_whatever_the_decision_is_of() -> None:
    spend = about(Answer.ALLOW, SPENT, kind="action.spend")

    assert body_of(spend)["data"]["type"] == "withdrawal.crypto"


def test_a_message_is_the_same_each_time_it_is_made() -> None:
    entry = about(Answer.ALLOW, PROPOSED, DONE)

    assert message_of(entry) == message_of(entry)
    first = message_of(entry)
    assert first is not None
    assert first.message_id == message_id(entry.leaf)
    assert (first.index, first.at) == (42, NOON)
    assert leaf_time(entry.leaf) == NOON


# --- What the security desk is told, and nobody else ---

PICK = HoldPlaced(at=NOON, hold=Hold(because=PICKED, placed_at=NOON, ends_at=NOON + 3 * DAY))
SIGNAL_HOLD = HoldPlaced(at=NOON, hold=replace(PICK.hold, because="signal"))


def proved(*, rung: bool, follows: tuple[Event, ...] = (PICK, held(NOON + 3 * DAY))) -> LogEntry:
    """Return the entry of a proof that lets an exit go; ``rung`` says that it was forced."""
    seal = sealed(b64url(b"b" * 16), rings=rung, names=False)
    shown = Shown(
        source="aut_totp", factor=Factor.TOTP, root="phone", bound_at=NOON, at=NOON, entry=7
    )
    accepted = ProofAccepted(at=NOON, action_id=ACTION, shown=shown, proved=True, seal=seal)
    return about(Answer.HOLD, PROPOSED, accepted, *follows)


def test_a_forced_proof_rings_and_names_whom_and_what() -> None:
    alarm = alarm_of(proved(rung=True))

    assert alarm is not None
    assert (alarm.kind, alarm.index, alarm.at) == (MessageType.ALARM_DURESS, 42, NOON)
    said = msgspec.json.decode(alarm.body)
    assert said["type"] == "alarm.duress"
    assert said["data"] == body_of(proved(rung=True))["data"]
    assert said["data"]["account_id"] == ALICE
    assert said["data"]["until"] == "2026-01-18T12:00:00Z"


@pytest.mark.parametrize(
    ("follows", "until"),
    [
        pytest.param((PICK, DONE), "2026-01-18T12:00:00Z", id="a sign-in"),
        pytest.param((PICK, held(NOON + DAY)), "2026-01-18T12:00:00Z", id="a change that waits"),
        pytest.param((held(NOON + DAY),), None, id="no hold began, and a change waits"),
        pytest.param((SIGNAL_HOLD, held(NOON + DAY)), None, id="another hold began"),
    ],
)
def test_an_alarm_says_how_long_nothing_leaves_and_nothing_else(
    follows: tuple[Event, ...], until: str | None
) -> None:
    """Prevents: a desk that waits for the end of a hold which there is none of."""
    alarm = alarm_of(proved(rung=True, follows=follows))

    assert alarm is not None
    assert msgspec.json.decode(alarm.body)["data"].get("until") == until


def test_the_alarm_has_its_own_id_the_same_each_time() -> None:
    entry = proved(rung=True)
    alarm, outcome = alarm_of(entry), message_of(entry)

    assert alarm is not None
    assert outcome is not None
    assert alarm == alarm_of(entry)
    assert alarm.message_id != outcome.message_id
    assert len(alarm.message_id) == len(outcome.message_id)


def test_others_are_told_the_same_whether_it_rings_or_not() -> None:
    """But for what hides which it is: the id is made of the leaf, which commits to the events."""
    rung, quiet = message_of(proved(rung=True)), message_of(proved(rung=False))

    assert rung is not None
    assert quiet is not None
    assert rung.body == quiet.body
    assert rung.kind is quiet.kind is MessageType.ACTION_HELD
    assert "seal" not in rung.body.decode()


@pytest.mark.parametrize(
    "entry",
    [
        proved(rung=False),
        about(Answer.ALLOW, PROPOSED, DONE),
        replace(proved(rung=True), kept=None),
    ],
    ids=["free", "no proof", "erased"],
)
def test_nothing_else_rings(entry: LogEntry) -> None:
    assert alarm_of(entry) is None


def test_an_alarm_that_the_leaf_does_not_commit_to_is_none() -> None:
    """Prevents: whoever writes to the database, and sends the desk to somebody."""
    rung, quiet = proved(rung=True), proved(rung=False)
    assert rung.kept is not None
    assert quiet.kept is not None
    forged = replace(quiet, kept=replace(quiet.kept, events=rung.kept.events))

    with pytest.raises(LogDamagedError, match="not of its events"):
        alarm_of(forged)
    with pytest.raises(LogDamagedError, match="not that of its account"):
        alarm_of(replace(rung, account_id="acc_" + "z" * 26))


def test_the_desk_has_an_endpoint_of_its_own() -> None:
    assert check_patterns(["alarm.duress"]) == ("alarm.duress",)
    assert is_desks(["alarm.duress"])
    assert not is_desks(["*"])
    assert not is_desks(["action.*"])


@pytest.mark.parametrize(
    "patterns", [("alarm.*",), ("alarm.duress", "action.held"), ("alarm.duress", "*")]
)
def test_who_is_told_of_alarms_is_told_of_nothing_else(patterns: tuple[str, ...]) -> None:
    """Prevents: a server of the platform's that shows what it gets to whoever looks."""
    with pytest.raises(WebhookPatternError, match="nothing else"):
        check_patterns(patterns)


# --- What contradicts itself ---


def changed(entry: LogEntry, field: str, **opening: str) -> LogEntry:
    assert entry.kept is not None
    old = entry.kept.openings[field]
    new = Opening(opening.get("salt", old.salt), opening.get("value", old.value))
    return replace(entry, kept=replace(entry.kept, openings={**entry.kept.openings, field: new}))


GOOD = about(Answer.ALLOW, PROPOSED, DONE)
OTHERS = replace(GOOD, account_id="acc_" + "z" * 26)


@pytest.mark.parametrize(
    "entry",
    [
        changed(GOOD, "account", value='"acc_x"'),
        changed(GOOD, "action", value='"act_2"'),
        changed(GOOD, "payload", value="null"),
        changed(GOOD, "reasons", value='["too_many"]'),
        changed(GOOD, "account", salt=b64url(b"x" * 32)),
        changed(GOOD, "account", salt="no base64"),
        changed(GOOD, "account", salt=b64url(b"s" * 31)),
        replace(GOOD, kept=Kept(events=(), openings={})),
        replace(GOOD, leaf=b"{}"),
        replace(GOOD, leaf=b"\xff"),
        replace(GOOD, leaf=about(Answer.DENY, PROPOSED, REFUSED, kind="x").leaf[:-1]),
        OTHERS,
    ],
)
def test_an_entry_that_is_not_what_its_leaf_commits_to_is_no_message(entry: LogEntry) -> None:
    with pytest.raises(LogDamagedError):
        message_of(entry)


def test_a_leaf_that_commits_to_nonsense_is_no_message() -> None:
    decision = Decision(
        kind="x", action_id=ACTION, answer=Answer.ALLOW, events=(DONE,), payload=b'{"type":"odd"}'
    )
    entry, _ = record(decision, CHAIN, origin=ORIGIN, at=NOON, salts=SALTS)
    kept = Kept(events=entry.events, openings=dict(entry.openings))

    with pytest.raises(LogDamagedError, match="no entry says"):
        message_of(LogEntry(index=1, account_id=ALICE, leaf=entry.leaf, kept=kept))


# --- Types and patterns ---


def test_every_type_is_explained() -> None:
    assert set(TYPES) == set(MessageType)
    assert all(sentence.endswith(".") for sentence in TYPES.values())


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("*", "webhook.test", None),
        ("action.*", "action.held", "account.opened"),
        ("action.held", "action.held", "action.done"),
    ],
)
def test_a_pattern_fits_a_type_or_all_that_begin_alike(
    pattern: str, fits: str, fits_not: str | None
) -> None:
    assert wants(check_patterns((pattern,)), MessageType(fits))
    assert fits_not is None or not wants((pattern,), MessageType(fits_not))


def test_patterns_are_kept_in_order_and_once() -> None:
    assert check_patterns(("session.*", "action.*", "session.*")) == ("action.*", "session.*")


def test_as_many_patterns_are_taken_as_may_be() -> None:
    outcomes_of = sorted(set(MessageType) - {MessageType.ALARM_DURESS})
    most = tuple(outcomes_of)[:PATTERNS_MOST]

    assert check_patterns(most) == most
    with pytest.raises(WebhookPatternError):
        check_patterns(MessageType)


@pytest.mark.parametrize(
    "patterns",
    [
        (),
        ("",),
        ("action",),
        ("action.",),
        ("*.held",),
        ("action.h*",),
        ("actio.*",),
        ("action.*.x",),
        ("Action.held",),
        ("action.unheard_of",),
        ("nothing.*",),
        ("action.held\n",),
        tuple(f"a{'b' * number}.*" for number in range(PATTERNS_MOST + 1)),
    ],
)
def test_a_pattern_that_fits_nothing_is_refused(patterns: tuple[str, ...]) -> None:
    with pytest.raises(WebhookPatternError):
        check_patterns(patterns)


def test_a_pattern_that_fits_nothing_is_told_the_types_that_there_are() -> None:
    with pytest.raises(WebhookPatternError, match=r"there are account\.erased, .*action\.held, "):
        check_patterns(("bogus.*",))


def test_a_trial_tells_of_nothing() -> None:
    message = trial_message(WebhookId("wh_1"), random=b"r" * 16, at=NOON)

    assert msgspec.json.decode(message.body) == {
        "type": "webhook.test",
        "timestamp": "2026-01-15T12:00:00Z",
        "data": {"webhook_id": "wh_1"},
    }
    assert message.at - NOON == timedelta()
    assert message.index == -1  # No entry's.


def test_a_contest_is_told_with_its_end() -> None:
    contest = Contest(
        ActionId("act_1"), "a change", ("phone",), ("desktop",), 0, 86_400, holds=True
    )
    opened = ContestOpened(at=NOON, action_id=ActionId("act_1"), contest=contest)

    assert outcomes._until((opened,)) == datetime(1970, 1, 2, tzinfo=UTC)  # noqa: SLF001 - the table of ends
