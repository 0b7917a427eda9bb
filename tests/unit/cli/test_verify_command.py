import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from msgspec.structs import replace
from support.bundles import MALLORYS_KEY, TRUST, House, checkpoint, phone, trust
from support.cast import NOON
from support.forgeries import Forger, the_cast
from tidy.repository import environment
from typer.testing import CliRunner, Result

from twinlock.cli.console import plain
from twinlock.cli.files import FileUnreadableError
from twinlock.cli.verify import verify_command
from twinlock.domain.actions import FreezeSet
from twinlock.domain.canonical import encode
from twinlock.domain.errors import MalformedError, QuorumError, UntrustedNoteError
from twinlock.domain.log.note import MAX_NOTE_BYTES
from twinlock.proofs.device_keys import read_jwk
from twinlock.range.device import SoftwareDevice

APP = typer.Typer()
APP.command()(verify_command)


class Desk:
    """An auditor's directory: a bundle, a trust file, and whatever else he kept."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write("trust.json", encode(TRUST))
        self.write("bundle.json", Forger(the_cast().house, the_cast().paid).to_bytes())

    def write(self, name: str, data: bytes) -> None:
        (self.directory / name).write_bytes(data)

    def verify(self, *more: str, bundle: str = "bundle.json") -> Result:
        trust = str(self.directory / "trust.json")
        return CliRunner().invoke(APP, [str(self.directory / bundle), "--trust", trust, *more])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_honest_bundle_is_told_step_by_step(desk: Desk) -> None:
    told = desk.verify()

    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [
        ["1", "ok", "form"],
        ["2", "ok", "checkpoint"],
    ]
    assert "verified: withdrawal.crypto was authorized and spent" in lines
    assert "  amount_minor: 50 USDT (50000000)" in lines
    assert "  spend_id: payout-1" in lines
    assert "  fee_minor: 5 of the smallest units of the network's own coin" in lines
    assert not any(line.endswith(": ") for line in lines)
    assert "  the customer's own signature: 1" in lines
    assert "  by the operator's record only: nothing" in lines
    assert "\x1b" not in told.stdout


def test_the_device_that_asked_is_told_with_its_session_and_its_time(desk: Desk) -> None:
    house = House()
    alice = house.open_account(phone())
    laptop = SoftwareDevice(bytes(32))
    session = house.sign_in(alice, laptop, phone())
    payload = FreezeSet(account=alice)
    action = house.propose(payload, session=house.signed(payload, session, laptop))
    desk.write("bundle.json", encode(house.bundle(action)))

    told = desk.verify().stdout
    shown = json.loads(desk.verify("--json").stdout)

    (device,) = shown["device_signatures"]
    assert device["thumbprint"] == read_jwk(laptop.jwk()).thumbprint()
    assert (
        f"  signed by device key {device['thumbprint']}, of the session begun in entry "
        f"{device['session_index']}, at 2026-01-15 14:00:00 UTC by the device\n"
    ) in told


def test_the_witness_that_came_first_does_not_date_the_quorum(desk: Desk) -> None:
    house, late = the_cast().house, the_cast().house.now + timedelta(seconds=44)
    forger = Forger(house, the_cast().paid)
    first = checkpoint(house.seen(), at=house.now, witnesses=(0,))
    second = checkpoint(house.seen(), at=late, witnesses=(1,))
    forger.doc["checkpoint"] = (first + second.splitlines(keepends=True)[-1]).decode()
    desk.write("bundle.json", forger.to_bytes())

    told = desk.verify().stdout

    at = f"{house.now:%Y-%m-%d %H:%M:%S} UTC"
    assert f"  time: a whole quorum cosigned at {at} or later\n" in told


def test_what_rests_on_the_operators_word_is_said_to(desk: Desk) -> None:
    desk.write("code.json", Forger(the_cast().house, the_cast().carols).to_bytes())
    base = TRUST.log.replace("quorum both", "quorum none")
    desk.write("trust.json", encode(replace(TRUST, log=base)))

    told = desk.verify(bundle="code.json").stdout

    assert "the customer's own signature: none" in told
    assert "by the operator's record only: totp" in told
    assert "the operator alone says when" in told


def test_a_refusal_says_which_step_and_why(desk: Desk) -> None:
    forger = Forger(the_cast().house, the_cast().paid)
    forger.decision["openings"]["action"][1] = '"act_mallory"'
    desk.write("bundle.json", forger.to_bytes())

    told = desk.verify()

    assert told.exit_code == 1
    assert "refused in step 6, openings" in told.stdout
    assert "commitment (the field action) [opening_wrong]" in told.stdout
    assert " 5  ok  leaf" in told.stdout
    assert " 6  no  openings" in told.stdout


def test_programs_are_told_in_json(desk: Desk) -> None:
    shown = json.loads(desk.verify("--json").stdout)

    assert (shown["verified"], shown["spent"], len(shown["steps"])) == (True, True, 12)
    assert shown["payload"]["type"] == "withdrawal.crypto"
    assert shown["authorization"]["spend"] == "payout-1"
    assert (shown["spend_id"], shown["fee_minor"]) == ("payout-1", "5")
    assert [one["binding_index"] for one in shown["assertions"]] == [1]


def test_programs_are_told_of_a_refusal_in_json(desk: Desk) -> None:
    desk.write("bundle.json", b"{}")

    told = desk.verify("--json")

    assert told.exit_code == 1
    assert json.loads(told.stdout) == {
        "fault": "bundle_malformed",
        "name": "form",
        "says": "this is not a bundle: a member is missing, unknown, or of another form",
        "step": 1,
        "steps": [],
        "verified": False,
    }


def test_a_bundle_without_an_authorization_is_told_as_json(desk: Desk) -> None:
    forger = Forger(the_cast().house, the_cast().paid)
    forger.doc["authorization"] = ""
    desk.write("bundle.json", forger.to_bytes())

    assert json.loads(desk.verify("--json").stdout)["authorization"] is None


def test_an_older_checkpoint_shows_that_the_log_only_grew(desk: Desk) -> None:
    house = the_cast().house
    desk.write("older", checkpoint(house.seen(3), at=NOON))
    desk.write("grown.json", Forger(house, the_cast().paid, consistent_from=3).to_bytes())
    older = str(desk.directory / "older")

    assert (
        "extends the head of 3 entries" in desk.verify("--since", older, bundle="grown.json").stdout
    )
    told = desk.verify("--since", older).stdout
    assert "fetch it again with ?consistent_from=3 [consistency_missing]\n" in told
    assert "nothing leads from" not in told


def test_a_kept_checkpoint_that_is_not_believed_is_told_as_the_kept_one(desk: Desk) -> None:
    """Prevents: an auditor who looks for the fault in the bundle, or gives up on growth."""
    house = the_cast().house
    desk.write("grown.json", Forger(house, the_cast().paid, consistent_from=3).to_bytes())
    desk.write("unseen", checkpoint(house.seen(3), at=NOON, witnesses=()))
    desk.write("cut", b"example.org/log")
    desk.write("foreign", checkpoint(house.seen(3), at=NOON, key=MALLORYS_KEY))

    def told(older: str) -> BaseException | None:
        return desk.verify("--since", str(desk.directory / older), bundle="grown.json").exception

    unseen, cut, foreign = told("unseen"), told("cut"), told("foreign")

    assert isinstance(unseen, QuorumError)
    assert str(unseen).startswith("the checkpoint of --since: too few witnesses cosigned. If you")
    assert "verify the bundle twice" in str(unseen)
    assert isinstance(cut, MalformedError)
    assert isinstance(foreign, UntrustedNoteError)
    assert all(str(one).startswith("the checkpoint of --since: ") for one in (cut, foreign))


def test_the_way_on_from_before_witnesses_shows_growth_and_the_quorum(desk: Desk) -> None:
    house = the_cast().house
    desk.write("grown.json", Forger(house, the_cast().paid, consistent_from=3).to_bytes())
    desk.write("unseen", checkpoint(house.seen(3), at=NOON, witnesses=()))
    older = str(desk.directory / "unseen")

    assert "cosigned by: w" in desk.verify(bundle="grown.json").stdout
    desk.write("trust.json", encode(trust(quorum="none")))
    grown = desk.verify("--since", older, bundle="grown.json")

    assert grown.exit_code == 0
    assert "extends the head of 3 entries" in grown.stdout


@pytest.mark.parametrize(
    ("document", "why"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"<html>", "not JSON", id="a page"),
        pytest.param(b'{"v": 1, "origin": "a', "JSON that is cut off", id="cut in a text"),
        pytest.param(b'{"v": 1,\n', "JSON that is cut off", id="cut between two members"),
        pytest.param(b'{"v": 1, "v": 1}', "a key stands twice", id="a doubled key"),
        pytest.param(b'{"v": 1.5}', "number not allowed", id="a broken number"),
    ],
)
def test_what_is_no_bundle_is_told_apart(desk: Desk, document: bytes, why: str) -> None:
    desk.write("bundle.json", document)

    assert f"  this is not a bundle: {why} [bundle_malformed]\n" in desk.verify().stdout


@pytest.mark.parametrize(
    ("path", "why"),
    [
        pytest.param("nothing.json", "No such file", id="a missing file"),
        pytest.param("..", "directory|regular", id="a directory"),
        pytest.param("pipe", "no regular file", id="a pipe that nobody ends"),
        pytest.param("large", "has more than 65536 bytes", id="a file over the limit"),
        pytest.param("/proc/self/mem", "cannot be read", id="a file that cannot be read"),
        pytest.param("/dev/zero", "no regular file", id="a device that never ends"),
        pytest.param("a\x1b[2J", r"a\\x1b\[2J", id="a name that moves the cursor"),
    ],
)
@pytest.mark.parametrize("place", ["bundle", "trust", "since"])
def test_a_file_that_cannot_be_read_is_told_by_a_code(
    desk: Desk, path: str, why: str, place: str
) -> None:
    os.mkfifo(desk.directory / "pipe")
    desk.write("large", bytes(MAX_NOTE_BYTES + 1))
    why = why.replace("65536", str(MAX_NOTE_BYTES)) if place == "since" else why
    named = {"bundle": "bundle.json", "trust": "trust.json", "since": "older"} | {place: path}
    files = {name: str(desk.directory / file) for name, file in named.items()}
    house = the_cast().house
    desk.write("older", checkpoint(house.seen(), at=NOON))
    arguments = [files["bundle"], "--trust", files["trust"], "--since", files["since"]]

    told = CliRunner().invoke(APP, arguments)

    assert isinstance(told.exception, FileUnreadableError)
    assert re.search(why, str(told.exception))


def test_what_cannot_be_checked_is_one_line_and_exit_code_2(desk: Desk) -> None:
    trust = str(desk.directory / "trust.json")
    told = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "twinlock", "verify", "/proc/self/mem", "--trust", trust],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (told.returncode, told.stdout) == (2, "")
    assert re.fullmatch(r"twinlock: /proc/self/mem .*\[file_unreadable\]\n", told.stderr)


def test_a_trust_file_that_cannot_be_used_stops_everything(desk: Desk) -> None:
    desk.write("trust.json", b"{}")

    assert isinstance(desk.verify().exception, MalformedError)


def test_nothing_that_a_bundle_says_moves_the_cursor() -> None:
    assert plain("a\x1b[2Jb\u202e\r\ud800") == "a\\x1b[2Jb\\u202e\\x0d\\ud800"
