"""A whole Twinlock in memory, under real keys, for whoever verifies what leaves it.

The gate decides, the log is hashed, checkpoints are signed and cosigned, passkeys sign, and
``services.evidence`` builds the bundles. Only the database is missing. A forger in these tests may
hold any of the keys here: each forgery says which.
"""

import asyncio
import hashlib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from support.cast import NOON
from support.gates import streams_of
from support.stores import SteerableClock
from support.worlds import CONTRACT, DESKTOP, EMAIL, destination_id, rules_of

from twinlock.domain.account import Account, Chain, State
from twinlock.domain.actions import (
    AnyPayload,
    AuthenticatorBind,
    SessionStart,
    payload_bytes,
    payload_digest,
    place_of,
)
from twinlock.domain.answers import Teller
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Totp,
    credential_of,
    factor_of,
)
from twinlock.domain.bookkeeping import bookkeep
from twinlock.domain.bounds import ENROLMENT_WINDOW
from twinlock.domain.bundle import Bundle
from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.commands import (
    Ask,
    Command,
    ImportDestination,
    OpenAccount,
    Propose,
    Prove,
    Right,
    SessionSignature,
    Spend,
    Veto,
)
from twinlock.domain.decisions import Decision, Rules
from twinlock.domain.entries import SALTS_BYTES, ClosedAction, Kept, Origin
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.gate import decide
from twinlock.domain.ids import (
    AccountId,
    ActionId,
    AuthenticatorId,
    ChallengeId,
    DestinationId,
    MemberId,
    SessionId,
    account_id,
    account_of,
    action_id,
    tail,
)
from twinlock.domain.listed import Destination
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import (
    consistency_proof,
    frontier_at,
    leaf_hash,
    node_hash,
)
from twinlock.domain.log.note import KeyType, SignedNote
from twinlock.domain.log.tiles import TILE_HEIGHT, TILE_WIDTH, width_at
from twinlock.domain.policy.version import Policy, header_of, policy_digest
from twinlock.domain.requirements import Answer
from twinlock.domain.sessions import PROPOSAL, SignedDraft, signing_nonce
from twinlock.domain.trust import Trust
from twinlock.ports import (
    Committed,
    Idempotency,
    StoredEntry,
    Work,
)
from twinlock.ports.log import (
    Head,
    SignedHead,
)
from twinlock.proofs import intents, jws
from twinlock.proofs.assertions import read_assertion
from twinlock.proofs.device_keys import read_jwk
from twinlock.proofs.notes import cosign, sign_checkpoint, verifier_key
from twinlock.proofs.sessions import check_session
from twinlock.range.authenticator import Ceremony, SoftwareAuthenticator
from twinlock.range.device import SoftwareDevice
from twinlock.services.evidence import Evidence

ORIGIN = "log.twinlock.example/cell1"
SITE = "https://prove.twinlock.example"
RP_ID = "prove.twinlock.example"
KID = "authorization-1"
PAYEE = "0x" + "a" * 40
LOG_KEY, AUTHORIZATION_KEY, MALLORYS_KEY, *WITNESS_KEYS = (
    Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in range(1, 6)
)
NO_LIES: Mapping[str, Any] = MappingProxyType({})
WITNESS_NAMES = ("w1.example", "w2.example")


def public(key: Ed25519PrivateKey) -> str:
    return b64url(key.public_key().public_bytes_raw())


def trust(*, quorum: str = "both", policies: tuple[str, ...] = ()) -> Trust:
    """Return what Alice's auditor was given: our log, two witnesses, one key, one site."""
    witnesses = "".join(
        f"witness w{number} {verifier_key(name, key, KeyType.ED25519_COSIGNATURE)}\n"
        for number, (name, key) in enumerate(zip(WITNESS_NAMES, WITNESS_KEYS, strict=True), 1)
    )
    return Trust(
        v=1,
        log=(
            f"log {verifier_key(ORIGIN, LOG_KEY)} https://log.twinlock.example/\n"
            f"{witnesses}group both all w1 w2\nquorum {quorum}\n"
        ),
        authorization_keys={KID: public(AUTHORIZATION_KEY)},
        rp_id=RP_ID,
        origin=SITE,
        policies=policies,
    )


TRUST = trust()


class SparseLog:
    """A log of any size in hardly any memory: what nobody wrote is one filler, over and over."""

    def __init__(self) -> None:
        self.size = 0
        self.leaves: dict[int, bytes] = {}
        self._written: list[int] = []
        self._filler = [leaf_hash(b"filler")]
        for _ in range(63):
            self._filler.append(node_hash(self._filler[-1], self._filler[-1]))

    def append(self, leaf: bytes) -> int:
        self.leaves[self.size] = leaf
        self._written.append(self.size)
        self.size += 1
        return self.size - 1

    def grow(self, count: int) -> None:
        self.size += count

    def hash_at(self, level: int, index: int) -> bytes:
        start, end = index << level, (index + 1) << level
        first = bisect_left(self._written, start)
        if first == len(self._written) or self._written[first] >= end:
            return self._filler[level]
        if level == 0:
            return leaf_hash(self.leaves[index])
        return node_hash(self.hash_at(level - 1, 2 * index), self.hash_at(level - 1, 2 * index + 1))

    def root(self, size: int | None = None) -> bytes:
        return frontier_at(self.size if size is None else size, self.hash_at).root()

    def tile(self, level: int, number: int) -> bytes:
        width = width_at(self.size, level=level, index=number)
        first = number * TILE_WIDTH
        nodes = (self.hash_at(level * TILE_HEIGHT, first + at) for at in range(width))
        return b"".join(nodes)


@dataclass
class House:
    """One cell: its log, its accounts, its clock. Implements what Evidence asks of the world."""

    now: datetime = NOON
    log: SparseLog = field(default_factory=SparseLog)
    accounts: dict[AccountId, Account] = field(default_factory=dict)
    destinations: dict[DestinationId, Destination] = field(default_factory=dict)
    entries: dict[tuple[AccountId, int], StoredEntry] = field(default_factory=dict)
    closed: dict[ActionId, ClosedAction] = field(default_factory=dict)
    policies: dict[str, bytes] = field(default_factory=dict)
    decisions: dict[AccountId, list[tuple[Decision, datetime]]] = field(default_factory=dict)
    version: int = 1
    drawn: int = 0

    # --- What is asked of the world: Store, Policies, LogSigner ---

    async def run(self, work: Work) -> Committed:
        where = work.destination_id
        before = State(
            account=work.opens or self.accounts[work.account_id],
            destination_id=where,
            destination=self.destinations.get(where) if where else None,
        )
        decided = work.decide(before, self.now)
        booked = bookkeep(
            before,
            decided,
            origin=Origin(account_id=work.account_id, actor=work.actor, policy=work.policy),
            at=self.now,
            salts=self.draw(SALTS_BYTES * len(decided.decisions)),
        )
        self.accounts[work.account_id] = booked.state.account
        self.closed |= {one.action.action_id: one for one in booked.closed}
        self.destinations |= streams_of(booked.state)
        self.decisions.setdefault(work.account_id, []).extend(
            (decision, self.now) for decision in decided.decisions
        )
        for entry in booked.entries:
            self.entries[work.account_id, entry.number] = StoredEntry(
                number=entry.number,
                index=self.log.append(entry.leaf),
                leaf=entry.leaf,
                kept=Kept(
                    events=entry.events,
                    openings=dict(entry.openings),
                    evidence=entry.evidence.decode(),
                ),
            )
        return Committed(decided=decided, at=self.now)

    async def stands_for(self, account_id: AccountId, idempotency: Idempotency) -> str | None:
        return None

    async def account(self, account_id: AccountId) -> Account:
        return self.accounts[account_id]

    async def destination(
        self, account_id: AccountId, destination_id: DestinationId
    ) -> Destination | None:
        return self.destinations.get(destination_id)

    async def closed_action(self, action_id: ActionId) -> ClosedAction | None:
        return self.closed.get(action_id)

    async def entry(self, account_id: AccountId, number: int) -> StoredEntry | None:
        return self.entries.get((account_id, number))

    async def halted_at(self) -> datetime | None:
        return None

    async def head(self) -> Head:
        return Head(size=self.log.size, root=self.log.root())

    async def tiles(self, wanted: tuple[tuple[int, int], ...]) -> Mapping[tuple[int, int], bytes]:
        return {at: self.log.tile(*at) for at in wanted}

    async def leaves(self, *, start: int, count: int) -> tuple[bytes, ...]:
        ends = min(start + count, self.log.size)
        return tuple(self.log.leaves.get(index, b"filler") for index in range(start, ends))

    def rules(self) -> Rules:
        rules = rules_of(now=self.now)
        policy = Policy(replace(rules.policy.draft, version=self.version))
        self.policies[policy.name.digest] = policy.text
        return replace(rules, policy=policy)

    async def keep(self, text: bytes) -> None:
        self.policies[policy_digest(header_of(text))] = text

    async def read(self, digest: str) -> bytes | None:
        return self.policies.get(digest)

    async def digests(self) -> tuple[str, ...]:
        return tuple(sorted(self.policies))

    def teller(self) -> Teller:
        return Teller(policy=self.rules().policy, log_origin=ORIGIN, sign=self.authorization)

    @property
    def log_origin(self) -> str:
        return ORIGIN

    def authorization(self, claims: bytes, kind: str) -> str:
        return jws.sign(claims, kid=KID, typ=kind, key=AUTHORIZATION_KEY)

    def checkpoint(self, head: Head) -> bytes:
        return checkpoint(Checkpoint(origin=ORIGIN, size=head.size, root=head.root), at=self.now)

    # --- What people and the platform do ---

    def draw(self, size: int) -> bytes:
        self.drawn += 1
        return hashlib.shake_256(b"%d" % self.drawn).digest(size)

    def wait(self, length: timedelta) -> None:
        self.now += length

    def do(self, command: Command, account: AccountId) -> Decision:
        payload = self._payload(command)
        place = None if payload is None else place_of(payload)
        where = None
        if place is not None:
            where = destination_id(place.network, place.address, place.memo)
        if isinstance(command, ImportDestination):
            where = command.destination.destination_id
        rules = self.rules()
        work = Work(
            account_id=account,
            destination_id=where,
            decide=lambda state, now: decide(state, command, rules=rules, now=now),
            actor="plt_platform",
            policy=rules.policy.name,
            opens=command.account if isinstance(command, OpenAccount) else None,
        )
        return asyncio.run(self.run(work)).answer

    def _payload(self, command: Command) -> AnyPayload | None:
        if isinstance(command, Propose):
            return command.payload
        named = getattr(command, "action_id", None)
        actions = (one for account in self.accounts.values() for one in account.actions)
        return next((one.payload for one in actions if one.action_id == named), None)

    def open_account(self, *bound: SoftwareAuthenticator, app: bool = False) -> AccountId:
        """Open an account, bind ``bound`` to it (or an authenticator app), end the enrolment."""
        named = account_id(self.draw(16))
        account = Account(
            account_id=named,
            member_id=MemberId("mem_of_it"),
            opened_at=self.now,
            enrolling_until=self.now + ENROLMENT_WINDOW,
            chain=Chain(label_key=b64url(self.draw(32))),
            channels=(EMAIL, DESKTOP),
        )
        self.do(OpenAccount(account=account), named)
        for authenticator in bound:
            self.bind(named, passkey_of(authenticator, account))
        if app:
            self.bind(named, app_of(account))
        self.wait(2 * ENROLMENT_WINDOW)
        return named

    def bind(self, account: AccountId, made: Authenticator) -> ActionId:
        """Propose to bind ``made``; during the enrolment this binds it."""
        payload = AuthenticatorBind(
            account=account,
            authenticator=factor_of(made),
            credential=credential_of(made) if isinstance(made, Passkey) else "digest of a secret",
        )
        return self.propose(payload, secret=encode(made).decode())

    def sign_in(
        self, account: AccountId, device: SoftwareDevice, authenticator: SoftwareAuthenticator
    ) -> SessionId:
        """Begin a session that is bound to ``device``."""
        payload = SessionStart(account=account, device=read_jwk(device.jwk()).thumbprint())
        self.consent(self.propose(payload), authenticator)
        return self.accounts[account].sessions[-1].session_id

    def signed(
        self, payload: AnyPayload, session: SessionId, device: SoftwareDevice
    ) -> SessionSignature:
        """Return the signature of ``device`` under a proposal of ``payload``, made now."""
        name, digest = "order-0001", payload_digest(payload_bytes(payload))
        at = int(self.now.timestamp() * 1000)
        nonce = signing_nonce(PROPOSAL, name, signed_at=at)
        draft = SignedDraft(
            session_id=session,
            jwk=device.jwk(),
            signed_at=at,
            signature=device.prove(session, nonce=nonce, payload_digest=from_b64url(digest)),
        )
        return check_session(draft, purpose=PROPOSAL, name=name, digest=digest)

    def propose(
        self, payload: AnyPayload, *, secret: str = "", session: SessionSignature | None = None
    ) -> ActionId:
        named = action_id(payload.account, self.draw(16))
        command = Propose(
            action_id=named,
            payload=payload,
            veto_key=b64url(self.draw(32)),
            session=session,
            secret=secret,
        )
        self.do(command, payload.account)
        return named

    def consent(self, action: ActionId, authenticator: SoftwareAuthenticator) -> Decision:
        """Ask for a passkey's assertion over ``action`` and show it."""
        payload = self._payload(Veto(action_id=action))
        assert payload is not None
        nonce, challenge_id = self.draw(32), ChallengeId(f"chl_{tail(self.draw(16))}")
        asked = Ask(
            action_id=action,
            challenge_id=challenge_id,
            factor=Factor.PASSKEY,
            nonce=b64url(nonce),
        )
        self.do(asked, payload.account)
        bound = next(
            one
            for one in self.accounts[payload.account].authenticators
            if isinstance(one, Passkey) and one.credential_id == b64url(authenticator.credential_id)
        )
        right = Right(
            factor=Factor.PASSKEY,
            source=bound.authenticator_id,
            against=bound.public_key,
            challenge_id=challenge_id,
            evidence=evidence(authenticator, payload_bytes(payload), nonce=nonce),
        )
        return self.answer(action, right)

    def type_code(self, action: ActionId) -> Decision:
        """Show the right code of the account's app: a proof by our record only."""
        account = self.accounts[account_of(action)]
        app = next(one for one in account.authenticators if isinstance(one, Totp))
        step = int(self.now.timestamp()) // 30
        right = Right(
            factor=Factor.TOTP, source=app.authenticator_id, against=app.seed, totp_step=step
        )
        return self.answer(action, right)

    def answer(self, action: ActionId, right: Right) -> Decision:
        account = account_of(action)
        return self.do(Prove(action_id=action, proof=right, fresh=tail(self.draw(16))), account)

    def spend(self, action: ActionId, *, spend_id: str = "payout-1", fee: str = "5") -> Decision:
        account = account_of(action)
        return self.do(Spend(action_id=action, spend_id=spend_id, fee_minor=fee), account)

    def pay(
        self,
        payload: WithdrawalCrypto,
        *authenticators: SoftwareAuthenticator,
        spend_id: str = "payout-1",
        session: SessionSignature | None = None,
    ) -> ActionId:
        """Take a withdrawal from its proposal to its spend, a day and an hour later."""
        action = self.propose(payload, session=session)
        for authenticator in authenticators:
            self.wait(timedelta(minutes=1))
            self.consent(action, authenticator)
        if not authenticators:
            self.type_code(action)
        until = self.accounts[payload.account].action(action).until
        self.now = max(self.now, until or self.now)
        self.spend(action, spend_id=spend_id)
        assert action in self.closed
        return action

    def allow(self, payload: WithdrawalCrypto, authenticator: SoftwareAuthenticator) -> ActionId:
        """Take a withdrawal from its proposal to a yes that nobody spends; it takes an app."""
        action = self.propose(payload)
        self.consent(action, authenticator)
        until = self.accounts[payload.account].action(action).until
        self.now = max(self.now, until or self.now)
        decision = self.type_code(action)
        assert decision.answer is Answer.ALLOW
        return action

    async def covering(self, size: int) -> SignedHead:
        head = await self.head()
        assert head.size >= size
        return SignedHead(head=head, note=self.checkpoint(head))

    async def check_keeps_up(self) -> None:
        """Return: what is committed is shown at once."""

    def bundle(self, action: ActionId, *, consistent_from: int = 0) -> Bundle:
        clock = SteerableClock(self.now)
        evidence = Evidence(self, policies=self, signer=self, published=self, clock=clock)
        return asyncio.run(evidence.bundle(action, consistent_from=consistent_from))

    def seen(self, size: int | None = None) -> Checkpoint:
        """Return the head of the first ``size`` entries, as somebody may have seen it."""
        size = self.log.size if size is None else size
        return Checkpoint(origin=ORIGIN, size=size, root=self.log.root(size))

    def growth(self, old: int) -> tuple[bytes, ...]:
        """Return the consistency proof from the first ``old`` entries to the head."""
        return consistency_proof(old, self.log.size, self.log.hash_at)

    def note(self) -> bytes:
        """Return the signed and cosigned head."""
        return checkpoint(self.seen(), at=self.now)

    async def renew(self, digest: str) -> None:
        """Have officers activate nothing: there are none here."""
        raise AssertionError(f"nobody activated {digest}")


def checkpoint(
    head: Checkpoint,
    *,
    at: datetime,
    key: Ed25519PrivateKey = LOG_KEY,
    witnesses: tuple[int, ...] = (0, 1),
) -> bytes:
    """Return ``head`` signed by the log and cosigned by ``witnesses`` at ``at``."""
    note = sign_checkpoint(head, key=key)
    lines = tuple(
        cosign(note.text, name=WITNESS_NAMES[one], key=WITNESS_KEYS[one], at=at)
        for one in witnesses
    )
    return SignedNote(text=note.text, signatures=(*note.signatures, *lines)).encode()


def passkey_of(authenticator: SoftwareAuthenticator, account: Account) -> Passkey:
    """Return the record of ``authenticator``, synced, as it is bound: no entry yet."""
    return Passkey(
        authenticator_id=AuthenticatorId(f"aut_{tail(authenticator.credential_id[:16])}"),
        member_id=account.member_id,
        bound_at=account.opened_at,
        entry=0,
        credential_id=b64url(authenticator.credential_id),
        public_key=b64url(authenticator.public_key),
        backup_eligible=True,
    )


def app_of(account: Account) -> Totp:
    """Return an authenticator app as it is bound."""
    return Totp(
        authenticator_id=AuthenticatorId("aut_app"),
        member_id=account.member_id,
        bound_at=account.opened_at,
        entry=0,
        seed=b64url(b"s" * 20),
    )


def evidence(
    authenticator: SoftwareAuthenticator,
    payload: bytes,
    *,
    nonce: bytes,
    lies: Mapping[str, Any] = NO_LIES,
) -> bytes:
    """Return the evidence of an assertion over ``payload``; ``lies`` change the ceremony."""
    honest = {"challenge": intents.challenge(nonce, payload), "rp_id": RP_ID, "origin": SITE}
    assertion = read_assertion(authenticator.get(Ceremony(**{**honest, **lies})))
    return encode(
        {
            "authenticator_data": b64url(assertion.authenticator_data),
            "client_data": b64url(assertion.client_data),
            "credential_id": b64url(assertion.credential_id),
            "nonce": b64url(nonce),
            "signature": b64url(assertion.signature),
        }
    )


def a_withdrawal(account: AccountId, *, to: str = PAYEE, dollars: int = 50) -> WithdrawalCrypto:
    return WithdrawalCrypto(
        account=account,
        asset="USDT",
        network="ethereum",
        contract=CONTRACT,
        decimals=6,
        address=to,
        memo="",
        amount_minor=str(dollars * 10**6),
        max_fee_minor="1000",
    )


def phone(name: str = "alice's phone") -> SoftwareAuthenticator:
    return SoftwareAuthenticator(hashlib.sha256(name.encode()).digest(), synced=True)
