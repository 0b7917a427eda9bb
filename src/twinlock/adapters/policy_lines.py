"""Where in a policy's text a rule stands: Cedar counts rules, and people count lines.

Always true (tests/unit/adapters/test_policy_lines.py): the n-th rule of Cedar's is the n-th here,
whatever stands in comments and strings.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

# A comment, a string, the end of a rule, or anything else that is not space.
_PART = re.compile(r'(//[^\n]*)|"(?:[^"\\]|\\.)*"?|(;)|[^\s"/;]+|/', re.DOTALL)


class Rule(NamedTuple):
    """The text of one rule, its semicolon included, and the line on which it begins (from 1)."""

    line: int
    text: str


def rules_of(text: str) -> Iterator[Rule]:
    """Give the rules of a policy in their order; an unfinished one is the last."""
    begins: int | None = None
    for part in _PART.finditer(text):
        comment, end = part.groups()
        if comment is not None:
            continue
        begins = part.start() if begins is None else begins
        if end is not None:
            yield _rule(text, begins, part.end())
            begins = None
    if begins is not None:
        yield _rule(text, begins, len(text))


def _rule(text: str, begins: int, ends: int) -> Rule:
    return Rule(text.count("\n", 0, begins) + 1, text[begins:ends])


def lines_of(text: str) -> dict[str, int]:
    """Return the lines of all rules, by the names that Cedar calls them by: ``policy3``."""
    return {f"policy{number}": rule.line for number, rule in enumerate(rules_of(text))}


def line_of(text: str, place: str) -> int:
    """Return the line of the rule that Cedar calls ``policy3``, or 0 where there is none such."""
    return lines_of(text).get(place, 0)


def first_refused(text: str, parses: Callable[[str], object]) -> Rule:
    """Return the first rule on which ``parses`` raises ValueError; line 0 where there is none."""
    for rule in rules_of(text):
        try:
            parses(rule.text)
        except ValueError:
            return rule
    return Rule(0, "")
