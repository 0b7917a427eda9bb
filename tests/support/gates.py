"""A gate to play with: one account, a steerable clock, and a book of everything decided.

It does what services and store do, without them: it names things, puts the right destination at
hand, and keeps each decision with the time it was made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from msgspec.structs import replace
from support.cast import ALICES_LAPTOP, NOON
from support.policies import DEFAULT
from support.worlds import (
    PRICES,
    a_session,
    an_account,
    change_contact,
    destination_id,
    rules_of,
)
from support.worlds import sign_in as signing_in

from twinlock.domain.account import Account, OpenAction, Session, State
from twinlock.domain.actions import AnyPayload, place_of
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator, Passkey, Totp, factor_of
from twinlock.domain.bookkeeping import check_current
from twinlock.domain.canonical import b64url
from twinlock.domain.channels import Channel
from twinlock.domain.commands import (
    Ask,
    Command,
    EndSession,
    Propose,
    Prove,
    Repudiate,
    Right,
    SessionSignature,
    Spend,
    Veto,
    Wrong,
)
from twinlock.domain.decisions import Decided, Decision, Rules
from twinlock.domain.forgetting import naming
from twinlock.domain.gate import decide
from twinlock.domain.ids import (
    ActionId,
    ApiKeyId,
    ChallengeId,
    ChannelId,
    DestinationId,
    MemberId,
    SessionId,
    action_id,
    tail,
)
from twinlock.domain.likeness import with_former_look, with_look
from twinlock.domain.listed import Destination
from twinlock.domain.newcomers import newcomer
from twinlock.domain.policy.version import Policy
from twinlock.domain.proving import CODES, against
from twinlock.domain.risk.scoring import Noticed
from twinlock.domain.screening import Screening


def listing(account: Account, *listed: Destination) -> Account:
    """Return ``account`` with what it keeps of these, as listing and removing would make it."""
    account = replace(account, destinations={}, looks="")
    for one in listed:
        account = naming(account, one)
        if not one.removed:
            account = replace(account, looks=with_look(account, one.address))
        elif one.usable_at is not None:
            account = replace(account, former=with_former_look(account, one.address))
    return account


Source: TypeAlias = Authenticator | Channel
STEP_SECONDS = 30  # RFC 6238, 5.2


@dataclass
class Gate:
    """One account at the gate. ``book`` holds every command's decisions, with state and time."""

    account: Account = field(default_factory=an_account)
    destinations: dict[DestinationId, Destination] = field(default_factory=dict)
    policy: Policy = field(default=DEFAULT, repr=False)
    now: datetime = NOON
    prices_up: bool = True
    screening: Screening | None = None
    price_list: Mapping[str, int] = field(default_factory=lambda: PRICES, repr=False)
    book: list[tuple[State, Decided, datetime]] = field(default_factory=list, repr=False)
    drawn: int = 0
    halted_at: datetime | None = None
    platform: bytes = b""
    tick: timedelta = timedelta(0)  # what passes before every command, as transactions do
    blind: str = ""  # what services draw for the seal of every proof
    picks: str = ""  # the authenticator at whose proofs chance picks the account
    wanted_elsewhere: int = 0  # what the service counts when a proof is shown

    @classmethod
    def of(cls, account: Account, *listed: Destination, policy: Policy = DEFAULT) -> "Gate":
        return cls(
            account=listing(account, *listed),
            destinations={one.destination_id: one for one in listed},
            policy=policy,
        )

    # --- The clock, and what is drawn at random elsewhere ---

    def wait(self, length: timedelta) -> None:
        self.now += length

    def wait_until(self, instant: datetime) -> None:
        self.now = max(self.now, instant)

    def draw(self) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(16, "big")

    @property
    def rules(self) -> Rules:
        prices = self.price_list if self.prices_up else None
        rules = rules_of(self.policy, now=self.now, prices=prices)
        return replace(rules, screening=self.screening)

    # --- Commands ---

    def run(self, command: Command, *, at_hand: DestinationId | None = None) -> Decision:
        self.now += self.tick
        before = check_current(
            State(
                account=self.account,
                destination_id=at_hand,
                destination=self.destinations.get(at_hand) if at_hand else None,
                wanted_elsewhere=self.wanted_elsewhere if isinstance(command, Prove) else 0,
                halted_at=self.halted_at,
                platform=self.platform,
            )
        )
        decided = decide(before, command, rules=self.rules, now=self.now)
        self.book.append((before, decided, self.now))
        self.account = decided.state.account
        self.destinations |= streams_of(decided.state)
        return decided.answer

    def propose(
        self,
        payload: AnyPayload,
        secret: str = "",
        *,
        session: SessionSignature | None = None,
        claimed_cents: int = 0,
        noticed: Noticed | None = None,
        member: str = "",
    ) -> Decision:
        named = action_id(self.account.account_id, self.draw())
        where = self.where(payload)
        command = Propose(
            action_id=named,
            member_id=MemberId(member) if member else None,
            payload=payload,
            veto_key=b64url(self.draw() * 2),
            claimed_cents=claimed_cents,
            session=session,
            secret=secret or where or ApiKeyId(f"key_{tail(self.draw())}"),
            noticed=noticed,
        )
        return self.run(command, at_hand=where)

    def ask(self, action: str, source: Source) -> Decision:
        factor = factor_shown(source)
        code = factor in CODES
        command = Ask(
            action_id=ActionId(action),
            challenge_id=ChallengeId(f"chl_{tail(self.draw())}"),
            factor=factor,
            nonce=b64url(self.draw() * 2),
            channel_id=source.channel_id if isinstance(source, Channel) else None,
            code_mac=b64url(self.draw() * 2) if code else "",
        )
        return self.run(command, at_hand=self._at_hand(action))

    def answer(self, action: str, right: Right | Wrong, *, forced: bool = False) -> Decision:
        command = Prove(
            action_id=ActionId(action),
            proof=right,
            fresh=tail(self.draw()),
            blind=self.blind,
            drawn=isinstance(right, Right) and right.source == self.picks,
            forced=forced,
        )
        return self.run(command, at_hand=self._at_hand(action))

    def prove(self, action: str, *sources: Source) -> Decision:
        """Ask for and show each of ``sources``, and return the last answer.

        An app shows the next code when the last one is used up.
        """
        decision = None
        for source in sources:
            if isinstance(source, Totp):
                self._wait_for_a_fresh_code(source)
            asked = self.ask(action, source)
            if asked.fault is not None or not self.is_open(action):
                return asked
            decision = self.answer(action, self.right(action, source))
        assert decision is not None
        return decision

    def _wait_for_a_fresh_code(self, app: Totp) -> None:
        bound = self.account.authenticator(app.authenticator_id)
        used = bound.last_step if isinstance(bound, Totp) else 0
        self.wait_until(datetime.fromtimestamp((used + 1) * STEP_SECONDS, tz=UTC))

    def wrong(
        self, action: str, factor: Factor, fault: ProofFault = ProofFault.CODE_WRONG
    ) -> Decision:
        return self.answer(action, Wrong(factor=factor, fault=fault))

    def veto(
        self,
        action: str,
        channel: Channel | None = None,
        *,
        session: SessionSignature | None = None,
    ) -> Decision:
        by = None if channel is None else channel.channel_id
        command = Veto(action_id=ActionId(action), channel_id=by, session=session)
        return self.run(command, at_hand=self._at_hand(action))

    def ask_channel(self, action: str, *, named: str | None = None) -> Decision:
        """Have a code sent to the channel that ``action`` would add, or to one ``named`` so."""
        where = named if named is not None else self.action(action).secret
        command = Ask(
            action_id=ActionId(action),
            challenge_id=ChallengeId(f"chl_{tail(self.draw())}"),
            factor=Factor.CHANNEL_CODE,
            nonce=b64url(self.draw() * 2),
            channel_id=ChannelId(where),
            code_mac=b64url(self.draw() * 2),
        )
        return self.run(command)

    def answer_channel(self, action: str, **changes: Any) -> Decision:  # noqa: ANN401 - fields
        """Return the code that the new channel got last."""
        asked = [
            one for one in self.action(action).challenges if one.factor is Factor.CHANNEL_CODE
        ][-1]
        right = Right(
            factor=Factor.CHANNEL_CODE,
            source=asked.channel_id or "",
            against=asked.code_mac,
            challenge_id=asked.challenge_id,
        )
        return self.answer(action, replace(right, **changes))

    def change_contact(
        self, old: Channel | None, new: Channel | None, *sources: Source, name: str = ""
    ) -> str:
        """Propose a change, prove it with ``sources``, confirm what comes; return its action."""
        action = self.propose(*change_contact(old, new, name)).action_id
        self.prove(action, *sources)
        if new is not None:
            self.ask_channel(action)
            self.answer_channel(action)
        return action

    def agree(
        self,
        action: str,
        contact: Passkey,
        *,
        factor: Factor = Factor.TRUSTED_CONTACT,
        forced: bool = False,
        **changes: Any,  # noqa: ANN401 - fields
    ) -> Decision:
        """Have a trusted contact, or another member, asked about ``action``, and agree."""
        command = Ask(
            action_id=ActionId(action),
            challenge_id=ChallengeId(f"chl_{tail(self.draw())}"),
            factor=factor,
            nonce=b64url(self.draw() * 2),
        )
        asked = self.run(command, at_hand=self._at_hand(action))
        if asked.fault is not None or not self.is_open(action):
            return asked
        right = Right(
            factor=factor,
            source=contact.authenticator_id,
            against=contact.public_key,
            challenge_id=command.challenge_id,
            sign_count=contact.sign_count + 1,
            evidence=b"{}",
        )
        return self.answer(action, replace(right, **changes), forced=forced)

    def settle(self) -> None:
        """Let what is due take effect: nobody has to end a wait."""
        self.run(EndSession(session_id=SessionId("ses_nobody")))

    def repudiate(
        self,
        action: str,
        *,
        target: str,
        channel: Channel | None = None,
        session: SessionSignature | None = None,
        entry: int | None = None,
        bound_at: datetime | None = None,
    ) -> Decision:
        """Say of what ``action`` bound that it was not me, by a link or a session.

        What is bound no more is named by the ``entry`` that bound it, and when.
        """
        found = newcomer(self.account, target)
        bound = 0 if found is None else found.entry
        since = self.now if found is None else found.bound_at
        command = Repudiate(
            action_id=ActionId(action),
            target=target,
            entry=bound if entry is None else entry,
            bound_at=since if bound_at is None else bound_at,
            channel_id=None if channel is None else channel.channel_id,
            session=session,
        )
        return self.run(command)

    def spend(self, action: str, *, fee: str = "5") -> Decision:
        command = Spend(action_id=ActionId(action), spend_id=f"spend-{self.drawn}", fee_minor=fee)
        return self.run(command, at_hand=self._at_hand(action))

    # --- What services derive ---

    def right(self, action: str, source: Source) -> Right:
        """Return the right answer of ``source`` to the newest question put to it."""
        factor = factor_shown(source)
        asked = [one for one in self.action(action).challenges if one.factor is factor]
        if isinstance(source, Channel):
            return Right(
                factor=factor,
                source=source.channel_id,
                against=asked[-1].code_mac,
                challenge_id=asked[-1].challenge_id,
            )
        return Right(
            factor=factor,
            source=source.authenticator_id,
            against=against(source)[0],
            challenge_id=asked[-1].challenge_id if asked else None,
            totp_step=int(self.now.timestamp()) // STEP_SECONDS,
            evidence=b"{}" if isinstance(source, Passkey) else b"",
        )

    def is_open(self, action: str) -> bool:
        return any(one.action_id == action for one in self.account.actions)

    def action(self, named: str) -> OpenAction:
        return self.account.action(named)

    def where(self, payload: AnyPayload) -> DestinationId | None:
        place = place_of(payload)
        return None if place is None else destination_id(place.network, place.address, place.memo)

    def _at_hand(self, action: str) -> DestinationId | None:
        known = (one for one in self.account.actions if one.action_id == action)
        found = next(known, None)
        return None if found is None else self.where(found.payload)

    # --- Short ways ---

    def sign_in(
        self, *sources: Source, device: str = ALICES_LAPTOP, noticed: Noticed | None = None
    ) -> Decision:
        return self.prove(self.start(device, noticed=noticed), *sources)

    def start(self, device: str = ALICES_LAPTOP, *, noticed: Noticed | None = None) -> str:
        """Propose a sign-in that the device itself signs, and return its action."""
        signed = self.device_signs(device)
        return self.propose(signing_in(device), session=signed, noticed=noticed).action_id

    def device_signs(self, device: str) -> SessionSignature:
        return SessionSignature(session_id=SessionId(""), thumbprint=device, signed_at=self.now)

    def signs(self, session: Session) -> SessionSignature:
        return SessionSignature(
            session_id=session.session_id, thumbprint=session.thumbprint, signed_at=self.now
        )

    def give_session(self, session: Session | None = None) -> SessionSignature:
        """Give the account a session from nowhere, and return its signature now."""
        given = session or a_session(started_at=self.now)
        self.account = replace(self.account, sessions=(*self.account.sessions, given))
        return self.signs(given)


def streams_of(state: State) -> dict[DestinationId, Destination]:
    """Return the destinations that a command may have changed."""
    at_hand = () if state.destination is None else (state.destination,)
    return {one.destination_id: one for one in (*state.listed, *at_hand)}


def factor_shown(source: Source) -> Factor:
    if isinstance(source, Channel):
        return next(factor for factor, kind in CODES.items() if kind is source.kind)
    return factor_of(source)
