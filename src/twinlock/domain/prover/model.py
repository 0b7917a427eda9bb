"""The timed rules of one state of enrolment, derived from the laws and the statutes that decide.

For every move of a thief the gate is asked what is missing, with every proof that could be put to
it; a way that needs nothing more but time becomes a rule. Its body is what the proofs take, and,
where the wait is long enough for somebody to stop it, every channel of the owner's silenced. What
holds exits becomes its freeze.

Always true (tests/unit/domain/prover/test_model.py): each rule is one that ``gate.decide`` carries
out at exactly that time, and each of its answers of yes is a rule.

Source: docs/proof.md.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Shown
from twinlock.domain.actions import AnyPayload, type_of
from twinlock.domain.assurance import KNOWN, PHONE, Factor
from twinlock.domain.bounds import NEWCOMER_PERIOD, SMALL_SUM_CENTS
from twinlock.domain.decisions import Rules, judge_facts
from twinlock.domain.effects import effects
from twinlock.domain.events import HoldPlaced
from twinlock.domain.exits import EXITS
from twinlock.domain.listed import Destination
from twinlock.domain.locks import OPEN
from twinlock.domain.policy.facts import Facts
from twinlock.domain.prover import enrolment, moves
from twinlock.domain.prover.alike import said_of
from twinlock.domain.prover.capabilities import Assumptions, Mean
from twinlock.domain.prover.derived import Derived, goal, undominated
from twinlock.domain.prover.enrolment import NOW, Enrolment
from twinlock.domain.prover.moves import Gain, Place
from twinlock.domain.prover.probing import (
    COOKIE,
    Probe,
    Shows,
    facts,
    proposed,
    state_of,
    taken,
    with_shown,
)
from twinlock.domain.prover.showing import (
    Unit,
    asked_for,
    key_units,
    told_of,
    units,
    with_named,
)
from twinlock.domain.prover.sums import days, sums_of
from twinlock.domain.prover.worst import Worst
from twinlock.domain.requirements import (
    NOTHING,
    Requirement,
    all_of,
    silence_until,
)

MINUTE = timedelta(minutes=1)
START = "start"  # The place where a thief begins.
HELD = NOW + timedelta(days=10_000)  # Longer than anything waits.


_BESIDE_A_WORD = {Factor.TOTP, Factor.EMAIL_CODE, Factor.SMS_CODE, Factor.RECOVERY_CODE}
Judge = Callable[[Facts], Requirement]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One set of proofs put to the gate: what it takes, and what the gate then decides on."""

    takes: frozenset[str]
    probe: Probe
    facts: Facts


class Deriver:
    """Derives the rules of states from what decides; what was judged once is not judged again."""

    def __init__(
        self, rules: Rules, *, assumed: Assumptions, sums: tuple[int, ...] | None = None
    ) -> None:
        self.sums = sums_of(rules) if sums is None else sums
        self._worst = Worst(rules.policy.statutes, sums=self.sums)
        mild = (
            self._worst.law if one == rules.policy.statutes.law else one for one in rules.statutes
        )
        self._rules = replace(rules, statutes=tuple(mild))
        self._reacts = assumed.reacts // MINUTE
        self._judged: dict[Facts, Requirement] = {}
        self._asked: dict[tuple[Judge, Facts], Requirement] = {}
        self._leaves: dict[Facts, tuple[tuple[int, bool] | None, ...]] = {}
        self.exits: tuple[str, ...] = tuple(sorted(EXITS))
        self._coin = next(one for one in rules.policy.assets if one.network == "ethereum")
        self._known: tuple[object, object] = (None, None)
        self._put: dict[str, tuple[Tried, ...]] = {}
        self._holds: dict[tuple[str, frozenset[str]], int] = {}
        self._lock, self._contact = OPEN, False
        self.gathers = 0
        self._budget = self._budget_most()
        self.alike = self._exits_alike()
        self.exits = tuple(self.alike)
        self._leaves.clear()  # They were of every exit.
        self._key_ages = timedelta(0) if self._keys_serve_at_once() else NEWCOMER_PERIOD
        self._leaves.clear()
        self._put.clear()
        self._holds.clear()

    def _exits_alike(self) -> dict[str, tuple[str, ...]]:
        """Return the exits by the one that stands for each kind: those that are answered alike."""
        every = tuple(enrolment.bases())
        for state in (every[0], every[-1]):
            place = Place(name=START, account=moves.with_tools(enrolment.account_of(state)))
            self._put.clear()
            self._exits(place, None, None)
        size = len(self.sums)
        answers = {
            action: tuple(
                found[number * size : (number + 1) * size] for found in self._leaves.values()
            )
            for number, action in enumerate(self.exits)
        }
        kinds: dict[object, list[str]] = {}
        for action, given in answers.items():
            kinds.setdefault((given, said_of(self._rules, action)), []).append(action)
        return {some[0]: tuple(some) for some in kinds.values()}

    def _keys_serve_at_once(self) -> bool:
        """Say whether a passkey that was just bound does all that it does when it is old."""
        every = tuple(enrolment.bases())
        for state in (every[0], *every[-2:]):
            place = Place(name=START, account=moves.with_tools(enrolment.account_of(state)))
            done = []
            for aged in (False, True):
                self._put.clear()
                self._holds.clear()
                bound = moves.with_key(place, aged=aged, born_of=KNOWN)
                done.append(self._of_place(replace(bound, name=place.name)))
            if done[0] != done[1]:
                return False
        return True

    def _budget_most(self) -> int:
        """Return the highest budget of those that matter with which anybody lists an address."""
        *_, every = enrolment.bases()
        place = Place(name=START, account=moves.with_tools(enrolment.account_of(every)))
        for cents in self.sums:
            payload = moves.listing(budget_cents=cents)
            if self._moved(place, Gain.LISTING, payload, moves.LISTED.destination_id):
                return cents
        return 0

    def judge(self, found: Facts) -> Requirement:
        """Return what laws and statutes miss in ``found``."""
        known = self._judged.get(found)
        if known is None:
            known = self._judged[found] = judge_facts(found, rules=self._rules)
        return known

    def derive(self, state: Enrolment) -> tuple[Derived, ...]:
        """Return the rules of ``state``."""
        if state.authenticators != self._known[0] or state.channels != self._known[1]:
            self._known = (state.authenticators, state.channels)
            self._put.clear()
            self._holds.clear()
        self._lock, self._contact = state.lock, state.contact
        start = Place(name=START, account=moves.with_tools(enrolment.account_of(state)))
        found = [Derived(head=f"at:{START}", body=frozenset()), *self._first(start)]
        found += self._of_place(start)
        further = [*self._channels(start), *self._keys(start)]
        for place, leads in further:
            if not self._needless(found, leads):
                found += [*leads, *self._of_place(place)]
        return undominated(found)

    def _first(self, start: Place) -> list[Derived]:
        """Return the rules by which a thief comes to tools that serve him in every place."""
        found = self._moved(start, Gain.SESSION, moves.SIGN_IN)
        found += self._moved(start, Mean.PASSWORD, moves.RESET, moves.RESET_SECRET)
        secret = moves.OWN_API_KEY.api_key_id
        found += self._moved(start, Gain.API_KEY, moves.MAKE_KEY, secret)
        if self._contact:
            asked = replace(start, account=enrolment.with_contact(start.account))
            found += self._moved(asked, Gain.NOBODY_ASKED, moves.REMOVE_CONTACT)
        return found

    def _channels(self, start: Place) -> Iterator[tuple[Place, list[Derived]]]:
        """Give where a notice channel of the thief's leads: in a place, or long since beside.

        Beside nothing it is one at once, however young: where nobody can be told, less is let out.
        """
        beside = [(None, True), *(() if start.account.channels else ((None, False),))]
        for old, aged in (*beside, *((one, False) for one in start.account.channels[:1])):
            place = moves.with_channel(start, old, aged=aged)
            later = NEWCOMER_PERIOD if aged else timedelta(0)
            secret = moves.OWN_CHANNEL.channel_id
            change = moves.change_of(old)
            yield place, self._moved(start, f"at:{place.name}", change, secret, more=later)

    def _keys(self, start: Place) -> Iterator[tuple[Place, list[Derived]]]:
        """Give where a passkey of the thief's leads: once it is no newcomer, and before that.

        A newcomer counts as the root that proved it. The phone's is the one of which proofs bind
        that do nothing else, as saved codes.
        """
        for aged in (True, False) if self._key_ages else (True,):
            place = moves.with_key(start, aged=aged)
            leads = self._moved(
                start,
                f"at:{place.name}",
                moves.BIND,
                moves.BIND_SECRET,
                more=self._key_ages if aged else timedelta(0),
                roots=None if aged else (PHONE,),
            )
            key = Derived(head=Gain.KEY, body=frozenset({f"at:{place.name}"}))
            yield place, leads and [*leads, key]

    def _needless(self, found: list[Derived], leads: list[Derived]) -> bool:
        """Say whether whoever comes there could have taken everything before, with the same."""
        most = [
            one
            for one in found
            if one.head in {goal(action, self.sums[0]) for action in self.exits}
        ]
        return all(
            any(
                one.head == goal(action, self.sums[0])
                and one.body <= lead.body
                and one.delay <= lead.delay
                for one in most
            )
            for lead in leads
            if lead.head != Gain.KEY
            for action in self.exits
        )

    def _of_place(self, place: Place) -> list[Derived]:
        """Return the rules by which value leaves ``place``, and an address comes on its list."""
        payload = moves.listing(budget_cents=self._budget)
        found = self._moved(place, Gain.LISTING, payload, moves.LISTED.destination_id)
        there = replace(moves.LISTED, usable_at=NOW, used_at=NOW, budget_cents=self._budget)
        planted = replace(moves.LISTED, imported=True)
        for gain, to in ((None, None), (Gain.LISTING, there), (Gain.PLANTED, planted)):
            if place.name == START or gain is not Gain.PLANTED:
                found += self._exits(place, gain, to)
        return found

    def _moved(
        self,
        place: Place,
        head: str,
        payload: AnyPayload,
        secret: str = "",
        *,
        more: timedelta = timedelta(0),
        roots: tuple[str, ...] | None = None,
    ) -> list[Derived]:
        """Return the rules by which a change takes effect in ``place``, ``more`` time later.

        ``roots``: of what shows exactly these, and no others.
        """
        found = list[Derived]()
        probe = proposed(place.account, payload, secret=secret, now=NOW)
        name = f"{place.name} {payload}"
        for tried in self._tried(name, probe, units(place), self.judge):
            until = waits(self.judge(self._locked(tried.facts)))
            if until is None or roots not in (None, tried.facts.shown_roots):
                continue
            minutes = until + more // MINUTE
            told = told_of(place) if minutes >= self._reacts else frozenset()
            found.append(
                Derived(
                    head=head,
                    body=tried.takes | told | {f"at:{place.name}"},
                    delay=minutes,
                    freeze=0 if more else self._freeze(name, tried),
                    action=type_of(payload),
                )
            )
        return found

    def _freeze(self, name: str, tried: Tried) -> int:
        """Return for how many minutes what takes effect holds exits, under any guard."""
        known = name, tried.takes
        if known not in self._holds:
            self._holds[known] = self._held_for(tried)
        return self._holds[known]

    def _held_for(self, tried: Tried) -> int:
        every = effects(
            state_of(tried.probe),
            tried.probe.action,
            tried.facts,
            statutes=self._rules.policy.statutes,
            fresh="a" * 26,
        )
        holds = [one.hold for one in every if isinstance(one, HoldPlaced)]
        return max(((one.ends_at - one.placed_at) // MINUTE for one in holds), default=0)

    def _exits(self, place: Place, gain: Gain | None, to: Destination | None) -> list[Derived]:
        """Return the rules by which value leaves from ``place``: to an address that is listed."""
        probe = proposed(place.account, moves.leaving(self._coin), destination=to, now=NOW)
        found = list[Derived]()
        there = {f"at:{place.name}"} | ({gain.value} if gain else set())
        every = (*units(place), *(key_units() if place.name == START else ()))
        for tried in self._tried(f"{place.name} {gain}", probe, every, self._judge_exit):
            if any(self._leave(tried.facts)):  # What guards an account lets nothing more out.
                for guarded, beside in self._guarded(tried.facts):
                    found += self._let_out(place, guarded, tried.takes | there | beside)
        return found

    def _let_out(self, place: Place, found: Facts, takes: frozenset[str]) -> Iterator[Derived]:
        """Give a rule for each exit and sum that the gate lets out on ``found``."""
        for (action, cents), left in zip(self._outcomes(), self._leave(found), strict=True):
            if left is not None:
                minutes, gated = left
                told = told_of(place) if minutes >= self._reacts else frozenset()
                yield Derived(
                    head=goal(action, cents),
                    body=takes | told,
                    delay=minutes,
                    gated=gated,
                    action=action,
                )

    def _guarded(self, found: Facts) -> Iterator[tuple[Facts, frozenset[str]]]:
        """Give ``found`` as the state guards its exits, with what it takes beside the proofs."""
        locked = self._locked(found)
        if not self._contact:
            yield locked, frozenset()
            return
        asked = replace(locked, agreement_cents=SMALL_SUM_CENTS)
        yield asked, frozenset()
        yield replace(asked, agreed=True), frozenset({Mean.CONTACT.value})
        yield locked, frozenset({Gain.NOBODY_ASKED.value})

    def _outcomes(self) -> Iterator[tuple[str, int]]:
        return ((action, cents) for action in self.exits for cents in self.sums)

    def _judge_exit(self, found: Facts) -> Requirement:
        """Return what is missing for the most that is tried to leave by the usual exit."""
        return self.judge(replace(found, value_cents=self.sums[0]))

    def _leave(self, found: Facts) -> tuple[tuple[int, bool] | None, ...]:
        """Return for each exit and sum after how many minutes it leaves, and whether holds stop it.

        None where it does not.
        """
        known = self._leaves.get(found)
        if known is None:
            known = self._leaves[found] = tuple(self._left(found))
        return known

    def _left(self, found: Facts) -> Iterator[tuple[int, bool] | None]:
        for action, cents in self._outcomes():
            every = (
                self._let(one)
                for one in days(found, action, cents, sums=self.sums, worst=self._worst)
            )
            some = [one for one in every if one is not None]
            yield min(some) if some else None

    def _let(self, asked: Facts) -> tuple[int, bool] | None:
        minutes = waits(self.judge(asked))
        if minutes is None:
            return None
        held = self.judge(replace(asked, held_until=HELD))
        return minutes, waits(held) != minutes

    def _locked(self, found: Facts) -> Facts:
        """Return ``found`` under the lock of the state; all else is the same without it."""
        return replace(found, lock=self._lock) if self._lock.days else found

    def _tried(
        self, name: str, probe: Probe, some: Iterable[Unit], judge: Judge
    ) -> tuple[Tried, ...]:
        """Return what ``_try_all`` gives; under another lock it is the same."""
        if name not in self._put:
            self._put[name] = tuple(self._try_all(probe, some, judge))
        return self._put[name]

    def _try_all(self, probe: Probe, some: Iterable[Unit], judge: Judge) -> Iterator[Tried]:
        """Give what is decided on each unit, and on more of them where more would help.

        That is the password beside something else, and what is of another root.
        """
        shown: dict[Shows, Shown | None] = {}
        whole: list[tuple[Unit, tuple[Shown, ...]]] = []
        for unit in some:
            for one in unit.shows:
                if one not in shown and one != COOKIE:
                    shown[one] = taken(probe, one, rules=self._rules, now=NOW)
            proofs = tuple(shown[one] for one in unit.shows if one != COOKIE)
            given = tuple(one for one in proofs if one is not None)
            if len(given) == len(proofs):
                whole.append((unit, given))
        yield self._try(probe, frozenset(), ())
        seen = set()
        for unit, given in whole:
            tried = self._try(probe, unit.takes, given, cookie=COOKIE in unit.shows)
            yield tried
            asked = self._asked_of(tried.facts, judge)
            roots, factors = asked_for(asked)
            known = {one.root for one in given} - {None}
            together = [(unit.takes, given)]
            for other, further in whole:
                new = known and {one.root for one in further} - known - {None}
                word = bool(further) and further[0].factor is Factor.PASSWORD
                beside = word and factors and other is not unit and _takes_a_word(given)
                if (roots and new) or beside:
                    together.append((unit.takes | other.takes, (*given, *further)))
            for takes, proofs in together[1:] + list(with_named(asked, together, whole)):
                if takes not in seen:
                    seen.add(takes)
                    yield self._try(probe, takes, proofs)

    def _asked_of(self, found: Facts, judge: Judge) -> Requirement:
        """Return what is missing in ``found`` under all locks together: many states ask for it."""
        known = self._asked.get((judge, found))
        if known is None:
            known = all_of(*(judge(replace(found, lock=lock)) for lock in enrolment.LOCKS))
            self._asked[judge, found] = known
        return known

    def _try(
        self,
        probe: Probe,
        takes: frozenset[str],
        proofs: tuple[Shown, ...],
        *,
        cookie: bool = False,
    ) -> Tried:
        self.gathers += 1
        after = with_shown(probe, dict.fromkeys(proofs), cookie=cookie, rules=self._rules, now=NOW)
        return Tried(takes=takes, probe=after, facts=facts(after, rules=self._rules, now=NOW))


def _takes_a_word(proofs: tuple[Shown, ...]) -> bool:
    """Say whether a password beside ``proofs`` could show more than they alone."""
    return bool(proofs) and {one.factor for one in proofs} <= _BESIDE_A_WORD


def waits(missing: Requirement) -> int | None:
    """Return after how many minutes time alone fulfils ``missing``, or None where it never does."""
    if missing == NOTHING:
        return 0
    until = silence_until(missing)
    return None if until is None else -(-(until - NOW) // MINUTE)
