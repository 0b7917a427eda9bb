"""What the owner of a database can do to all of it at once: keep it, and put it back."""

from support.postgres import TestDatabase

TABLES = ("subject_key", "stream", "event", "leaf", "tile", "head", "idempotency")


async def keep(database: TestDatabase) -> None:
    """Keep every row of state and log as it is now."""
    for table in TABLES:
        await database.execute(f"DROP TABLE IF EXISTS public.kept_{table}")
        await database.execute(f"CREATE TABLE public.kept_{table} AS TABLE {table}")


async def put_back(database: TestDatabase) -> None:
    """Put back every row as it was kept, and remove what was added since."""
    async with database.owner() as owner, owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        for table in TABLES:
            await owner.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
            await owner.execute(
                f"INSERT INTO {table} SELECT * FROM public.kept_{table}"  # noqa: S608 - a name of ours
            )
