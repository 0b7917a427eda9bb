"""Varying: for which actions a fact can be anything but what it always is for all others.

A rule may read every fact about every action, and most facts speak of one kind of action only:
``new_device`` is no for whatever is no sign-in. This table says so to ``policy check`` and to
docs/policy.md. It decides nothing, and no digest covers it.

Always true (tests/property/test_varying_properties.py): what ``gather`` finds of any account and
action lies in ``box_of`` that action. What law 1 refuses as not built is left out where its name is
one that is built.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from twinlock.domain.api_keys import SIGNS
from twinlock.domain.catalogue import CLASS_OF, WITHDRAW_SCOPE, ActionClass, ActionType
from twinlock.domain.exits import EXITS
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.terms import Between, Box, Choice, Shape, Span, Value
from twinlock.domain.policy.vocabulary import VOCABULARY, whole_box


class Varying(NamedTuple):
    """The actions for which a fact varies; for all others it is ``constant``."""

    actions: frozenset[str]
    constant: Value


_SENDS = EXITS
_LISTS = frozenset({ActionType.DESTINATION_ADD.value})
_SIGNS_IN = frozenset({ActionType.SESSION_START.value})
_MAKES_A_KEY = frozenset({ActionType.API_KEY_CREATE.value})
_NOWHERE = DestinationState.NONE.value
_NO_WORDS: frozenset[str] = frozenset()

# What stands here for no action may vary for each of them.
VARYING: Mapping[str, Varying] = MappingProxyType(
    {
        "approvals": Varying(frozenset(), 0),  # Nobody can give any yet.
        "api_key": Varying(SIGNS, "none"),
        "destination": Varying(_SENDS, _NOWHERE),
        "destination_day_cents": Varying(_SENDS, 0),
        "value_cents": Varying(_SENDS, 0),
        "within_announced": Varying(_SENDS, False),  # noqa: FBT003 - the value of a fact
        "value_unknown": Varying(_SENDS, False),  # noqa: FBT003 - the value of a fact
        "budget_cents": Varying(_LISTS, 0),
        "new_device": Varying(_SIGNS_IN, False),  # noqa: FBT003 - the value of a fact
        "scopes": Varying(_MAKES_A_KEY, _NO_WORDS),
        "ip_list": Varying(_MAKES_A_KEY, 0),
        "key_destinations": Varying(_MAKES_A_KEY, 0),
    }
)


def box_of(action: str) -> Box:
    """Return all that the facts about ``action``, one of the catalogue, can be."""
    fixed = {name: only(one.constant) for name, one in VARYING.items() if action not in one.actions}
    found: dict[str, Shape] = {**whole_box(), "class": Choice(classes_of(action)), **fixed}
    if action in _SENDS:  # What leaves goes somewhere.
        found["destination"] = Choice(VOCABULARY["destination"].words - {_NOWHERE})
    return found


def classes_of(action: str) -> frozenset[str]:
    """Return the classes that ``action`` can have.

    A key that may withdraw loosens, and so does one more who may agree.
    """
    two = action in _MAKES_A_KEY or action == ActionType.TRUSTED_CONTACT_ADD
    loosens = {ActionClass.LOOSENING.value} if two else set()
    return frozenset({CLASS_OF[action].value, *loosens})


# Which of its two classes the making of an API key has depends on what the key may do.
READING_KEY: Mapping[str, Shape] = MappingProxyType(
    {
        "class": Choice(frozenset({ActionClass.ACCESS.value})),
        "scopes": Between(_NO_WORDS, VOCABULARY["scopes"].words - {WITHDRAW_SCOPE}),
    }
)


def only(value: Value) -> Shape:
    """Return the shape of what is always ``value``."""
    match value:
        case bool() | str():
            return Choice(frozenset({value}))
        case int():
            return Span(value, value)
        case _:
            return Between(value, value)


def told(shape: Shape, whole: Shape) -> str:
    """Return in words what a fact of the range ``whole`` is where it is of ``shape``."""
    match shape, whole:
        case Choice(of=of), Choice(of=every) if len(of) > 1:
            return f"never {' or '.join(sorted(map(str, every - of)))}"
        case Choice(of=of), _:
            [one] = of
            return f"always {one}".lower()
        case Span(most=most), _:
            return f"always {most}"
        case _:
            return "always empty"
