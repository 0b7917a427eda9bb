"""The audit as a whole, over a log in memory: rounds, times across parts, upper tiles, verdict."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.domain.audit.findings import Fault, Findings, Found
from twinlock.domain.audit.parts import Checked, Extent, Leaves, Part, Rest, Span
from twinlock.domain.audit.tree import check_tiles
from twinlock.domain.errors import AnchorWrongError, UntrustedNoteError
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import Frontier, leaf_hash
from twinlock.domain.log.tiles import TILE_WIDTH, grow
from twinlock.domain.log.trust import TrustPolicy, parse_trust_policy
from twinlock.ports.log import Anchor
from twinlock.proofs.notes import sign_checkpoint, verifier_key
from twinlock.services.auditing import Auditing, Verdict

ORIGIN = "log.example/audited"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SIZE = TILE_WIDTH**2 + 300  # A full tile of level 1, and a second one.
LEAVES = [leaf_hash(b"%d" % number) for number in range(SIZE)]
TILES = grow(0, {}, LEAVES)
FRONTIER = Frontier().append(LEAVES)


def policy() -> TrustPolicy:
    vkey = verifier_key(ORIGIN, KEY)
    return parse_trust_policy(f"log {vkey} https://log.example/\nquorum none\n".encode())


def note(size: int, root: bytes, *, key: Ed25519PrivateKey = KEY) -> bytes:
    return sign_checkpoint(Checkpoint(origin=ORIGIN, size=size, root=root), key=key).encode()


def anchor_at(size: int) -> Anchor:
    root = Frontier().append(LEAVES[:size]).root()
    return Anchor(size=size, root=root, checkpoint=note(size, root).decode())


@dataclass
class Log:
    """A log in memory: what an audit looks at, the crew that checks it, and its anchor."""

    size: int = SIZE
    tiles_stored: Mapping[tuple[int, int], bytes] = field(default_factory=lambda: TILES)
    head: tuple[int, bytes] | None = (SIZE, FRONTIER.root())
    anchor: Anchor | None = None
    wrong_anchor: bool = False
    times: dict[int, tuple[int, int]] = field(default_factory=dict)
    nobodys: tuple[int, ...] = ()
    found: Found = field(default_factory=Found)
    asked: list[Part] = field(default_factory=list)
    shown: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def extent(self) -> Extent:
        spans = (Span(low=None, high="m"), Span(low="m", high=None))
        return Extent(size=self.size, head=self.head, spans=spans, found=self.found)

    @property
    def hashes(self) -> bytes:
        return b"".join(LEAVES[: self.size])

    def unclaimed(self) -> Iterator[int]:
        return iter(self.nobodys)

    async def tiles(self, level: int, first: int, last: int) -> Mapping[int, bytes]:
        stored = self.tiles_stored.items()
        return {at: row for (on, at), row in stored if on == level and first <= at < last}

    async def check(self, parts: Sequence[Part]) -> AsyncIterator[Checked]:
        for part in reversed(parts):  # In no order: a crew gives none.
            self.asked.append(part)
            yield await self._check(part)

    async def _check(self, part: Part) -> Checked:
        if isinstance(part, Span):
            return Checked(entries=self.size // 2, accounts=1)
        if isinstance(part, Rest):
            return Checked(key_uses=2, letters=1)
        findings = Findings()
        first, last = part.start // TILE_WIDTH, -(-part.stop // TILE_WIDTH)
        hashes = b"".join(LEAVES[part.start : part.stop])
        roots = check_tiles(0, first, hashes, await self.tiles(0, first, last), findings)
        return Checked(
            found=findings.found(),
            leaves=part.stop - part.start,
            tiles=last - first,
            first=part.start,
            roots=roots,
            times=self.times.get(part.start, (7, 7)),
        )

    async def read(self) -> Anchor | None:
        if self.wrong_anchor:
            raise AnchorWrongError("not an anchor")
        return self.anchor

    async def advance(self, new: Anchor, *, expected_size: int | None) -> None:
        raise AssertionError("an audit moves no anchor")

    def progress(self, phase: str, *, done: int, of: int) -> None:
        self.shown.append((phase, done, of))

    async def audit(self, *, since: bytes | None = None, only_log: bool = False) -> Verdict:
        use = Auditing(anchors=self, log_policy=policy(), log_origin=ORIGIN)
        held = await use.held(since)
        return await use.audit(
            held, source=self, crew=self, progress=self.progress, only_log=only_log
        )


def where(verdict: Verdict) -> dict[Fault, list[str]]:
    assert verdict.sound is (not verdict.findings)
    found: dict[Fault, list[str]] = {}
    for one in verdict.findings:
        found.setdefault(one.code, []).append(one.where)
    return found


async def test_a_sound_log_is_sound() -> None:
    log = Log(anchor=anchor_at(SIZE - 1_000))

    verdict = await log.audit(since=note(65_537, Frontier().append(LEAVES[:65_537]).root()))

    assert where(verdict) == {}
    assert (verdict.size, verdict.faults) == (SIZE, {})
    assert verdict.counts["leaves"] == SIZE
    assert verdict.counts["tiles"] == 258
    assert (verdict.counts["key_uses"], verdict.counts["letters"]) == (2, 1)
    assert [part for part in log.asked if isinstance(part, Rest)] == [Rest()]
    assert sum(isinstance(part, Span) for part in log.asked) == 2
    covered = sorted((part.start, part.stop) for part in log.asked if isinstance(part, Leaves))
    assert (covered[0][0], covered[-1][1]) == (0, SIZE)
    assert all(one[1] == two[0] for one, two in pairwise(covered))
    phases = [phase for phase, _, _ in log.shown]
    assert phases == ["log"] * len(covered) + ["accounts"] * 3
    assert all(0 <= done <= of == SIZE for _, done, of in log.shown)


async def test_a_rehash_opens_no_account() -> None:
    log = Log(anchor=anchor_at(1), nobodys=(1, 2))

    verdict = await log.audit(only_log=True)

    assert verdict.sound
    assert all(isinstance(part, Leaves) and part.alone for part in log.asked)


async def test_an_empty_log_needs_no_anchor() -> None:
    log = Log(size=0, head=(0, Frontier().root()), tiles_stored={})

    assert (await log.audit()).sound


async def test_an_upper_tile_that_is_not_over_its_leaves_is_found() -> None:
    for place in ((1, 0), (1, 1), (2, 0)):
        row = TILES[place]
        changed = {**TILES, place: bytes([row[0] ^ 1]) + row[1:]}
        verdict = await Log(tiles_stored=changed, anchor=anchor_at(1)).audit()
        gone = {at: row for at, row in TILES.items() if at != place}
        missing = await Log(tiles_stored=gone, anchor=anchor_at(1)).audit()

        assert where(verdict) == {Fault.TILE_WRONG: [f"tile {place[0]}/{place[1]}"]}
        assert where(missing) == {Fault.TILE_MISSING: [f"tile {place[0]}/{place[1]}"]}


async def test_a_head_that_is_not_over_its_leaves_is_found() -> None:
    wrong = await Log(head=(SIZE, b"r" * 32), anchor=anchor_at(1)).audit()
    longer = await Log(head=(SIZE + 1, b"r" * 32), anchor=anchor_at(1)).audit()
    none = await Log(head=None, anchor=anchor_at(1)).audit()

    assert where(wrong) == {Fault.HEAD_WRONG: ["head"]}
    assert longer.sound, "whoever counted the leaves has said so"
    assert none.sound, "whoever read the head has said so"


async def test_time_that_runs_backwards_between_two_parts_is_found() -> None:
    log = Log(anchor=anchor_at(1), times={8_192: (3, 9), 16_384: (0, 0), 24_576: (8, 9)})

    assert where(await log.audit()) == {
        Fault.TIME_BACKWARDS: ["leaf 8192", "leaf 24576", "leaf 32768"]
        + [f"leaf {start}" for start in range(40_960, SIZE, 8_192)]
    }


async def test_a_leaf_of_nobody_is_found() -> None:
    log = Log(anchor=anchor_at(1), nobodys=(3, 9))

    assert where(await log.audit()) == {Fault.LEAF_UNOWNED: ["leaf 3", "leaf 9"]}


@pytest.mark.parametrize(
    ("anchor", "says"),
    [
        (Anchor(size=5, root=b"r" * 32, checkpoint=note(5, b"r" * 32).decode()), "first 5"),
        (
            Anchor(size=SIZE + 1, root=b"r" * 32, checkpoint=note(SIZE + 1, b"r" * 32).decode()),
            "was signed",
        ),
        (Anchor(size=5, root=b"r" * 32, checkpoint=note(5, b"s" * 32).decode()), "own checkpoint"),
        (Anchor(size=5, root=b"r" * 32, checkpoint="nonsense"), ""),
        (
            Anchor(
                size=5,
                root=b"r" * 32,
                checkpoint=note(5, b"r" * 32, key=Ed25519PrivateKey.generate()).decode(),
            ),
            "no key that we trust",
        ),
    ],
)
async def test_an_anchor_that_the_log_does_not_extend_is_found(anchor: Anchor, says: str) -> None:
    verdict = await Log(anchor=anchor).audit()

    assert where(verdict) == {Fault.ANCHOR_WRONG: ["the anchor"]}
    assert says in verdict.findings[0].says


async def test_an_anchor_that_is_gone_or_edited_is_found() -> None:
    assert where(await Log().audit()) == {Fault.ANCHOR_MISSING: ["the anchor"]}
    assert where(await Log(wrong_anchor=True).audit()) == {Fault.ANCHOR_WRONG: ["the anchor"]}


async def test_a_checkpoint_that_the_log_does_not_extend_is_found() -> None:
    log = Log(anchor=anchor_at(1))

    verdict = await log.audit(since=note(9, b"r" * 32))

    assert where(verdict) == {Fault.CHECKPOINT_WRONG: ["the checkpoint that was kept"]}


async def test_a_checkpoint_of_another_log_is_refused_before_anything_is_read() -> None:
    log = Log(anchor=anchor_at(1))

    with pytest.raises(UntrustedNoteError):
        await log.audit(since=note(9, b"r" * 32, key=Ed25519PrivateKey.generate()))
    assert log.asked == []


async def test_what_the_extent_says_is_in_the_verdict() -> None:
    findings = Findings()
    findings.add(Fault.HEAD_FORGED, "head", "not ours")
    log = Log(anchor=anchor_at(1), head=None, found=findings.found())

    assert where(await log.audit()) == {Fault.HEAD_FORGED: ["head"]}
