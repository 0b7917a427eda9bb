"""Whoever writes into the database, sets a clock, or runs another program, for a laxer policy.

Has: every table, or the clock of one machine, or a process of his own. Wants: a version that two
officers did not activate, or one that decides sooner, or that the one before goes on. Is stopped
by: the MAC of the head, digests, what the installation believes of its clock, and other processes.
"""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from support.officers import ADA, BEN, EVE, Officer
from support.policies import LAX, permits
from support.policy_lives import STRICTER, Lives
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.traders import order
from support.until import until

from twinlock.adapters.policies import shipped
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock
from twinlock.bootstrap.officers import open_officers
from twinlock.bootstrap.policy_life import found, open_policy_life
from twinlock.bootstrap.rulebook import checked_policy, rule_book
from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.trust import known_policies
from twinlock.bootstrap.world import World
from twinlock.client import ProblemError
from twinlock.domain.canonical import encode
from twinlock.domain.errors import ClockUntrustedError, LogDamagedError
from twinlock.domain.officers.keys import OfficersWrongError
from twinlock.domain.officers.standing import read_standing
from twinlock.domain.officers.statements import Approve, Halt, Propose, StatementRefusedError
from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.proofs.officers import sign
from twinlock.services.policy_life import GrowthDiffersError

DEFAULT = rule_book().policy
DAY_MS = 86_400_000


@pytest.fixture
async def lives(service: Service, world: World) -> Lives:
    """Officers from the first leaf on, who begin with the default policy."""
    made = Lives(world, service.clock)
    await made.appoint(DEFAULT)
    return made


@pytest.fixture
async def alice(lives: Lives, service: Service) -> Customer:
    assert lives.clock is service.clock
    customer = Customer(service, "alice")
    await customer.set_up()
    return customer


def texts_of(service: Service) -> SqlPolicyTexts:
    store = service.api.store
    assert isinstance(store, SqlStore)
    return SqlPolicyTexts(store.database)


async def insert(database: TestDatabase, digest: str, text: bytes) -> None:
    await database.execute("INSERT INTO policy (digest, body) VALUES ($1, $2)", digest, text)


# --- The head ---


async def test_a_version_that_only_an_edited_head_names_is_loaded_by_nobody(
    alice: Customer, service: Service, database: TestDatabase
) -> None:
    """What only looks, as examining orders does, would go by it; and any text would be compiled."""
    await insert(database, LAX.name.digest, LAX.text)
    head = await database.value("SELECT platform FROM head")
    assert isinstance(head, bytes)
    edited = encode(replace(read_standing(head), policy=LAX.name.digest))
    await database.execute("UPDATE head SET platform = $1", edited)

    with pytest.raises(ProblemError) as refused:
        await alice.propose("withdrawal.crypto", alice.withdrawal("10"))
    assert refused.value.code == "log_damaged"
    assert service.api.policy().name == DEFAULT.name

    await database.execute("UPDATE head SET platform = $1", head)
    await until(lambda: _decides(service))
    await alice.propose("withdrawal.crypto", alice.withdrawal("10"))
    assert service.api.policy().name == DEFAULT.name


def _decides(service: Service) -> bool:
    try:
        service.api.check_ruling()
    except Exception:  # noqa: BLE001 - of any kind: it does not
        return False
    return True


async def test_orders_and_questions_do_not_go_by_a_version_that_is_in_force_no_more(
    alice: Customer, service: Service, lives: Lives, database: TestDatabase
) -> None:
    """The text of a stricter version is removed as it comes: nobody can load it."""
    activation = await lives.approved(STRICTER)
    text = await database.value("SELECT body FROM policy WHERE digest = $1", STRICTER.name.digest)
    assert isinstance(text, bytes)
    await alice.client.examine([order(alice.account_id)])
    async with lives.use() as use:
        await database.execute("DELETE FROM policy WHERE digest = $1", STRICTER.name.digest)
        statement = use.statement(activation, officer=BEN.key)
        await use._say(sign(statement, BEN.private.sign))  # noqa: SLF001 - whoever runs the process
    await until(lambda: not _decides(service))

    with pytest.raises(ProblemError) as refused:
        await alice.client.examine([order(alice.account_id)])
    assert refused.value.code == "policy_not_loaded"

    await insert(database, STRICTER.name.digest, text)
    await until(lambda: service.api.policy().name == STRICTER.name)
    await alice.client.examine([order(alice.account_id)])


async def test_an_edited_text_keeps_officers_from_proposing_until_its_row_is_gone(
    lives: Lives, service: Service, database: TestDatabase
) -> None:
    """What the documentation says of it; a text that is kept is never written over."""
    await database.execute("UPDATE policy SET body = '{}'")
    await texts_of(service).keep(DEFAULT.text)
    async with lives.use() as use:
        with pytest.raises(LogDamagedError):
            await use.draft(STRICTER.text)

    await database.execute("DELETE FROM policy")
    async with open_api(lives.world, clock=lives.clock), lives.use() as use:
        assert (await use.draft(STRICTER.text)).act.follows == DEFAULT.name.digest


# --- What verifiers believe ---


async def test_what_somebody_puts_into_the_table_is_trusted_by_nobody(
    alice: Customer, lives: Lives, database: TestDatabase
) -> None:
    assert alice.account_id
    await insert(database, LAX.name.digest, LAX.text)

    assert await known_policies(lives.world) == (DEFAULT.name.digest,)


async def test_what_no_officer_proposes_is_not_even_kept(lives: Lives, service: Service) -> None:
    assert EVE.key not in (ADA.key, BEN.key)
    async with lives.use() as use:
        act = (await use.draft(LAX.text)).act
        statement = use.statement(act, officer=EVE.key)
        with pytest.raises(StatementRefusedError):
            await use.propose(sign(statement, EVE.private.sign), LAX.text)

    assert await texts_of(service).read(LAX.name.digest) is None


# --- Time ---


async def test_a_wait_does_not_end_because_a_clock_was_set_for_one_command(
    lives: Lives,
) -> None:
    """A day forward in the moment of the activation, for the database of the same machine too."""
    anchor = lives.world.settings.data_dir / "clock-anchor.json"
    SystemClock(anchor=anchor)
    kept = msgspec.json.decode(anchor.read_bytes())
    kept["wall_ms"] -= DAY_MS
    anchor.write_bytes(encode(kept))

    with pytest.raises(ClockUntrustedError):
        async with open_policy_life(lives.world) as use:
            use.statement(Approve(digest=DEFAULT.name.digest, proposal=1), officer=ADA.key)
    with pytest.raises(ClockUntrustedError):
        async with open_officers(lives.world, for_a_wait=True) as officers:
            officers.statement(Halt(because="case-1"), officer=ADA.key)
    async with open_officers(lives.world) as officers:  # A halt comes whatever an anchor says.
        halt = officers.statement(Halt(because="case-1"), officer=ADA.key)
        await officers.act(sign(halt, ADA.private.sign))
        assert (await officers.standing()).halt == 1


async def test_whoever_ends_a_wait_by_a_false_clock_stops_everything_until_that_time(
    alice: Customer, service: Service, lives: Lives
) -> None:
    """Where no anchor of a clock is: nothing leaves by it before the true day is over."""
    await lives.does(BEN, await lives.approved(STRICTER))
    service.clock.forward(days=-1)

    with pytest.raises(ProblemError) as refused:
        await alice.propose("withdrawal.crypto", alice.withdrawal("1"))
    assert refused.value.code == "clock_untrusted"


# --- Another program ---


async def proposed_by_another_program(lives: Lives, by: Officer) -> Approve:
    """Have a version proposed of which somebody's own prover says that nothing grows."""
    async with open_policy_life(lives.world, clock=lives.clock, growth=lambda *_: ()) as use:
        act = (await use.draft(LAX.text)).act
        assert act == Propose(digest=LAX.name.digest, follows=DEFAULT.name.digest)
        statement = use.statement(act, officer=by.key)
        await use.propose(sign(statement, by.private.sign), LAX.text)
        number, _ = await use.named(LAX.name.digest)
    return Approve(digest=LAX.name.digest, proposal=number)


async def test_who_approves_is_told_what_the_prover_of_who_proposed_kept_back(
    lives: Lives,
) -> None:
    approval = await proposed_by_another_program(lives, ADA)

    with pytest.raises(GrowthDiffersError, match="signed none"):
        await lives.does(BEN, approval)


# --- The first version ---

CLAUSE = " || ".join(f'context["value_cents"] > {500 + number}' for number in range(12))
# As it is written it has some 310 operators, and 600 as it is kept: more than is read.
DENSE = (
    '\n@id("mine.dense") @outcome("deny") @reason("platform_rule")\n'
    'forbid (principal, action == Action::"withdrawal.crypto", resource)\n'
    + "\n".join(f"when {{ {CLAUSE} }}" for _ in range(24))
    + ";\n"
)


async def test_officers_do_not_begin_with_a_version_that_nobody_can_read_back(
    service: Service, world: World, tmp_path: Path
) -> None:
    """Every process would decide nothing from then on, and no officer could change that."""
    file = tmp_path / "dense.cedar"
    file.write_text("\n".join(permits()) + DENSE)
    assert checked_policy(file).policy.profile == "dense"

    with pytest.raises(PolicyRefusedError):
        await found(world, path=file)
    assert await texts_of(service).digests() == (DEFAULT.name.digest,)


async def test_nothing_is_kept_for_officers_who_are_appointed_already(
    lives: Lives, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "strict.cedar"
    file.write_text(shipped("strict"))

    with pytest.raises(OfficersWrongError):
        await found(lives.world, path=file)
    assert await texts_of(service).digests() == (DEFAULT.name.digest,)
