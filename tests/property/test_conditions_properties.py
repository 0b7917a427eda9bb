"""What a condition is lies within what it can be, for facts anywhere in a box."""

from hypothesis import given
from hypothesis import strategies as st
from support.policies import policies, policy_of, with_rules

from twinlock.domain.policy.boundaries import boundary_requests
from twinlock.domain.policy.terms import Between, Box, Choice, Context, Shape, Span, Value
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.vocabulary import whole_box

# Every operator, in conditions that no officer would write.
ODD = policy_of(
    with_rules(
        *(
            f'@id("odd.r{number}") @outcome("deny") @reason("platform_rule") '
            'forbid (principal, action in Action::"exits", resource) '
            f"when {{ {condition} }};"
            for number, condition in enumerate(
                (
                    "context.day_cents - context.value_cents * 3 <= -context.budget_cents + 7",
                    "context.day_cents * -2 < context.value_cents || context.narrow",
                    'context.now.durationSince(context.opened_at) > duration("-1d")',
                    "context.now != context.opened_at && context.ip_list == context.approvals",
                    'context.factors.containsAll(["totp", "password"]) == context.narrow',
                    'context.factors.containsAny(["sms_code"]) || context.scopes.isEmpty()',
                    'context.scopes == ["read", "trade"] || context.scopes.contains("withdraw")',
                    '!["new", "lapsed"].contains(context.destination)',
                    'context.session != "full" && !(context.proved == context.enrolling)',
                )
            )
        )
    )
)


def around(value: Value, whole: Shape, draw: st.DataObject) -> Shape:
    """Draw a shape that holds ``value``: itself alone, all there is, or something between."""
    match whole:
        case Span(least=least, most=most):
            assert isinstance(value, int)
            below = draw.draw(st.sampled_from([value, max(least, value - 1), least]))
            above = draw.draw(st.sampled_from([value, min(most, value + 1), most]))
            return Span(below, above)
        case Choice(of=of):
            assert isinstance(value, bool | str)
            return Choice(
                frozenset({value, *draw.draw(st.frozensets(st.sampled_from(sorted(of, key=str))))})
            )
        case Between(most=most):
            assert isinstance(value, frozenset)
            fewer = draw.draw(st.sampled_from([value, frozenset[str]()]))
            return Between(fewer, draw.draw(st.sampled_from([value, most])))


def box_around(context: Context, draw: st.DataObject) -> Box:
    return {name: around(context[name], shape, draw) for name, shape in whole_box().items()}


@given(policies() | st.just(ODD), st.integers(0, 10**6), st.data())
def test_what_a_condition_is_lies_within_what_it_can_be(
    policy: Policy, number: int, data: st.DataObject
) -> None:
    action, context = list(boundary_requests(policy.statutes, count=number % 50 + 1))[-1]
    box = box_around(context, data)
    for rule in policy.statutes.of(action):
        can_be = rule.when.over(box)
        assert isinstance(can_be, Choice)
        assert rule.when.run(context) in can_be.of
