"""Who waits for a decision, and how they are told."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from twinlock.domain.errors import TwinlockError
from twinlock.ports import (
    Committed,
    Work,
)


@dataclass(slots=True)
class Waiting:
    """One request in the queue since ``since`` (the loop's seconds), and where its answer goes."""

    work: Work
    answer: asyncio.Future[Committed]
    since: float = 0.0

    def succeed(self, committed: Committed) -> None:
        """Answer, unless the caller went away."""
        if not self.answer.done():
            self.answer.set_result(committed)

    def fail(self, error: TwinlockError) -> None:
        """Give the error, unless the caller went away."""
        if not self.answer.done():
            self.answer.set_exception(error)


def unexpected(error: Exception) -> TwinlockError:
    """Return what to tell of an ``error`` that nobody foresaw; it stays the cause, for our log."""
    told = TwinlockError("an unexpected failure; nothing was decided")
    told.__cause__ = error
    return told


def untold(error: Exception) -> TwinlockError:
    """Return what to tell of a decision whose answer ``error`` kept us from making."""
    told = TwinlockError("it is decided, and the answer could not be told; ask how it stands")
    told.__cause__ = error
    return told


def own_copy(error: TwinlockError) -> TwinlockError:
    """Return the same error for one more caller: whoever raises one adds a traceback to it."""
    own = error.__class__.__new__(error.__class__, *error.args)
    own.__dict__.update(error.__dict__)
    own.__cause__ = error.__cause__
    return own


def refuse(waiting: Iterable[Waiting], error: TwinlockError) -> None:
    """Give ``error`` to each who waits."""
    for one in waiting:
        one.fail(own_copy(error))
