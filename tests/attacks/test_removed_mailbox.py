"""A mailbox that its owner took off the account, and that somebody else reads.

Mallory has an old mailbox of Alice's, and in it the notice of her new number. Alice added that, and
removed the mailbox, each with its wait. Mallory wants the number gone, the mailbox back, and the
password reset by a code that is sent there. She is stopped by law 3: what was removed is no voice
against what came after it. She leaves behind a refusal.
"""

from msgspec.structs import replace
from support.cast import DAY, MALLORYS_LAPTOP, NOON
from support.gates import Gate
from support.worlds import EMAIL, PASSWORD, SMS, an_account, reset_password

from twinlock.domain.ids import ChannelId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

PHONE = replace(SMS, channel_id=ChannelId("chn_phone"), bound_at=NOON)


def test_a_mailbox_that_was_removed_does_not_take_the_account() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL,)))
    for old, new in ((None, PHONE), (EMAIL, None)):
        gate.change_contact(old, new, PASSWORD, EMAIL)
        gate.wait(3 * DAY)
        gate.settle()
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
