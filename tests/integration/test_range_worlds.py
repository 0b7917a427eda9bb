"""The range on a real database, over real HTTP; and in memory, where it must answer the same."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path

import httpx
import msgspec
import pytest
from rich.console import Console
from support.ranges import check_readme, shipped
from tidy.repository import environment

from twinlock.cli.demo import FORGED_FAULT, FORGED_STEP, Shown, leave, show
from twinlock.cli.ranges import WIDTH_OF_A_PAGE
from twinlock.domain.canonical import encode
from twinlock.domain.errors import TwinlockError
from twinlock.range.comparison import holds
from twinlock.range.honest import forged_refusal, verified, withdraw_honestly
from twinlock.range.profiles import BASELINE, DEFAULT, PROFILES, TYPICAL, rules_of
from twinlock.range.results import Kind, Status, told
from twinlock.range.venue import (
    BEGINNING,
    PREFIX,
    base_directory,
    open_service,
    open_world,
    own_directory,
)

pytestmark = pytest.mark.timeout(480)
# These are played on a database too; the others in memory (tests/attacks/test_owners_halves.py).
TOLD = ("S01", "S02", "S07", "S15")
VERIFIED_STEPS = 12  # Those of proofs.bundles.


DEMANDS = (Kind.MUST, Kind.MUST_NOT)
# What the rules of others do not keep; ours keep all of it.
BROKEN = {
    BASELINE: {
        *(("S01", one) for one in ("m1", "m2", "m3", "n1")),
        *(("S02", one) for one in ("m1", "m2", "m3", "n1")),
        *(("S07", one) for one in ("m1", "m2", "m4", "n1")),
        ("S15", "m1"),
    },
    TYPICAL: {
        ("S01", "m2"),
        ("S01", "n1"),  # A change stops the chain and P2P; a bank and other members stay open.
        *(("S02", one) for one in ("m1", "m2", "n1")),
        ("S07", "m1"),
        ("S15", "m1"),
    },
}


@pytest.mark.parametrize("profile", PROFILES)
async def test_every_story_is_played_in_full_under_every_profile(profile: str) -> None:
    played = [await shipped(name, profile=profile) for name in TOLD]

    unplayed = {
        (story.id, part.id)
        for story in played
        for part in story.parts
        if part.status is Status.NOT_PLAYABLE
    }
    assert unplayed == set()
    assert all(story.status is not Status.FAILED for story in played)
    lost = {story.id for story in played if story.lost_cents}
    assert lost == ({"S01", "S02", "S07"} if profile == BASELINE else set())
    demands = [(story.id, part) for story in played for part in story.parts if part.kind in DEMANDS]
    assert {(name, part.id) for name, part in demands if not holds(part)} == BROKEN.get(
        profile, set()
    )


@pytest.mark.parametrize("name", TOLD)
async def test_every_story_stands_in_the_readme_as_it_went(name: str) -> None:
    await check_readme(name)


async def test_an_honest_withdrawal_leaves_evidence_that_verifies_and_cannot_be_forged() -> None:
    at = BEGINNING.replace(year=2026)
    async with open_service(rules_of(DEFAULT)) as venue:
        honest = await withdraw_honestly(venue, at=at)

    seen, refused = verified(honest), forged_refusal(honest)
    assert seen.spent
    assert at - timedelta(minutes=1) <= seen.at <= at  # The decision is dated in no future.
    assert len(seen.assertions) == 1
    assert honest.cleared.consented
    assert refused is not None
    assert (refused.name, refused.fault) == (FORGED_STEP, FORGED_FAULT)


async def test_under_the_rules_of_2024_there_is_no_assertion_and_no_signature() -> None:
    async with open_world(rules_of(BASELINE)) as venue:
        with pytest.raises(TwinlockError):
            await withdraw_honestly(venue, at=BEGINNING.replace(year=1990))


async def test_nothing_is_left_of_a_service_when_its_block_ends() -> None:
    async with open_service(rules_of(DEFAULT)) as venue:
        outbox = venue.mailbox.directory
        url = str(venue.http.base_url)
        assert (await venue.client.checkpoint()).startswith(b"localhost/twinlock-range\n")

    assert not outbox.parent.parent.exists()
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)


async def test_a_key_of_the_platform_is_rotated_before_it_expires() -> None:
    async with open_world(rules_of(DEFAULT)) as venue:
        first = venue.http.headers["Authorization"]
        await venue.set_forward(BEGINNING.replace(year=1981, month=2, day=3))
        second = venue.http.headers["Authorization"]
        await venue.set_forward(BEGINNING.replace(year=1981, month=2, day=4))

        assert venue.http.headers["Authorization"] == second != first
        await venue.client.open_account({}, key="after-400-days")


def twinlock(*words: str, module: str = "twinlock") -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", module, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # As in tests/conftest.py: to count its lines would take it half as long again.
        env={name: value for name, value in environment().items() if "COVERAGE" not in name}
        | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def finished(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    with process:  # Every exit of every story takes the demo minutes where the machine is busy.
        try:
            out, err = process.communicate(timeout=400)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return process.returncode, out.decode(), err.decode()


def as_typed(line: str) -> int:
    """Run a line that the demo printed as a shell runs it; return its exit code."""
    return subprocess.run(  # noqa: S602 - our own words, and quoting is what is tested
        line, shell=True, env=environment(), capture_output=True, check=False
    ).returncode


async def test_the_demo_plays_every_story_as_it_goes_in_memory_and_leaves_evidence(
    tmp_path: Path,
) -> None:
    evidence = tmp_path / "evidence"

    code, out, err = finished(
        twinlock("demo", "--json", "--evidence", str(evidence), module="support.light_hashes")
    )

    found = msgspec.json.decode(out)
    assert (code, found["differences"], found["evidence"]) == (0, [], str(evidence)), err
    in_memory = [await shipped(name, profile=profile) for profile in PROFILES for name in TOLD]
    assert found["stories"] == msgspec.json.decode(encode(told(in_memory)))
    assert (len(found["verified"]), found["forged"]) == (
        VERIFIED_STEPS,
        {"step": FORGED_STEP, "fault": FORGED_FAULT},
    )
    assert [one.name for one in sorted(evidence.iterdir())] == [
        "bundle.json",
        "forged.json",
        "trust.json",
    ]
    trust = ("--trust", str(evidence / "trust.json"))
    good, _, _ = finished(twinlock("verify", str(evidence / "bundle.json"), *trust))
    bad, said, _ = finished(twinlock("verify", str(evidence / "forged.json"), *trust))
    assert (good, bad) == (0, 1)
    assert "openings" in said


async def test_what_the_demo_prints_fits_a_page_and_its_lines_can_be_typed(tmp_path: Path) -> None:
    async with open_service(rules_of(DEFAULT)) as venue:
        honest = await withdraw_honestly(venue, at=BEGINNING.replace(year=2026))
    shown = Shown(
        played=tuple(
            [await shipped(name, profile=profile) for profile in PROFILES for name in TOLD]
        ),
        honest=honest,
        verified=verified(honest),
        forged=forged_refusal(honest),
    )
    leave(honest, tmp_path)
    page = StringIO()

    show(Console(width=WIDTH_OF_A_PAGE, highlight=False, file=page), shown, tmp_path)

    lines = page.getvalue().splitlines()
    for said in (*TOLD, "US$1,000,000", "US$0", "Verified offline", "refused: "):
        assert said in page.getvalue()
    assert "mallory" not in page.getvalue()
    assert "differs" not in page.getvalue()
    commands = [line for line in lines if line.startswith("    ") and "-m twin" in line]
    assert max(len(line) for line in lines if line not in commands) <= WIDTH_OF_A_PAGE
    assert [as_typed(line) for line in commands] == [0, 1, 0, 0]


def test_a_run_that_is_terminated_leaves_nothing_behind(tmp_path: Path) -> None:
    process = twinlock("range", "run", "S02")
    assert process.stderr is not None
    told = process.stderr.readline()
    while b"attack" not in told:
        told = process.stderr.readline()
    places = directories_of(process.pid)

    process.send_signal(signal.SIGTERM)
    code, _, _ = finished(process)

    assert code == 128 + signal.SIGTERM
    assert len(places) == 1
    assert directories_of(process.pid) == []


def directories_of(pid: int) -> list[Path]:
    """Return the directories that a process of the range made and did not remove."""
    return sorted(base_directory().glob(f"{PREFIX}{pid}-*"))


def test_a_directory_of_the_range_is_private_and_short() -> None:
    with own_directory() as path:
        mode = path.stat().st_mode & 0o777

        assert mode == (0o711 if os.geteuid() == 0 else 0o700)
        assert len(str(path)) < 60
    assert not path.exists()


def test_what_json_tells_is_one_value() -> None:
    code, out, _ = finished(twinlock("range", "run", "S07", "--world", "--json"))

    [story] = msgspec.json.decode(out)
    assert (code, story["id"], story["profile"]) == (0, "S07", "default")


def test_two_services_run_side_by_side() -> None:
    async def both() -> list[bytes]:
        async with open_service(rules_of(DEFAULT)) as one, open_service(rules_of(BASELINE)) as two:
            return [await one.client.checkpoint(), await two.client.checkpoint()]

    first, second = asyncio.run(both())
    assert first != second
