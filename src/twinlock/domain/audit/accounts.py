"""One account, rebuilt from its entries as they stand, and held against what is stored of it.

Entries come in order. For each the leaf is written again, from what is kept and from the account's
own chain, and must hash to the leaf that the log holds. Its events are then applied to the account
as rebuilt so far, by the only function that ever changed it (``replay.apply``).

From the first entry that cannot be read or applied the account is *lost*: what follows is still
held against its leaves, and nothing is said of documents that nobody can rebuild.

Always true (tests/integration/test_audit_tampering.py): what is compared is what is stored, value
by value; nothing here is believed because something else is right.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Account, Chain, State
from twinlock.domain.actions import payload_bytes
from twinlock.domain.audit.documents import UNREADABLE, Closed, Documents, closed_digest
from twinlock.domain.audit.findings import Fault, Findings
from twinlock.domain.audit.leaves import Form, form_of, read
from twinlock.domain.audit.openings import Keyed, framed, hashed, write_hashes
from twinlock.domain.audit.suspensions import OfficersWords, unsaid
from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.entries import LABEL_KEY_FIELD, SPEND_FIELD, ClosedAction, leaf_time
from twinlock.domain.errors import InvariantError, MalformedError, TwinlockError
from twinlock.domain.events import (
    AccountOpened,
    ActionAuthorized,
    ActionDone,
    ActionLapsed,
    ActionProposed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
    ClosingEvent,
    DestinationAdded,
    DestinationRemoved,
    Event,
)
from twinlock.domain.forgetting import versions_of
from twinlock.domain.ids import DestinationId
from twinlock.domain.listed import Destination
from twinlock.domain.log.merkle import HASH_BYTES, leaf_hash
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.replay import apply
from twinlock.domain.requirements import Answer

_CLOSING = (ActionSpent, ActionDone, ActionRefused, ActionVetoed, ActionLapsed)
_YES = (ActionAuthorized, ActionDone, ActionSpent)
_ALLOW = Answer.ALLOW.encode("ascii")
_ENTRY, _LABEL = framed("entry/v1", last=8), framed("label/v1")
_FIRST, _PREV = framed("prev/v1", last=0), framed("prev/v1", last=HASH_BYTES)
_EVENTS, _FACTS = framed("events/v1"), framed("facts/v1")
_NO_KEY = Keyed(bytes(32))
_EVENT: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an entry (``entries.Kept``), its events as the bytes that were sealed."""

    events: list[msgspec.Raw]
    openings: dict[str, tuple[str, str]]
    evidence: str = ""


_KEPT = msgspec.json.Decoder(_Kept)


class StoredLeaf(NamedTuple):
    """A leaf that the log holds: its hash, what it says, and the hash of the facts beside it.

    ``kind`` is empty where it says nothing that can be written again.
    """

    hash: bytes
    at: int
    facts: bytes
    kind: bytes
    answer: bytes
    policy: bytes


class Doubt(NamedTuple):
    """A leaf that is not the one that was written again: ``explain`` tells why, from its bytes.

    What was written again has commitments, label and chain, as far as they are known.
    """

    number: int
    leaf: int
    form: Form | None
    commitments: Sequence[bytes]
    label: bytes
    previous: bytes


class Rebuilt:
    """One account on its way through its entries.

    ``policies`` are the policy versions that are kept, by the bytes of their digests; ``officers``
    is by what officers' words are checked.
    """

    def __init__(
        self,
        account_id: str,
        *,
        policies: dict[bytes, PolicyName],
        officers: OfficersWords,
        findings: Findings,
    ) -> None:
        self._id = account_id
        self._quoted = f'"{account_id}"'
        self._policies = policies
        self._officers = officers
        self._findings = findings
        self._key: Keyed | None = None
        self._last_leaf: bytes | None = b""
        self._account: Account | None = None
        self._destinations: dict[str, Destination] = {}
        self._closed: dict[str, Closed] = {}
        self._lost = False
        self.entries = 0
        self.spends = 0

    def enter(
        self, number: int, index: int, kept: bytes | None, leaf: StoredLeaf | None
    ) -> Doubt | None:
        """Take entry ``number``: what is kept of it, opened, and the leaf at ``index``.

        Each may be missing: who could not open it has said so. Returns a doubt of its leaf.
        """
        if number != self.entries:
            self._fault(Fault.ENTRY_MISSING, self.entries, f"the next that is stored is {number}")
            self._lost, self._last_leaf = True, None
        self.entries = number + 1
        opened, events = self._read(number, kept)
        if number == 0:
            self._begin(events)
        doubt = None
        if leaf is None:
            self._fault(
                Fault.LEAF_MISSING, number, f"leaf {index}, which should be its own, is gone"
            )
        else:
            doubt = self._check_leaf(number, index, opened, events, leaf)
        self._check_officers(number, index, opened, events)
        self._check_suspended(number, events)
        self._replay(number, events, leaf)
        self._last_leaf = None if leaf is None else leaf.hash
        return doubt

    def explain(self, doubt: Doubt, entry: bytes) -> None:
        """Say in what a leaf is not the one that was written again."""
        number = doubt.number
        try:
            public = read(entry)
        except MalformedError as error:
            self._fault(Fault.LEAF_MALFORMED, number, f"leaf {doubt.leaf} is none: {error}")
            return
        if doubt.label and public.lbl.encode() != doubt.label:
            self._fault(Fault.LABEL_WRONG, number, f"leaf {doubt.leaf} bears another label")
        if doubt.previous and public.prev.encode() != doubt.previous:
            says = f"leaf {doubt.leaf} does not follow the leaf before it"
            self._fault(Fault.CHAIN_BROKEN, number, says)
        if doubt.form is None:
            return
        for field, made in zip(doubt.form.fields, doubt.commitments, strict=False):
            if public.c[field].encode() != made:
                says = f"leaf {doubt.leaf} commits to another value of {field} than is kept"
                self._fault(Fault.COMMITMENT_WRONG, number, says)

    def documents(self) -> Documents:
        """Return what must be stored of the account."""
        account = self._account
        if account is not None:
            last = b64url(self._last_leaf or b"")
            account = replace(account, chain=replace(account.chain, last_leaf=last))
        return Documents(
            self._id,
            account=None if self._lost else account,
            destinations=self._destinations,
            closed=self._closed,
            entries=self.entries,
            findings=self._findings,
        )

    def _fault(self, code: Fault, number: int, says: str) -> None:
        self._findings.add(code, f"{self._id} entry {number}", says)

    # --- What is kept ---

    def _read(self, number: int, kept: bytes | None) -> tuple[_Kept | None, list[Event]]:
        if kept is None:  # Whoever could not open it has said so.
            self._lost = True
            return None, []
        try:
            opened = _KEPT.decode(kept)
            return opened, [_EVENT.decode(one) for one in opened.events]
        except UNREADABLE:
            self._fault(Fault.ENTRY_BROKEN, number, "what was sealed is no entry of this version")
            self._lost = True
            return None, []

    def _begin(self, events: list[Event]) -> None:
        """Learn the account's label key from what opened it."""
        first = events[0] if events else None
        if isinstance(first, AccountOpened) and first.account.account_id == self._id:
            try:
                self._key = Keyed(from_b64url(first.account.chain.label_key, size=32))
            except MalformedError:
                self._fault(Fault.LABEL_WRONG, 0, "its label key is none")
        elif events:
            self._fault(Fault.REPLAY_IMPOSSIBLE, 0, "its first entry does not open it")
            self._lost = True

    # --- An entry and its leaf ---

    def _check_leaf(
        self,
        number: int,
        index: int,
        kept: _Kept | None,
        events: list[Event],
        leaf: StoredLeaf,
    ) -> Doubt | None:
        """Write the leaf again, and doubt the one that the log holds if it is not the same."""
        if kept is None:
            return Doubt(number, index, None, (), b"", b"")
        last = self._last_leaf
        label, previous, events_hash, facts_hash = write_hashes(
            (*self._blinded(number), hashed(_EVENTS, kept.events), leaf.facts)
        )
        events_told, facts_told = f'"{events_hash.decode()}"', f'"{facts_hash.decode()}"'
        self._check_value(number, kept, "account", self._quoted, Fault.ACCOUNT_WRONG)
        self._check_value(number, kept, "events", events_told, Fault.EVENTS_ALTERED)
        form = form_of(leaf.kind)
        if form is not None:
            self._check_value(number, kept, "facts", facts_told, Fault.FACTS_ALTERED)
            self._check_own(number, form, events, kept)
            self._check_said(number, leaf, events)
        if last is None or form is None or self._key is None:  # It cannot be written again.
            known = b"" if self._key is None else label
            return Doubt(number, index, None, (), known, b"")
        commitments = self._commitments(number, kept, form)
        if commitments is not None:
            written = form.write(
                at=leaf.at,
                answer=leaf.answer,
                policy=leaf.policy,
                commitments=commitments,
                label=label,
                previous=previous,
            )
            if leaf_hash(written) == leaf.hash:
                return None
        return Doubt(number, index, form, commitments or (), label, previous)

    def _blinded(self, number: int) -> tuple[bytes, bytes]:
        """Return the label of entry ``number``, and what ties it to the leaf before it.

        Where the account's own key is not known, they are nobody's.
        """
        own = self._key or _NO_KEY
        key = Keyed(own.mac(_ENTRY + number.to_bytes(8, "big")))
        last = self._last_leaf
        return key.mac(_LABEL), key.mac(_PREV + last if last else _FIRST)

    def _commitments(self, number: int, kept: _Kept, form: Form) -> list[bytes] | None:
        """Return the commitments to what is kept, which is exactly what its type commits to."""
        if tuple(kept.openings) == form.fields:
            salts = [salt for salt, _ in kept.openings.values()]
            values = [value.encode() for _, value in kept.openings.values()]
            try:
                return form.commitments(salts, values)
            except MalformedError:
                pass  # As below.
        says = "what is kept is not what opens an entry of its type"
        self._fault(Fault.COMMITMENT_WRONG, number, says)
        return None

    def _check_value(self, number: int, kept: _Kept, field: str, known: str, code: Fault) -> None:
        opened = kept.openings.get(field)
        if opened is None or opened[1] != known:
            self._fault(code, number, f"it commits to another value of {field}")

    def _check_own(self, number: int, form: Form, events: list[Event], kept: _Kept) -> None:
        """Check the values that the events say once more."""
        spends = 0
        for event in events:
            match event:
                case ActionProposed(action=action):
                    payload = payload_bytes(action.payload).decode()
                    self._check_value(number, kept, "payload", payload, Fault.PAYLOAD_WRONG)
                    self._check_action(number, action.action_id, kept)
                case ActionSpent(spend_id=spend, fee_minor=fee):
                    spends += 1
                    told = encode((spend, fee)).decode()
                    self._check_value(number, kept, SPEND_FIELD, told, Fault.SPEND_WRONG)
                    self._check_action(number, event.action_id, kept)
                case ActionAuthorized() | ActionDone() | ActionRefused() | ActionVetoed():
                    self._check_action(number, event.action_id, kept)
                case AccountOpened(account=opened):
                    told = f'"{opened.chain.label_key}"'
                    self._check_value(number, kept, LABEL_KEY_FIELD, told, Fault.LABEL_WRONG)
                case _:
                    pass
        if spends != (form.own == SPEND_FIELD):
            self._fault(
                Fault.SPEND_WRONG, number, "a spend's entry is one of a spend, and no other"
            )

    def _check_action(self, number: int, action_id: str, kept: _Kept) -> None:
        """Check that it names the action, and says again what was proposed under that name.

        Prevents: a spend's entry, from which its authorization is made, that sends elsewhere.
        """
        self._check_value(number, kept, "action", f'"{action_id}"', Fault.ACTION_WRONG)
        for action in () if self._account is None else self._account.actions:
            if action.action_id == action_id:
                payload = payload_bytes(action.payload).decode()
                self._check_value(number, kept, "payload", payload, Fault.PAYLOAD_WRONG)

    def _check_officers(
        self, number: int, index: int, kept: _Kept | None, events: list[Event]
    ) -> None:
        """Check that officers said what is kept as theirs.

        Prevents: a suspension, or a release, by whoever runs the process.
        """
        payload = "" if kept is None else kept.openings.get("payload", ("", ""))[1]
        why = unsaid(self._account, events, payload, index=index, words=self._officers)
        if why:
            self._fault(Fault.SUSPENSION_UNSAID, number, f"no officer's word decides this: {why}")

    def _check_suspended(self, number: int, events: list[Event]) -> None:
        """Check that nothing leaves while officers have the account suspended.

        Prevents: whoever runs the process, and heeds no officer unseen.
        """
        if self._account is None or self._lost:
            return
        stops = self._account.suspension
        left = (one for one in events if isinstance(one, ActionAuthorized | ActionSpent))
        if any(stops.until(one.at) is not None for one in left):
            self._fault(Fault.LEFT_WHILE_SUSPENDED, number, "officers had suspended the account")

    def _check_said(self, number: int, leaf: StoredLeaf, events: list[Event]) -> None:
        """Check what the leaf says in clear.

        Prevents: a yes behind its proof that is of another day, and so counts in another day's sum.
        """
        if any(leaf_time(event.at) != leaf.at for event in events):
            self._fault(Fault.TIME_WRONG, number, "its events are of another time than its leaf")
        if leaf.answer != _ALLOW and any(isinstance(event, _YES) for event in events):
            self._fault(Fault.ANSWER_WRONG, number, "what needs a yes happened without one")

    # --- What happened ---

    def _replay(self, number: int, events: list[Event], leaf: StoredLeaf | None) -> None:
        if self._lost:
            return
        try:
            for event in events:
                self._happen(number, event, leaf)
            account = self._account
            if account is None:
                raise InvariantError("nothing has opened it")
            chain = Chain(label_key=account.chain.label_key, entries=number + 1)
            self._account = replace(account, chain=chain)
        except (TwinlockError, ArithmeticError, ValueError) as error:
            code, says = Fault.REPLAY_IMPOSSIBLE, f"its events cannot follow the last: {error}"
            if any(isinstance(event, ActionSpent) and self._spent(event) for event in events):
                code, says = Fault.SPENT_TWICE, "it spends an action that was spent before"
            self._fault(code, number, says)
            self._lost = True

    def _spent(self, event: ActionSpent) -> bool:
        closed = self._closed.get(event.action_id)
        return closed is not None and closed.ended == type(event).__name__

    def _happen(self, number: int, event: Event, leaf: StoredLeaf | None) -> None:
        before = event.account if isinstance(event, AccountOpened) else self._account
        if before is None or (isinstance(event, AccountOpened) and self._account is not None):
            raise InvariantError("an account is opened once, by its first entry")
        if isinstance(event, _CLOSING):
            self._close(number, before, event, leaf)
        name = _destination_of(event)
        at_hand = self._destinations.get(name) if name in versions_of(before) else None
        state = apply(State(account=before, destination_id=name, destination=at_hand), event)
        self._account = state.account
        if state.destination is not at_hand and state.destination is not None:
            self._destinations[state.destination.destination_id] = state.destination

    def _close(
        self, number: int, before: Account, event: ClosingEvent, leaf: StoredLeaf | None
    ) -> None:
        action = before.action(event.action_id)
        policy = None if leaf is None else self._policies.get(leaf.policy)
        digest = None
        if policy is not None:
            digest = closed_digest(
                ClosedAction(action=action, ended=event, entry=number, policy=policy)
            )
        self._closed[event.action_id] = Closed(type(event).__name__, number, digest)
        self.spends += isinstance(event, ActionSpent)


def _destination_of(event: Event) -> DestinationId | None:
    """Return the destination whose document ``event`` may change."""
    match event:
        case DestinationAdded(destination=destination):
            return destination.destination_id
        case ActionAuthorized() | ActionSpent() | DestinationRemoved():
            return event.destination_id
        case _:
            return None
