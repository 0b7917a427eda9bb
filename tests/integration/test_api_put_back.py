"""Looking through the API at rows that somebody put back: an error, and never an old answer."""

import pytest
from support.postgres import TestDatabase
from support.put_back import keep
from support.service import ADDRESS, Customer, Service


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
