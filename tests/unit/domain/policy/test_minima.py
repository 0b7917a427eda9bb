"""Where exactly a rule asks for less than the laws do, to the cent."""

from datetime import timedelta

import pytest
from support.policies import policy_of, with_rules

from twinlock.domain.bounds import BUDGET_CENTS_MOST
from twinlock.domain.policy.minima import TwoLengths, minimum, two_lengths
from twinlock.domain.policy.statute import Statute

PROVED = '@outcome("challenge") @reason("proof_needed") @proof("floor")'
EXITS = 'forbid (principal, action in Action::"exits", resource)'
LISTING = 'forbid (principal, action == Action::"destination.add", resource)'
ERASING = 'forbid (principal, action == Action::"account.erase", resource)'
MOST = BUDGET_CENTS_MOST


def statute(text: str) -> Statute:
    (rule,) = policy_of(with_rules(f'@id("a.rule") {text};')).statutes.rules
    return rule


def asks_above(condition: str) -> Statute:
    return statute(f"{PROVED} {EXITS} when {{ {condition} }} unless {{ context.proved }}")


@pytest.mark.parametrize(
    ("condition", "below"),
    [
        (f"context.value_cents > {MOST}", False),
        (f"context.value_cents > {MOST + 1}", True),
        (f"context.destination_day_cents > {MOST}", False),
        (f"context.destination_day_cents > {MOST + 1}", True),
        ("context.value_cents < 1", False),
        ('context.value_cents > 5 && context.session == "none"', True),
        ('context.value_cents > 5 && context.session == "full"', False),
        ('context.value_cents > 5 && context.destination == "new"', True),
        ('context.value_cents > 5 && context.destination == "usable"', False),
    ],
)
def test_a_proof_above_a_sum_is_below_the_laws_where_they_ask_for_it_anyway(
    condition: str, below: bool
) -> None:
    least = minimum(asks_above(condition))

    assert least is not None
    assert least.below is below


def test_a_proof_that_no_sum_asks_for_has_no_minimum() -> None:
    assert minimum(asks_above("context.narrow")) is None


@pytest.mark.parametrize(
    ("condition", "below"),
    [
        (f"context.budget_cents > {MOST}", False),
        (f"context.budget_cents > {MOST + 1}", True),
        ("context.budget_cents < 1", False),
    ],
)
def test_a_listing_is_refused_below_the_laws_where_they_refuse_it_anyway(
    condition: str, below: bool
) -> None:
    refusing = '@outcome("deny") @reason("platform_rule")'
    least = minimum(statute(f"{refusing} {LISTING} when {{ {condition} }}"))

    assert least is not None
    assert least.below is below


@pytest.mark.parametrize("proved", ["", "context.proved && ", "!context.proved && "])
def test_what_is_retained_has_the_length_of_its_condition_proved_or_not(proved: str) -> None:
    rule = statute(
        f'@outcome("deny") @reason("retention") @retained_seconds("7200") {ERASING} '
        f"when {{ {proved}context.since_last_exit_seconds < 60 }}"
    )

    assert two_lengths(rule) == TwoLengths(timedelta(hours=2), timedelta(minutes=1))
