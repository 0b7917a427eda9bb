"""The check of sums: what an owner's limit lets through, by all ways together."""

from typing import Any

import pytest
from support.ranges import APP_ACCOUNT, PASSKEY_ACCOUNT, checked, without

from twinlock.domain.own_laws import own_limits_hold
from twinlock.range.results import CheckResult, Status


async def of_sums(**words: Any) -> CheckResult:  # noqa: ANN401 - any parameters
    account = words.pop("account", PASSKEY_ACCOUNT)
    book = words.pop("book", None)
    return await checked({"name": "sum_binds", **words}, account=account, book=book)


@pytest.mark.parametrize("account", [PASSKEY_ACCOUNT, APP_ACCOUNT], ids=["passkey", "app"])
@pytest.mark.parametrize("per", ["day", "destination"])
async def test_an_owners_limit_binds_all_exits_together(account: dict[str, Any], per: str) -> None:
    found = await of_sums(account=account, per=per, limit="small")

    assert (found.status, found.wrong) == (Status.PASSED, ())
    assert found.looked_at == (13 if per == "day" else 26)


async def test_a_limit_that_nothing_keeps_is_found() -> None:
    found = await of_sums(
        book=without(own_limits_hold), exits=["transfer.internal", "gift.send"], limit=100
    )

    assert found.wrong == ("gift.send brought it to 12000 cents of 10000",)


async def test_where_nothing_is_allowed_no_sum_was_tried() -> None:
    found = await of_sums(exits=["unknown.exit"], per="destination")

    assert found.not_playable == ("nothing was allowed at all, so no sum was tried",)


async def test_a_limit_may_be_a_number_or_its_text() -> None:
    found = await of_sums(exits=["gift.send", "card.pay"], limit="1000")

    assert (found.status, found.looked_at) == (Status.PASSED, 2)


async def test_a_limit_without_a_meaning_is_told() -> None:
    found = await of_sums(limit="a_lot")

    assert found.status is Status.NOT_PLAYABLE
    assert "a_lot" in found.not_playable[0]


async def test_where_no_limit_is_named_the_account_has_one_that_it_can_reach() -> None:
    wide, narrow = await of_sums(), await of_sums(account=APP_ACCOUNT)

    assert (wide.status, wide.looked_at) == (Status.PASSED, 13)
    assert (narrow.status, narrow.looked_at) == (Status.PASSED, 26)  # The first limit was too high.


async def test_a_sum_of_something_else_is_not_played() -> None:
    found = await of_sums(per="week")

    assert found.not_playable == ("per 'week': a sum is of a day or of a destination",)


@pytest.mark.parametrize("kept", [True, False])
async def test_one_way_alone_is_tried_until_a_sum_is_above_the_limit(kept: bool) -> None:
    """Prevents: a check that passes by rules that know no limit, since it sent a part once."""
    book = None if kept else without(own_limits_hold)
    found = await of_sums(book=book, exits=["withdrawal.crypto"], limit=100)

    wrong = () if kept else ("withdrawal.crypto brought it to 12000 cents of 10000",)
    assert (found.wrong, found.looked_at, found.not_playable) == (wrong, 2, ())


async def test_where_no_other_way_is_open_no_sum_above_the_limit_was_tried() -> None:
    found = await of_sums(exits=["withdrawal.crypto", "unknown.exit"], limit=100)

    assert found.looked_at == 2
    assert found.status is Status.NOT_PLAYABLE
    assert found.not_playable == ("the limit refused nothing, so no sum above it was tried",)
