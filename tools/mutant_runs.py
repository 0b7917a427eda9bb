"""A plugin of pytest: collect the tests once, then try each mutant in a fork of that process.

usage: pytest -p mutant_runs --mutants=MODULE,… TESTS, in the folder that ``mutate.py`` made

First every test is run as the code stands, to learn which functions each of them calls. Then each
mutant is switched on in a fork of its own, and the tests that call its function run there until one
fails: those first that killed a neighbour, then the fastest. mutmut's own way starts pytest anew
for every mutant and needs ten times as long.

A fork has imported everything already. What a module computes while it is imported is therefore
not tested by this; such mutants are run by no test, or live, and stand in the list.
"""

import gc
import json
import os
import resource
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import msgspec
import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation import trampoline
from survivors import CODES, Outcome, file_of

# Processor seconds of one test: a loop without end is told from what the mutant merely made slow.
SECONDS_AT_LEAST, TIMES_AS_LONG = 5, 10
FOR_EVER = 3600
BYTES_OF_MEMORY = 4 * 2**30  # A mutant that grows without end is stopped before the machine is.
SAVE_EVERY = 20
BROKEN = 3  # How a fork ends when pytest itself breaks, as when a class can no longer be made.


class Switch:
    """Which mutant is on, and, while that is asked, which functions were called."""

    module = ""
    mutant = ""
    called: set[str] | None = None


def switched(mutants: dict[str, Any], *, is_classmethod: bool = False) -> Callable[..., Any]:
    """Stand in for mutmut's trampoline, which reads the environment twice for each call."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        module = function.__module__

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the function takes
            chosen = mutants["_mutmut_orig"]
            if Switch.called is not None:
                Switch.called.add(f"{module}.{chosen.__name__.removesuffix('__mutmut_orig')}")
            if Switch.module == module:
                chosen = mutants.get(Switch.mutant, chosen)
            if is_classmethod:
                return getattr(args[0], chosen.__name__)(*args[1:], **kwargs)
            return chosen(*args, **kwargs)

        return call

    return wrap


trampoline.wrap_in_trampoline = switched  # Before any module of ours is imported.


class Learned(msgspec.Struct, kw_only=True):
    """What the run without a mutant showed; ``tests`` by the function that they call."""

    seconds: dict[str, float] = {}
    breadth: dict[str, int] = {}
    tests: dict[str, list[str]] = {}
    failed: str = ""

    def narrowest(self, function: str) -> list[str]:
        """Return the tests of one function, those that call little else first."""
        return sorted(
            self.tests.get(function, ()), key=lambda test: (self.breadth[test], self.seconds[test])
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the modules."""
    parser.addoption("--mutants", default="", help="the modules whose mutants are tried")
    parser.addoption("--again", default="", help="try those again whose names hold this")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Try each mutant instead of running the tests once."""
    if session.testsfailed:
        raise session.Interrupted("the tests could not be collected")
    items = {item.nodeid: item for item in session.items}
    learned = _learn(items)
    if learned.failed:
        pytest.exit(f"without any mutant, {learned.failed} fails", returncode=1)
    again = session.config.getoption("--again")
    gc.freeze()  # What stands is not looked at again, so forks share its memory.
    for module in session.config.getoption("--mutants").split(","):
        _try_module(module, items, learned, again=again)
    return True


def _learn(items: dict[str, pytest.Item]) -> Learned:
    """Run every test once, in a fork, so that this process stays as it is after the imports."""

    def run() -> bytes:
        learned = Learned()
        tests: dict[str, list[str]] = defaultdict(list)
        for item, following in _with_next(list(items.values())):
            Switch.called, started = set(), time.process_time()
            if not _passes(item, following):
                learned.failed = item.nodeid
                break
            learned.seconds[item.nodeid] = time.process_time() - started
            learned.breadth[item.nodeid] = len(Switch.called)
            for function in Switch.called:
                tests[function].append(item.nodeid)
        learned.tests = tests
        return msgspec.json.encode(learned)

    code, answer = _fork(run)
    if code != 0 or not answer:
        pytest.exit(f"the run without a mutant ended with {code}", returncode=1)
    return msgspec.json.decode(answer, type=Learned)


def _with_next(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    return zip(items, [*items[1:], None], strict=True)


def _passes(item: pytest.Item, following: pytest.Item | None) -> bool:
    reports = runtestprotocol(item, nextitem=following, log=False)
    return not any(report.failed for report in reports)


def _fork(run: Callable[[], bytes]) -> tuple[int, bytes]:
    """Run something in a fork; return its exit code, or minus the signal, and what it answered."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        resource.setrlimit(resource.RLIMIT_AS, (BYTES_OF_MEMORY, BYTES_OF_MEMORY))
        signal.alarm(FOR_EVER)  # What waits without end uses no processor.
        code = BROKEN
        try:
            answer = run()
            while answer:
                answer = answer[os.write(writing, answer) :]
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), answer


def _try_module(
    module: str, items: dict[str, pytest.Item], learned: Learned, *, again: str
) -> None:
    """Try the mutants of one module that have no result yet, and write the results down."""
    path = file_of(module, Path())
    meta_path = path.with_name(f"{path.name}.meta")
    meta = json.loads(meta_path.read_bytes())
    codes: dict[str, int | None] = meta["exit_code_by_key"]
    killers: dict[str, list[str]] = defaultdict(list)
    for number, name in enumerate(codes):
        if codes[name] is not None and not (
            again and again in name and codes[name] != CODES[Outcome.TYPES]
        ):
            continue
        function = name.partition("__mutmut_")[0]
        tests = dict.fromkeys([*reversed(killers[function]), *learned.narrowest(function)])
        outcome, killer = _try(name, [items[one] for one in tests], learned)
        codes[name] = CODES.get(outcome)
        if killer and killer not in killers[function]:
            killers[function].append(killer)
        if number % SAVE_EVERY == 0:
            meta_path.write_text(json.dumps(meta, indent=4))
    meta_path.write_text(json.dumps(meta, indent=4))
    lived = sum(
        code in (CODES[Outcome.SURVIVED], CODES[Outcome.UNTESTED]) for code in codes.values()
    )
    os.write(2, f"{module}: {len(codes)} mutants, {lived} live\n".encode())


def _try(name: str, items: list[pytest.Item], learned: Learned) -> tuple[Outcome, str]:
    """Return what became of one mutant, and the test that killed it."""
    if not items:
        return Outcome.UNTESTED, ""

    def run() -> bytes:
        Switch.module, _, Switch.mutant = name.rpartition(".")
        for item, following in _with_next(items):
            seconds = SECONDS_AT_LEAST + TIMES_AS_LONG * learned.seconds[item.nodeid]
            signal.setitimer(signal.ITIMER_PROF, seconds)
            if not _passes(item, following):
                return item.nodeid.encode()
        return b""

    code, killer = _fork(run)
    if code == 0:
        return (Outcome.TESTS, killer.decode()) if killer else (Outcome.SURVIVED, "")
    if code in (-signal.SIGPROF, -signal.SIGALRM):
        return Outcome.TIME, ""
    return (Outcome.TESTS if code == BROKEN else Outcome.UNCLEAR), ""
