"""The same question answered in other ways: by trying every set, by clingo and by z3.

None of them shares code with the solver. Capabilities are the atoms below ``capabilities``; sets
of them are bit masks; no capability is the head of a rule.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

import clingo
import z3  # type: ignore[import-untyped] # it ships no types

from twinlock.domain.prover.closure import Rule

Times = dict[int, int]  # A set, and the minute of its earliest way to the goal.


def follows(rules: Sequence[Rule], atoms: Iterable[int], goal: int) -> bool:
    """Try the rules again and again until nothing new follows."""
    known = set(atoms)
    before = -1
    while before < len(known):
        before = len(known)
        known |= {rule.head for rule in rules if known.issuperset(rule.body)}
    return goal in known


def sets_by_trying(
    rules: Sequence[Rule], goal: int, *, capabilities: int, most: int | None = None
) -> set[int]:
    """Return the minimal sets of at most ``most`` capabilities: each set is tried, small first."""
    found: set[int] = set()
    for size in range((capabilities if most is None else most) + 1):
        for chosen in combinations(range(capabilities), size):
            mask = sum(1 << one for one in chosen)
            if all(least & mask != least for least in found) and follows(rules, chosen, goal):
                found.add(mask)
    return found


def times_by_trying(rules: Sequence[Rule], goal: int, *, capabilities: int) -> Times:
    """Return the earliest minute of each set that no smaller one beats."""
    found: Times = {}
    for mask in sorted(range(1 << capabilities), key=lambda one: (one.bit_count(), one)):
        chosen = [one for one in range(capabilities) if mask >> one & 1]
        minute = _earliest(rules, chosen, goal)
        beaten = [least for least, at in found.items() if least & mask == least and at <= minute]
        if minute != NEVER and not beaten:
            found[mask] = int(minute)
    return found


NEVER = float("inf")
_Ways = dict[int, set[tuple[int, int]]]  # Of each atom: when it holds, and until when it freezes.


def _earliest(rules: Sequence[Rule], chosen: Sequence[int], goal: int) -> float:
    """Follow every way to every atom until none is new; freezes are kept as they were begun."""
    ways: _Ways = {atom: {(0, 0)} for atom in chosen}
    changed = True
    while changed:
        changed = False
        for rule in rules:
            have = ways.setdefault(rule.head, set())
            for at, frozen in _products([ways.get(atom, set()) for atom in rule.body]):
                then = max(at + rule.delay, frozen) if rule.gated else at + rule.delay
                until = max(frozen, then + rule.freeze) if rule.freeze else frozen
                if not any(a <= then and f <= until for a, f in have):
                    have -= {(a, f) for a, f in have if then <= a and until <= f}
                    have.add((then, until))
                    changed = True
    return min((at for at, _ in ways.get(goal, ())), default=NEVER)


def _products(parts: list[set[tuple[int, int]]]) -> set[tuple[int, int]]:
    found = {(0, 0)}
    for part in parts:
        found = {(max(a, b), max(f, g)) for a, f in found for b, g in part}
    return found


def sets_by_clingo(
    rules: Sequence[Rule], goal: int, *, capabilities: int, most: int | None = None
) -> set[int]:
    """Return the minimal sets as answer sets: each capability is a choice that is false first."""
    control = clingo.Control(["--models=0", "--enum-mode=domRec", "--heuristic=Domain"])
    program = [
        f"{{c(0..{capabilities - 1})}}.",
        "d(X) :- c(X).",
        f":- not d({goal}).",
        f"#heuristic c(X) : X = 0..{capabilities - 1}. [1, false]",
        "#show c/1.",
    ]
    if most is not None:
        program.append(f":- #count {{ X : c(X) }} > {most}.")
    for rule in rules:
        body = ", ".join(f"d({atom})" for atom in rule.body)
        program.append(f"d({rule.head}) :- {body}." if body else f"d({rule.head}).")
    control.add("base", [], "\n".join(program))
    control.ground([("base", [])])
    found: set[int] = set()
    with control.solve(yield_=True) as answers:
        for answer in answers:
            shown = answer.symbols(shown=True)
            found.add(sum(1 << symbol.arguments[0].number for symbol in shown))
    return found


def sets_by_z3(rules: Sequence[Rule], goal: int, *, capabilities: int) -> set[int]:
    """Return the minimal sets: each that is found is shrunk, kept and shut out.

    Each atom has a Boolean and a rank, and follows from what has smaller ranks: without them a
    cycle would prove itself.
    """
    solver = z3.Solver()
    chosen = z3.Bools([f"c{one}" for one in range(capabilities)])
    heads = {rule.head for rule in rules}
    holds = dict(enumerate(chosen)) | {one: z3.Bool(f"d{one}") for one in heads}
    rank = {one: z3.Int(f"r{one}") for one in heads}
    never = z3.BoolVal(val=False)
    for head in heads:
        ways = [
            z3.And(
                *(holds.get(atom, never) for atom in rule.body),
                *(rank[atom] < rank[head] for atom in rule.body if atom in rank),
            )
            for rule in rules
            if rule.head == head
        ]
        solver.add(z3.Implies(holds[head], z3.Or(ways)))
    solver.add(holds.get(goal, never))
    found: set[int] = set()
    while solver.check() == z3.sat:
        model = solver.model()
        least = _shrunk(rules, [n for n, one in enumerate(chosen) if model[one]], goal)
        found.add(sum(1 << one for one in least))
        solver.add(z3.Not(z3.And([chosen[one] for one in least])))
    return found


def _shrunk(rules: Sequence[Rule], chosen: Sequence[int], goal: int) -> list[int]:
    least = list(chosen)
    for one in chosen:
        fewer = [other for other in least if other != one]
        if follows(rules, fewer, goal):
            least = fewer
    return least


def minute_by_z3(rules: Sequence[Rule], goal: int, chosen: Iterable[int]) -> int:
    """Return the earliest minute in which a set, which suffices, reaches the goal.

    Each atom holds once, at one minute and with one freeze, both as early as its rule lets it.
    """
    given = set(chosen)
    heads = {rule.head for rule in rules} - given
    names = {one: tuple(z3.Ints(f"r{one} t{one} f{one}")) for one in heads}
    names |= dict.fromkeys(given, (0, 0, 0))
    holds = {one: z3.Bool(f"d{one}") for one in heads} | dict.fromkeys(given, True)
    optimize = z3.Optimize()
    for head in heads:
        rank, at, frozen = names[head]
        ways = [
            z3.And(
                *(holds[atom] for atom in rule.body),
                *(names[atom][0] < rank for atom in rule.body),
                *(at >= names[atom][1] + rule.delay for atom in rule.body),
                *(frozen >= names[atom][2] for atom in rule.body),
                *(at >= names[atom][2] for atom in rule.body if rule.gated),
                at >= rule.delay,
                frozen >= at + rule.freeze if rule.freeze else frozen >= 0,
            )
            for rule in rules
            if rule.head == head and all(atom in names for atom in rule.body)
        ]
        optimize.add(z3.Implies(holds[head], z3.Or(ways)), rank >= 1)
    optimize.add(holds[goal])
    optimize.minimize(names[goal][1])
    if optimize.check() != z3.sat:
        raise ValueError("the set does not suffice")
    return int(optimize.model()[names[goal][1]].as_long())
