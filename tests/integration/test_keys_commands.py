"""``twinlock keys`` as an operator starts it, on files and on a token, while processes serve."""

import asyncio
import os
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from support.commands import Ended, free_port, run, serve
from support.installations import environment_of
from support.keyrings import age
from support.postgres import TestDatabase
from support.softhsm import CONFIG, PIN, SoftToken, make_token
from support.until import asked_until, until

from twinlock.adapters.keys_at_work import LOOK_SECONDS
from twinlock.adapters.settings import load as load_settings
from twinlock.bootstrap.keys import make_keyring
from twinlock.cli.serve import PIN_REFUSED
from twinlock.domain.keys import REQUIRED, Role
from twinlock.domain.log.note import parse_note

Variables = dict[str, str]
A_MONTH = timedelta(days=30)


@pytest.fixture
def variables(database: TestDatabase, tmp_path: Path) -> Variables:
    return environment_of(tmp_path, DATABASE_URL=database.app_dsn, OWNER_URL=database.owner_dsn)


@pytest.fixture
def made(variables: Variables) -> Variables:
    make_keyring(load_settings(variables))
    return variables


def directory(variables: Variables) -> Path:
    return Path(variables["TWINLOCK_KEYRING_DIR"])


def refused(told: Ended, code: str, *, ends: int = 2) -> None:
    assert told.code == ends, told
    assert told.err.rstrip().endswith(f"[{code}]"), told
    assert "Traceback" not in told.err


async def asked(variables: Variables, *words: str) -> Any:  # noqa: ANN401 - JSON
    told = await run(variables, "keys", *words, "--json")
    assert told.code == 0, told.err
    return msgspec.json.decode(told.out)


async def rotate(variables: Variables, role: Role) -> tuple[str, str]:
    """Announce and activate a key, as if days had passed; return the old id and the new one."""
    old, new = await announced(variables, role)
    await activated(variables, role, new)
    return old, new


async def announced(variables: Variables, role: Role) -> tuple[str, str]:
    """Announce a key, as if a month ago; return the id of the one before it, and its own."""
    held = await asked(variables, "list")
    (old,) = [one["key_id"] for one in held if (one["role"], one["state"]) == (role, "current")]
    new = await asked(variables, "rotate", role)
    age(directory(variables), role, by=A_MONTH)
    return old, new["key_id"]


async def activated(variables: Variables, role: Role, new: str) -> None:
    """Activate the announced key, as if a month ago."""
    told = await asked(variables, "activate", role)
    assert told["key_id"] == new
    age(directory(variables), role, by=A_MONTH)


async def seen_by_all() -> None:
    """Return when every process that serves has looked at its keys, which it does each second."""
    over = time.monotonic() + 4 * LOOK_SECONDS
    await until(lambda: time.monotonic() > over)


async def test_keys_are_listed_with_their_states_and_no_secret(made: Variables) -> None:
    told = await run(made, "keys", "list")

    assert told.code == 0
    assert len(told.out.splitlines()) == len(REQUIRED)
    assert all("current" in line and " file " in line for line in told.out.splitlines())
    for path in directory(made).iterdir():
        assert msgspec.json.decode(path.read_bytes())["key"] not in told.out + told.err


@pytest.mark.parametrize("role", sorted(REQUIRED))
async def test_whoever_must_know_a_new_key_is_named_before_it_is_used(
    made: Variables, role: Role
) -> None:
    """Prevents: witnesses and platforms that nobody told, which refuse the new key."""
    told = (await run(made, "keys", "rotate", role)).err
    of_trust = role in {Role.LOG, Role.AUTHORIZATION}
    assert ("`twinlock keys trust` to every signer" in told) == of_trust
    assert ("/.well-known/jwks.json" in told) == (role is Role.ANSWERS)
    assert ("/v1/ssf/jwks.json" in told) == (role is Role.SIGNALS)
    published = role in {Role.ANSWERS, Role.SIGNALS}
    assert ("every other machine" in told) == (not of_trust and not published)
    (named,) = [line for line in told.splitlines() if "witness" in line] or [""]
    assert bool(named) == (role is Role.LOG)
    if named:
        trust = msgspec.json.decode((await run(made, "keys", "trust")).out)
        assert f"log {named.rpartition(' ')[2]} " in trust["log"]
    assert told.splitlines()[-1] == f"then, and not before: twinlock keys activate {role}"


async def test_a_key_is_announced_used_and_retired_in_that_order(made: Variables) -> None:
    refused(await run(made, "keys", "activate", "seal"), "rotation_refused")
    told = await run(made, "keys", "rotate", "authorization")
    assert told.code == 0
    assert "hand the new `twinlock keys trust` to every signer" in told.err
    refused(await run(made, "keys", "rotate", "authorization"), "rotation_refused")
    refused(await run(made, "keys", "activate", "authorization"), "rotation_refused")
    refused(await run(made, "keys", "activate", "authorization", "--at-once"), "rotation_refused")
    key_id = told.out.split()[1]
    handed_over = msgspec.json.decode((await run(made, "keys", "trust")).out)
    assert len(handed_over["authorization_keys"]) == 2

    age(directory(made), Role.AUTHORIZATION, by=timedelta(minutes=1))
    at_once = await run(made, "keys", "activate", "authorization", "--at-once")
    assert at_once.code == 0
    old = next(one for one in await asked(made, "list") if one["state"] == "old")["key_id"]
    refused(await run(made, "keys", "retire", "authorization", old), "rotation_refused")
    refused(await run(made, "keys", "retire", "authorization", key_id), "rotation_refused")
    refused(await run(made, "keys", "retire", "authorization", "0" * 16), "key_not_found")
    age(directory(made), Role.AUTHORIZATION, by=A_MONTH)
    assert (await asked(made, "retire", "authorization", old))["state"] == "retired"
    trusted = msgspec.json.decode((await run(made, "keys", "trust")).out)
    both = msgspec.json.decode((await run(made, "keys", "trust", "--with-retired")).out)
    assert (len(trusted["authorization_keys"]), len(both["authorization_keys"])) == (1, 2)


async def test_a_command_that_finds_another_one_at_work_says_so(made: Variables) -> None:
    lock = directory(made).parent / ".ring.lock"
    held = await asyncio.create_subprocess_exec("flock", str(lock), "sleep", "60")
    try:
        await until(lock.exists)
        refused(await run(made, "keys", "rotate", "seal"), "file_busy")
    finally:
        held.kill()
        await held.wait()


async def test_a_role_that_is_none_is_told(made: Variables) -> None:
    told = await run(made, "keys", "rotate", "root")
    assert told.code == 2
    assert "'root' is not one of" in told.err
    refused(await run(made, "keys", "rotate", "prices"), "rotation_refused")


async def test_rewrapping_takes_the_tables_owner(made: Variables) -> None:
    without = {name: value for name, value in made.items() if name != "TWINLOCK_OWNER_URL"}
    refused(await run(without, "keys", "rewrap"), "settings_wrong")
    other = {**made, "TWINLOCK_OWNER_URL": made["TWINLOCK_DATABASE_URL"]}
    await rotate(made, Role.SEAL)
    assert (await run(other, "keys", "rewrap")).code in {0, 2}
    told = await run(made, "keys", "rewrap")
    assert (told.code, told.out.split()[0]) == (0, "0")


class Platform:
    """A platform that opens accounts for as long as a test lasts, and counts what it is told."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {key}"}
        self.opened: list[str] = []
        self.failed: list[str] = []
        self._stop = False

    async def open_forever(self, name: str) -> None:
        async with httpx.AsyncClient(headers=self.headers, timeout=20) as http:
            number = 0
            while not self._stop:
                number += 1
                body = {"channels": [{"kind": "desktop", "address": f"{name}-{number}"}]}
                told = await http.post(
                    f"{self.url}/v1/accounts",
                    json=body,
                    headers={"Idempotency-Key": f"{name}-{number:06d}"},
                )
                if told.is_success:
                    self.opened.append(told.json()["account_id"])
                elif told.json().get("code") == "unavailable":
                    number -= 1  # A busy machine: repeat it with the same key, as we ask for.
                else:
                    self.failed.append(told.text)

    def stop(self) -> None:
        self._stop = True


async def platform_key(variables: Variables) -> str:
    told = await run(variables, "platform-key", "create", "--json")
    return str(msgspec.json.decode(told.out)["key"])


@pytest.mark.requirement("O-31")
@pytest.mark.timeout(300)
async def test_every_role_is_rotated_while_several_processes_serve(made: Variables) -> None:
    port = free_port()
    serving = {**made, "TWINLOCK_LISTEN": f"127.0.0.1:{port}", "TWINLOCK_WORKERS": "2"}
    key = await platform_key(made)
    async with serve(serving, port=port) as service:
        platform = Platform(service.url, key)
        busy = [asyncio.create_task(platform.open_forever(f"worker-{n}")) for n in range(3)]
        keys = {role: await announced(made, role) for role in REQUIRED}
        await seen_by_all()
        for role, (_, new) in keys.items():
            await activated(made, role, new)
        old = {role: before for role, (before, _) in keys.items()}
        notes = [await checkpoint(service.url) for _ in range(4)]
        told = await asked(made, "rewrap")
        assert told["subjects"] > 0
        refused(await run(made, "keys", "retire", "platform", old[Role.PLATFORM]), "key_needed")
        for role in (Role.SEAL, Role.INDEX, Role.LOG, Role.AUTHORIZATION):
            assert (await asked(made, "retire", role, old[role]))["state"] == "retired"
        last = [await checkpoint(service.url) for _ in range(4)]
        platform.stop()
        await asyncio.gather(*busy)
        assert await service.ready()
        async with httpx.AsyncClient(headers=platform.headers) as http:
            for account in platform.opened:
                assert (await http.get(f"{service.url}/v1/accounts/{account}")).is_success

    assert platform.failed == []
    assert len(platform.opened) > 10
    assert {len(parse_note(note).signatures) for note in notes} == {2}
    assert {len(parse_note(note).signatures) for note in last[-1:]} <= {1, 2}


async def checkpoint(url: str) -> bytes:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{url}/checkpoint")).content


# --- On a token ---


@pytest.fixture
def soft(tmp_path: Path) -> SoftToken:
    return make_token(tmp_path)


@pytest.fixture
def on_token(variables: Variables, soft: SoftToken) -> Variables:
    there = {f"TWINLOCK_{name}": value for name, value in soft.variables.items()}
    return {**variables, **there, CONFIG: os.environ[CONFIG]}


@pytest.mark.timeout(300)
async def test_keys_are_made_and_rotated_in_the_token(on_token: Variables) -> None:
    made = await run(on_token, "keys", "init")
    assert made.code == 0, made.err
    assert "lie in the token" in made.err
    listed = await asked(on_token, "list")
    assert [one["in_token"] for one in listed] == [True] * len(REQUIRED)
    for role in (Role.LOG, Role.SEAL):  # Each kind; test_keyring_in_token.py has every role.
        old, _ = await rotate(on_token, role)
        if role is Role.SEAL:
            await asked(on_token, "rewrap")
        assert (await asked(on_token, "retire", role, old))["state"] == "retired"
    assert PIN not in made.out + made.err


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"TWINLOCK_PKCS11_TOKEN": "nobody's"}, "token_missing"),
        ({"TWINLOCK_PKCS11_MODULE": "/usr/lib/absent.so"}, "token_missing"),
        ({"TWINLOCK_PKCS11_PIN_FILE": "/etc/hostname"}, "token_pin_wrong"),
        ({"TWINLOCK_PKCS11_PIN_FILE": "/nowhere/pin"}, "token_pin_wrong"),
    ],
)
async def test_a_token_that_is_not_ours_stops_the_start(
    on_token: Variables, changed: Variables, code: str
) -> None:
    assert (await run(on_token, "keys", "init")).code == 0
    for words in (("keys", "list"), ("keys", "trust")):
        refused(await run({**on_token, **changed}, *words), code)
    ends = PIN_REFUSED if code == "token_pin_wrong" else 2
    refused(await run({**on_token, **changed}, "serve"), code, ends=ends)


async def test_a_wrong_pin_and_no_token_at_all_stop_the_start(
    on_token: Variables, soft: SoftToken
) -> None:
    assert (await run(on_token, "keys", "init")).code == 0
    without = {name: value for name, value in on_token.items() if "PKCS11" not in name}
    refused(await run(without, "serve"), "token_missing")
    soft.place.pin_file.write_text("0815-falsch")
    told = await run(on_token, "serve")
    refused(told, "token_pin_wrong", ends=PIN_REFUSED)
    assert "0815" not in told.err


@pytest.mark.requirement("O-35", "O-31")
@pytest.mark.timeout(120)
async def test_a_token_that_goes_while_processes_serve_stops_deciding_and_comes_back(
    on_token: Variables, soft: SoftToken
) -> None:
    assert (await run(on_token, "keys", "init")).code == 0
    port = free_port()
    key = await platform_key(on_token)
    serving = {**on_token, "TWINLOCK_LISTEN": f"127.0.0.1:{port}"}
    body = {"channels": [{"kind": "desktop", "address": "desktop-1"}]}
    async with (
        serve(serving, port=port) as service,
        httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=20) as http,
    ):

        async def opens(name: str) -> httpx.Response:
            headers = {"Idempotency-Key": name}
            return await http.post(f"{service.url}/v1/accounts", json=body, headers=headers)

        first = await opens("first-key-01")
        assert first.is_success
        for trouble in (soft.gone, soft.hanging):
            name = f"{trouble.__name__}-key-01"
            with trouble():
                down = await opens(name)
                again = await opens(name)
            assert (down.status_code, down.json()["code"]) == (503, "token_unavailable")
            assert again.status_code == 503
            back = await asked_until(partial(opens, name), lambda told: told.is_success)
            known = (await opens(name)).json()["account_id"]
            assert known == back.json()["account_id"] != first.json()["account_id"]
        assert service.process.returncode is None
