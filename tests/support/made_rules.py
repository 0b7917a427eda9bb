"""Made-up rules, cyclic as they come, the same for the same seed."""

from random import Random

from twinlock.domain.prover.closure import Rule

HOUR = 60
DELAYS = tuple(hours * HOUR for hours in (0, 1, 12, 24, 72))
FREEZES = tuple(hours * HOUR for hours in (0, 24, 48))


def made_rules(
    seed: int, *, capabilities: int = 8, facts: int = 6, rules: int = 22
) -> tuple[Rule, ...]:
    """Return rules over atoms of which the first are capabilities, and the next one the goal."""
    random = Random(seed)  # noqa: S311 - rules of tests, the same each time
    atoms = range(capabilities + facts)
    return tuple(
        Rule(
            head=random.randrange(capabilities, capabilities + facts),
            body=tuple(random.sample(atoms, random.randint(1, 3))),
            delay=random.choice(DELAYS),
            freeze=random.choice(FREEZES),
            gated=random.random() < 0.2,
        )
        for _ in range(rules)
    )
