"""What the laws say of accounts whose floor rests on a passkey of an older site."""

from twinlock.domain.assurance import Level
from twinlock.domain.bounds import SUCCESSOR_WAIT
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.policy.facts import Facts
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Prove, Requirement, WaitUntil


def an_imported_passkey_opens_no_door(facts: Facts) -> Requirement:
    """Laws 2 and 4: an older site's passkey consents to nothing but its own successor, which waits.

    What tightens needs no more than before. All else is asked for a passkey of our own site, a
    sign-in too: below it there is a session that looks and freezes. Prevents: a phished assertion
    of the older site's that signs in, lists an address, or has a thief's key bound by tomorrow.
    """
    if not facts.floor_imported or facts.action_class is ActionClass.TIGHTENING:
        return NOTHING
    if facts.action != ActionType.AUTHENTICATOR_BIND:
        return Prove(code=Reason.SUCCESSOR_NEEDED, level=Level.PHISHING_RESISTANT)
    until = (facts.proved_at or facts.now) + SUCCESSOR_WAIT
    return NOTHING if facts.now >= until else WaitUntil(code=Reason.SUCCESSOR_WAITS, until=until)
