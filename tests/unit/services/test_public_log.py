import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace
from support.bundles import LOG_KEY, MALLORYS_KEY, ORIGIN, House, phone, trust
from support.stores import SteerableClock

from twinlock.domain.errors import UntrustedNoteError
from twinlock.domain.trust import Trust
from twinlock.ports.log import SignedHead
from twinlock.proofs.notes import verifier_key
from twinlock.services.logbook import NewestHeads
from twinlock.services.public_log import GROWTH_FOR, POINTS_MOST, LogSeen, PublicLog, sampled


@dataclass
class Times:
    """The times that the leaves of ``house`` say; ``asked`` counts how often somebody did."""

    house: House
    asked: int = 0

    async def times(self, indexes: tuple[int, ...]) -> Mapping[int, datetime]:
        self.asked += 1
        leaves = {index: json.loads(self.house.log.leaves[index]) for index in indexes}
        return {at: datetime.fromtimestamp(one["at"] / 1000, tz=UTC) for at, one in leaves.items()}


@dataclass
class Scene:
    """A house with one customer, and who looks at its log."""

    told: Trust = field(default_factory=trust)
    house: House = field(default_factory=House)
    clock: SteerableClock = field(default_factory=SteerableClock)

    def __post_init__(self) -> None:
        self.house.open_account(phone())
        self.times = Times(self.house)
        self.log = self.looking(times=self.times)

    def looking(self, *, times: Times | None) -> PublicLog:
        return PublicLog(
            origin=ORIGIN,
            published=NewestHeads(self.house, signer=self.house),
            told=lambda: self.told,
            times=times,
            clock=self.clock,
        )

    def look(self) -> LogSeen:
        return asyncio.run(self.log.look())


def test_what_is_shown_is_the_checkpoint_and_what_was_verified_of_it() -> None:
    scene = Scene()
    seen = scene.look()

    lines = seen.note.split("\n")
    assert lines[:2] == [ORIGIN, str(scene.house.log.size)] == [seen.origin, str(seen.size)]
    assert seen.root == scene.house.log.root()
    assert [one.signed for one in seen.keys] == [True]
    assert [one.name for one in seen.witnesses] == ["w1", "w2"]
    assert {one.cosigned_at for one in seen.witnesses} == {scene.house.now} == {seen.fresh_at}
    assert (seen.trust, seen.now) == (scene.told, scene.clock.at)
    assert scene.log.trust() == scene.told


def test_a_key_that_signs_later_is_named_and_said_not_to_have_signed() -> None:
    scene = Scene()
    log = f"log {verifier_key(ORIGIN, MALLORYS_KEY)}\n{scene.told.log}"
    scene.told = replace(scene.told, log=log)

    keys = scene.look().keys

    assert [(one.key, one.signed) for one in keys] == [
        (verifier_key(ORIGIN, MALLORYS_KEY), False),
        (verifier_key(ORIGIN, LOG_KEY), True),
    ]


def test_a_checkpoint_that_our_own_keys_did_not_sign_is_shown_to_nobody() -> None:
    scene = Scene()
    other = str(verifier_key(ORIGIN, MALLORYS_KEY))
    mine = str(verifier_key(ORIGIN, LOG_KEY))
    scene.told = replace(scene.told, log=scene.told.log.replace(mine, other))

    with pytest.raises(UntrustedNoteError):
        scene.look()


def test_without_a_quorum_nothing_is_said_of_how_fresh_a_head_is() -> None:
    scene = Scene(told=trust(quorum="none"))

    assert scene.look().fresh_at is None


@dataclass
class OneWitness:
    """Heads that the second witness has not cosigned. Implements ``PublishedHeads``."""

    house: House

    async def covering(self, size: int) -> SignedHead:
        shown = await NewestHeads(self.house, signer=self.house).covering(size)
        note = shown.note.rpartition(b"\xe2\x80\x94 ")[0]
        return SignedHead(head=shown.head, note=note)

    async def check_keeps_up(self) -> None:
        return


def test_a_witness_that_did_not_cosign_is_told_as_that() -> None:
    scene = Scene()
    log = PublicLog(
        origin=ORIGIN,
        published=OneWitness(scene.house),
        told=scene.log.trust,
        times=None,
        clock=scene.clock,
    )

    seen = asyncio.run(log.look())

    assert [one.cosigned_at for one in seen.witnesses] == [scene.house.now, None]
    assert (seen.fresh_at, seen.growth) == (None, ())


def test_growth_is_told_by_the_entries_own_times_from_the_first_to_the_last() -> None:
    scene = Scene()
    seen = scene.look()

    assert [one.size for one in seen.growth] == list(range(1, seen.size + 1))
    assert all(before.at <= after.at for before, after in pairwise(seen.growth))


def test_an_empty_log_has_not_grown() -> None:
    scene = Scene(house=House())
    scene.house.log = type(scene.house.log)()

    assert (scene.look().size, scene.look().growth) == (0, ())
    assert scene.times.asked == 0


def test_the_picture_is_drawn_anew_after_a_while_and_the_head_at_once() -> None:
    scene = Scene()
    before = scene.look()
    scene.house.open_account(phone("bob"))
    at_once = scene.look()
    scene.clock.advance(GROWTH_FOR + timedelta(seconds=1))
    later = scene.look()

    assert scene.times.asked == 2
    assert before.size < at_once.size == later.size
    assert before.growth == at_once.growth
    assert later.growth[-1].size == later.size


@pytest.mark.parametrize("size", [1, 2, POINTS_MOST, POINTS_MOST + 1, 1000, 10**9])
def test_few_entries_are_looked_at_the_first_and_the_last_among_them(size: int) -> None:
    found = sampled(size)

    assert (found[0], found[-1]) == (0, size - 1)
    assert len(found) == min(size, POINTS_MOST)
    assert list(found) == sorted(set(found))
    steps = {after - before for before, after in pairwise(found)}
    assert not steps or max(steps) - min(steps) <= 1
