"""The pages for people: links that lead somewhere, commands that exist, no stranger's machine."""

import re
import subprocess
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from tidy.repository import ROOT, faults, files, markdown_files, name_of, text_files, text_of
from typer.testing import CliRunner

LINK = re.compile(r"\[[^\]]*\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```(?:sh|console|shell|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"\b(?:tests|tools|bench|docs|scenarios)/[\w./*-]*\w(?:\.\w+)?")
INLINE = re.compile(r"`((?:make|twinlock) [^`]+)`")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
HELPED = re.compile(r"^([a-z][a-z-]*):.*## \S", re.MULTILINE)
# A path of the machine on which something was written means nothing on any other.
ELSEWHERE = re.compile(r"/[w]ork/|/[r]oot/|/[h]ome/\w|/[U]sers/\w|\b[s]hared/\w")


def commands(page: str) -> list[str]:
    """Return what a reader is told to type: lines of shell blocks, and commands in sentences."""
    blocks = "\n".join(FENCE.findall(page)).replace("\\\n", " ")
    typed = [line.removeprefix("$ ").strip() for line in blocks.splitlines()]
    inline: list[str] = INLINE.findall(page)
    return [line for line in (*typed, *inline) if re.match(r"(?:make|twinlock)\b", line)]


def targets() -> set[str]:
    return set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))


def test_a_link_leads_somewhere() -> None:
    assert faults(markdown_files(), dead_links) == {}


def dead_links(path: Path) -> list[str]:
    return [link for link in LINK.findall(text_of(path)) if not (path.parent / link).exists()]


def test_a_make_target_that_is_named_exists() -> None:
    assert faults(markdown_files(), lambda path: asked_of_make(path) - targets()) == {}


def asked_of_make(path: Path) -> set[str]:
    asked = [line.split()[1:2] for line in commands(text_of(path)) if line[:4] == "make"]
    return {name for names in asked for name in names}


def test_every_make_target_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert set(HELPED.findall(makefile)) == targets()


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(
        ["make"],  # noqa: S607 - the make that runs these tests
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout

    assert set(re.findall(r"make ([a-z-]+)", listed)) == targets()


@cache
def subcommand_is_known(words: tuple[str, ...]) -> bool:
    """Ask the program itself whether it knows a subcommand."""
    return (
        CliRunner().invoke(import_module("twinlock.cli.main").app, [*words, "--help"]).exit_code
        == 0
    )


def subcommands(path: Path) -> set[tuple[str, ...]]:
    """Return the subcommands that a page names: the plain words before any argument."""
    found = set()
    for line in commands(path.read_text(encoding="utf-8")):
        words = line.split()
        if words[0] == "twinlock":
            plain = [word for word in words[1:3] if re.fullmatch(r"[a-z][a-z-]*", word)]
            found.add(tuple(plain))
    return found


@pytest.mark.parametrize(
    ("page", "words"),
    [
        pytest.param(page, words, id=f"{page}:{' '.join(words)}")
        for page, words in sorted(
            (name_of(path), words) for path in markdown_files() for words in subcommands(path)
        )
        if find_spec("twinlock.cli.main") is not None
    ],
)
def test_a_subcommand_that_is_named_exists(page: str, words: tuple[str, ...]) -> None:
    assert subcommand_is_known(words)


def test_nothing_names_the_machine_it_was_written_on() -> None:
    assert faults(text_files(), lambda path: ELSEWHERE.findall(text_of(path))) == {}


def test_a_file_that_is_named_exists() -> None:
    assert faults(text_files(), missing_files) == {}


def missing_files(path: Path) -> set[str]:
    return {name for name in PATH.findall(text_of(path)) if not _exists(name)}


@cache
def _exists(name: str) -> bool:
    return name in _known() or any(fnmatch(one, name) for one in _known())


@cache
def _known() -> frozenset[str]:
    """Return every file and folder by its name."""
    named = {name_of(file) for file in files()}
    return frozenset(named | {parent for file in named for parent in _parents(file)})


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]
