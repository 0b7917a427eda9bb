"""A service with a list of sanctions: what the list names is refused, at once and at the spend."""

import os
from dataclasses import replace
from pathlib import Path

from support.service import ADDRESS, Customer, Service, serving
from support.until import asked_until

from twinlock.bootstrap.records import open_records
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.world import World
from twinlock.domain.account import Account
from twinlock.domain.ids import AccountId


async def nobody_counts() -> int:
    return 0


def put(path: Path, text: str, *, at: float) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    os.utime(beside, (at, at))
    beside.rename(path)


def all_was_told(account: Account) -> bool:
    return all(len(one.told) == len(account.channels) for one in account.actions)


async def reasons_of(service: Service, action_id: str) -> list[str]:
    looked = await service.client.action(action_id)
    return [why.code for why in looked.why]


async def test_a_list_that_comes_between_stops_what_was_authorized(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    settings = replace(world.settings, screening_file=path)
    async with serving(replace(world, settings=settings), waiting_letters=nobody_counts) as service:
        alice = Customer(service, "alice")
        await alice.set_up()
        assert "screening_down" in await alice.withdraw_refused()

        put(path, "address\n0x" + "6" * 40 + "\n", at=service.clock.seconds())
        await alice.add_destination()
        action = await alice.withdraw()
        assert action.state == "authorized"

        put(path, f"address\n{ADDRESS}\n", at=service.clock.seconds() - 1)

        await asked_until(
            lambda: reasons_of(service, action.action_id), lambda told: told == ["screened"]
        )
        refused = await service.client.spend(action.action_id, spend_id="screened-1")
        assert (refused.answer, [why.code for why in refused.why]) == ("deny", ["screened"])


async def test_an_operators_command_lists_nothing_that_the_list_names(
    world: World, tmp_path: Path
) -> None:
    """A listing that has waited takes effect with whatever touches its account next."""
    path = tmp_path / "list.csv"
    screened = replace(world, settings=replace(world.settings, screening_file=path))
    async with serving(screened, waiting_letters=nobody_counts) as service:
        alice = Customer(service, "alice")
        await alice.set_up()
        put(path, "address\n0x" + "6" * 40 + "\n", at=service.clock.seconds())
        named = AccountId(alice.account_id)
        added = await alice.propose(
            "destination.add", {"network": "ethereum", "address": ADDRESS, "budget_cents": 0}
        )
        await alice.with_passkey(added.action_id)
        # All word of it is noted first: whatever touches the account later would list it.
        await asked_until(lambda: service.api.store.account(named), all_was_told)
        service.clock.forward(hours=24)
        put(path, f"address\n{ADDRESS}\n", at=service.clock.seconds())

        book = rule_book(screened.settings.profile)
        async with open_records(screened, book=book, clock=service.clock) as use:
            await use.legal_holds.set(named, "case-1", actor="operator", idempotency=None)

        listed = await service.http.get(f"/v1/accounts/{alice.account_id}/destinations")
        assert [one["state"] for one in listed.json()] == ["waiting"]
