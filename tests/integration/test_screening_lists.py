"""A service with a list of sanctions: what the list names is refused, at once and at the spend."""

import os
from dataclasses import replace
from pathlib import Path

from support.service import ADDRESS, Customer, Service, serving
from support.until import asked_until

from twinlock.bootstrap.world import World


async def nobody_counts() -> int:
    return 0


def put(path: Path, text: str, *, at: float) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    os.utime(beside, (at, at))
    beside.rename(path)


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
