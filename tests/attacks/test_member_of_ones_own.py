"""A computer taken whole, and a member of the thief's own, by whose new key the account is wide.

Mallory has the computer: its passkey, and the only program that would tell the owner. The account
is narrow, so that a small sum a day is all that leaves. She makes a friend a member, which takes
the passkey and a week in which nobody hears of it; and the friend's key lies elsewhere, so that
what it asks for would be heard of. She is stopped by law 3: for 30 days a new member's key counts
as the root that alone proved it. She leaves behind a member who may take a small sum a day. A
roaming thief found it (``twinlock range attack``).
"""

from support.cast import HOUR, NOON
from support.companies import DAVE, DAVES, add_member, asks
from support.gates import Gate
from support.worlds import DESKTOP, DESKTOP_KEY, PASSWORD, ROAMING, an_account, send

from twinlock.domain.authenticators.model import Passkey, root
from twinlock.domain.bounds import MEMBER_WAIT, NEWCOMER_PERIOD
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons


def with_a_friend(*keys: Passkey) -> tuple[Gate, Passkey]:
    """Return the account after a member was added by all of ``keys``, and the member's key."""
    gate = Gate.of(an_account(PASSWORD, DESKTOP_KEY, ROAMING, channels=(DESKTOP,)))
    action = gate.propose(*add_member(DAVE.name)).action_id
    gate.prove(action, *keys)
    gate.wait(MEMBER_WAIT + HOUR)
    gate.settle()
    made = gate.account.authenticator(DAVES.authenticator_id)
    assert isinstance(made, Passkey)
    return gate, made


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
