"""The signed price list: made by commands, as a cron job runs them, and believed by a service.

Whatever a service would not believe is refused where it is signed.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from structlog.testing import capture_logs
from support.commands import Ended, run
from support.installations import environment_of
from support.postgres import TestDatabase
from support.service import Customer, serving
from typer.testing import CliRunner

from twinlock.adapters import prices as price_lists
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.prices import (
    LIST_BYTES_MOST,
    PriceFile,
    PriceKey,
    PriceKeyWrongError,
    PriceListWrongError,
)
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.system import SystemEntropy
from twinlock.bootstrap.world import prepare
from twinlock.cli.main import app
from twinlock.domain.canonical import encode
from twinlock.domain.errors import FileUnsafeError, SettingsWrongError
from twinlock.domain.money import MAX_PRICE_CENTS, PRICE_LIFETIME, Prices
from twinlock.proofs import jws

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
ENTROPY = SystemEntropy()
INSTANT = timedelta(microseconds=1)


class Feed:
    """A feed's own directory, and a keyring that believes it."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "feed.pem"
        self.out = directory / "prices.jws"
        self.key = price_lists.make_key(self.file, entropy=ENTROPY)
        self.ring = directory / "keys"
        keyrings.create_all(self.ring, entropy=ENTROPY, now=NOON)
        keyrings.trust_prices(self.ring, self.key.public, now=NOON)

    def sign(self, document: object, *, now: datetime = NOON) -> Prices:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        return price_lists.sign_list(data, key_file=self.file, out=self.out, now=now)

    def keyring(self) -> Keyring:
        return keyrings.load(self.ring)

    def believed(self) -> Prices | None:
        """Return what a service reads."""
        return PriceFile(self.out, self.keyring()).prices()


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(tmp_path)


# --- As people run it ---


async def command(variables: dict[str, str], *words: str) -> Ended:
    told = await run(variables, *words)
    assert told.code == 0, told
    return told


async def test_a_list_that_the_commands_signed_values_a_withdrawal(
    database: TestDatabase, tmp_path: Path
) -> None:
    key, out, given = (tmp_path / name for name in ("feed.pem", "prices.jws", "list.json"))
    variables = environment_of(tmp_path, DATABASE_URL=database.app_dsn, PRICE_FILE=str(out))
    given.write_text('{"cents": {"USDT": 100, "ETH": 300000}}', "ascii")  # The fee is in ETH.
    await command(variables, "keys", "init")
    public = (await command({}, "prices", "keygen", str(key))).out.strip()
    trusted = await command(variables, "keys", "trust-prices", public, "--json")
    words = ("prices", "sign", str(given), "--key", str(key), "--out", str(out))
    signed = await command({}, *words)
    assert msgspec.json.decode(trusted.out)["public_key"] == public
    assert "without a price, so that any amount counts as the highest: BTC, DOGE, EOS" in signed.err

    async def waiting() -> int:
        return cast("int", await database.value("SELECT count(*) FROM outbox"))

    world = await prepare(load_settings(variables))
    async with serving(world, waiting_letters=waiting, prices_from_file=True) as service:
        alice = Customer(service, "alice")
        await alice.set_up()
        valued = await alice.withdraw("10")
        out.unlink()
        unknown = await alice.withdraw("10")

    assert "value_unknown" not in [why.code for why in valued.why]
    assert "value_unknown" in [why.code for why in unknown.why]


def test_the_list_may_come_by_a_pipe(feed: Feed) -> None:
    words = ["prices", "sign", "-", "--key", str(feed.file), "--out", str(feed.out), "--json"]

    told = CliRunner().invoke(app, words, input='{"cents": {"USDT": 100, "PEPE": 7}}')

    assert told.exit_code == 0
    assert json.loads(told.stdout)["assets"] == ["PEPE", "USDT"]
    assert "priced, and named by no policy: PEPE" in told.stderr


def test_a_list_that_is_told_as_not_signed_is_not_there(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: a new list in force, of which the command says that it could not be done."""
    monkeypatch.setenv("TWINLOCK_PROFILE", "no-such-profile")
    words = ["prices", "sign", "-", "--key", str(feed.file), "--out", str(feed.out)]

    told = CliRunner().invoke(app, words, input='{"cents": {"USDT": 100}}')

    assert isinstance(told.exception, SettingsWrongError)
    assert not feed.out.exists()


def test_a_public_key_that_begins_with_a_dash_is_no_option(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = str(PriceKey(public=b"\xf8" + bytes(31)))
    assert public.startswith("-")
    monkeypatch.setenv("TWINLOCK_KEYRING_DIR", str(feed.ring))
    monkeypatch.setenv("TWINLOCK_DATA_DIR", str(feed.ring.parent / "data"))

    told = CliRunner().invoke(app, ["keys", "trust-prices", public])

    assert told.exit_code == 0, told
    assert "TWINLOCK_PRICE_FILE is not set" in told.stderr
    assert len(feed.keyring().keys(Role.PRICES)) == 2


# --- Keys ---


def test_a_feeds_key_is_its_own_and_in_the_form_of_everybodys_tools(feed: Feed) -> None:
    pem = feed.file.read_bytes()

    assert feed.file.stat().st_mode & 0o777 == 0o600
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    public = load_pem_private_key(pem, password=None).public_key()
    assert public.public_bytes_raw() == feed.key.public  # type: ignore[union-attr] # Ed25519
    assert feed.keyring().keys(Role.PRICES)[0].key_id == feed.key.key_id


def test_no_key_is_overwritten(feed: Feed) -> None:
    before = feed.file.read_bytes()

    with pytest.raises(PriceKeyWrongError, match="exists already"):
        price_lists.make_key(feed.file, entropy=ENTROPY)

    assert feed.file.read_bytes() == before
    assert sorted(path.name for path in feed.file.parent.iterdir()) == ["feed.pem", "keys"]


def test_a_feeds_key_is_not_put_among_the_services_own(feed: Feed) -> None:
    with pytest.raises(PriceKeyWrongError, match="is a keyring"):
        price_lists.make_key(feed.ring / "feed.pem", entropy=ENTROPY)

    assert feed.keyring().keys(Role.PRICES)


@pytest.mark.parametrize("text", ["", "abc", "=" * 43, "A" * 42, "A" * 44, "é" * 43])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(PriceKeyWrongError, match="not a public key"):
        price_lists.read_public_key(text)


@contextmanager
def instead(feed: Feed, data: bytes) -> Iterator[None]:
    feed.file.write_bytes(data)
    yield
    assert not feed.out.exists()


P256 = generate_private_key(SECP256R1())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", id="noise"),
        pytest.param(
            P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            id="another kind of key",
        ),
        pytest.param(
            P256.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
            ),
            id="one with a password",
        ),
    ],
)
def test_a_file_that_holds_no_such_key_signs_nothing(feed: Feed, data: bytes) -> None:
    with instead(feed, data), pytest.raises(PriceKeyWrongError, match=str(feed.file)):
        feed.sign({"cents": {"USDT": 100}})


def test_a_key_that_others_may_read_signs_nothing(feed: Feed) -> None:
    feed.file.chmod(0o640)

    with pytest.raises(FileUnsafeError, match="open to others"):
        feed.sign({"cents": {"USDT": 100}})


# --- Lists ---


def test_what_was_signed_is_read_by_a_service_of_another_user_and_replaced_at_once(
    feed: Feed,
) -> None:
    reader = PriceFile(feed.out, feed.keyring())
    assert reader.prices() is None

    first = feed.sign({"cents": {"USDT": 100}}, now=NOON + INSTANT)
    assert first == Prices(as_of=NOON, cents={"USDT": 100})
    assert reader.prices() == first
    assert feed.out.stat().st_mode & 0o777 == 0o644

    second = feed.sign({"cents": {"USDT": 99, "BTC": 1}, "as_of": "2026-01-15T13:00:00+01:00"})
    assert second == Prices(as_of=NOON, cents={"USDT": 99, "BTC": 1})
    assert reader.prices() == second
    assert sorted(path.name for path in feed.out.parent.iterdir()) == [
        "feed.pem",
        "keys",
        "prices.jws",
    ]


def test_a_list_of_somebody_whom_the_keyring_does_not_name_is_no_list(
    feed: Feed, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    price_lists.make_key(other, entropy=ENTROPY)

    price_lists.sign_list(b'{"cents":{"USDT":1}}', key_file=other, out=feed.out, now=NOON)

    assert feed.believed() is None


def test_a_list_whose_time_has_no_zone_is_no_list(feed: Feed) -> None:
    """Prevents: a feed with tools of its own, after whose list every decision breaks."""
    private = cast("Ed25519PrivateKey", load_pem_private_key(feed.file.read_bytes(), None))
    for at, believed in (("2026-01-15T12:00:00", False), ("2026-01-15T12:00:00Z", True)):
        claims = f'{{"as_of":"{at}","cents":{{"BTC":1}}}}'.encode()
        named = {"kid": feed.key.key_id, "typ": price_lists.PRICES_TYPE}
        feed.out.write_text(jws.sign(claims, key=private, **named))

        assert (feed.believed() is not None) is believed


def test_a_list_that_is_none_is_logged_with_its_file_until_it_changes(feed: Feed) -> None:
    reader = PriceFile(feed.out, feed.keyring())
    with capture_logs() as logged:
        assert [reader.prices() for _ in range(2)] == [None, None]
        feed.out.write_text("nonsense")
        assert [reader.prices() for _ in range(2)] == [None, None]
        feed.sign({"cents": {"USDT": 100}})
        assert reader.prices() is not None
        feed.out.unlink()
        assert reader.prices() is None

    assert {(one["event"], one["path"]) for one in logged} == {
        ("price_list_refused", str(feed.out))
    }
    assert [one["reason"] for one in logged] == [
        "FileNotFoundError",
        "JwsRefusedError",
        "FileNotFoundError",
    ]
    assert str(feed.out) in logged[0]["text"]


def test_a_pipe_is_no_list_and_no_decision_waits_for_it(feed: Feed) -> None:
    os.mkfifo(feed.out)

    assert feed.believed() is None


def test_a_place_that_cannot_be_written_is_named_as_it_was_asked(feed: Feed) -> None:
    feed.out = feed.out.parent / "nowhere" / "prices.jws"

    with pytest.raises(PriceListWrongError) as told:
        feed.sign({"cents": {"USDT": 100}})

    assert str(told.value) == f"{feed.out} cannot be written: No such file or directory"


@pytest.mark.parametrize("age", [timedelta(0), PRICE_LIFETIME])
def test_a_list_that_still_counts_is_signed(feed: Feed, age: timedelta) -> None:
    as_of = (NOON - age).isoformat()

    assert feed.sign({"cents": {"USDT": MAX_PRICE_CENTS}, "as_of": as_of}) == feed.believed()


@pytest.mark.parametrize(
    ("document", "why"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b'{"cents": {"USDT": 100}', "cut off", id="cut off"),
        pytest.param({}, "required field `cents`", id="no prices"),
        pytest.param({"cents": {}}, "length >= 1", id="no price"),
        pytest.param({"cents": {"USDT": 0}}, ">= 1", id="worth nothing"),
        pytest.param({"cents": {"USDT": -1}}, ">= 1", id="worth less"),
        pytest.param({"cents": {"USDT": 100.5}}, "number not allowed", id="half a cent"),
        pytest.param({"cents": {"USDT": "100"}}, "Expected `int`", id="a text"),
        pytest.param({"cents": {"USDT": MAX_PRICE_CENTS + 1}}, "<= 1000000000000", id="too much"),
        pytest.param({"cents": {"usdt": 100}}, "is no asset", id="small letters"),
        pytest.param({"cents": {"USD T": 100}}, "is no asset", id="a space"),
        pytest.param({"cents": {"U" * 33: 100}}, "is no asset", id="a name without end"),
        pytest.param(b'{"cents":{"A":1,"A":2}}', "a key stands twice", id="doubled"),
        pytest.param({"cents": {"A": 1}, "asof": "x"}, "unknown field `asof`", id="misspelt"),
        pytest.param({"cents": {"A": 1}, "as_of": "noon"}, "RFC3339", id="no time"),
        pytest.param(
            {"cents": {"A": 1}, "as_of": "2026-01-15T12:00:00"}, "no time zone", id="no zone"
        ),
        pytest.param(
            {"cents": {"A": 1}, "as_of": (NOON + INSTANT).isoformat()}, "lies ahead", id="ahead"
        ),
        pytest.param(
            {"cents": {"A": 1}, "as_of": (NOON - PRICE_LIFETIME - INSTANT).isoformat()},
            "15 minutes back",
            id="too old",
        ),
        pytest.param(b" " * 65_537, "at most 65536 bytes", id="spaces without end"),
    ],
)
def test_nonsense_is_not_signed_and_the_list_in_force_stays(
    feed: Feed, document: object, why: str
) -> None:
    before = feed.sign({"cents": {"USDT": 100}})

    with pytest.raises(PriceListWrongError, match=why):
        feed.sign(document)

    assert feed.believed() == before


def test_the_longest_list_is_read_and_a_longer_one_is_not_signed(feed: Feed) -> None:
    empty = len(encode(Prices(as_of=NOON, cents={"A" * 9: 1})))
    each = len('"AAAA00000":1,')
    count = 1 + (LIST_BYTES_MOST - empty) // each

    assert len(feed.sign({"cents": assets(count)}).cents) == count
    assert feed.believed() == Prices(as_of=NOON, cents=assets(count))
    with pytest.raises(PriceListWrongError, match="bytes of prices"):
        feed.sign({"cents": assets(count + 1)})


def assets(count: int) -> dict[str, int]:
    return {f"AAAA{number:05}": 1 for number in range(count)}
