"""What one worker of an audit reads and opens, part by part, all of it as of one moment.

Rows come through cursors, so that memory holds a few hundred of them and not an account's whole
life. Every statement runs in one transaction that only reads, on a snapshot that all workers share:
the service goes on meanwhile, and nothing is locked.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from twinlock.adapters.boxes import Sealer, SubjectKey
from twinlock.adapters.slots import Slots
from twinlock.adapters.sql import audit_queries, codec
from twinlock.adapters.sql.connections import CONNECT_SECONDS, DOWN, REFUSED, SETTINGS, unreachable
from twinlock.adapters.sql.deliveries import PARCEL, parcel_place
from twinlock.adapters.sql.erasure_marks import Gone, Mark
from twinlock.adapters.sql.keys_used import KeyName, KeyUse, check_use
from twinlock.adapters.sql.told_streams import (
    FOLLOWED,
    STREAM,
    TOLD,
    WAITING,
    subject_place,
    token_place,
)
from twinlock.adapters.sql.webhooks import ENDPOINT, KIND
from twinlock.domain.audit.accounts import Doubt, Rebuilt
from twinlock.domain.audit.documents import Documents, Stored
from twinlock.domain.audit.findings import Fault, Findings
from twinlock.domain.audit.parts import Checked, Leaves, Part, Rest, Span
from twinlock.domain.audit.suspensions import OfficersWords
from twinlock.domain.audit.tree import check_tiles
from twinlock.domain.audit.walk import FORGOTTEN, LeafWalk
from twinlock.domain.errors import LogDamagedError, SealBrokenError
from twinlock.domain.log.tiles import TILE_BYTES, TILE_WIDTH
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.webhooks.endpoints import is_webhook_id

ROWS = 500  # Read at once: with entries of 4 KB it is 2 MB.
AUDIT_SETTINGS = SETTINGS | {
    "application_name": "twinlock audit",
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "0",  # Between two rows we may hash for a while.
    "statement_timeout": "0",  # A million entries take their time, and hold nobody up.
    "cursor_tuple_fraction": "1",  # All rows are read: plan for the last one, not the first.
    "plan_cache_mode": "force_custom_plan",  # Limits that are not there must not hide an index.
    # The key of entries has their order. Sorting rows of 2 KB took four times as long (measured).
    "enable_sort": "off",
    "enable_bitmapscan": "off",
}


@asynccontextmanager
async def reading(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect for reading at one moment, in one transaction. Raises UnavailableError."""
    try:
        connection = await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, server_settings=AUDIT_SETTINGS
        )
    except (*DOWN, *REFUSED) as error:
        raise unreachable(error) from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    except DOWN as error:
        raise unreachable(error) from error
    finally:
        connection.terminate()  # It has nothing to finish, and nobody waits for a goodbye.


async def share(connection: asyncpg.Connection) -> str:
    """Return the name of this connection's snapshot, for as long as its transaction lives."""
    return str(await connection.fetchval(audit_queries.EXPORT_SNAPSHOT))


async def join(connection: asyncpg.Connection, snapshot: str) -> None:
    """Look at the moment of ``snapshot``; nothing was asked on this connection before."""
    quoted = snapshot.replace("'", "''")
    await connection.execute(f"SET TRANSACTION SNAPSHOT '{quoted}'")


class AuditReader:
    """Checks one part after the other on one connection.

    ``policies`` are the policy versions that are kept, by the bytes of their digests.
    """

    def __init__(
        self,
        connection: asyncpg.Connection,
        *,
        sealer: Sealer,
        slots: Slots,
        policies: dict[bytes, PolicyName],
        log_keys: frozenset[str],
        officers: OfficersWords,
    ) -> None:
        self._connection = connection
        self._sealer = sealer
        self._slots = slots
        self._policies = policies
        self._log_keys = log_keys
        self._officers = officers

    async def check(self, part: Part) -> Checked:
        """Return what was checked of ``part``, and what was found. Raises UnavailableError."""
        try:
            return await self._check(part)
        except DOWN as error:
            raise unreachable(error) from error

    async def _check(self, part: Part) -> Checked:
        match part:
            case Span():
                return await self._check_span(part)
            case Leaves():
                return await self._check_leaves(part)
            case Rest():
                return await self._check_rest()

    async def _rows(self, sql: str, *arguments: object) -> AsyncIterator[asyncpg.Record]:
        cursor = await self._connection.cursor(sql, *arguments)
        while rows := await cursor.fetch(ROWS):
            for row in rows:
                yield row

    # --- Accounts ---

    async def _check_span(self, span: Span) -> Checked:
        findings = Findings()
        keys = await self._keys(span, findings)
        rebuilt: dict[str, Rebuilt] = {}
        entries = 0
        cursor = await self._connection.cursor(audit_queries.READ_ENTRIES, span.low, span.high)
        while rows := await cursor.fetch(ROWS):
            entries += len(rows)
            doubts = self._enter(rows, keys, rebuilt, findings)
            if doubts:
                await self._explain(doubts)
        for subject in keys.keys() - rebuilt.keys():
            if is_webhook_id(subject):
                continue  # It was removed; the application can delete no key, and this one it kept.
            findings.add(Fault.STREAM_UNKNOWN, subject, "it has a key, and no entry")
        documents = {subject: one.documents() for subject, one in rebuilt.items()}
        count = await self._check_streams(span, keys, documents, findings)
        for one in documents.values():
            one.finish()
        return Checked(
            found=findings.found(),
            entries=entries,
            accounts=len(rebuilt),
            documents=count,
            spends=sum(one.spends for one in rebuilt.values()),
        )

    async def _keys(self, span: Span, findings: Findings) -> dict[str, SubjectKey]:
        found: dict[str, SubjectKey] = {}
        sql = audit_queries.READ_SUBJECT_KEYS
        for row in await self._connection.fetch(sql, span.low, span.high):
            subject = row["subject"]
            try:
                found[subject] = self._sealer.open_subject_key(subject, row["wrapped"])
            except SealBrokenError as error:
                findings.add(Fault.SUBJECT_KEY_BROKEN, subject, str(error))
        return found

    def _enter(
        self,
        rows: list[asyncpg.Record],
        keys: Mapping[str, SubjectKey],
        rebuilt: dict[str, Rebuilt],
        findings: Findings,
    ) -> list[tuple[Rebuilt, Doubt]]:
        """Take some entries in order, and return what is doubted of their leaves."""
        doubts: list[tuple[Rebuilt, Doubt]] = []
        claim = self._slots.claim
        for subject, number, index, box in rows:
            account = rebuilt.get(subject)
            if account is None:
                account = Rebuilt(
                    subject,
                    policies=self._policies,
                    officers=self._officers,
                    findings=findings,
                )
                rebuilt[subject] = account
                if subject not in keys:
                    findings.add(Fault.SUBJECT_KEY_MISSING, subject, "no key opens its entries")
            kept = None
            key = keys.get(subject)
            if key is not None:
                try:
                    kept = key.open(box, kind="event", row_id=subject, version=number)
                except SealBrokenError as error:
                    findings.add(Fault.ENTRY_BROKEN, f"{subject} entry {number}", str(error))
            doubt = account.enter(number, index, kept, claim(index))
            if doubt is not None:
                doubts.append((account, doubt))
        return doubts

    async def _explain(self, doubts: list[tuple[Rebuilt, Doubt]]) -> None:
        indexes = [doubt.leaf for _, doubt in doubts]
        rows = await self._connection.fetch(audit_queries.READ_DOUBTED, indexes)
        entries = {row["leaf_index"]: row["entry"] for row in rows}
        for account, doubt in doubts:
            account.explain(doubt, entries[doubt.leaf])

    async def _check_streams(
        self,
        span: Span,
        keys: Mapping[str, SubjectKey],
        documents: dict[str, Documents],
        findings: Findings,
    ) -> int:
        count = 0
        async for subject, row_id, kind, version, box in self._rows(
            audit_queries.READ_STREAMS, span.low, span.high
        ):
            count += 1
            own = documents.get(subject)
            if own is None:
                says = f"the {kind} belongs to {subject}, who has no entries"
                findings.add(Fault.STREAM_UNKNOWN, row_id, says)
                continue
            data, key = None, keys.get(subject)
            if key is not None:
                try:
                    data = key.open(box, kind=kind, row_id=row_id, version=version)
                except SealBrokenError as error:
                    findings.add(Fault.STREAM_BROKEN, f"{row_id} of {subject}", str(error))
            own.check(Stored(kind, row_id, version, data))
        return count

    # --- The log ---

    async def _check_leaves(self, part: Leaves) -> Checked:
        findings = Findings()
        walk = LeafWalk(
            part,
            policies=self._policies,
            log_keys=self._log_keys,
            platform=self._officers.platform,
            findings=findings,
        )
        cursor = await self._connection.cursor(audit_queries.READ_LEAF_ROWS, part.start, part.stop)
        while rows := await cursor.fetch(ROWS):
            for index, leaf in walk.take(rows):
                self._slots.put(index, leaf)
        hashes = walk.finish()
        first, count = part.start // TILE_WIDTH, -(-len(hashes) // TILE_BYTES)
        stored = await read_tiles(self._connection, 0, first, first + count)
        roots = check_tiles(0, first, hashes, stored, findings)
        return Checked(
            found=findings.found(),
            leaves=walk.count,
            tiles=count,
            first=part.start,
            roots=roots,
            times=walk.times,
        )

    # --- What belongs to no span ---

    async def _check_rest(self) -> Checked:
        findings = Findings()
        async for row in self._rows(audit_queries.READ_WEBHOOKS):
            self._check_box(row, ENDPOINT, KIND, Fault.WEBHOOK_BROKEN, findings)
        async for row in self._rows(audit_queries.READ_TOLD_STREAMS):
            self._check_box(row, TOLD, STREAM, Fault.TOLD_STREAM_BROKEN, findings)
        async for row in self._rows(audit_queries.READ_TOLD_SUBJECTS):
            place = subject_place(row["stream_id"], row["subject"])
            self._check_told(row, FOLLOWED, place, findings)
        async for row in self._rows(audit_queries.READ_TOLD_TOKENS):
            place = token_place(row["stream_id"], row["jti"])
            self._check_told(row, WAITING, place, findings)
        await self._check_erasures(findings)
        uses = letters = 0
        async for row in self._rows(audit_queries.READ_KEY_USES):
            uses += 1
            scope, key, digest, action_id, mac = row
            try:
                check_use(self._sealer, KeyName(scope, key), KeyUse(digest, action_id, mac))
            except SealBrokenError as error:
                where = f"an idempotency key of {scope} for {action_id}"
                findings.add(Fault.KEY_USE_FORGED, where, str(error))
        async for row in self._rows(audit_queries.READ_LETTERS):
            letters += 1
            self._check_letter(row, findings)
        async for row in self._rows(audit_queries.READ_PARCELS):
            letters += 1
            self._check_parcel(row, findings)
        return Checked(found=findings.found(), key_uses=uses, letters=letters)

    def _check_box(
        self,
        row: asyncpg.Record,
        decoder: msgspec.json.Decoder[Any],
        kind: str,
        fault: Fault,
        findings: Findings,
    ) -> None:
        """Check what stands under a key of its own, and is nobody's: an endpoint, or a stream."""
        name, version, box, wrapped = row
        try:
            key = self._sealer.open_subject_key(name, wrapped)
            codec.unseal(key, box, decoder, codec.Place(kind, name, version))
        except SealBrokenError as error:
            findings.add(fault, name, str(error))

    def _check_told(
        self,
        row: asyncpg.Record,
        decoder: msgspec.json.Decoder[Any],
        place: codec.Place,
        findings: Findings,
    ) -> None:
        """Check what stands under the key of a stream: an account that it follows, or a token."""
        try:
            key = self._sealer.open_subject_key(row["stream_id"], row["wrapped"])
            codec.unseal(key, row["box"], decoder, place)
        except SealBrokenError as error:
            findings.add(Fault.TOLD_STREAM_BROKEN, place.row_id, str(error))

    async def _check_erasures(self, findings: Findings) -> None:
        """Check that every leaf that is marked as erased is one that the log's erasures speak of.

        Prevents: an account that was deleted by whoever has the keyring, and so can make marks.
        """
        marked = told = 0
        async for row in self._rows(audit_queries.READ_ERASED_ENTRIES):
            marked += self._check_mark(row, findings)
        async for row in self._rows(audit_queries.READ_ERASED):
            told += self._check_erased(row, findings)
        if marked != told:
            says = f"{marked} leaves are marked, and the erasures in the log are of {told}"
            findings.add(Fault.ERASURE_FORGED, "the marks", says)

    def _check_mark(self, row: asyncpg.Record, findings: Findings) -> int:
        """Take an erased leaf for what it is, and count it, where the mark is ours."""
        index, mac, undone = row
        where, leaf = f"leaf {index}", self._slots.look(index)
        try:
            Mark(index, b"" if leaf is None else leaf.hash).check(self._sealer, mac)
        except SealBrokenError as error:
            findings.add(Fault.ERASURE_FORGED, where, str(error))
            return 0
        self._slots.claim(index)
        if undone:
            findings.add(Fault.ERASURE_UNDONE, where, "it was erased, and its entry is there")
        if leaf is not None and leaf.facts != FORGOTTEN:
            findings.add(Fault.ERASURE_UNDONE, where, "it was erased, and its facts are there")
        return 1

    def _check_erased(self, row: asyncpg.Record, findings: Findings) -> int:
        """Return how many leaves this account had, where its last leaf says so."""
        *said, mac, leaf, undone = row
        gone = Gone(*said)
        if undone:
            says = "it was erased, and rows of it are there"
            findings.add(Fault.ERASURE_UNDONE, gone.subject, says)
        try:
            gone.check(self._sealer, mac, leaf or b"")
        except (SealBrokenError, LogDamagedError) as error:
            findings.add(Fault.ERASURE_FORGED, gone.subject, str(error))
            return 0
        return gone.entries

    def _check_letter(self, row: asyncpg.Record, findings: Findings) -> None:
        number, subject, serial, box, wrapped = row
        try:
            key = self._sealer.open_subject_key(subject, wrapped or b"")
            codec.unseal(key, box, codec.NOTICE, codec.letter_place(serial))
        except SealBrokenError as error:
            findings.add(Fault.LETTER_BROKEN, f"message {number} to {subject}", str(error))

    def _check_parcel(self, row: asyncpg.Record, findings: Findings) -> None:
        number, subject, name, box, wrapped = row
        try:
            key = self._sealer.open_subject_key(subject, wrapped or b"")
            codec.unseal(key, box, PARCEL, parcel_place(name))
        except SealBrokenError as error:
            findings.add(Fault.LETTER_BROKEN, f"delivery {number} to {subject}", str(error))


async def read_tiles(
    connection: asyncpg.Connection, level: int, first: int, last: int
) -> dict[int, bytes]:
    """Return the tiles of ``level`` from ``first`` on and before ``last``, by number."""
    rows = await connection.fetch(audit_queries.READ_TILE_ROWS, level, first, last)
    return {row["number"]: row["hashes"] for row in rows}
