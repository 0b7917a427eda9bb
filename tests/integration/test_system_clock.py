"""The real clocks of this machine."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from twinlock.adapters.system import SystemClock, boot_id
from twinlock.domain.errors import ClockUntrustedError


def test_the_real_clock_is_believed_and_agrees_with_itself(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    now = SystemClock(anchor=tmp_path / "clock").now(database_at=before)

    assert before - timedelta(milliseconds=1) <= now <= datetime.now(UTC)


@pytest.mark.skipif(boot_id() is None, reason="this system names no boots")
def test_a_second_process_of_the_same_boot_keeps_the_first_look(tmp_path: Path) -> None:
    SystemClock(anchor=tmp_path / "clock")
    first = (tmp_path / "clock").read_bytes()

    SystemClock(anchor=tmp_path / "clock").now()

    assert (tmp_path / "clock").read_bytes() == first
    assert (tmp_path / "clock").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(boot_id() is None, reason="this system names no boots")
def test_a_clock_set_forward_before_a_restart_is_refused_after_it(tmp_path: Path) -> None:
    yesterday = SystemClock(anchor=tmp_path / "clock").now() - timedelta(days=1)
    # What a first look a day behind leaves: since then somebody set the clock forward.
    kept = (tmp_path / "clock").read_bytes()
    wall_ms = int(yesterday.timestamp() * 1000)
    start = kept.index(b'"wall_ms":')
    (tmp_path / "clock").write_bytes(kept[:start] + b'"wall_ms":%d}' % wall_ms)

    with pytest.raises(ClockUntrustedError, match="jumped") as refused:
        SystemClock(anchor=tmp_path / "clock").now()
    assert str(refused.value).endswith("or see docs/threat-model.md, Time")
