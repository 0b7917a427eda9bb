"""The program ``twinlock``, loaded once and forked for each command that tests run.

A command is a process of its own, as ``python -m twinlock`` makes one, but for the second or two of
CPU that loading takes. Who asks sends four files: the request, where stdout and stderr go, and
where the exit code does.
"""

import json
import os
import socket
import sys
from importlib import import_module

import coverage
from support.growths import BY_RULES, growth_by_rules
from typer.testing import CliRunner

from twinlock import __main__ as program
from twinlock.bootstrap import growth as prover
from twinlock.bootstrap.collecting import spare_collections
from twinlock.bootstrap.rulebook import rule_book
from twinlock.cli.main import COMMANDS, app, main

STDOUT, STDERR = 1, 2
FILES = 4


def load() -> None:
    """Load what any command needs; the lines that this runs are counted once."""
    for place in COMMANDS.values():
        import_module(f"twinlock.cli.{place.partition(':')[0]}")
    CliRunner().invoke(app, ["keys", "--help"])  # What typer itself loads when it is used.
    rule_book()  # The profile that most of them read, and keep while they run.
    if (counting := coverage.Coverage.current()) is not None:
        counting.save()
    spare_collections()


def become_command(control: socket.socket) -> None:
    """Fork for each request, once that was offered: return in the command's process.

    In this one, end when no more come.
    """
    control.send(b"!")
    while True:
        asked, files, _, _ = socket.recv_fds(control, 1, FILES)
        if not asked:
            os._exit(0)  # Whoever combines the counts of lines may be at it already.
        if os.fork() == 0:
            control.close()
            _keep(*files)
            return
        for file in files:
            os.close(file)
        _reap()


def _keep(request: int, out: int, err: int, code: int) -> None:
    """Return in the command's process; stay with it in this one, and tell how it ended."""
    command = os.fork()
    if command:
        _, status = os.waitpid(command, 0)
        os.write(code, str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    os.dup2(out, STDOUT)
    os.dup2(err, STDERR)
    with os.fdopen(request, "rb") as file:
        asked = json.load(file)
    for mine in (out, err, code):
        os.close(mine)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["directory"])
    if BY_RULES in os.environ:
        prover.growth = growth_by_rules
    sys.argv = [str(program.__file__), *asked["words"]]
    sys.modules["__main__"] = program  # What it starts in its turn begins from there.


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    load()
    become_command(socket.socket(fileno=int(sys.argv[1])))
    main()
