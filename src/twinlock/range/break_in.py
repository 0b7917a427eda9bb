"""Plays an attack that the prover found over HTTP, against a service whose clock is turned.

What ``attacking`` does with values at the gate, this does with real keys, codes, letters and
signatures at a venue: the owner is set up as an honest customer, and the thief has of hers what the
attack's capabilities give, and what he binds himself.

Always true (tests/integration/test_attacks_found.py): what the prover finds on the
weak profiles ends in a theft at its minute, on the service.

Source: docs/range.md, "What the prover finds".
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from twinlock.domain.account import ApiKey as KnownKey
from twinlock.domain.answers import Answered
from twinlock.domain.bounds import SMALL_SUM_CENTS
from twinlock.domain.catalogue import ActionType
from twinlock.domain.channels import Channel
from twinlock.domain.errors import TwinlockError
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.capabilities import Mean
from twinlock.domain.prover.moves import Gain
from twinlock.domain.prover.words import length
from twinlock.domain.requirements import Answer
from twinlock.range.api_keys import SoftwareKey, key_payload, new_key
from twinlock.range.attacking import Deed, NotAsFoundError, Script, in_order
from twinlock.range.customer import Belongings, Customer, LiveSession, new_password
from twinlock.range.device import SoftwareDevice
from twinlock.range.key_use import home_of
from twinlock.range.leaving_by import draft_by, place_by
from twinlock.range.profiles import BASELINE, rules_of
from twinlock.range.setting_up import ADDRESSES, SettingUpError
from twinlock.range.venue import Venue
from twinlock.range.words import Person, Proof

AGE = timedelta(days=40)  # Nothing of the owner's is a newcomer, and her device is still known.
MINUTE = timedelta(minutes=1)
CODES = 3 * MINUTE  # What showing the codes of an app one after the other may take.
THIEFS_PROGRAM = "mallory-desktop"
_READS = {Mean.READ_EMAIL: Proof.EMAIL_CODE, Mean.READ_SMS: Proof.SMS_CODE}
_KEYS = {Mean.TRADE_KEY: enrolment.TRADE_KEY, Mean.WITHDRAW_KEY: enrolment.WITHDRAW_KEY}


@dataclass(slots=True, kw_only=True)
class BreakIn:
    """One attack at a venue. ``start`` is when it begins, ``left_at`` when the money was gone."""

    venue: Venue
    script: Script
    owner: Customer
    start: datetime
    hers: LiveSession
    built_in: Belongings = field(default_factory=Belongings)
    own: Belongings = field(default_factory=Belongings)
    keys: dict[str, SoftwareKey] = field(default_factory=dict)
    device: SoftwareDevice | None = None
    session: LiveSession | None = None
    left_at: datetime | None = None
    _signs_in: Deed | None = None
    _spends: int = 0

    @property
    def minutes(self) -> int:
        """Return after how many whole minutes the money was gone."""
        if self.left_at is None:
            raise NotAsFoundError(f"{self.script}: nothing left")
        return (self.left_at - self.start) // MINUTE

    async def play(self) -> None:
        """Take every deed. The money leaves at the minute of the script, and not one sooner.

        Raises:
            NotAsFoundError: it does not, or it does sooner.
        """
        *before, last = in_order(self.script.deeds)
        for deed in before:
            await self._until(deed.begins)
            await self._take(deed)
        await self._until(last.begins)
        asked = await self._ask(last, last.rule.action, self._draft())
        if last.begins < last.ends:
            await self._until(last.ends - 1)
            await self._spend(asked)
            if self.left_at is not None:
                raise NotAsFoundError(f"{self.script}: it leaves a minute sooner")
            await self._until(last.ends)
        spent = await self._spend(asked)
        if self.left_at is None and spent.until is not None:
            await self.venue.set_forward(spent.until)  # Codes took some seconds before.
            await self._spend(asked)
        if not 0 <= self.minutes - self.script.minutes <= CODES // MINUTE:
            raise NotAsFoundError(f"{self.script}: it leaves at {self.minutes}")

    async def _until(self, minute: int) -> None:
        await self.venue.set_forward(self.start + minute * MINUTE)

    async def _spend(self, asked: Answered) -> Answered:
        self._spends += 1
        client = self.venue.client
        spent = await client.spend(asked.action_id, spend_id=f"break-in-{self._spends}")
        if spent.state == "spent":
            self.left_at = self.venue.now
        return spent

    async def _take(self, deed: Deed) -> None:
        answered = await self._change(deed)
        done = Answer.ALLOW if deed.begins == deed.ends else Answer.HOLD
        if answered.answer is not done:
            why = ", ".join(one.code.value for one in answered.why)
            told = f"{answered.answer.value} ({why})"
            raise NotAsFoundError(f"{self.script}: {deed.rule.action} is answered {told}")

    async def _change(self, deed: Deed) -> Answered:
        """Have a change done, and keep what it makes."""
        kind = deed.rule.action
        match kind:
            case ActionType.SESSION_START:
                self._signs_in = deed
                return await self._sign_in(deed)
            case ActionType.PASSWORD_RESET:
                new = new_password(self.venue)
                answered = await self._ask(deed, kind, {"password": new})
                self.owner.own.password = new
                return answered
            case ActionType.AUTHENTICATOR_BIND:
                payload = await self.owner.draft_binding(Proof.HARDWARE_KEY, self.own)
                return await self._ask(deed, kind, payload)
            case ActionType.CONTACT_CHANGE:
                return await self._change_channel(deed)
            case ActionType.DESTINATION_ADD:
                return await self._list(deed)
            case _:
                raise NotAsFoundError(f"{self.script}: {kind} is not played here")

    async def _list(self, deed: Deed) -> Answered:
        """List the thief's place, with the highest budget that is not refused."""
        place = place_by(self._draft(), self.script.action)
        *tried, least = self.script.budgets
        for budget in tried:
            payload = {**place, "label": "", "budget_cents": budget}
            answered = await self._ask(deed, deed.rule.action, payload)
            if answered.answer is not Answer.DENY:
                return answered
        payload = {**place, "label": "", "budget_cents": least}
        return await self._ask(deed, deed.rule.action, payload)

    def _draft(self) -> dict[str, Any]:
        policy = self.venue.book.policy
        return draft_by(self.script.action, self.script.cents, policy=policy)

    async def _sign_in(self, deed: Deed) -> Answered:
        self.device = self.device or SoftwareDevice(self.venue.draw())
        payload = {"device": self.device.jwk()}
        asked = await self.owner.propose(ActionType.SESSION_START, payload, device=self.device)
        answered = await self._show(deed, asked)
        if answered.session_id:
            self.session = LiveSession(
                session_id=answered.session_id, device=self.device, began_at=self.venue.now
            )
        return answered

    async def _change_channel(self, deed: Deed) -> Answered:
        payload = {"kind": "desktop", "address": THIEFS_PROGRAM}
        if "channel for" in deed.rule.head:
            first = self.script.state.channels[0]
            payload["channel_id"] = self.owner.channels[first.kind]
        answered = await self._ask(deed, ActionType.CONTACT_CHANGE, payload)
        if answered.answer is not Answer.ALLOW:
            answered = await self.owner.confirm_channel(answered.action_id)
        return answered

    async def _ask(self, deed: Deed, kind: str, payload: dict[str, Any]) -> Answered:
        """Propose, with the session that the deed takes, and show the rest of what it takes."""
        body = deed.rule.body
        if kind == deed.rule.action and Gain.SESSION in body:
            await self._stay_signed_in()
        if Mean.DEVICE in body:
            self.hers = await self.owner.sign_in()
        named = self.script.action if deed is self.script.deeds[-1] else kind
        asked = await self.owner.propose(
            named,
            payload,
            session=self.hers if Mean.DEVICE in body else self._his(deed),
            copied=self.hers if Mean.COOKIE in body else None,
        )
        return await self._show(deed, asked)

    def _his(self, deed: Deed) -> LiveSession | None:
        return self.session if Gain.SESSION in deed.rule.body else None

    async def _stay_signed_in(self) -> None:
        """Sign in again as before where his session has ended; his device is known by now."""
        seen = await self.venue.client.account(self.owner.account_id)
        live = {one["session_id"] for one in seen["sessions"]}
        if self._signs_in is not None and (
            self.session is None or self.session.session_id not in live
        ):
            await self._sign_in(self._signs_in)

    async def _show(self, deed: Deed, asked: Answered) -> Answered:
        """Show what the deed takes, as long as anything is missing."""
        answered = asked
        for proof, made in self._proofs(deed):
            if answered.state != "open":
                break
            answered = await self.owner.show(asked.action_id, proof, made=made)
        for key in self._signing(deed):
            if answered.state == "open":
                told = await self.venue.client.action(asked.action_id)
                answered = await self.venue.client.prove_by_api_key(
                    asked.action_id,
                    signature=key.secret.sign(told.action_id, told.payload or {}),
                    ip=home_of(key),
                )
        return answered

    def _proofs(self, deed: Deed) -> list[tuple[Proof, Belongings]]:
        hers = self.owner.own
        every: list[tuple[str, Proof, Belongings]] = [
            (Mean.PASSWORD, Proof.PASSWORD, hers),
            (Mean.TOTP, Proof.TOTP, hers),
            (Mean.PHONE_KEY, Proof.PASSKEY, hers),
            (Mean.BUILT_IN_KEY, Proof.PASSKEY, self.built_in),
            (Mean.ROAMING_KEY, Proof.HARDWARE_KEY, hers),
            (Gain.KEY, Proof.HARDWARE_KEY, self.own),
            (Mean.SAVED_CODE, Proof.RECOVERY_CODE, hers),
            (Mean.CONTACT, Proof.TRUSTED_CONTACT, hers),
            *((mean, proof, hers) for mean, proof in _READS.items()),
        ]
        return [(proof, made) for mean, proof, made in every if mean in deed.rule.body]

    def _signing(self, deed: Deed) -> list[SoftwareKey]:
        return [key for named, key in self.keys.items() if named in deed.rule.body]


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one script: the minute that was said, the one at which the money was gone."""

    capabilities: tuple[str, ...]
    exit: str
    state: str
    said_minute: int
    minute: int | None = None
    not_as_found: str = ""

    def __str__(self) -> str:
        """Return it in a line."""
        what = f"{' + '.join(self.capabilities)}: {self.exit} at {length(self.said_minute)}"
        return f"{what}, NOT: {self.not_as_found}" if self.not_as_found else f"{what}, as said"


async def played_out(venue: Venue, script: Script) -> Played:
    """Play ``script``, and return what came of it."""
    minute, wrong = None, ""
    try:
        minute = (await break_in(venue, script)).minutes
    except TwinlockError as error:
        wrong = str(error)
    return Played(
        capabilities=script.capabilities,
        exit=script.action,
        state=script.state.name,
        said_minute=script.minutes,
        minute=minute,
        not_as_found=wrong,
    )


async def break_in(venue: Venue, script: Script) -> BreakIn:
    """Set the owner of the script's state up, and play the script on her account.

    Raises:
        SettingUpError: there can be no such account.
        NotAsFoundError: the service does otherwise than the prover says.
    """
    playing = await _set_up(venue, script)
    await playing.play()
    return playing


async def _set_up(venue: Venue, script: Script) -> BreakIn:
    state = script.state
    with venue.in_the_past():
        draft = draft_by(script.action, script.cents, policy=venue.book.policy)
        place = place_by(draft, script.action)
        channels = [_opening(one) for one in state.channels]
        opening = {"channels": channels, "destinations": [place] if state.planted else []}
        owner = await Customer.open(venue, "alice", opening)
        built_in = Belongings(synced=False)
        for word, made in _bindings(script, owner, built_in):
            payload = await owner.draft_binding(word, made)
            bound = await owner.propose(ActionType.AUTHENTICATOR_BIND, payload)
            if bound.answer is not Answer.ALLOW:
                raise SettingUpError(f"{word} was not bound: {bound.answer.value}")
        await owner.sign_in()
        if state.contact:
            await _choose_contact(owner)
        await venue.set_forward(venue.now + AGE - timedelta(days=1))
        keys = await _make_keys(owner, state.keys)
        await venue.set_forward(venue.now + timedelta(days=1))
        hers = await owner.sign_in()
        await _lock(owner, script)
    return BreakIn(
        venue=venue,
        script=script,
        owner=owner,
        start=venue.now,
        hers=hers,
        built_in=built_in,
        keys=keys,
    )


def _opening(channel: Channel) -> dict[str, str]:
    return {"kind": channel.kind.value, "address": ADDRESSES[channel.kind]}


def _bindings(
    script: Script, owner: Customer, built_in: Belongings
) -> list[tuple[Proof, Belongings]]:
    """Return what the owner binds, and who keeps what makes its proofs."""
    words = {
        enrolment.APP.authenticator_id: (Proof.TOTP, owner.own),
        enrolment.PHONE_KEY.authenticator_id: (Proof.PASSKEY, owner.own),
        enrolment.BUILT_IN_KEY.authenticator_id: (Proof.PASSKEY, built_in),
        enrolment.ROAMING_KEY.authenticator_id: (Proof.HARDWARE_KEY, owner.own),
        enrolment.SAVED.authenticator_id: (Proof.RECOVERY_CODE, owner.own),
    }
    bound = [words[one.authenticator_id] for one in script.state.authenticators]
    return [(Proof.PASSWORD, owner.own), *bound]


async def _choose_contact(owner: Customer) -> None:
    await owner.choose_contact()
    cents = SMALL_SUM_CENTS
    proposed = await owner.propose(ActionType.LIMIT_LOWER, {"agreement_cents": cents})
    await owner.prove_best(proposed)


async def _make_keys(owner: Customer, some: tuple[KnownKey, ...]) -> dict[str, SoftwareKey]:
    """Make API keys as an older system did: by the rules of 2024, from anywhere to anywhere."""
    venue, made = owner.venue, {}
    book, venue.reign.book = venue.reign.book, rules_of(BASELINE)
    try:
        for mean, known in _KEYS.items():
            if known not in some:
                continue
            key = new_key(venue.draw(), name=mean, by=Person.ALICE, scopes=known.scopes, ip_list=())
            payload = key_payload(key, (), daily_cents=10**12)
            asked = await owner.propose(ActionType.API_KEY_CREATE, payload)
            if asked.answer is not Answer.ALLOW:
                asked = await owner.prove_best(asked)
            if asked.answer is not Answer.ALLOW:
                raise SettingUpError(f"no API key was made: {asked.answer.value}")
            made[mean.value] = key
    finally:
        venue.reign.book = book
    return made


async def _lock(owner: Customer, script: Script) -> None:
    lock = script.state.lock
    if not lock.days:
        return
    words = {"days": lock.days, "two_keys": lock.two_keys, "both_keys": lock.both_keys}
    payload = {name: value for name, value in words.items() if value}
    asked = await owner.propose(ActionType.LOCK_TIGHTEN, payload)
    answered = await owner.prove_best(asked)
    if answered.answer is not Answer.ALLOW:
        raise SettingUpError(f"the lock was not set: {answered.answer.value}")
