"""Signed lists of sanctions: read as they were signed, by the key that is set, or not at all."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from twinlock.adapters import screening_signing as signing
from twinlock.adapters.prices import PriceKey, make_key, read_private_key
from twinlock.adapters.screening import SCREENING_LIFETIME, ScreeningFile, read_list
from twinlock.adapters.screening_signing import TYPE, SignedList, sign_list, signature_path
from twinlock.adapters.settings import load
from twinlock.adapters.system import SystemEntropy
from twinlock.cli.screening import app
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import SettingsWrongError
from twinlock.domain.screening import NO_LIST, Screened, ScreeningListWrongError
from twinlock.proofs import jws

BITCOIN = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
LIST = f"address\n{BITCOIN}\n"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self, *, database_at: datetime | None) -> datetime:
        return self.at


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "publisher.pem"


@pytest.fixture
def key(key_file: Path) -> PriceKey:
    return make_key(key_file, entropy=SystemEntropy())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(LIST)
    return path


def test_a_signed_list_is_as_old_as_its_signature(
    path: Path, key: PriceKey, key_file: Path
) -> None:
    signed = sign_list(path, key_file=key_file, now=NOW + timedelta(microseconds=7))
    found = read_list(path, key=key.public)

    assert found.addresses == {BITCOIN}
    assert found.signed
    assert found.renewed_at == signed.signed_at == NOW
    assert not found.is_stale(NOW + SCREENING_LIFETIME)
    assert found.is_stale(NOW + SCREENING_LIFETIME + timedelta(seconds=1))
    assert not found.is_stale(NOW - timedelta(minutes=5))
    assert found.is_stale(NOW - timedelta(minutes=5, seconds=1))


def forged(path: Path, key_file: Path, *, typ: str = TYPE, **changes: object) -> None:
    """Put a signature beside the list that says something else."""
    key = read_private_key(key_file)
    said = msgspec.to_builtins(sign_list(path, key_file=key_file, now=NOW)) | changes
    kid = b64url(key.public_key().public_bytes_raw())
    signature_path(path).write_text(jws.sign(encode(said), kid=kid, typ=typ, key=key))


@pytest.mark.parametrize("what", ["none", "nonsense", "no text", "type", "form", "zone", "other"])
def test_what_the_key_did_not_sign_is_no_list(
    tmp_path: Path, path: Path, key: PriceKey, key_file: Path, what: str
) -> None:
    match what:
        case "none":
            pass
        case "nonsense":
            signature_path(path).write_text("a.b.c")
        case "no text":
            signature_path(path).write_bytes(b"\xff")
        case "type":
            forged(path, key_file, typ="twinlock-prices+jwt")
        case "form":
            forged(path, key_file, more=1)
        case "zone":
            forged(path, key_file, signed_at="2026-11-29T12:00:00")
        case _:
            other = tmp_path / "other.pem"
            make_key(other, entropy=SystemEntropy())
            sign_list(path, key_file=other, now=NOW)

    with pytest.raises(ScreeningListWrongError, match="sign"):
        read_list(path, key=key.public)
    assert read_list(path).addresses == {BITCOIN}  # Where no key is set, nobody must sign.


def test_a_list_that_was_shortened_is_not_the_one_that_was_signed(
    path: Path, key: PriceKey, key_file: Path
) -> None:
    sign_list(path, key_file=key_file, now=NOW)
    path.write_text(LIST.replace("bc1", "bc2"))

    with pytest.raises(ScreeningListWrongError, match="not the one that was signed"):
        read_list(path, key=key.public)


def test_a_list_that_changes_between_the_check_and_the_reading_is_refused(
    path: Path, key: PriceKey, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_list(path, key_file=key_file, now=NOW)
    check = signing.check_bytes

    def change_then(file: object, signed: SignedList) -> None:
        check(file, signed)  # type: ignore[arg-type] # the file that it was given
        with path.open("r+") as same:
            same.write("address\n3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy\n")

    monkeypatch.setattr(signing, "check_bytes", change_then)
    with pytest.raises(ScreeningListWrongError, match="not the one that was signed"):
        read_list(path, key=key.public)


def test_under_a_key_an_unsigned_list_clears_nobody_and_a_new_signature_renews(
    path: Path, key: PriceKey, key_file: Path
) -> None:
    clock = Clock()
    feed = ScreeningFile(path, clock=clock, key=key.public)
    assert feed.screening() == NO_LIST

    sign_list(path, key_file=key_file, now=NOW)
    found = feed.screening()
    assert found is not None
    assert found.says(BITCOIN) is Screened.LISTED

    clock.at += SCREENING_LIFETIME + timedelta(seconds=1)
    assert feed.screening() == NO_LIST
    os.utime(path)  # Whoever may touch the file renews nothing.
    feed.screening()
    feed.settle()
    assert feed.screening() == NO_LIST
    sign_list(path, key_file=key_file, now=clock.at)
    feed.screening()
    feed.settle()
    assert feed.screening() != NO_LIST


def test_a_list_that_is_not_there_is_not_signed(
    tmp_path: Path, key: PriceKey, key_file: Path
) -> None:
    with pytest.raises(ScreeningListWrongError, match="No such file"):
        sign_list(tmp_path / "none.csv", key_file=key_file, now=NOW)


def test_the_commands_make_a_key_sign_and_check(tmp_path: Path, path: Path) -> None:
    runner, pem = CliRunner(), tmp_path / "key.pem"
    public = runner.invoke(app, ["keygen", str(pem)]).stdout.strip().splitlines()[-1]
    signed = runner.invoke(app, ["sign", str(path), "--key", str(pem), "--json"])
    checked = runner.invoke(app, ["check", str(path), "--key", public])

    assert signed.exit_code == checked.exit_code == 0
    assert msgspec.json.decode(signed.stdout)["file"] == f"{path}.jws"
    assert "signed at" in checked.stdout
    empty = tmp_path / "empty.csv"
    empty.write_text("address\n")
    refused = runner.invoke(app, ["sign", str(empty), "--key", str(pem)])
    assert isinstance(refused.exception, ScreeningListWrongError)
    assert not signature_path(empty).exists()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"TWINLOCK_SCREENING_KEY": "A" * 43}, "no list"),
        (
            {"TWINLOCK_SCREENING_KEY": "x", "TWINLOCK_SCREENING_FILE": "/list.csv"},
            "not 32 bytes",
        ),
    ],
)
def test_a_key_that_is_none_or_for_no_list_is_refused(values: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsWrongError, match=says):
        load(values, as_root=False)


def test_a_key_of_a_list_is_read() -> None:
    values = {"TWINLOCK_SCREENING_KEY": "A" * 43, "TWINLOCK_SCREENING_FILE": "/list.csv"}

    assert load(values, as_root=False).screening_key == bytes(32)
