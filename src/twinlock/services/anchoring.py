"""The anchor: what this installation last signed, kept where the database cannot reach it.

At the start the log must be the anchored one, grown: a database restored from a backup, or rolled
back by its owner, is refused. While serving, the anchor follows the log, and is held against it
each time: a process that finds the log behind its anchor stops deciding.

The anchor is always read before the head. The other way round, what another process decides and
anchors in between would make a healthy log look shorter than its anchor.
"""

from twinlock.domain.errors import (
    AnchorMovedError,
    FileBusyError,
    LogDamagedError,
    ProofError,
    TwinlockError,
)
from twinlock.domain.log.merkle import consistency_proof, verify_consistency
from twinlock.domain.log.tiles import hashes_in, tiles_needed
from twinlock.ports.log import (
    Anchor,
    AnchoredLog,
    Anchors,
    Head,
    LogSigner,
)


class LogRolledBackError(TwinlockError):
    """The log is not the one that was anchored, grown; or its anchor is gone."""

    code = "log_rolled_back"
    status = 503


class Anchoring:
    """The use cases of the anchor."""

    def __init__(self, log: AnchoredLog, *, signer: LogSigner, anchors: Anchors) -> None:
        self._log = log
        self._signer = signer
        self._anchors = anchors

    async def check(self) -> None:
        """Check the log's right edge, and that it only grew since the anchor.

        An empty log without an anchor gets its first one.

        Raises:
            LogRolledBackError, LogDamagedError: as they say; nobody may serve this log.
        """
        anchor = await self._anchors.read()
        head = await self._log.checked_head()
        if anchor is None and head.size:  # Another process may have begun the log in between.
            anchor = await self._anchors.read()
            head = await self._log.checked_head()
        if anchor is not None:
            await self._check_growth(anchor, head)
        elif head.size:
            raise LogRolledBackError(
                f"there is no anchor beside a log of {head.size} leaves: put it back, or compare"
                " the log with a checkpoint that you kept and run `twinlock anchor adopt`"
            )
        try:
            await self._move(anchor, head)
        except FileBusyError:
            return  # Nobody's start waits for another process; the next round moves it.

    async def adopt(self) -> Head:
        """Take the log as it stands for the anchored one, where there is no anchor.

        It is for whoever operates the log to have compared it: this gives up what a lost anchor
        would have shown.

        Raises:
            AnchorMovedError: there is one.
            LogDamagedError: the log's end contradicts itself.
        """
        anchor = await self._anchors.read()
        head = await self._log.checked_head()
        if anchor is not None:
            raise AnchorMovedError(f"there is an anchor already, at {anchor.size} leaves")
        await self._advance(head, expected_size=None)
        return head

    async def follow(self) -> None:
        """Hold the log to its anchor, and move the anchor to the log's head.

        Another process may have been faster.

        Raises:
            LogRolledBackError: the log is behind the anchor, or another one; from here on this
                process decides nothing.
            FileBusyError: another process holds the anchor; the next round tries again.
        """
        anchor = await self._anchors.read()
        head = await self._log.head()
        if anchor is not None:
            try:
                await self._check_growth(anchor, head)
            except LogRolledBackError as error:
                self._log.distrust(str(error))
                raise
        await self._move(anchor, head)

    async def _check_growth(self, anchor: Anchor, head: Head) -> None:
        if head.size < anchor.size:
            raise LogRolledBackError(
                "the log is shorter than what was signed: see docs/postgresql.md, Restore"
            )
        needed = tiles_needed(lambda at: consistency_proof(anchor.size, head.size, at))
        try:
            tiles = await self._log.tiles(tuple(sorted(needed)))
            verify_consistency(
                old_size=anchor.size,
                old_root=anchor.root,
                new_size=head.size,
                new_root=head.root,
                proof=consistency_proof(anchor.size, head.size, hashes_in(tiles)),
            )
        except (ProofError, LogDamagedError) as error:
            raise LogRolledBackError(
                "the log is not the anchored one, grown: see docs/postgresql.md, Restore"
            ) from error

    async def _move(self, anchor: Anchor | None, head: Head) -> None:
        if anchor is not None and anchor.size == head.size:
            return
        try:
            await self._advance(head, expected_size=None if anchor is None else anchor.size)
        except AnchorMovedError:
            return  # Another process of this installation moved it: it is at least as far.

    async def _advance(self, head: Head, *, expected_size: int | None) -> None:
        checkpoint = self._signer.checkpoint(head).decode("utf-8")
        new = Anchor(size=head.size, root=head.root, checkpoint=checkpoint)
        await self._anchors.advance(new, expected_size=expected_size)
