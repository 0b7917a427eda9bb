"""Several processes that serve: when one is started again, and when rather not."""

import os
import threading
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from twinlock.cli import serve
from twinlock.cli.serve import AGAIN_SECONDS, NOT_STARTED, PIN_REFUSED, Crew
from twinlock.domain.errors import TokenPinWrongError

PROCESSES = 16


@dataclass
class Ended:
    """A process that ended so; one that was started just now has not."""

    exitcode: int | None = None

    def is_alive(self, timeout: float) -> bool:
        assert timeout
        return self.exitcode is None

    def kill(self) -> None:
        """It is dead."""

    def join(self) -> None:
        """It is dead."""

    def start(self) -> None:
        """It runs."""


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    told: list[float] = []
    monkeypatch.setattr(serve, "Process", lambda *_: Ended())
    monkeypatch.setattr(time, "sleep", told.append)
    return told


def crew_of(*processes: Ended) -> Crew:
    crew = cast("Any", Crew.__new__(Crew))  # Its own start would take the signals of this process.
    crew.should_exit = threading.Event()
    crew.config = SimpleNamespace(timeout_worker_healthcheck=5)
    crew.sockets = []
    crew.processes = list(processes)
    return cast("Crew", crew)


def codes(crew: Crew) -> list[int | None]:
    return [process.exitcode for process in crew.processes]


def test_a_service_whose_database_is_away_ends_when_it_is_told_to(slept: list[float]) -> None:
    """Prevents: SIGTERM that is heard after a pause for each process, and is SIGKILL by then."""
    crew = crew_of(*(Ended(NOT_STARTED) for _ in range(PROCESSES)))
    crew.keep_subprocess_alive()

    assert slept == [AGAIN_SECONDS]
    assert codes(crew) == [None] * PROCESSES


def test_one_that_was_killed_is_replaced_at_once(slept: list[float]) -> None:
    crew = crew_of(Ended(), Ended(-9))
    crew.keep_subprocess_alive()

    assert (slept, codes(crew)) == ([], [None, None])


def test_a_pin_that_was_refused_is_not_tried_again_by_another_process(slept: list[float]) -> None:
    """Prevents: a token that locks, since each process that is started shows it a wrong PIN."""
    crew = crew_of(Ended(), Ended(PIN_REFUSED))
    for _ in range(3):
        crew.keep_subprocess_alive()

    assert (slept, codes(crew)) == ([], [None, PIN_REFUSED])


def test_a_service_that_no_process_of_serves_any_more_ends(slept: list[float]) -> None:
    """Prevents: an address that takes connections, and answers none, after a PIN was changed."""
    crew = crew_of(Ended(PIN_REFUSED), Ended(PIN_REFUSED))
    crew.keep_subprocess_alive()

    assert crew.should_exit.is_set()
    assert crew.refused
    assert (slept, codes(crew)) == ([], [PIN_REFUSED, PIN_REFUSED])


def test_a_service_of_which_one_process_serves_goes_on(slept: list[float]) -> None:
    crew = crew_of(Ended(), Ended(PIN_REFUSED))
    crew.keep_subprocess_alive()

    assert not crew.should_exit.is_set()
    assert not crew.refused
    assert not slept


def test_nothing_is_started_once_all_shall_end(slept: list[float]) -> None:
    crew = crew_of(Ended(-9))
    crew.should_exit.set()
    crew.keep_subprocess_alive()

    assert (slept, codes(crew)) == ([], [-9])


async def test_a_process_whose_pin_is_refused_says_so_by_how_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def prepare(_: object) -> None:
        raise TokenPinWrongError("PinIncorrect: /pin")

    def ends(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(serve, "settings_from_environment", lambda: None)
    monkeypatch.setattr(serve, "prepare", prepare)
    monkeypatch.setattr(os, "_exit", ends)
    with pytest.raises(SystemExit) as ended:
        async with serve.opens():
            pass

    assert ended.value.code == PIN_REFUSED
    assert capsys.readouterr().err == "twinlock: PinIncorrect: /pin [token_pin_wrong]\n"
