"""Cells: one value on each side of everything that a rule compares."""

import pytest
from support.policies import policy_of, with_rules

from twinlock.domain.policy.cells import Cells, Compared, bodies_of, compared, values_of
from twinlock.domain.policy.imagining import NOW_MS
from twinlock.domain.policy.terms import Between, Choice, Shape, Span, Value

EXITS = (
    '@id("a") @outcome("deny") @reason("platform_rule") '
    'forbid (principal, action in Action::"exits", resource)'
)
HOUR_MS = 3_600_000


def said(condition: str) -> dict[str, Compared]:
    statutes = policy_of(with_rules(f"{EXITS} {condition};")).statutes
    return compared(bodies_of(statutes)["a"])


def test_each_fact_is_compared_with_its_own_numbers_and_words() -> None:
    found = said(
        "when { context.value_cents > 500 || (context.risk >= 85 && "
        '["new", "waiting"].contains(context.destination)) } unless { context.narrow }'
    )

    assert found == {
        "value_cents": Compared(numbers={500}),
        "risk": Compared(numbers={85}),
        "destination": Compared(words={"new", "waiting"}),
        "narrow": Compared(),
    }


def test_what_is_summed_is_told_and_shares_its_numbers() -> None:
    found = said(
        "when { context.day_cents + context.value_cents * 2 > 700 && !(context.day_cents == 3) }"
    )

    assert found["day_cents"] == Compared(numbers={2, 3, 700}, summed=True)
    assert found["value_cents"] == Compared(numbers={2, 700}, summed=True)


def test_an_age_is_no_sum() -> None:
    found = said('when { context.now.durationSince(context.opened_at) < duration("1h") }')

    assert found["opened_at"] == Compared(numbers={HOUR_MS})
    assert not found["now"].summed


def test_what_is_compared_with_a_flag_has_no_numbers() -> None:
    assert said("when { context.narrow == true }") == {"narrow": Compared()}


@pytest.mark.parametrize(
    ("name", "shape", "numbers", "words", "values"),
    [
        ("narrow", Choice(frozenset({True, False})), set(), set(), (False, True)),
        ("session", Choice(frozenset({"none", "full"})), set(), set(), ("full", "none")),
        ("risk", Span(0, 100), {85, 100}, set(), (0, 85, 86, 100)),
        ("risk", Span(0, 0), {85}, set(), (0,)),
        ("now", Span(0, NOW_MS + 1), {HOUR_MS}, set(), (NOW_MS,)),
        (
            "opened_at",
            Span(0, NOW_MS + 1),
            {-HOUR_MS},
            set(),
            (NOW_MS, *(NOW_MS - HOUR_MS - one for one in (-1, 0, 1))),
        ),
        (
            "scopes",
            Between(frozenset(), frozenset({"read", "trade"})),
            set(),
            set(),
            tuple(map(frozenset, ((), ("read",), ("trade",), ("read", "trade")))),
        ),
    ],
)
def test_the_values_of_a_fact_lie_on_both_sides(
    name: str, shape: Shape, numbers: set[int], words: set[str], values: tuple[Value, ...]
) -> None:
    assert values_of(name, shape, Compared(numbers=numbers, words=words)) == values


def test_what_is_shown_is_tried_beside_what_a_rule_names() -> None:
    every = Between(frozenset(), frozenset({"passkey", "totp", "recovery_code"}))
    values = values_of("factors", every, Compared(words={"recovery_code", "elsewhere"}))

    assert frozenset({"recovery_code"}) in values
    assert frozenset({"passkey"}) in values
    assert frozenset() in values


def test_every_cell_is_given_once_where_there_are_few() -> None:
    cells = Cells({"a": (1, 2, 3), "b": (False, True)})
    found = list(cells.pick(6, of_more=2))

    assert cells.size == 6
    assert len({tuple(sorted(one.items())) for one in found}) == 6


def test_of_many_some_are_picked_the_same_each_time() -> None:
    cells = Cells({"a": tuple(range(100)), "b": tuple(range(100))})
    first, again = (list(cells.pick(9_999, of_more=50)) for _ in range(2))

    assert first == again
    assert len(first) == 50
    assert len({one["a"] for one in first}) > 20
