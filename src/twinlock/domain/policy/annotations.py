"""Annotations: what a rule says beside its condition, and every fault that a policy can have.

Cedar carries annotations and reads none of them: a misspelled one validates. So each is read here,
and whatever is not known, out of range or in another rule's place is refused.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NoReturn, TypeAlias

from twinlock.domain.api_keys import LONGEST, KeyLapses
from twinlock.domain.assurance import BESIDE, PROOFS, Factor
from twinlock.domain.bounds import REGISTERED_EXITS_MOST, SCORE_HOLD_MOST
from twinlock.domain.errors import TwinlockError
from twinlock.domain.exits import PLACE, REGISTERED
from twinlock.domain.policy.trading import (
    FAR_BP,
    FAR_BP_MOST,
    LIQUID_MOST,
    NOTIONAL_AN_HOUR_CENTS,
    ORDERS_AN_HOUR,
    TIMES_BUSIEST,
    TradingRules,
)
from twinlock.domain.reasons import Reason

SECONDS_MOST = 366 * 24 * 3600  # A year; a longer wait is a refusal.
RETAINED_SECONDS_MOST = 30 * 366 * 24 * 3600  # No law that we know has records kept longer.
ROOTS_MOST = 2  # Law 4 knows two; nobody has three.
QUORUM_MOST = 5  # More people than a night shift has.
RULE_ID_LETTERS_MOST = 64
_RULE_ID = re.compile(rf"[a-z0-9][a-z0-9_.]{{0,{RULE_ID_LETTERS_MOST - 1}}}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_PAIR = re.compile(PLACE)
_REGISTERED = re.compile(REGISTERED)
NUMBER_MOST = 999_999_999  # As long as a number of an annotation may be.
TIMES_MOST = 10  # Ten times the busiest hour is no limit.
_SOURCE = re.compile(r"[A-Za-z0-9 ,.;:-]{1,200}")


class PolicyFault(StrEnum):
    """What is wrong with a policy."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    INVALID = "invalid"
    SCHEMA_DIFFERS = "schema_differs"
    TEMPLATE = "template"
    ID_MISSING = "id_missing"
    ID_TWICE = "id_twice"
    PERMIT_CONDITIONAL = "permit_conditional"
    PERMIT_TWICE = "permit_twice"
    SCOPE = "scope"
    ANNOTATION = "annotation"
    REASON = "reason"
    NOT_BUILT = "not_built"
    CONDITION = "condition"
    OUT_OF_RANGE = "out_of_range"
    OVERFLOW = "overflow"
    TIGHTENING = "tightening"
    TIGHTENING_OFFERS = "tightening_offers"
    NOT_OFFERED = "not_offered"
    NOT_LIFTED = "not_lifted"
    RELAXES = "relaxes"
    ENGINES_DISAGREE = "engines_disagree"


class PolicyRefusedError(TwinlockError):
    """This policy is not decided by: the detail names the rule, and what is wrong with it."""

    code = "policy_refused"
    status = 422

    def __init__(self, fault: PolicyFault, says: str, *, rule: str = "", line: int = 0) -> None:
        line_told = f"line {line}" if line else ""
        named = ", ".join(filter(None, (rule[:RULE_ID_LETTERS_MOST], line_told)))
        super().__init__(f"{fault.value}: {named}: {says}" if named else f"{fault.value}: {says}")
        self.fault = fault
        self.says = says
        self.rule = rule
        self.line = line


def refuse(fault: PolicyFault, says: str, *, rule: str = "", line: int = 0) -> NoReturn:
    """Refuse a policy. Raises PolicyRefusedError."""
    raise PolicyRefusedError(fault, says, rule=rule, line=line)


class Outcome(StrEnum):
    """What the gate answers while a rule matches, mildest first."""

    CHALLENGE = "challenge"
    HOLD = "hold"
    REVIEW = "review"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Lifted by proofs that reach the floor, of so many roots, among them all of ``factors``."""

    reason: Reason
    roots: int
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Lifted by a wait of ``length`` after the proof; ``or_roots`` roots do instead, if not 0."""

    reason: Reason
    length: timedelta
    or_roots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agree:
    """Lifted by the approvals of ``count`` drawn members of staff."""

    reason: Reason
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Lifted by nothing; or, ``ends_with_day``, by the next day (UTC).

    ``retained`` says for how long after the last exit it stands.
    """

    reason: Reason
    ends_with_day: bool
    retained: timedelta | None = None


# Nobody can give approvals yet: whoever is told to wait for them would wait for ever (law 10).
NOT_BUILT: frozenset[Outcome] = frozenset({Outcome.REVIEW})
# What an account at every floor can show, once it is bound. Codes are asked for only where nothing
# stronger is bound, recovery codes for a few actions only; no rule knows which account it meets.
DEMANDABLE = frozenset({Factor.PASSWORD, Factor.TOTP, Factor.PASSKEY})

Demand: TypeAlias = Ask | Wait | Agree | Refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What a permit says of its action.

    ``offers`` are the factors that may be asked for; a new channel's own code always may, since
    nothing else confirms it. ``exits_held`` is for how long nothing leaves once it took effect;
    ``lapses`` after how long without use its destination needs proof again; of an API key, how long
    it lives without an IP list, and ``unused`` how long without use. ``trading`` says which trades
    are unusual. ``speaks_of`` are the exits of the platform's own that are held no more.
    ``risk_raised_held`` and ``risk_high_held`` are how long nothing leaves after a
    sign-in of such a score.
    """

    rule_id: str
    offers: frozenset[Factor]
    exits_held: timedelta | None
    lapses: timedelta | None
    unused: timedelta | None
    trading: TradingRules
    speaks_of: frozenset[str] = frozenset()
    risk_raised_held: timedelta | None = None
    risk_high_held: timedelta | None = None


RISK_HELD = ("risk_raised_held_seconds", "risk_high_held_seconds")
_EVERYWHERE = frozenset({"id", "source"})
OF_TRADING = frozenset(
    {"liquid", "far_bp", "far_in", "times_busiest", "orders_an_hour", "notional_an_hour_cents"}
)
_ON_PERMITS = _EVERYWHERE.union(
    {"offers", "exits_held_seconds", "lapses_seconds", "unused_seconds", "speaks_of"},
    OF_TRADING,
    RISK_HELD,
)
_ON_FORBIDS = _EVERYWHERE | {"outcome", "reason"}
_OF_OUTCOME: Mapping[Outcome, frozenset[str]] = MappingProxyType(
    {
        Outcome.CHALLENGE: frozenset({"proof", "roots", "factors"}),
        Outcome.HOLD: frozenset({"hold_seconds", "or_roots"}),
        Outcome.REVIEW: frozenset({"quorum"}),
        Outcome.DENY: frozenset({"ends", "retained_seconds"}),
    }
)
ANNOTATIONS: frozenset[str] = _ON_PERMITS.union(_ON_FORBIDS, *_OF_OUTCOME.values())


class _Said:
    """The annotations of one rule, read one by one."""

    def __init__(self, rule: str, said: Mapping[str, str], known: frozenset[str]) -> None:
        self._rule = rule
        self._said = said
        if not _RULE_ID.fullmatch(rule):
            self.fail("has lower-case letters, digits, dots and lines below", "id")
        for name in sorted(said):
            if name not in known:
                self.fail("does not belong here", name)
        if "source" in said and not _SOURCE.fullmatch(said["source"]):
            self.fail("names where the rule comes from, in plain letters", "source")

    def fail(self, says: str, name: str) -> NoReturn:
        refuse(PolicyFault.ANNOTATION, f"@{name} {says}", rule=self._rule)

    def number(self, name: str, *, most: int, least: int = 1) -> int:
        """Return a whole number in its range; a missing one is 0."""
        if name not in self._said:
            return 0
        text = self._said[name]
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            self.fail(f"is a whole number from {least} to {most}", name)
        return int(text)

    def seconds(self, name: str) -> timedelta | None:
        found = self.number(name, most=SECONDS_MOST)
        return timedelta(seconds=found) if found else None

    def scored(self, name: str) -> timedelta | None:
        """Return how long a score holds (law 5: two weeks at most)."""
        found = self.number(name, most=int(SCORE_HOLD_MOST.total_seconds()))
        return timedelta(seconds=found) if found else None

    def factors(self, name: str) -> tuple[Factor, ...]:
        """Return the factors named, sorted; a missing list is empty."""
        if name not in self._said:
            return ()
        words = [word.strip() for word in self._said[name].split(",")]
        if len(set(words)) != len(words) or not set(words) <= set(map(str, PROOFS)):
            self.fail(f"is a list of {', '.join(one for one in Factor if one in PROOFS)}", name)
        return tuple(sorted(Factor(word) for word in words))

    def pairs(self, name: str) -> frozenset[str]:
        """Return the pairs named; a missing list is empty."""
        words = [word.strip() for word in self._said[name].split(",")] if name in self._said else []
        if len(words) > LIQUID_MOST or not all(map(_PAIR.fullmatch, words)):
            self.fail(f"is a list of {LIQUID_MOST} pairs at most, such as BTC/USDT", name)
        return frozenset(words)

    def exits(self, name: str) -> frozenset[str]:
        """Return the exits of the platform's own that are named; a missing list is empty."""
        words = [word.strip() for word in self._said[name].split(",")] if name in self._said else []
        if len(words) > REGISTERED_EXITS_MOST or not all(map(_REGISTERED.fullmatch, words)):
            says = f"is a list of {REGISTERED_EXITS_MOST} registered exits at most, such as x.bills"
            self.fail(says, name)
        return frozenset(words)

    def word(self, name: str, words: tuple[str, ...]) -> str:
        """Return one of ``words``; a missing one is empty."""
        found = self._said.get(name, "")
        if found and found not in words:
            self.fail(f"is one of {', '.join(words)}", name)
        return found


def key_lapses(permit: Permit | None) -> KeyLapses:
    """Return when API keys lapse: a statute shortens it, and lengthens nothing."""
    most = LONGEST
    if permit is None:
        return most
    return KeyLapses(
        unbound=min(most.unbound, permit.lapses or most.unbound),
        unused=min(most.unused, permit.unused or most.unused),
    )


def read_permit(rule: str, said: Mapping[str, str]) -> Permit:
    """Return what the annotations of a permit say. Raises PolicyRefusedError."""
    reader = _Said(rule, said, _ON_PERMITS)
    offered = reader.factors("offers")
    return Permit(
        rule_id=rule,
        offers=frozenset(offered or PROOFS) | BESIDE,
        exits_held=reader.seconds("exits_held_seconds"),
        lapses=reader.seconds("lapses_seconds"),
        risk_raised_held=reader.scored("risk_raised_held_seconds"),
        risk_high_held=reader.scored("risk_high_held_seconds"),
        unused=reader.seconds("unused_seconds"),
        trading=_trading(reader),
        speaks_of=reader.exits("speaks_of"),
    )


def _trading(said: _Said) -> TradingRules:
    """Return which trades are unusual; what is not said is as ``TradingRules`` has it."""
    sums, times = said.number("notional_an_hour_cents", most=NUMBER_MOST), said.number
    return TradingRules(
        liquid=said.pairs("liquid"),
        far_bp=times("far_bp", most=FAR_BP_MOST) or FAR_BP,
        far_anywhere=said.word("far_in", ("any_pair",)) != "",
        times_busiest=times("times_busiest", most=TIMES_MOST) or TIMES_BUSIEST,
        orders_an_hour=times("orders_an_hour", most=NUMBER_MOST) or ORDERS_AN_HOUR,
        notional_an_hour_cents=sums or NOTIONAL_AN_HOUR_CENTS,
    )


def read_demand(rule: str, said: Mapping[str, str]) -> Demand:
    """Return what the annotations of a forbid say would lift it. Raises PolicyRefusedError."""
    outcome = said.get("outcome", "")
    if outcome not in set(map(str, Outcome)):
        refuse(PolicyFault.ANNOTATION, f"@outcome is one of {', '.join(Outcome)}", rule=rule)
    if outcome in NOT_BUILT:
        refuse(PolicyFault.NOT_BUILT, f"nobody can give a {outcome} yet", rule=rule)
    reader = _Said(rule, said, _ON_FORBIDS | _OF_OUTCOME[Outcome(outcome)])
    code = said.get("reason", "")
    if code not in set(map(str, Reason)):
        reader.fail('is one of those under "Which reason fits" in docs/policy.md', "reason")
    return _DEMANDS[Outcome(outcome)](reader, Reason(code))


def _challenge(said: _Said, reason: Reason) -> Demand:
    proof = said.word("proof", ("floor",))
    roots, factors = said.number("roots", most=ROOTS_MOST), said.factors("factors")
    if not proof and not roots and not factors:
        said.fail("says @proof, @roots or @factors", "outcome")
    if not DEMANDABLE.issuperset(factors):
        said.fail(f"names what every account can bind: {', '.join(sorted(DEMANDABLE))}", "factors")
    return Ask(reason=reason, roots=max(roots, 1), factors=factors)


def _hold(said: _Said, reason: Reason) -> Demand:
    length = said.seconds("hold_seconds")
    if length is None:
        said.fail("says for how long", "hold_seconds")
    return Wait(
        reason=reason,
        length=length,
        or_roots=said.number("or_roots", most=ROOTS_MOST, least=ROOTS_MOST),
    )


def _review(said: _Said, reason: Reason) -> Demand:
    count = said.number("quorum", most=QUORUM_MOST)
    if not count:
        said.fail("says how many agree", "quorum")
    return Agree(reason=reason, count=count)


def _deny(said: _Said, reason: Reason) -> Demand:
    ends, retained = (
        said.word("ends", ("day",)),
        said.number("retained_seconds", most=RETAINED_SECONDS_MOST),
    )
    if ends and retained:
        said.fail("ends in one way", "ends")
    return Refuse(
        reason=reason,
        ends_with_day=bool(ends),
        retained=timedelta(seconds=retained) if retained else None,
    )


_DEMANDS: Mapping[Outcome, Callable[[_Said, Reason], Demand]] = MappingProxyType(
    {
        Outcome.CHALLENGE: _challenge,
        Outcome.HOLD: _hold,
        Outcome.REVIEW: _review,
        Outcome.DENY: _deny,
    }
)
