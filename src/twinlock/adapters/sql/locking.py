"""What a command locks before anything is read, and that it changes nothing else."""

from twinlock.domain.account import State
from twinlock.domain.errors import invariant
from twinlock.domain.ids import DestinationId
from twinlock.ports import Work


def streams_of(work: Work) -> tuple[str, ...]:
    """Return the streams that ``work`` locks; it names them all before one is read."""
    return work.account_id, *destinations_of(work)


def destinations_of(work: Work) -> tuple[DestinationId, ...]:
    """Return every name of the destination that ``work`` names, if it does."""
    return () if work.destination_id is None else (work.destination_id, *work.also)


def check_locked(work: Work, after: State) -> None:
    """Refuse a decision about anything but the streams that its command named and locked."""
    invariant(after.account.account_id == work.account_id, "a command changes its own account")
    # Prevents: an account that is said to be erased, and is not: this role can delete nothing.
    invariant(after.account.erased_at is None, "an account is erased by its owner's role")
    changed = None if after.destination is None else after.destination.destination_id
    invariant(changed in (None, *destinations_of(work)), "and the destination that it named")
    listed = {one.account_id for one in after.listed}
    invariant(listed <= {work.account_id}, "and lists new destinations of its own account only")
