"""What the prover finds on others' rules is a theft at its minute, at the gate and on HTTP."""

from functools import cache

import pytest

from twinlock.range.attacking import Script
from twinlock.range.break_in import break_in
from twinlock.range.found import distinct, not_as_found, scripts_of
from twinlock.range.profiles import BASELINE, DEFAULT, STRICT, TYPICAL, rules_of
from twinlock.range.venue import open_service, open_world

LATE_MOST = 3  # Minutes: people sign in, and a service looks at what waits now and then.
pytestmark = pytest.mark.timeout(600)  # Whatever is found is found in half a minute.
by_others = pytest.mark.parametrize("profile", [BASELINE, TYPICAL])


@cache
def scripts(profile: str) -> tuple[Script, ...]:
    return scripts_of(profile)


@by_others
def test_each_attack_succeeds_at_the_gate_at_its_minute_and_not_one_sooner(profile: str) -> None:
    assert len(scripts(profile)) > 500
    assert not_as_found(profile, scripts(profile)) == []


@by_others
async def test_each_set_of_capabilities_takes_the_money_from_a_service_in_memory(
    profile: str,
) -> None:
    async with open_world(rules_of(profile)) as venue:
        played = [await break_in(venue, script) for script in distinct(scripts(profile))]

    assert len(played) > 30
    assert all(0 <= one.minutes - one.script.minutes <= LATE_MOST for one in played)


@by_others
async def test_so_do_they_from_a_served_one_with_its_database(profile: str) -> None:
    async with open_service(rules_of(profile)) as venue:
        played = [await break_in(venue, script) for script in distinct(scripts(profile))[::3]]

    assert len(played) > 10
    assert all(0 <= one.minutes - one.script.minutes <= LATE_MOST for one in played)


@pytest.mark.parametrize("profile", [DEFAULT, STRICT])
def test_by_our_own_rules_none_succeeds_sooner_than_it_is_told(profile: str) -> None:
    """Some succeed later: one of each kind of path is tried."""
    kinds: dict[object, Script] = {}
    for one in scripts_of(profile):
        kinds.setdefault((one.cents, tuple((each.rule, each.ends) for each in one.deeds)), one)

    found = not_as_found(profile, tuple(kinds.values()))

    assert len(kinds) > 40
    assert [one for one in found if one.endswith("it leaves a minute sooner")] == []
