"""The file of streams: whose signals are believed. Only the operator's own commands write it.

Always true (tests/integration/test_signals_received.py): a change takes the file's place whole; a
file that others could write, or that is not what it says, lets nobody in.
"""

from pathlib import Path

import msgspec

from twinlock.adapters import private_files
from twinlock.adapters.named_lists import NamedList
from twinlock.domain.bounds import SIGNAL_STREAMS_MOST
from twinlock.domain.signal_streams import (
    Stream,
    StreamRefusedError,
    StreamUnknownError,
    check_stream,
)

NAME = "signal-streams.json"
BYTES_MOST = 2_097_152  # Sixteen streams, each with the largest key set.
TOKEN_BYTES_MOST = 4_096
_FILE = msgspec.json.Decoder(tuple[Stream, ...])


class StreamFile:
    """The streams in one directory. Implements ``ports.SignalStreams``."""

    def __init__(self, directory: Path) -> None:
        self._list = NamedList(
            directory / NAME, _FILE, limit=BYTES_MOST, name_of=lambda one: one.stream_id
        )

    def listed(self) -> tuple[Stream, ...]:
        """Return all streams, by their names. Raises FileUnsafeError, MalformedError."""
        return self._list.listed()

    def find(self, stream_id: str) -> Stream:
        """Return a stream. Raises StreamUnknownError, and what ``listed`` raises."""
        found = next((one for one in self.listed() if one.stream_id == stream_id), None)
        if found is None:
            raise StreamUnknownError("no such stream of signals")
        return found

    def token_of(self, stream: Stream) -> str:
        """Return the bearer token that goes with a stream, or "".

        Raises:
            StreamRefusedError: its file is not there, open to others, or holds none.
        """
        if not stream.token_file:
            return ""
        try:
            data = private_files.read(Path(stream.token_file), limit=TOKEN_BYTES_MOST)
        except OSError as error:
            raise StreamRefusedError(f"{stream.token_file}: {error.strerror}") from error
        token = data.decode("ascii", "replace").strip()
        if not token or not token.isascii() or not token.isprintable():
            raise StreamRefusedError(f"{stream.token_file} holds no token")
        return token

    def add(self, stream: Stream) -> None:
        """Keep a new stream. Raises StreamRefusedError: of that name there is one, or too many."""

        def more(known: tuple[Stream, ...]) -> tuple[Stream, ...]:
            if any(one.stream_id == stream.stream_id for one in known):
                raise StreamRefusedError("there is a stream of that name: remove it first")
            if len(known) >= SIGNAL_STREAMS_MOST:
                raise StreamRefusedError(f"there are {SIGNAL_STREAMS_MOST} streams at most")
            return (*known, check_stream(stream))

        self._list.change(more)

    def remove(self, stream_id: str) -> None:
        """Forget a stream; nothing of its issuer counts from then on. Raises StreamUnknownError."""

        def fewer(known: tuple[Stream, ...]) -> tuple[Stream, ...]:
            left = tuple(one for one in known if one.stream_id != stream_id)
            if left == known:
                raise StreamUnknownError("no such stream of signals")
            return left

        self._list.change(fewer)
