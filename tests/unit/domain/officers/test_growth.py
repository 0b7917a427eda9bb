"""A growth has one digest, however it is told."""

from twinlock.domain.officers.growth import NamedAttack, growth_digest, in_order

ONE = NamedAttack(state="new", goal="withdraw", capabilities=("sim_swap", "agent"), minutes=60)
TWO = NamedAttack(state="new", goal="convert", capabilities=("agent",), minutes=0)


def alike(one: NamedAttack, *capabilities: str) -> NamedAttack:
    return NamedAttack(
        state=one.state, goal=one.goal, capabilities=capabilities, minutes=one.minutes
    )


def test_no_growth_has_no_digest() -> None:
    assert growth_digest(()) == ""


def test_the_order_in_which_attacks_are_told_changes_nothing() -> None:
    assert in_order([ONE, TWO]) == (TWO, alike(ONE, "agent", "sim_swap"))
    again = (TWO, alike(ONE, "agent", "sim_swap", "agent"), ONE)
    assert growth_digest([ONE, TWO]) == growth_digest(again)
    assert len(growth_digest([ONE])) == 43


def test_every_word_of_an_attack_counts() -> None:
    digests = {
        growth_digest([one])
        for one in (
            ONE,
            TWO,
            alike(ONE, "agent"),
            NamedAttack(state="old", goal=ONE.goal, capabilities=ONE.capabilities, minutes=60),
            NamedAttack(state="new", goal="p2p", capabilities=ONE.capabilities, minutes=60),
            NamedAttack(state="new", goal=ONE.goal, capabilities=ONE.capabilities, minutes=59),
        )
    }

    assert len(digests | {growth_digest([ONE, TWO])}) == 7
