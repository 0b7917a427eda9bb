"""A second engine that says no: nothing leaves, it is on record, and the operator can see it."""

from dataclasses import replace
from typing import cast

from support.postgres import TestDatabase
from support.service import Customer, serving

from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.world import World
from twinlock.domain.catalogue import ActionType
from twinlock.domain.policy.facts import Facts
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Answer, Never, Requirement


def refuses_withdrawals(facts: Facts) -> Requirement:
    refused = facts.action == ActionType.WITHDRAWAL_CRYPTO
    return Never(code=Reason.ENGINE_ERROR) if refused else NOTHING


async def test_what_two_engines_differ_on_leaves_nothing_and_is_counted(
    world: World, database: TestDatabase
) -> None:
    async def waiting() -> int:
        return cast("int", await database.value("SELECT count(*) FROM outbox"))

    book = replace(rule_book(), confirm=refuses_withdrawals)
    async with serving(world, waiting_letters=waiting, book=book) as service:
        alice = Customer(service, "alice")
        await alice.set_up()
        await alice.add_destination()
        before = (await service.http.get("/metrics")).text
        refused = await alice.withdraw()
        after = (await service.http.get("/metrics")).text
        again = await service.client.action(refused.action_id)

    assert "twinlock_engine_errors_total 0.0" in before
    assert refused.answer is Answer.DENY
    assert [why.code for why in refused.why] == ["engine_error"]
    assert not refused.authorization
    assert "twinlock_engine_errors_total 1.0" in after
    assert (again.state, again.answer) == ("open", Answer.DENY)
    assert [why.code for why in again.why] == ["engine_error"]
