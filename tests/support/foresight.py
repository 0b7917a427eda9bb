"""What the prover foresees of one life: from when on its thief may have so much leave, if at all.

A roaming thief is the prover's own test: whatever he steals, with as many capabilities as he likes,
the prover must have foreseen, and no later.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from twinlock.bootstrap.proving import rules_of
from twinlock.bootstrap.rulebook import RuleBook
from twinlock.domain.prover.capabilities import Assumptions
from twinlock.domain.prover.closure import Attack, in_state
from twinlock.domain.prover.derived import goal
from twinlock.domain.prover.enrolment import SAVED, Enrolment
from twinlock.domain.prover.model import Deriver
from twinlock.domain.prover.system import System, solved, system_of
from twinlock.range.roaming import Setting, Theft


class Foresight:
    """What is foreseen by ``book``; each state of enrolment is derived and solved once."""

    def __init__(self, book: RuleBook) -> None:
        self._assumed = Assumptions()
        self._deriver = Deriver(rules_of(book), assumed=self._assumed)
        self._stands_for = {
            one: first for first, alike in self._deriver.alike.items() for one in alike
        }
        self._known: dict[Enrolment, tuple[System, Mapping[str, tuple[Attack, ...]]]] = {}

    def foresaw(self, setting: Setting, theft: Theft) -> bool:
        """Say whether ``theft`` was foreseen, no later than it came."""
        minutes = self.minutes(setting, theft.action, theft.cents)
        return minutes is not None and minutes - 1 <= theft.seconds // 60

    def minutes(self, setting: Setting, action: str, cents: int) -> int | None:
        """Return the minute from which ``cents`` may leave by ``action``, or None.

        Of sums between two steps of the rules the lower one is asked for: it leaves as easily.
        """
        system, found = self._solved(setting.state)
        sums = self._deriver.sums
        step = max((one for one in sums if one <= cents), default=min(sums))
        held = {one: 1 << bit for bit, one in enumerate(system.capabilities)}
        mask = sum(held.get(one, 0) for one in setting.capabilities)
        there = in_state(
            found.get(goal(self._stands_for[action], step), ()),
            system.states.index(setting.state),
        )
        return min((one.minutes for one in there if not one.capabilities & ~mask), default=None)

    def _solved(self, state: Enrolment) -> tuple[System, Mapping[str, tuple[Attack, ...]]]:
        bound = tuple(one for one in state.authenticators if one != SAVED)
        base = replace(state, authenticators=bound, planted=False, keys=())
        if base not in self._known:
            system = system_of(
                [(base, self._deriver.derive(base))],
                exits=self._deriver.alike,
                sums=self._deriver.sums,
                assumed=self._assumed,
            )
            self._known[base] = (system, solved(system))
        return self._known[base]
