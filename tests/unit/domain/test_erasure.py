"""What the leaf of an erasure says, held against what is claimed of it."""

import json
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICE, BOB, NOON
from support.worlds import ERASE

from twinlock.domain.account import Chain, OpenAction, Shown
from twinlock.domain.assurance import Factor
from twinlock.domain.canonical import b64url, commit, encode, tagged_mac
from twinlock.domain.entries import (
    Kept,
    Opening,
    entry_key,
    entry_label,
    erased_value,
    events_digest,
    leaf_time,
)
from twinlock.domain.erasure import OwnLeaves, check_erased, check_proved, proof_entries
from twinlock.domain.errors import LogDamagedError, MalformedError
from twinlock.domain.events import ProofAccepted
from twinlock.domain.ids import ActionId, AuthenticatorId, ChallengeId, MemberId
from twinlock.domain.log.merkle import leaf_hash

SALT, OTHER = b"s" * 32, b"o" * 32


def leaf(kind: str = "account.erased", *, field: str = "erased") -> bytes:
    commitment = commit(SALT, "erased", erased_value(ALICE, 7))
    return encode({"at": 1, "c": {field: b64url(commitment)}, "t": kind})


def test_a_leaf_says_whose_erasure_it_is_and_of_how_many_entries() -> None:
    assert json.loads(erased_value(ALICE, 7)) == [ALICE, 7]
    check_erased(leaf(), ALICE, entries=7, salt=SALT)


@pytest.mark.parametrize(
    ("said", "account", "entries", "salt"),
    [
        (leaf(), BOB, 7, SALT),
        (leaf(), ALICE, 6, SALT),
        (leaf(), ALICE, 8, SALT),
        (leaf(), ALICE, 7, OTHER),
        (leaf(), ALICE, 7, b""),
        (leaf("account.erase"), ALICE, 7, SALT),
        (leaf(field="account"), ALICE, 7, SALT),
        (b"", ALICE, 7, SALT),
        (b"{}", ALICE, 7, SALT),
        (b'{"at":1,"c":{},"t":"account.erased"}', ALICE, 7, SALT),
        (b"\xff", ALICE, 7, SALT),
    ],
)
def test_a_leaf_that_says_anything_else_is_no_erasure(
    said: bytes, account: str, entries: int, salt: bytes
) -> None:
    with pytest.raises(LogDamagedError):
        check_erased(said, account, entries=entries, salt=salt)


# --- The proof that began its wait ---

SHOWN = Shown(
    source=AuthenticatorId("aut_1"),
    factor=Factor.PASSKEY,
    root="roaming:aut_1",
    bound_at=NOON,
    at=NOON,
    entry=4,
)
ACTION = OpenAction(
    action_id=ActionId("act_1"),
    member_id=MemberId("mem_1"),
    payload=ERASE,
    digest="digest",
    proposed_at=NOON,
    lapses_at=NOON,
    veto_key="",
    proved_at=NOON,
    shown=(replace(SHOWN, at=NOON - timedelta(minutes=1), entry=3), SHOWN),
)
ACCEPTED = ProofAccepted(
    at=NOON,
    action_id=ACTION.action_id,
    challenge_id=ChallengeId("chl_1"),
    shown=SHOWN,
    proved=True,
)


def recorded(event: ProofAccepted, *, at: datetime = NOON) -> tuple[bytes, Kept]:
    """Return the leaf of an entry with ``event``, and what is kept of it."""
    value = encode(events_digest((event,)))
    openings = {"events": Opening(b64url(SALT), value.decode())}
    commitments = {"events": b64url(commit(SALT, "events", value))}
    leaf = encode({"at": leaf_time(at), "c": commitments, "t": "account.erase"})
    return leaf, Kept(events=(event,), openings=openings)


def test_the_entry_of_a_proof_is_the_one_that_completed_it() -> None:
    assert proof_entries(ACTION) == (4,)
    assert proof_entries(replace(ACTION, shown=())) == ()


def test_of_what_was_shown_at_one_time_any_may_have_completed_the_proof() -> None:
    """Prevents: an erasure that nobody can carry out, since two proofs were decided together."""
    beside = replace(SHOWN, factor=Factor.PASSWORD, source=AuthenticatorId("aut_0"), entry=3)

    assert proof_entries(replace(ACTION, shown=(beside, SHOWN))) == (3, 4)


def test_a_proof_that_its_entry_shows_is_one() -> None:
    check_proved(ACTION, *recorded(ACCEPTED))


LATE = NOON + timedelta(days=30)


@pytest.mark.parametrize(
    ("action", "entry"),
    [
        (ACTION, recorded(ACCEPTED, at=LATE)),
        (ACTION, recorded(replace(ACCEPTED, at=LATE), at=LATE)),
        (ACTION, recorded(replace(ACCEPTED, at=LATE))),
        (ACTION, recorded(replace(ACCEPTED, proved=False))),
        (ACTION, recorded(replace(ACCEPTED, action_id=ActionId("act_2")))),
        (replace(ACTION, proved_at=NOON - timedelta(days=1)), recorded(ACCEPTED)),
        (replace(ACTION, proved_at=None), recorded(ACCEPTED)),
        (ACTION, (recorded(ACCEPTED)[0], Kept(events=(ACCEPTED,), openings={}))),
        (ACTION, (recorded(ACCEPTED)[0], recorded(replace(ACCEPTED, at=LATE))[1])),
        (ACTION, (recorded(ACCEPTED)[0], replace(recorded(ACCEPTED)[1], events=()))),
        (ACTION, (recorded(replace(ACCEPTED, at=LATE))[0], recorded(ACCEPTED)[1])),
        (ACTION, (leaf(field="account"), recorded(ACCEPTED)[1])),
    ],
)
def test_a_proof_that_the_log_does_not_show_is_none(
    action: OpenAction, entry: tuple[bytes, Kept]
) -> None:
    """Prevents: a document in which somebody has waited who has not."""
    with pytest.raises(LogDamagedError):
        check_proved(action, *entry)


LABEL_KEY, NEIGHBOURS_KEY = b"a" * 32, b"b" * 32


def chained(*, key: bytes = LABEL_KEY, count: int = 3) -> tuple[list[bytes], Chain]:
    """Return the leaves of an account with ``count`` entries, and its chain."""
    leaves, last = list[bytes](), b""
    for number in range(count):
        own = entry_key(key, number)
        before = b64url(tagged_mac(own, "prev/v1", last))
        said = {"at": 1, "c": {}, "lbl": b64url(entry_label(own)), "prev": before, "t": "x"}
        leaves.append(encode(said))
        last = leaf_hash(leaves[-1])
    return leaves, Chain(label_key=b64url(key), entries=count, last_leaf=b64url(last))


def taken(leaves: list[bytes], chain: Chain, *, first: int = 0) -> list[bytes]:
    own = OwnLeaves(chain)
    hashes = [own.take(one, number=number) for number, one in enumerate(leaves, first)]
    own.finish()
    return hashes


def test_an_account_s_own_leaves_are_told_by_its_document() -> None:
    leaves, chain = chained()
    assert taken(leaves, chain) == [leaf_hash(one) for one in leaves]


THEIRS, OURS = chained(key=NEIGHBOURS_KEY)[0], chained()[0]
EDITED = OURS[2].replace(b'"at":1', b'"at":2')


@pytest.mark.parametrize(
    ("leaves", "first"),
    [
        ([OURS[0], THEIRS[1], OURS[2]], 0),
        ([OURS[0], OURS[2], OURS[1]], 0),
        ([OURS[0].replace(b'"at":1', b'"at":2'), *OURS[1:]], 0),
        ([*OURS[:2], EDITED], 0),
        (OURS[:2], 0),
        (OURS[1:], 1),
        (OURS, 1),
        (chained(count=4)[0], 0),
        ([OURS[0], OURS[1], b""], 0),
        ([OURS[0], OURS[1], b"\xff"], 0),
        ([OURS[0], OURS[1], leaf()], 0),
        ([], 0),
    ],
    ids=[
        "a neighbour's",
        "out of order",
        "an edited one",
        "an edited last one",
        "one too few",
        "without the first",
        "other numbers",
        "one too many",
        "one that is gone",
        "no text",
        "one without a label",
        "none",
    ],
)
def test_other_leaves_are_not_the_account_s(leaves: list[bytes], first: int) -> None:
    """Prevents: a neighbour's entry that is marked as erased."""
    with pytest.raises(LogDamagedError):
        taken(leaves, chained()[1], first=first)


def test_a_label_key_of_another_length_is_none() -> None:
    short = Chain(label_key=b64url(bytes(31)), entries=1, last_leaf="")

    with pytest.raises(MalformedError):
        OwnLeaves(short)
