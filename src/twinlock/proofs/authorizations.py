"""Verifies an authorization: a statement under a trusted key that says what its entry says.

Always true (tests/vectors/test_bundle_forgeries.py): an authorization that comes back adds nothing
to the entry it names. Every claim is held against what the log shows, its date included, so a
stolen key alone authorizes nothing and makes nothing old new again.

Source: RFC 7515; RFC 8725, 3; docs/verify.md, step 9.
"""

from collections.abc import Mapping
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from twinlock.domain.actions import WithdrawalCrypto, payload_digest, type_of
from twinlock.domain.authorization import (
    AUTHORIZATION_TYPE,
    SPEND_TYPE,
    Authorization,
    read_claims,
)
from twinlock.domain.bounds import AUTHORIZATION_LIFETIME, SPEND_LIFETIME
from twinlock.domain.canonical import decode, encode, from_b64url
from twinlock.domain.errors import JwsRefusedError, MalformedError
from twinlock.domain.money import AmountError, minor_units
from twinlock.domain.requirements import Answer
from twinlock.proofs import jws
from twinlock.proofs.bundle_faults import BundleFault, refuse
from twinlock.proofs.leaves import ShownDecision, read_canonical

_SECONDS = MappingProxyType(
    {
        SPEND_TYPE: int(SPEND_LIFETIME.total_seconds()),
        AUTHORIZATION_TYPE: int(AUTHORIZATION_LIFETIME.total_seconds()),
    }
)


def verify_authorization(
    token: str, decision: ShownDecision, *, keys: Mapping[str, Ed25519PublicKey]
) -> Authorization:
    """Return the claims of ``token``; with a ``spend`` in them it is a spend, else a mere yes.

    Raises:
        BundleRefusedError: one of the ``authorization_`` faults.
    """
    kind, data = _verify_token(token, keys)
    try:
        decode(data)
        claims = read_claims(data)
    except MalformedError:
        refuse(BundleFault.AUTHORIZATION_MALFORMED)
    _check_claims(claims, decision)
    if not 0 < claims.exp - claims.iat <= _SECONDS[kind]:
        refuse(BundleFault.AUTHORIZATION_LIFETIME_WRONG)
    if kind == SPEND_TYPE:
        _check_spend(claims, decision)
    elif claims.spend or claims.fee_minor:
        refuse(BundleFault.AUTHORIZATION_NO_SPEND)
    return claims


def _verify_token(token: str, keys: Mapping[str, Ed25519PublicKey]) -> tuple[str, bytes]:
    for kind in _SECONDS:
        try:
            return kind, jws.verify(token, keys=keys, typ=kind)
        except JwsRefusedError:
            continue
    return refuse(_token_fault(token, keys))


def _token_fault(token: str, keys: Mapping[str, Ed25519PublicKey]) -> BundleFault:
    """Return why ``token`` was refused. Its header is read for that only, and never believed."""
    try:
        header = decode(from_b64url(token.partition(".")[0]))
        key_known, kind_known = header["kid"] in keys, header["typ"] in _SECONDS
    except (MalformedError, KeyError, TypeError):
        return BundleFault.AUTHORIZATION_MALFORMED
    if not key_known:
        return BundleFault.AUTHORIZATION_KEY_UNKNOWN
    if not kind_known:
        return BundleFault.AUTHORIZATION_KIND_UNKNOWN
    return BundleFault.AUTHORIZATION_SIGNATURE_BAD


def _check_claims(claims: Authorization, decision: ShownDecision) -> None:
    """Hold each claim against the entry.

    Prevents: an authorization, signed with a stolen key, for what was never decided; an old entry
    dated anew; an entry of another type, a veto's say, passed off as the yes.
    """
    leaf, payload = decision.leaf, decision.opened["payload"]
    facts = read_canonical(decision.opened["facts"], str, BundleFault.OPENING_MALFORMED)
    policy = decision.policy
    same = {
        BundleFault.AUTHORIZATION_NOT_ALLOWED: leaf.dec is Answer.ALLOW,
        BundleFault.AUTHORIZATION_OTHER_LOG: claims.iss == decision.origin,
        BundleFault.AUTHORIZATION_OTHER_ENTRY: claims.index == decision.index,
        BundleFault.AUTHORIZATION_OTHER_TIME: claims.iat == leaf.at // 1000,
        BundleFault.AUTHORIZATION_OTHER_ACTION: claims.jti == decision.action_id,
        BundleFault.AUTHORIZATION_OTHER_TYPE: claims.type == leaf.t == type_of(decision.payload),
        BundleFault.AUTHORIZATION_OTHER_ACCOUNT: claims.account == decision.account,
        BundleFault.AUTHORIZATION_OTHER_PAYLOAD: encode(claims.payload) == payload
        and claims.payload_digest == payload_digest(payload),
        BundleFault.AUTHORIZATION_OTHER_POLICY: claims.policy == policy.digest
        and claims.policy_version == policy.version,
        BundleFault.AUTHORIZATION_OTHER_FACTS: claims.facts == facts,
    }
    for fault, holds in same.items():
        if not holds:
            refuse(fault)


def _check_spend(claims: Authorization, decision: ShownDecision) -> None:
    payload = decision.payload
    if not claims.spend or not isinstance(payload, WithdrawalCrypto):
        refuse(BundleFault.AUTHORIZATION_NO_SPEND)
    try:
        fee = minor_units(claims.fee_minor)
    except AmountError:
        refuse(BundleFault.AUTHORIZATION_FEE_TOO_HIGH)
    if fee > minor_units(payload.max_fee_minor):
        refuse(BundleFault.AUTHORIZATION_FEE_TOO_HIGH)
