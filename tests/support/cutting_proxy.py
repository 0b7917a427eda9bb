"""A proxy before PostgreSQL that cuts a connection between a commit and its answer."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from support.postgres import APP_PASSWORD, TestDatabase

from twinlock.adapters.postgres import PORT
from twinlock.adapters.sql.migrate import APP_ROLE

CHUNK = 65_536


class CuttingProxy:
    """Passes everything on, until ``cut_next_commit``: that commit's answer is not passed on."""

    def __init__(self, dsn: str, upstream: Path) -> None:
        self.dsn = dsn
        self.cuts = 0
        self._upstream = upstream
        self._armed = False

    def cut_next_commit(self) -> None:
        """Cut the connection that commits next, once the server has answered."""
        self._armed = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on, both ways."""
        above, below = await asyncio.open_unix_connection(str(self._upstream))
        committing = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._ask(reader, below, committing))
                both.create_task(self._answer(above, writer, committing))
        finally:
            below.close()
            writer.close()

    async def _ask(
        self, reader: asyncio.StreamReader, below: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        while data := await reader.read(CHUNK):
            if self._armed and b"COMMIT;" in data:
                self._armed = False
                committing.set()
            below.write(data)
        below.close()

    async def _answer(
        self, above: asyncio.StreamReader, writer: asyncio.StreamWriter, committing: asyncio.Event
    ) -> None:
        while data := await above.read(CHUNK):
            if committing.is_set():
                self.cuts += 1
                writer.transport.abort()
                return
            writer.write(data)
        writer.close()


@asynccontextmanager
async def cutting_proxy(database: TestDatabase) -> AsyncIterator[CuttingProxy]:
    """Run a proxy before the server of ``database``."""
    upstream = database.server.embedded.ensure_running().socket_directory / f".s.PGSQL.{PORT}"
    with tempfile.TemporaryDirectory(prefix="twinlock-proxy-") as directory:
        host = quote(directory, safe="/")
        dsn = f"postgresql://{APP_ROLE}:{APP_PASSWORD}@/{database.name}?host={host}&port={PORT}"
        proxy = CuttingProxy(dsn, upstream)
        path = Path(directory) / f".s.PGSQL.{PORT}"
        server = await asyncio.start_unix_server(proxy.serve, str(path))
        try:
            yield proxy
        finally:
            server.close()
