"""Plays a story: its attack, each demand on a fresh account, and its honest twin.

After the attack a patient thief tries again whatever was told a wait, nobody objecting: what he
gets then is told apart, as the price of an owner who reads no notices.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeAlias

from twinlock.client import ProblemError
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.reasons import Reason
from twinlock.range.account_words import rests_on
from twinlock.range.asked import Check
from twinlock.range.checks import run_check
from twinlock.range.customer import NotPlayableError
from twinlock.range.looking_alike import Letters, letters_about, looked_at
from twinlock.range.playing import heard_of, spend, together
from twinlock.range.profiles import DEFAULT
from twinlock.range.refusals import FAILURES, refusal
from twinlock.range.replay import Replay, cents
from twinlock.range.results import (
    CheckResult,
    Kind,
    Later,
    PartResult,
    Status,
    StepResult,
    StoryResult,
    worst,
)
from twinlock.range.stage import Heard, Stage
from twinlock.range.steps import hear, stolen
from twinlock.range.story import VETO, AccountSpec, Step, Story
from twinlock.range.venue import Venue
from twinlock.range.words import THIEVES, UNKNOWN_EXIT, Outcome, Person

ROUNDS_MOST = 3  # A wait may be followed by another one; no chain here has a third.
_NO = (Outcome.CHALLENGE, Outcome.HOLD, Outcome.REVIEW, Outcome.DENY, Outcome.NO_EFFECT)
Tell: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One part of a story, as its file has it."""

    kind: Kind
    name: str
    text: str
    spec: AccountSpec
    steps: Sequence[Step]
    check: Check | None = None


def _silent(_: str) -> None:
    """Tell nobody."""


async def play_story(
    venue: Venue,
    story: Story,
    *,
    tell: Tell = _silent,
    kinds: frozenset[Kind] = frozenset(Kind),
) -> StoryResult:
    """Play the parts of ``story`` that are of ``kinds``; ``tell`` hears what is being played."""
    profile = venue.book.policy.profile
    results = []
    for part in (one for one in _parts(story) if one.kind in kinds):
        tell(f"{story.id} under {profile}: {part.kind.value} {part.name}".rstrip())
        replay = Replay(
            venue=venue,
            story=story,
            spec=part.spec,
            steps=part.steps or story.steps,
            judged=profile == DEFAULT,
        )
        try:
            results.append(await _play_part(replay, part))
        except Exception as broke:  # noqa: BLE001 - a word that nobody foresaw ends no other replay
            why = f"the range broke: {type(broke).__name__}: {broke}"
            results.append(_unplayed(part, Status.FAILED, why))
    venue.weather.clear()
    return StoryResult(
        id=story.id,
        title=story.title,
        profile=profile,
        value_cents=story.account.value_usd * 100,
        parts=tuple(results),
    )


def _parts(story: Story) -> list[_Part]:
    demands = [
        _Part(
            kind=kind,
            name=one.id,
            text=one.text,
            spec=one.account,
            steps=one.steps,
            check=one.check,
        )
        for kind, demanded in ((Kind.MUST, story.must), (Kind.MUST_NOT, story.must_not))
        for one in demanded
    ]
    twin = story.benign_twin
    return [
        _Part(kind=Kind.ATTACK, name="", text=story.title, spec=story.account, steps=story.steps),
        *demands,
        _Part(
            kind=Kind.BENIGN,
            name="",
            text=twin.text,
            spec=twin.account,
            steps=twin.steps,
            check=twin.check,
        ),
    ]


async def _play_part(replay: Replay, part: _Part) -> PartResult:
    try:
        stage = await replay.fresh(part.steps) if part.steps else None
    except NotPlayableError as why:
        return _unplayed(part, Status.NOT_PLAYABLE, str(why))
    except FAILURES as failure:
        return _unplayed(part, Status.FAILED, f"the service failed in set-up: {failure}")
    taps_before = 0 if stage is None else stage.customer.taps
    steps = () if stage is None else await replay.play(stage, part.steps)
    letters = {} if stage is None else letters_about(stage, part.steps)
    found = _Found(steps=steps)
    if stage is not None and part.kind is Kind.ATTACK:
        found.stopped = _stop(steps, left_cents=stage.left_cents)
        try:
            await _patience(stage, part.steps, found)
        except FAILURES as failure:
            found.failed.append(f"the service failed when the thief came back: {failure}")
    else:
        words = rests_on(part.spec, part.steps, story=replay.story.account)
        found.unplayed += [f"it rests on account.{word}, which is not built" for word in words]
    await _look_alike(replay, part, found, letters)
    if part.check is not None:
        found.check = await run_check(replay, part.check)
    return _summed(part, found, stage, taps_before=taps_before)


async def _look_alike(
    replay: Replay, part: _Part, found: "_Found", letters: dict[str, Letters]
) -> None:
    """Hold what was played against a second account, where a step must look the same."""
    try:
        found.steps = await looked_at(replay, part.steps, found.steps, letters)
    except NotPlayableError as why:
        found.unplayed.append(f"nothing to compare with: {why}")
    except FAILURES as failure:
        found.failed.append(f"the service failed beside it: {failure}")


def _unplayed(part: _Part, status: Status, why: str) -> PartResult:
    return PartResult(kind=part.kind, id=part.name, text=part.text, status=status, notes=(why,))


@dataclass(slots=True, kw_only=True)
class _Found:
    """What one part has come to so far."""

    steps: tuple[StepResult, ...]
    later: list[Later] = field(default_factory=list)
    check: CheckResult | None = None
    stopped: StepResult | None = None
    failed: list[str] = field(default_factory=list)
    unplayed: list[str] = field(default_factory=list)


def _summed(part: _Part, found: _Found, stage: Stage | None, *, taps_before: int) -> PartResult:
    steps, later, checked = found.steps, found.later, found.check
    statuses = [step.status for step in steps]
    statuses += [checked.status] if checked is not None else []
    statuses += [Status.FAILED] * len(found.failed)
    statuses += [Status.NOT_PLAYABLE] * len(found.unplayed)
    stopped = found.stopped
    silent = 0 if stage is None else stage.silent_taps
    taps = 0 if stage is None else stage.customer.taps - taps_before - silent
    return PartResult(
        kind=part.kind,
        id=part.name,
        text=part.text,
        status=worst(statuses),
        steps=steps,
        check=checked,
        later=tuple(later),
        lost_cents=0 if part.kind is Kind.BENIGN else cents(steps),
        lost_later_cents=sum(one.taken_cents for one in later),
        stopped_after=None if stopped is None else stopped.after,
        stopped_by=() if stopped is None else stopped.codes,
        stopped_because="" if stopped is None else stopped.sentence,
        taps=taps,
        taps_before=taps_before + silent,
        refusals=sum(_wrongly_refused(step) for step in steps),
        waited=sum((step.waits or timedelta(0) for step in steps), timedelta(0)),
        without=() if stage is None else tuple(stage.notes),
        notes=(*found.failed, *found.unplayed),
    )


def _wrongly_refused(step: StepResult) -> bool:
    """Say whether an honest step got a no that its file does not expect, and that is ours."""
    if step.stopped:
        return step.status is Status.FAILED
    unbuilt = Reason.ACTION_NOT_BUILT.value in step.codes
    return step.answer in _NO and step.answer not in step.expect and not unbuilt


def _stop(steps: Sequence[StepResult], *, left_cents: int) -> StepResult | None:
    """Return the step at which the thief was stopped: from there on nothing was allowed.

    Where he took the last there was, nobody stopped him, whatever he was refused afterwards.
    """
    found = None
    if left_cents == 0 and cents(steps):
        return None
    for step in reversed(steps):
        if step.taken_cents or (step.answer is Outcome.ALLOW and not _is_beside(step)):
            break
        if step.answer in _NO and step.codes:
            found = step
    return found


def _is_beside(step: StepResult) -> bool:
    """Say whether a yes to ``step`` is no success of a thief's: the world's, or an owner's no."""
    defends = step.do == VETO or CLASS_OF.get(step.do) is ActionClass.TIGHTENING
    return step.by == Person.WORLD or (defends and Person(step.by) not in THIEVES)


# --- The patient thief ---


async def _patience(stage: Stage, steps: Sequence[Step], found: _Found) -> None:
    """Wait for everything that was told a wait, then try the exits again, nobody objecting."""
    for _ in range(ROUNDS_MOST):
        told = _told(stage, steps)
        if not told:
            break
        for step, heard in told:
            stage.heard[step.id] = together([await _again(stage, step, one) for one in heard.each])
            found.later.append(_later(stage, step, stage.heard[step.id]))
        await stage.set_forward(max(one.after for one in found.later))
        for step in (one for one in steps if _worth_trying(stage, one)):
            await _afresh(stage, step, found)


def _told(stage: Stage, steps: Sequence[Step]) -> list[tuple[Step, Heard]]:
    told = [
        (step, stage.heard[step.id])
        for step in steps
        if step.id in stage.heard and any(map(_waits, stage.heard[step.id].each))
    ]
    return sorted(
        told, key=lambda one: min(each.until for each in one[1].each if each.until is not None)
    )


def _waits(heard: Heard) -> bool:
    return heard.outcome is Outcome.HOLD and heard.until is not None


def _is_exit(step: Step) -> bool:
    return CLASS_OF.get(step.do) is ActionClass.EXIT or step.do == UNKNOWN_EXIT


async def _again(stage: Stage, step: Step, heard: Heard) -> Heard:
    """Come back at the end of a wait: spend an exit, look at a change; else nothing is new."""
    if not _waits(heard):
        return replace(heard, taken_cents=0, beside=())
    await stage.venue.set_forward(heard.until or stage.venue.now)
    try:
        if _is_exit(step):
            return await spend(stage, heard.action_id, value_cents=heard.value_cents)
        return heard_of(await stage.venue.client.action(heard.action_id))
    except ProblemError as problem:
        return Heard(outcome=Outcome.DENY, codes=(refusal(problem),))


def _worth_trying(stage: Stage, step: Step) -> bool:
    heard = stage.heard.get(step.id)
    open_still = heard is not None and heard.outcome is not Outcome.ALLOW
    return open_still and _is_exit(step) and stage.left_cents > 0


async def _afresh(stage: Stage, step: Step, found: _Found) -> None:
    """Try an exit of the attack again from its beginning, with the proofs that its file lists."""
    try:
        now = await hear(stage, step)
    except NotPlayableError as why:
        found.unplayed.append(f"{step.id} when the thief came back: {why}")
        return
    stage.heard[step.id] = now
    found.later.append(_later(stage, step, now))


def _later(stage: Stage, step: Step, heard: Heard) -> Later:
    return Later(
        step=step.id,
        after=stage.since,
        answer=heard.outcome,
        taken_cents=heard.taken_cents if stolen(step) else 0,
        codes=heard.codes,
    )
