"""A PostgreSQL of somebody's own, by the words of docs/postgresql.md: roles, backup, restore."""

import asyncio
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from support.commands import Ended, free_port, run, serve
from support.installations import environment_of
from support.postgres import DEBIAN_15, TestServer, base

PAGE = Path(__file__).parents[2] / "docs" / "postgresql.md"
SQL = re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]
SECRETS = {"twinlock_owner": "a-long-secret", "twinlock_app": "another-long-secret"}
pytestmark = pytest.mark.skipif(not DEBIAN_15.exists(), reason="PostgreSQL 15 is missing")
Variables = dict[str, str]


@pytest.fixture
async def fresh() -> AsyncIterator[TestServer]:
    """A server of its own, that nobody has prepared: roles belong to a whole server."""
    directory = Path(tempfile.mkdtemp(prefix="twinlock-fresh-", dir=base()))
    os.chmod(directory, 0o711)  # noqa: PTH101, S103 - the server's user passes through
    server = TestServer(directory, binaries=DEBIAN_15)
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)
        shutil.rmtree(directory)


async def made(server: TestServer, name: str) -> dict[str, str]:
    """Make a database called ``name`` as the page says, and return its URLs as settings."""
    superuser = await asyncpg.connect(server.dsn("postgres"))
    try:
        for statement in SQL.split(";"):
            if "CREATE ROLE" in statement and name != "twinlock":
                continue
            named = re.sub(r"\bDATABASE twinlock\b", f"DATABASE {name}", statement)
            if named.strip():
                await superuser.execute(named)
    finally:
        await superuser.close()
    urls = {role: server.dsn(name, role=role, password=own) for role, own in SECRETS.items()}
    return {
        "TWINLOCK_DATABASE_URL": urls["twinlock_app"],
        "TWINLOCK_OWNER_URL": urls["twinlock_owner"],
    }


@pytest.fixture
async def variables(fresh: TestServer, tmp_path: Path) -> Variables:
    """An installation as the page makes it, on which somebody has an account."""
    settings = {**environment_of(tmp_path), **await made(fresh, "twinlock")}
    for words in (("migrate",), ("keys", "init")):
        told = await run(settings, *words)
        assert told.code == 0, told
    return settings


async def account(variables: Variables) -> str:
    """Open an account while the service serves, and return its id."""
    key = (await run(variables, "platform-key", "create")).out.strip()
    async with (
        serve(without_owner(variables), port=free_port()) as running,
        httpx.AsyncClient(base_url=running.url) as http,
    ):
        opened = await http.post(
            "/v1/accounts",
            json={"channels": [{"kind": "email", "address": "alice@example.com"}]},
            headers={"Authorization": f"Bearer {key}", "Idempotency-Key": "one-of-a-kind"},
        )
        assert opened.is_success, opened.text
        return str(opened.json()["account_id"])


def without_owner(variables: Variables) -> Variables:
    return {name: value for name, value in variables.items() if name != "TWINLOCK_OWNER_URL"}


async def dumped(variables: Variables, path: Path) -> Path:
    await tool("pg_dump", "--format=custom", f"--file={path}", variables["TWINLOCK_OWNER_URL"])
    return path


async def restored(server: TestServer, variables: Variables, dump: Path, name: str) -> Variables:
    settings = {**variables, **await made(server, name)}
    await tool(
        "pg_restore", "--exit-on-error", f"--dbname={settings['TWINLOCK_OWNER_URL']}", str(dump)
    )
    return settings


async def tool(name: str, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(str(DEBIAN_15 / name), *words)
    assert await process.wait() == 0


async def audited(variables: Variables, *words: str) -> tuple[bool, set[str]]:
    told = await run(variables, "audit", "--jobs", "1", "--json", *words)
    verdict = json.loads(told.out)
    return verdict["sound"], set(verdict["faults"])


def refused(told: Ended, code: str) -> None:
    assert told.code == 2, told
    assert told.err.rstrip().endswith(f"[{code}]"), told


async def hold(variables: Variables, named: str, reference: str) -> Ended:
    return await run(variables, "legal-hold", "set", named, "--reference", reference)


async def test_two_roles_without_other_rights_serve_erase_and_rewrap(
    variables: Variables, fresh: TestServer
) -> None:
    named = await account(variables)
    assert (await hold(without_owner(variables), named, "court 7")).code == 0
    assert (await run(variables, "erase-due")).out == "no erasure is due\n"
    assert (await run(variables, "keys", "rewrap")).code == 0
    refused(await run(without_owner(variables), "erase-due"), "settings_wrong")
    assert await audited(variables) == (True, set())

    app = await asyncpg.connect(variables["TWINLOCK_DATABASE_URL"])
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("DELETE FROM twinlock.leaf")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("CREATE TEMPORARY TABLE mine ()")
    finally:
        await app.close()
    superuser = await asyncpg.connect(fresh.dsn("postgres"))
    try:
        rights = await superuser.fetch(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'twinlock%'"
            " AND (rolsuper OR rolcreaterole OR rolcreatedb)"
        )
    finally:
        await superuser.close()
    assert rights == []


async def test_the_newest_copy_goes_on_and_an_older_one_is_refused_until_it_is_adopted(
    variables: Variables, fresh: TestServer, tmp_path: Path
) -> None:
    """Prevents: a database put back to before a payment, a freeze or a removal, unnoticed."""
    named = await account(variables)
    older = await dumped(variables, tmp_path / "older.dump")
    assert (await hold(variables, named, "court 7")).code == 0
    newer = await dumped(variables, tmp_path / "newer.dump")
    async with (
        serve(variables, port=free_port()) as running,
        httpx.AsyncClient(base_url=running.url) as http,
    ):
        (tmp_path / "checkpoint").write_bytes((await http.get("/checkpoint")).content)
    since = ("--since", str(tmp_path / "checkpoint"))

    same = await restored(fresh, variables, newer, "twinlock_newer")
    assert await audited(same, *since) == (True, set())

    back = await restored(fresh, variables, older, "twinlock_older")
    refused(await hold(back, named, "court 8"), "log_rolled_back")
    refused(await run(back, "serve"), "log_rolled_back")
    refused(await run(back, "anchor", "adopt"), "anchor_moved")
    assert await audited(back) == (False, {"anchor_wrong"})
    assert await audited(back, *since) == (False, {"anchor_wrong", "checkpoint_wrong"})

    data = Path(variables["TWINLOCK_DATA_DIR"])
    (data / "log-anchor.json").rename(tmp_path / "log-anchor.json")
    refused(await hold(same, named, "court 8"), "log_rolled_back")
    assert await audited(same, *since) == (False, {"anchor_missing"})
    assert (await run(back, "anchor", "adopt")).code == 0
    assert await audited(back) == (True, set())
    assert await audited(back, *since) == (False, {"checkpoint_wrong"})
    assert (await hold(back, named, "court 8")).code == 0
    refused(await hold(same, named, "court 9"), "log_rolled_back")
