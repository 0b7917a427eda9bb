"""How much there is to audit, and the few rows that belong to the whole installation."""

from collections.abc import Mapping

import asyncpg
import msgspec

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql import audit_queries, queries
from twinlock.adapters.sql.watch import Watch
from twinlock.domain.audit.findings import MOST_OF_A_CODE, Fault, Findings
from twinlock.domain.audit.parts import NO_ACTS, Extent, PlatformActs, Span
from twinlock.domain.errors import LogDamagedError
from twinlock.domain.log.merkle import HASH_BYTES, MAX_SIZE, Frontier
from twinlock.domain.officers.platform import (
    Platform,
    followed,
    label_of,
    read_leaf,
)
from twinlock.domain.officers.standing import (
    check_standing,
    read_standing,
)
from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.domain.policy.version import PolicyName, header_of, policy_digest
from twinlock.proofs.officers import platform_of
from twinlock.services.platform_keys import LIFETIME_MOST, Scope

ENTRIES_A_SPAN = 4_000  # Of several accounts: two tenths of a second, so that progress is seen.
_SCOPES = frozenset(Scope)
_MAC_BYTES = 40


class _Policy(msgspec.Struct, frozen=True):
    """Of a policy's text, the number of its version."""

    version: int


async def examine(
    connection: asyncpg.Connection, *, sealer: Sealer, fingerprint: str, log_origin: str
) -> Extent:
    """Return how much there is, with what does not hold of the head and of single rows."""
    findings = Findings()
    await _check_installation(connection, findings, fingerprint=fingerprint, log_origin=log_origin)
    await _check_platform_keys(connection, findings)
    head, told = await _head(connection, sealer, findings)
    row = await connection.fetchrow(audit_queries.READ_EXTENT, told)
    size = row["leaves"]
    if size < told:
        says = f"it says {told} leaves, and {size} are there"
        findings.add(Fault.LEAF_MISSING, "head", says)
    if row["heads"] > 1:
        findings.add(Fault.HEAD_WRONG, "head", "there is more than one")
    await _check_beyond(connection, told, findings)
    return Extent(
        size=size,
        head=head,
        spans=await _spans(connection, subjects=row["subjects"], entries=size),
        found=findings.found(),
    )


async def kept_policies(
    connection: asyncpg.Connection, findings: Findings
) -> dict[bytes, PolicyName]:
    """Return the policy versions that are kept, by the bytes of their digests."""
    found: dict[bytes, PolicyName] = {}
    for digest, body in await connection.fetch(audit_queries.READ_POLICIES):
        where = f"policy {digest[:43]}"
        try:
            if policy_digest(header_of(body)) != digest:
                findings.add(Fault.POLICY_ALTERED, where, "its bytes have another digest")
                continue
            version = msgspec.json.decode(body, type=_Policy).version
        except (msgspec.MsgspecError, UnicodeDecodeError, PolicyRefusedError):
            findings.add(Fault.POLICY_ALTERED, where, "its bytes are no policy")
            continue
        found[digest.encode("ascii")] = PolicyName(version=version, digest=digest)
    return found


async def platform_acts(
    connection: asyncpg.Connection, findings: Findings, *, sealer: Sealer, log_origin: str
) -> PlatformActs:
    """Return what officers did: every act of theirs is signed, and the head counts them all."""
    row = await connection.fetchrow(queries.READ_HEAD)
    try:
        Watch(sealer).frontier_of(row)  # Prevents: a forged number of acts, to look for for ever.
    except LogDamagedError:
        return NO_ACTS  # It is told elsewhere.
    labels = [label_of(number) for number in range(read_standing(row["platform"]).acts)]
    found = await connection.fetch(queries.READ_PLATFORM_LEAVES, labels)
    try:
        platform = platform_of((one["entry"] for one in found), log=log_origin)
        check_standing(platform, row["platform"])
    except LogDamagedError as error:
        findings.add(Fault.PLATFORM_WRONG, "platform", str(error))
        return NO_ACTS
    return _halts([(one["leaf_index"], one["entry"]) for one in found])


def _halts(leaves: list[tuple[int, bytes]]) -> PlatformActs:
    halts: list[tuple[int, int]] = []
    officers: list[tuple[int, tuple[str, ...], Mapping[str, str]]] = []
    policies: list[tuple[int, bytes]] = []
    platform, since = Platform(), 0
    for index, entry in leaves:
        before, named, ruled = platform.halt, platform.officers, platform.versions.policy
        platform = followed(platform, read_leaf(entry))
        if platform.officers != named:
            officers.append((index, platform.officers, platform.instead))
        if platform.versions.policy != ruled:
            policies.append((index, platform.versions.policy.encode("ascii")))
        if before is None and platform.halt is not None:
            since = index
        elif before is not None and platform.halt is None:
            halts.append((since, index))
    if platform.halt is not None:
        halts.append((since, MAX_SIZE))
    return PlatformActs(
        acts=frozenset(index for index, _ in leaves),
        halts=tuple(halts),
        officers=tuple(officers),
        policies=tuple(policies),
    )


async def _check_installation(
    connection: asyncpg.Connection, findings: Findings, *, fingerprint: str, log_origin: str
) -> None:
    row = await connection.fetchrow(queries.READ_INSTALLATION)
    if row is None or row["fingerprint"] != fingerprint:
        says = "the database belongs to another keyring: nothing in it will open"
        findings.add(Fault.INSTALLATION_FOREIGN, "installation", says)
    if row is None or row["log_origin"] != log_origin:
        says = "the database belongs to a log of another name"
        findings.add(Fault.INSTALLATION_FOREIGN, "installation", says)


async def _check_platform_keys(connection: asyncpg.Connection, findings: Findings) -> None:
    """Check what can be seen of platforms' keys: each MAC is also over a secret that we lack."""
    for row in await connection.fetch(audit_queries.READ_PLATFORM_KEYS):
        lifetime = row["expires_at"] - row["created_at"]
        made = len(row["mac"]) == _MAC_BYTES and _SCOPES.issuperset(row["scopes"])
        if not made or lifetime > LIFETIME_MOST:
            says = "no command of ours makes such a key"
            findings.add(Fault.KEY_ROW_ALTERED, f"platform key {row['id'][:26]}", says)


async def _head(
    connection: asyncpg.Connection, sealer: Sealer, findings: Findings
) -> tuple[tuple[int, bytes] | None, int]:
    """Return what the head row says (size and root), as far as it can be read, and its size."""
    row = await connection.fetchrow(queries.READ_HEAD)
    try:
        Watch(sealer).frontier_of(row)
    except LogDamagedError as error:
        findings.add(Fault.HEAD_FORGED, "head", str(error))
    size = 0 if row is None else row["size"]
    if (
        row is None
        or not 0 <= size <= MAX_SIZE
        or len(row["edge"]) != HASH_BYTES * size.bit_count()
    ):
        return None, max(size, 0) if row is not None else MAX_SIZE
    return (size, Frontier.from_bytes(size, row["edge"]).root()), size


async def _check_beyond(connection: asyncpg.Connection, size: int, findings: Findings) -> None:
    rows = await connection.fetch(audit_queries.READ_LEAVES_BEYOND, size, MOST_OF_A_CODE)
    for cell, index in rows:
        where = f"leaf {index}" if cell == 1 else f"leaf {index} of cell {cell}"
        findings.add(Fault.LEAF_BEYOND_HEAD, where, "the head does not count it")
    rows = await connection.fetch(audit_queries.READ_TILES_BEYOND, size, MOST_OF_A_CODE)
    for cell, level, number in rows:
        where = f"tile {level}/{number}" if cell == 1 else f"tile {level}/{number} of cell {cell}"
        findings.add(Fault.TILE_BEYOND_HEAD, where, "the head counts no such leaves")


async def _spans(
    connection: asyncpg.Connection, *, subjects: int, entries: int
) -> tuple[Span, ...]:
    """Return spans of accounts with about ENTRIES_A_SPAN entries each; together they are all.

    The first begins before and the last ends after every name, whether it has a key or not.
    """
    each = max(subjects * ENTRIES_A_SPAN // max(entries, 1), 1)
    rows = await connection.fetch(audit_queries.READ_SPANS, each)
    marks = [row["subject"] for row in rows]
    return tuple(
        Span(low=low, high=high) for low, high in zip([None, *marks], [*marks, None], strict=True)
    )
