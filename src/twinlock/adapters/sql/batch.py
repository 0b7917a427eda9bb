"""One batch: the requests that waited together, decided in order and committed as one.

The order of locks is always the same: accounts and destinations by id, and the head row last. An
account's lock guards everything that belongs to it: its destinations, events, closed actions and
idempotency keys.

Always true (tests/integration/test_store_*.py):

* a document, its events, its leaf and the tree change together or not at all;
* the index of a leaf comes from the locked head row, so indexes have no gaps;
* a leaf's time is never before that of the leaf before it, whoever wrote that;
* a row is written only over exactly the version that was read under the lock;
* whatever can fail for one request alone fails before it is counted in;
* nobody is answered, with a no or an error either, before what the answer rests on is committed;
* what is committed was decided by the policy version that the head says is in force.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg

from twinlock.adapters.boxes import NEW_KEY_ENTROPY_BYTES, Sealer, SubjectKey
from twinlock.adapters.sql import codec, queries, tree
from twinlock.adapters.sql.api_key_marks import keep_marks
from twinlock.adapters.sql.clocks import time_behind
from twinlock.adapters.sql.contact_names import rename
from twinlock.adapters.sql.keys_used import KeyName, KeyUse, key_name, key_use, repeated
from twinlock.adapters.sql.locking import check_locked, destinations_of, streams_of
from twinlock.adapters.sql.waiting import Waiting, own_copy, unexpected, untold
from twinlock.adapters.sql.watch import Watch
from twinlock.domain.account import Account, State
from twinlock.domain.answers import tell
from twinlock.domain.bookkeeping import Booked, StateRolledBackError, bookkeep, check_current
from twinlock.domain.decisions import Decided
from twinlock.domain.entries import SALTS_BYTES, Origin
from twinlock.domain.erasure import AccountErasedError
from twinlock.domain.errors import (
    AccountUnknownError,
    InvariantError,
    LogDamagedError,
    TokenUnavailableError,
    TwinlockError,
    UnavailableError,
)
from twinlock.domain.forgetting import may_come_back, versions_of
from twinlock.domain.ids import DestinationId, tail
from twinlock.domain.importing.faults import AccountExistsError
from twinlock.domain.listed import Destination
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.naming import name_of
from twinlock.domain.officers.standing import check_in_force, halted_since
from twinlock.ports import (
    Clock,
    Committed,
    Entropy,
    Work,
)

_UNREAD = datetime.min.replace(tzinfo=UTC)


class ConflictError(TwinlockError):
    """Somebody else wrote the same row first. Repeat with the same idempotency key."""

    code = "conflict"
    status = 503


class _Row(NamedTuple):
    """A row of ``stream`` as it will be written."""

    row_id: str
    subject: str
    kind: str
    version: int
    box: bytes


@dataclass(slots=True)
class _Stream:
    """A stream of the batch: its value as it changes, and the version it was read at."""

    value: Account | Destination
    version: int


class _Read(NamedTuple):
    """What a batch read under its locks, before it decided anything."""

    streams: dict[str, _Stream]
    keys: dict[str, SubjectKey]


@dataclass(slots=True)
class _Done:
    """A request that was decided, and everything it writes, sealed."""

    waiting: Waiting
    decided: Decided
    booked: Booked
    first_entry: int
    events: list[bytes]
    letters: list[tuple[str, bytes]]


@dataclass(slots=True)
class Batch:
    """The state of one batch between its first lock and its commit.

    ``watch`` is what this process knows of the log, and ``edge`` after ``run`` the tree's edge as
    it was written now. ``follow`` waits for what was decided before, and ``decided`` is called when
    only writing is left. ``commit_asked`` says that the outcome is the database's to tell.
    """

    connection: asyncpg.Connection
    sealer: Sealer
    entropy: Entropy
    clock: Clock
    watch: Watch
    follow: Callable[[], Awaitable[None]]
    decided: Callable[[], None]
    edge: tree.Edge | None = None
    commit_asked: bool = False
    at: datetime = _UNREAD
    platform: bytes = b""
    keys: dict[str, SubjectKey] = field(default_factory=dict)
    new_keys: dict[str, bytes] = field(default_factory=dict)
    streams: dict[str, _Stream] = field(default_factory=dict)
    rows: dict[str, _Row] = field(default_factory=dict)
    broken: dict[str, TwinlockError] = field(default_factory=dict)
    used: dict[KeyName, KeyUse] = field(default_factory=dict)
    new_uses: dict[KeyName, KeyUse] = field(default_factory=dict)
    read: _Read = field(default_factory=lambda: _Read({}, {}))
    done: list[_Done] = field(default_factory=list)
    answers: list[tuple[Waiting, Committed | TwinlockError]] = field(default_factory=list)

    async def run(self, group: list[Waiting], *, skip_locked: bool = False) -> None:
        """Decide and commit ``group``, then answer each of it.

        With ``skip_locked`` a request whose account somebody else holds is refused at once.

        Raises:
            ClockUntrustedError, LogDamagedError: nothing can be decided at all.
            KeysStaleError, TokenUnavailableError: nor without keys.
            StateRolledBackError: a row is not the one that was read; others are not told whose.
            OvertakenError: as ``follow`` does.
        """
        self.watch.check_trusted()
        self.sealer.check_ready()
        async with self.connection.transaction(isolation="read_committed"):
            await self._lock(group, skip_locked=skip_locked)
            await self._read(group)
            for waiting in group:
                self._decide(waiting)
            await self.follow()
            if self.done:
                await self._write(group)
            self.commit_asked = True
        self._answer()

    # --- Reading, under the locks ---

    async def _lock(self, group: list[Waiting], *, skip_locked: bool) -> None:
        names = sorted({name for waiting in group for name in streams_of(waiting.work)})
        await self._load(names, skip_locked=skip_locked)
        if skip_locked:
            await self._refuse_locked(names)
        # A destination that somebody added while we waited for its account is not in the snapshot
        # of the statement that waited. It is its account's, which is ours now.
        unseen = {name for waiting in group for name in self._unseen(waiting.work)}
        if unseen:
            await self._load(sorted(unseen), skip_locked=skip_locked)
        await self._refuse_erased(group)

    async def _load(self, names: list[str], *, skip_locked: bool) -> None:
        sql = queries.LOCK_FREE_STREAMS if skip_locked else queries.LOCK_STREAMS
        for row in await self.connection.fetch(sql, names):
            try:
                self._open(row)
            except TwinlockError as error:
                self.broken[row["id"]] = error

    def _open(self, row: asyncpg.Record) -> None:
        subject, kind, version = row["subject"], row["kind"], row["version"]
        key = self.keys.get(subject) or self.sealer.open_subject_key(subject, row["wrapped"])
        self.keys[subject] = key
        place = codec.Place(kind=kind, row_id=row["id"], version=version)
        value = codec.unseal_stream(key, row["box"], place)
        self.streams[row["id"]] = _Stream(value=value, version=version)

    async def _refuse_locked(self, names: list[str]) -> None:
        absent = [name for name in names if name not in self.streams and name not in self.broken]
        for row in await self.connection.fetch(queries.READ_EXISTING, absent):
            self.broken[row["id"]] = UnavailableError("somebody else holds this account")

    async def _refuse_erased(self, group: list[Waiting]) -> None:
        """Say of accounts that are gone that they were erased; no id is given out again."""
        known = self.streams.keys() | self.broken.keys()
        absent = [one.work.account_id for one in group if one.work.account_id not in known]
        if absent:
            for row in await self.connection.fetch(queries.READ_ERASED, absent):
                self.broken[row["subject"]] = AccountErasedError("this account was erased")

    def _unseen(self, work: Work) -> Iterable[DestinationId]:
        stream = self.streams.get(work.account_id)
        if stream is None or not isinstance(stream.value, Account):
            return ()
        seen = self.streams.keys() | self.broken.keys()
        known = versions_of(stream.value)
        own = [name for name in destinations_of(work) if name in known]
        # What is left of a forgotten destination is written over when it is listed anew.
        return [name for name in (*own, *may_come_back(stream.value)) if name not in seen]

    async def _read(self, group: list[Waiting]) -> None:
        works = [one.work for one in group]
        asked = sorted({key_name(one, one.idempotency) for one in works if one.idempotency})
        scopes, keys = [name.scope for name in asked], [name.key for name in asked]
        rows = await self.connection.fetch(queries.READ_AFTER_LOCKS, scopes, keys)
        if not rows:
            raise LogDamagedError("the head of the log is gone")
        self.used = {
            KeyName(row["scope"], row["key"]): KeyUse(row["digest"], row["action_id"], row["mac"])
            for row in rows
            if row["key"] is not None
        }
        times = {name: rows[0][name] for name in ("head_at", "database_at")}
        self.at = time_behind(self.clock, **times)
        self.platform = rows[0]["platform"]
        self.read = _Read(dict(self.streams), dict(self.keys))

    # --- Deciding ---

    def _decide_again(self, group: list[Waiting], head: asyncpg.Record) -> None:
        """Decide once more what was decided before another process wrote ``head``, later.

        Behind the locked head, so that nobody else can write once more: once is enough. Prevents: a
        decision that was begun before officers halted all, and is committed afterwards.
        """
        self.at = time_behind(self.clock, head_at=head["at"], database_at=None)
        self.platform = head["platform"]
        self.streams, self.keys = dict(self.read.streams), dict(self.read.keys)
        for made in (self.new_keys, self.rows, self.new_uses, self.done, self.answers):
            made.clear()
        for waiting in group:
            self._decide(waiting)

    def _decide(self, waiting: Waiting) -> None:
        try:
            done_before = self._repeated(waiting.work)
            if done_before is None:
                self.done.append(self._carry_out(waiting))
            else:
                answered = Committed(decided=None, at=self.at, repeated=done_before)
                self.answers.append((waiting, answered))
        except TwinlockError as error:
            self.answers.append((waiting, error))
        except Exception as error:  # noqa: BLE001 - the edge of one request: its neighbours go on
            self.answers.append((waiting, unexpected(error)))

    def _repeated(self, work: Work) -> str | None:
        if work.idempotency is None:
            return None
        name = key_name(work, work.idempotency)
        found = self.new_uses.get(name) or self.used.get(name)
        return None if found is None else repeated(self.sealer, name, found, work.idempotency)

    def _carry_out(self, waiting: Waiting) -> _Done:
        work = waiting.work
        check_in_force(work.policy.digest, self.platform)
        before = check_current(self._state(work))
        decided = work.decide(before, self.at)
        booked = bookkeep(
            before,
            decided,
            origin=Origin(account_id=work.account_id, actor=work.actor, policy=work.policy),
            at=self.at,
            salts=self.entropy.draw(SALTS_BYTES * len(decided.decisions)),
        )
        check_locked(work, booked.state)
        wrapped, key = self._subject_key(work)
        rows, values = self._stream_rows(work, before, booked, key)
        done = _Done(
            waiting=waiting,
            decided=decided,
            booked=booked,
            first_entry=before.account.chain.entries,
            events=self._event_boxes(work, booked, key),
            letters=self._letter_boxes(booked, key),
        )
        # From here on nothing of this request can fail alone.
        if wrapped:
            self.keys[work.account_id], self.new_keys[work.account_id] = key, wrapped
        if work.idempotency is not None:
            name = key_name(work, work.idempotency)
            digest, action_id = work.idempotency.digest, work.action_id or decided.answer.action_id
            use = key_use(self.sealer, name, digest=digest, action_id=action_id)
            self.new_uses[name] = use
        self.rows.update(rows)
        self.streams.update(values)
        return done

    def _state(self, work: Work) -> State:
        for name in streams_of(work):
            if name in self.broken:
                raise own_copy(self.broken[name])
        stream = self.streams.get(work.account_id)
        if work.opens is not None:
            if stream is not None:
                raise AccountExistsError("an account of this name was opened before")
            return State(account=work.opens)
        if stream is None:
            raise AccountUnknownError("no such account")
        account, names = _as(Account, stream.value), destinations_of(work)
        where = name_of(account, names) if names else None
        destination = self.streams.get(where or "")
        value = None if destination is None else destination.value
        return State(
            account=account,
            destination_id=where,
            destination=None if value is None else _as(Destination, value),
            halted_at=halted_since(self.platform),
            platform=self.platform,
        )

    def _subject_key(self, work: Work) -> tuple[bytes, SubjectKey]:
        """Return the key of the account, and in its wrapped form where it is a new one."""
        if work.opens is None:
            return b"", self.keys[work.account_id]
        random = self.entropy.draw(NEW_KEY_ENTROPY_BYTES)
        wrapped = self.sealer.new_subject_key(work.account_id, random=random)
        return wrapped, self.sealer.open_subject_key(work.account_id, wrapped)

    # --- Sealing ---

    def _stream_rows(
        self, work: Work, before: State, booked: Booked, key: SubjectKey
    ) -> tuple[dict[str, _Row], dict[str, _Stream]]:
        """Return the rows of all streams that a request changes, and their values."""
        account, destination = booked.state.account, booked.state.destination
        changed: dict[str, Account | Destination] = {work.account_id: account}
        for one in (*booked.state.listed, destination):
            if one is not None and one != before.destination:
                changed[one.destination_id] = one
        rows: dict[str, _Row] = {}
        values: dict[str, _Stream] = {}
        for name, value in changed.items():
            if name in self.broken:
                raise own_copy(self.broken[name])
            stream = self.streams.get(name)
            values[name] = _Stream(value=value, version=0 if stream is None else stream.version)
            kind = codec.kind_of(value)
            place = codec.Place(kind=kind, row_id=name, version=values[name].version + 1)
            rows[name] = self._row(work, place, value, key)
        for closed in booked.closed:
            place = codec.Place(kind="action", row_id=closed.action.action_id, version=1)
            rows[place.row_id] = self._row(work, place, closed, key)
        return rows, values

    def _row(self, work: Work, place: codec.Place, value: object, key: SubjectKey) -> _Row:
        box = codec.seal(key, value, place, entropy=self.entropy)
        return _Row(place.row_id, work.account_id, place.kind, place.version, box)

    def _event_boxes(self, work: Work, booked: Booked, key: SubjectKey) -> list[bytes]:
        return [
            codec.seal(
                key,
                codec.kept(entry),
                codec.Place(kind="event", row_id=work.account_id, version=entry.number),
                entropy=self.entropy,
            )
            for entry in booked.entries
        ]

    def _letter_boxes(self, booked: Booked, key: SubjectKey) -> list[tuple[str, bytes]]:
        boxes = []
        for notice in booked.notices:
            place = codec.letter_place(tail(self.entropy.draw(16)))
            boxes.append((place.row_id, codec.seal(key, notice, place, entropy=self.entropy)))
        return boxes

    # --- Writing ---

    async def _write(self, group: list[Waiting]) -> None:
        """Write everything behind the locked head."""
        head = await self.connection.fetchrow(queries.LOCK_HEAD)
        frontier = self.watch.frontier_of(head)
        if head["at"] > self.at or head["platform"] != self.platform:
            self._decide_again(group, head)
        edge = await tree.read_edge(
            self.connection, frontier, seen=self.watch.seen, known=self.watch.edge
        )
        entries = [entry for done in self.done for entry in done.booked.entries]
        grown = tree.grown(edge, [leaf_hash(entry.leaf) for entry in entries])
        indexes = range(frontier.size, grown.edge.frontier.size)
        write = self.connection.fetchrow(
            queries.WRITE,
            list(self.new_keys),
            list(self.new_keys.values()),
            *_columns(sorted(self.rows.values()), len(_Row._fields)),
            *_columns(self._event_rows(indexes), 4),
            [entry.label for entry in entries],
            [entry.leaf for entry in entries],
            [entry.facts for entry in entries],
            [level for level, _ in grown.rows],
            [number for _, number in grown.rows],
            list(grown.rows.values()),
            *_columns(self._letter_rows(), 3),
            *_columns(((*name, *use) for name, use in sorted(self.new_uses.items())), 5),
            self.at,
            grown.edge.frontier.size,
            grown.edge.frontier.to_bytes(),
            self.watch.seal(grown.edge.frontier, at=self.at, platform=self.platform),
        )
        self.decided()
        counts, _ = await asyncio.gather(write, self._tell(indexes))
        if counts["streams"] != len(self.rows):
            raise StateRolledBackError("a stream left another version than was read")
        moved = ((one.decided, one.booked.state.account) for one in self.done)
        await rename(self.connection, moved, sealer=self.sealer)
        await keep_marks(self.connection, ((one.waiting.work, one.decided) for one in self.done))
        self.edge = grown.edge

    async def _tell(self, indexes: range) -> None:
        """Make the answers while the database writes; they are given out after the commit."""
        at = 0
        for done in self.done:
            own = tuple(indexes[at : at + len(done.booked.entries)])
            at += len(own)
            self.answers.append((done.waiting, self._committed(done, own)))

    def _committed(self, done: _Done, indexes: tuple[int, ...]) -> Committed | TwinlockError:
        decided, teller = done.decided, done.waiting.work.teller
        told = None
        if teller is not None:
            try:
                told = tell(decided, index=indexes[-1], teller=teller)
            except TokenUnavailableError as error:
                return error  # It is told when somebody asks again.
            except Exception as error:  # noqa: BLE001 - the edge of one request: others go on
                return untold(error)
        return Committed(
            decided=decided,
            at=self.at,
            first_entry=done.first_entry,
            indexes=indexes,
            told=told,
        )

    def _event_rows(self, indexes: Iterable[int]) -> Iterable[tuple[object, ...]]:
        index = iter(indexes)
        for done in self.done:
            subject = done.waiting.work.account_id
            for entry, box in zip(done.booked.entries, done.events, strict=True):
                yield subject, entry.number, next(index), box

    def _letter_rows(self) -> Iterable[tuple[object, ...]]:
        for done in self.done:
            for serial, box in done.letters:
                yield done.waiting.work.account_id, serial, box

    # --- Answering, after the commit ---

    def _answer(self) -> None:
        for waiting, answer in self.answers:
            if isinstance(answer, Committed):
                waiting.succeed(answer)
            else:
                waiting.fail(answer)


def _as(kind: type[codec.T], value: Account | Destination) -> codec.T:
    if not isinstance(value, kind):
        raise InvariantError("a stream is of the kind that a command takes it for")
    return value


def _columns(rows: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    columns: list[list[object]] = [[] for _ in range(width)]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns
