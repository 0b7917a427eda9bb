"""How two policies differ, in their words and in what they answer."""

from msgspec.structs import replace
from support.policies import DEFAULT, changed, permits, policy_of, with_rules

from twinlock.domain.laws import LAWS
from twinlock.domain.policy.diffing import Difference, RuleChange, Said, difference
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.weighing import Change

LISTING = (
    '@outcome("hold") @reason("platform_waits") @hold_seconds("{0}") '
    'forbid (principal, action == Action::"destination.add", resource) '
    "unless {{ context.held_seconds >= {0} }};"
)


def a_wait(seconds: int, *, name: str = "house.wait") -> Policy:
    return policy_of(with_rules(f'@id("{name}") {LISTING.format(seconds)}'))


def between(first: Policy, second: Policy, *, most: int = 50_000) -> Difference:
    return difference(first, second, laws=LAWS, most=most)


def test_a_policy_does_not_differ_from_itself() -> None:
    found = between(DEFAULT, DEFAULT)

    assert found.none
    assert (found.rules, found.assets, found.actions) == ((), (), ())


def test_a_longer_wait_is_told_in_words_and_by_example() -> None:
    found = between(a_wait(172_800), a_wait(259_200))
    (rule,) = found.rules
    (action,) = found.actions
    one = next(one for one in action.examples if one.changes == (Change.LONGER,))

    assert rule == RuleChange(
        rule="house.wait",
        effect="forbid",
        what="changed",
        annotations=(Said(name="hold_seconds", was="172800", is_="259200"),),
        condition=True,
    )
    assert action.actions == ("destination.add",)
    assert action.complete
    assert (one.first.wait_seconds, one.second.wait_seconds) == (172_800, 259_200)
    told = {change for each in action.examples for change in each.changes}
    assert told - {Change.TOLD_OTHERWISE} == {Change.LONGER, Change.HELD}
    assert action.counts["longer"] > 0


def test_what_the_laws_hide_differs_in_what_is_told_alone() -> None:
    found = between(a_wait(1), a_wait(3_600))

    assert [rule.what for rule in found.rules] == ["changed"]
    assert {one.changes for action in found.actions for one in action.examples} == {
        (Change.TOLD_OTHERWISE,)
    }
    assert not found.none


def test_rules_are_added_removed_and_renamed() -> None:
    other = between(a_wait(172_800), a_wait(172_800, name="house.other"))
    added = between(policy_of(with_rules()), a_wait(172_800))
    removed = between(a_wait(172_800), policy_of(with_rules()))

    assert [(one.rule, one.what) for one in other.rules] == [
        ("house.other", "added"),
        ("house.wait", "removed"),
    ]
    assert other.actions == ()
    assert [one.what for one in added.rules] == ["added"]
    assert {said.name for said in added.rules[0].annotations} == {
        "hold_seconds",
        "outcome",
        "reason",
    }
    changes = {change for one in removed.actions[0].examples for change in one.changes}
    assert changes - {Change.TOLD_OTHERWISE} == {Change.SHORTER, Change.ALLOWED}


def test_what_follows_from_a_yes_is_told_by_its_annotations() -> None:
    second = changed(
        DEFAULT,
        lambda text: text.replace(
            '@id("contact.change.permit") @exits_held_seconds("172800")',
            '@id("contact.change.permit") @exits_held_seconds("3600") @offers("passkey")',
        ),
        name="default",
    )
    (rule,) = between(DEFAULT, second).rules

    assert (rule.rule, rule.effect) == ("contact.change.permit", "permit")
    assert rule.annotations == (
        Said(name="exits_held_seconds", was="172800", is_="3600"),
        Said(name="offers", was="", is_="passkey"),
    )
    assert between(DEFAULT, second).actions == ()


def test_a_permit_that_is_gone_refuses() -> None:
    fewer = "\n".join(one for one in permits() if '"card.pay"' not in one)
    found = between(policy_of(with_rules()), policy_of(fewer))
    back = between(policy_of(fewer), policy_of(with_rules()))

    (action,) = found.actions
    assert action.actions == ("card.pay",)
    assert (Change.REFUSED,) in {one.changes for one in action.examples}
    assert (Change.ALLOWED,) in {one.changes for one in back.actions[0].examples}


def test_another_scope_is_told() -> None:
    text = with_rules(f'@id("house.wait") {LISTING.format(172_800)}')
    moved = policy_of(
        text.replace(
            'action == Action::"destination.add", resource) unless',
            'action == Action::"limit.raise", resource) unless',
        )
    )
    (rule,) = between(a_wait(172_800), moved).rules

    assert (rule.scope, rule.condition) == (True, False)
    assert {one.actions for one in between(a_wait(172_800), moved).actions} == {
        ("destination.add",),
        ("limit.raise",),
    }


def test_what_was_not_tried_to_the_end_is_told_though_nothing_was_found() -> None:
    rule = (
        '@id("a") @outcome("deny") @reason("platform_rule") '
        'forbid (principal, action == Action::"withdrawal.crypto", resource) '
        "when { context.wanted_elsewhere > 990 && context.risk > 98 && context.look_alike };"
    )
    found = between(policy_of(with_rules()), policy_of(with_rules(rule)), most=3)

    (action,) = found.actions
    assert (action.examples, action.tried, action.complete) == ((), 2 * 3, False)


def test_another_reason_is_told_as_such() -> None:
    first = a_wait(172_800)
    other = policy_of(
        first.draft.profile
        and with_rules(
            f'@id("house.wait") {LISTING.format(172_800)}'.replace(
                "platform_waits", "loosening_waits"
            )
        )
    )
    (action,) = between(first, other).actions

    assert {one.changes for one in action.examples} == {(Change.TOLD_OTHERWISE,)}


def test_other_assets_are_told() -> None:
    draft = replace(DEFAULT.draft, assets=DEFAULT.draft.assets[1:])
    found = between(DEFAULT, Policy(draft))

    assert found.assets == ("BTC on bitcoin",)
    assert not found.none


def test_a_rule_that_no_account_can_meet_makes_no_difference() -> None:
    rule = (
        '@id("a") @outcome("deny") @reason("platform_rule") '
        'forbid (principal, action == Action::"limit.raise", resource) '
        "when { !context.has_channel && !context.narrow };"
    )
    found = between(policy_of(with_rules()), policy_of(with_rules(rule)))

    assert ([one.rule for one in found.rules], found.actions) == (["a"], ())
