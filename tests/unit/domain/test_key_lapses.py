"""A week before an API key lapses its owner is told, once of each end."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, NOON
from support.gates import Gate
from support.worlds import PASSWORD, SYNCED, an_account

from twinlock.domain.account import ApiKey
from twinlock.domain.api_keys import LONGEST, KeyLapses, ends_soon, lapses_at, told_of, used_on
from twinlock.domain.bounds import KEY_LAPSE_NOTICE
from twinlock.domain.commands import RecordTrading, WarnOfLapse
from twinlock.domain.events import ApiKeyLapses
from twinlock.domain.ids import ApiKeyId
from twinlock.domain.notices import NoticeKind, notices
from twinlock.domain.requirements import Answer

KEY = ApiKey(
    api_key_id=ApiKeyId("key_1"),
    public_key="K" * 43,
    scopes=("read",),
    ip_list=(),
    destinations=(),
    daily_cents=0,
    created_at=NOON - 20 * DAY,
)
OTHER = replace(KEY, api_key_id=ApiKeyId("key_2"), created_at=NOON - 25 * DAY)
END = lapses_at(KEY, lapses=LONGEST)
WARN = WarnOfLapse(lapses=LONGEST)
TICK = timedelta(seconds=1)


def soon(*keys: ApiKey, now: datetime, lapses: KeyLapses = LONGEST) -> list[str]:
    return [named for named, _ in ends_soon(keys, lapses=lapses, now=now)]


@pytest.mark.parametrize(
    ("now", "tells"),
    [
        (END - KEY_LAPSE_NOTICE - TICK, False),
        (END - KEY_LAPSE_NOTICE, True),
        (END - TICK, True),
        (END, False),
        (END + TICK, False),
    ],
)
def test_it_is_told_a_week_before_and_not_when_it_is_over(now: datetime, *, tells: bool) -> None:
    assert soon(KEY, now=now) == (["key_1"] if tells else [])


def test_the_policy_s_own_lifetime_counts() -> None:
    shorter = KeyLapses(unused=timedelta(days=21))

    assert soon(KEY, now=NOON) == []
    assert soon(KEY, now=NOON, lapses=shorter) == ["key_1"]


def test_of_several_the_first_to_end_comes_last() -> None:
    assert soon(KEY, OTHER, now=END - 5 * DAY) == ["key_1"]  # The other one is over.
    assert soon(OTHER, KEY, now=END - KEY_LAPSE_NOTICE + TICK) == ["key_1", "key_2"]


def test_of_one_end_it_is_told_once_and_of_the_next_again() -> None:
    keys = told_of((KEY, OTHER), KEY.api_key_id, until=END)
    assert [one.lapse_told for one in keys] == [int(END.timestamp()), 0]
    assert soon(keys[0], now=END - DAY) == []
    (used,) = used_on(keys[:1], KEY.api_key_id, at=END - DAY)
    later = lapses_at(used, lapses=LONGEST)

    assert soon(used, now=END) == []
    assert soon(used, now=later - DAY) == ["key_1"]


def test_the_gate_tells_its_owner_and_opens_nothing() -> None:
    account = replace(an_account(PASSWORD, SYNCED), api_keys=(KEY, OTHER))
    gate = Gate.of(account)
    gate.wait_until(END - KEY_LAPSE_NOTICE + TICK)
    first, again = gate.run(WARN), gate.run(WARN)
    (notice,) = notices(account, what=first.kind, action_id="", events=first.events)

    assert (first.kind, first.answer, first.action_id) == ("api_key.lapse", Answer.ALLOW, "")
    assert [(type(one), one.at) for one in first.events] == [(ApiKeyLapses, gate.now)] * 2
    assert again.events == ()
    assert (notice.kind, notice.until) == (
        NoticeKind.LAPSES,
        lapses_at(OTHER, lapses=LONGEST),
    )
    assert notice.channels == tuple(one.channel_id for one in account.channels)


def test_a_key_that_trades_in_time_stays_and_is_not_told_of() -> None:
    gate = Gate.of(replace(an_account(PASSWORD, SYNCED), api_keys=(KEY,)))
    gate.wait_until(END - DAY)
    gate.run(RecordTrading(api_key_ids=(KEY.api_key_id,)))

    assert gate.run(WARN).events == ()
