"""Erasing an account: what it takes, what is left of it, and that every proof still verifies."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.browser import Web
from support.erasing import WAIT_DAYS, ask_to_be_erased, erase_due, everything_in
from support.postgres import TestDatabase
from support.service import ADDRESS, PASSWORD, Customer, Service

from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.trust import trust_of
from twinlock.bootstrap.world import World
from twinlock.client import ProblemError
from twinlock.domain.canonical import from_b64url
from twinlock.domain.entries import entry_key, entry_label
from twinlock.domain.ids import AccountId
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.outside_events import NoticeReported
from twinlock.proofs.bundles import verify_bundle


async def state_of(customer: Customer, action_id: str) -> str:
    return (await customer.client.action(action_id)).state


async def effects(service: Service, customer: Customer) -> int:
    """Return how many of the account's entries say more than how far a message came."""
    found, number = 0, 0
    account_id = AccountId(customer.account_id)
    while (one := await service.api.store.entry(account_id, number)) is not None:
        found += not all(isinstance(event, NoticeReported) for event in one.kept.events)
        number += 1
    return found


async def refused(ask: Callable[[], Awaitable[object]]) -> tuple[int, str]:
    with pytest.raises(ProblemError) as raised:
        await ask()
    return raised.value.status, raised.value.code


# --- What it takes ---


async def test_an_erasure_waits_thirty_days_after_its_proof_and_every_channel_is_told(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    action = await ask_to_be_erased(alice)
    await service.deliver()

    letters = [json.loads(one.read_bytes()) for one in world.settings.outbox_dir.iterdir()]
    told = [one for one in letters if one["what"] == "account.erase"]
    assert {one["channel"] for one in told} == {"email", "desktop"}
    assert all(one["kind"] == "waiting" and one["veto"] for one in told)
    service.clock.forward(days=WAIT_DAYS, seconds=-1)
    assert await erase_due(service, world, database) == ()
    service.clock.forward(seconds=1)
    (outcome,) = await erase_due(service, world, database)
    assert (outcome.action_id, outcome.reasons) == (action, ())
    assert outcome.index is not None


async def test_any_channel_can_stop_it_until_the_last_moment(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    action = await ask_to_be_erased(alice)
    await service.deliver()
    letters = [json.loads(one.read_bytes()) for one in world.settings.outbox_dir.iterdir()]
    (notice,) = [
        one for one in letters if one["what"] == "account.erase" and one["channel"] == "email"
    ]
    service.clock.forward(days=WAIT_DAYS)
    no = {"channel_id": notice["channel_id"], "token": notice["veto"]}
    assert (await alice.client.veto(action, no)).state == "vetoed"

    assert await erase_due(service, world, database) == ()
    assert (await alice.client.account(alice.account_id))["actions"] == []


async def test_nobody_but_the_operator_s_command_carries_it_out(
    service: Service, alice: Customer
) -> None:
    action = await ask_to_be_erased(alice)
    service.clock.forward(days=WAIT_DAYS)

    assert (await alice.with_secret(action, "password", PASSWORD)).answer == "allow"
    assert await state_of(alice, action) == "open"
    await alice.sign_in()
    assert await state_of(alice, action) == "open"


async def test_it_lapses_when_nobody_carried_it_out_for_a_month(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    action = await ask_to_be_erased(alice)
    service.clock.forward(days=WAIT_DAYS + 30)
    await alice.sign_in()

    assert await state_of(alice, action) == "lapsed"
    assert await erase_due(service, world, database) == ()


async def test_staff_with_every_platform_key_cannot_erase_without_the_customer(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    proposed = await alice.propose("account.erase")
    service.clock.forward(minutes=59)
    assert proposed.answer == "hold"
    assert await erase_due(service, world, database) == ()
    service.clock.forward(days=WAIT_DAYS)
    assert await erase_due(service, world, database) == ()
    assert (await alice.client.account(alice.account_id))["account_id"] == alice.account_id


# --- What stops it ---


async def due_and_refused(service: Service, world: World, database: TestDatabase) -> list[str]:
    (outcome,) = await erase_due(service, world, database)
    assert outcome.index is None
    return [one.value for one in outcome.reasons]


async def test_a_legal_hold_stops_it_as_long_as_it_stands(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    await ask_to_be_erased(alice)
    await service.client.set_legal_hold(alice.account_id, "court 7/26")
    service.clock.forward(days=WAIT_DAYS)
    assert await due_and_refused(service, world, database) == ["legal_hold"]
    seen = await alice.client.account(alice.account_id)
    assert [one["reference"] for one in seen["legal_holds"]] == ["court 7/26"]
    await service.client.lift_legal_hold(alice.account_id, "court 7/26")

    (outcome,) = await erase_due(service, world, database)
    assert outcome.index is not None


async def test_while_a_hold_stands_an_erasure_is_refused_and_told_why(
    service: Service, alice: Customer
) -> None:
    await service.client.set_legal_hold(alice.account_id, "court 7/26")
    refusal = await alice.propose("account.erase")

    assert refusal.state == "refused"
    (why,) = [one for one in refusal.why if one.code == "legal_hold"]
    assert why.ends
    assert why.way_on


async def test_a_freeze_stops_it(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    await ask_to_be_erased(alice)
    frozen = await alice.propose("freeze.set")
    await alice.with_passkey(frozen.action_id)
    service.clock.forward(days=WAIT_DAYS)

    assert await due_and_refused(service, world, database) == ["account_frozen"]


async def test_an_exit_that_is_not_finished_stops_it_until_it_is_over(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    await ask_to_be_erased(alice)
    service.clock.forward(days=WAIT_DAYS)
    assert (await alice.withdraw()).answer == "hold"
    assert await due_and_refused(service, world, database) == ["exit_open"]
    service.clock.forward(days=9)

    (outcome,) = await erase_due(service, world, database)
    assert outcome.index is not None


async def test_a_platform_that_only_proposes_exits_stops_no_erasure(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    """Prevents: a stolen platform key that proposes before each run, until the erasure lapses."""
    await ask_to_be_erased(alice)
    service.clock.forward(days=WAIT_DAYS)
    await alice.propose("withdrawal.crypto", alice.withdrawal())

    (outcome,) = await erase_due(service, world, database)
    assert outcome.index is not None


async def test_two_proofs_of_one_instant_are_found_in_the_log(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    """Prevents: an erasure told as damaged for ever, since a password came at the same time."""
    proposed = await alice.propose("account.erase")
    await alice.with_secret(proposed.action_id, "password", PASSWORD)
    await alice.with_passkey(proposed.action_id)
    account = await service.api.store.account(AccountId(alice.account_id))
    shown = account.action(proposed.action_id).shown
    assert shown[0].at == shown[1].at
    service.clock.forward(days=WAIT_DAYS)

    (outcome,) = await erase_due(service, world, database)
    assert (outcome.index is not None, outcome.fault) == (True, "")


async def test_of_two_erasures_of_one_account_the_first_does_it_and_the_second_is_over(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    """Prevents: an alarm about a damaged log where nothing is wrong."""
    first, _ = [await ask_to_be_erased(alice) for _ in range(2)]
    service.clock.forward(days=WAIT_DAYS)

    (outcome,) = await erase_due(service, world, database)
    assert (outcome.action_id, outcome.fault) == (first, "")
    assert outcome.index is not None
    assert await erase_due(service, world, database) == ()


async def test_a_wait_of_which_no_word_arrived_is_longer_told_and_then_over(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    """Prevents: a flood, or a mailbox that is gone, by which nobody can ever be erased."""
    action = await ask_to_be_erased(alice)
    await service.client.report_flood(alice.account_id)
    service.clock.forward(days=WAIT_DAYS)
    assert await due_and_refused(service, world, database) == ["wait_told"]
    (waits,) = (await service.api.store.account(AccountId(alice.account_id))).actions
    await service.deliver()
    letters = [json.loads(one.read_bytes()) for one in world.settings.outbox_dir.iterdir()]
    told = {one["until"] for one in letters if one["what"] == "account.erase"}

    assert (waits.action_id, waits.lengthened) == (action, True)
    assert waits.until is not None
    assert waits.until.isoformat() in told
    assert len(told) == 2  # The first wait, and the longer one.
    service.clock.forward(days=WAIT_DAYS, seconds=1)
    (outcome,) = await erase_due(service, world, database)
    assert outcome.index is not None


async def test_a_hold_on_exits_stops_it_until_it_ends(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    await ask_to_be_erased(alice)
    service.clock.forward(days=WAIT_DAYS)
    elsewhere = Customer(service, "alice elsewhere")
    elsewhere.account_id, elsewhere.passkey = alice.account_id, alice.passkey
    await elsewhere.sign_in()

    assert await due_and_refused(service, world, database) == ["exits_held"]


async def test_what_was_due_before_it_takes_effect_once_and_not_in_each_run(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    """Prevents: a hold that begins anew in every run, so that nothing is ever erased."""
    bound = await alice.bind_totp()
    await alice.with_passkey(bound.action_id)
    await ask_to_be_erased(alice)
    before = await effects(service, alice)
    service.clock.forward(days=WAIT_DAYS)

    assert await due_and_refused(service, world, database) == ["exits_held"]
    assert await effects(service, alice) == before + 1
    account = await service.api.store.account(AccountId(alice.account_id))
    assert account.holds
    assert await due_and_refused(service, world, database) == ["exits_held"]
    assert await effects(service, alice) == before + 1
    again = await service.api.store.account(AccountId(alice.account_id))
    assert again.holds == account.holds
    service.clock.forward(days=3)
    (outcome,) = await erase_due(service, world, database)
    assert outcome.index == (await service.api.store.head()).size - 1


async def test_five_years_after_the_last_exit_it_may_be_asked_for(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    await alice.add_destination()
    spent_at = service.clock.at
    action = await alice.withdraw()
    await service.client.spend(action.action_id, spend_id="spend-0001")
    refusal = await alice.propose("account.erase")
    assert refusal.state == "refused"
    (why,) = [one for one in refusal.why if one.code == "retention"]
    assert why.way_on
    service.clock.forward(days=1827, seconds=-1)
    service.http.headers["Authorization"] = f"Bearer {await service.platform_key()}"
    assert (await alice.propose("account.erase")).state == "refused"
    service.clock.forward(seconds=1)

    assert service.clock.at >= spent_at.replace(year=spent_at.year + 5)
    await ask_to_be_erased(alice)


# --- What is left ---


async def erased(service: Service, world: World, database: TestDatabase, customer: Customer) -> int:
    """Erase ``customer``, and return the index of the leaf that says so."""
    await ask_to_be_erased(customer)
    service.clock.forward(days=WAIT_DAYS)
    (outcome,) = await erase_due(service, world, database)
    assert outcome.index is not None
    return outcome.index


async def test_every_call_about_it_says_that_it_was_erased(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    earlier = await alice.propose("freeze.set")
    await erased(service, world, database, alice)

    client, named = service.client, alice.account_id
    question = {"factor": "passkey"}
    asked: list[Callable[[], Awaitable[Any]]] = [
        lambda: client.account(named),
        lambda: client.destinations(named),
        lambda: client.offer(named, "totp"),
        lambda: client.end_sessions(named),
        lambda: client.report_sim_change(named),
        lambda: client.report_flood(named),
        lambda: client.set_legal_hold(named, "court 7/26"),
        lambda: client.lift_legal_hold(named, "court 7/26"),
        lambda: client.export(named),
        lambda: alice.propose("freeze.set"),
        alice.withdraw,
        lambda: client.action(earlier.action_id),
        lambda: client.ask(earlier.action_id, question),
        lambda: client.prove(earlier.action_id, {"factor": "password", "secret": "x" * 20}),
        lambda: client.veto(earlier.action_id, {"channel_id": "chn_x", "token": "x"}),
        lambda: client.spend(earlier.action_id, spend_id="spend-0009"),
        lambda: client.evidence(earlier.action_id),
    ]
    assert [await refused(one) for one in asked] == [(410, "account_erased")] * len(asked)
    page = await service.http.get(f"/v1/accounts/acc_{'a' * 26}")
    assert page.status_code == 404

    evaluated = await client.evaluate(
        {
            "subject": {"type": "account", "id": named},
            "action": {"name": "freeze.set"},
            "resource": {"type": "account", "id": named},
        }
    )
    assert evaluated.context.error is not None
    assert (evaluated.decision, evaluated.context.error.code) == (False, "account_erased")


async def test_a_page_tells_of_an_erased_account_as_of_one_that_never_was(
    service: Service, world: World, database: TestDatabase, alice: Customer, web: Web
) -> None:
    """Prevents: a link that somebody kept, and that tells who was a customer here."""
    earlier = (await alice.propose("freeze.set")).action_id
    await erased(service, world, database, alice)
    nowhere = f"act_{'a' * 26}_{'b' * 26}"

    for path in (f"/confirm/{earlier}", f"/veto/{earlier}?channel_id=chn_x&token=x"):
        gone, never = await web.get(path), await web.get(path.replace(earlier, nowhere))
        assert (gone.status_code, gone.text) == (404, never.text)
        assert "<code>action_not_found</code>" in gone.text
    scripted = await web.json(f"/confirm/{earlier}/challenge", {"factor": "passkey"})
    assert (scripted.status_code, scripted.json()["code"]) == (404, "action_not_found")
    typed = await web.form(f"/confirm/{earlier}/proof", factor="password", secret="x" * 20)
    assert (typed.status_code, "action_not_found" in typed.text) == (404, True)


async def test_nothing_of_the_person_is_left_in_the_database(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    account = await service.api.store.account(alice.account_id)  # type: ignore[arg-type] # of the API
    label_key = from_b64url(account.chain.label_key)
    entries = [
        await service.api.store.entry(account.account_id, number)
        for number in range(account.chain.entries)
    ]
    before = await everything_in(database)
    salts = [opening.salt for one in entries if one for opening in one.kept.openings.values()]
    labels = [entry_label(entry_key(label_key, number)) for number in range(len(entries))]
    opened_at = account.opened_at.isoformat(timespec="milliseconds").removesuffix("+00:00")
    assert alice.account_id.encode() in before
    assert opened_at[:19].encode() in before, "facts name the age of the account"
    index = await erased(service, world, database, alice)

    after = await everything_in(database)
    rows = await database.fetch("SELECT * FROM erased")
    assert [(row["subject"], row["leaf_index"]) for row in rows] == [(alice.account_id, index)]
    # The id stands once, so that whoever asks is told; and nothing leads from it to the leaves.
    assert after.count(alice.account_id.encode()) == 1
    gone = [ADDRESS, account.member_id, opened_at[:19]]
    gone += [one.address for one in account.channels]
    gone += [one.authenticator_id for one in account.authenticators]
    gone += [one.session_id for one in account.sessions]
    gone += [one.thumbprint for one in account.devices] + salts
    assert [one for one in gone if one.encode() in after] == []
    assert label_key not in after
    assert all(label in after for label in labels), "leaves stay"
    for table in ("subject_key", "stream", "event", "outbox", "idempotency"):
        assert await database.value(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - of ours


async def test_a_neighbour_loses_nothing(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    bob = Customer(service, "bob")
    await bob.set_up()
    theirs = await database.fetch("SELECT * FROM event WHERE subject = $1", bob.account_id)
    await erased(service, world, database, alice)

    assert theirs == await database.fetch("SELECT * FROM event WHERE subject = $1", bob.account_id)
    await bob.sign_in()
    assert (await bob.client.export(bob.account_id))["complete"]


# --- Proofs ---


async def test_a_bundle_that_was_handed_out_before_verifies_as_ever(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    frozen = await alice.propose("freeze.set")
    await alice.with_passkey(frozen.action_id)
    lifted = await alice.propose("freeze.lift")
    await alice.with_passkey(lifted.action_id)
    service.clock.forward(hours=24)
    await alice.sign_in()
    bundles = [await service.client.evidence(one.action_id) for one in (frozen, lifted)]
    seen = (await service.api.store.head()).size
    index = await erased(service, world, database, alice)

    trust = trust_of(service.settings, service.keyring, book=rule_book())
    for bundle in bundles:
        verify_bundle(bundle, trust=trust)
    bob = Customer(service, "bob")
    await bob.set_up()
    action = await bob.propose("freeze.set")
    await bob.with_passkey(action.action_id)
    later = await service.client.evidence(action.action_id, consistent_from=seen)
    verify_bundle(later, trust=trust)
    proof = await service.http.get(f"/proof/{index}")
    assert proof.status_code == 200
    (leaf,) = await service.api.store.leaves(start=index, count=1)
    said = json.loads(leaf)
    assert (said["t"], said["dec"]) == ("account.erased", "allow")
    assert leaf_hash(leaf)
