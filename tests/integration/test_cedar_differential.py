"""Two engines, one policy: the same rules match, at the boundaries of everything it compares."""

import pytest
from support.policies import DEFAULT, LAX, STRICT, any_policy, policy_of, with_rules

from twinlock.adapters import cedar
from twinlock.adapters.cedar import CedarEngine
from twinlock.domain.policy.boundaries import boundary_requests
from twinlock.domain.policy.version import Policy
from twinlock.range.profiles import PROFILES, rules_of

REQUESTS = 20_000
_INSTANTS = [
    f'@id("age.{name}") @outcome("deny") @reason("platform_rule") '
    'forbid (principal, action in Action::"exits", resource) '
    f"when {{ {condition} }};"
    for name, condition in (
        ("days", 'context.now.durationSince(context.opened_at) < duration("2d")'),
        ("hours", 'context.now.durationSince(context.opened_at) <= duration("1d12h")'),
        ("minutes", 'context.now.durationSince(context.opened_at) == duration("90m")'),
        ("seconds", 'duration("30s") > context.now.durationSince(context.opened_at)'),
        ("milliseconds", 'context.now.durationSince(context.opened_at) != duration("1ms")'),
        ("negative", 'context.now.durationSince(context.opened_at) < duration("-1h")'),
        ("order", "context.now <= context.opened_at"),
        ("sums", "context.day_cents - context.value_cents * 3 <= -context.budget_cents"),
    )
]
_SETS = [
    f'@id("set.{name}") @outcome("deny") @reason("platform_rule") '
    f'forbid (principal, action in Action::"exits", resource) when {{ {condition} }};'
    for name, condition in (
        ("all", 'context.factors.containsAll(["totp", "password"])'),
        ("any", 'context.factors.containsAny(["sms_code", "email_code"])'),
        ("one", 'context.scopes.contains("trade")'),
        ("empty", "context.scopes.isEmpty()"),
        ("equal", 'context.scopes == ["read", "trade"]'),
        ("in", '["new", "lapsed"].contains(context.destination)'),
        ("or", 'context.narrow != context.has_channel || context.session == "full"'),
    )
]


def compared(policy: Policy, *, count: int = REQUESTS) -> list[set[str]]:
    """Compare both engines ``count`` times; return the rules that matched each request."""
    engine = CedarEngine(policy.statutes)
    matched: list[set[str]] = []
    for action, context in boundary_requests(policy.statutes, count=count):
        cedar.compare(policy.statutes, engine, action, context)
        matched.append({rule.rule_id for rule in policy.statutes.matching(action, context)})
    return matched


@pytest.mark.timeout(240)
def test_both_engines_agree_on_the_default_profile_at_twenty_thousand_boundaries() -> None:
    stopped = sum(map(bool, compared(DEFAULT)))

    assert REQUESTS // 10 < stopped < REQUESTS * 9 // 10  # Both answers are well tried.


@pytest.mark.timeout(240)
def test_both_engines_agree_on_the_strict_profile_at_twenty_thousand_boundaries() -> None:
    stopped = sum(map(bool, compared(STRICT)))

    assert REQUESTS // 10 < stopped < REQUESTS * 9 // 10


@pytest.mark.timeout(240)
@pytest.mark.parametrize("rules", [_INSTANTS, _SETS], ids=["instants and sums", "sets and words"])
def test_both_engines_agree_on_every_operator(rules: list[str]) -> None:
    policy = policy_of(with_rules(*rules))

    # One that never matches would show nothing.
    assert {rule.rule_id for rule in policy.statutes.rules} == set[str]().union(*compared(policy))


@pytest.mark.parametrize("profile", PROFILES)
def test_both_engines_agree_on_every_profile_of_the_range(profile: str) -> None:
    compared(rules_of(profile).policy, count=1_000)


@pytest.mark.parametrize("seed", range(6))
def test_both_engines_agree_on_policies_with_other_numbers(seed: int) -> None:
    compared(any_policy(seed, "default"), count=1_000)


def test_requests_at_boundaries_are_the_same_each_time_and_differ_from_each_other() -> None:
    once = list(boundary_requests(DEFAULT.statutes, count=200))

    assert once == list(boundary_requests(DEFAULT.statutes, count=200))
    assert len({repr(sorted(context.items(), key=str)) for _, context in once}) > 190
    assert {action for action, _ in once} == set(DEFAULT.statutes.permits)
    assert list(boundary_requests(LAX.statutes, count=0)) == []


def test_a_slice_for_an_action_answers_as_all_rules_and_facts_do() -> None:
    """The engine is given an action's own rules and the facts that those read, and no more."""
    import json  # noqa: PLC0415 - for this test alone

    import cedarpy  # noqa: PLC0415 - for this test alone

    from twinlock.domain.policy.vocabulary import for_cedar, schema_text  # noqa: PLC0415 - for this test

    schema = cedarpy.Schema.from_str(schema_text())
    whole = cedarpy.PolicySet.from_json_str(json.dumps(json.loads(DEFAULT.statutes.text)))
    groups = cedarpy.Entities.from_json_str("[]", schema=schema)
    engine = CedarEngine(DEFAULT.statutes)
    for action, context in boundary_requests(DEFAULT.statutes, count=2_000):
        account = {"type": "Account", "id": "account"}
        request = {
            "principal": account,
            "action": {"type": "Action", "id": action},
            "resource": account,
            "context": for_cedar(context),
        }
        said = cedarpy.is_authorized(request, whole, groups, schema=schema)
        sliced = engine.decide(action, context)
        assert said.decision is sliced.decision
        assert set(said.diagnostics.reasons) == set(sliced.diagnostics.reasons)
