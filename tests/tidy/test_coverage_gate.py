"""The gate of coverage lets nothing through that no test ran."""

from pathlib import Path

import coverage_gate
import msgspec
import pytest
from coverage_gate import Measured, Report, Summary

RUN = Summary(num_statements=10, missing_lines=0, num_branches=4, covered_branches=4)
LINE_MISSED = Summary(num_statements=10, missing_lines=1, num_branches=4, covered_branches=4)
BRANCH_MISSED = Summary(num_statements=10, missing_lines=0, num_branches=4, covered_branches=3)
EMPTY = Summary(num_statements=0, missing_lines=0, num_branches=0, covered_branches=0)


def report(path: str, summary: Summary, *, totals: Summary = RUN) -> Report:
    file = Measured(summary=summary, missing_lines=(), missing_branches=())
    return Report(files={path: file}, totals=totals)


@pytest.mark.parametrize("row", ["domain", "proofs", "services"])
@pytest.mark.parametrize("missed", [LINE_MISSED, BRANCH_MISSED])
def test_one_line_or_branch_that_no_test_ran_fails_the_rows_that_decide(
    row: str, missed: Summary
) -> None:
    assert coverage_gate.faults(report(f"src/twinlock/{row}/one.py", missed))


@pytest.mark.parametrize("path", ["src/twinlock/cli/main.py", "src/twinlock/bootstrap/rulebook.py"])
def test_elsewhere_only_the_whole_counts(path: str) -> None:
    assert coverage_gate.faults(report(path, LINE_MISSED)) == []


@pytest.mark.parametrize(("missing", "falls_short"), [(5, False), (6, True)])
def test_the_whole_is_at_least_95_percent(missing: int, *, falls_short: bool) -> None:
    totals = Summary(num_statements=80, missing_lines=missing, num_branches=20, covered_branches=20)

    short = coverage_gate.faults(report("src/twinlock/api/app.py", RUN, totals=totals))

    assert bool(short) is falls_short


def test_a_file_without_code_is_whole() -> None:
    assert coverage_gate.faults(report("src/twinlock/domain/__init__.py", EMPTY)) == []


def test_every_gap_is_named() -> None:
    gap = Measured(
        summary=BRANCH_MISSED,
        missing_lines=(3, 11, 12),
        missing_branches=((5, 9), (7, -4), (8, 0), (11, 12)),
    )

    told = coverage_gate.gaps(Report(files={"src/twinlock/domain/one.py": gap}, totals=RUN))

    assert [line.partition("one.py:")[2] for line in told] == [
        "3 was not run",
        "11-12 was not run",
        "5 never went on to line 9",
        "7 never left its function here",
        "8 never left its function here",
    ]


@pytest.mark.parametrize(("summary", "code"), [(RUN, 0), (LINE_MISSED, 1)])
def test_the_gate_ends_non_zero_when_something_falls_short(
    tmp_path: Path, summary: Summary, code: int
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(msgspec.json.encode(report("src/twinlock/domain/one.py", summary)))

    assert coverage_gate.main(path) == code
