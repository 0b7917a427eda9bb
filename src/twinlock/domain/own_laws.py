"""The laws of what owners set for themselves: limits, locks and contacts (laws 4 and 5).

Source: docs/laws.md.
"""

from twinlock.domain.assurance import Factor, Level
from twinlock.domain.both_keys import second_root, weakens
from twinlock.domain.bounds import CONTACT_WAIT, WEAK_LOCK_DAYS
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.key_laws import next_day, own_proof
from twinlock.domain.member_laws import is_proved
from twinlock.domain.policy.facts import Facts
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
)

_TIGHTENS = (
    ActionType.LIMIT_LOWER,
    ActionType.LOCK_TIGHTEN,
    ActionType.API_KEY_NARROW,
    ActionType.TRUSTED_CONTACT_ADD,
    ActionType.QUORUM_TIGHTEN,
)


def own_limits_hold(facts: Facts) -> Requirement:
    """Law 5: above the owner's own limit nothing leaves, whoever asks and whatever is shown."""
    if facts.action_class is not ActionClass.EXIT:
        return NOTHING
    sums = (
        (facts.day_cents, facts.own_day_cents),
        (facts.destination_day_cents, facts.own_destination_cents),
    )
    return all_of(*(_within(facts, before, most) for before, most in sums))


def _within(facts: Facts, before: int, most: int | None) -> Requirement:
    if most is None or before + facts.value_cents <= most:
        return NOTHING
    another_day = facts.value_cents <= most
    return Never(code=Reason.OWN_LIMIT, until=next_day(facts.now) if another_day else None)


def a_lock_delays(facts: Facts) -> Requirement:
    """Law 5: under the owner's own lock whatever leaves or loosens waits as long as it says.

    Two keys spare that where the lock lets them, and never for the lock itself: to change a delay
    takes the old delay. Prevents: a month's lock that whoever once has both keys ends in a day.
    A lock of both keys takes them beside the wait, its own loosening too.
    """
    if not facts.lock.days or not weakens(facts):
        return NOTHING
    until, second = (facts.proved_at or facts.now) + facts.lock.delay, second_root(facts)
    if facts.now >= until:
        return second
    level = max(facts.floor, Level.KNOWLEDGE)
    wait = all_of(second, WaitUntil(code=Reason.LOCKED, until=until))
    if not is_proved(facts) and not isinstance(second, Prove):  # A session alone begins no wait.
        wait = all_of(Prove(code=Reason.LOCKED, level=level), wait)
    if not facts.lock.two_keys or facts.action == ActionType.LOCK_LOOSEN:
        return wait
    if len(facts.shown_roots) > 1:
        return NOTHING
    return any_of(Prove(code=Reason.LOCKED, level=level, roots=2), wait)


def what_tightens_is_tighter(facts: Facts) -> Requirement:
    """Law 5: what acts at once, with little proof, weakens nothing.

    Prevents: a limit of a million, a lock of a day in the place of one of a month, and one more
    contact who would agree where the first one does not, by the name of a tightening.
    """
    if facts.action in _TIGHTENS and not facts.tightens:
        return Never(code=Reason.NOT_TIGHTER)
    return NOTHING


def a_weak_lock_is_short(facts: Facts) -> Requirement:
    """Law 5: below the floor's proof nobody locks an account for longer than a freeze would.

    Nor by both keys. Prevents: a stolen session that locks its owner out of a month, or an owner
    who has one key at hand out of all.
    """
    short = facts.asked_lock_days <= WEAK_LOCK_DAYS and not facts.asked_both_keys
    if facts.action != ActionType.LOCK_TIGHTEN or short:
        return NOTHING
    if own_proof(facts):
        return NOTHING
    return Prove(code=Reason.PROOF_NEEDED, level=max(facts.floor, Level.KNOWLEDGE))


def a_contact_agrees(facts: Facts) -> Requirement:
    """Law 4: above the sum that the owner set a contact agrees, beside all that the owner proves.

    A session alone, an API key, or less than the floor, is not enough then: a contact is asked
    about what the owner wants. Prevents: whoever talks the owner into everything on the telephone
    (S12); and a stolen key, by which a thief has the owner's friends sign.
    """
    most = facts.agreement_cents
    if facts.action_class is not ActionClass.EXIT or most is None:
        return NOTHING
    proved = is_proved(facts) and own_proof(facts)
    if facts.day_cents + facts.value_cents <= most or (facts.agreed and proved):
        return NOTHING
    agree = Prove(code=Reason.AGREEMENT_NEEDED, level=Level.NONE, factors=(Factor.TRUSTED_CONTACT,))
    if proved:
        return agree
    own = Prove(code=Reason.PROOF_NEEDED, level=max(facts.floor, Level.KNOWLEDGE))
    return own if facts.agreed else all_of(own, agree)


def a_contact_stays_a_while(facts: Facts) -> Requirement:
    """Law 5: whoever agrees is left out, or joined by another, a week after the proof.

    Also while a new account still binds without one: what nobody proves would wait for ever. And no
    later, whatever the contact says of it. Prevents: a thief who has one removed in the same
    telephone call; and a contact who is unreachable, or sells the agreement.
    """
    if not facts.loosens_agreement:
        return NOTHING
    until = (facts.proved_at or facts.now) + CONTACT_WAIT
    if facts.now >= until:
        return NOTHING
    wait = WaitUntil(code=Reason.CONTACT_STAYS, until=until)
    if is_proved(facts):
        return wait
    return all_of(Prove(code=Reason.PROOF_NEEDED, level=max(facts.floor, Level.KNOWLEDGE)), wait)


def a_contact_is_the_owners(facts: Facts) -> Requirement:
    """Law 3: nobody is made a contact with less than the floor.

    Prevents: a stolen session that adds a friend of the thief's, to hold the account for a week.
    """
    if facts.action != ActionType.TRUSTED_CONTACT_ADD or own_proof(facts):
        return NOTHING
    return Prove(code=Reason.PROOF_NEEDED, level=max(facts.floor, Level.KNOWLEDGE))
