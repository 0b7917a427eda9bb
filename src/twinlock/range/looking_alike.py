"""Whether what was done under duress looks the same: the whole list is lived a second time.

On an account like the first one somebody shows the usual authenticator wherever the first showed
the one for duress, and chance picks them there (docs/adr/0016-duress-looks-like-chance.md). Whoever
stands beside an owner sees what a step is answered, why, for how long, and which letters come.

Always true (tests/unit/range/test_looking_alike.py): what only duress is answered, or only chance,
does not look the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

import msgspec

from twinlock.range.mailbox import Letter
from twinlock.range.replay import Replay
from twinlock.range.results import Status, StepResult
from twinlock.range.stage import Heard, Stage
from twinlock.range.steps import play_steps
from twinlock.range.story import Step
from twinlock.range.traces import LASTING
from twinlock.range.words import Trace

ABOUT = timedelta(minutes=1)  # By how much waits may differ: a code is waited for.


Letters: TypeAlias = Counter[tuple[str, str]]  # Of which kind, on which channel.


def letters_about(stage: Stage, steps: Sequence[Step]) -> dict[str, Letters]:
    """Return which letters have come about what each step asked for."""
    came = stage.venue.mailbox.letters(stage.customer.account_id)
    return {one.id: _about(came, stage.heard[one.id]) for one in steps if one.id in stage.heard}


async def looked_at(
    replay: Replay,
    steps: Sequence[Step],
    results: Sequence[StepResult],
    letters: Mapping[str, Letters],
) -> tuple[StepResult, ...]:
    """Return ``results``, in which each step that must look the same was compared.

    ``letters`` are those about each step when the list was over.

    Raises:
        NotPlayableError: no second account can be had.
    """
    asked = {one.id for one in steps if Trace.LOOKS_THE_SAME in (*one.leaves, *one.always)}
    always = {one.id for one in steps if Trace.LOOKS_THE_SAME in one.always}
    if not replay.judged or not asked:
        return tuple(results)
    picked = await replay.fresh(steps)
    picked.by_chance = True
    again = await play_steps(picked, steps, judged=False)
    found = []
    for first, second in zip(results, again, strict=True):
        due = first.id in always or (first.id in asked and first.answer in LASTING)
        why = _differs(first, second) if due else ""
        if due and not why and not await _same_letters(picked, first.id, letters):
            why = "not all these letters would come"
        found.append(_failed(first, why) if why else first)
    return tuple(found)


def _failed(result: StepResult, why: str) -> StepResult:
    note = f"{Trace.LOOKS_THE_SAME.value} is missing: by chance {why}"
    return msgspec.structs.replace(result, status=Status.FAILED, notes=(*result.notes, note))


def _differs(first: StepResult, second: StepResult) -> str:
    """Say by what a step is known from the same one of somebody whom chance picked."""
    seen = [(one.answer, one.codes, one.sentence) for one in (first, second)]
    if seen[0] != seen[1]:
        return f"it is answered {'nothing' if second.answer is None else second.answer.value}"
    waits = [one.waits or timedelta(0) for one in (first, second)]
    return f"it waits {waits[1]}" if abs(waits[0] - waits[1]) > ABOUT else ""


async def _same_letters(picked: Stage, name: str, letters: Mapping[str, Letters]) -> bool:
    """Say whether all that came about a step comes by chance, too; some may be on their way."""
    heard = picked.heard[name]
    return await picked.venue.mailbox.wait_for(
        picked.customer.account_id, lambda came: letters[name] <= _about(came, heard)
    )


def _about(came: Sequence[Letter], heard: Heard) -> Letters:
    return Counter(
        (one.channel, one.kind.value) for one in came if one.action_id == heard.action_id
    )
