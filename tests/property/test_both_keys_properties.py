"""Under a lock of both keys one root moves nothing and weakens nothing, for 30 days at least."""

from datetime import timedelta
from typing import TypeAlias

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICE, DAY, NEW_ADDRESS, NOON, OLD_ADDRESS
from support.facts import facts
from support.gates import Gate, Source
from support.leaving import OTHERS
from support.policies import DEFAULT, LAX, STRICT, policies
from support.worlds import (
    APP,
    DESKTOP,
    DESKTOP_KEY,
    EMAIL,
    PASSWORD,
    ROAMING,
    SAVED,
    SMS,
    SYNCED,
    a_destination,
    a_passkey,
    a_session,
    an_account,
    bind,
    change_contact,
    list_address,
    make_key,
    reactivate,
    remove,
    repudiate,
    rules_of,
    send,
    suspend,
)

from twinlock.domain.account import Account
from twinlock.domain.actions import (
    AccountErase,
    AnyPayload,
    LimitRaise,
    LockLoosen,
    LockTighten,
    class_of,
    payload_bytes,
)
from twinlock.domain.assurance import Level, Placement
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.both_keys import second_root
from twinlock.domain.bounds import LOCK_DAYS_MOST
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.decisions import judge_facts
from twinlock.domain.events import ActionAuthorized, ActionSpent
from twinlock.domain.locks import Lock, tightens
from twinlock.domain.member_laws import is_proved
from twinlock.domain.own_laws import a_lock_delays
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Answer,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
)

days = st.integers(1, LOCK_DAYS_MOST)
others = st.builds(Lock, days=st.integers(0, 31), two_keys=st.booleans())


# --- The law, on any facts ---


@given(facts(), days, policies())
def test_one_root_does_nothing_while_two_count(found: Facts, length: int, policy: Policy) -> None:
    one = replace(found, lock=Lock(days=length, both_keys=True), shown_roots=found.shown_roots[:1])
    weakens = one.action_class in (ActionClass.EXIT, ActionClass.LOOSENING)
    over = one.one_root_from is not None and one.one_root_from <= one.now
    if weakens and one.roots_bound > 1 and not over:
        assert second_root(one) != NOTHING
        assert judge_facts(one, rules=rules_of(policy)) != NOTHING


@given(facts(), days)
def test_nothing_leaves_or_loosens_before_its_days(found: Facts, length: int) -> None:
    lock = Lock(days=length, both_keys=True)
    weakens = found.action_class in (ActionClass.EXIT, ActionClass.LOOSENING)
    if weakens and a_lock_delays(replace(found, lock=lock)) == NOTHING:
        assert found.proved_at is not None
        assert found.now >= found.proved_at + length * DAY


@given(facts(), others)
def test_the_other_two_kinds_delay_as_they_did(found: Facts, lock: Lock) -> None:
    one = replace(found, lock=lock)

    assert a_lock_delays(one) == as_it_was(one)


def as_it_was(facts: Facts) -> Requirement:
    """Return what the law asked before there was a third kind."""
    weakens = facts.action_class in (ActionClass.EXIT, ActionClass.LOOSENING)
    if not facts.lock.days or not weakens:
        return NOTHING
    until = (facts.proved_at or facts.now) + facts.lock.delay
    if facts.now >= until:
        return NOTHING
    level = max(facts.floor, Level.KNOWLEDGE)
    wait: Requirement = WaitUntil(code=Reason.LOCKED, until=until)
    if not is_proved(facts):
        wait = all_of(Prove(code=Reason.LOCKED, level=level), wait)
    if not facts.lock.two_keys or facts.action == ActionType.LOCK_LOOSEN:
        return wait
    if len(facts.shown_roots) > 1:
        return NOTHING
    return any_of(Prove(code=Reason.LOCKED, level=level, roots=2), wait)


@given(others, others)
def test_the_other_two_kinds_are_ordered_as_they_were(new: Lock, old: Lock) -> None:
    fits = 0 < new.days <= LOCK_DAYS_MOST and new.days >= old.days and new != old

    assert tightens(new, old) is (fits and (old.days == 0 or old.two_keys or not new.two_keys))


@given(others, st.sampled_from(["tighten", "loosen"]))
def test_the_other_two_kinds_are_signed_and_read_as_they_were(lock: Lock, word: str) -> None:
    form = LockTighten if word == "tighten" else LockLoosen
    payload = form(account=ALICE, days=lock.days, two_keys=lock.two_keys)
    yes = "true" if lock.two_keys else "false"
    signed = f'{{"account":"{ALICE}","days":{lock.days},"two_keys":{yes},"type":"lock.{word}"}}'

    assert payload_bytes(payload) == signed.encode()
    assert msgspec.json.decode(f"[{lock.days},{yes}]", type=Lock) == lock


# --- The gate, whatever a thief does who has all that one root gives ---

SECOND = timedelta(seconds=1)
THERE = a_destination(OLD_ADDRESS, used_at=NOON, budget_cents=100_00)
THIEFS = a_passkey("aut_thief", placement=Placement.ROAMING)
YOUNG = replace(
    a_passkey("aut_young", placement=Placement.ROAMING, bound_at=NOON - 9 * DAY), entry=77
)
OWNERS = ((SYNCED, APP), (ROAMING,), (DESKTOP_KEY,), (YOUNG,))
Asked: TypeAlias = tuple[AnyPayload, str]
EVERY = (SYNCED, APP, ROAMING, DESKTOP_KEY, YOUNG)
WEAKENS: tuple[Asked, ...] = (
    *((one, "") for one in (send(), send(to=NEW_ADDRESS), *OTHERS, list_address(NEW_ADDRESS))),
    bind(THIEFS),
    change_contact(EMAIL, None),
    *((form(one), "") for one in EVERY for form in (remove, reactivate)),
    (make_key("withdraw", ip_list=("192.0.2.1",), destinations=(THERE.destination_id,)), ""),
    (LimitRaise(account=ALICE, day_cents=None, destination_cents=None), ""),
    (LockLoosen(account=ALICE, days=0, two_keys=False), ""),
    (LockLoosen(account=ALICE, days=1, two_keys=True), ""),
    (LockTighten(account=ALICE, days=30, two_keys=True), ""),
    (LockTighten(account=ALICE, days=30, two_keys=False), ""),
    (AccountErase(account=ALICE), ""),
)
Theft: TypeAlias = tuple[tuple[Authenticator, ...], tuple[Source, ...], list[tuple[Asked, bool]]]


@st.composite
def thefts(draw: st.DrawFn) -> Theft:
    """Draw what is bound, two roots at least; what a thief has of it, one root; and his moves.

    He reports what he has not, each lost or never the owner's, and asks for all sorts of things.
    """
    roots = draw(st.lists(st.sampled_from(OWNERS), min_size=2, max_size=3, unique=True))
    stolen = roots[0]
    beside = (EMAIL, SMS) if stolen is OWNERS[0] else ()
    forms = st.sampled_from([suspend, repudiate, None])
    said = [(form, one) for some in roots[1:] for one in some if (form := draw(forms))]
    asked: list[Asked] = [(form(one), "") for form, one in said]
    asked += [(send(), ""), *draw(st.lists(st.sampled_from(WEAKENS), max_size=4))]
    steps = [(one, draw(st.booleans())) for one in asked]
    return tuple(one for some in roots for one in some), (*stolen, PASSWORD, *beside), steps


@settings(max_examples=60)
@given(
    thefts(),
    st.integers(1, 9),
    st.sampled_from([0, 9]),
    st.sampled_from([DEFAULT, STRICT, LAX]),
)
def test_whoever_has_one_root_moves_nothing_for_thirty_days(
    theft: Theft,
    length: int,
    pause: int,
    policy: Policy,
) -> None:
    """Whatever is reported first: nobody objects, and every day what waits is asked for again."""
    bound, stolen, steps = theft
    lock = Lock(days=length, both_keys=True)
    gate = Gate.of(replace(an_account(PASSWORD, *bound, SAVED), lock=lock), THERE, policy=policy)
    gate.give_session(a_session(started_at=NOON))
    before = gate.account
    for (payload, secret), signed in steps:
        if class_of(payload) is not ActionClass.TIGHTENING:  # What a report holds, ends.
            gate.wait_until(NOON + pause * DAY)
        owns = gate.account.sessions[-1:] if signed else ()
        signs = gate.signs(owns[0]) if owns else None
        named = gate.propose(payload, secret, session=signs).action_id
        for source in stolen:
            if gate.is_open(named):
                gate.prove(named, source)
    while gate.now < NOON + 30 * DAY - SECOND:
        gate.wait_until(min(gate.now + DAY, NOON + 30 * DAY - SECOND))
        gate.settle()
        for one in gate.account.actions:
            if class_of(one.payload) is ActionClass.EXIT:
                gate.spend(one.action_id, fee="0")

    events = (
        each for _, decided, _ in gate.book for one in decided.decisions for each in one.events
    )
    assert not [one for one in events if isinstance(one, ActionAuthorized | ActionSpent)]
    assert not weaker(gate.account, before)


def weaker(after: Account, before: Account) -> list[str]:
    """Return what of ``before`` was weakened: what suspends, repudiates and tightens, is not."""
    found = []
    if after.lock != before.lock and not tightens(after.lock, before.lock):
        found.append("lock")
    if set(map(_name, after.authenticators)) - set(map(_name, before.authenticators)):
        found.append("authenticators")
    if after.destinations.keys() - before.destinations.keys():
        found.append("destinations")
    if {one.channel_id for one in before.channels} - {one.channel_id for one in after.channels}:
        found.append("channels")
    if [key for key in after.api_keys if "withdraw" in key.scopes]:
        found.append("api_keys")
    return found


def _name(one: Authenticator) -> str:
    return one.authenticator_id


@given(
    st.sampled_from([(SYNCED, ROAMING), (ROAMING, DESKTOP_KEY), (APP, ROAMING)]),
    st.integers(1, 9),
    st.sampled_from([DEFAULT, STRICT, LAX]),
    st.sampled_from([send(), send(to=NEW_ADDRESS), *OTHERS]),
    st.integers(0, 50),
)
def test_with_both_it_leaves_after_the_wait(
    pair: tuple[Authenticator, Authenticator],
    length: int,
    policy: Policy,
    payload: AnyPayload,
    minutes: int,
) -> None:
    lock = Lock(days=length, both_keys=True)
    gate = Gate.of(
        replace(an_account(PASSWORD, *pair, channels=(EMAIL, SMS, DESKTOP)), lock=lock),
        a_destination(OLD_ADDRESS, used_at=NOON),
        policy=policy,
    )
    named = gate.propose(payload).action_id
    first, second = pair
    gate.prove(named, first)
    gate.wait(timedelta(minutes=minutes))
    gate.prove(named, second)
    until = gate.now + length * DAY
    gate.wait_until(until - timedelta(seconds=1))
    assert gate.spend(named, fee="0").answer is not Answer.ALLOW
    told = gate.action(named)
    gate.wait_until(max(one for one in (until, told.until, told.offered_until) if one is not None))

    assert gate.spend(named, fee="0").answer is Answer.ALLOW
