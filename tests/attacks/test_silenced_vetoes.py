"""Something worthless beside a thief's new key, so that nobody may say no.

Mallory bound a key five days ago, and has an old password of Alice's, a key that Alice reported, or
an API key of hers. She wants what she asks to seem older than the channel that could stop it. She
is stopped by law 3: whoever is older than the strongest proof that stands may object. She leaves
behind an action that was vetoed.
"""

from msgspec.structs import replace
from support.cast import DAY, LONG_AGO, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    SMS,
    SYNCED,
    a_destination,
    a_passkey,
    a_session,
    an_account,
    list_address,
    make_key,
    send,
    suspend,
)

from twinlock.domain.assurance import Factor
from twinlock.domain.commands import Right
from twinlock.domain.requirements import Answer

NEW_EMAIL = replace(EMAIL, bound_at=NOON - 20 * DAY)
OWNERS = a_passkey("aut_owners", bound_at=NOON - 20 * DAY)
THIEFS = a_passkey("aut_thiefs", bound_at=NOON - 5 * DAY)


def test_an_old_password_silences_neither_a_channel_nor_a_device() -> None:
    for by in (NEW_EMAIL, None):
        gate = Gate.of(an_account(PASSWORD, OWNERS, THIEFS, channels=(NEW_EMAIL,)))
        action = gate.propose(list_address(NEW_ADDRESS)).action_id
        gate.prove(action, PASSWORD, THIEFS)
        session = gate.give_session(replace(a_session(), bound_at=OWNERS.bound_at))
        said = gate.veto(action, by, session=None if by else session)

        assert said.answer is Answer.ALLOW


def test_a_key_that_was_reported_silences_nobody() -> None:
    old = a_passkey("aut_lost", bound_at=LONG_AGO)
    channels = (NEW_EMAIL, DESKTOP)
    gate = Gate.of(an_account(PASSWORD, old, OWNERS, THIEFS, channels=channels))
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(action, old, THIEFS)
    gate.prove(gate.propose(suspend(old)).action_id, OWNERS, PASSWORD)

    assert gate.veto(action, NEW_EMAIL).answer is Answer.ALLOW


def test_a_stolen_api_key_silences_nobody() -> None:
    known = a_destination()
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=(EMAIL, DESKTOP)), known)
    key = make_key(
        "withdraw",
        ip_list=("203.0.113.7/32",),
        destinations=(known.destination_id,),
        daily_cents=200_00,
        public_key="K" * 43,
    )
    gate.prove(gate.propose(key, "key_1").action_id, SYNCED)
    gate.wait(3 * DAY)
    gate.settle()
    gate.wait(20 * DAY)
    moved = replace(EMAIL, bound_at=gate.now - 10 * DAY)
    gate.account = replace(gate.account, channels=(moved,))
    action = gate.propose(send()).action_id
    right = Right(
        factor=Factor.API_KEY, source="key_1", against="K" * 43, ip="203.0.113.7", evidence=b"{}"
    )
    assert gate.answer(action, right).answer is Answer.ALLOW

    assert gate.veto(action, moved).answer is Answer.ALLOW


def test_what_a_session_asks_is_as_old_as_what_began_it() -> None:
    """The other way round: a thief's new channel objects to nothing that an older key began."""
    thiefs = replace(SMS, bound_at=NOON - 3 * DAY)
    known = a_destination(budget_cents=500_00)
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=(EMAIL, DESKTOP, thiefs)), known)
    said = gate.propose(send(), session=gate.give_session(a_session(started_at=gate.now)))

    assert said.answer is Answer.ALLOW
    assert gate.veto(said.action_id, thiefs).answer is Answer.DENY
