"""An integrator that was broken into: all of its keys end, on all accounts, and no others do."""

import asyncio
import json

import pytest
from support.commands import run
from support.imports import a_row, importing_into, lines
from support.owned_keys import BOUNDED, OTHER
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.traders import by_key, make_key

from twinlock.adapters.sql.store import SqlStore
from twinlock.bootstrap.world import World
from twinlock.client import ProblemError
from twinlock.domain.errors import UnavailableError
from twinlock.domain.events import IntegratorRevoked
from twinlock.domain.ids import AccountId
from twinlock.ports import Committed, Work
from twinlock.services import integrators
from twinlock.services.integrators import Integrators
from twinlock.services.platform_keys import Scope

BROKEN = {"integrator": "example-bot"}


async def customers(service: Service, *names: str) -> list[Customer]:
    """Return customers with a key of the integrator's each."""
    made = []
    for name in names:
        one = Customer(service, name)
        await one.set_up()
        await make_key(one)
        made.append(one)
    return made


async def revoke(service: Service, **more: object) -> dict[str, object]:
    answer = await service.http.post("/v1/api-keys/revoke", json={**BROKEN, **more})
    assert answer.status_code == 200, answer.text
    told: dict[str, object] = answer.json()
    return told


async def keys_of(one: Customer) -> list[str]:
    return [key["integrator"] for key in (await one.client.account(one.account_id))["api_keys"]]


async def test_all_keys_of_an_integrator_end_and_no_others(
    service: Service, alice: Customer
) -> None:
    carol, dave = await customers(service, "carol", "dave")
    own = await make_key(alice, integrator="other-bot")
    await make_key(carol, integrator="", public_key=OTHER.public_key)

    told = await revoke(service)

    assert told == {"accounts": 2, "keys": 2, "failed": [], "after": ""}
    assert (await keys_of(carol), await keys_of(dave)) == ([""], [])
    assert await by_key(alice, own) == {"verdict": "pass"}


async def test_each_account_has_its_own_entry_and_is_told(service: Service) -> None:
    (carol,) = await customers(service, "carol")
    store = service.api.store
    before = (await store.account(AccountId(carol.account_id))).chain.entries

    await revoke(service)

    entry = await store.entry(AccountId(carol.account_id), before)
    assert entry is not None
    assert [type(event) for event in entry.kept.events] == [IntegratorRevoked]
    assert b"api_key.revoke_integrator" in entry.leaf
    await service.deliver()
    told = list(service.settings.outbox_dir.iterdir())
    assert any(b"api_key.revoke_integrator" in one.read_bytes() for one in told)


async def test_run_again_it_writes_nothing(service: Service) -> None:
    await customers(service, "carol", "dave")
    await revoke(service)
    size = (await service.api.store.head()).size

    assert await revoke(service) == {"accounts": 2, "keys": 0, "failed": [], "after": ""}
    assert (await service.api.store.head()).size == size


async def test_a_key_that_waits_ends_too(service: Service, alice: Customer) -> None:
    await alice.add_destination()
    waits = await alice.propose("api_key.create", {**BOUNDED, **BROKEN})
    assert (await alice.with_passkey(waits.action_id)).answer == "hold"

    assert (await revoke(service))["keys"] == 1
    service.clock.forward(days=2)
    await alice.sign_in()

    assert (await alice.client.action(waits.action_id)).state == "vetoed"
    assert await keys_of(alice) == []


async def test_keys_that_moved_in_end_too_whoever_else_has_one_beside_them(
    service: Service, alice: Customer
) -> None:
    keys = [
        {"public_key": one, "scopes": ["read"], "integrator": name}
        for one, name in ((BOUNDED["public_key"], "example-bot"), (OTHER.public_key, "other-bot"))
    ]
    rows = lines(a_row("old", api_keys=keys), a_row("plain"))
    taken = await importing_into(service).take(rows, dry=False, resumed=False)
    named = AccountId(taken[0].account_id)

    assert (await revoke(service))["keys"] == 1
    left = (await service.api.store.account(named)).api_keys
    assert [key.integrator for key in left] == ["other-bot"]
    assert (await revoke(service, integrator="other-bot"))["accounts"] == 1
    assert (await service.api.store.account(named)).api_keys == ()


async def test_it_goes_page_by_page(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrators, "PAGE_MOST", 2)
    made = await customers(service, "carol", "dave", "erin")

    first = await revoke(service)
    assert (first["accounts"], first["after"]) == (2, sorted(one.account_id for one in made)[1])
    second = await revoke(service, after=first["after"])
    assert (second["accounts"], second["keys"], second["after"]) == (1, 1, "")


@pytest.mark.parametrize("after", ["\x00", "acc_", f"acc_{'a' * 26}\n"])
async def test_a_page_begins_behind_an_account_and_behind_nothing_else(
    service: Service, after: str
) -> None:
    """Prevents: bytes that the database does not take, answered with a fault of ours."""
    answer = await service.http.post("/v1/api-keys/revoke", json={**BROKEN, "after": after})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_two_at_once_end_each_key_once(service: Service) -> None:
    made = await customers(service, "carol", "dave")

    await asyncio.gather(revoke(service), revoke(service))

    for one in made:
        assert await keys_of(one) == []


async def test_an_account_that_is_held_is_named_and_tried_again(service: Service) -> None:
    carol, _ = await customers(service, "carol", "dave")
    use, store = service.api.use.integrators, service.api.store
    assert isinstance(store, SqlStore)

    class Held:
        """The store, while somebody holds one account."""

        account = store.account

        async def run(self, work: Work) -> Committed:
            if work.account_id == carol.account_id:
                raise UnavailableError("somebody else holds this account")
            return await store.run(work)

    held = Integrators(
        Held(),  # type: ignore[arg-type] # the two methods that are asked for
        marked=use._marked,  # noqa: SLF001 - the service's own
        blind=use._blind,  # noqa: SLF001 - the service's own
        policies=use._policies,  # noqa: SLF001 - the service's own
    )

    told = await held.revoke("example-bot", actor="operator:command")
    assert (told.keys, told.failed) == (1, (carol.account_id,))
    assert await use.count("example-bot") == 2
    assert (await revoke(service))["keys"] == 1


async def test_what_is_erased_or_gone_is_passed_over(
    service: Service, database: TestDatabase
) -> None:
    await customers(service, "carol")
    await database.execute("DELETE FROM stream")

    told = await revoke(service)
    assert (told["accounts"], told["keys"], told["failed"]) == (1, 0, [])
    await database.execute("DELETE FROM subject_key")
    assert (await revoke(service))["accounts"] == 0


@pytest.mark.parametrize("name", ["Example Bot", "EXAMPLE-BOT", "x" * 64 + "!", "a\n"])
async def test_a_name_that_is_none_is_refused(service: Service, name: str) -> None:
    with pytest.raises(ProblemError) as refused:
        await service.client._post(  # noqa: SLF001 - no method of its own: an operator's call
            "/v1/api-keys/revoke", {"integrator": name}, form=dict
        )
    assert refused.value.status == 400


async def test_it_takes_a_scope_of_its_own(service: Service) -> None:
    key = await service.platform_key(Scope.PROPOSE, Scope.TRADE, Scope.ACCOUNTS)
    answer = await service.http.post(
        "/v1/api-keys/revoke", json=BROKEN, headers={"Authorization": f"Bearer {key}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_the_database_does_not_tell_whose_program_somebody_uses(
    service: Service, database: TestDatabase, world: World
) -> None:
    await customers(service, "carol")

    names = [row["name"] for row in await database.fetch("SELECT name FROM api_key_mark")]
    assert len(names) == 2  # Its integrator's, and that of whoever has any key.
    assert all(b"example-bot" not in one for one in names)


async def test_the_command_ends_them_and_says_how_many(
    service: Service, database: TestDatabase, world: World
) -> None:
    carol, _ = await customers(service, "carol", "dave")
    settings = world.settings
    variables = {
        "TWINLOCK_DATABASE_URL": database.app_dsn,
        "TWINLOCK_DATA_DIR": str(settings.data_dir),
        "TWINLOCK_KEYRING_DIR": str(settings.keyring_dir),
    }
    words = ("api-keys", "revoke", "--integrator")

    told = await run(variables, *words, "example-bot", "--json")
    assert told.code == 0, told
    assert json.loads(told.out) == {"integrator": "example-bot", "keys": 2, "failed": []}
    assert await keys_of(carol) == []
    wrong = await run(variables, *words, "Example Bot")
    assert (wrong.code, "malformed" in wrong.err) == (2, True)
