"""The laws of accounts with several members: as many agree as the account itself has set.

Always true (tests/property/test_members_properties.py): fewer members than that move nothing above
a sum, and weaken nothing.

Source: docs/laws.md, laws 3 to 5; docs/people.md.
"""

from twinlock.domain.assurance import Factor, Level
from twinlock.domain.both_keys import awaits_second, second_root
from twinlock.domain.bounds import MEMBER_WAIT, WEAK_FREEZE_EVERY
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.key_laws import own_proof
from twinlock.domain.policy.facts import Facts
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
)

# What one member alone could hold up the others with for as long as it lasts, and a key to trade;
# and so is a lock that is longer than a removal takes, or that takes both keys. What else tightens
# acts at once: whoever does it for harm is removed while it lasts.
HOLD_UP: frozenset[str] = frozenset(
    {
        ActionType.QUORUM_TIGHTEN,
        ActionType.TRUSTED_CONTACT_ADD,
        ActionType.API_KEY_CREATE,
    }
)
_CHANGES_MEMBERS: frozenset[str] = frozenset(
    {ActionType.MEMBER_ADD, ActionType.MEMBER_REMOVE, ActionType.QUORUM_LOOSEN}
)


def members_needed(facts: Facts) -> int:
    """Return how many different members agree to this; one where the account has no more."""
    if facts.members <= 1:
        return 1
    if facts.action_class is ActionClass.EXIT:
        return facts.quorum.members_for(facts.day_cents + facts.value_cents)
    locks = facts.action == ActionType.LOCK_TIGHTEN
    long_lock = locks and (facts.asked_lock_days > MEMBER_WAIT.days or facts.asked_both_keys)
    if facts.action_class is ActionClass.LOOSENING or facts.action in HOLD_UP or long_lock:
        return max(facts.quorum.most, facts.asked_members)
    return 1


def a_quorum_agrees(facts: Facts) -> Requirement:
    """Law 4: as many different members agree as the account has set, who asks being one of them.

    Each shows a proof of their own at the floor; a session, an API key or a budget is nobody.
    Prevents: one member, or whoever took one member's things, who moves what takes two.
    """
    needed = members_needed(facts)
    if needed <= 1:
        return NOTHING
    own, level = own_proof(facts), max(facts.floor, Level.POSSESSION)
    asks = NOTHING if own else Prove(code=Reason.PROOF_NEEDED, level=level)
    behind = facts.members_behind + (not own)
    return all_of(asks, NOTHING if behind >= needed else another_member(Reason.MEMBERS_NEEDED))


def enough(facts: Facts) -> bool:
    """Say whether as many members stand behind this as must."""
    return facts.members_behind >= members_needed(facts)


def is_proved(facts: Facts) -> bool:
    """Say whether the floor was shown; what else must be is asked for beside it (``awaited``).

    Prevents: a member who has proved, and is asked for the same again until the others agree.
    """
    waits_for_others = facts.members > 1 and own_proof(facts) and not enough(facts)
    return facts.proved_at is not None or waits_for_others or awaits_second(facts)


def awaited(facts: Facts) -> Requirement:
    """Return what is missing where the floor was shown, and nothing counts as proved so far."""
    return second_root(facts) if awaits_second(facts) else another_member(Reason.MEMBERS_NEEDED)


def another_member(code: Reason) -> Prove:
    """Return that one more member must agree, because of ``code``."""
    return Prove(code=code, level=Level.NONE, factors=(Factor.MEMBER,))


def a_member_stays_a_while(facts: Facts) -> Requirement:
    """Law 5: who belongs to an account, and how many agree, weakens a week after the proofs.

    Prevents: a thief who is made a member, or has one removed, before anybody reads of it.
    """
    if facts.action not in _CHANGES_MEMBERS:
        return NOTHING
    until = (facts.proved_at or facts.now) + MEMBER_WAIT
    return NOTHING if facts.now >= until else WaitUntil(code=Reason.MEMBERS_STAY, until=until)


def members_are_enough(facts: Facts) -> Requirement:
    """Law 10: no more members need agree than there are, and the last one stays.

    Prevents: an account that nobody can move any more.
    """
    return NOTHING if facts.members_fit else Never(code=Reason.MEMBERS_TOO_FEW)


def a_member_has_a_passkey(facts: Facts) -> Requirement:
    """Law 3: nobody is added to an account whose own member could not agree: by a passkey.

    Prevents: a leaked password and a code, by which a stranger becomes a member.
    """
    if facts.action != ActionType.MEMBER_ADD or facts.shown_level >= Level.PHISHING_RESISTANT:
        return NOTHING
    return Prove(code=Reason.PROOF_NEEDED, level=Level.PHISHING_RESISTANT)


def what_changes_members_is_proved(facts: Facts) -> Requirement:
    """Law 3: a session alone sets no quorum, although it would tighten one."""
    if facts.action != ActionType.QUORUM_TIGHTEN or own_proof(facts):
        return NOTHING
    return Prove(code=Reason.PROOF_NEEDED, level=max(facts.floor, Level.KNOWLEDGE))


def one_member_freezes_for_a_while(facts: Facts) -> Requirement:
    """Law 5: a freeze that fewer members set than must agree is set once a month by each of them.

    It lapses like one below the floor. Prevents: one member who stops all the others for ever.
    """
    if facts.action != ActionType.FREEZE_SET or not alone(facts) or not own_proof(facts):
        return NOTHING
    last = facts.weak_freeze_at
    if last is None or facts.now >= last + WEAK_FREEZE_EVERY:
        return NOTHING
    return another_member(Reason.FREEZE_TOO_SOON)


MEMBER_LAWS = (
    a_quorum_agrees,
    a_member_stays_a_while,
    a_member_has_a_passkey,
    what_changes_members_is_proved,
    members_are_enough,
    one_member_freezes_for_a_while,
)


def takes_others(facts: Facts) -> bool:
    """Say whether there is anything that one member alone does not do."""
    return facts.members > 1 and facts.quorum.most > 1


def alone(facts: Facts) -> bool:
    """Say whether fewer members stand behind this than whatever weakens takes."""
    return facts.members > 1 and facts.members_behind < facts.quorum.most
