"""Customers at the store whose erasure is due: asked for, proved, told and waited for."""

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace
from support.stores import (
    ENTROPY,
    PLATFORM,
    POLICY,
    Customer,
    SteerableClock,
    commanded,
    digest_of,
    new_action,
    new_customer,
    opening,
    rules,
)

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql.erasing import SqlEraser
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.account import Account, OpenAction, Shown
from twinlock.domain.actions import AccountErase, AnyPayload, payload_bytes, payload_digest
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.canonical import b64url
from twinlock.domain.commands import Ask, Command, Erase, Propose, Prove, Right
from twinlock.domain.gate import decide
from twinlock.domain.ids import ActionId, ChallengeId, tail
from twinlock.domain.requirements import Answer
from twinlock.ports import Clock, Work


def asked(account: Account, action_id: ActionId, *, now: datetime, entry: int) -> Account:
    """Return ``account`` with an erasure that was asked for long ago."""
    payload, (key,) = AccountErase(account=account.account_id), account.authenticators
    long_ago = now - timedelta(days=31)
    proof = Shown(
        source=key.authenticator_id,
        factor=Factor.PASSKEY,
        root=f"roaming:{key.authenticator_id}",
        bound_at=key.bound_at,
        at=long_ago,
        entry=entry,
    )
    action = OpenAction(
        action_id=action_id,
        member_id=account.member_id,
        payload=payload,
        digest=payload_digest(payload_bytes(payload)),
        proposed_at=long_ago,
        lapses_at=now + timedelta(days=29),
        veto_key=b64url(digest_of("veto")),
        proved_at=long_ago,
        until=now - timedelta(days=1),
        shown=(proof,),
    )
    return replace(account, actions=(action,))


async def due_customer(
    store: SqlStore, clock: Clock, *, entry: int = 0
) -> tuple[Customer, ActionId]:
    """Open an account whose erasure is due; return its customer and the erasure's action.

    Its document says so, and that it was proved as entry ``entry``, which no entry shows.
    """
    customer, now = new_customer(), clock.now(database_at=None)
    action = new_action(customer)
    await store.run(
        opening(
            customer,
            now=now,
            change=lambda account: asked(account, action, now=now, entry=entry),
        )
    )
    return customer, action


def erasing(customer: Customer, action: ActionId) -> Work:
    """Return the work that carries an erasure out."""
    command = Erase(action_id=action)
    return Work(
        account_id=customer.account_id,
        decide=lambda state, now: decide(state, command, rules=rules(now), now=now),
        actor=PLATFORM,
        policy=POLICY.name,
    )


def eraser(dsn: str, keyring: Keyring, clock: Clock) -> SqlEraser:
    """Return what erases as the owner of the tables."""
    return SqlEraser(dsn, sealer=Sealer(keyring), entropy=ENTROPY, clock=clock)


async def proved_customer(
    store: SqlStore,
    clock: SteerableClock,
    *,
    change: Callable[[Account], Account] = lambda account: account,
) -> tuple[Customer, ActionId]:
    """Open an account and ask for its erasure, with proof, at ``clock``'s time."""
    customer = new_customer()
    await store.run(opening(customer, now=clock.at, change=change))
    return customer, await proved(store, customer, AccountErase(account=customer.account_id))


async def proved(store: SqlStore, customer: Customer, payload: AnyPayload) -> ActionId:
    """Ask for something that waits, with proof; return its action."""
    (key,) = (await store.account(customer.account_id)).authenticators
    assert isinstance(key, Passkey)
    action, asked_as = new_action(customer), ChallengeId("chl_" + tail(ENTROPY.draw(16)))
    nonce = b64url(digest_of("nonce"))
    right = Right(
        factor=Factor.PASSKEY,
        source=key.authenticator_id,
        against=key.public_key,
        challenge_id=asked_as,
        evidence=b"{}",
    )
    asking: tuple[Command, ...] = (
        Propose(action_id=action, payload=payload, veto_key=nonce),
        Ask(action_id=action, challenge_id=asked_as, factor=Factor.PASSKEY, nonce=nonce),
    )
    for command in asking:
        await store.run(commanded(customer, _always(command), with_destination=False))
    prove = Prove(action_id=action, proof=right, fresh="a" * 26)
    said = await store.run(commanded(customer, _always(prove), with_destination=False))
    assert said.answer.answer is Answer.HOLD
    return action


def _always(command: Command) -> Callable[[datetime], Command]:
    return lambda _: command
