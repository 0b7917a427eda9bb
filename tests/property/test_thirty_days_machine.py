"""Thirty days at the gate: a thief binds, lists, replaces and removes; the owner says "not me".

What stands on what is kept here once more and in another way: nothing is ever forgotten, and
nothing is merged.
"""

import contextlib
from datetime import timedelta
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace
from support.cast import DAY, HOUR, MALLORYS_ADDRESS, NEW_ADDRESS
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    SYNCED,
    a_passkey,
    a_password,
    an_account,
    an_app,
    bind,
    change_contact,
    change_password,
    list_address,
    make_key,
    remove,
    repudiate,
    reset_password,
    sign_in,
    unlist,
)

from twinlock.domain.account import ApiKey, Session, State
from twinlock.domain.actions import (
    AnyPayload,
    ApiKeyRevoke,
    AuthenticatorRepudiate,
    ContactChange,
    ContactRepudiate,
)
from twinlock.domain.assurance import BESIDE, Factor
from twinlock.domain.authenticators.model import Authenticator, Passkey, Password, Totp
from twinlock.domain.channels import Channel
from twinlock.domain.commands import Repudiate
from twinlock.domain.decisions import Decided, Decision
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.events import (
    ApiKeyCreated,
    ApiKeyRevoked,
    AuthenticatorBound,
    AuthenticatorRemoved,
    ChannelBound,
    ChannelRemoved,
    ClosingEvent,
    DestinationAdded,
    Event,
    NewcomerRepudiated,
    SessionStarted,
)
from twinlock.domain.ids import ActionId, ChannelId
from twinlock.domain.listed import Destination
from twinlock.domain.newcomers import bound, doubted, is_newcomer, links, newcomer
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.leaving import state_of
from twinlock.domain.replay import apply_all
from twinlock.domain.repudiations import objection
from twinlock.domain.stepping import advance

Thing = Authenticator | Channel | ApiKey | Destination | Session
PROVES_NOTHING = BESIDE | {Factor.SESSION, Factor.API_KEY}
FLOORS = [(PASSWORD, SYNCED), (PASSWORD, APP), (PASSWORD,)]


class Made(NamedTuple):
    """What an entry brought about, and the entries that stood behind it."""

    thing: Thing
    behind: frozenset[int]


def name_of(thing: Thing) -> str:
    """Return what makes ``thing`` the same under another id, or ""."""
    match thing:
        case Password():
            return "the password"
        case Passkey():
            return thing.credential_id
        case Channel():
            return f"{thing.kind} {thing.address}"
        case ApiKey():
            return thing.public_key
        case _:
            return ""


class ThirtyDays(RuleBasedStateMachine):
    """Everybody proves with whatever is bound: the owner, and a thief who had it relayed."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.made: dict[int, Made] = {}
        self.repudiated: set[int] = set()
        self.checked = 0
        self.linked = 0  # what the last link is about
        self.proposed: dict[str, int] = {}  # by action: by which command of the book
        self.set_at: dict[int, int] = {}  # by entry: by which command it was bound
        self.taken: dict[str, int] = {}  # by name: by which it was taken away last

    @initialize(proofs=st.sampled_from(FLOORS))
    def open(self, proofs: tuple[Authenticator, ...]) -> None:
        own = [replace(one, entry=number) for number, one in enumerate(proofs, 1)]
        account = an_account(*own, channels=(replace(EMAIL, entry=4), replace(DESKTOP, entry=5)))
        self.gate = Gate.of(replace(account, chain=replace(account.chain, entries=9)))
        self.gate.tick = timedelta(milliseconds=1)

    # --- What people do ---

    def sources(self, data: st.DataObject) -> list[Source]:
        """Draw what is shown: mostly something that reaches the floor, old or new."""
        account = self.gate.account
        codes: list[Source] = [one for one in account.channels if one.takes_codes]
        for kind in (Passkey, Totp, Password):
            strong: list[Source] = [one for one in account.authenticators if isinstance(one, kind)]
            if strong:
                one = data.draw(st.sampled_from(strong))
                weak = [other for other in account.authenticators if isinstance(other, Password)]
                alone = kind is Passkey or not data.draw(st.booleans())
                return [one] if alone and kind is not Password else [*weak, one, *codes]
        return codes

    def ask(self, data: st.DataObject, payload: AnyPayload, secret: str = "") -> None:
        """Propose, prove with something, confirm what comes, and perhaps wait for it."""
        with contextlib.suppress(DocumentTooLargeError):
            action = self.gate.propose(payload, secret).action_id
            self.proposed[action] = len(self.gate.book) - 1
            self.show(data, action)
            if isinstance(payload, ContactChange) and self.gate.is_open(action):
                self.confirm(action)
        length = data.draw(st.sampled_from([timedelta(0), DAY + HOUR, 3 * DAY]))
        if length:
            self.gate.wait(length)
            self.gate.settle()

    def confirm(self, action: str) -> None:
        if self.gate.action(action).secret and self.gate.ask_channel(action).fault is None:
            self.gate.answer_channel(action)

    def show(self, data: st.DataObject, action: str) -> None:
        for source in dict.fromkeys(self.sources(data)):
            if self.gate.is_open(action):
                self.gate.prove(action, source)

    @rule(data=st.data(), which=st.integers(1, 2), app=st.booleans())
    def bind(self, data: st.DataObject, which: int, app: bool) -> None:
        name = f"aut_{self.gate.drawn}"
        new = a_passkey(name) if not app else an_app(name)
        if isinstance(new, Passkey):
            new = replace(new, credential_id=f"stick {which}", public_key=f"of stick {which}")
        self.ask(data, *bind(new))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        self.ask(data, remove(data.draw(st.sampled_from(self.gate.account.authenticators))))

    @rule(data=st.data(), forgotten=st.booleans())
    def set_a_password(self, data: st.DataObject, forgotten: bool) -> None:
        self.gate.settle()  # What it would replace is read by the services first.
        kept = (one for one in self.gate.account.authenticators if isinstance(one, Password))
        old = next(kept, None)
        made = old or a_password(f"aut_{self.gate.drawn}")
        payload, _ = reset_password() if forgotten or old is None else change_password()
        self.ask(data, payload, reset_password(f"hash {self.gate.drawn}", made)[1])

    @rule(data=st.data(), which=st.integers(1, 3), gone=st.booleans())
    def change_a_channel(self, data: st.DataObject, which: int, gone: bool) -> None:
        old = next((one for one in self.gate.account.channels if one.takes_codes), None)
        kept = data.draw(st.sampled_from([None, old]))
        named = ChannelId(f"chn_{self.gate.drawn}")
        new = replace(EMAIL, channel_id=named, address=f"mallory{which}@example.net")
        if kept is None or not gone:
            self.ask(data, *change_contact(kept, new))
        else:
            self.ask(data, *change_contact(kept, None))

    @rule(data=st.data(), which=st.sampled_from(["K", "L"]))
    def make_a_key(self, data: st.DataObject, which: str) -> None:
        self.ask(data, make_key(public_key=which * 43))

    @precondition(lambda self: self.gate.account.api_keys)
    @rule(data=st.data())
    def revoke_a_key(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.gate.account.api_keys))
        account = self.gate.account.account_id
        self.ask(data, ApiKeyRevoke(account=account, api_key_id=key.api_key_id))

    @rule(data=st.data(), where=st.sampled_from([NEW_ADDRESS, MALLORYS_ADDRESS]), off=st.booleans())
    def change_the_list(self, data: st.DataObject, where: str, off: bool) -> None:
        self.ask(data, unlist(where) if off else list_address(where))

    @rule(data=st.data())
    def sign_in(self, data: st.DataObject) -> None:
        self.ask(data, sign_in())

    @precondition(lambda self: self.gate.account.actions)
    @rule(data=st.data())
    def prove_what_is_open(self, data: st.DataObject) -> None:
        action = data.draw(st.sampled_from(self.gate.account.actions)).action_id
        with contextlib.suppress(DocumentTooLargeError):
            self.show(data, action)

    @rule(length=st.sampled_from([HOUR, DAY, 4 * DAY, 12 * DAY]))
    def time_passes(self, length: timedelta) -> None:
        self.gate.wait(length)
        self.gate.settle()

    # --- What the owner says ---

    @precondition(lambda self: self.newcomers())
    @rule(data=st.data())
    def not_me_by_a_link(self, data: st.DataObject) -> None:
        """The link in the notice of anything that was ever bound, bound still or not."""
        entry = data.draw(st.sampled_from(self.newcomers()))
        thing = self.made[entry].thing
        assert isinstance(thing, Authenticator | Channel)
        self.linked = entry
        self.gate.repudiate(
            "act_over",
            target=id_of(thing),
            channel=DESKTOP,
            entry=entry,
            bound_at=thing.bound_at,
        )

    @rule(data=st.data())
    def not_me_by_a_proof(self, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(bound(self.gate.account)))
        action = self.gate.propose(repudiate(target)).action_id
        self.show(data, action)

    def newcomers(self) -> list[int]:
        return [
            entry
            for entry, (thing, _) in self.made.items()
            if isinstance(thing, Authenticator | Channel)
            and is_newcomer(thing.bound_at, now=self.gate.now)
            and entry not in self.repudiated
        ]

    def standing_on(self, root: int) -> set[int]:
        found = {root}
        for entry, made in sorted(self.made.items()):
            if made.behind & found:
                found.add(entry)
        return found

    def note(self, before: State, action: str, entries: frozenset[int]) -> None:
        """Note what the one who said "not me" meant: the target of the action, or of the link."""
        account = before.account
        asked = next((one for one in account.actions if one.action_id == action), None)
        root = self.linked
        if asked is not None and isinstance(asked.payload, AuthenticatorRepudiate):
            reported = account.authenticator(asked.payload.authenticator_id)
            assert reported is not None
            root = reported.entry
        elif asked is not None and isinstance(asked.payload, ContactRepudiate):
            named = newcomer(account, asked.payload.channel_id)
            assert named is not None
            root = named.entry
        gone = self.standing_on(root)
        for one in bound(account):
            if one.entry in entries - gone:  # Of so many behind it some count as one.
                assert any(first < last for first, last in one.behind)
                gone.add(one.entry)
        self.repudiated |= gone | entries
        for taken in (*bound(account), *account.api_keys):
            if taken.entry in gone:
                # A password stays, suspended; what was asked for since it was set may replace it.
                stays = isinstance(taken, Password)
                self.taken[name_of(taken)] = self.set_at[taken.entry] if stays else self.checked

    # --- The book of what stands on what ---

    @invariant()
    def every_decision_is_noted(self) -> None:
        self.catch_up()

    def catch_up(self) -> None:
        while self.checked < len(self.gate.book):
            before, decided, _ = self.gate.book[self.checked]
            self.read(before, decided)
            self.checked += 1

    def read(self, before: State, decided: Decided) -> None:
        state = before
        for decision in decided.decisions:
            seen = tuple(one for one in decision.events if not isinstance(one, ClosingEvent))
            shown = apply_all(state, seen[: first_effect(seen)])
            for event in decision.events:
                self.keep(state, shown, decision, event)
            state = advance(apply_all(state, decision.events))

    def keep(self, state: State, shown: State, decision: Decision, event: Event) -> None:
        account = state.account
        match event:
            case AuthenticatorBound(authenticator=thing):
                self.make(shown, decision, thing)
            case ApiKeyCreated(api_key=thing) | DestinationAdded(destination=thing):
                self.make(shown, decision, thing)
            case SessionStarted(session=thing):
                self.make(shown, decision, thing)
            case ChannelBound(channel=thing) if thing.entry == account.chain.entries:
                self.make(shown, decision, thing)
            case ChannelBound(channel=thing):
                assert thing.entry not in self.repudiated
            case AuthenticatorRemoved(authenticator_id=named):
                gone = account.authenticator(named)
                assert gone is not None
                self.taken[name_of(gone)] = self.checked
            case ChannelRemoved(channel_id=named):
                left = account.channel(named)
                assert left is not None
                self.taken[name_of(left)] = self.checked
            case ApiKeyRevoked(api_key_id=named):
                dead = next(one for one in account.api_keys if one.api_key_id == named)
                self.taken[name_of(dead)] = self.checked
            case NewcomerRepudiated():
                self.note(state, decision.action_id, frozenset(event.entries))
            case _:
                pass

    def make(self, shown: State, decision: Decision, thing: Thing) -> None:
        action = shown.account.action(decision.action_id)
        proofs = [one for one in action.shown if one.factor not in PROVES_NOTHING]
        behind = {one.bound_entry for one in proofs if shown.account.stands(one)}
        if isinstance(thing, Channel) and thing.replaced is not None:
            behind.add(thing.replaced.entry)
        self.made[thing.entry] = Made(thing, frozenset(behind))
        self.set_at[thing.entry] = self.checked
        if name_of(thing):
            taken = self.taken.get(name_of(thing), -1)
            assert self.proposed[action.action_id] >= taken, f"{name_of(thing)} came back"

    # --- What must hold ---

    @invariant()
    def nothing_repudiated_proves_pays_or_comes_back(self) -> None:
        account = self.gate.account
        for one in account.authenticators:
            assert one.entry not in self.repudiated or one.suspension is not None
        for channel in account.channels:
            for link in links(channel):
                assert link.entry not in self.repudiated
        for key in account.api_keys:
            assert key.entry not in self.repudiated
        for session in account.sessions:
            assert session.entry not in self.repudiated
        for listed in self.gate.destinations.values():
            if listed.entry in self.repudiated:
                state = state_of(account, listed, lapse=30 * DAY, now=self.gate.now)
                assert state in (DestinationState.UNPROVED, DestinationState.REMOVED)

    @invariant()
    def what_is_bound_and_not_repudiated_can_be(self) -> None:
        account, now = self.gate.account, self.gate.now
        for entry in self.newcomers():
            thing = self.made[entry].thing
            assert isinstance(thing, Authenticator | Channel)
            command = Repudiate(
                action_id=ActionId("act_over"),
                target=id_of(thing),
                entry=entry,
                bound_at=thing.bound_at,
                channel_id=DESKTOP.channel_id,
            )
            assert objection(account, command, now=now) is None, command

    @invariant()
    def nothing_else_is_doubted(self) -> None:
        for one in bound(self.gate.account):
            assert doubted(self.gate.account, one.entry) is (one.entry in self.repudiated)


def first_effect(events: tuple[Event, ...]) -> int:
    """Return how many events come before the first that changes what is bound."""
    effects = (AuthenticatorBound, AuthenticatorRemoved, ChannelBound, ChannelRemoved)
    more = (ApiKeyCreated, DestinationAdded, SessionStarted)
    at = (n for n, event in enumerate(events) if isinstance(event, effects + more))
    return next(at, len(events))


def id_of(thing: Authenticator | Channel) -> str:
    return thing.channel_id if isinstance(thing, Channel) else thing.authenticator_id


TestThirtyDays = ThirtyDays.TestCase
