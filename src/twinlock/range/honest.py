"""One honest withdrawal, from request to spent authorization, and what shows it afterwards.

The evidence is checked as strangers check it: by the verifier, with the bundle and a trust file,
and nothing of the service. A forger changes the payee in a copy.
"""

from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from twinlock.domain.answers import Answered
from twinlock.domain.bundle import Bundle
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import ActionType
from twinlock.domain.entries import Opening
from twinlock.domain.errors import BundleRefusedError
from twinlock.domain.money import parse_amount
from twinlock.domain.trust import read_trust
from twinlock.proofs.bundles import VerifiedBundle, verify_bundle
from twinlock.range.customer import NotPlayableError
from twinlock.range.places import NETWORK
from twinlock.range.setting_up import set_up, takes
from twinlock.range.stage import ASSET, MAX_FEE, Stage
from twinlock.range.story import AccountSpec, Destinations, Listed
from twinlock.range.venue import Venue
from twinlock.range.words import Proof
from twinlock.signer import Cleared, Transaction

AMOUNT = "250"
ALICE = AccountSpec(
    authenticators=(Proof.PASSWORD, Proof.PASSKEY),
    channels=("email", "desktop"),
    destinations=Destinations(
        entries=(Listed(name="savings", signed=True, age="2d", last_used="never"),)
    ),
    value_usd=10_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Honest:
    """What the withdrawal was answered, and its evidence; ``trust`` is the trust file."""

    asked: Answered
    proved: Answered
    spent: Answered
    cleared: Cleared
    bundle: bytes
    forged: bytes
    trust: bytes
    address: str


async def withdraw_honestly(venue: Venue, *, at: datetime) -> Honest:
    """Set a customer up, and let her withdraw at ``at`` with one tap.

    Raises:
        NotPlayableError: it was not allowed at that time, so there is nothing to show.
    """
    before = takes(ALICE, venue.past.policy.statutes)
    await venue.set_forward(at - before)
    stage = await set_up(venue, ALICE)
    if venue.now != at:
        raise NotPlayableError(f"the honest customer was ready at {venue.now}, and not at {at}")
    customer, client, address = stage.customer, venue.client, stage.places.address("savings")
    payload = {
        "asset": ASSET,
        "network": NETWORK,
        "address": address,
        "amount": AMOUNT,
        "max_fee": MAX_FEE,
    }
    asked = await customer.propose(ActionType.WITHDRAWAL_CRYPTO, payload)
    proved = await customer.show(asked.action_id, Proof.PASSKEY)
    if not proved.authorization:
        raise NotPlayableError(f"the honest withdrawal was answered {proved.answer.value}")
    spent = await client.spend(asked.action_id, spend_id=stage.next_spend_id())
    bundle = await client.evidence(asked.action_id, consistent_from=stage.wallet.size)
    return Honest(
        asked=asked,
        proved=proved,
        spent=spent,
        cleared=stage.wallet.sign(encode(bundle), _transaction(stage, address), now=venue.now),
        bundle=encode(bundle),
        forged=encode(forge(bundle, payee=stage.places.address("attacker_addr"))),
        trust=encode(venue.trust),
        address=address,
    )


def _transaction(stage: Stage, address: str) -> Transaction:
    asset = stage.asset(ASSET)
    return Transaction(
        account=stage.customer.account_id,
        asset=asset.symbol,
        network=asset.network,
        contract=asset.contract,
        address=address,
        memo="",
        amount_minor=parse_amount(AMOUNT, decimals=asset.decimals),
        fee_minor=0,
        value_cents=stage.amount(AMOUNT, asset)[1],
    )


def forge(bundle: Bundle, *, payee: str) -> Bundle:
    """Return the bundle as somebody would hand it in who was paid instead."""
    openings = dict(bundle.decision.openings)
    salt, value = openings["payload"].salt, openings["payload"].value
    start = value.index('"address":"') + len('"address":"')
    openings["payload"] = Opening(salt, value[:start] + payee + value[start + len(payee) :])
    return replace(bundle, decision=replace(bundle.decision, openings=openings))


def verified(honest: Honest) -> VerifiedBundle:
    """Return what the bundle shows to whoever has the trust file. Raises BundleRefusedError."""
    return verify_bundle(honest.bundle, trust=read_trust(honest.trust))


def forged_refusal(honest: Honest) -> BundleRefusedError | None:
    """Return why the forged bundle is refused, or None if it is not."""
    try:
        verify_bundle(honest.forged, trust=read_trust(honest.trust))
    except BundleRefusedError as why:
        return why
    return None
