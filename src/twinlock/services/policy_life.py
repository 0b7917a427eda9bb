"""The life of a policy version: proposed, approved, activated, or withdrawn, by officers' words.

What a version lets thieves do more is computed here, at the proposal and again at the activation;
a word that names another growth is refused. Its text is kept before anybody is asked about it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import lru_cache
from typing import TypeAlias

import msgspec

from twinlock.domain.canonical import b64url
from twinlock.domain.errors import LogDamagedError, MalformedError, TwinlockError
from twinlock.domain.officers.growth import Growth, NamedAttack, growth_digest, in_order
from twinlock.domain.officers.platform import OfficersMissingError, Platform, said
from twinlock.domain.officers.statements import (
    NONCE_BYTES,
    AcceptGrowth,
    Activate,
    AnyAct,
    Approve,
    Propose,
    Signed,
    Statement,
    Withdraw,
    milliseconds,
    statement_of,
)
from twinlock.domain.officers.versions import Proposal, ProposalUnknownError, lapses_at, missing
from twinlock.domain.policy.version import header_of, policy_digest, profile_of
from twinlock.domain.requirements import Requirement
from twinlock.ports import Clock, Entropy, PolicyTexts
from twinlock.ports.officers import Chain, PlacedAct, PlatformActs
from twinlock.proofs.officers import checked

NAMED_LEAST = 22  # Letters of a digest, 132 bits: no two versions are made that begin alike.
OfProposal: TypeAlias = Approve | AcceptGrowth | Activate | Withdraw


class GrowthDiffersError(TwinlockError):
    """What was proposed names another growth than the prover finds: look, and propose it anew."""

    code = "growth_differs"
    status = 409


class TextMissingError(TwinlockError):
    """The text of this policy version is not kept here: propose it with its file."""

    code = "policy_text_missing"
    status = 409


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version that was in force from ``since`` (ms) on, and what made it so.

    ``until`` (ms) is None where it is in force. ``by`` are the officers who said so, in the order
    of their words: who proposed, who approved, who accepted its growth, and last who activated.
    """

    digest: str
    profile: str
    since: int
    until: int | None
    act: int
    index: int
    growth: str
    by: tuple[str, ...]


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is proposed by the act ``proposal``, and what misses for its activation."""

    proposal: int
    digest: str
    profile: str
    growth: str
    by: str
    agreed: tuple[str, ...]
    accepted: tuple[str, ...]
    missing: Requirement
    lapses_at: datetime


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """Which versions were in force when, and what is proposed; ``log`` is what it is signed for.

    ``done``: what was said last took effect, and waits for nothing.
    """

    log: str
    policy: str
    versions: tuple[Version, ...]
    proposals: tuple[Proposed, ...]
    done: bool = True


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """What an officer would sign to propose a version, and what thieves could do by it."""

    act: Propose
    attacks: tuple[NamedAttack, ...]


class PolicyLife:
    """The use cases of policy versions.

    ``check`` refuses a text that this release cannot decide by (PolicyRefusedError), ``growth`` is
    the prover's, and ``served`` gives the text that decides where officers activated none.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that it is made of
        self,
        acts: PlatformActs,
        *,
        texts: PolicyTexts,
        check: Callable[[bytes], object],
        growth: Growth,
        served: Callable[[], Awaitable[bytes]],
        clock: Clock,
        entropy: Entropy,
        log_origin: str,
    ) -> None:
        self._acts = acts
        self._texts = texts
        self._check = check
        # To propose is to show it first: the prover is asked once, and takes its seconds once.
        self._growth = lru_cache(maxsize=2)(growth)
        self._served = served
        self._clock = clock
        self._entropy = entropy
        self._log = log_origin

    async def draft(self, text: bytes) -> Drafted:
        """Return what an officer signs to propose the version with this text.

        Raises:
            OfficersMissingError: nobody is appointed.
            PolicyRefusedError: this release cannot decide by it.
            TextMissingError: the version in force is not kept here.
        """
        platform = (await self._acts.read()).platform
        if not platform.acts:
            raise OfficersMissingError("no officers are appointed: twinlock officers appoint")
        attacks = await self._grown(platform, text)
        act = Propose(
            digest=policy_digest(header_of(text)),
            follows=platform.versions.policy,
            growth=growth_digest(attacks),
        )
        return Drafted(act=act, attacks=attacks)

    async def named(self, start: str, *, least: int = NAMED_LEAST) -> tuple[int, Proposal]:
        """Return the number of the one proposal whose digest begins with ``start``, and itself.

        Prevents: an officer who makes two versions that begin alike, and puts the other one in the
        place of the one that was looked at.

        Raises:
            ProposalUnknownError: there is none, or more than one; or fewer than ``least`` letters
                of it are told.
        """
        if len(start) < least:
            raise ProposalUnknownError(f"tell {least} letters of its digest, or more")
        standing = (await self._acts.read()).platform.versions.proposals
        found = [(number, one) for number, one in standing.items() if one.digest.startswith(start)]
        if len(found) != 1:
            raise ProposalUnknownError("no proposal's digest begins so, or more than one")
        return found[0]

    def statement(self, act: AnyAct, *, officer: str) -> Statement:
        """Return what ``officer`` signs to do ``act`` here and now."""
        nonce = b64url(self._entropy.draw(NONCE_BYTES))
        now = self._clock.now(database_at=None)
        return statement_of(act, officer=officer, log=self._log, nonce=nonce, now=now)

    async def propose(self, signed: Signed, text: bytes) -> Life:
        """Propose the version with this text, as an officer says.

        Raises:
            MalformedError: it is no proposal, or of another text.
            PolicyRefusedError: this release cannot decide by it.
            GrowthDiffersError: it lets thieves do something else than was signed.
            TextMissingError: the version in force is not kept here.
            TwinlockError: as ``domain.officers.platform.said``.
        """
        act = checked(signed).said.act
        if not isinstance(act, Propose):
            raise MalformedError("no version is proposed by this")
        if policy_digest(header_of(text)) != act.digest:
            raise MalformedError("the officer signed another version than this file holds")
        # Prevents: a text that is kept for ever because somebody who is no officer named it.
        platform = await self._hear(signed)
        self._compare(await self._grown(platform, text), act.growth)
        await self._texts.keep(text)
        return await self._say(signed)

    async def act(self, signed: Signed) -> Life:
        """Do what an officer says about a proposal.

        Prevents: a version that was proposed by a process that says that nothing grows, approved
        or accepted by officers whose own process knows better.

        Raises:
            MalformedError: it is about none.
            PolicyRefusedError, GrowthDiffersError, TextMissingError: as ``propose``, of what is
                approved, accepted or activated.
            TwinlockError: as ``domain.officers.platform.said``.
        """
        act = checked(signed).said.act
        if not isinstance(act, OfProposal):
            raise MalformedError("this is said about no proposal")
        platform = await self._hear(signed)
        if not isinstance(act, Withdraw):
            growth = platform.versions.proposals[act.proposal].growth
            self._compare(await self._grown(platform, await self._text(act.digest)), growth)
        return await self._say(signed)

    async def life(self) -> Life:
        """Return which versions were in force, and what is proposed."""
        return await self._tell(await self._acts.read(), done=True)

    async def attacks(self, digest: str) -> tuple[NamedAttack, ...]:
        """Return what thieves could do by the version ``digest``, and cannot by the one in force.

        Raises:
            PolicyRefusedError, TextMissingError: as ``act``.
        """
        return await self._grown((await self._acts.read()).platform, await self._text(digest))

    async def _say(self, signed: Signed) -> Life:
        chain = await self._acts.append(
            lambda platform, at: said(platform, signed, log=self._log, now=at)
        )
        return await self._tell(chain, done=isinstance(signed.said.act, Activate | Withdraw))

    async def _hear(self, signed: Signed) -> Platform:
        """Return the platform as it is, where an officer may say this now.

        What is refused anyhow (a wait is not over) is so at once: to find what grows takes a while.
        """
        platform = (await self._acts.read()).platform
        said(platform, signed, log=self._log, now=self._clock.now(database_at=None))
        return platform

    def _compare(self, attacks: tuple[NamedAttack, ...], growth: str) -> None:
        found = growth_digest(attacks)
        if found != growth:
            says = f"thieves could do {len(attacks)} things more by it (growth {found or 'none'})"
            raise GrowthDiffersError(f"{says}, and who proposed it signed {growth or 'none'}")

    async def _grown(self, platform: Platform, text: bytes) -> tuple[NamedAttack, ...]:
        """Return the growth from the version in force to ``text``, which can be decided by."""
        in_force = platform.versions.policy
        before = await self._text(in_force) if in_force else await self._served()
        await asyncio.to_thread(self._check, text)
        return in_order(await asyncio.to_thread(self._growth, before, text))

    async def _text(self, digest: str) -> bytes:
        text = await self._texts.read(digest)
        if text is None:
            raise TextMissingError(f"the text of the policy {digest} is not kept here")
        return text

    # --- As it is told ---

    async def _tell(self, chain: Chain, *, done: bool) -> Life:
        platform = chain.platform
        at = milliseconds(self._clock.now(database_at=None))
        proposals = [
            Proposed(
                proposal=number,
                digest=one.digest,
                profile=await self._profile(one.digest),
                growth=one.growth,
                by=one.by,
                agreed=tuple(sorted(one.agreed)),
                accepted=tuple(sorted(one.accepted)),
                missing=missing(platform.versions, one, people=platform.people, at=at),
                lapses_at=lapses_at(one),
            )
            for number, one in platform.versions.proposals.items()
        ]
        return Life(
            log=self._log,
            policy=platform.versions.policy,
            versions=await self._versions(chain),
            proposals=tuple(proposals),
            done=done,
        )

    async def _versions(self, chain: Chain) -> tuple[Version, ...]:
        came = [one for one in chain.acts if _brings(one)]
        ends = (*(one.leaf.at for one in came[1:]), None)
        return tuple(
            [
                Version(
                    digest=_brings(one),
                    profile=await self._profile(_brings(one)),
                    since=one.leaf.at,
                    until=until,
                    act=one.leaf.n,
                    index=one.index,
                    growth=_growth_of(one),
                    by=_who(one, chain),
                )
                for one, until in zip(came, ends, strict=False)  # Of none there is no end.
            ]
        )

    async def _profile(self, digest: str) -> str:
        try:
            text = await self._texts.read(digest)
        except (
            LogDamagedError
        ):  # Who decides by it says so; what officers did is told all the same.
            return ""
        return "" if text is None else profile_of(text)


def _activation(one: PlacedAct) -> Activate | None:
    signed = one.leaf.signed
    act = None if signed is None else signed.said.act
    return act if isinstance(act, Activate) else None


def _brings(one: PlacedAct) -> str:
    """Return the digest of the version that this act brought into force, "" for none."""
    act = _activation(one)
    return one.leaf.policy if act is None else act.digest


def _growth_of(one: PlacedAct) -> str:
    act = _activation(one)
    return "" if act is None else act.growth


def _who(one: PlacedAct, chain: Chain) -> tuple[str, ...]:
    """Return the officers whose words brought this version, the one who activated last."""
    act = _activation(one)
    if act is None:
        return ()
    spoke = []
    for before in chain.acts[: one.leaf.n + 1]:
        signed = before.leaf.signed
        if signed is not None and _about(signed.said.act, before.leaf.n, act.proposal):
            spoke.append(signed.said.officer)
    return tuple(spoke)


def _about(act: object, number: int, proposal: int) -> bool:
    if isinstance(act, Propose):
        return number == proposal
    return isinstance(act, Approve | AcceptGrowth | Activate) and act.proposal == proposal
