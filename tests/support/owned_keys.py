"""API keys that a customer of the tests owns over the API: made, and used where they are."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.service import ADDRESS, Customer

from twinlock.client import ApiKey
from twinlock.domain.answers import Answered

HOME, AWAY = "203.0.113.7", "198.51.100.7"
KEY = ApiKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = ApiKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
FEE = "0.0001"  # Ether: 30 cents.
PLACE = {"network": "ethereum", "address": ADDRESS}
BOUNDED: dict[str, Any] = {
    "public_key": KEY.public_key,
    "scopes": ["withdraw"],
    "ip_list": [HOME],
    "destinations": [PLACE],
    "daily_cents": 100_00,
}


async def make(alice: Customer, **changes: object) -> Answered:
    """Make a key that withdraws, and let its wait and its hold pass."""
    proposed = await alice.propose("api_key.create", {**BOUNDED, **changes})
    made = await alice.with_passkey(proposed.action_id)
    for _ in range(2):
        alice.service.clock.forward(hours=24)
        await alice.sign_in()
    return made


async def use(
    alice: Customer, amount: str = "10", *, ip: str = HOME, key: ApiKey = KEY, **more: str
) -> Answered:
    """Propose a withdrawal, have it signed where the key is, and hand the signature on."""
    proposed = await alice.propose(
        "withdrawal.crypto", alice.withdrawal(amount, max_fee=FEE, **more)
    )
    told = await alice.client.action(proposed.action_id)
    signature = key.sign(proposed.action_id, told.payload or {})
    return await alice.client.prove_by_api_key(proposed.action_id, signature, ip=ip)
