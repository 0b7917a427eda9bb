"""Officers' signatures: made, checked one by one, and checked again over the whole chain.

Always true (tests/unit/proofs/test_officers_proofs.py): what comes back was signed by the officer
that it names; a chain that is read again is one in which every act was.
"""

from collections.abc import Callable, Iterable

from cryptography.exceptions import InvalidSignature

from twinlock.domain.authenticators.faults import ProofRefusedError
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.errors import LogDamagedError, MalformedError
from twinlock.domain.officers.platform import Platform, followed, read_leaf
from twinlock.domain.officers.statements import (
    Signed,
    Statement,
    StatementRefusedError,
    signed_bytes,
)
from twinlock.proofs.cose import ed25519


def sign(statement: Statement, by: Callable[[bytes], bytes]) -> Signed:
    """Return ``statement`` signed; ``by`` returns the Ed25519 signature (64 bytes) of bytes.

    Raises:
        MalformedError: it holds half a character, which no bytes say.
    """
    try:
        data = signed_bytes(statement)
    except UnicodeEncodeError as error:
        raise MalformedError("a statement is Unicode text") from error
    return Signed(said=statement, sig=b64url(by(data)))


def checked(signed: Signed) -> Signed:
    """Return ``signed`` when its signature is the named officer's. Raises StatementRefusedError."""
    try:
        public = ed25519(from_b64url(signed.said.officer))
        public.verify(from_b64url(signed.sig), signed_bytes(signed.said))
    except ProofRefusedError:
        raise StatementRefusedError("this is a key under which anybody can sign") from None
    except InvalidSignature:
        raise StatementRefusedError("the signature is not that of the officer it names") from None
    return signed


def platform_of(entries: Iterable[bytes], *, log: str) -> Platform:
    """Return the platform that its leaves in the log ``log`` make, in their order.

    Raises:
        LogDamagedError: one is not what an officer signed for it, or does not follow.
    """
    platform = Platform()
    for entry in entries:
        leaf = read_leaf(entry)
        if leaf is not None and leaf.signed is not None:
            _check_signed(leaf.signed, log=log, number=leaf.n)
        platform = followed(platform, leaf)
    return platform


def _check_signed(signed: Signed, *, log: str, number: int) -> None:
    try:
        said = checked(signed).said
    except StatementRefusedError as error:
        raise LogDamagedError(f"act {number} of the platform: {error}") from error
    if said.log != log:
        raise LogDamagedError(f"act {number} of the platform: it was said to another log")
