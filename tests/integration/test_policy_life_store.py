"""Which policy decides, on a real database: what officers activated, in every process, at once.

An activation that has returned binds every decision that is committed after it. Nothing that lies
in a file or in the database brings another version in.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from support.auditing import audited
from support.due import due_customer, eraser, erasing
from support.officers import ADA, BEN, CLEO, FOUNDING
from support.policies import policy_of, with_rules
from support.policy_lives import STRICTER, Lives, stricter_text
from support.postgres import TestDatabase
from support.put_back import keep, put_back
from support.service import Customer, Service, SteerableClock, serving
from support.stores import SteerableClock as StoresClock
from support.stores import opened, touching
from support.until import asked_until, until

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.policies import shipped
from twinlock.adapters.sql.officers import SqlPlatformActs
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.store import SqlStore
from twinlock.bootstrap.policy_life import found
from twinlock.bootstrap.records import open_records
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.ruling import (
    AGAIN_SECONDS,
    BLIND_SECONDS,
    Ruling,
    book_in_force,
    ruling_of,
)
from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.trust import known_policies, served_policy, tell_served
from twinlock.bootstrap.world import World
from twinlock.client import ProblemError
from twinlock.domain.audit.findings import Fault
from twinlock.domain.bounds import POLICY_WAIT
from twinlock.domain.errors import LogDamagedError, TwinlockError, UnavailableError
from twinlock.domain.ids import AccountId
from twinlock.domain.officers.platform import Platform, PlatformLeaf, appointed
from twinlock.domain.officers.standing import (
    PolicyChangedError,
    PolicyNotActivatedError,
    PolicyNotLoadedError,
)
from twinlock.domain.officers.statements import AcceptGrowth, Suspend
from twinlock.domain.officers.versions import PolicyNotReadyError
from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.domain.policy.version import Policy
from twinlock.ports.officers import Chain
from twinlock.proofs.officers import sign

DEFAULT = rule_book().policy
BURST = 24  # Proposals at each service while a version is activated.


@dataclass
class Two:
    """Two services of one installation, a customer of each, and their officers."""

    one: Service
    other: Service
    alice: Customer
    bob: Customer
    lives: Lives
    world: World
    database: TestDatabase

    async def leaves(self) -> list[tuple[int, dict[str, Any]]]:
        rows = await self.database.fetch("SELECT leaf_index, entry FROM leaf ORDER BY 1")
        return [(row["leaf_index"], msgspec.json.decode(row["entry"])) for row in rows]

    async def policies_after(self, index: int) -> set[str]:
        return {leaf["pol"] for at, leaf in await self.leaves() if at > index and "pol" in leaf}

    async def reasons(self, customer: Customer) -> list[str]:
        asked = await customer.propose("withdrawal.crypto", customer.withdrawal("10"))
        return [why.code.value for why in asked.why]


@pytest.fixture
async def two(service: Service, world: World, database: TestDatabase) -> AsyncIterator[Two]:
    lives = Lives(world, service.clock)
    async with serving(
        world, waiting_letters=service.waiting_letters, clock=service.clock
    ) as other:
        alice, bob = Customer(service, "alice"), Customer(other, "bob")
        await alice.set_up()
        await bob.set_up()
        await lives.appoint(DEFAULT)
        yield Two(service, other, alice, bob, lives, world, database)


# --- Without a restart ---


async def test_what_officers_activate_decides_in_every_process_at_once(two: Two) -> None:
    assert "platform_rule" not in await two.reasons(two.alice)
    activation = await two.lives.approved(STRICTER)
    assert "platform_rule" not in await two.reasons(two.alice)

    life = await two.lives.does(CLEO, activation)

    assert (life.policy, life.done) == (STRICTER.name.digest, True)
    for customer in (two.alice, two.bob):
        assert "platform_rule" in await two.reasons(customer)
    told = (await two.other.http.get("/metrics")).text.splitlines()
    assert f'twinlock_policy{{digest="{STRICTER.name.digest}"}} 1.0' in told
    assert (await two.other.http.get("/health/ready")).status_code == 200


async def test_in_the_middle_of_a_burst_each_entry_names_the_version_of_its_moment(
    two: Two,
) -> None:
    """Nobody is refused for it: what was decided by the one before is asked again."""
    activation = await two.lives.approved(STRICTER)
    burst = [two.reasons(customer) for _ in range(BURST) for customer in (two.alice, two.bob)]
    half = len(burst) // 2
    first = [asyncio.ensure_future(one) for one in burst[:half]]
    activated = asyncio.ensure_future(two.lives.does(CLEO, activation))
    # Each of the rest follows the one before it, so that some come on each side.
    answers = [await one for one in burst[half:]]
    answers += await asyncio.gather(*first)
    life = await activated

    index = life.versions[-1].index
    assert all("engine_error" not in one for one in answers)
    assert await two.policies_after(index) <= {STRICTER.name.digest}
    before = {leaf["pol"] for at, leaf in await two.leaves() if at < index and "pol" in leaf}
    assert before == {DEFAULT.name.digest}
    assert "platform_rule" in await two.reasons(two.bob)
    assert await two.policies_after(index) == {STRICTER.name.digest}


async def test_what_looks_and_decides_nothing_follows_within_seconds(two: Two) -> None:
    activation = await two.lives.approved(STRICTER)
    await two.lives.does(CLEO, activation)

    await until(lambda: two.other.api.policy().name == STRICTER.name)


async def test_the_commands_decide_by_the_version_in_force(two: Two) -> None:
    activation = await two.lives.approved(STRICTER)
    life = await two.lives.does(CLEO, activation)
    named = AccountId(two.alice.account_id)

    async with open_records(two.world, clock=two.one.clock) as use:
        statement = use.officers.statement(
            Suspend(account=named, because="case-9"), officer=ADA.key
        )
        await use.suspensions.act(sign(statement, ADA.private.sign), named=named)

    assert await two.policies_after(life.versions[-1].index) == {STRICTER.name.digest}
    assert (await book_in_force(two.world)).policy.name == STRICTER.name
    assert await served_policy(two.world.settings) == STRICTER.name.digest
    assert STRICTER.name.digest in await known_policies(two.world, book=rule_book())
    verdict = await audited(two.database, two.world.keyring, two.world.settings)
    assert verdict.findings == ()


async def test_two_return_at_once_to_the_stricter_version_before(two: Two) -> None:
    await two.lives.does(CLEO, await two.lives.approved(STRICTER))
    milder = await two.lives.approved(DEFAULT)  # By a rule fewer thieves can do more.
    accepts = AcceptGrowth(digest=milder.digest, growth=milder.growth, proposal=milder.proposal)
    with pytest.raises(PolicyNotReadyError):
        await two.lives.does(CLEO, milder)
    await two.lives.does(CLEO, accepts)
    two.lives.clock.forward(seconds=POLICY_WAIT.total_seconds())
    await two.lives.does(CLEO, milder)
    assert "platform_rule" not in await two.reasons(two.bob)

    before = two.lives.clock.at
    back = await two.lives.approved(STRICTER)
    two.lives.clock.at = before
    assert (await two.lives.does(BEN, back)).policy == STRICTER.name.digest

    assert "platform_rule" in await two.reasons(two.bob)
    assert "platform_rule" in await two.reasons(two.alice)


async def test_what_was_only_proposed_is_trusted_by_nobody(two: Two) -> None:
    activation = await two.lives.approved(STRICTER)
    assert await known_policies(two.world) == (DEFAULT.name.digest,)

    await two.lives.does(CLEO, activation)

    assert set(await known_policies(two.world)) == {DEFAULT.name.digest, STRICTER.name.digest}


# --- After a restart ---


async def test_a_process_that_starts_decides_by_what_officers_activated(two: Two) -> None:
    await two.lives.does(CLEO, await two.lives.approved(STRICTER))

    async with open_api(two.world, clock=two.one.clock) as api:
        assert api.policy().name == STRICTER.name
        assert isinstance(api.refused, PolicyNotActivatedError)
        assert DEFAULT.name.digest in str(api.refused)
    async with serving(
        two.world, waiting_letters=two.one.waiting_letters, clock=two.one.clock
    ) as fresh:
        carol = Customer(fresh, "carol")
        await carol.set_up()
        assert "platform_rule" in await two.reasons(carol)


def with_profile(world: World, path: Path) -> World:
    settings = dataclasses.replace(world.settings, profile=str(path))
    return World(settings=settings, keyring=world.keyring, dsn=world.dsn)


async def test_an_edited_file_decides_nothing(two: Two, tmp_path: Path) -> None:
    file = tmp_path / "stricter.cedar"
    file.write_text(stricter_text())
    own = with_profile(two.world, file)
    await two.lives.does(CLEO, await two.lives.approved(STRICTER))
    async with open_api(own, clock=two.one.clock) as api:
        assert (api.policy().name, api.refused) == (STRICTER.name, None)

    rule_book.cache_clear()
    for edited in (shipped("default"), "nonsense"):
        file.write_text(edited)
        async with open_api(own, clock=two.one.clock) as api:
            assert api.policy().name == STRICTER.name
            assert isinstance(api.refused, PolicyNotActivatedError)
        rule_book.cache_clear()


async def test_a_version_that_nobody_activated_decides_nothing(two: Two) -> None:
    """Whoever writes into the table of policies, and says that it is served."""
    await tell_served(two.world, STRICTER)

    assert "platform_rule" not in await two.reasons(two.alice)
    async with open_api(two.world, book=rule_book(), clock=two.one.clock) as api:
        assert (api.policy().name, api.refused) == (DEFAULT.name, None)
    rows = await two.leaves()
    assert STRICTER.name.digest not in {leaf.get("pol") for _, leaf in rows}


@pytest.mark.parametrize("edit", ["body = '{}'", "body = body || ' '", "digest = 'x'"])
async def test_an_edited_text_decides_nothing_and_nor_does_another(two: Two, edit: str) -> None:
    activation = await two.lives.approved(STRICTER)
    await two.database.execute(
        f"UPDATE policy SET {edit} WHERE digest = '{STRICTER.name.digest}'"  # noqa: S608 - of ours
    )
    with pytest.raises(TwinlockError):
        await two.lives.does(CLEO, activation)
    async with two.lives.use() as use:
        statement = use.statement(activation, officer=CLEO.key)
        await use._say(sign(statement, CLEO.private.sign))  # noqa: SLF001 - whoever runs the process

    for customer in (two.alice, two.bob):
        with pytest.raises(ProblemError) as refused:
            await two.reasons(customer)
        assert (refused.value.status, refused.value.code) == (503, "policy_not_loaded")
    assert (await two.one.http.get("/health/ready")).json()["code"] == "policy_not_loaded"
    with pytest.raises(PolicyNotLoadedError):
        async with open_api(two.world, clock=two.one.clock):
            pass


async def test_a_file_of_the_version_in_force_stands_in_for_its_text(
    two: Two, tmp_path: Path
) -> None:
    """How whoever runs the service puts back a text that somebody removed."""
    file = tmp_path / "stricter.cedar"
    file.write_text(stricter_text())
    await two.lives.does(CLEO, await two.lives.approved(STRICTER))
    await two.database.execute("DELETE FROM policy WHERE digest = $1", STRICTER.name.digest)

    async with open_api(with_profile(two.world, file), clock=two.one.clock) as api:
        assert api.policy().name == STRICTER.name
    assert await SqlPolicyTexts(store_of(two).database).read(STRICTER.name.digest) == STRICTER.text


def store_of(two: Two) -> SqlStore:
    found = two.one.api.store
    assert isinstance(found, SqlStore)
    return found


async def test_a_database_from_before_the_activation_is_believed_by_nobody(two: Two) -> None:
    activation = await two.lives.approved(STRICTER)
    await keep(two.database)
    await two.lives.does(CLEO, activation)
    assert "platform_rule" in await two.reasons(two.alice)
    await put_back(two.database)

    with pytest.raises(ProblemError) as refused:
        await two.reasons(two.alice)
    assert refused.value.code == "log_damaged"

    async def bobs() -> str:
        """Of a process that decided nothing since then: it hears of it by the anchor."""
        try:
            return str(await two.reasons(two.bob))
        except ProblemError as problem:
            return problem.code

    assert await asked_until(bobs, lambda code: code == "log_damaged")
    with pytest.raises(TwinlockError) as started:
        async with open_api(two.world, clock=two.one.clock):
            pass
    assert started.value.code == "log_rolled_back"


# --- Officers without a policy ---


async def older_officers(lives: Lives) -> None:
    """Appoint officers as a release did whose chain said nothing of policies."""
    async with lives.use() as use:
        keys = (ADA.key, BEN.key, CLEO.key)

        def speak(platform: Platform, at: datetime) -> PlatformLeaf:
            assert not platform.acts
            return replace(appointed(keys, policy=FOUNDING, at=at), v=2, policy="")

        await use._acts.append(speak)  # noqa: SLF001 - no use case writes older leaves


async def ruled(world: World, clock: SteerableClock) -> Ruling:
    """Return by what a process of ``world`` decides that is started now."""
    async with open_api(world, clock=clock) as api:
        kept = api.store
        assert isinstance(kept, SqlStore)
        return await ruling_of(kept, given=None, profile=world.settings.profile)


@asynccontextmanager
async def older(service: Service, world: World) -> AsyncIterator[Lives]:
    lives = Lives(world, service.clock)
    await older_officers(lives)
    yield lives


async def test_until_officers_activate_one_what_was_served_goes_on(
    service: Service, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "stricter.cedar"
    file.write_text(stricter_text())
    own = with_profile(world, file)
    async with older(service, world) as lives:
        assert (await ruled(own, service.clock)).book.policy.name == STRICTER.name  # None was.
        await tell_served(world, DEFAULT)
        first = await ruled(world, service.clock)
        assert (first.book.policy.name, first.refused) == (DEFAULT.name, None)
        other = await ruled(own, service.clock)
        assert other.book.policy.name == DEFAULT.name
        assert isinstance(other.refused, PolicyNotActivatedError)
        file.write_text("nonsense")
        rule_book.cache_clear()
        assert (await ruled(own, service.clock)).book.policy.name == DEFAULT.name

        await lives.does(CLEO, await lives.approved(STRICTER))
        assert (await ruled(world, service.clock)).book.policy.name == STRICTER.name


async def test_until_then_a_shipped_profile_is_served_as_the_next_release_has_it(
    service: Service, world: World, tmp_path: Path
) -> None:
    before = policy_of(shipped("default"), profile="default", version=2)
    file = tmp_path / "default.cedar"
    file.write_text(stricter_text())
    async with older(service, world):
        await tell_served(world, before)
        updated = await ruled(world, service.clock)
        assert (updated.book.policy.name, updated.refused) == (DEFAULT.name, None)
        rule_book.cache_clear()
        with pytest.raises(PolicyNotActivatedError):  # A file of that name is another thing.
            await ruled(with_profile(world, file), service.clock)


async def test_before_there_are_officers_a_profile_decides_or_nothing(
    service: Service, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "own.cedar"
    file.write_text("nonsense")
    with pytest.raises(PolicyRefusedError):
        async with open_api(with_profile(world, file), clock=service.clock):
            pass
    assert (await ruled(world, service.clock)).refused is None
    assert (await book_in_force(world)).policy.name == DEFAULT.name


async def test_officers_begin_with_the_policy_that_decides_or_with_another(
    service: Service, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "stricter.cedar"
    file.write_text(stricter_text())

    assert await found(world, path=None) == DEFAULT.name.digest
    assert await found(world, path=file) == STRICTER.name.digest
    await Lives(world, service.clock).appoint(STRICTER)

    alice = Customer(service, "alice")
    await alice.set_up()
    assert service.api.policy().name == STRICTER.name


# --- One process ---


class Texts:
    """Policies that a test keeps, each read counted. Implements ``ports.PolicyTexts``."""

    def __init__(self, *kept: Policy) -> None:
        self.kept = {one.name.digest: one.text for one in kept}
        self.asked = 0

    async def keep(self, text: bytes) -> None:
        raise AssertionError(text)

    async def digests(self) -> tuple[str, ...]:
        raise AssertionError

    async def read(self, digest: str) -> bytes | None:
        self.asked += 1
        return self.kept.get(digest)


@dataclass
class Process:
    """What one process sees: a head, texts, and the time."""

    texts: Texts
    in_force: str | Exception = ""
    at: float = 0.0

    async def look(self) -> str:
        if isinstance(self.in_force, Exception):
            raise self.in_force
        return self.in_force

    def ruling(self) -> Ruling:
        return Ruling(rule_book(), texts=self.texts, look=self.look, seconds=lambda: self.at)


async def test_what_cannot_be_loaded_is_tried_again_after_a_pause() -> None:
    process = Process(Texts(), STRICTER.name.digest)
    ruling = process.ruling()
    ruling.check()
    for at in (0.0, AGAIN_SECONDS - 1, AGAIN_SECONDS):
        process.at = at
        with pytest.raises(PolicyNotLoadedError, match=STRICTER.name.digest):
            await ruling.follow()
    assert process.texts.asked == 2
    with pytest.raises(PolicyNotLoadedError):
        ruling.in_force()

    process.texts.kept[STRICTER.name.digest] = STRICTER.text
    process.at += AGAIN_SECONDS
    await asyncio.gather(*(ruling.follow() for _ in range(3)))

    assert (process.texts.asked, ruling.in_force().policy.name) == (3, STRICTER.name)
    process.in_force = FOUNDING
    with pytest.raises(PolicyNotLoadedError):
        await ruling.follow()
    process.in_force = STRICTER.name.digest
    await ruling.follow()
    ruling.check()


async def test_a_text_of_another_release_is_not_decided_by() -> None:
    other = policy_of(with_rules(), version=2)
    ruling = Process(Texts(other), other.name.digest).ruling()

    with pytest.raises(PolicyNotLoadedError, match="another release"):
        await ruling.follow()
    assert ruling.book.policy.name == DEFAULT.name


class LockedTexts(Texts):
    """A table that somebody keeps locked, or took from us."""

    async def read(self, digest: str) -> bytes | None:
        raise self.error

    error: Exception = UnavailableError("the database does not answer")


@pytest.mark.parametrize("error", [UnavailableError("locked"), PermissionError("revoked")])
async def test_whatever_keeps_a_version_from_being_read_nothing_is_looked_at_by_the_one_before(
    error: Exception,
) -> None:
    """Prevents: orders that pass by a laxer version for as long as somebody holds a lock."""
    texts = LockedTexts()
    texts.error = error
    ruling = Process(texts, STRICTER.name.digest).ruling()

    with pytest.raises(PolicyNotLoadedError):
        await ruling.follow()
    with pytest.raises(PolicyNotLoadedError):
        ruling.in_force()


async def test_a_process_that_cannot_see_the_head_decides_nothing_for_long() -> None:
    process = Process(Texts())
    ruling = process.ruling()
    process.in_force = UnavailableError("the database does not answer")
    for at in (BLIND_SECONDS - 1, BLIND_SECONDS):
        process.at = at
        assert ruling.in_force().policy.name == DEFAULT.name
        with pytest.raises(UnavailableError):
            await ruling.follow()
    with pytest.raises(UnavailableError):
        ruling.in_force()

    process.in_force = ""
    await ruling.follow()
    assert ruling.in_force().policy.name == DEFAULT.name
    process.in_force = LogDamagedError("the head of the log is not ours")
    with pytest.raises(LogDamagedError):
        await ruling.follow()
    with pytest.raises(LogDamagedError, match="not ours"):
        ruling.in_force()


# --- A store ---


async def activate_another(store: SqlStore, keyring: Keyring, clock: StoresClock) -> Chain:
    """Have officers begin with another version than stores of tests decide by."""
    acts = SqlPlatformActs(store.database, sealer=Sealer(keyring), clock=clock, log_origin="log")
    keys = (ADA.key, BEN.key, CLEO.key)
    return await acts.append(lambda _, at: appointed(keys, policy=FOUNDING, at=at))


async def test_what_was_begun_before_an_activation_is_refused_behind_it(
    store: SqlStore, database: TestDatabase, keyring: Keyring, clock: StoresClock
) -> None:
    """The batch has read that nothing is in force, and waits for the head behind the officers."""
    alice = await opened(store, clock)
    async with database.owner() as owner:
        held = owner.transaction()
        await held.start()
        await owner.fetch("SELECT 1 FROM head FOR UPDATE")
        activates = asyncio.create_task(activate_another(store, keyring, clock))
        await database.somebody_waits_for_a_lock()
        touches = asyncio.create_task(store.run(touching(alice)))
        await database.somebody_waits_for_a_lock(sessions=2)
        await held.rollback()

    await activates
    with pytest.raises(PolicyChangedError) as refused:
        await touches
    assert refused.value.in_force == FOUNDING
    assert (await store.account(alice.account_id)).chain.entries == 1


async def test_nobody_is_erased_by_a_version_that_is_not_in_force(
    store: SqlStore, database: TestDatabase, keyring: Keyring, clock: StoresClock
) -> None:
    customer, action = await due_customer(store, clock)
    await activate_another(store, keyring, clock)

    with pytest.raises(PolicyChangedError):
        await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))
    kept = await store.account(customer.account_id)
    assert kept.account_id == customer.account_id


# --- The audit ---


async def test_the_audit_sees_that_another_version_decided(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of the platform that heeds no officer: the log says by what it decided."""
    await two.lives.does(CLEO, await two.lives.approved(STRICTER))
    monkeypatch.setattr("twinlock.adapters.sql.batch.check_in_force", lambda *_: None)
    policies = two.one.api.use.actions._policies  # noqa: SLF001 - such a process
    monkeypatch.setattr(policies, "_in_force", rule_book)
    await two.alice.service.client.propose(
        {
            "account_id": two.alice.account_id,
            "type": "withdrawal.crypto",
            "payload": two.alice.withdrawal("10"),
        },
        key="a-key-0001",
    )
    monkeypatch.undo()

    verdict = await audited(two.database, two.world.keyring, two.world.settings)
    assert {one.code for one in verdict.findings} == {Fault.POLICY_NOT_IN_FORCE}
