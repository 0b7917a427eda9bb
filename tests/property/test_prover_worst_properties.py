"""Statutes at their mildest ask for nothing that they would not ask for anyway."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.facts import facts
from support.policies import ordinary_policies

from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.money import KNOWN_CENTS_MOST
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.version import Policy
from twinlock.domain.prover.worst import Worst

SUMS = (KNOWN_CENTS_MOST, 10_000_000, 100_000, 50_000)
lengths = st.timedeltas(timedelta(0), timedelta(days=900))


@st.composite
def otherwise(draw: st.DrawFn, found: Facts) -> Facts:
    """Return what the gate may decide on in the state of ``found``, in which a thief acts."""
    least = max((one + 1 for one in SUMS if one < found.value_cents), default=100)
    leaves = found.action_class is ActionClass.EXIT
    value = found.value_cents
    if leaves and min(least, value) < value < MAX_VALUE_CENTS:
        value = draw(st.integers(least, value))
    return replace(
        found,
        value_cents=value,
        day_cents=draw(st.integers(0, MAX_VALUE_CENTS)),
        destination_day_cents=draw(st.integers(0, MAX_VALUE_CENTS)),
        destinations_required=draw(st.booleans()),
        look_alike=draw(st.booleans()),
        new_device=draw(st.booleans()),
        shown_device_bound=draw(st.booleans()),
        opened_at=found.opened_at - draw(lengths),
        last_exit_at=draw(st.none() | lengths.map(lambda length: found.now - length)),
        signalled=found.signalled or draw(st.booleans()),
        risk=draw(st.integers(found.risk, 100)),
    )


@given(
    st.data(),
    ordinary_policies(),
    facts(day_cents=0, announced_cents=0).filter(lambda one: one.value_cents != MAX_VALUE_CENTS),
)
def test_a_rule_that_counts_matches_whatever_else_is_so(
    data: st.DataObject, policy: Policy, found: Facts
) -> None:
    other = data.draw(otherwise(found))
    worst = Worst(policy.statutes, sums=SUMS)
    statutes = policy.statutes
    matching = statutes.matching(other.action, statutes.context(other))

    assert any(set(some) <= set(matching) for some in worst.matching(found))


@given(ordinary_policies(), facts(day_cents=0, announced_cents=0))
def test_what_stands_in_the_way_is_a_part_of_what_the_statutes_say(
    policy: Policy, found: Facts
) -> None:
    statutes = policy.statutes
    matching = set(statutes.matching(found.action, statutes.context(found)))
    every = Worst(statutes, sums=SUMS).matching(found)

    assert any(set(some) <= matching for some in every)
