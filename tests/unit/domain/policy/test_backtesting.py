"""Past decisions replayed: what changes, what cannot be, and what was answered otherwise."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from support.cast import NOON
from support.past import a_past, longer_waits, with_facts, with_leaf
from support.policies import DEFAULT, LAX, STRICT, permits, policy_of, with_rules

from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.canonical import encode
from twinlock.domain.laws import LAWS
from twinlock.domain.policy.backtesting import (
    EXAMPLES_MOST,
    NO_FACTS,
    Backtest,
    Counted,
    NotReplayedError,
    Replay,
    ReplayFault,
    Snapshot,
    read_facts,
    read_leaf,
)
from twinlock.domain.policy.fact_lines import FactLineError, read_line
from twinlock.domain.policy.facts import ApiKeyState, ApiKeyUse, Facts
from twinlock.domain.policy.spread import Spread
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.weighing import Change

DAY_SECONDS = 86_400


def replayed(
    *some: Snapshot, by: Policy = DEFAULT, policies: dict[str, Statutes | ReplayFault] | None = None
) -> Backtest:
    known = {DEFAULT.name.digest: DEFAULT.statutes} if policies is None else policies
    replay = Replay(by.statutes, laws=LAWS, policies=known)
    for one in some:
        assert replay.take(one) is None
    return replay.report()


def of_action(action: str, answer: str) -> Snapshot:
    """Return a past decision about ``action`` that was answered so."""
    return next(
        one
        for one in a_past()
        if msgspec.json.decode(one.facts).get("action") == action
        and read_leaf(one.leaf).dec == answer
    )


def test_the_same_policy_answers_as_it_did() -> None:
    found = replayed(*a_past())

    assert found.whole
    assert found.decisions == len(a_past()) == found.replayed + found.without_facts
    assert found.without_facts == sum(one.facts == NO_FACTS for one in a_past()) > 0
    assert (found.changed, found.outcomes) == (0, ())
    assert sum(found.by_action.values()) == found.replayed


def test_a_longer_wait_is_told_by_action_with_its_leaves() -> None:
    found = replayed(*a_past(), by=longer_waits())
    day = Spread(
        count=6, median_seconds=DAY_SECONDS, p95_seconds=DAY_SECONDS, most_seconds=DAY_SECONDS
    )
    listing, leaving = found.outcomes

    assert (listing.action, listing.change, listing.count) == (
        "destination.add",
        Change.LONGER,
        6,
    )
    assert listing.wait == day
    assert len(listing.leaves) == EXAMPLES_MOST
    assert set(listing.leaves) < {one.place for one in a_past()}
    assert (leaving.action, leaving.change) == ("withdrawal.crypto", Change.LONGER)
    assert found.changed == listing.count + leaving.count
    assert found.whole


def test_who_would_have_been_stopped_or_let_go() -> None:
    stops = policy_of("\n".join(one for one in permits() if '"withdrawal.crypto"' not in one))
    stopped = replayed(*a_past(), by=stops)
    told = {one.change: one for one in stopped.outcomes}
    past = [with_leaf(one, pol=stops.name.digest) for one in a_past()]
    let_go = replayed(*past, policies={stops.name.digest: stops.statutes}, by=LAX)

    assert {one.action for one in stopped.outcomes} == {"withdrawal.crypto"}
    assert told[Change.REFUSED].count > 0
    assert told[Change.REFUSED].wait is None
    assert Change.ALLOWED in {one.change for one in let_go.outcomes}
    assert Change.NOT_REFUSED in {one.change for one in let_go.outcomes}


def test_who_would_have_been_asked_for_another_proof_and_held() -> None:
    changes = {one.change for one in replayed(*a_past(), by=STRICT).outcomes}

    assert changes == {Change.HELD, Change.LONGER, Change.MORE_PROOF}


def test_a_policy_that_is_not_known_is_asked_for_and_nothing_is_counted() -> None:
    one = a_past()[-1]
    replay = Replay(DEFAULT.statutes, laws=LAWS, policies={})

    assert replay.take(one) == DEFAULT.name.digest
    assert replay.report().decisions == 0


@pytest.mark.parametrize("fault", [ReplayFault.POLICY_MISSING, ReplayFault.POLICY_OLDER])
def test_a_policy_that_cannot_be_had_is_told_with_what_it_decided(fault: ReplayFault) -> None:
    one = of_action("withdrawal.crypto", "allow")
    found = replayed(one, one, policies={DEFAULT.name.digest: fault})

    (told,) = found.not_replayed
    assert (told.code, told.count, told.leaves) == (fault, 2, (one.place, one.place))
    assert told.names == {DEFAULT.name.digest: 2}
    assert (found.decisions, found.replayed, found.whole) == (2, 0, False)


def an_api_key(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    use: dict[str, Any] = msgspec.to_builtins(ApiKeyUse(state=ApiKeyState.LIVE))
    return {name: value for name, value in (use | changed).items() if value is not ...}


@pytest.mark.parametrize(
    ("changed", "fault", "names"),
    [
        ({"narrow": ...}, ReplayFault.FACT_MISSING, ("narrow",)),
        ({"narrow": ..., "old": 1}, ReplayFault.FACT_MISSING, ("narrow",)),
        ({"old": 1}, ReplayFault.FACT_UNKNOWN, ("old",)),
        ({"api_key": an_api_key(ip=...)}, ReplayFault.FACT_MISSING, ("api_key.ip",)),
        ({"api_key": an_api_key(asn=1)}, ReplayFault.FACT_UNKNOWN, ("api_key.asn",)),
        ({"api_key": an_api_key(ip="far")}, ReplayFault.UNREADABLE, ("facts",)),
        ({"narrow": "yes"}, ReplayFault.UNREADABLE, ("facts",)),
        ({"value_cents": MAX_VALUE_CENTS + 1}, ReplayFault.UNREADABLE, ("facts",)),
        ({"session": "half"}, ReplayFault.UNREADABLE, ("facts",)),
        ({"action": "vote.cast"}, ReplayFault.ACTION_UNKNOWN, ("vote.cast",)),
    ],
)
def test_facts_of_another_form_are_told_by_name_and_never_replayed(
    changed: dict[str, Any], fault: ReplayFault, names: tuple[str, ...]
) -> None:
    one = with_facts(of_action("withdrawal.crypto", "allow"), **changed)
    found = replayed(one, of_action("withdrawal.crypto", "allow"))

    (told,) = found.not_replayed
    assert (told.code, told.count, tuple(told.names)) == (fault, 1, names)
    assert found.replayed == 1
    assert not found.whole


@pytest.mark.parametrize("facts", [b"", b"[]", b"\xff", b'{"now":'])
def test_what_is_no_json_object_is_unreadable(facts: bytes) -> None:
    with pytest.raises(NotReplayedError) as refused:
        read_facts(facts)

    assert refused.value.fault is ReplayFault.UNREADABLE


@pytest.mark.parametrize("leaf", [b"{}", b"\xff", b'{"at":1,"dec":"perhaps","pol":"p"}'])
def test_a_leaf_that_is_none_is_counted(leaf: bytes) -> None:
    found = replayed(a_past()[-1]._replace(leaf=leaf))

    (told,) = found.not_replayed
    assert (told.code, tuple(told.names)) == (ReplayFault.UNREADABLE, ("leaf",))


def test_what_the_gate_does_not_know_was_refused_and_is_replayed() -> None:
    one = with_facts(
        of_action("withdrawal.crypto", "allow"), action="unknown", action_class=None, built=False
    )

    assert replayed(with_leaf(one, dec="deny")).whole


def test_a_question_a_refusal_beside_the_rules_and_a_look_are_no_other_answers() -> None:
    yes = of_action("withdrawal.crypto", "allow")
    asked = of_action("withdrawal.crypto", "challenge")
    found = replayed(
        with_leaf(yes, dec="challenge"),
        with_leaf(yes, dec="deny"),
        with_leaf(asked, dec="read_only"),
    )

    assert (found.asked, found.refused_beside) == (1, 1)
    assert found.whole


def test_an_answer_that_the_same_policy_does_not_give_is_told() -> None:
    yes = with_leaf(of_action("withdrawal.crypto", "allow"), dec="hold")
    found = replayed(yes)

    assert found.differ == {"hold, allow": Counted(count=1, leaves=(yes.place,))}
    assert not found.whole


def test_facts_out_of_range_are_refused_by_both() -> None:
    """No policy was checked for them, so neither lets them pass."""
    one = of_action("withdrawal.crypto", "allow")
    counts = with_facts(one, wanted_elsewhere=10_000)
    found = replayed(with_leaf(counts, dec="deny"), by=STRICT)

    assert (found.replayed, found.changed, found.differ) == (1, 0, {})


def test_another_reason_alone_is_told_as_such() -> None:
    rule = (
        '@id("x") @outcome("hold") @reason("platform_waits") @hold_seconds("86400") '
        'forbid (principal, action == Action::"destination.add", resource) '
        "unless { context.held_seconds >= 86400 };"
    )
    other = policy_of(with_rules(rule))
    found = replayed(of_action("destination.add", "hold"), by=other)

    assert [one.change for one in found.outcomes] == [Change.TOLD_OTHERWISE]


def test_an_older_snapshot_would_have_decided_otherwise_by_its_defaults() -> None:
    """Why a missing fact is never filled in: an account is narrow unless something says no."""
    one = of_action("withdrawal.crypto", "allow")
    plain = msgspec.json.decode(one.facts) | {"value_cents": 100_001}
    whole = read_facts(encode(plain))
    short = msgspec.json.decode(
        encode({name: value for name, value in plain.items() if name != "narrow"}), type=Facts
    )

    assert DEFAULT.statutes.law(whole) != DEFAULT.statutes.law(short)


def test_times_are_those_of_the_leaf() -> None:
    at = read_leaf(a_past()[0].leaf).at

    assert timedelta(0) <= timedelta(milliseconds=at) - (NOON - NOON.fromtimestamp(0, NOON.tzinfo))


@pytest.mark.parametrize(
    "changed",
    [
        {"now": "2026-01-01T00:00:00"},
        {"frozen_until": "2026-01-01T00:00:00"},
        {"target_bound_at": "9999-12-31T23:59:59Z"},
    ],
)
def test_instants_that_nobody_stored_are_told_and_end_no_replay(changed: dict[str, str]) -> None:
    """Facts that somebody edited: a backtest goes on behind them."""
    edited = [with_facts(one, **changed) for one in a_past() if one.facts != b"{}"]
    found = replayed(*edited)

    assert found.replayed + sum(one.count for one in found.not_replayed) == len(edited)
    assert {one.code for one in found.not_replayed} == {ReplayFault.UNREADABLE}


def test_what_nests_without_an_end_is_unreadable() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    one = next(one for one in a_past() if one.facts != b"{}")
    leaf = one._replace(leaf=b'{"x":' + deep + b"}")
    facts = one._replace(facts=b'{"x":' + deep + b"}")
    found = replayed(leaf, facts)

    (told,) = found.not_replayed
    assert (told.code, told.count) == (ReplayFault.UNREADABLE, 2)
    with pytest.raises(FactLineError):
        read_line(b'{"index":1,"leaf":' + deep + b',"facts":{}}', number=1)
