"""What a decision is made by, and what it says: the gate's values.

A decision is one answer and the facts it changes: one entry in the log. ``gate.decide`` is the only
function that makes one.
"""

from functools import cached_property

import msgspec

from twinlock.domain.account import State
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.events import Event
from twinlock.domain.laws import Law
from twinlock.domain.money import Prices
from twinlock.domain.notices import Notice
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.version import Policy
from twinlock.domain.proving import CodesHelp, codes_help
from twinlock.domain.requirements import NOTHING, Answer, Requirement, all_of
from twinlock.domain.screening import Screening


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision is made by: the laws, the active policy's statutes, prices, and screening.

    ``confirm`` is asked about each yes on an exit or a loosening: a second engine, or, where
    nothing depends on the answer, ``agreed``. ``codes`` is the law of where codes may be asked for;
    ``serve`` can pass no other one.
    """

    laws: tuple[Law, ...]
    statutes: tuple[Law, ...]
    policy: Policy
    confirm: Law
    prices: Prices | None = None
    screening: Screening | None = None
    codes: CodesHelp = codes_help


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What ``state`` is ``after`` the first ``events`` of a decision: it is decided on that."""

    state: State
    events: tuple[Event, ...]
    after: State


class Decision(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One answer of the gate and the facts it changes: one entry in the log.

    ``requirement`` is what is still missing. ``proofs`` are factor and digest of each proof that
    stands behind it. ``fault`` says why a proof was not accepted. ``begun`` saves that its first
    events are applied a second time.
    """

    kind: str
    action_id: str
    answer: Answer
    requirement: Requirement = NOTHING
    facts: Facts | None = None
    events: tuple[Event, ...] = ()
    payload: bytes = b""
    digest: str = ""
    proofs: tuple[tuple[str, str], ...] = ()
    evidence: bytes = b""
    fault: ProofFault | None = None
    begun: Begun | None = None

    @cached_property  # In the dict beside the fields.
    def facts_bytes(self) -> bytes:
        """Return the canonical bytes of the facts, or of none."""
        return b"{}" if self.facts is None else encode(self.facts)


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions of one command, the last of which answers it, and the state after each.

    ``letters`` are messages that a service adds, such as a code for a channel.
    """

    decisions: tuple[Decision, ...]
    states: tuple[State, ...]
    letters: tuple[Notice, ...] = ()

    @property
    def answer(self) -> Decision:
        """The decision that answers the command."""
        return self.decisions[-1]

    @property
    def state(self) -> State:
        """The state after all of them."""
        return self.states[-1]


def agreed(_: Facts) -> Requirement:
    """Confirm any yes: for what is looked at and not done, as previews and the range's worlds."""
    return NOTHING


def judge_facts(facts: Facts, *, rules: Rules) -> Requirement:
    """Return all that laws and statutes miss in ``facts``."""
    missing: Requirement = NOTHING
    for rule in (*rules.laws, *rules.statutes):
        found = rule(facts)
        if found is not NOTHING and found != NOTHING:
            missing = all_of(missing, found)
    return missing


def authorize_facts(facts: Facts, *, rules: Rules) -> Requirement:
    """Return all that is missing, where a yes has effect: value leaves, or protection is loosened.

    Such a yes needs both engines; a no needs one.
    """
    missing = judge_facts(facts, rules=rules)
    if missing != NOTHING or facts.action_class not in (ActionClass.EXIT, ActionClass.LOOSENING):
        return missing
    return rules.confirm(facts)
