"""A scene for those who edit the database: two customers, and what the rows were before."""

from dataclasses import dataclass

from support.postgres import TestDatabase
from support.stores import (
    Customer,
    SteerableClock,
    new_action,
    several,
    spend,
    withdrawal,
)

from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.ids import ActionId

PUT_BACK = """
UPDATE stream s SET version = o.version, box = o.box FROM public.old_stream o
 WHERE o.id = s.id AND s.id = '{name}';
"""
FLIPPED = "set_byte(box, length(box) / 2, get_byte(box, length(box) / 2) # 1)"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Alice spent one withdrawal and may spend another; Bob looks on. ``old``: before all that."""

    alice: Customer
    bob: Customer
    spent: ActionId
    authorized: ActionId

    def sql(self, text: str) -> str:
        """Return statements with the scene's names in them."""
        return text.format(
            old_account=PUT_BACK.format(name=self.alice.account_id),
            old_destination=PUT_BACK.format(name=self.alice.destination_id),
            flipped=FLIPPED,
            alice=self.alice.account_id,
            destination=self.alice.destination_id,
            bob=self.bob.account_id,
            bobs_destination=self.bob.destination_id,
            spent=self.spent,
            authorized=self.authorized,
        )


async def set_scene(store: SqlStore, clock: SteerableClock, database: TestDatabase) -> Scene:
    """Let it all happen, and keep the rows of before in ``public.old_stream`` and so on."""
    alice, bob = await several(store, clock, 2)
    for table in ("stream", "head", "tile", "subject_key"):
        await database.execute(f"CREATE TABLE public.old_{table} AS TABLE {table}")
    spent, authorized = new_action(alice), new_action(alice)
    await store.run(withdrawal(alice, spent))
    await store.run(spend(alice, spent))
    await store.run(withdrawal(alice, authorized))
    return Scene(alice=alice, bob=bob, spent=spent, authorized=authorized)
