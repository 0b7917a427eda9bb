from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cast import DAY, NOON
from support.facts import requirements, single_demands

from twinlock.domain.assurance import Level
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    STRENGTH,
    AllOf,
    Answer,
    AnyOf,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    answer,
    any_of,
    ask_again_at,
    leaves,
    reasons,
    silence_until,
    waits_until,
)

few = st.lists(requirements, min_size=1, max_size=4)


def demanded(requirement: Requirement) -> tuple[Answer, frozenset[object], datetime | None]:
    return answer(requirement), frozenset(leaves(requirement)), waits_until(requirement)


@given(few, st.randoms())
def test_the_order_of_demands_changes_nothing(some: list[Requirement], random: object) -> None:
    shuffled = list(some)
    getattr(random, "shuffle")(shuffled)  # noqa: B009 - Hypothesis' own Random

    assert demanded(all_of(*some)) == demanded(all_of(*shuffled))
    assert demanded(any_of(*some)) == demanded(any_of(*shuffled))


@given(requirements, requirements, requirements)
def test_how_demands_are_grouped_changes_nothing(
    one: Requirement, two: Requirement, three: Requirement
) -> None:
    assert demanded(all_of(one, all_of(two, three))) == demanded(all_of(all_of(one, two), three))
    left, right = any_of(one, any_of(two, three)), any_of(any_of(one, two), three)
    assert answer(left) == answer(right)


@given(requirements)
def test_a_demand_made_twice_is_made_once(one: Requirement) -> None:
    assert demanded(all_of(one, one)) == demanded(one)
    assert answer(any_of(one, one)) == answer(one)


@given(requirements)
def test_nothing_missing_adds_nothing_and_is_always_an_option(one: Requirement) -> None:
    assert all_of(one, NOTHING) == all_of(one)
    assert any_of(one, NOTHING) == NOTHING


@given(few)
def test_the_strongest_demand_of_a_conjunction_gives_the_answer(some: list[Requirement]) -> None:
    assert STRENGTH[answer(all_of(*some))] == max(STRENGTH[answer(one)] for one in some)


@given(few)
def test_the_mildest_option_of_a_choice_gives_the_answer(some: list[Requirement]) -> None:
    assert STRENGTH[answer(any_of(*some))] == min(STRENGTH[answer(one)] for one in some)


@given(few)
def test_what_can_never_be_makes_the_whole_impossible(some: list[Requirement]) -> None:
    never = Never(code=Reason.ACTION_UNKNOWN)

    assert answer(all_of(*some, never)) is Answer.DENY


@given(few)
def test_an_option_that_can_never_be_drops_out(some: list[Requirement]) -> None:
    never = Never(code=Reason.ACTION_UNKNOWN)
    choice = any_of(*some, never)

    assert never not in leaves(choice) or answer(choice) is Answer.DENY


@given(requirements)
def test_every_no_has_a_reason(one: Requirement) -> None:
    assert bool(reasons(one)) is (answer(one) is not Answer.ALLOW)
    assert list(reasons(one)) == sorted({leaf.code for leaf in leaves(one)})


@given(requirements, requirements)
def test_one_more_demand_never_ends_a_wait_sooner(one: Requirement, more: Requirement) -> None:
    alone, both = waits_until(one), waits_until(all_of(one, more))

    assert alone is None or (both is not None and both >= alone)


@given(requirements)
def test_waiting_alone_is_never_shorter_than_the_waits_that_must_pass(one: Requirement) -> None:
    must, alone = waits_until(one), silence_until(one)

    assert must is None or alone is None or alone >= must


@given(st.lists(single_demands, min_size=1, max_size=3))
def test_waiting_alone_does_only_where_nothing_else_is_asked(some: list[Requirement]) -> None:
    only_waits = all(isinstance(one, WaitUntil) for one in some)

    assert (silence_until(all_of(*some)) is not None) is only_waits


@given(requirements)
def test_who_is_told_when_to_ask_again_is_told_no_earlier_than_any_end(one: Requirement) -> None:
    until, must = ask_again_at(one), waits_until(one)
    ends = [leaf.until for leaf in leaves(one) if isinstance(leaf, Never)]

    if answer(one) is not Answer.DENY:
        assert until == must
    elif None in ends:
        assert until is None
    else:
        assert until == max(end for end in (must, *ends) if end is not None)


PROOF = Prove(code=Reason.SECOND_ROOT_NEEDED, level=Level.POSSESSION, roots=2)
OTHER = Prove(code=Reason.PROOF_NEEDED, level=Level.KNOWLEDGE)
SOON = WaitUntil(code=Reason.EXITS_HELD, until=NOON)
LATE = WaitUntil(code=Reason.DESTINATION_NEW, until=NOON + DAY)


@pytest.mark.parametrize(
    ("requirement", "must", "alone"),
    [
        pytest.param(NOTHING, None, None, id="nothing is missing"),
        pytest.param(SOON, SOON.until, SOON.until, id="one wait"),
        pytest.param(PROOF, None, None, id="a proof"),
        pytest.param(all_of(SOON, LATE), LATE.until, LATE.until, id="two waits: the later"),
        pytest.param(any_of(SOON, LATE), SOON.until, SOON.until, id="either wait: the earlier"),
        pytest.param(any_of(PROOF, LATE), None, LATE.until, id="a proof or a wait"),
        pytest.param(any_of(PROOF, OTHER), None, None, id="either proof"),
        pytest.param(AnyOf(options=()), None, None, id="no way at all"),
        pytest.param(all_of(SOON, PROOF), SOON.until, None, id="a wait and a proof"),
        pytest.param(
            all_of(SOON, any_of(PROOF, LATE)), SOON.until, LATE.until, id="a wait, then a choice"
        ),
    ],
)
def test_which_waits_must_pass_and_how_long_waiting_alone_takes(
    requirement: Requirement, must: datetime | None, alone: datetime | None
) -> None:
    assert waits_until(requirement) == must
    assert silence_until(requirement) == alone


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        (NOTHING, Answer.ALLOW),
        (PROOF, Answer.CHALLENGE),
        (SOON, Answer.HOLD),
        (Approvals(code=Reason.TOO_MANY, count=2), Answer.REVIEW),
        (Never(code=Reason.TOO_MANY), Answer.DENY),
        (any_of(PROOF, SOON), Answer.CHALLENGE),
        (all_of(PROOF, SOON), Answer.HOLD),
        (AnyOf(options=(Never(code=Reason.TOO_MANY), SOON)), Answer.HOLD),
    ],
)
def test_what_is_missing_gives_the_answer(requirement: Requirement, said: Answer) -> None:
    assert answer(requirement) is said


NO = Never(code=Reason.TOO_MANY)


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ((AnyOf(options=(PROOF, SOON)), LATE), AnyOf(options=(PROOF, SOON, LATE))),
        ((PROOF, NO), PROOF),
        ((PROOF, PROOF), PROOF),
        ((NO, SOON, LATE), AnyOf(options=(SOON, LATE))),
        ((NO,), NO),
        ((PROOF, NOTHING, SOON), NOTHING),
    ],
)
def test_a_choice_has_one_form_without_what_cannot_be(
    options: tuple[Requirement, ...], same: Requirement
) -> None:
    assert any_of(*options) == same


@pytest.mark.parametrize(
    ("parts", "same"),
    [
        ((AllOf(parts=(PROOF, SOON)), LATE), AllOf(parts=(PROOF, SOON, LATE))),
        ((PROOF, NOTHING, PROOF), PROOF),
        ((), NOTHING),
    ],
)
def test_a_sum_has_one_form(parts: tuple[Requirement, ...], same: Requirement) -> None:
    assert all_of(*parts) == same
