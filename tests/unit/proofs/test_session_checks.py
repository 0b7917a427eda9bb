"""A session counts by the signature of its device key, and by nothing else."""

from datetime import UTC, datetime

import pytest

from twinlock.domain.canonical import b64url, tagged_hash
from twinlock.domain.ids import SessionId
from twinlock.domain.sessions import PROPOSAL, SignedDraft, signing_nonce
from twinlock.proofs.device_keys import session_proof_message
from twinlock.proofs.sessions import check_session
from twinlock.range.device import SoftwareDevice

DEVICE = SoftwareDevice(b"alice's device".ljust(32, b"."))
SESSION, DIGEST = SessionId("ses_alice"), b64url(bytes(32))
LAST = 253_402_300_799_999  # The last millisecond of year 9999.


def draft(*, signed_at: int, session_id: str = SESSION) -> SignedDraft:
    nonce = signing_nonce(PROPOSAL, "order-1", signed_at=signed_at)
    message = session_proof_message(SESSION, nonce=nonce, payload_digest=bytes(32))
    return SignedDraft(
        session_id=session_id,
        jwk=DEVICE.jwk(),
        signed_at=signed_at,
        signature=DEVICE.sign(message),
    )


def test_the_last_millisecond_of_year_9999_is_a_time() -> None:
    checked = check_session(draft(signed_at=LAST), purpose=PROPOSAL, name="order-1", digest=DIGEST)

    assert checked.thumbprint
    assert checked.signed_at is not None
    assert abs((checked.signed_at - datetime.max.replace(tzinfo=UTC)).total_seconds()) < 1


@pytest.mark.parametrize("signed_at", [LAST + 1, 2**53 - 1])
def test_a_signature_from_beyond_the_calendar_signs_nothing(signed_at: int) -> None:
    checked = check_session(
        draft(signed_at=signed_at), purpose=PROPOSAL, name="order-1", digest=DIGEST
    )

    assert (checked.thumbprint, checked.signed_at) == ("", None)


def test_a_session_that_is_no_ascii_signs_nothing() -> None:
    checked = check_session(
        draft(signed_at=0, session_id="séance"), purpose=PROPOSAL, name="order-1", digest=DIGEST
    )

    assert checked.thumbprint == ""


def test_what_a_device_signs_names_its_purpose_its_object_and_its_time() -> None:
    """Prevents: the signature of one proposal, kept for a veto or for another day."""
    nonce = signing_nonce("proposal", "key-1", signed_at=1_767_225_600_000)
    at = (1_767_225_600_000).to_bytes(8, "big")

    assert nonce == tagged_hash("session-nonce/v1", b"proposal", b"key-1", at)
