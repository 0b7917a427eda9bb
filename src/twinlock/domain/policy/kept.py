"""Kept: a policy version as its whole text was stored, read back to decide by again.

Always true (tests/unit/domain/policy/test_kept.py): what is returned has the digest that was asked
for, so it means what it meant when it decided.
"""

from typing import Any

import msgspec

from twinlock.domain.money import Asset
from twinlock.domain.policy.annotations import PolicyFault, refuse
from twinlock.domain.policy.version import Draft, Policy, header_of, policy_digest

_ASSETS = msgspec.json.Decoder(tuple[Asset, ...])


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    assets: msgspec.Raw
    profile: str
    ranges: Any
    schema: str
    statutes: msgspec.Raw
    version: int


def read_kept(text: bytes, *, digest: str) -> Policy:
    """Return the policy of which ``text`` is the whole, and ``digest`` the name.

    Raises:
        PolicyRefusedError: it is none, or another; or it was checked against other facts, ranges or
            words than this version knows, so that nobody can say what it would decide now.
    """
    if policy_digest(header_of(text)) != digest:
        refuse(PolicyFault.UNREADABLE, "it is not the policy that its digest names")
    policy = read_as_now(text)
    if policy.name.digest != digest:
        refuse(PolicyFault.SCHEMA_DIFFERS, "it was checked against other facts than there are now")
    return policy


def read_as_now(text: bytes) -> Policy:
    """Return what ``text`` says when it is read with the facts of this version: to compare with.

    Another version of this program may have decided by it, and read it otherwise.

    Raises:
        PolicyRefusedError: it is no policy, or cannot be decided by with the facts of this version.
    """
    try:
        found = msgspec.json.decode(text, type=_Text)
        assets = _ASSETS.decode(found.assets)
    except msgspec.MsgspecError:
        refuse(PolicyFault.SCHEMA_DIFFERS, "it is of a version of another form")
    return Policy(
        Draft(
            version=found.version,
            profile=found.profile,
            assets=assets,
            statutes=bytes(found.statutes),
            schema=found.schema,
        )
    )
