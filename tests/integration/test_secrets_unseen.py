"""Nothing that a person may print or log shows a secret: values, errors, and the log itself."""

import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
import structlog
from support.installations import environment_of
from support.postgres import TestDatabase, TestServer

from twinlock.adapters.boxes import NEW_KEY_ENTROPY_BYTES
from twinlock.adapters.keyring.ring import REQUIRED, Keyring
from twinlock.adapters.keyring.signing import KeyringIndex, KeyringMac, KeyringSigner
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.sql.migrate import migrate
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemEntropy
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.world import World, prepare
from twinlock.cli.console import log_to_stderr
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import TwinlockError, UnavailableError

WRONG_PASSWORD = "geheim-3f9c-of-nobody"  # noqa: S105 - it must not be shown, and opens nothing


@pytest.fixture
async def world(database: TestDatabase, tmp_path: Path) -> World:
    """An installation on a database that is reached with a password."""
    there = {"DATABASE_URL": database.app_dsn, "OWNER_URL": database.owner_dsn}
    settings = load_settings(environment_of(tmp_path, **there))
    make_keyring(settings)
    return await prepare(settings)


def forms(secret: bytes) -> list[str]:
    return [secret.hex(), b64url(secret), repr(secret)[2:-1]]


def secrets_of(world: World) -> list[str]:
    """Return every secret of an installation, in each form in which it could be printed."""
    keys = [form for role in REQUIRED for form in forms(world.keyring.current(role).secret)]
    passwords = [
        url.split(":")[2].partition("@")[0]
        for url in (world.settings.database_url, world.settings.owner_url)
        if url is not None
    ]
    return [*keys, *passwords]


def unseen(text: str, secrets: list[str]) -> None:
    assert len(secrets) == 3 * len(REQUIRED) + 2
    assert [secret for secret in secrets if secret in text] == []


def everything(world: World, keyring: Keyring, store: SqlStore) -> list[object]:
    """Return what a developer may print of a process."""
    signer = KeyringSigner(keyring, log_origin="example.org/log")
    random = SystemEntropy().draw(NEW_KEY_ENTROPY_BYTES)
    wrapped = store.sealer.new_subject_key("acc_x", random=random)
    keys = [key for role in REQUIRED for key in keyring.keys(role)]
    return [
        world,
        world.settings,
        keyring,
        *keys,
        signer,
        KeyringMac(keyring),
        KeyringIndex(keyring),
        store,
        store.sealer,
        store.database,
        store.sealer.open_subject_key("acc_x", wrapped),
    ]


@pytest.mark.requirement("O-33")
async def test_no_value_shows_a_secret_when_it_is_printed(world: World, store: SqlStore) -> None:
    printed = everything(world, world.keyring, store)

    for one in printed:
        unseen(f"{one!r} {one!s} {one}", secrets_of(world))


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """Log as ``twinlock serve`` does at its most talkative."""
    page = StringIO()
    monkeypatch.setattr(sys, "stderr", page)
    log_to_stderr("debug")
    yield page
    structlog.reset_defaults()


async def refused(dsn: str) -> TwinlockError:
    with pytest.raises(UnavailableError) as told:
        await migrate(dsn, app_password=WRONG_PASSWORD)
    return told.value


@pytest.mark.requirement("O-33")
async def test_a_failure_of_the_database_shows_no_password(
    server: TestServer, database: TestDatabase, logged: StringIO
) -> None:
    dsns = [
        server.dsn(database.name, role="twinlock_app", password=WRONG_PASSWORD),
        server.dsn("nowhere", role="twinlock_app", password=WRONG_PASSWORD),
        f"postgresql://u:{WRONG_PASSWORD}@127.0.0.1:1/x",
        f"postgresql://u:{WRONG_PASSWORD}@127.0.0.1/x?sslmode=none-that-is",
    ]

    for dsn in dsns:
        error = await refused(dsn)
        structlog.get_logger().error("refused", exc_info=error)
        assert WRONG_PASSWORD not in f"{error!r} {error.__cause__!r}"

    shown = logged.getvalue()
    assert (
        shown.count('"event": "refused"') == shown.count("Traceback (most recent") / 2 == len(dsns)
    )
    assert WRONG_PASSWORD not in shown
