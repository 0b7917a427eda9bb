"""Rows checked by a process of their own: the same words, and nothing of it left behind."""

import io
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from support.imports import ADDRESS, LAYOUT, OLD_SITE, SEED, SOURCE, a_row, base32, lines
from support.policies import DEFAULT

from twinlock.bootstrap.checking_rows import (
    Begin,
    answer,
    checking_beside,
    checking_here,
    framed,
)
from twinlock.domain.account import Chain
from twinlock.domain.errors import UnavailableError
from twinlock.domain.importing.faults import RowFault
from twinlock.services.importing.checking import Checked

NOW = datetime(2026, 11, 29, tzinfo=UTC)
BEGIN = Begin(
    draft=DEFAULT.draft,
    sites=frozenset({OLD_SITE}),
    log_origin="log.example",
    source=SOURCE,
    layout=LAYOUT,
)
ROWS = lines(
    a_row(
        "first",
        phones=["+15550001"],
        totp=[{"seed": base32(SEED)}],
        destinations=[{"network": "ethereum", "address": ADDRESS, "label": "mine"}],
    ),
    a_row("second") | {"reference": "=1"},
    a_row("third", destinations=[{"network": "ethereum", "address": "0x12"}]),
)


def without_chance(one: Checked) -> Checked:
    """Return what was found, without the random key of its label."""
    if one.arrival is None:
        return one
    account = msgspec.structs.replace(one.arrival.account, chain=Chain(label_key=""))
    return msgspec.structs.replace(
        one, arrival=msgspec.structs.replace(one.arrival, account=account)
    )


def helpers() -> list[int]:
    """Return the processes that check rows for this one."""
    lists = Path("/proc/self/task").glob("*/children")
    children = [int(pid) for one in lists for pid in one.read_text().split()]
    return [
        pid for pid in children if b"checking_rows" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


async def test_another_process_says_the_same_of_each_row_and_ends_with_its_work() -> None:
    here = await checking_here(BEGIN)(ROWS, NOW)
    async with checking_beside(BEGIN) as check:
        beside = await check(ROWS, NOW)
        again = await check(ROWS[:1], NOW)
        assert len(helpers()) == 1

    assert [*map(without_chance, beside)] == [*map(without_chance, here)]
    assert [*map(without_chance, again)] == [without_chance(here[0])]
    assert [one.fault for one in here] == [None, RowFault.FORMULA, RowFault.DESTINATION_REFUSED]
    keys = {one.arrival.account.chain.label_key for one in (here[0], beside[0]) if one.arrival}
    assert len(keys) == 2
    assert helpers() == []


async def test_a_process_that_is_gone_ends_the_import_and_is_told() -> None:
    async with checking_beside(BEGIN) as check:
        await check(ROWS, NOW)
        (helper,) = helpers()
        os.kill(helper, signal.SIGKILL)
        with pytest.raises(UnavailableError, match="checks rows ended"):
            await check(ROWS, NOW)
        with pytest.raises(UnavailableError):
            await check(ROWS, NOW)


async def test_a_process_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinlock.bootstrap.checking_rows.END_SECONDS", 0.1)
    async with checking_beside(BEGIN) as check:
        await check(ROWS, NOW)
        (helper,) = helpers()
        os.kill(helper, signal.SIGSTOP)

    assert helpers() == []


def test_it_answers_until_there_is_no_more_and_half_a_question_is_none() -> None:
    asked = framed({"lines": ROWS, "now": NOW})
    told = io.BytesIO()
    answer(io.BytesIO(framed(BEGIN) + asked + asked), told)

    size = int.from_bytes(told.getvalue()[:4], "big")
    assert len(told.getvalue()) == 2 * (4 + size)
    with pytest.raises(msgspec.DecodeError):
        answer(io.BytesIO(framed(BEGIN) + asked[:-1]), io.BytesIO())
