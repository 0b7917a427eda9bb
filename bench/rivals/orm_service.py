"""The rival's use case: one locked, decided and logged transaction for each request."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import and_, bindparam, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import joinedload

from bench.rivals.orm_edge import Proposal
from bench.rivals.orm_tables import (
    CELL,
    Document,
    Event,
    Head,
    KeyOfPlatform,
    Leaf,
    Letter,
    Tile,
    UsedKey,
)
from twinlock.adapters.boxes import Sealer, SubjectKey
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.signing import KeyringIndex, KeyringMac, KeyringSigner
from twinlock.adapters.prices import PriceFile
from twinlock.adapters.settings import load
from twinlock.adapters.sql import codec
from twinlock.adapters.sql.keys_used import KeyName, key_use
from twinlock.adapters.sql.watch import Watch
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.api.throttling import (
    ACCOUNT_BURST,
    ACCOUNT_RATE,
    KEY_BURST,
    KEY_RATE,
    Buckets,
)
from twinlock.bootstrap.rulebook import BookPolicies, rule_book
from twinlock.domain.account import Account, State
from twinlock.domain.actions import Place, payload_bytes, payload_digest
from twinlock.domain.answers import Answered, tell
from twinlock.domain.bookkeeping import Booked, bookkeep, check_current
from twinlock.domain.canonical import b64url
from twinlock.domain.catalogue import ActionType
from twinlock.domain.commands import Propose
from twinlock.domain.decisions import Decided
from twinlock.domain.entries import SALTS_BYTES, Origin
from twinlock.domain.errors import (
    AccountUnknownError,
    ClockUntrustedError,
    IdempotencyConflictError,
    LogDamagedError,
)
from twinlock.domain.exit_drafts import exit_of
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.gate import decide
from twinlock.domain.ids import (
    AccountId,
    DestinationId,
    PlatformKeyId,
    action_id,
    parse_account_id,
    tail,
)
from twinlock.domain.listed import Destination
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.log.tiles import edge_of, grow
from twinlock.domain.policy.version import Policy
from twinlock.domain.sessions import PROPOSAL, SignedDraft
from twinlock.ports.keys import (
    PlatformKey,
)
from twinlock.proofs.addresses.normal import normal_where
from twinlock.proofs.sessions import check_session
from twinlock.services.platform_keys import Keys, PlatformKeyRefusedError, Scope

CLOCK_BEHIND_SECONDS = 5.0
KEY_CACHE_SECONDS = 1.0

# Locks both documents in one order, with their subject's key.
LOCK = (
    select(Document)
    .options(joinedload(Document.key, innerjoin=True))
    .where(Document.id.in_(bindparam("names", expanding=True)))
    .order_by(Document.id)
    .with_for_update(of=Document)
)
# The database's time, the log's last time, and whether the idempotency key was used.
READ = (
    select(func.clock_timestamp(), Head.at, UsedKey)
    .select_from(Head)
    .outerjoin(UsedKey, and_(UsedKey.scope == bindparam("scope"), UsedKey.key == bindparam("key")))
    .where(Head.cell == CELL)
)
LOCK_HEAD = select(Head).where(Head.cell == CELL).with_for_update()
EDGE = select(Tile).where(
    Tile.cell == CELL, tuple_(Tile.level, Tile.number).in_(bindparam("places", expanding=True))
)


class OrmPlatformKeys:
    """Platform keys through the ORM, with the same memory of one second."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions
        self._remembered: dict[PlatformKeyId, tuple[PlatformKey, float]] = {}

    async def add(self, key: PlatformKey) -> None:
        """Keep a new key."""
        async with self._sessions() as session, session.begin():
            session.add(
                KeyOfPlatform(
                    id=key.key_id,
                    mac=key.mac,
                    scopes=list(key.scopes),
                    networks=list(key.networks),
                    created_at=key.created_at,
                    expires_at=key.expires_at,
                )
            )

    async def read(self, key_id: PlatformKeyId) -> PlatformKey | None:
        """Return a key, or None."""
        now = asyncio.get_running_loop().time()
        known = self._remembered.get(key_id)
        if known is not None and now < known[1]:
            return known[0]
        async with self._sessions() as session:
            row = await session.get(KeyOfPlatform, key_id)
        if row is None:
            return None
        key = PlatformKey(
            key_id=key_id,
            mac=row.mac,
            scopes=tuple(row.scopes),
            networks=tuple(row.networks),
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
        )
        self._remembered[key_id] = (key, now + KEY_CACHE_SECONDS)
        return key

    async def revoke(self, key_id: PlatformKeyId, *, at: datetime) -> datetime:
        """End a key."""
        async with self._sessions() as session, session.begin():
            row = await session.get(KeyOfPlatform, key_id)
            if row is not None:
                row.revoked_at = at
        return at

    async def use_nonce(self, key_id: PlatformKeyId, nonce: str, *, until: datetime) -> None:
        """Keep a nonce: signed requests are not measured."""
        raise NotImplementedError(key_id, nonce, until)

    async def youngest(self, *, most: int) -> tuple[PlatformKey, ...]:
        """List keys, which is not measured."""
        raise NotImplementedError(most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One proposal made ready for the gate."""

    account_id: AccountId
    destination_id: DestinationId
    command: Propose
    actor: str
    key: str
    digest: bytes


class Service:
    """The use case, over one session for each request."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        settings = load(os.environ)
        keyring = keyrings.load(settings.keyring_dir)
        signer = KeyringSigner(keyring, log_origin=settings.log_origin)
        self._sessions = sessions
        self._entropy = SystemEntropy()
        self._clock = SystemClock()
        self._sealer = Sealer(keyring)
        self._watch = Watch(self._sealer)
        self._blind = KeyringIndex(keyring)
        self._policies = BookPolicies(
            rule_book, prices=PriceFile(settings.price_file, keyring), signer=signer
        )
        self._keys = Keys(
            OrmPlatformKeys(sessions),
            mac=KeyringMac(keyring),
            entropy=self._entropy,
            clock=self._clock,
        )
        self._key_buckets = Buckets(rate=KEY_RATE, burst=KEY_BURST, seconds=time.monotonic)
        self._account_buckets = Buckets(
            rate=ACCOUNT_RATE, burst=ACCOUNT_BURST, seconds=time.monotonic
        )
        self._answers = Counter(
            "answers", "Answers of the gate.", ("type", "answer"), registry=CollectorRegistry()
        )

    async def caller(self, authorization: str, address: str) -> str:
        """Return the actor behind the platform key."""
        kind, _, presented = authorization.partition(" ")
        if kind.lower() != "bearer":
            raise PlatformKeyRefusedError("a platform key is sent as a bearer token")
        key_id = await self._keys.check(presented, address=address, scope=Scope.PROPOSE)
        self._key_buckets.take(key_id)
        return f"platform:{key_id}"

    async def propose(self, asked: Proposal, *, actor: str, key: str, digest: bytes) -> Answered:
        """Decide one withdrawal in one transaction, and sign the answer after it."""
        named = parse_account_id(asked.account_id)
        self._account_buckets.take(named)
        ready = self._ready(asked, named, actor=actor, key=key, digest=digest)
        async with self._sessions() as session, session.begin():
            decided, index = await self._decide(session, ready)
        said = decided.answer
        self._answers.labels(type=said.kind, answer=said.answer.value).inc()
        return tell(decided, index=index, teller=self._policies.teller())

    def _ready(
        self, asked: Proposal, named: AccountId, *, actor: str, key: str, digest: bytes
    ) -> Asked:
        """Check the session's signature, before any lock is taken."""
        policy = self._policies.rules().policy
        payload = _crypto(dict(asked.payload), named, policy)
        signature = None
        if asked.session is not None:
            draft = SignedDraft(**dict(asked.session))
            payload_is = payload_digest(payload_bytes(payload))
            signature = check_session(draft, purpose=PROPOSAL, name=key, digest=payload_is)
        return Asked(
            account_id=named,
            destination_id=self._blind.names(_place(payload))[0],
            command=Propose(
                action_id=action_id(named, self._entropy.draw(16)),
                payload=payload,
                veto_key=b64url(self._entropy.draw(32)),
                claimed_cents=asked.value_cents,
                session=signature,
            ),
            actor=actor,
            key=key,
            digest=digest,
        )

    async def _decide(self, session: AsyncSession, asked: Asked) -> tuple[Decided, int]:
        names = [asked.account_id, asked.destination_id]
        rows = (await session.scalars(LOCK, {"names": names})).all()
        documents = {row.id: row for row in rows}
        now = await self._now(session, asked)
        if asked.account_id not in documents:
            raise AccountUnknownError("no such account")
        wrapped = documents[asked.account_id].key.wrapped
        key = self._sealer.open_subject_key(asked.account_id, wrapped)
        before = check_current(_state(asked, documents, key))
        rules = self._policies.rules()
        decided = decide(before, asked.command, rules=rules, now=now)
        origin = Origin(account_id=asked.account_id, actor=asked.actor, policy=rules.policy.name)
        salts = self._entropy.draw(SALTS_BYTES * len(decided.decisions))
        booked = bookkeep(before, decided, origin=origin, at=now, salts=salts)
        self._change(documents, asked, booked, key=key)
        session.add_all(self._letters(asked, booked, key=key))
        session.add(self._used(asked, now=now))
        # Sent before the head is locked: every other writer waits for whoever holds it.
        await session.flush()
        return decided, await self._log(session, asked, booked, key=key, now=now)

    async def _now(self, session: AsyncSession, asked: Asked) -> datetime:
        found = await session.execute(READ, {"scope": asked.account_id, "key": asked.key})
        database_at, head_at, used = found.one().tuple()
        if used is not None:
            # What a repeated key is answered is another route's; no load here repeats one.
            raise IdempotencyConflictError("this idempotency key was used")
        now = self._clock.now(database_at=database_at)
        if (head_at - now).total_seconds() > CLOCK_BEHIND_SECONDS:
            raise ClockUntrustedError("the clock is behind the log's last entry")
        later: datetime = max(now, head_at)
        return later

    def _change(
        self, documents: dict[str, Document], asked: Asked, booked: Booked, *, key: SubjectKey
    ) -> None:
        """Put the new state into the locked documents."""
        values: list[tuple[str, Account | Destination | None]] = [
            (asked.account_id, booked.state.account),
            (asked.destination_id, booked.state.destination),
        ]
        for name, value in values:
            if value is not None:
                row = documents[name]
                row.version += 1
                row.box = self._seal(key, value, row.kind, name, row.version)

    def _used(self, asked: Asked, *, now: datetime) -> UsedKey:
        name, action = KeyName(asked.account_id, asked.key), asked.command.action_id
        use = key_use(self._sealer, name, digest=asked.digest, action_id=action)
        return UsedKey(scope=name.scope, key=name.key, used_at=now, **use._asdict())

    def _letters(self, asked: Asked, booked: Booked, *, key: SubjectKey) -> list[Letter]:
        letters = []
        for notice in booked.notices:
            place = codec.letter_place(tail(self._entropy.draw(16)))
            box = codec.seal(key, notice, place, entropy=self._entropy)
            letters.append(Letter(subject=asked.account_id, serial=place.row_id, box=box))
        return letters

    async def _log(
        self, session: AsyncSession, asked: Asked, booked: Booked, *, key: SubjectKey, now: datetime
    ) -> int:
        """Append the entries behind the locked head; return the index of the last."""
        entries = booked.entries
        hashes = [leaf_hash(entry.leaf) for entry in entries]
        boxes = [
            self._seal(key, codec.kept(entry), "event", asked.account_id, entry.number)
            for entry in entries
        ]
        head = (await session.scalars(LOCK_HEAD)).one_or_none()
        if head is None:
            raise LogDamagedError("the head of the log is gone")
        first = head.size
        await self._grow(session, head, hashes, now=now)
        for index, (entry, box) in enumerate(zip(entries, boxes, strict=True), start=first):
            named = {"subject": asked.account_id, "number": entry.number}
            session.add(Event(**named, leaf_index=index, box=box))
            shown = {"label": entry.label, "entry": entry.leaf, "facts": entry.facts}
            session.add(Leaf(cell=CELL, leaf_index=index, **shown))
        return head.size - 1

    async def _grow(
        self, session: AsyncSession, head: Head, hashes: Sequence[bytes], *, now: datetime
    ) -> None:
        written = {
            name: getattr(head, name) for name in ("cell", "size", "edge", "at", "platform", "mac")
        }
        before = self._watch.frontier_of(written)
        places = [(tile.level, tile.index) for tile in edge_of(head.size)]
        rows = (await session.scalars(EDGE, {"places": places})).all() if places else ()
        tiles = {(tile.level, tile.number): tile for tile in rows}
        edge = {place: tile.hashes for place, tile in tiles.items()}
        for (level, number), row in grow(head.size, edge, hashes).items():
            tile = tiles.get((level, number))
            if tile is None:
                session.add(Tile(cell=CELL, level=level, number=number, hashes=row))
            else:
                tile.hashes = row
        at = max(now, head.at)
        frontier = before.append(hashes)
        head.mac = self._watch.seal(frontier, at=at, platform=head.platform)
        head.size, head.edge, head.at = frontier.size, frontier.to_bytes(), at

    def _seal(self, key: SubjectKey, value: object, kind: str, row_id: str, version: int) -> bytes:
        place = codec.Place(kind=kind, row_id=row_id, version=version)
        return codec.seal(key, value, place, entropy=self._entropy)


def _crypto(asked: dict[str, Any], named: AccountId, policy: Policy) -> WithdrawalCrypto:
    payload = exit_of(
        ActionType.WITHDRAWAL_CRYPTO,
        asked,
        named,
        policy=policy,
        normal=lambda network, address, memo: normal_where(network, address, memo, policy),
    )
    assert isinstance(payload, WithdrawalCrypto)  # noqa: S101 - the only form of this type
    return payload


def _place(payload: WithdrawalCrypto) -> Place:
    return Place(
        account=payload.account,
        network=payload.network,
        address=payload.address,
        memo=payload.memo,
    )


def _state(asked: Asked, documents: dict[str, Document], key: SubjectKey) -> State:
    def opened(name: str) -> Account | Destination | None:
        row = documents.get(name)
        if row is None:
            return None
        return codec.unseal_stream(
            key, row.box, codec.Place(kind=row.kind, row_id=name, version=row.version)
        )

    account, destination = opened(asked.account_id), opened(asked.destination_id)
    if not isinstance(account, Account):
        raise AccountUnknownError("no such account")
    return State(
        account=account,
        destination_id=asked.destination_id,
        destination=destination if isinstance(destination, Destination) else None,
    )
