"""Where rules answer differently: found, hidden, or not looked at to the end."""

from collections.abc import Iterator

import pytest
from support.policies import DEFAULT, policy_of, with_rules

from twinlock.domain.laws import LAWS
from twinlock.domain.policy.pairing import Pair
from twinlock.domain.policy.searching import Search, Seen, Side, groups
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.weighing import Change

EXIT = 'forbid (principal, action == Action::"withdrawal.crypto", resource)'
DENY = '@outcome("deny") @reason("platform_rule")'


def a_rule(name: str, condition: str, *, scope: str = EXIT, lifted: str = DENY) -> str:
    return f'@id("{name}") {lifted} {scope} when {{ {condition} }};'


def policy(*rules: str) -> Policy:
    return policy_of(with_rules(*rules))


def a_search(
    first: Policy, second: Policy, *, action: str = "withdrawal.crypto", most: int = 50_000
) -> Search:
    pair = Pair(first.statutes, second.statutes)
    one, other = (Side(permitted=True, rules=side.of(action)) for side in (pair.first, pair.second))
    return Search(action, first=one, second=other, laws=LAWS, bodies=pair.bodies, most=most)


def visible(search: Search) -> Iterator[Seen]:
    return (one for one in search if not one.hidden)


def test_a_rule_that_is_added_is_found_at_its_limit() -> None:
    rule = a_rule("a", "context.value_cents > 500")
    search = a_search(policy(), policy(rule))
    found = search.shrunk(next(visible(search)))

    assert found.changes == (Change.REFUSED,)
    assert dict(found.read) == {"value_cents": 501}
    assert found.facts.value_cents == 501
    assert search.complete
    assert not search.sums


def test_what_every_cell_tells_is_complete() -> None:
    search = a_search(policy(), policy(a_rule("a", "context.narrow")))
    seen = list(search)

    assert search.tried == search.size
    assert all(one.facts.narrow for one in seen)


def test_what_the_laws_hide_is_hidden() -> None:
    rule = a_rule("a", "context.look_alike")
    search = a_search(policy(), policy(rule))
    seen = list(search)

    assert seen
    assert all(one.hidden for one in seen)


def test_where_another_rule_hides_it_its_facts_are_filled_in_otherwise() -> None:
    """Whatever is mild is not so for a rule about those who have a channel."""
    other = a_rule("other", "context.has_channel || (context.narrow && context.risk > 50)")
    rule = a_rule("a", "context.value_cents > 500")
    search = a_search(policy(other), policy(other, rule))
    found = next(visible(search))

    assert found.read["has_channel"] is False
    assert search.complete


def test_what_another_rule_always_hides_is_hidden() -> None:
    other = a_rule("other", "context.value_cents > 100")
    search = a_search(policy(other), policy(other, a_rule("a", "context.value_cents > 500")))
    seen = list(search)

    assert seen
    assert all(one.hidden for one in seen)
    assert search.complete


def test_a_rule_that_hides_only_up_to_a_limit_of_its_own_does_not_hide() -> None:
    other = a_rule("other", "context.value_cents > 100 && context.value_cents < 900")
    search = a_search(policy(other), policy(other, a_rule("a", "context.value_cents > 500")))

    assert {one.facts.value_cents for one in visible(search)} == {900, 901, 100_000, 100_001}


def test_too_many_ways_to_fill_in_are_told() -> None:
    sums = "context.wanted_elsewhere >= 1 && context.risk >= 10"
    other = a_rule(
        "other",
        f"context.has_channel || (context.signalled && {sums} && context.day_cents > 5)"
        " || context.destinations_required || context.enrolling || context.roots_enrolled > 7",
    )
    search = a_search(policy(other), policy(other, a_rule("a", "context.value_cents > 500")))

    assert next(visible(search)).changes == (Change.REFUSED,)
    assert not search.complete


def test_sums_are_told() -> None:
    total = "context.day_cents + context.value_cents > 500"

    assert a_search(policy(), policy(a_rule("a", total))).sums
    beside = a_search(
        policy(a_rule("b", total)),
        policy(a_rule("b", total), a_rule("a", "context.value_cents > 5")),
    )
    assert beside.sums
    apart = a_search(
        policy(a_rule("b", total)), policy(a_rule("b", total), a_rule("a", "context.narrow"))
    )
    assert not apart.sums


def test_of_more_cells_than_are_looked_at_some_are_picked() -> None:
    search = a_search(policy(), policy(a_rule("a", "context.value_cents > 500")), most=100)
    found = list(search)

    assert (search.tried, search.complete) == (2 * 100, False)  # Of the one rule first.
    assert search.size > 100
    assert (Change.REFUSED,) in {one.changes for one in found}


def test_what_has_no_price_is_as_much_as_can_be() -> None:
    search = a_search(policy(), policy(a_rule("a", "context.value_unknown")))

    assert {one.facts.value_cents for one in visible(search)} == {10**12}


def test_what_is_permitted_no_more_is_refused_in_every_cell() -> None:
    action = "withdrawal.crypto"
    rules = DEFAULT.statutes.of(action)
    pair = Pair(DEFAULT.statutes, DEFAULT.statutes)
    for permitted, told in (((True, False), Change.REFUSED), ((False, True), Change.NOT_REFUSED)):
        one, other = (Side(permitted=each, rules=rules if each else ()) for each in permitted)
        search = Search(action, first=one, second=other, laws=LAWS, bodies=pair.bodies, most=200)
        assert told in {change for seen in search for change in seen.changes}


@pytest.mark.parametrize(
    ("action", "condition"),
    [
        ("freeze.lift", "context.narrow"),
        ("authenticator.bind", "context.narrow"),
        ("api_key.create", "context.ip_list == 0"),
        ("session.start", "context.new_device"),
    ],
)
def test_every_class_of_action_is_searched(action: str, condition: str) -> None:
    scope = f'forbid (principal, action == Action::"{action}", resource)'
    rule = a_rule("a", condition, scope=scope)

    assert next(visible(a_search(policy(), policy(rule), action=action))).changes


def test_a_rule_about_sessions_of_what_tightens_matches_nothing_there() -> None:
    """No rule slows what tightens; still it is searched, as permits differ."""
    action = "freeze.set"
    pair = Pair(DEFAULT.statutes, DEFAULT.statutes)
    one, other = (Side(permitted=each, rules=()) for each in (True, False))
    search = Search(action, first=one, second=other, laws=LAWS, bodies=pair.bodies)

    assert {seen.facts.session.value for seen in search} == {"none", "full"}


def test_exits_of_which_all_say_the_same_are_one_group() -> None:
    rule = a_rule("a", "context.narrow")
    both = policy(rule)
    bodies = Pair(both.statutes, both.statutes).bodies
    exits = ("card.pay", "gift.send", "withdrawal.crypto")

    assert groups(("freeze.set", *exits), sides=(both.statutes,), bodies=bodies) == (
        ("withdrawal.crypto",),
        ("card.pay", "gift.send"),
        ("freeze.set",),
    )


def test_each_of_many_rules_is_looked_at_by_itself_before_all_together() -> None:
    """Prevents: a rule that bites in one cell of millions, and that no pick ever meets."""
    many = [
        a_rule(f"r{number}", f"context.{name} && context.day_cents == {number * 1_001}")
        for number, name in enumerate(
            ("narrow", "signalled", "enrolling", "destinations_required", "value_unknown"), start=1
        )
    ]
    rare = a_rule("rare", "context.roots_enrolled == 17 && context.since_last_exit_seconds == 99")
    search = a_search(policy(), policy(*many, rare), most=2_000)
    found = {one.facts.roots_enrolled for one in search}

    assert search.size > 2_000
    assert 17 in found
