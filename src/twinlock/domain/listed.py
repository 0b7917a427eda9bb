"""A listed destination, as its stream keeps it. Its life is that of ``listing``."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from twinlock.domain.assurance import Factor
from twinlock.domain.ids import AccountId, ActionId, DestinationId
from twinlock.domain.limits import Spent
from twinlock.domain.listing import Step, followed
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.spans import Spans


class Destination(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One listed destination: who added it, when, by which entry and proof. A stream of its own."""

    destination_id: DestinationId
    account_id: AccountId
    version: int
    network: str
    address: str
    memo: str
    label: str = ""
    added_at: datetime
    imported: bool = False  # from an older system: listed, never signed
    removed: bool = False
    action_id: ActionId | None = None
    entry: int = 0
    proved_by: tuple[Factor, ...] = ()
    by: tuple[int, ...] = ()  # the entries that bound what proved it
    sms_at: datetime | None = None  # when a code by SMS among its proofs was shown
    behind: Spans = ()  # the newcomers behind those
    usable_at: datetime | None = None
    used_at: datetime | None = None
    budget_cents: int = 0
    spent: Spent = Spent()

    def state(self, *, now: datetime, lapse: timedelta) -> DestinationState:
        """Return what this destination is good for at ``now``; unused for ``lapse`` it lapses."""
        return DestinationState(followed(self._steps(now=now, lapse=lapse)).value)

    def lapses_at(self, lapse: timedelta) -> datetime | None:
        """Return when it lapses unless it is used before; None where it never does, or not yet."""
        last, end = self._last_used(), datetime.max.replace(tzinfo=UTC)
        return None if last is None or lapse > end - last else last + lapse

    def _last_used(self) -> datetime | None:
        return self.usable_at and max(self.usable_at, self.used_at or self.usable_at)

    def _steps(self, *, now: datetime, lapse: timedelta) -> Iterator[Step]:
        unproved = self.imported and self.usable_at is None
        yield from (Step.IMPORT,) if unproved else (Step.PROPOSE, Step.PROVE)
        last = self._last_used()
        if self.usable_at is not None and last is not None and self.usable_at <= now:
            yield Step.WAIT
            if now - last > lapse:
                yield Step.FORGET
        if self.removed:
            yield Step.REMOVE
