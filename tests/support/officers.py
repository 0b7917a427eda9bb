"""Officers for tests: keys from names, what they sign, and a platform that lives in memory."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.domain.audit.parts import NO_ACTS
from twinlock.domain.audit.suspensions import OfficersWords
from twinlock.domain.bounds import OFFICERS_WAIT, POLICY_WAIT
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import TwinlockError
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.officers.platform import Platform, PlatformLeaf, after, appointed, said
from twinlock.domain.officers.statements import (
    AcceptGrowth,
    Activate,
    AnyAct,
    Approve,
    Change,
    Halt,
    Propose,
    Resume,
    Signed,
    milliseconds,
    statement_of,
)
from twinlock.domain.officers.versions import missing
from twinlock.domain.requirements import Requirement
from twinlock.ports.officers import Chain, PlacedAct, Speak
from twinlock.proofs.officers import checked, sign

LOG = "tests.example/log"
BEGINNING = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HALT = Halt(because="case-7")
FOUNDING = b64url(bytes(range(32)))  # The digest of the policy that the first leaf names.


class Officer:
    """A person with a key of their own."""

    def __init__(self, name: str) -> None:
        self.name = name
        seed = hashlib.sha256(name.encode()).digest()
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = b64url(self.private.public_key().public_bytes_raw())
        self._said = 0

    def __repr__(self) -> str:
        return self.name

    def signs(self, act: AnyAct, *, at: datetime, log: str = LOG) -> Signed:
        """Return ``act`` signed, each time under a nonce of its own."""
        self._said += 1
        nonce = hashlib.sha256(f"{self.name} {self._said}".encode()).digest()[:16]
        statement = statement_of(act, officer=self.key, log=log, nonce=b64url(nonce), now=at)
        return sign(statement, self.private.sign)


ADA, BEN, CLEO, DORA, EVE = (Officer(name) for name in ("Ada", "Ben", "Cleo", "Dora", "Eve"))


NO_OFFICERS = OfficersWords(NO_ACTS, LOG, checked)  # Where nobody was appointed.


class Board:
    """Officers' platform in memory, at a time that a test sets."""

    def __init__(self, *officers: Officer) -> None:
        self.now = BEGINNING
        self.platform = Platform()
        self.leaves: list[PlatformLeaf] = []
        if officers:
            keys = tuple(one.key for one in officers)
            self.take(appointed(keys, policy=FOUNDING, at=self.now))

    def take(self, leaf: PlatformLeaf) -> None:
        """Take a leaf into the chain."""
        self.platform = after(self.platform, leaf)
        self.leaves.append(leaf)

    def hears(self, signed: Signed) -> Platform:
        """Do what was signed; return the platform after it."""
        self.now += timedelta(seconds=1)
        self.take(said(self.platform, checked(signed), log=LOG, now=self.now))
        return self.platform

    def does(self, officer: Officer, act: AnyAct) -> Platform:
        """Let an officer sign ``act`` now, and do it."""
        return self.hears(officer.signs(act, at=self.now))

    def refuses(self, officer: Officer, act: AnyAct) -> TwinlockError:
        """Let an officer try ``act``, which must be refused; return why."""
        before = self.platform
        try:
            self.does(officer, act)
        except TwinlockError as error:
            assert self.platform == before
            return error
        raise AssertionError(f"{officer} was let do {act}")

    def halt(self, officer: Officer) -> Platform:
        """Let an officer halt."""
        return self.does(officer, HALT)

    def resume(self, officer: Officer) -> Platform:
        """Let an officer agree to resume what is halted now."""
        return self.does(officer, self.resuming)

    def makes(self, change: Change, first: Officer, *others: Officer) -> Platform:
        """Let officers make a change: the others agree when the wait is over."""
        self.does(first, change)
        self.now += OFFICERS_WAIT
        for officer in others:
            self.does(officer, change)
        return self.platform

    # --- Policies ---

    def propose(self, officer: Officer, digest: str, growth: str = "") -> int:
        """Let an officer propose a version; return the number of that act."""
        self.does(officer, self.proposal(digest, growth))
        return self.platform.acts - 1

    def proposal(self, digest: str, growth: str = "") -> Propose:
        """Return the act that proposes a version after the one in force."""
        return Propose(digest=digest, follows=self.platform.versions.policy, growth=growth)

    def approval(self, number: int) -> Approve:
        """Return the act that approves of a proposal as it stands."""
        return Approve(digest=self.platform.versions.proposals[number].digest, proposal=number)

    def acceptance(self, number: int) -> AcceptGrowth:
        """Return the act that accepts a proposal's growth as it stands."""
        one = self.platform.versions.proposals[number]
        return AcceptGrowth(digest=one.digest, growth=one.growth, proposal=number)

    def activation(self, number: int) -> Activate:
        """Return the act that activates a proposal as it stands."""
        one = self.platform.versions.proposals[number]
        return Activate(digest=one.digest, growth=one.growth, proposal=number)

    def missing(self, number: int) -> Requirement:
        """Return what misses now for the activation of a proposal."""
        platform, at = self.platform, milliseconds(self.now)
        one = platform.versions.proposals[number]
        return missing(platform.versions, one, people=platform.people, at=at)

    def brings(self, digest: str, first: Officer, *others: Officer) -> Platform:
        """Let officers bring a version into force, with its wait; the first one activates it."""
        number = self.propose(first, digest)
        for officer in others:
            self.does(officer, self.approval(number))
        self.now += POLICY_WAIT
        return self.does(first, self.activation(number))

    @property
    def resuming(self) -> Resume:
        """The act that ends the halt as it stands."""
        assert self.platform.halt is not None
        return Resume(halt=self.platform.halt)

    def change(self, *, add: Officer | None = None, remove: Officer | None = None) -> Change:
        """Return a change of the officers as they are."""
        return Change(
            since=self.platform.since,
            add="" if add is None else add.key,
            remove="" if remove is None else remove.key,
        )


class MemoryActs:
    """A platform's chain in memory. Implements ``ports.officers.PlatformActs``."""

    def __init__(self, board: Board) -> None:
        self.board = board

    async def read(self) -> Chain:
        """Return the whole chain."""
        await asyncio.sleep(0)
        acts = tuple(PlacedAct(index=2 * one.n, leaf=one) for one in self.board.leaves)
        return Chain(platform=self.board.platform, acts=acts)

    async def append(self, speak: Speak) -> Chain:
        """Append one act."""
        self.board.take(speak(self.board.platform, self.board.now))
        return await self.read()


def hash_of(entry: bytes) -> str:
    """Return a leaf's hash as the next one names it."""
    return b64url(leaf_hash(entry))
