"""An account's life at the real gate, as rows that somebody may edit before an audit takes them.

Alice signs in, lists a destination, pays there, is refused, vetoes, lets actions lapse, and unlists
it. What she did is a list of decisions; ``Life.record`` writes them down with the real
``entries.record``. Whoever changes a row has the database; whoever changes a decision before it is
recorded decides himself, and everything of his fits together.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from msgspec.structs import replace
from support.bundles import House, a_withdrawal, phone
from support.cast import DAY, NEW_ADDRESS, OLD_ADDRESS
from support.officers import NO_OFFICERS
from support.worlds import EMAIL, destination_id

from twinlock.domain.account import Account
from twinlock.domain.actions import DestinationAdd, DestinationRemove, NotBuilt
from twinlock.domain.audit.accounts import Doubt, Rebuilt, StoredLeaf
from twinlock.domain.audit.documents import Stored
from twinlock.domain.audit.findings import Findings
from twinlock.domain.audit.leaves import said
from twinlock.domain.canonical import encode, tagged_hash
from twinlock.domain.commands import EndSession, Veto
from twinlock.domain.decisions import Decision
from twinlock.domain.entries import SALTS_BYTES, ClosedAction, Kept, Origin, record
from twinlock.domain.ids import AccountId, ActionId, DestinationId
from twinlock.domain.listed import Destination
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.policy.version import PolicyName
from twinlock.range.device import SoftwareDevice

FIRST_LEAF = 100  # An account's first leaf stands somewhere in the log.


@dataclass
class Row:
    """One entry and its leaf, as they are stored. What could not be opened, or is gone, is None."""

    number: int
    index: int
    kept: bytes | None
    leaf: bytes | None
    facts: bytes

    def edit(self, old: str, new: str) -> None:
        """Write something else into what is kept, wherever it stands."""
        assert self.kept is not None
        assert old.encode() in self.kept
        self.kept = self.kept.replace(old.encode(), new.encode())

    def edit_leaf(self, old: str, new: str) -> None:
        assert self.leaf is not None
        assert old.encode() in self.leaf
        self.leaf = self.leaf.replace(old.encode(), new.encode())

    def stored_leaf(self) -> StoredLeaf | None:
        """Return what a walk through the log makes of the leaf (``audit/walk.py``)."""
        if self.leaf is None:
            return None
        found, hashes = said(self.leaf), leaf_hash(self.leaf)
        if found is None:
            return StoredLeaf(hashes, 0, b"", b"", b"", b"")
        facts = tagged_hash("facts/v1", self.facts)
        return StoredLeaf(hashes, found.at, facts, found.kind, found.answer, found.policy)


@dataclass
class Rows:
    """All that is stored of one account."""

    account_id: AccountId
    policies: dict[bytes, PolicyName]
    entries: list[Row]
    documents: list[Stored]
    named: dict[str, str]

    def place(self, name: str) -> int:
        """Return where among the documents is that of what a test calls ``name``."""
        (place,) = (
            at for at, one in enumerate(self.documents) if self.named.get(one.row_id) == name
        )
        return place

    def tell(self, findings: Findings) -> list[tuple[str, str, str]]:
        """Return what was found, each thing called as a test does; in an order that is no one's."""
        found = []
        for one in findings.kept:
            where, says = one.where, one.says
            for named, called in self.named.items():
                where, says = where.replace(named, called), says.replace(named, called)
            found.append((one.code.value, where, says))
        return sorted(found)


@dataclass
class Audited:
    """What an audit of some rows came to."""

    rebuilt: Rebuilt
    doubts: list[Doubt]
    told: list[tuple[str, str, str]]


def audit(rows: Rows) -> Audited:
    """Take ``rows`` as the audit's reader of the database does (``adapters/sql/auditing.py``)."""
    findings = Findings()
    rebuilt = Rebuilt(
        rows.account_id, policies=rows.policies, officers=NO_OFFICERS, findings=findings
    )
    doubts = []
    for row in rows.entries:
        doubt = rebuilt.enter(row.number, row.index, row.kept, row.stored_leaf())
        if doubt is not None:
            assert row.leaf is not None
            doubts.append(doubt)
            rebuilt.explain(doubt, row.leaf)
    documents = rebuilt.documents()
    for one in rows.documents:
        documents.check(one)
    documents.finish()
    return Audited(rebuilt, doubts, rows.tell(findings))


@dataclass
class Life:
    """What was decided of one account, and the documents that it came to."""

    account: Account
    policy: PolicyName
    decisions: list[tuple[Decision, datetime]]
    destinations: dict[DestinationId, Destination]
    closed: dict[ActionId, ClosedAction]
    named: dict[str, str]  # What a test calls what by its id.

    def id_of(self, name: str) -> str:
        return next(named for named, called in self.named.items() if called == name)

    def number(self, event: type, nth: int = 0) -> int:
        """Return the number of the ``nth`` entry that holds an event of this type."""
        held = [
            number
            for number, (decision, _) in enumerate(self.decisions)
            if any(isinstance(one, event) for one in decision.events)
        ]
        return held[nth]

    def alter(self, number: int, change: Callable[[Decision], Decision]) -> None:
        """Decide entry ``number`` otherwise."""
        decision, at = self.decisions[number]
        self.decisions[number] = change(decision), at

    def alter_event(self, number: int, kind: type, **changes: Any) -> None:  # noqa: ANN401 - fields
        """Have entry ``number`` say something else of its event of this type."""
        self.alter(
            number,
            lambda decision: replace(
                decision,
                events=tuple(
                    replace(one, **changes) if isinstance(one, kind) else one
                    for one in decision.events
                ),
            ),
        )

    def record(self) -> Rows:
        """Write it all down, as a store does."""
        named = self.account.account_id
        origin = Origin(account_id=named, actor="plt_platform", policy=self.policy)
        chain = replace(self.account.chain, entries=0, last_leaf="")
        entries = []
        for number, (decision, at) in enumerate(self.decisions):
            salts = bytes([number + 1]) * SALTS_BYTES
            entry, chain = record(decision, chain, origin=origin, at=at, salts=salts)
            kept = Kept(
                events=entry.events,
                openings=dict(entry.openings),
                evidence=entry.evidence.decode(),
            )
            index = FIRST_LEAF + number
            entries.append(Row(number, index, encode(kept), entry.leaf, entry.facts))
        account = replace(self.account, chain=chain)
        documents = [Stored("account", named, len(entries), encode(account))]
        documents += [
            Stored("destination", name, one.version, encode(one))
            for name, one in self.destinations.items()
        ]
        documents += [Stored("action", name, 1, encode(one)) for name, one in self.closed.items()]
        policies = {self.policy.digest.encode(): self.policy}
        return Rows(named, policies, entries, documents, self.named)


class _Alice:
    """Alice with her phone and her laptop, in a house of her own."""

    def __init__(self) -> None:
        self.house, self.key, self.laptop = House(), phone(), SoftwareDevice(b"d" * 32)
        self.id = self.house.open_account(self.key, app=True)

    def list(self, address: str) -> ActionId:
        """List an address from her laptop, with her phone, and wait for it."""
        session = self.house.sign_in(self.id, self.laptop, self.key)
        payload = DestinationAdd(account=self.id, network="ethereum", address=address, memo="")
        action = self.house.propose(
            payload,
            secret=destination_id("ethereum", address, ""),
            session=self.house.signed(payload, session, self.laptop),
        )
        self.house.consent(action, self.key)
        self.house.wait(4 * DAY)
        self.settle()
        return action

    def unlist(self, address: str) -> ActionId:
        payload = DestinationRemove(account=self.id, network="ethereum", address=address, memo="")
        action = self.house.propose(payload, secret=destination_id("ethereum", address, ""))
        self.house.consent(action, self.key)
        return action

    def ask_to_pay(self, address: str, dollars: int) -> ActionId:
        return self.house.propose(a_withdrawal(self.id, to=address, dollars=dollars))

    def settle(self) -> None:
        """Let what is due take effect, and sign out everywhere."""
        self.house.do(EndSession(session_id=None), self.id)


def a_life() -> Life:
    """Return an honest life: two spends, a yes that nobody spent, and every end of an action."""
    lived = _lived()
    return dataclasses.replace(lived, decisions=[*lived.decisions])


@cache
def _lived() -> Life:
    alice = _Alice()
    house = alice.house
    listed = alice.list(OLD_ADDRESS)
    paid = house.pay(a_withdrawal(alice.id, to=OLD_ADDRESS), alice.key)
    again = house.pay(a_withdrawal(alice.id, to=OLD_ADDRESS), alice.key, spend_id="payout-2")
    vetoed = alice.ask_to_pay(NEW_ADDRESS, 70)
    house.do(Veto(action_id=vetoed, channel_id=EMAIL.channel_id), alice.id)
    refused = house.propose(NotBuilt(account=alice.id, asked="recovery.open", digest=""))
    lapsed = alice.ask_to_pay(NEW_ADDRESS, 80)
    house.wait(4 * DAY)
    alice.settle()
    alice.list(NEW_ADDRESS)
    removed = alice.unlist(OLD_ADDRESS)
    allowed = alice.ask_to_pay(NEW_ADDRESS, 90)
    house.consent(allowed, alice.key)
    return Life(
        account=house.accounts[alice.id],
        policy=house.rules().policy.name,
        decisions=house.decisions[alice.id],
        destinations=house.destinations,
        closed=house.closed,
        named={
            alice.id: "alice",
            destination_id("ethereum", OLD_ADDRESS, ""): "old",
            destination_id("ethereum", NEW_ADDRESS, ""): "new",
            listed: "listed",
            paid: "paid",
            again: "again",
            vetoed: "vetoed",
            refused: "refused",
            lapsed: "lapsed",
            removed: "removed",
            allowed: "allowed",
        },
    )
