"""The score of one sign-in: each thing that is noticed, and both sides of its limit."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, NOON

from twinlock.domain.errors import InvariantError
from twinlock.domain.risk.scoring import (
    HIGH,
    RAISED,
    Noticed,
    kilometres,
    risk_of,
    too_fast,
    unread,
)
from twinlock.domain.risk.visits import (
    HOURS,
    TIMES_MOST,
    History,
    Visit,
    VisitFault,
    hour_of,
    hours_of,
    joined,
    levels_of,
    path_of,
    remember,
    rtts_of,
)

SEEN = (0.2, 0.1, 0.1, 0.1)  # How likely each step of what somebody showed before is.
HOME = Visit(
    ip="_de_3320_net_adr",
    ua="_pc__lin_ff_str0"[:16],
    place=(520, 134),
    rtt=5,
    version=120,
)
ABROAD = replace(HOME, ip="_us_7018new_adw_", place=(400, -740))
OTHER = replace(ABROAD, ua="_mo__and_ch_str1", version=90, rtt=9)
BERLIN, NEW_YORK = (525, 134), (407, -740)


def noticed(visit: Visit) -> Noticed:
    return Noticed(visit=visit, ip=SEEN, ua=SEEN)


def ten_days(visit: Visit = HOME) -> History:
    history = History()
    for day in range(10, 0, -1):
        history = remember(history, visit, at=NOON - day * DAY)
    return history


def risk(visit: Visit, history: History | None = None, **changes: int) -> int:
    told = {"new_device": False, "failures": 0} | changes
    found = ten_days() if history is None else history
    return risk_of(
        noticed(visit),
        found,
        new_device=bool(told["new_device"]),
        failures=told["failures"],
        now=NOON,
    )


def test_what_an_account_always_shows_scores_nothing() -> None:
    assert risk(HOME) == 0
    assert risk(HOME, new_device=True) == 0


def test_another_device_from_abroad_is_high() -> None:
    assert risk(OTHER, new_device=True) >= HIGH


def test_a_journey_with_the_known_device_is_less_than_raised() -> None:
    assert 0 <= risk(replace(ABROAD, place=None)) < RAISED


def test_without_a_history_only_what_is_noticed_beside_it_counts() -> None:
    assert risk(OTHER, History(), new_device=True) == 0
    assert risk(OTHER, History(), failures=2) == 10


def test_wrong_answers_count_as_far_as_they_are_free() -> None:
    scores = [risk(HOME, History(), failures=n) for n in range(8)]

    assert scores == [0, 5, 10, 15, 20, 25, 25, 25]


def test_a_data_centre_adds() -> None:
    found = replace(noticed(HOME), hosting=True)

    assert risk_of(found, History(), new_device=False, failures=0, now=NOON) == 15


@pytest.mark.parametrize(
    ("accounts", "adds"), [(0, 0), (1, 0), (31, 0), (32, 5), (64, 10), (1_000, 25), (10**9, 30)]
)
def test_many_accounts_at_one_address_add(accounts: int, adds: int) -> None:
    found = replace(noticed(HOME), fan_out=accounts)

    assert risk_of(found, History(), new_device=False, failures=0, now=NOON) == adds


@pytest.mark.parametrize(
    ("hours", "fast"), [(0, True), (4.8, True), (4.95, False), (48, False), (-1, True)]
)
def test_nobody_is_in_two_places_at_once(hours: float, *, fast: bool) -> None:
    """Berlin to New York: 6,385 km, of which 1,500 may be the middle of a country."""
    history = History(place=BERLIN, at=1)

    assert too_fast(history, Visit(place=NEW_YORK), seconds=hours * 3_600) is fast


def test_a_place_that_is_not_known_is_no_journey() -> None:
    assert not too_fast(History(place=BERLIN, at=1), Visit(), seconds=0)
    assert not too_fast(History(at=1), Visit(place=BERLIN), seconds=0)
    assert not too_fast(History(place=BERLIN, at=1), Visit(place=BERLIN), seconds=0)


def test_distances_are_those_of_a_globe() -> None:
    assert kilometres(BERLIN, NEW_YORK) == pytest.approx(6_385, abs=10)
    assert kilometres((0, 0), (0, 1_800)) == pytest.approx(20_015, abs=1)
    assert kilometres((900, 0), (-900, 0)) == pytest.approx(20_015, abs=1)
    assert kilometres((0, 1_799), (0, -1_799)) == pytest.approx(22.2, abs=0.5)


YESTERDAY = remember(History(), HOME, at=NOON - DAY)
STRANGE = replace(OTHER, place=HOME.place, version=HOME.version, rtt=HOME.rtt)  # 48 of 100


@pytest.mark.parametrize(
    ("visit", "history", "adds"),
    [
        (replace(STRANGE, rtt=6), YESTERDAY, 10),
        (replace(STRANGE, rtt=0), YESTERDAY, 10),
        (replace(STRANGE, rtt=0), replace(YESTERDAY, rtt=""), 0),
        (replace(STRANGE, version=119), YESTERDAY, 10),
        (replace(STRANGE, version=121), YESTERDAY, 0),
        (replace(STRANGE, version=0), YESTERDAY, 10),
        (STRANGE, replace(YESTERDAY, at=int((NOON - 90 * DAY).timestamp())), 0),
        (STRANGE, replace(YESTERDAY, at=int((NOON - 90 * DAY - HOUR).timestamp())), 10),
        (STRANGE, replace(YESTERDAY, hours=""), 0),
        (STRANGE, replace(YESTERDAY, hours="A" * 11 + "_"), 10),
        (replace(STRANGE, place=(-330, 1_510)), replace(YESTERDAY, at=int(NOON.timestamp())), 30),
    ],
)
def test_what_is_noticed_beside_the_ratio_adds(visit: Visit, history: History, adds: int) -> None:
    assert risk(visit, history) - risk(STRANGE, YESTERDAY) == adds


def test_a_new_device_key_adds() -> None:
    assert risk(STRANGE, YESTERDAY, new_device=True) - risk(STRANGE, YESTERDAY) == 20


@pytest.mark.parametrize("fault", [VisitFault.LOOKUP_DOWN, VisitFault.COUNTS_DOWN])
def test_where_something_of_ours_is_down_a_sign_in_is_raised(fault: VisitFault) -> None:
    down = replace(HOME, faults=(fault,))

    assert risk(down) == RAISED
    assert risk(down, History()) == 0
    assert risk(replace(OTHER, faults=(fault,)), new_device=True) == 100


def test_a_platform_that_falls_silent_is_a_stranger() -> None:
    found = risk_of(unread(VisitFault.NOT_TOLD), ten_days(), new_device=False, failures=0, now=NOON)

    assert found == 100
    assert risk_of(unread(), History(), new_device=False, failures=0, now=NOON) == 0


def test_a_week_has_twelve_parts() -> None:
    parts = [hour_of(NOON + hour * HOUR) for hour in range(7 * 24)]

    assert (min(parts), max(parts)) == (0, HOURS - 1)
    assert hour_of(NOON + timedelta(hours=3, minutes=59)) == hour_of(NOON)


def test_an_account_comes_to_know_what_is_new() -> None:
    """The third sign-in of its kind is not held to be strange: nobody is held for ever."""
    history = ten_days()
    scores = []
    for _ in range(3):
        found = noticed(replace(OTHER, place=HOME.place))
        scores.append(risk_of(found, history, new_device=False, failures=0, now=NOON))
        history = remember(history, found.visit, at=NOON)

    assert scores[0] >= HIGH
    assert scores[2] < RAISED


def test_of_too_many_nodes_the_one_seen_longest_ago_goes() -> None:
    history = ten_days()
    for n in range(6):
        history = remember(history, replace(HOME, ip=HOME.ip[:12] + f"ip{n:02}"), at=NOON)

    assert [node for node, _ in levels_of(history.ip)[3]] == [f"ip{n:02}" for n in range(2, 6)]
    assert dict(levels_of(history.ip)[2]) == {HOME.ip[8:12]: 16}


def test_what_was_seen_often_is_counted_no_further() -> None:
    history = History()
    for _ in range(TIMES_MOST + 2):
        history = remember(history, HOME, at=NOON)

    assert levels_of(history.ip)[0] == ((HOME.ip[:4], TIMES_MOST),)
    assert max(hours_of(history)) == TIMES_MOST
    assert rtts_of(history) == {HOME.rtt: TIMES_MOST}


def test_what_is_not_told_leaves_what_was_known() -> None:
    before = ten_days()

    after = remember(before, Visit(), at=NOON)

    assert replace(after, at=before.at, hours=before.hours) == before


def test_a_path_is_whole_nodes() -> None:
    assert path_of("abcdefgh") == ("abcd", "efgh", "", "")
    with pytest.raises(InvariantError):
        Visit(ip="abc")
    with pytest.raises(InvariantError):
        Visit(ua="a" * 30)
    with pytest.raises(InvariantError):
        Visit(rtt=17)
    with pytest.raises(InvariantError):
        Visit(version=-1)
    with pytest.raises(InvariantError):
        Visit(version=10_000)


def test_a_node_stands_for_its_value_and_all_coarser_ones() -> None:
    assert joined("DE", "1", "net", "ip")[:8] == joined("DE", "1")
    assert joined("DE", "1")[4:] != joined("FR", "1")[4:]
    assert joined("DE", "", "net") == joined("DE")
    assert joined() == joined("", "1") == ""
