"""How a command that takes long says how far it is."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(what: str, whole: int) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr, if that is a terminal; give what says how much is done, of how much."""
    console = Console(file=sys.stderr)
    percent = TextColumn("{task.percentage:>3.0f} %")
    columns = (TextColumn(what), BarColumn(), percent, TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=whole)
        yield lambda done, of: bar.update(task, completed=done, total=of)
