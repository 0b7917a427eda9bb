"""The owner's own limits and locks, played."""

from typing import Any

import pytest
from support.ranges import PASSKEY_ACCOUNT, answers, attack, step

from twinlock.range.results import Status


def own(
    do: str, at: str = "0m", proof: tuple[str, ...] = ("passkey",), **given: object
) -> dict[str, Any]:
    return step(do, at=at, proof=list(proof), **{"with": given})


async def test_a_limit_is_lowered_at_once_and_raised_after_its_wait() -> None:
    leave: dict[str, Any] = {"amount": "large", "destination": "old_addr"}
    said = await answers(
        own("limit.lower", to=1000),
        own("withdrawal.crypto", at="1m", **leave),
        own("limit.raise", at="2m", to="house_price"),
        own("withdrawal.crypto", at="wait:x3+1d", **leave),
        account=PASSKEY_ACCOUNT,
    )

    assert said[0] == "allow"
    assert said[1] != "allow"
    assert said[2:] == ["hold", "allow"]


async def test_a_lock_is_tightened_at_once_and_loosened_after_its_own_delay() -> None:
    leave: dict[str, Any] = {"amount": "small", "destination": "old_addr"}
    part = await attack(
        own("lock.tighten", to="7d"),
        own("withdrawal.crypto", at="1m", **leave),
        own("lock.loosen", at="2m", delay="1d"),
        account=PASSKEY_ACCOUNT,
    )

    assert [one.answer for one in part.steps] == ["allow", "hold", "hold"]
    assert part.steps[2].waits is not None
    assert part.steps[2].waits.days >= 7


@pytest.mark.parametrize(
    ("do", "given"),
    [
        pytest.param("limit.lower", {}, id="no sum"),
        pytest.param("limit.lower", {"to": "a_fortune"}, id="a sum without a meaning"),
        pytest.param("limit.raise", {"to": 5, "per": "year"}, id="of a year"),
        pytest.param("lock.tighten", {"to": "soon"}, id="no length"),
        pytest.param("lock.tighten", {"to": "36h"}, id="no whole days"),
        pytest.param("lock.loosen", {"why": "so"}, id="a parameter"),
        pytest.param("lock.tighten", {"both_keys": "so"}, id="neither yes nor no"),
    ],
)
async def test_a_word_of_limits_and_locks_without_a_meaning_is_told(
    do: str, given: dict[str, Any]
) -> None:
    part = await attack(own(do, **given), account=PASSKEY_ACCOUNT)

    assert part.steps[0].status is Status.NOT_PLAYABLE
    assert part.steps[0].notes


@pytest.mark.parametrize("lock", [{"delay": "7d"}, {"delay": "7d", "strict": True}])
async def test_an_account_with_a_lock_waits_for_its_delay(lock: dict[str, Any]) -> None:
    part = await attack(
        own("withdrawal.crypto", amount="small", destination="old_addr"),
        account={**PASSKEY_ACCOUNT, "lock": lock},
    )

    assert part.steps[0].answer == "hold"
    assert part.steps[0].waits is not None
    assert part.steps[0].waits.days >= 6


async def test_a_friend_agrees_above_the_limit_and_is_asked_for_nothing_below_it() -> None:
    where: dict[str, Any] = {"destination": "old_addr"}
    both = ("hardware_key", "trusted_contact")
    part = await attack(
        own("withdrawal.crypto", amount="large", proof=("hardware_key",), **where),
        own("withdrawal.crypto", at="1d", amount="above_limit", proof=("hardware_key",), **where),
        own("withdrawal.crypto", at="2d", amount="above_limit", proof=both, **where),
        account={
            **PASSKEY_ACCOUNT,
            "authenticators": ["password", "hardware_key"],
            "trusted_contacts": 1,
            "value_usd": 10_000_000,
        },
    )
    below, alone, agreed = part.steps

    assert below.answer == "allow"
    assert "agreement_needed" in alone.codes
    assert "agreement_needed" not in agreed.codes
    assert agreed.answer == "hold"


async def test_where_a_friend_agrees_a_raised_limit_is_theirs_too() -> None:
    leave: dict[str, Any] = {"amount": "house_price", "destination": "old_addr"}
    part = await attack(
        own("limit.raise", to="all"),
        own("withdrawal.crypto", at="wait:x1", **leave),
        account={**PASSKEY_ACCOUNT, "trusted_contacts": 1},
    )

    assert "contact_stays" in part.steps[0].codes
    assert "agreement_needed" not in part.steps[1].codes
