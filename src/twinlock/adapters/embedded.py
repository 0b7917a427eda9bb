"""The embedded database of an installation: its server, its users and their passwords."""

import asyncio
from pathlib import Path

from twinlock.adapters import private_files
from twinlock.adapters.postgres import SERVER_USER, EmbeddedPostgres
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.migrate import APP_ROLE, migrate
from twinlock.adapters.system import SystemEntropy
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import DatabaseNotOursError
from twinlock.ports import (
    Entropy,
)

DATABASE = "postgres"  # The embedded server holds nothing else.


def embedded(settings: Settings, *, server_user: str = SERVER_USER) -> EmbeddedPostgres:
    """Return the embedded server of an installation, running or not."""
    return EmbeddedPostgres(
        settings.postgres_dir,
        password_file=settings.postgres_password_file,
        entropy=SystemEntropy(),
        server_user=server_user,
    )


def stop(settings: Settings, *, server_user: str = SERVER_USER) -> bool:
    """Stop the embedded database of an installation, if it runs; say whether it did.

    Raises:
        DatabaseNotOursError: the settings name another database.
        DatabaseNotStartedError: it did not stop in a minute.
    """
    if settings.database_url is not None:
        raise DatabaseNotOursError("TWINLOCK_DATABASE_URL is set: stop that server yourself")
    made = settings.postgres_dir.exists()
    return made and embedded(settings, server_user=server_user).stop()


async def bring_up(settings: Settings, server: EmbeddedPostgres) -> tuple[str, str]:
    """Start the server, migrate, and return the URLs of the application and of the owner."""
    address = await asyncio.to_thread(server.ensure_running)
    password = _app_password(settings.keyring_dir.parent / "app-password", SystemEntropy())
    owner = server.dsn(database=DATABASE, role=address.superuser, password=address.password)
    await migrate(owner, app_password=password)
    return server.dsn(database=DATABASE, role=APP_ROLE, password=password), owner


def _app_password(path: Path, entropy: Entropy) -> str:
    try:
        return private_files.read(path).decode("ascii")
    except FileNotFoundError:
        private_files.write(path, b64url(entropy.draw(24)).encode("ascii"))
        return private_files.read(path).decode("ascii")
