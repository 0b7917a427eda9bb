"""Officers who bring policies into force on a running installation, with a prover for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.growths import growth_by_rules
from support.officers import ADA, BEN, CLEO, Officer
from support.service import SteerableClock

from twinlock.adapters.policies import compile_policy, shipped
from twinlock.bootstrap.officers import open_officers
from twinlock.bootstrap.policy_life import open_policy_life
from twinlock.bootstrap.world import World
from twinlock.domain.bounds import POLICY_WAIT
from twinlock.domain.officers.statements import Activate, Approve, PolicyAct
from twinlock.domain.policy.version import Policy
from twinlock.proofs.officers import sign
from twinlock.services.policy_life import Life, PolicyLife

STOP = """
@id("mine.stop") @outcome("deny") @reason("platform_rule")
forbid (principal, action == Action::"withdrawal.crypto", resource)
when { context.value_cents > 500 };
"""


def stricter_text() -> str:
    """Return a policy by which no more than 5 USD leave at once."""
    return shipped("default") + STOP


STRICTER, _ = compile_policy(stricter_text(), profile="stricter")


class Lives:
    """Officers of an installation, at a time that a test sets."""

    def __init__(self, world: World, clock: SteerableClock) -> None:
        self.world, self.clock = world, clock

    @asynccontextmanager
    async def use(self) -> AsyncIterator[PolicyLife]:
        """Open the use cases, as a command does."""
        async with open_policy_life(self.world, clock=self.clock, growth=growth_by_rules) as found:
            yield found

    async def appoint(self, policy: Policy) -> None:
        """Appoint officers; ``policy`` is in force."""
        async with open_officers(self.world, clock=self.clock) as officers:
            keys = (ADA.key, BEN.key, CLEO.key)
            await officers.appoint(keys, policy=policy.name.digest)

    async def does(self, officer: Officer, act: PolicyAct) -> Life:
        """Let an officer say something of a proposal."""
        async with self.use() as use:
            return await use.act(
                sign(use.statement(act, officer=officer.key), officer.private.sign)
            )

    async def approved(self, policy: Policy) -> Activate:
        """Have a version proposed and approved, let its wait pass, and return its activation."""
        async with self.use() as use:
            act = (await use.draft(policy.text)).act
            statement = use.statement(act, officer=ADA.key)
            await use.propose(sign(statement, ADA.private.sign), policy.text)
            number, _ = await use.named(policy.name.digest)
        await self.does(BEN, Approve(digest=act.digest, proposal=number))
        self.clock.forward(seconds=POLICY_WAIT.total_seconds())
        return Activate(digest=act.digest, growth=act.growth, proposal=number)
