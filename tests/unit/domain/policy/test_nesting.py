"""Texts that would end the process: told by counting, before a parser that recurses sees them."""

import inspect
import resource
import sys
import threading
from collections.abc import Callable

import pytest
from support.policies import policy_of, with_rules

from twinlock.adapters import cedar
from twinlock.adapters.policies import shipped
from twinlock.domain.policy.annotations import PolicyFault, PolicyRefusedError
from twinlock.domain.policy.nesting import BRACKETS_MOST, OPERATORS_MOST, check_nesting
from twinlock.domain.policy.vocabulary import schema_text

SECONDS_AT_MOST = 30  # Of processor time: it takes a hundredth of one, and took minutes.


def rule(condition: str) -> str:
    head = '@id("a.rule") @outcome("deny") @reason("not_permitted") '
    scope = 'forbid (principal, action in Action::"exits", resource)'
    return f"{head}{scope} when {{ {condition} }};"


def fault_of(text: str) -> PolicyFault | None:
    try:
        check_nesting(text)
    except PolicyRefusedError as refused:
        return refused.fault
    return None


BOMBS: dict[str, Callable[[int], str]] = {
    "brackets": lambda n: "(" * n + "true" + ")" * n,
    "sets": lambda n: "[" * n + "1" + "]" * n + " == [1]",
    "records": lambda n: "{a:" * n + "1" + "}" * n + " == {}",
    "ands": lambda n: " && ".join(["context.narrow"] * n),
    "ors": lambda n: " || ".join(["context.narrow"] * n),
    "sums": lambda n: " + ".join(["1"] * n) + " > 0",
    "differences": lambda n: "1" + "-1" * n + " > 0",
    "products": lambda n: "*".join(["1"] * n) + " > 0",
    "ifs": lambda n: "if true then " * n + "true" + " else false" * n,
    "else ifs": lambda n: "if true then true else " * n + "true",
    "members": lambda n: "context" + ".a" * n,
    "has": lambda n: "context" + " has a" * n,
    "clauses": lambda n: "true" + " } when { true" * n,
    "nots": lambda n: "!" * n + "true",
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("count", [600, 5_000])
def test_a_rule_that_nests_too_deep_is_refused_and_ends_nothing(bomb: str, count: int) -> None:
    """Prevents: two kilobytes of policy, by which the process ends and nothing can catch it."""
    with pytest.raises(PolicyRefusedError) as refused:
        policy_of(with_rules(rule(BOMBS[bomb](count))))

    assert refused.value.fault is PolicyFault.TOO_LARGE


@pytest.mark.parametrize("bomb", BOMBS)
def test_what_is_not_too_deep_to_be_counted_is_not_too_deep_for_a_small_stack(bomb: str) -> None:
    counts = (BRACKETS_MOST - 1, OPERATORS_MOST // 2)
    fits = [count for count in counts if fault_of(rule(BOMBS[bomb](count))) is None]
    said: list[str] = []

    def read() -> None:
        for count in fits:
            try:
                policy_of(with_rules(rule(BOMBS[bomb](count))))
            except PolicyRefusedError as refused:
                said.append(refused.fault)
            else:
                said.append("taken")

    before = threading.stack_size(2 * 1024 * 1024)
    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    threading.stack_size(before)

    assert fits
    assert len(said) == len(fits)


def clauses(count: int) -> str:
    return with_rules(rule("context.narrow" + " } when { true" * (count - 1)))


def test_a_rule_has_64_clauses_and_no_more() -> None:
    """Prevents: a condition of a thousand functions, each of which calls the one before it."""
    assert len(policy_of(clauses(64)).statutes.rules) == 1
    for count in (65, 400):
        with pytest.raises(PolicyRefusedError) as refused:
            policy_of(clauses(count))
        assert refused.value.fault is PolicyFault.CONDITION


def test_a_policy_that_is_too_deep_where_it_is_read_is_refused() -> None:
    text = with_rules(rule(BOMBS["ands"](OPERATORS_MOST // 2)))
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        with pytest.raises(PolicyRefusedError) as refused:
            cedar.read_policy(text)
    finally:
        sys.setrecursionlimit(before)

    assert refused.value.fault is PolicyFault.TOO_LARGE


@pytest.mark.parametrize(
    "text",
    [
        "entity A { a: " + "Set<" * 600 + "Long" + ">" * 600 + "};",
        "entity A { a: " + "{a:" * 600 + "Long" + "}" * 600 + "};",
        "entity A;" * 40_000,
    ],
    ids=["sets", "records", "length"],
)
def test_a_schema_that_is_too_deep_or_too_long_is_refused(text: str) -> None:
    with pytest.raises(PolicyRefusedError) as refused:
        cedar.check_schema(text)

    assert refused.value.fault is PolicyFault.TOO_LARGE


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("(" * BRACKETS_MOST, None),
        ("(" * (BRACKETS_MOST + 1), PolicyFault.TOO_LARGE),
        ("()" * 1_000, None),
        ("([{" * 30, PolicyFault.TOO_LARGE),
        ("a+" * OPERATORS_MOST, None),
        ("a+" * (OPERATORS_MOST + 1), PolicyFault.TOO_LARGE),
        ("a+b;" * (OPERATORS_MOST + 1), None),
        ("a+b;" + "a+" * OPERATORS_MOST, None),
        ("a+b;" + "a+" * (OPERATORS_MOST + 1), PolicyFault.TOO_LARGE),
        # What a string or a comment holds is no bracket, neither an open nor a closed one.
        ('"' + "(" * 100 + '"', None),
        ('"\\"' + "(" * 100 + '"', None),
        ("//" + "(" * 100, None),
        ('// a quote: "\n' + "(" * 100 + '"', PolicyFault.TOO_LARGE),
        ("// ends\r" + "(" * 100, PolicyFault.TOO_LARGE),
        ('"//"' + "(" * 100, PolicyFault.TOO_LARGE),
        ('"' + "(" * 100, PolicyFault.UNREADABLE),
        ("(" * 100 + '"', PolicyFault.TOO_LARGE),
        ('"\\\n"' + "(" * 100, PolicyFault.UNREADABLE),
        ("(" * 40 + '"' + ")" * 40 + '"' + "(" * 40, PolicyFault.TOO_LARGE),
        ("(" * 40 + "//" + ")" * 40 + "\n" + "(" * 40, PolicyFault.TOO_LARGE),
        # Nor does what closes another bracket, or a comparison, make a text less deep.
        ("(" * 40 + "]" * 40 + "(" * 40, PolicyFault.TOO_LARGE),
        ("(1 > " * 100, PolicyFault.TOO_LARGE),
        (")" * 100 + "(" * (BRACKETS_MOST + 1), PolicyFault.TOO_LARGE),
        ("(" * 40 + ";" + "(" * 40, PolicyFault.TOO_LARGE),
    ],
)
def test_how_deep_a_text_goes(text: str, fault: PolicyFault | None) -> None:
    assert fault_of(text) is fault


@pytest.mark.parametrize(
    ("text", "line"), [('"' + '\\"' * 127_000 + "\n", 1), ('\n"\\' + '"\\' * 127_000 + "\n", 2)]
)
def test_a_string_that_never_ends_is_read_once(text: str, line: int) -> None:
    """Prevents: 256 KB of quotes, each of which is read to the end of the text, for minutes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    with pytest.raises(PolicyRefusedError) as refused:
        cedar.read_policy(text)
    worked = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before

    assert refused.value.fault is PolicyFault.UNREADABLE
    assert refused.value.line == line
    assert worked < SECONDS_AT_MOST


@pytest.mark.parametrize("text", [shipped("default"), shipped("strict"), schema_text()])
def test_what_we_ship_is_far_from_too_deep(text: str) -> None:
    check_nesting("(" * (BRACKETS_MOST // 2) + text)
