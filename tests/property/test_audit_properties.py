"""What the audit makes in its own quick way is what the domain makes in its plain one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.worlds import an_account

from twinlock.domain.account import Chain
from twinlock.domain.audit.findings import Findings
from twinlock.domain.audit.leaves import form_of, read, said
from twinlock.domain.audit.openings import (
    Committer,
    Keyed,
    framed,
    hashed,
    read_hashes,
    write_hashes,
)
from twinlock.domain.audit.tree import Tree, check_tiles
from twinlock.domain.canonical import b64url, commit, from_b64url, tagged_hash, tagged_mac
from twinlock.domain.catalogue import CLASS_OF, UNKNOWN_TYPE
from twinlock.domain.decisions import Decision
from twinlock.domain.entries import SALTS_BYTES, Entry, Origin, entry_key, entry_label, record
from twinlock.domain.errors import MalformedError
from twinlock.domain.events import AccountOpened, ActionSpent, Event
from twinlock.domain.ids import ActionId
from twinlock.domain.log.merkle import Frontier, leaf_hash
from twinlock.domain.log.tiles import TILE_BYTES, TILE_WIDTH, grow
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.requirements import Answer

KEYS = st.binary(min_size=32, max_size=32)
VALUES = st.one_of(st.binary(max_size=400), st.just(b"x" * 16_384))
FIELDS = st.lists(st.from_regex(r"[a-z_]{1,20}", fullmatch=True), min_size=1, max_size=9)
AT = datetime(2026, 5, 1, 12, 30, 15, 123_000, tzinfo=UTC)


@given(fields=FIELDS, data=st.data())
def test_commitments_are_those_of_the_log_format(fields: list[str], data: st.DataObject) -> None:
    salts = data.draw(st.lists(KEYS, min_size=len(fields), max_size=len(fields)))
    values = data.draw(st.lists(VALUES, min_size=len(fields), max_size=len(fields)))

    made = Committer(fields).commitments([b64url(salt) for salt in salts], values)

    triples = zip(salts, fields, values, strict=True)
    assert made == [b64url(commit(*one)).encode() for one in triples]


@given(key=KEYS, parts=st.lists(VALUES, max_size=3), last=VALUES)
def test_macs_and_hashes_are_those_of_the_log_format(
    key: bytes, parts: list[bytes], last: bytes
) -> None:
    frame = framed("any/v1", *parts, last=len(last))

    assert Keyed(key).mac(frame + last) == tagged_mac(key, "any/v1", *parts, last)
    assert Keyed(key).mac(framed("any/v1")) == tagged_mac(key, "any/v1")
    assert hashed(framed("any/v1"), parts) == tagged_hash("any/v1", *parts)


@given(hashes=st.lists(KEYS, min_size=1, max_size=9))
def test_hashes_are_written_and_read_as_elsewhere(hashes: list[bytes]) -> None:
    texts = [b64url(one) for one in hashes]

    assert write_hashes(hashes) == [text.encode() for text in texts]
    assert read_hashes(texts) == b"".join(one + b"\0" for one in hashes)


@given(
    texts=st.lists(
        st.one_of(
            KEYS.map(b64url),
            st.text(alphabet="ABCxyz019-_+/=é A", min_size=41, max_size=45),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_the_plain_way_refuses_is_refused(texts: list[str]) -> None:
    try:
        plain = [from_b64url(text, size=32) for text in texts]
    except MalformedError:
        with pytest.raises(MalformedError):
            read_hashes(texts)
    else:
        assert read_hashes(texts) == b"".join(one + b"\0" for one in plain)


KINDS = {
    *CLASS_OF,
    UNKNOWN_TYPE,
    "account.open",
    "action.spend",
    "action.veto",
    "candidate.offer",
    "destination.import",
    "session.end",
}
SPENT = ActionSpent(
    at=AT, action_id=ActionId("act_x"), spend_id="s", fee_minor="7", value_cents=50_00
)
OPENED = AccountOpened(at=AT, account=an_account())
OWN: dict[str, tuple[Event, ...]] = {"action.spend": (SPENT,), "account.open": (OPENED,)}


@given(
    kind=st.sampled_from(sorted(KINDS)),
    answer=st.sampled_from(Answer),
    number=st.integers(0, 2**40),
    salts=st.binary(min_size=SALTS_BYTES, max_size=SALTS_BYTES),
)
def test_a_leaf_is_written_again_byte_for_byte(
    kind: str, answer: Answer, number: int, salts: bytes
) -> None:
    events = OWN.get(kind, ())
    decision = Decision(kind=kind, action_id="act_x", answer=answer, events=events)
    chain = Chain(label_key=b64url(b"k" * 32), entries=number, last_leaf=b64url(b"l" * 32))
    policy = PolicyName(version=1, digest=b64url(b"p" * 32))
    origin = Origin(account_id="acc_x", actor="me", policy=policy)

    entry, _ = record(decision, chain, origin=origin, at=AT, salts=salts)

    assert rewritten(entry, number) == entry.leaf
    assert read(entry.leaf).t == kind


def rewritten(entry: Entry, number: int) -> bytes:
    found = said(entry.leaf)
    assert found is not None
    form = form_of(found.kind)
    assert form is not None
    openings = [entry.openings[field] for field in form.fields]
    key = entry_key(b"k" * 32, number)
    return form.write(
        at=found.at,
        answer=found.answer,
        policy=found.policy,
        commitments=form.commitments(
            [one.salt for one in openings], [one.value.encode() for one in openings]
        ),
        label=b64url(entry_label(key)).encode(),
        previous=b64url(tagged_mac(key, "prev/v1", b"l" * 32)).encode(),
    )


@given(size=st.integers(0, 700), asked=st.integers(0, 700))
def test_the_tree_that_is_hashed_again_is_the_tree(size: int, asked: int) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    stored = grow(0, {}, leaves)
    findings = Findings()
    level0 = b"".join(leaves)
    rows = {number: row for (level, number), row in stored.items() if level == 0}

    roots = check_tiles(0, 0, level0, rows, findings)
    check_tiles(1, 0, roots, {0: stored.get((1, 0), b"")}, findings)
    tree = Tree((level0, roots))

    assert findings.total == 0
    assert len(roots) == 32 * (size // TILE_WIDTH)
    part = min(asked, size)
    assert tree.root(part) == Frontier().append(leaves[:part]).root()


@given(size=st.integers(1, 600), at=st.integers(0, 600 * 32 - 1))
def test_any_changed_byte_of_a_tile_is_found(size: int, at: int) -> None:
    level0 = b"".join(leaf_hash(b"%d" % number) for number in range(size))
    at %= len(level0)
    changed = level0[:at] + bytes([level0[at] ^ 1]) + level0[at + 1 :]
    rows = {
        number: changed[number * TILE_BYTES : (number + 1) * TILE_BYTES]
        for number in range(-(-len(level0) // TILE_BYTES))
    }
    findings = Findings()

    check_tiles(0, 0, level0, rows, findings)

    (finding,) = findings.kept
    assert finding.where == f"tile 0/{at // TILE_BYTES}"
    assert f"hash {at % TILE_BYTES // 32} " in finding.says
