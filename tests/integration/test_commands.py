"""The commands as an operator starts them: what they do, and how they say that they could not.

Whatever is wrong is one line on stderr with a code, exit code 2, no traceback and no secret.
"""

import asyncio
import os
import signal
import socket
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from support.commands import Ended, free_port, run, serve, start
from support.installations import embedded_installation, environment_of
from support.postgres import APP_PASSWORD, TestDatabase, TestServer
from support.until import asked_until, until

from twinlock.adapters.postgres import SERVER_USER
from twinlock.adapters.settings import load as load_settings
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.world import prepare
from twinlock.cli.serve import DRAIN_SECONDS
from twinlock.client import Client, ProblemError, Signing
from twinlock.domain.canonical import b64url

Variables = dict[str, str]
OTHER_SECRET = "geheim-3f9c"  # noqa: S105 - of nobody; it must not be printed


@pytest.fixture
def variables(database: TestDatabase, tmp_path: Path) -> Variables:
    """The settings of an installation on a migrated database, without a keyring yet."""
    return environment_of(tmp_path, DATABASE_URL=database.app_dsn)


@pytest.fixture
def made(variables: Variables) -> Variables:
    """The same, with its keyring."""
    make_keyring(load_settings(variables))
    return variables


def refused(told: Ended, code: str) -> None:
    """Say that a command ended as documented, and told this code."""
    assert told.code == 2, told
    assert told.out == ""
    assert told.err.rstrip().endswith(f"[{code}]"), told
    assert len(told.err.strip().splitlines()) == 1
    assert APP_PASSWORD not in told.err
    assert OTHER_SECRET not in told.err


def secrets_of(variables: Variables) -> list[str]:
    """Return every secret key of the keyring, as its file holds it."""
    files = Path(variables["TWINLOCK_KEYRING_DIR"]).iterdir()
    return [str(msgspec.json.decode(file.read_bytes())["key"]) for file in files]


def kept(variables: Variables, name: str) -> bool:
    """Say whether the data directory holds a file."""
    return (Path(variables["TWINLOCK_DATA_DIR"]) / name).exists()


def ended(pid: int) -> bool:
    """Say whether a process has ended."""
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="none"),
        pytest.param(("--version",), id="an option"),
        pytest.param(("nonsense",), id="no command"),
        pytest.param(("keys", "trust"), id="refused"),
        pytest.param(("keys", "list", "--json", "more"), id="a word too many"),
    ],
)
async def test_a_forked_command_is_as_one_that_is_started(
    variables: Variables, words: tuple[str, ...]
) -> None:
    """Most tests fork a program that is loaded already: it says and ends as a new one does."""
    forked, started = await run(variables, *words), await start(variables, *words)

    assert (forked, forked.out) == (started, started.out)


# --- What they do ---


async def test_keys_are_made_once_and_the_trust_file_is_printed(variables: Variables) -> None:
    made = await run(variables, "keys", "init", "--json")
    trust = await run(variables, "keys", "trust")

    assert (made.code, trust.code) == (0, 0)
    assert len(msgspec.json.decode(made.out)["fingerprint"]) == 64
    assert msgspec.json.decode(trust.out)["rp_id"] == "localhost"
    printed = made.out + made.err + trust.out + trust.err
    secrets = secrets_of(variables)
    assert len(secrets) == 7
    assert not any(secret in printed for secret in secrets)
    refused(await run(variables, "keys", "init"), "keyring_wrong")
    elsewhere = {**variables, "TWINLOCK_KEYRING_DIR": variables["TWINLOCK_KEYRING_DIR"] + "-2"}
    assert (await run(elsewhere, "keys", "init")).out[:12] == "fingerprint "


async def test_migrating_says_the_step(database: TestDatabase, variables: Variables) -> None:
    told = await run({**variables, "TWINLOCK_OWNER_URL": database.owner_dsn}, "migrate")

    assert (told.code, told.out, told.err) == (0, "", "the database is at step 1\n")


async def test_a_platform_key_is_printed_once_and_ends_when_it_is_revoked(made: Variables) -> None:
    created = await run(made, "platform-key", "create", "--scope", "read")
    key_id = created.out.split("_")[1]

    assert created.code == 0
    assert created.out.startswith("tlk_")
    assert created.out.strip().split("_")[2] not in created.err
    assert key_id in created.err
    revoked = await run(made, "platform-key", "revoke", key_id)
    assert revoked.code == 0
    assert "in every process within a second" in revoked.err
    refused(await run(made, "platform-key", "revoke", "nobodys"), "platform_key_not_found")


async def test_a_platform_key_is_made_that_is_good_for_signed_requests_only(
    made: Variables, tmp_path: Path
) -> None:
    signer = Ed25519PrivateKey.generate()
    public = signer.public_key()
    pem = tmp_path / "platform.pub"
    pem.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    words = ("platform-key", "create", "--json", "--signed-by")
    created = await run(made, *words, str(pem))
    told = msgspec.json.decode(created.out)
    same = await run(made, *words, b64url(public.public_bytes_raw()))
    listed = await run(made, "platform-key", "list")
    ((name, answers),) = told["answered_by"].items()

    assert same.code == 0
    assert listed.out.count(f"  requests are signed by {b64url(public.public_bytes_raw())}") == 2
    assert f"  {name} {answers}" in created.err
    for wrong in ("nonsense", str(tmp_path), b64url(bytes(32))):
        refused(await run(made, *words, wrong), "signing_key_wrong")
    port = free_port()
    private = signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signing = Signing.from_pem(private, answered_by=told["answered_by"])
    async with serve(made, port=port) as serving:
        client = Client.connect(serving.url, told["key"], signing=signing)
        opened = await client.open_account({"channels": []}, key="opening-0001")
        assert (await client.account(opened["account_id"]))["floor"] == "none"
        listed_places = await client.destinations(opened["account_id"])
        await client.close()
        stolen = Client.connect(serving.url, told["key"])
        with pytest.raises(ProblemError, match="message_signature_refused"):
            await stolen.account(opened["account_id"])
        await stolen.close()
    assert listed_places == []


async def test_a_file_of_a_public_key_that_is_not_there_is_told_so(
    made: Variables, tmp_path: Path
) -> None:
    pem = tmp_path / "nope.pem"
    missing = await run(made, "platform-key", "create", "--signed-by", str(pem))

    refused(missing, "signing_key_wrong")
    assert f"there is no file {pem}" in missing.err


async def test_platform_keys_are_listed_without_anything_that_opens(made: Variables) -> None:
    told = await run(made, "platform-key", "list")
    assert (told.code, told.out) == (0, "no platform key was made yet\n")
    old = msgspec.json.decode((await run(made, "platform-key", "create", "--json")).out)
    new = await run(made, "platform-key", "create", "--scope", "read", "--network", "10.0.0.0/8")
    ended = await run(made, "platform-key", "revoke", old["key"], "--json")
    again = await run(made, "platform-key", "revoke", old["id"], "--json")
    assert msgspec.json.decode(ended.out)["id"] == old["id"]
    assert again.out == ended.out  # It keeps the first time.

    told = await run(made, "platform-key", "list")
    listed = msgspec.json.decode((await run(made, "platform-key", "list", "--json")).out)

    assert [one["state"] for one in listed] == ["in force", "revoked"]
    assert [one["id"] for one in listed] == [new.out.split("_")[1], old["id"]]
    assert listed[0]["scopes"] == ["read"]
    assert listed[0]["networks"] == ["10.0.0.0/8"]
    assert set(listed[0]) == {
        *("id", "state", "scopes", "networks", "created_at", "expires_at", "revoked_at"),
        "signed_by",
    }
    assert listed[1]["revoked_at"] is not None
    assert f"{old['id']}  revoked at " in told.out
    assert "  may read; from 10.0.0.0/8\n" in told.out
    for secret in (new.out.strip().split("_")[2], old["key"].split("_")[2]):
        assert secret not in told.out


async def test_the_embedded_database_is_stopped_when_asked_and_starts_again(
    tmp_path: Path,
) -> None:
    with embedded_installation(server_user=SERVER_USER) as settings:
        own = environment_of(settings.data_dir.parent)
        never = await run(own, "database", "stop")
        await prepare(settings)
        first = await run(own, "database", "stop", "--json")
        assert not (settings.postgres_dir / "data" / "postmaster.pid").exists()
        second = await run(own, "database", "stop")
        await prepare(settings)
        assert (settings.postgres_dir / "data" / "postmaster.pid").exists()

    assert (never.code, first.code, second.code) == (0, 0, 0)
    assert never.out.endswith("was never made\n")
    assert msgspec.json.decode(first.out) == {
        "directory": str(settings.postgres_dir),
        "made": True,
        "stopped": True,
    }
    assert second.out.endswith("was not running\n")


async def test_a_database_of_somebodys_own_is_not_stopped(variables: Variables) -> None:
    refused(await run(variables, "database", "stop"), "database_not_ours")


async def test_two_workers_start_and_serve_and_end_within_the_time_to_drain(
    made: Variables, tmp_path: Path
) -> None:
    later = {"TWINLOCK_PRICE_FILE": str(tmp_path / "prices.jws")}  # The feed has not started yet.
    async with serve({**made, "TWINLOCK_WORKERS": "2", **later}, port=free_port()) as service:
        workers = service.workers()
        assert len(workers) == 2
        for one in workers:  # While one is stopped, whoever answers is the other.
            os.kill(one, signal.SIGSTOP)
            try:
                assert await service.ready()
            finally:
                os.kill(one, signal.SIGCONT)

        async with asyncio.timeout(DRAIN_SECONDS + 2):
            code, said = await service.end()

        assert code == 0
        assert "Traceback" not in said
        assert said.count(f"{tmp_path / 'prices.jws'} is not there: until it is") == 1
        assert all(ended(pid) for pid in workers)
    assert kept(made, "clock-anchor.json")


def move(old: str, new: str) -> None:
    Path(old).rename(new)


async def test_a_process_that_does_not_start_again_takes_no_other_along(made: Variables) -> None:
    """One is killed while the keyring is out of reach; it comes back, and all serve again."""
    ring, away = made["TWINLOCK_KEYRING_DIR"], made["TWINLOCK_KEYRING_DIR"] + "-away"
    async with (
        asyncio.timeout(180),
        serve({**made, "TWINLOCK_WORKERS": "2"}, port=free_port()) as service,
    ):
        first, second = service.workers()
        move(ring, away)
        os.kill(first, signal.SIGKILL)
        successors: set[int] = set()

        def two_came() -> bool:  # The first one has not started, and was not the last.
            successors.update(set(service.workers()) - {first, second})
            return len(successors) > 1

        await until(two_came, within=120)
        move(away, ring)
        await asked_until(service.ready, bool)
        code, _ = await service.end()

    assert code == 0


# --- How they say that they could not ---


@pytest.mark.parametrize("words", [("serve",), ("keys", "trust"), ("platform-key", "create")])
async def test_without_a_keyring(variables: Variables, words: tuple[str, ...]) -> None:
    refused(await run(variables, *words), "keyring_missing")


async def test_with_a_keyring_that_others_may_enter(made: Variables) -> None:
    os.chmod(made["TWINLOCK_KEYRING_DIR"], 0o755)  # noqa: PTH101, S103 - wrong on purpose

    refused(await run(made, "serve"), "keyring_wrong")


async def test_with_the_keyring_of_another_installation(made: Variables, tmp_path: Path) -> None:
    await prepare(load_settings(made))
    other = {**made, "TWINLOCK_KEYRING_DIR": str(tmp_path / "other" / "ring")}
    make_keyring(load_settings(other))

    refused(await run(other, "serve"), "installation_wrong")
    refused(await run(other, "platform-key", "create"), "installation_wrong")


@pytest.mark.parametrize(
    ("words", "url"),
    [
        (("serve",), f"postgresql://u:{OTHER_SECRET}@127.0.0.1:1/x"),
        (("migrate",), f"postgresql://u:{OTHER_SECRET}@127.0.0.1:1/x?sslmode=none-that-is"),
        (("platform-key", "create"), f"postgresql://u:{OTHER_SECRET}@/x?host=/nowhere"),
    ],
    ids=["nobody listens", "nonsense", "no socket"],
)
async def test_with_a_database_that_cannot_be_reached(
    made: Variables, words: tuple[str, ...], url: str
) -> None:
    there = {"TWINLOCK_DATABASE_URL": url, "TWINLOCK_OWNER_URL": url}

    refused(await run({**made, **there}, *words), "unavailable")


async def test_with_a_password_that_is_not_the_databases(
    made: Variables, server: TestServer, database: TestDatabase
) -> None:
    url = server.dsn(database.name, role="twinlock_app", password=OTHER_SECRET)

    told = await run({**made, "TWINLOCK_DATABASE_URL": url}, "serve")

    refused(told, "unavailable")
    assert "refuses us" in told.err


async def test_with_tables_that_nobody_made(made: Variables, server: TestServer) -> None:
    async with server.database(template="template1") as empty:
        told = await run({**made, "TWINLOCK_DATABASE_URL": empty.app_dsn}, "serve")

    refused(told, "schema_wrong")


async def test_migrating_by_a_url_that_is_not_the_owners(
    made: Variables, database: TestDatabase
) -> None:
    refused(await run(made, "migrate"), "settings_wrong")
    told = await run({**made, "TWINLOCK_OWNER_URL": database.app_dsn}, "migrate")
    refused(told, "schema_wrong")


async def test_with_a_directory_that_cannot_be_made(made: Variables, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "ascii")
    blocked = str(tmp_path / "file" / "data")

    keyring = {**made, "TWINLOCK_KEYRING_DIR": blocked}
    refused(await run(keyring, "keys", "init"), "system_refused")


async def test_with_an_address_that_is_taken(made: Variables) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"

        refused(await run({**made, "TWINLOCK_LISTEN": listen}, "serve"), "listen_refused")


async def test_with_a_setting_that_does_not_exist(made: Variables) -> None:
    refused(await run({**made, "TWINLOCK_DATABSE_URL": "x"}, "serve"), "settings_unknown")


async def test_with_a_network_that_is_none(made: Variables) -> None:
    told = await run(made, "platform-key", "create", "--network", "nonsense")

    refused(told, "network_range_wrong")


async def test_with_a_socket_directory_that_others_may_enter(tmp_path: Path) -> None:
    with embedded_installation(server_user=SERVER_USER) as settings:
        own = environment_of(settings.data_dir.parent)
        await prepare(settings)
        (settings.postgres_dir / "socket").chmod(0o755)
        try:
            refused(await run(own, "serve"), "socket_directory_open")
        finally:
            (settings.postgres_dir / "socket").chmod(0o700)
