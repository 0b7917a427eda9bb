"""Hold branch coverage to its limits, and name what was not run.

usage: python tools/coverage_gate.py REPORT.json

Every line and branch of ``domain``, ``proofs`` and ``services`` is run by a test; of the whole
package at least 95 %. Coverage is a floor and no proof: it says only what no test has ever looked
at. REPORT.json is what ``coverage json`` writes (its format 3).
"""

import sys
from pathlib import Path

import msgspec

PACKAGE = "src/twinlock/"
WHOLE = ("domain", "proofs", "services")  # Rows in which a branch nobody ran may move money.
LEAST_PERCENT = 95.0
PERFECT = 100.0


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one file, or of several."""

    num_statements: int
    missing_lines: int
    num_branches: int
    covered_branches: int

    @property
    def percent(self) -> float:
        """Return the share of lines and branches that were run, of 100."""
        things = self.num_statements + self.num_branches
        run = self.num_statements - self.missing_lines + self.covered_branches
        return 100 * run / things if things else PERFECT


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One file. A branch is (from line, to line); to a line below 1: out of the function."""

    summary: Summary
    missing_lines: tuple[int, ...]
    missing_branches: tuple[tuple[int, int], ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All files by their path, and their sum."""

    files: dict[str, Measured]
    totals: Summary


def row_of(path: str) -> str:
    """Return the row that a file of the package stands in: its first folder, or its own name."""
    return path.removeprefix(PACKAGE).partition("/")[0]


def gaps(report: Report) -> list[str]:
    """Return one line for each run of lines and each branch that no test took, in file order."""
    return [
        f"  {path}:{line}" for path, file in sorted(report.files.items()) for line in _gaps_of(file)
    ]


def _gaps_of(file: Measured) -> list[str]:
    """Return what of ``file`` was not run; of a line that was not, its branches are not told."""
    missed = set(file.missing_lines)
    lines = [f"{span} was not run" for span in _spans(sorted(missed))]
    taken = ((line, to) for line, to in file.missing_branches if line not in missed)
    return lines + [f"{line} {_went(to)}" for line, to in taken]


def _spans(lines: list[int]) -> list[str]:
    spans: list[list[int]] = []
    for line in lines:
        if spans and spans[-1][1] == line - 1:
            spans[-1][1] = line
        else:
            spans.append([line, line])
    return [f"{first}" if first == last else f"{first}-{last}" for first, last in spans]


def _went(to: int) -> str:
    return f"never went on to line {to}" if to > 0 else "never left its function here"


def faults(report: Report) -> list[str]:
    """Return what falls short of a limit, one sentence each."""
    short = [
        f"{row} is at {_percent(report, row):.2f} %, and must be at {PERFECT:.0f} %"
        for row in WHOLE
        if _percent(report, row) < PERFECT
    ]
    if report.totals.percent < LEAST_PERCENT:
        short.append(
            f"the package is at {report.totals.percent:.2f} %, and must be at {LEAST_PERCENT} %"
        )
    return short


def _percent(report: Report, row: str) -> float:
    of_row = [file.summary for path, file in report.files.items() if row_of(path) == row]
    return Summary(
        num_statements=sum(one.num_statements for one in of_row),
        missing_lines=sum(one.missing_lines for one in of_row),
        num_branches=sum(one.num_branches for one in of_row),
        covered_branches=sum(one.covered_branches for one in of_row),
    ).percent


def main(report_path: Path) -> int:
    """Print the rows, the gaps and what falls short; return 1 when something does."""
    report = msgspec.json.decode(report_path.read_bytes(), type=Report)
    for row in sorted({row_of(path) for path in report.files}):
        print(f"{_percent(report, row):7.2f} %  {row}")
    print(f"{report.totals.percent:7.2f} %  in all")
    short = faults(report)
    missing = gaps(report)
    if missing:
        print("Not run by any test:", *missing, sep="\n")
    for fault in short:
        print(f"Coverage: {fault}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
