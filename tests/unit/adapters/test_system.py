"""The clock under two hands that the test moves."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlock.adapters import system
from twinlock.adapters.system import SystemClock, SystemEntropy, boot_id, boottime_ns
from twinlock.domain.errors import ClockUntrustedError, InvariantError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * 10**9
MS = 10**6
SECOND = 10**9
HOUR = 3_600 * SECOND


@dataclass
class Hands:
    """A machine's two clocks (nanoseconds), and how long a look at the wall takes."""

    wall_ns: int = NOON_NS
    boottime_ns: int = HOUR
    look_ns: int = 0
    boot: str | None = "boot-1"

    def pass_time(self, nanoseconds: int) -> None:
        self.wall_ns += nanoseconds
        self.boottime_ns += nanoseconds

    def wall(self) -> int:
        self.boottime_ns += self.look_ns
        return self.wall_ns

    def clock(self, anchor: Path | None = None) -> SystemClock:
        return SystemClock(
            anchor=anchor,
            wall=self.wall,
            boottime=lambda: self.boottime_ns,
            boot=lambda: self.boot,
        )


def test_now_is_utc_and_cut_to_milliseconds() -> None:
    hands = Hands(wall_ns=NOON_NS + 1_999_999)

    now = hands.clock().now()

    assert now == NOON + timedelta(milliseconds=1)
    assert now.tzinfo is UTC


@pytest.mark.parametrize(
    ("unseen_ns", "allowed_ms"),
    [
        pytest.param(0, 2_000, id="at once"),
        pytest.param(HOUR, 3_800, id="after an hour"),
        pytest.param(24 * HOUR, 45_200, id="after a day"),
    ],
)
@pytest.mark.parametrize("direction", [1, -1], ids=["forward", "back"])
def test_a_jump_is_refused_from_two_seconds_and_500_ppm_of_the_time_unseen_on(
    unseen_ns: int, allowed_ms: int, direction: int
) -> None:
    hands = Hands()
    clock = hands.clock()
    hands.pass_time(unseen_ns)

    hands.wall_ns += direction * allowed_ms * MS
    clock.now()
    hands.wall_ns += direction * MS
    with pytest.raises(ClockUntrustedError, match="jumped"):
        clock.now()


@pytest.mark.parametrize("uptime_days", [30, 365])
@pytest.mark.parametrize("direction", [1, -1], ids=["forward", "back"])
def test_a_long_uptime_allows_no_longer_jump(uptime_days: int, direction: int) -> None:
    """Prevents: twenty minutes at once after a month, which the first look alone would allow."""
    hands = Hands()
    clock = hands.clock()
    hands.pass_time(uptime_days * 24 * HOUR)
    clock.now()

    hands.wall_ns += direction * 2_000 * MS
    clock.now()
    hands.wall_ns += direction * MS
    with pytest.raises(ClockUntrustedError, match="jumped"):
        clock.now()


@pytest.mark.parametrize("ppm", [500, -500])
def test_a_clock_that_drifts_as_far_as_a_time_daemon_corrects_is_believed(ppm: int) -> None:
    hands = Hands()
    clock = hands.clock()
    for _ in range(5_000):
        hands.pass_time(3 * SECOND)
        hands.wall_ns += 3 * ppm * 1_000
        clock.now()

    assert hands.wall_ns - NOON_NS - 15_000 * SECOND == 15_000 * ppm * 1_000


def test_a_clock_that_drifts_faster_is_refused_soon() -> None:
    """Prevents: a slew of a tenth, which CLOCK_BOOTTIME would go along with (adjtimex(2), tick)."""
    hands = Hands()
    clock = hands.clock()
    for _ in range(20):
        hands.pass_time(SECOND)
        hands.wall_ns += SECOND // 10
        clock.now()

    hands.wall_ns += SECOND // 10
    with pytest.raises(ClockUntrustedError, match="jumped"):
        clock.now()


def test_a_clock_set_right_again_is_believed_again() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall_ns += 24 * HOUR
    with pytest.raises(ClockUntrustedError):
        clock.now()

    hands.wall_ns -= 24 * HOUR

    assert clock.now() == NOON


def test_a_refused_clock_is_refused_for_2000_times_as_long_as_it_was_moved() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.wall_ns += 1_202 * SECOND
    for _ in range(27):
        hands.pass_time(24 * HOUR)
        with pytest.raises(ClockUntrustedError, match="jumped"):
            clock.now()

    hands.pass_time(19 * HOUR)

    assert clock.now() == NOON + timedelta(days=27, hours=19, seconds=1_202)


STEPS = st.tuples(
    st.sampled_from([0, MS, SECOND - 1, SECOND, 60 * SECOND, HOUR]), st.integers(-3_000, 3_000)
)


@given(st.lists(STEPS, min_size=1, max_size=40))
def test_between_two_instants_no_row_of_steps_gains_more_than_four_seconds_and_500_ppm(
    steps: list[tuple[int, int]],
) -> None:
    hands = Hands()
    clock = hands.clock()
    given_out = []
    for passed_ns, step_ms in steps:
        hands.pass_time(passed_ns)
        hands.wall_ns += step_ms * MS
        try:
            now = clock.now()
        except ClockUntrustedError:
            hands.wall_ns -= step_ms * MS
            continue
        given_out.append((hands.boottime_ns, (now - NOON) // timedelta(milliseconds=1)))

    for at, first_ms in given_out:
        for later, second_ms in given_out:
            if later >= at:
                gained_ms = second_ms - first_ms - (later - at) / MS
                assert abs(gained_ms) <= 4_000 + (later - at) / MS / 2_000 + 1


@given(st.lists(st.integers(0, 2_500).map(lambda ms: ms * MS), max_size=20))
def test_many_small_steps_at_once_are_one_step(steps: list[int]) -> None:
    hands = Hands()
    clock = hands.clock()
    for step in steps:
        hands.wall_ns += step
        try:
            now = clock.now()
        except ClockUntrustedError:
            break
        assert now - NOON <= timedelta(seconds=2)


def test_a_boot_time_that_runs_back_is_refused() -> None:
    hands = Hands()
    clock = hands.clock()

    hands.boottime_ns -= 100 * MS  # As far as reading three clocks may put it off.
    hands.wall_ns -= 100 * MS
    clock.now()
    hands.boottime_ns -= MS
    hands.wall_ns -= MS

    with pytest.raises(ClockUntrustedError, match="jumped"):
        clock.now()


@pytest.mark.parametrize("ahead", [1, -1], ids=["ahead", "behind"])
def test_the_databases_clock_may_be_five_seconds_away_and_no_more(ahead: int) -> None:
    clock = Hands().clock()
    away = NOON + ahead * timedelta(seconds=5)

    assert clock.now(database_at=away) == NOON
    with pytest.raises(ClockUntrustedError, match="database"):
        clock.now(database_at=away + ahead * timedelta(microseconds=1))


def test_the_databases_clock_may_speak_another_zone() -> None:
    east = timezone(timedelta(hours=3))

    assert Hands().clock().now(database_at=NOON.astimezone(east)) == NOON


def test_a_databases_time_without_an_offset_is_our_bug() -> None:
    with pytest.raises(InvariantError, match="offset"):
        Hands().clock().now(database_at=NOON.replace(tzinfo=None))


def test_clocks_are_read_together_or_not_believed() -> None:
    hands = Hands(look_ns=100 * MS)
    clock = hands.clock()

    hands.look_ns = 101 * MS
    with pytest.raises(ClockUntrustedError, match="read together"):
        clock.now()


def test_a_jump_while_the_process_was_down_is_seen(tmp_path: Path) -> None:
    hands = Hands()
    hands.clock(tmp_path / "state" / "clock").now()
    hands.pass_time(HOUR)
    hands.wall_ns += 10 * SECOND

    with pytest.raises(ClockUntrustedError, match="jumped"):
        hands.clock(tmp_path / "state" / "clock").now()


def test_restarting_many_times_moves_the_anchor_by_nothing(tmp_path: Path) -> None:
    hands = Hands()
    hands.clock(tmp_path / "clock")
    kept = (tmp_path / "clock").read_bytes()
    hands.wall_ns += 2 * SECOND
    hands.clock(tmp_path / "clock").now()

    assert (tmp_path / "clock").read_bytes() == kept
    hands.wall_ns += SECOND
    with pytest.raises(ClockUntrustedError):
        hands.clock(tmp_path / "clock").now()


def test_what_is_kept_now_and_then_holds_the_next_process_too(tmp_path: Path) -> None:
    hands = Hands()
    clock = hands.clock(tmp_path / "clock")
    hands.pass_time(30 * 24 * HOUR)
    clock.keep()

    hands.wall_ns += 2_001 * MS
    with pytest.raises(ClockUntrustedError, match="jumped"):
        hands.clock(tmp_path / "clock").now()
    hands.wall_ns -= MS
    hands.clock(tmp_path / "clock").now()


def test_a_refused_clock_stays_refused_for_the_next_process(tmp_path: Path) -> None:
    hands = Hands()
    clock = hands.clock(tmp_path / "clock")
    hands.pass_time(365 * 24 * HOUR)
    clock.now()
    hands.wall_ns += HOUR

    with pytest.raises(ClockUntrustedError, match="jumped"):
        clock.keep()
    with pytest.raises(ClockUntrustedError, match="jumped"):
        hands.clock(tmp_path / "clock").now()


def test_a_file_that_an_operator_deleted_is_not_made_anew_by_who_believed_in_it(
    tmp_path: Path,
) -> None:
    hands = Hands()
    clock = hands.clock(tmp_path / "clock")
    (tmp_path / "clock").unlink()
    clock.keep()
    assert not (tmp_path / "clock").exists()

    hands.wall_ns += HOUR
    assert hands.clock(tmp_path / "clock").now() == NOON + timedelta(hours=1)
    assert (tmp_path / "clock").exists()


def test_keeping_without_a_file_is_looking() -> None:
    hands = Hands()
    clock = hands.clock()
    clock.keep()
    hands.wall_ns += HOUR

    with pytest.raises(ClockUntrustedError, match="jumped"):
        clock.keep()


def test_a_reboot_starts_a_new_anchor(tmp_path: Path) -> None:
    hands = Hands()
    hands.clock(tmp_path / "clock")

    hands.boot, hands.boottime_ns = "boot-2", SECOND
    hands.wall_ns += 24 * HOUR

    assert hands.clock(tmp_path / "clock").now() == NOON + timedelta(hours=24)
    assert b"boot-2" in (tmp_path / "clock").read_bytes()


def test_a_system_that_names_no_boots_keeps_no_anchor(tmp_path: Path) -> None:
    hands = Hands(boot=None)

    assert hands.clock(tmp_path / "clock").now() == NOON
    assert not (tmp_path / "clock").exists()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"boot_id":"boot-1"}', id="half"),
        pytest.param(b'{"boot_id":"boot-1","boottime_ms":1,"wall_ms":1.5}', id="a float"),
        pytest.param(b'{"boot_id":"b","boottime_ms":1,"wall_ms":1,"x":1}', id="a field too many"),
    ],
)
def test_an_anchor_that_we_did_not_write_stops_the_start(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "clock").write_bytes(data)
    (tmp_path / "clock").chmod(0o600)

    with pytest.raises(ClockUntrustedError, match="look, then delete"):
        Hands().clock(tmp_path / "clock")


def test_the_boots_name_is_read_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "boot_id").write_text("name\n", encoding="ascii")

    assert boot_id(tmp_path / "boot_id") == "name"
    assert boot_id(tmp_path / "nothing") is None


def test_boot_time_goes_on_but_for_what_reading_it_takes() -> None:
    first = boottime_ns()
    assert 0 < first < boottime_ns() + 100 * MS


def test_a_system_without_these_clocks_gives_its_monotonic_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(system, "_RAW", None)
    before = time.monotonic_ns()

    assert before <= boottime_ns() <= time.monotonic_ns()


@pytest.mark.parametrize("size", [1, 12, 44, 65_536])
def test_a_draw_has_its_size(size: int) -> None:
    assert len(SystemEntropy().draw(size)) == size


def test_two_draws_differ() -> None:
    entropy = SystemEntropy()

    assert entropy.draw(32) != entropy.draw(32)


@pytest.mark.parametrize("size", [0, -1, 65_537])
def test_a_draw_of_nothing_or_too_much_is_our_bug(size: int) -> None:
    with pytest.raises(InvariantError, match="a draw has"):
        SystemEntropy().draw(size)
