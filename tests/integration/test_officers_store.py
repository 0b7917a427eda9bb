"""A halt on a real database: it binds whatever is committed after it, by whichever process."""

import asyncio
import json
import time
from datetime import datetime
from pathlib import Path

import pytest
from support.auditing import adopt, audited, audited_store, codes, settings_of
from support.due import due_customer, eraser, erasing
from support.officers import ADA, BEN, CLEO, DORA, HALT, Officer
from support.postgres import TestDatabase
from support.stores import (
    ENTROPY,
    PLATFORM,
    POLICY,
    Customer,
    FixedPolicies,
    SteerableClock,
    new_action,
    open_store,
    opened,
    spend,
    spending,
    touching,
    withdrawal,
)
from support.until import asked_until

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.signing import KeyringIndex, KeyringSigner
from twinlock.adapters.sql import officers as sql_officers
from twinlock.adapters.sql.log_keys import SqlLogKeys
from twinlock.adapters.sql.officers import SqlPlatformActs
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.rewrap import Rewrap
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.webhooks import SqlWebhooks
from twinlock.adapters.system import SystemClock
from twinlock.domain.audit.findings import Fault
from twinlock.domain.bounds import SPEND_LIFETIME
from twinlock.domain.errors import (
    ClockUntrustedError,
    LogDamagedError,
    MalformedError,
    UnavailableError,
)
from twinlock.domain.ids import AccountId, ActionId
from twinlock.domain.officers.statements import Act, Release, StatementRefusedError, Suspend
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons
from twinlock.domain.suspending import NotSuspendedError, PlatformChangedError
from twinlock.domain.suspensions import AccountSuspension
from twinlock.domain.webhooks.outcomes import message_of
from twinlock.ports import Committed
from twinlock.ports.officers import Chain
from twinlock.proofs.officers import sign
from twinlock.services.evidence import Evidence
from twinlock.services.logbook import NewestHeads
from twinlock.services.officers import Officers, Standing
from twinlock.services.spending import AccountSuspendedError, PlatformHaltedError, Spending
from twinlock.services.suspensions import Suspended, Suspensions

WHO_WAITS = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND wait_event_type = 'Lock' LIMIT 1
"""
SPENDING = Spending(spend_id="spend-00001")


class House:
    """A store, and officers who speak for its platform."""

    def __init__(
        self, store: SqlStore, database: TestDatabase, keyring: Keyring, clock: SteerableClock
    ) -> None:
        self.store, self.database, self.keyring, self.clock = store, database, keyring, clock
        origin = settings_of(database, Path("/nowhere/data")).log_origin
        acts = SqlPlatformActs(
            store.database, sealer=Sealer(keyring), clock=clock, log_origin=origin
        )
        self.acts, self.origin = acts, origin
        self.officers = Officers(acts, clock=clock, entropy=ENTROPY, log_origin=origin)

    async def appoint(self) -> Standing:
        return await self.officers.appoint((ADA.key, BEN.key, CLEO.key), policy=POLICY.name.digest)

    async def does(self, officer: Officer, act: Act) -> Standing:
        statement = self.officers.statement(act, officer=officer.key)
        return await self.officers.act(sign(statement, officer.private.sign))

    async def halt(self) -> Standing:
        return await self.does(ADA, HALT)

    async def resume(self) -> Standing:
        await self.does(ADA, await self.officers.resume())
        return await self.does(BEN, await self.officers.resume())

    async def customer(self) -> Customer:
        return await opened(self.store, self.clock, blind=KeyringIndex(self.keyring))

    async def authorized(self) -> tuple[Customer, ActionId]:
        alice = await self.customer()
        action = new_action(alice)
        assert (await self.store.run(withdrawal(alice, action))).answer.answer is Answer.ALLOW
        return alice, action


@pytest.fixture
async def house(
    store: SqlStore, database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> House:
    found = House(store, database, keyring, clock)
    await found.appoint()
    return found


def stopped(committed: Committed) -> bool:
    answer = committed.answer
    if answer.answer is Answer.ALLOW:
        return False
    assert answer.answer is Answer.DENY
    assert Reason.PLATFORM_HALTED in reasons(answer.requirement)
    return True


async def test_officers_are_the_first_leaf_of_a_fresh_log(house: House) -> None:
    standing = await house.officers.standing()

    assert [(one.number, one.index) for one in standing.acts] == [(0, 0)]
    assert await house.store.halted_at() is None


async def test_under_a_halt_no_exit_is_authorized_and_none_is_spent(house: House) -> None:
    alice, action = await house.authorized()
    standing = await house.halt()

    assert stopped(await house.store.run(withdrawal(alice, new_action(alice))))
    assert stopped(await house.store.run(spend(alice, action)))
    assert not stopped(await house.store.run(touching(alice)))
    assert await house.store.halted_at() == standing.halted_at

    await house.resume()

    assert not stopped(await house.store.run(spend(alice, action)))
    assert (await audited_store(house.database, house.keyring)).findings == ()


async def test_a_clock_that_is_wrong_stops_the_command_and_not_the_platform(house: House) -> None:
    """Prevents: one officer's act dated an hour ahead, after which no batch's time is believed."""
    ahead = SystemClock(wall=lambda: time.time_ns() + 3_600 * 10**9)
    acts = SqlPlatformActs(
        house.store.database, sealer=Sealer(house.keyring), clock=ahead, log_origin=house.origin
    )
    officers = Officers(acts, clock=ahead, entropy=ENTROPY, log_origin=house.origin)
    statement = officers.statement(HALT, officer=ADA.key)

    with pytest.raises(ClockUntrustedError):
        await officers.act(sign(statement, ADA.private.sign))
    await house.authorized()


async def test_a_halt_binds_every_process(house: House) -> None:
    alice, action = await house.authorized()
    async with open_store(house.database.app_dsn, house.keyring, house.clock) as other:
        assert not stopped(await other.run(touching(alice)))
        await house.halt()

        assert stopped(await other.run(spend(alice, action)))
        assert await other.halted_at() is not None


class StillClock(SteerableClock):
    """A clock that does not tick: all that is done stands at one moment."""

    def now(self, *, database_at: datetime | None = None) -> datetime:
        return self.at


@pytest.mark.parametrize("clock_of", [SteerableClock, StillClock])
async def test_what_was_decided_before_a_halt_and_is_written_after_it_is_decided_again(
    database: TestDatabase, keyring: Keyring, clock_of: type[SteerableClock]
) -> None:
    """The batch has read that nothing is halted, and waits for the head behind the halt."""
    clock = clock_of()
    async with open_store(database.app_dsn, keyring, clock) as store:
        house = House(store, database, keyring, clock)
        await house.appoint()
        alice, action = await house.authorized()
        async with database.owner() as owner:
            held = owner.transaction()
            await held.start()
            await owner.fetch("SELECT 1 FROM head FOR UPDATE")
            halts = asyncio.create_task(house.halt())
            await database.somebody_waits_for_a_lock()
            spends = asyncio.create_task(store.run(spend(alice, action)))
            await database.somebody_waits_for_a_lock(sessions=2)
            await held.rollback()

        assert (await halts).halt == 1
        assert stopped(await spends)
    assert (await audited_store(database, keyring)).findings == ()


async def test_what_waits_for_the_head_longest_comes_first(house: House) -> None:
    alice, action = await house.authorized()
    async with house.database.owner() as owner:
        held = owner.transaction()
        await held.start()
        await owner.fetch("SELECT 1 FROM head FOR UPDATE")
        spends = asyncio.create_task(house.store.run(spend(alice, action)))
        await house.database.somebody_waits_for_a_lock()
        halts = asyncio.create_task(house.halt())
        await house.database.somebody_waits_for_a_lock(sessions=2)
        await held.rollback()

    assert not stopped(await spends)
    assert (await halts).halt == 1
    assert (await audited_store(house.database, house.keyring)).findings == ()


async def test_halts_under_load_let_nothing_leave_between_them(house: House) -> None:
    """Whatever the order: no spend stands in the log between a halt and its end."""
    customers = [await house.authorized() for _ in range(12)]

    async def halts() -> None:
        for _ in range(3):
            await house.halt()
            await house.resume()

    async def spends() -> list[bool]:
        return [
            stopped(await house.store.run(spend(alice, action)))
            for _ in range(3)
            for alice, action in customers
            if (await house.store.account(alice.account_id)).actions
        ]

    await asyncio.gather(halts(), spends())

    assert (await audited_store(house.database, house.keyring)).findings == ()


async def test_a_halt_that_cannot_have_the_head_is_tried_again_and_then_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.database.owner() as owner:
        held = owner.transaction()
        await held.start()
        await owner.fetch("SELECT 1 FROM head FOR UPDATE")
        halts = asyncio.create_task(house.halt())
        await house.database.somebody_waits_for_a_lock()
        first = await house.database.value(WHO_WAITS)
        await asked_until(
            lambda: house.database.value(WHO_WAITS), lambda pid: pid not in (None, first)
        )
        await held.rollback()
        assert (await halts).halt == 1
        held = owner.transaction()
        await held.start()
        await owner.fetch("SELECT 1 FROM head FOR UPDATE")
        monkeypatch.setattr(sql_officers, "TRIES", 2)
        with pytest.raises(UnavailableError):
            await house.halt()
        await held.rollback()


async def test_a_spend_that_was_committed_is_signed_again_when_it_is_resumed(house: House) -> None:
    _, action = await house.authorized()
    spends = spending(house.store, house.keyring, house.clock)
    first = await spends.spend(action, SPENDING, actor=PLATFORM)
    await house.halt()

    with pytest.raises(PlatformHaltedError):
        await spends.spend(action, SPENDING, actor=PLATFORM)

    await house.resume()
    again = await spends.spend(action, SPENDING, actor=PLATFORM)
    assert again.authorization == first.authorization


async def evidence(house: House) -> Evidence:
    signer = KeyringSigner(house.keyring, log_origin="tests.example/log")
    texts = SqlPolicyTexts(house.store.database)
    await texts.keep(POLICY.text)
    heads = NewestHeads(house.store, signer=signer)
    return Evidence(house.store, policies=texts, signer=signer, published=heads, clock=house.clock)


async def test_the_evidence_of_a_spend_is_no_way_around_a_halt(house: House) -> None:
    """Prevents: a spend of the last moment, which a signer fetches with its evidence."""
    _, action = await house.authorized()
    await spending(house.store, house.keyring, house.clock).spend(action, SPENDING, actor=PLATFORM)
    shown = await evidence(house)
    before = await shown.bundle(action)
    await house.halt()

    under = await shown.bundle(action)

    assert before.authorization
    assert not under.authorization
    assert under.decision.leaf == before.decision.leaf
    await house.resume()
    assert (await shown.bundle(action)).authorization == before.authorization


async def test_a_head_of_before_a_halt_that_was_put_back_ends_no_halt(house: House) -> None:
    """Prevents: a spend that is signed again, since somebody wrote to the database for a moment.

    Where witnesses cosign, nothing else of it reads the head.
    """
    await house.database.execute("CREATE TABLE kept AS SELECT * FROM head")
    await house.halt()
    await house.store.head()
    await house.database.execute(
        "UPDATE head SET size = k.size, edge = k.edge, at = k.at, mac = k.mac,"
        " platform = k.platform FROM kept k"
    )

    with pytest.raises(LogDamagedError):
        await house.store.halted_at()


async def test_nobody_is_erased_under_a_halt(house: House) -> None:
    customer, action = await due_customer(house.store, house.clock)
    await house.halt()
    erases = eraser(house.database.owner_dsn, house.keyring, house.clock)

    assert stopped(await erases.erase(erasing(customer, action)))


async def test_an_erasure_that_waits_behind_a_halt_is_decided_again(house: House) -> None:
    customer, action = await due_customer(house.store, house.clock)
    erases = eraser(house.database.owner_dsn, house.keyring, house.clock)
    async with house.database.owner() as owner:
        held = owner.transaction()
        await held.start()
        await owner.fetch("SELECT 1 FROM head FOR UPDATE")
        halts = asyncio.create_task(house.halt())
        await house.database.somebody_waits_for_a_lock()
        late = asyncio.create_task(erases.erase(erasing(customer, action)))
        await house.database.somebody_waits_for_a_lock(sessions=2)
        await held.rollback()
    await halts

    with pytest.raises(UnavailableError, match="another answer"):
        await late
    assert (await house.store.account(customer.account_id)).erased_at is None


async def test_a_halt_outlives_whatever_else_is_written_to_the_head(house: House) -> None:
    alice, action = await house.authorized()
    await house.halt()
    sealer = Sealer(house.keyring)
    await SqlLogKeys(house.store.database, sealer=sealer, clock=house.clock).tell("a key")
    await Rewrap(
        house.database.owner_dsn, sealer=sealer, entropy=ENTROPY, told=lambda _: None
    ).run()
    await house.store.run(touching(alice))

    assert stopped(await house.store.run(spend(alice, action)))


async def test_webhooks_pass_over_what_officers_did(house: House) -> None:
    """Prevents: every endpoint that stands still at the first halt."""
    alice = await house.customer()
    await house.halt()
    await house.store.run(touching(alice))

    entries = await SqlWebhooks(house.store, entropy=ENTROPY).entries(start=0, count=10)

    own = alice.account_id
    assert [one.account_id for one in entries] == ["", own, "", own]


# --- One account ---


def suspensions(house: House) -> Suspensions:
    policies = FixedPolicies(house.clock, KeyringSigner(house.keyring, log_origin=house.origin))
    return Suspensions(house.store, acts=house.acts, policies=policies, log_origin=house.origin)


async def says(house: House, officer: Officer, act: Suspend | Release) -> Suspended:
    statement = house.officers.statement(act, officer=officer.key)
    signed = sign(statement, officer.private.sign)
    return await suspensions(house).act(signed, named=AccountId(act.account))


async def test_a_suspended_account_stops_and_others_do_not(house: House) -> None:
    (alice, action), (bob, bobs) = await house.authorized(), await house.authorized()
    with pytest.raises(NotSuspendedError):
        await suspensions(house).release(alice.account_id)

    told = await says(house, ADA, Suspend(account=alice.account_id, because="case-9"))

    assert told.done
    answer = (await house.store.run(spend(alice, action))).answer
    assert Reason.ACCOUNT_SUSPENDED in reasons(answer.requirement)
    assert (await house.store.run(spend(bob, bobs))).answer.answer is Answer.ALLOW

    releasing = await suspensions(house).release(alice.account_id)
    assert not (await says(house, BEN, releasing)).done
    assert (await says(house, CLEO, releasing)).done

    assert (await house.store.run(spend(alice, action))).answer.answer is Answer.ALLOW
    assert (await audited_store(house.database, house.keyring)).findings == ()


async def test_what_was_spent_just_before_a_suspension_is_signed_no_more(house: House) -> None:
    """Prevents: a theft of the last minutes, whose wallet asks for the spend, or its evidence."""
    (alice, older), (_, bobs) = await house.authorized(), await house.authorized()
    spends, shown = spending(house.store, house.keyring, house.clock), await evidence(house)
    first = await spends.spend(older, SPENDING, actor=PLATFORM)
    house.clock.advance(2 * SPEND_LIFETIME)
    newer = new_action(alice)
    await house.store.run(withdrawal(alice, newer))
    for action in (newer, bobs):
        await spends.spend(action, SPENDING, actor=PLATFORM)
    await says(house, ADA, Suspend(account=alice.account_id, because="case-9"))

    for action in (older, bobs):
        again = await spends.spend(action, SPENDING, actor=PLATFORM)
        assert again.authorization
        assert (await shown.bundle(action)).authorization
    assert first.authorization
    with pytest.raises(AccountSuspendedError):
        await spends.spend(newer, SPENDING, actor=PLATFORM)
    bundle = await shown.bundle(newer)
    assert (bundle.authorization, bool(bundle.decision.leaf)) == ("", True)

    releasing = await suspensions(house).release(alice.account_id)
    await says(house, BEN, releasing)
    await says(house, CLEO, releasing)
    assert (await spends.spend(newer, SPENDING, actor=PLATFORM)).authorization
    assert (await shown.bundle(newer)).authorization


async def test_the_audit_wants_every_word_about_an_account_to_be_an_officers(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has all of our keys, and runs his own program: he suspends nobody unseen."""
    alice = await house.customer()
    monkeypatch.setattr("twinlock.services.suspensions.checked", lambda signed: signed)
    act = Suspend(account=alice.account_id, because="case-9")
    statement = house.officers.statement(act, officer=ADA.key)
    forged = sign(statement, DORA.private.sign)
    assert (await suspensions(house).act(forged, named=alice.account_id)).done

    verdict = await audited_store(house.database, house.keyring)
    assert codes(verdict) == {Fault.SUSPENSION_UNSAID}


async def test_whoever_is_no_officer_any_more_when_it_is_decided_suspends_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Officers change between the look at who counts and the account's lock, every time."""
    alice = await house.customer()
    act = Suspend(account=alice.account_id, because="case-9")
    read = house.acts.read

    async def read_and_halt() -> Chain:
        chain = await read()
        await house.does(BEN, HALT)
        return chain

    monkeypatch.setattr(house.acts, "read", read_and_halt)
    with pytest.raises(PlatformChangedError):
        await says(house, ADA, act)
    monkeypatch.undo()

    assert (await house.store.account(alice.account_id)).suspension.set_at == 0
    assert (await says(house, ADA, act)).done


async def test_what_is_said_about_the_platform_suspends_nobody(house: House) -> None:
    alice = await house.customer()
    signed = sign(house.officers.statement(HALT, officer=ADA.key), ADA.private.sign)

    with pytest.raises(MalformedError):
        await suspensions(house).act(signed, named=alice.account_id)


# --- Whoever has the database ---

UNHALTED = [
    pytest.param("UPDATE head SET platform = ''", id="no officers"),
    pytest.param(
        "UPDATE head SET platform = convert_to(regexp_replace("
        "convert_from(platform, 'UTF8'), '\"halted\":[0-9]+', '\"halted\":null'), 'UTF8')",
        id="not halted",
    ),
    pytest.param(
        "UPDATE head h SET platform = o.platform FROM public.kept o", id="what stood before"
    ),
]


@pytest.mark.parametrize("edit", UNHALTED)
async def test_whoever_has_the_database_and_no_key_resumes_nothing(house: House, edit: str) -> None:
    alice, action = await house.authorized()
    await house.database.execute("CREATE TABLE public.kept AS TABLE head")
    await house.halt()
    await house.database.execute(edit)

    for ask in (
        lambda: house.store.run(spend(alice, action)),
        lambda: house.store.run(withdrawal(alice, new_action(alice))),
        house.store.halted_at,
        house.officers.standing,
        house.resume,
    ):
        with pytest.raises(LogDamagedError):
            await ask()
    assert Fault.HEAD_FORGED in codes(await audited_store(house.database, house.keyring))


async def test_a_head_from_before_the_halt_is_believed_by_nobody(house: House) -> None:
    alice, action = await house.authorized()
    await house.database.execute("CREATE TABLE public.kept AS TABLE head")
    await house.halt()
    await house.database.execute("DELETE FROM head")
    await house.database.execute("INSERT INTO head SELECT * FROM public.kept")

    with pytest.raises(LogDamagedError):
        await house.store.run(spend(alice, action))
    async with open_store(house.database.app_dsn, house.keyring, house.clock) as fresh:
        with pytest.raises(LogDamagedError):
            await fresh.run(spend(alice, action))


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        pytest.param(
            "DELETE FROM leaf WHERE leaf_index = 1", {Fault.PLATFORM_WRONG}, id="the halt removed"
        ),
        pytest.param(
            "UPDATE leaf SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'case-7',"
            " 'case-8'), 'UTF8') WHERE leaf_index = 1",
            {Fault.PLATFORM_WRONG},
            id="its reason changed",
        ),
        pytest.param(
            "UPDATE leaf SET label = decode(repeat('ab', 32), 'hex') WHERE leaf_index = 1",
            {Fault.PLATFORM_WRONG, Fault.LEAF_LABEL_WRONG},
            id="its label changed",
        ),
    ],
)
async def test_the_audit_sees_that_an_act_was_tampered_with(
    house: House, edit: str, found: set[Fault]
) -> None:
    await house.halt()
    await house.database.execute(edit)

    assert found <= codes(await audited_store(house.database, house.keyring))
    with pytest.raises(LogDamagedError):
        await house.officers.standing()


async def test_the_audit_sees_what_left_under_a_halt(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of the platform that heeds no halt: the log says what it did."""
    alice, action = await house.authorized()
    settings = settings_of(house.database, tmp_path / "data")
    await adopt(house.database, house.keyring, settings)
    await house.halt()
    monkeypatch.setattr("twinlock.adapters.sql.batch.halted_since", lambda _: None)
    assert not stopped(await house.store.run(spend(alice, action)))

    for only_log in (False, True):
        verdict = await audited(house.database, house.keyring, settings, only_log=only_log)
        assert codes(verdict) == {Fault.LEFT_WHILE_HALTED}
        assert [one.where for one in verdict.findings] == ["leaf 4"]


async def test_the_audit_sees_who_was_erased_under_a_halt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: whoever runs the process, and destroys what officers are looking for."""
    customer, action = await due_customer(house.store, house.clock)
    await house.halt()
    monkeypatch.setattr("twinlock.adapters.sql.erasing.halted_since", lambda _: None)
    erases = eraser(house.database.owner_dsn, house.keyring, house.clock)
    assert not stopped(await erases.erase(erasing(customer, action)))

    verdict = await audited_store(house.database, house.keyring)
    assert codes(verdict) == {Fault.LEFT_WHILE_HALTED}


async def test_the_audit_sees_what_left_an_account_that_was_suspended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of the platform that heeds no officer: the account's entries say what it did."""
    (alice, action), (bob, bobs) = await house.authorized(), await house.authorized()
    await says(house, ADA, Suspend(account=alice.account_id, because="case-9"))
    monkeypatch.setattr(AccountSuspension, "until", lambda _, now: None)
    assert not stopped(await house.store.run(spend(alice, action)))
    assert not stopped(await house.store.run(spend(bob, bobs)))
    monkeypatch.undo()

    verdict = await audited_store(house.database, house.keyring)
    assert codes(verdict) == {Fault.LEFT_WHILE_SUSPENDED}
    assert len(verdict.findings) == 1


async def test_the_audit_wants_every_act_to_be_an_officers(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has all of our keys, and runs his own program: he signs for no officer."""
    await house.halt()
    resume = await house.officers.resume()
    monkeypatch.setattr("twinlock.services.officers.checked", lambda signed: signed)
    for officer in (ADA, BEN):
        statement = house.officers.statement(resume, officer=officer.key)
        await house.officers.act(sign(statement, DORA.private.sign))

    assert Fault.PLATFORM_WRONG in codes(await audited_store(house.database, house.keyring))
    with pytest.raises(LogDamagedError, match="not that of the officer"):
        await house.officers.standing()


async def test_a_refused_statement_is_no_act(house: House) -> None:
    with pytest.raises(StatementRefusedError):
        await house.does(DORA, HALT)

    assert len((await house.officers.standing()).acts) == 1
    assert (await house.store.head()).size == 1


async def test_what_officers_say_of_an_account_is_told_and_stops_no_webhook(house: House) -> None:
    """Prevents: one officer who suspends one account, after which no endpoint is told anything."""
    alice = await house.customer()
    shelf = SqlWebhooks(house.store, entropy=ENTROPY)
    start = await shelf.size()
    told = await says(house, ADA, Suspend(account=alice.account_id, because="case-9"))
    release = await suspensions(house).release(alice.account_id)
    await says(house, BEN, release)
    await says(house, CLEO, release)

    messages = [message_of(one) for one in await shelf.entries(start=start, count=16)]

    read = [None if one is None else json.loads(one.body) for one in messages]
    kinds = ["account.suspended", "account.release_agreed", "account.released"]
    assert [one and one["type"] for one in read] == kinds
    assert {one and one["data"]["account_id"] for one in read} == {alice.account_id}
    ends = datetime.fromisoformat(read[0]["data"]["until"]) if read[0] else None
    assert ends == told.suspension.end
    assert all("case-9" not in str(one) for one in read)
