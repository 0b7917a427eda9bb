"""The back-off likelihood ratio, computed by hand on a world of ten sign-ins."""

from math import log

import pytest

from twinlock.domain.risk.back_off import (
    Feature,
    Seen,
    ip_ratio,
    of_a_thief,
    of_account,
    ua_ratio,
    usual,
)
from twinlock.domain.risk.counters import NOBODY_KNOWS, Counters, Path, count, steps

HOME: Path = ("DE", "DE/3320", "DE/3320/net", "DE/3320/ip")
AWAY: Path = ("FR", "FR/3215", "FR/3215/net", "FR/3215/ip")


def ten_sign_ins() -> Counters:
    """Eight from home, two from away."""
    counts: dict[str, int] = {}
    children: dict[str, int] = {}
    for path in (HOME,) * 8 + (AWAY,) * 2:
        count(path, counts, children)
    return Counters(counts, children)


def own(path: Path, times: int) -> tuple[Seen, ...]:
    return tuple(((node, times),) for node in path)


def feature(path: Path) -> Feature:
    return Feature(path, steps(path, ten_sign_ins()))


def test_what_was_seen_is_smoothed_by_a_half_at_each_level() -> None:
    assert steps(HOME, ten_sign_ins()) == pytest.approx((8.5 / 11.5, 8.5 / 9, 8.5 / 9, 8.5 / 9))


def test_each_step_below_what_nobody_saw_halves() -> None:
    strange: Path = ("BR", "BR/1", "BR/1/net", "BR/1/ip")

    assert steps(strange, ten_sign_ins()) == pytest.approx((0.5 / 11.5, 0.5, 0.5, 0.5))


def test_what_is_new_below_a_country_is_as_likely_as_half_a_sign_in_there() -> None:
    found = steps(("DE", "DE/1", "DE/1/net", "DE/1/ip"), ten_sign_ins())

    assert found == pytest.approx((8.5 / 11.5, 0.5 / 9, 0.5, 0.5))


def test_before_anything_was_counted_nothing_is_unlikely() -> None:
    assert steps(HOME, Counters({}, {})) == (1.0, 0.5, 0.5, 0.5)


def test_an_unknown_part_is_counted_nowhere_and_known_to_nobody() -> None:
    counts: dict[str, int] = {}
    children: dict[str, int] = {}
    count(("DE", "", "", ""), counts, children)

    assert (counts, children) == ({"": 1, "DE": 1}, {"": 1})
    assert steps(("DE", "", "", ""), Counters(counts, children))[1:] == (1 / 3, 0.5, 0.5)


def test_an_account_moves_from_everybody_towards_its_own() -> None:
    """Four of its own sign-ins from home: at each of four levels λ is 4 / (4 + 1)."""
    step = 8.5 / 9
    likely = 8.5 / 11.5 * step**3
    for finer in (step**3, step**2, step, 1.0):
        likely = 0.8 * finer + 0.2 * likely

    assert of_account(feature(HOME), own(HOME, 4)) == pytest.approx(likely)


def test_what_an_account_never_showed_keeps_a_fifth_at_each_level() -> None:
    everybody = 2.5 / 11.5 * (2.5 / 3) ** 3

    assert of_account(feature(AWAY), own(HOME, 4)) == pytest.approx(everybody * 0.2**4)


def test_a_thief_from_anywhere_is_half_of_all_thieves() -> None:
    everybody = 2.5 / 11.5 * (2.5 / 3) ** 3

    assert of_a_thief(feature(AWAY), own(HOME, 4)) == pytest.approx(0.5 * everybody)


def test_a_thief_near_the_owner_is_the_other_half() -> None:
    step = 8.5 / 9
    likely = 0.5 * 8.5 / 11.5 * step**3 + 0.3 * step**3 + 0.2 * step**2

    assert of_a_thief(feature(HOME), own(HOME, 4)) == pytest.approx(likely)


def test_the_ratio_of_an_address_from_elsewhere() -> None:
    """½ · P / (0.2⁴ · P), whatever P is."""
    assert ip_ratio(feature(AWAY), own(HOME, 4)) == pytest.approx(log(0.5 * 5**4))


def test_the_ratio_of_a_foreign_user_agent() -> None:
    assert ua_ratio(feature(AWAY), own(HOME, 4)) == pytest.approx(log(5**4))


def test_an_account_without_a_history_says_nothing() -> None:
    nothing: tuple[Seen, ...] = ((), (), (), ())

    assert ip_ratio(feature(AWAY), nothing) == ua_ratio(feature(AWAY), nothing) == 0.0


def test_a_level_of_which_nothing_is_kept_is_passed_over() -> None:
    kept = (*own(HOME, 4)[:3], ())

    assert of_account(feature(AWAY), kept) == pytest.approx(2.5 / 11.5 * (2.5 / 3) ** 3 * 0.2**3)


def test_home_is_where_most_sign_ins_came_from_and_of_equals_the_last() -> None:
    assert usual((("DE", 3), ("FR", 1))) == "DE"
    assert usual((("DE", 1), ("FR", 1))) == "FR"
    assert usual(()) == ""


@pytest.mark.parametrize("known", [0, 1, 2, 3])
def test_an_address_that_is_not_known_to_its_end_counts_as_the_riskiest(known: int) -> None:
    path = HOME[:known] + NOBODY_KNOWS[known:]
    likely = steps(path, ten_sign_ins())
    stranger = Feature(NOBODY_KNOWS, likely)

    found = ip_ratio(Feature(path, likely), own(HOME, 4))

    if known == 0:
        near = Feature((*HOME[:2], "", ""), likely)
        as_they_are = (
            log(of_a_thief(one, own(HOME, 4))) - log(of_account(one, own(HOME, 4)))
            for one in (stranger, near)
        )
        assert found >= max(as_they_are)
    else:
        assert found <= ip_ratio(stranger, own(HOME, 4))
