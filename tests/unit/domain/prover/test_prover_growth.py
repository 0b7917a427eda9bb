"""What another policy adds, and what it ends."""

from msgspec.structs import replace
from support.policies import policy_of
from support.proved import ASSUMED, FEW, rules, sheet_by

from twinlock.domain.decisions import Rules
from twinlock.domain.prover.growth import growth
from twinlock.domain.prover.model import Deriver
from twinlock.domain.prover.sums import sums_of

STATES = FEW[:4]


def with_statutes(text: str) -> Rules:
    policy = policy_of(text)
    return replace(rules("default"), policy=policy, statutes=policy.statutes.laws())


def without_the_narrow_wait() -> Rules:
    """Return the rules of ``default`` by which new addresses of narrow accounts wait a day."""
    from twinlock.adapters.policies import shipped  # noqa: PLC0415 - only here

    text = shipped("default")
    start = text.index('@id("narrow.destination.add.waits")')
    end = text.index('@id("narrow.exits.new_destination_waits")')
    return with_statutes(text[:start] + text[end:])


def test_nothing_grows_between_a_policy_and_itself() -> None:
    sheet = sheet_by(Deriver(rules("default"), assumed=ASSUMED), STATES)

    assert growth([sheet], [sheet]) == ()


def test_what_grows_one_way_vanishes_the_other_way() -> None:
    weaker, usual = without_the_narrow_wait(), rules("default")
    every = tuple(sorted({*sums_of(weaker), *sums_of(usual)}, reverse=True))
    before, after = (
        sheet_by(Deriver(one, assumed=ASSUMED, sums=every), STATES) for one in (usual, weaker)
    )

    new, gone = growth([before], [after]), growth([after], [before])

    assert new
    assert gone == ()
    sooner = min(new, key=lambda one: (len(one.capabilities), one.minutes))
    assert (len(sooner.capabilities), sooner.minutes) == (1, 24 * 60)
    assert next(step.action for step in sooner.path) == "destination.add"
    assert len(sooner.exits) == 14  # Every exit, told once.


def test_an_attack_is_told_with_the_most_that_it_takes() -> None:
    sheet = sheet_by(Deriver(rules("default"), assumed=ASSUMED), STATES[1:2])
    weak = sheet_by(
        Deriver(rules("baseline-2024"), assumed=ASSUMED, sums=sheet[0].sums), STATES[1:2]
    )

    new = growth([sheet], [weak])

    assert {one.cents for one in new if one.minutes == 0} == {max(sheet[0].sums)}
