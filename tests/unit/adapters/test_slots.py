"""What leaves say, in a file that several processes share."""

from pathlib import Path

import pytest

from twinlock.adapters.slots import Slots
from twinlock.domain.audit.accounts import StoredLeaf
from twinlock.domain.requirements import Answer

POLICIES = (b"P" * 43, b"Q" * 43)


def leaf(number: int, *, policy: bytes = POLICIES[1], answer: Answer = Answer.HOLD) -> StoredLeaf:
    return StoredLeaf(
        bytes([number]) * 32, 10**12 + number, b"f" * 32, b"a.b", answer.encode(), policy
    )


def test_what_was_put_is_claimed_through_another_mapping(tmp_path: Path) -> None:
    path = tmp_path / "slots"
    with Slots.open(path, 3, POLICIES) as one, Slots.open(path, 3, POLICIES) as other:
        for answer, number in zip((Answer.ALLOW, Answer.DENY), (2, 1), strict=True):
            one.put(number, leaf(number, answer=answer))

        assert list(other.unclaimed()) == [1, 2]
        assert other.claim(1) == leaf(1, answer=Answer.DENY)
        assert other.claim(2) == leaf(2, answer=Answer.ALLOW)
        assert list(one.unclaimed()) == []
        assert one[0:96] == bytes(32) + b"\1" * 32 + b"\2" * 32
        assert len(one) == 96
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("index", [-1, 0, 3, 2**62])
def test_nobody_claims_a_leaf_that_is_not_there(tmp_path: Path, index: int) -> None:
    with Slots.open(tmp_path / "slots", 3, POLICIES) as slots:
        slots.put(1, leaf(1))

        assert slots.claim(index) is None


@pytest.mark.parametrize("policies", [(), POLICIES])
def test_a_leaf_that_says_nothing_or_names_an_unknown_policy_is_claimed_all_the_same(
    tmp_path: Path, policies: tuple[bytes, ...]
) -> None:
    with Slots.open(tmp_path / "slots", 2, policies) as slots:
        slots.put(0, StoredLeaf(b"h" * 32, 0, b"", b"", b"", b""))
        slots.put(1, leaf(1, policy=b"X" * 43))

        mute, unknown = slots.claim(0), slots.claim(1)

        assert mute is not None
        assert (mute.hash, mute.kind) == (b"h" * 32, b"")
        assert unknown == leaf(1, policy=b"")
        assert list(slots.unclaimed()) == []


def test_an_empty_log_has_no_slots(tmp_path: Path) -> None:
    with Slots.open(tmp_path / "slots", 0, POLICIES) as slots:
        assert (len(slots), slots[0:32], list(slots.unclaimed())) == (0, b"", [])
