"""A trusted contact as a weapon: talked into it, bought, taken hostage, or a thief's own friend.

Alice set that Bob agrees to what leaves above US$1,000 a day. Mallory has Alice on the telephone,
who does all that she is told (S12: a customer lost US$243 million so). Or Mallory has Bob: he wants
a share, or is made to say nothing. Mallory wants Alice's money, or a price for her own.

She is stopped by: Bob's agreement, which no word and no proof of Alice's replaces; the week that
every way around Bob takes, announced and open to a veto; and its end, which Bob cannot put off. So
a contact costs an owner a week at most, and a thief the same week in the open.
"""

import pytest
from support.cast import DAY, NOON, OLD_ADDRESS
from support.contacts import agreeing, higher, lower
from support.gates import Gate
from support.worlds import (
    APP,
    EMAIL,
    FREEZE,
    ROAMING,
    SYNCED,
    a_contact,
    a_passkey,
    a_session,
    add_contact,
    bind,
    list_address,
    remove_contact,
    repudiate,
    send,
)

from twinlock.domain.actions import AnyPayload
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.bounds import CONTACT_WAIT
from twinlock.domain.commands import Veto
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons
from twinlock.domain.vetoes import entitled

BOB = a_contact()
MALLORYS = "0x" + "6" * 40
ALL_SHE_HAS = (SYNCED, ROAMING)
RAISED = higher(None)


@pytest.fixture
def gate() -> Gate:
    return agreeing(BOB, above=1_000_00)


def did(gate: Gate, payload: AnyPayload, secret: str = "") -> str:
    """Have Alice do it with all that she has, as she is told to."""
    action = gate.propose(payload, secret).action_id
    for source in ALL_SHE_HAS:
        if gate.is_open(action):
            gate.prove(action, source)
    return action


def left_to(gate: Gate, address: str, amount: int = 50_000) -> bool:
    action = did(gate, send(amount, to=address))
    return gate.is_open(action) and gate.spend(action).answer is Answer.ALLOW


def test_nothing_that_alice_does_in_one_call_empties_her_account(gate: Gate) -> None:
    """All of it in one evening, in any order, and tried every day for almost a week."""
    thiefs = a_passkey("aut_mallory", bound_at=NOON)
    friend, secret = add_contact("Mallory", first=False)
    tried = (
        remove_contact(),
        RAISED,
        list_address(MALLORYS),
        bind(thiefs)[0],
        friend,
    )
    secrets = {bind(thiefs)[0]: bind(thiefs)[1], friend: secret}
    for payload in tried:
        did(gate, payload, secrets.get(payload, ""))
    for _ in range(7):
        for address in (MALLORYS, OLD_ADDRESS):
            try:
                assert not left_to(gate, address)
            except DocumentTooLargeError:
                gate.settle()  # So much waits that nothing more is asked for.
        gate.wait(DAY * 23 / 24)
    assert [one.name for one in gate.account.contacts] == ["Bob"]


def test_one_word_from_any_channel_ends_it(gate: Gate) -> None:
    """Bob calls her, the spell is broken, and a tap on a letter undoes the evening."""
    removal, raised = did(gate, remove_contact()), did(gate, RAISED)
    gate.wait(3 * DAY)
    for action in (removal, raised):
        gate.veto(action, EMAIL)
    gate.wait(30 * DAY)
    gate.settle()

    assert not left_to(gate, OLD_ADDRESS)
    assert [one.name for one in gate.account.contacts] == ["Bob"]


def test_bob_who_wants_a_share_holds_the_account_for_a_week(gate: Gate) -> None:
    """The hostage story: he never agrees, and says no to whatever he can."""
    wanted = did(gate, send(50_000))
    assert reasons(gate.prove(wanted, APP).requirement) == (Reason.AGREEMENT_NEEDED,)
    removal = did(gate, remove_contact())
    ends = gate.action(removal).until
    assert ends == NOON + CONTACT_WAIT

    by_bob = Veto(action_id=gate.action(removal).action_id, channel_id=None)
    assert entitled(gate.account, gate.action(removal), by_bob, now=gate.now) is None
    frozen = gate.propose(FREEZE).action_id
    assert gate.prove(frozen, BOB).fault is ProofFault.AUTHENTICATOR_GONE
    assert gate.agree(removal, BOB).fault is ProofFault.AGREEMENT_NOT_NEEDED
    assert gate.action(removal).until == ends

    gate.wait(CONTACT_WAIT)
    assert left_to(gate, OLD_ADDRESS)


def test_bob_can_be_gone_for_ever_and_what_he_never_saw_still_leaves(gate: Gate) -> None:
    """A contact who died: the owner is bound by a week, and by no court."""
    did(gate, RAISED)
    gate.wait(CONTACT_WAIT)

    assert left_to(gate, OLD_ADDRESS)


def test_below_her_sum_bob_is_nobody(gate: Gate) -> None:
    assert left_to(gate, OLD_ADDRESS, 1_000 - 1)


@pytest.mark.parametrize("friends", [False, True], ids=["nobody", "a friend of the thief's"])
def test_a_stolen_session_makes_no_hostage(*, friends: bool) -> None:
    """It lowers the sum to nothing, at once; and makes nobody a contact."""
    gate = agreeing(above=None)
    signed = gate.give_session(a_session(started_at=NOON))
    gate.propose(lower(0), session=signed)
    if friends:
        gate.propose(*add_contact("Mallory"), session=signed)

    assert left_to(gate, OLD_ADDRESS)


def test_a_thiefs_friend_agrees_to_nothing_once_she_is_found_out(gate: Gate) -> None:
    """Mallory's key was bound by a relayed consent, and added a friend in a week's quiet."""
    thiefs: Passkey = a_passkey("aut_mallory")
    gate.prove(gate.propose(*bind(thiefs)).action_id, *ALL_SHE_HAS)
    gate.wait(DAY)
    gate.settle()
    gate.prove(gate.propose(*add_contact("Mallory", first=False)).action_id, thiefs)
    gate.wait(CONTACT_WAIT)
    gate.settle()
    friend = gate.account.contacts[-1]
    assert friend.name == "Mallory"
    gate.prove(gate.propose(repudiate(thiefs)).action_id, SYNCED)
    assert [one.name for one in gate.account.contacts] == ["Bob"]
    gate.wait(4 * DAY)

    wanted = did(gate, send(50_000))
    assert gate.agree(wanted, friend).fault is ProofFault.AUTHENTICATOR_GONE
    assert gate.agree(wanted, gate.account.contacts[0]).answer is Answer.ALLOW


def test_a_thiefs_friend_holds_nothing_once_she_is_found_out() -> None:
    """The extortionist's first contact: without him nothing would leave for a week."""
    gate = agreeing(above=None)
    thiefs: Passkey = a_passkey("aut_mallory")
    gate.prove(gate.propose(*bind(thiefs)).action_id, *ALL_SHE_HAS)
    gate.wait(DAY)
    gate.settle()
    gate.prove(gate.propose(*add_contact("Mallory")).action_id, thiefs)
    gate.prove(gate.propose(lower(0)).action_id, thiefs)
    assert not left_to(gate, OLD_ADDRESS)

    gate.prove(gate.propose(repudiate(thiefs)).action_id, SYNCED)
    assert gate.account.contacts == ()
    assert not left_to(gate, OLD_ADDRESS)
    gate.wait(3 * DAY)
    assert left_to(gate, OLD_ADDRESS)
