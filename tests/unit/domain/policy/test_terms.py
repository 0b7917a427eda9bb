"""The parts that conditions are made of, at the edges of what they may hold."""

from operator import itemgetter

import pytest
from support.policies import policy_of, with_rules

from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.domain.policy.terms import (
    EITHER,
    LONG_LEAST,
    LONG_MOST,
    Choice,
    Kind,
    NotReadableError,
    OutOfLongError,
    Span,
    Term,
    checked,
    equal,
    flags,
    negative,
)

YES, NO = Choice(frozenset({True})), Choice(frozenset({False}))


@pytest.mark.parametrize("number", [LONG_LEAST, 0, LONG_MOST])
def test_a_number_of_64_bits_is_held(number: int) -> None:
    assert checked(number) == number


@pytest.mark.parametrize("number", [LONG_LEAST - 1, LONG_MOST + 1])
def test_a_number_beyond_64_bits_is_not(number: int) -> None:
    with pytest.raises(OutOfLongError):
        checked(number)


def whole(name: str) -> Term:
    return Term(kind=Kind.WHOLE, run=itemgetter(name), over=itemgetter(name))


def word(name: str) -> Term:
    words = frozenset({"a", "b", "c"})
    return Term(kind=Kind.WORD, run=itemgetter(name), over=itemgetter(name), words=words)


def test_what_is_negative_can_be_the_negatives_and_no_more() -> None:
    assert negative(whole("n")).over({"n": Span(-2, 3)}) == Span(-3, 2)
    assert negative(whole("n")).run({"n": 7}) == -7


@pytest.mark.parametrize(
    ("one", "other", "can_be"),
    [
        ("a", "a", YES),
        ("a", "b", NO),
        ("a", "ab", EITHER),
        ("ab", "a", EITHER),
        ("ab", "ab", EITHER),
        ("ab", "c", NO),
    ],
)
def test_two_words_are_surely_equal_only_where_each_can_be_one(
    one: str, other: str, can_be: Choice
) -> None:
    """Prevents: a statute that is proved to hold always, and does not."""
    box = {"one": Choice(frozenset(one)), "other": Choice(frozenset(other))}

    assert equal(word("one"), word("other")).over(box) == can_be


def test_what_is_no_choice_is_no_flag() -> None:
    with pytest.raises(NotReadableError, match="a flag belongs here"):
        flags(Span(0, 1))


def test_what_is_no_word_of_a_fact_is_told_with_those_that_are() -> None:
    rule = '@id("x") @outcome("deny") @reason("platform_rule") forbid (principal, action, resource)'
    with pytest.raises(PolicyRefusedError) as refused:
        policy_of(with_rules(f'{rule} when {{ context.session == "ful" }};'))

    assert refused.value.says.endswith(": full, none, read_only, unsigned")
