"""The audit: whether the state is the log, and the log the one that was signed.

Parts are handed to a crew in two rounds: first the log in its order, every leaf and tile; then the
accounts, each through its own entries. What the crew hashed is joined to one tree, and that is held
against the head, the anchor and the checkpoint that somebody kept.

Always true (tests/unit/services/test_auditing.py, tests/integration/test_audit_tampering.py): the
verdict is sound only where nothing at all was found, and every part of the log was hashed.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec

from twinlock.domain.audit.findings import Fault, Finding, Findings, Found
from twinlock.domain.audit.parts import (
    TILES_A_PART,
    Checked,
    Extent,
    Leaves,
    Part,
    Rest,
    counted,
)
from twinlock.domain.audit.tree import Tree, check_tiles, tiles_at
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import (
    AnchorWrongError,
    FileUnsafeError,
    MalformedError,
    UntrustedNoteError,
)
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.note import parse_note
from twinlock.domain.log.tiles import TILE_BYTES, TILE_WIDTH
from twinlock.domain.log.trust import TrustPolicy
from twinlock.ports.audit import AuditCrew, AuditSource
from twinlock.ports.log import Anchor, Anchors
from twinlock.proofs.notes import verify_checkpoint

LEAVES_A_PART = TILES_A_PART * TILE_WIDTH
UPPER_TILES = 512  # Read at once: 4 MB.
ANCHOR, KEPT = "the anchor", "the checkpoint that was kept"
Weigh: TypeAlias = Callable[[Checked], int]


class Progress(Protocol):
    """Whoever shows how far it is."""

    def __call__(self, phase: str, *, done: int, of: int) -> None:
        """Show that of so many things in this phase so many are done."""
        ...


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit found: nothing, or what does not hold.

    ``size`` and ``root`` are those of the log that was hashed; ``counts`` say how many of each
    thing were checked, and ``faults`` how many findings there are of each code.
    """

    sound: bool
    size: int
    root: str
    counts: dict[str, int]
    faults: dict[str, int]
    findings: tuple[Finding, ...]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the log is held to, read before the moment that is audited.

    ``anchored`` says that there is an anchor, sound or not; ``checkpoints`` are by their names.
    """

    anchored: bool
    checkpoints: dict[str, Checkpoint]
    found: Found


class Auditing:
    """The use case of the audit."""

    def __init__(self, *, anchors: Anchors, log_policy: TrustPolicy, log_origin: str) -> None:
        self._anchors = anchors
        self._log_policy = log_policy
        self._log_origin = log_origin

    async def held(self, since: bytes | None) -> Held:
        """Return what the log is held to: the anchor, and the checkpoint ``since`` (a note).

        What is wrong with the anchor is a finding.

        Raises:
            MalformedError, UntrustedNoteError: ``since`` is no checkpoint of this log.
        """
        findings, checkpoints = Findings(), {}
        if since is not None:
            try:
                checkpoints[KEPT] = self._checkpoint(since)
            except (MalformedError, UntrustedNoteError) as error:
                raise type(error)(f"{KEPT}: {error}") from error
        anchored = True
        try:
            anchor = await self._anchors.read()
            anchored = anchor is not None
            if anchor is not None:
                checkpoints[ANCHOR] = self._signed(anchor)
        except (AnchorWrongError, FileUnsafeError, MalformedError, UntrustedNoteError) as error:
            findings.add(Fault.ANCHOR_WRONG, ANCHOR, str(error))
        return Held(anchored=anchored, checkpoints=checkpoints, found=findings.found())

    def _checkpoint(self, note: bytes) -> Checkpoint:
        """Return the checkpoint of a note. Raises MalformedError, UntrustedNoteError."""
        policy, origin = self._log_policy, self._log_origin
        return verify_checkpoint(parse_note(note), policy, origin=origin).checkpoint

    def _signed(self, anchor: Anchor) -> Checkpoint:
        signed = self._checkpoint(anchor.checkpoint.encode("utf-8"))
        if (signed.size, signed.root) != (anchor.size, anchor.root):
            raise AnchorWrongError("it is not what its own checkpoint says")
        return signed

    async def audit(
        self,
        held: Held,
        *,
        source: AuditSource,
        crew: AuditCrew,
        progress: Progress,
        only_log: bool = False,
    ) -> Verdict:
        """Audit everything that ``source`` shows; with ``only_log`` the log and its tree alone."""
        extent, findings = source.extent, Findings()
        rounds = _Rounds(crew, progress, whole=extent.size)
        leaves = await rounds.check(
            "log", _leaves(extent.size, alone=only_log), lambda one: one.leaves
        )
        leaves.sort(key=lambda one: one.first)
        _check_times(leaves, findings)
        tree = await _tree(source, b"".join(one.roots for one in leaves), findings)
        _check_head(extent, tree, findings)
        _check_held(held, tree, findings)
        if not only_log:
            await rounds.check("accounts", (*extent.spans, Rest()), lambda one: one.entries)
            for index in source.unclaimed():
                findings.add(Fault.LEAF_UNOWNED, f"leaf {index}", "no account has it as its entry")
        found = Findings.joined(
            (held.found, extent.found, *(one.found for one in rounds.done), findings.found())
        )
        return Verdict(
            sound=not found.total,
            size=tree.size,
            root=b64url(tree.root(tree.size)),
            counts=counted(tuple(rounds.done)),
            faults=found.found().counts,
            findings=found.kept,
        )


class _Rounds:
    """What the crew has done so far, round by round."""

    def __init__(self, crew: AuditCrew, progress: Progress, *, whole: int) -> None:
        self._crew = crew
        self._progress = progress
        self._whole = whole
        self.done: list[Checked] = []

    async def check(self, phase: str, parts: Sequence[Part], weigh: Weigh) -> list[Checked]:
        """Have ``parts`` checked; each weighs what ``weigh`` says of the whole."""
        found: list[Checked] = []
        so_far = 0
        async for checked in self._crew.check(parts):
            found.append(checked)
            so_far += weigh(checked)
            self._progress(phase, done=min(so_far, self._whole), of=self._whole)
        self.done += found
        return found


def _leaves(size: int, *, alone: bool) -> list[Leaves]:
    return [
        Leaves(start=start, stop=min(start + LEAVES_A_PART, size), alone=alone)
        for start in range(0, size, LEAVES_A_PART)
    ]


def _check_times(leaves: Sequence[Checked], findings: Findings) -> None:
    """Check that no part begins earlier than one before it ended; 0 is an unknown time."""
    latest = 0
    for one in leaves:
        first, last = one.times
        if first and first < latest:
            says = (
                "it, or the first after it that is a leaf, is of an earlier time than one before it"
            )
            findings.add(Fault.TIME_BACKWARDS, f"leaf {one.first}", says)
        latest = max(latest, last)


async def _tree(source: AuditSource, roots: bytes, findings: Findings) -> Tree:
    """Return the whole tree; ``roots`` are those of the full tiles of level 0."""
    levels: list[bytes] = []
    while roots:
        levels.append(roots)
        level, above = len(levels), []
        for first in range(0, tiles_at(source.extent.size, level), UPPER_TILES):
            stored = await source.tiles(level, first, first + UPPER_TILES)
            hashes = roots[first * TILE_BYTES : (first + UPPER_TILES) * TILE_BYTES]
            above.append(check_tiles(level, first, hashes, stored, findings))
        roots = b"".join(above)
    return Tree((source.hashes, *levels))


def _check_head(extent: Extent, tree: Tree, findings: Findings) -> None:
    if extent.head is None:
        return  # It was told why.
    size, root = extent.head
    if size <= tree.size and tree.root(size) != root:
        findings.add(Fault.HEAD_WRONG, "head", "its root is not that of the leaves")


def _check_held(held: Held, tree: Tree, findings: Findings) -> None:
    for name, kept in held.checkpoints.items():
        code = Fault.ANCHOR_WRONG if name == ANCHOR else Fault.CHECKPOINT_WRONG
        if kept.size > tree.size:
            says = f"the log has {tree.size} leaves, and had {kept.size} when it was signed"
            findings.add(code, name, says)
        elif tree.root(kept.size) != kept.root:
            says = f"the first {kept.size} leaves are not those that it was signed over"
            findings.add(code, name, says)
    if not held.anchored and tree.size:
        findings.add(Fault.ANCHOR_MISSING, ANCHOR, "there is none beside a log that has leaves")
