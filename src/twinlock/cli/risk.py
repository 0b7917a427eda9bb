"""``twinlock risk``: how well scores of sign-ins would do, on sign-ins that happened."""

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from twinlock.bootstrap.risk import reader_of
from twinlock.bootstrap.world import settings_from_environment
from twinlock.cli.console import plain, result, say
from twinlock.cli.files import open_file
from twinlock.cli.risk_rows import Broken, Columns, Rows
from twinlock.domain.errors import TwinlockError
from twinlock.range.sign_ins import COLUMNS, as_row, sign_ins
from twinlock.services.risk import HONEST, Measured, Measuring, Model, Thief

app = typer.Typer(help="The score of sign-ins (docs/risk.md).", no_args_is_help=True)
BROKEN_TOLD = 20  # Broken rows that are named one by one.
PROGRESS_EVERY = 5_000  # Rows between two looks at how far it is.


class NoSignInsError(TwinlockError):
    """The file holds no sign-in that can be read: docs/risk.md says which form they have."""

    code = "no_sign_ins"
    status = 422


@app.callback()
def _everywhere() -> None:
    """Take no options before the command's name."""


@app.command("eval")
def evaluate(
    file: Annotated[Path, typer.Argument(help="Sign-ins in their order: CSV, or JSON lines.")],
    *,
    rba_dataset: Annotated[
        bool, typer.Option("--rba-dataset", help="It has the columns of das-group/rba-dataset.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure both models on a file of sign-ins, which is read once and kept nowhere."""
    settings = settings_from_environment()
    measuring = Measuring()
    with open_file(file) as opened:
        rows = Rows(opened, Columns.RBA if rba_dataset else Columns.OWN, reader_of(settings))
        with _progress(opened, file.stat().st_size) as look:
            for number, one in enumerate(rows):
                measuring.take(one)
                if number % PROGRESS_EVERY == 0:
                    look()
    first = tuple(rows.told[:BROKEN_TOLD])
    for broken in first:
        say(f"line {broken.line}: {broken.code}")
    measured = measuring.measured()
    if not measured.sign_ins:
        raise NoSignInsError(f"{plain(str(file))} has no row that can be read")
    told = Told(measured=measured, broken=rows.broken, skipped=rows.skipped, first=first)
    result(told, as_json=as_json, text=_table(told))


@app.command("synthetic")
def synthetic(
    *,
    customers: Annotated[int, typer.Option(min=1, max=100_000, help="How many.")] = 1_000,
    each: Annotated[int, typer.Option(min=1, max=1_000, help="Sign-ins of each.")] = 15,
    seed: Annotated[int, typer.Option(help="The same seed makes the same file.")] = 1,
) -> None:
    """Print made-up sign-ins, to try out eval --rba-dataset: nobody's, drawn by our own rules."""
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(map(as_row, sign_ins(customers=customers, each=each, seed=seed)))


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed: ``skipped`` rows were sign-ins that failed."""

    measured: Measured
    broken: dict[str, int]
    skipped: int
    first: tuple[Broken, ...]


@contextmanager
def _progress(file: BinaryIO, size: int) -> Iterator["Callable[[], None]"]:
    console = Console(stderr=True)
    bar = Progress(BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console)
    bar.disable = not console.is_terminal
    with bar:
        task = bar.add_task("", total=size)
        yield lambda: bar.update(task, completed=file.tell())


def _table(told: Told) -> str:
    found = told.measured
    lines = [
        f"{found.sign_ins} sign-ins of about {found.users} users",
        f"scored: {found.scored}, of {_percent(found.sampled)} of the users",
        f"left out: {sum(told.broken.values())} rows that are broken, {told.skipped} that failed",
    ]
    if found.forgotten:
        lines.append(f"values that were seen least often were forgotten {found.forgotten} times")
    lines += ["", f"{'share of sign-ins':<16}{'raised':>9}{'high':>9}   (the ratio alone)"]
    lines += [
        f"{who:<16}{_percent(found.raised[who]):>9}{_percent(found.high[who]):>9}"
        for who in (HONEST, *Thief)
    ]
    head = f"{'model':<10}{'thief':<15}{'attacks':>9}{'area':>7}{'caught':>8}{'step-up':>9}"
    lines += ["", f"{head}{'of 12':>7}{'of 39':>7}"]
    for model in Model:
        for thief in Thief:
            lines += _rows(found, model, thief)
    return "\n".join(lines)


def _rows(found: Measured, model: Model, thief: Thief) -> Iterator[str]:
    one = found.models[model][thief]
    area = "-" if one.area is None else f"{one.area:.3f}"
    first = f"{model.value:<10}{thief.value:<15}{one.attacks:>9}{area:>7}"
    if not one.rates:
        yield first
    for rate in one.rates:
        medians = "".join(
            f"{'-' if count is None else f'{count:g}':>7}" for count in rate.medians.values()
        )
        yield f"{first}{_percent(rate.rate):>8}{_percent(rate.step_up):>9}{medians}"
        first = " " * len(first)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
