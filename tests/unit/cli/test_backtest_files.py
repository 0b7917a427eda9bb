"""``twinlock policy backtest --facts``: files of past decisions, whole and broken."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.past import a_past, longer_waits, with_facts, with_leaf
from support.policies import DEFAULT
from typer.testing import CliRunner

from twinlock.adapters.policies import shipped
from twinlock.cli import fact_files
from twinlock.cli.main import app
from twinlock.domain.errors import TwinlockError
from twinlock.domain.policy.backtesting import Snapshot, read_leaf
from twinlock.domain.policy.fact_lines import write_entry, write_policy


def a_file(path: Path, *some: Snapshot, policy: bool = True) -> str:
    first = [write_policy(DEFAULT.name.digest, DEFAULT.text)] if policy else []
    path.write_bytes(b"".join([*first, *map(write_entry, some)]))
    return str(path)


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    return tmp_path / "facts.jsonl"


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A policy whose waits of a day are two."""
    path = tmp_path / "mine.cedar"
    text = shipped("default").replace('"86400"', '"172800"')
    path.write_text(text.replace("held_seconds >= 86400", "held_seconds >= 172800"), "utf-8")
    return str(path)


def run(*words: str) -> tuple[int, str]:
    ended = CliRunner().invoke(app, ["policy", "backtest", *words])
    if isinstance(ended.exception, TwinlockError):
        raise ended.exception
    return ended.exit_code, ended.stdout


def test_who_would_have_waited_longer_is_told_in_words(facts: Path, mine: str) -> None:
    code, text = run(mine, "--facts", a_file(facts, *a_past()))

    assert code == 0
    assert text.startswith("39 decisions: 33 replayed, 6 looked at no facts")
    assert "\n8 would have been answered otherwise\n" in text
    assert (
        "  6 would have waited longer (median 24 hours, 95 of 100 at most 24 hours, most 24 hours);"
        " as in leaf 106, 107, 108, 128, 129\n"
    ) in text
    assert "NOT" not in text


def test_the_same_is_told_as_json(facts: Path, mine: str) -> None:
    code, text = run(mine, "--facts", a_file(facts, *a_past()), "--json")
    found: dict[str, Any] = msgspec.json.decode(text)

    assert code == 0
    assert (found["decisions"], found["replayed"], found["changed"]) == (39, 33, 8)
    assert found["policy"] != longer_waits().name.digest  # Another name, and so another digest.
    assert found["outcomes"][0]["wait"]["median_seconds"] == 86_400


def test_what_cannot_be_replayed_is_told_and_the_rest_is_replayed(facts: Path) -> None:
    some = list(a_past())
    with_some = [number for number, one in enumerate(some) if one.facts != b"{}"]
    first, second, *rest = with_some
    older, gone = some[first], some[second]
    some[first], some[second] = with_facts(older, narrow=...), with_leaf(gone, pol="gone")
    file = a_file(facts, *some)
    code, text = run("default", "--facts", file)

    assert code == 1
    assert f"NOT REPLAYED: 1 [snapshot_fact_missing] narrow 1; as in leaf {older.place}" in text
    assert f"NOT REPLAYED: 1 [snapshot_policy_missing] gone 1; as in leaf {gone.place}" in text
    assert f"{len(rest)} replayed" in text


def test_other_answers_than_the_replay_gives_are_told(facts: Path) -> None:
    yes = next(one for one in a_past() if read_leaf(one.leaf).dec == "allow" and one.facts != b"{}")
    some = (
        with_leaf(yes._replace(place=place), dec=said)
        for place, said in enumerate(("hold", "challenge", "deny"))
    )
    code, text = run("default", "--facts", a_file(facts, *some))

    assert code == 1
    assert "NOT AS IT WAS: 1 answered otherwise by the same policy (then, now: hold, allow)" in text
    assert "\n1 were questions, put though nothing was missing\n" in text
    assert "\n1 were refused by neither laws nor rules" in text


def test_only_the_time_that_is_asked_for_is_replayed(facts: Path) -> None:
    some = a_past()
    times = [read_leaf(one.leaf).at for one in some]
    middle = sorted(times)[len(times) // 2]
    file = a_file(facts, *some, some[-1]._replace(place=some[-1].place + 1, leaf=b"{}"))
    at = datetime.fromtimestamp(middle / 1000, UTC).isoformat()
    after = msgspec.json.decode(run("default", "--facts", file, "--json", "--since", at)[1])
    before = msgspec.json.decode(run("default", "--facts", file, "--json", "--until", at)[1])

    assert after["decisions"] == sum(time >= middle for time in times) + 1
    assert before["decisions"] == sum(time < middle for time in times) + 1


def test_files_are_read_page_by_page(
    facts: Path, monkeypatch: pytest.MonkeyPatch, mine: str
) -> None:
    monkeypatch.setattr(fact_files, "LINES", 4)

    assert "\n8 would have been answered" in run(mine, "--facts", a_file(facts, *a_past()))[1]


def test_an_empty_file_has_nothing_to_replay(facts: Path) -> None:
    code, text = run("default", "--facts", a_file(facts, policy=False))

    assert code == 0
    assert text.startswith("0 decisions: 0 replayed")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--since", "yesterday"), "time_wrong"),
        (("--until", "2026-01-01"), "time_wrong"),
        (("--since", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"), "time_wrong"),
    ],
)
def test_a_time_that_is_none_is_refused(words: tuple[str, ...], code: str, facts: Path) -> None:
    with pytest.raises(TwinlockError) as refused:
        run("default", "--facts", a_file(facts), *words)

    assert refused.value.code == code


def test_a_file_that_is_broken_is_told_by_its_line(facts: Path) -> None:
    a_file(facts, *a_past())
    facts.write_bytes(facts.read_bytes()[:-10])
    with pytest.raises(TwinlockError) as refused:
        run("default", "--facts", str(facts))

    assert refused.value.code == "facts_file_broken"
    assert f"line {len(a_past()) + 1} " in str(refused.value)


def test_a_file_that_is_not_there_is_told(facts: Path) -> None:
    with pytest.raises(TwinlockError) as refused:
        run("default", "--facts", str(facts))

    assert refused.value.code == "file_unreadable"


def test_a_file_from_which_decisions_were_taken_or_that_has_one_twice_is_refused(
    facts: Path,
) -> None:
    """Prevents: a backtest that finds that nothing changes, since nobody put the rest before it."""
    some = a_past()
    for wrong in ((*some[:5], *some[6:]), (*some[:5], some[4], *some[5:])):
        with pytest.raises(TwinlockError) as refused:
            run("default", "--facts", a_file(facts, *wrong))
        assert refused.value.code == "facts_file_broken"
        assert f"entry {some[5].place} comes next" in str(refused.value)
