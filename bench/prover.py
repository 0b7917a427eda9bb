"""How long the prover takes as policies and states grow, beside trying every set and clingo.

usage: python -m bench.prover [--rounds N] [--quick]

Made-up policies have bodies of one to three atoms, waits and freezes, and a fifth of gated rules;
cycles come as they come. In each round all contenders get the same policy in turn, so that the
machine's state weighs on all of them alike; what they find is compared. The prover finds minutes
and paths, too, the others sets only. Times are CPU of this process: median and largest of the
rounds. Memory is the peak of what Python allocates, in a run of its own.

States are made of features, one for each bit of a state's number: half of the rules stand in all
states, the others where one feature is there, or is not.
"""

import argparse
import gc
import math
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import combinations
from operator import or_
from random import Random
from typing import NamedTuple, ParamSpec, TypeVar

import msgspec

from bench.place import ROOT

sys.path.append(str(ROOT / "tests"))  # Made-up and reference policies, and the other provers.

from support.made_rules import made_rules
from support.other_provers import sets_by_clingo
from support.reference_policies import (
    CAPABILITIES,
    CHANNELS,
    HARDENED,
    WEAK,
    Line,
    Table,
    enrolled,
    enrolments,
    policy,
)

from twinlock.bootstrap.proving import Prover
from twinlock.domain.bounds import CERTIFICATE_BYTES_MOST
from twinlock.domain.canonical import encode
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.certificate import accepted
from twinlock.domain.prover.check import check
from twinlock.domain.prover.claims import Whole, question
from twinlock.domain.prover.closure import Rule, attacks, minimal_sets
from twinlock.domain.prover.covering import (
    certify,
    claim_of,
    question_of,
)
from twinlock.domain.prover.system import solved
from twinlock.range.profiles import DEFAULT, STRICT, rules_of

MILLI = 1e3
MEGA = 1e6
POLICY = b"p" * 32
CHECKS = 9  # Of one certificate: the first finds nothing in the processor's caches.
P = ParamSpec("P")
T = TypeVar("T")


class Shape(NamedTuple):
    """A kind of made-up policy, and how large the sets are that are sought in it."""

    capabilities: int
    facts: int
    rules: int
    most: int


SHAPES = (Shape(16, 20, 60, 3), Shape(32, 50, 150, 3), Shape(64, 100, 300, 3))
LARGER = Shape(48, 73, 220, 4)
STATES = (1, 16, 256, 4_096)
CHANNEL_COUNTS = (5, 7, 9)  # Of the reference policy: 192, 768 and 3,072 enrolments.
Sets = set[int]


class Many(NamedTuple):
    """Rules of many states: each with the mask of those that it stands in."""

    rules: Sequence[Rule]
    where: Sequence[int]
    states: int
    capabilities: int
    goal: int
    atoms: int


def timed(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[float, T]:
    """Return the milliseconds of CPU that it took, and what it made."""
    begun = time.process_time()
    made = work(*args, **kwargs)
    return (time.process_time() - begun) * MILLI, made


def peak(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> float:
    """Return the most megabytes that were allocated at once."""
    tracemalloc.start()
    work(*args, **kwargs)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / MEGA


def by_prover(rules: Sequence[Rule], goal: int, most: int) -> Sets:
    """Find the minimal sets as we do, with minutes and paths."""
    return set(minimal_sets(attacks(rules, [goal], range(goal), most)[goal]))


def by_trying(rules: Sequence[Rule], goal: int, most: int) -> Sets:
    """Follow the rules from every set that holds no smaller one: linear in the bodies' sizes."""
    sizes = [len(rule.body) for rule in rules]
    uses: dict[int, list[int]] = {}
    for index, rule in enumerate(rules):
        for atom in rule.body:
            uses.setdefault(atom, []).append(index)
    found: Sets = set()
    for size in range(1, most + 1):
        for chosen in combinations(range(goal), size):
            mask = sum(1 << one for one in chosen)
            smaller = any(least & mask == least for least in found)
            if not smaller and _reaches(chosen, goal, rules, sizes=sizes, uses=uses):
                found.add(mask)
    return found


def _reaches(
    chosen: Sequence[int],
    goal: int,
    rules: Sequence[Rule],
    *,
    sizes: list[int],
    uses: dict[int, list[int]],
) -> bool:
    left, known, stack = sizes.copy(), set(chosen), list(chosen)
    while stack:
        for index in uses.get(stack.pop(), ()):
            left[index] -= 1
            head = rules[index].head
            if not left[index] and head not in known:
                known.add(head)
                stack.append(head)
    return goal in known


def by_clingo(rules: Sequence[Rule], goal: int, most: int) -> Sets:
    """Ask for the minimal answer sets, from text to answers."""
    return sets_by_clingo(rules, goal, capabilities=goal, most=most)


CONTENDERS: dict[str, Callable[[Sequence[Rule], int, int], Sets]] = {
    "prover": by_prover,
    "trying": by_trying,
    "clingo": by_clingo,
}


def grow(shapes: Sequence[Shape], rounds: int) -> None:
    """Print a line for each kind of policy and contender."""
    print("| capabilities | rules | sets up to | by | CPU ms, median | largest | sets | MB |")
    for shape in shapes:
        taken: dict[str, list[float]] = {name: [] for name in CONTENDERS}
        sizes = []
        for seed in range(rounds):
            asked = _rules(shape, seed), shape.capabilities, shape.most
            found = {}
            for name, work in CONTENDERS.items():
                ms, found[name] = timed(work, *asked)
                taken[name].append(ms)
            _same(found)
            sizes.append(len(found["prover"]))
        for name, times in taken.items():
            asked = _rules(shape, 0), shape.capabilities, shape.most
            # What clingo allocates is not Python's.
            most = "–" if name == "clingo" else f"{peak(CONTENDERS[name], *asked):.1f}"
            print(
                f"| {shape.capabilities} | {shape.rules} | {shape.most} | {name} "
                f"| {statistics.median(times):.1f} | {max(times):.1f} "
                f"| {statistics.median(sizes):.0f} | {most} |"
            )


def _rules(shape: Shape, seed: int) -> tuple[Rule, ...]:
    return made_rules(seed, capabilities=shape.capabilities, facts=shape.facts, rules=shape.rules)


def _same(found: dict[str, Sets]) -> None:
    if len({frozenset(sets) for sets in found.values()}) != 1:
        raise SystemExit(f"the provers do not agree: {found}")


def references(rounds: int) -> None:
    """Print what the reference policies take, with sets of every size."""
    print("\n| reference policy | rules | by | CPU ms, median |")
    all_of = range(len(CAPABILITIES))
    for name, text in (("weak", WEAK), ("hardened", HARDENED)):
        table = Table()
        table.add(policy(text))
        rules, goal = list(table.rules), table.atom("theft")
        taken: dict[str, list[float]] = {"prover": [], "clingo": []}
        for _ in range(rounds):
            ms, ours = timed(attacks, rules, [goal], all_of)
            taken["prover"].append(ms)
            ms, theirs = timed(sets_by_clingo, rules, goal, capabilities=len(all_of))
            taken["clingo"].append(ms)
            _same({"prover": set(minimal_sets(ours[goal])), "clingo": theirs})
        for contender, times in taken.items():
            print(f"| {name} | {len(rules)} | {contender} | {statistics.median(times):.2f} |")


def made_states(shape: Shape, states: int, seed: int) -> Many:
    """Return a made-up policy that differs from state to state."""
    random = Random(seed)  # noqa: S311 - made-up states, the same each time
    every = (1 << states) - 1
    features = [
        sum(1 << state for state in range(states) if state >> bit & 1)
        for bit in range(states.bit_length() - 1)
    ]
    where = []
    for _ in range(shape.rules):
        stands = random.choice(features) if features else every
        where.append(
            random.choice([every, every, stands, every & ~stands] if features else [every])
        )
    return Many(
        rules=_rules(shape, seed),
        where=where,
        states=states,
        capabilities=shape.capabilities,
        goal=shape.capabilities,
        atoms=shape.capabilities + shape.facts,
    )


def reference_states(channels: int) -> Many:
    """Return the enrolments of the hardened reference policy, with further channels or none.

    Each has the rules of its own channels: nearly all states differ, and nearly all rules.
    """
    further = [f"further{number}" for number in range(channels - len(CHANNELS))]
    every = enrolments((*CHANNELS, *further))
    silent = [Line(f"mute_{one}", ("inattentive",), 0, 0, gated=False) for one in further]
    table = Table()
    for number, (factors, chosen) in enumerate(every):
        table.add([*silent, *enrolled(HARDENED, factors=factors, channels=chosen)], state=number)
    goal = table.atom("theft")
    return Many(
        list(table.rules), table.states, len(every), len(CAPABILITIES), goal, len(table.atoms)
    )


def many_states(
    rounds: int, *, channels: Sequence[int], shapes: Sequence[Shape], states: Sequence[int]
) -> None:
    """Print what many states at once take, and their certificates: the reference's come first."""
    print(
        "\n| states | capabilities | rules | fewer than 2, where: ms | all up to 3: ms "
        "| one by one: ms | MB | states with k ≥ 2 | certificate: ms | sets | bytes | checked: ms |"
    )
    for number in channels:
        _states_line([reference_states(number)] * rounds)
    for shape in shapes:
        for number in states:
            _states_line([made_states(shape, number, seed) for seed in range(rounds)])


def _states_line(asked: Sequence[Many]) -> None:
    rows = [_taken(many) for many in asked]
    middle = [statistics.median(column) for column in zip(*rows, strict=True)]
    first = asked[0]
    told = " | ".join(f"{value:.1f}".removesuffix(".0") for value in middle)
    print(f"| {first.states} | {first.capabilities} | {len(first.rules)} | {told} |")


def _taken(many: Many) -> tuple[float, ...]:
    """Return the columns of one round."""
    rules, where, goals, all_of = many.rules, many.where, [many.goal], range(many.capabilities)
    ms_of_two, ways = timed(attacks, rules, goals, all_of, 1, states=where)
    ms_of_all, _ = timed(attacks, rules, goals, all_of, 3, states=where)
    memory = peak(attacks, rules, goals, all_of, 3, states=where)
    falls = reduce(or_, (one.states for one in ways[many.goal]), 0)
    safe = (1 << many.states) - 1 & ~falls
    claim = claim_of(k=2, goals=goals, capabilities=all_of, states=safe)
    names = [f"atom_{at}" for at in range(many.atoms)]
    question = question_of(names, rules, where, [claim])
    ms_made, certificate = timed(certify, question, policy=POLICY)
    sets, data = len(certificate.proofs[0]), encode(certificate)
    # A longer one is no file for anybody: it is made for the measurement only.
    fits = len(data) <= CERTIFICATE_BYTES_MOST
    ms_checked = timed(accepted, data, question, policy=POLICY)[0] if fits else math.nan
    return (
        *(ms_of_two, ms_of_all, _one_by_one(many), memory),
        *(safe.bit_count(), ms_made, sets, len(data), ms_checked),
    )


def _one_by_one(many: Many) -> float:
    """Return what all states take one after another, from some of them spread over all."""
    some = range(0, many.states, max(1, many.states // 16))
    taken = 0.0
    for state in some:
        stand = zip(many.rules, many.where, strict=True)
        own = [rule for rule, where in stand if where >> state & 1]
        taken += timed(attacks, own, [many.goal], range(many.capabilities), 3)[0]
    return taken / len(some) * many.states


def of_a_profile(rounds: int, *, profile: str, bases: int | None) -> None:
    """Print what it takes to prove a shipped profile, each step in this one process."""
    print(
        "\n| of all states | rules | fewer than 2 | all sets | certificate "
        "| read and checked, once | the same, median | the checker alone | bytes |"
    )
    rows = [_proved(profile, bases) for _ in range(rounds)]
    middle = [statistics.median(column) for column in zip(*rows, strict=True)]
    print(f"| {profile}: ms | {' | '.join(f'{value:,.0f}' for value in middle)} |")


def _proved(profile: str, bases: int | None) -> tuple[float, ...]:
    """Return the milliseconds of each step, and the certificate's bytes."""
    book = rules_of(profile)
    prover = Prover(bases=tuple(enrolment.bases())[:: bases or 1])
    ms_of_rules, systems = timed(prover.systems, book)
    ms_of_two, _ = timed(lambda: [solved(one, most=1) for one in systems])
    ms_of_all, _ = timed(lambda: [solved(one) for one in systems])
    asked = question(Whole(systems), k=2)
    ms_made, certificate = timed(certify, asked, policy=POLICY)
    data = encode(certificate)
    gc.collect()
    gc.freeze()  # Whoever checks has not made all this before.
    ms_checked = [timed(accepted, data, asked, policy=POLICY)[0] for _ in range(CHECKS)]
    plain = msgspec.to_builtins(asked), msgspec.to_builtins(certificate)
    ms_alone = [timed(check, *plain)[0] for _ in range(CHECKS)]
    of_checks = ms_checked[0], statistics.median(ms_checked), statistics.median(ms_alone)
    return ms_of_rules, ms_of_two, ms_of_all, ms_made, *of_checks, len(data)


def main() -> None:
    """Print four tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="one small round, to see that it runs")
    asked = parser.parse_args()
    if asked.quick:
        grow(SHAPES[:1], 1)
        references(1)
        many_states(1, channels=CHANNEL_COUNTS[:1], shapes=SHAPES[:1], states=STATES[:2])
        of_a_profile(1, profile=DEFAULT, bases=45)
        return
    grow((*SHAPES, LARGER), asked.rounds)
    references(asked.rounds)
    many_states(asked.rounds, channels=CHANNEL_COUNTS, shapes=SHAPES, states=STATES)
    for profile in (DEFAULT, STRICT):
        of_a_profile(min(asked.rounds, 3), profile=profile, bases=None)


if __name__ == "__main__":
    main()
