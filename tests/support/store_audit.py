"""An audit of a whole database: the log from its leaves, the state from its events.

It reads as the owner, decrypts with the keyring, and believes nothing that it can compute: indexes
have no gap, labels no twin, the tree's head and tiles follow from the leaves, each leaf commits to
its entry, and every document is what its account's events make of it.
"""

from collections import defaultdict
from typing import NamedTuple, TypeAlias

import asyncpg
from msgspec.structs import replace
from support.postgres import TestDatabase

from twinlock.adapters.boxes import Sealer, SubjectKey
from twinlock.adapters.keyring import Keyring
from twinlock.adapters.sql import codec
from twinlock.domain import canonical
from twinlock.domain.account import Account, Destination, State
from twinlock.domain.canonical import b64url, commit, from_b64url, tagged_mac
from twinlock.domain.entries import ClosedAction, Kept, entry_key, events_digest
from twinlock.domain.events import (
    AccountOpened,
    ActionAuthorized,
    ActionProposed,
    ActionSpent,
    DestinationAdded,
    DestinationRemoved,
    Event,
)
from twinlock.domain.gate import advance
from twinlock.domain.ids import AccountId, ActionId, DestinationId
from twinlock.domain.log.merkle import Frontier, leaf_hash
from twinlock.domain.log.tiles import grow
from twinlock.domain.log_keys import LOG_KEY_ENTRY
from twinlock.domain.replay import apply

Row: TypeAlias = asyncpg.Record


class Audited(NamedTuple):
    """What the log says happened: log indexes of proposals and spends, by action."""

    size: int
    proposed: dict[ActionId, list[int]]
    spent: dict[ActionId, list[int]]
    accounts: dict[AccountId, Account]


class _Account:
    """One account as it is rebuilt from its events."""

    def __init__(self) -> None:
        self.account: Account | None = None
        self.destinations: dict[DestinationId, Destination] = {}
        self.entries = 0
        self.last_leaf = ""

    def enter(self, number: int, kept: Kept, leaf: Row) -> None:
        assert number == self.entries, "an account's entries have no gap"
        for event in kept.events:
            self._apply(event)
        assert self.account is not None, "an account begins by being opened"
        self.account = advance(State(account=self.account)).account
        _check_leaf(leaf, kept, number, self.last_leaf, self.account)
        self.entries += 1
        self.last_leaf = b64url(leaf_hash(leaf["entry"]))

    def _apply(self, event: Event) -> None:
        before = event.account if isinstance(event, AccountOpened) else self.account
        assert before is not None, "nothing happens to an account before it is opened"
        name = _destination_of(event)
        at_hand = None if name is None else self.destinations.get(name)
        state = apply(State(account=before, destination_id=name, destination=at_hand), event)
        self.account = state.account
        if state.destination is not None:
            self.destinations[state.destination.destination_id] = state.destination

    def document(self) -> Account:
        assert self.account is not None
        chain = replace(self.account.chain, last_leaf=self.last_leaf)
        return replace(self.account, chain=chain)


def _destination_of(event: Event) -> DestinationId | None:
    if isinstance(event, DestinationAdded):
        return event.destination.destination_id
    if isinstance(event, ActionAuthorized | DestinationRemoved):
        return event.destination_id
    return None


class _Replay:
    """All accounts as they are rebuilt, and what happened to their actions."""

    def __init__(self) -> None:
        self.rebuilt: dict[str, _Account] = defaultdict(_Account)
        self.proposed: dict[ActionId, list[int]] = defaultdict(list)
        self.spent: dict[ActionId, list[int]] = defaultdict(list)

    def enter(self, row: Row, key: SubjectKey, leaf: Row) -> None:
        subject, number = row["subject"], row["number"]
        place = codec.Place(kind="event", row_id=subject, version=number)
        kept = codec.unseal(key, row["box"], codec.KEPT, place)
        self.rebuilt[subject].enter(number, kept, leaf)
        for event in kept.events:
            if isinstance(event, ActionProposed):
                self.proposed[event.action.action_id].append(row["leaf_index"])
            if isinstance(event, ActionSpent):
                self.spent[event.action_id].append(row["leaf_index"])

    def documents(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, one in self.rebuilt.items():
            found[name] = one.document()
            found.update({str(named): value for named, value in one.destinations.items()})
        return found


async def audit(database: TestDatabase, keyring: Keyring) -> Audited:
    """Check everything there is; return what happened."""
    async with database.owner() as owner, owner.transaction(isolation="repeatable_read"):
        leaves = await owner.fetch("SELECT * FROM leaf ORDER BY leaf_index")
        events = await owner.fetch("SELECT * FROM event ORDER BY subject, number")
        streams = await owner.fetch("SELECT * FROM stream")
        subjects = await owner.fetch("SELECT * FROM subject_key")
        tiles = await owner.fetch("SELECT * FROM tile")
        head = await owner.fetchrow("SELECT * FROM head")
    _check_tree(leaves, tiles, head)
    sealer = Sealer(keyring)
    keys = {
        row["subject"]: sealer.open_subject_key(row["subject"], row["wrapped"]) for row in subjects
    }
    by_index = {row["leaf_index"]: row for row in leaves if _is_decision(row)}
    assert sorted(row["leaf_index"] for row in events) == sorted(by_index), "one leaf per decision"
    replay = _Replay()
    for row in events:
        replay.enter(row, keys[row["subject"]], by_index[row["leaf_index"]])
    _check_streams(streams, keys, replay)
    documents = {AccountId(name): one.document() for name, one in replay.rebuilt.items()}
    return Audited(len(leaves), replay.proposed, replay.spent, documents)


def _is_decision(leaf: Row) -> bool:
    return bool(canonical.decode(leaf["entry"])["t"] != LOG_KEY_ENTRY)


def _check_tree(leaves: list[Row], tiles: list[Row], head: Row) -> None:
    assert [row["leaf_index"] for row in leaves] == list(range(len(leaves))), "indexes have no gap"
    assert len({row["label"] for row in leaves}) == len(leaves), "labels are unique"
    hashes = [leaf_hash(row["entry"]) for row in leaves]
    assert head["size"] == len(leaves)
    frontier = Frontier().append(hashes)
    assert Frontier.from_bytes(head["size"], head["edge"]).root() == frontier.root()
    stored = {(row["level"], row["number"]): row["hashes"] for row in tiles}
    assert stored == grow(0, {}, hashes), "the tiles are those of the leaves"
    times = [canonical.decode(row["entry"])["at"] for row in leaves]
    assert times == sorted(times), "time does not run backwards"


def _check_leaf(leaf: Row, kept: Kept, number: int, previous: str, account: Account) -> None:
    public = canonical.decode(leaf["entry"])
    key = entry_key(from_b64url(account.chain.label_key), number)
    assert leaf["label"] == tagged_mac(key, "label/v1") == from_b64url(public["lbl"])
    assert public["prev"] == b64url(tagged_mac(key, "prev/v1", from_b64url(previous)))
    for field, opening in kept.openings.items():
        value = opening.value.encode("utf-8")
        assert public["c"][field] == b64url(commit(from_b64url(opening.salt), field, value))
    assert kept.openings["events"].value == f'"{events_digest(kept.events)}"'
    assert kept.openings["account"].value == f'"{account.account_id}"'


def _check_streams(streams: list[Row], keys: dict[str, SubjectKey], replay: _Replay) -> None:
    found: dict[str, object] = {}
    for row in streams:
        key = keys[row["subject"]]
        place = codec.Place(kind=row["kind"], row_id=row["id"], version=row["version"])
        if row["kind"] == "action":
            closed: ClosedAction = codec.unseal(key, row["box"], codec.CLOSED, place)
            ended = isinstance(closed.ended, ActionSpent)
            assert ended == (closed.action.action_id in replay.spent)
        else:
            found[row["id"]] = codec.unseal_stream(key, row["box"], place)
    assert found == replay.documents(), "every document is what its events make of it"
