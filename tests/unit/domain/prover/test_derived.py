"""Rules as they were derived: which are needless, and what their atoms say of money."""

from msgspec.structs import replace

from twinlock.domain.prover.derived import Derived, cents_of, goal, is_goal, undominated


def test_rules_that_another_makes_needless_are_dropped() -> None:
    least = Derived(head="a", body=frozenset("x"), delay=5)
    slower = replace(least, delay=6)
    needy = replace(least, body=frozenset("xy"))
    gated = replace(least, gated=True)
    freezing = replace(least, freeze=1)
    faster = replace(needy, delay=4)

    some = (faster, freezing, gated, needy, slower, least, least)

    assert set(undominated(some)) == {least, faster}


def test_a_goal_names_its_exit_and_its_sum() -> None:
    named = goal("withdrawal.crypto", 100_000)

    assert (is_goal(named), cents_of(named)) == (True, 100_000)
    assert not is_goal("at:start")
