"""A step-up asks for what lifts the answer, and nothing that it asks for falls short."""

import re
from typing import assert_never

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.cast import NOON
from support.facts import requirements

from twinlock.domain.assurance import BESIDE, Factor, Level, level_of
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    AllOf,
    AnyOf,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
)
from twinlock.domain.step_up import (
    ACR,
    CHOICES_MOST,
    Shown,
    acr_of,
    acr_values,
    acr_values_supported,
    challenge,
    quoted,
)

NAME = re.compile(rf"{ACR}(?P<level>[a-z_]+)(?::(?P<roots>\d)_roots)?(?P<password>:password)?")
EVERYTHING = Shown(Level.PHISHING_RESISTANT, 9, True)  # noqa: FBT003 - a tuple's fields
PASSWORD = Prove(code=Reason.PROOF_NOT_BOUND, level=Level.KNOWLEDGE, factors=(Factor.PASSWORD,))
PASSKEY = Prove(code=Reason.PROOF_NOT_BOUND, level=Level.PHISHING_RESISTANT)
TWO = Prove(code=Reason.PROOF_NOT_BOUND, level=Level.POSSESSION, roots=2)
WAIT = WaitUntil(code=Reason.PROOF_NOT_BOUND, until=NOON)
CHANNEL = Prove(code=Reason.CHANNEL_UNCONFIRMED, level=Level.NONE, factors=(Factor.CHANNEL_CODE,))
NEVER = Never(code=Reason.PROOF_NOT_BOUND)


def shown_of(name: str) -> Shown:
    """Return what a name stands for."""
    found = NAME.fullmatch(name)
    assert found is not None
    level = Level[found["level"].upper()]
    return Shown(level, int(found["roots"] or 1), found["password"] is not None)


def lifted(requirement: Requirement, by: Shown) -> bool:
    """Say whether such proofs are all the proof that ``requirement`` asks for."""
    match requirement:
        case Prove(factors=factors) if not BESIDE.isdisjoint(factors):
            return True  # No proof of a person's is meant.
        case Prove(level=level, roots=roots, factors=factors):
            levels = (level, *map(level_of, factors))
            named = by.password or Factor.PASSWORD not in factors
            return by.level >= max(levels) and by.roots >= roots and named
        case WaitUntil() | Approvals():
            return True
        case Never():
            return False
        case AnyOf(options=options):
            return any(lifted(option, by) for option in options)
        case AllOf(parts=parts):
            return all(lifted(part, by) for part in parts)
        case _:
            assert_never(requirement)


@given(requirements)
@example(all_of(any_of(PASSWORD, TWO), any_of(PASSKEY, WAIT)))
def test_whatever_is_asked_for_lifts_all_that_proofs_can(requirement: Requirement) -> None:
    names = acr_values(requirement)

    assert all(lifted(requirement, shown_of(name)) for name in names)
    assert len(names) <= CHOICES_MOST
    if not names:
        nothing = lifted(requirement, Shown())
        assert nothing or not lifted(requirement, EVERYTHING)


@given(st.lists(requirements, min_size=1, max_size=12))
def test_no_tree_multiplies_out(some: list[Requirement]) -> None:
    assert len(acr_values(AllOf(parts=tuple(any_of(one, PASSKEY) for one in some)))) <= CHOICES_MOST


@pytest.mark.parametrize(
    ("requirement", "names"),
    [
        pytest.param(NOTHING, (), id="nothing"),
        pytest.param(WAIT, (), id="a wait"),
        pytest.param(NEVER, (), id="never"),
        pytest.param(CHANNEL, (), id="a new channel's code"),
        pytest.param(all_of(CHANNEL, PASSKEY), ("phishing_resistant",), id="that code and a proof"),
        pytest.param(all_of(PASSKEY, NEVER), (), id="a proof and never"),
        pytest.param(PASSKEY, ("phishing_resistant",), id="a proof"),
        pytest.param(all_of(PASSKEY, WAIT), ("phishing_resistant",), id="a proof and a wait"),
        pytest.param(any_of(PASSKEY, WAIT), ("phishing_resistant",), id="a proof or a wait"),
        pytest.param(any_of(PASSKEY, NEVER), ("phishing_resistant",), id="a proof or never"),
        pytest.param(TWO, ("possession:2_roots",), id="two roots"),
        pytest.param(
            all_of(TWO, PASSWORD), ("possession:2_roots:password",), id="and the password"
        ),
        pytest.param(
            any_of(TWO, PASSKEY, PASSWORD),
            ("knowledge:password", "possession:2_roots", "phishing_resistant"),
            id="a choice, the easiest first",
        ),
        pytest.param(
            Approvals(code=Reason.PROOF_NOT_BOUND, count=2), (), id="what staff must agree to"
        ),
    ],
)
def test_a_requirement_has_these_names(requirement: Requirement, names: tuple[str, ...]) -> None:
    assert acr_values(requirement) == tuple(f"{ACR}{name}" for name in names)


def test_every_name_is_one_of_those_that_are_published() -> None:
    names = acr_values_supported()

    assert len(set(names)) == len(names) == 16
    assert acr_of(Level.POSSESSION, roots=1, password=False) in names
    assert {acr_of(shown_of(one).level, roots=1, password=False) for one in names} <= set(names)
    for name in names:
        shown = shown_of(name)
        assert acr_of(shown.level, roots=shown.roots, password=shown.password) == name


def test_a_challenge_is_written_as_the_standards_say() -> None:
    assert challenge(all_of(PASSKEY, WAIT)) == (
        'Bearer error="insufficient_user_authentication", '
        'error_description="A proof bound to this action is missing", '
        'acr_values="urn:twinlock:acr:phishing_resistant", max_age="0"'
    )
    assert challenge(WAIT) == ""


@given(st.text())
@example('a"b\\c')
@example("a\r\nSet-Cookie: x=1")
def test_a_quoted_string_holds_what_a_field_may_hold(text: str) -> None:
    written = quoted(text)

    assert re.fullmatch(r'"(?:[ !#-\[\]-~]|\\["\\])*"', written)
    kept = "".join(sign for sign in text if " " <= sign <= "~")
    assert re.sub(r"\\(.)", r"\1", written[1:-1]) == kept
