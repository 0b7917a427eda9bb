"""``twinlock policy backtest``, ``facts`` and ``diff``, as an officer types them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.commands import run
from support.postgres import TestDatabase
from support.service import Customer, Service

from twinlock.adapters.policies import shipped
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.world import World
from twinlock.domain.policy.fact_lines import PolicyLine, read_line

Variables = dict[str, str]
DIGEST = rule_book().policy.name.digest


@pytest.fixture
def variables(world: World) -> Variables:
    settings = world.settings
    return {
        "TWINLOCK_DATABASE_URL": settings.database_url or "",
        "TWINLOCK_DATA_DIR": str(settings.data_dir),
        "TWINLOCK_KEYRING_DIR": str(settings.keyring_dir),
    }


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A policy whose waits of a day are two."""
    path = tmp_path / "mine.cedar"
    text = shipped("default").replace('"86400"', '"172800"')
    path.write_text(text.replace("held_seconds >= 86400", "held_seconds >= 172800"), "utf-8")
    return str(path)


async def backtested(variables: Variables, *words: str, code: int = 0) -> dict[str, Any]:
    ended = await run(variables, "policy", "backtest", *words, "--json")
    assert ended.code == code, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


async def test_what_a_service_decided_is_replayed_and_only_read(
    variables: Variables, alice: Customer, mine: str, database: TestDatabase
) -> None:
    answer = await alice.withdraw("10")
    await alice.client.spend(answer.action_id, spend_id="spend-00001", fee_minor="100")
    leaves = await database.value("SELECT size FROM head")
    same = await backtested(variables, "default")
    other = await backtested(variables, mine)

    assert same["decisions"] == other["decisions"] == leaves
    assert same["replayed"] + same["without_facts"] == leaves
    assert same["replayed"] > 3
    assert (same["changed"], same["outcomes"], same["differ"]) == (0, [], {})
    assert same["not_replayed"] == []
    longer = [one for one in other["outcomes"] if one["change"] == "longer"]
    assert {one["action"] for one in longer} == {"withdrawal.crypto"}
    assert {one["wait"]["most_seconds"] for one in longer} == {86_400}
    assert await database.value("SELECT size FROM head") == leaves


async def test_a_time_is_found_in_the_log(
    variables: Variables, service: Service, alice: Customer
) -> None:
    service.clock.at += timedelta(days=1)
    between = (service.clock.at - timedelta(hours=1)).isoformat()
    await alice.withdraw("10")
    whole = await backtested(variables, "default")
    before = await backtested(variables, "default", "--until", between)
    after = await backtested(variables, "default", "--since", between)

    assert before["decisions"] > 0
    assert after["decisions"] > 0
    assert before["decisions"] + after["decisions"] == whole["decisions"]


async def test_exported_facts_tell_the_same_elsewhere(
    variables: Variables, alice: Customer, mine: str, tmp_path: Path
) -> None:
    await alice.withdraw("10")
    exported = await run(variables, "policy", "facts")
    path = tmp_path / "facts.jsonl"
    path.write_text(exported.out, "utf-8")
    lines = [
        read_line(line, number=number)
        for number, line in enumerate(path.read_bytes().splitlines(), start=1)
    ]

    assert exported.code == 0
    assert [one.policy for one in lines if isinstance(one, PolicyLine)] == [DIGEST]
    assert f"{len(lines) - 1} decisions" in exported.err
    assert alice.account_id not in exported.out
    there = await backtested({"PATH": "/nowhere"}, mine, "--facts", str(path))
    assert there == await backtested(variables, mine)


async def test_snapshots_of_another_form_and_gone_policies_are_told(
    variables: Variables, alice: Customer, database: TestDatabase
) -> None:
    """What an older version stored lacks what is new: nobody may fill it in."""
    await database.execute(
        "UPDATE leaf SET facts = convert_to(replace(convert_from(facts, 'UTF8'),"
        " '\"narrow\":', '\"old\":'), 'UTF8')"
        " WHERE leaf_index = (SELECT max(leaf_index) FROM leaf WHERE facts <> '{}')"
    )
    found = await backtested(variables, "default", code=1)

    (told,) = found["not_replayed"]
    assert (told["code"], told["count"], told["names"]) == (
        "snapshot_fact_missing",
        1,
        {"narrow": 1},
    )
    assert found["replayed"] > 3
    await database.execute("DELETE FROM policy")
    gone = await backtested(variables, "strict", code=1)
    assert [one["code"] for one in gone["not_replayed"]] == [
        "snapshot_fact_missing",
        "snapshot_policy_missing",
    ]
    exported = await run(variables, "policy", "facts")
    assert '{"policy":' not in exported.out
    assert alice.account_id


async def test_leaves_that_somebody_removed_are_told_and_end_no_period_in_silence(
    variables: Variables, service: Service, alice: Customer, database: TestDatabase
) -> None:
    """Prevents: a log of which half is gone, and a backtest by which nothing changes."""
    later = (service.clock.at + timedelta(days=1)).isoformat()
    await alice.withdraw("10")
    size = await database.value("SELECT size FROM head")
    assert isinstance(size, int)
    await database.execute("DELETE FROM leaf WHERE leaf_index >= $1", size - 2)
    found = await backtested(variables, "default", code=1)

    assert found["decisions"] == size
    (told,) = found["not_replayed"]
    assert (told["code"], told["count"]) == ("snapshot_unreadable", 2)
    exported = await run(variables, "policy", "facts")
    assert f"{size - 2} decisions" in exported.err
    for damage in (
        "UPDATE leaf SET entry = '{}'",
        'UPDATE leaf SET entry = \'{"at":"x"}\'',
        "UPDATE leaf SET entry = '\\xff'",
        "DELETE FROM leaf",
    ):
        await database.execute(damage)
        ended = await run(variables, "policy", "backtest", "default", "--until", later)
        assert (ended.code, ended.err.rstrip()[-13:]) == (2, "[log_damaged]"), ended.err


async def test_an_empty_log_has_nothing_to_replay(variables: Variables) -> None:
    found = await backtested(variables, "strict")

    assert (found["decisions"], found["not_replayed"]) == (0, [])
    exported = await run(variables, "policy", "facts")
    assert (exported.code, exported.out) == (0, "")


async def test_a_database_that_does_not_answer_is_told(variables: Variables) -> None:
    nowhere = variables | {"TWINLOCK_DATABASE_URL": "postgresql://app@127.0.0.1:1/twinlock"}
    for words in (("backtest", "default"), ("facts",), ("diff", DIGEST, "default")):
        ended = await run(nowhere, "policy", *words)
        assert ended.code == 2
        assert "[unavailable]" in ended.err


async def test_an_embedded_database_that_was_never_made_is_told(tmp_path: Path) -> None:
    ended = await run(
        {"TWINLOCK_DATA_DIR": str(tmp_path / "data")}, "policy", "backtest", "default"
    )

    assert (ended.code, "[database_not_started]" in ended.err) == (2, True)


@pytest.mark.usefixtures("service")
async def test_a_policy_that_the_database_keeps_is_named_by_its_digest(
    variables: Variables,
) -> None:
    same = await run(variables, "policy", "diff", DIGEST, "default")
    unknown = await run(variables, "policy", "diff", "x" * 43, "default")

    assert (same.code, same.out) == (0, "they say the same\n")
    assert unknown.code == 2
    assert "keeps no policy of digest" in unknown.err
