"""A walk through the log misses what is not there, and minds the time."""

from datetime import UTC, datetime

import pytest
from support.officers import ADA, BEN, CLEO, Board

from twinlock.domain.audit.findings import Fault, Findings
from twinlock.domain.audit.leaves import fields_of
from twinlock.domain.audit.parts import Leaves, PlatformActs
from twinlock.domain.audit.walk import LeafWalk, Row
from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.log_keys import log_key_label, log_key_leaf
from twinlock.domain.officers.platform import label_of
from twinlock.domain.policy.version import PolicyName

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = b64url(b"p" * 32)
POLICIES = {POLICY.encode(): PolicyName(version=1, digest=POLICY)}


def row(
    index: int,
    *,
    at: int = 5,
    policy: str = POLICY,
    facts: bytes = b"{}",
    kind: str = "session.start",
    answer: str = "allow",
) -> Row:
    label = index.to_bytes(32, "big")
    leaf = {
        "at": at,
        "c": dict.fromkeys(fields_of(kind), "A" * 43),
        "dec": answer,
        "lbl": b64url(label),
        "pol": policy,
        "prev": "A" * 43,
        "t": kind,
        "v": 1,
    }
    return index, label, encode(leaf), facts


def walk(
    *rows: Row, start: int = 0, stop: int = 3, alone: bool = False
) -> tuple[LeafWalk, Findings]:
    findings = Findings()
    one = LeafWalk(
        Leaves(start=start, stop=stop, alone=alone),
        policies=POLICIES,
        log_keys=frozenset({"a key"}),
        findings=findings,
    )
    told = dict(one.take(rows))
    assert [index for index, _ in told.items()] == [row[0] for row in rows]
    return one, findings


def told(findings: Findings) -> list[tuple[Fault, str, str]]:
    return [(one.code, one.where, one.says) for one in findings.kept]


@pytest.mark.parametrize("alone", [False, True])
def test_a_sound_log_is_walked_through(alone: bool) -> None:
    rows = [row(7), row(8, at=6), row(9, at=6)]

    one, findings = walk(*rows, start=7, stop=10, alone=alone)

    assert one.finish() == b"".join(leaf_hash(entry) for _, _, entry, _ in rows)
    assert (findings.total, one.count, one.times) == (0, 3, (5, 6))


@pytest.mark.parametrize(
    ("there", "where", "says"),
    [
        ((1, 2), "leaf 0", "it is gone"),
        ((0, 2), "leaf 1", "it is gone"),
        ((0, 1), "leaf 2", "it is gone"),
        ((2,), "leaf 0", "it and all up to leaf 1 are gone"),
        ((), "leaf 0", "it and all up to leaf 2 are gone"),
    ],
)
def test_what_is_gone_is_missed(there: tuple[int, ...], where: str, says: str) -> None:
    one, findings = walk(*(row(index) for index in there))
    hashes = one.finish()

    (finding,) = findings.kept
    assert (finding.code, finding.where, finding.says) == (Fault.LEAF_MISSING, where, says)
    assert len(hashes) == 96
    assert [index for index in range(3) if hashes[32 * index :][:32] != bytes(32)] == list(there)


def test_time_that_runs_backwards_is_found_at_each_leaf() -> None:
    one, findings = walk(row(0, at=9), row(1, at=8), row(2, at=9))

    assert [(one.code, one.where) for one in findings.kept] == [(Fault.TIME_BACKWARDS, "leaf 1")]
    assert one.times == (9, 9)


@pytest.mark.parametrize("alone", [False, True])
def test_a_leaf_that_is_none_is_found_and_hashed_all_the_same(alone: bool) -> None:
    one, findings = walk((0, b"l" * 32, b"nonsense", b""), row(1), row(2), alone=alone)

    says = "it does not have the form of a leaf"
    assert told(findings) == [(Fault.LEAF_MALFORMED, "leaf 0", says)]
    assert one.finish()[:32] == leaf_hash(b"nonsense")


def test_a_leaf_that_only_looks_like_one_is_found_where_nobody_writes_it_again() -> None:
    index, label, entry, facts = row(0)
    spaced = entry.replace(b'"c":{"account"', b'"c":{ "account"')

    _, trusted = walk((index, label, spaced, facts), row(1), row(2))
    _, alone = walk((index, label, spaced, facts), row(1), row(2), alone=True)

    assert trusted.total == 0, "its account's entry will not hash to it"
    assert set(alone.counts) == {Fault.LEAF_MALFORMED}


def key_row(index: int, key: str = "a key", *, at: datetime = NOON) -> Row:
    return index, log_key_label(key), log_key_leaf(key, at=at), b""


@pytest.mark.parametrize("alone", [False, True])
def test_a_leaf_that_names_a_key_of_the_log_is_no_decision(alone: bool) -> None:
    rows = [row(0), key_row(1), row(2, at=10**13)]

    one, findings = walk(*rows, alone=alone)

    assert (findings.total, one.count) == (0, 3)
    assert one.finish()[32:64] == leaf_hash(rows[1][2])


# --- What officers did ---


def act_row(index: int, *, label: bytes = b"") -> Row:
    leaf = Board(ADA, BEN, CLEO).leaves[0]
    return index, label or label_of(0), encode(leaf), b""


def walk_with(acts: PlatformActs, *rows: Row) -> Findings:
    findings = Findings()
    one = LeafWalk(
        Leaves(start=0, stop=len(rows)),
        policies=POLICIES,
        log_keys=frozenset(),
        platform=acts,
        findings=findings,
    )
    kinds = {index: leaf.kind for index, leaf in one.take(rows)}
    named = {index for index, kind in kinds.items() if kind == b"platform.act"}
    assert named == {index for index, _, entry, _ in rows if b"platform.act" in entry}
    return findings


def test_an_act_of_officers_is_no_decision() -> None:
    rows = [act_row(0), row(1, at=1772366400000)]

    assert walk_with(PlatformActs(acts=frozenset({0})), *rows).total == 0


def test_of_an_act_label_place_and_time_are_looked_at() -> None:
    rows = [act_row(0, label=b"x" * 32), row(1)]

    assert told(walk_with(PlatformActs(), *rows)) == [
        (Fault.LEAF_LABEL_WRONG, "leaf 0", "the label beside it is another one"),
        (Fault.PLATFORM_WRONG, "leaf 0", "the head counts no such act of officers"),
        (Fault.TIME_BACKWARDS, "leaf 1", "it is of an earlier time than one before it"),
    ]


@pytest.mark.parametrize(
    ("kind", "answer", "left"),
    [
        ("withdrawal.crypto", "allow", True),
        ("convert.execute", "allow", True),
        ("action.spend", "allow", True),
        ("account.erased", "allow", True),
        ("withdrawal.crypto", "deny", False),
        ("session.start", "allow", False),
    ],
)
def test_only_a_yes_between_a_halt_and_its_end_is_value_that_left(
    kind: str, answer: str, left: bool
) -> None:
    rows = [row(index, kind=kind, answer=answer) for index in range(5)]

    findings = walk_with(PlatformActs(halts=((0, 2), (3, 9))), *rows)

    where = [finding.where for finding in findings.kept]
    assert where == (["leaf 1", "leaf 4"] if left else [])


def test_what_each_leaf_says_is_handed_on() -> None:
    """An account holds its entries against these; an erasure's mark is of a leaf's hash."""
    rows = [row(0, facts=b"{}"), key_row(1), (2, b"l" * 32, b"nonsense", b"")]
    part = Leaves(start=0, stop=3)
    one = LeafWalk(part, policies=POLICIES, log_keys=frozenset({"a key"}), findings=Findings())

    decided, named, broken = (
        (leaf.hash, leaf.at, leaf.facts, leaf.kind, leaf.answer, leaf.policy)
        for _, leaf in one.take(rows)
    )

    facts = tagged_hash("facts/v1", b"{}")
    hashes = [leaf_hash(entry) for _, _, entry, _ in rows]
    assert decided == (hashes[0], 5, facts, b"session.start", b"allow", POLICY.encode())
    assert named == (hashes[1], 0, b"", b"log.key", b"", b"")
    assert broken == (hashes[2], 0, b"", b"", b"", b"")


def test_of_a_leaf_that_names_a_key_label_time_and_key_are_looked_at() -> None:
    index, _, entry, facts = key_row(0, "another key")
    rows = [(index, b"x" * 32, entry, facts), key_row(1), row(2)]

    _, findings = walk(*rows)

    assert told(findings) == [
        (Fault.LEAF_LABEL_WRONG, "leaf 0", "the label beside it is another one"),
        (Fault.LOG_KEY_UNKNOWN, "leaf 0", "it names a key that is none of this log's"),
        (Fault.TIME_BACKWARDS, "leaf 2", "it is of an earlier time than one before it"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        (b'"v":1', b'"v":2'),
        (b'"key":"a key"', b'"key":"b key"'),
        (b'"t":"log.key"', b'"t":"log.kex"'),
        (b'"at":', b'"at": '),
        (b'"at":1', b'"at":-1'),
    ],
)
def test_what_is_nearly_a_leaf_that_names_a_key_is_none(change: tuple[bytes, bytes]) -> None:
    index, label, entry, facts = key_row(0)
    assert entry.replace(*change) != entry

    _, findings = walk((index, label, entry.replace(*change), facts), row(1), row(2))

    assert Fault.LEAF_MALFORMED in findings.counts


@pytest.mark.parametrize("alone", [False, True])
def test_another_label_and_an_unknown_policy_are_found(alone: bool) -> None:
    index, _, entry, facts = row(0)
    unknown = row(1, policy=b64url(b"q" * 32))

    _, findings = walk((index, b"x" * 32, entry, facts), unknown, row(2), alone=alone)

    assert told(findings) == [
        (Fault.LEAF_LABEL_WRONG, "leaf 0", "the label beside it is another one"),
        (Fault.LEAF_POLICY_UNKNOWN, "leaf 1", "the policy that decided is not kept"),
    ]


# --- By which policy ---


def test_what_another_policy_decided_than_was_in_force_is_found() -> None:
    other = b64url(b"o" * 32)
    known = {one.encode(): PolicyName(version=1, digest=one) for one in (POLICY, other)}
    findings = Findings()
    acts = PlatformActs(policies=((1, POLICY.encode()), (3, other.encode())))
    one = LeafWalk(
        Leaves(start=0, stop=7),
        policies=known,
        log_keys=frozenset(),
        platform=acts,
        findings=findings,
    )
    decided = {0: other, 2: POLICY, 4: other, 5: POLICY, 6: other}

    assert len(dict(one.take(row(index, policy=policy) for index, policy in decided.items()))) == 5

    wrong = [one.where for one in findings.kept if one.code is Fault.POLICY_NOT_IN_FORCE]
    assert wrong == ["leaf 5"]


def test_before_officers_activated_any_each_policy_may_have_decided() -> None:
    acts = PlatformActs(policies=((3, POLICY.encode()),))

    assert [acts.policy_at(index) for index in (0, 3, 4)] == [b"", b"", POLICY.encode()]
