"""The export of everything about a person: what is in it, who may have it, that they are told."""

import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest
from litestar.exceptions import LitestarException
from support.erasing import ask_to_be_erased, records_of
from support.postgres import TestDatabase
from support.service import ADDRESS, PASSWORD, Customer, Service
from support.signed import connected, signed_key
from support.stores import SteerableClock, new_action, opened, withdrawal

from twinlock.adapters.sql.records import SqlRecords
from twinlock.adapters.sql.store import SqlStore
from twinlock.api.throttling import EXPORT_BURST, EXPORT_OF_ONE_BURST
from twinlock.bootstrap.world import World
from twinlock.client import Client, ProblemError
from twinlock.domain.account import Account
from twinlock.domain.canonical import b64url, commit, from_b64url
from twinlock.domain.erasure import AccountErasedError
from twinlock.domain.errors import LogDamagedError
from twinlock.domain.export import Exported, disclose
from twinlock.domain.ids import AccountId, account_id
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.notices import NoticeKind
from twinlock.services.platform_keys import Scope

ROOT = Path(__file__).resolve().parents[2]


async def lived(service: Service, customer: Customer) -> None:
    """Let a customer do what customers do."""
    await customer.add_destination()
    action = await customer.withdraw()
    await service.client.spend(action.action_id, spend_id="spend-0001")
    await customer.bind_totp()
    await customer.client.offer(customer.account_id, "totp")
    await customer.propose("freeze.lift")
    await service.client.set_legal_hold(customer.account_id, "court 7/26")


async def test_everything_that_is_held_is_in_it(service: Service, alice: Customer) -> None:
    await lived(service, alice)
    told = await service.client.export(alice.account_id)
    account = await service.api.store.account(AccountId(alice.account_id))

    whole = msgspec.convert(told, Exported)
    assert (whole.format, whole.complete) == ("twinlock-export/1", True)
    assert set(told["account"]) == set(Account.__struct_fields__)
    addresses = [one["address"] for one in told["account"]["channels"]]
    assert addresses == [one.address for one in account.channels]
    assert len(addresses) == 2
    assert [one["address"] for one in told["destinations"]] == [ADDRESS]
    assert told["account"]["sessions"][0]["session_id"] == alice.session_id
    assert list(told["account"]["legal_holds"]) == ["court 7/26"]
    assert told["account"]["actions"][0]["payload"]["type"]
    ended = {one["ended"]["event"] for one in told["closed_actions"]}
    assert {"action.done/1", "action.spent/1"} <= ended
    assert {one["stands_for"] for one in told["repeats"]} > {alice.account_id}
    assert [one["number"] for one in told["entries"]] == list(range(account.chain.entries))


async def test_every_leaf_is_named_and_opens_with_what_is_told(
    service: Service, alice: Customer
) -> None:
    await lived(service, alice)
    told = await service.client.export(alice.account_id)

    for entry in told["entries"]:
        (leaf,) = await service.api.store.leaves(start=entry["index"], count=1)
        assert leaf_hash(leaf) == leaf_hash(entry["leaf"].encode())
        said = json.loads(entry["leaf"])
        assert set(said["c"]) - set(entry["openings"]) <= {"label_key"}
        for field, opening in entry["openings"].items():
            opened = commit(from_b64url(opening["salt"]), field, opening["value"].encode())
            assert said["c"][field] == b64url(opened)
    facts = [entry["facts"] for entry in told["entries"] if entry["facts"]]
    assert {one["opened_at"] for one in facts} == {told["account"]["opened_at"]}
    evidence = [entry["evidence"] for entry in told["entries"] if entry["evidence"]]
    assert any("clientDataJSON" in one or "client_data" in one for one in evidence), evidence[0]


async def test_it_has_the_form_that_its_page_tells(service: Service, alice: Customer) -> None:
    await lived(service, alice)
    told = await service.client.export(alice.account_id)
    page = (ROOT / "docs" / "export.md").read_text("utf-8")
    schema = json.loads(page.partition("```json\n")[2].partition("```")[0])

    validator = jsonschema_rs.validator_for(schema)
    assert [error.message for error in validator.iter_errors(told)] == []
    assert not validator.is_valid({**told, "entries": [{}]})
    assert not validator.is_valid({name: one for name, one in told.items() if name != "complete"})


async def test_no_secret_is_in_it(service: Service, alice: Customer) -> None:
    await lived(service, alice)
    account = await service.api.store.account(AccountId(alice.account_id))
    secrets = [account.chain.label_key, *(one.veto_key for one in account.actions)]
    secrets += [one.secret for one in account.candidates]
    bound = account.authenticators
    secrets += [getattr(one, "verifier", "") or getattr(one, "seed", "") for one in bound]
    written = json.dumps(await service.client.export(alice.account_id))

    held = [one for one in secrets if one]
    assert len(held) >= 4
    assert [one for one in (*held, PASSWORD, "$argon2id$") if one in written] == []


async def test_nothing_of_anybody_else_is_in_it(service: Service, alice: Customer) -> None:
    bob = Customer(service, "bob")
    await bob.set_up()
    written = json.dumps(await service.client.export(alice.account_id))

    account = await service.api.store.account(AccountId(bob.account_id))
    foreign = [bob.account_id, "bob@email", bob.session_id, account.member_id]
    assert [one for one in foreign if one in written] == []


async def test_it_is_in_the_log_and_every_channel_is_told(
    service: Service, world: World, alice: Customer
) -> None:
    told = await service.client.export(alice.account_id)
    await service.deliver()

    last = told["entries"][-1]
    assert json.loads(last["leaf"])["t"] == "data.export"
    assert [one["event"] for one in last["events"]] == ["data.exported/1"]
    assert last["openings"]["actor"]["value"].startswith('"platform:')
    letters = [json.loads(one.read_bytes()) for one in world.settings.outbox_dir.iterdir()]
    assert {one["channel"] for one in letters if one["kind"] == "exported"} == {"email", "desktop"}


async def test_a_notice_that_waits_is_in_it_without_its_code(
    store: SqlStore, clock: SteerableClock
) -> None:
    customer = await opened(store, clock)
    await store.run(withdrawal(customer, new_action(customer)))
    await opened(store, clock)
    *_, notice = await SqlRecords(store).waiting(customer.account_id)

    assert notice.kind is NoticeKind.LEFT
    assert "code" not in disclose(notice)


async def test_the_operator_s_own_export_names_the_operator(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    async with records_of(service, world, database) as records:
        pieces = await records.exporting.export(AccountId(alice.account_id), actor="operator:test")
        told = json.loads(b"".join([piece async for piece in pieces]))

    assert told["entries"][-1]["openings"]["actor"]["value"] == '"operator:test"'


# --- Who may have it ---


async def with_scopes(service: Service, *scopes: Scope) -> Client:
    key = await service.platform_key(*scopes)
    http = httpx.AsyncClient(
        transport=service.http._transport,  # noqa: SLF001 - the same service, another key
        base_url="http://service",
        headers={"Authorization": f"Bearer {key}"},
    )
    return Client(http)


async def test_it_takes_a_scope_of_its_own(service: Service, alice: Customer) -> None:
    others = await with_scopes(service, *(one for one in Scope if one is not Scope.EXPORT))
    with pytest.raises(ProblemError) as refused:
        await others.export(alice.account_id)
    alone = await with_scopes(service, Scope.EXPORT)

    assert refused.value.code == "scope_missing"
    assert (await alone.export(alice.account_id))["complete"]
    with pytest.raises(ProblemError):
        await alone.account(alice.account_id)


@pytest.mark.parametrize("call", ["set_legal_hold", "lift_legal_hold"])
async def test_a_legal_hold_takes_a_scope_of_its_own(
    call: str, service: Service, alice: Customer
) -> None:
    others = await with_scopes(service, *(one for one in Scope if one is not Scope.LEGAL_HOLD))

    with pytest.raises(ProblemError) as refused:
        await getattr(others, call)(alice.account_id, "court 7/26")
    assert refused.value.code == "scope_missing"


async def test_of_one_account_a_few_are_handed_out_and_no_more(
    service: Service, alice: Customer
) -> None:
    for _ in range(int(EXPORT_OF_ONE_BURST)):
        await service.client.export(alice.account_id)
    other = await with_scopes(service, Scope.EXPORT)

    for client in (service.client, other):
        with pytest.raises(ProblemError) as refused:
            await client.export(alice.account_id)
        assert (refused.value.status, refused.value.code) == (429, "rate_limited")
    service.clock.forward(hours=1)
    assert (await service.client.export(alice.account_id))["complete"]


async def test_one_key_copies_so_many_customers_and_no_more(service: Service) -> None:
    count = int(EXPORT_BURST) + 1
    nobody = [account_id(number.to_bytes(16, "big")) for number in range(count)]
    codes = []
    for named in nobody:
        with pytest.raises(ProblemError) as refused:
            await service.client.export(named)
        codes.append(refused.value.code)

    assert codes == ["account_not_found"] * int(EXPORT_BURST) + ["rate_limited"]


# --- What goes wrong ---


JUDGED = ("Gericht Köln", "line\nbreak")  # The others are of a wrong length, which the schema says.


async def test_a_reference_has_its_form(service: Service, alice: Customer) -> None:
    for reference in ("", "x" * 25, "Gericht Köln", "line\nbreak"):
        with pytest.raises(ProblemError) as refused:
            await service.client.set_legal_hold(alice.account_id, reference)
        assert refused.value.status == 400
        assert ("characters of ASCII" in refused.value.detail) == (reference in JUDGED)
    with pytest.raises(ProblemError) as unknown:
        await service.client.lift_legal_hold(alice.account_id, "court 7/26")
    assert unknown.value.code == "legal_hold_not_found"
    for number in range(3):
        await service.client.set_legal_hold(alice.account_id, f"court {number}")
    with pytest.raises(ProblemError) as full:
        await service.client.set_legal_hold(alice.account_id, "court 9")
    assert (full.value.status, full.value.code) == (409, "legal_holds_too_many")


async def test_an_entry_that_is_gone_breaks_the_export_off(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    await database.execute("DELETE FROM event WHERE number = 2 AND subject = $1", alice.account_id)
    async with records_of(service, world, database) as records:
        pieces = await records.exporting.export(AccountId(alice.account_id), actor="operator:test")

        with pytest.raises(LogDamagedError):
            _ = [piece async for piece in pieces]


async def test_an_export_that_breaks_off_under_a_signed_request_is_a_signed_problem(
    service: Service, database: TestDatabase, alice: Customer
) -> None:
    """Prevents: a bare 500 without a code, of which a platform cannot say who sent it."""
    await database.execute("DELETE FROM event WHERE number = 2 AND subject = $1", alice.account_id)
    key = await signed_key(service)
    async with connected(service, key, pins=None) as client:  # It checks each answer's signature.
        with pytest.raises(ProblemError) as damaged:
            await client.export(alice.account_id)

    assert (damaged.value.status, damaged.value.code) == (503, "log_damaged")


async def test_what_nobody_expected_in_an_export_is_a_signed_problem_too(
    service: Service, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise LookupError("geheim")

    monkeypatch.setattr(SqlRecords, "told_to", broken)
    key = await signed_key(service)
    async with connected(service, key, pins=None) as client:
        with pytest.raises(ProblemError) as failed:
            await client.export(alice.account_id)

    assert (failed.value.status, failed.value.code) == (500, "internal")
    assert "geheim" not in failed.value.detail


async def test_an_export_that_breaks_off_under_no_signature_ends_without_its_end(
    service: Service, database: TestDatabase, alice: Customer
) -> None:
    await database.execute("DELETE FROM event WHERE number = 2 AND subject = $1", alice.account_id)

    for headers in ({}, {"Signature-Input": "other=()"}):
        with pytest.raises(LitestarException):  # What has left cannot be called back.
            await service.http.get(f"/v1/accounts/{alice.account_id}/export", headers=headers)


async def test_an_account_that_is_erased_meanwhile_ends_the_export(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    await ask_to_be_erased(alice)
    service.clock.forward(days=30)
    async with records_of(service, world, database) as records:
        pieces = await records.exporting.export(AccountId(alice.account_id), actor="operator:test")
        begun = [await anext(pieces), await anext(pieces)]
        assert records.erasing is not None
        (outcome,) = await records.erasing.run()
        assert outcome.index is not None

        with pytest.raises(AccountErasedError):
            begun += [piece async for piece in pieces]
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(b"".join(begun))


async def test_a_long_life_is_told_page_by_page(
    service: Service, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(service, alice)
    at_once: dict[str, Any] = await service.client.export(alice.account_id)
    monkeypatch.setattr("twinlock.adapters.sql.records.PAGE_ROWS", 3)
    paged = await service.client.export(alice.account_id)

    assert paged["entries"][: len(at_once["entries"])] == at_once["entries"]
    assert paged["closed_actions"] == at_once["closed_actions"]
