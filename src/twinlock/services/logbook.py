"""The public log: its checkpoint, its tiles and its entries, exactly as C2SP names them."""

from twinlock.domain.errors import TwinlockError
from twinlock.domain.log.merkle import HASH_BYTES, inclusion_proof
from twinlock.domain.log.note import parse_note
from twinlock.domain.log.proof import TlogProof
from twinlock.domain.log.tiles import (
    TILE_WIDTH,
    EntryBundle,
    Tile,
    encode_entries,
    hashes_in,
    parse_path,
    tiles_needed,
    width_at,
)
from twinlock.ports import (
    Store,
)
from twinlock.ports.log import (
    LogSigner,
    PublishedHeads,
    SignedHead,
)


class TileUnknownError(TwinlockError):
    """No signed size of the log implies this tile."""

    code = "tile_not_found"
    status = 404


class NewestHeads:
    """Every committed head may be shown: no witness is asked. Implements ``PublishedHeads``."""

    def __init__(self, store: Store, *, signer: LogSigner) -> None:
        self._store = store
        self._signer = signer

    async def covering(self, size: int) -> SignedHead:  # noqa: ARG002 - the port's form
        """Return the committed head, which has what anybody has seen. Raises LogDamagedError."""
        head = await self._store.head()
        return SignedHead(head=head, note=self._signer.checkpoint(head))

    async def check_keeps_up(self) -> None:
        """Return: what is committed is shown at once."""


class Logbook:
    """The use case of reading the log."""

    def __init__(self, store: Store, *, published: PublishedHeads) -> None:
        self._store = store
        self._published = published

    async def checkpoint(self) -> bytes:
        """Return the signed note of the newest head that may be shown.

        Raises:
            NotWitnessedError: too few witnesses have cosigned any so far.
        """
        return (await self._published.covering(0)).note

    async def proof(self, index: int) -> bytes:
        """Return the ``.tlog-proof`` of the entry at ``index`` under such a head.

        Raises:
            TileUnknownError: the log has not grown that far.
            NotWitnessedError: too few witnesses have cosigned this entry so far.
        """
        if not 0 <= index < (await self._store.head()).size:
            raise TileUnknownError("the log has not grown that far")
        published = await self._published.covering(index + 1)
        head, checkpoint = published.head, parse_note(published.note)
        needed = tiles_needed(lambda at: inclusion_proof(index, head.size, at))
        tiles = await self._store.tiles(tuple(sorted(needed)))
        hashes = inclusion_proof(index, head.size, hashes_in(tiles))
        return TlogProof(index=index, hashes=hashes, checkpoint=checkpoint).encode()

    async def resource(self, path: str) -> bytes:
        """Return a tile or an entry bundle, never wider than the committed size implies.

        Raises:
            MalformedError: the path is not in its one form.
            TileUnknownError: the log has not grown that far.
        """
        wanted = parse_path(path)
        head = await self._store.head()
        level = wanted.level if isinstance(wanted, Tile) else 0
        if wanted.width > width_at(head.size, level=level, index=wanted.index):
            raise TileUnknownError("the log has not grown that far")
        if isinstance(wanted, EntryBundle):
            start = wanted.index * TILE_WIDTH
            return encode_entries(await self._store.leaves(start=start, count=wanted.width))
        key = (wanted.level, wanted.index)
        tiles = await self._store.tiles((key,))
        return tiles[key][: wanted.width * HASH_BYTES]
