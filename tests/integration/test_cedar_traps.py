"""The traps of Cedar that fail open, each by name: what the engine does, and what our wrapper does.

The first half of each test shows that the trap is real in the pinned version: when one of them
changes, whoever takes a newer version must look. The second half shows that we do not fall in.
"""

from collections.abc import Mapping
from typing import Any

import cedarpy
import pytest
from cedarpy import Decision
from msgspec.structs import replace
from support.cast import DAY, LONG_AGO, NOON
from support.policies import DEFAULT, policy_of, with_rules

from twinlock.adapters import cedar
from twinlock.adapters.cedar import CedarEngine
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.domain.policy.facts import DestinationState, Facts
from twinlock.domain.policy.vocabulary import context_of, for_cedar, schema_text
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Never

ENGINE = CedarEngine(DEFAULT.statutes)
REFUSED = Never(code=Reason.ENGINE_ERROR)
SCHEMA = """
type Facts = { amount: Long, sum: Long, known: Bool };
entity Account;
action "exits"; action "send" in ["exits"] appliesTo
  { principal: Account, resource: Account, context: Facts };
"""
PERMIT = '@id("permit") permit (principal, action, resource);'
YES = Facts(
    now=NOON,
    action="withdrawal.crypto",
    action_class=ActionClass.EXIT,
    built=True,
    opened_at=LONG_AGO,
    proposed_at=NOON,
    proved_at=NOON,
    floor=Level.PHISHING_RESISTANT,
    shown_level=Level.PHISHING_RESISTANT,
    shown_factors=(Factor.PASSKEY,),
    shown_roots=("phone",),
    roots_enrolled=1,
    narrow=False,
    has_channel=True,
    destination=DestinationState.USABLE,
    value_cents=50_00,
)


def asked(
    rules: str,
    context: Mapping[str, Any] | str,
    *,
    schema: bool = True,
    action: str = "send",
    entities: cedarpy.Entities | None = None,
) -> cedarpy.AuthzResult:
    """Ask Cedar itself, as somebody without a wrapper would."""
    request = {
        "principal": {"type": "Account", "id": "a"},
        "action": {"type": "Action", "id": action},
        "resource": {"type": "Account", "id": "a"},
        "context": context,
    }
    return cedarpy.is_authorized(
        request,
        PERMIT + rules,
        cedarpy.Entities.from_json_str("[]") if entities is None else entities,
        schema=cedarpy.Schema.from_str(SCHEMA) if schema else None,
    )


UNKNOWN = '@id("unknown") forbid (principal, action, resource) when { !context.known };'
LIMIT = (
    '@id("limit") forbid (principal, action, resource) when { context.sum + context.amount > 5 };'
)
FINE = {"amount": 1, "sum": 1, "known": True}


def test_the_version_that_was_measured_is_the_one_that_runs() -> None:
    from importlib.metadata import version  # noqa: PLC0415 - of what is installed now

    assert version("cedarpy") == "4.12.2"


# --- The four traps ---


def test_trap_1_a_missing_fact_without_a_schema_skips_the_rule_and_allows() -> None:
    without = {"amount": 1, "sum": 1}
    lost = asked(UNKNOWN, without, schema=False)
    assert lost.decision is Decision.Allow
    assert lost.diagnostics.errors
    assert asked(UNKNOWN, without).decision is Decision.NoDecision

    context = {**context_of(YES)}
    del context["value_cents"]
    with pytest.raises(KeyError):
        ENGINE.decide("withdrawal.crypto", context)


def test_trap_2_an_overflow_skips_the_rule_and_allows_schema_or_not() -> None:
    much = FINE | {"sum": 2**63 - 1}
    for schema in (True, False):
        lost = asked(LIMIT, much, schema=schema)
        assert lost.decision is Decision.Allow
        assert lost.diagnostics.errors

    # Facts out of range reach neither engine; and no policy that can overflow is taken.
    context = {**context_of(YES), "value_cents": 2**63 - 1, "day_cents": 1}
    said = ENGINE.decide("withdrawal.crypto", context)
    assert said.decision is Decision.Deny or said.diagnostics.errors
    assert ENGINE.confirm(beyond(YES)) == REFUSED


def beyond(facts: Facts) -> Facts:
    """Return facts with a number that no account can have."""
    return replace(facts, roots_enrolled=10**9)


def test_trap_3_an_injected_value_without_a_schema_skips_the_rule_and_allows() -> None:
    injected = {"amount": 1, "sum": 1, "known": {"__extn": {"fn": "unknown", "arg": "x"}}}
    lost = asked(UNKNOWN, injected, schema=False)
    assert lost.decision is not Decision.Deny
    assert asked(UNKNOWN, injected).decision is Decision.NoDecision

    context: Any = {**context_of(YES), "narrow": {"__extn": {"fn": "unknown", "arg": "x"}}}
    said = ENGINE.decide("withdrawal.crypto", context)
    assert said.decision is Decision.NoDecision


@pytest.mark.parametrize(
    "context",
    [
        FINE | {"amount": 1.5},
        FINE | {"amount": None},
        FINE | {"amount": 2**63},
        FINE | {"more": 1},
        FINE | {"amount": "1"},
        {},
    ],
    ids=["a float", "null", "too big", "one too many", "text", "nothing"],
)
def test_trap_4_no_exception_but_no_decision_which_is_not_deny(context: dict[str, Any]) -> None:
    assert asked(UNKNOWN, context).decision is Decision.NoDecision


def test_trap_4_bad_text_and_unknown_actions_raise_nothing_either() -> None:
    assert asked("forbid (", FINE).decision is Decision.NoDecision
    assert asked(UNKNOWN, FINE, action="steal").decision is Decision.NoDecision


# --- Their relatives ---


def test_an_action_is_in_no_group_without_entities_that_the_schema_made() -> None:
    """Found by the differential test: Allow, and no error at all."""
    exits = '@id("exits") forbid (principal, action in Action::"exits", resource);'
    lost = asked(exits, FINE)
    assert lost.decision is Decision.Allow
    assert not lost.diagnostics.errors

    made = cedarpy.Entities.from_json_str("[]", schema=cedarpy.Schema.from_str(SCHEMA))
    assert asked(exits, FINE, entities=made).decision is Decision.Deny
    assert ENGINE.confirm(YES) == NOTHING
    assert ENGINE.confirm(replace(YES, destination=DestinationState.NEW)) == REFUSED


def test_an_absent_optional_fact_behind_has_matches_nothing_and_tells_nobody() -> None:
    optional = SCHEMA.replace("known: Bool", "known?: Bool")
    rule = (
        '@id("r") forbid (principal, action, resource) '
        "when { context has known && !context.known };"
    )
    request = {
        "principal": {"type": "Account", "id": "a"},
        "action": {"type": "Action", "id": "send"},
        "resource": {"type": "Account", "id": "a"},
        "context": {"amount": 1, "sum": 1},
    }
    lost = cedarpy.is_authorized(request, PERMIT + rule, "[]", schema=optional)
    assert lost.decision is Decision.Allow
    assert not lost.diagnostics.errors
    assert "?" not in schema_text()


def test_a_doubled_key_in_json_text_wins_silently_and_is_never_given() -> None:
    doubled = '{"amount": 1, "sum": 1, "known": false, "known": true}'
    assert asked(UNKNOWN, doubled).decision is Decision.Allow
    assert isinstance(for_cedar(context_of(YES)), dict)


def test_an_unknown_annotation_validates_with_cedar_and_not_with_us() -> None:
    text = '@id("a") @outcmoe("deny") forbid (principal, action, resource);'
    assert cedarpy.validate_policies(text, SCHEMA).validation_passed
    with pytest.raises(PolicyRefusedError, match="@outcome"):
        policy_of(with_rules(text))


def test_a_doubled_id_validates_with_cedar_and_not_with_us() -> None:
    text = "".join(
        f'@id("a") {effect} (principal, action, resource);' for effect in ("forbid", "permit")
    )
    assert cedarpy.validate_policies(text, SCHEMA).validation_passed
    with pytest.raises(PolicyRefusedError, match="id_twice"):
        cedar.read_policy(text)


def test_the_ids_that_come_back_are_ours_whatever_the_order_of_the_rules() -> None:
    held = replace(YES, destination=DestinationState.NEW, value_cents=500_000_00)
    said = ENGINE.decide(held.action, context_of(held)).diagnostics.reasons

    assert set(said) == {"exits.new_destination_waits", "exits.daily_limit"}


def test_reasons_come_in_any_order_so_nothing_of_ours_leans_on_it() -> None:
    held = replace(YES, destination=DestinationState.NEW, value_cents=500_000_00)
    orders = {
        tuple(
            CedarEngine(DEFAULT.statutes).decide(held.action, context_of(held)).diagnostics.reasons
        )
        for _ in range(20)
    }

    assert len({frozenset(order) for order in orders}) == 1
    assert DEFAULT.statutes.law(held) == DEFAULT.statutes.law(held)


@pytest.mark.parametrize("text", ["48", "", "1.5h", "1h1d", "1w", "24H", "+1h", " 1h"])
def test_a_duration_that_is_none_is_refused_when_the_policy_is_read(text: str) -> None:
    rule = (
        '@id("r") @outcome("deny") @reason("platform_rule") '
        'forbid (principal, action in Action::"exits", resource) '
        f'when {{ context.now.durationSince(context.opened_at) < duration("{text}") }};'
    )
    with pytest.raises(PolicyRefusedError):
        policy_of(with_rules(rule))


def test_an_instant_is_written_as_cedar_takes_it() -> None:
    told = for_cedar(context_of(replace(YES, now=NOON.replace(microsecond=7_000))))

    assert told["now"] == "2026-01-15T12:00:00.007Z"
    assert NOON.isoformat().endswith("+00:00")  # Which Cedar refuses.


@pytest.mark.parametrize(("age", "young"), [(2 * DAY, False), (2 * DAY / 1.0001, True)])
def test_a_length_is_exact_at_its_limit_in_both_engines(age: Any, young: bool) -> None:  # noqa: ANN401 - a timedelta
    rule = (
        '@id("young") @outcome("deny") @reason("platform_rule") '
        'forbid (principal, action in Action::"exits", resource) '
        'when { context.now.durationSince(context.opened_at) < duration("2d") };'
    )
    policy = policy_of(with_rules(rule))
    found = replace(YES, opened_at=NOON - age)

    assert (policy.statutes.law(found) != NOTHING) is young
    assert (CedarEngine(policy.statutes).confirm(found) != NOTHING) is young


def test_an_instant_in_the_future_gives_a_negative_length_so_the_rule_matches() -> None:
    rule = (
        '@id("young") @outcome("deny") @reason("platform_rule") '
        'forbid (principal, action in Action::"exits", resource) '
        'when { context.now.durationSince(context.opened_at) < duration("2d") };'
    )
    policy = policy_of(with_rules(rule))
    found = replace(YES, opened_at=NOON + DAY)

    assert policy.statutes.law(found) != NOTHING
    assert CedarEngine(policy.statutes).confirm(found) == REFUSED


# --- The wrapper ---


def test_a_yes_is_one_only_with_a_permit_of_ours() -> None:
    assert ENGINE.confirm(YES) == NOTHING
    assert ENGINE.confirm(replace(YES, action="recovery.open")) == REFUSED  # Which nobody permits.
    assert ENGINE.confirm(replace(YES, action="unknown")) == REFUSED


def test_what_cedar_forbids_is_refused_though_our_own_reading_allowed_it() -> None:
    """Two engines disagree, forced: the second one holds the rules of another policy."""
    other = policy_of(
        with_rules(
            '@id("none") @outcome("deny") @reason("platform_rule") '
            'forbid (principal, action in Action::"exits", resource);'
        )
    )

    assert DEFAULT.statutes.law(YES) == NOTHING
    assert CedarEngine(other.statutes).confirm(YES) == REFUSED


def test_engines_that_disagree_are_found_before_a_policy_is_taken() -> None:
    fewer = CedarEngine(policy_of(with_rules()).statutes)
    found = context_of(replace(YES, destination=DestinationState.NEW))

    with pytest.raises(PolicyRefusedError, match=r"engines_disagree: exits\.new_destination_waits"):
        cedar.compare(DEFAULT.statutes, fewer, YES.action, found)


def test_a_schema_that_differs_is_refused() -> None:
    cedar.check_schema(schema_text())
    cedar.check_schema(cedar.own_schema())
    for other in (
        schema_text().replace("day_cents: Long", "day_cents: String"),
        schema_text().replace("narrow: Bool", "narrow?: Bool"),
        SCHEMA,
        "type {",
        "",
    ):
        with pytest.raises(PolicyRefusedError, match="schema_differs"):
            cedar.check_schema(other)
