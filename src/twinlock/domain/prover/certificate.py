"""The certificate of "no set of fewer than k capabilities reaches a goal", and who accepts it.

A *question* is the rules of all states over one list of atoms, and what is claimed of them. Rules
that need the same and stand in the same states are told as one, with all that follows by them, and
with the states by runs ("0+8 12+1": the first eight, and number 12), which take less room than a
mask. A *set* is three masks (caps, closed, states): in these states no rule leads
from atoms in ``closed`` out of it, also where the rules of all of them are taken together, so that
few sets serve many states. A claim is proved when each set holds its own capabilities and no goal,
and when any k − 1 of the claim's capabilities lie in the sets of each of its states. Time plays no
part: who cannot get out of a set cannot, whatever they wait.

A certificate names the digests of the policy and of the question. It vouches for the rules, not for
how they were made from the policy.

Always true (tests/unit/domain/prover/test_certificate.py):

* ``accepted`` returns only what ``check`` has checked, and refuses everything else by one error.
"""

from typing import Annotated, Literal

import msgspec

from twinlock.domain.bounds import CERTIFICATE_BYTES_MOST
from twinlock.domain.canonical import decode, encode, tagged_hash
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.prover.check import check

QUESTION_TAG = "prover-question/v1"

Hex = Annotated[str, msgspec.Meta(pattern="^(0|[1-9a-f][0-9a-f]*)\\Z")]  # A mask, in one form only.
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}\\Z")]


class CertificateRefusedError(TwinlockError):
    """The certificate is not whole, is of other rules, or does not prove its claims: prove anew."""

    code = "certificate_refused"
    status = 422


class Claim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In none of ``states`` do fewer than ``k`` of ``capabilities`` reach any of ``goals``."""

    k: int
    goals: tuple[int, ...]
    capabilities: tuple[int, ...]
    states: Hex


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules (body, heads, runs of states) over ``atoms``, by their numbers, and the claims."""

    atoms: tuple[str, ...]
    rules: tuple[tuple[tuple[int, ...], tuple[int, ...], str], ...]
    claims: tuple[Claim, ...]


Sets = tuple[tuple[Hex, Hex, Hex], ...]  # Capabilities, closed, states: masks of atoms and states.


class Certificate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sets that prove each claim of a question, in the order of its claims."""

    form: Literal["twinlock-certificate/v1"] = "twinlock-certificate/v1"
    policy: Digest
    question: Digest
    proofs: tuple[Sets, ...]


def digest_of(question: Question) -> str:
    """Return what a certificate names of the question that it answers, in hex."""
    return tagged_hash(QUESTION_TAG, encode(question)).hex()


def read(data: bytes, *, policy: bytes) -> Certificate:
    """Return the certificate in canonical JSON that ``data`` is; what it proves is not checked.

    ``policy`` is the digest of the policy that it must be of, 32 bytes.

    Raises:
        CertificateRefusedError: too long, cut off, not of its form, or of another policy.
    """
    if len(data) > CERTIFICATE_BYTES_MOST:
        raise CertificateRefusedError(f"a certificate has at most {CERTIFICATE_BYTES_MOST} bytes")
    try:
        certificate = msgspec.convert(decode(data), Certificate)
    except (MalformedError, msgspec.ValidationError) as error:
        raise CertificateRefusedError(f"this is no certificate: {error}") from error
    if certificate.policy != policy.hex():
        raise CertificateRefusedError("the certificate is of another policy")
    return certificate


def accepted(data: bytes, question: Question, *, policy: bytes) -> Certificate:
    """Return the certificate in canonical JSON that proves all claims of ``question``.

    ``policy`` is the digest of the policy that the question was made from, 32 bytes.

    Raises:
        CertificateRefusedError: as ``read``; or it is of another question, or a claim does not
            follow from it.
    """
    certificate = read(data, policy=policy)
    try:
        check(msgspec.to_builtins(question), msgspec.to_builtins(certificate))
    except ValueError as error:
        raise CertificateRefusedError(f"the certificate proves nothing: {error}") from error
    return certificate
