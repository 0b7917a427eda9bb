"""One part of a story: a fresh account, its steps or its check, and what they came to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from twinlock.client import ProblemError
from twinlock.range.account_words import SAVED, taken_with, with_saved_codes
from twinlock.range.duress import kinds_of
from twinlock.range.places import networks_in
from twinlock.range.refusals import refusal
from twinlock.range.results import StepResult
from twinlock.range.setting_up import SettingUpError, set_up
from twinlock.range.stage import Stage
from twinlock.range.steps import old_places, play_steps
from twinlock.range.story import AccountSpec, Step, Story
from twinlock.range.venue import Venue


@dataclass(slots=True, kw_only=True)
class Replay:
    """What a part is played on.

    ``steps`` are its own, or the attack's where it has none; ``judged`` says that answers are held
    against ``expect``; ``shown`` are proofs that its check shows besides.
    """

    venue: Venue
    story: Story
    spec: AccountSpec
    steps: Sequence[Step]
    judged: bool
    shown: frozenset[str] = frozenset()
    stages: list[Stage] = field(default_factory=list)

    async def fresh(self, steps: Sequence[Step] = (), *, old: Iterable[str] = ()) -> Stage:
        """Return a fresh account at its first step, with the ``old`` places on its list.

        Raises:
            NotPlayableError: the file describes an account that cannot be had yet.
            ProblemError: the service failed; that is no property of the account.
        """
        self.venue.weather.clear()
        known = {*old, *old_places(steps)}
        every = (*self.steps, *steps)
        networks = networks_in((step.do, step.given) for step in every)
        try:
            spec = with_saved_codes(self.spec, every, shown=self.shown)
            stage = await set_up(
                self.venue, spec, old=known, networks=networks, forced=kinds_of(every)
            )
        except ProblemError as problem:
            raise SettingUpError(f"the account was not set up: {refusal(problem)}") from problem
        stage.notes += [SAVED] if spec is not self.spec else []
        stage.held = taken_with(self.spec, frozenset(self.story.capabilities))
        self.stages.append(stage)
        return stage

    async def play(self, stage: Stage, steps: Sequence[Step]) -> tuple[StepResult, ...]:
        """Play ``steps`` on ``stage``."""
        return await play_steps(stage, steps, judged=self.judged)


def cents(steps: Sequence[StepResult]) -> int:
    """Return what was lost by ``steps``."""
    return sum(step.taken_cents for step in steps)
