"""One honest life, and what an audit tells of each way to edit its entries and its leaves.

Each edit is told completely: every finding of it, with its code, its place and its sentence, and
nothing else. Indexes of leaves are a hundred more than the numbers of their entries.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

import msgspec
import pytest
from msgspec.structs import replace
from support.cast import DAY, INSTANT, NOON
from support.lives import Life, Row, Rows, a_life, audit

from twinlock.domain.account import Chain
from twinlock.domain.audit.findings import Fault
from twinlock.domain.audit.leaves import fields_of
from twinlock.domain.canonical import b64url
from twinlock.domain.events import (
    AccountOpened,
    ActionAuthorized,
    ActionProposed,
    ActionSpent,
    ActionVetoed,
    DestinationAdded,
    DestinationRemoved,
    HoldPlaced,
    SessionEnded,
)
from twinlock.domain.ids import SessionId
from twinlock.domain.requirements import Answer
from twinlock.domain.suspensions import AccountSuspension

Told: TypeAlias = list[tuple[Fault, int, str]]
OPENED, VETOED, QUIET, LAST = 0, 20, 24, 38
PROPOSED, ALLOWED, SPENT = 11, 13, 14
OTHER = "B" * 43
NOBODYS = SessionId("ses_nobody")


@pytest.fixture
def life() -> Life:
    return a_life()


@pytest.fixture
def rows(life: Life) -> Rows:
    return life.record()


def of_entries(*found: tuple[Fault, int, str]) -> list[tuple[str, str, str]]:
    """Return findings in Alice's entries as an audit tells them."""
    return sorted((code.value, f"alice entry {number}", says) for code, number, says in found)


def test_an_honest_life_has_all_that_an_audit_looks_at(life: Life) -> None:
    kinds = [decision.kind for decision, _ in life.decisions]
    ended = [type(one.ended).__name__ for one in life.closed.values()]

    assert (kinds[OPENED], kinds[VETOED], kinds[QUIET]) == (
        "account.open",
        "action.veto",
        "session.end",
    )
    assert life.decisions[QUIET][0].events == ()
    assert [life.number(ActionProposed, 4), life.number(ActionAuthorized)] == [PROPOSED, ALLOWED]
    assert life.number(ActionSpent) == SPENT
    assert len(kinds) == LAST + 1
    assert {*ended} == {
        "ActionDone",
        "ActionSpent",
        "ActionVetoed",
        "ActionRefused",
        "ActionLapsed",
    }
    assert [one.version for one in life.destinations.values()] == [4, 2]


def test_an_honest_life_is_sound(rows: Rows) -> None:
    done = audit(rows)

    assert (done.told, done.doubts) == ([], [])
    assert (done.rebuilt.entries, done.rebuilt.spends) == (LAST + 1, 2)


# --- Somebody edits a row: what is kept, what lies beside it, or the leaf ---

Edit: TypeAlias = Callable[[Rows], None]


def kept(number: int, old: str, new: str) -> Edit:
    return lambda rows: rows.entries[number].edit(old, new)


def opening(field: str, *, value: str | None = None, salt: str | None = None) -> Edit:
    """Open a field of the first spend with another value, or under another salt."""

    def edit(rows: Rows) -> None:
        row = rows.entries[SPENT]
        whole = msgspec.json.decode(row.kept or b"")
        own = whole["openings"][field]
        whole["openings"][field] = [salt or own[0], value or own[1]]
        row.kept = msgspec.json.encode(whole)

    return edit


def leaf(number: int, **changes: object) -> Edit:
    """Write another leaf, in the form of one."""

    def edit(rows: Rows) -> None:
        row = rows.entries[number]
        whole = msgspec.json.decode(row.leaf or b"") | changes
        row.leaf = msgspec.json.encode(whole, order="sorted")

    return edit


def twice(number: int) -> Edit:
    """Write an entry's events into it once more."""

    def edit(rows: Rows) -> None:
        row = rows.entries[number]
        whole = msgspec.json.decode(row.kept or b"")
        row.kept = msgspec.json.encode(whole | {"events": whole["events"] * 2})

    return edit


def both(*edits: Edit) -> Edit:
    def edit(rows: Rows) -> None:
        for one in edits:
            one(rows)

    return edit


def put(number: int, **changes: object) -> Edit:
    def edit(rows: Rows) -> None:
        row = rows.entries[number]
        rows.entries[number] = Row(**{**vars(row), **changes})

    return edit


def committed(number: int, field: str) -> tuple[Fault, int, str]:
    says = f"leaf {100 + number} commits to another value of {field} than is kept"
    return Fault.COMMITMENT_WRONG, number, says


def another(code: Fault, number: int, field: str) -> tuple[Fault, int, str]:
    return code, number, f"it commits to another value of {field}"


def unchained(number: int) -> tuple[Fault, int, str]:
    says = f"leaf {100 + number} does not follow the leaf before it"
    return Fault.CHAIN_BROKEN, number, says


def gap(number: int, following: int) -> tuple[Fault, int, str]:
    return Fault.ENTRY_MISSING, number, f"the next that is stored is {following}"


OPENS_NOTHING = "what is kept is not what opens an entry of its type"
NO_ENTRY = "what was sealed is no entry of this version"
FOLLOWS_NOT = "its events cannot follow the last: "
TWICE = "it spends an action that was spent before"
OPENED_ONCE = f"{FOLLOWS_NOT}an account is opened once, by its first entry"
OTHER_TIME = "its events are of another time than its leaf"
NO_YES = "what needs a yes happened without one"
NO_SPEND = "a spend's entry is one of a spend, and no other"
OWN_FAULTS = {
    "account": Fault.ACCOUNT_WRONG,
    "action": Fault.ACTION_WRONG,
    "events": Fault.EVENTS_ALTERED,
    "facts": Fault.FACTS_ALTERED,
    "payload": Fault.PAYLOAD_WRONG,
    "spend": Fault.SPEND_WRONG,
}


@pytest.mark.parametrize("field", fields_of("action.spend"))
def test_a_value_that_is_not_the_committed_one_is_told_by_its_field(rows: Rows, field: str) -> None:
    opening(field, value='"x"')(rows)

    own = [another(OWN_FAULTS[field], SPENT, field)] if field in OWN_FAULTS else []
    assert audit(rows).told == of_entries(committed(SPENT, field), *own)


@pytest.mark.parametrize("field", fields_of("action.spend"))
def test_a_commitment_under_another_salt_is_told_by_its_field(rows: Rows, field: str) -> None:
    opening(field, salt="A" * 43)(rows)

    assert audit(rows).told == of_entries(committed(SPENT, field))


@pytest.mark.parametrize("field", fields_of("action.spend"))
def test_another_commitment_in_the_leaf_is_told_by_its_field(rows: Rows, field: str) -> None:
    whole = msgspec.json.decode(rows.entries[SPENT].leaf or b"")
    leaf(SPENT, c=whole["c"] | {field: OTHER})(rows)

    assert audit(rows).told == of_entries(committed(SPENT, field), unchained(SPENT + 1))


EDITS: list[tuple[str, Edit, Told]] = [
    (
        "a salt that is none",
        opening("facts", salt="A" * 42),
        [(Fault.COMMITMENT_WRONG, SPENT, OPENS_NOTHING)],
    ),
    (
        "a field under another name",
        kept(SPENT, '"proofs":["', '"proof":["'),
        [(Fault.COMMITMENT_WRONG, SPENT, OPENS_NOTHING)],
    ),
    (
        "no openings at all",
        put(QUIET, kept=b'{"events":[],"openings":{}}'),
        [
            (Fault.COMMITMENT_WRONG, QUIET, OPENS_NOTHING),
            another(Fault.ACCOUNT_WRONG, QUIET, "account"),
            another(Fault.EVENTS_ALTERED, QUIET, "events"),
            another(Fault.FACTS_ALTERED, QUIET, "facts"),
        ],
    ),
    ("other facts", put(SPENT, facts=b"{}"), [another(Fault.FACTS_ALTERED, SPENT, "facts")]),
    (
        "another label in the leaf",
        leaf(SPENT, lbl=OTHER),
        [(Fault.LABEL_WRONG, SPENT, "leaf 114 bears another label"), unchained(SPENT + 1)],
    ),
    (
        "another chain in the leaf",
        leaf(SPENT, prev=OTHER),
        [unchained(SPENT), unchained(SPENT + 1)],
    ),
    ("another chain in the first leaf", leaf(OPENED, prev=OTHER), [unchained(0), unchained(1)]),
    ("another policy in the leaf", leaf(QUIET, pol=OTHER), [unchained(QUIET + 1)]),
    ("another type in the leaf", leaf(QUIET, t="session.begin"), [unchained(QUIET + 1)]),
    ("a no in the leaf of nothing", leaf(QUIET, dec="deny"), [unchained(QUIET + 1)]),
    *(
        (
            f"a no in the leaf of entry {number}",
            leaf(number, dec="deny"),
            [unchained(number + 1), (Fault.ANSWER_WRONG, number, NO_YES)],
        )
        for number in (5, ALLOWED, SPENT)
    ),
    (
        "another time in the leaf",
        leaf(SPENT, at=7),
        [
            unchained(SPENT + 1),
            (Fault.TIME_WRONG, SPENT, OTHER_TIME),
        ],
    ),
    (
        "a leaf that is of a spend, of an entry that is not",
        leaf(QUIET, t="action.spend"),
        [
            (
                Fault.LEAF_MALFORMED,
                QUIET,
                "leaf 124 is none: it commits to other fields than an entry of its type",
            ),
            (Fault.COMMITMENT_WRONG, QUIET, OPENS_NOTHING),
            (Fault.SPEND_WRONG, QUIET, NO_SPEND),
            unchained(QUIET + 1),
        ],
    ),
    (
        "a leaf that is none",
        put(SPENT, leaf=b"nonsense"),
        [
            (Fault.LEAF_MALFORMED, SPENT, "leaf 114 is none: it does not have the form of a leaf"),
            unchained(SPENT + 1),
        ],
    ),
    (
        "no leaf",
        put(SPENT, leaf=None),
        [(Fault.LEAF_MISSING, SPENT, "leaf 114, which should be its own, is gone")],
    ),
    ("an entry that does not open", put(SPENT, kept=None), []),
    ("a first entry that does not open", put(OPENED, kept=None), []),
    ("a box of something else", put(SPENT, kept=b"[]"), [(Fault.ENTRY_BROKEN, SPENT, NO_ENTRY)]),
    ("a box of no text", put(SPENT, kept=b"\xff"), [(Fault.ENTRY_BROKEN, SPENT, NO_ENTRY)]),
    (
        "a box of text that is no text",
        kept(SPENT, "payout-1", "payout-\\ud800"),
        [(Fault.ENTRY_BROKEN, SPENT, NO_ENTRY)],
    ),
    (
        "a box of brackets",
        put(SPENT, kept=b'{"more":' + b"[" * 17_000),
        [(Fault.ENTRY_BROKEN, SPENT, NO_ENTRY)],
    ),
    (
        "an event that is none",
        kept(SPENT, "action.spent/1", "action.spent/9"),
        [(Fault.ENTRY_BROKEN, SPENT, NO_ENTRY)],
    ),
    (
        "a policy that nobody keeps, in the leaf of a spend",
        leaf(SPENT, pol=OTHER),
        [unchained(SPENT + 1)],
    ),
    (
        "a leaf with another label after one that is gone",
        both(put(SPENT, leaf=None), leaf(SPENT + 1, lbl=OTHER)),
        [
            (Fault.LEAF_MISSING, SPENT, "leaf 114, which should be its own, is gone"),
            (Fault.LABEL_WRONG, SPENT + 1, "leaf 115 bears another label"),
            unchained(SPENT + 2),
        ],
    ),
    (
        "a spend that is told twice",
        twice(SPENT),
        [
            another(Fault.EVENTS_ALTERED, SPENT, "events"),
            (Fault.SPEND_WRONG, SPENT, NO_SPEND),
            (Fault.SPENT_TWICE, SPENT, TWICE),
        ],
    ),
    (
        "an opening that is told twice",
        twice(OPENED),
        [
            another(Fault.EVENTS_ALTERED, OPENED, "events"),
            (Fault.REPLAY_IMPOSSIBLE, OPENED, OPENED_ONCE),
        ],
    ),
    ("no entry", lambda rows: rows.entries.__delitem__(SPENT), [gap(SPENT, SPENT + 1)]),
    ("no three entries", lambda rows: rows.entries.__delitem__(slice(11, 14)), [gap(11, 14)]),
    ("no first entry", lambda rows: rows.entries.__delitem__(0), [gap(0, 1)]),
]


@pytest.mark.parametrize(
    ("edit", "finds"), [one[1:] for one in EDITS], ids=[one[0] for one in EDITS]
)
def test_an_edit_is_told_and_nothing_else_is(rows: Rows, edit: Edit, finds: Told) -> None:
    edit(rows)

    assert audit(rows).told == of_entries(*finds)


def test_what_follows_an_entry_that_does_not_open_is_still_held_against_what_is_known(
    life: Life,
) -> None:
    decided(ALLOWED, payload=b"null")(life)
    rows = life.record()
    rows.entries[ALLOWED - 1].kept = None
    leaf(QUIET, lbl=OTHER)(rows)

    assert audit(rows).told == of_entries(
        another(Fault.PAYLOAD_WRONG, ALLOWED, "payload"),
        (Fault.LABEL_WRONG, QUIET, "leaf 124 bears another label"),
        unchained(QUIET + 1),
    )


# --- An insider decides himself: everything that he writes fits together ---

Decides: TypeAlias = Callable[[Life], None]


def decided(number: int, **changes: object) -> Decides:
    return lambda life: life.alter(number, lambda decision: replace(decision, **changes))


def happened(number: int, kind: type, **changes: object) -> Decides:
    return lambda life: life.alter_event(number, kind, **changes)


def later(number: int, length: timedelta) -> Decides:
    def decide(life: Life) -> None:
        life.alter_event(number, ActionVetoed, at=life.decisions[number][1] + length)

    return decide


def of_another_day(number: int, kind: type) -> Decides:
    def decide(life: Life) -> None:
        life.alter_event(number, kind, at=life.decisions[number][1] - DAY)

    return decide


def labelled(key: bytes) -> Decides:
    """Open the account with a label key that is none."""

    def decide(life: Life) -> None:
        chain = Chain(label_key=b64url(key))
        (opened,) = life.decisions[OPENED][0].events
        assert isinstance(opened, AccountOpened)
        account = replace(opened.account, chain=chain)
        life.alter_event(OPENED, AccountOpened, account=account)

    return decide


def unsaid(number: int, kind: type) -> Decides:
    """Leave an event out of what an entry decides."""
    return lambda life: life.alter(
        number,
        lambda decision: replace(
            decision, events=tuple(one for one in decision.events if not isinstance(one, kind))
        ),
    )


def again(number: int, kind: type | None = None, name: str = "") -> Decides:
    """Decide once more at the end what entry ``number`` did, of the action that is called so."""

    def decide(life: Life) -> None:
        life.decisions.append((life.decisions[number][0], life.decisions[number][1]))
        if kind is not None:
            named = life.id_of(name)
            life.alter_event(LAST + 1, kind, action_id=named)
            life.alter(LAST + 1, lambda decision: replace(decision, action_id=named))

    return decide


def closed(name: str) -> tuple[str, str, str]:
    says = "the events end an action that says other things"
    return "closed_differs", f"{name} of alice", says


def differs(*names: str) -> tuple[str, str, str]:
    return "account_differs", "alice", f"its events make another {', '.join(names)}"


def listed_otherwise(name: str, *fields: str) -> tuple[str, str, str]:
    says = f"its account's events make another {', '.join(fields)}"
    return "destination_differs", f"{name} of alice", says


def often(name: str) -> tuple[str, str, str]:
    return "version_wrong", f"{name} of alice", "it was written more often than it was changed"


def impossible(number: int, why: str) -> list[tuple[str, str, str]]:
    return of_entries((Fault.REPLAY_IMPOSSIBLE, number, why))


UNKNOWN = f"{FOLLOWS_NOT}no open action of this id"
CASES: list[tuple[str, Decides, list[tuple[str, str, str]]]] = [
    (
        "a veto a millisecond later",
        later(VETOED, INSTANT),
        [
            *of_entries((Fault.TIME_WRONG, VETOED, OTHER_TIME)),
            closed("vetoed"),
        ],
    ),
    (
        "a yes of another day, behind a proof of this one",
        of_another_day(ALLOWED, ActionAuthorized),
        [
            *of_entries((Fault.TIME_WRONG, ALLOWED, OTHER_TIME)),
            closed("paid"),
            listed_otherwise("old", "version"),
            differs("former"),
        ],
    ),
    (
        "a HoldPlaced of another day",
        of_another_day(5, HoldPlaced),
        of_entries((Fault.TIME_WRONG, 5, OTHER_TIME)),
    ),
    (
        "a DestinationRemoved of another day",
        of_another_day(35, DestinationRemoved),
        of_entries((Fault.TIME_WRONG, 35, OTHER_TIME)),
    ),
    (
        "a veto a microsecond later",
        later(VETOED, INSTANT / 1000),
        [closed("vetoed")],
    ),
    *(
        (
            f"entry {number} without a yes",
            decided(number, answer=Answer.HOLD),
            of_entries((Fault.ANSWER_WRONG, number, NO_YES)),
        )
        for number in (5, ALLOWED, SPENT)
    ),
    *(
        (
            f"entry {number} of another action",
            decided(number, action_id="act_another"),
            of_entries(*[another(Fault.ACTION_WRONG, number, "action")] * times),
        )
        for number, times in ((PROPOSED, 1), (ALLOWED, 1), (SPENT, 1), (5, 1), (VETOED, 1), (21, 2))
    ),
    *(
        (
            f"entry {number} of another payload",
            decided(number, payload=b"null"),
            of_entries(another(Fault.PAYLOAD_WRONG, number, "payload")),
        )
        for number in (PROPOSED, ALLOWED, SPENT, 5, VETOED, 21)
    ),
    ("a spend again", again(SPENT), of_entries((Fault.SPENT_TWICE, LAST + 1, TWICE))),
    ("a spend of a vetoed action", again(SPENT, ActionSpent, "vetoed"), impossible(39, UNKNOWN)),
    ("a veto of a spent action", again(VETOED, ActionVetoed, "paid"), impossible(39, UNKNOWN)),
    (
        "a spend in an entry of nothing",
        decided(SPENT, kind="session.end"),
        of_entries(
            another(Fault.SPEND_WRONG, SPENT, "spend"), (Fault.SPEND_WRONG, SPENT, NO_SPEND)
        ),
    ),
    ("a fee that was another", happened(SPENT, ActionSpent, fee_minor="6"), [closed("paid")]),
    (
        "a spend of more",
        happened(SPENT, ActionSpent, value_cents=90_00),
        [closed("paid"), listed_otherwise("old", "version", "spent"), differs("former")],
    ),
    (
        "a yes that counts in no sum",
        happened(LAST, ActionAuthorized, destination_id=None),
        [
            often("new"),
            listed_otherwise("new", "version", "used_at", "spent"),
            differs("actions", "destinations", "unlisted"),
        ],
    ),
    (
        "a removal that was none",
        unsaid(35, DestinationRemoved),
        [
            often("old"),
            listed_otherwise("old", "version", "removed"),
            differs("rings", "destinations", "looks", "former"),
        ],
    ),
    ("a hold that was none", unsaid(5, HoldPlaced), [differs("holds")]),
    (
        "a listing that was none",
        unsaid(9, DestinationAdded),
        impossible(35, f"{FOLLOWS_NOT}a removed destination is the one at hand"),
    ),
    ("a proposal that was none", unsaid(PROPOSED, ActionProposed), impossible(12, UNKNOWN)),
    (
        "an account that is opened twice",
        again(OPENED),
        impossible(39, OPENED_ONCE),
    ),
    *(
        (
            f"an account with a label key of {len(key)} bytes",
            labelled(key),
            [
                *of_entries((Fault.LABEL_WRONG, OPENED, "its label key is none")),
                differs("chain", "looks", "former"),
            ],
        )
        for key in (b"", b"k" * 31, b"k" * 33)
    ),
    (
        "an account that is never opened",
        decided(OPENED, kind="session.end", events=()),
        impossible(OPENED, f"{FOLLOWS_NOT}nothing has opened it"),
    ),
    (
        "an account that another event opens",
        decided(OPENED, kind="session.end", events=(SessionEnded(at=NOON, session_id=NOBODYS),)),
        impossible(OPENED, "its first entry does not open it"),
    ),
]


@pytest.mark.parametrize(
    ("decide", "finds"), [one[1:] for one in CASES], ids=[one[0] for one in CASES]
)
def test_what_an_insider_decides_is_told_and_nothing_else_is(
    life: Life, decide: Decides, finds: list[tuple[str, str, str]]
) -> None:
    decide(life)

    assert audit(life.record()).told == sorted(finds)


def test_what_left_while_officers_had_suspended_the_account_is_told(life: Life) -> None:
    """Prevents: whoever runs the process, and lets a suspended account's money go unseen."""
    _, last = life.decisions[SPENT]
    ends_at = int(last.timestamp() * 1000) + 1
    stopped = AccountSuspension(set_at=1, ends_at=ends_at, by="an officer")
    opened = life.decisions[OPENED][0].events[0]
    assert isinstance(opened, AccountOpened)
    life.alter_event(OPENED, AccountOpened, account=replace(opened.account, suspension=stopped))
    life.account = replace(life.account, suspension=stopped)

    says = "officers had suspended the account"
    left = [(Fault.LEFT_WHILE_SUSPENDED, number, says) for number in (ALLOWED, SPENT)]
    assert audit(life.record()).told == of_entries(*left)
    assert life.decisions[life.number(ActionAuthorized, 2)][1] > last, "and a later one is not"
