"""A probe and the gate: the same is missing, whatever is proposed and whatever is shown for it."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations, pairwise

import pytest
from msgspec.structs import replace
from support.leaving import EVERY_EXIT
from support.played import Played
from support.proved import EMAIL, EVERY_BASE, FEW, NAMES, SMS, deriver, rules

from twinlock.domain.account import Account, ApiKey, Session, Shown
from twinlock.domain.actions import AnyPayload, ContactChange, SessionStart
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.catalogue import ActionType
from twinlock.domain.decisions import Decision, Rules, judge_facts
from twinlock.domain.exits import EXITS, Exit
from twinlock.domain.listed import Destination
from twinlock.domain.locks import OPEN
from twinlock.domain.money import KNOWN_CENTS_MOST
from twinlock.domain.policy.facts import Facts
from twinlock.domain.prover import moves
from twinlock.domain.prover.enrolment import (
    APP,
    LOCKS,
    NOW,
    OWNER,
    PHONE_KEY,
    ROAMING_KEY,
    SAVED,
    Enrolment,
    account_of,
)
from twinlock.domain.prover.model import HELD, START, waits
from twinlock.domain.prover.moves import LISTED, Place
from twinlock.domain.prover.probing import (
    COOKIE,
    Probe,
    Shows,
    facts,
    proposed,
    taken,
    with_shown,
)
from twinlock.domain.prover.showing import key_units, units
from twinlock.domain.requirements import Answer, Requirement, answer, silence_until

pytestmark = pytest.mark.timeout(400)  # Seconds where nothing else runs.

COIN = next(one for one in rules("default").policy.assets if one.network == "ethereum")
THERE = replace(LISTED, usable_at=NOW, used_at=NOW, budget_cents=500_00)
PLANTED = replace(LISTED, imported=True)
CENTS = (0, 500_00, 1_000_01, 100_000_01, KNOWN_CENTS_MOST)
ANOTHER = "key_another"
OF_EACH = 60  # Proposals of each profile; each proof that is shown for one is one comparison.


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a thief proposes."""

    payload: AnyPayload
    secret: str = ""
    to: Destination | None = None


def places(state: Enrolment) -> Iterator[Place]:
    """Give where a thief may stand in ``state``, under its lock."""
    account = replace(moves.with_tools(account_of(state)), lock=state.lock)
    start = Place(name=START, account=account)
    yield start
    yield moves.with_key(start, aged=True)
    yield moves.with_key(start, aged=False)
    yield moves.with_channel(start, None, aged=True)
    for old in account.channels:
        yield moves.with_channel(start, old, aged=False)


def wishes(place: Place) -> Iterator[Wanted]:
    """Give what may be proposed there."""
    yield Wanted(payload=moves.SIGN_IN)
    yield Wanted(payload=moves.RESET, secret=moves.RESET_SECRET)
    yield Wanted(payload=moves.MAKE_KEY, secret=ANOTHER)
    yield Wanted(payload=moves.listing(budget_cents=500_00), secret=LISTED.destination_id)
    if not place.has_key:
        yield Wanted(payload=moves.BIND, secret=moves.BIND_SECRET)
    if not place.has_channel:
        for old in (None, *place.account.channels[:1]):
            yield Wanted(payload=moves.change_of(old), secret=moves.OWN_CHANNEL.channel_id)
    for to in (None, THERE, PLANTED):
        yield Wanted(payload=moves.leaving(COIN), to=to)


def proofs(place: Place, wanted: Wanted) -> list[Shows]:
    """Return what can be shown for it, each once."""
    every = [*units(place), *(key_units() if isinstance(wanted.payload, Exit) else ())]
    some = [one for unit in every for one in unit.shows]
    signs = not isinstance(wanted.payload, SessionStart)
    return [one for one in dict.fromkeys(some) if signs or not isinstance(one, Session | str)]


@dataclass
class Beside:
    """A probe beside the gate: whatever is shown is shown to both."""

    played: Played
    probe: Probe
    shown: list[Shown]
    cookie: bool = False
    confirmed: bool = False
    compared: int = 0

    @classmethod
    def of(cls, place: Place, wanted: Wanted, by: Rules, cents: int) -> "Beside":
        played = Played(
            place.account,
            wanted.payload,
            by,
            secret=wanted.secret,
            destination=wanted.to,
            cents=cents if isinstance(wanted.payload, Exit) else 0,
        )
        probe = proposed(
            place.account, wanted.payload, secret=wanted.secret, destination=wanted.to, now=NOW
        )
        return cls(played=played, probe=probe, shown=[])

    def begin(self, session: Shows | None) -> Decision:
        by = self.played.rules
        self.cookie = session == COOKIE
        signed = None if session is None else taken(self.probe, session, rules=by, now=NOW)
        self.shown += [] if signed is None else [signed]
        return self.compare(
            self.played.propose(session if isinstance(session, Session | str) else None)
        )

    def show(self, one: Shows) -> Decision:
        found = taken(self.probe, one, rules=self.played.rules, now=NOW)
        said = self.played.show(one)
        if found is None:
            assert said.fault is not None
            return said
        self.shown.append(found)
        if said.fault is not None:  # A key's stray signature, which was worth nothing.
            assert isinstance(one, ApiKey)
            if said.fault is not ProofFault.ALREADY_SHOWN:  # Of two keys one signs.
                assert answer(self.missing(self.facts())) is Answer.DENY
            self.shown.pop()
            return said
        action = next((a for a in self.played.state.account.actions), None)
        adds = isinstance(self.played.payload, ContactChange) and self.played.open
        if adds and action is not None and action.proved_at is not None:
            said, self.confirmed = self.played.confirm(), True
        return self.compare(said)

    def facts(self) -> Facts:
        by, some = self.played.rules, dict.fromkeys(self.shown)
        after = with_shown(self.probe, some, cookie=self.cookie, rules=by, now=NOW)
        found = facts(after, rules=by, now=NOW)
        return replace(found, value_cents=max(found.value_cents, self.played.cents))

    def missing(self, found: Facts) -> Requirement:
        return judge_facts(found, rules=self.played.rules)

    def compare(self, said: Decision) -> Decision:
        """Compare what the gate decided on, and what it said, with the probe's.

        The gate answers each proof, and what it has told then is not taken back for a second one;
        a probe shows all at once, and so is never later.
        """
        assert said.facts is not None
        found = self.facts()
        if not said.facts.channel_confirmed:  # The weaker rules ask for no code of it.
            found = replace(found, channel_confirmed=False)
        told = said.facts.promised_until, said.facts.offered_until
        missing = self.missing(found)

        assert bare(replace(said.facts, promised_until=None, offered_until=None)) == bare(found)
        if told == (None, None):
            assert said.requirement == missing
        else:
            until, first = silence_until(said.requirement), silence_until(missing)
            assert until is None or missing == said.requirement or first is None or first <= until
        self.compared += 1
        return said


@pytest.mark.parametrize("profile", NAMES)
def test_what_a_probe_misses_is_what_the_gate_misses(profile: str) -> None:
    chance, compared = random.Random(profile), 0  # noqa: S311 - the same sample each time
    for _ in range(OF_EACH):
        state = replace(chance.choice(EVERY_BASE), lock=chance.choice(LOCKS))
        place = chance.choice(list(places(state)))
        wanted = chance.choice(list(wishes(place)))
        some = [one for one in proofs(place, wanted) if chance.random() < 0.35]
        sessions = [one for one in some if isinstance(one, Session | str)]
        beside = Beside.of(place, wanted, rules(profile), chance.choice(CENTS))

        said = beside.begin(sessions[0] if sessions else None)
        for one in some:
            ends = said.answer is Answer.ALLOW or beside.confirmed
            if beside.played.open and not ends and one not in sessions:
                said = beside.show(one)
        compared += beside.compared

    assert compared > OF_EACH


def bare(found: Facts) -> Facts:
    """Return ``found`` without what only a lock of both keys reads, where there is none."""
    if found.lock.both_keys:
        return found
    return replace(found, roots_bound=0, one_root_from=None)


def probe_of(account: Account, wanted: Wanted) -> Probe:
    return proposed(account, wanted.payload, secret=wanted.secret, destination=wanted.to, now=NOW)


def found_by(probe: Probe, some: Sequence[Shows], by: Rules) -> Facts:
    shown = [taken(probe, one, rules=by, now=NOW) for one in some]
    given = dict.fromkeys(one for one in shown if one is not None)
    after = with_shown(probe, given, cookie=COOKIE in some, rules=by, now=NOW)
    return facts(after, rules=by, now=NOW)


def sampled(profile: str, times: int) -> Iterator[tuple[Place, Wanted, list[Shows]]]:
    chance = random.Random(profile)  # noqa: S311 - the same sample each time
    for _ in range(times):
        place = chance.choice(list(places(chance.choice(EVERY_BASE))))
        wanted = chance.choice(list(wishes(place)))
        yield place, wanted, [one for one in proofs(place, wanted) if chance.random() < 0.4]


@pytest.mark.parametrize("profile", NAMES)
def test_one_more_proof_never_makes_it_later(profile: str) -> None:
    by = rules(profile)
    for place, wanted, some in sampled(profile, OF_EACH):
        # A cookie is no proof: it only names. By the weaker rules an API key only restricts.
        rest = [one for one in some if one != COOKIE and not isinstance(one, ApiKey)]
        probe = probe_of(place.account, wanted)
        least = [
            waits(judge_facts(found_by(probe, rest[:n], by), rules=by))
            for n in range(len(rest) + 1)
        ]

        for fewer, more in pairwise(least):
            assert fewer is None or (more is not None and more <= fewer)


@pytest.mark.parametrize("profile", NAMES)
def test_a_lock_changes_no_fact_but_itself(profile: str) -> None:
    by = rules(profile)
    for place, wanted, some in sampled(profile, OF_EACH // 2):
        for lock in LOCKS:
            locked = probe_of(replace(place.account, lock=lock), wanted)
            found = found_by(probe_of(place.account, wanted), some, by)

            own, asked = found_by(locked, some, by), replace(found, lock=lock)
            since = asked.proved_at if lock.both_keys else own.proved_at

            assert found.lock == OPEN
            assert bare(replace(own, proved_at=since)) == bare(asked)
            assert waits(judge_facts(own, rules=by)) == waits(judge_facts(asked, rules=by))


@pytest.mark.parametrize("profile", NAMES)
def test_what_lies_in_the_account_changes_nothing_for_whoever_does_not_show_it(
    profile: str,
) -> None:
    by, tools = rules(profile), (moves.OWN_SESSION, moves.OWN_API_KEY)
    for place, wanted, every in sampled(profile, OF_EACH // 2):
        some = [one for one in every if one not in tools and one != SAVED]
        account = place.account
        without = replace(
            account,
            sessions=tuple(one for one in account.sessions if one not in tools),
            api_keys=tuple(one for one in account.api_keys if one not in tools),
        )
        bare = replace(
            without, authenticators=tuple(one for one in account.authenticators if one != SAVED)
        )
        missing = judge_facts(found_by(probe_of(account, wanted), some, by), rules=by)

        for less in (without, bare):
            assert judge_facts(found_by(probe_of(less, wanted), some, by), rules=by) == missing


# --- Exits ---


@pytest.mark.parametrize("profile", NAMES)
def test_exits_that_one_stands_for_are_answered_alike(profile: str) -> None:
    by, made = rules(profile), deriver(profile)

    assert sorted(one for some in made.alike.values() for one in some) == sorted(EXITS)

    for place, wanted, some in sampled(profile, OF_EACH):
        if not isinstance(wanted.payload, Exit):
            continue
        found = found_by(probe_of(place.account, wanted), some, by)
        for kind, exits in made.alike.items():
            for cents in made.sums:
                for held in (None, HELD):
                    at = replace(found, value_cents=cents, held_until=held)
                    as_one = judge_facts(replace(at, action=kind), rules=by)

                    assert all(
                        judge_facts(replace(at, action=one), rules=by) == as_one for one in exits
                    )


@pytest.mark.parametrize("profile", NAMES)
def test_every_exit_is_decided_on_the_facts_of_one(profile: str) -> None:
    by = rules(profile)
    for state in FEW:
        place = Place(name=START, account=moves.with_tools(account_of(state)))
        every = proofs(place, Wanted(payload=moves.leaving(COIN)))
        for some in (every[:1], every[1:2], every):
            usual = found_by(probe_of(place.account, Wanted(payload=moves.leaving(COIN))), some, by)
            for action, payload in EVERY_EXIT.items():
                if action not in by.policy.statutes.permits:
                    continue
                own = Wanted(payload=replace(payload, account=OWNER))
                found = found_by(probe_of(place.account, own), some, by)
                same = replace(usual, action=action, value_cents=found.value_cents)

                assert replace(found, unspoken=False) == same
                assert found.unspoken == (action == ActionType.PLATFORM_EXIT)


# --- Places ---

DAY = timedelta(days=1)


def decided(wanted: Wanted, state: Enrolment, *some: Shows) -> Account:
    """Return the account that the gate makes of it, by default, whenever it takes effect."""
    played = Played(
        moves.with_tools(account_of(state)), wanted.payload, rules("default"), wanted.secret
    )
    played.play(some)
    minutes = played.minutes()
    assert minutes is not None
    played.now = NOW + timedelta(minutes=minutes)
    assert played.again()
    return played.state.account


def seen(account: Account, by: Rules, at_now: timedelta) -> list[object]:
    """Return what every exit and listing misses there, ``at_now`` after NOW, whatever is shown."""
    now = NOW + at_now
    by = replace(by, prices=by.prices and replace(by.prices, as_of=now))
    place = Place(name=START, account=account, has_key=True)
    own = [one for one in units(place) if not {"device", "session", "cookie"} & one.takes]
    found = list[object]()
    for to in (None, replace(THERE, usable_at=now, used_at=now)):
        probe = proposed(account, moves.leaving(COIN), destination=to, now=now)
        for some in (*((one,) for one in own), *combinations(own, 2)):
            shown = [taken(probe, s, rules=by, now=now) for one in some for s in one.shows]
            given = dict.fromkeys(one for one in shown if one is not None)
            after = with_shown(probe, given, rules=by, now=now)
            missing = judge_facts(
                replace(facts(after, rules=by, now=now), held_until=None), rules=by
            )
            until = silence_until(missing)
            found.append((until and until - now, sorted(one.factor for one in given)))
    return found


BOUND = (
    Enrolment(authenticators=(PHONE_KEY,), channels=(EMAIL, SMS)),
    Enrolment(authenticators=(PHONE_KEY, APP, ROAMING_KEY), channels=(EMAIL,)),
    Enrolment(authenticators=(PHONE_KEY, ROAMING_KEY), channels=()),
)


@pytest.mark.parametrize("aged", [True, False])
@pytest.mark.parametrize("state", BOUND, ids=lambda one: one.name)
def test_a_place_with_a_key_is_what_the_gate_makes(state: Enrolment, *, aged: bool) -> None:
    by, wanted = rules("default"), Wanted(payload=moves.BIND, secret=moves.BIND_SECRET)
    proof = state.authenticators[:1] if not aged else state.authenticators
    made = decided(wanted, state, *(one for one in proof if not aged or one != APP))
    later = NEWCOMER_PERIOD + DAY if aged else 8 * DAY
    start = Place(name=START, account=moves.with_tools(account_of(state)))
    model = moves.with_key(start, aged=aged).account

    assert [one.authenticator_id for one in made.authenticators] == [
        one.authenticator_id for one in model.authenticators
    ]
    assert seen(made, by, later) == seen(model, by, timedelta(0))


@pytest.mark.parametrize("state", BOUND, ids=lambda one: one.name)
def test_a_place_with_a_channel_is_what_the_gate_makes(state: Enrolment) -> None:
    by = rules("default")
    start = Place(name=START, account=moves.with_tools(account_of(state)))
    for old in (None, *start.account.channels[:1]):
        wanted = Wanted(payload=moves.change_of(old), secret=moves.OWN_CHANNEL.channel_id)
        made = decided(wanted, state, *(one for one in state.authenticators if one != APP))
        after = timedelta(days=2) if old else NEWCOMER_PERIOD + 2 * DAY
        model = moves.with_channel(start, old, aged=old is None).account

        assert [one.channel_id for one in made.channels] == [
            one.channel_id for one in model.channels
        ]
        assert seen(made, by, after) == seen(model, by, timedelta(0))
