"""What Cedar says of a policy, in the words of whoever wrote it.

Cedar speaks of its own types and of rules by their number; what it cannot parse it calls a token.

Always true (tests/unit/adapters/test_cedar_words.py): no word of Cedar's inside is told.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from twinlock.domain.policy.vocabulary import VOCABULARY

_MOST = 300  # Letters of what Cedar says.
_TYPE: Final = r"(Set<[^>]*>|[\w:]+)"
_NUMBERED: Final = re.compile(r"^for policy `[^`]*`, ")
_EXPECTED: Final = re.compile(rf"^unexpected type: expected {_TYPE} but saw {_TYPE}$")
_TWO_TYPES: Final = re.compile(rf"^the types {_TYPE} and {_TYPE} are not compatible$")
_VARIABLE: Final = re.compile(r"^invalid variable: (\w+)$")
_TOKEN: Final = re.compile(r"^unexpected token `([\d_]+|,)`$")
_ASIDE: Final = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"')  # Comments and strings.
_SPLIT_NUMBER: Final = re.compile(r"\b\d+(?:[.,_']\d+)+\b")
_KINDS: Final = {
    "Long": "a whole number",
    "String": "a word",
    "Bool": "a yes or no",
    "True": "a yes or no",
    "False": "a yes or no",
    "datetime": "a time",
    "duration": "a length of time",
    "Account": "an account",
}


def like(word: str, known: Iterable[str], *, mark: str = "") -> str:
    """Return which known word was likely meant, or nothing; ``mark`` stands before each."""
    near = get_close_matches(word[:64], sorted(known), n=1)
    return f"; did you mean {mark}{near[0]}?" if near else ""


def of_types(error: object) -> str:
    """Return what Cedar says of a rule that parses and does not fit the schema."""
    said = _NUMBERED.sub("", first_line(error))
    if found := _EXPECTED.match(said):
        return f"{_kind(found[2])} stands where {_kind(found[1])} belongs"
    if found := _TWO_TYPES.match(said):
        return f"{_kind(found[1])} and {_kind(found[2])} cannot be compared"
    return said


def of_parsing(error: object, rule: str) -> str:
    """Return what Cedar says of the text of a rule that it cannot parse."""
    said = first_line(error)
    if found := _VARIABLE.match(said):
        return _of_variable(found[1])
    number = _SPLIT_NUMBER.search(_ASIDE.sub(" ", rule))
    if number and _TOKEN.match(said):
        return f"{number[0][:40]} is no number here: write whole US cents, without separators"
    return said


def _of_variable(name: str) -> str:
    if name in VOCABULARY:
        return f"{name} is read as context.{name}"
    return f"{name[:40]!r} is not known; a fact is read as context.NAME" + like(
        name, VOCABULARY, mark="context."
    )


def _kind(cedars: str) -> str:
    if cedars.startswith("Set"):
        return "a list of words"
    return _KINDS.get(cedars.removeprefix("__cedar::internal::"), "something else")


def first_line(error: object) -> str:
    """Return what Cedar says, without the text of the policy around it."""
    return str(error).strip().partition("\n")[0][:_MOST]
