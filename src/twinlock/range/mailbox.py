"""The customers' mailboxes: the letters that the service left in its outbox directory.

Whoever may read a channel reads it here: its owner, and a thief who took it.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from twinlock.domain.errors import TwinlockError
from twinlock.domain.notices import NoticeKind

LOOK_SECONDS = 0.005


class LetterMissingError(TwinlockError):
    """A message that should have gone out did not."""

    code = "letter_missing"
    status = 503


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one channel, as far as a reader needs it."""

    account_id: str
    channel_id: str
    channel: str
    kind: NoticeKind
    what: str
    action_id: str = ""
    code: str = ""
    veto: str = ""
    undo: str = ""
    freeze: str = ""
    until: str = ""
    name: str = ""


class Mailbox:
    """All letters of one service, by account, oldest first; a letter that was read is taken out.

    ``patience_seconds`` is how long somebody waits for one before it counts as not sent.
    """

    def __init__(self, directory: Path, *, patience_seconds: float) -> None:
        self.directory = directory
        self._patience = patience_seconds
        self._letters: dict[str, list[Letter]] = {}

    def letters(self, account_id: str) -> tuple[Letter, ...]:
        """Return every letter to an account so far."""
        self._collect()
        return tuple(self._letters.get(account_id, ()))

    def _collect(self) -> None:
        if not self.directory.is_dir():
            return
        with os.scandir(self.directory) as found:
            names = sorted(one.name for one in found if one.name.endswith(".json"))
        for name in names:
            path = self.directory / name
            letter = msgspec.json.decode(path.read_bytes(), type=Letter)
            letter = msgspec.structs.replace(letter, name=name)
            self._letters.setdefault(letter.account_id, []).append(letter)
            path.unlink()

    async def wait_for(self, account_id: str, enough: Callable[[tuple[Letter, ...]], bool]) -> bool:
        """Wait until ``enough`` is true of the letters to an account; say whether it became so."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        while not enough(self.letters(account_id)):
            if loop.time() > until:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def first_code(self, account_id: str, *, action_id: str, elsewhere: set[str]) -> str:
        """Return the newest code for an action that went to none of the channels ``elsewhere``.

        Raises:
            LetterMissingError: none arrived.
        """

        def fitting(letters: tuple[Letter, ...]) -> list[str]:
            about = (one for one in letters if one.code and one.action_id == action_id)
            return [one.code for one in about if one.channel_id not in elsewhere]

        if not await self.wait_for(account_id, lambda letters: bool(fitting(letters))):
            raise LetterMissingError(f"no code arrived for {action_id}")
        return fitting(self.letters(account_id))[-1]

    async def code(self, account_id: str, *, action_id: str, channel_id: str, number: int) -> str:
        """Return code ``number``, from 1, that was sent to a channel for an action.

        Raises:
            LetterMissingError: it did not arrive.
        """

        def fitting(letters: tuple[Letter, ...]) -> list[str]:
            return [
                one.code
                for one in letters
                if one.code and (one.action_id, one.channel_id) == (action_id, channel_id)
            ]

        if not await self.wait_for(account_id, lambda letters: len(fitting(letters)) >= number):
            raise LetterMissingError(f"no code arrived for {action_id}")
        return fitting(self.letters(account_id))[number - 1]
