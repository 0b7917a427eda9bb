"""Rules derived from what decides: none too few, none that the gate does not carry out."""

from collections.abc import Iterable, Iterator
from itertools import combinations

import pytest
from msgspec.structs import replace
from support.played import Played, carries_out
from support.policies import policy_of
from support.proved import (
    ASSUMED,
    DESKTOP,
    EMAIL,
    FEW,
    GUARDED,
    SMS,
    deriver,
    rules,
    sheet_by,
)

from twinlock.adapters.policies import shipped
from twinlock.domain.account import Shown
from twinlock.domain.actions import AnyPayload
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.exits import EXITS
from twinlock.domain.holds import Hold
from twinlock.domain.money import KNOWN_CENTS_MOST
from twinlock.domain.prover import moves
from twinlock.domain.prover.derived import Derived
from twinlock.domain.prover.enrolment import (
    APP,
    BUILT_IN_KEY,
    NOW,
    PHONE_KEY,
    ROAMING_KEY,
    Enrolment,
    account_of,
)
from twinlock.domain.prover.growth import growth
from twinlock.domain.prover.model import HELD, MINUTE, START, Deriver, Judge, Tried
from twinlock.domain.prover.moves import Gain, Place
from twinlock.domain.prover.probing import COOKIE, Probe, Shows, taken
from twinlock.domain.prover.showing import Unit, key_units, units
from twinlock.domain.prover.sums import sums_of

pytestmark = pytest.mark.timeout(400)  # Seconds where nothing else runs.

SUBSETS_MOST = 3


class Exhaustive(Deriver):
    """Puts every set of up to three things to the gate, whether more would help or not."""

    def _try_all(self, probe: Probe, some: Iterable[Unit], judge: Judge) -> Iterator[Tried]:
        shown: dict[Shows, Shown | None] = {}
        whole = []
        for unit in some:
            for one in unit.shows:
                if one != COOKIE:
                    shown[one] = taken(probe, one, rules=self._rules, now=NOW)
            proofs = [shown[one] for one in unit.shows if one != COOKIE]
            if None not in proofs:
                whole.append((unit, [one for one in proofs if one is not None]))
        for size in range(SUBSETS_MOST + 1):
            for some_of in combinations(whole, size):
                yield self._try(
                    probe,
                    frozenset().union(*(unit.takes for unit, _ in some_of)),
                    tuple(one for _, given in some_of for one in given),
                    cookie=any(COOKIE in unit.shows for unit, _ in some_of),
                )


class Thorough(Deriver):
    """Derives the rules of each place to which anything leads, needless or not."""

    def _needless(self, found: list[Derived], leads: list[Derived]) -> bool:
        return False


class Everywhere(Deriver):
    """Derives in later places, too, what the model derives where a thief begins alone."""

    def _of_place(self, place: Place) -> list[Derived]:
        found = super()._of_place(place)
        if place.name == START:
            return found
        self._put.clear()
        as_first = replace(place, name=START)
        more = [*self._first(as_first), *super()._of_place(as_first)]
        self._put.clear()
        here, there = f"at:{START}", f"at:{place.name}"
        moved = (
            replace(one, body=one.body - {here} | {there} if here in one.body else one.body)
            for one in more
        )
        return [*found, *moved]


SAMPLE = (
    Enrolment(authenticators=(), channels=(EMAIL, SMS)),
    Enrolment(authenticators=(APP, BUILT_IN_KEY), channels=(EMAIL,)),
    Enrolment(authenticators=(PHONE_KEY, ROAMING_KEY), channels=(SMS, DESKTOP)),
)


@pytest.mark.parametrize(
    ("profile", "state"),
    [
        *(("default", one) for one in SAMPLE),
        ("strict", SAMPLE[2]),
        ("typical-2026", SAMPLE[1]),
        ("baseline-2024", SAMPLE[0]),
    ],
)
def test_a_guided_search_finds_what_trying_every_set_finds(profile: str, state: Enrolment) -> None:
    every = Exhaustive(rules(profile), assumed=ASSUMED)

    assert set(every.derive(state)) == set(deriver(profile).derive(state))


@pytest.mark.parametrize("profile", ["default", "strict", "typical-2026"])
@pytest.mark.parametrize("other", [Thorough, Everywhere])
def test_what_is_left_out_would_add_nothing(profile: str, other: type[Deriver]) -> None:
    some = (*SAMPLE, *FEW[:3], *GUARDED)
    usual = sheet_by(deriver(profile), some)
    more = sheet_by(other(rules(profile), assumed=ASSUMED), some)

    assert growth([usual], [more]) == ()


# --- The gate carries it out, and no sooner ---


def places(state: Enrolment) -> dict[str, Place]:
    account = replace(moves.with_tools(account_of(state)), lock=state.lock)
    start = Place(name=START, account=account)
    keys = (moves.with_key(start, aged=aged) for aged in (True, False))
    changed = (
        moves.with_channel(start, old, aged=old is None)
        for old in (None, *start.account.channels[:1])
    )
    return {f"at:{one.name}": one for one in (start, *keys, *changed)}


HEADS: dict[str, tuple[AnyPayload, str]] = {
    Gain.SESSION: (moves.SIGN_IN, ""),
    "password": (moves.RESET, moves.RESET_SECRET),
    Gain.API_KEY: (moves.MAKE_KEY, "key_another"),
    "at:start+key": (moves.BIND, moves.BIND_SECRET),
    "at:start+new key": (moves.BIND, moves.BIND_SECRET),
    "at:start+aged channel": (moves.change_of(None), moves.OWN_CHANNEL.channel_id),
}


def sources_of(place: Place, body: frozenset[str]) -> list[Shows]:
    """Return what is shown by a rule with this body."""
    every = (*units(place), *key_units())
    return [unit.shows[0] for unit in every if len(unit.takes) == 1 and unit.takes <= body]


def played(made: Deriver, one: Derived, at: dict[str, Place]) -> tuple[Played, int]:
    """Return a rule as somebody follows it, and after how many minutes it should take effect."""
    (place,) = (at[atom] for atom in one.body if atom in at)
    by, minutes, to = rules("default"), one.delay, None
    secret, cents = "", 0
    payload: AnyPayload
    if one.head.startswith("left:"):
        payload, cents = moves.leaving(made._coin), int(one.head.rpartition(":")[2])  # noqa: SLF001 - what it sends
        if Gain.LISTING in one.body:
            to = replace(moves.LISTED, usable_at=NOW, used_at=NOW, budget_cents=made._budget)  # noqa: SLF001 - as above
        elif Gain.PLANTED in one.body:
            to = replace(moves.LISTED, imported=True)
    elif one.head == Gain.LISTING:
        payload = moves.listing(budget_cents=made._budget)  # noqa: SLF001 - as above
        secret = moves.LISTED.destination_id
    elif one.head in HEADS:
        payload, secret = HEADS[one.head]
        aged = one.head in ("at:start+key", "at:start+aged channel")
        minutes -= NEWCOMER_PERIOD // MINUTE if aged else 0
    else:
        payload = moves.change_of(place.account.channels[0])
        secret = moves.OWN_CHANNEL.channel_id
    attempt = Played(place.account, payload, by, secret=secret, destination=to, cents=cents)
    attempt.play(sources_of(place, one.body))
    return attempt, minutes


STEPS = (FEW[1], FEW[3], FEW[7], GUARDED[0], GUARDED[1])


@pytest.mark.parametrize("state", STEPS, ids=lambda one: one.name)
def test_the_gate_carries_each_rule_out_at_its_minute_and_no_sooner(state: Enrolment) -> None:
    """What was told for a first proof stays told, so that two roots may take longer, never less."""
    made, at = deriver("default"), places(state)
    for one in made.derive(state):
        if not one.action:
            continue
        attempt, minutes = played(made, one, at)
        roots = {shown.root for action in attempt.state.account.actions for shown in action.shown}
        before, then = carries_out(attempt, minutes)

        assert not before
        if len(roots - {None}) < 2 or not minutes:
            assert then
        if one.freeze:
            assert max(attempt.holds) // MINUTE == one.freeze


def test_what_is_gated_waits_for_a_hold_and_nothing_else_does() -> None:
    made, state = deriver("default"), FEW[7]
    held = Hold(because="session.start", placed_at=NOW, ends_at=HELD)
    for one in made.derive(state):
        if not one.head.startswith("left:"):
            assert not one.gated
            continue
        at = {
            name: replace(place, account=replace(place.account, holds=(held,)))
            for name, place in places(state).items()
        }
        attempt, minutes = played(made, one, at)

        assert one.gated
        assert carries_out(attempt, minutes) == (False, False)


def test_a_thief_can_come_to_have_an_api_key_and_use_it() -> None:
    """What lies in the account for whoever shows it does not stand in the way of making it."""
    found = deriver("default").derive(FEW[7])

    assert any(one.head == Gain.API_KEY for one in found)
    assert any(Gain.API_KEY in one.body for one in found)


# --- Parts ---


def test_the_sums_that_matter_are_those_of_statutes_and_laws() -> None:
    assert sums_of(rules("default")) == (KNOWN_CENTS_MOST, 10_000_000, 100_000, 50_000)
    assert sums_of(rules("baseline-2024")) == (KNOWN_CENTS_MOST, 100_000)


def test_what_was_judged_once_is_not_judged_again() -> None:
    made = deriver("strict")
    made.derive(FEW[7])
    before = made.gathers
    made.derive(FEW[7])

    assert made.gathers == before


def test_an_exit_of_which_statutes_speak_alone_stands_for_itself() -> None:
    """Also where that shows only in states in which nobody tried it: statutes are read."""
    rule = """
@id("gift.send.narrow") @outcome("deny") @reason("narrow_limit")
forbid (principal, action == Action::"gift.send", resource)
when { context.narrow && context.has_channel };
"""
    policy = policy_of(shipped("default") + rule)
    by = replace(rules("default"), policy=policy, statutes=policy.statutes.laws())
    made = Deriver(by, assumed=ASSUMED)

    assert made.alike["gift.send"] == ("gift.send",)
    assert sorted(one for some in made.alike.values() for one in some) == sorted(EXITS)
