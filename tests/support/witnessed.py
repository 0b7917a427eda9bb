"""A service whose log witnesses cosign, and witnesses that say what a test wants."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.postgres import TestDatabase
from support.service import Customer, Service, SteerableClock, serving
from support.witnesses import Said, saying, whole

from twinlock.adapters.keyring.signing import log_keys
from twinlock.bootstrap.world import World
from twinlock.domain.log.note import VerifierKey
from twinlock.witness.ledger import Ledger, make_witness
from twinlock.witness.serving import Witness

SOON_SECONDS = 20


def keys_of(world: World) -> tuple[VerifierKey, ...]:
    """Return the keys of the log of ``world``."""
    return log_keys(world.keyring, log_origin=world.settings.log_origin)


@dataclass
class ActedWitness:
    """The real witness behind a socket of this process; ``acts`` says something else for it.

    ``heard`` are the first lines of the requests, ``bodies`` what was submitted.
    """

    directory: Path
    name: str
    acts: Said | None = None
    at: Callable[[], datetime] | None = None
    url: str = ""
    heard: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = make_witness(self.directory, name=self.name).key
        self.ledger = Ledger.open(self.directory)

    @property
    def secret(self) -> Ed25519PrivateKey:
        return self.ledger.identity.secret

    async def says(self, line: bytes, body: bytes) -> bytes:
        self.heard.append(line.decode())
        self.bodies.append(body)
        if self.acts is not None:
            return await self.acts(line, body)
        return await self.honestly(line, body)

    async def honestly(self, line: bytes, body: bytes) -> bytes:
        """Answer as the real one does."""
        assert self.at is not None
        witness = Witness(self.ledger, now=self.at)
        if line.startswith(b"POST"):
            answer = await asyncio.to_thread(witness.add_checkpoint, body)
        else:
            name = line.split(b"/")[-3].decode()
            answer = await asyncio.to_thread(witness.monitored, name)
        return whole(answer.status, answer.body, answer.media_type)


@dataclass
class Town:
    """A world with witnesses, whose processes a test starts and ends."""

    world: World
    database: TestDatabase
    directory: Path
    witnesses: list[ActedWitness]
    clock: SteerableClock = field(default_factory=SteerableClock)

    def require(self, quorum: int, *, asked: Iterable[ActedWitness] | None = None) -> None:
        """Ask these witnesses from the next start on, and so many of them for a quorum."""
        chosen = list(self.witnesses if asked is None else asked)
        lines = [f"witness {one.name} {one.key} {one.url}" for one in chosen]
        names = " ".join(one.name for one in chosen)
        lines += [f"group all-of-them {quorum} {names}", "quorum all-of-them"]
        path = self.directory / "witnesses.policy"
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        settings = replace(self.world.settings, witness_policy=path)
        self.world = replace(self.world, settings=settings)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Service]:
        """Serve in this process; every witness goes by the service's clock."""

        async def waiting() -> int:
            return cast("int", await self.database.value("SELECT count(*) FROM outbox"))

        async with serving(self.world, waiting_letters=waiting, clock=self.clock) as service:
            yield service


@asynccontextmanager
async def town(
    world: World, database: TestDatabase, directory: Path, *, witnesses: int
) -> AsyncIterator[Town]:
    """Make so many witnesses of the log of ``world``, which say the truth."""
    async with AsyncExitStack() as stack:
        made = [ActedWitness(directory / f"w{n}", f"w{n}") for n in range(1, witnesses + 1)]
        found = Town(world=world, database=database, directory=directory, witnesses=made)
        for one in made:
            one.ledger.add_log(keys_of(world), beginning=None)
            one.at = found.clock.now
            one.url = await stack.enter_async_context(saying(one.says))
        yield found


async def ready_to_spend(service: Service, name: str = "alice") -> tuple[Customer, str]:
    """Set a customer up, and return an action that is authorized."""
    customer = await settled(service, name)
    return customer, (await customer.withdraw()).action_id


async def settled(service: Service, name: str) -> Customer:
    """Set a customer up, and let a destination age for a day."""
    customer = Customer(service, name)
    await customer.set_up()
    await customer.add_destination()
    return customer


async def until(seen: Callable[[], Awaitable[object]]) -> None:
    """Look again and again until something is seen."""
    async with asyncio.timeout(SOON_SECONDS):
        while not await seen():  # noqa: ASYNC110 - what is seen tells nobody when it comes
            await asyncio.sleep(0.05)


STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x2a" * 32)
