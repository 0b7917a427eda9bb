"""``twinlock range attack``: a thief who roams, with fewer capabilities than are proved to be safe.

Exit codes: 0 nothing was stolen beyond what the theorem allows; 1 something was, and how.
"""

import asyncio
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from twinlock.cli.console import result
from twinlock.domain.actions import type_of
from twinlock.domain.commands import Propose, Prove, Right
from twinlock.domain.prover.enrolment import NOW
from twinlock.domain.prover.words import length
from twinlock.range.profiles import DEFAULT, PROFILES, rules_of
from twinlock.range.roaming import Roamed, Theft, roam, setting_of, shrunk
from twinlock.range.roaming_ground import Said

STOLEN = 1
MOVES = 10_000
K_MOST = 4  # Capabilities of one thief; nobody needs more to steal.
TOLD_MOST = 8  # Thefts in words; --json has all.


def attack(
    *,
    profile: Annotated[str, typer.Option(help=f"Whose rules: {', '.join(PROFILES)}.")] = DEFAULT,
    seed: Annotated[int, typer.Option(help="The same seed is the same attack.")] = 1,
    moves: Annotated[int, typer.Option(min=1, help="Commands of thieves, in all.")] = MOVES,
    k: Annotated[int, typer.Option(min=1, max=K_MOST, help="Capabilities of each thief.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Have thieves with K capabilities do whatever comes to mind, beside an honest owner."""
    book = rules_of(profile)
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("moves", total=moves)
        found = asyncio.run(
            roam(
                book,
                seed=seed,
                moves=moves,
                k=k,
                told=lambda done: bar.update(task, completed=min(done, moves)),
            )
        )
    trace: tuple[Said, ...] = ()
    if found.beyond and not as_json:
        setting = setting_of(seed, k=k, life=found.beyond[0].life)
        trace = asyncio.run(shrunk(book, setting)).trace
    result(found, as_json=as_json, text=in_words(found, trace))
    if found.beyond:
        raise typer.Exit(STOLEN)


def in_words(found: Roamed, trace: tuple[Said, ...]) -> str:
    """Return what came of it, for a terminal; ``trace`` is how the first of it was done."""
    within = len(found.thefts) - len(found.beyond)
    each = f"each with {found.k} of what thieves take"
    lines = [
        f"{found.profile}: {found.moves} moves in {found.lives} lives, {each}",
        f"  {found.vetoed} of what waited was vetoed, {found.in_vain} in vain",
        f"  {within} small sums left narrow accounts, as the theorem allows",
        f"  {len(found.beyond)} thefts beyond it",
    ]
    by: Counter[str] = Counter(" + ".join(one.capabilities) for one in found.beyond)
    lines += [f"    {count} by {who}" for who, count in by.most_common(TOLD_MOST)]
    if trace:
        lines += ["", *_first(found.beyond[0]), *map(told, trace)]
    return "\n".join(lines)


def _first(theft: Theft) -> tuple[str, str]:
    return (
        f"life {theft.life}: {' + '.join(theft.capabilities)} against {theft.state}",
        "  what is left of it when moves are left out that are not needed:",
    )


def told(said: Said) -> str:
    """Return one command in words."""
    command = said.command
    about = ""
    if isinstance(command, Propose):
        about = f" {type_of(command.payload)}"
    elif isinstance(command, Prove):
        about = f" {command.proof.factor} {'' if isinstance(command.proof, Right) else 'wrong'}"
    minutes = int((said.at - NOW).total_seconds()) // 60
    what = f"{type(command).__name__.lower()}{about}".rstrip()
    return f"  {length(minutes)}: {said.speaker}: {what}: {said.answer.value}"
