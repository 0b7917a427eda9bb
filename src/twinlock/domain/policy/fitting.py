"""What a rule says to people: a reason that is true of it, and proofs that can be shown.

Cedar knows nothing of either: a refusal for good whose reason promises "tomorrow" validates, and so
does one that asks for what nobody is offered.

Always true (tests/unit/domain/policy/test_fitting.py):

* a reason stands only with an outcome, actions and facts of which its sentences are true (law 10);
* whoever can sign in can tighten, by the same things (law 5).
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from twinlock.domain.actions import BUILT
from twinlock.domain.assurance import Factor
from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.domain.policy.annotations import (
    DEMANDABLE,
    Ask,
    Demand,
    Permit,
    PolicyFault,
    Refuse,
    Wait,
    refuse,
)
from twinlock.domain.reasons import Reason

_ALL = frozenset(CLASS_OF)
_EXITS = frozenset(kind for kind, cls in CLASS_OF.items() if cls is ActionClass.EXIT)
_INSIDE = _ALL - _EXITS
_SENDS = frozenset({ActionType.DESTINATION_ADD.value}) | _EXITS
_SUMS = frozenset({"value_cents", "day_cents", "destination_day_cents"})


class Fit(NamedTuple):
    """Where a reason is true: for which demand, for which actions, and with a word of which facts.

    No facts: whatever the rule reads.
    """

    lifted: Callable[[Demand], bool]
    says: str
    actions: frozenset[str] = _ALL
    facts: frozenset[str] = frozenset()


def _is_any_wait(demand: Demand) -> bool:
    return isinstance(demand, Wait)


def _is_wait(demand: Demand) -> bool:
    return isinstance(demand, Wait) and not demand.or_roots


def _is_wait_or_roots(demand: Demand) -> bool:
    return isinstance(demand, Wait) and bool(demand.or_roots)


def _is_refusal(demand: Demand) -> bool:
    return isinstance(demand, Refuse)


def _is_refusal_for_good(demand: Demand) -> bool:
    if not isinstance(demand, Refuse):
        return False
    return not demand.ends_with_day and demand.retained is None


def _is_retention(demand: Demand) -> bool:
    return isinstance(demand, Refuse) and demand.retained is not None


def _asks(demand: Demand) -> bool:
    return isinstance(demand, Ask)


def _asks_for_a_passkey(demand: Demand) -> bool:
    return isinstance(demand, Ask) and demand.factors == (Factor.PASSKEY,)


def _asks_for_a_password(demand: Demand) -> bool:
    return isinstance(demand, Ask) and demand.factors == (Factor.PASSWORD,)


def _asks_for_two_roots(demand: Demand) -> bool:
    return isinstance(demand, Ask) and demand.roots > 1


def _is_narrow_limit(demand: Demand) -> bool:
    return _asks_for_two_roots(demand) or _is_refusal(demand)


def _asks_or_waits(demand: Demand) -> bool:
    return _asks(demand) or _is_any_wait(demand)


_SIGNALLED = frozenset({"signalled"})
_WAIT = "@hold_seconds without @or_roots"
_ROOTS = "@hold_seconds with @or_roots"
_FOR_GOOD = "a deny that nothing ends"
_KEYS = frozenset({ActionType.API_KEY_CREATE.value})
FITS: Mapping[Reason, Fit] = MappingProxyType(
    {
        Reason.PROOF_NEEDED: Fit(_asks, "a challenge"),
        Reason.SECOND_ROOT_NEEDED: Fit(_asks_for_two_roots, "@roots"),
        Reason.PHISHING_RESISTANT_NEEDED: Fit(_asks_for_a_passkey, '@factors("passkey") alone'),
        Reason.PASSWORD_NEEDED: Fit(
            _asks_for_a_password,
            '@factors("password")',
            frozenset(kind for kind, cls in CLASS_OF.items() if cls is ActionClass.ACCESS),
        ),
        Reason.LOOSENING_WAITS: Fit(_is_wait, _WAIT, _INSIDE),
        Reason.SIGNALLED: Fit(_asks_or_waits, "a challenge or a hold", facts=_SIGNALLED),
        Reason.PLATFORM_WAITS: Fit(_is_any_wait, "a hold"),
        Reason.SIGN_IN_UNUSUAL: Fit(_is_wait_or_roots, _ROOTS, _INSIDE, frozenset({"risk"})),
        Reason.DESTINATION_NEW: Fit(_is_wait, _WAIT, _EXITS, frozenset({"destination"})),
        Reason.DESTINATION_SHARED: Fit(
            _is_wait,
            _WAIT,
            _EXITS | {ActionType.DESTINATION_ADD.value},
            frozenset({"wanted_elsewhere"}),
        ),
        Reason.DESTINATION_UNPROVED: Fit(_is_wait, _WAIT, _EXITS, frozenset({"destination"})),
        Reason.DESTINATION_REMOVED: Fit(_is_wait, _WAIT, _EXITS, frozenset({"destination"})),
        Reason.NARROW_DESTINATION: Fit(_is_wait, _WAIT, _SENDS, frozenset({"narrow"})),
        Reason.LIMIT_EXCEEDED: Fit(_is_wait_or_roots, _ROOTS, _EXITS, _SUMS - {"value_cents"}),
        Reason.VALUE_UNKNOWN: Fit(_is_wait_or_roots, _ROOTS, _EXITS, frozenset({"value_unknown"})),
        Reason.NARROW_LIMIT: Fit(
            _is_narrow_limit, "@roots or a deny", _EXITS, frozenset({"narrow"})
        ),
        Reason.ABOVE_PLATFORM_LIMIT: Fit(_is_refusal, "a deny", _EXITS, _SUMS),
        Reason.PLATFORM_RULE: Fit(_is_refusal, "a deny"),
        Reason.NOT_PERMITTED: Fit(_is_refusal_for_good, _FOR_GOOD),
        Reason.DESTINATION_NOT_LISTED: Fit(
            _is_refusal_for_good, _FOR_GOOD, _EXITS, frozenset({"destinations_required"})
        ),
        Reason.BUDGET_TOO_HIGH: Fit(
            _is_refusal_for_good,
            _FOR_GOOD,
            frozenset({ActionType.DESTINATION_ADD.value}),
            frozenset({"budget_cents"}),
        ),
        Reason.API_KEY_IP_LIST: Fit(_is_refusal_for_good, _FOR_GOOD, _KEYS, frozenset({"ip_list"})),
        Reason.API_KEY_DESTINATIONS: Fit(
            _is_refusal_for_good, _FOR_GOOD, _KEYS, frozenset({"key_destinations"})
        ),
        Reason.RETENTION: Fit(
            _is_retention,
            "@retained_seconds",
            frozenset({ActionType.ACCOUNT_ERASE.value}),
            frozenset({"since_last_exit_seconds"}),
        ),
    }
)


def check_reason(
    rule_id: str, demand: Demand, *, actions: frozenset[str], facts: frozenset[str]
) -> None:
    """Check that what the customer is told is true of the rule. Raises PolicyRefusedError."""
    reason = demand.reason
    fit = FITS.get(reason)
    if fit is None:
        says = f'{reason} is for the laws to give: see "Which reason fits" in docs/policy.md'
        refuse(PolicyFault.REASON, says, rule=rule_id)
    if not fit.lifted(demand):
        refuse(PolicyFault.REASON, f"{reason} is told with {fit.says} only", rule=rule_id)
    if not actions <= fit.actions:
        other = min(actions - fit.actions)
        refuse(PolicyFault.REASON, f"{reason} would not be true of {other}", rule=rule_id)
    if fit.facts and not facts & fit.facts:
        named = " or ".join(sorted(fit.facts))
        refuse(PolicyFault.REASON, f"{reason} is for a rule that reads {named}", rule=rule_id)


def check_offers(
    permits: Mapping[str, Permit], rules: Iterable[tuple[str, frozenset[str], Demand]]
) -> None:
    """Check that whoever can sign in can tighten, and that what rules ask for is offered.

    Prevents: a permit to freeze that takes a passkey only, so that an account with a password and
    an app is told to prove what nobody asks it for, while its money leaves.

    Raises:
        PolicyRefusedError: they do not.
    """
    signs_in = permits.get(ActionType.SESSION_START)
    owed = DEMANDABLE | (frozenset() if signs_in is None else signs_in.offers & _SHOWN_BY_PEOPLE)
    for action in sorted(permits.keys() & _TIGHTENING):
        if left_out := ", ".join(sorted(owed - permits[action].offers)):
            says = f"@offers leaves out {left_out}, and somebody may have nothing else to show"
            refuse(PolicyFault.TIGHTENING_OFFERS, says, rule=permits[action].rule_id)
    for rule_id, actions, demand in rules:
        if not isinstance(demand, Ask):
            continue
        for action in sorted(actions & permits.keys()):
            for factor in sorted(set(demand.factors) - permits[action].offers):
                says = f"it asks for {factor}, which the permit of {action} does not offer"
                refuse(PolicyFault.NOT_OFFERED, says, rule=rule_id)


_TIGHTENING = frozenset(one for one in BUILT if CLASS_OF[one] is ActionClass.TIGHTENING)
_SHOWN_BY_PEOPLE = frozenset(Factor) - {Factor.SESSION, Factor.API_KEY}
