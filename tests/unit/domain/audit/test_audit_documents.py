"""The documents of an honest life, and what an audit tells of each way to edit one of them."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec
import pytest
from msgspec.structs import replace
from support.cast import BOB, HOUR, NOON
from support.lives import Life, Rows, a_life, audit
from support.worlds import a_contact, an_app

from twinlock.domain.account import Account, ApiKey, Candidate, Chain, Session
from twinlock.domain.assurance import Factor
from twinlock.domain.audit.documents import Stored
from twinlock.domain.canonical import encode
from twinlock.domain.disputes import Disputes
from twinlock.domain.entries import ClosedAction
from twinlock.domain.events import ActionLapsed
from twinlock.domain.floods import Rings
from twinlock.domain.freezes import Freeze
from twinlock.domain.ids import (
    ActionId,
    ApiKeyId,
    ChallengeId,
    ChannelId,
    DestinationId,
    MemberId,
    SessionId,
)
from twinlock.domain.limits import Limits, SentTo, Spent
from twinlock.domain.listed import Destination
from twinlock.domain.listing import Former
from twinlock.domain.locks import Eased, Lock
from twinlock.domain.notice_words import NoticeWord
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.quorums import Member, Quorum
from twinlock.domain.risk.visits import History
from twinlock.domain.signals import Signals
from twinlock.domain.suspensions import suspended
from twinlock.domain.throttle import Throttle

Told: TypeAlias = list[tuple[str, str, str]]
WRITTEN = 39  # As many entries as the life has.


@pytest.fixture
def life() -> Life:
    return a_life()


@pytest.fixture
def rows(life: Life) -> Rows:
    return life.record()


def edited(rows: Rows, name: str, **changes: object) -> Told:
    """Return what is told once the document that is called ``name`` is another."""
    place = rows.place(name)
    rows.documents[place] = rows.documents[place]._replace(**changes)  # type: ignore[arg-type] # its own fields
    return audit(rows).told


OF_ACCOUNTS: dict[str, object] = {
    "account_id": BOB,
    "member_id": MemberId("mem_bob"),
    "opened_at": NOON - HOUR,
    "chain": Chain(label_key="k" * 43, entries=WRITTEN),
    "enrolling_until": NOON,
    "imported": "d" * 43,
    "destinations_required": True,
    "authenticators": (an_app(),),
    "channels": (),
    "devices": (),
    "sessions": (
        Session(
            session_id=SessionId("ses_mallory"),
            member_id=MemberId("mem_mallory"),
            thumbprint="m" * 43,
            started_at=NOON,
            seen_at=NOON,
            bound_at=NOON,
        ),
    ),
    "holds": (),
    "freeze": Freeze(until=NOON, set_at=NOON),
    "throttle": Throttle(failures=1),
    "known_throttle": Throttle(failures=1),
    "candidates": (
        Candidate(
            candidate_id=ChallengeId("chl_x"),
            factor=Factor.TOTP,
            secret="a seed of hers",  # noqa: S106 - nobody's
            expires_at=NOON,
        ),
    ),
    "codes_sent": (1,),
    "flood_told_at": 1,
    "key_told_at": 1,
    "attempt_told_at": 1,
    "rings": Rings(1, 1, 1, 1, 1),
    "undercut_at": 1,
    "fell_at": 1,
    "shed_at": 1,
    "picked_at": 1,
    "sim_changed_at": NOON,
    "signals": Signals(since=1, muted={ChannelId("chn_x"): 1}),
    "actions": (),
    "api_keys": (
        ApiKey(
            api_key_id=ApiKeyId("key_mallory"),
            public_key="p" * 43,
            scopes=("withdraw",),
            ip_list=(),
            destinations=(),
            daily_cents=10**9,
            created_at=NOON,
        ),
    ),
    "destinations": {},
    "looks": "m" * 10,
    "former": Former(forgotten=1),
    "paid": {"m" * 10: 1},
    "spent": Spent(),
    "unlisted": Spent(day="2026-01-15", cents=1),
    "sent_to": SentTo(day="2026-01-15", cents={"m" * 10: 1}),
    "last_exit_at": 0,
    "legal_holds": {"a court": 1},
    "erased_at": NOON,
    "doubts": ((1, 2),),
    "limits": Limits(day_cents=1),
    "lock": Lock(days=1),
    "notice_word": NoticeWord(text="mallory", set_at=NOON),
    "contacts": (a_contact(),),
    "members": (Member(member_id=MemberId("mem_mallory"), name="Mallory", joined_at=NOON),),
    "quorum": Quorum(two_cents=1),
    "eased": Eased(before=Lock(days=2), at=NOON),
    "history": History(at=1),
    "suspension": suspended(by="o", at=NOON),
    "disputes": Disputes(silent={"phone": 1}),
}
OF_DESTINATIONS: dict[str, object] = {
    "destination_id": DestinationId("dst_another"),
    "account_id": BOB,
    "version": 9,
    "network": "tron",
    "address": "0x" + "6" * 40,
    "memo": "for mallory",
    "label": "mallory",
    "added_at": NOON,
    "imported": True,
    "removed": False,
    "action_id": ActionId("act_another"),
    "entry": 7,
    "proved_by": (Factor.TOTP,),
    "by": (),
    "sms_at": NOON,
    "behind": ((1, 2),),
    "usable_at": NOON,
    "used_at": None,
    "budget_cents": 10**9,
    "spent": Spent(),
}


def test_every_field_of_the_documents_is_tried() -> None:
    assert (*OF_ACCOUNTS,) == Account.__struct_fields__
    assert (*OF_DESTINATIONS,) == Destination.__struct_fields__


@pytest.mark.parametrize("field", OF_ACCOUNTS)
def test_another_field_of_the_account_is_named(rows: Rows, field: str) -> None:
    stored = msgspec.json.decode(rows.documents[0].data or b"", type=Account)
    other = replace(stored, **{field: OF_ACCOUNTS[field]})

    told = edited(rows, "alice", data=encode(other))

    assert told == [("account_differs", "alice", f"its events make another {field}")]


@pytest.mark.parametrize("field", OF_DESTINATIONS)
def test_another_field_of_a_destination_is_named(life: Life, rows: Rows, field: str) -> None:
    stored = life.destinations[DestinationId(life.id_of("old"))]
    other = replace(stored, **{field: OF_DESTINATIONS[field]})

    told = edited(rows, "old", data=encode(other))

    says = f"its account's events make another {field}"
    assert told == [("destination_differs", "old of alice", says)]


def test_all_fields_that_are_others_are_named(rows: Rows) -> None:
    stored = msgspec.json.decode(rows.documents[0].data or b"", type=Account)

    told = edited(rows, "alice", data=encode(replace(stored, last_exit_at=0, spent=Spent())))

    assert told == [("account_differs", "alice", "its events make another spent, last_exit_at")]


@pytest.mark.parametrize("change", ["action", "reason", "policy", "entry", "ended"])
def test_an_end_that_is_another_is_told(life: Life, rows: Rows, change: str) -> None:
    stored = life.closed[ActionId(life.id_of("vetoed"))]
    other: dict[str, ClosedAction] = {
        "action": replace(stored, action=replace(stored.action, claimed_cents=1)),
        "reason": replace(stored, ended=replace(stored.ended, by="nobody")),
        "policy": replace(stored, policy=PolicyName(version=9, digest=stored.policy.digest)),
        "entry": replace(stored, entry=19),
        "ended": replace(
            stored, ended=ActionLapsed(at=stored.ended.at, action_id=stored.ended.action_id)
        ),
    }

    told = edited(rows, "vetoed", data=encode(other[change]))

    says = {
        "entry": "it says ActionVetoed in entry 19, the events ActionVetoed in entry 20",
        "ended": "it says ActionLapsed in entry 20, the events ActionVetoed in entry 20",
    }.get(change, "the events end an action that says other things")
    assert told == [("closed_differs", "vetoed of alice", says)]


@pytest.mark.parametrize("change", ["action", "entry"])
@pytest.mark.parametrize("leaf", [None, b"nonsense"])
def test_of_an_end_whose_leaf_is_not_sound_only_its_place_is_known(
    life: Life, rows: Rows, leaf: bytes | None, change: str
) -> None:
    rows.entries[20].leaf = leaf
    before = audit(rows).told
    stored = life.closed[ActionId(life.id_of("vetoed"))]
    other = replace(stored, action=replace(stored.action, claimed_cents=1))
    if change == "entry":
        other = replace(stored, entry=19)

    told = edited(rows, "vetoed", data=encode(other))

    says = "it says ActionVetoed in entry 19, the events ActionVetoed in entry 20"
    more = [("closed_differs", "vetoed of alice", says)] if change == "entry" else []
    assert told == sorted([*before, *more])
    assert {code for code, _, _ in before} <= {"leaf_missing", "leaf_malformed", "chain_broken"}


OFTEN = "it was written more often than it was changed"
VERSIONS = [
    ("alice", WRITTEN, "alice", "it was written more often than there are entries"),
    ("old", 4, "old of alice", OFTEN),
    ("new", 2, "new of alice", OFTEN),
    ("paid", 1, "paid of alice", "an action is ended and written once"),
]


@pytest.mark.parametrize(("name", "most", "where", "says"), VERSIONS)
def test_a_document_is_written_once_and_as_often_as_it_changed_at_most(
    rows: Rows, name: str, most: int, where: str, says: str
) -> None:
    wrong = [("version_wrong", where, says)]

    assert edited(rows, name, version=1) == []
    assert edited(rows, name, version=most) == []
    assert edited(rows, name, version=most + 1) == wrong
    assert edited(rows, name, version=0) == wrong


GONE = [
    ("alice", "account_missing", "alice", "its document is gone"),
    ("old", "destination_missing", "alice", "the document of destination old is gone"),
    (
        "vetoed",
        "closed_missing",
        "vetoed",
        "the action was ended in entry 20, and its document is gone",
    ),
]


@pytest.mark.parametrize(("name", "code", "where", "says"), GONE)
def test_a_document_that_is_gone_is_missed(
    rows: Rows, name: str, code: str, where: str, says: str
) -> None:
    del rows.documents[rows.place(name)]

    assert audit(rows).told == [(code, where, says)]


NO_KIND = "no account has a document of this kind and name"
STRANGE = [
    (Stored("session", "ses_x", 1, b"{}"), NO_KIND),
    (Stored("account", BOB, 1, b"{}"), NO_KIND),
    (Stored("destination", "dst_x", 1, b"{}"), "no event has listed this destination"),
    (Stored("action", "act_x", 1, b"{}"), "no event has ended this action"),
]


@pytest.mark.parametrize(("row", "says"), STRANGE)
def test_a_document_that_nothing_made_is_told(rows: Rows, row: Stored, says: str) -> None:
    rows.documents.append(row)

    assert audit(rows).told == [("stream_unknown", f"{row.row_id} of alice", says)]


def test_a_document_of_another_kind_under_an_accounts_name_is_told(rows: Rows) -> None:
    rows.documents.append(Stored("session", rows.account_id, 1, b"{}"))

    assert audit(rows).told == [("stream_unknown", "alice", NO_KIND)]


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"\xff", b'{"account_id":', b"[" * 17_000])
@pytest.mark.parametrize(
    ("name", "where", "kind"),
    [
        ("alice", "alice", "account"),
        ("old", "old of alice", "destination"),
        ("paid", "paid of alice", "action"),
    ],
)
def test_a_document_that_is_none_of_its_kind_is_told(
    rows: Rows, name: str, where: str, kind: str, data: bytes
) -> None:
    told = edited(rows, name, data=data)

    assert told == [("stream_broken", where, f"what was sealed is no {kind} of this version")]


def test_of_what_did_not_open_nothing_more_is_said(rows: Rows) -> None:
    rows.documents = [one._replace(data=None) for one in rows.documents]

    assert audit(rows).told == []


@pytest.mark.parametrize("name", ["alice", "old", "paid"])
def test_a_document_in_other_bytes_is_compared_by_its_values(rows: Rows, name: str) -> None:
    """An older version of ours may have left out what is written now, or the other way round."""
    data = rows.documents[rows.place(name)].data or b""
    spaced = msgspec.json.format(data, indent=1)
    assert spaced != data

    assert edited(rows, name, data=spaced) == []


LOST = 34  # From here on: a destination is removed after it, and an action done.


def lost(rows: Rows) -> None:
    rows.entries[LOST].kept = None


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.documents.clear(),
        lambda rows: rows.documents.append(Stored("destination", "dst_x", 9, None)),
        lambda rows: rows.documents.append(Stored("action", "act_x", 1, None)),
        lambda rows: edited(rows, "old", version=99),
        lambda rows: edited(rows, "old", data=encode(a_destination_of_hers(rows))),
        lambda rows: edited(rows, "alice", data=encode(an_account_of_hers(rows))),
        lambda rows: edited(rows, "vetoed", data=an_end_of_hers(rows)),
    ],
)
def test_of_documents_that_nobody_can_rebuild_nothing_is_said(
    rows: Rows, change: Callable[[Rows], object]
) -> None:
    lost(rows)
    change(rows)

    assert audit(rows).told == []


def a_destination_of_hers(rows: Rows) -> Destination:
    data = rows.documents[rows.place("old")].data or b""
    return replace(msgspec.json.decode(data, type=Destination), address="0x", version=8)


def an_account_of_hers(rows: Rows) -> Account:
    data = rows.documents[rows.place("alice")].data or b""
    return replace(msgspec.json.decode(data, type=Account), channels=())


def an_end_of_hers(rows: Rows) -> bytes:
    data = rows.documents[rows.place("vetoed")].data or b""
    return encode(replace(msgspec.json.decode(data, type=ClosedAction), entry=2))


@pytest.mark.parametrize("data", [b"null", b"[]"])
def test_of_documents_that_nobody_can_rebuild_the_form_is_looked_at(
    rows: Rows, data: bytes
) -> None:
    lost(rows)
    edited(rows, "alice", data=data)
    edited(rows, "old", data=data)
    edited(rows, "vetoed", data=data)
    rows.documents.append(Stored("action", "act_x", 2, b"[]"))
    rows.documents.append(Stored("session", "ses_x", 1, None))

    assert audit(rows).told == [
        ("stream_broken", "act_x of alice", "what was sealed is no action of this version"),
        ("stream_broken", "alice", "what was sealed is no account of this version"),
        ("stream_broken", "old of alice", "what was sealed is no destination of this version"),
        ("stream_broken", "vetoed of alice", "what was sealed is no action of this version"),
        ("stream_unknown", "ses_x of alice", NO_KIND),
        ("version_wrong", "act_x of alice", "an action is ended and written once"),
    ]


def test_an_account_whose_last_leaf_is_gone_ends_in_nothing(rows: Rows) -> None:
    """Its document still says what the leaf hashed to, which nobody can know any more."""
    rows.entries[-1].leaf = None
    gone = ("leaf_missing", "alice entry 38", "leaf 138, which should be its own, is gone")
    chain = ("account_differs", "alice", "its events make another chain")
    stored = msgspec.json.decode(rows.documents[0].data or b"", type=Account)

    assert audit(rows).told == [chain, gone]
    ends = replace(stored, chain=replace(stored.chain, last_leaf=""))
    assert edited(rows, "alice", data=encode(ends)) == [gone]


def test_an_account_that_was_just_opened_was_written_once(rows: Rows) -> None:
    rows.entries, rows.documents = rows.entries[:1], rows.documents[:1]
    wrong = ("version_wrong", "alice", VERSIONS[0][3])

    assert edited(rows, "alice", version=1, data=None) == []
    assert edited(rows, "alice", version=2) == [wrong]
