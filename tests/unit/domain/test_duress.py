"""Authenticators for duress: how one is named, what its use says, and to whom."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, INSTANT, NOON, OLD_ADDRESS
from support.gates import Gate
from support.worlds import (
    APP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SAVED,
    SYNCED,
    a_channel,
    a_destination,
    a_passkey,
    an_account,
    an_app,
    bind,
    list_address,
    remove,
    send,
)

from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Authenticator, Passkey, Totp
from twinlock.domain.bounds import PICKED_EVERY, PICKED_HOLD
from twinlock.domain.canonical import b64url
from twinlock.domain.channels import ChannelKind
from twinlock.domain.duress import (
    SEAL_LETTERS,
    DuressNotOfferedError,
    check_offered,
    draws,
    is_offered,
    kept,
    may_name,
    names,
    rings,
    sealed,
)
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import AuthenticatorBound, HoldPlaced, ProofAccepted
from twinlock.domain.holds import PICKED, Hold
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons
from twinlock.domain.room import bytes_that_last

BLIND = b64url(b"b" * 16)
FOR_DURESS = sealed(BLIND, rings=False, names=True)
FOR_NOTHING = sealed(BLIND, rings=False, names=False)
HER_KEY = replace(a_passkey("aut_drawer"), seal=FOR_DURESS)
HER_APP = replace(an_app("aut_second"), seal=FOR_DURESS)
NO_BINDINGS = (send(), remove(SYNCED), list_address(OLD_ADDRESS))


def a_gate(*bound: Authenticator) -> Gate:
    listed = a_destination(OLD_ADDRESS, used_at=NOON)
    channels = (EMAIL, a_channel(ChannelKind.DESKTOP))
    gate = Gate.of(an_account(*(bound or (PASSWORD, SYNCED)), channels=channels), listed)
    gate.blind = BLIND
    return gate


def events_of(gate: Gate) -> list[object]:
    return [
        event
        for _, decided, _ in gate.book
        for decision in decided.decisions
        for event in decision.events
    ]


def accepted(gate: Gate) -> ProofAccepted:
    return [event for event in events_of(gate) if isinstance(event, ProofAccepted)][-1]


def picks(gate: Gate) -> list[Hold]:
    placed = [event.hold for event in events_of(gate) if isinstance(event, HoldPlaced)]
    return [hold for hold in placed if hold.because == PICKED]


# --- What is sealed ---


@pytest.mark.parametrize("rung", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_what_is_said_is_read_again_and_is_as_long_as_silence(*, rung: bool, named: bool) -> None:
    seal = sealed(BLIND, rings=rung, names=named)

    assert (rings(seal), names(seal)) == (rung, named)
    assert len(seal) == SEAL_LETTERS
    assert seal.startswith(BLIND)


def test_a_record_from_before_seals_says_nothing() -> None:
    assert (rings(""), names("")) == (False, False)


def test_nothing_is_said_without_a_blind() -> None:
    assert sealed("", rings=False, names=False) == ""
    for said in ({"rings": True, "names": False}, {"rings": False, "names": True}):
        with pytest.raises(InvariantError, match="blinded"):
            sealed("", **said)


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        ("", FOR_NOTHING, FOR_NOTHING),
        ("", FOR_DURESS, FOR_DURESS),
        (FOR_NOTHING, FOR_DURESS, FOR_DURESS),
        (FOR_DURESS, FOR_NOTHING, FOR_DURESS),
        (FOR_NOTHING, "", FOR_NOTHING),
        ("", "", ""),
    ],
)
def test_what_was_named_once_stays_named(before: str, after: str, left: str) -> None:
    assert kept(before, after) == left


# --- Naming ---


@pytest.mark.parametrize(
    ("bound", "may"), [(SYNCED, True), (APP, True), (PASSWORD, False), (SAVED, False)]
)
def test_a_passkey_or_an_app_may_be_for_duress_where_others_are_picked(
    bound: Authenticator, *, may: bool
) -> None:
    payload = bind(bound)[0]

    assert may_name(payload) is may
    assert is_offered(payload, one_in=20, desk=True) is may
    assert not is_offered(payload, one_in=0, desk=True)
    assert not is_offered(payload, one_in=20, desk=False)
    if may:
        check_offered(payload, one_in=20, desk=True)
    with pytest.raises(DuressNotOfferedError) as refused:
        check_offered(payload, one_in=0 if may else 20, desk=True)
    assert (refused.value.code, refused.value.status) == ("duress_not_offered", 409)


def test_nothing_but_a_binding_names() -> None:
    assert not any(may_name(payload) for payload in NO_BINDINGS)


@pytest.mark.parametrize("new", [a_passkey("aut_new", bound_at=NOON), an_app("aut_new")])
@pytest.mark.parametrize("forced", [False, True])
def test_who_binds_it_says_what_it_is_for(new: Authenticator, *, forced: bool) -> None:
    gate = a_gate()
    action = gate.propose(*bind(replace(new, seal=FOR_NOTHING))).action_id
    gate.ask(action, SYNCED)
    gate.answer(action, gate.right(action, SYNCED), forced=forced)
    gate.wait(DAY * 30)
    gate.settle()

    bound = gate.account.authenticator("aut_new")
    assert isinstance(bound, Passkey | Totp)
    assert names(bound.seal) is forced
    assert len(bound.seal) == SEAL_LETTERS
    assert [
        event.authenticator for event in events_of(gate) if isinstance(event, AuthenticatorBound)
    ] == [bound]
    assert (rings(accepted(gate).seal), names(accepted(gate).seal)) == (False, forced)


def test_a_password_has_no_seal() -> None:
    gate = a_gate(SYNCED, ROAMING)
    action = gate.propose(*bind(PASSWORD)).action_id
    gate.ask(action, SYNCED)
    gate.answer(action, gate.right(action, SYNCED), forced=True)

    assert not names(accepted(gate).seal)
    assert gate.action(action).seal == ""


def test_what_is_below_the_floor_names_nothing() -> None:
    """Prevents: a leaked password whose thief says what the owner's new key is for."""
    gate = a_gate(PASSWORD, SYNCED, ROAMING)
    action = gate.propose(*bind(a_passkey("aut_new"))).action_id
    gate.answer(action, gate.right(action, PASSWORD), forced=True)

    events = [event for event in events_of(gate) if isinstance(event, ProofAccepted)]
    assert not any(names(event.seal) for event in events)
    assert not names(gate.action(action).seal)


def test_an_imported_one_is_for_nothing_special() -> None:
    gate = a_gate(PASSWORD, SYNCED)
    gate.prove(gate.propose(send()).action_id, SYNCED)

    assert not rings(accepted(gate).seal)
    assert picks(gate) == []


# --- What its use does ---


@pytest.mark.parametrize(("used", "beside"), [(HER_KEY, SYNCED), (HER_APP, APP)])
def test_its_use_holds_what_leaves_and_the_end_that_is_shown_is_the_end(
    used: Authenticator, beside: Authenticator
) -> None:
    gate = a_gate(PASSWORD, beside, used)
    action = gate.propose(send()).action_id
    said = gate.prove(action, used)

    assert said.answer is Answer.HOLD
    assert Reason.EXITS_HELD in reasons(said.requirement)
    assert rings(accepted(gate).seal)
    (hold,) = picks(gate)
    assert hold.ends_at == gate.now + PICKED_HOLD
    assert gate.action(action).until == hold.ends_at

    gate.wait_until(hold.ends_at - INSTANT)
    gate.settle()
    assert gate.action(action).authorized_at is None
    gate.wait_until(hold.ends_at)
    gate.settle()
    assert gate.spend(action).answer is Answer.ALLOW


def test_its_likes_ring_for_nobody() -> None:
    gate = a_gate(PASSWORD, SYNCED, HER_KEY)
    assert gate.prove(gate.propose(send()).action_id, SYNCED).answer is Answer.ALLOW

    assert not rings(accepted(gate).seal)
    assert picks(gate) == []


def test_what_was_allowed_before_and_has_not_left_stays() -> None:
    gate = a_gate(PASSWORD, SYNCED, HER_KEY)
    first = gate.propose(send()).action_id
    assert gate.prove(first, SYNCED).answer is Answer.ALLOW
    gate.prove(gate.propose(send(60)).action_id, HER_KEY)

    assert gate.spend(first).answer is Answer.HOLD


def test_it_rings_each_time_and_holds_once_a_month() -> None:
    gate = a_gate(PASSWORD, SYNCED, HER_KEY)
    for after in (timedelta(0), DAY, PICKED_EVERY - DAY - timedelta(seconds=1)):
        gate.wait(after)
        gate.prove(gate.propose(send()).action_id, HER_KEY)
        assert rings(accepted(gate).seal)
    assert len(picks(gate)) == 1

    gate.wait(timedelta(seconds=1))
    gate.prove(gate.propose(send()).action_id, HER_KEY)
    assert len(picks(gate)) == 2


def test_chance_and_it_share_the_month() -> None:
    """Prevents: a second hold within the month, which chance never places and so gives it away."""
    gate = a_gate(PASSWORD, SYNCED, HER_KEY)
    gate.picks = SYNCED.authenticator_id
    gate.prove(gate.propose(send()).action_id, SYNCED)
    assert not rings(accepted(gate).seal)
    gate.wait(PICKED_HOLD)
    said = gate.prove(gate.propose(send(60)).action_id, HER_KEY)

    assert rings(accepted(gate).seal)
    assert said.answer is Answer.ALLOW
    assert len(picks(gate)) == 1


def test_a_fraction_of_a_second_is_rounded_to_the_longer_month() -> None:
    gate = a_gate(PASSWORD, SYNCED, HER_KEY)
    gate.wait(timedelta(milliseconds=1))
    gate.prove(gate.propose(send()).action_id, HER_KEY)
    gate.wait(PICKED_EVERY)
    gate.prove(gate.propose(send()).action_id, HER_KEY)
    assert len(picks(gate)) == 1


def test_nobody_is_picked_at_the_proof_of_a_password() -> None:
    gate = a_gate(PASSWORD)
    gate.picks = PASSWORD.authenticator_id
    gate.answer(action := gate.propose(*bind(SYNCED)).action_id, gate.right(action, PASSWORD))

    assert accepted(gate).shown.factor is Factor.PASSWORD
    assert picks(gate) == []


def test_another_hold_leaves_the_month_alone() -> None:
    gate = a_gate(PASSWORD, SYNCED, ROAMING)
    gate.prove(gate.propose(remove(ROAMING)).action_id, SYNCED)
    gate.wait(DAY * 30)
    gate.settle()

    assert gate.account.holds
    assert gate.account.picked_at == 0


def test_once_removed_it_is_nothing() -> None:
    gate = a_gate(PASSWORD, SYNCED, ROAMING)
    action = gate.propose(send()).action_id
    gate.ask(action, HER_KEY)
    said = gate.answer(action, gate.right(action, HER_KEY))

    assert said.fault is not None
    assert picks(gate) == []


@pytest.mark.parametrize(
    ("random", "one_in", "drawn"),
    [
        ((0).to_bytes(8, "big"), 20, True),
        ((20).to_bytes(8, "big"), 20, True),
        ((19).to_bytes(8, "big"), 20, False),
        ((21).to_bytes(8, "big"), 20, False),
        (b"\x01" + bytes(7), 3, (1 << 56) % 3 == 0),
        ((0).to_bytes(8, "big"), 0, False),
    ],
)
def test_chance_picks_one_in_so_many_or_nobody(random: bytes, one_in: int, *, drawn: bool) -> None:
    assert draws(random, one_in=one_in) is drawn


def test_a_binding_is_counted_with_the_seal_that_its_proof_brings() -> None:
    """Prevents: an account that has room for a binding, and none for the owner's proof of it."""
    gate = a_gate()
    action = gate.propose(*bind(a_passkey("aut_new", bound_at=NOON))).action_id
    before = gate.account
    open_one = gate.action(action)
    proved = replace(open_one, seal=FOR_DURESS)

    assert open_one.seal == ""
    assert bytes_that_last(replace(before, actions=(proved,))) == bytes_that_last(
        replace(before, actions=(open_one,))
    )


def test_when_an_account_was_picked_takes_no_room_that_others_need() -> None:
    account = a_gate().account

    assert bytes_that_last(replace(account, picked_at=1_768_478_400)) == bytes_that_last(account)
