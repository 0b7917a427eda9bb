"""What a policy version lets thieves do that the one in force does not: named, and by a digest.

The prover finds it; officers sign its digest, so that nobody accepts more than was shown, or other.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

from twinlock.domain.canonical import b64url, encode, tagged_hash


class NamedAttack(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A smallest set of capabilities that reaches ``goal`` from ``state`` after ``minutes``."""

    state: str
    goal: str
    capabilities: tuple[str, ...]
    minutes: int


Growth: TypeAlias = Callable[[bytes, bytes], tuple[NamedAttack, ...]]
"""Of the texts of the version in force and of the new one (``policy.version.policy_text``): the
attacks of the new one that none of the old one's are as small and as soon as."""


def in_order(attacks: Iterable[NamedAttack]) -> tuple[NamedAttack, ...]:
    """Return ``attacks`` in the one order, each once, with its capabilities in theirs."""
    alike = {
        msgspec.structs.replace(one, capabilities=tuple(sorted({*one.capabilities})))
        for one in attacks
    }
    return tuple(sorted(alike))


def growth_digest(attacks: Iterable[NamedAttack]) -> str:
    """Return the digest (base64url of 32 bytes) of a growth, "" for none."""
    named = in_order(attacks)
    return b64url(tagged_hash("policy-growth/v1", encode(named))) if named else ""
