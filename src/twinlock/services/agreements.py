"""What another person comes to by a link: an invitation, or something to agree to.

A trusted contact has no account here and signs in nowhere; another member of the account agrees in
the same way. The link says to what, and the passkey who.
"""

import hmac
from datetime import timedelta
from typing import Any

import msgspec

from twinlock.domain.account import ActionUnknownError, Candidate
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import CHALLENGE_LIFETIME
from twinlock.domain.ids import AccountId, ActionId, parse_account_id
from twinlock.domain.members import asking_fault, lifetime_of, member_token
from twinlock.domain.people import (
    agreement_fault,
    agreement_token,
    contact_handle,
    invitation,
)
from twinlock.ports import Clock, Store
from twinlock.proofs import passkeys

_AS = {Factor.TRUSTED_CONTACT: "trusted contact", Factor.MEMBER: "member"}
_ALGORITHMS = (-7, -8, -257)  # ES256, EdDSA, RS256: what ``proofs.cose`` reads.


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation: whom it is for, and the options of ``navigator.credentials.create``.

    ``factor`` says as what: a trusted contact, or a member; it is confirmed ``within`` so long.
    """

    account_id: AccountId
    candidate_id: str
    factor: Factor
    name: str
    within: timedelta
    options: dict[str, Any]


class Agreements:
    """The use cases of the links that trusted contacts and members get."""

    def __init__(self, store: Store, *, clock: Clock, rp: passkeys.RelyingParty) -> None:
        self._store = store
        self._clock = clock
        self._rp = rp

    async def invited(self, account_id: str, candidate_id: str) -> Invited:
        """Return an invitation while it stands.

        Raises:
            ActionUnknownError: there is none, it is over, or it was taken up.
            MalformedError: no account has such an id.
        """
        account = await self._store.account(parse_account_id(account_id))
        found = invitation(account, candidate_id, now=self._clock.now(database_at=None))
        if found is None:
            raise ActionUnknownError("this link leads to nothing any more")
        return Invited(
            account_id=account.account_id,
            candidate_id=found.candidate_id,
            factor=found.factor,
            name=found.name,
            within=lifetime_of(account),
            options=self._options(found),
        )

    def _options(self, invited: Candidate) -> dict[str, Any]:
        """Return the options as JSON (WebAuthn L3, 5.1.9).

        None of the account's credentials is excluded: whoever has the link would read their ids.
        What is the owner's, or a contact's already, is refused when it comes. The user handle is
        of this invitation alone. Prevents: a contact's own passkey for an account of theirs here,
        overwritten by this one.
        """
        return {
            "attestation": "none",
            "authenticatorSelection": {"residentKey": "preferred", "userVerification": "required"},
            "challenge": invited.secret,
            "excludeCredentials": [],
            "pubKeyCredParams": [{"alg": one, "type": "public-key"} for one in _ALGORITHMS],
            "rp": {"id": self._rp.rp_id, "name": "Twinlock"},
            "timeout": int(CHALLENGE_LIFETIME.total_seconds() * 1000),
            "user": {
                "displayName": invited.name,
                "id": contact_handle(invited.candidate_id),
                "name": f"{invited.name} ({_AS[invited.factor]})",
            },
        }

    async def asked(self, account_id: str, token: str) -> tuple[ActionId, Factor]:
        """Return the open action that a link asks about, and whether a contact or a member.

        Raises:
            ActionUnknownError: there is none, it is over, or nobody need agree to it.
            MalformedError: no account has such an id.
        """
        account = await self._store.account(parse_account_id(account_id))
        for action in account.actions:
            for factor, named, fault in (
                (Factor.TRUSTED_CONTACT, agreement_token(action), agreement_fault),
                (Factor.MEMBER, member_token(action), asking_fault),
            ):
                same = hmac.compare_digest(named.encode(), token.encode())
                if same and fault(account, action) is None:
                    return action.action_id, factor
        raise ActionUnknownError("this link leads to nothing any more")
