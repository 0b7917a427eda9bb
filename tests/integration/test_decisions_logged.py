"""The log: an entry for every decision, yes or no, with who, what, when and by what proof."""

from typing import TypeAlias

import msgspec
import pytest
from support.service import PASSWORD, Customer, Service

from twinlock.client import ProblemError
from twinlock.domain.events import (
    AuthenticatorBound,
    AuthenticatorRemoved,
    ProofAccepted,
    ProofRefused,
)
from twinlock.domain.ids import AccountId
from twinlock.ports import StoredEntry
from twinlock.range.device import SoftwareDevice

Told: TypeAlias = tuple[str, str, str]  # The entry's type, its answer, and the first event in it.


async def entries(service: Service, alice: Customer, start: int = 0) -> list[StoredEntry]:
    """Return the account's entries from number ``start`` on, as the log keeps them."""
    found, number = [], start
    while (one := await service.api.store.entry(AccountId(alice.account_id), number)) is not None:
        found.append(one)
        number += 1
    return found


def leaf_of(entry: StoredEntry) -> dict[str, object]:
    leaf: dict[str, object] = msgspec.json.decode(entry.leaf)
    return leaf


def said(entry: StoredEntry) -> Told:
    """Return what an entry is about, what was answered, and what it tells beside that."""
    leaf = leaf_of(entry)
    proofs = [
        f"{event.factor}: {event.fault}" if isinstance(event, ProofRefused) else event.shown.factor
        for event in entry.kept.events
        if isinstance(event, ProofRefused | ProofAccepted)
    ]
    return str(leaf["t"]), str(leaf["dec"]), ", ".join(proofs)


@pytest.mark.requirement("O-32")
async def test_every_question_every_attempt_and_every_no_is_an_entry(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    before = len(await entries(service, alice))
    service.clock.forward(minutes=5)

    asked = await alice.propose("withdrawal.crypto", alice.withdrawal())
    with pytest.raises(ProblemError):
        await alice.with_secret(asked.action_id, "password", "not hers")
    await alice.with_passkey(asked.action_id)
    await alice.propose("recovery.open")
    stranger = SoftwareDevice(b"mallory's device".ljust(32, b"."))
    below = await alice.propose("session.start", {"device": stranger.jwk()})
    await alice.with_secret(below.action_id, "password", PASSWORD)
    await service.client.end_sessions(alice.account_id)

    new = await entries(service, alice, before)
    assert [said(one) for one in new] == [
        ("withdrawal.crypto", "hold", ""),
        ("withdrawal.crypto", "deny", "password: password_wrong"),
        ("withdrawal.crypto", "hold", ""),  # The passkey's question.
        ("withdrawal.crypto", "hold", "passkey"),
        ("recovery.open", "deny", ""),
        ("session.start", "challenge", ""),
        ("session.start", "challenge", "password"),
        ("session.end", "allow", ""),
    ]
    now = int(service.clock.at.timestamp() * 1000)  # Milliseconds since 1970, so UTC.
    by = f'"platform:{service.http.headers["Authorization"].split("_")[1]}"'
    for one in new:
        opened = {name: opening.value for name, opening in one.kept.openings.items()}
        assert leaf_of(one)["at"] == now
        assert (opened["actor"], opened["account"]) == (by, f'"{alice.account_id}"')
        assert {"action", "facts", "payload", "proofs", "reasons"} <= set(opened)


@pytest.mark.requirement("N-B12")
async def test_the_log_keeps_each_authenticator_that_was_ever_bound(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.with_passkey((await alice.bind_totp()).action_id)
    service.clock.forward(hours=24)
    seen = (await service.client.account(alice.account_id))["authenticators"]
    password = next(one for one in seen if one["factor"] == "password")
    removal = {"authenticator_id": password["authenticator_id"]}
    await alice.with_passkey((await alice.propose("authenticator.remove", removal)).action_id)
    service.clock.forward(hours=72)
    await service.client.end_sessions(alice.account_id)  # Whatever is decided settles what is due.

    history = [
        (event.at, event)
        for entry in await entries(service, alice)
        for event in entry.kept.events
        if isinstance(event, AuthenticatorBound | AuthenticatorRemoved)
    ]
    left = (await service.client.account(alice.account_id))["authenticators"]
    ever = {
        one.authenticator.authenticator_id
        for _, one in history
        if isinstance(one, AuthenticatorBound)
    }
    gone = [
        (one.authenticator_id, at) for at, one in history if isinstance(one, AuthenticatorRemoved)
    ]

    assert ever == {one["authenticator_id"] for one in left} | {password["authenticator_id"]}
    assert len(ever) == 3
    assert gone == [(password["authenticator_id"], service.clock.at)]
    assert [at for at, _ in history] == sorted(at for at, _ in history)
