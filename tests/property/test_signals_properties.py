"""Signals, for any accounts, kinds, times and transmitters: they add, and they end."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import NOON
from support.facts import facts
from support.policies import DEFAULT, STRICT
from support.worlds import EMAIL, PASSWORD, SMS, SYNCED, an_account, rules_of

from twinlock.domain.account import Account, State
from twinlock.domain.bounds import SIGNAL_SERIES_EVERY, SIGNAL_SERIES_MOST
from twinlock.domain.commands import ReceiveSignal
from twinlock.domain.decisions import judge_facts
from twinlock.domain.floods import Rings
from twinlock.domain.gate import decide
from twinlock.domain.holds import held_until
from twinlock.domain.policy.facts import Facts
from twinlock.domain.replay import apply_all
from twinlock.domain.requirements import STRENGTH, answer
from twinlock.domain.signals import SignalKind, Signals

RULES = rules_of()
commands = st.builds(
    ReceiveSignal,
    stream=st.sampled_from(["mail", "carrier"]),
    kind=st.sampled_from(SignalKind),
    address=st.sampled_from(["", EMAIL.address, SMS.address, "nobody@example.org"]),
    better=st.booleans(),
)
heard = st.lists(st.tuples(st.integers(0, 20 * 24 * 60), commands), min_size=1, max_size=12)
accounts = st.sampled_from(
    [an_account(PASSWORD, channels=(EMAIL, SMS)), an_account(PASSWORD, SYNCED, channels=(EMAIL,))]
)


def untouched(account: Account) -> Account:
    """Return all of an account that no signal may touch; its owner is told of one."""
    return replace(
        account,
        signals=Signals(),
        holds=(),
        sessions=(),
        rings=Rings(),
        chain=an_account().chain,
    )


@given(accounts, heard)
def test_nothing_that_a_signal_does_is_taken_back_or_outlives_its_series(
    account: Account, steps: list[tuple[int, ReceiveSignal]]
) -> None:
    now = NOON
    for minutes, command in steps:
        now += timedelta(minutes=minutes)
        before = State(account=account)
        decided = decide(before, command, rules=RULES, now=now)
        old, new = account.signals, decided.state.account.signals

        assert apply_all(before, decided.answer.events).account.signals == new
        assert untouched(decided.state.account) == untouched(account)
        assert new.warned_until >= old.warned_until
        assert all(new.muted.get(one, 0) >= until for one, until in old.muted.items())
        held = held_until(decided.state.account.holds, now=now)
        assert (held or now) >= (held_until(account.holds, now=now) or now)
        last = new.since + SIGNAL_SERIES_MOST.total_seconds()
        assert max([new.warned_until, *new.muted.values()], default=0) <= last
        assert held is None or held.timestamp() <= last
        begun = new.since != old.since and old.since
        assert not begun or new.since - old.since >= SIGNAL_SERIES_EVERY.total_seconds()
        account = decided.state.account


@given(facts(), st.sampled_from([DEFAULT, STRICT]))
def test_a_warning_asks_for_no_less_under_any_profile(found: Facts, policy: object) -> None:
    rules = rules_of(policy)  # type: ignore[arg-type] # one of the two
    quiet = judge_facts(replace(found, signalled=False), rules=rules)
    warned = judge_facts(replace(found, signalled=True), rules=rules)

    assert STRENGTH[answer(warned)] >= STRENGTH[answer(quiet)]
