"""A leaked password that says "this was not me" of the only channel there is.

Mallory has an old password, and its owner moved to another mailbox three weeks ago. She wants the
new one repudiated, since the password is older: then nobody is told, no code is asked for, and she
binds a key of her own. She is stopped by law 5: somebody can always be told; what the mailbox took
the place of comes back. She leaves behind a refusal, and word of it where its owner reads.
"""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, MALLORYS_LAPTOP, NOON
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    SYNCED,
    a_passkey,
    an_account,
    bind,
    repudiate,
)

from twinlock.domain.assurance import Level
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.channels import Channel
from twinlock.domain.ids import ChannelId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

MOVED = replace(EMAIL, bound_at=NOON - 20 * DAY, entry=77)
NEW = replace(EMAIL, channel_id=ChannelId("chn_new"), address="new@example.com")


def not_me(gate: Gate, one: Source, by: Source) -> None:
    """Have ``one`` repudiated by ``by``, where the gate hears it at all."""
    action = gate.propose(repudiate(one)).action_id
    if gate.is_open(action):
        gate.prove(action, by)


def changed(gate: Gate, old: Channel | None, new: Channel | None) -> None:
    gate.change_contact(old, new, PASSWORD, EMAIL)
    gate.wait(3 * DAY)
    gate.settle()
    gate.wait(2 * HOUR)


@pytest.mark.parametrize(
    ("bound", "by"),
    [((PASSWORD,), PASSWORD), ((PASSWORD, APP), PASSWORD), ((PASSWORD, APP), APP)],
)
def test_the_last_channel_is_not_repudiated(bound: tuple[Authenticator, ...], by: Source) -> None:
    gate = Gate.of(an_account(*bound, channels=(MOVED,)))
    said = gate.propose(repudiate(MOVED))
    not_me(gate, MOVED, by)

    assert Reason.LAST_CHANNEL in reasons(said.requirement)
    assert gate.account.channels == (MOVED,)
    assert gate.account.floor >= Level.OUT_OF_BAND


def test_nor_by_a_signed_in_device() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=(MOVED,)))
    said = gate.repudiate("act_whatever", target=MOVED.channel_id, session=gate.give_session())

    assert reasons(said.requirement) == (Reason.LAST_CHANNEL,)
    assert gate.account.channels == (MOVED,)


def test_nor_with_a_new_phone_in_the_same_month() -> None:
    phone = a_passkey("aut_new_phone", bound_at=NOON - 20 * DAY)
    gate = Gate.of(an_account(PASSWORD, phone, channels=(MOVED,)))
    for each in (MOVED, phone):
        not_me(gate, each, PASSWORD)

    assert gate.sign_in(PASSWORD, device=MALLORYS_LAPTOP).answer is not Answer.ALLOW


def test_a_mailbox_that_was_removed_for_another_comes_back_with_it() -> None:
    """The owner adds the new one and removes the old one, each with its wait and its notices."""
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL,)))
    changed(gate, None, NEW)
    changed(gate, EMAIL, None)
    (only,) = gate.account.channels
    assert (only.address, only.replaced) == (NEW.address, replace(EMAIL, removed=True))
    not_me(gate, only, PASSWORD)

    assert gate.account.channels == (EMAIL,)
    assert gate.sign_in(PASSWORD, device=MALLORYS_LAPTOP).answer is not Answer.ALLOW


@pytest.mark.parametrize("age", [10 * DAY, 400 * DAY])
def test_nor_with_an_account_of_any_age(age: timedelta) -> None:
    """What an account was opened with is remembered, though it is young itself."""
    opened = NOON - age
    word = replace(PASSWORD, bound_at=opened)
    old, desk = replace(EMAIL, bound_at=opened), replace(DESKTOP, bound_at=opened)
    gate = Gate.of(an_account(word, channels=(old, desk), opened_at=opened))
    changed(gate, None, NEW)
    changed(gate, old, None)
    new = gate.account.channel("chn_new")
    assert new is not None
    not_me(gate, new, word)
    gate.prove(gate.propose(*bind(a_passkey("aut_mallory"))).action_id, word)
    gate.wait(2 * DAY)
    gate.settle()

    assert gate.account.floor is Level.OUT_OF_BAND
    assert gate.account.authenticator("aut_mallory") is None
    assert gate.sign_in(word, device=MALLORYS_LAPTOP).answer is not Answer.ALLOW
