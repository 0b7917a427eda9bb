"""Facts on both sides of everything that a policy compares: where two engines would first differ.

The picks follow from a number and nothing else, so that a mismatch can be made again.
"""

from collections.abc import Iterator
from struct import unpack_from
from typing import assert_never

from twinlock.domain.canonical import tagged_hash
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.policy.terms import (
    Between,
    Choice,
    Context,
    Kind,
    Shape,
    Span,
    Value,
)
from twinlock.domain.policy.vocabulary import KNOWN, VOCABULARY, whole_box

_AN_INSTANT = 1_767_225_600_000  # Somewhere in the middle of what instants can be.
_STEPS = (-1, 0, 1)
_DRAWS_A_HASH = 8  # Of its 32 bytes.


def boundary_requests(
    statutes: Statutes, *, count: int, most: int = 0
) -> Iterator[tuple[str, Context]]:
    """Give ``count`` actions with facts at the boundaries of what ``statutes`` compare.

    And more, of ``most`` in all, until every rule both matched and did not. Prevents: a rule that
    two engines read differently, and that none of so many requests ever met.
    """
    actions = sorted(statutes.permits)
    values = {action: _values(statutes, action) for action in actions}
    found: dict[str, set[bool]] = {rule.rule_id: set() for rule in statutes.rules}
    done: set[str] = set()
    for number in range(max(count, most)):
        action = actions[number % len(actions)]
        if action in done:
            continue
        rules = statutes.of(action)
        if number >= count and all(len(found[rule.rule_id]) > 1 for rule in rules):
            done.add(action)
            continue
        drawn = _draws(number, len(VOCABULARY))
        context = {
            name: some[draw % len(some)]
            for (name, some), draw in zip(values[action].items(), drawn, strict=True)
        }
        for rule in rules:
            found[rule.rule_id].add(rule.when.run(context))
        yield action, context


def _draws(number: int, count: int) -> tuple[int, ...]:
    """Return ``count`` numbers of 32 bits that follow from ``number``."""
    blocks = (block.to_bytes(4, "big") for block in range(-(-count // _DRAWS_A_HASH)))
    hashes = (tagged_hash("boundary/v2", number.to_bytes(8, "big"), block) for block in blocks)
    return unpack_from(f">{count}I", b"".join(hashes))


def _values(statutes: Statutes, action: str) -> dict[str, tuple[Value, ...]]:
    """Return for each fact the values worth trying: ends, and both sides of each step."""
    steps = frozenset[int]().union(*(rule.when.steps for rule in statutes.of(action)))
    return {
        name: tuple(dict.fromkeys(_tried(name, shape, steps)))
        for name, shape in whole_box().items()
    }


def _tried(name: str, shape: Shape, steps: frozenset[int]) -> Iterator[Value]:
    match shape:
        case Span(least=least, most=most):
            base = _AN_INSTANT if KNOWN[name].kind is Kind.INSTANT else 0
            around = (base + step + one for step in sorted(steps) for one in _STEPS)
            yield from (value for value in (least, base, *around, most) if least <= value <= most)
        case Choice(of=of):
            yield from sorted(of, key=str)
        case Between(most=words):
            yield frozenset()
            yield words
            for word in sorted(words):
                yield frozenset({word})
                yield words - {word}
        case _:
            assert_never(shape)
