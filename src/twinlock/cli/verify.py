"""``twinlock verify``: check an evidence bundle offline, against a trust file and nothing else.

It loads no settings, opens no connection and asks no service. What a bundle says is printed in
plain ASCII, since it may have been written by whoever is being audited.
"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from twinlock.cli.console import plain, result
from twinlock.cli.files import read_file
from twinlock.cli.verdict import payload_lines, spend_lines, verdict
from twinlock.domain.bundle import BUNDLE_BYTES_MOST
from twinlock.domain.errors import (
    BundleRefusedError,
    MalformedError,
    QuorumError,
    UntrustedNoteError,
)
from twinlock.domain.log.checkpoint import Checkpoint, parse_checkpoint
from twinlock.domain.log.note import MAX_NOTE_BYTES, parse_note
from twinlock.domain.trust import TRUST_BYTES_MOST, Trust, read_trust
from twinlock.proofs.bundles import VerifiedBundle, verify_bundle
from twinlock.proofs.notes import verify_checkpoint

_BEFORE_WITNESSES = (
    "If you kept it before the log had these witnesses, verify the bundle twice: for its growth "
    "with --since and the trust file of that time, and without --since with this one"
)
REFUSED = 1  # The exit code; 2 says that nothing could be checked.


def verify_command(
    bundle: Annotated[Path, typer.Argument(readable=False, help="The bundle.")],
    *,
    trust: Annotated[Path, typer.Option(readable=False, help="Whom you believe: the trust file.")],
    since: Annotated[
        Path | None, typer.Option(readable=False, help="An older checkpoint that you kept.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Verify an evidence bundle offline, step by step; exit 1 when it does not hold."""
    trusted = read_trust(read_file(trust, TRUST_BYTES_MOST))
    known = None if since is None else _read_checkpoint(since, trusted)
    try:
        verified = verify_bundle(read_file(bundle, BUNDLE_BYTES_MOST), trust=trusted, known=known)
    except BundleRefusedError as refused:
        result(_refusal(refused), as_json=True, text="") if as_json else _print_refusal(refused)
        raise typer.Exit(REFUSED) from refused
    if as_json:
        result(_shown(verified), as_json=True, text="")
    else:
        _print_shown(verified)


def _read_checkpoint(path: Path, trusted: Trust) -> Checkpoint:
    """Return the checkpoint that was kept; what is wrong with it is told as of this file."""
    data = read_file(path, MAX_NOTE_BYTES)
    try:
        note = parse_note(data)
        origin = parse_checkpoint(note.text).origin
        return verify_checkpoint(note, trusted.log_policy, origin=origin).checkpoint
    except QuorumError as error:
        raise QuorumError(f"the checkpoint of --since: {error}. {_BEFORE_WITNESSES}") from error
    except (MalformedError, UntrustedNoteError) as error:
        raise type(error)(f"the checkpoint of --since: {error}") from error


# --- For programs ---


def _refusal(refused: BundleRefusedError) -> dict[str, object]:
    return {
        "fault": refused.fault,
        "name": refused.name,
        "says": refused.says,
        "step": refused.step,
        "steps": _steps(refused.passed),
        "verified": False,
    }


def _shown(verified: VerifiedBundle) -> dict[str, object]:
    claims = verified.authorization
    return {
        "account": verified.account,
        "action_id": verified.action_id,
        "answer": verified.answer.value,
        "assertions": [msgspec.to_builtins(one) for one in verified.assertions],
        "at": verified.at,
        "authorization": None if claims is None else msgspec.to_builtins(claims),
        "device_signatures": [msgspec.to_builtins(one) for one in verified.device_signatures],
        "fee_minor": verified.fee_minor,
        "fresh_at": verified.fresh_at,
        "index": verified.index,
        "origin": verified.head.origin,
        "payload": msgspec.to_builtins(verified.payload),
        "payload_digest": verified.payload_digest,
        "policy": msgspec.to_builtins(verified.policy),
        "recorded": list(verified.recorded),
        "size": verified.head.size,
        "spend_id": verified.spend_id,
        "spent": verified.spent,
        "steps": _steps(verified.steps),
        "type": verified.type,
        "verified": True,
    }


def _steps(steps: tuple[tuple[int, str, str], ...]) -> list[dict[str, object]]:
    return [{"name": name, "number": number, "says": says} for number, name, says in steps]


# --- For people ---


def _print_refusal(refused: BundleRefusedError) -> None:
    console = _console()
    _print_steps(console, refused.passed)
    _print_step(console, (refused.step, refused.name, refused.says), passed=False)
    console.print(
        Text.assemble(("refused", "bold red"), f" in step {refused.step}, {refused.name}")
    )
    console.print(Text(f"  {refused.says} [{refused.fault}]"))


def _print_shown(verified: VerifiedBundle) -> None:
    console = _console()
    _print_steps(console, verified.steps)
    console.print(Text.assemble(("verified", "bold green"), f": {plain(verdict(verified))}"))
    for name, value in (*payload_lines(verified.payload), *spend_lines(verified)):
        console.print(Text(f"  {plain(name)}: {plain(value)}"))
    for line in _limits(verified):
        console.print(Text(f"  {line}"))


def _limits(verified: VerifiedBundle) -> list[str]:
    """Say plainly whose word this is, and whose not."""
    own = len(verified.assertions)
    recorded = ", ".join(map(plain, verified.recorded)) or "nothing"
    dated = (
        f"a whole quorum cosigned at {verified.fresh_at:%Y-%m-%d %H:%M:%S} UTC or later"
        if verified.fresh_at is not None
        else "no witness is named in the trust file: the operator alone says when"
    )
    devices = [
        f"signed by device key {one.thumbprint}, of the session begun in entry "
        f"{one.session_index}, at {one.signed_at:%Y-%m-%d %H:%M:%S} UTC by the device"
        for one in verified.device_signatures
    ]
    return [
        f"the customer's own signature: {own or 'none'}",
        *devices,
        f"by the operator's record only: {recorded}",
        f"time: {dated}",
        "not shown: what happened after this entry, and what the log does not hold",
    ]


def _console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


def _print_steps(console: Console, steps: tuple[tuple[int, str, str], ...]) -> None:
    for step in steps:
        _print_step(console, step, passed=True)


def _print_step(console: Console, step: tuple[int, str, str], *, passed: bool) -> None:
    number, name, says = step
    mark = ("ok", "green") if passed else ("no", "red")
    console.print(Text.assemble(f"{number:>2}  ", mark, f"  {name:<13}  {plain(says)}"))
