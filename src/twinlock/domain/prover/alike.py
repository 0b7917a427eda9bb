"""Which exits a policy speaks of alike: what one of them shows in any state holds of all.

What laws say of an exit is tried in two states, for they are few and name few exits. Statutes are
many, and one that only speaks of narrow accounts or of planted addresses would show in neither: so
of statutes it is read which can match.

Always true (tests/unit/domain/prover/test_probing.py): exits that are put together are answered
alike in every state that was tried.
"""

from twinlock.domain.decisions import Rules
from twinlock.domain.policy.statute import outcomes
from twinlock.domain.policy.terms import Choice

_NO = Choice(frozenset({False}))
_NOWHERE = {"destinations_required": _NO, "enrolling": _NO, "signalled": _NO}  # In no state.


def said_of(rules: Rules, action: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return which statutes can match ``action`` in any state, and what it may be proved by."""
    statutes = rules.policy.statutes
    can = (one.rule_id for one in statutes.of(action) if True in outcomes(one, _NOWHERE))
    return frozenset(can), frozenset(statutes.offers(action))
