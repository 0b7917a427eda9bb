"""What officers do: they are appointed once; each of them halts, and two resume or change them.

Nothing here is decided by who runs the command: an act is what an officer signed, and is written
down with its signature.
"""

from datetime import datetime

import msgspec

from twinlock.domain.canonical import b64url
from twinlock.domain.errors import MalformedError
from twinlock.domain.officers.keys import OfficersWrongError, named
from twinlock.domain.officers.platform import (
    NotHaltedError,
    OfficersMissingError,
    Platform,
    PlatformLeaf,
    appointed,
    due_at,
    said,
)
from twinlock.domain.officers.statements import (
    NONCE_BYTES,
    AnyAct,
    Change,
    Halt,
    PolicyAct,
    Resume,
    Signed,
    Statement,
    statement_of,
)
from twinlock.ports import Clock, Entropy
from twinlock.ports.officers import Chain, PlacedAct, PlatformActs
from twinlock.proofs.officers import checked


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One act as it is told: its number, its leaf's index, when, by whom, and what it was."""

    number: int
    index: int
    at: int
    officer: str
    act: AnyAct | None


def tell_act(one: PlacedAct) -> Told:
    """Return an act as it is told."""
    signed = one.leaf.signed
    return Told(
        number=one.leaf.n,
        index=one.index,
        at=one.leaf.at,
        officer="" if signed is None else signed.said.officer,
        act=None if signed is None else signed.said.act,
    )


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the platform stands. ``done``: the last act took effect, and waits for no second officer.

    ``halt`` is the act that a resume names, ``since`` the one that a change of officers names;
    ``policy`` is the digest of the version in force, "" where officers activated none.
    ``change_at`` is when the change that was agreed to last can be made, at the earliest.
    """

    log: str
    officers: tuple[str, ...]
    since: int
    halted_at: datetime | None
    halt: int | None
    because: str
    agreed: tuple[str, ...]
    done: bool
    acts: tuple[Told, ...]
    policy: str = ""
    change_at: datetime | None = None


class Officers:
    """The use cases of officers."""

    def __init__(
        self, acts: PlatformActs, *, clock: Clock, entropy: Entropy, log_origin: str
    ) -> None:
        self._acts = acts
        self._clock = clock
        self._entropy = entropy
        self._log = log_origin

    async def appoint(self, keys: tuple[str, ...], *, policy: str) -> Standing:
        """Name the first officers, by their public keys, and the policy in force, by its digest.

        From then on that decides, and what officers activate.

        Raises:
            OfficersWrongError: these cannot be officers, or there are some.
        """

        def speak(platform: Platform, at: datetime) -> PlatformLeaf:
            if platform.acts:
                raise OfficersWrongError("there are officers already: two of them make others")
            return appointed(keys, policy=policy, at=at)

        return self._standing(await self._acts.append(speak))

    async def act(self, signed: Signed) -> Standing:
        """Do what an officer says.

        Raises:
            MalformedError: it is about a policy (``policy_life``).
            OfficersMissingError, StatementRefusedError: it counts for nothing.
            NotHaltedError, OfficersWrongError: it cannot be done.
        """
        if isinstance(signed.said.act, PolicyAct):
            raise MalformedError("this is said about a policy, and not the platform")
        sound = checked(signed)
        return self._standing(
            await self._acts.append(
                lambda platform, at: said(platform, sound, log=self._log, now=at)
            )
        )

    async def standing(self) -> Standing:
        """Return how the platform stands."""
        return self._standing(await self._acts.read())

    def statement(self, act: AnyAct, *, officer: str) -> Statement:
        """Return what ``officer`` signs to do ``act`` here and now."""
        nonce = b64url(self._entropy.draw(NONCE_BYTES))
        now = self._clock.now(database_at=None)
        return statement_of(act, officer=officer, log=self._log, nonce=nonce, now=now)

    async def resume(self) -> Resume:
        """Return the act that ends the halt as it stands. Raises NotHaltedError."""
        platform = (await self._acts.read()).platform
        if platform.halt is None:
            raise NotHaltedError("the platform is not halted")
        return Resume(halt=platform.halt)

    async def change(self, *, add: str, remove: str) -> Change:
        """Return the change of officers as they are; ``remove`` is how a key begins, or "".

        Raises:
            OfficersMissingError, OfficersWrongError: there is no such officer.
        """
        platform = (await self._acts.read()).platform
        if not platform.acts:
            raise OfficersMissingError("no officers are appointed: twinlock officers appoint")
        gone = named(platform.officers, remove) if remove else ""
        return Change(since=platform.since, add=add, remove=gone)

    def _standing(self, chain: Chain) -> Standing:
        platform = chain.platform
        told = tuple(map(tell_act, chain.acts))
        halted = None if platform.halt is None else told[platform.halt].act
        last = told[-1] if told else None
        agreeing = {*platform.resuming}
        change_at = None
        if last is not None and isinstance(last.act, Change):
            agreeing = {one for one, its in platform.changing.items() if its.change == last.act}
            change_at = due_at(platform, last.act)
        return Standing(
            log=self._log,
            officers=platform.officers,
            since=platform.since,
            halted_at=platform.halted_at,
            halt=platform.halt,
            because=halted.because if isinstance(halted, Halt) else "",
            agreed=tuple(sorted(agreeing)),
            done=not agreeing,
            acts=told,
            policy=platform.versions.policy,
            change_at=change_at,
        )
