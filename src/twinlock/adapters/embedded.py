"""The embedded database of an installation: its server, its users and their passwords."""

import asyncio

from twinlock.adapters import private_files
from twinlock.adapters.postgres import SERVER_USER, EmbeddedPostgres
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.migrate import APP_ROLE, migrate
from twinlock.adapters.system import SystemEntropy
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import DatabaseNotOursError, DatabaseNotStartedError

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
    password = private_files.read_or_make(
        settings.app_password_file, lambda: b64url(SystemEntropy().draw(24)).encode("ascii")
    ).decode("ascii")
    owner = server.dsn(database=DATABASE, role=address.superuser, password=address.password)
    await migrate(owner, app_password=password)
    return server.dsn(database=DATABASE, role=APP_ROLE, password=password), owner


def running(settings: Settings, server: EmbeddedPostgres) -> str:
    """Return the URL of the application on a server that was made before, and runs afterwards.

    Raises:
        DatabaseNotStartedError: it was never made, or does not start.
    """
    check_made(settings)
    server.ensure_running()
    return address(settings, server)


def check_made(settings: Settings) -> None:
    """Return where there is an embedded database. Raises DatabaseNotStartedError."""
    if not settings.postgres_dir.exists() or not settings.app_password_file.exists():
        raise DatabaseNotStartedError("there is no embedded database yet")


def address(settings: Settings, server: EmbeddedPostgres) -> str:
    """Return the URL of the application on a server that was made before, running or not.

    Raises:
        DatabaseNotStartedError: it does not run, and left no socket to find.
    """
    password = private_files.read(settings.app_password_file).decode("ascii")
    return server.dsn(database=DATABASE, role=APP_ROLE, password=password)
