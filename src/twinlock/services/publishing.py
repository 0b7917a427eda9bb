"""Publishing: no head is shown, and no spend handed out, before a quorum of witnesses cosigned.

The newest head is submitted to all witnesses at once, and covers everything that was committed by
then: whoever waits shares the round. While one goes on the next head gathers those who come.

Always true (tests/integration/test_publishing.py):

* a slow, silent or lying witness delays and spoils nothing for the others' quorum;
* what was shown is never taken back by a smaller head;
* a head that a witness shows, that we signed and that our log does not hold stops this process from
  deciding anything: the log was rolled back, or somebody else signs with our key. A witness's word
  alone does not, unless a whole quorum says so.

Source: C2SP tlog-witness v1.0.0 (the log's side); docs/witness.md.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog

from twinlock.domain.errors import (
    LogDamagedError,
    MalformedError,
    NotWitnessedError,
    ProofError,
    QuorumError,
    TwinlockError,
    UntrustedNoteError,
    WitnessSilentError,
)
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import consistency_proof, verify_consistency
from twinlock.domain.log.note import parse_note
from twinlock.domain.log.submission import Submission, parse_known_size
from twinlock.domain.log.tiles import hashes_in, tiles_needed
from twinlock.domain.log.trust import TrustedLog, TrustPolicy, Witness
from twinlock.ports import Clock
from twinlock.ports.log import (
    AnchoredLog,
    CosignedNotes,
    Head,
    LogSigner,
    SignedHead,
    WitnessCalls,
)
from twinlock.proofs.cosigning import Gathering, check_cosignature
from twinlock.proofs.notes import verify_checkpoint

WAIT_SECONDS = 3.0  # For a quorum, by one request; a platform's own time-out is ten.
FRESH_FOR = timedelta(seconds=90)  # A signer takes ten minutes; an idle log is cosigned anew.
KEEP_SECONDS = 0.25  # Between two files of what was cosigned: four flushes a second at most.
BACKOFF_SECONDS = 0.25  # After a witness's first failure; doubles with each further one.
BACKOFF_MOST_SECONDS = 2.0  # Less than a request waits, so that it meets a witness that is back.
ROUND_PAUSE_SECONDS = 0.5  # After a round that broke on our own side: the database was away.
TRIES = 3  # Of one submission: its size was wrong, then another process was faster, then enough.
_CONFLICT, _UNPROVED, _YES = 409, 422, 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How publishing stands, for metrics. ``cosigned_at`` is None before the first quorum."""

    size: int
    cosigned_at: datetime | None
    now: datetime
    sizes: Mapping[str, int]
    failures: Mapping[tuple[str, str], int]


@dataclass(slots=True, kw_only=True, eq=False)
class _Target:
    """A head that is being cosigned; ``over`` once another process had a larger one cosigned.

    ``keys`` counts how often our keys had changed when it was signed. ``proofs`` are made once for
    all witnesses that need them, under ``proving``.
    """

    head: Head
    keys: int
    gathering: Gathering
    reached: bool = False
    over: bool = False
    proofs: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    proving: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True, kw_only=True, eq=False)
class _Peer:
    """One witness as we know it. ``claims`` is a size that it said and did not show."""

    witness: Witness
    size: int = 0
    claims: int = 0
    failed: int = 0
    not_before: float = 0.0
    task: "asyncio.Task[None] | None" = None

    @property
    def name(self) -> str:
        return self.witness.name


class _AheadError(Exception):
    """Another process of ours had a larger head cosigned; ours is old news."""


def _newness(of: SignedHead | None, keys: int, at: datetime | None) -> tuple[int, int, datetime]:
    """Return by what a head that is shown is newer: its size, the keys, the age of its quorum."""
    return (-1 if of is None else of.head.size, keys, at or _EPOCH)


class Publishing:
    """The use case of publishing. Implements ``ports.PublishedHeads``.

    ``policy`` names our log and the witnesses; those without a URL are not asked.
    """

    def __init__(
        self,
        log: AnchoredLog,
        *,
        signer: LogSigner,
        policy: TrustPolicy,
        calls: WitnessCalls,
        kept: CosignedNotes,
        clock: Clock,
    ) -> None:
        self._log = log
        self._signer = signer
        self._policy = policy
        self._calls = calls
        self._kept = kept
        self._clock = clock
        self._peers = [_Peer(witness=one) for one in policy.witnesses if one.url is not None]
        self._target: _Target | None = None
        self._shown: SignedHead | None = None
        self._fresh_at: datetime | None = None
        self._keys = 0  # How often they have changed, and had when what is shown was signed.
        self._shown_keys = -1
        self._waiting: dict[asyncio.Future[None], int] = {}
        self._stalled = False  # Somebody waited for a quorum in vain, and none was reached since.
        self._wanted = asyncio.Event()
        self._progress = asyncio.Event()
        self._unkept = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._kept_head: SignedHead | None = None
        self._failures: Counter[tuple[str, str]] = Counter()

    def know(self, logs: tuple[TrustedLog, ...]) -> None:
        """Go on with these keys of our log: one was announced, used, or retired.

        The head is signed by them and cosigned anew at once, though no entry came.
        """
        self._policy = replace(self._policy, logs=logs)
        self._keys += 1
        self._wanted.set()

    # --- What the other use cases ask ---

    async def covering(self, size: int) -> SignedHead:
        """Return the newest head with a quorum, of at least ``size`` leaves (see the port)."""
        self._log.check_trusted()
        if self._shown is None or self._shown.head.size < size:
            await self._wait_for(size)
        return self._covering(size)

    def _covering(self, size: int) -> SignedHead:
        if self._shown is None or self._shown.head.size < size:
            raise NotWitnessedError("too few witnesses have cosigned this entry so far")
        return self._shown

    async def _wait_for(self, size: int) -> None:
        """Wait until so many leaves are cosigned, but not for long."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = size
        self._wanted.set()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await waiter
        except TimeoutError:
            self._stalled = True
        finally:
            del self._waiting[waiter]

    async def check_keeps_up(self) -> None:
        """Check that what is committed now will be cosigned, as far as is known (see the port)."""
        if self._stalled:
            self._wanted.set()
            raise NotWitnessedError("too few witnesses answer at present, so nothing was done")

    def standing(self) -> Standing:
        """Return how it stands."""
        return Standing(
            size=0 if self._shown is None else self._shown.head.size,
            cosigned_at=self._fresh_at,
            now=self._clock.now(database_at=None),
            sizes={peer.name: peer.size for peer in self._peers},
            failures=dict(self._failures),
        )

    # --- Beginning, going on, and ending ---

    async def begin(self) -> None:
        """Take up what was cosigned in an earlier life.

        Raises:
            LogDamagedError: our log does not hold what we had cosigned: it was rolled back.
        """
        data = await self._kept.read()
        if data is None:
            return
        try:
            kept = self._signed_by_us(data)
        except (MalformedError, UntrustedNoteError) as error:
            _log.warning("kept_checkpoint_ignored", code=error.code)
            return
        await self._check_holds(kept, await self._log.head())
        try:
            note = parse_note(data)
            witnessed = verify_checkpoint(note, self._policy, origin=self._signer.log_origin)
        except UntrustedNoteError as error:  # Other witnesses are trusted by now.
            _log.warning("kept_checkpoint_ignored", code=error.code)
            return
        self._shown = SignedHead(head=Head(size=kept.size, root=kept.root), note=data)
        self._kept_head = self._shown
        self._fresh_at = witnessed.fresh_at
        for peer in self._peers:
            if peer.name in witnessed.cosigned_at:
                peer.size = kept.size

    async def follow(self) -> None:
        """Have the head cosigned where it grew since, or where that was a while ago."""
        head = await self._log.head()
        if self._shown is None or self._shown.head.size < head.size or self._ages():
            self._wanted.set()

    def _ages(self) -> bool:
        if self._fresh_at is None or self._shown_keys != self._keys:  # Or of an earlier life.
            return True
        return self._clock.now(database_at=None) - self._fresh_at > FRESH_FOR

    async def serve(self) -> None:
        """Publish whatever is wanted, until cancelled."""
        keeping = asyncio.create_task(self._keep_forever())
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                try:
                    await self._round()
                except TwinlockError as error:
                    _log.warning("publishing_failed", code=error.code)
                    await asyncio.sleep(ROUND_PAUSE_SECONDS)
        finally:
            tasks = [keeping, *(peer.task for peer in self._peers if peer.task is not None)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._keep()

    async def _keep_forever(self) -> None:
        while True:
            await self._unkept.wait()
            self._unkept.clear()
            await self._keep()
            await asyncio.sleep(KEEP_SECONDS)

    async def _keep(self) -> None:
        """Keep what is shown; once begun it is gone through with, whoever ends meanwhile."""
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep_shown())
        await asyncio.shield(self._keeping)

    async def _keep_shown(self) -> None:
        while self._shown is not None and self._shown is not self._kept_head:
            shown = self._shown
            try:
                await self._kept.keep(shown.note, size=shown.head.size)
            except (TwinlockError, OSError) as error:  # It is in memory, and asked for again.
                _log.warning("cosigned_checkpoint_not_kept", reason=type(error).__name__)
                return
            self._kept_head = shown

    # --- One round ---

    async def _round(self) -> None:
        """Submit the newest head to every witness that is free; return when it has its quorum.

        Or when nobody is being asked any more. Then those who still wait make another round, of
        the head of that time, as soon as a witness may be asked again.
        """
        target = await self._aim()
        self._set_out(target)
        while not target.reached and any(peer.task is not None for peer in self._peers):
            await self._progress.wait()
            self._progress.clear()
            self._set_out(target)  # Whoever was slow with an older one.
        if self._waiting and not (target.reached and self._satisfied()):
            await self._pause(target)
            self._wanted.set()

    async def _aim(self) -> _Target:
        head = await self._log.head()
        target = self._target
        done = target is None or target.reached or target.over
        if target is None or done or (target.head, target.keys) != (head, self._keys):
            note = parse_note(self._signer.checkpoint(head))
            gathering = Gathering(note=note, policy=self._policy)
            target = self._target = _Target(head=head, keys=self._keys, gathering=gathering)
        now = self._clock.now(database_at=None)
        gathered = target.gathering.cosigned
        for name in [name for name, one in gathered.items() if now - one.at > FRESH_FOR]:
            del gathered[name]
        return target

    def _satisfied(self) -> bool:
        shown = 0 if self._shown is None else self._shown.head.size
        return all(size <= shown for size in self._waiting.values())

    async def _pause(self, target: _Target) -> None:
        """Wait until a witness may be asked again, unless somebody wants something else."""
        if target.reached or target.over:
            return
        now = asyncio.get_running_loop().time()
        left = [one.not_before for one in self._peers if one.name not in target.gathering.cosigned]
        with suppress(TimeoutError):
            async with asyncio.timeout(max(min(left, default=now) - now, BACKOFF_SECONDS / 10)):
                await self._wanted.wait()

    def _set_out(self, target: _Target) -> None:
        now = asyncio.get_running_loop().time()
        for peer in self._peers:
            done = target.reached or target.over or peer.name in target.gathering.cosigned
            if peer.task is None and not done and peer.not_before <= now:
                peer.task = asyncio.create_task(self._ask(peer, target))

    async def _ask(self, peer: _Peer, target: _Target) -> None:
        """Ask one witness for one head, and note what came of it; nothing is raised."""
        fault = ""
        try:
            await self._submit(peer, target)
            peer.failed = peer.claims = 0
        except _AheadError:
            target.over = True
            self._wanted.set()
        except WitnessSilentError as error:
            fault = error.fault
        except TwinlockError as error:
            fault = error.code
        except Exception as error:  # noqa: BLE001 - what a witness sent broke something: not cosigned
            _log.error("witness_broke_us", witness=peer.name, exc_info=error)
            fault = "broke"
        finally:
            peer.task = None
            if fault:
                self._fail(peer, fault)
            self._progress.set()

    def _fail(self, peer: _Peer, fault: str) -> None:
        self._failures[peer.name, fault] += 1
        wait = min(BACKOFF_SECONDS * 2 ** min(peer.failed, 10), BACKOFF_MOST_SECONDS)
        peer.failed += 1
        peer.not_before = asyncio.get_running_loop().time() + wait
        _log.warning("witness_failed", witness=peer.name, fault=fault, again_in=wait)

    async def _submit(self, peer: _Peer, target: _Target) -> None:
        """Have ``target`` cosigned by one witness.

        Raises:
            TwinlockError: it did not, or not so that anybody may believe it.
        """
        for _ in range(TRIES):
            if peer.size > target.head.size:
                await self._check_ahead(peer, peer.size)
            old = peer.size
            submission = Submission(
                old_size=old, proof=await self._proof(target, old), note=target.gathering.note
            )
            answer = await self._calls.submit(peer.name, submission.encode())
            if answer.status == _YES:
                self._gather(peer, target, answer.body)
                return
            if answer.status != _CONFLICT:
                if answer.status == _UNPROVED:
                    await self._examine(peer)
                raise WitnessSilentError(f"status_{answer.status}")
            peer.size = parse_known_size(answer.body)
        raise WitnessSilentError("contradicts_itself")

    async def _proof(self, target: _Target, old: int) -> tuple[bytes, ...]:
        async with target.proving:
            if old not in target.proofs:
                target.proofs[old] = await self._make_proof(old, target.head.size)
            return target.proofs[old]

    async def _make_proof(self, old: int, size: int) -> tuple[bytes, ...]:
        needed = tiles_needed(lambda at: consistency_proof(old, size, at))
        tiles = await self._log.tiles(tuple(sorted(needed)))
        return consistency_proof(old, size, hashes_in(tiles))

    def _gather(self, peer: _Peer, target: _Target, answer: bytes) -> None:
        now = self._clock.now(database_at=None)
        gathering = target.gathering
        found = check_cosignature(answer, gathering.note, witness=peer.witness, now=now)
        gathering.cosigned[peer.name] = found
        peer.size = target.head.size
        with suppress(QuorumError):
            self._publish(target, gathering.fresh_at())

    def _publish(self, target: _Target, fresh_at: datetime | None) -> None:
        """Show a head that has its quorum, unless a newer one is shown; wake whom it covers."""
        target.reached, self._stalled = True, False
        shown = SignedHead(head=target.head, note=target.gathering.whole().encode())
        new, old = (shown, target.keys, fresh_at), (self._shown, self._shown_keys, self._fresh_at)
        best = max(new, old, key=lambda one: _newness(*one))
        self._shown, self._shown_keys, self._fresh_at = best
        self._unkept.set()
        for waiter, size in self._waiting.items():
            if size <= target.head.size and not waiter.done():
                waiter.set_result(None)

    async def _check_ahead(self, peer: _Peer, known: int) -> None:
        """A witness cosigned more leaves than the head at hand has. Always raises.

        Another process of ours may have been faster. Otherwise the log was rolled back, or the
        witness lies: it is asked to show what we signed.

        Raises:
            _AheadError: our log is as large by now.
            LogDamagedError: the log was rolled back, and is distrusted from here on.
            WitnessSilentError: it shows nothing of the kind.
        """
        peer.size = 0  # Whatever it knows, it will say so again.
        head = await self._log.head()
        if known <= head.size:
            peer.size = known
            raise _AheadError
        await self._examine(peer)
        peer.claims = known
        claiming = {one.name for one in self._peers if one.claims > head.size}
        # Prevents: one liar's word that stops us where any one witness is a quorum.
        most = 2 * len(claiming) > len(self._peers)
        with suppress(QuorumError):
            self._policy.check_quorum(claiming if most else ())
            self._distrust("a quorum of witnesses cosigned a larger log than ours", peer)
        raise WitnessSilentError("claims_a_larger_log")

    async def _examine(self, peer: _Peer) -> None:
        """Hold what a witness shows of our log to our log; return where nothing speaks against us.

        Raises:
            LogDamagedError: we signed it, and our log does not hold it.
        """
        try:
            answer = await self._calls.shown(peer.name, self._signer.log_origin)
            theirs = self._signed_by_us(answer.body)
        except (WitnessSilentError, MalformedError, UntrustedNoteError):
            return  # It shows nothing that we signed.
        try:
            await self._check_holds(theirs, await self._log.head())
        except LogDamagedError as error:
            self._distrust(str(error), peer)
        peer.size = theirs.size

    def _signed_by_us(self, data: bytes) -> Checkpoint:
        """Return a checkpoint of our log, whoever cosigned it.

        Raises:
            MalformedError, UntrustedNoteError: it is none.
        """
        own, origin = replace(self._policy, quorum=None), self._signer.log_origin
        return verify_checkpoint(parse_note(data), own, origin=origin).checkpoint

    async def _check_holds(self, known: Checkpoint, head: Head) -> None:
        """Return when our log holds ``known``. Raises LogDamagedError."""
        if known.size > head.size:
            raise LogDamagedError("the log is shorter than what was signed and cosigned")
        try:
            verify_consistency(
                old_size=known.size,
                old_root=known.root,
                new_size=head.size,
                new_root=head.root,
                proof=await self._make_proof(known.size, head.size),
            )
        except ProofError as error:
            raise LogDamagedError("the log is not the one that was cosigned, grown") from error

    def _distrust(self, why: str, peer: _Peer) -> None:
        _log.error("log_rolled_back", witness=peer.name, reason=why)
        self._log.distrust(why)
        raise LogDamagedError(why)
