"""The audit of an installation."""

from twinlock.adapters.auditing import Auditor, open_auditor
from twinlock.adapters.postgres import SERVER_USER
from twinlock.adapters.settings import Settings
from twinlock.bootstrap.world import embedded


async def auditor(settings: Settings, *, server_user: str = SERVER_USER) -> Auditor:
    """Return what audits an installation, and writes nothing in it. Raises as ``prepare``."""
    server = embedded(settings, server_user=server_user) if settings.database_url is None else None
    return await open_auditor(settings, server)
