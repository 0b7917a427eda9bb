"""Checks the signature of a session's device key over one payload."""

from datetime import UTC, datetime

from twinlock.domain.authenticators.faults import ProofRefusedError
from twinlock.domain.canonical import encode, from_b64url
from twinlock.domain.commands import SessionSignature
from twinlock.domain.ids import SessionId
from twinlock.domain.sessions import SignedDraft, signing_nonce
from twinlock.proofs.device_keys import (
    parse_jwk,
    session_proof_message,
    thumbprint_of,
    verify_device_signature,
)

_MILLISECOND = 1000
_SIGNED_AT_MOST = 253_402_300_799_999  # The last millisecond of year 9999, in POSIX milliseconds.


def check_session(draft: SignedDraft, *, purpose: str, name: str, digest: str) -> SessionSignature:
    """Return whose device key signed the payload with this ``digest`` (32 bytes, base64url).

    ``purpose`` and ``name`` say what for (``signing_nonce``). They stand in the evidence with the
    device's own time, so that whoever checks it later makes the same nonce.

    A session that is only named, whose signature does not verify, or that says it was made at a
    time that no calendar holds, comes back without a thumbprint: it proves nothing, and law 2
    refuses the action. Beside a sign-in, which claims no session, it counts as none.
    """
    session_id = SessionId(draft.session_id)
    unsigned = SessionSignature(session_id=session_id, thumbprint="", signed_at=None)
    readable = draft.session_id.isascii() and draft.signed_at <= _SIGNED_AT_MOST
    if draft.jwk is None or not readable:
        return unsigned
    nonce = signing_nonce(purpose, name, signed_at=draft.signed_at)
    message = session_proof_message(
        session_id, nonce=nonce, payload_digest=from_b64url(digest, size=32)
    )
    try:
        key = parse_jwk(draft.jwk)
        verify_device_signature(key, draft.signature, message)
    except ProofRefusedError:
        return unsigned
    canonical = key.canonical()
    return SessionSignature(
        session_id=session_id,
        thumbprint=thumbprint_of(canonical),
        signed_at=datetime.fromtimestamp(draft.signed_at / _MILLISECOND, tz=UTC),
        evidence=encode(
            {
                "jwk": canonical.decode("ascii"),
                "name": name,
                "purpose": purpose,
                "session": session_id,
                "signature": draft.signature,
                "signed_at": draft.signed_at,
            }
        ),
    )
