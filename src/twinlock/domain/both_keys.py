"""A lock of both keys: beside its wait, whatever leaves or loosens takes proofs of two roots.

Nothing else is the second root: no silence, no listed destination, no budget of a session, and no
API key, whoever made it. The wait begins when both are shown. Two are asked for while two are
bound; what was reported lost counts as bound for 30 days, and what was repudiated likewise, so that
whoever has one key cannot be rid of the other one and go on. From then on one root and the wait are
enough: no lock is endless (law 10).

Always true (tests/property/test_both_keys_properties.py): under such a lock, and within 30 days of
a report, proofs of one root let nothing leave and nothing loosen.

Source: docs/laws.md, law 5.
"""

from twinlock.domain.assurance import Level
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.key_laws import own_proof
from twinlock.domain.policy.facts import Facts
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Never, Prove, Requirement, WaitUntil

TWO = 2  # Roots: law 4 has its name from them.
_LOCKS = (ActionType.LOCK_TIGHTEN, ActionType.LOCK_LOOSEN)


def weakens(facts: Facts) -> bool:
    """Say whether this leaves or loosens: what a lock speaks of."""
    return facts.action_class in (ActionClass.EXIT, ActionClass.LOOSENING)


def second_root(facts: Facts) -> Requirement:
    """Return what is missing of the two roots that a lock of both keys takes."""
    asks = facts.lock.both_keys and weakens(facts)
    if not asks or len(facts.shown_roots) >= TWO or facts.roots_bound < TWO:
        return NOTHING
    if facts.one_root_from is None:
        level = max(facts.floor, Level.KNOWLEDGE)
        return Prove(code=Reason.BOTH_KEYS_NEEDED, level=level, roots=TWO)
    if facts.now >= facts.one_root_from:
        return NOTHING
    return WaitUntil(code=Reason.BOTH_KEYS_NEEDED, until=facts.one_root_from)


def awaits_second(facts: Facts) -> bool:
    """Say whether all is shown but the second root.

    Prevents: an owner who has shown one key, and is asked for that again until both are.
    """
    return own_proof(facts) and isinstance(second_root(facts), Prove)


def two_keys_are_there(facts: Facts) -> Requirement:
    """Law 10: nobody locks an account by two keys that has but one, or has just lost the other."""
    if facts.action not in _LOCKS or not facts.asked_both_keys:
        return NOTHING
    if facts.roots_bound >= TWO and facts.one_root_from is None:
        return NOTHING
    return Never(code=Reason.KEYS_TOO_FEW)
