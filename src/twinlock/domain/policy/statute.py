"""Statute: one rule of a policy, and what its condition can be.

Always true (tests/property/test_outcomes_properties.py): ``outcomes`` says what a condition is for
some facts, and nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from twinlock.domain.policy.annotations import Demand, PolicyFault, refuse
from twinlock.domain.policy.terms import Box, Choice, Kind, Shape, Span, Term, flags
from twinlock.domain.policy.vocabulary import KNOWN, whole_box

BOXES_MOST = 20_000  # Into which a rule's facts are cut; a rule of three numbers has some 300.


@dataclass(frozen=True, slots=True, kw_only=True)
class Statute:
    """One forbid. ``actions`` are those it speaks of; ``when`` says for which facts it matches."""

    rule_id: str
    actions: frozenset[str]
    demand: Demand
    when: Term


def outcomes(statute: Statute, where: Mapping[str, Shape]) -> frozenset[bool]:
    """Return what the condition can be for facts that are as ``where`` says; never too few.

    Raises:
        PolicyRefusedError: it reads too many facts to say.
    """
    box = {**whole_box(), **where}
    return _outcomes(statute.when, box, _cuts(statute, box))


def _outcomes(when: Term, box: Box, cuts: Mapping[str, tuple[Shape, ...]]) -> frozenset[bool]:
    """Cut ``box`` fact by fact, as long as more than one outcome is possible in a part of it."""
    found = flags(when.over(box))
    if len(found) == 1 or not cuts:
        return found
    name, *left = cuts
    rest, found = {one: cuts[one] for one in left}, frozenset()
    for part in cuts[name]:
        found |= _outcomes(when, {**box, name: part}, rest)
        if len(found) > 1:
            break
    return found


def _cuts(statute: Statute, box: Box) -> Mapping[str, tuple[Shape, ...]]:
    """Return the parts of each fact between which the condition may change, and in none of them."""
    names = [name for name in sorted(statute.when.facts) if name in KNOWN]
    cuts = {name: tuple(_parts(name, box[name], statute.when.steps)) for name in names}
    if prod(map(len, cuts.values())) > BOXES_MOST:
        refuse(PolicyFault.TOO_LARGE, "it reads too many facts to be checked", rule=statute.rule_id)
    return cuts


def _parts(name: str, shape: Shape, steps: Iterable[int]) -> Iterator[Shape]:
    match shape:
        case Span(least=least, most=most) if KNOWN[name].kind is Kind.WHOLE:
            inside = {end for step in steps for end in (step, step + 1) if least < end <= most}
            ends = [least, *sorted(inside), most + 1]
            for start, after in pairwise(ends):
                yield Span(start, after - 1)
        case Choice(of=of):
            for one in of:
                yield Choice(frozenset({one}))
        case _:
            yield shape
