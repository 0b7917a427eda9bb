"""What a rule does beside the others and the laws."""

import pytest
from support.policies import DEFAULT, policy_of, with_rules

from twinlock.domain.laws import LAWS
from twinlock.domain.policy import shadows
from twinlock.domain.policy.shadows import Effect, State, effects

EXIT = 'forbid (principal, action == Action::"withdrawal.crypto", resource)'
EXITS = 'forbid (principal, action in Action::"exits", resource)'
LISTING = 'forbid (principal, action == Action::"destination.add", resource)'
DENY = '@outcome("deny") @reason("platform_rule")'
PROVED = '@outcome("challenge") @reason("proof_needed") @proof("floor")'
DAY = '@outcome("hold") @reason("platform_waits") @hold_seconds("86400")'


def effect(*rules: str, most: int = 50_000) -> Effect:
    """Return what the first of ``rules`` does."""
    named = [f'@id("r{number}") {rule};' for number, rule in enumerate(rules)]
    found = effects(policy_of(with_rules(*named)).statutes, laws=LAWS, most=most)
    return next(one for one in found if one.rule == "r0")


def test_a_live_rule_is_told_with_facts_for_which_it_alone_decides() -> None:
    found = effect(f"{DENY} {EXITS} when {{ context.value_cents > 500 }}")

    assert (found.state, found.by) == (State.LIVE, ())
    assert found.example is not None
    assert found.example.action == "withdrawal.crypto"
    assert found.example.facts == {"value_cents": 501}
    assert (found.example.first.answer, found.example.second.answer) == ("challenge", "deny")


def test_a_wait_that_the_laws_ask_for_is_shadowed_by_them() -> None:
    found = effect(f"{DAY} {LISTING} unless {{ context.held_seconds >= 86400 }}")

    assert (found.state, found.tried) == (State.SHADOWED, found.cells)
    assert set(found.by) == {"loosening_waits", "the_floor_never_sinks"}
    assert found.example is not None
    assert found.example.first.wait_seconds == found.example.second.wait_seconds == 86_400


def test_a_rule_behind_a_stricter_one_is_shadowed_by_that() -> None:
    found = effect(
        f"{DENY} {EXIT} when {{ context.value_cents > 500 }}",
        f"{DENY} {EXITS} when {{ context.value_cents > 100 }}",
    )

    assert (found.state, found.by) == (State.SHADOWED, ("r1",))


def test_what_two_rules_ask_for_together_shadows_as_they_do() -> None:
    found = effect(
        f"{DENY} {EXIT} when {{ context.value_cents > 500 }}",
        f"{DENY} {EXIT} when {{ context.value_cents > 100 && context.narrow }}",
        f"{DENY} {EXIT} when {{ context.value_cents > 100 && !context.narrow }}",
    )

    assert (found.state, found.by) == (State.SHADOWED, ("r1", "r2"))


def test_what_takes_all_that_is_asked_beside_it_is_shadowed_by_all() -> None:
    """The laws ask for the proof, and another rule for its wait: neither alone is as much."""
    found = effect(
        f"{DAY} {EXIT} when {{ context.narrow }} unless {{ context.held_seconds >= 86400 }}",
        f"{DAY.replace('86400', '172800')} {EXIT} unless {{ context.held_seconds >= 172800 }}",
    )

    assert found.state is State.SHADOWED
    assert "r1" in found.by


def test_a_rule_that_can_match_nothing_is_dead() -> None:
    found = effect(f"{DENY} {EXITS} when {{ context.new_device }}")

    assert (found.state, found.example, found.tried) == (State.DEAD, None, 0)


def test_what_no_account_can_be_is_unseen() -> None:
    found = effect(f"{DENY} {EXIT} when {{ !context.has_channel && !context.narrow }}")

    assert (found.state, found.example) == (State.UNSEEN, None)
    assert found.says == "no facts were found that it matches"


def test_where_not_all_was_tried_there_is_no_verdict() -> None:
    """The laws refuse every look-alike, and a sum may be anything inside a cell."""
    rule = f"{DENY} {EXIT} when {{ context.look_alike && context.value_cents > 7 }}"
    summed = rule.replace("value_cents", "value_cents + context.day_cents")

    assert effect(rule).state is State.SHADOWED
    assert effect(rule, most=500).state is State.UNSEEN
    found = effect(summed)
    assert (found.state, found.by) == (State.UNSEEN, ("no_look_alike",))
    assert found.example is not None
    assert "not all could be tried" in found.says


def test_a_rule_of_too_many_facts_is_searched_all_the_same() -> None:
    flags = "context.enrolling || context.narrow || context.signalled || context.look_alike"
    sums = " || ".join(
        f"context.{name} == {5 * number}"
        for number in range(1, 9)
        for name in ("value_cents", "day_cents", "wanted_elsewhere")
    )
    found = effect(
        f"{DENY} {EXIT} when {{ ({flags}) || {sums} }}".replace(
            "context.wanted_elsewhere ==", "context.roots_shown =="
        )
    )

    assert found.state is State.LIVE


@pytest.mark.parametrize("name", ["freeze.lift.waits", "destination.add.waits"])
def test_of_the_default_profile_what_repeats_a_law_is_known(name: str) -> None:
    found = {one.rule: one for one in effects(DEFAULT.statutes, laws=LAWS)}

    assert found[name].state is State.SHADOWED
    assert {one.state for one in found.values()} == {State.LIVE, State.SHADOWED}


def test_of_very_many_rules_fewer_cells_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is asked beside all others: so many would take minutes. Two are many here."""
    some = [
        f'@id("r{number}") {DENY} {EXIT} when {{ context.value_cents > {1_000 * number} }};'
        for number in (1, 2)
    ]
    statutes = policy_of(with_rules(*some)).statutes
    few = effects(statutes, laws=LAWS)
    monkeypatch.setattr(shadows, "RULES_FEW", 1)
    monkeypatch.setattr(shadows, "IN_ALL", 800)
    many = effects(statutes, laws=LAWS)

    assert [one.state for one in few] == [State.LIVE, State.SHADOWED]
    assert [one.state for one in many] == [State.LIVE, State.UNSEEN]
    assert many[1].tried == 2 * 400
