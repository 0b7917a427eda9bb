"""The theorem: what is proved of the profiles that we ship, and of those that are weaker."""

from datetime import timedelta

import pytest
from support.played import Played
from support.proved import FEW, deriver, proved, rules, sheet_by

from twinlock.domain.bounds import PROVED_WITHIN, SMALL_SUM_CENTS
from twinlock.domain.locks import OPEN
from twinlock.domain.prover import moves
from twinlock.domain.prover.capabilities import Capability, counted
from twinlock.domain.prover.closure import Attack
from twinlock.domain.prover.derived import cents_of, goal
from twinlock.domain.prover.enrolment import (
    BUILT_IN_KEY,
    CHANNELS,
    LOCKS,
    PHONE_KEY,
    ROAMING_KEY,
    Enrolment,
    account_of,
)
from twinlock.domain.prover.model import MINUTE
from twinlock.domain.prover.theorem import NEVER, Verdict, verdicts

WEEK = timedelta(days=7) // MINUTE
COUNTED = [one for one in Capability if counted(one)]


def judged(profile: str, k: int = 2) -> dict[str, Verdict]:
    system, found = proved(profile)
    return {one.state: one for one in verdicts(system, found, k=k)}


@pytest.mark.parametrize("profile", ["default", "strict"])
def test_no_single_theft_takes_more_than_a_small_sum(profile: str) -> None:
    for one in judged(profile).values():
        assert one.k >= 2
        assert one.all_from is None or one.all_from >= PROVED_WITHIN // MINUTE


@pytest.mark.parametrize("profile", ["baseline-2024", "typical-2026"])
def test_single_thefts_take_all_by_the_weaker_rules(profile: str) -> None:
    assert min(one.k for one in judged(profile).values()) <= 1


def test_strict_lets_one_theft_take_nothing() -> None:
    assert min(one.k_any for one in judged("strict").values()) >= 2


def test_a_security_key_beside_another_under_a_lock_of_both_takes_three() -> None:
    """Where one channel, or one key, is off the two that a phone and a computer take."""
    both = next(one for one in LOCKS if one.both_keys)
    states = [
        Enrolment(authenticators=(other, ROAMING_KEY), channels=CHANNELS, lock=both)
        for other in (PHONE_KEY, BUILT_IN_KEY)
    ]
    system, found = sheet_by(deriver("default"), states)

    assert all(one.k_any >= 3 for one in verdicts(system, found, k=3))


def test_a_narrow_account_loses_no_more_than_a_small_sum_and_nothing_for_a_week() -> None:
    system, found = proved("default")
    narrow = {one.state: one for one in judged("default").values() if one.k_any < 2}

    assert narrow
    for one in narrow.values():
        assert one.small_from is not None
        assert one.small_from >= WEEK
    for name, some in found.items():
        if cents_of(name) > SMALL_SUM_CENTS:
            assert not any(early(attack) and thief(system.held(attack)) for attack in some)


def early(one: Attack) -> bool:
    return one.minutes < PROVED_WITHIN // MINUTE and one.capabilities.bit_count() < 2


def thief(held: tuple[object, ...]) -> bool:
    return set(held) <= set(COUNTED)


def test_what_falls_to_one_theft_is_what_the_gate_calls_narrow() -> None:
    """Every open state in which one theft takes a small sum is one that the gate calls narrow."""
    every = judged("default")
    for state in FEW:
        if every[state.name].k_any < 2:
            assert called_narrow(state)


def called_narrow(state: Enrolment) -> bool:
    by = rules("default")
    payload = moves.listing(budget_cents=0)
    played = Played(account_of(state), payload, by, secret=moves.LISTED.destination_id)
    said = played.propose()
    assert said.facts is not None
    return said.facts.narrow


def test_a_verdict_counts_what_is_early_enough_and_tells_when_the_rest_comes() -> None:
    system, found = proved("default")
    weeks = verdicts(system, found, k=2, within=timedelta(days=400))
    days = verdicts(system, found, k=2, within=timedelta(days=1))

    assert {one.k_any for one in days} >= {NEVER}
    for long, short in zip(weeks, days, strict=True):
        assert long.k_any <= short.k_any
        assert long.small_from == short.small_from


def test_the_owners_will_is_not_counted() -> None:
    system, found = proved("strict")
    most = found[goal(next(iter(system.exits)), system.sums[0])]
    names = {one.value for attack in most for one in system.held(attack)}

    assert {"persuade_owner", "coerce_owner"} <= names
    assert all(one.k >= 2 for one in judged("strict").values())
    assert system.states[0].lock == OPEN
