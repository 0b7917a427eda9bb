"""Security event tokens of ours, signed: what ``sets`` reads of other parties.

Always true (tests/unit/proofs/test_set_signing.py): a token is the same for the same claims under
one key; it says what it is (``typ``), so that it is never taken for anything else that we sign.

Source: RFC 8417, 2; RFC 8725, 3.11; OpenID SSF 1.0, 4.1.
"""

from typing import Any, Protocol

from twinlock.domain.bounds import SIGNAL_BYTES_MOST
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import invariant
from twinlock.domain.transmitting.streams import TokenAlgorithm
from twinlock.proofs.sets import TYPE


class SetSigner(Protocol):
    """Whatever signs tokens: the key in use, its name, and by which algorithm it signs."""

    @property
    def algorithm(self) -> TokenAlgorithm:
        """The algorithm, as tokens name it."""
        ...

    @property
    def key_id(self) -> str:
        """The name of the key that signs."""
        ...

    def sign(self, base: bytes) -> bytes:
        """Return the signature of ``base``, the same one each time."""
        ...


def sign_set(claims: dict[str, Any], *, signer: SetSigner) -> str:
    """Return the token over ``claims``."""
    header = encode({"alg": signer.algorithm, "kid": signer.key_id, "typ": TYPE})
    signed = f"{b64url(header)}.{b64url(encode(claims))}"
    token = f"{signed}.{b64url(signer.sign(signed.encode('ascii')))}"
    invariant(len(token) <= SIGNAL_BYTES_MOST, "a token is as long as we would read one")
    return token
