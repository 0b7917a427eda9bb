"""Rows of a file checked by a process of their own, beside the one that opens accounts.

One process reads, checks, decides and seals 1,000 accounts a second or so; half of that is work on
a row alone, which a second core does meanwhile. It is told what rows are held to, then lines, and
says what each is: frames of a length (four bytes, big-endian) and MessagePack, over two pipes. It
has no database, opens no file, and ends when its first pipe does, also where who asked was killed.

usage: python -m twinlock.bootstrap.checking_rows, by ``checking_beside`` alone
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import BinaryIO

import msgspec

from twinlock.adapters.system import SystemEntropy
from twinlock.bootstrap.collecting import spare_collections
from twinlock.domain.errors import UnavailableError, present
from twinlock.domain.policy.version import Draft, Policy
from twinlock.proofs.importing import Terms
from twinlock.services.importing.checking import Check, Checked, Checks, Lines, checked
from twinlock.services.importing.reading import Layout

LENGTH_BYTES = 4
END_SECONDS = 5.0  # For a process that was told that there is no more; it has nothing to finish.


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """What all rows of a file are held to, in a form that crosses a pipe."""

    draft: Draft
    sites: frozenset[str]
    log_origin: str
    source: str
    layout: Layout

    @property
    def checks(self) -> Checks:
        """The same, to check by."""
        terms = Terms(policy=Policy(self.draft), sites=self.sites)
        return Checks(terms=terms, log_origin=self.log_origin, source=self.source)


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    lines: tuple[tuple[int, bytes], ...]
    now: datetime


_answers = msgspec.msgpack.Decoder(tuple[Checked, ...])


def checking_here(begin: Begin) -> Check:
    """Return what checks lines in this process."""
    reader, checks, entropy = begin.layout.reader(), begin.checks, SystemEntropy()

    async def check(lines: Lines, now: datetime) -> Sequence[Checked]:
        return checked(lines, reader, checks, entropy=entropy, now=now)

    return check


@asynccontextmanager
async def checking_beside(begin: Begin) -> AsyncIterator[Check]:
    """Start a process that checks lines, for as long as the block lasts.

    What it gives raises UnavailableError where that process is gone.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "twinlock.bootstrap.checking_rows"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,  # What breaks there may quote a row.
        start_new_session=True,  # A terminal's Ctrl-C ends who asked, and that ends it.
    )
    try:
        _send(process, begin)
        yield lambda lines, now: _asked(process, lines, now)
    finally:
        present(process.stdin, "it has a pipe").close()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _asked(process: Process, lines: Lines, now: datetime) -> Sequence[Checked]:
    to, source = present(process.stdin, "it has a pipe"), present(process.stdout, "it has a pipe")
    try:
        if to.is_closing():
            raise EOFError  # noqa: TRY301 - what a read would say
        _send(process, _Asked(lines=tuple(lines), now=now))
        await to.drain()
        size = int.from_bytes(await source.readexactly(LENGTH_BYTES), "big")
        return _answers.decode(await source.readexactly(size))
    except (OSError, EOFError) as error:
        raise UnavailableError("the process that checks rows ended") from error


def _send(process: Process, value: msgspec.Struct) -> None:
    present(process.stdin, "it has a pipe").write(framed(value))


def framed(value: object) -> bytes:
    """Return a value as it crosses a pipe."""
    data = msgspec.msgpack.encode(value)
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


def answer(asked: BinaryIO, told: BinaryIO) -> None:
    """Answer what is asked, until there is no more."""
    begin = msgspec.msgpack.decode(_frame(asked), type=Begin)
    reader, checks, entropy = begin.layout.reader(), begin.checks, SystemEntropy()
    spare_collections()
    while data := _frame(asked):
        one = msgspec.msgpack.decode(data, type=_Asked)
        told.write(framed(checked(one.lines, reader, checks, entropy=entropy, now=one.now)))
        told.flush()


def _frame(asked: BinaryIO) -> bytes:
    """Return the next frame, or nothing at the end."""
    return asked.read(int.from_bytes(asked.read(LENGTH_BYTES), "big"))


if __name__ == "__main__":
    answer(sys.stdin.buffer, sys.stdout.buffer)
