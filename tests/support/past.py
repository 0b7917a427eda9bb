"""Past decisions for tests: those of an honest life, as the real gate made them."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from support.lives import a_life
from support.policies import DEFAULT, policy_of

from twinlock.adapters.policies import shipped
from twinlock.domain.canonical import encode
from twinlock.domain.policy.backtesting import Snapshot
from twinlock.domain.policy.version import Policy


def a_past() -> tuple[Snapshot, ...]:
    """Return every decision of an honest life, which ``DEFAULT`` made."""
    rows = a_life().record().entries
    return tuple(Snapshot(row.index, row.leaf or b"", row.facts) for row in rows)


def with_facts(one: Snapshot, **changed: Any) -> Snapshot:  # noqa: ANN401 - any JSON
    """Return ``one`` with other facts; ``...`` takes a fact away."""
    found = msgspec.json.decode(one.facts) | changed
    kept = {name: value for name, value in found.items() if value is not ...}
    return one._replace(facts=encode(kept))


def with_leaf(one: Snapshot, **changed: Any) -> Snapshot:  # noqa: ANN401 - any JSON
    """Return ``one`` with something else in its leaf."""
    return one._replace(leaf=encode(msgspec.json.decode(one.leaf) | changed))


def longer_waits() -> Policy:
    """Return ``DEFAULT`` with every wait of a day made two."""
    text = shipped("default").replace('"86400"', '"172800"')
    return policy_of(text.replace("held_seconds >= 86400", "held_seconds >= 172800"))


@dataclass(frozen=True, kw_only=True)
class MemorySnapshots:
    """Past decisions in memory, a page for each few. Implements ``ports.SnapshotSource``."""

    some: Iterable[Snapshot]
    policies: dict[str, bytes] = field(default_factory=lambda: {DEFAULT.name.digest: DEFAULT.text})
    asked: list[str] = field(default_factory=list)

    async def snapshots(
        self,
        since: datetime | None,
        until: datetime | None,
        *,
        advance: Callable[[int, int], None],
    ) -> AsyncIterator[Sequence[Snapshot]]:
        """Give all of them; the times are the source's own business."""
        assert since is until is None
        pages = tuple(self.some)
        for start in range(0, len(pages), 7):
            yield pages[start : start + 7]
            advance(start + 7, len(pages))

    async def policy(self, digest: str) -> bytes | None:
        """Return the text of a policy."""
        self.asked.append(digest)
        return self.policies.get(digest)
