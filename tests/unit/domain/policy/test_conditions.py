"""What conditions are, and what they can be: each operator on both sides of its boundary."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from twinlock.domain.policy.conditions import (
    NESTING_MOST,
    Known,
    holds_for_all,
    opposite,
    parse_length,
    read_condition,
)
from twinlock.domain.policy.terms import (
    EITHER,
    LONG_LEAST,
    LONG_MOST,
    Between,
    Choice,
    Kind,
    NotReadableError,
    OutOfLongError,
    Shape,
    Span,
    Term,
)

KNOWN = {
    "flag": Known(kind=Kind.FLAG),
    "n": Known(kind=Kind.WHOLE),
    "m": Known(kind=Kind.WHOLE),
    "word": Known(kind=Kind.WORD, words=frozenset({"a", "b", "c"})),
    "other": Known(kind=Kind.WORD, words=frozenset({"c", "d"})),
    "words": Known(kind=Kind.WORDS, words=frozenset({"a", "b", "c"})),
    "at": Known(kind=Kind.INSTANT),
    "was": Known(kind=Kind.INSTANT),
}
TRUE, FALSE = {"Value": True}, {"Value": False}
YES, NO = Choice(frozenset({True})), Choice(frozenset({False}))


def fact(name: str) -> dict[str, Any]:
    return {".": {"left": {"Var": "context"}, "attr": name}}


def value(said: object) -> dict[str, Any]:
    return {"Value": said}


def pair(name: str, left: object, right: object) -> dict[str, Any]:
    return {name: {"left": left, "right": right}}


def words(*some: str) -> dict[str, Any]:
    return {"Set": [value(one) for one in some]}


def since(left: str, right: str) -> dict[str, Any]:
    return {"durationSince": [fact(left), fact(right)]}


def length(text: str) -> dict[str, Any]:
    return {"duration": [value(text)]}


def read(data: object) -> Term:
    return read_condition(data, KNOWN)


def some(*members: str) -> frozenset[str]:
    return frozenset(members)


@pytest.mark.parametrize(
    ("data", "facts", "wanted"),
    [
        (fact("flag"), {"flag": True}, True),
        (TRUE, {}, True),
        ({"!": {"arg": fact("flag")}}, {"flag": True}, False),
        (pair("&&", fact("flag"), FALSE), {"flag": True}, False),
        (pair("||", fact("flag"), TRUE), {"flag": False}, True),
        (pair("==", fact("flag"), TRUE), {"flag": True}, True),
        (pair("==", fact("n"), value(3)), {"n": 3}, True),
        (pair("==", fact("n"), value(3)), {"n": 4}, False),
        (pair("!=", fact("n"), value(3)), {"n": 4}, True),
        (pair("<", fact("n"), value(3)), {"n": 2}, True),
        (pair("<", fact("n"), value(3)), {"n": 3}, False),
        (pair("<=", fact("n"), value(3)), {"n": 3}, True),
        (pair("<=", fact("n"), value(3)), {"n": 4}, False),
        (pair(">", fact("n"), value(3)), {"n": 4}, True),
        (pair(">", fact("n"), value(3)), {"n": 3}, False),
        (pair(">=", fact("n"), value(3)), {"n": 3}, True),
        (pair(">=", fact("n"), value(3)), {"n": 2}, False),
        (pair("==", pair("+", fact("n"), fact("m")), value(5)), {"n": 2, "m": 3}, True),
        (pair("==", pair("-", fact("n"), fact("m")), value(-1)), {"n": 2, "m": 3}, True),
        (pair("==", pair("*", fact("n"), fact("m")), value(6)), {"n": 2, "m": 3}, True),
        (pair("==", {"neg": {"arg": fact("n")}}, value(-2)), {"n": 2}, True),
        (pair("==", fact("word"), value("a")), {"word": "a"}, True),
        (pair("==", value("a"), fact("word")), {"word": "b"}, False),
        (pair("!=", fact("word"), value("a")), {"word": "a"}, False),
        (pair("==", fact("word"), fact("other")), {"word": "c", "other": "c"}, True),
        (pair("==", fact("words"), words("a", "b")), {"words": some("b", "a")}, True),
        (pair("contains", fact("words"), value("a")), {"words": some("a")}, True),
        (pair("contains", fact("words"), value("a")), {"words": some("b")}, False),
        (pair("contains", words("a", "b"), fact("word")), {"word": "b"}, True),
        (pair("contains", words("a", "b"), fact("word")), {"word": "c"}, False),
        (pair("containsAll", fact("words"), words("a", "b")), {"words": some("a", "b")}, True),
        (pair("containsAll", fact("words"), words("a", "b")), {"words": some("a")}, False),
        (pair("containsAny", fact("words"), words("a", "b")), {"words": some("b", "c")}, True),
        (pair("containsAny", fact("words"), words("a", "b")), {"words": some("c")}, False),
        ({"isEmpty": {"arg": fact("words")}}, {"words": some()}, True),
        ({"isEmpty": {"arg": fact("words")}}, {"words": some("a")}, False),
        (pair("<", since("at", "was"), length("1s")), {"at": 1_999, "was": 1_000}, True),
        (pair("<", since("at", "was"), length("1s")), {"at": 2_000, "was": 1_000}, False),
        (pair("<", since("at", "was"), length("1s")), {"at": 0, "was": 5_000}, True),
        (pair("<=", fact("at"), fact("was")), {"at": 1, "was": 1}, True),
    ],
)
def test_what_a_condition_is(data: object, facts: dict[str, Any], wanted: bool) -> None:
    assert read(data).run(facts) is wanted


def test_and_and_or_look_no_further_than_they_must() -> None:
    """As Cedar does: what stands behind may overflow, and is not looked at."""
    huge = pair(">", pair("+", fact("n"), value(LONG_MOST)), value(0))

    assert read(pair("||", fact("flag"), huge)).run({"flag": True, "n": 1}) is True
    assert read(pair("&&", fact("flag"), huge)).run({"flag": False, "n": 1}) is False
    with pytest.raises(OutOfLongError):
        read(pair("&&", fact("flag"), huge)).run({"flag": True, "n": 1})


@pytest.mark.parametrize(
    ("data", "box", "wanted"),
    [
        (fact("flag"), {"flag": EITHER}, EITHER),
        ({"!": {"arg": fact("flag")}}, {"flag": YES}, NO),
        (pair("&&", fact("flag"), FALSE), {"flag": EITHER}, NO),
        (pair("&&", fact("flag"), TRUE), {"flag": EITHER}, EITHER),
        (pair("||", fact("flag"), TRUE), {"flag": EITHER}, YES),
        (pair("==", fact("n"), value(3)), {"n": Span(3, 3)}, YES),
        (pair("==", fact("n"), value(3)), {"n": Span(4, 9)}, NO),
        (pair("==", fact("n"), value(3)), {"n": Span(0, 2)}, NO),
        (pair("==", fact("n"), value(3)), {"n": Span(3, 4)}, EITHER),
        (pair("<", fact("n"), value(3)), {"n": Span(0, 2)}, YES),
        (pair("<", fact("n"), value(3)), {"n": Span(3, 9)}, NO),
        (pair("<", fact("n"), value(3)), {"n": Span(2, 3)}, EITHER),
        (pair("<=", fact("n"), value(3)), {"n": Span(0, 3)}, YES),
        (pair("<=", fact("n"), value(3)), {"n": Span(4, 9)}, NO),
        (pair("<=", fact("n"), value(3)), {"n": Span(3, 4)}, EITHER),
        (pair(">", pair("+", fact("n"), value(1)), value(5)), {"n": Span(5, 6)}, YES),
        (pair(">", pair("-", value(1), fact("n")), value(-5)), {"n": Span(0, 5)}, YES),
        (pair(">=", pair("*", fact("n"), value(-2)), value(-4)), {"n": Span(-3, 2)}, YES),
        (pair("==", fact("word"), value("a")), {"word": Choice(some("a"))}, YES),
        (pair("==", fact("word"), value("a")), {"word": Choice(some("b", "c"))}, NO),
        (pair("==", fact("word"), value("a")), {"word": Choice(some("a", "b"))}, EITHER),
        (pair("==", fact("words"), words("a")), {"words": Between(some("a"), some("a"))}, YES),
        (pair("==", fact("words"), words("a")), {"words": Between(some("b"), some("b", "a"))}, NO),
        (pair("==", fact("words"), words("a")), {"words": Between(some(), some("a"))}, EITHER),
        (
            pair("contains", fact("words"), value("a")),
            {"words": Between(some("a"), some("a"))},
            YES,
        ),
        (pair("contains", fact("words"), value("a")), {"words": Between(some(), some("b"))}, NO),
        (
            pair("contains", fact("words"), value("a")),
            {"words": Between(some(), some("a"))},
            EITHER,
        ),
        (pair("contains", words("a", "b"), fact("word")), {"word": Choice(some("a", "b"))}, YES),
        (pair("contains", words("a", "b"), fact("word")), {"word": Choice(some("c"))}, NO),
        (
            pair("containsAll", fact("words"), words("a", "b")),
            {"words": Between(some("a", "b"), some("a", "b", "c"))},
            YES,
        ),
        (
            pair("containsAll", fact("words"), words("a", "b")),
            {"words": Between(some(), some("a", "c"))},
            NO,
        ),
        (
            pair("containsAll", fact("words"), words("a", "b")),
            {"words": Between(some(), some("a", "b"))},
            EITHER,
        ),
        (
            pair("containsAny", fact("words"), words("a", "b")),
            {"words": Between(some("a"), some("a", "c"))},
            YES,
        ),
        (
            pair("containsAny", fact("words"), words("a", "b")),
            {"words": Between(some(), some("c"))},
            NO,
        ),
        (
            pair("containsAny", fact("words"), words("a", "b")),
            {"words": Between(some(), some("a"))},
            EITHER,
        ),
        ({"isEmpty": {"arg": fact("words")}}, {"words": Between(some("a"), some("a"))}, NO),
        ({"isEmpty": {"arg": fact("words")}}, {"words": Between(some(), some())}, YES),
        ({"isEmpty": {"arg": fact("words")}}, {"words": Between(some(), some("a"))}, EITHER),
        (
            pair("<", since("at", "was"), length("1s")),
            {"at": Span(0, 999), "was": Span(0, 0)},
            YES,
        ),
    ],
)
def test_what_a_condition_can_be(data: object, box: dict[str, Shape], wanted: Choice) -> None:
    assert read(data).over(box) == wanted


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "not an expression"),
        ({}, "not an expression"),
        ({"!": {}, "neg": {}}, "not an expression"),
        ({"if-then-else": {}}, "not of the language"),
        (value(1), "true or false"),
        (value(None), "a flag, a whole number or a word"),
        (value({"__entity": {"type": "A", "id": "b"}}), "a flag, a whole number or a word"),
        (value(1.5), "a flag, a whole number or a word"),
        (pair("==", fact("n"), value(2**63)), "leaves 64 bits"),
        (fact("shoe_size"), "is not a fact"),
        ({".": {"left": {"Var": "principal"}, "attr": "flag"}}, "only facts"),
        ({".": {"left": {"Var": "context"}, "attr": "flag", "more": 1}}, "only facts"),
        ({"!": {"arg": fact("flag"), "more": 1}}, "one side"),
        ({"!": []}, "one side"),
        ({"&&": {"left": fact("flag")}}, "two sides"),
        (pair("&&", fact("flag"), value(1)), "Long stands where Bool"),
        (pair("&&", value(1), fact("flag")), "Long stands where Bool"),
        (pair("||", fact("flag"), value(1)), "Long stands where Bool"),
        (pair("||", value(1), fact("flag")), "Long stands where Bool"),
        ({"!": {"arg": value(1)}}, "Long stands where Bool"),
        (pair("<", fact("flag"), fact("flag")), "Bool has no order"),
        (pair("<", fact("n"), fact("at")), "datetime stands where Long"),
        (pair("==", fact("n"), fact("flag")), "Bool stands where Long"),
        (pair("==", value("a"), value("b")), "one side is a fact"),
        (pair("==", fact("word"), value("d")), "'d' is not a word"),
        (pair("==", fact("words"), words("a", "d")), "'d' is not a word"),
        (pair("contains", fact("n"), value("a")), "Long stands where Set"),
        (pair("contains", fact("words"), value(1)), "Long stands where String"),
        (pair("containsAny", fact("words"), value("a")), "String stands where Set"),
        (pair("containsAny", value("a"), fact("words")), "String stands where Set"),
        (pair("containsAll", fact("words"), value("a")), "String stands where Set"),
        (pair("containsAll", value("a"), fact("words")), "String stands where Set"),
        ({"isEmpty": {"arg": fact("word")}}, "String stands where Set"),
        (pair("contains", {"Set": []}, fact("word")), "not empty"),
        (pair("contains", {"Set": [1]}, fact("word")), "a list of words"),
        (pair("contains", {"Set": [value(1)]}, fact("word")), "a list of words"),
        (pair("contains", {"Set": "a"}, fact("word")), "a list of words"),
        (pair("<", since("at", "n"), length("1d")), "Long stands where datetime"),
        ({"durationSince": [fact("at")]}, "one argument"),
        ({"duration": "1d"}, "a duration is a word"),
        ({"duration": [value(1)]}, "a duration is a word"),
        (pair("==", pair("+", fact("flag"), value(1)), value(1)), "Bool stands where Long"),
        (pair("==", pair("+", value(1), fact("flag")), value(1)), "Bool stands where Long"),
    ],
)
def test_what_is_not_of_the_language_is_refused(data: object, says: str) -> None:
    with pytest.raises(NotReadableError, match=says):
        read(data)


@pytest.mark.parametrize(("depth", "refused"), [(NESTING_MOST, False), (NESTING_MOST + 1, True)])
def test_an_expression_nests_so_deep_and_no_deeper(depth: int, refused: bool) -> None:
    data = fact("flag")
    for _ in range(depth):
        data = {"!": {"arg": data}}
    if not refused:
        assert read(data).run({"flag": True}) is (depth % 2 == 0)
        return
    with pytest.raises(NotReadableError, match="nests deeper"):
        read(data)


# Where an expression may stand in another, and what is said of a flag there if it may not be one.
INSIDE: list[tuple[Callable[[object], dict[str, Any]], str]] = [
    (lambda inner: {"!": {"arg": inner}}, ""),
    (lambda inner: pair("&&", inner, fact("flag")), ""),
    (lambda inner: pair("&&", fact("flag"), inner), ""),
    (lambda inner: {"durationSince": [inner, fact("at")]}, "stands where datetime belongs"),
    (lambda inner: {"durationSince": [fact("at"), inner]}, "stands where datetime belongs"),
]


@pytest.mark.parametrize(("within", "says"), INSIDE)
def test_each_way_to_nest_counts_one(within: Callable[[object], dict[str, Any]], says: str) -> None:
    data: dict[str, Any] = fact("flag")
    for _ in range(NESTING_MOST):
        data = within(data)
    with pytest.raises(NotReadableError, match=says) if says else nullcontext():
        read(data)
    with pytest.raises(NotReadableError, match="nests deeper"):
        read(within(data))


@pytest.mark.parametrize("number", [LONG_LEAST, LONG_MOST])
def test_the_last_numbers_of_64_bits_are_read(number: int) -> None:
    assert read(pair("==", fact("n"), value(number))).run({"n": number}) is True


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2d", 172_800_000),
        ("36h", 129_600_000),
        ("1d12h", 129_600_000),
        ("90m", 5_400_000),
        ("1s", 1_000),
        ("1ms", 1),
        ("1d1h1m1s1ms", 90_061_001),
        ("-1h", -3_600_000),
        ("0d", 0),
    ],
)
def test_a_duration_is_read_as_cedar_reads_it(text: str, milliseconds: int) -> None:
    assert parse_length(text) == milliseconds


@pytest.mark.parametrize(
    "text", ["48", "", "-", "1.5h", "1h1d", "1w", "24H", "+1h", " 1h", "1h ", "1d1d", "١h", "1h\n"]
)
def test_a_duration_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(NotReadableError, match="written like"):
        parse_length(text)


def test_a_duration_beyond_64_bits_is_refused() -> None:
    with pytest.raises(OutOfLongError):
        parse_length("999999999999999d")


def test_conditions_are_joined_and_turned_round() -> None:
    one, two = read(fact("flag")), read(pair(">", fact("n"), value(1)))

    assert holds_for_all(()).run({}) is True
    assert holds_for_all((one, opposite(two))).run({"flag": True, "n": 1}) is True
    assert holds_for_all((one, opposite(two))).run({"flag": True, "n": 2}) is False
    assert holds_for_all((one, two)).facts == {"flag", "n"}


@pytest.mark.parametrize("name", ["<", "contains", "containsAll", "isEmpty"])
def test_a_shape_of_another_kind_is_refused(name: str) -> None:
    """Boxes are made from the table of facts; one that is not is a bug, and told as such."""
    data = {
        "<": pair("<", fact("n"), value(1)),
        "contains": pair("contains", fact("words"), value("a")),
        "containsAll": pair("containsAll", fact("words"), words("a")),
        "isEmpty": {"isEmpty": {"arg": fact("words")}},
    }[name]

    with pytest.raises(NotReadableError, match="belongs here"):
        read(data).over({"n": EITHER, "words": EITHER})


def test_shapes_of_two_kinds_can_be_anything() -> None:
    equal = read(pair("==", fact("n"), value(1)))

    assert equal.over({"n": EITHER}) == EITHER


def test_a_word_that_is_looked_for_can_be_any_that_the_set_holds() -> None:
    contains = read(pair("contains", words("a", "b"), fact("word")))

    assert contains.over({"word": Span(0, 0)}) == YES


def test_a_condition_may_change_at_the_length_it_names() -> None:
    waited = pair("<", since("at", "was"), length("1d12h"))

    assert read(waited).steps == {129_600_000}
