"""API keys in any order of use, waiting, spending and stopping: their sum and powers are kept."""

from datetime import timedelta
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICE, NEW_ADDRESS, OLD_ADDRESS
from support.gates import Gate
from support.policies import policies
from support.worlds import (
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    an_account,
    send,
    suspend,
    unlist,
)

from twinlock.domain.account import ApiKey
from twinlock.domain.actions import AnyPayload, ApiKeyRevoke, FreezeSet
from twinlock.domain.assurance import Factor
from twinlock.domain.commands import Right
from twinlock.domain.events import ActionAuthorized, Event
from twinlock.domain.ids import ApiKeyId
from twinlock.domain.policy.facts import Facts, Within
from twinlock.domain.policy.version import Policy
from twinlock.domain.requirements import Answer

HOME, AWAY = "203.0.113.7", "198.51.100.7"
KNOWN, ELSEWHERE = a_destination(), a_destination(NEW_ADDRESS)
SUM = 300_00
# What happens: a use (dollars, where to, from where), a spend of the newest, a wait, or a stop.
Use: TypeAlias = tuple[int, str, str]
uses = st.tuples(
    st.integers(1, 400), st.sampled_from([OLD_ADDRESS, NEW_ADDRESS]), st.sampled_from([HOME, AWAY])
)
waits = st.integers(1, 40 * 60).map(lambda minutes: timedelta(minutes=minutes))
stops = st.sampled_from(["revoke", "suspend", "freeze", "unlist"])
happenings = st.lists(
    st.tuples(st.just("use"), uses)
    | st.tuples(st.just("good use"), st.integers(1, 200))
    | st.tuples(st.just("spend"), st.none())
    | st.tuples(st.just("wait"), waits)
    | st.tuples(st.just("stop"), stops),
    max_size=25,
)


def a_key() -> ApiKey:
    """Return a key that a passkey made, long ago."""
    return ApiKey(
        api_key_id=ApiKeyId("key_1"),
        public_key="K" * 43,
        scopes=("withdraw",),
        ip_list=(f"{HOME}/32",),
        destinations=(KNOWN.destination_id,),
        daily_cents=SUM,
        created_at=KNOWN.added_at,
        by=(SYNCED.entry,),
        entry=1,
        proved_by=(Factor.PASSKEY,),
    )


def use(gate: Gate, dollars: int, to: str, ip: str) -> None:
    proposed = gate.propose(send(dollars, to=to))
    if gate.is_open(proposed.action_id):
        signed = Right(factor=Factor.API_KEY, source="key_1", against="K" * 43, ip=ip)
        gate.answer(proposed.action_id, signed)


def spend(gate: Gate) -> None:
    if gate.account.actions:
        gate.spend(gate.account.actions[-1].action_id)


def stop(gate: Gate, how: str) -> None:
    payloads: dict[str, AnyPayload] = {
        "revoke": ApiKeyRevoke(account=ALICE, api_key_id=ApiKeyId("key_1")),
        "suspend": suspend(SYNCED),
        "freeze": FreezeSet(account=ALICE),
        "unlist": unlist(OLD_ADDRESS),
    }
    action = gate.propose(payloads[how]).action_id
    if gate.is_open(action):
        gate.prove(action, ROAMING)


def decided(gate: Gate) -> list[tuple[Event, Facts]]:
    """Return the authorizations of the whole book, each with its facts."""
    return [
        (event, decision.facts)
        for _, whole, _ in gate.book
        for decision in whole.decisions
        for event in decision.events
        if isinstance(event, ActionAuthorized) and decision.facts is not None
    ]


@given(happenings, policies())
def test_whatever_happens_a_key_keeps_to_its_powers_and_its_sum(
    events: list[tuple[str, object]], policy: Policy
) -> None:
    account = replace(an_account(PASSWORD, SYNCED, ROAMING), api_keys=(a_key(),))
    gate = Gate.of(account, KNOWN, ELSEWHERE, policy=policy)
    stopped = False
    for kind, what in events:
        before = len(decided(gate))
        match kind, what:
            case "use", (int() as dollars, str() as to, str() as ip):
                use(gate, dollars, to, ip)
                lies_within = (to, ip) == (OLD_ADDRESS, HOME) and dollars * 100 <= SUM
                assert lies_within or len(decided(gate)) == before
            case "good use", int() as dollars:
                use(gate, dollars, OLD_ADDRESS, HOME)
            case "spend", _:
                spend(gate)
            case "wait", timedelta() as length:
                gate.wait(length)
            case _, str() as how:
                stop(gate, how)
                stopped = True
                before = len(decided(gate))
            case _:
                raise AssertionError(kind)
        assert not stopped or len(decided(gate)) == before, "nothing leaves by a stopped key"

    by_day: dict[str, int] = {}
    for event, facts in decided(gate):
        assert facts.api_key is not None
        assert (facts.api_key.ip, facts.api_key.destination) == (Within.INSIDE, Within.INSIDE)
        day = event.at.date().isoformat()
        by_day[day] = by_day.get(day, 0) + facts.value_cents
    assert all(cents <= SUM for cents in by_day.values())


@given(st.sampled_from(list(Factor)), st.integers(1, 400), policies())
def test_a_name_without_a_key_opens_nothing(factor: Factor, dollars: int, policy: Policy) -> None:
    """Prevents: an answer that names a key which was never made, or names it as something else."""
    gate = Gate.of(an_account(PASSWORD, SYNCED), KNOWN, policy=policy)
    proposed = gate.propose(send(dollars))
    if not gate.is_open(proposed.action_id):
        return
    made_up = Right(factor=factor, source="key_1", against="K" * 43, ip=HOME)

    answer = gate.answer(proposed.action_id, made_up)

    assert answer.fault is not None
    assert answer.answer is Answer.DENY
