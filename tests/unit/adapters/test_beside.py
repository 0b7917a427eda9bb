"""What is logged of work that goes on beside the requests."""

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from twinlock.adapters.beside import Trouble, attempt, beside
from twinlock.domain.errors import KeyringWrongError


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def line(reason: str, code: str, **more: object) -> EventDict:
    told = {"event": "keys_wait", "log_level": "warning", "reason": reason, "code": code}
    return {**told, **more}


async def fine() -> None:
    pass


async def test_a_failure_is_told_when_it_begins_changes_and_is_over(
    logged: list[EventDict],
) -> None:
    texts = ["an older keyring", "an older keyring", "open to others", "an older keyring"]
    trouble = Trouble("keys_wait")
    await trouble.attempt(fine)
    for text in texts:

        async def fails(text: str = text) -> None:
            raise KeyringWrongError(text)

        await trouble.attempt(fails)
    for _ in range(2):
        await trouble.attempt(fine)

    assert logged == [
        line("KeyringWrongError", "keyring_wrong", text="an older keyring"),
        line("KeyringWrongError", "keyring_wrong", text="open to others"),
        line("KeyringWrongError", "keyring_wrong", text="an older keyring"),
        {"event": "keys_wait", "log_level": "warning", "over": True},
    ]


async def test_what_the_system_says_is_told_and_what_others_say_is_not(
    logged: list[EventDict],
) -> None:
    """Prevents: the values of a row in the log, which a database's error quotes."""

    async def no_file() -> None:
        raise FileNotFoundError(2, "No such file or directory", "/keys")

    async def quotes() -> None:
        raise ValueError("hunter2")

    await attempt("keys_wait", no_file)
    await attempt("keys_wait", quotes)

    assert logged == [
        line("FileNotFoundError", "", text="[Errno 2] No such file or directory: '/keys'"),
        line("ValueError", ""),
    ]


async def test_work_beside_is_tried_again_and_tells_one_trouble_once(
    logged: list[EventDict],
) -> None:
    tried = asyncio.Semaphore(0)

    async def fails() -> None:
        tried.release()
        raise KeyringWrongError("open to others")

    async with beside("keys_wait", fails, pause=0):
        for _ in range(3):
            await tried.acquire()

    assert logged == [line("KeyringWrongError", "keyring_wrong", text="open to others")]
