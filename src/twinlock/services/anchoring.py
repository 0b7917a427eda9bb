"""The anchor: what this installation last signed, kept where the database cannot reach it.

At the start the log must be the anchored one, grown: a database restored from a backup, or rolled
back by its owner, is refused. While serving, the anchor follows the log.
"""

from twinlock.domain.errors import AnchorMovedError, TwinlockError
from twinlock.domain.log.merkle import consistency_proof, frontier_at, verify_consistency
from twinlock.domain.log.tiles import hashes_in, tiles_needed
from twinlock.ports import Anchor, Anchors, Head, LogSigner, Store


class LogRolledBackError(TwinlockError):
    """The log is not the one that was anchored, grown: it is shorter, forked or damaged."""

    code = "log_rolled_back"
    status = 503


class Anchoring:
    """The use cases of the anchor."""

    def __init__(self, store: Store, *, signer: LogSigner, anchors: Anchors) -> None:
        self._store = store
        self._signer = signer
        self._anchors = anchors

    async def check(self) -> None:
        """Check the log's right edge, and that it only grew since the anchor.

        An installation without an anchor takes the head as it stands for its first one.

        Raises:
            LogRolledBackError: as it says; nobody may serve this log.
        """
        head = await self._store.head()
        await self._check_edge(head)
        anchor = self._anchors.read()
        if anchor is not None:
            await self._check_growth(anchor, head)
        self._move(anchor, head)

    async def follow(self) -> None:
        """Move the anchor to the log's head; another process may have been faster."""
        head = await self._store.head()
        anchor = self._anchors.read()
        if anchor is None or anchor.size < head.size:
            self._move(anchor, head)

    async def _check_edge(self, head: Head) -> None:
        needed = tiles_needed(lambda at: frontier_at(head.size, at))
        tiles = await self._store.tiles(tuple(sorted(needed)))
        try:
            root = frontier_at(head.size, hashes_in(tiles)).root()
        except TwinlockError as error:
            raise LogRolledBackError("the log's right edge is incomplete") from error
        if root != head.root:
            raise LogRolledBackError("the log's right edge does not give its root")

    async def _check_growth(self, anchor: Anchor, head: Head) -> None:
        if head.size < anchor.size:
            raise LogRolledBackError("the log is shorter than what was signed")
        needed = tiles_needed(lambda at: consistency_proof(anchor.size, head.size, at))
        tiles = await self._store.tiles(tuple(sorted(needed)))
        try:
            verify_consistency(
                old_size=anchor.size,
                old_root=anchor.root,
                new_size=head.size,
                new_root=head.root,
                proof=consistency_proof(anchor.size, head.size, hashes_in(tiles)),
            )
        except TwinlockError as error:
            raise LogRolledBackError("the log is not the anchored one, grown") from error

    def _move(self, anchor: Anchor | None, head: Head) -> None:
        checkpoint = self._signer.checkpoint(head).decode("utf-8")
        new = Anchor(size=head.size, root=head.root, checkpoint=checkpoint)
        expected = None if anchor is None else anchor.size
        try:
            self._anchors.advance(new, expected_size=expected)
        except AnchorMovedError:
            return  # Another process of this installation moved it: it is at least as far.
