"""What a platform's servers are told while officers have halted everything, or one account."""

import pytest
from support.officers import ADA, BEN, CLEO, HALT, Officer
from support.service import Customer, Service

from twinlock.bootstrap.officers import open_officers
from twinlock.bootstrap.records import open_records
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.world import World
from twinlock.client import ProblemError
from twinlock.domain.ids import AccountId
from twinlock.domain.officers.statements import Act, Suspend
from twinlock.domain.requirements import Answer
from twinlock.proofs.officers import sign

EVALUATION = "/access/v1/evaluation"


async def say(world: World, service: Service, officer: Officer, act: Act | None) -> None:
    """Appoint officers where there are none; let one of them do ``act``, or agree to resume."""
    async with open_officers(world, clock=service.clock) as use:
        if not (await use.standing()).officers:
            await use.appoint((ADA.key, BEN.key, CLEO.key), policy=service.api.policy().name.digest)
        said = await use.resume() if act is None else act
        statement = use.statement(said, officer=officer.key)
        await use.act(sign(statement, officer.private.sign))


async def halted_gauge(service: Service) -> str:
    lines = (await service.http.get("/metrics")).text.splitlines()
    (line,) = [one for one in lines if one.startswith("twinlock_platform_halted ")]
    return line.split()[1]


async def test_a_halt_is_told_wherever_an_exit_is_looked_at(
    service: Service, world: World, alice: Customer
) -> None:
    await alice.add_destination()
    authorized, spent = await alice.withdraw(), await alice.withdraw()
    first = await service.client.spend(spent.action_id, spend_id="spend-0001")
    assert await halted_gauge(service) == "0.0"
    await say(world, service, ADA, HALT)

    assert await halted_gauge(service) == "1.0"
    refused = await alice.propose("withdrawal.crypto", alice.withdrawal())
    stopped = await service.client.spend(authorized.action_id, spend_id="spend-0002")
    looked = (await service.http.get(f"/v1/actions/{authorized.action_id}")).json()
    fields = alice.withdrawal()
    asked = {
        "subject": {"type": "account", "id": alice.account_id},
        "action": {"name": "withdrawal.crypto"},
        "resource": {"type": "destination", "id": fields.pop("address"), "properties": fields},
    }
    answered = (await service.http.post(EVALUATION, json=asked)).json()
    for answer in (refused, stopped):
        assert answer.answer is Answer.DENY
        assert "platform_halted" in [one.code for one in answer.why]
    assert "platform_halted" in [one["code"] for one in looked["why"]]
    assert "platform_halted" in [one["code"] for one in answered["context"]["reasons"]]
    with pytest.raises(ProblemError) as again:
        await service.client.spend(spent.action_id, spend_id="spend-0001")
    assert again.value.code == "platform_halted"

    await say(world, service, ADA, None)
    await say(world, service, BEN, None)

    assert await service.client.spend(spent.action_id, spend_id="spend-0001") == first
    gone = await service.client.spend(authorized.action_id, spend_id="spend-0002")
    assert gone.state == "spent"


async def test_a_suspension_is_told_to_the_platform_and_to_the_owner(
    service: Service, world: World, alice: Customer
) -> None:
    await alice.add_destination()
    action = await alice.withdraw()
    await say(world, service, ADA, HALT)
    await say(world, service, ADA, None)
    await say(world, service, BEN, None)
    named = AccountId(alice.account_id)
    book = rule_book(world.settings.profile)
    async with open_records(world, book=book, clock=service.clock) as use:
        act = Suspend(account=named, because="case-9")
        statement = use.officers.statement(act, officer=CLEO.key)
        await use.suspensions.act(sign(statement, CLEO.private.sign), named=named)

    stopped = await service.client.spend(action.action_id, spend_id="spend-0001")
    account = (await service.http.get(f"/v1/accounts/{named}")).json()
    await service.deliver()
    notices = (await service.http.get(f"/v1/accounts/{named}/notices")).json()

    assert "account_suspended" in [one.code for one in stopped.why]
    assert account["suspended_until"] is not None
    assert "account.suspend" in str(notices)
