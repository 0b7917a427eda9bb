"""What an answer asks for, as OAuth says it: the challenge of a step-up (RFC 9470).

An exchange's resource server answers its own app with it; the app asks its authorization server for
that authentication, or opens our page. It says what must be shown, and for which level there is a
name of its own (``acr``): names are for ever, and a higher level serves as a lower one.

Source: RFC 9470, 3; RFC 9110, 11.2 (auth-param) and 5.6.4 (quoted-string); RFC 6750, 3.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import product, starmap
from typing import NamedTuple, TypeAlias, assert_never

from twinlock.domain.assurance import BESIDE, Factor, Level, level_of
from twinlock.domain.requirements import (
    AllOf,
    AnyOf,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
)

ACR = "urn:twinlock:acr:"
ROOTS_MOST = 2  # Law 4 asks for two.
CHOICES_MOST = 8  # A tree of alternatives multiplies out; ours have two or three.
NAMED_MOST = 256  # Ways that were put into words and are remembered: most answers ask for a few.
MAX_AGE = 0  # Law 2: a proof counts for one action, so one that was given before is none.


class Shown(NamedTuple):
    """What proofs show together: a level, so many different roots, the password among them."""

    level: Level = Level.NONE
    roots: int = 0
    password: bool = False


Choices: TypeAlias = tuple[Shown, ...]
_NO_PROOF = Shown()
_ONLY_NO_PROOF: Choices = (_NO_PROOF,)


def acr_of(level: Level, *, roots: int, password: bool) -> str:
    """Return the name of what such proofs show, such as ``urn:twinlock:acr:possession``."""
    more = f":{roots}_roots" if roots > 1 else ""
    return f"{ACR}{level.name.lower()}{more}{':password' if password else ''}"


def acr_values_supported() -> tuple[str, ...]:
    """Return every name that a challenge may hold."""
    levels = [level for level in Level if level is not Level.NONE]
    ways = product(levels, range(1, ROOTS_MOST + 1), (False, True))
    return tuple(acr_of(level, roots=roots, password=password) for level, roots, password in ways)


def acr_values(requirement: Requirement) -> tuple[str, ...]:
    """Return what may be shown for ``requirement``: one is enough; () where no proof helps.

    Of a choice between a proof and a wait it is the proof.
    """
    return _names(_choices(requirement))


@lru_cache(maxsize=NAMED_MOST)
def _names(choices: Choices) -> tuple[str, ...]:
    shown = (one for one in choices if one != _NO_PROOF)
    return tuple(acr_of(one.level, roots=one.roots, password=one.password) for one in shown)


def challenge(requirement: Requirement) -> str:
    """Return the WWW-Authenticate field that asks for ``requirement``; "" where no proof helps."""
    values = acr_values(requirement)
    return _field(values) if values else ""


@lru_cache(maxsize=NAMED_MOST)
def _field(values: tuple[str, ...]) -> str:
    params = (
        ("error", "insufficient_user_authentication"),
        ("error_description", "A proof bound to this action is missing"),
        ("acr_values", " ".join(values)),
        ("max_age", f"{MAX_AGE}"),
    )
    return "Bearer " + ", ".join(f"{name}={quoted(value)}" for name, value in params)


def quoted(text: str) -> str:
    """Return a quoted-string (RFC 9110, 5.6.4). What no field may hold is left out of it."""
    plain = "".join(sign for sign in text if sign.isascii() and sign.isprintable())
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _choices(requirement: Requirement) -> Choices:
    """Return each way in which proofs fulfil their part of ``requirement``; () where none does."""
    match requirement:
        case Prove(factors=factors) if not BESIDE.isdisjoint(factors):
            # What a new channel was sent, or a contact agrees to, authenticates nobody: we ask.
            return _ONLY_NO_PROOF
        case Prove():
            return (shown_for(requirement),)
        case WaitUntil() | Approvals():
            return _ONLY_NO_PROOF
        case Never():
            return ()
        case AnyOf(options=options):
            return _bounded(way for option in options for way in _choices(option))
        case AllOf(parts=parts):
            ways = _ONLY_NO_PROOF
            for part in parts:
                more = _choices(part)
                if more != _ONLY_NO_PROOF:
                    ways = _bounded(starmap(_together, product(ways, more)))
            return ways
        case _:
            assert_never(requirement)


def shown_for(need: Prove) -> Shown:
    """Return what a proof of ``need`` shows: factors by the level they reach, and a password."""
    reached = max((level_of(factor) for factor in need.factors), default=need.level)
    return Shown(max(need.level, reached), need.roots, Factor.PASSWORD in need.factors)


def _together(one: Shown, other: Shown) -> Shown:
    return Shown(
        level=max(one.level, other.level),
        roots=max(one.roots, other.roots),
        password=one.password or other.password,
    )


def _bounded(ways: Iterable[Shown]) -> Choices:
    """Return the easiest ways, each once."""
    return tuple(sorted(set(ways))[:CHOICES_MOST])
