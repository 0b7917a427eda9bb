"""``twinlock prove``: the theorem of what is shipped, its certificate, and what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.commands import Ended
from support.commands import run as forked

from twinlock.adapters.policies import shipped

LONGEST_SECONDS = 240  # It is ten on a machine that does nothing else.
pytestmark = pytest.mark.timeout(2 * LONGEST_SECONDS)


async def refused(*words: str) -> Ended:
    """Run a command that is soon over, in a process that has the program loaded."""
    return await forked({}, *words)


def run(*words: str) -> Ended:
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "twinlock", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_SECONDS,
    )
    return Ended(code=ended.returncode, out=ended.stdout, err=ended.stderr)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proof")


@pytest.fixture(scope="module")
def certificate(place: Path) -> Path:
    return place / "default.certificate.json"


@pytest.fixture(scope="module")
def proved(certificate: Path) -> Ended:
    return run("prove", "--json", "--out", str(certificate))


def test_default_takes_two_thefts_in_every_state(proved: Ended) -> None:
    assert proved.code == 0, proved.err
    told: dict[str, Any] = json.loads(proved.out)

    assert told["proved"] is True
    assert told["states"] == len(told["verdicts"]) > 7_000
    assert min(one["k"] for one in told["verdicts"]) == 2
    assert {one["profile"] for one in [told]} == {"default"}


def test_a_certificate_is_small_and_is_accepted_for_its_own_policy(
    proved: Ended, certificate: Path
) -> None:
    assert certificate.stat().st_size < 10_000, proved.err

    checked = run("prove", "--check", str(certificate), "--json")

    assert (checked.code, json.loads(checked.out)["proved"]) == (0, True)


async def test_a_certificate_that_is_edited_or_cut_or_foreign_is_refused(
    proved: Ended, certificate: Path, place: Path
) -> None:
    """Before anything is derived that takes seconds, where it can be."""
    assert proved.code == 0
    whole = certificate.read_bytes()  # noqa: ASYNC240 - nothing else runs beside it
    bad = {
        "cut": whole[: len(whole) // 2],
        "none": b"",
        "words": b"proved",
        "long": whole + b" " * 100_000,
        "field": whole.replace(b'"form":', b'"more":1,"form":'),
    }
    for name, data in bad.items():
        path = place / f"{name}.json"
        path.write_bytes(data)
        checked = await refused("prove", "--check", str(path))
        assert (checked.code, checked.out) == (2, ""), name
        assert "[certificate_refused]" in checked.err, name

    os.mkfifo(place / "pipe.json")
    pipe = await refused("prove", "--check", str(place / "pipe.json"))
    assert (pipe.code, pipe.out) == (2, "")
    assert "is no regular file [file_unreadable]" in pipe.err

    other = await refused("prove", "--profile", "strict", "--check", str(certificate))
    assert other.code == 2
    assert "another policy [certificate_refused]" in other.err


async def test_what_is_no_policy_is_told_as_that(place: Path) -> None:
    path = place / "broken.cedar"
    path.write_text("permit (principal, action, resource)")

    ended = await refused("prove", "--profile", str(path))

    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err


async def test_a_profile_that_is_none_is_told_with_those_that_there_are(place: Path) -> None:
    for bad in ("nope", str(place)):
        ended = await refused("prove", "--profile", bad)

        assert (ended.code, ended.out) == (2, ""), bad
        assert "baseline-2024, typical-2026, default, strict [profile_unknown]" in ended.err, bad


def test_what_is_not_proved_is_not_told_as_if_it_were(place: Path) -> None:
    ended = run("prove", "--profile", "typical-2026", "--out", str(place / "typical.json"))

    assert ended.code == 1, ended.err
    assert ended.out.startswith("NOT proved: typical-2026")
    second = ended.out.splitlines()[1]
    assert second.startswith("  fewer than 2 compromises take more than a small sum a day in 7,")
    assert "no more than" not in ended.out
    assert not (place / "typical.json").exists()


def test_a_change_of_policy_is_told_with_the_attacks_that_it_opens(place: Path) -> None:
    text = shipped("default")
    start = text.index('@id("narrow.destination.add.waits")')
    end = text.index('@id("narrow.exits.new_destination_waits")')
    weaker = place / "weaker.cedar"
    weaker.write_text(text[:start] + text[end:])

    ended = run("policy", "diff", "default", str(weaker), "--json")

    assert ended.code == 1, ended.err
    attacks = json.loads(ended.out)["attacks"]
    assert attacks["vanished"] == []
    assert any(
        one.startswith("phone_malware: 1 day, by every exit, US$1,000 a day")
        for one in attacks["new"]
    )


@pytest.mark.parametrize("option", ["--out", "--html"])
async def test_where_nothing_can_be_written_is_told_before_anything_is_proved(
    place: Path, option: str
) -> None:
    for path, says in ((place, "Is a directory"), (place / "no" / "file", "No such file")):
        ended = await refused("prove", option, str(path))

        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"twinlock: {says}")
        assert "[system_refused]" in ended.err
        assert len(ended.err.splitlines()) == 1
