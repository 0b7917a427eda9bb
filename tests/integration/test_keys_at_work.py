"""The keyring as a process works with it: noticed when it changes, and not trusted when unseen."""

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest
from support.due import due_customer, erasing
from support.officers import FOUNDING
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.softhsm import make_token
from support.stores import (
    BEGINNING,
    ENTROPY,
    SteerableClock,
    make_keyring,
    new_customer,
    open_store,
    opened,
    opening,
    touching,
)

from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.file_keys import FileSigning
from twinlock.adapters.keyring.pkcs11 import Token
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.keys_at_work import KeysAtWork
from twinlock.adapters.sql.erasing import SqlEraser
from twinlock.adapters.sql.log_keys import SqlLogKeys
from twinlock.adapters.sql.officers import SqlPlatformActs
from twinlock.adapters.sql.store import SqlStore
from twinlock.bootstrap.notices import open_dead_letters
from twinlock.bootstrap.officers import open_officers
from twinlock.bootstrap.webhooks import open_webhooks
from twinlock.bootstrap.world import World
from twinlock.client import ProblemError
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import (
    KeyringMissingError,
    KeyringWrongError,
    KeysStaleError,
    TokenUnavailableError,
)
from twinlock.ports.log import (
    Head,
)
from twinlock.services.officers import Officers

Opens: TypeAlias = Callable[[World], AbstractAsyncContextManager[object]]
LATER = BEGINNING + timedelta(days=1)
LATEST = BEGINNING + timedelta(days=2)


class Seconds:
    """A clock for looks that a test moves."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    make_keyring(tmp_path / "ring")
    return tmp_path / "ring"


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def at_work(directory: Path, seconds: Seconds) -> KeysAtWork:
    return KeysAtWork(keyrings.load(directory), directory, seconds=seconds)


def a_file(directory: Path) -> Path:
    return next(directory.iterdir())


def empty(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()


def rotate(directory: Path, role: Role) -> None:
    keyrings.announce(directory, role, entropy=ENTROPY, now=LATER)
    keyrings.activate(directory, role, now=LATEST)


async def test_whatever_works_with_keys_goes_on_with_those_that_came(
    directory: Path, at_work: KeysAtWork
) -> None:
    signer = at_work.signer(log_origin="log")
    prices = at_work.price_file(None)
    seal, token, mac = at_work.sealer.current_id, signer.authorization(b"{}", "t"), at_work.mac
    made = mac.of(b"x")
    await at_work.look()
    assert at_work.sealer.current_id == seal
    for role in (Role.SEAL, Role.AUTHORIZATION, Role.PLATFORM):
        rotate(directory, role)
    await at_work.look()

    assert at_work.sealer.current_id != seal
    assert signer.authorization(b"{}", "t") != token
    assert mac.of(b"x") != made
    mac.check(made, b"x")
    assert prices.prices() is None
    assert at_work.signer(log_origin="log").authorization(b"{}", "t") != token


async def test_a_keyring_that_was_not_seen_for_ten_seconds_makes_nothing(
    at_work: KeysAtWork, seconds: Seconds
) -> None:
    seconds.at += 10
    at_work.check_ready()
    seconds.at += 0.1
    with pytest.raises(KeysStaleError) as stale:
        at_work.check_ready()
    assert (stale.value.code, stale.value.status) == ("keys_stale", 503)
    await at_work.look()
    at_work.check_ready()


async def test_a_keyring_that_does_not_load_changes_nothing_and_ends_after_a_while(
    directory: Path, at_work: KeysAtWork, seconds: Seconds
) -> None:
    await at_work.look()
    rotate(directory, Role.SEAL)
    seal = at_work.sealer.current_id
    path = a_file(directory)
    path.chmod(0o644)
    for _ in range(11):
        seconds.at += 1
        with pytest.raises(KeyringWrongError, match="open to others"):
            await at_work.look()

    assert at_work.sealer.current_id == seal
    with pytest.raises(KeysStaleError):
        at_work.check_ready()
    path.chmod(0o600)
    await at_work.look()
    at_work.check_ready()
    assert at_work.sealer.current_id != seal


async def test_another_installations_keyring_is_not_taken(
    directory: Path, at_work: KeysAtWork, tmp_path: Path
) -> None:
    await at_work.look()
    os.rename(directory, tmp_path / "aside")  # noqa: PTH104 - in a coroutine
    with pytest.raises(FileNotFoundError):
        await at_work.look()
    make_keyring(directory)
    with pytest.raises(KeyringWrongError, match="another installation's"):
        await at_work.look()

    empty(directory)
    with pytest.raises(KeyringMissingError):
        await at_work.look()


@pytest.mark.parametrize("step", ["announced", "activated", "retired"])
async def test_an_older_copy_of_the_keyring_is_not_taken_while_we_serve(
    directory: Path, at_work: KeysAtWork, seconds: Seconds, tmp_path: Path, step: str
) -> None:
    """Prevents: a backup put back under us, and new customers sealed under a key that is gone."""
    old = keyrings.load(directory).current(Role.SEAL).record
    copy = tmp_path / "copy"

    steps: dict[str, Callable[[], object]] = {
        "announced": lambda: keyrings.announce(directory, Role.SEAL, entropy=ENTROPY, now=LATER),
        "activated": lambda: keyrings.activate(directory, Role.SEAL, now=LATEST),
        "retired": lambda: keyrings.retire(directory, Role.SEAL, old.key_id, now=LATEST),
    }
    for name, take in steps.items():
        if name == step:
            shutil.copytree(directory, copy)
        take()
        if name == step:
            break
    await at_work.look()
    sealed_by = at_work.sealer.current_id
    empty(directory)
    for path in copy.iterdir():
        shutil.copy2(path, directory)

    with pytest.raises(KeyringWrongError, match="older"):
        await at_work.look()
    assert at_work.sealer.current_id == sealed_by
    seconds.at += 11
    with pytest.raises(KeysStaleError):
        at_work.check_ready()


async def test_a_look_at_what_has_not_changed_takes_nothing_anew(
    directory: Path, at_work: KeysAtWork
) -> None:
    signer, head = at_work.signer(log_origin="log"), Head(size=1, root=bytes(32))
    await at_work.look()
    signed = signer.checkpoint(head)
    await at_work.look()
    assert signer.checkpoint(head) is signed
    rotate(directory, Role.INDEX)
    await at_work.look()
    assert signer.checkpoint(head) == signed
    assert signer.checkpoint(head) is not signed


async def test_a_process_that_was_stopped_over_a_rotation_decides_nothing_by_what_it_knew(
    database: TestDatabase, clock: SteerableClock, at_work: KeysAtWork, seconds: Seconds
) -> None:
    async with SqlStore.connect(
        database.app_dsn, sealer=at_work.sealer, entropy=ENTROPY, clock=clock
    ) as store:
        alice = await opened(store, clock)
        seconds.at += 60
        with pytest.raises(KeysStaleError):
            await store.run(opening(new_customer(), now=clock.at))
        with pytest.raises(KeysStaleError):
            await store.run(touching(alice))
        assert (await store.head()).size == 1
        await at_work.look()
        await store.run(touching(alice))


async def test_an_account_is_erased_by_no_keys_that_were_not_seen_for_ten_seconds(
    database: TestDatabase,
    keyring: Keyring,
    keyring_dir: Path,
    clock: SteerableClock,
    seconds: Seconds,
) -> None:
    """Prevents: the head of the log under a key that was retired meanwhile, which opens no more."""
    at_work = KeysAtWork(keyring, keyring_dir, seconds=seconds)
    erases = SqlEraser(database.owner_dsn, sealer=at_work.sealer, entropy=ENTROPY, clock=clock)
    async with open_store(database.app_dsn, keyring, clock) as store:
        customer, action = await due_customer(store, clock)
        seconds.at += 60
        with pytest.raises(KeysStaleError):
            await erases.erase(erasing(customer, action))
        assert (await store.account(customer.account_id)).actions
        await at_work.look()
        assert (await erases.erase(erasing(customer, action))).indexes == (1,)


async def test_officers_and_the_log_s_own_keys_are_written_by_no_keys_that_were_not_seen(
    database: TestDatabase, clock: SteerableClock, at_work: KeysAtWork, seconds: Seconds
) -> None:
    async with SqlStore.connect(
        database.app_dsn, sealer=at_work.sealer, entropy=ENTROPY, clock=clock
    ) as store:
        acts = SqlPlatformActs(store.database, sealer=at_work.sealer, clock=clock, log_origin="log")
        officers = Officers(acts, clock=clock, entropy=ENTROPY, log_origin="log")
        log = SqlLogKeys(store.database, sealer=at_work.sealer, clock=clock)
        named = tuple(b64url(FileSigning(ENTROPY.draw(32)).public) for _ in range(3))
        seconds.at += 60
        with pytest.raises(KeysStaleError):
            await officers.appoint(named, policy=FOUNDING)
        with pytest.raises(KeysStaleError):
            await log.tell("log+0a0b0c0d+AQ==")
        assert (await store.head()).size == 0
        await at_work.look()
        assert (await officers.appoint(named, policy=FOUNDING)).officers == tuple(sorted(named))


@pytest.mark.parametrize("opens", [open_officers, open_webhooks, open_dead_letters])
async def test_a_command_follows_the_keyring_for_as_long_as_it_works(
    world: World, monkeypatch: pytest.MonkeyPatch, opens: Opens
) -> None:
    """Prevents: an erasure of many accounts that is refused after ten seconds."""
    looked = asyncio.Event()

    async def look(_: KeysAtWork) -> None:
        looked.set()

    monkeypatch.setattr(KeysAtWork, "look", look)
    async with opens(world):
        await asyncio.wait_for(looked.wait(), 10)


# --- With a token ---


async def test_without_its_token_nothing_is_decided_and_nothing_is_lost(
    database: TestDatabase, clock: SteerableClock, tmp_path: Path, seconds: Seconds
) -> None:
    soft = make_token(tmp_path)
    token = Token(soft.place, seconds=seconds)
    directory = tmp_path / "ring"
    keyring = keyrings.create_all(directory, entropy=ENTROPY, now=BEGINNING, token=token)
    at_work = KeysAtWork(keyring, directory, token=token, seconds=seconds)
    async with SqlStore.connect(
        database.app_dsn, sealer=at_work.sealer, entropy=ENTROPY, clock=clock
    ) as store:
        alice = await opened(store, clock)
        bob = opening(new_customer(), now=clock.at)
        with soft.gone():
            with pytest.raises(TokenUnavailableError):
                await store.run(bob)
            seconds.at += 1
            with pytest.raises(TokenUnavailableError):
                await store.run(touching(alice))
        assert (await store.head()).size == 1
        seconds.at += 1
        await store.run(bob)
        await store.run(touching(alice))
        with soft.hanging():
            with pytest.raises(TokenUnavailableError):
                await store.run(opening(new_customer(), now=clock.at))
            with pytest.raises(TokenUnavailableError):
                await store.run(touching(alice))
        assert (await store.head()).size == 3


# --- What whoever runs it is told ---


async def test_a_service_that_refuses_all_for_its_keyring_says_that_it_is_not_ready(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: a load balancer that goes on sending customers to a process that refuses them."""
    path = service.settings.keyring_dir / a_file(service.settings.keyring_dir).name
    at_work = cast("KeysAtWork", cast("Any", service.api.check_health).__self__)
    alice = Customer(service, "alice")
    await alice.open("email")
    assert (await service.http.get("/health/ready")).status_code == 200

    path.chmod(0o644)
    with pytest.raises(KeyringWrongError):
        await at_work.look()
    now = at_work._seconds()  # noqa: SLF001 - time goes on for it alone
    monkeypatch.setattr(at_work, "_seconds", lambda: now + 11)

    with pytest.raises(ProblemError) as refused:
        await alice.bind_password()
    assert (refused.value.status, refused.value.code) == (503, "keys_stale")
    unready = await service.http.get("/health/ready")
    assert (unready.status_code, unready.json()["code"]) == (503, "keys_stale")
    assert unready.json()["detail"].endswith(f": {KeyringWrongError.code}")
    assert str(path.parent) not in unready.text

    path.chmod(0o600)
    await at_work.look()
    assert (await service.http.get("/health/ready")).status_code == 200


async def test_a_keyring_that_nobody_could_look_at_is_stale_without_a_reason(
    at_work: KeysAtWork, seconds: Seconds
) -> None:
    at_work.check_health()
    seconds.at += 11
    with pytest.raises(KeysStaleError, match=r"nothing is decided$"):
        at_work.check_health()
