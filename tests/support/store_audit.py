"""An audit of a whole database, and what the log says happened in it."""

from collections import defaultdict
from typing import NamedTuple

from support.auditing import audited_store
from support.postgres import TestDatabase

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql import codec
from twinlock.domain.account import Account
from twinlock.domain.events import ActionProposed, ActionSpent
from twinlock.domain.ids import AccountId, ActionId


class Audited(NamedTuple):
    """What the log says happened: log indexes of proposals and spends, by action."""

    size: int
    proposed: dict[ActionId, list[int]]
    spent: dict[ActionId, list[int]]
    accounts: dict[AccountId, Account]


async def audit(database: TestDatabase, keyring: Keyring) -> Audited:
    """Check that the state is the log; return what happened."""
    verdict = await audited_store(database, keyring)
    assert verdict.findings == (), "the state is the log"
    assert verdict.sound
    proposed: dict[ActionId, list[int]] = defaultdict(list)
    spent: dict[ActionId, list[int]] = defaultdict(list)
    sealer = Sealer(keyring)
    rows = await database.fetch(
        "SELECT e.*, k.wrapped FROM event e JOIN subject_key k USING (subject)"
    )
    for row in rows:
        key = sealer.open_subject_key(row["subject"], row["wrapped"])
        place = codec.Place(kind="event", row_id=row["subject"], version=row["number"])
        for event in codec.unseal(key, row["box"], codec.KEPT, place).events:
            if isinstance(event, ActionProposed):
                proposed[event.action.action_id].append(row["leaf_index"])
            if isinstance(event, ActionSpent):
                spent[event.action_id].append(row["leaf_index"])
    return Audited(verdict.size, proposed, spent, await _accounts(database, sealer))


async def _accounts(database: TestDatabase, sealer: Sealer) -> dict[AccountId, Account]:
    rows = await database.fetch(
        "SELECT s.*, k.wrapped FROM stream s JOIN subject_key k USING (subject)"
        " WHERE s.kind = 'account'"
    )
    found = {}
    for row in rows:
        key = sealer.open_subject_key(row["subject"], row["wrapped"])
        place = codec.Place(kind="account", row_id=row["id"], version=row["version"])
        found[AccountId(row["id"])] = codec.unseal(key, row["box"], codec.ACCOUNT, place)
    return found
