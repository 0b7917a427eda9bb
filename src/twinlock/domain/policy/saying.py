"""How to write what a refusal of a policy asks its author to write."""

from twinlock.domain.assurance import Factor


def unless(lifted: str) -> str:
    """Return how to write that ``lifted``, of the context, lifts a rule."""
    return f": write context.{lifted} into an unless"


def fulfilled(roots: int, factors: tuple[Factor, ...]) -> str:
    """Return that an ``Ask`` is fulfilled, as a condition of the context."""
    words = ", ".join(f'"{one}"' for one in factors)
    parts = [
        *([f"roots_shown >= {roots}"] if roots > 1 else []),
        *([f"factors.containsAll([{words}])"] if words else []),
    ]
    return " && context.".join(parts or ["proved"])
