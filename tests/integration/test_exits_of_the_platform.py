"""A platform registers a way out of its own, asks for it, and lets a statute speak of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from support.commands import run
from support.postgres import TestDatabase
from support.service import Customer, Service, serving

from twinlock.adapters.policies import shipped
from twinlock.adapters.settings import load as load_settings
from twinlock.bootstrap.exits import FILE_BYTES_MOST, registered_exits
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.trust import trust_of
from twinlock.bootstrap.world import World, prepare
from twinlock.client import ProblemError
from twinlock.domain.registered_exits import RegistrationRefusedError
from twinlock.domain.requirements import Answer
from twinlock.proofs.bundles import verify_bundle

BILLS = {
    "type": "x.bills",
    "says": "Pay a bill",
    "asset": "currency",
    "amount": "total",
    "to": "biller",
    "terms": ["invoice"],
}
BILL = {"currency": "USDT", "total": "5", "biller": "city-power", "invoice": "2026-17"}
SPOKEN = '@id("platform.exit.permit") @speaks_of("x.bills")'


@pytest.fixture
async def bills(database: TestDatabase, tmp_path: Path) -> World:
    """An installation whose platform registered a way out."""
    file = tmp_path / "exits.json"
    file.write_text(json.dumps({"exits": [BILLS]}))
    settings = load_settings(
        {
            "TWINLOCK_DATABASE_URL": database.app_dsn,
            "TWINLOCK_DATA_DIR": str(tmp_path / "data"),
            "TWINLOCK_KEYRING_DIR": str(tmp_path / "keys" / "ring"),
            "TWINLOCK_EXITS_FILE": str(file),
        },
        as_root=False,
    )
    make_keyring(settings)
    return await prepare(settings)


@asynccontextmanager
async def served(bills: World, database: TestDatabase, profile: str) -> AsyncIterator[Service]:
    async def waiting() -> int:
        return cast("int", await database.value("SELECT count(*) FROM outbox"))

    async with serving(bills, waiting_letters=waiting, book=rule_book(profile)) as service:
        yield service


async def test_it_is_held_until_a_statute_speaks_of_it_and_then_leaves_like_any_exit(
    bills: World, database: TestDatabase, tmp_path: Path
) -> None:
    policy = tmp_path / "spoken.cedar"
    policy.write_text(shipped("default").replace('@id("platform.exit.permit")', SPOKEN))
    async with served(bills, database, "default") as service:
        alice = Customer(service, "alice")
        await alice.set_up()
        asked = await alice.propose("x.bills", BILL)
        held = await alice.with_passkey(asked.action_id)
        service.clock.forward(hours=24)
        alone = await service.client.spend(asked.action_id, spend_id="spend-0001")
        clock = service.clock

    assert held.answer is alone.answer is Answer.HOLD
    assert [why.code.value for why in alone.why] == ["exit_unspoken"]

    async with served(bills, database, str(policy)) as service:
        service.clock.at = clock.at
        service.clock.forward(hours=24)
        spent = await service.client.spend(asked.action_id, spend_id="spend-0001")
        assert (spent.state, spent.type) == ("spent", "platform.exit")
        bundle = await service.client.evidence(asked.action_id)
        trust = trust_of(service.settings, service.keyring, book=rule_book(str(policy)))
        verified = verify_bundle(bundle, trust=trust)
        assert (verified.spent, verified.account) == (True, alice.account_id)
        executed_at = service.clock.at.isoformat()

    ledger = tmp_path / "ledger.jsonl"
    row = {
        "reference": "bill-1",
        "type": "platform.exit",
        "account": alice.account_id,
        "action": asked.action_id,
        "asset": "USDT",
        "network": "",
        "address": "x.bills/city-power",
        "memo": "",
        "amount_minor": "5000000",
        "executed_at": executed_at,
    }
    ledger.write_text(json.dumps(row) + "\n")
    variables = {
        "TWINLOCK_DATABASE_URL": database.app_dsn,
        "TWINLOCK_DATA_DIR": str(bills.settings.data_dir),
        "TWINLOCK_KEYRING_DIR": str(bills.settings.keyring_dir),
    }
    assert (await run(variables, "reconcile", str(ledger))).code == 0


async def test_a_question_about_it_names_where_it_leads(
    bills: World, database: TestDatabase
) -> None:
    async with served(bills, database, "default") as service:
        alice = Customer(service, "alice")
        await alice.set_up()
        told = []
        for named in ("city-power", "other-power"):
            question = {
                "subject": {"type": "account", "id": alice.account_id},
                "action": {"name": "x.bills"},
                "resource": {"type": "destination", "id": named, "properties": BILL},
            }
            answer = await service.http.post("/access/v1/evaluation", json=question)
            told.append(answer.json()["context"])
        proposed = await alice.propose("x.bills", BILL)

    assert (told[0]["answer"], told[0]["digest"]) == (proposed.answer.value, proposed.digest)
    assert told[1]["error"]["code"] == "malformed"


async def test_what_is_not_registered_and_what_is_not_of_its_form_is_refused(
    bills: World, database: TestDatabase
) -> None:
    async with served(bills, database, "default") as service:
        alice = Customer(service, "alice")
        await alice.set_up()
        with pytest.raises(ProblemError) as raised:
            await alice.propose("x.bills", {**BILL, "more": "1"})
        unknown = await alice.propose("x.loans", BILL)
        own_name = await alice.propose("platform.exit", BILL)

    assert raised.value.code == "malformed"
    assert (unknown.state, own_name.state) == ("refused", "refused")
    assert "action_unknown" in [why.code.value for why in unknown.why]
    assert "action_not_built" in [why.code.value for why in own_name.why]


def test_a_file_that_is_too_large_or_broken_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "exits.json"
    file.write_bytes(b" " * (FILE_BYTES_MOST + 1))
    with pytest.raises(RegistrationRefusedError, match="bytes at most"):
        registered_exits(file)
    file.write_text("{}")
    with pytest.raises(RegistrationRefusedError):
        registered_exits(file)
    with pytest.raises(OSError, match="No such file"):
        registered_exits(tmp_path / "none")
    assert registered_exits(None) == {}
