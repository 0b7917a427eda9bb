"""Conditions on the word of others: those that only add, and all that could do otherwise."""

from typing import Any

import pytest

from twinlock.domain.policy.adding import relaxes

RISK = {".": {"left": {"Var": "context"}, "attr": "risk"}}
OTHER = {".": {"left": {"Var": "context"}, "attr": "day_cents"}}


def compared(sign: str, left: object, right: object) -> dict[str, Any]:
    return {sign: {"left": left, "right": right}}


def fact(name: str) -> dict[str, Any]:
    return {".": {"left": {"Var": "context"}, "attr": name}}


SIXTY = {"Value": 60}
RISES = compared(">=", RISK, SIXTY)


@pytest.mark.parametrize(
    "body",
    [
        RISES,
        compared(">", RISK, SIXTY),
        compared("<=", SIXTY, RISK),
        compared("<", SIXTY, RISK),
        {"!": {"arg": compared("<", RISK, SIXTY)}},
        {"!": {"arg": {"!": {"arg": RISES}}}},
        compared("&&", RISES, compared("==", OTHER, SIXTY)),
        compared("||", compared("!=", OTHER, SIXTY), RISES),
        compared("==", OTHER, SIXTY),
        {"Value": True},
    ],
)
def test_a_condition_that_a_score_only_fulfils(body: object) -> None:
    assert not relaxes([("when", body)])
    assert relaxes([("unless", body)]) is ("risk" in str(body))


@pytest.mark.parametrize(
    ("body", "adds"),
    [
        (fact("signalled"), True),
        (compared("&&", fact("signalled"), fact("narrow")), True),
        ({"!": {"arg": fact("signalled")}}, False),
        (compared("==", fact("signalled"), {"Value": True}), False),
        (compared(">=", fact("wanted_elsewhere"), {"Value": 5}), True),
        (compared("<", fact("wanted_elsewhere"), {"Value": 5}), False),
    ],
)
def test_no_signal_and_no_other_customer_lifts_anything(body: object, *, adds: bool) -> None:
    """Prevents: five accounts of a thief's, whose listings have an address wait less long."""
    assert relaxes([("when", body)]) is not adds
    assert relaxes([("unless", body)]) is not ("!" in str(body) or "<" in str(body))


@pytest.mark.parametrize(
    "body",
    [
        compared("<", RISK, SIXTY),
        compared("<=", RISK, SIXTY),
        compared(">=", SIXTY, RISK),
        {"!": {"arg": RISES}},
        compared("&&", RISES, {"!": {"arg": RISES}}),
    ],
)
def test_a_condition_that_a_score_only_ends(body: object) -> None:
    assert relaxes([("when", body)])


@pytest.mark.parametrize(
    "body",
    [
        compared("==", RISK, SIXTY),
        compared("!=", RISK, SIXTY),
        compared(">=", compared("+", RISK, OTHER), SIXTY),
        compared(">=", OTHER, RISK),
        compared(">=", RISK, OTHER),
        {"neg": {"arg": RISK}},
        {"Set": [RISK]},
        {"if": RISES, "then": SIXTY},
        [RISK],
    ],
)
def test_a_condition_of_which_nobody_can_say_is_taken_in_no_sense(body: object) -> None:
    assert relaxes([("when", body)])
    assert relaxes([("unless", body)])
