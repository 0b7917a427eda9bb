"""Customers who are ready to withdraw, and what their platform sends for them.

Both contenders get the same kind of customer, made here and put into their databases as sealed
rows: a password and a passkey, two notice channels, a device with a session, and one destination
that was proved two months ago and may take small sums on the session key alone. So a withdrawal of
one cent to it is decided yes at once, and the answer is a signed authorization.

They are written as rows and not made over HTTP, because a destination ages for a day before it is
worth anything; the gate reads them as it reads any other. Each withdraws a few times and no more,
so that documents stay as long as real ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from twinlock.adapters.boxes import NEW_KEY_ENTROPY_BYTES, Sealer
from twinlock.adapters.sql import codec
from twinlock.adapters.system import EPOCH, SystemEntropy
from twinlock.domain import ids
from twinlock.domain.account import Account, Chain, Device, Session
from twinlock.domain.actions import Place, payload_bytes, payload_digest
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Authenticator, Passkey, Password
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.catalogue import ActionType
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.drafts import Where
from twinlock.domain.exit_drafts import exit_of
from twinlock.domain.ids import AuthenticatorId, ChannelId, MemberId, SessionId
from twinlock.domain.listed import Destination
from twinlock.domain.policy.version import Policy
from twinlock.domain.sessions import signing_nonce
from twinlock.ports.keys import (
    BlindIndex,
)
from twinlock.proofs.addresses.normal import normal_where
from twinlock.proofs.device_keys import DeviceKey, session_proof_message

ENTROPY = SystemEntropy()
BUDGET_CENTS = 100_00
ACTIONS_EACH = 2  # Withdrawals a customer makes in a turn: as many as a person has open at once.
_NUMBER = 32  # Bytes of a coordinate or half a signature on P-256.
_VERIFIER = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One customer: what stands in the database, and the key of the browser."""

    account: Account
    destination: Destination
    session_id: SessionId
    key: ec.EllipticCurvePrivateKey
    device: DeviceKey


def make_customer(blind: BlindIndex, *, now: datetime) -> Customer:
    """Return a new customer who signed in at ``now``."""
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    device = DeviceKey(x=numbers.x.to_bytes(_NUMBER, "big"), y=numbers.y.to_bytes(_NUMBER, "big"))
    session_id = SessionId(_name("ses"))
    named = ids.account_id(ENTROPY.draw(16))
    place = Place(account=named, network="ethereum", address=f"0x{ENTROPY.draw(20).hex()}", memo="")
    destination = Destination(
        destination_id=blind.names(place)[0],
        account_id=named,
        version=1,
        network=place.network,
        address=place.address,
        memo=place.memo,
        label="My own wallet",
        added_at=now - timedelta(days=60),
        proved_by=(Factor.PASSKEY,),
        usable_at=now - timedelta(days=59),
        used_at=now - timedelta(days=5),
        budget_cents=BUDGET_CENTS,
    )
    account = _account(named, destination, session_id, device.thumbprint(), now=now)
    return Customer(
        account=account, destination=destination, session_id=session_id, key=key, device=device
    )


def _account(
    named: ids.AccountId,
    destination: Destination,
    session_id: SessionId,
    thumbprint: str,
    *,
    now: datetime,
) -> Account:
    member = MemberId(_name("mem"))
    long_ago = now - timedelta(days=90)
    return Account(
        account_id=named,
        member_id=member,
        opened_at=long_ago,
        chain=Chain(label_key=b64url(ENTROPY.draw(32))),
        authenticators=_authenticators(member, bound_at=long_ago),
        channels=(
            Channel(
                channel_id=ChannelId(_name("chn")),
                kind=ChannelKind.EMAIL,
                address="alice@example.com",
                bound_at=long_ago,
            ),
            Channel(
                channel_id=ChannelId(_name("chn")),
                kind=ChannelKind.DESKTOP,
                address="alices-desktop",
                bound_at=long_ago,
            ),
        ),
        devices=(Device(thumbprint=thumbprint, since=long_ago, seen_at=now),),
        sessions=(
            Session(
                session_id=session_id,
                member_id=member,
                thumbprint=thumbprint,
                started_at=now,
                seen_at=now,
                bound_at=long_ago,
            ),
        ),
        destinations={destination.destination_id: destination.version},
    )


def _authenticators(member: MemberId, *, bound_at: datetime) -> tuple[Authenticator, ...]:
    return (
        Password(
            authenticator_id=AuthenticatorId(_name("aut")),
            member_id=member,
            bound_at=bound_at,
            entry=0,
            verifier=_VERIFIER,
        ),
        Passkey(
            authenticator_id=AuthenticatorId(_name("aut")),
            member_id=member,
            bound_at=bound_at,
            entry=0,
            name="My phone",
            credential_id=b64url(ENTROPY.draw(32)),
            public_key=b64url(ENTROPY.draw(77)),
            backup_eligible=True,
            backed_up=True,
        ),
    )


def _name(prefix: str) -> str:
    return f"{prefix}_{ids.tail(ENTROPY.draw(16))}"


# --- Into a database ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Where a contender keeps wrapped keys and sealed documents; the columns are the same."""

    schema: str
    keys: str
    documents: str


async def put(
    connection: asyncpg.Connection, customers: Sequence[Customer], *, sealer: Sealer, into: Tables
) -> None:
    """Write ``customers`` into the tables of one contender, sealed under its keyring."""
    wrapped, documents = [], []
    for customer in customers:
        named = customer.account.account_id
        own = sealer.new_subject_key(named, random=ENTROPY.draw(NEW_KEY_ENTROPY_BYTES))
        key = sealer.open_subject_key(named, own)
        wrapped.append((named, own))
        values: tuple[tuple[str, str, Account | Destination], ...] = (
            (named, "account", customer.account),
            (customer.destination.destination_id, "destination", customer.destination),
        )
        for row_id, kind, value in values:
            place = codec.Place(kind=kind, row_id=row_id, version=1)
            box = codec.seal(key, value, place, entropy=ENTROPY)
            documents.append((row_id, named, kind, 1, box))
    await connection.copy_records_to_table(
        into.keys, schema_name=into.schema, columns=["subject", "wrapped"], records=wrapped
    )
    columns = ["id", "subject", "kind", "version", "box"]
    await connection.copy_records_to_table(
        into.documents, schema_name=into.schema, columns=columns, records=documents
    )


# --- Onto the wire ---


def requests_of(
    customers: Sequence[Customer], *, platform_key: str, policy: Policy, now: datetime
) -> Iterable[bytes]:
    """Yield every request of ``customers``, whole HTTP/1.1 requests, each customer in turn."""
    for _ in range(ACTIONS_EACH):
        for customer in customers:
            yield request_of(customer, platform_key=platform_key, policy=policy, now=now)


def request_of(customer: Customer, *, platform_key: str, policy: Policy, now: datetime) -> bytes:
    """Return the request for one withdrawal of a cent, signed by the customer's device at ``now``.

    This is what the customer's browser and the platform's server do; it is done beforehand.
    """
    key = f"withdrawal-{_name('idk')}"
    asked = {
        "asset": "USDT",
        "network": customer.destination.network,
        "address": customer.destination.address,
        "amount": "0.01",
        "max_fee": "0.001",
    }

    def normal(network: str, address: str, memo: str) -> Where:
        return normal_where(network, address, memo, policy)

    payload = exit_of(
        ActionType.WITHDRAWAL_CRYPTO,
        asked,
        customer.account.account_id,
        policy=policy,
        normal=normal,
    )
    signed_at = (now - EPOCH) // timedelta(milliseconds=1)
    message = session_proof_message(
        customer.session_id,
        nonce=signing_nonce("proposal", key, signed_at=signed_at),
        payload_digest=from_b64url(payload_digest(payload_bytes(payload))),
    )
    body = msgspec.json.encode(
        {
            "account_id": customer.account.account_id,
            "type": "withdrawal.crypto",
            "payload": asked,
            "session": {
                "session_id": customer.session_id,
                "jwk": _jwk(customer.device),
                "signed_at": signed_at,
                "signature": _sign(customer.key, message),
            },
        }
    )
    head = (
        f"POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {platform_key}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def _jwk(device: DeviceKey) -> dict[str, object]:
    """Return the key as ``crypto.subtle.exportKey`` does."""
    return {
        "crv": "P-256",
        "ext": True,
        "key_ops": ["verify"],
        "kty": "EC",
        "x": b64url(device.x),
        "y": b64url(device.y),
    }


def _sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> str:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
    return b64url(r.to_bytes(_NUMBER, "big") + s.to_bytes(_NUMBER, "big"))
