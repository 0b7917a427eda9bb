"""``twinlock erase-due``, ``export`` and ``legal-hold``: what becomes of a person's records."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from twinlock.bootstrap.records import erasing_of, open_records, write_export
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.domain.ids import AccountId, parse_account_id
from twinlock.services.erasing import Outcome

ACTOR = "operator:command"
DOES_NOT_HOLD = 1  # The exit code where an account is not what it must be, or not at hand.
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Account = Annotated[str, typer.Argument(help="The account's id, acc_…")]
Reference = Annotated[
    str, typer.Option("--reference", help="The file number of whoever needs the records.")
]
legal_hold = typer.Typer(help="Accounts whose records are needed.", no_args_is_help=True)


def erase_due(*, as_json: Json = False) -> None:
    """Erase every account whose erasure was asked for, has waited, and is stopped by nothing.

    Run it once a day. It works as the owner of the tables (TWINLOCK_OWNER_URL), may be broken off
    at any time, and goes on with the rest when it is run again.
    """

    async def run() -> tuple[Outcome, ...]:
        settings = settings_from_environment()
        async with open_records(await prepare(settings)) as use:
            return await erasing_of(use).run()

    outcomes = asyncio.run(run())
    lines = [_line(one) for one in outcomes] or ["no erasure is due"]
    result(outcomes, as_json=as_json, text="\n".join(lines))
    if any(one.fault for one in outcomes):
        raise typer.Exit(DOES_NOT_HOLD)


def _line(one: Outcome) -> str:
    if one.index is not None:
        return f"{one.account_id}  erased  leaf {one.index}"
    return f"{one.account_id}  not erased  {one.fault or ', '.join(one.reasons)}"


def export(
    account: Account,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory for the file; else it is printed.")
    ] = None,
) -> None:
    """Export everything that is held about a customer, as JSON; they are told of it."""
    named = parse_account_id(account)
    if out is not None and not out.is_dir():
        raise NotADirectoryError(20, "not a directory", str(out))

    async def run() -> None:
        settings = settings_from_environment()
        async with open_records(await prepare(settings)) as use:
            pieces = await use.exporting.export(named, actor=ACTOR)
            if out is not None:
                await write_export(pieces, out / f"{named}.json")
                return
            async for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.write("\n")
            sys.stdout.flush()

    asyncio.run(run())
    if out is not None:
        say(f"written to {out / named}.json; whoever can read it has all that is held")


@legal_hold.command("set")
def set_hold(account: Account, *, reference: Reference, as_json: Json = False) -> None:
    """Keep an account from being erased while its records are needed."""
    _hold(parse_account_id(account), reference, set_it=True)
    result({"account": account, "reference": reference}, as_json=as_json, text="set")


@legal_hold.command("lift")
def lift_hold(account: Account, *, reference: Reference, as_json: Json = False) -> None:
    """Say that an account's records are needed no more under this file number."""
    _hold(parse_account_id(account), reference, set_it=False)
    result({"account": account, "reference": reference}, as_json=as_json, text="lifted")


def _hold(named: AccountId, reference: str, *, set_it: bool) -> None:
    async def run() -> None:
        settings = settings_from_environment()
        async with open_records(await prepare(settings)) as use:
            ask = use.legal_holds.set if set_it else use.legal_holds.lift
            await ask(named, reference, actor=ACTOR, idempotency=None)

    asyncio.run(run())
