"""A mailbox that its owner took off the account, and that somebody else reads.

Mallory has an old mailbox of Alice's, and in it the notice of her new number. Alice added that, and
removed the mailbox, each with its wait. Mallory wants the number gone, the mailbox back, and the
password reset by a code that is sent there. She is stopped by law 3: what was removed is no voice
against what came after it, and is none again when Alice takes off what came first. She leaves
behind a refusal.
"""

from msgspec.structs import replace
from support.cast import DAY, MALLORYS_LAPTOP, NOON
from support.gates import Gate, Source
from support.worlds import EMAIL, PASSWORD, SMS, SYNCED, an_account, repudiate, reset_password

from twinlock.domain.channels import Channel
from twinlock.domain.ids import ChannelId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

NEW_MAIL = replace(
    EMAIL, channel_id=ChannelId("chn_mail"), address="alice@new.example", bound_at=NOON
)
PHONE = replace(SMS, channel_id=ChannelId("chn_phone"), bound_at=NOON)


def changed(gate: Gate, old: Channel | None, new: Channel | None, *proofs: Source) -> None:
    gate.change_contact(old, new, *proofs)
    gate.wait(3 * DAY)
    gate.settle()


def test_a_mailbox_that_was_removed_does_not_take_the_account() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL,)))
    for old, new in ((None, PHONE), (EMAIL, None)):
        changed(gate, old, new, PASSWORD, EMAIL)
    phone = gate.account.channel("chn_phone")
    assert gate.account.channels == (phone,)
    said = gate.repudiate("act_over", target="chn_phone", channel=EMAIL)
    action = gate.propose(*reset_password()).action_id
    gate.prove(action, EMAIL)
    gate.wait(2 * DAY)
    gate.settle()

    assert reasons(said.requirement) == (Reason.NOT_ENTITLED,)
    assert gate.account.channels == (phone,)
    assert [one.bound_at for one in gate.account.authenticators] == [PASSWORD.bound_at]
    assert gate.sign_in(PASSWORD, EMAIL, device=MALLORYS_LAPTOP).answer is not Answer.ALLOW


def test_nor_when_the_owner_moves_on_once_more() -> None:
    """The number was for a while only; then a new mailbox is there, and the number goes."""
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL,)))
    changed(gate, None, PHONE, PASSWORD, EMAIL)
    changed(gate, EMAIL, None, PASSWORD, EMAIL)
    changed(gate, None, NEW_MAIL, PASSWORD, PHONE)
    changed(gate, PHONE, None, PASSWORD, PHONE)
    new = gate.account.channel("chn_mail")
    assert gate.account.channels == (new,)
    action = gate.propose(*reset_password()).action_id
    gate.prove(action, EMAIL)
    gate.wait(2 * DAY)
    gate.settle()

    assert [one.bound_at for one in gate.account.authenticators] == [PASSWORD.bound_at]
    assert gate.sign_in(PASSWORD, EMAIL, device=MALLORYS_LAPTOP).answer is not Answer.ALLOW


def test_it_is_back_all_the_same_when_the_thief_moved_on_once_more() -> None:
    """The other way round: two consents, or three, were relayed, and the mailbox is the owner's."""
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=(EMAIL,)))
    for old, new in ((None, PHONE), (EMAIL, None), (None, NEW_MAIL), (PHONE, None)):
        changed(gate, old and gate.account.channel(old.channel_id), new, SYNCED)
    hers = gate.account.channel("chn_mail")
    assert hers is not None
    assert gate.account.channels == (hers,)
    gate.prove(gate.propose(repudiate(hers)).action_id, SYNCED)

    assert gate.account.channels == (EMAIL,)
