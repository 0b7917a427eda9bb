"""Merkle trees: hashes, the growing right edge, inclusion and consistency proofs.

Always true (tests/property/test_log_properties.py):

* appending in any groups gives one root, that of RFC 6962 over all leaves;
* every proof made here verifies, and no proof verifies for another leaf, index, size or root;
* nothing is verified to a bool: a checked root comes back, or ``ProofError`` is raised.

Source: RFC 6962, 2.1 (hashes); RFC 9162, 2.1.3 and 2.1.4 (proofs). A *subtree* ``(level, index)``
is the complete one over leaves ``index·2^level`` to ``(index+1)·2^level - 1``.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

from twinlock.domain.errors import ProofError, invariant

HASH_BYTES = 32  # SHA-256
MAX_SIZE = 2**63 - 1  # Sizes and indexes fit a signed 64-bit integer everywhere.
MAX_PROOF_HASHES = 63  # The height of the largest tree.
EMPTY_ROOT = hashlib.sha256(b"").digest()

HashAt: TypeAlias = Callable[[int, int], bytes]
"""Returns the 32-byte hash of the complete subtree ``(level, index)``."""


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ entry): 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right): 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The right edge of a tree: what is needed to append to it and to know its root.

    ``edge`` holds the roots of the complete subtrees that the tree splits into, largest first: one
    for each one-bit of ``size``.
    """

    size: int = 0
    edge: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        invariant(self.size >= 0, "a tree has no negative size")
        invariant(len(self.edge) == self.size.bit_count(), "one edge hash per one-bit of the size")
        invariant(all(len(node) == HASH_BYTES for node in self.edge), "an edge hash has 32 bytes")

    def append(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """Return the frontier after these leaves, in order."""
        sha256, edge, size = hashlib.sha256, list(self.edge), self.size
        for leaf in leaf_hashes:
            invariant(len(leaf) == HASH_BYTES, "a leaf hash has 32 bytes")
            node, carry = leaf, size
            while carry & 1:  # Equal subtrees meet, as ones carry in a binary addition.
                node = sha256(b"\x01" + edge.pop() + node).digest()
                carry >>= 1
            edge.append(node)
            size += 1
        return Frontier(size=size, edge=tuple(edge))

    def root(self) -> bytes:
        """Return the tree's root: 32 bytes."""
        return _fold(self.edge) if self.edge else EMPTY_ROOT

    def to_bytes(self) -> bytes:
        """Return the edge, 32 bytes for each one-bit of ``size``."""
        return b"".join(self.edge)

    @classmethod
    def from_bytes(cls, size: int, edge: bytes) -> Self:
        """Return what ``to_bytes`` stored for a tree of ``size`` leaves."""
        invariant(len(edge) == HASH_BYTES * size.bit_count(), "a stored edge fits its size")
        return cls(size=size, edge=split_hashes(edge))


def split_hashes(data: bytes) -> tuple[bytes, ...]:
    """Return the 32-byte hashes that ``data`` is made of."""
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def frontier_at(size: int, hash_at: HashAt) -> Frontier:
    """Return the frontier of the first ``size`` leaves, from stored subtrees.

    At start-up its root must be the signed one: this sees a changed right edge, though not an old
    leaf rewritten together with its tile.
    """
    return Frontier(size=size, edge=tuple(hash_at(*at) for at in _complete_subtrees(0, size)))


def inclusion_proof(index: int, size: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """Return the sibling hashes of leaf ``index`` in a tree of ``size`` leaves, lowest first.

    Raises:
        ProofError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    return _siblings(0, index, size, hash_at)


def consistency_proof(old_size: int, new_size: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """Return the hashes showing that the tree of ``old_size`` begins the one of ``new_size``.

    Raises:
        ProofError: the old size is negative or above the new one.
    """
    if not 0 <= old_size <= new_size:
        raise ProofError(f"no tree of {old_size} leaves begins one of {new_size}")
    if old_size in (0, new_size):
        return ()
    # The last complete subtree of the old tree; the verifier knows it when it is the whole of it.
    level = (old_size & -old_size).bit_length() - 1
    index = (old_size >> level) - 1
    known = () if index == 0 else (hash_at(level, index),)
    return known + _siblings(level, index, new_size, hash_at)


def verify_inclusion(
    leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bytes:
    """Return ``root``, having checked that the leaf hash ``leaf`` stands at ``index`` under it.

    Raises:
        ProofError: it does not, or any part has a wrong length or range.

    Source: RFC 9162, 2.1.3.2.
    """
    _refuse_shapes((leaf, root, *proof), len(proof))
    if not 0 <= index < size <= MAX_SIZE:  # Step 1.
        raise ProofError(f"no leaf {index} in a tree of {size}")
    node = leaf  # Steps 2 to 4.
    for sibling, left in zip(proof, _sides(index, size - 1, len(proof)), strict=True):
        node = node_hash(sibling, node) if left else node_hash(node, sibling)
    if node != root:  # Step 5.
        raise ProofError("the inclusion proof leads to another root")
    return root


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bytes:
    """Return ``new_root``, having checked that its tree begins with that of ``old_root``.

    Raises:
        ProofError: it does not, or any part has a wrong length or range.

    Source: RFC 9162, 2.1.4.2, which leaves out equal sizes and the empty tree.
    """
    _refuse_shapes((old_root, new_root, *proof), len(proof))
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise ProofError(f"no tree of {old_size} leaves begins one of {new_size}")
    for size, root in ((old_size, old_root), (new_size, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise ProofError("the empty tree has another root")
    if old_size in (0, new_size):
        if proof:
            raise ProofError("nothing is to be proved, yet there is a proof")
        if old_size == new_size and old_root != new_root:
            raise ProofError("one size with two roots")
        return new_root
    return _verify_growth(old_size, old_root, new_size, new_root, proof)


def _verify_growth(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bytes:
    if not proof:  # Step 1.
        raise ProofError("an empty proof cannot show growth")
    if old_size.bit_count() == 1:  # Step 2.
        proof = (old_root, *proof)
    first, last = old_size - 1, new_size - 1  # Steps 3 and 4.
    while first & 1:
        first, last = first >> 1, last >> 1
    old_node = new_node = proof[0]  # Steps 5 and 6.
    for sibling, left in zip(proof[1:], _sides(first, last, len(proof) - 1), strict=True):
        if left:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
        else:
            new_node = node_hash(new_node, sibling)
    if old_node != old_root:  # Step 7.
        raise ProofError("the consistency proof leads to another old root")
    if new_node != new_root:
        raise ProofError("the consistency proof leads to another new root")
    return new_root


def _refuse_shapes(hashes: Iterable[bytes], proof_length: int) -> None:
    """Prevents: an entry or an inner node's 64-byte preimage passed off as a hash."""
    if proof_length > MAX_PROOF_HASHES:
        raise ProofError(f"a proof has at most {MAX_PROOF_HASHES} hashes")
    if any(len(node) != HASH_BYTES for node in hashes):
        raise ProofError("a hash does not have 32 bytes")


def _sides(first: int, last: int, count: int) -> list[bool]:
    """Say for each of ``count`` siblings, lowest first, whether it stands to the left.

    The path climbs from node ``first`` of a level whose last node is ``last``. The siblings must
    reach the root and end there. Source: RFC 9162, 2.1.3.2, step 4.
    """
    sides: list[bool] = []
    for _ in range(count):
        if last == 0:  # a.
            raise ProofError("the proof goes on above the root")
        left = bool(first & 1) or first == last  # b.
        sides.append(left)
        while left and not first & 1 and first:  # A last node without sibling rises as it is.
            first, last = first >> 1, last >> 1
        first, last = first >> 1, last >> 1  # c.
    if last != 0:  # Step 5.
        raise ProofError("the proof ends below the root")
    return sides


def _siblings(level: int, index: int, size: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """Return the siblings on the way from subtree ``(level, index)`` to the root of ``size``."""
    found: list[bytes] = []
    last = (size - 1) >> level
    while last:
        if index & 1:
            found.append(hash_at(level, index - 1))
        elif index < last:
            found.append(_node_at(level, index + 1, size, hash_at))
        level, index, last = level + 1, index >> 1, last >> 1
    return tuple(found)


def _node_at(level: int, index: int, size: int, hash_at: HashAt) -> bytes:
    """Return a node of the tree of ``size`` leaves; the last of a level may be incomplete."""
    start, end = index << level, min((index + 1) << level, size)
    return _fold([hash_at(*at) for at in _complete_subtrees(start, end)])


def _complete_subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """Return the subtrees that leaves ``start`` to ``end - 1`` split into, largest first.

    ``start`` is a multiple of the largest power of two within ``end - start``, as in every node.
    """
    found: list[tuple[int, int]] = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def _fold(nodes: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees, largest first."""
    root = nodes[-1]
    for node in reversed(nodes[:-1]):
        root = node_hash(node, root)
    return root
