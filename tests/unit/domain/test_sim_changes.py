"""Which code by SMS counts as the first that proved something."""

from msgspec.structs import replace
from support.asked import an_action
from support.cast import HOUR, NOON
from support.worlds import EMAIL, SMS, an_account, send

from twinlock.domain.account import OpenAction, Shown
from twinlock.domain.assurance import PHONE, Factor
from twinlock.domain.sim_changes import sms_at

ACCOUNT = an_account(channels=(SMS, EMAIL))
FIRST = Shown(
    source=SMS.channel_id,
    factor=Factor.SMS_CODE,
    root=PHONE,
    bound_at=SMS.bound_at,
    bound_entry=SMS.entry,
    at=NOON + HOUR,
    entry=2,
)
SECOND = replace(FIRST, at=NOON + 2 * HOUR)
BY_MAIL = replace(FIRST, source=EMAIL.channel_id, factor=Factor.EMAIL_CODE, at=NOON)
OF_NOBODY = replace(FIRST, source="chn_gone", at=NOON)


def proved(*shown: Shown) -> OpenAction:
    return an_action(send(), shown=shown)


def test_it_is_the_first_one_that_still_stands() -> None:
    assert sms_at(ACCOUNT, proved(BY_MAIL, OF_NOBODY, SECOND, FIRST)) == FIRST.at


def test_without_one_there_is_none() -> None:
    assert sms_at(ACCOUNT, proved(BY_MAIL, OF_NOBODY)) is None
