"""A bundle in a forger's hands. Which keys he holds shows in what he does with it.

Changing ``doc`` takes no key. ``sign`` takes the authorization key; ``log_anew`` takes the keys of
the log and of its witnesses: whoever holds those has written the log as he likes it.
"""

import copy
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.bundles import (
    AUTHORIZATION_KEY,
    KID,
    ORIGIN,
    House,
    SparseLog,
    a_withdrawal,
    checkpoint,
    phone,
)

from twinlock.domain.authorization import SPEND_TYPE, Issued, authorization
from twinlock.domain.canonical import b64url, commit, encode, from_b64url
from twinlock.domain.entries import SALT_BYTES
from twinlock.domain.ids import AccountId, ActionId
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import consistency_proof, inclusion_proof
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.proving import digest_of
from twinlock.proofs import jws
from twinlock.proofs.authorizations import detached
from twinlock.range.authenticator import SoftwareAuthenticator

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Cast:
    """A house in which people have paid: what each forgery begins with."""

    house: House
    alice: AccountId
    phone: SoftwareAuthenticator
    paid: ActionId  # Alice's, with her phone's consent
    again: ActionId  # the very same payment a second time, consented to anew
    bobs: ActionId
    carols: ActionId  # by an app's code, so by our record only
    allowed: ActionId  # Dora's, with a yes that nobody spent


@cache
def the_cast() -> Cast:
    house = House()
    alices, bobs = phone("alice's phone"), phone("bob's phone")
    alice = house.open_account(alices)
    bob = house.open_account(bobs)
    carol = house.open_account(app=True)
    paid = house.pay(a_withdrawal(alice), alices)
    again = house.pay(a_withdrawal(alice), alices, spend_id="payout-2")
    doras = phone("dora's phone")
    dora = house.open_account(doras, app=True)
    allowed = house.allow(a_withdrawal(dora), doras)
    return Cast(
        house=house,
        alice=alice,
        phone=alices,
        paid=paid,
        again=again,
        bobs=house.pay(a_withdrawal(bob), bobs),
        carols=house.pay(a_withdrawal(carol)),
        allowed=allowed,
    )


class Forger:
    """Somebody with a real bundle, as JSON, and a copy of the whole log."""

    def __init__(self, house: House, action: ActionId, *, consistent_from: int = 0) -> None:
        self.house = house
        self.log: SparseLog = copy.deepcopy(house.log)
        bundle = house.bundle(action, consistent_from=consistent_from)
        self.doc: dict[str, Any] = msgspec.to_builtins(bundle)

    @property
    def decision(self) -> dict[str, Any]:
        decision: dict[str, Any] = self.doc["decision"]
        return decision

    @property
    def proof(self) -> dict[str, Any]:
        proof: dict[str, Any] = self.doc["proofs"][0]
        return proof

    @property
    def binding(self) -> dict[str, Any]:
        binding: dict[str, Any] = self.proof["binding"]
        return binding

    def parent(self, path: Path) -> dict[str | int, object]:
        at: Any = self.doc
        for key in path[:-1]:
            at = at[key]
        return cast("dict[str | int, object]", at)

    def get(self, *path: str | int) -> object:
        return self.parent(path)[path[-1]]

    def put(self, *path: str | int, to: object) -> None:
        """Put a value at ``path``, or what a function makes of the value there."""
        parent = self.parent(path)
        parent[path[-1]] = to(parent[path[-1]]) if callable(to) else to

    def to_bytes(self) -> bytes:
        return json.dumps(self.doc).encode()

    # --- With the authorization key ---

    def claims(self) -> dict[str, Any]:
        """Return what the entry says, as claims."""
        opened = {
            field: json.loads(value) for field, (_, value) in self.decision["openings"].items()
        }
        leaf = self.leaf(self.decision)
        issued = Issued(
            log_origin=self.doc["origin"],
            policy=PolicyName(
                version=json.loads(self.doc["policy"])["version"], digest=leaf["pol"]
            ),
            facts=opened["facts"],
            index=self.decision["index"],
            at=datetime.fromtimestamp(leaf["at"] // 1000, tz=UTC),
        )
        claims: dict[str, Any] = msgspec.to_builtins(
            authorization(
                issued,
                action_id=opened["action"],
                payload=encode(opened["payload"]),
                spend=tuple(opened.get("spend", ("", ""))),
            )
        )
        return claims

    def sign(
        self,
        claims: object = None,
        *,
        kid: str = KID,
        typ: str = SPEND_TYPE,
        key: Ed25519PrivateKey = AUTHORIZATION_KEY,
    ) -> None:
        """Sign ``claims``, or what the entry says, and leave the claims out."""
        data = claims if isinstance(claims, bytes) else encode(claims or self.claims())
        self.doc["authorization"] = detached(jws.sign(data, kid=kid, typ=typ, key=key))

    # --- With the keys of the log and its witnesses ---

    def leaf(self, place: dict[str, Any]) -> dict[str, Any]:
        leaf: dict[str, Any] = json.loads(place["leaf"])
        return leaf

    def commit(self, place: dict[str, Any], field: str, value: object) -> None:
        """Commit to another value of ``field``, and show it; ``bytes`` are taken as they are."""
        data = value if isinstance(value, bytes) else encode(value)
        salt = b64url(b"s" * SALT_BYTES)
        place["openings"][field] = [salt, data.decode()]
        leaf = self.leaf(place)
        leaf["c"][field] = b64url(commit(from_b64url(salt), field, data))
        self.log_anew(place, leaf)

    def show(self, evidence: bytes) -> None:
        """Commit to other evidence of the first proof, and show it."""
        self.proof["evidence"] = evidence.decode()
        self.commit(self.decision, "proofs", [[self.proof["factor"], digest_of(evidence)]])

    def decide(self, payload: bytes) -> None:
        """Commit to another payload, and authorize it."""
        self.commit(self.decision, "payload", payload)
        self.sign()

    def log_again(self, place: dict[str, Any]) -> None:
        """Put the entry in the log a second time, at its end."""
        place["index"] = self.log.append(place["leaf"].encode())
        self.seal()

    def log_anew(self, place: dict[str, Any], leaf: object) -> None:
        """Put ``leaf`` in the log in the place of the one there, and sign all of it again."""
        data = leaf if isinstance(leaf, bytes) else encode(leaf)
        place["leaf"] = data.decode()
        self.log.leaves[place["index"]] = data
        self.seal()

    def seal(self) -> None:
        """Prove and sign everything anew, as an operator would."""
        size = self.log.size
        for one in (self.decision, *(proof["binding"] for proof in self.doc["proofs"])):
            path = inclusion_proof(one["index"], size, self.log.hash_at)
            one["path"] = b64url(b"".join(path))
        if "consistent_from" in self.doc:
            growth = consistency_proof(self.doc["consistent_from"], size, self.log.hash_at)
            self.doc["consistency"] = b64url(b"".join(growth))
        head = Checkpoint(origin=ORIGIN, size=size, root=self.log.root())
        self.doc["checkpoint"] = checkpoint(head, at=self.house.now).decode()
