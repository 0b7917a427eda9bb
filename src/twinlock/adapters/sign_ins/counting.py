"""How usual a sign-in is among all: counters that every process adds to, and each reads a copy of.

Nodes are named by a keyed hash of 8 bytes, and no row says whose sign-in it counts. A copy decides
nothing that could be let go: it makes a score, and a score only adds. One that is too old says so,
and each sign-in counts as raised until it is renewed.

Always true (tests/unit/adapters/test_sign_ins_counting.py): memory is bounded, whatever comes.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from twinlock.adapters.sign_ins.reading import Reader
from twinlock.domain.ids import AccountId
from twinlock.domain.risk.counters import LEVELS, UNKNOWN, Counters, steps
from twinlock.domain.risk.scoring import Noticed
from twinlock.domain.risk.visits import NODE_LETTERS, Visit, VisitFault
from twinlock.ports.sign_ins import Counted, SignInCounts, Visitor

NODES_MOST = 50_000  # Of one copy: the commonest; reading and building it takes a twentieth second.
WAITING_MOST = 20_000  # Nodes that wait to be written; what comes beyond is not counted.
STALE_SECONDS = 3_600.0  # Twelve renewals that failed.
FAN_OUT_SECONDS = 3_600.0
ADDRESSES_MOST = 20_000  # Of one hour, each with its accounts; of more all begin anew.
ACCOUNTS_MOST = 2_000  # Of one address; more make no difference.
_TREES = ("ip", "ua")


class Namer(Protocol):
    """Names nodes, and where people are, so that nobody without the key can say which they are."""

    def name(self, *parts: bytes) -> bytes:
        """Return 8 bytes."""
        ...


class CountedSignIns:
    """Implements ``ports.SignIns``. Without ``table`` it counts for this process alone."""

    def __init__(
        self,
        reader: Reader,
        namer: Namer,
        *,
        seconds: Callable[[], float],
        table: SignInCounts | None = None,
    ) -> None:
        self._reader = reader
        self._namer = namer
        self._seconds = seconds
        self._table = table
        self._counters = Counters({}, {})
        self._kept: list[Counted] = []
        self._renewed_at = seconds()
        self._waiting: dict[bytes, Counted] = {}
        self._asked: dict[bytes, set[AccountId]] = {}
        self._asked_since = seconds()

    async def warm(self) -> None:
        """Load what is loaded once: a third of a second that no request should wait for."""
        await asyncio.to_thread(self._reader.warm)

    def notice(self, visitor: Visitor, *, account: AccountId) -> Noticed:
        """Return what is to be seen of a sign-in, and how usual it is."""
        visit, hosting, whence = self._reader.read(visitor)
        if self._table is not None and self._seconds() - self._renewed_at > STALE_SECONDS:
            visit = _with_fault(visit, VisitFault.COUNTS_DOWN)
        return Noticed(
            visit=visit,
            ip=self._steps("ip", visit.ip),
            ua=self._steps("ua", visit.ua),
            hosting=hosting,
            fan_out=self._fan_out(whence, account),
        )

    def learn(self, visit: Visit) -> None:
        """Count one sign-in more, with the next that are written."""
        for tree, path in zip(_TREES, (visit.ip, visit.ua), strict=True):
            for node, parent in self._nodes(tree, path):
                self._count(Counted(node, parent, 1))

    def _count(self, more: Counted) -> None:
        """Count a node so many times more, unless too many wait."""
        known = self._waiting.get(more.node)
        if known is None and len(self._waiting) >= WAITING_MOST:
            return
        times = more.times + (0 if known is None else known.times)
        self._waiting[more.node] = more._replace(times=times)

    async def renew(self) -> None:
        """Write what waits, and read what all processes have counted."""
        waiting, self._waiting = self._waiting, {}
        if self._table is None:
            counters = _counters([*self._kept, *waiting.values()])
            self._kept = _commonest(self._kept, waiting)
        else:
            try:
                await self._table.add(sorted(waiting.values()))
            except BaseException:
                for one in waiting.values():  # Beside what came meanwhile.
                    self._count(one)
                raise
            counted = await self._table.read(most=NODES_MOST)
            counters = await asyncio.to_thread(_counters, counted)  # Requests go on meanwhile.
        self._counters, self._renewed_at = counters, self._seconds()

    async def forget(self) -> None:
        """Have the table forget what is old."""
        if self._table is not None:
            await self._table.forget()

    def _nodes(self, tree: str, path: str) -> Iterator[tuple[bytes, bytes]]:
        """Give the names of the nodes of ``path`` and of what each lies under, the root first."""
        parent = b""
        for end in range(0, len(path) + 1, NODE_LETTERS):
            node = self._namer.name(tree.encode(), path[:end].encode())
            yield node, parent
            parent = node

    def _steps(self, tree: str, path: str) -> tuple[float, ...]:
        root, *nodes = (node.hex() for node, _ in self._nodes(tree, path))
        unknown = (UNKNOWN,) * (LEVELS - len(nodes))
        return steps((*nodes, *unknown), self._counters, root=root)

    def _fan_out(self, whence: str, account: AccountId) -> int:
        """Return how many accounts were asked for from there within the hour."""
        now = self._seconds()
        if now - self._asked_since > FAN_OUT_SECONDS or len(self._asked) >= ADDRESSES_MOST:
            self._asked, self._asked_since = {}, now
        if not whence:
            return 0
        accounts = self._asked.setdefault(self._namer.name(b"whence", whence.encode()), set())
        if len(accounts) < ACCOUNTS_MOST:
            accounts.add(account)
        return len(accounts)


def _counters(counted: Sequence[Counted]) -> Counters:
    counts: dict[str, int] = {}
    children: dict[str, int] = {}
    for node, parent, times in counted:
        name = node.hex()
        if name not in counts:
            children[parent.hex()] = children.get(parent.hex(), 0) + 1
        counts[name] = counts.get(name, 0) + times
    return Counters(counts, children)


def _commonest(kept: Sequence[Counted], more: Mapping[bytes, Counted]) -> list[Counted]:
    """Return what was kept with what is new, the commonest first, NODES_MOST at most."""
    together = {one.node: one for one in kept}
    for node, one in more.items():
        before = together.get(node)
        times = one.times + (0 if before is None else before.times)
        together[node] = one._replace(times=times)
    return sorted(together.values(), key=lambda one: -one.times)[:NODES_MOST]


def _with_fault(visit: Visit, fault: VisitFault) -> Visit:
    return replace(visit, faults=(*visit.faults, fault))
