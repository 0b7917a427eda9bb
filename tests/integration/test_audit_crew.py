"""The crew of an audit: it checks every part, tells of its dead, and outlives nobody."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from support.commands import alive, environment, until
from support.crew_tasks import Counting, Dying

from twinlock.cli.crew import AuditCutOffError, ProcessCrew
from twinlock.domain.audit.parts import Leaves

PARTS = [Leaves(start=number * 10, stop=number * 10 + 10) for number in range(20)]


async def test_every_part_is_checked_once() -> None:
    with ProcessCrew.of(Counting(), jobs=2) as crew:
        checked = [one async for one in crew.check(PARTS)]
        again = [one async for one in crew.check(PARTS[:1])]

    assert sorted(one.first for one in checked) == [part.start for part in PARTS]
    assert sum(one.leaves for one in checked) == 200
    assert [one.first for one in again] == [0]


async def test_nothing_is_taken_for_checked_when_a_member_is_killed() -> None:
    with ProcessCrew.of(Dying(), jobs=2) as crew:
        checked = crew.check(PARTS)

        with pytest.raises(AuditCutOffError):
            await anext(checked)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_members_end_with_whoever_hired_them(tmp_path: Path, sent: signal.Signals) -> None:
    """Even while each waits for a database that will never answer."""
    started = tmp_path / "started"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "support.crew_tasks",
        str(started),
        env=environment({}),
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(30):
        await until(lambda: len(written(started)) == 2)
        members = written(started)
        assert all(alive(pid) for pid in members)

        process.send_signal(sent)
        await process.wait()

        await until(lambda: not any(alive(pid) for pid in members))


def written(path: Path) -> list[int]:
    """Return the process ids that were written so far."""
    return [int(pid) for pid in path.read_text("ascii").split()] if path.exists() else []
