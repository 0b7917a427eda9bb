"""Freeman's model against the 24 scores that its notebook prints for the public data set.

The data set is large and not ours to ship: name its CSV in RBA_DATASET_FILE to run this. The scores
are those of das-group/rba-algorithm (MIT), rba-algorithm.ipynb: entries 50,001 to 50,050 in the
order of time among the successful of the first million rows. The notebook smooths finer than the
formula that we take, so what must agree is the order, by Spearman's coefficient.
"""

import csv
import os
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from twinlock.domain.risk.freeman import IP_WEIGHTS, UA_WEIGHTS, Sizes, Tallies, score

FILE = os.environ.get("RBA_DATASET_FILE", "")
COLUMNS = (
    "Login Timestamp",
    "User ID",
    "IP Address",
    "ASN",
    "Country",
    "User Agent String",
    "Browser Name and Version",
    "OS Name and Version",
    "Device Type",
)
ROWS, FIRST, TAKEN = 1_000_000, 50_000, 50
PRINTED = (
    *(0.001736, 0.000313, 0.000385, 0.000234, 0.006298, 0.024024, 0.362419, 0.000349),
    *(0.000487, 1.246223, 0.000260, 0.000220, 0.470148, 0.000980, 0.084123, 0.442128),
    *(0.014721, 0.033660, 0.000484, 0.000257, 0.004581, 0.000012, 0.000654, 0.000905),
)


def in_time(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = islice(csv.DictReader(file), ROWS)
        good = (row for row in rows if row["Login Successful"] == "True")
        found = [tuple(row[name] for name in COLUMNS) for row in good]
    return sorted((row for row in found if all(row)), key=lambda row: row[0])


def scores(rows: list[tuple[str, ...]]) -> list[float]:
    tallies = [Counter(row[at] for row in rows[:FIRST]) for at in range(2, len(COLUMNS))]
    users = {row[1] for row in rows[:FIRST]}
    found = []
    for number, row in enumerate(rows[FIRST : FIRST + TAKEN], start=FIRST):
        before = [one for one in rows if one[1] == row[1] and one[0] < row[0]]
        own = [Counter(one[at] for one in before) for at in range(2, len(COLUMNS))]
        if before:
            sizes = Sizes(sign_ins=number, users=len(users), own=len(before))
            parts = ((slice(0, 3), IP_WEIGHTS), (slice(3, 7), UA_WEIGHTS))
            features = [
                (row[2:][part], Tallies(tallies[part], own[part]), weights)
                for part, weights in parts
            ]
            found.append(score(features, sizes))
        users.add(row[1])
        for tally, value in zip(tallies, row[2:], strict=True):
            tally[value] += 1
    return found


def spearman(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the coefficient of two rankings without ties."""
    ranks = [{value: rank for rank, value in enumerate(sorted(some))} for some in (one, other)]
    apart = sum((ranks[0][a] - ranks[1][b]) ** 2 for a, b in zip(one, other, strict=True))
    return 1 - 6 * apart / (len(one) * (len(one) ** 2 - 1))


def test_rankings_are_compared_by_their_distances() -> None:
    assert spearman((1.0, 2.0, 3.0), (10.0, 20.0, 30.0)) == 1
    assert spearman((1.0, 2.0, 3.0), (3.0, 2.0, 1.0)) == -1
    assert len(set(PRINTED)) == 24


@pytest.mark.skipif(not FILE, reason="RBA_DATASET_FILE names no copy of das-group/rba-dataset")
@pytest.mark.timeout(1_800)
def test_the_scores_of_the_notebook_come_in_the_same_order() -> None:
    found = scores(in_time(Path(FILE)))

    assert len(found) == len(PRINTED)
    assert spearman(tuple(found), PRINTED) > 0.99
