"""``twinlock policy propose`` to ``activate``: how another version comes (docs/officers.md).

An officer signs here, with ``--key``; or elsewhere, by ``twinlock officers sign``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from twinlock.bootstrap.policy_life import open_policy_life, text_of_file
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.cli.officers import ONE_MORE, Json, Key, SignedFile, signed_here
from twinlock.domain.errors import MalformedError
from twinlock.domain.officers.growth import NamedAttack
from twinlock.domain.officers.statements import (
    AcceptGrowth,
    Activate,
    Approve,
    PolicyAct,
    Propose,
    Withdraw,
)
from twinlock.domain.officers.versions import Proposal
from twinlock.domain.prover.words import length
from twinlock.domain.reasons import EXPLANATIONS
from twinlock.domain.requirements import reasons, waits_until
from twinlock.services.policy_life import NAMED_LEAST, Drafted, Life, OfProposal, PolicyLife

T = TypeVar("T")
Digest = Annotated[
    str, typer.Argument(help="The digest of the proposed version, or how it begins: 22 letters.")
]
Growth = Annotated[
    str, typer.Option("--growth", help="The digest of the growth, as `policy propose` told it.")
]
# The prover asks both versions, on one core.
COMPARING = "asking the version in force and the new one what thieves could do: up to a minute …"
# A digest may begin with a dash, and is no option then.
_DIGESTS = {"ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    """Add the commands to those about policies."""
    app.command("propose")(propose)
    app.command("approve", context_settings=_DIGESTS)(approve)
    app.command("accept-growth", context_settings=_DIGESTS)(accept_growth)
    app.command("activate", context_settings=_DIGESTS)(activate)
    app.command("withdraw", context_settings=_DIGESTS)(withdraw)
    app.command("history")(history)


def propose(
    file: Annotated[Path, typer.Argument(help="A .cedar file, or the name of a profile.")],
    *,
    key: Key = None,
    signed: SignedFile = None,
    show: Annotated[
        bool, typer.Option("--show", help="Tell what an officer would sign, and do nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Propose that a policy comes into force. It says what thieves could do more by it."""
    text = text_of_file(file)
    say(COMPARING)

    async def run(use: PolicyLife) -> tuple[Drafted, Life | None]:
        drafted = await use.draft(text)
        if show:
            return drafted, None
        said = await signed_here(use, _at_once(drafted.act), Propose, key=key, signed=signed)
        return drafted, await use.propose(said, text)

    drafted, life = _ask(run)
    _tell_attacks(drafted.attacks)
    if life is None:
        act = drafted.act
        words = f"policy.propose {act.digest} {act.follows or 'none'} {act.growth or 'none'}"
        return result(drafted, as_json=as_json, text=words)
    return _tell(life, as_json=as_json)


def approve(
    digest: Digest, *, key: Key = None, signed: SignedFile = None, as_json: Json = False
) -> None:
    """Agree that a proposed version comes, and says what thieves could do more by it.

    It takes another officer than who proposed it.
    """

    def act(number: int, one: Proposal) -> Approve:
        return Approve(digest=one.digest, proposal=number)

    _act(digest, act, Approve, key=key, signed=signed, as_json=as_json)


def accept_growth(
    digest: Digest,
    *,
    growth: Growth,
    key: Key = None,
    signed: SignedFile = None,
    as_json: Json = False,
) -> None:
    """Agree to exactly what thieves could do more. It takes a third officer."""
    say(COMPARING)

    def act(number: int, one: Proposal) -> AcceptGrowth:
        return AcceptGrowth(digest=one.digest, growth=growth, proposal=number)

    _act(digest, act, AcceptGrowth, key=key, signed=signed, as_json=as_json)


def activate(
    digest: Digest, *, key: Key = None, signed: SignedFile = None, as_json: Json = False
) -> None:
    """Let a version decide from now on, once enough officers want it and it has waited."""
    say(COMPARING)

    def act(number: int, one: Proposal) -> Activate:
        return Activate(digest=one.digest, growth=one.growth, proposal=number)

    _act(digest, act, Activate, key=key, signed=signed, as_json=as_json)


def withdraw(
    digest: Digest, *, key: Key = None, signed: SignedFile = None, as_json: Json = False
) -> None:
    """Say no to a proposed version. One officer is enough, at once."""

    def act(number: int, _: Proposal) -> Withdraw:
        return Withdraw(proposal=number)

    _act(digest, act, Withdraw, key=key, signed=signed, as_json=as_json)


def history(*, as_json: Json = False) -> None:
    """Tell which versions were in force when, and by whose word; and what is proposed."""
    life = _ask(lambda use: use.life())
    text = "\n".join((*_versions(life), *_proposals(life))) or "officers have activated no policy"
    result(life, as_json=as_json, text=text)


def _act(
    digest: str,
    act: Callable[[int, Proposal], OfProposal],
    kind: type[OfProposal],
    *,
    key: Path | None,
    signed: Path | None,
    as_json: bool,
) -> None:
    async def run(use: PolicyLife) -> tuple[Life, tuple[NamedAttack, ...]]:
        least = 1 if kind is Withdraw else NAMED_LEAST  # A no is taken back by proposing anew.
        named, one = await use.named(digest, least=least)
        # The prover takes its time before anything is signed, which counts for minutes only.
        attacks = () if kind is Withdraw else await use.attacks(one.digest)
        said = await signed_here(use, _at_once(act(named, one)), kind, key=key, signed=signed)
        about = said.said.act
        if isinstance(about, OfProposal) and about.proposal != named:
            raise MalformedError("the officer signed it of another proposal")
        return await use.act(said), attacks

    life, attacks = _ask(run)
    _tell_attacks(attacks)
    _tell(life, as_json=as_json)


def _at_once(act: PolicyAct) -> Callable[[], Awaitable[PolicyAct]]:
    async def said() -> PolicyAct:
        return act

    return said


def _ask(ask: Callable[[PolicyLife], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_policy_life(await prepare(settings_from_environment())) as use:
            return await ask(use)

    return asyncio.run(run())


def _tell(life: Life, *, as_json: bool) -> None:
    if not life.done:
        for one in _proposals(life):
            say(one)
    result(life, as_json=as_json, text=f"in force: {life.policy or 'what is served'}")
    if not life.done:
        raise typer.Exit(ONE_MORE)


def _tell_attacks(attacks: tuple[NamedAttack, ...]) -> None:
    for one in attacks:
        soonest = length(one.minutes) if one.minutes else "at once"
        by = " + ".join(one.capabilities)
        say(f"grows: {by}: {soonest}, by {one.goal}, as in {one.state}")


def _versions(life: Life) -> list[str]:
    lines = []
    for one in life.versions:
        ends = "" if one.until is None else f" to {_at(_instant(one.until))}"
        by = f"  by {', '.join(one.by)}" if one.by else "  with the first officers"
        grows = f"  growth {one.growth}" if one.growth else ""
        lines.append(
            f"{one.digest}  {one.profile}  from {_at(_instant(one.since))}{ends}"
            f"  act {one.act}  leaf {one.index}{grows}{by}"
        )
    return lines


def _proposals(life: Life) -> list[str]:
    lines = []
    for one in life.proposals:
        until = waits_until(one.missing)
        ends = "" if until is None else f" ({_at(until)})"
        why = " ".join(EXPLANATIONS[code].sentence for code in reasons(one.missing))
        grows = f"  growth {one.growth}" if one.growth else ""
        lines.append(
            f"proposed: {one.digest}  {one.profile}  act {one.proposal}{grows}"
            f"  {why or 'It can be activated.'}{ends}"
        )
    return lines


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, tz=UTC)


def _at(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
