"""The repository as its own tests read it: its files, its Python, its Markdown."""

import ast
import io
import os
import subprocess
import tokenize
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "twinlock"
PROSE = {".md", ".toml", ".yaml", ".yml", ".txt", ".sh", ".cfg", ".html", ".css", ".js", ".sql", ""}


@cache
def files() -> tuple[Path, ...]:
    """Return every file that is, or is about to be, in version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - the git that made this checkout
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return tuple(path for path in paths if path.is_file())


def environment() -> dict[str, str]:
    """Return an environment in which a child process finds the package, installed or not."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def python_files(*folders: str) -> list[Path]:
    """Return the Python files below ``folders``, or all of them."""
    return [
        path
        for path in files()
        if path.suffix == ".py" and (not folders or path.relative_to(ROOT).parts[0] in folders)
    ]


def text_files() -> list[Path]:
    """Return every file that a person may read: code, prose and settings."""
    return [path for path in files() if path.suffix == ".py" or path.suffix in PROSE]


def markdown_files() -> list[Path]:
    """Return every page of Markdown."""
    return [path for path in files() if path.suffix == ".md"]


def faults(paths: Iterable[Path], of: Callable[[Path], Sized]) -> dict[str, Sized]:
    """Return what is wrong in which file; a test for each file would take minutes in all."""
    return {name_of(path): found for path in paths if len(found := of(path)) > 0}


def text_of(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    """Return a path as people name it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of a Python file's syntax tree."""
    return tuple(ast.walk(tree(path)))


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Give line and text of each comment in a Python file."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def module_name(path: Path) -> str:
    """Return the dotted name of a module below ``src``."""
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
