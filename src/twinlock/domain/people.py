"""Other people on an account: trusted contacts, who agree and do nothing else.

Above a sum that the owner sets, one of them agrees to what leaves, beside all that the owner
proves. A contact is another person with a passkey of their own. It never starts anything, proves
nothing of the owner's, says no to nothing, and sees what it is asked about and no more.

Always true (tests/property/test_people_properties.py): with an agreement nothing leaves that would
not leave for its owner's proofs alone without a contact; and no change of contacts or of that sum
takes effect sooner than CONTACT_WAIT after its proof, but what asks for more.

Source: docs/people.md, docs/adr/0015-what-a-trusted-contact-may-do.md.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Account, Candidate, OpenAction, Shown
from twinlock.domain.actions import (
    AnyPayload,
    LimitRaise,
    TrustedContactAdd,
    TrustedContactRemove,
    class_of,
)
from twinlock.domain.api_keys import by_keys_alone
from twinlock.domain.assurance import Factor, Placement, root_of
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator, Passkey, same
from twinlock.domain.canonical import b64url, from_b64url, tagged_hash, tagged_mac
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import ContactJoined, ContactLeft
from twinlock.domain.ids import AuthenticatorId, ChallengeId
from twinlock.domain.limits import as_high
from twinlock.domain.members import member_token
from twinlock.domain.newcomers import behind, rests, stood_on
from twinlock.domain.requirements import Prove, Requirement, leaves

INVITED = (Factor.TRUSTED_CONTACT, Factor.MEMBER)  # Who comes by a link, with a passkey to make.


def contact_of(account: Account, contact_id: str) -> Passkey | None:
    """Return the trusted contact ``contact_id``, or None."""
    return next((one for one in account.contacts if one.authenticator_id == contact_id), None)


def invitation(account: Account, candidate_id: str, *, now: datetime) -> Candidate | None:
    """Return the invitation ``candidate_id`` while it stands, or None."""
    return next(
        (
            one
            for one in account.candidates
            if one.candidate_id == ChallengeId(candidate_id)
            and one.factor in INVITED
            and one.expires_at > now
        ),
        None,
    )


def contact_root(contact: Passkey) -> str | None:
    """Return the root behind a contact: a person of its own, whatever the key lives in."""
    return root_of(Factor.TRUSTED_CONTACT, Placement.NOWHERE, name=contact.authenticator_id)


def contact_handle(candidate_id: str) -> str:
    """Return the user handle of a contact's passkey: another one than any account's."""
    return b64url(tagged_hash("contact-handle/v1", candidate_id.encode()))


# --- What the facts say ---


def contact_facts(account: Account, action: OpenAction) -> dict[str, Any]:
    """Return the facts of trusted contacts, by their names."""
    return {
        "agreement_cents": account.limits.agreement_cents if account.contacts else None,
        "agreed": any(_counts(account, one) for one in action.shown),
        "loosens_agreement": _loosens(account, action.payload),
    }


def _counts(account: Account, shown: Shown) -> bool:
    """Say whether ``shown`` is the agreement of a contact who stands, proved by nothing in doubt.

    Prevents: a thief's friend, whom the thief's own key added, after that key was repudiated.
    """
    contact = contact_of(account, shown.source)
    if contact is None or shown.factor is not Factor.TRUSTED_CONTACT:
        return False
    return not rests(contact, account.doubts)


def _loosens(account: Account, payload: AnyPayload) -> bool:
    """Say whether ``payload`` has less agreed to, or one more person who may agree."""
    match payload:
        case TrustedContactRemove():
            return True
        case TrustedContactAdd(first=first):
            return not first
        case LimitRaise(agreement_cents=most):
            before = account.limits.agreement_cents
            return bool(account.contacts) and most != before and as_high(most, before)
        case _:
            return False


def is_known(account: Account, made: Authenticator) -> bool:
    """Say whether a passkey is the owner's or a contact's already: no person is two."""
    every: tuple[Authenticator, ...] = (*account.authenticators, *account.contacts)
    return any(same(one, made) for one in every)


# --- Asking for an agreement ---


def agreement_fault(account: Account, action: OpenAction) -> ProofFault | None:
    """Return why no contact is asked about ``action``, or None.

    The owner proves first, and not by an API key. Prevents: strangers who have somebody's friends
    sign what they propose, until they sign without reading.
    """
    exits = class_of(action.payload) is ActionClass.EXIT
    able = any(not rests(one, account.doubts) for one in account.contacts)
    if not exits or not able or account.limits.agreement_cents is None:
        return ProofFault.AGREEMENT_NOT_NEEDED
    unproved = action.proved_at is None or by_keys_alone(account, action)
    return ProofFault.AGREEMENT_NOT_NEEDED if unproved else None


def judge_contact(
    account: Account, _: OpenAction, source: str, public_key: str
) -> Passkey | ProofFault:
    """Return the passkey with which a contact agrees, or why it does not count."""
    contact = contact_of(account, source)
    if contact is None or public_key != contact.public_key:
        return ProofFault.AUTHENTICATOR_GONE
    return contact


def agreement_token(action: OpenAction) -> str:
    """Return the secret part of the link by which a contact sees ``action``: 32 bytes, base64url.

    It stands for the action's id, which it does not tell: that would lead to the owner's own page.
    """
    key = from_b64url(action.veto_key, size=32)
    return b64url(tagged_mac(key, "agree/v1", action.action_id.encode()))


def agreement_path(action: OpenAction, missing: Requirement) -> str:
    """Return the path of the page on which somebody else agrees to ``action``, or "".

    Where other members must they come first. There is none before the proof of who asks, nor where
    nobody's agreement is ``missing``.
    """
    who = who_agrees(missing)
    if action.proved_at is None or who is None:
        return ""
    token = member_token(action) if who is Factor.MEMBER else agreement_token(action)
    return f"/agree/{action.payload.account}/{token}"


def who_agrees(missing: Requirement) -> Factor | None:
    """Return whose agreement is ``missing``: another member's, a trusted contact's, or nobody's."""
    asked = {one for leaf in leaves(missing) if isinstance(leaf, Prove) for one in leaf.factors}
    return next((one for one in (Factor.MEMBER, Factor.TRUSTED_CONTACT) if one in asked), None)


# --- What takes effect ---


def who_joins(
    account: Account, action: OpenAction, *, several: bool, now: datetime
) -> tuple[ContactJoined, ...]:
    """Return that the contact in ``action`` may agree from now on.

    Where ``several`` members agreed, it rests on no single one's proof, and falls with none.
    Prevents: one member who says "not me" of their own key, by which a contact leaves at once.
    """
    made: Authenticator = msgspec.json.decode(action.secret, type=Authenticator)
    if not isinstance(made, Passkey):
        raise InvariantError("a contact has a passkey")
    contact = replace(
        made,
        bound_at=now,
        entry=account.chain.entries,
        by=() if several else stood_on(account, action),
        behind=() if several else behind(account, action, now=now),
    )
    return (ContactJoined(at=now, contact=contact),)


def who_leaves(action: OpenAction, *, now: datetime) -> tuple[ContactLeft, ...]:
    """Return that a contact agrees to nothing any more."""
    payload = action.payload
    named = payload.contact_id if isinstance(payload, TrustedContactRemove) else ""
    return (ContactLeft(at=now, contact_id=AuthenticatorId(named)),)
