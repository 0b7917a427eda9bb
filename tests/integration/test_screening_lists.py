"""A service with a list of sanctions: what the list names is refused, at once and at the spend."""

import os
from dataclasses import replace
from pathlib import Path

from support.postgres import TestDatabase
from support.service import ADDRESS, Customer, serving

from twinlock.bootstrap.world import World


async def test_a_list_that_comes_between_stops_what_was_authorized(
    world: World, database: TestDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("address\n0x" + "6" * 40 + "\n")
    settings = replace(world.settings, screening_file=path)
    async with serving(replace(world, settings=settings)) as service:
        alice = Customer(service, "alice")
        await alice.set_up()
        await alice.add_destination()
        os.utime(path, (service.clock.seconds(), service.clock.seconds()))
        action = await alice.withdraw()
        assert action.state == "authorized"

        path.write_text(f"address\n{ADDRESS}\n")
        os.utime(path, (service.clock.seconds() + 1, service.clock.seconds() + 1))
        refused = await service.client.spend(action.action_id, spend_id="screened-1")
        for _ in range(100):
            if refused.state != "spent":
                break
        assert [why.code for why in refused.why] == ["screened"]
