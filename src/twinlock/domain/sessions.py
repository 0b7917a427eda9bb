"""What a device signs to act in its session, as it travels with a proposal or a veto.

It may stand beside a sign-in too, signed by the key that would sign in. There it claims no session,
so ``session_id`` may be anything or empty: it says that this very device asks, and has wrong
answers counted as a known device's. Without it they are counted as a stranger's.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from twinlock.domain.canonical import tagged_hash

PROPOSAL, VETO = "proposal", "veto"  # What a device signs for.


class SignedDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session, and the signature of its device key; without one the session is only named.

    ``jwk`` is the public key, ``signed_at`` in POSIX milliseconds, ``signature`` r ‖ s in
    base64url.
    """

    session_id: Annotated[str, Meta(max_length=64)]
    jwk: dict[str, Any] | None = None
    signed_at: Annotated[int, Meta(ge=0, le=2**53 - 1)] = 0
    signature: Annotated[str, Meta(max_length=128)] = ""


def signing_nonce(purpose: str, name: str, *, signed_at: int) -> bytes:
    """Return what makes this signature good for one thing at one time: 32 bytes.

    ``purpose`` is PROPOSAL or VETO, and ``name`` the idempotency key of the proposal, or the id of
    the action that is vetoed.
    """
    at = signed_at.to_bytes(8, "big")
    return tagged_hash("session-nonce/v1", purpose.encode(), name.encode(), at)
