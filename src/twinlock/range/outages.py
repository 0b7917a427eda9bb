"""What people hear while something that decisions lean on is down: each of them, one by one.

Always true (tests/unit/range/test_outages.py): what cannot be decided is a no (law 1), and the
weather is fair again when a step is over.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from twinlock.client import ProblemError
from twinlock.range.refusals import UNAVAILABLE
from twinlock.range.stage import Heard, Stage
from twinlock.range.words import Outcome

_WEAKEST_FIRST = tuple(Outcome)
_Deed: TypeAlias = Callable[[], Awaitable[Heard]]


async def in_every_outage(stage: Stage, deed: _Deed) -> Heard:
    """Do something once with each dependency down; the mildest answer counts.

    Raises:
        ProblemError: the service failed, and no weather explains it.
    """
    heard = []
    for dependency in stage.outage:
        stage.venue.weather.down.add(dependency)
        try:
            said = await _undecided(deed)
        finally:
            stage.venue.weather.let_decide()
        codes = tuple(f"{dependency.value} down: {code}" for code in said.codes)
        heard.append(replace(said, codes=codes))
    mildest = min(heard, key=lambda one: _WEAKEST_FIRST.index(one.outcome))
    return replace(mildest, taken_cents=sum(one.taken_cents for one in heard))


async def _undecided(deed: _Deed) -> Heard:
    try:
        return await deed()
    except ProblemError as problem:
        if problem.status != UNAVAILABLE:
            raise
        return Heard(outcome=Outcome.DENY, codes=(problem.code,), sentence=problem.detail)
