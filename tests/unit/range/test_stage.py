import pytest

from twinlock.domain.policy.version import ASSETS
from twinlock.range.customer import NotPlayableError
from twinlock.range.places import Places
from twinlock.range.profiles import rules_of
from twinlock.range.setting_up import set_up
from twinlock.range.stage import BUDGET_CENTS, MAX_FEE_CENTS, Stage
from twinlock.range.story import AccountSpec
from twinlock.range.venue import Venue, open_world
from twinlock.range.words import Proof

ETH, USDT = ASSETS[1], ASSETS[2]


async def a_stage(venue: Venue) -> Stage:
    return await set_up(venue, AccountSpec(authenticators=(Proof.PASSWORD,)))


def test_the_same_symbol_is_the_same_address_and_another_one_is_not() -> None:
    places = Places("salt")

    assert places.address("a") == places.address("a")
    assert places.address("a") != places.address("b")
    assert places.address("a") != Places("pepper").address("a")
    assert len(places.address("a")) == 42


@pytest.mark.parametrize(("first", "last"), [(0, 0), (4, 4), (6, 5), (20, 19), (0, 3)])
def test_a_lookalike_shares_what_it_should_and_is_another_address(first: int, last: int) -> None:
    places = Places("salt")
    good = places.address("good")

    bad = places.address("bad", {"resembles": "good", "same_first": first, "same_last": last})

    assert bad != good
    assert len(bad) == len(good)
    assert bad[: 2 + first] == good[: 2 + first]
    assert bad[len(bad) - last :] == good[len(good) - last :]


def test_a_lookalike_is_remembered_as_one() -> None:
    places = Places("salt")
    first = places.address("bad", {"resembles": "good", "same_first": 4, "same_last": 4})

    again = places.address("bad", {"same_first": 4, "same_last": 4})

    assert again == first


async def test_amount_words_become_amounts() -> None:
    async with open_world(rules_of("default")) as venue:
        stage = await a_stage(venue)

        assert stage.amount("small", USDT) == ("50.000000", 50_00)
        assert stage.amount("all", USDT)[1] == stage.spec.value_usd * 100
        assert stage.amount("within_budget", USDT)[1] == BUDGET_CENTS - MAX_FEE_CENTS
        assert stage.amount("above_budget", USDT)[1] == BUDGET_CENTS + 1
        assert stage.amount("above_limit", USDT)[1] == 100_000_01
        assert stage.amount("within_limit", USDT)[1] == 100_000_00 - MAX_FEE_CENTS
        assert stage.amount("medium", USDT)[1] == 5_000_00
        assert stage.amount("half", USDT)[1] == stage.spec.value_usd * 50
        stage.take(1_00)
        assert stage.amount("rest", USDT)[1] == stage.spec.value_usd * 100 - 1_00
        assert stage.amount("small", ETH) == ("0.016666666666666667", 50_01)
        assert stage.amount("1.5", ETH) == ("1.5", 4_500_00)


@pytest.mark.parametrize("word", ["a lot", "1e999999999", "NaN", "1.", "٣", ""])
async def test_an_amount_without_a_meaning_is_not_playable(word: str) -> None:
    async with open_world(rules_of("default")) as venue:
        stage = await a_stage(venue)

        with pytest.raises(NotPlayableError, match="has no meaning"):
            stage.amount(word, USDT)


async def test_an_asset_is_taken_where_withdrawals_here_go() -> None:
    async with open_world(rules_of("default")) as venue:
        stage = await a_stage(venue)

        assert stage.asset("USDT").network == "ethereum"
        assert stage.asset("BTC").network == "bitcoin"
        with pytest.raises(NotPlayableError, match="USD is sent on bank"):
            stage.asset("USD")
        with pytest.raises(NotPlayableError, match="'PEPE'"):
            stage.asset("PEPE")


async def test_nobody_takes_more_than_there_is() -> None:
    async with open_world(rules_of("default")) as venue:
        stage = await a_stage(venue)
        stage.left_cents = 70

        assert [stage.take(50), stage.take(50), stage.take(50)] == [50, 20, 0]
