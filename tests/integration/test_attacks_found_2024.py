"""What the prover finds on ``baseline-2024`` is a theft at its minute, at the gate and on HTTP."""

import pytest

from twinlock.range.attacking import Script
from twinlock.range.break_in import break_in
from twinlock.range.found import distinct, not_as_found, scripts_of
from twinlock.range.profiles import BASELINE, rules_of
from twinlock.range.venue import open_service, open_world

pytestmark = pytest.mark.timeout(600)  # Whatever is found is found in half a minute.


@pytest.fixture(scope="module")
def scripts() -> tuple[Script, ...]:
    return scripts_of(BASELINE)


def test_each_attack_succeeds_at_the_gate_at_its_minute_and_not_one_sooner(
    scripts: tuple[Script, ...],
) -> None:
    assert len(scripts) > 500
    assert not_as_found(BASELINE, scripts) == []


async def test_each_set_of_capabilities_takes_the_money_from_a_service_in_memory(
    scripts: tuple[Script, ...],
) -> None:
    async with open_world(rules_of(BASELINE)) as venue:
        played = [await break_in(venue, script) for script in distinct(scripts)]

    assert len(played) > 30
    assert all(0 <= one.minutes - one.script.minutes <= 3 for one in played)


async def test_so_do_they_from_a_served_one_with_its_database(
    scripts: tuple[Script, ...],
) -> None:
    async with open_service(rules_of(BASELINE)) as venue:
        played = [await break_in(venue, script) for script in distinct(scripts)[::3]]

    assert len(played) > 10
    assert all(0 <= one.minutes - one.script.minutes <= 3 for one in played)
