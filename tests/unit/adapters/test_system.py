"""The clock under two hands that the test moves."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ("elapsed_ns", "allowed_ms"),
    [
        pytest.param(0, 2_000, id="at once"),
        pytest.param(HOUR, 3_800, id="after an hour"),
        pytest.param(24 * HOUR, 45_200, id="after a day"),
    ],
)
@pytest.mark.parametrize("direction", [1, -1], ids=["forward", "back"])
def test_a_jump_is_refused_from_two_seconds_and_500_ppm_on(
    elapsed_ns: int, allowed_ms: int, direction: int
) -> None:
    hands = Hands()
    clock = hands.clock()
    hands.pass_time(elapsed_ns)

    hands.wall_ns += direction * allowed_ms * MS
    clock.now()
    hands.wall_ns += direction * MS
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


@given(st.lists(st.integers(0, 2_500).map(lambda ms: ms * MS), max_size=20))
def test_no_row_of_small_steps_adds_up_to_more_than_the_bound(steps: list[int]) -> None:
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


def test_boot_time_never_goes_back() -> None:
    assert 0 < boottime_ns() <= boottime_ns()


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
