"""Sets an account up as its owner would have: honestly, over the API, years before the first step.

Authenticators are bound while the account is set up, the owner signs in on the known device,
destinations are proved and waited for, and used when the file says so. What the file describes and
Twinlock does not have yet is noted, never imitated.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

import msgspec

from twinlock.client import ProblemError
from twinlock.domain.bounds import CONTACT_WAIT, CONTACTS_MOST, DEVICE_KNOWN_FOR
from twinlock.domain.canonical import b64url
from twinlock.domain.catalogue import WITHDRAW_SCOPE, ActionType
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer
from twinlock.range.account_words import not_set_up
from twinlock.range.api_keys import TRADE_SCOPE, SoftwareKey, key_payload, new_key
from twinlock.range.customer import Customer, LiveSession, NotPlayableError
from twinlock.range.duress import make_ready
from twinlock.range.key_use import use_long_ago
from twinlock.range.leaving import small_exit
from twinlock.range.limits import limit_of
from twinlock.range.own_words import lock_days, lock_kind
from twinlock.range.places import NETWORK, OLD, PAIRS, Places, band_bp, pairs_of
from twinlock.range.refusals import refusal
from twinlock.range.signing import Wallet
from twinlock.range.stage import (
    BUDGET_CENTS,
    LARGE_CENTS,
    MAX_FEE_CENTS,
    SMALL_CENTS,
    Stage,
)
from twinlock.range.story import OLD_AGE, OLD_USED, AccountSpec, Listed, OwnedKey
from twinlock.range.venue import Venue
from twinlock.range.words import LENGTH_MOST, Listing, Person, Proof, parse_length

AGE = timedelta(days=400)  # Of an account of which a file says no more.
ADDRESSES = {"email": "alice@example.com", "sms": "+15550100", "desktop": "alice-desktop"}
NO_TIME, HOUR, DAY = timedelta(0), timedelta(hours=1), timedelta(days=1)
LISTED_AT_ONCE = 6  # Less than an account has open, and than codes are sent to it in an hour.
KEY_AGE = timedelta(days=30)  # Of an API key of which a file says no more.
UNBOUND_AGE = timedelta(days=10)  # Of one without an IP list, which lapses after 14.
KEY_USED_EVERY = timedelta(days=10)  # Often enough that none lapses.
KEY_USED = timedelta(days=1)  # When last, where neither the file nor its destinations say it.
DAILY = {"small": SMALL_CENTS, "large": LARGE_CENTS}
# Before the owner lists anything: signing in takes codes, of which an hour and a day have so many.
SETTLED_IN = timedelta(days=1)
CODES = timedelta(minutes=1)  # What showing two codes of an app may take.
SIGNS_IN_EVERY = DEVICE_KNOWN_FOR * 2 / 3  # Often enough to stay known.
_Chore: TypeAlias = Callable[[], Awaitable[None]]


class SettingUpError(NotPlayableError):
    """The account of a file could not be set up honestly."""

    code = "not_set_up"


async def set_up(
    venue: Venue,
    spec: AccountSpec,
    *,
    old: Collection[str] = (),
    networks: Mapping[str, str] | None = None,
    forced: Collection[Proof] = (),
) -> Stage:
    """Return the account of ``spec`` at its first step, noon or a little later.

    What happened before that is decided by the rules of before. ``old`` are places that stand on
    the list besides; ``networks`` are those of symbols that exits lead to; of each kind in
    ``forced`` the owner has a second authenticator, for duress.

    Raises:
        NotPlayableError: the file describes an account that cannot be had yet.
    """
    lead = _longest_wait(venue.past.policy.statutes)
    entries = _entries(spec, old, lead)
    opening = _opening(spec)
    places = Places(venue.draw().hex(), networks)
    opening["destinations"] = [places.where(one.name) for one in entries if not one.signed]
    opened_at = venue.now
    owned = _owned(spec, entries, venue.past.policy.statutes)
    start = opened_at + _contacts_take(spec) + _past_of(entries, lead, owned)
    with venue.in_the_past():
        customer = await Customer.open(venue, "alice", opening)
        await _bind_all(customer, spec)
        await customer.sign_in()
        await make_ready(customer, spec, forced)
        await _choose_contacts(customer, spec)
        wallet = Wallet.that_saw(
            await venue.client.checkpoint(),
            at=venue.now,
            trust=venue.trust,
            policy=venue.book.policy.name.digest,
        )
        past = _Past(
            customer=customer,
            places=places,
            opened_at=opened_at,
            start=start,
            lead=lead,
            lock=lock_of(spec),
        )
        await past.live([one for one in entries if one.signed], owned)
        await venue.set_forward(start)
    stage = Stage(
        venue=venue,
        spec=spec,
        customer=customer,
        places=places,
        start=start,
        left_cents=spec.value_usd * 100,
        opening=opening,
        wallet=wallet,
    )
    stage.keys.extend(past.keys)
    stage.notes.extend((*not_set_up(spec), *past.notes))
    return stage


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owned:
    """A key that is asked for ``asked`` before the first step, and is there after ``lead``.

    ``uses`` are when it was used, before the first step.
    """

    spec: OwnedKey
    asked: timedelta
    lead: timedelta
    daily_cents: int
    uses: tuple[timedelta, ...] = ()


def _owned(spec: AccountSpec, entries: Sequence[Listed], statutes: Statutes) -> tuple[_Owned, ...]:
    """Return the keys of the file; one that names destinations is made after they are usable."""
    ages = {one.name: one.aged for one in entries}
    used = {one.name: one.used for one in entries if one.used is not None}
    found = []
    for key in spec.keys:
        withdraws = WITHDRAW_SCOPE in key.scopes
        lead = statutes.waits(ActionType.API_KEY_CREATE) + CODES if withdraws else CODES
        young = min((ages.get(one, KEY_AGE) for one in key.destinations), default=KEY_AGE + lead)
        oldest = KEY_AGE if key.ip_list else UNBOUND_AGE
        age = parse_length(key.age) if key.age else max(min(oldest, young - lead - CODES), NO_TIME)
        daily = spec.value_usd * 100 if key.daily == "all" else _daily(key.daily)
        if not daily:
            raise NotPlayableError(f"account.api_keys: daily {key.daily!r} has no meaning here")
        daily += MAX_FEE_CENTS
        uses = _uses(key, age, used)
        found.append(_Owned(spec=key, asked=age + lead, lead=lead, daily_cents=daily, uses=uses))
    return tuple(found)


def _daily(word: str | int) -> int:
    """Return what a word of a key's day means in US cents; 0: nothing."""
    return DAILY.get(word, 0) if isinstance(word, str) else max(word, 0) * 100


def _uses(key: OwnedKey, age: timedelta, used: Mapping[str, timedelta]) -> tuple[timedelta, ...]:
    """Return when a key of ``age`` was used: last when the file says so, and often before."""
    if key.last_used == "never" or not (key.last_used or age > KEY_USED_EVERY):
        return ()
    paid = min((used[one] for one in key.destinations if one in used), default=KEY_USED)
    last = max(parse_length(key.last_used) if key.last_used else paid, CODES)
    often = (last + KEY_USED_EVERY * number for number in range(age // KEY_USED_EVERY + 1))
    return tuple(one for one in often if one < age)


def _entries(spec: AccountSpec, old: Collection[str], lead: timedelta) -> list[Listed]:
    """Return what stands on the list: what the file lists, and the old places that it uses.

    Of more that were proved at one time than anybody proves in an hour the rest is older.
    """
    entries = list(spec.destinations.entries)
    listed = {one.name for one in entries}
    used = {*old, *(one for key in spec.keys for one in key.destinations if one == OLD[NETWORK])}
    entries += [Listed(name=one, age=OLD_AGE, last_used=OLD_USED) for one in sorted(used - listed)]
    of_age: dict[timedelta, int] = {}
    return [_made_room(one, of_age, lead) for one in entries]


def _made_room(entry: Listed, of_age: dict[timedelta, int], lead: timedelta) -> Listed:
    """Return ``entry``, older where as many of its age went before as are listed in an hour."""
    if not entry.signed:
        return entry
    before = of_age[entry.aged] = of_age.get(entry.aged, -1) + 1
    later = before // LISTED_AT_ONCE * (-(-max(lead, DAY) // HOUR)) * HOUR
    aged = min(entry.aged + later, LENGTH_MOST)
    return msgspec.structs.replace(entry, age=f"{aged // HOUR}h") if later else entry


def takes(spec: AccountSpec, statutes: Statutes) -> timedelta:
    """Return how long before its first step the account of ``spec`` is opened."""
    lead = _longest_wait(statutes)
    entries = _entries(spec, (), lead)
    owned = _owned(spec, entries, statutes)
    return _contacts_take(spec) + _past_of(entries, lead, owned)


def _contacts_take(spec: AccountSpec) -> timedelta:
    """Return how long choosing friends takes: the first one waits for nothing."""
    return (CONTACT_WAIT + CODES) * max(spec.contacts - 1, 0)


def _past_of(entries: Sequence[Listed], lead: timedelta, owned: Sequence[_Owned] = ()) -> timedelta:
    asked = lead + SETTLED_IN
    listed = max((one.aged + (asked if one.signed else NO_TIME) for one in entries), default=AGE)
    return max((listed, *(one.asked + CODES for one in owned)))


def _opening(spec: AccountSpec) -> dict[str, Any]:
    unknown = [one for one in spec.channels if one not in ADDRESSES]
    if unknown:
        raise NotPlayableError(f"the channel {unknown[0]!r} does not exist yet")
    _ = lock_of(spec)
    return {
        "channels": [{"kind": one, "address": ADDRESSES[one]} for one in spec.channels],
        "destinations_required": spec.destinations.list is Listing.REQUIRED,
    }


def lock_of(spec: AccountSpec) -> dict[str, Any] | None:
    """Return the payload of the owner's lock, or None. Raises NotPlayableError: it has no form."""
    said = "1d" if spec.lock is True else spec.lock or {}
    said = {"delay": said} if isinstance(said, str) else said
    if not isinstance(said, dict) or set(said) - {"delay", "strict", "both_keys"}:
        raise NotPlayableError("account.lock: a lock has a delay, may be strict, and of both keys")
    if not said:
        return None
    try:
        return {"days": lock_days(str(said.get("delay", "1d"))), **lock_kind(said)}
    except NotPlayableError as why:
        raise NotPlayableError(f"account.lock: {why}") from why


async def _bind_all(customer: Customer, spec: AccountSpec) -> None:
    for word in spec.authenticators:
        payload = await customer.draft_binding(word, customer.own)
        answered = await customer.propose(ActionType.AUTHENTICATOR_BIND, payload)
        if answered.answer is not Answer.ALLOW:
            raise SettingUpError(f"{word} was not bound: {answered.answer.value}")


async def _choose_contacts(customer: Customer, spec: AccountSpec) -> None:
    """Have friends with keys of their own agree above what the platform lets leave in a day.

    The first is there at once, and each further one when a week is over.
    """
    if spec.contacts > CONTACTS_MOST:
        raise NotPlayableError(f"account.trusted_contacts: an account has {CONTACTS_MOST} at most")
    if not spec.contacts:
        return
    above = limit_of(customer.venue.past.policy.statutes, Reason.LIMIT_EXCEEDED)
    answers = [(await customer.choose_contact()).answer]
    proposed = await customer.propose(ActionType.LIMIT_LOWER, {"agreement_cents": above})
    answers.append((await customer.prove_best(proposed)).answer)
    for _ in range(1, spec.contacts):
        waits = await customer.choose_contact()
        await customer.venue.set_forward(waits.until or customer.venue.now)
        await customer.sign_in()  # It settles what is due.
        answers.append((await customer.venue.client.action(waits.action_id)).answer)
    if set(answers) != {Answer.ALLOW}:
        raise SettingUpError("nobody was made a trusted contact")


def _longest_wait(statutes: Statutes) -> timedelta:
    """Return how long before its age a destination must be asked for, with time for a code."""
    longest = statutes.waits(ActionType.DESTINATION_ADD)
    return longest + CODES if longest else NO_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """What the owner did before the first step, which is at ``start``."""

    customer: Customer
    places: Places
    opened_at: datetime
    start: datetime
    lead: timedelta
    lock: dict[str, Any] | None = None
    keys: list[SoftwareKey] = field(default_factory=list)
    made: list[tuple[_Owned, SoftwareKey]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    async def live(self, entries: Sequence[Listed], owned: Sequence[_Owned] = ()) -> None:
        """List each entry, let its wait run out, and use it last when the file says so; make keys.

        Sign in often enough meanwhile that the owner's device stays a known one.
        """
        chores: list[tuple[datetime, int, _Chore]] = []
        for number, entry in enumerate(entries):
            usable_at = self.start - entry.aged
            chores.append((usable_at - self.lead, number, partial(self._ask_for, entry)))
            chores.append((usable_at, number, partial(self._settle, entry)))
            if entry.used is not None:
                chores.append((self.start - entry.used, number, partial(self._use, entry)))
        for number, key in enumerate(owned, start=len(entries) + 1):
            asked_at = self.start - key.asked
            chores.append((asked_at, number, partial(self._make_key, key)))
            chores.append((asked_at + key.lead, number, self._sign_in))  # It settles what is due.
            used = ((self.start - one, number, partial(self._use_key, key)) for one in key.uses)
            chores.extend(used)
        if self.lock is not None:  # Last, or all before it would have had to wait.
            chores.append((self.start - CODES, len(chores), self._tighten))
        at = self.opened_at + SIGNS_IN_EVERY
        while at < self.start:
            chores.append((at, len(entries), self._sign_in))
            at += SIGNS_IN_EVERY
        for at, _, chore in sorted(chores, key=lambda one: one[:2]):
            await self.customer.venue.set_forward(at)
            await chore()

    async def _sign_in(self) -> None:
        await self.customer.sign_in()

    async def _tighten(self) -> None:
        payload = {**self.lock} if self.lock else {}
        proposed = await self.customer.propose(ActionType.LOCK_TIGHTEN, payload)
        answered = await self.customer.prove_best(proposed)
        if answered.answer is not Answer.ALLOW:
            raise SettingUpError(f"the lock was not set: {answered.answer.value}")

    async def _make_key(self, owned: _Owned) -> None:
        spec, venue = owned.spec, self.customer.venue
        key = new_key(
            venue.draw(),
            name=spec.name,
            by=Person.ALICE,
            scopes=spec.scopes,
            ip_list=spec.ip_list,
            pairs=self._pairs(spec),
        )
        named = [self.places.where(one) for one in spec.destinations]
        for where in named:
            await self._renew(where)
        band = band_bp(spec.price_band)
        payload = key_payload(key, named, daily_cents=owned.daily_cents, band_bp=band)
        proposed = await self.customer.propose(ActionType.API_KEY_CREATE, payload)
        if proposed.answer is not Answer.DENY:
            proposed = await self.customer.prove_best(proposed)
        if proposed.answer in (Answer.ALLOW, Answer.HOLD):
            self.keys.append(key)
            self.made.append((owned, key))
            return
        why = proposed.why[0].code.value if proposed.why else proposed.answer.value
        self.notes.append(f"account.api_keys: {spec.name} was refused ({why}); played without")

    def _pairs(self, spec: OwnedKey) -> tuple[str, ...]:
        """Return what a key trades: where no pair is liquid, one without pairs trades nothing."""
        if TRADE_SCOPE not in spec.scopes:
            return ()
        return pairs_of(spec.pairs) or (PAIRS["liquid"],)

    async def _use_key(self, owned: _Owned) -> None:
        key = next((made for one, made in self.made if one is owned), None)
        if key is None:  # It was refused.
            return
        anybody = not owned.spec.destinations and TRADE_SCOPE not in key.scopes
        named = (OLD[NETWORK],) if anybody else owned.spec.destinations[:1]
        where = [self.places.where(one) for one in named]
        used = await use_long_ago(self.customer, key, where[0] if where else None)
        if used or not {WITHDRAW_SCOPE, TRADE_SCOPE}.intersection(key.scopes):
            return
        if key.ip_list and not anybody:
            raise SettingUpError(f"the API key {key.name} could not be used before the first step")
        unbound = "destination" if anybody else "address"
        told = f"account.api_keys: {key.name}, bound to no {unbound}, had lapsed"
        shows_orders = bool(self.customer.venue.past.policy.statutes.trading.liquid)
        told_now = (shows_orders or anybody) and told not in self.notes
        self.notes.extend([told] if told_now else [])

    async def _renew(self, where: dict[str, str]) -> None:
        """Use a destination that has lapsed: a key names only what is usable."""
        venue = self.customer.venue
        for one in await venue.client.destinations(self.customer.account_id):
            if (one["network"], one["address"]) != tuple(where.values()) or not one["usable_at"]:
                continue
            last = datetime.fromisoformat(one["used_at"] or one["usable_at"])
            if venue.now - last > venue.book.policy.statutes.lapse:
                await send_to(self.customer, where, prove=True)

    async def _ask_for(self, entry: Listed) -> None:
        where = self.places.where(entry.name)
        budget = entry.budget * 100 if isinstance(entry.budget, int) else 0
        budget = BUDGET_CENTS if entry.budget == "small" else budget
        payload = {**where, "label": entry.name, "budget_cents": budget}
        proposed = await self.customer.propose(ActionType.DESTINATION_ADD, payload)
        answered = await self.customer.prove_best(proposed)
        if answered.answer not in (Answer.ALLOW, Answer.HOLD):
            raise SettingUpError(f"{entry.name} was not listed: {answered.answer.value}")

    async def _settle(self, entry: Listed) -> None:
        """Nobody has to end a wait: whoever looks at a destination settles what is due there."""
        await send_to(self.customer, self.places.where(entry.name), prove=False)

    async def _use(self, entry: Listed) -> None:
        if not await send_to(self.customer, self.places.where(entry.name), prove=True):
            raise SettingUpError(f"{entry.name} could not be used before the first step")


async def send_to(customer: Customer, where: Mapping[str, str], *, prove: bool) -> bool:
    """Have a small sum leave to a place by whatever exit leads there; say whether it was spent."""
    kind, payload = small_exit(where["network"], where["address"], SMALL_CENTS // 100)
    answered = await customer.propose(kind, payload)
    if not prove:
        return False
    if not answered.authorization:
        answered = await customer.prove_best(answered)
    if not answered.authorization:
        return False
    spend_id = f"before-{b64url(customer.venue.draw()[:9])}"
    spent = await customer.venue.client.spend(answered.action_id, spend_id=spend_id)
    return spent.state == "spent"


async def beside(stage: Stage, person: Person) -> Stage:
    """Return the account of another customer who acts in this file: like the owner's, and new.

    What anybody was answered is known to both.
    """
    if person not in stage.others:
        stage.others[person] = replace(
            stage,
            customer=await neighbour(stage),
            sessions={},
            bound={},
            keys=[],
            wallet=stage.wallet,
        )
    return stage.others[person]


async def neighbour(stage: Stage) -> Customer:
    """Return another customer with the same kinds of authenticators, set up just now."""
    if stage.neighbour is None:
        try:
            with stage.venue.in_the_past():
                channels = {"channels": stage.opening["channels"]}
                other = await Customer.open(stage.venue, "bob", channels)
                await _bind_all(other, stage.spec)
                await other.sign_in()
        except ProblemError as problem:
            raise SettingUpError(f"bob was not set up: {refusal(problem)}") from problem
        stage.neighbour = other
    return stage.neighbour


async def neighbours_session(stage: Stage) -> tuple[Customer, LiveSession]:
    """Return another customer, signed in as they were set up: by the rules of before."""
    other = await neighbour(stage)
    with stage.venue.in_the_past():
        return other, await other.sign_in()
