"""Evidence: the bundle of one decision, built from what is stored, checked by anyone."""

import msgspec

from twinlock.domain.account import Account, OpenAction, Shown
from twinlock.domain.actions import class_of
from twinlock.domain.answers import spend_claims
from twinlock.domain.assurance import Factor
from twinlock.domain.authorization import SPEND_TYPE
from twinlock.domain.bundle import Bundle, Included, ShownProof
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.entries import REASONS_FIELD, SPEND_FIELD, ClosedAction, entry_key
from twinlock.domain.errors import ProofError, TwinlockError, present
from twinlock.domain.events import ActionSpent
from twinlock.domain.ids import ActionId, account_of
from twinlock.domain.log.merkle import consistency_proof, inclusion_proof
from twinlock.domain.log.tiles import hashes_in, tiles_needed
from twinlock.domain.policy.version import header_of
from twinlock.domain.requirements import Answer
from twinlock.domain.suspensions import keeps_back
from twinlock.ports import (
    Clock,
    PolicyTexts,
    Store,
    StoredEntry,
)
from twinlock.ports.log import (
    Head,
    LogSigner,
    PublishedHeads,
)
from twinlock.proofs.authorizations import detached

DECISION_FIELDS = ("action", "payload", "proofs", "facts", SPEND_FIELD)
MISSED_FIELDS = (*DECISION_FIELDS, REASONS_FIELD)  # Of whatever was no yes: why.
BINDING_FIELDS = ("payload",)  # A payload names its account.
_EVIDENCE = (Factor.PASSKEY, Factor.SESSION)
_COMMITTED = set[tuple[str, str]]  # Factor and digest of each proof that an entry rests on.


class NoEvidenceError(TwinlockError):
    """Evidence of an action begins with the first proof that is accepted, or with its end."""

    code = "no_evidence"
    status = 409


class _Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """Of a public leaf, what was said, and the digest of the policy that decided."""

    dec: str
    pol: str


class Evidence:
    """The use case of evidence."""

    def __init__(
        self,
        store: Store,
        *,
        policies: PolicyTexts,
        signer: LogSigner,
        published: PublishedHeads,
        clock: Clock,
    ) -> None:
        self._store = store
        self._clock = clock
        self._policies = policies
        self._signer = signer
        self._published = published

    async def bundle(self, action_id: ActionId, *, consistent_from: int = 0) -> Bundle:
        """Return the bundle of the decision by which an action stands as it does.

        ``consistent_from`` is the size of the tree that the asker has seen: the bundle then proves
        that ours only grew since.

        Raises:
            ActionUnknownError: there is no such action.
            NoEvidenceError: it is open, and no proof was accepted yet.
            ProofError: ``consistent_from`` is larger than the log.
            NotWitnessedError: too few witnesses have cosigned its entry so far.
        """
        account = await self._store.account(account_of(action_id))
        closed = await self._store.closed_action(action_id)
        action = closed.action if closed is not None else account.action(action_id)
        number = closed.entry if closed is not None else action.entry
        entry = await self._store.entry(account.account_id, number)
        if entry is None or not number:
            raise NoEvidenceError("no proof of this action was accepted yet, and it is not over")
        if consistent_from > entry.index + 1 and consistent_from > (await self._store.head()).size:
            raise ProofError("the log has not grown that far")
        published = await self._published.covering(max(entry.index + 1, consistent_from))
        head = published.head
        leaf = msgspec.json.decode(entry.leaf, type=_Leaf)
        fields = DECISION_FIELDS if leaf.dec == Answer.ALLOW else MISSED_FIELDS
        return Bundle(
            v=1,
            origin=self._signer.log_origin,
            authorization=await self._authorization(account, closed, entry),
            decision=await self._included(account, entry, head, fields),
            policy=await self._policy(leaf.pol),
            proofs=await self._proofs(account, action, entry, head),
            checkpoint=published.note.decode("utf-8"),
            consistent_from=consistent_from,
            consistency=await self._consistency(consistent_from, head),
        )

    async def _policy(self, digest: str) -> str:
        """Return the policy that decided then, whichever decides now."""
        text = await self._policies.read(digest)
        kept = present(text, "the policy of every entry is kept")
        return header_of(kept).decode("utf-8")

    async def _authorization(
        self, account: Account, closed: ClosedAction | None, entry: StoredEntry
    ) -> str:
        """Return the authorization of a spend, or nothing: under a halt none is signed again.

        Nor is one that may still be good, once an officer suspended the account. Prevents: a spend
        of the last moment before officers spoke, of which a signer asks for the evidence and for
        nothing else.
        """
        if closed is None or not isinstance(closed.ended, ActionSpent):
            return ""
        known = account.suspension
        if known.end is not None:  # What was never suspended is told whatever the clock says.
            now = self._clock.now(database_at=None)
            if keeps_back(known, spent_at=closed.ended.at, now=now):
                return ""
        if await self._store.halted_at() is not None:
            return ""
        signed = spend_claims(closed, entry.index, entry.kept, log_origin=self._signer.log_origin)
        return detached(self._signer.authorization(signed, SPEND_TYPE))

    async def _proofs(
        self, account: Account, action: OpenAction, entry: StoredEntry, head: Head
    ) -> tuple[ShownProof, ...]:
        """Return the proofs that are evidence: those that the customer's own keys signed.

        What was shown after ``entry`` and changed nothing is left out: it rests on no such proof.
        Beside a passkey's consent to an exit the session's device is left out: a signer does not
        need it, and fetches its bundle for every payment.
        """
        committed = msgspec.json.decode(entry.kept.openings["proofs"].value, type=_COMMITTED)
        rested = [one for one in action.shown if (one.factor, one.digest) in committed]
        signed = [one for one in rested if one.bound_entry and one.factor in _EVIDENCE]
        consented = any(one.factor is Factor.PASSKEY for one in signed)
        if consented and class_of(action.payload) is ActionClass.EXIT:
            signed = [one for one in signed if one.factor is Factor.PASSKEY]
        return tuple([await self._proof(account, shown, head) for shown in signed])

    async def _proof(self, account: Account, shown: Shown, head: Head) -> ShownProof:
        proved = await self._store.entry(account.account_id, shown.entry)
        binding = await self._store.entry(account.account_id, shown.bound_entry)
        bound = present(binding, "a proof's key was bound by an entry")
        return ShownProof(
            factor=shown.factor.value,
            evidence=present(proved, "a proof has its entry").kept.evidence,
            binding=await self._included(account, bound, head, BINDING_FIELDS),
        )

    async def _included(
        self, account: Account, entry: StoredEntry, head: Head, fields: tuple[str, ...]
    ) -> Included:
        needed = tiles_needed(lambda at: inclusion_proof(entry.index, head.size, at))
        tiles = await self._store.tiles(tuple(sorted(needed)))
        path = inclusion_proof(entry.index, head.size, hashes_in(tiles))
        label_key = from_b64url(account.chain.label_key, size=32)
        return Included(
            leaf=entry.leaf.decode("utf-8"),
            index=entry.index,
            key=b64url(entry_key(label_key, entry.number)),
            path=b64url(b"".join(path)),
            openings={
                field: opening for field, opening in entry.kept.openings.items() if field in fields
            },
        )

    async def _consistency(self, old_size: int, head: Head) -> str:
        if not old_size:
            return ""
        needed = tiles_needed(lambda at: consistency_proof(old_size, head.size, at))
        tiles = await self._store.tiles(tuple(sorted(needed)))
        return b64url(b"".join(consistency_proof(old_size, head.size, hashes_in(tiles))))
