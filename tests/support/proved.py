"""A few states of enrolment that differ in what counts, and what is proved of rules in them."""

from collections.abc import Iterable
from functools import cache

from twinlock.bootstrap.proving import rules_of as rules_of_book
from twinlock.domain.decisions import Rules
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.capabilities import TABLE, Assumptions, Capability, counted
from twinlock.domain.prover.enrolment import (
    APP,
    BUILT_IN_KEY,
    CHANNELS,
    PHONE_KEY,
    ROAMING_KEY,
    Enrolment,
)
from twinlock.domain.prover.growth import Growth, Sheet
from twinlock.domain.prover.model import Deriver
from twinlock.domain.prover.system import solved, system_of
from twinlock.range.profiles import PROFILES, rules_of

EMAIL, SMS, DESKTOP = CHANNELS
ASSUMED = Assumptions()
NAMES = tuple(PROFILES)
EVERY_BASE = tuple(enrolment.bases())
# No proof but a password; codes alone; an app; each kind of key, alone and with others; told on the
# phone alone, on the computer alone, on both, and nowhere.
FEW = tuple(
    Enrolment(authenticators=bound, channels=told)
    for bound, told in (
        ((), ()),
        ((), (EMAIL, SMS)),
        ((), (EMAIL, DESKTOP)),
        ((APP,), (EMAIL, SMS)),
        ((APP, PHONE_KEY), (EMAIL, SMS, DESKTOP)),
        ((BUILT_IN_KEY,), (EMAIL, DESKTOP)),
        ((ROAMING_KEY,), (EMAIL,)),
        ((PHONE_KEY, ROAMING_KEY), (EMAIL, SMS)),
        ((PHONE_KEY, ROAMING_KEY), ()),
        ((BUILT_IN_KEY, ROAMING_KEY), ()),
    )
)
GUARDED = enrolment.guarded(FEW[7])[1:]  # By each kind of lock, and by a contact.
STATES = (*FEW, *GUARDED)
_COUNTED = {one.value for one in Capability if counted(one)}


@cache
def rules(profile: str) -> Rules:
    """Return what decides by a profile, as it is proved."""
    return rules_of_book(rules_of(profile))


@cache
def deriver(profile: str) -> Deriver:
    """Return what derives the rules of states by a profile."""
    return Deriver(rules(profile), assumed=ASSUMED)


@cache
def proved(profile: str) -> Sheet:
    """Return the rules and the attacks of the few states by a profile."""
    return sheet_by(deriver(profile))


def sheet_of(by: Rules, *, sums: tuple[int, ...] | None = None) -> Sheet:
    """Return the rules and the attacks of the few states by the rules ``by``."""
    return sheet_by(Deriver(by, assumed=ASSUMED, sums=sums))


def sheet_by(made: Deriver, states: Iterable[Enrolment] = STATES) -> Sheet:
    """Return the rules and the attacks of ``states`` as they are derived by ``made``."""
    derived = [(one, made.derive(one)) for one in states]
    system = system_of(derived, exits=made.alike, sums=made.sums, assumed=ASSUMED)
    return system, solved(system)


def least(some: Iterable[Growth]) -> str:
    """Return the smallest sets of thefts that are new, each with its first hour, in few words."""
    hours: dict[tuple[str, ...], float] = {}
    for one in some:
        if _COUNTED.issuperset(one.capabilities):
            first = hours.get(one.capabilities, one.minutes / 60)
            hours[one.capabilities] = min(first, one.minutes / 60)
    size = min(map(len, hours), default=0)
    order = [one.value for one in TABLE]
    sets = sorted(
        (one for one in hours if len(one) == size), key=lambda one: [order.index(e) for e in one]
    )
    return ", ".join(f"{'+'.join(one) or 'nothing'} {hours[one]:g}" for one in sets)
