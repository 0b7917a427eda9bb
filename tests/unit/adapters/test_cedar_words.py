"""A refusal of what somebody wrote says what to write, and nothing of Cedar's inside."""

import pytest
from support.policies import permits

from twinlock.adapters.cedar_words import of_parsing, of_types
from twinlock.adapters.policies import compile_policy
from twinlock.domain.policy.annotations import PolicyFault, PolicyRefusedError

EXITS = 'forbid (principal, action in Action::"exits", resource)'
DENY = '@id("x") @outcome("deny") @reason("platform_rule")'


def refused(rule: str) -> PolicyRefusedError:
    with pytest.raises(PolicyRefusedError) as error:
        compile_policy("\n".join([*permits(), rule]), profile="test")
    assert error.value.line == "\n".join(permits()).count("\n") + 2
    return error.value


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ('context.value_cents > "500"', "a word stands where a whole number belongs"),
        (
            'context.value_cents > datetime("2026-01-01")',
            "a time stands where a whole number belongs",
        ),
        ("context.narrow > 5", "a yes or no stands where a whole number belongs"),
        ('context.destination.contains("new")', "a word stands where a list of words belongs"),
        ('context.factors == "totp"', "a word and a list of words cannot be compared"),
        ("if context.narrow then 5 else true", "a yes or no and a whole number cannot be compared"),
        (
            "context.now.durationSince(context.opened_at) > 5",
            "a length of time stands where a whole number belongs",
        ),
    ],
)
def test_types_are_told_in_words(condition: str, says: str) -> None:
    error = refused(f"{DENY} {EXITS} when {{ {condition} }};")

    assert (error.fault, error.says, error.rule) == (PolicyFault.INVALID, says, "x")


@pytest.mark.parametrize(
    "said",
    [
        (
            "for policy `policy30`, unexpected type: "
            "expected __cedar::internal::AnyEntity but saw datetime"
        ),
        "the types __cedar::internal::AnyEntity and Set<__cedar::internal::Any> are not compatible",
    ],
)
def test_a_type_without_a_name_is_something_else(said: str) -> None:
    told = of_types(said)

    assert "something else" in told
    assert "cedar" not in told
    assert "policy30" not in told


def test_what_has_no_words_of_ours_is_told_as_cedar_says_it() -> None:
    assert of_types("for policy `policy3`, it is odd\nand more") == "it is odd"
    assert of_parsing("it is odd\nand more", "") == "it is odd"


@pytest.mark.parametrize("number", ["500.00", "500.5", "50_000_000", "50,000"])
def test_a_number_that_is_none_is_told_how_to_be_written(number: str) -> None:
    error = refused(f"{DENY} {EXITS} when {{ context.value_cents > {number} }};")

    assert error.fault is PolicyFault.UNREADABLE
    assert error.says == f"{number} is no number here: write whole US cents, without separators"


def test_a_number_in_a_string_or_a_comment_is_not_meant() -> None:
    rule = f'{DENY} @source("Art. 500.00") {EXITS} when {{ context.narrow 5 }}; // 5.5'

    assert refused(rule).says == "unexpected token `5`"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("value_cents", "value_cents is read as context.value_cents"),
        (
            "valuecents",
            (
                "'valuecents' is not known; a fact is read as context.NAME; "
                "did you mean context.value_cents?"
            ),
        ),
        ("zzz", "'zzz' is not known; a fact is read as context.NAME"),
    ],
)
def test_a_fact_is_read_of_the_context(name: str, says: str) -> None:
    assert refused(f"{DENY} {EXITS} when {{ {name} > 5 }};").says == says


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (
            '@outcom("deny")',
            "@outcom is not known; did you mean @outcome?",
        ),
        (
            '@outcome("deny") @resaon("x")',
            "@resaon is not known; did you mean @reason?",
        ),
        (
            '@outcome("hold") @reason("platform_waits") @hold_second("5")',
            "@hold_second is not known; did you mean @hold_seconds?",
        ),
        ('@outcome("deny") @zzz("5")', "@zzz is not known"),
        (
            '@outcome("deny") @reason("platform_rul")',
            "'platform_rul' is not a reason; did you mean platform_rule?",
        ),
        (
            '@outcome("deny") @reason("zzz")',
            '@reason is one of those under "Which reason fits" in docs/policy.md',
        ),
        ('@outcome("deny") @reason', "@reason says nothing"),
    ],
)
def test_an_annotation_is_told_by_its_likeness(said: str, says: str) -> None:
    error = refused(f'@id("x") {said} {EXITS};')

    assert (error.fault, error.says, error.rule) == (PolicyFault.ANNOTATION, says, "x")


def test_the_words_of_a_fact_are_listed() -> None:
    error = refused(f'{DENY} {EXITS} when {{ context.destination == "remvoed" }};')

    assert error.says == (
        "'remvoed' is not a word of this fact: "
        "lapsed, new, none, removed, unproved, usable, waiting"
    )
