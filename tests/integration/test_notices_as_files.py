"""Who serves without a carrier of notices is told so: at the start, in health and in metrics."""

from pathlib import Path

import httpx
from support.commands import free_port, run, serve
from support.installations import environment_of
from support.postgres import TestDatabase
from support.until import asked_until

from twinlock.adapters.settings import load as load_settings
from twinlock.bootstrap.keys import make_keyring

SAID = "nobody carries notices: they are files in "


async def test_it_is_said_while_files_are_all_there_is(
    database: TestDatabase, tmp_path: Path
) -> None:
    made = environment_of(tmp_path, DATABASE_URL=database.app_dsn)
    make_keyring(load_settings(made))
    async with serve(made, port=free_port()) as serving, httpx.AsyncClient() as http:
        ready = (await http.get(f"{serving.url}/health/ready")).json()
        assert ready["notices"] == "files"

        async def metrics() -> str:
            return (await http.get(f"{serving.url}/metrics")).text

        await asked_until(metrics, lambda told: "twinlock_notices_files_only 1.0" in told)
        _, err = await serving.end()
    assert f"{SAID}{load_settings(made).outbox_dir}" in err


async def test_nothing_is_said_once_somebody_carries_some(
    database: TestDatabase, tmp_path: Path
) -> None:
    made = environment_of(tmp_path, DATABASE_URL=database.app_dsn)
    make_keyring(load_settings(made))
    url = "https://provider.example/sms"
    assert (await run(made, "webhook", "add", url, "--events", "notice.sms")).code == 0
    async with serve(made, port=free_port()) as serving, httpx.AsyncClient() as http:
        ready = (await http.get(f"{serving.url}/health/ready")).json()
        assert ready["notices"] == "carried"
        assert "twinlock_notices_files_only 0.0" in (await http.get(f"{serving.url}/metrics")).text
        _, err = await serving.end()
    assert SAID not in err
