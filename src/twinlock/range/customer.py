"""A customer at a venue: the account, and everything its owner holds, in software.

It acts over the API with real keys, codes and signatures, as pages and apps would. Whoever holds a
thing shows it through here, owner and thief alike; nothing is ever written behind the gate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from twinlock.domain.account import ActionState
from twinlock.domain.answers import Answered
from twinlock.domain.assurance import Factor
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.domain.channels import ChannelKind
from twinlock.domain.errors import TwinlockError
from twinlock.domain.ids import SessionId
from twinlock.domain.sessions import signing_nonce
from twinlock.range.authenticator import Ceremony, SoftwareAuthenticator
from twinlock.range.device import SoftwareDevice, TotpApp
from twinlock.range.mailbox import LetterMissingError
from twinlock.range.venue import Venue
from twinlock.range.words import Proof

STEP = timedelta(seconds=30)  # RFC 6238, 5.2
KEYS = (Proof.PASSKEY, Proof.HARDWARE_KEY)
CODE_CHANNELS = {Proof.EMAIL_CODE: "email", Proof.SMS_CODE: "sms"}
_FACTOR = {Proof.HARDWARE_KEY: Proof.PASSKEY.value}


class NotPlayableError(TwinlockError):
    """A word of schema 1 that the range cannot play yet; the message says why."""

    code = "not_playable"
    status = 501


class NotHeldError(TwinlockError):
    """A proof that nobody at this venue holds, because what would make it was never bound."""

    code = "proof_not_held"
    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    """A session, the device that keeps its key, and when it began."""

    session_id: str
    device: SoftwareDevice
    began_at: datetime


@dataclass(slots=True, kw_only=True)
class Belongings:
    """What makes proofs: a password, an app, keys. Not all of it need be bound.

    ``codes`` are saved ones that nobody has shown, ``spent`` is the last one that was accepted;
    ``new_channel`` says that codes are read on the channel that was added; ``synced`` that its
    passkeys are, or else stay in the device that made them.
    """

    password: str = ""
    app: TotpApp | None = None
    keys: dict[Proof, SoftwareAuthenticator] = field(default_factory=dict)
    last_code_at: datetime | None = None
    codes: list[str] = field(default_factory=list)
    spent: str = ""
    new_channel: bool = False
    synced: bool = True


@dataclass(slots=True, kw_only=True)
class Customer:
    """One account. ``taps`` counts what its people had to show or type so far."""

    venue: Venue
    name: str
    account_id: str
    channels: Mapping[str, str]
    device: SoftwareDevice
    own: Belongings = field(default_factory=Belongings)
    forced: dict[Proof, Belongings] = field(default_factory=dict)  # what is shown under duress
    taps: int = 0
    codes_asked: dict[tuple[str, str], int] = field(default_factory=dict)
    _count: int = 0

    @classmethod
    async def open(cls, venue: Venue, name: str, opening: dict[str, Any]) -> "Customer":
        """Open an account as the platform does for a new customer."""
        key = f"open-{b64url(venue.draw())}"
        account_id = (await venue.client.open_account(opening, key=key))["account_id"]
        seen = await venue.client.account(account_id)
        return cls(
            venue=venue,
            name=name,
            account_id=account_id,
            channels={one["kind"]: one["channel_id"] for one in seen["channels"]},
            device=SoftwareDevice(venue.draw()),
        )

    # --- Proposing ---

    async def propose(
        self,
        kind: str,
        payload: dict[str, Any],
        *,
        session: LiveSession | None = None,
        copied: LiveSession | None = None,
        device: SoftwareDevice | None = None,
        stale: tuple[LiveSession, dict[str, Any]] | None = None,
    ) -> Answered:
        """Propose an action, signed by the device of ``session``, or naming one that was copied.

        ``device`` signs its own sign-in, in which there is no session yet; the device of ``stale``
        signed a withdrawal of that payload, and not this action.
        """
        self._count += 1
        key = f"{self.name}-{self._count}-{b64url(self.venue.draw()[:9])}"
        body: dict[str, Any] = {"account_id": self.account_id, "type": kind, "payload": payload}
        if copied is not None:
            body["session"] = {"session_id": copied.session_id}
        if stale is not None:
            session, payload = stale
            other = {**body, "type": ActionType.WITHDRAWAL_CRYPTO, "payload": payload}
            digest = (await self.venue.client.preview(other))["digest"]
            body["session"] = self.signed(session, digest, purpose="proposal", name=key)
            session = None
        if device is not None:
            session = LiveSession(session_id="", device=device, began_at=self.venue.now)
        if session is not None:
            preview = await self.venue.client.preview(body)
            body["session"] = self.signed(session, preview["digest"], purpose="proposal", name=key)
        return await self.venue.client.propose(body, key=key)

    def signed(
        self, session: LiveSession, digest: str, *, purpose: str, name: str
    ) -> dict[str, Any]:
        """Return the session's signature over a payload's digest, as it travels."""
        signed_at = int(self.venue.now.timestamp() * 1000)
        signature = session.device.prove(
            SessionId(session.session_id),
            nonce=signing_nonce(purpose, name, signed_at=signed_at),
            payload_digest=from_b64url(digest, size=32),
        )
        return {
            "session_id": session.session_id,
            "jwk": session.device.jwk(),
            "signed_at": signed_at,
            "signature": signature,
        }

    # --- Proving ---

    async def show(
        self, action_id: str, proof: Proof, *, made: Belongings | None = None
    ) -> Answered:
        """Show a fresh proof for exactly this action.

        ``made`` is what makes it, where it is not the owner's own.

        Raises:
            ProblemError: the service refused the question or the answer.
            NotHeldError: nobody holds what would make it.
        """
        reply = await self.reply(action_id, proof, made=made)
        answered = await self.venue.client.prove(action_id, reply)
        if proof is Proof.RECOVERY_CODE:
            (made or self.own).spent = reply["secret"]
        return answered

    async def reply(
        self, action_id: str, proof: Proof, *, made: Belongings | None = None
    ) -> dict[str, Any]:
        """Return the answer to a question about ``action_id``, without handing it in."""
        self.taps += 1
        made = made or self.own
        factor = _FACTOR.get(proof, proof.value)
        if proof is Proof.PASSWORD and made.password:
            return {"factor": factor, "secret": made.password}
        if proof is Proof.TOTP and made.app is not None:
            return {"factor": factor, "secret": await self.app_code(made, made.app)}
        if proof is Proof.RECOVERY_CODE and made.codes:
            return {"factor": factor, "secret": made.codes.pop()}
        if proof in CODE_CHANNELS:
            self._refuse_unread(CODE_CHANNELS[proof])
            channel = await self._channel(CODE_CHANNELS[proof], new=made.new_channel)
            return await self._sent_code(action_id, proof, channel)
        key = made.keys.get(proof)
        if key is not None:
            asked = await self.ask(action_id, factor)
            response = key.get(self.ceremony(asked["options"]["challenge"]))
            return {"factor": factor, "challenge_id": asked["challenge_id"], "response": response}
        raise NotHeldError(f"there is no {proof.value} that belongs to this account")

    async def ask(self, action_id: str, factor: str, channel_id: str = "") -> dict[str, Any]:
        """Have a question put about an action; codes are counted, so that each finds its letter."""
        question = {"factor": factor, "channel_id": channel_id}
        asked = await self.venue.client.ask(action_id, question)
        self.codes_asked[action_id, factor] = self.codes_asked.get((action_id, factor), 0) + 1
        return asked

    async def app_code(self, made: Belongings, app: TotpApp) -> str:
        """Return the next code that was not shown yet; a code counts once, so wait for it.

        Of two steps with the same code, one in a million, the later one counts: then for both.
        """
        if made.last_code_at is not None:
            await self.venue.set_forward(made.last_code_at + STEP)
        while app.code(self.venue.now) == app.code(self.venue.now + STEP):
            await self.venue.set_forward(self.venue.now + STEP)
        now = self.venue.now
        made.last_code_at = now - timedelta(seconds=now.timestamp() % STEP.total_seconds())
        return app.code(now)

    def _refuse_unread(self, kind: str) -> None:
        """Show no code that does not arrive. Raises NotHeldError."""
        if kind == ChannelKind.EMAIL and self.venue.weather.no_mail_since is not None:
            raise NotHeldError("the mail server is down: no code arrives")

    async def _sent_code(self, action_id: str, proof: Proof, channel: str) -> dict[str, Any]:
        asked = await self.ask(action_id, proof.value, channel)
        return await self.code_reply(action_id, proof, asked, channel=channel)

    async def _channel(self, kind: str, *, new: bool) -> str:
        """Return the channel on which codes of a kind are read: the old one, or one added since.

        Raises:
            NotHeldError: there is none.
        """
        if not new and kind in self.channels:
            return self.channels[kind]
        seen = await self.venue.client.account(self.account_id)
        old = set(self.channels.values())
        for one in seen["channels"] if new else ():
            if one["kind"] == kind and one["channel_id"] not in old:
                return str(one["channel_id"])
        raise NotHeldError(f"there is no {kind} channel that belongs to this account")

    async def confirm_channel(self, action_id: str) -> Answered:
        """Return the code that the channel which is added got, as whoever reads it would.

        Raises:
            NotHeldError: no code arrived, and no mail arrives.
        """
        self.taps += 1
        asked = await self.ask(action_id, Factor.CHANNEL_CODE.value)
        try:
            code = await self.venue.mailbox.first_code(
                self.account_id, action_id=action_id, elsewhere=set(self.channels.values())
            )
        except LetterMissingError:
            self._refuse_unread(ChannelKind.EMAIL)
            raise
        reply = {"factor": Factor.CHANNEL_CODE.value, "secret": code}
        return await self.venue.client.prove(
            action_id, {**reply, "challenge_id": asked["challenge_id"]}
        )

    async def take_over_channels(self) -> None:
        """Read on the channels that the account has now."""
        seen = await self.venue.client.account(self.account_id)
        self.channels = {one["kind"]: one["channel_id"] for one in seen["channels"]}

    async def code_reply(
        self, action_id: str, proof: Proof, asked: dict[str, Any], *, channel: str = ""
    ) -> dict[str, Any]:
        """Return the answer to the last code that was asked for, as its channel got it."""
        code = await self.venue.mailbox.code(
            self.account_id,
            action_id=action_id,
            channel_id=channel or self.channels[CODE_CHANNELS[proof]],
            number=self.codes_asked[action_id, proof.value],
        )
        return {"factor": proof.value, "challenge_id": asked["challenge_id"], "secret": code}

    def ceremony(self, challenge: str) -> Ceremony:
        """Return the ceremony on the one site where people prove."""
        rp = self.venue.rp
        return Ceremony(challenge=from_b64url(challenge), rp_id=rp.rp_id, origin=rp.origin)

    # --- Binding ---

    async def draft_binding(self, word: str, made: Belongings) -> dict[str, Any]:
        """Return the payload that binds a new authenticator; ``made`` then holds what makes it."""
        if word == Proof.PASSWORD:
            made.password = new_password(self.venue)
            return {"authenticator": word, "password": made.password}
        if word == Proof.TOTP:
            offered = await self.venue.client.offer(self.account_id, word)
            made.app, made.last_code_at = TotpApp(offered["uri"]), None
            code = await self.app_code(made, made.app)
            return {
                "authenticator": word,
                "candidate_id": offered["candidate_id"],
                "code": code,
            }
        if word == Proof.RECOVERY_CODE:
            offered = await self.venue.client.offer(self.account_id, word)
            made.codes = list(offered["codes"])
            return {
                "authenticator": word,
                "candidate_id": offered["candidate_id"],
                "code": made.codes[0],
            }
        if word not in KEYS:
            raise NotPlayableError(f"authenticator {str(word)!r} cannot be bound yet")
        offered = await self.venue.client.offer(self.account_id, Proof.PASSKEY.value)
        roaming = word == Proof.HARDWARE_KEY
        inside = ("internal", "hybrid") if made.synced else ("internal",)
        key = SoftwareAuthenticator(
            self.venue.draw(),
            synced=made.synced and not roaming,
            transports=("usb",) if roaming else inside,
        )
        made.keys[Proof(word)] = key
        return {
            "authenticator": Proof.PASSKEY.value,
            "candidate_id": offered["candidate_id"],
            "response": key.create(self.ceremony(offered["challenge"])),
        }

    async def invite_contact(self, made: Belongings) -> dict[str, Any]:
        """Invite a friend, who makes a passkey of their own; return the payload that adds them.

        What agrees is in ``made`` then: of several friends there, the first one.
        """
        offered = await self.venue.client.offer(
            self.account_id, Proof.TRUSTED_CONTACT.value, name="a friend"
        )
        friend = SoftwareAuthenticator(self.venue.draw())
        made.keys.setdefault(Proof.TRUSTED_CONTACT, friend)
        return {
            "candidate_id": offered["candidate_id"],
            "response": friend.create(self.ceremony(offered["challenge"])),
        }

    async def choose_contact(self) -> Answered:
        """Invite a friend, and prove that this is the one."""
        payload = await self.invite_contact(self.own)
        return await self.prove_best(await self.propose(ActionType.TRUSTED_CONTACT_ADD, payload))

    # --- Signing in ---

    async def sign_in(self, device: SoftwareDevice | None = None) -> LiveSession:
        """Sign in with the strongest proofs, on the owner's device unless told.

        Raises:
            NotPlayableError: this account cannot be signed in to.
        """
        device = device or self.device
        asked = {"device": device.jwk()}
        answered = await self.propose(ActionType.SESSION_START, asked, device=device)
        try:
            answered = await self.prove_best(answered)
        except NotHeldError as missing:
            raise NotPlayableError(f"the owner cannot sign in: {missing}") from missing
        if not answered.session_id:
            raise NotPlayableError(f"the owner cannot sign in: {answered.answer.value}")
        return LiveSession(session_id=answered.session_id, device=device, began_at=self.venue.now)

    def best(self, kind: str = ActionType.WITHDRAWAL_CRYPTO) -> tuple[Proof, ...]:
        """Return the proofs that ``kind`` takes of this account, with as few taps as possible."""
        for key in (Proof.PASSKEY, Proof.HARDWARE_KEY):
            if key in self.own.keys:
                return (key,)
        if kind == ActionType.PASSWORD_RESET and self.own.app is None:
            return tuple(one for one, where in CODE_CHANNELS.items() if where in self.channels)
        if self.own.app is not None:
            access = CLASS_OF.get(kind) is ActionClass.ACCESS
            return (Proof.PASSWORD, Proof.TOTP) if access else (Proof.TOTP,)
        for code, channel in CODE_CHANNELS.items():
            if channel in self.channels:
                return Proof.PASSWORD, code
        return (Proof.PASSWORD,)

    async def prove_best(self, answered: Answered) -> Answered:
        """Show the strongest proofs for an action that was proposed."""
        for proof in self.best(answered.type):
            if answered.state == ActionState.OPEN:
                answered = await self.show(answered.action_id, proof)
        return answered


def new_password(venue: Venue) -> str:
    """Return a password that nobody has used."""
    return f"range {b64url(venue.draw()[:12])}"
