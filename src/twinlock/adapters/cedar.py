"""Cedar: reads policies that people write, and decides a second time, by an engine not ours.

Always true (tests/integration/test_cedar_traps.py, test_cedar_differential.py):

* a policy is validated against our schema, and every rule stands under its own ``@id``;
* a yes is one only if the engine allowed, met no error, and names permits of ours for it; whatever
  else it says is a refusal. Cedar skips a rule that fails to evaluate, and allows.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, NoReturn

import cedarpy
import structlog

from twinlock.adapters.cedar_words import first_line, like, of_parsing, of_types
from twinlock.adapters.policy_lines import first_refused, line_of, lines_of
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import CLASS_OF
from twinlock.domain.policy.annotations import (
    ANNOTATIONS,
    PolicyFault,
    PolicyRefusedError,
    refuse,
)
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.fitting import FITS
from twinlock.domain.policy.nesting import check_nesting
from twinlock.domain.policy.statutes import TEXT_BYTES_MOST, Statutes
from twinlock.domain.policy.terms import (
    Context,
)
from twinlock.domain.policy.vocabulary import (
    EXITS,
    VOCABULARY,
    OutOfRangeError,
    for_cedar,
    schema_text,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Never, Requirement

_ACCOUNT: Final = {"type": "Account", "id": "account"}  # Statutes speak of every account alike.
_MARK = "\ufeff"  # Some editors put it in front of UTF-8.
# Control characters, and what turns the text around it around. A carriage return by itself ends a
# comment, on a line that goes on for whoever reads it.
_UNSEEN: Final = re.compile(
    "\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
_log = structlog.get_logger()
_REASONS: Final = frozenset(map(str, Reason))


def canonical_schema(text: str) -> str:
    """Return a schema in Cedar's own form, without comments. Raises PolicyRefusedError."""
    if len(text) > TEXT_BYTES_MOST:
        refuse(PolicyFault.TOO_LARGE, f"a schema of more than {TEXT_BYTES_MOST} letters")
    check_nesting(text)
    try:
        return str(cedarpy.Schema.from_str(text))
    except ValueError as error:
        refuse(PolicyFault.SCHEMA_DIFFERS, f"the schema does not parse: {first_line(error)}")


@cache
def own_schema() -> str:
    """Return the schema of this version in Cedar's own form."""
    return canonical_schema(schema_text())


@cache
def _parsed_schema() -> cedarpy.Schema:
    """Return the same, parsed: a fifth of the time that reading a policy takes."""
    return cedarpy.Schema.from_str(schema_text())


def written(statutes: bytes) -> str:
    """Return a policy as somebody might have written it, of its canonical JSON.

    Raises:
        PolicyRefusedError: that is none.
    """
    try:
        return str(cedarpy.policies_from_json_str(statutes.decode("utf-8")))
    except ValueError as error:
        refuse(PolicyFault.UNREADABLE, f"it is not Cedar's JSON: {first_line(error)}")


def check_schema(text: str) -> None:
    """Check that ``text`` is the schema of this version. Raises PolicyRefusedError."""
    if canonical_schema(text) != own_schema():
        refuse(PolicyFault.SCHEMA_DIFFERS, "it is not the schema of this version")


def read_policy(text: str) -> bytes:
    """Return the canonical JSON of a policy that somebody wrote, each rule under its ``@id``.

    Raises:
        PolicyRefusedError: it does not parse or fit the schema, a rule has no id of its own, or it
            does not look as it is read.
    """
    if len(text) > TEXT_BYTES_MOST:
        refuse(PolicyFault.TOO_LARGE, f"more than {TEXT_BYTES_MOST} letters")
    if text.startswith(_MARK):
        refuse(PolicyFault.UNREADABLE, "it begins with a byte order mark (BOM); save it without")
    _check_seen(text)
    check_nesting(text)
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
        validated = cedarpy.validate_policies(text, _parsed_schema())
    except RecursionError:
        refuse(PolicyFault.TOO_LARGE, "it nests too deep to be read")
    except ValueError as error:
        first = first_refused(text, cedarpy.policies_to_json_str)
        refuse(PolicyFault.UNREADABLE, of_parsing(error, first.text), line=first.line)
    if not validated.validation_passed:
        _refuse_invalid(text, parsed, validated.errors[0])
    rules: dict[str, Any] = {}
    for place, rule in parsed["staticPolicies"].items():
        rule_id = (rule.get("annotations") or {}).get("id")
        if not rule_id:
            refuse(PolicyFault.ID_MISSING, "a rule has no @id", line=line_of(text, place))
        if rule_id in rules:
            line = line_of(text, place)
            refuse(PolicyFault.ID_TWICE, "two rules have one @id", rule=rule_id, line=line)
        _check_words(text, place, rule["annotations"])
        rules[rule_id] = rule
    return encode({**parsed, "staticPolicies": rules})


def _check_seen(text: str) -> None:
    """Refuse what looks otherwise than it is read.

    Prevents: a rule that stands in a comment for two officers who look at it, and counts; and one
    that seems to stand there, and is a comment.
    """
    found = _UNSEEN.search(text)
    if found is not None:
        says = f"U+{ord(found[0]):04X} makes a text look otherwise than it is read"
        refuse(PolicyFault.UNREADABLE, says, line=text.count("\n", 0, found.start()) + 1)


def _check_words(text: str, place: str, said: Mapping[str, str | None]) -> None:
    """Refuse an annotation or a reason that nothing is called, by its likeness to one that is."""
    rule = str(said.get("id"))
    for name in sorted(said):
        if name not in ANNOTATIONS:
            says = f"@{name[:40]} is not known{like(name, ANNOTATIONS, mark='@')}"
            refuse(PolicyFault.ANNOTATION, says, rule=rule, line=line_of(text, place))
    reason = said.get("reason") or ""
    if reason in _REASONS:
        return
    if near := like(reason, FITS):
        says = f"{reason[:40]!r} is not a reason{near}"
        refuse(PolicyFault.ANNOTATION, says, rule=rule, line=line_of(text, place))


def with_line(text: str, error: PolicyRefusedError) -> PolicyRefusedError:
    """Return the refusal of a policy that Cedar took, with the line of the rule that it names."""
    parsed = json.loads(cedarpy.policies_to_json_str(text))
    for place in (*parsed["staticPolicies"], *parsed["templates"]):
        if error.rule and _name(parsed, place) == error.rule:
            line = line_of(text, place)
            return PolicyRefusedError(error.fault, error.says, rule=error.rule, line=line)
    return error


def lines_in(text: str) -> dict[str, int]:
    """Return the line on which each rule of a policy that Cedar took begins, by its @id."""
    parsed = json.loads(cedarpy.policies_to_json_str(text))
    lines = lines_of(text)
    return {_name(parsed, place): lines.get(place, 0) for place in parsed["staticPolicies"]}


def _refuse_invalid(
    text: str, parsed: Mapping[str, Any], first: cedarpy.ValidationError
) -> NoReturn:
    """Refuse what does not fit the schema: an unknown word by its likeness to one that is known.

    Cedar names an action for which the fact is unknown, any of them.
    """
    place = first.policy_id
    rule, line = _name(parsed, place), line_of(text, place)
    found = parsed["staticPolicies"].get(place) or parsed["templates"].get(place) or {}
    for fact in _facts_in(found):
        if fact not in VOCABULARY:
            says = f"{fact[:40]!r} is not a fact{like(fact, VOCABULARY)}"
            refuse(PolicyFault.INVALID, says, rule=rule, line=line)
    action = str((found.get("action", {}).get("entity") or {}).get("id", ""))
    if action and action not in (*CLASS_OF, EXITS):
        says = f"{action[:40]!r} is not an action{like(action, (*CLASS_OF, EXITS))}"
        refuse(PolicyFault.INVALID, says, rule=rule, line=line)
    refuse(PolicyFault.INVALID, of_types(first.error), rule=rule, line=line)


def _facts_in(node: object) -> Iterator[str]:
    """Give the names of the facts that stand in Cedar's JSON."""
    match node:
        case {"left": {"Var": "context"}, "attr": str(name)}:
            yield name
        case dict():
            for inner in node.values():
                yield from _facts_in(inner)
        case list():
            for inner in node:
                yield from _facts_in(inner)
        case _:
            return


def _name(parsed: Mapping[str, Any], place: str) -> str:
    """Return the @id of the rule that Cedar calls by its place in the text."""
    rule = parsed["staticPolicies"].get(place) or parsed["templates"].get(place) or {}
    return str((rule.get("annotations") or {}).get("id") or place)


class _Form:
    """The schema of some facts, and the groups of actions by it: the same for many actions."""

    def __init__(self, facts: tuple[str, ...]) -> None:
        self.schema = cedarpy.Schema.from_str(schema_text(facts))
        # Prevents: without the schema no action is in its group, so each rule about the exits is
        # silent, and Cedar allows without any error.
        self.groups = cedarpy.Entities.from_json_str("[]", schema=self.schema)


class _Slice:
    """The rules that can speak of one action, and the facts that those read: all it needs.

    Every rule and every fact would be as right, and take twice as long.
    """

    def __init__(self, statutes: Statutes, action: str, form: _Form) -> None:
        self._facts = statutes.reads(action)
        self._policies = cedarpy.PolicySet.from_json_str(_rules(statutes, action).decode())
        self._form = form
        self._action = {"type": "Action", "id": action}

    def decide(self, context: Context) -> cedarpy.AuthzResult:
        request = {
            "principal": _ACCOUNT,
            "action": self._action,
            "resource": _ACCOUNT,
            "context": encode(for_cedar(context, self._facts)).decode(),
        }
        form = self._form
        return cedarpy.is_authorized(request, self._policies, form.groups, schema=form.schema)


class CedarEngine:
    """The second engine, for one policy. Handles are parsed once and never change."""

    def __init__(self, statutes: Statutes) -> None:
        self._statutes = statutes
        self.permits = _permit_ids(statutes)
        form = cache(_Form)
        self._slices = {
            action: _Slice(statutes, action, form(statutes.reads(action))) for action in CLASS_OF
        }

    def decide(self, action: str, context: Context) -> cedarpy.AuthzResult:
        """Return what Cedar says of ``action`` for these facts."""
        return self._slices[action].decide(context)

    def confirm(self, facts: Facts) -> Requirement:
        """Return NOTHING where Cedar allows too, without any error; else a refusal that says so.

        It is a law in form, and asked last: about what nothing forbids by our own reading.
        """
        try:
            said = self.decide(facts.action, self._statutes.context(facts))
        except (ValueError, TypeError, KeyError, OutOfRangeError) as error:
            _log.error("engine_failed", action=facts.action, kind=type(error).__name__)
            return Never(code=Reason.ENGINE_ERROR)
        reasons = set(said.diagnostics.reasons)
        allowed = said.decision is cedarpy.Decision.Allow and not said.diagnostics.errors
        if allowed and reasons and reasons <= self.permits:
            return NOTHING
        _log.error(
            "engines_disagree",
            action=facts.action,
            decision=str(said.decision),
            rules=sorted(reasons),
            errors=len(said.diagnostics.errors),
        )
        return Never(code=Reason.ENGINE_ERROR)


def compare(statutes: Statutes, engine: CedarEngine, action: str, context: Context) -> None:
    """Check that both engines name the same rules for these facts, and that Cedar met no error.

    Raises:
        PolicyRefusedError: they do not.
    """
    ours = {rule.rule_id for rule in statutes.matching(action, context)}
    said = engine.decide(action, context)
    theirs = set(said.diagnostics.reasons) - engine.permits
    allows = said.decision is cedarpy.Decision.Allow
    if ours != theirs or allows == bool(ours) or said.diagnostics.errors:
        first = min(ours ^ theirs, default=action)
        refuse(PolicyFault.ENGINES_DISAGREE, "two engines differ on it", rule=first)


def _rules(statutes: Statutes, action: str) -> bytes:
    """Return the rules that can speak of ``action``, its permit among them, in Cedar's JSON."""
    whole: dict[str, Any] = json.loads(statutes.text)
    speak = {rule.rule_id for rule in statutes.rules if action in rule.actions}
    kept = {
        name: rule
        for name, rule in whole["staticPolicies"].items()
        if name in speak or _permits(rule, action)
    }
    return encode({**whole, "staticPolicies": kept})


def _permits(rule: Mapping[str, Any], action: str) -> bool:
    named: dict[str, Any] = {"op": "==", "entity": {"type": "Action", "id": action}}
    return bool(rule["effect"] == "permit" and rule["action"] == named)


def _permit_ids(statutes: Statutes) -> frozenset[str]:
    whole: dict[str, Any] = json.loads(statutes.text)
    rules = whole["staticPolicies"].items()
    return frozenset(name for name, rule in rules if rule["effect"] == "permit")
