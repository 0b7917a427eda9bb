"""What an authorization says: one exact action, decided yes, at one place in the log.

It is the rendering of a committed event, so rendering it again gives the same bytes, and whoever
holds the opened entry can write it anew: every claim follows from the entry. The signer signs a
transaction only on the one of kind ``spend``, whose entry is the spend itself.
"""

from datetime import datetime
from typing import Any

import msgspec

from twinlock.domain.actions import payload_digest
from twinlock.domain.bounds import AUTHORIZATION_LIFETIME, SPEND_LIFETIME
from twinlock.domain.canonical import encode
from twinlock.domain.policy.version import PolicyName

AUTHORIZATION_TYPE = "twinlock-authorization+jwt"
SPEND_TYPE = "twinlock-spend+jwt"
SPEND_ENTRY = "action.spend"  # The type of the entry that is a spend; nothing else is one.


class Authorization(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The claims. Instants are POSIX seconds; ``payload`` is the canonical payload's value.

    ``jti`` is the action's id, used once; ``spend`` and ``fee_minor`` are empty before the spend.
    """

    iss: str  # the log's origin
    jti: str
    iat: int
    exp: int
    type: str
    account: str
    payload: dict[str, Any]
    payload_digest: str
    policy: str
    policy_version: int
    facts: str
    index: int
    spend: str = ""
    fee_minor: str = ""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """Where an authorization comes from: the log, the policy, and the entry that said yes."""

    log_origin: str
    policy: PolicyName
    facts: str
    index: int
    at: datetime


def authorization(
    issued: Issued, *, action_id: str, payload: bytes, spend: tuple[str, str] = ("", "")
) -> Authorization:
    """Return the claims; ``spend`` is its id and fee, or two empty strings before it."""
    lifetime = SPEND_LIFETIME if spend[0] else AUTHORIZATION_LIFETIME
    value = msgspec.json.decode(payload)
    issued_at = int(issued.at.timestamp())
    return Authorization(
        iss=issued.log_origin,
        jti=action_id,
        iat=issued_at,
        exp=issued_at + int(lifetime.total_seconds()),
        type=value["type"],
        account=value["account"],
        payload=value,
        payload_digest=payload_digest(payload),
        policy=issued.policy.digest,
        policy_version=issued.policy.version,
        facts=issued.facts,
        index=issued.index,
        spend=spend[0],
        fee_minor=spend[1],
    )


def claims(
    issued: Issued, *, action_id: str, payload: bytes, spend: tuple[str, str] = ("", "")
) -> bytes:
    """Return the canonical claims: the bytes that are signed."""
    return encode(authorization(issued, action_id=action_id, payload=payload, spend=spend))
