"""The program of docs/verify.md, "For a wallet", run as a wallet would run it."""

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import pytest
from support.bundles import TRUST
from support.wallets import Wallet, settings
from tidy.repository import ROOT

from twinlock.bootstrap.rulebook import rule_book
from twinlock.domain.canonical import encode

PINNED = rule_book().policy.name.digest


class Desk:
    """A directory with the program, the files that it reads, and a payment that was spent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "signer-state").mkdir(mode=0o700)
        wallet = Wallet()
        self.early, checkpoint = wallet.now, wallet.house.note()
        self.write("checkpoint", checkpoint)
        bundle = wallet.house.bundle(
            wallet.pay(), consistent_from=int(checkpoint.decode().splitlines()[1])
        )
        self.write("bundle.json", encode(bundle))
        self.late = wallet.now
        self.write("transaction.json", json.dumps(asdict(wallet.transaction())).encode())
        self.write("trust.json", encode(TRUST))
        program = page_program()
        for told, here in (
            ("datetime.now(UTC)", "datetime.fromisoformat(Path('now').read_text())"),
            (PINNED, next(iter(settings().policies))),
        ):
            assert told in program
            program = program.replace(told, here)
        self.write("clear.py", program.encode())

    def write(self, name: str, data: bytes) -> None:
        (self.directory / name).write_bytes(data)

    def run(self, *arguments: str, at: datetime | None = None) -> tuple[int, str, str]:
        self.write("now", (at or self.late).isoformat().encode())
        ended = subprocess.run(  # noqa: S603 - the page's own program
            [sys.executable, "clear.py", *arguments],
            cwd=self.directory,
            env={"PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr


def page_program() -> str:
    page = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")
    return page.partition("```python\n")[2].partition("```")[0]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"))


@pytest.mark.parametrize(
    "mistyped",
    [
        (),
        ("claer", "bundle.json", "transaction.json"),
        ("clear",),
        ("clear", "bundle.json"),
        ("clear", "bundle.json", "transaction.json", "more"),
        ("size", "bundle.json"),
        ("adopt",),
    ],
)
def test_a_mistyped_command_is_never_a_clearance(desk: Desk, mistyped: tuple[str, ...]) -> None:
    """Prevents: ``clear.py claer … && sign``, which would sign what nobody cleared."""
    code, out, err = desk.run(*mistyped)

    assert (code, out) == (2, "")
    assert "clear.py clear BUNDLE TRANSACTION" in err


def test_the_program_of_the_page_clears_what_it_should_and_nothing_before(desk: Desk) -> None:
    payment = ("clear", "bundle.json", "transaction.json")
    assert desk.run("size") == (0, "0\n", "")
    early = desk.run(*payment)
    assert (early[0], early[1]) == (1, "")
    assert early[2].startswith("do not sign: ")
    assert desk.run("clear", "nowhere.json", "transaction.json")[:2] == (1, "")

    adopted = desk.run("adopt", "checkpoint", at=desk.early)
    assert adopted[0] == 0
    assert int(adopted[1]) > 0

    code, out, _ = desk.run(*payment)
    assert code == 0
    assert out.startswith("sign act_")
    assert out.endswith("spend payout-1, again: False\n")
    other = json.loads((desk.directory / "transaction.json").read_bytes())
    desk.write("other.json", json.dumps({**other, "amount_minor": 1}).encode())
    assert desk.run("clear", "bundle.json", "other.json")[:2] == (1, "")
