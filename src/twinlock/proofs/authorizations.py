"""Verifies an authorization: a signature under a trusted key over exactly what its entry says.

A bundle holds it without its claims (RFC 7515, appendix F): they are written anew from the opened
entry, so there is nothing in them to compare, and nothing to forget to compare.

Always true (tests/vectors/test_bundle_forgeries.py): an authorization that comes back adds nothing
to the entry it belongs to, its date and its kind included. A stolen key alone authorizes nothing,
makes no yes a spend, and makes nothing old new again.

Source: RFC 7515, 7.1; RFC 8725, 3; docs/verify.md, step 9.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from twinlock.domain.actions import type_of
from twinlock.domain.authorization import (
    AUTHORIZATION_TYPE,
    SPEND_TYPE,
    Authorization,
    Issued,
    authorization,
)
from twinlock.domain.canonical import b64url, decode, encode, from_b64url
from twinlock.domain.errors import JwsRefusedError, MalformedError
from twinlock.domain.requirements import Answer
from twinlock.proofs import jws
from twinlock.proofs.bundle_faults import BundleFault, refuse
from twinlock.proofs.leaves import ShownDecision, read_canonical


def detached(token: str) -> str:
    """Return ``token``, a compact JWS, without its claims: ``header..signature``."""
    header, _, signature = token.split(".")
    return f"{header}..{signature}"


def verify_authorization(
    token: str, decision: ShownDecision, *, keys: Mapping[str, Ed25519PublicKey]
) -> Authorization:
    """Return the claims that ``token``, detached, signs: those of the entry and no others.

    Raises:
        BundleRefusedError: one of the ``authorization_`` faults, or opening_malformed.
    """
    is_yes = decision.leaf.t == type_of(decision.payload) or decision.spend is not None
    if decision.leaf.dec is not Answer.ALLOW or not is_yes:  # An entry of a veto says yes to it.
        refuse(BundleFault.AUTHORIZATION_NOT_ALLOWED)
    claims = authorization(
        Issued(
            log_origin=decision.origin,
            policy=decision.policy,
            facts=read_canonical(decision.opened["facts"], str, BundleFault.OPENING_MALFORMED),
            index=decision.index,
            at=datetime.fromtimestamp(decision.leaf.at // 1000, tz=UTC),
        ),
        action_id=decision.action_id,
        payload=decision.opened["payload"],
        spend=decision.spend or ("", ""),
    )
    header, between, signature = token.partition("..")
    if not between:
        refuse(BundleFault.AUTHORIZATION_MALFORMED)
    kind = AUTHORIZATION_TYPE if decision.spend is None else SPEND_TYPE
    try:
        jws.verify(f"{header}.{b64url(encode(claims))}.{signature}", keys=keys, typ=kind)
    except JwsRefusedError:
        refuse(_token_fault(header, kind, keys))
    return claims


def _token_fault(header: str, kind: str, keys: Mapping[str, Ed25519PublicKey]) -> BundleFault:
    """Return why it was refused. The header is read for that only, and never believed."""
    try:
        read = decode(from_b64url(header))
        key_known, named = read["kid"] in keys, read["typ"]
    except (MalformedError, KeyError, TypeError):
        return BundleFault.AUTHORIZATION_MALFORMED
    if not key_known:
        return BundleFault.AUTHORIZATION_KEY_UNKNOWN
    if named != kind:
        return BundleFault.AUTHORIZATION_OTHER_KIND
    return BundleFault.AUTHORIZATION_SIGNATURE_BAD
