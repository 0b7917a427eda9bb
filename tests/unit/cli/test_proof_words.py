"""The words and the scale of a proof's page."""

import pytest
from support.studies import studies

from twinlock.cli.proof_page import (
    NAMES,
    bars,
    gained,
    groups,
    idle,
    inside,
    level,
    levels,
    much,
    narrow,
    needless,
    page_of,
    place,
    short,
    soonest,
    spaced,
    stealing,
    when,
)
from twinlock.domain.bounds import SMALL_SUM_CENTS
from twinlock.domain.money import KNOWN_CENTS_MOST
from twinlock.domain.prover.capabilities import TABLE, Capability
from twinlock.domain.prover.matrix import Cell, Matrix
from twinlock.domain.prover.outcomes import Whose

DAY = 24 * 60
WITHIN = 30 * DAY
EMPTY = Matrix(
    capabilities=(Capability.PASSWORD,), rows=((Cell(),),), within_minutes=WITHIN, to_none=0
)


def test_every_capability_has_a_name_of_its_own() -> None:
    assert set(NAMES) == set(TABLE)
    assert len(set(NAMES.values())) == len(NAMES)


@pytest.mark.parametrize(
    ("minutes", "says", "in_a_cell"),
    [
        (None, None, "–"),
        (0, "at once", "now"),
        (45, "after 45 minutes", "45 min"),
        (60, "after 1 hour", "1 h"),
        (DAY, "after 1 day", "1 d"),
        (DAY + 60, "after 25 hours", "25 h"),
        (31 * DAY, "after 31 days", "31 d"),
    ],
)
def test_a_time_is_told_in_words_and_in_a_cell(
    minutes: int | None, says: str | None, in_a_cell: str
) -> None:
    assert short(minutes) == in_a_cell
    assert minutes is None or when(minutes) == says


def test_sums_are_told_in_dollars_and_the_highest_is_all() -> None:
    assert much(SMALL_SUM_CENTS) == "US$1,000 a day"
    assert much(KNOWN_CENTS_MOST) == "Whole account"


@pytest.mark.parametrize(
    ("minutes", "step"),
    [
        (None, 0),
        (0, 5),
        (59, 5),
        (60, 4),
        (DAY, 4),
        (DAY + 1, 3),
        (7 * DAY, 3),
        (7 * DAY + 1, 2),
        (WITHIN - 1, 2),
        (WITHIN, 1),
    ],
)
def test_the_sooner_the_higher_is_the_step(minutes: int | None, step: int) -> None:
    assert level(EMPTY, Cell(minutes=minutes)) == step


def test_the_legend_names_every_step_from_the_soonest_to_never() -> None:
    told = levels(WITHIN)

    assert [step for step, _ in told] == [5, 4, 3, 2, 1, 0]
    assert [says for _, says in told][0::3] == ["at once", "within 30 days"]
    assert told[-1] == (0, "never")


def test_later_times_stand_further_right_on_a_strip_and_never_outside() -> None:
    places = [place(minutes) for minutes in (0, 30, 60, DAY, 7 * DAY, WITHIN, 40 * DAY, 900 * DAY)]

    assert places == sorted(places)
    assert (places[0], places[-1], place(60 * DAY)) == (2.0, 98.0, 98.0)


def test_names_read_well_inside_a_sentence() -> None:
    assert inside("Phone malware") == "phone malware"
    assert inside("API key") == "API key"
    assert spaced("password+phone_key | e_mail") == "password + phone key · e mail"


def test_what_is_shown_adds_up() -> None:
    for study in studies():
        proof = study.proof
        told = bars(proof, beside=studies())
        assert sum(bar.states for bar in told) == proof.states
        assert {bar.size for bar in told} >= {0, 1, 2, 3}
        narrow_states = [one for one in proof.verdicts if one.k_any < proof.k <= one.k]
        assert sum(one.states for one in narrow(proof)) == len(narrow_states)
        shown = [
            held for _, _, _, sizes in groups(study.held) for _, some in sizes for held in some
        ]
        assert sorted(shown, key=str) == sorted(study.held, key=str)
        thieves = {one for one in TABLE if TABLE[one].kind.value == "thief"}
        assert set(idle(study, Whose.THIEVES)) <= thieves
        assert Capability.DEEPFAKE_VIDEO in idle(study, Whose.THIEVES)
        assert set(needless(study.matrix)) | set(study.matrix.capabilities) == set(TABLE)


def test_the_soonest_pair_is_no_later_than_the_soonest_alone() -> None:
    for study in studies():
        alone, pair = soonest(study.matrix, alone=True), soonest(study.matrix, alone=False)
        assert pair is not None
        assert alone is None or (pair[2].minutes or 0) <= (alone[2].minutes or 0)
        steal, of = stealing(study.matrix, alone=False)
        assert 0 < steal <= of == 120
    assert soonest(EMPTY, alone=True) is None


def test_what_application_deploy_gains_is_told_whole() -> None:
    default = studies()[2]
    told = gained(default, Capability.APP_DEPLOY)

    assert any(held.all_of == (Capability.APP_DEPLOY,) for held in told)
    assert {held.size for held in told} == {1, 2}


def test_a_page_of_each_profile_says_how_it_stands() -> None:
    for study in studies():
        page = page_of(study, beside=studies())
        assert ("✓ Proved" in page) is study.proof.proved
        assert study.proof.policy in page
        assert page.count('class="small-matrix" role="img"') == len(studies())
