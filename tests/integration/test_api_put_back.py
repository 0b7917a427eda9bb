"""Rows that somebody put back or repointed, through the API: an error, never another's answer."""

import pytest
from support.postgres import TestDatabase
from support.put_back import keep
from support.service import ADDRESS, Customer, Service

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql.keys_used import KeyName, key_use
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.world import prepare
from twinlock.client import ProblemError


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(
            "UPDATE stream s SET version = o.version, box = o.box FROM public.kept_stream o"
            " WHERE o.id = s.id AND s.kind = 'destination'",
            id="put back",
        ),
        pytest.param("DELETE FROM stream WHERE kind = 'destination'", id="gone"),
    ],
)
async def test_a_destination_is_shown_as_its_account_knows_it_or_not_at_all(
    service: Service, database: TestDatabase, edit: str
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    waiting = await alice.propose("withdrawal.crypto", alice.withdrawal())
    await keep(database)
    where = {"network": "ethereum", "address": ADDRESS}
    removal = await alice.propose("destination.remove", where)
    if removal.state != "done":
        await alice.with_passkey(removal.action_id)
    paths = (f"/v1/accounts/{alice.account_id}/destinations", f"/v1/actions/{waiting.action_id}")
    assert [(await service.http.get(path)).status_code for path in paths] == [200, 200]
    await database.execute(edit)

    for path in paths:
        told = await service.http.get(path)
        assert (told.status_code, told.json()["code"]) == (503, "state_rolled_back"), path


@pytest.mark.parametrize(
    "sealed", [False, True], ids=["by the database's owner", "with the keyring"]
)
async def test_a_repeated_request_is_never_answered_with_another_customers_action(
    service: Service, database: TestDatabase, sealed: bool
) -> None:
    alice, bob = Customer(service, "alice"), Customer(service, "bob")
    await alice.set_up()
    await bob.set_up()
    others = await bob.propose("withdrawal.crypto", bob.withdrawal("77"))
    body = {
        "account_id": alice.account_id,
        "type": "withdrawal.crypto",
        "payload": alice.withdrawal("10"),
    }
    first = await service.client.propose(body, key="a-key-0001")
    assert (await service.client.propose(body, key="a-key-0001")).action_id == first.action_id
    await database.execute(
        "UPDATE idempotency SET action_id = $1 WHERE key = 'a-key-0001'", others.action_id
    )
    if sealed:
        digest = await database.value("SELECT digest FROM idempotency WHERE key = 'a-key-0001'")
        assert isinstance(digest, bytes)
        use = key_use(
            Sealer(service.keyring),
            KeyName(alice.account_id, "a-key-0001"),
            digest=digest,
            action_id=others.action_id,
        )
        await database.execute("UPDATE idempotency SET mac = $1 WHERE key = 'a-key-0001'", use.mac)

    with pytest.raises(ProblemError) as refused:
        await service.client.propose(body, key="a-key-0001")
    assert refused.value.code == "seal_broken"


async def test_a_process_forgets_old_idempotency_keys_by_itself(
    service: Service, database: TestDatabase
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    count = await database.value("SELECT count(*) FROM idempotency")
    assert count
    await database.execute(
        "UPDATE idempotency SET used_at = used_at - interval '8 days' WHERE scope = $1",
        alice.account_id,
    )
    left = await database.value(
        "SELECT count(*) FROM idempotency WHERE used_at > now() - interval '7 days'"
    )

    async with open_api(await prepare(service.settings), book=rule_book(), clock=service.clock):
        for _ in range(200):
            await service.http.get("/health/ready")
            if await database.value("SELECT count(*) FROM idempotency") == left:
                return
    pytest.fail("old keys are kept")
