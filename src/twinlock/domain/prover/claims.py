"""What is claimed of a policy, as a question that a certificate answers.

Three claims, each for PROVED_WITHIN: fewer than k thefts take no more than a small sum a day, in
any state; they take nothing at all where the account is not narrow; and k thefts take nothing
either in some states, which the claim names. A rule that waits longer than that plays no part. Of
states that differ in what an older system left there the one that has everything stands for all:
what is there only adds ways.

Always true (tests/unit/domain/prover/test_claims.py): a claim holds for a state exactly where the
smallest set of thefts that the solver finds there is no smaller.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import combinations

from twinlock.domain.bounds import PROVED_WITHIN, SMALL_SUM_CENTS
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.capabilities import Capability, counted
from twinlock.domain.prover.certificate import Question
from twinlock.domain.prover.closure import Rule, closed_by_state
from twinlock.domain.prover.covering import claim_of, question_of
from twinlock.domain.prover.derived import cents_of, is_goal
from twinlock.domain.prover.model import MINUTE
from twinlock.domain.prover.system import KEYS, System


class Whole:
    """The rules of all sheets over one list of atoms, as far as they count within a time."""

    def __init__(self, systems: Iterable[System], *, within: timedelta = PROVED_WITHIN) -> None:
        self.atoms: dict[str, int] = {}
        self.names: list[str] = []
        self.capabilities: tuple[Capability, ...] = ()
        stand: dict[Rule, int] = {}
        for system in systems:
            kept = [
                number
                for number, state in enumerate(system.states)
                if enrolment.SAVED in state.authenticators
                and state.planted
                and state.keys == KEYS[-1]
            ]
            self.capabilities = system.capabilities
            numbers = [self.atoms.setdefault(name, len(self.atoms)) for name in system.atoms]
            first = len(self.names)
            self.names += [system.states[number].name for number in kept]
            for rule, mask in zip(system.rules, system.masks, strict=True):
                where = _projected(mask, kept) << first
                if where and rule.delay < within // MINUTE:
                    here = Rule(
                        head=numbers[rule.head],
                        body=tuple(sorted(numbers[atom] for atom in rule.body)),
                    )
                    stand[here] = stand.get(here, 0) | where
        self.rules, self.masks = tuple(stand), tuple(stand.values())
        self.every = (1 << len(self.names)) - 1

    @property
    def thieves(self) -> tuple[int, ...]:
        """The atoms of the capabilities that the theorem counts."""
        return tuple(bit for bit, one in enumerate(self.capabilities) if counted(one))

    def goals(self, *, above: int) -> tuple[int, ...]:
        """Return the atoms that say that more than ``above`` cents have left."""
        return tuple(
            number
            for name, number in self.atoms.items()
            if is_goal(name) and cents_of(name) > above
        )

    def proved(self, k: int, goals: Sequence[int]) -> int:
        """Return the states, as a mask, in which fewer than ``k`` thefts reach no goal."""
        left = self.every
        for some in combinations(self.thieves, min(k - 1, len(self.thieves))):
            if left:
                known = closed_by_state(self.rules, self.masks, dict.fromkeys(some, left))
                for goal in goals:
                    left &= ~known.get(goal, 0)
        return left


def _projected(mask: int, kept: Sequence[int]) -> int:
    return sum(1 << at for at, number in enumerate(kept) if mask >> number & 1)


def question(whole: Whole, *, k: int) -> Question:
    """Return what is claimed of ``whole``; a claim that is false stands there as well."""
    large, every = whole.goals(above=SMALL_SUM_CENTS), whole.goals(above=-1)
    claims = (
        claim_of(k=k, goals=large, capabilities=whole.thieves, states=whole.every),
        *(
            claim_of(
                k=size,
                goals=every,
                capabilities=whole.thieves,
                states=whole.proved(size, every),
            )
            for size in (k, k + 1)
        ),
    )
    return question_of(tuple(whole.atoms), whole.rules, whole.masks, claims)
