"""A thief with one capability makes 100,000 moves, whatever comes to mind, and steals nothing.

From a narrow account a small sum a day may leave after a week (law 5), and some of these thieves
find it. The same attacker steals with two capabilities, and with one by weaker rules; and whatever
he steals the prover foresaw, no later than it came.
"""

from itertools import islice

import pytest
from support.foresight import Foresight

from twinlock.range.profiles import BASELINE, DEFAULT, TYPICAL, rules_of
from twinlock.range.roaming import Roamed, live, roam, settings

pytestmark = pytest.mark.timeout(400)  # Seconds where nothing else runs.

SEEDS = range(1, 26)
MOVES = 4_000  # Of each seed: 100,000 in all, in tests that run beside each other.
FINDS_IT = 1  # A seed by which a narrow account loses a small sum.


async def attacked(profile: str, *, seed: int, moves: int, k: int = 1) -> Roamed:
    return await roam(rules_of(profile), seed=seed, moves=moves, k=k)


@pytest.mark.parametrize("seed", SEEDS)
async def test_one_capability_steals_no_more_than_is_proved(seed: int) -> None:
    found = await attacked(DEFAULT, seed=seed, moves=MOVES)

    assert found.moves >= MOVES
    assert found.beyond == ()
    assert found.broken == ()


async def test_a_small_sum_leaves_a_narrow_account_after_a_week() -> None:
    found = await attacked(DEFAULT, seed=FINDS_IT, moves=MOVES)

    assert found.thefts
    assert all(one.narrow for one in found.thefts)


async def test_two_capabilities_steal_within_thousands_of_moves() -> None:
    found = [await attacked(DEFAULT, seed=seed, moves=1_500, k=2) for seed in range(5, 8)]

    assert any(one.beyond for one in found)


@pytest.mark.parametrize("profile", [BASELINE, TYPICAL])
async def test_one_capability_steals_by_weaker_rules(profile: str) -> None:
    found = await attacked(profile, seed=1, moves=500)

    assert found.beyond


@pytest.mark.parametrize(
    ("profile", "k", "lives"),
    [
        pytest.param(DEFAULT, 1, 40, id="one capability"),
        pytest.param(DEFAULT, 2, 60, id="two"),
        pytest.param(DEFAULT, 3, 60, id="three"),
        pytest.param(BASELINE, 1, 20, id="one by the rules of 2024"),
    ],
)
async def test_the_prover_foresees_whatever_is_stolen(profile: str, k: int, lives: int) -> None:
    book, stolen = rules_of(profile), 0
    foresight = Foresight(book)

    for setting in islice(settings(2, k=k), lives):
        lived = await live(book, setting)
        stolen += len(lived.thefts)
        assert [one for one in lived.thefts if not foresight.foresaw(setting, one)] == []

    assert stolen
