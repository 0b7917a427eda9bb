"""The evidence bundle: everything an auditor needs about one decision, and nothing he must trust.

It holds the public leaf, what opens its commitments, the policy's bytes, the proofs that were shown
with the entries that bound their keys, and one signed checkpoint that all of them lead to. Checked
by ``twinlock.proofs.bundles``.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from twinlock.domain.canonical import parse_strict
from twinlock.domain.entries import Opening
from twinlock.domain.errors import MalformedError

BUNDLE_BYTES_MOST = 65_536
PROOFS_MOST = 16  # Each of eight authenticators once, a session, codes by four channels.
_Hashes = Annotated[str, Meta(max_length=2_688)]  # base64url of 63 hashes of 32 bytes.
_Fields = Annotated[dict[str, Opening], Meta(max_length=16)]


class Included(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry in the log: its leaf, its index, the path to the bundle's root, some openings.

    ``leaf`` is the leaf's own text; ``path`` is base64url of all siblings of 32 bytes, from the
    leaf's upwards, one behind the other. ``key`` (32 bytes, base64url) is the entry's own: the
    leaf's label follows from it, and the customer makes the same from the account's label key.
    """

    leaf: str
    index: int
    key: str
    path: _Hashes
    openings: _Fields


class ShownProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A proof by the customer's own key: its evidence as text, and the entry that bound the key."""

    factor: str
    evidence: str
    binding: Included


class Bundle(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One decision with its evidence.

    ``authorization`` is the JWS without its claims, which the opened entry holds already:
    ``header..signature`` (RFC 7515, appendix F); empty where there is none. ``checkpoint`` is a
    signed note; ``consistency``, in the form of a path, leads from ``consistent_from`` to its size.
    """

    v: int
    origin: str
    authorization: str
    decision: Included
    policy: str
    proofs: Annotated[tuple[ShownProof, ...], Meta(max_length=PROOFS_MOST)]
    checkpoint: str
    consistent_from: int = 0
    consistency: _Hashes = ""


def read_bundle(data: bytes) -> Bundle:
    """Return the bundle in ``data``: JSON in any layout, as it may have passed through other hands.

    Raises:
        MalformedError: too large, a doubled or unknown key, or not of this form.
    """
    if len(data) > BUNDLE_BYTES_MOST:
        raise MalformedError(f"it is larger than {BUNDLE_BYTES_MOST} bytes")
    try:
        return msgspec.convert(parse_strict(data), Bundle)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # A lone surrogate is no text.
        raise MalformedError("a member is missing, unknown, or of another form") from error
