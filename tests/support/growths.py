"""A prover for tests, small enough to see through: whoever loses a rule gains an attack by it."""

import msgspec

from twinlock.domain.officers.growth import NamedAttack

BY_RULES = "GROWTH_BY_RULES"  # A variable: a command that has it asks this prover.


def growth_by_rules(in_force: bytes, proposed: bytes) -> tuple[NamedAttack, ...]:
    """Return an attack for each rule that is in force and stands in what is proposed no more."""
    return tuple(
        NamedAttack(state="any", goal=rule, capabilities=("phone_malware",), minutes=90)
        for rule in rules_in_text(in_force) - rules_in_text(proposed)
    )


def rules_in_text(text: bytes) -> set[str]:
    """Return the ids of all rules of a policy version."""
    found: dict[str, dict[str, dict[str, object]]] = msgspec.json.decode(text)
    return {*found["statutes"]["staticPolicies"]}
