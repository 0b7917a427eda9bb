"""Plays the steps of one list in order, each held against what its file expects.

Always true (tests/unit/range/test_steps.py):

* a word that cannot be played is reported with its reason, and counts neither as stopped nor as
  passed; so does every step that leans on it, and on what is refused because it is not built;
* a step is stopped by a refusal that it needs; that is well for a thief, and a failure for whoever
  else expected no refusal;
* ``expect`` is held against the default profile only: under a weaker one the answer itself is what
  the replay shows.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.domain.exits import BANK
from twinlock.domain.requirements import Answer
from twinlock.range.customer import NotPlayableError
from twinlock.range.happenings import happen
from twinlock.range.leaving import reaches_thief
from twinlock.range.outages import in_every_outage
from twinlock.range.places import NETWORK, OLD
from twinlock.range.playing import play, spend, together
from twinlock.range.refusals import FAILURES
from twinlock.range.results import Status, StepResult
from twinlock.range.setting_up import beside
from twinlock.range.stage import REFUSED, Heard, Stage
from twinlock.range.story import VETO, Step
from twinlock.range.tally import is_unbuilt
from twinlock.range.traces import held_until, missing
from twinlock.range.wallet import is_for_the_wallet, sign_and_send
from twinlock.range.words import THIEVES, UNKNOWN_EXIT, Mark, Outcome, Person

_AT_ONCE = (Outcome.ALLOW, Outcome.READ_ONLY, Outcome.NO_EFFECT, Outcome.DONE)
# What every file may use without listing it (docs/range.md, "The file").
OLD_ADDR, OLD_BANK = OLD[NETWORK], OLD[BANK]


async def play_steps(
    stage: Stage, steps: Sequence[Step], *, judged: bool, last: int | None = None
) -> tuple[StepResult, ...]:
    """Play ``steps``, or those before number ``last``, and return what became of each."""
    results: list[StepResult] = []
    waited_for = {step.when.wait for step in steps}
    for step in steps[:last]:
        result = await _play_step(stage, step, judged=judged)
        results.append(result)
        if _was_not_played(stage, step, result):
            stage.unplayable.add(step.id)
        elif step.id in waited_for:
            await _remember_wait(stage, step)
    if judged and last is None:
        await _look_again(stage, steps, results)
    return tuple(results)


async def _look_again(stage: Stage, steps: Sequence[Step], results: list[StepResult]) -> None:
    """Look for the holds of what had to wait, when it took effect: before, there was nothing.

    What was stopped on its way holds nothing, and need not.
    """
    for number, step in enumerate(steps):
        heard = stage.heard.get(step.id)
        if heard is None or heard.until is None or heard.action_id not in stage.owed:
            continue
        try:
            why = await _lacks_its_hold(stage, heard.action_id, heard.until)
        except FAILURES as failure:
            why = f"the service failed: {failure}"
        if why:
            before = results[number]
            results[number] = msgspec.structs.replace(
                before, status=Status.FAILED, notes=(*before.notes, why)
            )


async def _lacks_its_hold(stage: Stage, action_id: str, until: datetime) -> str:
    """Say what is missing when the wait of an action is over; "" where nothing is."""
    await stage.venue.set_forward(until)
    # Whatever is asked about an account settles what is due there.
    await stage.customer.propose(ActionType.WITHDRAWAL_CRYPTO, stage.elsewhere())
    done = (await stage.venue.client.action(action_id)).answer is Answer.ALLOW
    held = await held_until(stage) is not None
    return "exits_held is missing when it took effect" if done and not held else ""


async def play_until(stage: Stage, steps: Sequence[Step], name: str) -> Step:
    """Play ``steps`` until the one called ``name`` is due, and return it unplayed.

    Raises:
        NotPlayableError: one before it could not be played, or it waits for nothing.
    """
    at = [step.id for step in steps].index(name)
    played = await play_steps(stage, steps[: at + 1], judged=False, last=at)
    unplayed = [one for one in played if one.answer is None and not one.stopped]
    if unplayed:
        raise NotPlayableError(f"{unplayed[0].id} comes before: {'; '.join(unplayed[0].notes)}")
    await stage.venue.set_forward(_instant(stage, steps[at]))
    return steps[at]


def _was_not_played(stage: Stage, step: Step, result: StepResult) -> bool:
    """Say whether nothing can lean on a step: it was not played, or it is not built."""
    if result.answer is None:
        return not result.stopped
    return _says_nothing(step, stage.heard[step.id])


def _says_nothing(step: Step, heard: Heard) -> bool:
    """Say whether a no, which nobody asked for, only means that the action is not built."""
    return Outcome.DENY not in step.expect and is_unbuilt(heard)


async def _remember_wait(stage: Stage, step: Step) -> None:
    """Keep the end of the wait that a step was told: its own, or that of the hold it left.

    Whoever was told yes at once need not wait, nor whoever was told of none.
    """
    heard = stage.heard.get(step.id)
    until = None if heard is None else heard.until or await held_until(stage)
    if until is None and heard is not None and heard.outcome in _AT_ONCE:
        until = stage.venue.now
    if until is not None:
        stage.waits[step.id] = until


async def _play_step(stage: Stage, step: Step, *, judged: bool) -> StepResult:
    leaning = [one for one in step.needs if one in stage.unplayable]
    if leaning:
        return _unplayed(stage, step, f"it needs {leaning[0]}, which cannot be played")
    refused = [one for one in step.needs if one in stage.heard and stage.heard[one].refused]
    refused += _moot(stage, step)
    if refused:
        stage.heard[step.id] = Heard(outcome=Outcome.DENY, codes=("stopped_before",))
        return _stopped(stage, step, refused[0], judged=judged)
    try:
        await stage.venue.set_forward(_instant(stage, step))
        heard = await hear(stage, step)
    except NotPlayableError as why:
        return _unplayed(stage, step, str(why))
    except FAILURES as failure:
        failed = _unplayed(stage, step, f"the service failed: {failure}")
        return msgspec.structs.replace(failed, status=Status.FAILED)
    stage.heard[step.id], stage.asked[step.id] = heard, step
    return await _judge(stage, step, heard, judged=judged)


def _moot(stage: Stage, step: Step) -> list[str]:
    """Return the step that a veto objects to, where the gate said no to that already."""
    of = str(step.given.get("of", "")) if step.do == VETO else ""
    heard = stage.heard.get(of)
    denied = heard is not None and heard.outcome is Outcome.DENY
    return [of] if denied and of not in stage.unplayable else []


def _instant(stage: Stage, step: Step) -> datetime:
    """Return when ``step`` is due: at its time, or when its wait is over, and then at once.

    Where what it would wait for was refused, nobody waits: whoever comes back does so at once.
    """
    when, due_at = step.when, stage.due_at or stage.start
    if when.wait:
        before = stage.heard.get(when.wait)
        over = stage.waits.get(when.wait)
        if over is None and before is not None and before.refused and not is_unbuilt(before):
            over = max(stage.venue.now, due_at)
        if over is None:
            raise NotPlayableError(f"{when.wait} was told no wait that could run out")
        stage.due_at = max(over + when.after, due_at)
    elif stage.start + when.after < due_at:
        raise NotPlayableError("it is dated before the step above it, which had to wait")
    else:
        stage.due_at = stage.start + when.after
    return stage.due_at


async def hear(stage: Stage, step: Step) -> Heard:
    """Return what ``step`` is answered now, on the account of whoever does it, in its weather.

    Raises:
        NotPlayableError: it has a word that cannot be played.
        ProblemError: the service failed.
    """
    if step.misformed:
        raise NotPlayableError(f"{step.do} {step.misformed}")
    if step.by is Person.BOB:
        stage = await beside(stage, step.by)
    if is_for_the_wallet(step):
        return await sign_and_send(stage, step)
    if stage.outage_state == "down" and not step.do.startswith("event."):
        return await in_every_outage(stage, lambda: _done(stage, step))
    return await _done(stage, step)


async def _done(stage: Stage, step: Step) -> Heard:
    back = await _come_back(stage, step)
    if back is not None:
        return back
    if step.do in CLASS_OF or step.do == UNKNOWN_EXIT:
        return await play(stage, step)
    return await happen(stage, step)


async def _come_back(stage: Stage, step: Step) -> Heard | None:
    """Spend the exit that an honest ``step`` asked for before, and whose wait it was told is over.

    None: it is another one, or nothing lets it pass, so that it is asked for anew. A thief comes
    back when the list is over (``player``).
    """
    before = stage.asked.get(step.when.wait)
    if before is None or step.by in THIEVES or CLASS_OF.get(step.do) is not ActionClass.EXIT:
        return None
    if (before.do, before.by, before.given) != (step.do, step.by, step.given):
        return None
    told = stage.heard[before.id].each
    if any(one.outcome is not Outcome.HOLD for one in told):
        return None
    for one in told:
        if (await stage.venue.client.action(one.action_id)).answer is not Answer.ALLOW:
            return None
    return together(
        [await spend(stage, one.action_id, value_cents=one.value_cents) for one in told]
    )


# --- Judging ---


async def _judge(stage: Stage, step: Step, heard: Heard, *, judged: bool) -> StepResult:
    notes = list(heard.notes)
    status = Status.PLAYED
    if judged:
        named = str(step.given.get("key", ""))
        lacks = await missing(stage, heard, step.leaves, step.always, key=named)
        status, why = _verdict(step, heard, lacks.wrong, lacks.not_playable)
        notes += why
    elif _says_nothing(step, heard):
        status, notes = Status.NOT_PLAYABLE, [*notes, f"{step.do} is refused until it is built"]
    waits = None if heard.until is None else heard.until - stage.venue.now
    return StepResult(
        id=step.id,
        by=step.by.value,
        do=step.do,
        proof=step.proof,
        after=stage.since,
        expect=step.expect,
        status=status,
        answer=heard.outcome,
        reported=step.reported,
        differs_from_reported=not judged and step.reported not in (None, heard.outcome),
        codes=heard.codes,
        sentence=heard.sentence,
        waits=waits,
        taken_cents=heard.taken_cents if stolen(step) else 0,
        notes=tuple(notes),
    )


def _verdict(
    step: Step, heard: Heard, wrong: tuple[str, ...], unplayable: tuple[str, ...]
) -> tuple[Status, tuple[str, ...]]:
    if heard.outcome not in step.expect:
        if _says_nothing(step, heard):
            return Status.NOT_PLAYABLE, (f"{step.do} is refused until it is built",)
        expected = ", ".join(one.value for one in step.expect)
        return Status.FAILED, (f"answered {heard.outcome.value}, not {expected}", *wrong)
    if wrong:
        return Status.FAILED, wrong
    return (Status.NOT_PLAYABLE if unplayable else Status.PASSED), unplayable


def stolen(step: Step) -> bool:
    """Say whether what leaves by this step is lost: a thief sends it, or his place gets it."""
    return step.by in THIEVES or reaches_thief(step)


def _unplayed(stage: Stage, step: Step, why: str) -> StepResult:
    return StepResult(
        id=step.id,
        by=step.by.value,
        do=step.do,
        proof=step.proof,
        after=stage.since,
        expect=step.expect,
        status=Status.NOT_PLAYABLE,
        reported=step.reported,
        notes=(why,),
    )


def _stopped(stage: Stage, step: Step, by: str, *, judged: bool) -> StepResult:
    # What was refused needs nobody's veto.
    well = step.by in THIEVES or not REFUSED.isdisjoint(step.expect) or step.do == VETO
    judgement = Status.PASSED if well else Status.FAILED
    return StepResult(
        id=step.id,
        by=step.by.value,
        do=step.do,
        proof=step.proof,
        after=stage.since,
        expect=step.expect,
        status=judgement if judged else Status.PLAYED,
        stopped=True,
        reported=step.reported,
        differs_from_reported=not judged and step.reported not in (None, *REFUSED),
        notes=(f"{by} was refused",),
    )


def old_places(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the old places that any of ``steps`` uses, in words or behind a replayed proof."""
    marks = {showing.mark for step in steps for showing in step.showings}
    said = str([step.given for step in steps])
    if marks & {Mark.OTHER_ACTION, Mark.SPENT, Mark.OTHER_ACCOUNT}:
        said += OLD_ADDR
    return tuple(one for one in (OLD_ADDR, OLD_BANK) if one in said)
