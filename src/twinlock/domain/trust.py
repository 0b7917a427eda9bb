"""The trust file: all that an auditor or a wallet signer is told about us, by somebody else.

It is handed over out of band, once, and compared by its bytes. Everything that a bundle says is
held against it; nothing in it is ever learned from a bundle.

Always true (tests/unit/domain/test_trust.py): a ``Trust`` that exists can be used. Its log policy
parses, its keys are sound and each serves one role, its site is one where people can prove.

Source: C2SP tlog-policy for ``log``; docs/verify.md.
"""

import re
from functools import lru_cache

import msgspec

from twinlock.domain.canonical import from_b64url, parse_strict
from twinlock.domain.errors import MalformedError
from twinlock.domain.log.note import ED25519_KEY_BYTES, KeyType, VerifierKey
from twinlock.domain.log.trust import TrustPolicy, parse_trust_policy

TRUST_BYTES_MOST = 65_536  # A policy of 32 logs and witnesses each, and as many keys.
KEYS_MOST = 32  # Some years of rotations.
POLICIES_MOST = 256  # Pinned policy versions.
VERSION = 1
_DIGEST_BYTES = 32
_KID = re.compile(r"[A-Za-z0-9._:/+-]{1,128}")
_SITE = re.compile(r"(?:https://(?P<host>[a-z0-9.-]+)|http://(?P<demo>localhost))(?::[0-9]{1,5})?")


class Trust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a verifier believes.

    ``log`` is the text of a C2SP trust policy: our log, the witnesses, the quorum.
    ``authorization_keys`` are Ed25519 keys (base64url of 32 bytes) by key id. ``rp_id`` and
    ``origin`` name the one site where customers prove. ``policies``, where it is not empty, pins
    the digests (base64url of 32 bytes) of the policy versions that may have decided.

    Raises:
        MalformedError: any part is not of its form, or one key has two roles.
    """

    v: int
    log: str
    authorization_keys: dict[str, str]
    rp_id: str
    origin: str
    policies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.v != VERSION:
            raise MalformedError("a trust file of another version")
        self._check_keys()
        site = _SITE.fullmatch(self.origin)
        if site is None or (site["host"] or site["demo"]) != self.rp_id:
            raise MalformedError("the origin is https:// and the RP id, with a port at most")
        if len(self.policies) > POLICIES_MOST:
            raise MalformedError(f"a trust file pins at most {POLICIES_MOST} policies")
        for digest in self.policies:
            from_b64url(digest, size=_DIGEST_BYTES)

    def _check_keys(self) -> None:
        if not 0 < len(self.authorization_keys) <= KEYS_MOST:
            raise MalformedError(f"a trust file has 1 to {KEYS_MOST} authorization keys")
        policy = self.log_policy
        taken = {log.key.public_key for log in policy.logs}
        taken |= {witness.key.public_key for witness in policy.witnesses}
        for kid, key in self.authorization_keys.items():
            if not _KID.fullmatch(kid):
                raise MalformedError("a key id is 1 to 128 plain characters")
            public_key = from_b64url(key, size=ED25519_KEY_BYTES)
            # Refuses a key that is not canonical or of small order, under which anyone can sign.
            VerifierKey(name="authorization", key_type=KeyType.ED25519, public_key=public_key)
            if public_key in taken:
                raise MalformedError("one raw key has two roles")
            taken.add(public_key)

    @property
    def log_policy(self) -> TrustPolicy:
        """Return ``log`` as the policy that it spells."""
        return _parsed(self.log)


@lru_cache(maxsize=8)  # Each verification asks; a process trusts one or two.
def _parsed(log: str) -> TrustPolicy:
    try:
        return parse_trust_policy(log.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise MalformedError("a trust policy is not Unicode text") from error


def read_trust(data: bytes) -> Trust:
    """Return the trust file in ``data``: JSON in any layout, since people write and compare it.

    Raises:
        MalformedError: too large, a doubled or unknown key, or a part that is not of its form.
    """
    if len(data) > TRUST_BYTES_MOST:
        raise MalformedError("a trust file is smaller")
    try:
        return msgspec.convert(parse_strict(data), Trust)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # A lone surrogate is no text.
        raise MalformedError(f"not a trust file: {error}") from error
