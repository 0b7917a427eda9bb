"""A computer taken whole, and a member of the thief's own, by whose new key the account is wide.

Mallory has the computer: its passkey, and the only program that would tell the owner. The account
is narrow, so that a small sum a day is all that leaves. She makes a friend a member, which takes
the passkey and a week in which nobody hears of it; and the friend's key lies elsewhere, so that
what it asks for would be heard of. She is stopped by law 3: for 30 days a new member's key counts
as the root that alone proved it. Nor does it help to have that friend and herself agree to a second
one. She leaves behind members who may take a small sum a day. A roaming thief found it
(``twinlock range attack``).
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, NEW_ADDRESS, NOON
from support.companies import (
    BOB,
    BOBS,
    CAROL,
    CAROLS,
    DAVE,
    DAVES,
    a_company,
    add_member,
    agrees,
    asks,
    tighten,
)
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    DESKTOP_KEY,
    EMAIL,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_passkey,
    an_account,
    repudiate,
    send,
)

from twinlock.domain.assurance import PHONE
from twinlock.domain.authenticators.model import Passkey, root
from twinlock.domain.bounds import MEMBER_WAIT, NEWCOMER_PERIOD
from twinlock.domain.channels import Channel
from twinlock.domain.quorums import Quorum
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons


def with_a_friend(*keys: Passkey) -> tuple[Gate, Passkey]:
    """Return the account after a member was added by all of ``keys``, and the member's key."""
    gate = Gate.of(an_account(PASSWORD, DESKTOP_KEY, ROAMING, channels=(DESKTOP,)))
    action = gate.propose(*add_member(DAVE.name)).action_id
    gate.prove(action, *keys)
    return gate, joined(gate, DAVES)


def joined(gate: Gate, key: Passkey) -> Passkey:
    """Return the key of somebody who joins, when the wait is over."""
    gate.wait(MEMBER_WAIT + HOUR)
    gate.settle()
    made = gate.account.authenticator(key.authenticator_id)
    assert isinstance(made, Passkey)
    return made


def test_a_members_key_makes_no_account_wide() -> None:
    gate, friends = with_a_friend(DESKTOP_KEY)

    action = asks(gate, send(5_000), friends)

    said = gate.book[-1][1].answer
    assert said.facts is not None
    assert said.facts.narrow
    assert said.answer is Answer.DENY
    assert Reason.NARROW_LIMIT in reasons(said.requirement)
    assert not gate.is_open(action)


def test_it_counts_as_what_proved_it_for_30_days() -> None:
    _, friends = with_a_friend(DESKTOP_KEY)
    last = friends.bound_at + NEWCOMER_PERIOD

    assert root(friends, now=last - HOUR) == root(DESKTOP_KEY, now=NOON)
    assert root(friends, now=last) == root(DAVES, now=NOON)


def test_what_two_roots_added_is_a_root_of_its_own_at_once() -> None:
    _, friends = with_a_friend(DESKTOP_KEY, ROAMING)

    assert root(friends, now=friends.bound_at) == root(DAVES, now=NOON)


def a_second_friend(gate: Gate, key: Passkey, *, friend_asks: bool) -> Passkey:
    """Have one friend join by ``key`` alone, and another by both; return the other one's key."""
    gate.prove(gate.propose(*add_member(DAVE.name)).action_id, key)
    friends = joined(gate, DAVES)
    agrees(gate, asks(gate, tighten(0), key), friends)
    first, other = (friends, key) if friend_asks else (key, friends)
    payload, secret = add_member(CAROL.name)
    agrees(gate, asks(gate, payload, first, secret), other)
    return joined(gate, CAROLS)


@pytest.mark.parametrize(
    ("key", "channels"), [(DESKTOP_KEY, (EMAIL, DESKTOP)), (SYNCED, (EMAIL, SMS))]
)
@pytest.mark.parametrize("friend_asks", [False, True])
def test_a_second_friend_whom_the_first_agrees_to_makes_it_no_wider(
    key: Passkey, channels: tuple[Channel, ...], friend_asks: bool
) -> None:
    """Prevents: all that an account has, on day 15 of a phone or computer taken whole."""
    gate = Gate.of(an_account(PASSWORD, key, channels=channels))
    second = a_second_friend(gate, key, friend_asks=friend_asks)

    assert root(second, now=gate.now) == root(key, now=NOON)
    asks(gate, send(5_000, to=NEW_ADDRESS), second)
    said = gate.book[-1][1].answer
    assert (said.answer, Reason.NARROW_LIMIT in reasons(said.requirement)) == (Answer.DENY, True)


@pytest.mark.parametrize("friend_asks", [False, True])
def test_a_second_friend_falls_with_the_key_that_made_the_first(friend_asks: bool) -> None:
    """Prevents: whoever stays in when the thief's own key is undone."""
    hers = replace(a_passkey("aut_hers", bound_at=NOON - DAY), entry=77, born_of=PHONE)
    gate = Gate.of(an_account(PASSWORD, SYNCED, hers, channels=(EMAIL, SMS)))
    a_second_friend(gate, hers, friend_asks=friend_asks)

    gate.prove(gate.propose(repudiate(hers)).action_id, SYNCED)
    left = [one.authenticator_id for one in gate.account.authenticators]
    assert left == [PASSWORD.authenticator_id, SYNCED.authenticator_id]


def test_whom_two_members_admit_has_a_key_of_their_own() -> None:
    """A company whose members came long ago: each has a phone, and each phone is another."""
    gate = a_company(BOB, quorum=Quorum(two_cents=0))
    payload, secret = add_member(DAVE.name)
    agrees(gate, asks(gate, payload, SYNCED, secret), BOBS)
    made = joined(gate, DAVES)

    assert (made.born_of, made.by) == ("", ())
