"""The use case of replaying: pages, and policies that decided, each read once."""

from support.past import MemorySnapshots, a_past, longer_waits, with_leaf
from support.policies import DEFAULT, LAX, STRICT

from twinlock.domain.laws import LAWS
from twinlock.domain.policy.backtesting import Backtest, ReplayFault
from twinlock.domain.policy.version import Policy
from twinlock.services.backtest import Backtesting

PAST = a_past()  # Made before any test has a loop running, for it has one of its own.


async def run(source: MemorySnapshots, proposed: Policy) -> Backtest:
    read: list[tuple[int, int]] = []
    found = await Backtesting(source, laws=LAWS).run(
        proposed, since=None, until=None, advance=lambda done, of: read.append((done, of))
    )
    assert len(read) == -(-len(tuple(source.some)) // 7)
    return found


async def test_each_policy_that_decided_is_read_once() -> None:
    source = MemorySnapshots(some=PAST)
    found = await run(source, longer_waits())

    assert source.asked == [DEFAULT.name.digest]
    assert found.whole
    assert (found.decisions, found.changed) == (len(PAST), 8)


async def test_the_proposed_policy_is_not_looked_for() -> None:
    source = MemorySnapshots(some=PAST, policies={})

    assert (await run(source, DEFAULT)).whole
    assert source.asked == []


async def test_what_nobody_kept_and_what_cannot_be_read_is_counted_and_the_rest_replayed() -> None:
    one, two, *rest = (each for each in PAST if each.facts != b"{}")
    some = (with_leaf(one, pol="gone"), with_leaf(two, pol="older"), *rest)
    policies = {"older": STRICT.text, DEFAULT.name.digest: DEFAULT.text}
    found = await run(MemorySnapshots(some=some, policies=policies), LAX)

    assert [(told.code, told.count) for told in found.not_replayed] == [
        (ReplayFault.POLICY_MISSING, 1),
        (ReplayFault.POLICY_OLDER, 1),
    ]
    assert found.replayed == len(rest)


async def test_an_empty_log_has_nothing_to_replay() -> None:
    found = await run(MemorySnapshots(some=()), STRICT)

    assert (found.decisions, found.whole) == (0, True)
