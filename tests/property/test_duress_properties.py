"""One life twice: once with an authenticator for duress, once picked by chance at the same proofs.

Whatever the owner and a robber do, all that is decided, kept and told is the same, byte for byte,
but one letter under each seal; and that letter is told to nobody but the desk.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise
from typing import TypeAlias

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import DAY, NOON, OLD_ADDRESS
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    a_passkey,
    an_account,
    an_app,
    bind,
    list_address,
    remove,
    send,
    sign_in,
)

from twinlock.api.views import view_account
from twinlock.domain.actions import AnyPayload, AuthenticatorBind
from twinlock.domain.authenticators.model import Authenticator, Passkey, Totp
from twinlock.domain.bounds import PICKED_EVERY, PICKED_HOLD
from twinlock.domain.canonical import b64url
from twinlock.domain.duress import sealed
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.events import HoldPlaced, ProofAccepted
from twinlock.domain.exits import Exit
from twinlock.domain.export import disclose
from twinlock.domain.holds import PICKED, Hold

BLIND = b64url(b"b" * 16)
SEAL = re.compile(rf'("seal":"{BLIND})[0-3]"')
DRAWERS = a_passkey("aut_drawer")
SECOND = an_app("aut_second")
SOURCES: tuple[Authenticator, ...] = (SYNCED, DRAWERS, APP, SECOND, PASSWORD)
NEW = replace(a_passkey("aut_new"), seal=sealed(BLIND, rings=False, names=False))
ASKED: tuple[tuple[AnyPayload, str], ...] = (
    (send(), ""),
    (send(5_000), ""),
    (list_address("0x" + "5" * 40), ""),
    (remove(DRAWERS), ""),
    (remove(ROAMING), ""),
    (FREEZE, ""),
    (sign_in("robbers-phone"), ""),
    bind(NEW),
)
Move: TypeAlias = tuple[tuple[AnyPayload, str], Authenticator, bool, int]
moves = st.lists(
    st.tuples(st.sampled_from(ASKED), st.sampled_from(SOURCES), st.booleans(), st.integers(0, 12)),
    min_size=1,
    max_size=5,
)
special = st.sampled_from((DRAWERS, SECOND))


def with_seal(one: Authenticator, *, named: bool) -> Authenticator:
    seal = sealed(BLIND, rings=False, names=named)
    return replace(one, seal=seal) if isinstance(one, Passkey | Totp) else one


def renamed(asked: tuple[AnyPayload, str], number: int) -> tuple[AnyPayload, str]:
    """Return ``asked``; what it binds, under a name that nothing has yet."""
    if not isinstance(asked[0], AuthenticatorBind):
        return asked
    name = f"aut_new_{number}"
    return bind(replace(NEW, authenticator_id=name, credential_id=name))


def a_life(
    plan: Iterable[Move],
    *,
    named: Authenticator | None = None,
    picks: Authenticator | None = None,
) -> Gate:
    """Live ``plan`` with ``named`` for duress, or picked by chance at the proofs of ``picks``."""
    bound = [with_seal(one, named=one == named) for one in (*SOURCES, ROAMING)]
    account = an_account(*bound, channels=(EMAIL, DESKTOP))
    gate = Gate.of(account, a_destination(OLD_ADDRESS, used_at=NOON))
    gate.blind = BLIND
    gate.picks = "" if picks is None else picks.authenticator_id
    for number, (asked, source, spends, days) in enumerate(plan):
        payload, secret = renamed(asked, number)
        with suppress(DocumentTooLargeError):
            action = gate.propose(payload, secret).action_id
            if gate.is_open(action):
                gate.prove(action, source)
            if spends and isinstance(payload, Exit) and gate.is_open(action):
                gate.spend(action)
        gate.wait(days * DAY)
        gate.settle()
    return gate


def written(gate: Gate) -> bytes:
    """Return all that was decided, and what is kept after each of it."""
    return msgspec.json.encode([decided for _, decided, _ in gate.book])


def shown(gate: Gate) -> list[bytes]:
    """Return what is told after each decision: over the API, and of everything in an export."""
    told: list[bytes] = []
    for _, decided, at in gate.book:
        account = decided.state.account
        told.append(msgspec.json.encode(view_account(account, now=at)))
        told.append(msgspec.json.encode(disclose(account)))
        told += [
            msgspec.json.encode(disclose(event))
            for decision in decided.decisions
            for event in decision.events
        ]
    return told


def picked(gate: Gate) -> list[Hold]:
    return [
        event.hold
        for _, decided, _ in gate.book
        for decision in decided.decisions
        for event in decision.events
        if isinstance(event, HoldPlaced) and event.hold.because == PICKED
    ]


@given(moves, special)
def test_all_that_is_decided_and_kept_is_the_same_but_a_letter_under_each_seal(
    plan: list[Move], one: Authenticator
) -> None:
    forced, chance = written(a_life(plan, named=one)), written(a_life(plan, picks=one))

    assert len(forced) == len(chance)
    assert SEAL.sub(r"\1-", forced.decode()) == SEAL.sub(r"\1-", chance.decode())


@given(moves, special)
def test_all_that_is_shown_is_the_same(plan: list[Move], one: Authenticator) -> None:
    told = shown(a_life(plan, named=one))

    assert told == shown(a_life(plan, picks=one))
    assert not any(BLIND.encode() in each for each in told)


@given(moves, special)
def test_it_proves_what_its_like_proves(plan: list[Move], one: Authenticator) -> None:
    """Up to the first hold, which is the only thing that differs from nobody being picked."""
    forced, plain = a_life(plan, named=one), a_life(plan)
    for (_, by_force, _), (_, freely, _) in zip(forced.book, plain.book, strict=True):
        theirs, ours = _proofs(by_force.answer.events), _proofs(freely.answer.events)
        assert theirs == ours
        if theirs and any(isinstance(event, HoldPlaced) for event in by_force.answer.events):
            return


def _proofs(events: Iterable[object]) -> list[ProofAccepted]:
    return [replace(event, seal="") for event in events if isinstance(event, ProofAccepted)]


@given(moves, special, st.booleans())
def test_nobody_is_held_for_longer_than_three_days_a_month(
    plan: list[Move],
    one: Authenticator,
    also: bool,
) -> None:
    """However often it is used, and whether or not chance picks beside it."""
    gate = a_life(plan, named=one, picks=SYNCED if also else None)
    holds = picked(gate)

    assert all(hold.ends_at - hold.placed_at == PICKED_HOLD for hold in holds)
    for first, then in pairwise(holds):
        assert then.placed_at - first.placed_at >= PICKED_EVERY
    placed = [hold for hold in gate.account.holds if hold.because == PICKED]
    assert all(hold in holds for hold in placed)
