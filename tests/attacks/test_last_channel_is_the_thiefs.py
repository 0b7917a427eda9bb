"""The thief's address is the only one left, and the owner says "this was not me".

Mallory relayed one consent, or two, and bound a passkey; with that she added her address where
there was no other, or where Alice's went by the second consent. She wants to stay: an account
always keeps an address, and hers is the last. She is stopped by law 3: whoever is older, and shows
what the account asks for, undoes what she bound with all that it proved, her address included.
"""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, MALLORYS_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    SYNCED,
    a_destination,
    a_passkey,
    a_session,
    an_account,
    bind,
    destination_id,
    list_address,
    make_key,
    remove,
    repudiate,
    send,
)

from twinlock.domain.account import Account
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.channels import Channel
from twinlock.domain.commands import Right
from twinlock.domain.ids import ChannelId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

SERVER = "203.0.113.7"


def mail(name: str) -> Channel:
    channel_id = ChannelId(f"chn_{name}")
    return replace(EMAIL, channel_id=channel_id, address=f"{name}@example.net", bound_at=NOON)


def later(gate: Gate, days: int) -> None:
    gate.wait(days * DAY)
    gate.settle()


def moved_in(account: Account, *, by: Authenticator = SYNCED) -> tuple[Gate, Authenticator]:
    """Let a relayed consent bind a thief's passkey, and that her address; give both."""
    gate = Gate.of(account, a_destination())
    thiefs = tie(gate, "aut_thief", by)
    gate.change_contact(None, mail("thief"), thiefs)
    later(gate, 2)
    return gate, thiefs


def tie(gate: Gate, named: str, by: Authenticator) -> Authenticator:
    """Bind a passkey of this name by one consent or code."""
    gate.prove(gate.propose(*bind(a_passkey(named))).action_id, by)
    later(gate, 2)
    found = gate.account.authenticator(named)
    assert found is not None
    return found


def not_me(gate: Gate, one: Authenticator, by: Authenticator = SYNCED) -> None:
    action = gate.propose(repudiate(one)).action_id
    assert gate.is_open(action)
    gate.prove(action, by)


def names(gate: Gate) -> list[str]:
    return [one.channel_id for one in gate.account.channels]


def test_what_she_bound_falls_with_her_address() -> None:
    gate, thiefs = moved_in(an_account(PASSWORD, SYNCED, channels=()))
    not_me(gate, thiefs)

    assert gate.account.authenticator("aut_thief") is None
    assert names(gate) == []


def test_so_does_the_owners_in_the_place_of_hers() -> None:
    gate, thiefs = moved_in(an_account(PASSWORD, SYNCED, channels=()))
    gate.change_contact(gate.account.channel("chn_thief"), mail("alice"), SYNCED)
    later(gate, 8)
    not_me(gate, thiefs)

    assert gate.account.authenticator("aut_thief") is None
    assert names(gate) == []


def test_the_owners_beside_hers_stays() -> None:
    gate, thiefs = moved_in(an_account(PASSWORD, SYNCED, channels=()))
    gate.change_contact(None, mail("alice"), SYNCED)
    later(gate, 8)
    not_me(gate, thiefs)

    assert names(gate) == ["chn_alice"]


def a_new_key_and_its_address(*older: Authenticator) -> tuple[Gate, Authenticator, Channel]:
    new = replace(a_passkey("aut_new", bound_at=NOON - 20 * DAY), entry=70)
    own = replace(DESKTOP, bound_at=NOON - 19 * DAY, entry=71, by=(70,))
    return Gate.of(an_account(*older, new, channels=(own,))), new, own


def test_a_leaked_password_takes_the_only_channel_with_nothing() -> None:
    """The other way round: the new key and its address are the owner's."""
    gate, new, own = a_new_key_and_its_address(PASSWORD)
    said = gate.propose(repudiate(new))

    assert Reason.LAST_CHANNEL in reasons(said.requirement)
    assert not gate.is_open(said.action_id)
    assert gate.account.authenticators == (PASSWORD, new)
    assert gate.account.channels == (own,)


def test_whoever_had_an_app_before_undoes_a_stronger_key_of_hers() -> None:
    gate, new, _ = a_new_key_and_its_address(PASSWORD, APP)
    action = gate.propose(repudiate(new)).action_id
    below = gate.prove(action, PASSWORD)
    gate.prove(action, APP)

    assert reasons(below.requirement) == (Reason.OLDER_NEEDED,)
    assert gate.account.authenticator("aut_new") is None
    assert names(gate) == []


def test_keys_of_hers_do_not_set_what_undoing_one_of_them_takes() -> None:
    """One relayed code binds a key, that two more, and both prove her address."""
    gate = Gate.of(an_account(PASSWORD, APP, channels=()))
    first = tie(gate, "aut_a", APP)
    second, third = tie(gate, "aut_b", first), tie(gate, "aut_c", first)
    gate.change_contact(None, mail("thief"), second, third)
    later(gate, 2)
    gate.prove(gate.propose(remove(first)).action_id, first)
    later(gate, 8)
    assert names(gate) == ["chn_thief"]
    for one in (second, third):
        not_me(gate, one, APP)

    assert [one.authenticator_id for one in gate.account.authenticators] == [
        PASSWORD.authenticator_id,
        APP.authenticator_id,
    ]


def test_nor_does_a_newer_key_of_the_owners() -> None:
    gate, thiefs = moved_in(an_account(PASSWORD, APP, SYNCED, channels=()))
    tie(gate, "aut_new", SYNCED)
    gate.prove(gate.propose(remove(SYNCED)).action_id, SYNCED)
    later(gate, 8)
    not_me(gate, thiefs, APP)

    assert gate.account.authenticator("aut_thief") is None
    assert gate.account.authenticator("aut_new") is not None


def test_a_leaked_password_beside_an_older_key_does_not_take_it_either() -> None:
    gate, new, own = a_new_key_and_its_address(PASSWORD, SYNCED)
    said = gate.prove(gate.propose(repudiate(new)).action_id, PASSWORD)

    assert reasons(said.requirement) == (Reason.OLDER_NEEDED,)
    assert gate.account.channels == (own,)


@pytest.mark.parametrize("age", [timedelta(days=3), timedelta(days=400)])
def test_the_owners_comes_back_where_the_second_consent_removed_it(age: timedelta) -> None:
    opened = NOON - age
    word, key = replace(PASSWORD, bound_at=opened), replace(SYNCED, bound_at=opened)
    own = replace(EMAIL, bound_at=opened)
    gate, thiefs = moved_in(an_account(word, key, channels=(own,), opened_at=opened), by=key)
    gate.change_contact(own, None, key)
    later(gate, 8)
    assert names(gate) == ["chn_thief"]
    not_me(gate, thiefs, key)

    assert gate.account.channels == (own,)


def test_the_owners_comes_back_where_hers_filled_its_place() -> None:
    gate, thiefs = moved_in(an_account(PASSWORD, SYNCED, channels=(EMAIL,)))
    for old, new in (("thief", "two"), ("two", "three")):
        gate.change_contact(gate.account.channel(f"chn_{old}"), mail(new), thiefs)
        later(gate, 3)
    gate.change_contact(EMAIL, None, SYNCED)
    later(gate, 8)
    assert names(gate) == ["chn_three"]
    not_me(gate, thiefs)

    assert gate.account.channels == (EMAIL,)


def test_a_signed_in_device_proves_too_little_for_that() -> None:
    gate, thiefs = moved_in(an_account(PASSWORD, SYNCED, channels=()))
    session = gate.give_session(a_session(started_at=gate.now))
    said = gate.repudiate("act_over", target=thiefs.authenticator_id, session=session)

    assert reasons(said.requirement) == (Reason.LAST_CHANNEL,)
    assert names(gate) == ["chn_thief"]


def test_no_money_leaves_after_the_owner_said_not_me() -> None:
    gate, first = moved_in(an_account(PASSWORD, SYNCED, channels=()))
    second = tie(gate, "aut_second", first)
    gate.prove(gate.propose(list_address(MALLORYS_ADDRESS)).action_id, second)
    later(gate, 8)
    hers = destination_id("ethereum", MALLORYS_ADDRESS, "")
    key = make_key(
        "withdraw", ip_list=(f"{SERVER}/32",), destinations=(hers,), daily_cents=10_000_00
    )
    gate.prove(gate.propose(key, "key_hers").action_id, second)
    later(gate, 8)
    assert gate.account.api_keys
    not_me(gate, first)
    action = gate.propose(send(90, to=MALLORYS_ADDRESS)).action_id
    right = Right(
        factor=Factor.API_KEY, source="key_hers", against="P" * 43, ip=SERVER, evidence=b"{}"
    )
    if gate.is_open(action):
        gate.answer(action, right)

    assert gate.account.api_keys == ()
    left = [one.authenticator_id for one in gate.account.authenticators]
    assert left == [PASSWORD.authenticator_id, SYNCED.authenticator_id]
    assert not gate.is_open(action) or gate.spend(action).answer is not Answer.ALLOW
