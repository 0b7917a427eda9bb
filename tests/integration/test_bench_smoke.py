"""The benchmark runs: both contenders answer with signed yeses, and everything is measured.

Nothing here looks at how long anything took.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tidy.repository import ROOT, environment

needs_rival = pytest.mark.skipif(
    importlib.util.find_spec("fastapi") is None or importlib.util.find_spec("sqlalchemy") is None,
    reason="the rival's packages are not installed: they are the extra `bench`",
)


def measured(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - what is run stands in this file
        [sys.executable, "-m", f"bench.{name}", *options],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@needs_rival
@pytest.mark.timeout(300)
def test_the_hot_path_is_measured_against_its_rival() -> None:
    run = measured("hot_path", "--quick", "--json")

    assert run.returncode == 0, run.stderr
    report = msgspec.json.decode(run.stdout)
    played = [(one["contender"], one["connections"]) for one in report["rounds"]]
    assert played == [("ours", 32), ("rival", 32), ("ours", 1), ("rival", 1)]
    assert all(one["requests"] > 0 for one in report["rounds"])
    assert report["bundle"]["bytes"] > 0
    large = report["bundle"]["large"]
    assert large["log_size"] == 10**6
    assert large["bytes"] < 8_000
    assert large["bytes"] < large["bytes_with_growth"] < 9_000
    assert not Path(ROOT / "var" / "bench").exists()


@needs_rival
def test_the_table_names_every_ratio() -> None:
    run = measured("hot_path", "--help")

    assert "--quick" in run.stdout


@needs_rival
def test_what_witnesses_add_to_a_spend_is_measured() -> None:
    run = measured("witness", "--quick", "--json")

    assert run.returncode == 0, run.stderr
    [found] = msgspec.json.decode(run.stdout)
    assert (found["connections"], found["spends"]) == (2, 8)
    assert found["witnessed_p99_ms"] > 0


@pytest.mark.timeout(300)
def test_the_audit_is_measured_on_a_log_that_it_finds_sound() -> None:
    run = measured("audit", "--entries", "200", "--rounds", "1", "--json")

    assert run.returncode == 0, run.stderr
    report = msgspec.json.decode(run.stdout)
    assert report["entries"] > 0
    assert set(report["whole"]["phases"]) == {"log", "accounts"}
    assert set(report["only_log"]["phases"]) == {"log"}


@pytest.mark.parametrize("timed", ["decision", "full_proof"])
def test_what_is_timed_alone_is_told_beside_its_floor(timed: str) -> None:
    run = measured(timed, "--rounds", "1")

    assert run.returncode == 0, run.stderr
    floor, *told = run.stdout.splitlines()
    assert " 1.00 " in floor
    assert told


@pytest.mark.timeout(300)
def test_orders_are_examined_and_all_of_them_pass() -> None:
    run = measured("intents", "--rounds", "1", "--batches", "2", "--json")

    assert run.returncode == 0, run.stderr
    report = msgspec.json.decode(run.stdout)
    assert report["examined"]["per_second"] > 0
    assert report["ratio"] > 0


@pytest.mark.timeout(300)
def test_a_forced_owner_is_timed_beside_one_who_is_picked() -> None:
    run = measured("duress", "--rounds", "2")

    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 3
    assert run.stdout.count("times the other's") == 3


@pytest.mark.timeout(300)
def test_a_replay_is_measured_beside_reading_alone() -> None:
    run = measured("backtest", "--entries", "300", "--rounds", "1", "--json")

    assert run.returncode == 0, run.stderr
    report = msgspec.json.decode(run.stdout)
    assert set(report["replays"]) == {"the same policy", "longer waits", "strict"}
    assert report["replays"]["the same policy"]["changed"] == 0
    assert report["replays"]["strict"]["changed"] > report["replays"]["longer waits"]["changed"] > 0
    assert all(ratio > 0 for ratio in report["ratios"].values())


def test_the_prover_is_measured_beside_trying_and_clingo() -> None:
    run = measured("prover", "--quick")

    assert run.returncode == 0, run.stderr
    assert all(f"| 16 | 60 | 3 | {name} |" in run.stdout for name in ("prover", "trying", "clingo"))
    assert "| hardened | 51 | clingo |" in run.stdout
    assert "| 192 | 16 | 361 |" in run.stdout
