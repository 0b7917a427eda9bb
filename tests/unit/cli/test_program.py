import asyncio
import os
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from twinlock.cli import main as commands
from twinlock.cli.console import program
from twinlock.cli.main import app


def test_the_version_is_told_without_a_command() -> None:
    told = CliRunner().invoke(app, ["--version"])

    assert (told.exit_code, told.stdout) == (0, f"{version('twinlock')}\n")


def test_without_anything_the_commands_are_told() -> None:
    told = CliRunner().invoke(app, [])

    assert told.exit_code == 2
    assert "Usage" in told.output


def test_a_bug_of_ours_is_neither_a_no_nor_an_officer_s_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents: code 1 of ``twinlock halt``, which says that one officer agreed."""

    def broken() -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(commands, "app", broken)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    told = capsys.readouterr()

    assert (ended.value.code, told.out) == (2, "")
    assert told.err.startswith("Traceback")
    assert told.err.endswith("RuntimeError: ours\n")


@pytest.mark.parametrize("what", [EOFError, asyncio.CancelledError, MemoryError])
def test_a_command_that_breaks_off_says_no_no(
    what: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: code 1 of ``twinlock resume``, where what is told by it never happened."""

    def halt() -> None:
        raise what

    alone = typer.Typer()
    alone.command("halt")(halt)
    monkeypatch.setattr(commands, "_loaded", lambda *_: typer.main.get_command(alone))
    monkeypatch.setattr(sys, "argv", ["twinlock", "halt"])
    with pytest.raises(SystemExit) as ended:
        commands.main()

    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("words", "unread"),
    [
        pytest.param(["range", "stories"], "stdout", id="a result"),
        pytest.param(["--help"], "stdout", id="what is printed in colours"),
        pytest.param(["range", "run", "nothing"], "stderr", id="an error of ours"),
        pytest.param(["no-command"], "stderr", id="an error of use"),
    ],
)
def test_a_command_that_nobody_reads_says_no_no(
    words: list[str], unread: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Prevents: code 1 of a check, since whoever read what it found had gone."""
    reader, writer = os.pipe()
    os.close(reader)
    gone = os.fdopen(writer, "w", encoding="utf-8")
    with (tmp_path / "told").open("w", encoding="utf-8") as told:
        monkeypatch.setattr(sys, "stdout", gone if unread == "stdout" else told)
        monkeypatch.setattr(sys, "stderr", told if unread == "stdout" else gone)
        monkeypatch.setattr(sys, "argv", ["twinlock", *words])
        with pytest.raises(SystemExit) as ended:
            commands.main()
    said = (tmp_path / "told").read_text("utf-8")
    with suppress(BrokenPipeError):
        gone.close()

    assert ended.value.code == 2
    assert unread == "stderr" or said == "twinlock: broken pipe: nobody reads on [system_refused]\n"


def started_as(path: Path | str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "argv", [str(path), "demo"])
    return program()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A program in an environment that no shell has on its path."""
    directory = tmp_path / "a house" / ".venv" / "bin"
    directory.mkdir(parents=True)
    path = directory / "twinlock"
    path.write_text("#!/bin/sh\n", "ascii")
    path.chmod(0o755)
    return path


def test_the_program_is_named_as_it_can_be_typed_from_here(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "a house")

    assert started_as(".venv/bin/twinlock", monkeypatch) == ".venv/bin/twinlock"
    assert started_as(installed, monkeypatch) == ".venv/bin/twinlock"
    monkeypatch.chdir("/")
    assert started_as(installed, monkeypatch) == f"'{str(installed)[1:]}'"
    monkeypatch.chdir("/usr")
    assert started_as(installed, monkeypatch) == f"'{installed}'"


def test_a_program_that_the_shell_finds_is_named_alone(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(installed.parent))

    assert started_as(installed, monkeypatch) == "twinlock"


def test_a_module_is_named_with_its_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")

    told = started_as("/somewhere/twinlock/__main__.py", monkeypatch)

    assert told == "bin/python3 -m twinlock"
