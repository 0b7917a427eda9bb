from collections.abc import Callable
from typing import Any

import pytest

from twinlock.domain.errors import InvariantError, ProofError
from twinlock.domain.log.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    Frontier,
    HashAt,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(bytes([number])) for number in range(8)]
OTHER = leaf_hash(b"other")


def hash_at(level: int, index: int) -> bytes:
    if level == 0:
        return LEAVES[index]
    return node_hash(hash_at(level - 1, 2 * index), hash_at(level - 1, 2 * index + 1))


def root(size: int) -> bytes:
    return Frontier().append(LEAVES[:size]).root()


def a_growth(**changes: object) -> Callable[[], bytes]:
    sound: dict[str, Any] = {
        "old_size": 3,
        "old_root": root(3),
        "new_size": 7,
        "new_root": root(7),
        "proof": consistency_proof(3, 7, hash_at),
    }
    return lambda: verify_consistency(**{**sound, **changes})


def test_a_leaf_is_never_hashed_as_a_node() -> None:
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])


def test_a_tree_without_leaves_has_the_empty_root() -> None:
    assert Frontier().root() == EMPTY_ROOT
    assert Frontier().append([]) == Frontier()


def test_a_tree_splits_at_the_largest_power_of_two() -> None:
    left, right = node_hash(LEAVES[0], LEAVES[1]), LEAVES[2]

    assert root(3) == node_hash(left, right)


def test_a_frontier_is_stored_as_32_bytes_for_each_one_bit_of_its_size() -> None:
    frontier = Frontier().append(LEAVES[:7])

    assert len(frontier.to_bytes()) == 3 * 32
    assert Frontier.from_bytes(7, frontier.to_bytes()) == frontier


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: Frontier(size=-1), id="a negative size"),
        pytest.param(lambda: Frontier(size=3, edge=(OTHER,)), id="too few hashes"),
        pytest.param(lambda: Frontier(size=1, edge=(b"short",)), id="a short hash"),
        pytest.param(lambda: Frontier.from_bytes(1, bytes(31)), id="a stored edge cut short"),
        pytest.param(lambda: Frontier.from_bytes(1, bytes(64)), id="a stored edge of another size"),
        pytest.param(lambda: Frontier().append([b"entry"]), id="an entry appended as a hash"),
    ],
)
def test_a_frontier_cannot_be_built_wrong(build: Callable[[], object]) -> None:
    with pytest.raises(InvariantError):
        build()


def test_the_frontier_of_stored_subtrees_is_the_one_that_grew() -> None:
    assert frontier_at(7, hash_at) == Frontier().append(LEAVES[:7])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_inclusion_proof_for_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofError, match="no leaf"):
        inclusion_proof(index, size, hash_at)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_there_is_no_consistency_proof_to_a_smaller_tree(old: int, new: int) -> None:
    with pytest.raises(ProofError, match="no tree"):
        consistency_proof(old, new, hash_at)


@pytest.mark.parametrize("index", [0, 6])
def test_a_proven_leaf_gives_back_the_checked_root(index: int) -> None:
    proof = inclusion_proof(index, 7, hash_at)

    checked = verify_inclusion(LEAVES[index], index=index, size=7, proof=proof, root=root(7))

    assert checked == root(7)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"index": -1}, "no leaf", id="negative index"),
        pytest.param({"index": 7}, "no leaf", id="index equal to the size"),
        pytest.param({"size": 0, "index": 0, "proof": ()}, "no leaf", id="empty tree"),
        pytest.param({"size": MAX_SIZE + 1}, "no leaf", id="size beyond 63 bits"),
        pytest.param({"leaf": b"entry"}, "32 bytes", id="leaf is not a hash"),
        pytest.param({"root": b""}, "32 bytes", id="root is not a hash"),
        pytest.param({"proof": (OTHER, b"short")}, "32 bytes", id="short proof hash"),
        pytest.param({"proof": (OTHER,) * 64}, "at most 63", id="64 hashes"),
        pytest.param({"proof": (OTHER,) * 63}, "above the root", id="63 hashes"),
        pytest.param({"proof": ()}, "below the root", id="no hashes"),
        pytest.param({"proof": (OTHER,) * 3}, "another root", id="other hashes"),
        pytest.param({"leaf": OTHER}, "another root", id="another leaf"),
        pytest.param({"root": OTHER}, "another root", id="another root"),
        pytest.param({"index": 3}, "another root", id="another index"),
    ],
)
def test_an_unsound_inclusion_proof_is_refused(changes: dict[str, Any], reason: str) -> None:
    sound: dict[str, Any] = {
        "leaf": LEAVES[2],
        "index": 2,
        "size": 7,
        "proof": inclusion_proof(2, 7, hash_at),
        "root": root(7),
    }
    given = {**sound, **changes}

    with pytest.raises(ProofError, match=reason):
        verify_inclusion(given.pop("leaf"), **given)


def test_the_largest_size_is_accepted() -> None:
    siblings = [bytes([level]) * 32 for level in range(63)]
    top = OTHER
    for sibling in siblings:
        top = node_hash(top, sibling)

    assert verify_inclusion(OTHER, index=0, size=MAX_SIZE, proof=siblings, root=top) == top


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(0, 0, id="both empty"),
        pytest.param(0, 5, id="from the empty tree"),
        pytest.param(5, 5, id="the same tree"),
        pytest.param(4, 7, id="from a complete tree"),
        pytest.param(3, 7, id="from an incomplete tree"),
    ],
)
def test_proven_growth_gives_back_the_checked_new_root(old: int, new: int) -> None:
    proof = consistency_proof(old, new, hash_at)

    checked = verify_consistency(
        old_size=old, old_root=root(old), new_size=new, new_root=root(new), proof=proof
    )

    assert checked == root(new)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"old_size": -1}, "no tree", id="negative size"),
        pytest.param({"old_size": 8}, "no tree", id="a tree that shrank"),
        pytest.param({"new_size": MAX_SIZE + 1}, "no tree", id="size beyond 63 bits"),
        pytest.param({"old_root": b""}, "32 bytes", id="short old root"),
        pytest.param({"new_root": b""}, "32 bytes", id="short new root"),
        pytest.param({"proof": (b"",)}, "32 bytes", id="short proof hash"),
        pytest.param({"proof": (OTHER,) * 64}, "at most 63", id="64 hashes"),
        pytest.param({"proof": (OTHER,) * 63}, "above the root", id="63 hashes"),
        pytest.param({"proof": ()}, "empty proof", id="no proof"),
        pytest.param({"proof": (OTHER,)}, "below the root", id="proof cut short"),
        pytest.param({"proof": (OTHER,) * 4}, "another old root", id="other hashes"),
        pytest.param({"old_root": OTHER}, "another old root", id="another old root"),
        pytest.param({"new_root": OTHER}, "another new root", id="another new root"),
        pytest.param({"old_size": 7}, "yet there is a proof", id="equal sizes with a proof"),
        pytest.param(
            {"old_size": 7, "proof": ()}, "one size with two roots", id="equal sizes, two roots"
        ),
        pytest.param(
            {"old_size": 0, "old_root": EMPTY_ROOT},
            "yet there is a proof",
            id="empty old tree with a proof",
        ),
        pytest.param(
            {"old_size": 0, "proof": ()}, "empty tree has another", id="empty tree, another root"
        ),
        pytest.param(
            {"old_size": 0, "old_root": EMPTY_ROOT, "new_size": 0, "proof": ()},
            "empty tree has another",
            id="empty new tree, another root",
        ),
    ],
)
def test_unsound_growth_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ProofError, match=reason):
        a_growth(**changes)()


def test_a_complete_old_tree_is_proved_without_repeating_its_root() -> None:
    asked: list[tuple[int, int]] = []

    def recorded(level: int, index: int) -> bytes:
        asked.append((level, index))
        return hash_at(level, index)

    accessor: HashAt = recorded
    consistency_proof(4, 7, accessor)

    assert (2, 0) not in asked


def test_the_largest_tree_is_one_and_a_larger_is_none() -> None:
    def grown(size: int) -> bytes:
        return verify_consistency(
            old_size=0, old_root=EMPTY_ROOT, new_size=size, new_root=bytes(32), proof=()
        )

    assert grown(MAX_SIZE) == bytes(32)
    with pytest.raises(ProofError, match="no tree"):
        grown(MAX_SIZE + 1)
