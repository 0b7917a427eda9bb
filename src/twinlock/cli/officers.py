"""``twinlock officers``, ``halt`` and ``resume``: what officers do (docs/officers.md).

An officer signs here, with ``--key``; or elsewhere, by ``twinlock officers sign``, so that no
officer's key ever lies on a machine that serves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Protocol

import typer

from twinlock.bootstrap.officers import (
    make_officer_key,
    open_officer_key,
    open_officers,
    read_statement,
    sign_elsewhere,
    token_place,
)
from twinlock.bootstrap.policy_life import found
from twinlock.bootstrap.records import Records, open_records
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import MalformedError, present
from twinlock.domain.ids import AccountId, parse_account_id
from twinlock.domain.officers.statements import (
    AcceptGrowth,
    Act,
    Activate,
    AnyAct,
    Approve,
    Change,
    Halt,
    PolicyAct,
    Propose,
    Release,
    Resume,
    Signed,
    Statement,
    Suspend,
    Withdraw,
    check_form,
)
from twinlock.proofs.officers import sign
from twinlock.services.officers import Officers, Standing
from twinlock.services.suspensions import Suspended

ONE_MORE = 1  # The exit code where one officer agreed, and a second has to.
DIGITS_MOST = 16  # Of a number on the command line: no act and no instant has more.
app = typer.Typer(help="Who halts the platform, and who resumes it.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Key = Annotated[
    Path | None, typer.Option("--key", help="The officer's key file, to sign here and now.")
]
SignedFile = Annotated[
    Path | None, typer.Option("--signed", help="What the officer signed elsewhere.")
]
Account = Annotated[str, typer.Argument(help="The account's id, acc_…")]
Public = Annotated[str, typer.Option(help="A public key, as `officers keygen` prints it.")]
Because = Annotated[str, typer.Option("--because", help="A file number: it stands in the log.")]


@app.command("keygen")
def keygen(
    file: Annotated[Path, typer.Argument(help="Where the key is put, mode 0600.")],
    *,
    module: Annotated[Path | None, typer.Option(help="A PKCS #11 module: make it there.")] = None,
    token: Annotated[str | None, typer.Option(help="The label of the token.")] = None,
    pin_file: Annotated[Path | None, typer.Option(help="The file of the token's PIN.")] = None,
    as_json: Json = False,
) -> None:
    """Make an officer's key and print its public half; nothing is ever overwritten.

    It loads no settings: run it on the officer's own machine.
    """
    public = make_officer_key(file, place=token_place(module, token, pin_file))
    result({"file": str(file), "public_key": public}, as_json=as_json, text=public)


# A key may begin with a dash, and is no option then.
@app.command("appoint", context_settings={"ignore_unknown_options": True})
def appoint(
    public_keys: Annotated[list[str], typer.Argument(help="Three or more public keys.")],
    *,
    policy: Annotated[
        Path | None,
        typer.Option(help="The policy to begin with, if it is not TWINLOCK_PROFILE's."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Name the first officers. It is done once; afterwards two of them change who is one.

    From then on only a policy that they activate decides: first the one that decides now.
    """

    async def run() -> Standing:
        world = await prepare(settings_from_environment())
        digest = await found(world, path=policy)
        async with open_officers(world) as use:
            return await use.appoint(tuple(public_keys), policy=digest)

    standing = asyncio.run(run())
    say(f"in force from now on: the policy {standing.policy}")
    _tell(standing, as_json=as_json)


@app.command("list")
def list_officers(*, as_json: Json = False) -> None:
    """Tell who the officers are, whether the platform is halted, and every act so far."""
    standing = _ask(lambda use: use.standing())
    text = "\n".join((_line(standing), *standing.officers, *_acts(standing)))
    result(standing, as_json=as_json, text=text)


@app.command("change", context_settings={"ignore_unknown_options": True})
def change(
    *,
    key: Key = None,
    signed: SignedFile = None,
    add: Public = "",
    remove: Annotated[str, typer.Option(help="How the key of an officer begins.")] = "",
    as_json: Json = False,
) -> None:
    """Let a key count, or count no more, or one in another's place.

    Two others agree to that, and one of them says so a day after the first of them did.
    """

    async def act(use: Officers) -> Act:
        return await use.change(add=add, remove=remove)

    _act(act, Change, key=key, signed=signed, as_json=as_json)


@app.command("sign", context_settings={"ignore_unknown_options": True})
def sign_here(
    words: Annotated[
        list[str],
        typer.Argument(
            help="halt BECAUSE; resume ACT; change SINCE ADD REMOVE, of which one may be `none`; "
            "suspend ACCOUNT BECAUSE; release ACCOUNT SET_AT; policy.propose DIGEST FOLLOWS "
            "GROWTH; policy.approve PROPOSAL DIGEST; policy.accept_growth PROPOSAL DIGEST GROWTH; "
            "policy.activate PROPOSAL DIGEST GROWTH; or policy.withdraw PROPOSAL. FOLLOWS and "
            "GROWTH may be `none`."
        ),
    ],
    *,
    key: Annotated[Path, typer.Option(help="The officer's key file.")],
    log: Annotated[str, typer.Option(help="The log's name, of `officers list`.")],
) -> None:
    """Sign an act where there is no installation, and print it: it counts for ten minutes.

    ACT and SINCE are the numbers `halt` and `since` of `officers list --json`; SET_AT is the one
    that `twinlock suspend --json` told; what is signed of policies `policy propose --show` and
    `policy history --json` tell.
    """
    made = sign_elsewhere(_act_of(words), key=open_officer_key(key), log=log)
    check_form(made)
    result(made, as_json=True, text="")


def _act_of(words: list[str]) -> AnyAct:
    match words:
        case ["halt", because]:
            return Halt(because=because)
        case ["resume", number] if _is_number(number):
            return Resume(halt=int(number))
        case ["change", number, add, remove] if _is_number(number):
            keys = ["" if one == "none" else one for one in (add, remove)]
            return Change(since=int(number), add=keys[0], remove=keys[1])
        case ["suspend", account, because]:
            return Suspend(account=parse_account_id(account), because=because)
        case ["release", account, number] if _is_number(number):
            return Release(account=parse_account_id(account), suspended=int(number))
        case [kind, *rest] if kind.startswith("policy."):
            return _policy_act_of(kind, rest)
        case _:
            says = "one act is signed: `twinlock officers sign --help` says how each is told"
            raise MalformedError(says)


def _policy_act_of(kind: str, words: list[str]) -> PolicyAct:
    told = ["" if one == "none" else one for one in words]
    match kind, told:
        case "policy.propose", [digest, follows, growth]:
            return Propose(digest=digest, follows=follows, growth=growth)
        case "policy.approve", [number, digest] if _is_number(number):
            return Approve(proposal=int(number), digest=digest)
        case "policy.accept_growth", [number, digest, growth] if _is_number(number):
            return AcceptGrowth(proposal=int(number), digest=digest, growth=growth)
        case "policy.activate", [number, digest, growth] if _is_number(number):
            return Activate(proposal=int(number), digest=digest, growth=growth)
        case "policy.withdraw", [number] if _is_number(number):
            return Withdraw(proposal=int(number))
        case _:
            says = "no such act: `twinlock officers sign --help` says how each is told"
            raise MalformedError(says)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= DIGITS_MOST


def halt(
    *,
    key: Key = None,
    signed: SignedFile = None,
    because: Because = "unstated",
    as_json: Json = False,
) -> None:
    """Stop every exit of every account, at once. One officer is enough."""

    async def act(_: Officers) -> Act:
        return Halt(because=because)

    _act(act, Halt, key=key, signed=signed, as_json=as_json)


def resume(*, key: Key = None, signed: SignedFile = None, as_json: Json = False) -> None:
    """Agree that value may leave again. When a second officer agrees within an hour, it may."""

    async def act(use: Officers) -> Act:
        return await use.resume()

    _act(act, Resume, key=key, signed=signed, as_json=as_json)


def suspend(
    account: Account,
    *,
    key: Key = None,
    signed: SignedFile = None,
    because: Because = "unstated",
    as_json: Json = False,
) -> None:
    """Stop every exit of one account, for 14 days at most, once in 90. One officer is enough."""
    named = parse_account_id(account)

    async def act(_: Records) -> AnyAct:
        return Suspend(account=named, because=because)

    _act_on(named, act, Suspend, key=key, signed=signed, as_json=as_json)


def release(
    account: Account,
    *,
    key: Key = None,
    signed: SignedFile = None,
    as_json: Json = False,
) -> None:
    """Agree that a suspension ends. It does when two officers agree, neither of whom set it."""
    named = parse_account_id(account)

    async def act(use: Records) -> AnyAct:
        return await use.suspensions.release(named)

    _act_on(named, act, Release, key=key, signed=signed, as_json=as_json)


def _act_on(
    named: AccountId,
    act: Callable[[Records], Awaitable[AnyAct]],
    kind: type[AnyAct],
    *,
    key: Path | None,
    signed: Path | None,
    as_json: bool,
) -> None:
    """Do what an officer says about an account; exit with 1 where one more must agree."""

    async def run() -> Suspended:
        settings = settings_from_environment()
        async with open_records(await prepare(settings)) as use:
            officers = use.officers
            said = await signed_here(officers, lambda: act(use), kind, key=key, signed=signed)
            return await use.suspensions.act(said, named=named)

    told = asyncio.run(run())
    ends = _at(datetime.fromtimestamp(told.suspension.ends_at / 1000, tz=UTC))
    if not told.done:
        say("one officer agreed; a second one has to, within an hour")
    over = told.done and kind is Release
    words = f"released at {ends}" if over else f"suspended until {ends}"
    result(told, as_json=as_json, text=f"{named}  {words}")
    if not told.done:
        raise typer.Exit(ONE_MORE)


def _act(
    act: Callable[[Officers], Awaitable[Act]],
    kind: type[Act],
    *,
    key: Path | None,
    signed: Path | None,
    as_json: bool,
) -> None:
    """Do what an officer signs now, or signed elsewhere; exit with 1 where one more must agree."""

    async def run(use: Officers) -> Standing:
        said = await signed_here(use, lambda: act(use), kind, key=key, signed=signed)
        return await use.act(said)

    standing = _ask(run, for_a_wait=kind is Change)
    _tell(standing, as_json=as_json)
    if not standing.done:
        raise typer.Exit(ONE_MORE)


class Speaks(Protocol):
    """What makes an officer's statement, for here and now."""

    def statement(self, act: AnyAct, *, officer: str) -> Statement:
        """Return what ``officer`` signs to do ``act``."""
        ...


async def signed_here(
    use: Speaks,
    act: Callable[[], Awaitable[AnyAct]],
    kind: type[AnyAct],
    *,
    key: Path | None,
    signed: Path | None,
) -> Signed:
    """Return what an officer signs now, or signed elsewhere, where it is of ``kind``.

    Raises:
        MalformedError: it is not, or there is no one way to sign.
    """
    if (key is None) == (signed is None):
        raise MalformedError("an officer signs: --key, or --signed, and not both")
    if signed is not None:
        found = read_statement(signed)
        if not isinstance(found.said.act, kind):
            raise MalformedError("the officer signed another act than this command is for")
        return found
    by = open_officer_key(present(key, "one of them is given"))
    return sign(use.statement(await act(), officer=b64url(by.public)), by.sign)


def _ask(ask: Callable[[Officers], Awaitable[Standing]], *, for_a_wait: bool = False) -> Standing:
    async def run() -> Standing:
        world = await prepare(settings_from_environment())
        async with open_officers(world, for_a_wait=for_a_wait) as use:
            return await ask(use)

    return asyncio.run(run())


def _tell(standing: Standing, *, as_json: bool) -> None:
    if not standing.done:
        say(_needed(standing))
    result(standing, as_json=as_json, text=_line(standing))


def _needed(standing: Standing) -> str:
    if standing.change_at is None:
        return "one officer agreed; a second one has to, within an hour"
    agreed = "one officer" if len(standing.agreed) == 1 else f"{len(standing.agreed)} officers"
    return f"{agreed} agreed; it takes two, and a last word from {_at(standing.change_at)} on"


def _line(standing: Standing) -> str:
    count = f"{len(standing.officers)} officers"
    if standing.halted_at is None:
        return f"not halted  {count}"
    since = _at(standing.halted_at)
    return f"halted since {since} by act {standing.halt}: {standing.because}  {count}"


def _acts(standing: Standing) -> list[str]:
    lines = []
    for one in standing.acts:
        at = _at(datetime.fromtimestamp(one.at / 1000, tz=UTC))
        what = "officers.appoint" if one.act is None else one.act.__struct_config__.tag
        lines.append(f"act {one.number}  leaf {one.index}  {at}  {what}  {one.officer}")
    return lines


def _at(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
