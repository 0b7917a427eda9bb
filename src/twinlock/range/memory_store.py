"""The World's store: everything in memory, decided and booked exactly as on the database.

It keeps documents as canonical bytes, so that what comes back was decoded, as from a sealed box.
What it does not have is what a database adds: boxes, locks, time-outs and crashes.

Always true (tests/unit/range/test_memory_store.py): a command changes everything it books or
nothing; labels are unique; the log's time never goes back; and every story is answered as on the
database (tests/integration/test_range_worlds.py).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from twinlock.domain.account import Account, State
from twinlock.domain.answers import tell
from twinlock.domain.bookkeeping import Booked, StateRolledBackError, bookkeep, check_current
from twinlock.domain.canonical import encode
from twinlock.domain.decisions import Decision
from twinlock.domain.entries import SALTS_BYTES, ClosedAction, Entry, Kept, Origin
from twinlock.domain.errors import (
    AccountUnknownError,
    ClockUntrustedError,
    IdempotencyConflictError,
    PlatformKeyUnknownError,
    present,
)
from twinlock.domain.export import Recorded, Repeat, ToldTo
from twinlock.domain.ids import AccountId, ActionId, DestinationId, PlatformKeyId, account_of
from twinlock.domain.importing.faults import AccountExistsError
from twinlock.domain.listed import Destination
from twinlock.domain.log.merkle import Frontier, leaf_hash
from twinlock.domain.log.tiles import grow
from twinlock.domain.message_signatures import SignatureFault, SignatureRefusedError
from twinlock.domain.naming import name_of
from twinlock.domain.notices import Notice
from twinlock.domain.parcels import Parcel, Slip
from twinlock.domain.policy.version import header_of, policy_digest
from twinlock.ports import (
    Clock,
    Committed,
    Entropy,
    Idempotency,
    Outgoing,
    StoredEntry,
    Work,
)
from twinlock.ports.keys import (
    PlatformKey,
)
from twinlock.ports.log import (
    Head,
)
from twinlock.range.memory_notices import MemoryNotices

CLOCK_BEHIND = timedelta(seconds=5)  # As on the database.
_ACCOUNT = msgspec.json.Decoder(Account)
_DESTINATION = msgspec.json.Decoder(Destination)
_CLOSED = msgspec.json.Decoder(ClosedAction)
_KEPT = msgspec.json.Decoder(Kept)


class MemoryStore:
    """State and log of one process. Implements ``ports.Store``, ``Relay`` and ``Records``.

    ``accounts`` and ``destinations`` hold documents as canonical bytes: what an attacker with the
    database would put back.
    """

    def __init__(self, *, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self.accounts: dict[AccountId, bytes] = {}
        self.destinations: dict[DestinationId, bytes] = {}
        self._closed: dict[str, bytes] = {}
        self._entries: dict[tuple[AccountId, int], tuple[int, bytes]] = {}
        self._leaves: list[bytes] = []
        self._facts: list[bytes] = []
        self._labels: set[bytes] = set()
        self._rows: dict[tuple[int, int], bytes] = {}
        self._frontier = Frontier()
        self._used: dict[tuple[str, str], tuple[bytes, str]] = {}
        self._marks: set[tuple[bytes, AccountId]] = set()
        self._outgoing: list[Outgoing] = []
        self.notices = MemoryNotices()
        self._sent = 0
        self._at = datetime(1970, 1, 1, tzinfo=UTC)
        self.halted: datetime | None = None

    # --- Deciding ---

    async def run(self, work: Work) -> Committed:
        """Decide and commit ``work`` (see ``ports.Store``); nothing runs between its lines."""
        at = self._now()
        key = work.idempotency
        repeated = None if key is None else self._repeated(_key(work), key)
        if repeated is not None:
            return Committed(decided=None, at=at, repeated=repeated)
        before = check_current(self._state(work))
        decided = work.decide(before, at)
        booked = bookkeep(
            before,
            decided,
            origin=Origin(account_id=work.account_id, actor=work.actor, policy=work.policy),
            at=at,
            salts=self._entropy.draw(SALTS_BYTES * len(decided.decisions)),
        )
        first = len(self._leaves)
        self._write(work, booked, decided.answer, at=at)
        self._marks |= {(mark, work.account_id) for mark in work.marks}
        index = len(self._leaves) - 1
        return Committed(
            decided=decided,
            at=at,
            first_entry=before.account.chain.entries,
            indexes=tuple(range(first, index + 1)),
            told=tell(decided, index=index, teller=work.teller) if work.teller else None,
        )

    async def marked(
        self, marks: tuple[bytes, ...], *, after: str, most: int
    ) -> tuple[AccountId, ...]:
        """Return accounts that may have keys of an integrator (see ``keys.MarkedAccounts``)."""
        found = {named for mark, named in self._marks if mark in marks and named > after}
        return tuple(sorted(found)[:most])

    async def count(self, marks: tuple[bytes, ...]) -> int:
        """Return how many there are."""
        return len({named for mark, named in self._marks if mark in marks})

    def _now(self) -> datetime:
        now = self._clock.now(database_at=None)
        if self._at - now > CLOCK_BEHIND:
            raise ClockUntrustedError("the clock is behind the log's last entry")
        return max(now, self._at)

    def _repeated(self, scope: str, idempotency: Idempotency) -> str | None:
        found = self._used.get((scope, idempotency.key))
        if found is None:
            return None
        if found[0] != idempotency.digest:
            raise IdempotencyConflictError("this idempotency key was used for something else")
        return found[1]

    def _state(self, work: Work) -> State:
        known = self.accounts.get(work.account_id)
        if work.opens is not None:
            if known is not None:
                raise AccountExistsError("an account of this name was opened before")
            return State(account=work.opens)
        if known is None:
            raise AccountUnknownError("no such account")
        account = _ACCOUNT.decode(known)
        names = () if work.destination_id is None else (work.destination_id, *work.also)
        name = name_of(account, names) if names else None
        listed = self.destinations.get(name or DestinationId(""))
        return State(
            account=account,
            destination_id=name,
            destination=None if listed is None else _DESTINATION.decode(listed),
            halted_at=self.halted,
        )

    def _write(self, work: Work, booked: Booked, said: Decision, *, at: datetime) -> None:
        labels = [entry.label for entry in booked.entries]
        if len({*labels}) < len(labels) or not self._labels.isdisjoint(labels):
            raise StateRolledBackError("an entry of this number exists already")
        self._labels.update(labels)
        self.accounts[work.account_id] = encode(booked.state.account)
        after = booked.state
        for destination in (*after.listed, after.destination):
            if destination is not None:
                self.destinations[destination.destination_id] = encode(destination)
        for closed in booked.closed:
            self._closed[closed.action.action_id] = encode(closed)
        if work.idempotency is not None:
            used = (work.idempotency.digest, work.action_id or said.action_id)
            self._used[_key(work), work.idempotency.key] = used
        for notice in booked.notices:
            number = self._sent + len(self._outgoing) + 1
            account = booked.state.account
            letter = Outgoing(outbox_id=number, account=account, notice=notice)
            self._outgoing.append(letter)
        self._append(work.account_id, booked.entries)
        self._at = at

    def _append(self, account_id: AccountId, entries: tuple[Entry, ...]) -> None:
        hashes = [leaf_hash(entry.leaf) for entry in entries]
        self._rows.update(grow(len(self._leaves), self._rows, hashes))
        for entry in entries:
            kept = Kept(
                events=entry.events,
                openings=dict(entry.openings),
                evidence=entry.evidence.decode("utf-8"),
            )
            self._entries[account_id, entry.number] = (len(self._leaves), encode(kept))
            self._leaves.append(entry.leaf)
            self._facts.append(entry.facts)
        self._frontier = self._frontier.append(hashes)

    # --- Looking ---

    async def stands_for(self, account_id: AccountId, idempotency: Idempotency) -> str | None:
        """Return what an idempotency key stands for (see ``ports.Store``), or None."""
        return self._repeated(account_id, idempotency)

    async def account(self, account_id: AccountId) -> Account:
        """Return the account as it stands. Raises AccountUnknownError."""
        found = self.accounts.get(account_id)
        if found is None:
            raise AccountUnknownError("no such account")
        return _ACCOUNT.decode(found)

    async def destination(
        self, account_id: AccountId, destination_id: DestinationId
    ) -> Destination | None:
        """Return a destination as it stands, or None."""
        found = self.destinations.get(destination_id)
        listed = None if found is None else _DESTINATION.decode(found)
        return listed if listed is not None and listed.account_id == account_id else None

    async def closed_action(self, action_id: ActionId) -> ClosedAction | None:
        """Return an action that is over, or None."""
        found = self._closed.get(action_id)
        return None if found is None else _CLOSED.decode(found)

    async def entry(self, account_id: AccountId, number: int) -> StoredEntry | None:
        """Return entry ``number`` of an account, or None."""
        found = self._entries.get((account_id, number))
        if found is None:
            return None
        index, kept = found
        leaf = self._leaves[index]
        return StoredEntry(number=number, index=index, leaf=leaf, kept=_KEPT.decode(kept))

    async def halted_at(self) -> datetime | None:
        """Return since when all is halted, or None."""
        return self.halted

    # --- All about one person ---

    async def entries(self, account_id: AccountId, *, count: int) -> AsyncIterator[Recorded]:
        """Give the first ``count`` entries of an account, in order."""
        for number in range(count):
            found = present(
                await self.entry(account_id, number), "an entry that is counted is kept"
            )
            yield Recorded(
                number=number,
                index=found.index,
                leaf=found.leaf,
                facts=self._facts[found.index],
                kept=found.kept,
            )

    async def closed_actions(self, account_id: AccountId) -> AsyncIterator[ClosedAction]:
        """Give every action of an account that is over."""
        for action_id in sorted(self._closed):
            if account_of(action_id) == account_id:
                yield _CLOSED.decode(self._closed[action_id])

    async def waiting(self, account_id: AccountId) -> tuple[Notice, ...]:
        """Return the messages to an account's channels that wait to be sent."""
        own = (letter for letter in self._outgoing if letter.account.account_id == account_id)
        return tuple(letter.notice for letter in own)

    async def messages(self, account_id: AccountId) -> tuple[Parcel, ...]:  # noqa: ARG002 - the port's
        """Return nothing: whatever is handed on is gone."""
        return ()

    async def repeats(self, account_id: AccountId) -> tuple[Repeat, ...]:
        """Return what idempotency keys stand for; when they were used is not kept here."""
        return tuple(
            Repeat(key=key, stands_for=named, used_at="")
            for (scope, key), (_, named) in self._used.items()
            if account_id in (scope, named)
        )

    async def told_to(self, account_id: AccountId) -> tuple[ToldTo, ...]:  # noqa: ARG002 - the port's
        """Return nothing: nobody else is told of anything here."""
        return ()

    # --- The log ---

    async def head(self) -> Head:
        """Return the end of the log."""
        return Head(size=self._frontier.size, root=self._frontier.root())

    async def tiles(self, wanted: tuple[tuple[int, int], ...]) -> Mapping[tuple[int, int], bytes]:
        """Return the tiles (level, number) that exist."""
        return {key: self._rows[key] for key in wanted if key in self._rows}

    async def leaves(self, *, start: int, count: int) -> tuple[bytes, ...]:
        """Return the entries of the log from index ``start``, at most ``count``."""
        return tuple(self._leaves[start : start + count])

    # --- The outbox ---

    async def deliver(
        self, send: Callable[[Outgoing], Awaitable[tuple[Slip, ...] | None]], *, most: int
    ) -> int:
        """Hand on up to ``most`` messages, oldest first; return how many were."""
        letters = self._outgoing[:most]
        for letter in letters:
            account = await self.account(letter.account.account_id)
            if await send(msgspec.structs.replace(letter, account=account)) is not None:
                self.notices.keep(letter)
            self._sent += 1
            self._outgoing.remove(letter)
        return len(letters)


def _key(work: Work) -> str:
    """Return whose idempotency key it is: the account's, or the caller's for a new account."""
    return work.actor if work.opens is not None else work.account_id


class MemoryPolicyTexts:
    """Policies of one process, by their digests. Implements ``ports.PolicyTexts``."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}

    async def keep(self, text: bytes) -> None:
        """Keep the canonical bytes of a policy version."""
        self._texts[policy_digest(header_of(text))] = text

    async def read(self, digest: str) -> bytes | None:
        """Return the bytes that have ``digest``, or None."""
        return self._texts.get(digest)

    async def digests(self) -> tuple[str, ...]:
        """Return the digests of all that is kept."""
        return tuple(sorted(self._texts))


class MemoryKeys:
    """The platforms' keys of one process. Implements ``ports.PlatformKeys``."""

    def __init__(self) -> None:
        self._keys: dict[PlatformKeyId, PlatformKey] = {}
        self._nonces: set[tuple[PlatformKeyId, str]] = set()

    async def add(self, key: PlatformKey) -> None:
        """Keep a new key."""
        self._keys[key.key_id] = key

    async def read(self, key_id: PlatformKeyId) -> PlatformKey | None:
        """Return a key, or None."""
        return self._keys.get(key_id)

    async def revoke(self, key_id: PlatformKeyId, *, at: datetime) -> datetime:
        """End a key; one that was revoked before keeps its time.

        Raises:
            PlatformKeyUnknownError: there is no such key.
        """
        key = self._keys.get(key_id)
        if key is None:
            raise PlatformKeyUnknownError("no such platform key")
        ended = key.revoked_at or at
        self._keys[key_id] = msgspec.structs.replace(key, revoked_at=ended)
        return ended

    async def use_nonce(self, key_id: PlatformKeyId, nonce: str, *, until: datetime) -> None:
        """Keep a nonce; a run is short, so none of them is forgotten.

        Raises:
            SignatureRefusedError: it was used before.
        """
        if (key_id, nonce) in self._nonces:
            raise SignatureRefusedError(
                f"this nonce was used until {until}", fault=SignatureFault.REPLAYED
            )
        self._nonces.add((key_id, nonce))

    async def youngest(self, *, most: int) -> tuple[PlatformKey, ...]:
        """Return up to ``most`` keys, the youngest first."""
        by_age = sorted(self._keys.values(), key=lambda key: key.created_at, reverse=True)
        return tuple(by_age[:most])
