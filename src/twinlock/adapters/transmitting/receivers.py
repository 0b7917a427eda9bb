"""The receivers that the operator named, in one file: read anew with each question.

Always true (tests/unit/adapters/test_told_receivers.py): no database, no platform and no receiver
can add one; a bearer token stands nowhere, but its SHA-256.
"""

import hmac
from hashlib import sha256
from pathlib import Path

import msgspec
import structlog

from twinlock.adapters.named_lists import NamedList
from twinlock.domain.bounds import TOLD_RECEIVERS_MOST
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import FileUnsafeError, MalformedError
from twinlock.domain.transmitting.streams import (
    Receiver,
    ReceiverId,
    ReceiverRefusedError,
    ReceiversUnreadableError,
    ReceiverTokenRefusedError,
    ReceiverUnknownError,
)

NAME = "signal-receivers.json"
BYTES_MOST = 262_144  # Sixteen receivers, each with many origins.
_log = structlog.get_logger(__name__)
_FILE = msgspec.json.Decoder(tuple[Receiver, ...])


def digest_of(token: str) -> str:
    """Return what is kept of a bearer token; of 256 random bits a plain hash tells nothing."""
    return b64url(sha256(token.encode("utf-8")).digest())


class ReceiverFile:
    """The receivers in one directory. Implements ``ports.Receivers``."""

    def __init__(self, directory: Path) -> None:
        self._list = NamedList(
            directory / NAME, _FILE, limit=BYTES_MOST, name_of=lambda one: one.name
        )

    def listed(self) -> tuple[Receiver, ...]:
        """Return all receivers, by their names. Raises FileUnsafeError, MalformedError."""
        return self._list.listed()

    def showing(self, token: str) -> Receiver:
        """Return whose bearer token this is: strangers ask, and are told nothing of the file.

        Raises:
            ReceiverTokenRefusedError: nobody's.
            ReceiversUnreadableError: the file is somebody else's, or is not what it says.
        """
        shown = digest_of(token).encode("ascii")
        try:
            known = self.listed()
        except (FileUnsafeError, MalformedError) as error:
            _log.warning("receivers_unreadable", text=str(error))
            raise ReceiversUnreadableError("no receiver can be looked up now") from error
        for one in known:
            if hmac.compare_digest(one.token_digest.encode("utf-8"), shown):
                return one
        raise ReceiverTokenRefusedError("no receiver of signals has this token")

    def find(self, receiver_id: ReceiverId) -> Receiver:
        """Return a receiver. Raises ReceiverUnknownError, and what ``listed`` raises."""
        found = next((one for one in self.listed() if one.receiver_id == receiver_id), None)
        if found is None:
            raise ReceiverUnknownError("no such receiver of signals")
        return found

    def add(self, receiver: Receiver) -> None:
        """Keep a new receiver. Raises ReceiverRefusedError: of that name is one, or too many."""

        def more(known: tuple[Receiver, ...]) -> tuple[Receiver, ...]:
            if any(one.name == receiver.name for one in known):
                raise ReceiverRefusedError("there is a receiver of that name: remove it first")
            if len(known) >= TOLD_RECEIVERS_MOST:
                raise ReceiverRefusedError(f"there are {TOLD_RECEIVERS_MOST} receivers at most")
            return (*known, receiver)

        self._list.change(more)

    def remove(self, name: str) -> Receiver:
        """Forget a receiver, whose token opens nothing from then on; return what it was.

        Raises:
            ReceiverUnknownError: there is none of that name.
        """
        gone: list[Receiver] = []

        def fewer(known: tuple[Receiver, ...]) -> tuple[Receiver, ...]:
            gone.extend(one for one in known if one.name == name)
            if not gone:
                raise ReceiverUnknownError("no such receiver of signals")
            return tuple(one for one in known if one.name != name)

        self._list.change(fewer)
        return gone[0]
