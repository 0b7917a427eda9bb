"""On which origins a passkey may answer, where an older system had the RP ID that is now ours."""

from typing import cast

import pytest
from msgspec.structs import replace
from support.cast import MALLORYS_LAPTOP, NOON
from support.gates import Gate
from support.worlds import EMAIL, a_passkey, an_account

from twinlock.domain.account import Challenge
from twinlock.domain.actions import payload_bytes
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.bounds import CHALLENGE_LIFETIME
from twinlock.domain.canonical import b64url
from twinlock.domain.ids import ChallengeId
from twinlock.ports import Clock, Hasher
from twinlock.proofs import intents
from twinlock.proofs.passkeys import OlderSite, RelyingParty
from twinlock.range.authenticator import Ceremony, SoftwareAuthenticator
from twinlock.services.proving.checking import Checking, Reply

OURS = RelyingParty(rp_id="acme.example", origin="https://acme.example")
OLDER = OlderSite(rp_id="acme.example", origin="https://www.acme.example")
CHECKING = Checking(clock=cast("Clock", None), hasher=cast("Hasher", None), rp=OURS, older=(OLDER,))
NONCE = bytes(range(32))
DEVICE = SoftwareAuthenticator(b"device".ljust(32))
ASKED = Challenge(
    challenge_id=ChallengeId("chl_asked"),
    factor=Factor.PASSKEY,
    expires_at=NOON + CHALLENGE_LIFETIME,
    nonce=b64url(NONCE),
)


async def answered(origin: str, *, bound_for: str) -> str:
    """Answer on ``origin`` with a passkey that was bound for ``bound_for``; return its fault."""
    bound = replace(
        a_passkey(),
        credential_id=b64url(DEVICE.credential_id),
        public_key=b64url(DEVICE.public_key),
        backup_eligible=False,
        rp_id=bound_for,
    )
    gate = Gate.of(an_account(bound, channels=(EMAIL,)))
    named = gate.start(MALLORYS_LAPTOP)
    action = gate.account.action(named)
    challenge = intents.challenge(NONCE, payload_bytes(action.payload))
    response = DEVICE.get(Ceremony(challenge=challenge, rp_id=OURS.rp_id, origin=origin))
    reply = Reply(factor=Factor.PASSKEY, challenge_id=ASKED.challenge_id, response=response)
    try:
        await CHECKING.check(gate.account, replace(action, challenges=(ASKED,)), reply)
    except ProofRefusedError as refused:
        return refused.fault
    return ""


async def test_one_of_ours_answers_on_our_one_origin_only() -> None:
    """Prevents: the platform's own pages, which can then have anything signed."""
    assert await answered(OURS.origin, bound_for="") == ""
    assert await answered(OLDER.origin, bound_for="") == ProofFault.WRONG_ORIGIN


@pytest.mark.parametrize("origin", [OURS.origin, OLDER.origin])
async def test_an_imported_one_answers_wherever_its_rp_id_may(origin: str) -> None:
    assert await answered(origin, bound_for="acme.example") == ""


async def test_one_of_another_site_does_not_answer_on_ours() -> None:
    assert await answered(OURS.origin, bound_for="old.example") == ProofFault.WRONG_ORIGIN
