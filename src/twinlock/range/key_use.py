"""Who holds an API key, from where it is used, and how it is shown.

A key that a step makes is its maker's, under the step's id. Keys that a file gives the account are
the owner's; a thief has those that the file's capabilities say, and uses them from elsewhere.

Always true (tests/unit/range/test_key_use.py): nobody uses a key that they do not hold; a thief's
copy of the owner's key is never used from an address on its list.
"""

import ipaddress
from functools import partial

from twinlock.domain.answers import Answered
from twinlock.domain.canonical import b64url
from twinlock.domain.catalogue import WITHDRAW_SCOPE, ActionType
from twinlock.domain.exits import EXITS
from twinlock.domain.order_intents.model import Verdict
from twinlock.range.api_keys import TRADE_SCOPE, SoftwareKey, new_key
from twinlock.range.customer import Customer, NotHeldError, NotPlayableError
from twinlock.range.leaving import price_of, small_exit
from twinlock.range.stage import SMALL_CENTS, Stage
from twinlock.range.story import Step
from twinlock.range.words import THIEVES, Capability, Mark, Person, Showing

STOLEN = {Capability.API_KEY_TRADE: TRADE_SCOPE, Capability.API_KEY_WITHDRAW: WITHDRAW_SCOPE}
# Where thieves are: networks that are there for examples (RFC 5737, RFC 3849).
_ELSEWHERE = ("198.51.100.66", "192.0.2.66", "2001:db8::66")
_AT_HOME = "198.51.100.7"  # From where a key without a list is used.


def key_of(stage: Stage, step: Step) -> SoftwareKey:
    """Return the key that ``step`` uses: the one it names, or the newest that fits.

    Raises:
        NotHeldError: whoever acts holds none.
    """
    named = str(step.given.get("key", ""))
    held = [one for one in stage.keys if _holds(stage, step.by, one) and named in ("", one.name)]
    leaves = step.do in EXITS and step.do != ActionType.TRADE_UNUSUAL
    wanted = WITHDRAW_SCOPE if leaves else TRADE_SCOPE
    held.sort(key=lambda one: (one.by is step.by, wanted in one.scopes))
    if not held:
        raise NotHeldError(f"{step.by.value} holds no API key of this account")
    return held[-1]


def _holds(stage: Stage, person: Person, key: SoftwareKey) -> bool:
    if key.by is person:
        return True
    stolen = (scope for held, scope in STOLEN.items() if held in stage.held)
    return person in THIEVES and key.by is Person.ALICE and any(one in key.scopes for one in stolen)


def address_of(key: SoftwareKey, step: Step, *, mark: Mark | None = None) -> str:
    """Return from where ``step`` uses ``key``: its maker from its list, everybody else not."""
    elsewhere = mark is Mark.COPIED or step.given.get("from") == "other_network"
    networks = [ipaddress.ip_network(one, strict=False) for one in key.ip_list]
    if elsewhere or key.by is not step.by:
        outside = (
            one
            for one in _ELSEWHERE
            if not any(ipaddress.ip_address(one) in network for network in networks)
        )
        return next(outside, _ELSEWHERE[-1])
    return home_of(key)


def home_of(key: SoftwareKey) -> str:
    """Return from where its maker uses ``key``: the first address of its list."""
    if not key.ip_list:
        return _AT_HOME
    return str(ipaddress.ip_network(key.ip_list[0], strict=False).network_address)


async def use_long_ago(customer: Customer, key: SoftwareKey, where: dict[str, str] | None) -> bool:
    """Use the owner's ``key`` as its owner does: to pay to ``where``, else to trade.

    Return whether it was: a key that only reads is used beside the gate, which sees nothing of it.
    """
    client = customer.venue.client
    if where is not None and WITHDRAW_SCOPE in key.scopes:
        kind, payload = small_exit(where["network"], where["address"], SMALL_CENTS // 100)
        answered = await customer.propose(kind, payload)
        if not answered.authorization:  # Some rules ask for no proof where a place is listed.
            asked = await client.action(answered.action_id)
            signature = key.secret.sign(asked.action_id, asked.payload or {})
            answered = await client.prove_by_api_key(
                asked.action_id, signature=signature, ip=home_of(key)
            )
        if answered.authorization:
            spend_id = f"before-{b64url(customer.venue.draw()[:9])}"
            await client.spend(answered.action_id, spend_id=spend_id)
        return bool(answered.authorization)
    if TRADE_SCOPE not in key.scopes:
        return False
    account = await client.account(customer.account_id)
    [named] = [one for one in account["api_keys"] if one["public_key"] == key.public_key]
    order = {
        "account_id": customer.account_id,
        "api_key_id": named["api_key_id"],
        "ip": home_of(key),
        "pair": key.pairs[0],
        "side": "buy",
        "notional_cents": SMALL_CENTS,
        "price": price_of(key.pairs[0]),  # The middle itself: usual by anybody's rules.
        "mid": price_of(key.pairs[0]),
    }
    [told] = await client.examine([order])
    return bool(told["verdict"] == Verdict.PASS)


async def show_key(stage: Stage, step: Step, answered: Answered, showing: Showing) -> Answered:
    """Sign ``answered`` with an API key, or show what its mark says instead.

    Raises:
        NotHeldError: nobody has made such a key, or whoever acts does not hold it.
        ProblemError: the service refused it.
    """
    mark, key = showing.mark, key_of(stage, step)
    if mark is Mark.DURESS:
        raise NotPlayableError(f"{showing}: not understood here")
    signed = answered
    if mark in (Mark.OTHER_ACTION, Mark.SPENT):
        signed = await stage.customer.propose(ActionType.WITHDRAWAL_CRYPTO, stage.elsewhere())
    elif mark is Mark.OTHER_ACCOUNT:
        key = new_key(
            stage.venue.draw(), name="other", by=step.by, scopes=key.scopes, ip_list=key.ip_list
        )
    told = await stage.venue.client.action(signed.action_id)
    prove = partial(
        stage.venue.client.prove_by_api_key,
        signature=key.secret.sign(told.action_id, told.payload or {}),
        ip=address_of(key, step, mark=mark),
    )
    if mark is Mark.SPENT:
        await prove(signed.action_id)
    return await prove(answered.action_id)
