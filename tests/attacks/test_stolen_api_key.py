"""The bot's server was broken into: a thief has the customer's API key that withdraws.

Mallory has the key's secret, and at worst the server too, whose address is on the key's list. She
wants the account. She is stopped by law 3, since a key signs what was signed for it and nothing
else, and by every law that stands above a withdrawal. She can pay the owner's own destinations, up
to the key's sum a day, until somebody stops the key: docs/threat-model.md says so.
"""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.cast import ALICE, DAY, NEW_ADDRESS
from support.gates import Gate
from support.policies import DEFAULT, STRICT
from support.worlds import (
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    make_key,
    send,
    suspend,
)

from twinlock.client import ApiKey
from twinlock.domain.actions import AnyPayload, ApiKeyRevoke, FreezeLift, FreezeSet, payload_bytes
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofRefusedError
from twinlock.domain.canonical import decode
from twinlock.domain.commands import Wrong
from twinlock.domain.decisions import Decision
from twinlock.domain.events import ActionSpent
from twinlock.domain.ids import ApiKeyId
from twinlock.domain.policy.version import Policy
from twinlock.domain.requirements import Answer
from twinlock.proofs.api_keys import check_answer

SERVER, THIEFS = "203.0.113.7", "198.51.100.66"
KEY = ApiKey(Ed25519PrivateKey.from_private_bytes(b"the owner's own key, kept on it!"))
HERS = ApiKey(Ed25519PrivateKey.from_private_bytes(b"a key that the thief made herself"[:32]))
KNOWN = a_destination()
SUM = 100_00


def owner(policy: Policy = DEFAULT) -> Gate:
    """Return the account of an owner whose bot withdraws US$100 a day to one place."""
    account = an_account(PASSWORD, SYNCED, ROAMING)
    gate = Gate.of(account, KNOWN, a_destination(NEW_ADDRESS), policy=policy)
    wanted = make_key(
        "withdraw",
        ip_list=(f"{SERVER}/32",),
        destinations=(KNOWN.destination_id,),
        daily_cents=SUM,
        public_key=KEY.public_key,
    )
    gate.prove(gate.propose(wanted, "key_bot").action_id, SYNCED)
    gate.wait(3 * DAY)
    gate.settle()
    gate.wait(3 * DAY)
    return gate


def shows(gate: Gate, payload: AnyPayload, *, by: ApiKey = KEY, ip: str = SERVER) -> Decision:
    """Propose ``payload`` and show what the key really signs, as the service checks it."""
    proposed = gate.propose(payload)
    if not gate.is_open(proposed.action_id):
        return proposed
    action = gate.action(proposed.action_id)
    signature = dict(by.sign(action.action_id, decode(payload_bytes(payload))))
    try:
        answer = check_answer(gate.account, action, signature, ip=ip)
    except ProofRefusedError as refused:
        return gate.answer(action.action_id, Wrong(factor=Factor.API_KEY, fault=refused.fault))
    return gate.answer(action.action_id, answer)


def left(gate: Gate) -> int:
    """Return how many withdrawals left, to whichever place."""
    spent = [
        event
        for _, decided, _ in gate.book
        for decision in decided.decisions
        for event in decision.events
        if isinstance(event, ActionSpent)
    ]
    return len(spent)


@pytest.mark.parametrize("policy", [DEFAULT, STRICT], ids=["default", "strict"])
def test_the_key_alone_opens_nothing_from_the_thiefs_own_machine(policy: Policy) -> None:
    gate = owner(policy)

    assert shows(gate, send(1), ip=THIEFS).answer is Answer.DENY
    assert shows(gate, send(1), ip="").answer is Answer.DENY
    assert shows(gate, send(1), by=HERS).answer is Answer.DENY
    assert gate.account.api_keys[0].spent == (0, 0)


@pytest.mark.parametrize("policy", [DEFAULT, STRICT], ids=["default", "strict"])
def test_from_the_bots_own_server_she_pays_the_owners_own_place_and_no_more_than_its_sum(
    policy: Policy,
) -> None:
    gate = owner(policy)

    assert shows(gate, send(1, to=NEW_ADDRESS)).answer is Answer.DENY
    assert shows(gate, send(1, to="0x" + "6" * 40)).answer is Answer.DENY
    assert shows(gate, send(100)).answer is Answer.ALLOW  # What she can still do.
    assert shows(gate, send(1)).answer is Answer.DENY


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(list_address("0x" + "6" * 40), id="a place of her own"),
        pytest.param(make_key("read", public_key=HERS.public_key), id="a key of her own"),
        pytest.param(suspend(SYNCED), id="the owner's passkey away"),
        pytest.param(FreezeLift(account=ALICE), id="a freeze lifted"),
        pytest.param(ApiKeyRevoke(account=ALICE, api_key_id=ApiKeyId("key_bot")), id="the key"),
    ],
)
def test_it_changes_nothing_about_the_account(payload: AnyPayload) -> None:
    gate = owner()
    before = gate.account

    assert shows(gate, payload).answer is Answer.DENY
    assert gate.account.api_keys == before.api_keys
    assert gate.account.authenticators == before.authenticators


def test_the_owner_stops_it_with_any_one_factor_and_what_it_authorized_is_not_spent() -> None:
    gate = owner()
    taken = shows(gate, send(50))
    freeze = gate.propose(FreezeSet(account=ALICE)).action_id
    assert gate.prove(freeze, PASSWORD).answer is Answer.ALLOW

    assert gate.spend(taken.action_id).answer is Answer.DENY
    assert shows(gate, send(1)).answer is Answer.DENY
    assert left(gate) == 0


def test_nor_does_time_help_her() -> None:
    """Prevents: a signature beyond the key's powers that becomes good by waiting."""
    gate = owner()
    beyond = [shows(gate, send(50, to=NEW_ADDRESS)), shows(gate, send(500))]
    gate.wait(timedelta(days=8))
    gate.settle()

    assert not any(gate.is_open(one.action_id) for one in beyond)
    assert left(gate) == 0
