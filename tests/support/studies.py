"""Proofs of a few states, which take a second each where all of them take ten."""

from functools import cache

from twinlock.bootstrap.proving import Prover, Sheet
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.matrix import Study
from twinlock.range.profiles import PROFILES, rules_of

FEW = tuple(enrolment.bases())[9::45]  # With an authenticator and a channel or two, each.


def few_states() -> Prover:
    """Return a prover that looks at a few states."""
    return Prover(bases=FEW)


@cache
def sheets_of(profile: str) -> tuple[Sheet, ...]:
    """Return the rules and minimal attacks of a few states."""
    return few_states().sheets(rules_of(profile))


@cache
def studies() -> tuple[Study, ...]:
    """Return what is looked at of every profile, in a few states."""
    prover = few_states()
    return tuple(prover.study(rules_of(one), k=2) for one in PROFILES)
