"""Erasures for tests: customers who asked to be erased, and all that a database says of anybody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from support.postgres import TestDatabase
from support.service import Customer, Service

from twinlock.bootstrap.records import Records, erasing_of, open_records
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.world import World
from twinlock.services.erasing import Outcome

WAIT_DAYS = 30


async def ask_to_be_erased(customer: Customer) -> str:
    """Ask for the erasure of ``customer``'s account, with proof, and return its action."""
    proposed = await customer.propose("account.erase")
    answered = await customer.with_passkey(proposed.action_id)
    assert answered.answer == "hold"
    return proposed.action_id


@asynccontextmanager
async def records_of(
    service: Service, world: World, database: TestDatabase
) -> AsyncIterator[Records]:
    """Open the operator's use cases of records beside a running service."""
    owned = replace(world, owner_dsn=database.owner_dsn)
    async with open_records(owned, book=rule_book(), clock=service.clock) as records:
        yield records


async def erase_due(service: Service, world: World, database: TestDatabase) -> tuple[Outcome, ...]:
    """Erase what is due, as the operator's command does."""
    async with records_of(service, world, database) as records:
        return await erasing_of(records).run()


async def everything_in(database: TestDatabase) -> bytes:
    """Return every value of every row of every table, as bytes and in hexadecimal."""
    whole = b""
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'twinlock'")
    for table in tables:
        for row in await database.fetch(f"SELECT * FROM {table['tablename']}"):  # noqa: S608 - of pg_tables
            for value in row.values():
                is_bytes = isinstance(value, bytes)
                whole += value if is_bytes else str(value).encode()
                whole += b"\n"
    return whole
