"""Statutes: the rules of a policy, compiled from its parsed Cedar text.

One unconditional ``permit`` says for each action that it may be done at all; every other rule is a
``forbid`` that says by annotation what would lift it. A policy that breaks any of this is refused
as a whole, and nothing is decided by it.

Always true (tests/unit/domain/policy/test_statutes.py, tests/property/test_statutes_properties.py):

* no sum in a condition can leave 64 bits, whatever the facts are;
* a rule is lifted by exactly what it asks for: with that fulfilled it never matches;
* whatever tightens is permitted, and no rule slows it (law 5);
* every rule has an id, a reason that is true of it, and an end or a way on.

Source: docs/policy.md.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, assert_never

import msgspec
from msgspec.structs import replace

from twinlock.domain.actions import BUILT
from twinlock.domain.assurance import PROOFS, Factor, Level
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import CLASS_OF, REPUDIATIONS, ActionClass, ActionType
from twinlock.domain.key_laws import next_day
from twinlock.domain.laws import LEAST_WAIT, Law
from twinlock.domain.member_laws import awaited, is_proved
from twinlock.domain.policy.adding import relaxes
from twinlock.domain.policy.annotations import (
    OF_TRADING,
    RISK_HELD,
    Agree,
    Ask,
    Demand,
    Permit,
    PolicyFault,
    Refuse,
    Wait,
    key_lapses,
    read_demand,
    read_permit,
    refuse,
)
from twinlock.domain.policy.conditions import (
    NESTING_MOST,
    comparisons,
    holds_for_all,
    opposite,
    read_condition,
)
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.fitting import check_offers, check_reason
from twinlock.domain.policy.saying import fulfilled, unless
from twinlock.domain.policy.statute import Statute, outcomes
from twinlock.domain.policy.terms import (
    Between,
    Box,
    Choice,
    Context,
    NotReadableError,
    OutOfLongError,
    Shape,
    Span,
    Term,
)
from twinlock.domain.policy.trading import TradingRules
from twinlock.domain.policy.vocabulary import (
    EXITS,
    KNOWN,
    OutOfRangeError,
    context_of,
    whole_box,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
)

TEXT_BYTES_MOST = 262_144  # Of Cedar's JSON; the longest of ours has a tenth.
RULES_MOST = 300  # Cedar takes 0.85 µs for each.


class Statutes:
    """The statutes of one policy. ``text`` is their canonical JSON, which the digest covers."""

    def __init__(
        self, text: bytes, permits: Mapping[str, Permit], rules: tuple[Statute, ...]
    ) -> None:
        self.text = text
        self.permits = permits
        self.rules = rules
        self._of = {
            action: tuple(rule for rule in rules if action in rule.actions) for action in permits
        }
        self._read = {action: _facts_read(some) for action, some in self._of.items()}
        listing = permits.get(ActionType.DESTINATION_ADD)
        lapse = None if listing is None else listing.lapses
        # After so long without use a listed destination needs a proof again.
        self.lapse = timedelta.max if lapse is None else lapse
        self.key_lapses = key_lapses(permits.get(ActionType.API_KEY_CREATE))
        self.trading = self._trading()
        of_the_platform = permits.get(ActionType.PLATFORM_EXIT)
        # The exits of the platform's own that are held no more (law 6).
        self.speaks_of = frozenset() if of_the_platform is None else of_the_platform.speaks_of
        self._latest: tuple[Facts, Context] | None = None

    def _trading(self) -> TradingRules:
        """Return which trades are unusual; a new key's band waits as long as a widened one."""
        permit = self.permits.get(ActionType.TRADE_UNUSUAL)
        return replace(
            TradingRules() if permit is None else permit.trading,
            lapses=self.key_lapses,
            exempt_after=max(LEAST_WAIT, self.waits(ActionType.API_KEY_WIDEN)),
        )

    def of(self, action: str) -> tuple[Statute, ...]:
        """Return the statutes that speak of ``action``."""
        return self._of.get(action, ())

    def context(self, facts: Facts) -> Context:
        """Return the facts that the statutes about this action read. Raises OutOfRangeError.

        The latest is remembered: both engines are asked about the same facts, one after the other.
        """
        latest = self._latest
        if latest is None or latest[0] is not facts:
            latest = self._latest = facts, context_of(facts, self.reads(facts.action))
        return latest[1]

    def reads(self, action: str) -> tuple[str, ...]:
        """Return the names of the facts that the statutes about ``action`` read, sorted."""
        return self._read.get(action, ())

    def matching(self, action: str, context: Context) -> tuple[Statute, ...]:
        """Return the statutes that match. Raises OutOfLongError."""
        return tuple(rule for rule in self._of.get(action, ()) if rule.when.run(context))

    def law(self, facts: Facts) -> Requirement:
        """Return all that the statutes miss in ``facts``; what goes wrong is a refusal (law 1)."""
        if facts.action not in self.permits:
            return Never(code=Reason.NOT_PERMITTED)
        try:
            matching = self.matching(facts.action, self.context(facts))
        except (OutOfLongError, OutOfRangeError):
            return Never(code=Reason.ENGINE_ERROR)
        missing: Requirement = NOTHING
        for rule in matching:
            missing = all_of(missing, required(rule.demand, facts))
        return missing

    def laws(self) -> tuple[Law, ...]:
        """Return the statutes in the form of laws."""
        return (self.law,)

    def offers(self, action: str) -> frozenset[Factor]:
        """Return the factors that may be asked for to prove ``action``."""
        permit = self.permits.get(action)
        return frozenset() if permit is None else permit.offers

    def exits_held(self, action: str) -> timedelta | None:
        """Return for how long nothing leaves once ``action`` took effect, or None."""
        permit = self.permits.get(action)
        return None if permit is None else permit.exits_held

    def scores_held(self, action: str) -> tuple[timedelta, timedelta]:
        """Return for how long nothing leaves after ``action`` with a raised, and a high score."""
        permit, none = self.permits.get(action), timedelta(0)
        if permit is None:
            return none, none
        return permit.risk_raised_held or none, permit.risk_high_held or none

    def waits(self, action: str) -> timedelta:
        """Return the longest that a statute lets ``action`` wait."""
        lengths = (rule.demand.length for rule in self.of(action) if isinstance(rule.demand, Wait))
        return max(lengths, default=timedelta(0))


def _facts_read(rules: tuple[Statute, ...]) -> tuple[str, ...]:
    return tuple(sorted(frozenset[str]().union(*(rule.when.facts for rule in rules))))


def required(demand: Demand, facts: Facts) -> Requirement:
    """Return what ``demand`` means for ``facts``.

    A wait runs from a proof, so what waits is proved, whatever the laws let go without one. Whoever
    has proved, and waits for other members, is not asked for the same again.
    """
    floor = max(facts.floor, Level.KNOWLEDGE)
    match demand:
        case Ask(roots=1, factors=()) if is_proved(facts):
            return awaited(facts)
        case Ask(reason=reason, roots=roots, factors=factors):
            return Prove(code=reason, level=floor, roots=roots, factors=factors)
        case Wait(reason=reason, length=length, or_roots=or_roots):
            wait: Requirement = WaitUntil(
                code=reason, until=(facts.proved_at or facts.now) + length
            )
            if or_roots and facts.roots_enrolled >= or_roots:
                second = Prove(code=Reason.SECOND_ROOT_NEEDED, level=floor, roots=or_roots)
                wait = any_of(second, wait)
            if is_proved(facts):
                return wait
            return all_of(Prove(code=Reason.PROOF_NEEDED, level=floor), wait)
        case Agree(reason=reason, count=count):
            return Approvals(code=reason, count=count)
        case Refuse(reason=reason):
            return Never(code=reason, until=_ends(demand, facts))
        case _:
            assert_never(demand)


def _ends(demand: Refuse, facts: Facts) -> datetime | None:
    if demand.ends_with_day:
        return next_day(facts.now)
    if demand.retained is None or facts.last_exit_at is None:
        return None
    return facts.last_exit_at + demand.retained


# --- Loading: everything that could go wrong later is refused here ---


class _Entity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    id: str


class _Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scope; ``entities``, ``entity_type`` and ``slot`` are read to be refused by their name."""

    op: str
    entity: _Entity | None = None
    entities: Any = None
    entity_type: Any = None
    slot: Any = None


class _Clause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    body: Any


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    effect: str
    principal: _Scope
    action: _Scope
    resource: _Scope
    conditions: tuple[_Clause, ...]
    annotations: dict[str, str | None] = {}


class _PolicySet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    static_policies: dict[str, _Rule]
    templates: dict[str, Any] = {}
    template_links: list[Any] = []


def read_statutes(text: bytes) -> Statutes:
    """Return the statutes of Cedar's JSON ``text``, each under its ``@id``, canonical.

    Raises:
        PolicyRefusedError: with the rule and what is wrong with it.
    """
    if len(text) > TEXT_BYTES_MOST:
        refuse(PolicyFault.TOO_LARGE, f"more than {TEXT_BYTES_MOST} bytes")
    found = _parsed(text)
    if found.templates or found.template_links:
        refuse(PolicyFault.TEMPLATE, "a template decides nothing until somebody fills it in")
    if len(found.static_policies) > RULES_MOST:
        refuse(PolicyFault.TOO_LARGE, f"more than {RULES_MOST} rules")
    permits: dict[str, Permit] = {}
    rules: list[Statute] = []
    for rule_id, rule in sorted(found.static_policies.items()):
        if rule.annotations.get("id") != rule_id:
            refuse(PolicyFault.ID_MISSING, "a rule stands under its @id", rule=rule_id)
        if rule.effect == "permit":
            _permit(rule_id, rule, permits)
        else:
            rules.append(_statute(rule_id, rule))
    for action in sorted(_TIGHTENING - permits.keys()):
        refuse(PolicyFault.TIGHTENING, f"whatever tightens is permitted, and {action} is not")
    check_offers(permits, ((rule.rule_id, rule.actions, rule.demand) for rule in rules))
    return Statutes(text, MappingProxyType(permits), tuple(rules))


def _parsed(text: bytes) -> _PolicySet:
    try:
        found = msgspec.json.decode(text, type=_PolicySet)
        again = encode(msgspec.json.decode(text))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        refuse(PolicyFault.UNREADABLE, "it is not Cedar's JSON")
    if again != text:
        refuse(PolicyFault.UNREADABLE, "it is not in canonical form")
    return found


def _permit(rule_id: str, rule: _Rule, permits: dict[str, Permit]) -> None:
    if rule.conditions:
        refuse(PolicyFault.PERMIT_CONDITIONAL, "what lifts a refusal is a forbid", rule=rule_id)
    if rule.action.op != "==":
        refuse(PolicyFault.SCOPE, "a permit names one action", rule=rule_id)
    (action,) = _actions(rule_id, rule)
    if action in permits:
        refuse(PolicyFault.PERMIT_TWICE, f"{action} is permitted already", rule=rule_id)
    said = _annotations(rule_id, rule)
    for name, meant in _MEANT.items():
        if name in said and action not in meant:
            refuse(PolicyFault.ANNOTATION, f"@{name} means nothing of {action}", rule=rule_id)
    permits[action] = read_permit(rule_id, said)


# Prevents: a freeze that costs its owner a year, an exit or an erasure that holds itself, and a
# second length of which nobody can say whether it counts.
_MEANT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "exits_held_seconds": frozenset(
            one
            for one, cls in CLASS_OF.items()
            if cls in (ActionClass.LOOSENING, ActionClass.ACCESS) or one in REPUDIATIONS
        )
        - {ActionType.ACCOUNT_ERASE},
        "lapses_seconds": frozenset({ActionType.DESTINATION_ADD, ActionType.API_KEY_CREATE}),
        "unused_seconds": frozenset({ActionType.API_KEY_CREATE}),
        "speaks_of": frozenset({ActionType.PLATFORM_EXIT}),
        **dict.fromkeys(OF_TRADING, frozenset({ActionType.TRADE_UNUSUAL})),
        **dict.fromkeys(RISK_HELD, frozenset({ActionType.SESSION_START})),
    }
)


def _statute(rule_id: str, rule: _Rule) -> Statute:
    demand = read_demand(rule_id, _annotations(rule_id, rule))
    statute = Statute(
        rule_id=rule_id,
        actions=_actions(rule_id, rule),
        demand=demand,
        when=_condition(rule_id, rule),
    )
    _check_sums(statute)
    _check_ranges(rule_id, rule)
    if relaxes((clause.kind, clause.body) for clause in rule.conditions):
        says = "the word of others only adds: it must not stop matching as that rises, or is given"
        refuse(PolicyFault.RELAXES, says, rule=rule_id)
    check_reason(rule_id, demand, actions=statute.actions, facts=statute.when.facts)
    for lifted, says in _lifts(demand):
        if not _never(statute, lifted):
            refuse(PolicyFault.NOT_LIFTED, f"it can still match {says}", rule=rule_id)
    tightening = sorted(statute.actions & _TIGHTENING)
    if tightening and not _never(statute, _WHILE_TIGHTENING):
        says = (
            f"whatever tightens is instant, and it speaks of {tightening[0]}: name other actions, "
            'write context.class == "tightening" into an unless, or use @offers'
        )
        refuse(PolicyFault.TIGHTENING, says, rule=rule_id)
    return statute


_TIGHTENING = frozenset(one for one in BUILT if CLASS_OF[one] is ActionClass.TIGHTENING)
_WHILE_TIGHTENING: Mapping[str, Shape] = MappingProxyType(
    {"class": Choice(frozenset({ActionClass.TIGHTENING.value}))}
)


def _annotations(rule_id: str, rule: _Rule) -> dict[str, str]:
    """Return the annotations, each of which says something."""
    for name, value in rule.annotations.items():
        if not value:
            refuse(PolicyFault.ANNOTATION, f"@{name} says nothing", rule=rule_id)
    return {name: value for name, value in rule.annotations.items() if value}


def _actions(rule_id: str, rule: _Rule) -> frozenset[str]:
    """Return the actions in scope; principal and resource are always the account."""
    scopes = (rule.principal, rule.resource)
    if any(scope.op != "All" or scope.entity is not None for scope in scopes):
        refuse(PolicyFault.SCOPE, "rules speak of every account alike", rule=rule_id)
    named = rule.action.entity
    if rule.action.op == "All" and named is None:
        return frozenset(CLASS_OF)
    if named is not None and named.type == "Action":
        if rule.action.op == "==" and named.id in CLASS_OF:
            return frozenset({named.id})
        if rule.action.op == "in" and named.id == EXITS:
            return frozenset(one for one, cls in CLASS_OF.items() if cls is ActionClass.EXIT)
    return refuse(PolicyFault.SCOPE, f"an action, the group {EXITS!r}, or any", rule=rule_id)


def _condition(rule_id: str, rule: _Rule) -> Term:
    try:
        return holds_for_all(tuple(_clauses(rule)))
    except NotReadableError as error:
        return refuse(PolicyFault.CONDITION, str(error), rule=rule_id)
    except OutOfLongError:
        return refuse(PolicyFault.OVERFLOW, "a number leaves 64 bits", rule=rule_id)


def _clauses(rule: _Rule) -> Iterator[Term]:
    if len(rule.conditions) > NESTING_MOST:  # Each is joined to those before it.
        raise NotReadableError(f"it has more than {NESTING_MOST} clauses")
    for clause in rule.conditions:
        term = read_condition(clause.body, KNOWN)
        match clause.kind:
            case "when":
                yield term
            case "unless":
                yield opposite(term)
            case _:
                raise NotReadableError("a condition is a when or an unless")


# --- What a condition can be ---


def _check_sums(statute: Statute) -> None:
    """Refuse a sum that can leave 64 bits: Cedar would skip the rule, and allow (trap 2)."""
    try:
        statute.when.over(whole_box())
    except OutOfLongError:
        refuse(PolicyFault.OVERFLOW, "a sum can leave 64 bits", rule=statute.rule_id)


def _check_ranges(rule_id: str, rule: _Rule) -> None:
    """Refuse a comparison that comes out the same for all facts: the limit in it is none."""
    box = whole_box()
    for clause in rule.conditions:
        for one in comparisons(clause.body, KNOWN):
            if one.over(box) in (Choice(frozenset({True})), Choice(frozenset({False}))):
                facts = ", ".join(sorted(one.facts)) or "no fact"
                says = f"a comparison of {facts} is the same for every value in range"
                refuse(PolicyFault.OUT_OF_RANGE, says, rule=rule_id)


def _lifts(demand: Demand) -> Iterator[tuple[Mapping[str, Shape], str]]:
    """Give what is so once ``demand`` is fulfilled, in each of the ways in which it can be."""
    box = whole_box()
    proved: dict[str, Shape] = {"proved": Choice(frozenset({True}))}
    match demand:
        case Ask(roots=roots, factors=factors):
            shown = Between(frozenset(factors), frozenset(map(str, PROOFS)))
            yield (
                (
                    {**proved, "roots_shown": _from(box, "roots_shown", roots), "factors": shown}
                    if roots > 1
                    else {**proved, "factors": shown}
                ),
                f"with these proofs shown{unless(fulfilled(roots, factors))}",
            )
        case Wait(length=length, or_roots=or_roots):
            seconds = int(length.total_seconds())
            waited = {**proved, "held_seconds": _from(box, "held_seconds", seconds)}
            yield waited, f"after {seconds} seconds{unless(f'held_seconds >= {seconds}')}"
            if or_roots:
                roots_shown = _from(box, "roots_shown", or_roots)
                says = f"with {or_roots} roots shown{unless(f'roots_shown >= {or_roots}')}"
                yield {**proved, "roots_shown": roots_shown}, says
        case Agree(count=count):
            agreed = {"approvals": _from(box, "approvals", count)}
            yield agreed, f"with {count} approvals{unless(f'approvals >= {count}')}"
        case Refuse(ends_with_day=True):
            none = Span(0, 0)
            yield {"day_cents": none, "destination_day_cents": none}, _NEXT_DAY
        case Refuse(retained=timedelta() as retained):
            seconds = int(retained.total_seconds())
            name, ends = "since_last_exit_seconds", f"{seconds} seconds after the last exit"
            yield {name: _from(box, name, seconds)}, f"{ends}{unless(f'{name} >= {seconds}')}"
        case Refuse():
            return
        case _:
            assert_never(demand)


_NEXT_DAY = (
    "on the next day: what is too much by itself takes a rule without @ends "
    '(docs/policy.md, "A daily limit")'
)


def _from(box: Box, name: str, least: int) -> Span:
    whole = box[name]
    most = whole.most if isinstance(whole, Span) else least
    return Span(least, max(most, least))


def _never(statute: Statute, where: Mapping[str, Shape]) -> bool:
    """Say whether ``statute`` matches no facts that are as ``where`` says."""
    return outcomes(statute, where) == {False}
