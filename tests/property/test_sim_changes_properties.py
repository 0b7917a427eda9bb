"""Codes by SMS and what they proved, for any proofs, times and reports."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import NOON
from support.worlds import SMS, an_account

from twinlock.domain.assurance import Factor, Level, level_shown
from twinlock.domain.sim_changes import sms_fell

times = st.integers(0, 40 * 24).map(lambda hours: NOON + timedelta(hours=hours))
proofs = st.frozensets(st.sampled_from(sorted(Factor)), max_size=4)


@given(proofs, times, times, times)
def test_what_falls_stays_fallen_and_what_needs_no_code_stands(
    proved_by: frozenset[Factor], shown_at: datetime, changed_at: datetime, again_at: datetime
) -> None:
    account = replace(an_account(channels=(SMS,)), sim_changed_at=changed_at)
    later = replace(account, sim_changed_at=max(changed_at, again_at))
    fell = sms_fell(account, proved_by, shown_at)

    assert not fell or sms_fell(later, proved_by, shown_at)
    assert not sms_fell(account, proved_by, None)
    without = proved_by - {Factor.SMS_CODE}
    if Factor.SMS_CODE not in proved_by or Factor.PASSKEY in proved_by:
        assert not fell
    for floor in Level:
        worth = level_shown(proved_by, floor=floor), level_shown(without, floor=floor)
        assert fell or account.sms_counts(shown_at) or worth[0] == worth[1]
